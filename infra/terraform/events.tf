# What happens to sales, for wallets. Messages hold tokens and consumers' details, so they stay in the region.

locals {
  events_retention = "${var.events_retention_days * 86400}s"
}

resource "google_pubsub_topic" "transactions" {
  name                       = "transactions"
  message_retention_duration = local.events_retention
  depends_on                 = [google_project_service.required]

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = toset(["purchase", "reconcile"])

  topic  = google_pubsub_topic.transactions.name
  role   = "roles/pubsub.publisher"
  member = google_service_account.function[each.key].member
}

# A topic without a subscription drops its messages. This one keeps every event, read or not, so that whoever subscribes
# later, or has lost some, can seek back.
resource "google_pubsub_subscription" "archive" {
  name                       = "transactions-archive"
  topic                      = google_pubsub_topic.transactions.id
  message_retention_duration = local.events_retention
  retain_acked_messages      = true
  enable_message_ordering    = true

  expiration_policy {
    ttl = "" # never, though nobody may pull for months
  }
}

# How a wallet subscribes: in order within a sale, at least once, and set aside after twenty failures.
resource "google_pubsub_subscription" "wallet" {
  name                       = "transactions-wallet"
  topic                      = google_pubsub_topic.transactions.id
  ack_deadline_seconds       = 60
  message_retention_duration = local.events_retention
  enable_message_ordering    = true

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead.id
    max_delivery_attempts = 20
  }

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  depends_on = [google_pubsub_topic_iam_member.dead_letterer]
}

resource "google_pubsub_topic" "dead" {
  name       = "transactions-dead"
  depends_on = [google_project_service.required]

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_subscription" "dead" {
  name                       = "transactions-dead"
  topic                      = google_pubsub_topic.dead.id
  message_retention_duration = local.events_retention

  expiration_policy {
    ttl = ""
  }
}

# It is Pub/Sub itself that moves a dead letter: it publishes here, and acknowledges there.
resource "google_pubsub_topic_iam_member" "dead_letterer" {
  topic  = google_pubsub_topic.dead.name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letterer" {
  subscription = google_pubsub_subscription.wallet.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
