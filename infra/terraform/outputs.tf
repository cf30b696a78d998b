output "archives" {
  description = "Name of each function's archive, which holds its SHA-256."
  value       = { for name, function in module.function : name => function.archive }
}

output "events_topic" {
  description = "Topic that wallets subscribe to."
  value       = google_pubsub_topic.transactions.id
}

output "images" {
  description = "Images of a build that is submitted by hand, as substitutions."
  value       = "_TERRAFORM=${var.images.terraform},_TESTS=${var.images.tests}"
}

output "mode" {
  description = "Mode of this environment: live sells for money, simulated does not."
  value       = local.live ? "live" : "simulated"
}

output "region" {
  description = "Region of the functions."
  value       = var.region
}

output "secrets" {
  description = "Secrets that people must fill; none in a simulation."
  value       = [for secret in google_secret_manager_secret.mobilemart : secret.secret_id]
}

output "service_accounts" {
  description = "E-mail of each account."
  value       = local.accounts
}

output "settlement_files" {
  description = "Place that must receive the settlement files."
  value       = "gs://${google_storage_bucket.settlement.name}/"
}

output "sftp_address" {
  description = "Address to which the supplier pushes its files; null: there is no such server."
  value       = one(values(module.sftp)[*].address)
}

output "uris" {
  description = "Address of each function."
  value       = { for name, function in module.function : name => function.uri }
}
