# Live against the supplier's UAT switch: everything is as in production but the meters.
environment                 = "staging"
mobilemart_live_integration = true
project                     = "wallet-vas-staging"
state_bucket                = "wallet-vas-staging-state"

alert_emails    = ["vas-developers@example.com"]
operators_group = "vas-developers@example.com"
repository      = "projects/wallet-vas-staging/locations/africa-south1/connections/github/repositories/vas-gateway"
release         = { branch = "^main$" }

mobilemart_secrets = {
  client_id     = "mobilemart-client-id"
  client_secret = "mobilemart-client-secret"
}

oidc = {
  audience = "https://vas.staging.example.com"
  issuer   = "https://id.staging.example.com"
  jwks_url = "https://id.staging.example.com/.well-known/jwks.json"
  scope    = "vas.sell"
}

settlement_retention_days = 30

# The subject `wallet` of that issuer: python -m local.caller
wallets = {
  app = { caller = "55ca1a949bb927c174c68eebd17fbd76", subscriber = "serviceAccount:wallet@wallet-app-staging.iam.gserviceaccount.com" }
}

instances = {
  prevend   = { minimum = 0, maximum = 3 }
  purchase  = { minimum = 0, maximum = 3 }
  reconcile = { minimum = 0, maximum = 1 }
}
