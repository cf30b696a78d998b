# The database that Terraform made and the database that the functions serve are two things. A restored database is a second
# one beside the first, with indexes, backups and grants of its own; serving it changes nothing of the first
# (docs/restoring.md).

locals {
  served_database = coalesce(var.served_database, var.firestore_database)

  # Of the restored databases, the composite indexes that came with the backup.
  restored_indexes = merge([
    for name, restored in var.restored_databases : {
      for index, id in restored.indexes : "${name} ${index}" => { database = name, index = index, id = id }
    }
  ]...)
}

module "database" {
  source = "./modules/database"

  name       = var.firestore_database
  location   = coalesce(var.firestore_location, var.region)
  keep_data  = local.keep_data
  depends_on = [google_project_service.required]
}

module "restored" {
  source   = "./modules/database"
  for_each = var.restored_databases

  name       = each.key
  location   = coalesce(var.firestore_location, var.region)
  keep_data  = local.keep_data
  depends_on = [google_project_service.required]
}

# gcloud has made it, from a backup or from a moment of the past. It is taken over as it is.
import {
  for_each = var.restored_databases

  to = module.restored[each.key].google_firestore_database.this
  id = "projects/${var.project}/databases/${each.key}"
}

import {
  for_each = local.restored_indexes

  to = module.restored[each.value.database].google_firestore_index.this[each.value.index]
  id = "projects/${var.project}/databases/${each.value.database}/collectionGroups/transactions/indexes/${each.value.id}"
}

# Where these stood before there could be a second database.
moved {
  from = google_firestore_database.this
  to   = module.database.google_firestore_database.this
}

moved {
  from = google_firestore_backup_schedule.daily
  to   = module.database.google_firestore_backup_schedule.daily
}

moved {
  from = google_firestore_index.this
  to   = module.database.google_firestore_index.this
}

moved {
  from = google_firestore_field.indexed
  to   = module.database.google_firestore_field.indexed
}

moved {
  from = google_firestore_field.unindexed
  to   = module.database.google_firestore_field.unindexed
}
