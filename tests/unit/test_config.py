"""Configuration: what is accepted, and everything that must stop a process before it sells."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import NAMES, PRODUCTION_URL, SIMULATOR_URL, UAT_URL, ConfigError, load
from shared.domain.money import Money
from shared.domain.policy import AmountCheck, ConsumerDetails, Environment, ReprintBy
from shared.domain.vas import Mode
from shared.ports.credentials import SupplierSecrets
from shared.web.settings import Oidc, ScopeClaim

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


def test_a_simulation_on_a_developers_machine_needs_three_variables():
    config = load(LOCAL, "local")

    assert (config.environment, config.mode, config.supplier_url) == (Environment.LOCAL, Mode.SIMULATED, SIMULATOR_URL)
    assert SIMULATOR_URL == "http://simulator"
    assert (config.sqlite_path, config.supplier_secrets, config.oidc, config.events_topic) == ("sales.db", None, None, None)


def test_every_default_is_the_contracts():
    config = load(LOCAL, "local")

    assert (config.tender_type, config.utility_product_id, config.reprint_by) == ("CreditCard", None, ReprintBy.REQUEST_ID)
    assert (config.connect_timeout_seconds, config.exchange_timeout_seconds, config.calls_per_second) == (5, 60, 5)
    assert (config.send_window_seconds, config.store_timeout_seconds) == (10, 10)
    assert (config.function_timeout_seconds, config.lease_seconds) == (220, 240)
    assert (config.in_doubt_minimum_age_seconds, config.resolve_interval_seconds, config.review_after_seconds) == (900, 60, 216_000)
    assert (config.prevend_valid_seconds, config.minimum_amount, config.maximum_amount) == (900, Money(100), Money(500_000))
    assert (config.consumer_details, config.firestore_database, config.cors_origins) == (ConsumerDetails.MASKED, "(default)", ())
    assert (config.amount_check, config.iap_audience, config.settlement_files) == (AmountCheck.ALERT, None, None)
    assert (config.firestore_emulator, config.pubsub_emulator, config.secret_manager_emulator) == (None, None, None)


def test_every_variable_is_read():
    config = load(
        {
            **PRODUCTION,
            "MOBILEMART_API_URL": "https://switch.example:8443/",
            "MOBILEMART_TENDER_TYPE": "Wallet",
            "MOBILEMART_UTILITY_PRODUCT_ID": "AbC123",
            "MOBILEMART_REPRINT_BY": "none",
            "MOBILEMART_AMOUNT_CHECK": "doubt",
            "IAP_AUDIENCE": "/projects/123/global/backendServices/456",
            "MOBILEMART_CONNECT_TIMEOUT_SECONDS": "6",
            "MOBILEMART_TIMEOUT_SECONDS": "61",
            "MOBILEMART_CALLS_PER_SECOND": "7",
            "SEND_WINDOW_SECONDS": "11",
            "STORE_TIMEOUT_SECONDS": "12",
            "FUNCTION_TIMEOUT_SECONDS": "221",
            "VENDING_LEASE_SECONDS": "241",
            "IN_DOUBT_MINIMUM_AGE_SECONDS": "901",
            "RESOLVE_INTERVAL_SECONDS": "62",
            "REVIEW_AFTER_SECONDS": "216001",
            "PREVEND_VALID_SECONDS": "902",
            "MINIMUM_AMOUNT_CENTS": "200",
            "MAXIMUM_AMOUNT_CENTS": "300",
            "CONSUMER_DETAILS": "full",
            "TRANSACTION_STORE": "firestore",
            "FIRESTORE_DATABASE": "sales",
            "SETTLEMENT_MERCHANT": "WALLET_1",
            "OIDC_SCOPE": "vas.purchase",
            "CORS_ORIGINS": "https://app.example, https://admin.example:8443",
        },
        "purchase",
    )

    assert (config.environment, config.mode, config.supplier_url) == (Environment.PRODUCTION, Mode.LIVE, "https://switch.example:8443")
    assert config.supplier_secrets == SupplierSecrets(CLIENT_ID, CLIENT_SECRET)
    assert (config.tender_type, config.utility_product_id, config.reprint_by) == ("Wallet", "AbC123", ReprintBy.NONE)
    assert (config.connect_timeout_seconds, config.exchange_timeout_seconds, config.calls_per_second) == (6, 61, 7)
    assert (config.send_window_seconds, config.store_timeout_seconds) == (11, 12)
    assert (config.function_timeout_seconds, config.lease_seconds) == (221, 241)
    assert (config.in_doubt_minimum_age_seconds, config.resolve_interval_seconds, config.review_after_seconds) == (901, 62, 216_001)
    assert (config.prevend_valid_seconds, config.minimum_amount, config.maximum_amount) == (902, Money(200), Money(300))
    assert (config.consumer_details, config.sqlite_path) == (ConsumerDetails.FULL, None)
    assert (config.project, config.firestore_database) == ("vas-project", "sales")
    assert (config.events_topic, config.settlement_files) == (CLOUD["EVENTS_TOPIC"], CLOUD["SETTLEMENT_FILES"])
    assert config.settlement_merchant == "WALLET_1"
    assert (config.amount_check, config.iap_audience) == (AmountCheck.DOUBT, "/projects/123/global/backendServices/456")
    assert config.oidc == Oidc("https://issuer.example", "https://vas.example", "https://issuer.example/jwks", "vas.purchase")
    assert config.cors_origins == ("https://app.example", "https://admin.example:8443")


def test_the_rules_of_selling_are_the_configurations():
    rules = load({**UAT, "MOBILEMART_UTILITY_PRODUCT_ID": "AbC123", "PREVEND_VALID_SECONDS": "30"}, "purchase").rules()

    assert (rules.mode, rules.utility_product_id, rules.prevend_valid_seconds, rules.retry_seconds) == (Mode.LIVE, "AbC123", 30, 60)
    assert (rules.exchange_seconds, rules.send_window_seconds, rules.function_timeout_seconds, rules.lease_seconds) == (60, 10, 220, 240)
    assert (rules.minimum_age_seconds, rules.review_after_seconds) == (900, 216_000)


def test_nothing_is_sent_that_could_not_end_before_the_functions_timeout():
    quick = {"MOBILEMART_TIMEOUT_SECONDS": "2", "FUNCTION_TIMEOUT_SECONDS": "5", "VENDING_LEASE_SECONDS": "6"}

    assert load({**LOCAL, **quick}, "local").rules().send_window_seconds == 3


@pytest.mark.parametrize(("environment", "url"), [("production", PRODUCTION_URL), ("staging", UAT_URL), ("uat", UAT_URL)])
def test_the_switch_belongs_to_the_environment(environment, url):
    assert load({**CLOUD, "ENVIRONMENT": environment}, "purchase").supplier_url == url


@pytest.mark.parametrize("function", ["prevend", "purchase", "reconcile"])
@pytest.mark.parametrize("variables", [PRODUCTION, UAT, LIVE_LOCAL, LOCAL])
def test_a_complete_configuration_serves_every_function(variables, function):
    assert faults(variables, function) == set()


def test_all_faults_are_named_in_one_message():
    with pytest.raises(ConfigError) as refused:
        load({"CORS_ORIGINS": "*", "STORE_TIMEOUT_SECONDS": "soon", "VENDING_LEASE_SECONDS": "1", "OIDC_ISSUR": "x"}, "purchase")

    for name in (
        "ENVIRONMENT",
        "MOBILEMART_LIVE_INTEGRATION",
        "CORS_ORIGINS",
        "STORE_TIMEOUT_SECONDS",
        "VENDING_LEASE_SECONDS",
        "OIDC_ISSUER",
    ):
        assert name in str(refused.value)


@pytest.mark.parametrize("given", ["", "True", "TRUE", "1", "yes", "live", " true", "false "])
def test_the_mode_has_no_default_and_is_never_guessed(given):
    assert faults({**LOCAL, "MOBILEMART_LIVE_INTEGRATION": given}) == {"MOBILEMART_LIVE_INTEGRATION"}


@pytest.mark.parametrize("given", ["", "prod", "Production", "test"])
def test_the_environment_is_one_of_four(given):
    assert faults({**LOCAL, "ENVIRONMENT": given}) == {"ENVIRONMENT"}


@pytest.mark.parametrize("function", ["prevend", "purchase", "reconcile"])
@pytest.mark.parametrize("variables", [LOCAL, LIVE_LOCAL])
def test_nobody_is_whoever_he_says_on_the_platform(variables, function):
    assert faults({**variables, "K_SERVICE": function}, function) == {"ENVIRONMENT"}
    assert faults({**UAT, "K_SERVICE": function}, function) == set()


@pytest.mark.parametrize("environment", ["uat", "staging", "production"])
@pytest.mark.parametrize("process", ["local", "probe"])
def test_the_processes_of_a_persons_machine_are_for_the_local_environment(environment, process):
    assert faults({**CLOUD, "ENVIRONMENT": environment}, process) == {"ENVIRONMENT"}


def test_production_is_never_simulated():
    simulated = without(
        {**PRODUCTION, "MOBILEMART_LIVE_INTEGRATION": "false"}, "MOBILEMART_CLIENT_ID_SECRET", "MOBILEMART_CLIENT_SECRET_SECRET"
    )

    assert faults(simulated) == {"MOBILEMART_LIVE_INTEGRATION"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("MOBILEMART_CLIENT_ID_SECRET", CLIENT_ID), ("MOBILEMART_CLIENT_SECRET_SECRET", CLIENT_SECRET), ("MOBILEMART_API_URL", UAT_URL)],
)
def test_a_simulation_with_a_configured_supplier_is_a_contradiction(name, value):
    assert faults({**LOCAL, name: value}) == {name}


@pytest.mark.parametrize("name", ["MOBILEMART_CLIENT_ID_SECRET", "MOBILEMART_CLIENT_SECRET_SECRET"])
@pytest.mark.parametrize("variables", [PRODUCTION, UAT, LIVE_LOCAL])
def test_live_needs_credentials(variables, name):
    assert faults(without(variables, name)) == {name}


def test_live_on_a_developers_machine_says_where_the_supplier_is():
    assert faults(without(LIVE_LOCAL, "MOBILEMART_API_URL")) == {"MOBILEMART_API_URL"}


@pytest.mark.parametrize(
    "name",
    [
        "0b9e4a55-the-secret-itself",
        "mobilemart-client-secret",
        "projects/p/secrets/s",
        "projects/p/secrets/s/versions/",
        "projects/p/secrets/s/versions/0",
        "projects/p/secrets/s/versions/latest/",
        "projects/p/secrets/s/versions/latest\n",
    ],
)
def test_a_secret_in_the_place_of_its_name_is_refused_and_not_repeated(name):
    with pytest.raises(ConfigError) as refused:
        load({**UAT, "MOBILEMART_CLIENT_SECRET_SECRET": name}, "purchase")

    assert "MOBILEMART_CLIENT_SECRET_SECRET" in str(refused.value)
    assert name not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://uat.fulcrumswitch.com",
        "https://UAT.FulcrumSwitch.com./",
        "https://conformance.fulcrumswitch.com",
        "https://localhost",
        "https://127.0.0.1:8443",
        "https://[::1]",
        "https://vas.localhost",
        "https://localhost.localdomain",
        "https://0.0.0.0",
        "https://127.1",
        "https://127.1.",
        "https://0",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.1",
        "https://127.0.0.0x1",
        "https://017700000001",
        "https://[::ffff:127.0.0.1]",
        "https://203.0.113.7",
        "https://switch",
        "http://127.0.0.1:9000",
        "http://fulcrumswitch.com",
    ],
)
def test_production_sells_at_the_production_switch(url):
    assert faults({**PRODUCTION, "MOBILEMART_API_URL": url}) == {"MOBILEMART_API_URL"}


@pytest.mark.parametrize("url", [PRODUCTION_URL, "https://FulcrumSwitch.com./", "https://fulcrumswitch.com:443"])
@pytest.mark.parametrize("variables", [UAT, {**UAT, "ENVIRONMENT": "staging"}, LIVE_LOCAL])
def test_only_production_sells_at_the_production_switch(variables, url):
    assert faults({**variables, "MOBILEMART_API_URL": url}) == {"MOBILEMART_API_URL"}
    assert faults({**PRODUCTION, "MOBILEMART_API_URL": url}) == set()
    if variables is LIVE_LOCAL:
        assert faults({**variables, "MOBILEMART_API_URL": url}, "local") == {"MOBILEMART_API_URL"}
        assert faults({**variables, "MOBILEMART_API_URL": url}, "probe") == set()


@pytest.mark.parametrize(
    "url",
    [
        "https://api.mobilemart.co.za",  # answers 200, with nothing, to any path
        "https://uat-api.mobilemart.co.za",
        "https://fulcrumswitch.com/v1",
        "https://fulcrumswitch.com?x=1",
        "https://user:password@fulcrumswitch.com",
        "https://fulcrumswitch.com:99999",
        "https://",
        "https://*",
        "fulcrumswitch.com",
        "ftp://fulcrumswitch.com",
        "http://uat.fulcrumswitch.com",
        "http://127.0.0.1.example",
        "http://192.168.0.1",
    ],
)
@pytest.mark.parametrize("variables", [UAT, LIVE_LOCAL])
def test_what_cannot_be_the_switch_is_refused_everywhere(variables, url):
    assert faults({**variables, "MOBILEMART_API_URL": url}) == {"MOBILEMART_API_URL"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "https://127.0.0.1:9000"])
def test_outside_production_this_machine_may_be_the_supplier(url):
    assert load({**UAT, "MOBILEMART_API_URL": url}, "purchase").supplier_url == url


@pytest.mark.parametrize(
    ("exchange", "function", "lease", "refused"),
    [
        (60, 60, 240, {"MOBILEMART_TIMEOUT_SECONDS"}),
        (60, 240, 240, {"FUNCTION_TIMEOUT_SECONDS"}),
        (240, 220, 200, {"MOBILEMART_TIMEOUT_SECONDS", "FUNCTION_TIMEOUT_SECONDS"}),
        (1, 2, 3, set()),
    ],
)
def test_the_exchange_ends_inside_the_function_and_the_function_inside_the_lease(exchange, function, lease, refused):
    timeouts = {"MOBILEMART_TIMEOUT_SECONDS": exchange, "FUNCTION_TIMEOUT_SECONDS": function, "VENDING_LEASE_SECONDS": lease}

    assert faults({**LOCAL, **{name: str(seconds) for name, seconds in timeouts.items()}}) == refused


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


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "1e3", "1_000", " 10", "ten", "٣", "9" * 10, "9" * 5000])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_positive_whole_and_bounded(name, value):
    assert name in faults({**LOCAL, name: value})


@pytest.mark.parametrize(("name", "most"), MOST.items())
def test_a_number_is_accepted_up_to_its_bound_and_refused_from_there_on(name, most):
    roomy = {"FUNCTION_TIMEOUT_SECONDS": "3600", "VENDING_LEASE_SECONDS": "86400", "MAXIMUM_AMOUNT_CENTS": "100000000"}

    assert faults({**LOCAL, **roomy, name: str(most)}) == set()
    with pytest.raises(ConfigError, match=f"{name} must be a whole number from 1 to {most}"):
        load({**LOCAL, **roomy, name: str(most + 1)}, "purchase")


@pytest.mark.parametrize("name", sorted(set(MOST) - {"FUNCTION_TIMEOUT_SECONDS", "VENDING_LEASE_SECONDS", "MAXIMUM_AMOUNT_CENTS"}))
def test_a_number_may_be_one(name):
    assert faults({**LOCAL, name: "1"}) == set()


def test_the_least_amount_is_not_above_the_most():
    assert faults({**LOCAL, "MINIMUM_AMOUNT_CENTS": "501", "MAXIMUM_AMOUNT_CENTS": "500"}) == {"MINIMUM_AMOUNT_CENTS"}
    assert faults({**LOCAL, "MINIMUM_AMOUNT_CENTS": "500", "MAXIMUM_AMOUNT_CENTS": "500"}) == set()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, (1826, 400)),
        ({"RETENTION_DAYS": "100"}, (100, 100)),
        ({"RETENTION_DAYS": "31", "PERSONAL_DATA_DAYS": "31"}, (31, 31)),
        ({"RETENTION_DAYS": "36525"}, (36_525, 400)),
    ],
)
def test_personal_data_is_kept_for_no_longer_than_its_sale(given, kept):
    config = load({**LOCAL, **given}, "reconcile")
    assert (config.retention_days, config.personal_data_days) == kept


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"RETENTION_DAYS": "30"}, "RETENTION_DAYS must be a whole number from 31 to 36525"),
        ({"RETENTION_DAYS": "36526"}, "RETENTION_DAYS must be a whole number from 31 to 36525"),
        ({"PERSONAL_DATA_DAYS": "30"}, "PERSONAL_DATA_DAYS must be a whole number from 31"),
        ({"PERSONAL_DATA_DAYS": "1827"}, r"PERSONAL_DATA_DAYS must be at most RETENTION_DAYS \(1827 is above 1826\)"),
    ],
)
def test_nothing_goes_that_a_file_may_still_be_compared_with(given, refused):
    with pytest.raises(ConfigError, match=refused):
        load({**LOCAL, **given}, "reconcile")


@pytest.mark.parametrize("environment", ["uat", "staging", "production"])
def test_a_file_is_no_store_for_what_must_outlast_its_instance(environment):
    assert faults({**CLOUD, "ENVIRONMENT": environment, "TRANSACTION_STORE": "sqlite:///sales.db"}) == {"TRANSACTION_STORE"}


@pytest.mark.parametrize(
    ("store", "path"),
    [
        ("sqlite:///sales.db", "sales.db"),
        ("sqlite:////var/sales.db", "/var/sales.db"),
        ("sqlite:///:memory:", ":memory:"),
        ("sqlite:///a:///b", "a:///b"),
    ],
)
def test_a_sqlite_path_is_relative_unless_it_has_a_slash_of_its_own(store, path):
    assert load({**LOCAL, "TRANSACTION_STORE": store}, "local").sqlite_path == path


@pytest.mark.parametrize("store", ["sqlite", "sqlite://", "sqlite:///", "postgres://x", "Firestore"])
def test_an_unknown_store_is_refused(store):
    assert faults({**LOCAL, "TRANSACTION_STORE": store}) == {"TRANSACTION_STORE"}


def test_firestore_needs_a_project_on_the_platform_too():
    for variables in (UAT, {**UAT, "K_SERVICE": "purchase"}):
        assert faults(without(variables, "GOOGLE_CLOUD_PROJECT")) == {"GOOGLE_CLOUD_PROJECT"}


@pytest.mark.parametrize("function", ["purchase", "reconcile"])
def test_who_ends_sales_must_announce_them(function):
    assert faults(without(UAT, "EVENTS_TOPIC"), function) == {"EVENTS_TOPIC"}
    assert faults(without(UAT, "EVENTS_TOPIC"), "prevend") == set()
    assert faults(without(LIVE_LOCAL, "EVENTS_TOPIC"), function) == set()


def test_production_is_compared_with_settlement_files():
    assert faults(without(PRODUCTION, "SETTLEMENT_FILES"), "reconcile") == {"SETTLEMENT_FILES"}
    assert faults(without(PRODUCTION, "SETTLEMENT_FILES"), "purchase") == set()
    assert faults(without(UAT, "SETTLEMENT_FILES"), "reconcile") == set()


@pytest.mark.parametrize("function", ["prevend", "purchase"])
@pytest.mark.parametrize("name", ["OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_JWKS_URL"])
def test_outside_a_developers_machine_callers_are_verified(name, function):
    assert faults(without(UAT, name), function) == {name}
    every = ("OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_JWKS_URL")
    assert faults(without(UAT, *every), function) == set(every)
    assert faults(without(UAT, *every), "reconcile") == faults(without(LIVE_LOCAL, *every), function) == set()


@pytest.mark.parametrize("name", ["OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_JWKS_URL"])
def test_half_a_verification_is_none(name):
    assert faults(without(LIVE_LOCAL, name)) == {name}


def test_an_issuer_that_moved_keeps_its_first_address_in_its_callers_identities():
    config = load({**UAT, "OIDC_ISSUER_ALIASES": "https://oldest.example, https://old.example", "OIDC_SCOPE_CLAIM": "roles"}, "purchase")

    assert config.oidc is not None
    assert config.oidc.issuer_aliases == ("https://oldest.example", "https://old.example")
    assert (config.oidc.identity, config.oidc.issuer) == ("https://oldest.example", "https://issuer.example")
    assert config.oidc.scope_claim is ScopeClaim.ROLES
    assert load(UAT, "purchase").oidc.identity == "https://issuer.example"


def test_a_scope_alone_verifies_nothing():
    assert faults({**LOCAL, "OIDC_SCOPE": "vas.purchase"}) == {"OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_JWKS_URL"}


@pytest.mark.parametrize("name", ["OIDC_ISSUER", "OIDC_JWKS_URL"])
def test_signing_keys_come_over_tls(name):
    assert faults({**UAT, name: "http://issuer.example/jwks"}) == {name}
    assert faults({**PRODUCTION, name: "http://127.0.0.1:9000/jwks"}) == {name}
    assert faults({**UAT, name: "http://127.0.0.1:9000/jwks"}) == set()


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "https://*",
        "https://*.example",
        "null",
        "app.example",
        "https://app.example/",
        "https://app.example/path",
        "https://App.example",
        "http://app.example",
        "https://app.example,*",
        "https://app.example https://admin.example",
    ],
)
def test_only_well_formed_origins_may_call_from_a_browser(origins):
    assert faults({**UAT, "CORS_ORIGINS": origins}) == {"CORS_ORIGINS"}


def test_a_page_of_this_machine_may_call_except_in_production():
    assert load({**UAT, "CORS_ORIGINS": "http://localhost:3000"}, "purchase").cors_origins == ("http://localhost:3000",)
    assert faults({**PRODUCTION, "CORS_ORIGINS": "http://localhost:3000"}) == {"CORS_ORIGINS"}


EMULATORS = {
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080",
    "PUBSUB_EMULATOR_HOST": "localhost:8085",
    "SECRET_MANAGER_EMULATOR_HOST": "[::1]:9000",
    "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9023",
}


@pytest.mark.parametrize("name", EMULATORS)
def test_an_emulator_in_production_would_forget_what_was_sold(name):
    assert faults({**PRODUCTION, name: EMULATORS[name]}) == {name}


def test_emulators_on_this_machine_serve_every_other_environment():
    config = load({**UAT, **EMULATORS}, "purchase")
    assert (config.firestore_emulator, config.pubsub_emulator) == ("127.0.0.1:8080", "localhost:8085")
    assert config.secret_manager_emulator == "[::1]:9000"
    assert faults({**UAT, **EMULATORS, "ENVIRONMENT": "staging"}) == faults({**LIVE_LOCAL, **EMULATORS}) == set()


@pytest.mark.parametrize("name", EMULATORS)
@pytest.mark.parametrize(
    "where",
    ["emulator.example:8080", "10.0.0.1:8080", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:http", "127.0.0.1:8080/v1", "127.0.0.1:8080/~"],
)
def test_an_emulator_is_a_port_of_this_machine(name, where):
    address = f"http://{where}" if name == "STORAGE_EMULATOR_HOST" else where

    assert faults({**UAT, name: address}) == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOBILEMART_TENDER_TYPE", "Credit Card"),
        ("MOBILEMART_UTILITY_PRODUCT_ID", "two words"),
        ("MOBILEMART_REPRINT_BY", "receipt"),
        ("CONSUMER_DETAILS", "none"),
        ("FIRESTORE_DATABASE", "Sales"),
        ("GOOGLE_CLOUD_PROJECT", "My Project"),
        ("EVENTS_TOPIC", "transactions"),
        ("EVENTS_TOPIC", "projects/p/topics/"),
        ("SETTLEMENT_FILES", "s3://bucket"),
        ("SETTLEMENT_FILES", "gs://"),
        ("SETTLEMENT_FILES", "/folder"),
        ("SETTLEMENT_MERCHANT", "A.B"),
        ("OIDC_SCOPE", "two scopes"),
        ("OIDC_SCOPE_CLAIM", "claims"),
        ("OIDC_ISSUER_ALIASES", "http://old.example"),
        ("OIDC_ISSUER_ALIASES", "https://issuer.example"),
        ("OIDC_ISSUER_ALIASES", "https://old.example,https://old.example"),
        ("IAP_AUDIENCE", "projects/1/global/backendServices/2"),
    ],
)
def test_a_malformed_variable_is_refused(name, value):
    assert faults({**UAT, name: value}) == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("MOBILEMART_TENDER_TYPE", "x" * length) for length in (1, 40)),
        *(("MOBILEMART_UTILITY_PRODUCT_ID", value) for value in ("!", "~" * 100)),
        *(("FIRESTORE_DATABASE", value) for value in ("(default)", "ab", "a" * 63, "a-9")),
        *(("GOOGLE_CLOUD_PROJECT", value) for value in ("p", "domain.example:p-1", "9" * 101)),
        *(("EVENTS_TOPIC", f"projects/p/topics/{topic}") for topic in ("abc", "A~%+._-9", "t" * 255)),
        *(("SETTLEMENT_FILES", value) for value in ("gs://abc", "gs://a.b_c-9/", "gs://abc/deep/prefix", "file:///f")),
        *(("SETTLEMENT_MERCHANT", value) for value in ("a", "A-9_", "m" * 100)),
        *(("OIDC_AUDIENCE", value) for value in ("!", "~" * 500)),
        *(("OIDC_SCOPE", value) for value in ("!", "vas:purchase/[1]", "s" * 200)),
        *(("IAP_AUDIENCE", value) for value in ("/projects/1/!", f"/projects/{'9' * 20}/{'~' * 300}")),
        *(("MOBILEMART_CLIENT_ID_SECRET", f"projects/p/secrets/{'s' * 255}/versions/{name}") for name in ("latest", "90", "live-1")),
        *(("OIDC_ISSUER_ALIASES", value) for value in ("https://a.example", "https://a.example , ,https://b.example,")),
    ],
)
def test_a_well_formed_variable_is_taken_up_to_its_bounds(name, value):
    assert faults({**UAT, name: value}) == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOBILEMART_TENDER_TYPE", "x" * 41),
        ("MOBILEMART_UTILITY_PRODUCT_ID", "~" * 101),
        *(("FIRESTORE_DATABASE", value) for value in ("a", "a" * 64, "9a", "default)")),
        *(("GOOGLE_CLOUD_PROJECT", value) for value in ("-p", "9" * 102)),
        *(("EVENTS_TOPIC", f"projects/p/topics/{topic}") for topic in ("ab", "9bc", "t" * 256)),
        *(("SETTLEMENT_FILES", value) for value in ("gs://ab", "gs://ab-", "gs://Abc", "file:///", "file://f")),
        *(("SETTLEMENT_MERCHANT", value) for value in ("m" * 101, "a b")),
        ("OIDC_AUDIENCE", "~" * 501),
        *(("OIDC_SCOPE", value) for value in ('a"b', "a\\b", "s" * 201)),
        *(("IAP_AUDIENCE", value) for value in ("/projects/1/", "/projects/x/y", f"/projects/{'9' * 21}/a", f"/projects/1/{'~' * 301}")),
        *(("MOBILEMART_CLIENT_ID_SECRET", f"projects/p/secrets/{name}") for name in (f"{'s' * 256}/versions/1", "s/versions/01")),
    ],
)
def test_a_variable_beyond_its_bounds_is_refused(name, value):
    assert faults({**UAT, name: value}) == {name}


@pytest.mark.parametrize(
    "name",
    [
        *("MOBILEMART_LIVE", "MOBILEMART_CLIENT_SECRET", "MOBILEMART_BASE_URL", "OIDC_JWKS_URI", "OIDC_ISSUR"),
        *("SEND_WINDOWS_SECONDS", "SENDWINDOW_SECONDS", "VENDING_LEASE_SECOND", "CONSUMER_DETAIL", "CORS_ORIGIN", "CORS_ORIGNIS"),
        *("MAXIMUM_AMOUNT_CENT", "MAXIMUM_AMMOUNT_CENTS", "RESOLVE_INTERVALL_SECONDS", "SETTLEMENT_FILE", "EVENT_TOPIC", "EVENTS_TOPICS"),
        *("FIRESTORE_DATABSE", "FIRESTORE_EMULATOR_HOSTS", "TRANSACTIONS_STORE", "FUNCTION_TIMEOUT_SECOND", "PREVEND_VALID_SECONDS_"),
    ],
)
def test_a_misspelt_variable_is_named_and_is_not_its_default(name):
    with pytest.raises(ConfigError) as refused:
        load({**UAT, name: "s3cr3t-value"}, "purchase")

    (fault,) = refused.value.faults
    assert fault.startswith(name)
    assert "s3cr3t-value" not in fault


PLATFORMS = (
    *(
        "K_SERVICE",
        "K_REVISION",
        "K_CONFIGURATION",
        "PORT",
        "FUNCTION_TARGET",
        "FUNCTION_SIGNATURE_TYPE",
        "FUNCTION_SOURCE",
        "FUNCTION_NAME",
    ),
    *("FUNCTION_TIMEOUT_SEC", "FUNCTION_MEMORY_MB", "FUNCTION_REGION", "FUNCTION_TRIGGER_TYPE", "FUNCTION_IDENTITY", "ENTRY_POINT"),
    *("CLOUD_RUN_TIMEOUT_SECONDS", "CLOUD_RUN_EXECUTION", "CLOUD_RUN_JOB", "LOG_EXECUTION_ID", "GCLOUD_PROJECT", "GCP_PROJECT"),
    *("GOOGLE_CLOUD_PROJECT_ID", "GOOGLE_CLOUD_PROJECTS", "GOOGLE_CLOUD_REGION", "GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_QUOTA_PROJECT"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_FUNCTION_TARGET", "CLOUDSDK_CORE_PROJECT", "DATASTORE_EMULATOR_HOST", "FIREBASE_CONFIG"),
    *("BIGTABLE_EMULATOR_HOST", "SPANNER_EMULATOR_HOST", "DATASTORE_DATASET", "PUBSUB_PROJECT_ID", "FIREBASE_STORAGE_EMULATOR_HOST"),
    *("_ENVIRONMENT", "_PIPELINE", "BUILD_ID", "COMMIT_SHA", "VIRTUAL_ENV", "CONDA_DEFAULT_ENV", "NODE_ENV", "environment"),
    *("PATH", "HOME", "PWD", "OLDPWD", "SHELL", "TERM", "LANG", "LC_ALL", "USER", "LOGNAME", "HOSTNAME", "SHLVL", "EDITOR", "TZ", "_"),
    *("PYTHONPATH", "PYTHONUNBUFFERED", "WORKERS", "THREADS", "DEBUG", "HTTPS_PROXY", "NO_PROXY", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"),
    *("SMOKE_TOKEN", "PROBE_CLIENT_ID", "PROBE_CLIENT_SECRET", "STORM_SECONDS", "PYTEST_CURRENT_TEST", "CI", "TEMP", "COLUMNS"),
)


@pytest.mark.parametrize("variables", [LOCAL, UAT, PRODUCTION])
def test_what_is_the_platforms_or_the_shells_is_not_ours_to_refuse(variables):
    function = "local" if variables is LOCAL else "purchase"
    theirs = dict.fromkeys(PLATFORMS if variables is not LOCAL else set(PLATFORMS) - {"K_SERVICE"}, "x")
    assert faults({**theirs, **variables}, function) == set()


@pytest.mark.parametrize("environ", [LOCAL, UAT], ids=["local", "uat"])
@pytest.mark.parametrize("name", ["GOOGLE_SDK_PYTHON_LOGGING_SCOPE", "GRPC_TRACE"])
def test_a_variable_that_makes_a_library_log_bodies_is_refused(environ, name):
    with pytest.raises(ConfigError, match=f"{name} must not be set: a library would log secrets and tokens"):
        load({**environ, name: "google"}, "purchase")


def test_tls_keys_are_written_down_on_a_machine_of_ones_own_only():
    assert load({**LOCAL, "SSLKEYLOGFILE": "keys"}, "purchase")
    with pytest.raises(ConfigError, match="SSLKEYLOGFILE must not be set unless ENVIRONMENT=local"):
        load({**UAT, "SSLKEYLOGFILE": "keys"}, "purchase")


def test_a_misspelt_variable_is_told_which_was_meant():
    with pytest.raises(ConfigError, match="CORS_ORIGIN is not a variable of this system: is CORS_ORIGINS meant?"):
        load({**UAT, "CORS_ORIGIN": "https://app.example"}, "purchase")


def test_every_variable_that_is_read_is_listed_and_in_the_contract():
    """The list is what a misspelt one is told from, and what Terraform takes as a setting."""
    source = Path("shared/config.py").read_text()
    read = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', source.partition("class Environment")[2])) - {"K_SERVICE"}
    contract = Path("docs/contract.md").read_text()
    described = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)`", "".join(re.findall(r"^\|([^|]+)\|", contract, re.MULTILINE))))

    assert read <= NAMES
    assert described == NAMES
    with pytest.raises(ConfigError) as refused:
        load(dict.fromkeys(described, "x"), "purchase")
    assert not [fault for fault in refused.value.faults if "is not a variable" in fault]


def test_an_unknown_function_is_an_error_of_ours():
    with pytest.raises(ValueError, match="settle"):
        load(LOCAL, "settle")


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(
    st.dictionaries(st.sampled_from([*PRODUCTION, *EMULATORS, *NUMBERS, "TRANSACTION_STORE", "CORS_ORIGINS", "MOBILEMART_API_URL"]), TEXTS)
)
def test_whatever_the_variables_hold_the_answer_is_a_live_configuration_or_its_faults(changes):
    with suppress(ConfigError):
        assert load({**UAT, **changes}, "purchase").mode is Mode.LIVE
