# What if the policy of reconcile is ever wrong? Cloud Run strips a token's signature before the code sees it, so IAM alone keeps
# strangers out. So it is tried, every quarter of an hour: as nobody, and as a stranger with a valid token of Google's. Cloud
# Run refuses both without starting an instance.

locals {
  strangers = { nobody = false, stranger = true }
  refusals  = var.iap_audience == null ? [403] : [302, 401, 403] # a proxy leads to its login
}

resource "google_monitoring_uptime_check_config" "refused" {
  for_each = local.strangers

  display_name = "reconcile refuses ${each.key}"
  period       = "900s"
  timeout      = "10s"

  http_check {
    path         = "/health"
    port         = 443
    use_ssl      = true
    validate_ssl = true

    dynamic "accepted_response_status_codes" {
      for_each = local.refusals
      content {
        status_value = accepted_response_status_codes.value
      }
    }

    dynamic "service_agent_authentication" {
      for_each = each.value ? ["OIDC_TOKEN"] : []
      content {
        type = service_agent_authentication.value
      }
    }
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      host       = trimprefix(module.function["reconcile"].uri, "https://")
      project_id = var.project
    }
  }
}

# Of every uptime check in the project, which are these two: their ids are made up by Monitoring, so that a plan with them in the
# filter would not show what it listens for.
resource "google_monitoring_alert_policy" "open_to_strangers" {
  display_name          = "${var.environment}: reconcile lets strangers in"
  combiner              = "OR"
  depends_on            = [terraform_data.metrics_known, google_monitoring_uptime_check_config.refused]
  severity              = "CRITICAL"
  notification_channels = local.their_channels

  conditions {
    display_name = "a call without the right to call was not refused"
    condition_threshold {
      filter          = "resource.type = \"uptime_url\" AND metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1 # of the places that it is tried from, more than one
      duration        = "0s"
      aggregations {
        alignment_period     = "1200s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["metric.labels.check_id"]
      }
    }
  }

  documentation {
    content = "A caller without the right to call reconcile got another answer than a refusal: tokens and decisions may be open to strangers.\n\n**First:** read `gcloud run services get-iam-policy reconcile --region=${var.region}`; remove `allUsers` and `allAuthenticatedUsers` at once.\n\n**Then:** ${var.runbook}#reconcile-lets-strangers-in"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}
