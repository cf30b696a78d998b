# The supplier's credentials: containers only. People add the values, so that no state, plan or log ever holds one.

locals {
  # A simulation has no credentials, and no access to any.
  secrets = var.mobilemart_secrets == null ? {} : {
    client_id     = var.mobilemart_secrets.client_id
    client_secret = var.mobilemart_secrets.client_secret
  }

  secret_versions = { for use, secret in google_secret_manager_secret.mobilemart : use => "projects/${var.project}/secrets/${secret.secret_id}/versions/latest" }

  # All three talk to the supplier: prevend and purchase to sell, reconcile to ask what became of a sale.
  secret_readers = merge([
    for use in keys(local.secrets) : {
      for function in keys(local.functions) : "${function} ${use}" => { function = function, use = use }
    }
  ]...)
}

resource "google_secret_manager_secret" "mobilemart" {
  for_each = local.secrets

  secret_id           = each.value
  deletion_protection = true
  depends_on          = [google_project_service.required]

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.secret_readers

  secret_id = google_secret_manager_secret.mobilemart[each.value.use].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}
