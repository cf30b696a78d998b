# Live: sells for money.
environment                 = "production"
mobilemart_live_integration = true
project                     = "wallet-vas-production"
state_bucket                = "wallet-vas-production-state"

alert_emails    = ["vas-on-call@example.com"]
operators_group = "vas-operators@example.com"
repository      = "projects/wallet-vas-production/locations/africa-south1/connections/github/repositories/vas-gateway"
release         = { tag = "^v[0-9]+[.][0-9]+[.][0-9]+$" }

mobilemart_secrets = {
  client_id     = "mobilemart-client-id"
  client_secret = "mobilemart-client-secret"
}

oidc = {
  audience = "https://vas.example.com"
  issuer   = "https://id.example.com"
  jwks_url = "https://id.example.com/.well-known/jwks.json"
  scope    = "vas.sell"
}

# The subject `wallet` of that issuer: python -m local.caller
wallets = {
  app = { caller = "f4e793635e1a98e6f60ff1b1ba636e7a", subscriber = "serviceAccount:wallet@wallet-app-production.iam.gserviceaccount.com" }
}

# One instance of each is always warm, so that no customer waits for a start. The maximum bounds what a flood can cost.
instances = {
  prevend   = { minimum = 1, maximum = 10 }
  purchase  = { minimum = 1, maximum = 10 }
  reconcile = { minimum = 0, maximum = 2 }
}
