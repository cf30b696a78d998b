locals {
  # Concurrency is a bound on memory, not on work: nearly all of a sale is waiting for the supplier, up to a minute, so an
  # instance that took few at a time would mean hundreds of idle instances whenever the supplier is slow, while one event
  # loop on one vCPU holds them all. Measured: 104 MB with 200 open sales and 151 MB with 800, so 250 of them use a quarter
  # of 512 MiB, and at a supplier's usual four seconds less than half of the vCPU. docs/scaling.md derives both.
  functions = {
    prevend = {
      description      = "Checks a meter or account and an amount with the supplier."
      available_memory = "512Mi"
      concurrency      = 250
      invokers         = { anyone = "allUsers" } # the function itself checks the caller's OIDC token
      viewers          = {}
    }
    purchase = {
      description      = "Sells, at most once for each idempotency key."
      available_memory = "512Mi"
      concurrency      = 250
      invokers         = { anyone = "allUsers" } # the function itself checks the caller's OIDC token
      viewers          = {}
    }
    reconcile = {
      description      = "Ends what is in doubt, and compares each day with the supplier's settlement file."
      available_memory = "1Gi"
      concurrency      = 20 # the Scheduler and a few people; three days of sales are in memory while a day is compared
      invokers = merge(
        {
          operators = "group:${var.operators_group}"
          scheduler = google_service_account.scheduler.member
        },
        var.iap_audience == null ? {} : { proxy = local.iap_agent }, # it calls in the name of whom it has let in
      )
      viewers = { operators = "group:${var.operators_group}" } # `gcloud run services proxy` looks the service up first
    }
  }

  # What the functions are told. A null is left out, and the code's own default holds. LOG_EXECUTION_ID is not among it: told
  # so, functions-framework puts a log handler of its own in the place of ours, after our code is loaded.
  environment = {
    all = {
      ENVIRONMENT                 = var.environment
      FIRESTORE_DATABASE          = local.served_database
      FUNCTION_TIMEOUT_SECONDS    = tostring(var.function_timeout_seconds)
      GOOGLE_CLOUD_PROJECT        = var.project
      MOBILEMART_API_URL          = var.mobilemart_api_url
      MOBILEMART_LIVE_INTEGRATION = tostring(var.mobilemart_live_integration)
      MOBILEMART_TIMEOUT_SECONDS  = tostring(var.mobilemart_timeout_seconds)
      VENDING_LEASE_SECONDS       = tostring(var.vending_lease_seconds)

      # Names, not values: the client reads the newest version itself, so a rotation needs no redeploy.
      MOBILEMART_CLIENT_ID_SECRET     = lookup(local.secret_versions, "client_id", null)
      MOBILEMART_CLIENT_SECRET_SECRET = lookup(local.secret_versions, "client_secret", null)
    }
    callers = {
      CORS_ORIGINS        = length(var.cors_origins) == 0 ? null : join(",", var.cors_origins)
      OIDC_AUDIENCE       = var.oidc.audience
      OIDC_ISSUER         = var.oidc.issuer
      OIDC_ISSUER_ALIASES = length(var.oidc.issuer_aliases) == 0 ? null : join(",", var.oidc.issuer_aliases)
      OIDC_JWKS_URL       = var.oidc.jwks_url
      OIDC_SCOPE          = var.oidc.scope
      OIDC_SCOPE_CLAIM    = var.oidc.scope_claim
    }
    events = {
      EVENTS_TOPIC = "projects/${var.project}/topics/${google_pubsub_topic.transactions.name}"
    }
    operators = {
      IAP_AUDIENCE = var.iap_audience
    }
    retention = {
      PERSONAL_DATA_DAYS = tostring(var.personal_data_days)
      RETENTION_DAYS     = tostring(var.retention_days)
    }
    settlement = {
      SETTLEMENT_FILES    = "gs://${google_storage_bucket.settlement.name}/"
      SETTLEMENT_MERCHANT = var.settlement_merchant
    }
  }

  # What `settings` may hold: the functions' other variables. A misspelt one would silently be its default.
  further_variables = [
    "CONSUMER_DETAILS",
    "IN_DOUBT_MINIMUM_AGE_SECONDS",
    "MAXIMUM_AMOUNT_CENTS",
    "MINIMUM_AMOUNT_CENTS",
    "MOBILEMART_AMOUNT_CHECK",
    "MOBILEMART_CALLS_PER_SECOND",
    "MOBILEMART_CONNECT_TIMEOUT_SECONDS",
    "MOBILEMART_REPRINT_BY",
    "MOBILEMART_TENDER_TYPE",
    "MOBILEMART_UTILITY_PRODUCT_ID",
    "PREVEND_VALID_SECONDS",
    "RESOLVE_INTERVAL_SECONDS",
    "REVIEW_AFTER_SECONDS",
    "SEND_WINDOW_SECONDS",
    "STORE_TIMEOUT_SECONDS",
  ]

  environment_variables = {
    prevend   = merge(local.environment.all, local.environment.callers)
    purchase  = merge(local.environment.all, local.environment.callers, local.environment.events)
    reconcile = merge(local.environment.all, local.environment.events, local.environment.operators, local.environment.retention, local.environment.settlement)
  }
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  name                  = each.key
  description           = each.value.description
  location              = var.region
  archive               = "${var.archives}/${each.key}.zip"
  archives_bucket       = google_storage_bucket.functions.name
  docker_repository     = google_artifact_registry_repository.functions.id
  build_service_account = local.account_names.builder
  service_account       = google_service_account.function[each.key].email
  available_memory      = each.value.available_memory
  concurrency           = each.value.concurrency
  instances             = var.instances[each.key]
  environment_variables = merge(var.settings, { for name, value in local.environment_variables[each.key] : name => value if value != null })
  invokers              = each.value.invokers
  viewers               = each.value.viewers

  supplier_timeout_seconds = var.mobilemart_timeout_seconds
  timeout_seconds          = var.function_timeout_seconds # outlasts the supplier's: no vend unrecorded
  lease_seconds            = var.vending_lease_seconds

  # An image cannot be built, nor a first request served, without these.
  depends_on = [
    google_artifact_registry_repository_iam_member.builder,
    google_project_iam_member.builder_sources,
    google_project_iam_member.firestore_user,
    google_project_iam_member.log_writer,
    google_project_iam_member.restored_user,
    google_pubsub_topic_iam_member.publisher,
    google_secret_manager_secret_iam_member.reader,
    google_storage_bucket_iam_member.functions_builder,
    google_storage_bucket_iam_member.settlement_reader,
  ]
}

# Where the archives lie from which the functions are built.
resource "google_storage_bucket" "functions" {
  name                        = "${var.project}-functions"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !local.keep_data
  depends_on                  = [google_project_service.required]

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 90
      with_state                 = "ARCHIVED"
    }
  }
}

resource "google_storage_bucket_iam_member" "functions_builder" {
  bucket = google_storage_bucket.functions.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.builder.member
}

resource "google_storage_bucket_iam_member" "functions_deployer" {
  bucket = google_storage_bucket.functions.name
  role   = "roles/storage.objectUser"
  member = google_service_account.deployer.member
}

# The platform copies the archive into a bucket of its own making before it builds; that bucket's name is fixed.
resource "google_project_iam_member" "builder_sources" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.builder.member

  condition {
    title      = "only-function-sources"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-${var.region}\")"
  }
}

# Where the images lie that are built from them.
resource "google_artifact_registry_repository" "functions" {
  repository_id = "functions"
  description   = "Images of the functions, built from their archives"
  location      = var.region
  format        = "DOCKER"
  depends_on    = [google_project_service.required]

  cleanup_policies {
    id     = "keep-the-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-the-old"
    action = "DELETE"
    condition {
      older_than = "7776000s" # 90 days
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  repository = google_artifact_registry_repository.functions.repository_id
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder.member
}
