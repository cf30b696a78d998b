# Logs name sales and show four digits of numbers, so they stay in the region like the sales. Google's own bucket `_Default`
# is global. `_Required` is too, and nobody can change that: it holds what administrators did, and no sale.
#
# The platform's lines of requests hold whole addresses, and so a whole number where somebody is looked up by one. Those lines are
# kept nowhere. Metrics count them all the same, because they are taken before anything is excluded.

locals {
  log_bucket = "projects/${var.project}/locations/${var.region}/buckets/vas-gateway"

  # All but what goes to `_Required`, whatever one asks for.
  kept_logs = join(" AND ", [for log in ["activity", "system_event", "access_transparency"] : "NOT log_id(\"cloudaudit.googleapis.com/${log}\")"])
  look_ups  = "httpRequest.requestUrl=~\"[?&](accountNumber|meterNumber|mobileNumber)=\""
}

resource "google_logging_project_bucket_config" "regional" {
  project        = var.project
  location       = var.region
  bucket_id      = "vas-gateway"
  description    = "What the functions, the platform and readers of data have logged, in the region"
  retention_days = var.logs_retention_days
  depends_on     = [google_project_service.required]
}

# Within one project it needs no grant.
resource "google_logging_project_sink" "regional" {
  name                   = "vas-gateway"
  description            = "Into the region's bucket"
  destination            = "logging.googleapis.com/${local.log_bucket}"
  filter                 = local.kept_logs
  unique_writer_identity = true
  depends_on             = [google_logging_project_bucket_config.regional]

  exclusions {
    name        = "whole-numbers"
    description = "Requests that look somebody up by a number"
    filter      = local.look_ups
  }
}

# After the sink, so that no line falls between the two.
resource "google_logging_project_exclusion" "default" {
  name        = "kept-in-the-region"
  description = "Out of _Default, which is global: the sink vas-gateway keeps it"
  filter      = local.kept_logs
  depends_on  = [google_logging_project_sink.regional]
}
