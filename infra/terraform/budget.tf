# Says when a month costs more than was meant. It stops nothing: a budget is an alert, and sales go on.

# Budgets belong to the billing account, and their API wants to know which project a person's call is counted for.
provider "google" {
  alias = "billed"

  project               = var.project
  billing_project       = var.project
  user_project_override = true
}

resource "google_billing_budget" "month" {
  provider = google.billed
  count    = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "vas-gateway ${var.environment}"
  depends_on      = [google_project_service.required]

  # One project, so that its own owners may see and change it.
  budget_filter {
    projects               = ["projects/${data.google_project.this.number}"]
    calendar_period        = "MONTH"
    credit_types_treatment = "EXCLUDE_ALL_CREDITS" # what it costs once no credit is left
  }

  # In the currency of the billing account.
  amount {
    specified_amount {
      units = tostring(var.budget.amount)
    }
  }

  dynamic "threshold_rules" {
    for_each = { "0.5" = "CURRENT_SPEND", "0.9" = "CURRENT_SPEND", "1.0" = "CURRENT_SPEND", "1.2" = "FORECASTED_SPEND" }
    content {
      threshold_percent = tonumber(threshold_rules.key)
      spend_basis       = threshold_rules.value
    }
  }

  # Five at most, and by e-mail only; the administrators of the billing account are told as well, or where there is no address, alone.
  dynamic "all_updates_rule" {
    for_each = length(local.their_mail) == 0 ? [] : [slice(local.their_mail, 0, min(5, length(local.their_mail)))]
    content {
      monitoring_notification_channels = all_updates_rule.value
      disable_default_iam_recipients   = false
    }
  }
}
