output "address" {
  description = "Where the supplier connects to."
  value       = google_compute_address.this.address
}
