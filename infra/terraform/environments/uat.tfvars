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

instances = {
  prevend   = { minimum = 0, maximum = 2 }
  purchase  = { minimum = 0, maximum = 2 }
  reconcile = { minimum = 0, maximum = 1 }
}
