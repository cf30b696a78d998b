"""Callers by real tokens and real keys, against an issuer on a socket."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from starlette.datastructures import Headers

from shared.domain.identifiers import Caller
from shared.web.oidc import MissingScope, Unauthenticated, Verifier, local_caller, local_operator
from shared.web.settings import Oidc, ScopeClaim
from tests.unit.web.issuer import (
    ABSENT,
    AUDIENCE,
    EC_KEY,
    ISSUER,
    OTHER_RSA_KEY,
    RSA_KEY,
    Clock,
    Issuer,
    bearing,
    public,
    refused,
    token,
    unsigned,
)

FOREIGN_RSA_KEY = rsa.generate_private_key(65537, 2048)
SHORT_RSA_KEY = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"key": EC_KEY, "kid": "ec-1", "algorithm": "ES256"},
        {"aud": [AUDIENCE, "another"]},
        {"iat": 20},  # clocks differ
        {"exp": -10},
    ],
)
async def test_a_valid_token_names_its_caller_by_issuer_and_subject(verifier, good):
    assert await verifier.caller(bearing(token(**good))) == Caller(ISSUER, "wallet-7")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"aud": "https://elsewhere.example"}, "the token is for another audience"),
        ({"aud": []}, "the token lacks a claim"),
        ({"aud": ABSENT}, "the token lacks a claim"),
        ({"iss": "https://evil.example"}, "the token is from another issuer"),
        ({"iss": ISSUER + "/"}, "the token is from another issuer"),
        ({"iss": ABSENT}, "the token lacks a claim"),
        ({"exp": -60}, "the token has expired"),
        ({"exp": ABSENT}, "the token lacks a claim"),
        ({"iat": 3600}, "the token is not valid yet"),
        ({"iat": ABSENT}, "the token lacks a claim"),
        ({"nbf": 3600}, "the token is not valid yet"),
        ({"sub": ABSENT}, "the token lacks a claim"),
        ({"sub": ""}, "the token's subject is malformed"),
        ({"sub": "a\nb"}, "the token's subject is malformed"),
        ({"sub": "x" * 256}, "the token's subject is malformed"),
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(verifier, bad, reason):
    assert await refused(verifier, token(**bad)) == reason


@pytest.mark.parametrize("bad", [{"exp": "soon"}, {"exp": float("inf")}, {"sub": 7}, {"iat": [1]}])
async def test_a_token_with_a_nonsensical_claim_is_refused(verifier, bad):
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "wallet-7", "iat": 1, "exp": int(time.time()) + 300, **bad}
    signed = jwt.api_jws.PyJWS().encode(json.dumps(claims).encode(), RSA_KEY, algorithm="RS256", headers={"kid": "rsa-1"})

    assert await refused(verifier, signed)


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("kind", [str, lambda _: True])
async def test_a_token_whose_times_are_no_numbers_is_refused(verifier, name, kind):
    """PyJWT reads a time that is text as a number; it is compared as what it is."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "wallet-7", "iat": now, "exp": now + 300, "nbf": now}
    claims[name] = kind(claims[name])
    signed = jwt.api_jws.encode(json.dumps(claims).encode(), RSA_KEY, "RS256", headers={"kid": "rsa-1"})

    assert await refused(verifier, signed)
    assert await refused(verifier, signed)  # and is not known as good afterwards


async def test_a_token_may_have_fractions_of_seconds(verifier):
    now = time.time()
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "wallet-7", "iat": now, "exp": now + 300.5, "nbf": now}
    assert await verifier.caller(bearing(jwt.api_jws.encode(json.dumps(claims).encode(), RSA_KEY, "RS256", headers={"kid": "rsa-1"})))


async def test_a_token_signed_with_another_key_under_a_known_name_is_refused(verifier):
    assert await refused(verifier, token(OTHER_RSA_KEY)) == "the token's signature is wrong"


async def test_a_changed_token_is_refused(verifier):
    header, claims, signature = token().split(".")
    _, other_claims, _ = token(sub="wallet-8").split(".")

    assert await refused(verifier, f"{header}.{other_claims}.{signature}") == "the token's signature is wrong"
    assert await refused(verifier, f"{header}.{claims}.") == "the token's signature is wrong"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS1", "", None, 7, ["RS256"]])
async def test_an_algorithm_that_proves_nothing_is_refused_before_any_key_is_read(verifier, issuer, algorithm):
    assert await refused(verifier, unsigned({"typ": "JWT", "alg": algorithm, "kid": "rsa-1"}))
    assert issuer.asked == 0


async def test_the_public_key_used_as_a_shared_secret_is_refused(verifier):
    pem = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    forged = unsigned({"typ": "JWT", "alg": "HS256", "kid": "rsa-1"}).rstrip(".")
    signature = base64.urlsafe_b64encode(hmac.new(pem, forged.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()

    assert await refused(verifier, f"{forged}.{signature}") == "the token's algorithm is not accepted"


async def test_a_key_is_good_for_its_own_algorithm_only(verifier):
    assert await refused(verifier, token(EC_KEY, "rsa-1", "ES256")) == "the token's signing key is unknown"
    assert await refused(verifier, token(algorithm="PS256")) == "the token's signing key is unknown"  # its key names RS256


@pytest.mark.parametrize(
    "listed",
    [
        public(RSA_KEY, kid="rsa-1", use="enc"),
        public(RSA_KEY, kid="rsa-1", alg="RS512"),
        {**jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True), "kid": "rsa-1"},  # the private half as well
        {"kty": "oct", "kid": "rsa-1", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "rsa-1", "n": "!", "e": "AQAB"},
        {"kty": "unheard of", "kid": "rsa-1"},
        "no object",
    ],
)
async def test_a_key_that_may_not_indication_tokens_is_passed_over_and_the_others_serve(verifier, issuer, listed):
    issuer.keys = [listed, public(EC_KEY, kid="ec-1")]

    assert await refused(verifier, token()) == "the token's signing key is unknown"
    assert await verifier.caller(bearing(token(EC_KEY, "ec-1", "ES256")))


async def test_of_a_very_long_list_the_first_hundred_keys_serve(verifier, issuer):
    issuer.keys = [*["no key"] * 99, public(RSA_KEY, kid="rsa-1"), public(EC_KEY, kid="ec-1")]

    assert await verifier.caller(bearing(token()))
    assert await refused(verifier, token(EC_KEY, "ec-1", "ES256")) == "the token's signing key is unknown"


@pytest.mark.parametrize(
    ("members", "serves"),
    [
        ({"use": "sig"}, True),
        ({"key_ops": ["verify"]}, True),
        ({"alg": "RS256"}, True),
        ({"key_ops": ["sign"]}, False),
        ({"key_ops": "verify"}, False),
        ({"key_ops": []}, False),
    ],
)
async def test_a_key_serves_where_its_issuer_says_that_it_verifies(verifier, issuer, members, serves):
    issuer.keys = [{**public(RSA_KEY, kid="rsa-1"), **members}, public(EC_KEY, kid="ec-1")]

    if serves:
        assert await verifier.caller(bearing(token()))
    else:
        assert await refused(verifier, token()) == "the token's signing key is unknown"


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
async def test_a_short_key_is_not_trusted(verifier, issuer):
    issuer.keys = [public(SHORT_RSA_KEY, kid="short"), public(EC_KEY, kid="ec-1")]

    assert await refused(verifier, token(SHORT_RSA_KEY, "short")) == "the token's signing key is unknown"


@pytest.mark.parametrize(
    "garbage", ["x", "a.b.c", "....", "é.é.é", "e30.e30.e30", "[" * 5000, base64.b64encode(b"[" * 5000).decode() + ".e30.e30"]
)
async def test_garbage_is_refused_without_asking_the_issuer(verifier, issuer, garbage):
    with pytest.raises(Unauthenticated, match=r"malformed|algorithm"):
        await verifier.caller(bearing(garbage))
    assert issuer.asked == 0


async def test_a_huge_token_is_not_even_parsed(verifier, issuer):
    assert await refused(verifier, token(padding="x" * 8000)) == "the token is too long"
    assert issuer.asked == 0


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Basic dXNlcjpwYXNz"}])
async def test_without_a_bearer_token_there_is_no_caller(verifier, headers):
    with pytest.raises(Unauthenticated, match="a bearer token is required"):
        await verifier.caller(httpx.Headers(headers))


SCOPES = (
    ({"scope": "vas.purchase"}, True),
    ({"scope": "openid vas.purchase email"}, True),
    ({"scp": ["openid", "vas.purchase"]}, True),
    ({"scp": "openid vas.purchase"}, True),
    ({}, False),
    ({"scope": ""}, False),
    ({"scope": "vas.purchase.all vas"}, False),
    ({"scp": ["VAS.PURCHASE"]}, False),
    ({"scope": {"vas.purchase": True}}, False),
    ({"scp": [7, None]}, False),
)


@pytest.mark.parametrize(
    ("granted", "may_buy", "claim"),
    [
        *((granted, may_buy, ScopeClaim.SCOPE) for granted, may_buy in SCOPES),
        ({"permissions": ["vas.purchase"]}, True, ScopeClaim.PERMISSIONS),  # Auth0
        ({"roles": ["openid", "vas.purchase"]}, True, ScopeClaim.ROLES),  # Entra
        ({"realm_access": {"roles": ["vas.purchase"]}}, True, ScopeClaim.ROLES),  # Keycloak
        ({"scp": "openid vas.purchase"}, True, ScopeClaim.SCP),  # Entra
        ({"scope": "vas.purchase"}, False, ScopeClaim.PERMISSIONS),
        ({"permissions": ["vas.purchase"]}, False, ScopeClaim.SCOPE),
        ({"scope": "vas.purchase"}, False, ScopeClaim.SCP),
        ({"realm_access": "vas.purchase"}, False, ScopeClaim.ROLES),
    ],
)
async def test_where_a_scope_is_asked_for_every_token_must_carry_it(issuer, http, granted, may_buy, claim):
    verifier = Verifier(Oidc(ISSUER, AUDIENCE, issuer.url, "vas.purchase", claim), http)

    if may_buy:
        assert await verifier.caller(bearing(token(**granted))) == Caller(ISSUER, "wallet-7")
    else:
        with pytest.raises(MissingScope):
            await verifier.caller(bearing(token(**granted)))


async def test_an_issuer_with_a_single_key_need_not_name_it(verifier, issuer):
    issuer.keys = [public(RSA_KEY)]

    assert await verifier.caller(bearing(token(kid=None)))


@pytest.mark.parametrize("kid", ["shared", None])
async def test_keys_of_one_name_or_of_none_are_all_tried(verifier, issuer, kid):
    names = {} if kid is None else {"kid": kid}
    issuer.keys = [public(OTHER_RSA_KEY, **names), public(EC_KEY, **names), public(RSA_KEY, **names)]

    for key, algorithm in ((RSA_KEY, "RS256"), (RSA_KEY, "PS256"), (EC_KEY, "ES256"), (OTHER_RSA_KEY, "RS256")):
        assert await verifier.caller(bearing(token(key, kid, algorithm)))
    assert await refused(verifier, token(FOREIGN_RSA_KEY, kid)) == "the token's signature is wrong"


async def test_a_token_that_names_no_key_is_tried_with_each(verifier):
    assert await verifier.caller(bearing(token(kid=None)))
    assert await refused(verifier, token(FOREIGN_RSA_KEY, kid=None)) == "the token's signature is wrong"


@pytest.mark.parametrize(
    ("make", "algorithm"),
    [
        (lambda: RSA_KEY, "PS256"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ed25519.Ed25519PrivateKey.generate, "EdDSA"),
    ],
    ids=["PS256", "ES384", "EdDSA"],
)
async def test_issuers_may_indication_with_any_of_the_usual_algorithms(verifier, issuer, make, algorithm):
    key = make()
    issuer.keys = [public(key, kid="k")]

    assert await verifier.caller(bearing(token(key, "k", algorithm)))


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", "secevent+jwt", "application/dpop+jwt", "anything", 7, ["JWT"], {"a": 1}])
async def test_a_token_for_another_use_is_refused_by_its_type(verifier, typ):
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "wallet-7", "iat": now, "exp": now + 300}
    signed = jwt.api_jws.encode(json.dumps(claims).encode(), RSA_KEY, "RS256", headers={"kid": "rsa-1", "typ": typ})

    assert await refused(verifier, signed) == "the token is not for access"


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "application/at+jwt", "AT+JWT"])
async def test_an_access_token_may_say_what_it_is(verifier, typ):
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "wallet-7", "iat": now, "exp": now + 300}

    assert await verifier.caller(bearing(jwt.encode(claims, RSA_KEY, algorithm="RS256", headers={"kid": "rsa-1", "typ": typ})))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"typ": "Logout"}, "the token is not for access"),
        ({"typ": "Refresh"}, "the token is not for access"),
        ({"typ": "ID"}, "the token is not for access"),
        ({"typ": ["Bearer"]}, "the token is not for access"),
        ({"typ": {}}, "the token is not for access"),
        ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "the token is not for access"),
        ({"cnf": {"jkt": "thumbprint"}}, "the token is bound to a key that was not proven"),
        ({"exp": 86_400 + 60}, "the token ends more than a day ahead"),
    ],
)
async def test_a_token_for_another_use_is_refused_by_its_claims(verifier, claims, reason):
    assert await refused(verifier, token(**claims)) == reason


async def test_a_token_may_end_a_day_ahead(verifier):
    assert await verifier.caller(bearing(token(exp=86_400, typ="Bearer")))


async def test_a_caller_keeps_its_identity_when_the_issuer_moves(issuer, http):
    oldest = "https://first.example"
    oidc = Oidc(ISSUER, AUDIENCE, issuer.url, scope=None, issuer_aliases=(oldest, "https://second.example"))
    verifier = Verifier(oidc, http)

    for address in (ISSUER, oldest, "https://second.example"):
        assert await verifier.caller(bearing(token(iss=address))) == Caller(oldest, "wallet-7")
    assert await refused(verifier, token(iss="https://third.example")) == "the token is from another issuer"


async def test_locally_the_caller_is_whoever_the_header_says():
    assert await local_caller(httpx.Headers()) == Caller("local", "local")
    assert await local_caller(httpx.Headers({"X-Caller": "thandi"})) == Caller("local", "thandi")
    assert (local_operator(Headers()), local_operator(Headers({"X-Caller": "thandi"}))) == ("local", "thandi")
    assert local_operator(Headers(raw=[(b"x-caller", b"thandi"), (b"x-caller", b"ben")])) == "unknown"


@pytest.mark.parametrize("name", ["", "two words", "x" * 256])
async def test_a_malformed_local_caller_is_refused(name):
    with pytest.raises(Unauthenticated):
        await local_caller(httpx.Headers({"X-Caller": name}))


async def test_a_token_that_was_found_good_is_not_checked_again(verifier: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    good = bearing(token())
    first = await verifier.caller(good)
    monkeypatch.setattr(jwt, "decode", None)

    assert await verifier.caller(good) == first


async def test_a_token_that_was_found_good_is_refused_once_it_has_expired(verifier: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    good = token(exp=60)
    await verifier.caller(bearing(good))
    later = datetime.now(UTC) + timedelta(seconds=60 + 31)
    monkeypatch.setattr("shared.web.oidc.time", SimpleNamespace(time=later.timestamp))
    monkeypatch.setattr("jwt.api_jwt.datetime", SimpleNamespace(now=later.astimezone))

    assert await refused(verifier, good) == "the token has expired"


async def test_a_token_that_was_found_good_is_refused_once_its_key_is_no_longer_published(
    verifier: Verifier, issuer: Issuer, clock: Clock
) -> None:
    good = token()
    await verifier.caller(bearing(good))
    issuer.keys = [public(EC_KEY, kid="ec-1")]
    clock.seconds += 3601

    assert await refused(verifier, good) == "the token's signing key is unknown"


async def test_more_tokens_than_are_remembered_are_all_found_good(verifier: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.web.oidc._MAX_KNOWN", 2)
    tokens = [token(sub=f"wallet-{number}") for number in range(5)]
    for _ in range(2):
        assert [(await verifier.caller(bearing(each))).subject for each in tokens] == [f"wallet-{number}" for number in range(5)]


# --- tokens of the exact shape of well-known providers


AZURE, GOOGLE, FIREBASE = (
    "https://login.microsoftonline.com/7c0e/v2.0",
    "https://accounts.google.com",
    "https://securetoken.google.com/wallet",
)
PROVIDERS = {
    "Auth0": (
        "https://wallet.eu.auth0.com/",
        {"alg": "RS256", "use": "sig"},
        {"gty": "client-credentials", "permissions": ["vend"]},
        "permissions",
    ),
    "Entra": (AZURE, {"use": "sig", "x5t": "x", "x5c": ["MII"]}, {"ver": "2.0", "azp": "a", "oid": "o", "roles": ["vend"]}, "roles"),
    "Firebase": (FIREBASE, {"alg": "RS256", "use": "sig"}, {"user_id": "wallet-7", "auth_time": 1, "firebase": {"identities": {}}}, None),
    "Google": (GOOGLE, {"alg": "RS256", "use": "sig"}, {"azp": "1", "email": "w@p.iam.gserviceaccount.com", "email_verified": True}, None),
    "Keycloak": (
        "https://id.example/realms/wallet",
        {"alg": "RS256", "use": "sig", "x5c": ["MII"], "x5t#S256": "x"},
        {"typ": "Bearer", "acr": "1", "realm_access": {"roles": ["vend"]}, "scope": "openid vend", "client_id": "wallet"},
        "scope",
    ),
}


@pytest.mark.parametrize("name", PROVIDERS)
async def test_tokens_of_well_known_providers_name_their_callers(issuer, http, name):
    address, of_key, claims, scope_claim = PROVIDERS[name]
    encryption = public(OTHER_RSA_KEY, kid="enc", use="enc", alg="RSA-OAEP")  # Keycloak lists one
    issuer.keys = [encryption, public(RSA_KEY, kid="sig", **of_key)]
    scope = None if scope_claim is None else "vend"
    verifier = Verifier(Oidc(address, AUDIENCE, issuer.url, scope, ScopeClaim(scope_claim or "scope")), http)

    signed = token(kid="sig", iss=address, exp=3600, jti="one", **claims)
    assert await verifier.caller(bearing(signed)) == Caller(address, "wallet-7")
