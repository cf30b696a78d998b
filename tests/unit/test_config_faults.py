"""The message of a refused configuration: every fault, word by word and in order."""

import pytest

from shared.config import NAMES, ConfigError, load
from tests.unit.configurations import CLOUD, EMULATORS, LIVE_LOCAL, LOCAL, PRODUCTION, UAT, without

MALFORMED = """
ENVIRONMENT must be local, uat, staging or production
MOBILEMART_LIVE_INTEGRATION must be: true (sells for money) or false (simulated)
MOBILEMART_API_URL must be an https:// address of a host, without credentials, query or fragment
MOBILEMART_CLIENT_ID_SECRET must be a Secret Manager resource name: projects/PROJECT/secrets/SECRET/versions/VERSION
MOBILEMART_CLIENT_SECRET_SECRET must be a Secret Manager resource name: projects/PROJECT/secrets/SECRET/versions/VERSION
MOBILEMART_TIMEOUT_SECONDS must be a whole number from 1 to 600
FUNCTION_TIMEOUT_SECONDS must be a whole number from 1 to 3600
VENDING_LEASE_SECONDS must be a whole number from 1 to 86400
MINIMUM_AMOUNT_CENTS must be a whole number from 1 to 100000000
MAXIMUM_AMOUNT_CENTS must be a whole number from 1 to 100000000
RETENTION_DAYS must be a whole number from 31 to 36525
PERSONAL_DATA_DAYS must be a whole number from 31 to 36525
GOOGLE_CLOUD_PROJECT must be a project id
TRANSACTION_STORE must be firestore or sqlite:///path
FIRESTORE_EMULATOR_HOST must be host:port on loopback
PUBSUB_EMULATOR_HOST must be host:port on loopback
SECRET_MANAGER_EMULATOR_HOST must be host:port on loopback
STORAGE_EMULATOR_HOST must be http://host:port on loopback
MOBILEMART_TENDER_TYPE must be letters
MOBILEMART_UTILITY_PRODUCT_ID must be visible ASCII
MOBILEMART_REPRINT_BY must be request_id, transaction_id or none
MOBILEMART_AMOUNT_CHECK must be alert or doubt
MOBILEMART_CONNECT_TIMEOUT_SECONDS must be a whole number from 1 to 60
MOBILEMART_CALLS_PER_SECOND must be a whole number from 1 to 1000
SEND_WINDOW_SECONDS must be a whole number from 1 to 600
STORE_TIMEOUT_SECONDS must be a whole number from 1 to 60
IN_DOUBT_MINIMUM_AGE_SECONDS must be a whole number from 1 to 86400
RESOLVE_INTERVAL_SECONDS must be a whole number from 1 to 3600
REVIEW_AFTER_SECONDS must be a whole number from 1 to 2592000
PREVEND_VALID_SECONDS must be a whole number from 1 to 86400
CONSUMER_DETAILS must be masked or full
FIRESTORE_DATABASE must be a database id
EVENTS_TOPIC must be projects/PROJECT/topics/TOPIC
SETTLEMENT_FILES must be gs://bucket/prefix or file:///folder
SETTLEMENT_MERCHANT must be our name in file names, without dots
OIDC_ISSUER must be an https:// address of a host, without credentials, query or fragment
OIDC_AUDIENCE must be the audience of the tokens, in visible ASCII
OIDC_JWKS_URL must be an https:// address of a host, without credentials, query or fragment
OIDC_SCOPE must be one scope, without spaces
OIDC_SCOPE_CLAIM must be scope, scp, permissions or roles
OIDC_ISSUER_ALIASES must be the issuer's earlier addresses, the oldest first, separated by commas
IAP_AUDIENCE must be /projects/NUMBER/..., as Identity-Aware Proxy shows it
CORS_ORIGINS must be origins, each https://host with at most a port, and never *
"""


def told(variables, function="purchase"):
    """The faults, a line each."""
    try:
        load(variables, function)
    except ConfigError as error:
        return list(error.faults)
    return []


def test_all_faults_stand_in_one_message():
    with pytest.raises(ConfigError) as refused:
        load({}, "purchase")
    assert str(refused.value) == "configuration refused: " + "; ".join(refused.value.faults)


def test_every_malformed_variable_is_reported_what_it_must_be():
    lines = MALFORMED.strip().split("\n")

    assert told(dict.fromkeys(NAMES, "? ")) == lines
    assert {line.partition(" ")[0] for line in lines} == NAMES


PROJECT = "GOOGLE_CLOUD_PROJECT is required with TRANSACTION_STORE=firestore"
SECRETS = [f"MOBILEMART_CLIENT_{part}_SECRET is required with MOBILEMART_LIVE_INTEGRATION=true" for part in ("ID", "SECRET")]
TOPIC = "EVENTS_TOPIC is required unless ENVIRONMENT=local"
CALLERS = [f"OIDC_{part} is required unless ENVIRONMENT=local" for part in ("ISSUER", "AUDIENCE", "JWKS_URL")]
LIVE_URL = "MOBILEMART_API_URL is required with MOBILEMART_LIVE_INTEGRATION=true and ENVIRONMENT=local"
FILES = "SETTLEMENT_FILES is required in production"


@pytest.mark.parametrize(
    ("environment", "function", "missing"),
    [
        ("production", "prevend", [*SECRETS, PROJECT, *CALLERS]),
        ("production", "purchase", [*SECRETS, PROJECT, TOPIC, *CALLERS]),
        ("production", "reconcile", [*SECRETS, PROJECT, TOPIC, FILES]),
        *((other, "prevend", [*SECRETS, PROJECT, *CALLERS]) for other in ("uat", "staging")),
        *((other, "purchase", [*SECRETS, PROJECT, TOPIC, *CALLERS]) for other in ("uat", "staging")),
        *((other, "reconcile", [*SECRETS, PROJECT, TOPIC]) for other in ("uat", "staging")),
        *(("local", function, [*SECRETS, LIVE_URL, PROJECT]) for function in ("prevend", "purchase", "reconcile", "local", "probe")),
    ],
)
def test_what_is_missing_is_reported_with_what_needs_it(environment, function, missing):
    assert told({"ENVIRONMENT": environment, "MOBILEMART_LIVE_INTEGRATION": "true"}, function) == missing


@pytest.mark.parametrize("function", ["prevend", "purchase", "reconcile", "local", "probe"])
def test_without_any_variable_three_are_missing(function):
    assert told({}, function) == [
        "ENVIRONMENT is required: local, uat, staging or production",
        "MOBILEMART_LIVE_INTEGRATION is required: true (sells for money) or false (simulated)",
        PROJECT,
    ]


SIMULATED = without({**LOCAL, **CLOUD}, "MOBILEMART_CLIENT_ID_SECRET", "MOBILEMART_CLIENT_SECRET_SECRET") | {
    "MOBILEMART_LIVE_INTEGRATION": "false"
}
CONTRADICTS = "contradicts MOBILEMART_LIVE_INTEGRATION=false: a simulation reaches no supplier"
NOT_PRODUCTION = "must be the production switch in production, by its name: not this machine, UAT or conformance"
ONLY_PRODUCTION = "must not be the production switch outside of production: what is sold there costs money"
URL, FORGETS = "MOBILEMART_API_URL", "must not be set in production: what is sold into an emulator is forgotten"
ON_LOOPBACK = "http:// is accepted for loopback only"


@pytest.mark.parametrize(
    ("variables", "changes", "faults"),
    [
        (LIVE_LOCAL, {"ENVIRONMENT": "", "K_SERVICE": "x"}, ["ENVIRONMENT is required: local, uat, staging or production"]),
        (
            LOCAL,
            {"K_SERVICE": "x"},
            ["ENVIRONMENT must not be local on Cloud Run, which K_SERVICE says: callers would be whoever they say"],
        ),
        (
            SIMULATED,
            {"ENVIRONMENT": "production", "TRANSACTION_STORE": ""},
            ["MOBILEMART_LIVE_INTEGRATION must be true in production: simulated tokens are worth nothing"],
        ),
        (
            LOCAL,
            {URL: "https://a.example", "MOBILEMART_CLIENT_ID_SECRET": "projects/p/secrets/s/versions/1"},
            [f"{URL} {CONTRADICTS}", f"MOBILEMART_CLIENT_ID_SECRET {CONTRADICTS}"],
        ),
        (UAT, {URL: "https://a.example/v1"}, [f"{URL} must be the switch's scheme and host only, without a path"]),
        (
            UAT,
            {URL: "https://api.mobilemart.co.za"},
            [f"{URL} must be the Fulcrum switch, which api.mobilemart.co.za is not: it answers 200 to anything"],
        ),
        (PRODUCTION, {URL: "https://uat.fulcrumswitch.com"}, [f"{URL} {NOT_PRODUCTION}"]),
        (UAT, {URL: "https://fulcrumswitch.com"}, [f"{URL} {ONLY_PRODUCTION}"]),
        (UAT, {URL: "http://a.example"}, [f"{URL} must be https://; {ON_LOOPBACK}"]),
        (PRODUCTION, {URL: "http://127.0.0.1"}, [f"{URL} must be https:// in production"]),
        (
            LOCAL,
            {"MOBILEMART_TIMEOUT_SECONDS": "220", "VENDING_LEASE_SECONDS": "220"},
            [
                "MOBILEMART_TIMEOUT_SECONDS must be less than FUNCTION_TIMEOUT_SECONDS (220 is not below 220)",
                "FUNCTION_TIMEOUT_SECONDS must be less than VENDING_LEASE_SECONDS (220 is not below 220)",
            ],
        ),
        (LOCAL, {"MINIMUM_AMOUNT_CENTS": "500001"}, ["MINIMUM_AMOUNT_CENTS must be at most MAXIMUM_AMOUNT_CENTS (500001 is above 500000)"]),
        (
            LOCAL,
            {"RETENTION_DAYS": "99", "PERSONAL_DATA_DAYS": "100"},
            ["PERSONAL_DATA_DAYS must be at most RETENTION_DAYS (100 is above 99)"],
        ),
        (
            UAT,
            {"TRANSACTION_STORE": "sqlite:///x"},
            ["TRANSACTION_STORE must be firestore unless ENVIRONMENT=local: a file is gone with its instance"],
        ),
        (
            LOCAL,
            {"OIDC_SCOPE": "vend"},
            [f"OIDC_{part} is required when another OIDC_ variable is set" for part in ("ISSUER", "AUDIENCE", "JWKS_URL")],
        ),
        (
            UAT,
            {"OIDC_ISSUER_ALIASES": "https://issuer.example"},
            ["OIDC_ISSUER_ALIASES must not name an address twice, nor the present one"],
        ),
        (
            UAT,
            {"CORS_ORIGINS": "http://a.example,https://a.example,x"},
            [
                f"CORS_ORIGINS must be https:// origins; {ON_LOOPBACK}, and not in production",
                "CORS_ORIGINS must be origins, each https://host with at most a port, and never *",
            ],
        ),
        (PRODUCTION, EMULATORS, [f"{name} {FORGETS}" for name in EMULATORS]),
        (UAT, {"STORAGE_EMULATOR_HOST": "http://a.example:1"}, ["STORAGE_EMULATOR_HOST must be http://host:port on loopback"]),
        (UAT, {"OIDC_SCOP": "x"}, ["OIDC_SCOP is not a variable of this system: is OIDC_SCOPE meant?"]),
        (UAT, {"OIDC_SECRET_OF_OURS": "x"}, ["OIDC_SECRET_OF_OURS is not a variable of this system: is it misspelt?"]),
        (UAT, {"MOBILEMART_X": "x", "A": "x"}, ["MOBILEMART_X is not a variable of this system: is it misspelt?"]),
        (
            UAT,
            {"GRPC_TRACE": "x", "GOOGLE_SDK_PYTHON_LOGGING_SCOPE": "x", "SSLKEYLOGFILE": "x"},
            [
                *(
                    f"{name} must not be set: a library would log secrets and tokens, past the mask"
                    for name in ("GOOGLE_SDK_PYTHON_LOGGING_SCOPE", "GRPC_TRACE")
                ),
                "SSLKEYLOGFILE must not be set unless ENVIRONMENT=local: recorded traffic could be read with it",
            ],
        ),
    ],
    ids=lambda value: None if isinstance(value, list) else ",".join(value)[:60],
)
def test_what_contradicts_is_reported_with_what_it_contradicts(variables, changes, faults):
    assert told({**variables, **changes}) == faults


@pytest.mark.parametrize("process", ["local", "probe"])
def test_a_process_of_a_persons_machine_is_reported_by_its_name(process):
    assert told(UAT, process) == [f"ENVIRONMENT must be local for the {process} process"]
