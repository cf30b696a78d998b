locals {
  # Longer than the function may take, so that the Scheduler never gives up on a run that still works.
  attempt_deadline = "${var.function_timeout_seconds + 20}s"

  jobs = {
    # Every minute; the Scheduler starts no run while one is going on, and the next minute is the best retry there is.
    sweep = {
      description = "Ends what is in doubt, adds tokens that are due, announces what was not."
      path        = "/sweep"
      schedule    = "* * * * *"
      retry       = { count = 1, minimum = "5s", maximum = "10s" }
    }

    # The file of a day is expected at six in the morning. A day that is settled already is not touched by a later run, and
    # three runs a day keep the longest silence below what an alert on absence can see.
    settle = {
      description = "Settles every business day that is not settled yet."
      path        = "/settle"
      schedule    = "15 6,12,18 * * *"
      retry       = { count = 3, minimum = "300s", maximum = "1200s" }
    }

    # Once a day would do for what becomes old enough in a day. Hourly, a backlog of years is worked off in days, and a run that
    # finds nothing costs some sixty reads.
    retention = {
      description = "Takes personal data out of old sales, and leaves a tombstone of those that are kept no longer."
      path        = "/retention"
      schedule    = "40 * * * *"
      retry       = { count = 1, minimum = "60s", maximum = "300s" }
    }
  }

  job_names = concat(keys(local.jobs), var.exports_abroad == null ? [] : ["export"])
}

resource "google_cloud_scheduler_job" "this" {
  for_each = local.jobs

  name             = each.key
  description      = each.value.description
  region           = coalesce(var.scheduler_region, var.region)
  schedule         = each.value.schedule
  time_zone        = "Africa/Johannesburg"
  attempt_deadline = local.attempt_deadline
  depends_on       = [google_project_service.required]

  http_target {
    uri         = "${module.function["reconcile"].uri}${each.value.path}"
    http_method = "POST"

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = module.function["reconcile"].uri
    }
  }

  retry_config {
    retry_count          = each.value.retry.count
    min_backoff_duration = each.value.retry.minimum
    max_backoff_duration = each.value.retry.maximum
  }
}
