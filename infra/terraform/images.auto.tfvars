# What builds run on, in every environment: a version, and the digest that `make images` found under it. A version may be built
# anew under its name; a digest never moves. Digests of noughts are none: no plan with them passes the policies.
images = {
  gcloud    = "gcr.io/google.com/cloudsdktool/google-cloud-cli:528.0.0-slim@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  terraform = "docker.io/hashicorp/terraform:1.11.4@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  tests     = "gcr.io/google.com/cloudsdktool/google-cloud-cli:528.0.0-emulators@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}
