"""Operators: named by the token that Cloud Run checked, or by the assertion of Identity-Aware Proxy."""

import base64

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.datastructures import Headers

from shared.web.oidc import (
    IapOperator,
    Unauthenticated,
    is_service_account,
    operator,
)
from tests.unit.web.issuer import ABSENT, EC_KEY, RSA_KEY, Clock, Issuer, token, unsigned


def checked_by_cloud_run(**claims: object) -> str:
    """A token as Cloud Run passes it on."""
    header, body, _ = token(**claims).split(".")
    return f"{header}.{body}.SIGNATURE_REMOVED_BY_GOOGLE"


def arriving(*headers: tuple[str, str]) -> Headers:
    """Headers as the server hands them on: each as often as it was sent."""
    return Headers(raw=[(name.lower().encode(), value.encode("latin-1")) for name, value in headers])


def test_an_operator_is_named_by_the_token_that_cloud_run_checked():
    headers = arriving(("Authorization", f"Bearer {checked_by_cloud_run(email='ops@example.com')}"))

    assert operator(headers) == "ops@example.com"


@pytest.mark.parametrize("name", ["Authorization", "X-Serverless-Authorization"])
def test_of_two_tokens_nobody_knows_which_was_checked(name):
    first, second = (f"Bearer {checked_by_cloud_run(email=email)}" for email in ("boss@example.com", "ops@example.com"))

    assert operator(arriving((name, first), (name, second))) == "unknown"
    assert operator(arriving((name, first), (name, first))) == "unknown"


def test_an_unchecked_header_may_be_there_twice():
    checked, forged = (f"Bearer {checked_by_cloud_run(email=email)}" for email in ("ops@example.com", "boss@example.com"))

    assert operator(arriving(("X-Serverless-Authorization", checked), *[("Authorization", forged)] * 2)) == "ops@example.com"


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("scheduler@wallet-vas-production.iam.gserviceaccount.com", True),
        ("123456789012-compute@developer.gserviceaccount.com", True),
        ("wallet-vas@appspot.GServiceAccount.com", True),
        ("thandi@wallet.example", False),
        ("thandi@notgserviceaccount.com", False),
        ("gserviceaccount.com@wallet.example", False),
        ("unknown", False),
    ],
)
def test_a_service_account_is_distinguished_from_a_person(address, is_one):
    assert is_service_account(address) is is_one


def test_beside_the_checked_header_the_unchecked_one_names_nobody():
    forged = f"Bearer {checked_by_cloud_run(email='boss@example.com')}"

    for checked, name in [(checked_by_cloud_run(email="ops@example.com"), "ops@example.com"), ("nonsense", "unknown")]:
        assert operator(arriving(("X-Serverless-Authorization", f"Bearer {checked}"), ("Authorization", forged))) == name


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer ",
        "Bearer a.b.c",
        "Bearer " + "x" * 100_000,
        "Bearer " + base64.b64encode(b"[" * 5000).decode() + ".e30.e30",
        f"Bearer {checked_by_cloud_run()}",
        f"Bearer {checked_by_cloud_run(email=7)}",
        f"Bearer {checked_by_cloud_run(email='no address')}",
        f"Bearer {checked_by_cloud_run(email='a@b' + chr(10) + 'c')}",
    ],
)
def test_a_token_that_names_nobody_leaves_the_operator_unknown(authorization):
    assert operator(arriving(*([] if authorization is None else [("Authorization", authorization)]))) == "unknown"


# --- Identity-Aware Proxy


IAP_AUDIENCE = "/projects/123456789/locations/africa-south1/services/reconcile"


def assertion(**changes: object) -> str:
    """The assertion that Identity-Aware Proxy sends with a request."""
    said = {"iss": "https://cloud.google.com/iap", "aud": IAP_AUDIENCE, "sub": "accounts.google.com:1", "email": "op@example.com"}
    return token(**{"key": EC_KEY, "kid": "ec-1", "algorithm": "ES256", "exp": 600, **said, **changes})


def asserting(*assertions: str) -> Headers:
    return Headers(raw=[(b"x-goog-iap-jwt-assertion", each.encode()) for each in assertions])


@pytest.fixture
def iap(issuer: Issuer, http: httpx.AsyncClient, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> IapOperator:
    monkeypatch.setattr("shared.web.oidc.IAP_KEYS_URL", issuer.url)
    return IapOperator(IAP_AUDIENCE, http, clock)


async def test_an_operator_is_named_by_the_assertion_that_the_proxy_signed(iap):
    assert await iap(asserting(assertion())) == "op@example.com"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "/projects/123456789/global/backendServices/7"},
        {"iss": "https://accounts.google.com"},
        {"exp": -60},
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"key": RSA_KEY, "kid": "rsa-1", "algorithm": "RS256"},
    ],
    ids=["audience", "issuer", "expired", "key", "algorithm"],
)
async def test_an_assertion_that_does_not_hold_is_refused(iap, changes):
    with pytest.raises(Unauthenticated):
        await iap(asserting(assertion(**changes)))


async def test_without_one_assertion_nobody_is_an_operator(iap):
    unsigned_token = unsigned({"alg": "none", "typ": "JWT"}, aud=IAP_AUDIENCE, email="op@example.com")
    for headers in (asserting(), asserting(assertion(), assertion()), asserting(unsigned_token)):
        with pytest.raises(Unauthenticated):
            await iap(headers)
    with pytest.raises(Unauthenticated):  # what Cloud Run has checked says nothing of who passed the proxy
        await iap(Headers({"authorization": f"Bearer {assertion()}"}))


@pytest.mark.parametrize("email", [ABSENT, "no address", 7])
async def test_an_assertion_without_an_address_names_nobody(iap, email):
    assert await iap(asserting(assertion(email=email))) == "unknown"
