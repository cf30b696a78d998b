output "name" {
  description = "Name of the database, known once it is there."
  value       = google_firestore_database.this.name
}
