# Simulated: nothing here can sell for money, and there is no credential to lose.
environment                 = "uat"
mobilemart_live_integration = false
project                     = "wallet-vas-uat"
state_bucket                = "wallet-vas-uat-state"

alert_emails    = ["vas-developers@example.com"]
operators_group = "vas-developers@example.com"
repository      = "projects/wallet-vas-uat/locations/africa-south1/connections/github/repositories/vas-gateway"
release         = { branch = "^main$" }

oidc = {
  audience = "https://vas.uat.example.com"
  issuer   = "https://id.uat.example.com"
  jwks_url = "https://id.uat.example.com/.well-known/jwks.json"
}

# The subject `wallet` of that issuer: python -m local.caller
wallets = {
  app = { caller = "22f6d89b36a6bb1e851a13f15f4032aa", subscriber = "serviceAccount:wallet@wallet-app-uat.iam.gserviceaccount.com" }
}

instances = {
  prevend   = { minimum = 0, maximum = 2 }
  purchase  = { minimum = 0, maximum = 2 }
  reconcile = { minimum = 0, maximum = 1 }
}
