# A database of sales, with what the store asks of it. The one that is served and one that was restored beside it are the same.

resource "google_firestore_database" "this" {
  name                              = var.name
  location_id                       = var.location
  type                              = "FIRESTORE_NATIVE"
  point_in_time_recovery_enablement = var.keep_data ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = var.keep_data ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = var.keep_data ? "PREVENT" : "DELETE"
}

# Point-in-time recovery reaches back seven days; these reach further, and outlive a mistake that is found late.
resource "google_firestore_backup_schedule" "daily" {
  count = var.keep_data ? 1 : 0

  database  = google_firestore_database.this.name
  retention = "8467200s" # 14 weeks, the most there is

  daily_recurrence {}
}

locals {
  # What the store asks for by more than one field. A test compares this with the queries that the store sends.
  firestore_composite_indexes = {
    due    = ["open.shard ASCENDING", "open.dueAt ASCENDING"] # the sweep: what is due in a shard, oldest first
    lookup = ["keys CONTAINS", "createdAt DESCENDING"]        # an operator's search, and a vended sale of a service, newest first
  }

  # What it asks for by one field alone: only this kind of entry is kept for it.
  firestore_single_indexes = toset([
    "controls/mark", # papers of reconciling, by what they are listed by
    "discrepancies/mark",
    "settlements/mark",
    "transactions/callerDay",    # a caller's list of a day
    "transactions/dayShard",     # the settlement of a day, and what is old enough to be erased or retired
    "transactions/open.account", # the guard against duplicates
  ])

  # What is never asked for by itself. An index on a time that only grows takes no more than about 500 writes a second, and
  # the record is one value inside which nobody searches.
  firestore_unindexed = toset([
    "controls/json",
    "discrepancies/json",
    "prevends/expireAt",
    "prevends/record",
    "settlements/json",
    "simulator/expireAt",
    "simulator/value",
    "transactions/contradictedAt",
    "transactions/createdAt",
    "transactions/erasedAt",
    "transactions/keys",
    "transactions/open.dueAt",
    "transactions/open.shard",
    "transactions/record",
    "transactions/retired",
    "transactions/supplierId",
  ])

  # Documents that delete themselves after the time in that field; the code checks the time as well, for that is not prompt.
  firestore_expiring = toset(["prevends/expireAt", "simulator/expireAt"])
}

resource "google_firestore_index" "this" {
  for_each = local.firestore_composite_indexes

  database   = google_firestore_database.this.name
  collection = "transactions"

  dynamic "fields" {
    for_each = [for field in each.value : split(" ", field)]
    content {
      field_path   = fields.value[0]
      order        = fields.value[1] == "CONTAINS" ? null : fields.value[1]
      array_config = fields.value[1] == "CONTAINS" ? "CONTAINS" : null
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
      order = "ASCENDING"
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
