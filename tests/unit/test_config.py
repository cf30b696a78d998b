"""Configuration: what is accepted, and everything that must stop a process before it sells."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import PRODUCTION_URL, SIMULATOR_URL, UAT_URL, ConfigError, load
from shared.domain.money import Money
from shared.domain.policy import AmountCheck, ConsumerDetails, Environment, ReprintBy
from shared.domain.vas import Mode
from shared.ports.credentials import SupplierSecrets
from shared.web.settings import Oidc
from tests.unit.configurations import (
    CLIENT_ID,
    CLIENT_SECRET,
    CLOUD,
    EMULATORS,
    LIVE_LOCAL,
    LOCAL,
    NUMBERS,
    PRODUCTION,
    UAT,
    faults,
    without,
)


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


def test_the_least_amount_is_not_above_the_most():
    assert faults({**LOCAL, "MINIMUM_AMOUNT_CENTS": "501", "MAXIMUM_AMOUNT_CENTS": "500"}) == {"MINIMUM_AMOUNT_CENTS"}
    assert faults({**LOCAL, "MINIMUM_AMOUNT_CENTS": "500", "MAXIMUM_AMOUNT_CENTS": "500"}) == set()


def test_an_unknown_function_is_an_error_of_ours():
    with pytest.raises(ValueError, match="settle"):
        load(LOCAL, "settle")


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(
    st.dictionaries(st.sampled_from([*PRODUCTION, *EMULATORS, *NUMBERS, "TRANSACTION_STORE", "CORS_ORIGINS", "MOBILEMART_API_URL"]), TEXTS)
)
def test_any_variables_give_a_live_configuration_or_its_faults(changes):
    with suppress(ConfigError):
        assert load({**UAT, **changes}, "purchase").mode is Mode.LIVE
