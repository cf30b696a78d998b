output "archive" {
  description = "Name of the archive's object, which holds its SHA-256."
  value       = google_storage_bucket_object.archive.name
}

output "name" {
  description = "Name of the function and of its Cloud Run service."
  value       = google_cloudfunctions2_function.this.name
}

output "uri" {
  description = "Address of the function."
  value       = google_cloudfunctions2_function.this.service_config[0].uri
}
