"""Whole configurations that tests change in one variable."""

from shared.config import ConfigError, load

CLIENT_ID = "projects/p/secrets/mobilemart-client-id/versions/latest"
CLIENT_SECRET = "projects/p/secrets/mobilemart-client-secret/versions/7"

LOCAL = {"ENVIRONMENT": "local", "MOBILEMART_LIVE_INTEGRATION": "false", "TRANSACTION_STORE": "sqlite:///sales.db"}
CLOUD = {
    "MOBILEMART_LIVE_INTEGRATION": "true",
    "MOBILEMART_CLIENT_ID_SECRET": CLIENT_ID,
    "MOBILEMART_CLIENT_SECRET_SECRET": CLIENT_SECRET,
    "GOOGLE_CLOUD_PROJECT": "vas-project",
    "EVENTS_TOPIC": "projects/vas-project/topics/transactions",
    "SETTLEMENT_FILES": "gs://settlement-files/mobilemart",
    "OIDC_ISSUER": "https://issuer.example",
    "OIDC_AUDIENCE": "https://vas.example",
    "OIDC_JWKS_URL": "https://issuer.example/jwks",
}
PRODUCTION = {"ENVIRONMENT": "production", **CLOUD}
UAT = {"ENVIRONMENT": "uat", **CLOUD}
LIVE_LOCAL = {**LOCAL, **CLOUD, "ENVIRONMENT": "local", "MOBILEMART_API_URL": "http://127.0.0.1:9000"}


def without(variables: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in names}


def faults(variables: dict[str, str], function: str = "purchase") -> set[str]:
    """The variables that are refused, by name."""
    try:
        load(variables, function)
    except ConfigError as error:
        return {fault.split(" ")[0] for fault in error.faults}
    return set()


MOST = {
    "MOBILEMART_CONNECT_TIMEOUT_SECONDS": 60,
    "MOBILEMART_TIMEOUT_SECONDS": 600,
    "MOBILEMART_CALLS_PER_SECOND": 1000,
    "SEND_WINDOW_SECONDS": 600,
    "STORE_TIMEOUT_SECONDS": 60,
    "FUNCTION_TIMEOUT_SECONDS": 3600,
    "VENDING_LEASE_SECONDS": 86_400,
    "IN_DOUBT_MINIMUM_AGE_SECONDS": 86_400,
    "RESOLVE_INTERVAL_SECONDS": 3600,
    "REVIEW_AFTER_SECONDS": 30 * 86_400,
    "PREVEND_VALID_SECONDS": 86_400,
    "MINIMUM_AMOUNT_CENTS": 100_000_000,
    "MAXIMUM_AMOUNT_CENTS": 100_000_000,
}
NUMBERS = list(MOST)

EMULATORS = {
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080",
    "PUBSUB_EMULATOR_HOST": "localhost:8085",
    "SECRET_MANAGER_EMULATOR_HOST": "[::1]:9000",
    "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9023",
}
