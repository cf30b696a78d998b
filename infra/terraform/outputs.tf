output "archives" {
  description = "Name of each function's archive, which holds its SHA-256."
  value       = { for name, function in module.function : name => function.archive }
}

output "events_topic" {
  description = "The topic that wallets subscribe to."
  value       = google_pubsub_topic.transactions.id
}

output "images" {
  description = "What a build that is submitted by hand runs on, as substitutions."
  value       = "_TERRAFORM=${var.images.terraform},_TESTS=${var.images.tests}"
}

output "mode" {
  description = "Whether this environment sells for money: live or simulated."
  value       = local.live ? "live" : "simulated"
}

output "region" {
  description = "Where the functions run."
  value       = var.region
}

output "secrets" {
  description = "The secrets that people must fill; none in a simulation."
  value       = [for secret in google_secret_manager_secret.mobilemart : secret.secret_id]
}

output "service_accounts" {
  description = "E-mail of each account."
  value       = local.accounts
}

output "settlement_files" {
  description = "Where settlement files are to be put."
  value       = "gs://${google_storage_bucket.settlement.name}/"
}

output "sftp_address" {
  description = "Where the supplier pushes its files to; null: there is no such server."
  value       = one(values(module.sftp)[*].address)
}

output "uris" {
  description = "Where each function answers."
  value       = { for name, function in module.function : name => function.uri }
}
