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

# A topic without a subscription drops its messages. This one keeps every event of every wallet, read or not: nobody
# is granted to read it, no operator either.
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

# How a wallet subscribes: to its own sales and no other's, in order within a sale, at least once, and set aside after twenty
# failures. A filter cannot be changed: another caller is another subscription.
resource "google_pubsub_subscription" "wallet" {
  for_each = var.wallets

  name                       = "transactions-${each.key}"
  topic                      = google_pubsub_topic.transactions.id
  filter                     = "attributes.caller = \"${each.value.caller}\""
  ack_deadline_seconds       = 60
  message_retention_duration = local.events_retention
  enable_message_ordering    = true

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.key].id
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

# A dead letter holds tokens too, so each wallet's lie apart.
resource "google_pubsub_topic" "dead" {
  for_each = var.wallets

  name       = "transactions-dead-${each.key}"
  depends_on = [google_project_service.required]

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_subscription" "dead" {
  for_each = var.wallets

  name                       = "transactions-dead-${each.key}"
  topic                      = google_pubsub_topic.dead[each.key].id
  message_retention_duration = local.events_retention

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription_iam_member" "wallet" {
  for_each = var.wallets

  subscription = google_pubsub_subscription.wallet[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = each.value.subscriber
}

# It is Pub/Sub itself that moves a dead letter: it publishes here, and acknowledges there.
resource "google_pubsub_topic_iam_member" "dead_letterer" {
  for_each = var.wallets

  topic  = google_pubsub_topic.dead[each.key].name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letterer" {
  for_each = var.wallets

  subscription = google_pubsub_subscription.wallet[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
