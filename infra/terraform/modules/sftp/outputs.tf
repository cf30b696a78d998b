output "address" {
  description = "Address to which the supplier connects."
  value       = google_compute_address.this.address
}
