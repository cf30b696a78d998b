"""Pub/Sub, Secret Manager, Cloud Storage, gRPC channels."""
