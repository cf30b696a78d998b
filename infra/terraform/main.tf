provider "google" {
  project = var.project
  region  = var.region

  default_labels = {
    application = "vas-gateway"
    environment = var.environment
  }
}

data "google_project" "this" {
  project_id = var.project
}

locals {
  live = var.mobilemart_live_integration

  # Whoever keeps production sales must be able to get them back; a simulation may be thrown away.
  keep_data = local.live

  # The agents of Google's own services, which act in this project under these names.
  iap_agent     = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-iap.iam.gserviceaccount.com"
  pubsub_agent  = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  storage_agent = "serviceAccount:service-${data.google_project.this.number}@gs-project-accounts.iam.gserviceaccount.com"

  # What only an option needs is turned on with it.
  apis = concat(
    [
      "artifactregistry",
      "cloudbuild",
      "cloudfunctions",
      "cloudresourcemanager",
      "cloudscheduler",
      "firestore",
      "iam",
      "logging",
      "monitoring",
      "pubsub",
      "run",
      "secretmanager",
      "serviceusage",
      "storage",
    ],
    var.budget == null ? [] : ["billingbudgets"],
    var.exports_abroad == null ? [] : ["cloudkms"],
    var.sftp == null ? [] : ["compute"],
  )
}

resource "google_project_service" "required" {
  for_each = toset([for api in local.apis : "${api}.googleapis.com"])

  service            = each.key
  disable_on_destroy = false # other things in the project may need it
}
