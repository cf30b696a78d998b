# For a person at night, from the top: is anything wrong, are we selling, is it us or the supplier, what says the log.

locals {
  metric_of_log = { for key, metric in merge(google_logging_metric.event, google_logging_metric.measure, google_logging_metric.run, { turned_away = google_logging_metric.turned_away }) : key => "metric.type=\"logging.googleapis.com/user/${metric.name}\" resource.type=\"cloud_run_revision\"" }

  failed_attempts = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.attempt_failed.name}\" resource.type=\"cloud_scheduler_job\""

  run_metric = { for name in ["request_count", "request_latencies", "container/instance_count"] : name => "metric.type=\"run.googleapis.com/${name}\" resource.type=\"cloud_run_revision\"" }

  by_function = ["resource.label.service_name"]

  # Each tile: where it stands in a grid of 12 (x, y, width, height), and its lines, which say what departs from line_as_usual.
  line_as_usual = { aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [], legend = "" }
  tiles = [
    {
      title = "What should not happen: anything above zero has an alert that says what to do"
      at    = [0, 0, 12, 4]
      lines = concat(
        [for key, event in local.log_events : { filter = local.metric_of_log[key], legend = event.message }],
        [{ filter = local.metric_of_log["turned_away"], legend = "callers are turned away" }],
      )
    },
    {
      title = "Requests a second, by function and class of answer"
      at    = [0, 4, 6, 4]
      lines = [{ filter = local.run_metric["request_count"], aligner = "ALIGN_RATE", by = concat(local.by_function, ["metric.label.response_code_class"]) }]
    },
    {
      title = "Sales that a sweep has left in doubt"
      at    = [6, 4, 6, 4]
      lines = [{ filter = local.metric_of_log["sales_in_doubt"], reducer = "REDUCE_PERCENTILE_99", legend = "in doubt" }]
    },
    {
      title = "Selling: milliseconds of a purchase, nearly all of it the supplier's"
      at    = [0, 8, 6, 4]
      lines = [for percent in [50, 95, 99] : { filter = "${local.run_metric["request_latencies"]} resource.label.service_name=\"purchase\"", reducer = "REDUCE_PERCENTILE_${percent}", legend = "${percent}%" }]
    },
    {
      title = "All functions: milliseconds of a request, 95%"
      at    = [6, 8, 6, 4]
      lines = [{ filter = local.run_metric["request_latencies"], reducer = "REDUCE_PERCENTILE_95", by = local.by_function }]
    },
    {
      title = "Instances"
      at    = [0, 12, 4, 4]
      lines = [{ filter = local.run_metric["container/instance_count"], aligner = "ALIGN_MAX", by = concat(local.by_function, ["metric.label.state"]) }]
    },
    {
      title = "Runs of sweep and settle that ended well"
      at    = [4, 12, 4, 4]
      lines = concat(
        [for key in keys(local.runs) : { filter = local.metric_of_log[key], legend = key }],
        [{ filter = local.failed_attempts, legend = "attempts that failed" }],
      )
    },
    {
      title = "Events that wait for the wallet, and dead ones"
      at    = [8, 12, 4, 4]
      lines = [{ filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" resource.type=\"pubsub_subscription\"", aligner = "ALIGN_MAX", by = ["resource.label.subscription_id"] }]
    },
  ]
}

resource "google_monitoring_dashboard" "night" {
  dashboard_json = jsonencode({
    displayName = "VAS gateway: ${var.environment}"
    mosaicLayout = {
      columns = 12
      tiles = concat(
        [for tile in local.tiles : {
          xPos   = tile.at[0]
          yPos   = tile.at[1]
          width  = tile.at[2]
          height = tile.at[3]
          widget = {
            title = tile.title
            xyChart = {
              dataSets = [for line in [for each in tile.lines : merge(local.line_as_usual, each)] : {
                plotType       = "LINE"
                targetAxis     = "Y1"
                legendTemplate = line.legend
                timeSeriesQuery = {
                  timeSeriesFilter = {
                    filter = line.filter
                    aggregation = {
                      alignmentPeriod    = "60s"
                      perSeriesAligner   = line.aligner
                      crossSeriesReducer = line.reducer
                      groupByFields      = line.by
                    }
                  }
                }
              }]
            }
          }
        }],
        [{
          xPos   = 0
          yPos   = 16
          width  = 12
          height = 6
          widget = {
            title = "What the functions say, from warnings up"
            logsPanel = {
              filter        = "${local.our_services} AND severity>=WARNING"
              resourceNames = ["${local.log_bucket}/views/_AllLogs"]
            }
          }
        }],
      )
    }
  })
}
