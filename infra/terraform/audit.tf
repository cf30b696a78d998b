# Who reads or changes sales past the functions, or reads a secret, leaves a trace. The functions read and write sales all day,
# and each sale's history says what was done: logged once more, that would be most of the log. Who deploys code that reads in
# a function's name is in the log of administrators' activity, which nobody can turn off.

resource "google_project_iam_audit_config" "this" {
  for_each = {
    "datastore.googleapis.com"     = [for account in google_service_account.function : account.member] # Firestore's, by its older name
    "secretmanager.googleapis.com" = []
  }

  project    = var.project
  service    = each.key
  depends_on = [google_project_service.required]

  dynamic "audit_log_config" {
    for_each = toset(["DATA_READ", "DATA_WRITE"])
    content {
      log_type         = audit_log_config.key
      exempted_members = each.value
    }
  }
}
