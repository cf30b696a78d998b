"""The API description, `docs/openapi.json`, made from the models that read requests and the types that answers have."""
