# Who acts, and what each may do project-wide because the API knows no narrower place. All other grants stand beside the
# resource that they are about. Nobody has a key, a basic role or a default account.

resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = each.key
  display_name = "Runs the function ${each.key}"
  depends_on   = [google_project_service.required]
}

resource "google_service_account" "scheduler" {
  account_id   = "scheduler"
  display_name = "Calls reconcile by the clock"
  depends_on   = [google_project_service.required]
}

# Runs the tests, and with them code of third parties. It writes no image and no archive that a function is built from.
resource "google_service_account" "checker" {
  account_id   = "checker"
  display_name = "Tests, packages and plans; changes nothing that runs"
  depends_on   = [google_project_service.required]
}

resource "google_service_account" "builder" {
  account_id   = "builder"
  display_name = "Builds the functions' images from their archives"
  depends_on   = [google_project_service.required]
}

resource "google_service_account" "deployer" {
  account_id   = "deployer"
  display_name = "Applies plans"
  depends_on   = [google_project_service.required]
}

locals {
  # Known while planning, which the accounts' own ids are not.
  accounts = merge(
    { for name, account in google_service_account.function : name => account.email },
    {
      builder   = google_service_account.builder.email
      checker   = google_service_account.checker.email
      deployer  = google_service_account.deployer.email
      scheduler = google_service_account.scheduler.email
    },
    var.exports_abroad == null ? {} : { exporter = google_service_account.exporter["abroad"].email },
    var.sftp == null ? {} : { sftp = google_service_account.sftp["here"].email },
  )
  account_names = { for name, email in local.accounts : name => "projects/${var.project}/serviceAccounts/${email}" }
}

# Firestore has no policies of its own; the condition ties the role to our database.
resource "google_project_iam_member" "firestore_user" {
  for_each = google_service_account.function

  project = var.project
  role    = "roles/datastore.user"
  member  = each.value.member

  condition {
    title      = "only-our-database"
    expression = "resource.name == \"projects/${var.project}/databases/${module.database.name}\""
  }
}

# The same on each restored database, before any of them is served.
resource "google_project_iam_member" "restored_user" {
  for_each = merge([
    for name in keys(var.restored_databases) : {
      for function, account in google_service_account.function : "${function} ${name}" => { member = account.member, database = name }
    }
  ]...)

  project = var.project
  role    = "roles/datastore.user"
  member  = each.value.member

  condition {
    title      = "only-a-restored-database"
    expression = "resource.name == \"projects/${var.project}/databases/${module.restored[each.value.database].name}\""
  }
}

# Cloud Logging takes log entries for a project as a whole. Functions need no such role: the platform reads their output.
resource "google_project_iam_member" "log_writer" {
  for_each = merge(
    {
      builder  = google_service_account.builder.member
      checker  = google_service_account.checker.member
      deployer = google_service_account.deployer.member
    },
    var.sftp == null ? {} : { sftp = google_service_account.sftp["here"].member },
  )

  project = var.project
  role    = "roles/logging.logWriter"
  member  = each.value
}
