# Sales, copied out of the region: off unless asked for, because they leave the country with it. Recovery to a point in time and
# backups lie in the region of the database, and go with it.

locals {
  exported = var.exports_abroad == null ? {} : { abroad = var.exports_abroad }
}

# Who destroys this key makes every copy unreadable, wherever it lies.
resource "google_kms_key_ring" "exports" {
  for_each = local.exported

  name       = "exports"
  location   = each.value.region
  depends_on = [google_project_service.required]
}

resource "google_kms_crypto_key" "exports" {
  for_each = local.exported

  name                       = "exports"
  key_ring                   = google_kms_key_ring.exports[each.key].id
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "7776000s" # 90 days; what an older version has encrypted stays readable
  destroy_scheduled_duration = "2592000s" # 30 days to think better of it
}

# It is Storage itself that encrypts what the bucket gets.
resource "google_kms_crypto_key_iam_member" "exports" {
  for_each = local.exported

  crypto_key_id = google_kms_crypto_key.exports[each.key].id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = local.storage_agent
}

resource "google_storage_bucket" "exports" {
  for_each = local.exported

  name                        = "${var.project}-exports"
  location                    = each.value.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !local.keep_data
  depends_on                  = [google_kms_crypto_key_iam_member.exports]

  encryption {
    default_kms_key_name = google_kms_crypto_key.exports[each.key].id
  }

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age        = each.value.retention_days
      with_state = "ANY"
    }
  }

  soft_delete_policy {
    retention_duration_seconds = 0 # what is deleted is gone, and not a week later
  }
}

resource "google_service_account" "exporter" {
  for_each = local.exported

  account_id   = "exporter"
  display_name = "Begins exports of the database"
  depends_on   = [google_project_service.required]
}

# To begin an export, and neither to import nor to read a document itself. Firestore's own agent writes the files.
resource "google_project_iam_custom_role" "exporter" {
  for_each = local.exported

  role_id     = "vasGatewayExporter"
  title       = "VAS gateway: export"
  description = "Begins exports of the database"
  permissions = ["datastore.databases.export"]
}

resource "google_project_iam_member" "exporter" {
  for_each = local.exported

  project = var.project
  role    = "projects/${var.project}/roles/${google_project_iam_custom_role.exporter[each.key].role_id}"
  member  = google_service_account.exporter[each.key].member
}

# Every night, by the API of Firestore itself. A folder is named by the time of its beginning.
resource "google_cloud_scheduler_job" "export" {
  for_each = local.exported

  name             = "export"
  description      = "Exports all sales to ${each.value.region}."
  region           = coalesce(var.scheduler_region, var.region)
  schedule         = "30 2 * * *"
  time_zone        = "Africa/Johannesburg"
  attempt_deadline = "180s" # it answers as soon as the export has begun
  depends_on       = [google_project_service.required]

  http_target {
    uri         = "https://firestore.googleapis.com/v1/projects/${var.project}/databases/${local.served_database}:exportDocuments"
    http_method = "POST"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode({ outputUriPrefix = "gs://${google_storage_bucket.exports[each.key].name}" }))

    oauth_token {
      service_account_email = google_service_account.exporter[each.key].email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  retry_config {
    retry_count          = 3
    min_backoff_duration = "300s"
    max_backoff_duration = "1200s"
  }
}
