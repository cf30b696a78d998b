# The supplier's settlement files: pushed to a server of ours, or brought by whoever else receives them.

locals {
  received            = var.sftp == null ? {} : { here = var.sftp }
  settlement_retained = local.keep_data && var.settlement_retention_days > 0
}

resource "google_storage_bucket" "settlement" {
  name                        = "${var.project}-settlement"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !local.keep_data
  depends_on                  = [google_project_service.required]

  # A bucket takes either versions or a retention policy.
  versioning {
    enabled = !local.settlement_retained
  }

  # Nobody is granted deletion. Unlocked, the policy holds until somebody who may update the bucket, such as the deployer,
  # takes it away or shortens it. Locked, nobody ever can. A simulation's files may go.
  dynamic "retention_policy" {
    for_each = local.settlement_retained ? [var.settlement_retention_days * 86400] : []
    content {
      is_locked        = var.settlement_retention_locked
      retention_period = tostring(retention_policy.value)
    }
  }

  # Files hold people's numbers: when their time is over they go by themselves, and an older version with them.
  dynamic "lifecycle_rule" {
    for_each = var.settlement_retention_days > 0 ? [var.settlement_retention_days] : []
    content {
      action {
        type = "Delete"
      }
      condition {
        age        = lifecycle_rule.value
        with_state = "ANY"
      }
    }
  }

  soft_delete_policy {
    retention_duration_seconds = 0 # what is deleted is gone, and not a week later
  }
}

resource "google_storage_bucket_iam_member" "settlement_reader" {
  bucket = google_storage_bucket.settlement.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.function["reconcile"].member
}

# May add files and read them, and neither replace nor delete one.
resource "google_storage_bucket_iam_member" "settlement_writer" {
  for_each = var.settlement_writer == null ? {} : local.adds_objects

  bucket = google_storage_bucket.settlement.name
  role   = each.value
  member = var.settlement_writer
}

# The server takes files by SFTP, and brings them as `settlement_writer` would: it may add and read, and neither replace nor delete.
resource "google_service_account" "sftp" {
  for_each = local.received

  account_id   = "sftp-server"
  display_name = "Brings settlement files that came by SFTP"
  depends_on   = [google_project_service.required]
}

resource "google_storage_bucket_iam_member" "settlement_sftp" {
  for_each = var.sftp == null ? {} : local.adds_objects

  bucket = google_storage_bucket.settlement.name
  role   = each.value
  member = google_service_account.sftp["here"].member
}

module "sftp" {
  source   = "./modules/sftp"
  for_each = local.received

  allowed         = each.value.allowed
  bucket          = google_storage_bucket.settlement.name
  keys            = each.value.keys
  region          = var.region
  service_account = google_service_account.sftp[each.key].email
  user            = each.value.user
  zone            = each.value.zone
  depends_on      = [google_project_service.required]
}
