"""How a configuration verifies callers, and which browser pages may call."""

import pytest

from shared.config import load
from shared.web.settings import ScopeClaim
from tests.unit.configurations import LIVE_LOCAL, LOCAL, PRODUCTION, UAT, faults, without


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
