# The supplier's settlement files, however a relay brings them here.

resource "google_storage_bucket" "settlement" {
  name                        = "${var.project}-settlement"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !local.keep_data
  depends_on                  = [google_project_service.required]

  versioning {
    enabled = true
  }

  # Nobody is granted deletion; this holds even for whoever grants it to himself. A simulation's files may go.
  dynamic "retention_policy" {
    for_each = local.keep_data && var.settlement_retention_days > 0 ? [var.settlement_retention_days * 86400] : []
    content {
      retention_period = tostring(retention_policy.value)
    }
  }
}

resource "google_storage_bucket_iam_member" "settlement_reader" {
  bucket = google_storage_bucket.settlement.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.function["reconcile"].member
}

# May add files, and neither replace nor delete one.
resource "google_storage_bucket_iam_member" "settlement_writer" {
  count = var.settlement_writer == null ? 0 : 1

  bucket = google_storage_bucket.settlement.name
  role   = "roles/storage.objectCreator"
  member = var.settlement_writer
}
