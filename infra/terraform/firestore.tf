resource "google_firestore_database" "this" {
  name                              = var.firestore_database
  location_id                       = coalesce(var.firestore_location, var.region)
  type                              = "FIRESTORE_NATIVE"
  point_in_time_recovery_enablement = local.keep_data ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = local.keep_data ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = local.keep_data ? "PREVENT" : "DELETE"
  depends_on                        = [google_project_service.required]
}

# Point-in-time recovery reaches back seven days; these reach further, and outlive a mistake that is found late.
resource "google_firestore_backup_schedule" "daily" {
  count = local.keep_data ? 1 : 0

  database  = google_firestore_database.this.name
  retention = "8467200s" # 14 weeks, the most there is

  daily_recurrence {}
}

locals {
  # What the store asks for by more than one field. docs/firestore.md has the queries; a test compares them with this.
  firestore_composite_indexes = {
    due = { collection = "transactions", fields = ["open.shard", "open.dueAt"] } # the sweep: what is due in a shard, oldest first
  }

  # What it asks for by one field: only this kind of entry is kept for it.
  firestore_single_indexes = {
    "transactions/open.account" = { order = "ASCENDING", array_config = null } # the guard against duplicates
    "transactions/dayShard"     = { order = "ASCENDING", array_config = null } # the settlement of a day
    "transactions/callerDay"    = { order = "ASCENDING", array_config = null } # a caller's list of a day
    "transactions/keys"         = { order = null, array_config = "CONTAINS" }  # an operator's search
  }

  # What is never asked for. A time that only grows is indexed at one end, at no more than about 500 writes a second; and
  # the record itself is one value that nobody searches inside.
  firestore_unindexed = toset([
    "discrepancies/record",
    "prevends/expireAt",
    "prevends/record",
    "settlements/record",
    "simulator/expireAt",
    "simulator/record",
    "transactions/open.dueAt",
    "transactions/open.shard",
    "transactions/record",
  ])

  # Documents that delete themselves at the time in that field; the code checks the time as well, for deletion is not prompt.
  firestore_expiring = toset(["prevends/expireAt", "simulator/expireAt"])
}

resource "google_firestore_index" "this" {
  for_each = local.firestore_composite_indexes

  database   = google_firestore_database.this.name
  collection = each.value.collection

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value
      order      = "ASCENDING"
    }
  }
}

resource "google_firestore_field" "indexed" {
  for_each = local.firestore_single_indexes

  database   = google_firestore_database.this.name
  collection = split("/", each.key)[0]
  field      = split("/", each.key)[1]

  index_config {
    indexes {
      order        = each.value.order
      array_config = each.value.array_config
    }
  }
}

resource "google_firestore_field" "unindexed" {
  for_each = local.firestore_unindexed

  database   = google_firestore_database.this.name
  collection = split("/", each.key)[0]
  field      = split("/", each.key)[1]

  index_config {}

  dynamic "ttl_config" {
    for_each = contains(local.firestore_expiring, each.key) ? [each.key] : []
    content {}
  }
}
