locals {
  sha256 = filesha256(var.archive)
}

# Named by its content: new code is a new object, and the function follows; the same code is no change at all.
resource "google_storage_bucket_object" "archive" {
  name   = "${var.name}-${local.sha256}.zip"
  bucket = var.archives_bucket
  source = var.archive

  lifecycle {
    create_before_destroy = true # the function must never name an object that is gone
  }
}

resource "google_cloudfunctions2_function" "this" {
  name        = var.name
  description = var.description
  location    = var.location

  build_config {
    runtime           = "python313"
    entry_point       = var.name
    docker_repository = var.docker_repository
    service_account   = var.build_service_account

    source {
      storage_source {
        bucket = google_storage_bucket_object.archive.bucket
        object = google_storage_bucket_object.archive.name
      }
    }
  }

  service_config {
    available_cpu                    = "1" # more than one request at a time needs a whole one
    available_memory                 = var.available_memory
    environment_variables            = var.environment_variables
    ingress_settings                 = "ALLOW_ALL" # all who may call come from outside: IAM and OIDC decide
    max_instance_count               = var.instances.maximum
    max_instance_request_concurrency = var.concurrency
    min_instance_count               = var.instances.minimum
    service_account_email            = var.service_account
    timeout_seconds                  = var.timeout_seconds
  }

  lifecycle {
    precondition {
      condition     = var.supplier_timeout_seconds < var.timeout_seconds
      error_message = "The deadlines do not nest: the supplier's (${var.supplier_timeout_seconds} s) must end before the function's (${var.timeout_seconds} s), or an answer comes when nobody is there to record it."
    }
    precondition {
      condition     = var.timeout_seconds < var.lease_seconds
      error_message = "The deadlines do not nest: the function's (${var.timeout_seconds} s) must end before the lease (${var.lease_seconds} s), or a sale is taken for abandoned while it runs."
    }
  }
}

# On the Cloud Run service, because the function's own policy refuses this role.
resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = var.invokers

  name     = google_cloudfunctions2_function.this.name
  location = google_cloudfunctions2_function.this.location
  role     = "roles/run.invoker"
  member   = each.value

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this.id] # a service that is made anew has lost its policy
  }
}

resource "google_cloud_run_v2_service_iam_member" "viewer" {
  for_each = var.viewers

  name     = google_cloudfunctions2_function.this.name
  location = google_cloudfunctions2_function.this.location
  role     = "roles/run.viewer"
  member   = each.value

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this.id]
  }
}
