"""A stand-in for the `hashicorp/google` provider: it validates, plans and applies from a schema, and never talks to a cloud.

Terraform is attached to it by `TF_REATTACH_PROVIDERS`, so nothing is downloaded, installed or locked. It knows the provider's
arguments, not the cloud: role names, regions, quotas and filters pass unseen (`docs/deploying.md` lists them).
"""
