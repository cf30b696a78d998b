"""The store of a configuration, its retention, and its emulators."""

import pytest

from shared.config import ConfigError, load
from tests.unit.configurations import CLOUD, EMULATORS, LIVE_LOCAL, LOCAL, PRODUCTION, UAT, faults, without


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
def test_who_ends_sales_must_publish_them(function):
    assert faults(without(UAT, "EVENTS_TOPIC"), function) == {"EVENTS_TOPIC"}
    assert faults(without(UAT, "EVENTS_TOPIC"), "prevend") == set()
    assert faults(without(LIVE_LOCAL, "EVENTS_TOPIC"), function) == set()


def test_production_is_compared_with_settlement_files():
    assert faults(without(PRODUCTION, "SETTLEMENT_FILES"), "reconcile") == {"SETTLEMENT_FILES"}
    assert faults(without(PRODUCTION, "SETTLEMENT_FILES"), "purchase") == set()
    assert faults(without(UAT, "SETTLEMENT_FILES"), "reconcile") == set()


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
