# For a person at night, from the top: is anything wrong, are we selling, is it us or the supplier, what says the log.

locals {
  metric_of_log = { for key, metric in merge(google_logging_metric.event, google_logging_metric.measure, google_logging_metric.run) : key => "metric.type=\"logging.googleapis.com/user/${metric.name}\" resource.type=\"cloud_run_revision\"" }

  requests = "metric.type=\"run.googleapis.com/request_count\" resource.type=\"cloud_run_revision\""

  # title, width and height in a grid of 12, and what it shows
  tiles = [
    {
      x     = 0, y = 0, width = 12, height = 4, title = "What should not happen (anything above zero has an alert that says what to do)"
      lines = [for key, event in local.log_events : { filter = local.metric_of_log[key], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [], legend = event.message }]
    },
    {
      x     = 0, y = 4, width = 6, height = 4, title = "Requests a second, by function and class of answer"
      lines = [{ filter = local.requests, aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["resource.label.service_name", "metric.label.response_code_class"], legend = "" }]
    },
    {
      x     = 6, y = 4, width = 6, height = 4, title = "Sales in doubt, at each sweep"
      lines = [{ filter = local.metric_of_log["sales_in_doubt"], aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_99", by = [], legend = "in doubt" }]
    },
    {
      x     = 0, y = 8, width = 6, height = 4, title = "Supplier: milliseconds of an exchange"
      lines = [for percent in [50, 95, 99] : { filter = local.metric_of_log["supplier_latency"], aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_${percent}", by = [], legend = "${percent}%" }]
    },
    {
      x     = 6, y = 8, width = 6, height = 4, title = "Functions: milliseconds of a request, 95%"
      lines = [{ filter = "metric.type=\"run.googleapis.com/request_latencies\" resource.type=\"cloud_run_revision\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_95", by = ["resource.label.service_name"], legend = "" }]
    },
    {
      x     = 0, y = 12, width = 4, height = 4, title = "Instances"
      lines = [{ filter = "metric.type=\"run.googleapis.com/container/instance_count\" resource.type=\"cloud_run_revision\"", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.label.service_name", "metric.label.state"], legend = "" }]
    },
    {
      x     = 4, y = 12, width = 4, height = 4, title = "Runs of sweep and settle that ended well"
      lines = [for key in keys(local.runs) : { filter = local.metric_of_log[key], aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [], legend = key }]
    },
    {
      x     = 8, y = 12, width = 4, height = 4, title = "Events waiting for the wallet, and dead ones"
      lines = [{ filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" resource.type=\"pubsub_subscription\"", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.label.subscription_id"], legend = "" }]
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
          xPos   = tile.x
          yPos   = tile.y
          width  = tile.width
          height = tile.height
          widget = {
            title = tile.title
            xyChart = {
              dataSets = [for line in tile.lines : {
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
              resourceNames = ["projects/${var.project}"]
            }
          }
        }],
      )
    }
  })
}
