# How a commit comes to run. `check` tests it and makes a plan, which is kept; `apply` applies that very plan, after a person
# has approved it everywhere but in uat. The checker that made the plan can change nothing that runs, and
# the builder, which makes the images, runs no test.
#
# The deployer puts code where sales and secrets are read, so code of its choice may read them: no role keeps that from
# whoever deploys. What does is the approval of each plan. Its role keeps it from more than that: it changes no grant, no
# role, no account, no secret, and not the triggers, which ask for the approval. A person applies what changes one of these.

locals {
  needs_approval = var.environment != "uat"

  adds_objects = { create = "roles/storage.objectCreator", read = "roles/storage.objectViewer" }

  # To compare the plan with the project, and nothing else: no data, no secret, no log.
  planning_permissions = [
    "artifactregistry.repositories.get",
    "artifactregistry.repositories.getIamPolicy",
    "cloudbuild.builds.get",
    "cloudbuild.builds.list",
    "cloudfunctions.functions.get",
    "cloudscheduler.jobs.get",
    "datastore.backupSchedules.get",
    "datastore.backupSchedules.list",
    "datastore.databases.getMetadata",
    "datastore.operations.get",
    "datastore.schemas.get",
    "datastore.schemas.list",
    "iam.roles.get",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "logging.buckets.get",
    "logging.exclusions.get",
    "logging.logMetrics.get",
    "logging.sinks.get",
    "monitoring.alertPolicies.get",
    "monitoring.dashboards.get",
    "monitoring.notificationChannels.get",
    "monitoring.uptimeCheckConfigs.get",
    "pubsub.subscriptions.get",
    "pubsub.subscriptions.getIamPolicy",
    "pubsub.topics.get",
    "pubsub.topics.getIamPolicy",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "run.services.get",
    "run.services.getIamPolicy",
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "serviceusage.services.get",
    "serviceusage.services.list",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
  ]

  # Likewise, of what only an option makes.
  planning_permissions_of_options = concat(
    var.budget == null ? [] : [
      "billing.resourcebudgets.read",
      "serviceusage.services.use", # the budget's API is called in the project's name
    ],
    var.exports_abroad == null ? [] : [
      "cloudkms.cryptoKeys.get",
      "cloudkms.cryptoKeys.getIamPolicy",
      "cloudkms.keyRings.get",
    ],
    var.sftp == null ? [] : [
      "compute.addresses.get",
      "compute.disks.get",
      "compute.firewalls.get",
      "compute.instances.get",
      "compute.networks.get",
      "compute.subnetworks.get",
      "compute.zones.get",
    ],
  )

  # To make a plan come true, as far as it is the deployer's. No policy is set with these, nobody's identity taken, no build
  # begun, and nothing read that a plan does not hold.
  applying_permissions = [
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.delete",
    "artifactregistry.repositories.update",
    "cloudfunctions.functions.create",
    "cloudfunctions.functions.delete",
    "cloudfunctions.functions.sourceCodeSet",
    "cloudfunctions.functions.update",
    "cloudfunctions.operations.get",
    "cloudfunctions.operations.list",
    "cloudscheduler.jobs.create",
    "cloudscheduler.jobs.delete",
    "cloudscheduler.jobs.enable",
    "cloudscheduler.jobs.pause",
    "cloudscheduler.jobs.update",
    "datastore.backupSchedules.create",
    "datastore.backupSchedules.delete",
    "datastore.backupSchedules.update",
    "datastore.databases.create",
    "datastore.databases.update",
    "datastore.schemas.create",
    "datastore.schemas.delete",
    "datastore.schemas.update",
    "logging.buckets.create",
    "logging.buckets.update",
    "logging.exclusions.create",
    "logging.exclusions.delete",
    "logging.exclusions.update",
    "logging.logMetrics.create",
    "logging.logMetrics.delete",
    "logging.logMetrics.update",
    "logging.sinks.create",
    "logging.sinks.delete",
    "logging.sinks.update",
    "monitoring.alertPolicies.create",
    "monitoring.alertPolicies.delete",
    "monitoring.alertPolicies.update",
    "monitoring.dashboards.create",
    "monitoring.dashboards.delete",
    "monitoring.dashboards.update",
    "monitoring.notificationChannels.create",
    "monitoring.notificationChannels.delete",
    "monitoring.notificationChannels.update",
    "monitoring.uptimeCheckConfigs.create",
    "monitoring.uptimeCheckConfigs.delete",
    "monitoring.uptimeCheckConfigs.update",
    "pubsub.subscriptions.create",
    "pubsub.subscriptions.delete",
    "pubsub.subscriptions.update",
    "pubsub.topics.attachSubscription",
    "pubsub.topics.create",
    "pubsub.topics.delete",
    "pubsub.topics.update",
    "run.operations.get",
    "serviceusage.services.enable",
    "storage.buckets.create",
    "storage.buckets.delete",
    "storage.buckets.update",
  ]

  # Whose accounts functions, their builds and jobs are given.
  actors = concat(["builder", "prevend", "purchase", "reconcile", "scheduler"], var.exports_abroad == null ? [] : ["exporter"])
}

resource "google_project_iam_custom_role" "planner" {
  role_id     = "vasGatewayPlanner"
  title       = "VAS gateway: plan"
  description = "Reads what a plan is compared with"
  permissions = concat(local.planning_permissions, local.planning_permissions_of_options)
}

resource "google_project_iam_custom_role" "applier" {
  role_id     = "vasGatewayApplier"
  title       = "VAS gateway: apply"
  description = "Makes what a plan holds"
  permissions = local.applying_permissions
}

resource "google_project_iam_member" "planner" {
  for_each = {
    checker  = google_service_account.checker.member
    deployer = google_service_account.deployer.member
  }

  project = var.project
  role    = "projects/${var.project}/roles/${google_project_iam_custom_role.planner.role_id}"
  member  = each.value
}

resource "google_project_iam_member" "applier" {
  project = var.project
  role    = "projects/${var.project}/roles/${google_project_iam_custom_role.applier.role_id}"
  member  = google_service_account.deployer.member
}

# Whoever gives a function or a job an account must be allowed to act as that account.
resource "google_service_account_iam_member" "deployer_acts_as" {
  for_each = toset(local.actors)

  service_account_id = local.account_names[each.key]
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.deployer.member
}

# Plans and archives by commit. Nothing here is ever overwritten: what was approved is what is applied.
resource "google_storage_bucket" "pipeline" {
  name                        = "${var.project}-pipeline"
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
      age        = 365
      with_state = "ANY"
    }
  }
}

# Adds objects and replaces none: replacing takes the right to delete. `gcloud storage cp` asks for the destination before it
# writes, so who adds must read as well. The sources that a person submits by hand lie here too.
resource "google_storage_bucket_iam_member" "pipeline_checker" {
  for_each = local.adds_objects

  bucket = google_storage_bucket.pipeline.name
  role   = each.value
  member = google_service_account.checker.member
}

resource "google_storage_bucket_iam_member" "pipeline_deployer" {
  bucket = google_storage_bucket.pipeline.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.deployer.member
}

resource "google_storage_bucket_iam_member" "state_checker" {
  bucket = var.state_bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.checker.member
}

resource "google_storage_bucket_iam_member" "state_deployer" {
  bucket = var.state_bucket
  role   = "roles/storage.objectUser"
  member = google_service_account.deployer.member
}

# Says that there is a plan to apply.
resource "google_pubsub_topic" "plans" {
  name       = "plans"
  depends_on = [google_project_service.required]

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_topic_iam_member" "plans_checker" {
  topic  = google_pubsub_topic.plans.name
  role   = "roles/pubsub.publisher"
  member = google_service_account.checker.member
}

resource "google_cloudbuild_trigger" "check" {
  name               = "check"
  description        = "Tests, packages and plans for ${var.environment}"
  location           = coalesce(var.build_region, var.region)
  service_account    = local.account_names.checker
  filename           = "cloudbuild.yaml"
  include_build_logs = "INCLUDE_BUILD_LOGS_WITH_STATUS"

  repository_event_config {
    repository = var.repository
    push {
      branch = var.release.branch
      tag    = var.release.tag
    }
  }

  substitutions = {
    _ENVIRONMENT = var.environment
    _PIPELINE    = google_storage_bucket.pipeline.name
    _PLANS       = google_pubsub_topic.plans.name
    _TERRAFORM   = var.images.terraform
    _TESTS       = var.images.tests
  }
}

resource "google_cloudbuild_trigger" "apply" {
  name            = "apply"
  description     = "Applies a plan to ${var.environment}${local.needs_approval ? ", once it is approved" : ""}"
  location        = coalesce(var.build_region, var.region)
  service_account = local.account_names.deployer

  approval_config {
    approval_required = local.needs_approval
  }

  pubsub_config {
    topic = google_pubsub_topic.plans.id
  }

  git_file_source {
    path       = "cloudbuild.apply.yaml"
    repository = var.repository
    revision   = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  source_to_build {
    repository = var.repository
    ref        = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  substitutions = {
    _COMMIT      = "$(body.message.attributes.commit)"
    _ENVIRONMENT = var.environment
    _GCLOUD      = var.images.gcloud
    _PIPELINE    = google_storage_bucket.pipeline.name
    _PLAN        = "$(body.message.attributes.plan)"
    _TERRAFORM   = var.images.terraform
  }
}
