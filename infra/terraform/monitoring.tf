# What wakes somebody. The code says what happened in a fixed message (jsonPayload.message); each of these messages has a
# metric that counts it and an alert that says what it means and what to do first, and names its section of the runbook,
# docs/operations.md. Tests compare code, alerts and runbook.

locals {
  log_events = {
    configured_product = {
      message  = "configured product not listed"
      severity = "CRITICAL"
      means    = "The supplier's list lacks the product that MOBILEMART_UTILITY_PRODUCT_ID names. Every sale of electricity without a product of its own is refused."
      do       = "Read the list of utility with the probe, and ask the supplier for the right row. Set MOBILEMART_UTILITY_PRODUCT_ID in the environment's tfvars to that row, and apply."
    }
    contradiction = {
      message  = "contradiction after an end"
      severity = "CRITICAL"
      means    = "The supplier contradicts the end of a sale: it may bill a sale that we rejected, or have vended a sale twice."
      do       = "Open the sale in reconcile (GET /transactions/{id}): its history and raw answers are stored. The loss is the merchant's: never take the customer's money again. Close the discrepancy with a note."
    }
    claimed_twice = {
      message  = "vend claimed twice"
      severity = "CRITICAL"
      means    = "For a sale that is being sold or in doubt, the supplier names a vend that another sale holds. Perhaps two customers received one token. The answer is not believed; the sale is in doubt."
      do       = "Open both sales in reconcile (GET /transactions/{id}), compare their raw answers, and ask the supplier which vend is whose."
    }
    credentials_refused = {
      message  = "supplier refuses our credentials"
      severity = "CRITICAL"
      means    = "The supplier refuses our client id and secret: nothing can be sold."
      do       = "Compare the newest versions in Secret Manager with the supplier's values, and add the right version. No redeployment is needed."
    }
    days_left = {
      message  = "days left unsettled"
      severity = "ERROR"
      means    = "A run of settling ended before it reached every day. The remaining days are unchanged, and their sales in doubt stay in doubt."
      do       = "POST /settle, until `left` in its answer is empty. If every run logs the message, look at the days that it names (GET /reports): missing files, or too many days at once."
    }
    discrepancy = {
      message  = "discrepancy found"
      severity = "ERROR"
      means    = "A settlement file and our records differ about a day."
      do       = "Open the day's report (GET /reports/{day}.html), look at each open discrepancy, ask the supplier, and close the discrepancy with a decision."
    }
    events_not_announced = {
      message  = "events not announced"
      severity = "ERROR"
      means    = "Pub/Sub did not accept an event. The sale is right; wallets have no event yet."
      do       = "If the messages stop, nothing: the sweep publishes pending events every minute. If they continue, look at the topic's permissions and at Pub/Sub's status."
    }
    file_missing = {
      message  = "settlement file missing"
      severity = "WARNING"
      means    = "A day's settlement file has not arrived."
      do       = "Look into the settlement bucket and at the relay that fills it; then ask the supplier for the file. Sales that only a file can end stay in doubt until the file arrives."
    }
    file_refused = {
      message  = "settlement file refused"
      severity = "ERROR"
      means    = "A settlement file breaks the agreed format. No line of it was used."
      do       = "POST /settle?day=... names the first ten faults. Ask the supplier for a corrected file; do not edit the file."
    }
    float_exhausted = {
      message  = "float exhausted"
      severity = "CRITICAL"
      means    = "The prepaid balance with the supplier is used up, and the supplier refuses every sale."
      do       = "Top up the float. Selling pauses itself for minutes at a time and resumes by itself."
    }
    in_doubt = {
      message  = "in doubt too long"
      severity = "CRITICAL"
      means    = "Nobody can tell whether a sale vended. A person must decide the sale now."
      do       = "Open the sale in reconcile and ask the supplier about its request id. Then decide (POST /transactions/{id}/resolution) with a note. Never sell again as a test."
    }
    outcome_not_stored = {
      message  = "outcome not stored"
      severity = "CRITICAL"
      means    = "The supplier answered a sale, and Firestore did not store the answer. The caller received 202."
      do       = "Look at Firestore's status. The sweep asks the supplier again after the sale's lease; watch that the sale ends."
    }
    record_unreadable = {
      message  = "record not readable"
      severity = "CRITICAL"
      narrowed = "severity>=CRITICAL" # of others only a part is not known, and it is kept
      means    = "The running version cannot read how a sale ended, or cannot read a prevend or a stored document. Newer code wrote it, or it is damaged. The record stays untouched, and nothing is sold under its key."
      do       = "After a roll back, deploy the newer version again. Otherwise compare the record that the log names with a backup."
    }
    request_failed = {
      message  = "request failed"
      severity = "ERROR"
      means    = "A fault of ours ended a request with a 500. The answer carries no outcome: the caller repeats with the same key, and nothing is sold twice."
      do       = "Open the log entry: it names the exception and its places in the code. After a deployment, roll back (docs/deploying.md)."
    }
    selling_paused = {
      message  = "selling paused"
      severity = "ERROR"
      means    = "A service is not sold: a person has pulled the brake, or the brake has set itself after a run of doubts or for an empty float."
      do       = "GET /selling returns the paused services, the reason and the end. Before you resume, look at the supplier's latency and at the sales in doubt."
    }
    supplier_says_simulated = {
      message  = "supplier says simulated"
      severity = "CRITICAL"
      means    = "A live function received an answer that is marked as simulated. No token of it was delivered."
      do       = "Pause selling (POST /selling). Compare MOBILEMART_API_URL with the deployed value."
    }
    tokens_pending = {
      message  = "tokens pending"
      severity = "WARNING"
      means    = "A sale is vended and owed, and its tokens have not arrived."
      do       = "The sweep and the settlement ask again. If the customer is waiting, ask the supplier by its transaction id, and add the tokens (POST /transactions/{id}/resolution)."
    }
    vend_amount_differs = {
      message  = "vend amount differs"
      severity = "CRITICAL"
      means    = "The supplier's answer to a vend names another amount than the request. With MOBILEMART_AMOUNT_CHECK=alert the sale is vended; with doubt the sale is in doubt."
      do       = "Open the sale in reconcile (GET /transactions?requestId=...) and read its raw answer. If all sales differ, the supplier writes amounts in another form; if one does, ask the supplier for the amount sold."
    }
    vend_mismatch = {
      message  = "vend answer does not match"
      severity = "CRITICAL"
      means    = "The supplier answered a vend with a 2xx that does not prove the vend: no, not yet, an error, or another meter, account, number or request. The sale is in doubt, with an indication of a vend."
      do       = "Open the sale in reconcile (GET /transactions?requestId=...) and read its raw answer. If it names another customer, pause that service (POST /selling) and call the supplier. Never give the customer a token from it before the supplier has confirmed whose token it is."
    }
  }

  # What the code measures, once a minute: the message that carries it, and the field.
  log_measures = {
    sales_in_doubt = { message = "swept", field = "still_in_doubt", description = "Sales that a sweep has looked at and left in doubt." }
  }

  our_services   = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(${join(" OR ", [for name in keys(local.functions) : "\"${name}\""])})"
  our_revisions  = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = one_of(${join(", ", [for name in keys(local.functions) : "\"${name}\""])})"
  their_mail     = [for channel in google_monitoring_notification_channel.email : channel.name]
  their_channels = concat(var.notification_channels, local.their_mail)
  metrics        = concat(values(google_logging_metric.event), values(google_logging_metric.measure), values(google_logging_metric.run), [google_logging_metric.turned_away, google_logging_metric.attempt_failed])
  runs           = { sweep = "600s", settle = "46800s", retention = "46800s" } # how long each may be silent; settle runs three times a day, six and twelve hours apart, retention hourly
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  display_name = each.key
  type         = "email"
  labels       = { email_address = each.key }
  force_delete = true # from the policies that name it too: without, an address could not be taken away
  depends_on   = [google_project_service.required]
}

resource "google_logging_metric" "event" {
  for_each = local.log_events

  name        = "vas/${each.key}"
  description = each.value.means
  filter      = join(" AND ", compact([local.our_services, "jsonPayload.message=\"${each.value.message}\"", lookup(each.value, "narrowed", "")]))
  depends_on  = [google_project_service.required]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_logging_metric" "measure" {
  for_each = local.log_measures

  name            = "vas/${each.key}"
  description     = each.value.description
  filter          = "${local.our_services} AND jsonPayload.message=\"${each.value.message}\""
  value_extractor = "EXTRACT(jsonPayload.${each.value.field})"
  depends_on      = [google_project_service.required]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
  }

  bucket_options {
    exponential_buckets {
      growth_factor      = 2
      num_finite_buckets = 20
      scale              = 1
    }
  }
}

# A run that ended well, as Cloud Run itself has logged it: this needs no word of the code.
resource "google_logging_metric" "run" {
  for_each = local.runs

  name        = "vas/ran_${each.key}"
  description = "Runs of ${each.key} that ended well."
  filter      = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"reconcile\" AND log_id(\"run.googleapis.com/requests\") AND httpRequest.requestUrl=~\"/${each.key}$\" AND httpRequest.status=200"
  depends_on  = [google_project_service.required]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# What the Scheduler says of an attempt that did not end well, or could not even begin: an alert on silence sees neither before
# a run has ended well once.
resource "google_logging_metric" "attempt_failed" {
  name        = "vas/attempt_failed"
  description = "Attempts of the Scheduler's jobs that failed or never reached reconcile."
  filter      = "resource.type=\"cloud_scheduler_job\" AND resource.labels.job_id=(${join(" OR ", [for name in local.job_names : "\"${name}\""])}) AND severity>=ERROR"
  depends_on  = [google_project_service.required]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# What the platform answers by itself while every instance is full. Its own metric of requests leaves out what has reached no
# instance; its log of requests does not.
resource "google_logging_metric" "turned_away" {
  name        = "vas/turned_away"
  description = "Requests of callers that found no instance: 429, without a word of ours."
  filter      = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"prevend\" OR \"purchase\") AND log_id(\"run.googleapis.com/requests\") AND httpRequest.status=429"
  depends_on  = [google_project_service.required]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# Monitoring knows a log's metric only some minutes after it was made, and answers 404 to an alert on it until then. Waited for
# whenever a metric is new, and never otherwise.
resource "terraform_data" "metrics_known" {
  triggers_replace = sort([for metric in local.metrics : metric.name])

  provisioner "local-exec" {
    command = "sleep ${var.metric_wait_seconds}"
  }
}

resource "google_monitoring_alert_policy" "event" {
  for_each = local.log_events

  display_name          = "${var.environment}: ${each.value.message}"
  combiner              = "OR"
  depends_on            = [terraform_data.metrics_known]
  severity              = each.value.severity
  notification_channels = local.their_channels

  conditions {
    display_name = each.value.message
    condition_threshold {
      filter          = "${local.our_revisions} AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.event[each.key].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    subject = "${var.environment}: ${each.value.message}"
    content = "${each.value.means}\n\n**First:** ${each.value.do}\n\n**Then:** ${var.runbook}#${replace(each.value.message, " ", "-")}"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_monitoring_alert_policy" "run_missing" {
  for_each = local.runs

  display_name          = "${var.environment}: ${each.key} did not run"
  combiner              = "OR"
  depends_on            = [terraform_data.metrics_known]
  severity              = "CRITICAL"
  notification_channels = local.their_channels

  conditions {
    display_name = "no ${each.key} has ended well for ${each.value}"
    condition_absent {
      filter   = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.run[each.key].name}\""
      duration = each.value
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "While ${each.key} does not run, ${each.key == "retention" ? "personal data is stored for longer than promised" : "no sale in doubt ends"}.\n\n**First:** look at the job `${each.key}` in Cloud Scheduler and at the log of the function `reconcile`. `gcloud scheduler jobs run ${each.key} --location=${var.region}` starts a run by hand.\n\n**Then:** ${var.runbook}#${each.key}-did-not-run"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_monitoring_alert_policy" "attempts_failed" {
  display_name          = "${var.environment}: scheduled runs fail"
  combiner              = "OR"
  depends_on            = [terraform_data.metrics_known]
  severity              = "CRITICAL"
  notification_channels = local.their_channels

  conditions {
    display_name = "more than 3 attempts of a job have failed within an hour"
    condition_threshold {
      filter          = "resource.type = \"cloud_scheduler_job\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.attempt_failed.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 3 # settle makes four attempts, a sweep two a minute
      duration        = "0s"
      aggregations {
        alignment_period     = "3600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.job_id"]
      }
    }
  }

  documentation {
    content = "The Scheduler cannot start reconcile, or reconcile refuses the call or fails. On a first day only this alert reports that: alerts on missing runs need one run that ended well.\n\n**First:** read the job's last status in Cloud Scheduler. 403 is a missing grant; for 5xx read reconcile's log.\n\n**Then:** ${var.runbook}#scheduled-runs-fail"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_monitoring_alert_policy" "server_errors" {
  display_name          = "${var.environment}: more than 2% of requests fail"
  combiner              = "OR"
  depends_on            = [terraform_data.metrics_known]
  severity              = "ERROR"
  notification_channels = local.their_channels

  conditions {
    display_name = "5xx answers of a function, of all its answers"
    condition_threshold {
      filter             = "${local.our_revisions} AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
      denominator_filter = "${local.our_revisions} AND metric.type = \"run.googleapis.com/request_count\""
      comparison         = "COMPARISON_GT"
      threshold_value    = 0.02
      duration           = "300s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }
      denominator_aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }
    }
  }

  documentation {
    content = "A 5xx never carries an outcome: callers repeat with the same key, and nothing is sold twice.\n\n**First:** read the cause in the function's log. After a deployment, roll back (docs/deploying.md).\n\n**Then:** ${var.runbook}#more-than-2-of-requests-fail"
  }
}

resource "google_monitoring_alert_policy" "turned_away" {
  display_name          = "${var.environment}: callers are turned away"
  combiner              = "OR"
  depends_on            = [terraform_data.metrics_known]
  severity              = "ERROR"
  notification_channels = local.their_channels

  conditions {
    display_name = "more than 10 requests have found no instance in five minutes"
    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.turned_away.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 10
      duration        = "0s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.labels.service_name"]
      }
    }
  }

  documentation {
    content = "Every instance is full, and the platform answers 429 by itself. No such request has begun anything: callers hold the money, and repeat with the same key.\n\n**First:** is the supplier slow? Each sale then occupies its place for longer. If the supplier is not slow, raise the maximum in `instances` by a commit.\n\n**Then:** ${var.runbook}#callers-are-turned-away"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

# Nearly all of such a request is waiting for the supplier, so this is the supplier's latency as customers feel it, and it
# costs no log line.
resource "google_monitoring_alert_policy" "supplier_slow" {
  display_name          = "${var.environment}: the supplier is slow"
  combiner              = "OR"
  depends_on            = [terraform_data.metrics_known]
  severity              = "WARNING"
  notification_channels = local.their_channels

  conditions {
    display_name = "one prevend or purchase in twenty takes more than half of the supplier's deadline"
    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = one_of(\"prevend\", \"purchase\") AND metric.type = \"run.googleapis.com/request_latencies\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.mobilemart_timeout_seconds * 1000 / 2
      duration        = "300s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_PERCENTILE_95"
        group_by_fields      = ["resource.labels.service_name"]
      }
    }
  }

  documentation {
    content = "A sale that exceeds the deadline is in doubt, and may be billed.\n\n**First:** look at the sales in doubt on the dashboard, and call the supplier. Pause selling (POST /selling) if doubts accumulate.\n\n**Then:** ${var.runbook}#the-supplier-is-slow"
  }
}

resource "google_monitoring_alert_policy" "sales_in_doubt" {
  display_name          = "${var.environment}: many sales are in doubt"
  combiner              = "OR"
  depends_on            = [terraform_data.metrics_known]
  severity              = "ERROR"
  notification_channels = local.their_channels

  conditions {
    display_name = "more than 10 sales in doubt, for a quarter of an hour"
    condition_threshold {
      filter          = "${local.our_revisions} AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.measure["sales_in_doubt"].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 10
      duration        = "900s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_PERCENTILE_99"
      }
    }
  }

  documentation {
    content = "Each sale in doubt is a liability until there is evidence.\n\n**First:** is the supplier slow or down? Pause selling (POST /selling) before there are more. The sweep ends the sales once the supplier answers again.\n\n**Then:** ${var.runbook}#many-sales-are-in-doubt"
  }
}

resource "google_monitoring_alert_policy" "dead_letters" {
  display_name          = "${var.environment}: events that nobody could process"
  combiner              = "OR"
  depends_on            = [terraform_data.metrics_known]
  severity              = "ERROR"
  notification_channels = local.their_channels

  conditions {
    display_name = "messages in a wallet's transactions-dead-..."
    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = starts_with(\"transactions-dead-\") AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = "The wallet refused an event twenty times: money may be reserved that should be captured or released.\n\n**First:** read the wallet's log, then `gcloud pubsub subscriptions pull transactions-dead-WALLET` without acknowledging. Once the wallet is repaired, have it ask for those sales.\n\n**Then:** ${var.runbook}#events-that-nobody-could-process"
  }
}
