terraform {
  required_version = ">= 1.11"

  # The rest of it, which differs per environment, is in environments/NAME.gcs.tfbackend.
  backend "gcs" {}

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.2"
    }
  }
}
