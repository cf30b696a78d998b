output "name" {
  description = "Name of the database, known once the database exists."
  value       = google_firestore_database.this.name
}
