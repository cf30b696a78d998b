"""Callers by real tokens and real keys, against an issuer on a socket."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from starlette.datastructures import Headers

from shared.domain.identifiers import Caller
from shared.web.oidc import (
    IapOperator,
    IdentityUnavailable,
    MissingScope,
    Unauthenticated,
    Verifier,
    is_service_account,
    local_caller,
    local_operator,
    operator,
)
from shared.web.settings import Oidc, ScopeClaim
from shared.web.signing_keys import KeysUnavailable, SigningKeys

AUDIENCE = "https://vas.example"
ISSUER = "https://issuer.example/tenant"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
FOREIGN_RSA_KEY = rsa.generate_private_key(65537, 2048)
SHORT_RSA_KEY = rsa.generate_private_key(65537, 1024)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ABSENT = object()


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, **members: str) -> dict[str, Any]:
    """A key as a JWKS document lists it."""
    algorithm: Any
    match key:
        case rsa.RSAPrivateKey():
            algorithm = jwt.algorithms.RSAAlgorithm
        case ec.EllipticCurvePrivateKey():
            algorithm = jwt.algorithms.ECAlgorithm
        case _:
            algorithm = jwt.algorithms.OKPAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), **members}


def token(key: Any = RSA_KEY, kid: str | None = "rsa-1", algorithm: str = "RS256", **changes: object) -> str:
    """A signed token. Its times (`iat`, `nbf`, `exp`) are given in seconds from now."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "wallet-7", "iat": 0, "exp": 300, **changes}
    present = {name: value for name, value in claims.items() if value is not ABSENT}
    now = int(time.time())
    times = {name: now + value for name in ("iat", "nbf", "exp") if isinstance(value := present.get(name), int)}
    return jwt.encode({**present, **times}, key, algorithm=algorithm, headers={} if kid is None else {"kid": kid})


def unsigned(header: object, **changes: object) -> str:
    """A token put together by hand, since no library would sign it."""
    _, claims, _ = token(**changes).split(".")
    return f"{base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b'=').decode()}.{claims}."


class Issuer:
    """An issuer's JWKS address: what it publishes, and how often it was asked."""

    def __init__(self) -> None:
        self.keys: object = [public(RSA_KEY, kid="rsa-1", use="sig", alg="RS256"), public(EC_KEY, kid="ec-1")]
        self.status = 200
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.url = ""
        self.headers = ""
        self.heard = b""

    async def asks(self, times: int) -> None:
        """Wait until it was asked so many times."""
        while self.asked < times:
            await asyncio.sleep(0.01)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard = await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        self.was_asked.set()
        await self.may_answer.wait()
        body = json.dumps({"keys": self.keys})
        writer.write(f"HTTP/1.1 {self.status} -\r\n{self.headers}content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode())
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    async with await asyncio.start_server(issuer.answer, "127.0.0.1", 0) as server:
        issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
        yield issuer


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=False) as client:
        yield client


@pytest.fixture
def verifier(issuer: Issuer, http: httpx.AsyncClient, clock: Clock) -> Verifier:
    return Verifier(Oidc(ISSUER, AUDIENCE, issuer.url, scope=None), http, clock)


def bearing(token: str) -> httpx.Headers:
    return httpx.Headers({"Authorization": f"Bearer {token}"}, encoding="latin-1")


async def refused(verifier: Verifier, token: str) -> str:
    """The reason for which `token` is refused; neither it nor its causes quote the token."""
    with pytest.raises(Unauthenticated) as error:
        await verifier.caller(bearing(token))
    told = "".join(traceback.format_exception_only(error.value))
    assert not any(part in told for part in token.split(".") if part)
    assert error.value.__suppress_context__ or error.value.__context__ is None
    return str(error.value)


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
async def test_a_key_that_may_not_sign_tokens_is_passed_over_and_the_others_serve(verifier, issuer, listed):
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
async def test_issuers_may_sign_with_any_of_the_usual_algorithms(verifier, issuer, make, algorithm):
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


async def test_many_requests_at_once_ask_the_issuer_once(verifier, issuer):
    await asyncio.gather(*(verifier.caller(bearing(token())) for _ in range(50)))

    assert issuer.asked == 1


async def test_a_withdrawn_key_is_refused_within_ten_minutes(verifier, issuer, clock):
    await verifier.caller(bearing(token()))
    issuer.keys = [public(EC_KEY, kid="ec-1")]
    clock.seconds += 299
    await verifier.caller(bearing(token()))
    assert issuer.asked == 1

    clock.seconds += 300
    assert await refused(verifier, token()) == "the token's signing key is unknown"


async def test_keys_are_read_again_beside_the_requests(verifier, issuer, clock):
    await verifier.caller(bearing(token()))
    issuer.may_answer.clear()
    clock.seconds += 301

    async with asyncio.timeout(1):  # nobody waits for the issuer
        await verifier.caller(bearing(token()))
        await issuer.asks(2)
        await verifier.caller(bearing(token()))
    issuer.may_answer.set()


async def test_keys_are_kept_for_an_hour_while_the_issuer_is_away(verifier, issuer, clock, caplog):
    await verifier.caller(bearing(token()))
    issuer.status = 503
    for _ in range(6):
        clock.seconds += 599
        await verifier.caller(bearing(token()))
        await asyncio.sleep(0.02)
    assert {record.getMessage() for record in caplog.records} == {"signing keys not read"}

    clock.seconds += 6
    with pytest.raises(IdentityUnavailable):
        await verifier.caller(bearing(token()))
    issuer.status = 200
    assert await verifier.caller(bearing(token()))


async def test_while_the_issuer_is_away_it_is_asked_every_ten_seconds_and_nobody_waits(verifier, issuer, clock):
    await verifier.caller(bearing(token()))
    issuer.status = 503
    clock.seconds += 600
    await verifier.caller(bearing(token()))  # waits once, to learn of withdrawn keys
    issuer.may_answer.clear()
    for _ in range(5):
        async with asyncio.timeout(1):
            await verifier.caller(bearing(token()))
    assert issuer.asked == 2
    clock.seconds += 10
    async with asyncio.timeout(1):
        await verifier.caller(bearing(token()))
        await issuer.asks(3)
    issuer.may_answer.set()


@pytest.mark.parametrize(
    ("age", "asked", "waits"),
    [(299.9, 1, False), (300, 2, False), (539.9, 2, False), (540, 2, True), (3599.9, 2, True), (3600, 2, True)],
)
async def test_keys_of_five_minutes_are_read_again_beside_a_request_and_older_ones_before_it(issuer, http, clock, age, asked, waits):
    keys = SigningKeys(issuer.url, http, clock)
    await keys.candidates("rsa-1", "RS256")
    issuer.may_answer.clear()
    clock.seconds += age
    assert keys.are_fresh is (asked == 1)
    asking = asyncio.create_task(keys.candidates("rsa-1", "RS256"))
    await asyncio.sleep(0.05)
    assert (issuer.asked, asking.done(), keys.edition) == (asked, not waits, 1)
    issuer.may_answer.set()
    assert [key.key_id for key in await asking] == ["rsa-1"]
    await (keys._reading or asking)
    assert keys.edition == asked


async def test_while_they_cannot_be_read_keys_verify_for_an_hour_and_no_longer(issuer, http, clock, caplog):
    keys = SigningKeys(issuer.url, http, clock)
    await keys.candidates("rsa-1", "RS256")
    issuer.status = 503
    for seconds, asked in ((540, 2), (9.9, 2), (0.1, 3), (3049.9, 4)):
        clock.seconds += seconds
        assert await keys.candidates("rsa-1", "RS256")
        if keys._reading is not None:
            await keys._reading
        assert issuer.asked == asked
    clock.seconds += 0.1
    with pytest.raises(KeysUnavailable):
        await keys.candidates("rsa-1", "RS256")
    assert [(line.levelname, line.message, line.fields["known_keys_verify"]) for line in caplog.records] == [
        *[("ERROR", "signing keys not read", True)] * 3,
        ("ERROR", "signing keys not read", False),
    ]


async def test_of_an_unknown_name_the_issuer_is_asked_every_ten_seconds_at_most(issuer, http, clock):
    keys = SigningKeys(issuer.url, http, clock)
    for seconds, asked in ((0, 2), (9.9, 2), (0.1, 3), (9.9, 3)):
        clock.seconds += seconds
        assert await keys.candidates("unknown", "RS256") == []
        assert issuer.asked == asked
    assert await keys.candidates("rsa-1", "RS256") and await keys.candidates(None, "ES256")
    assert await keys.candidates("rsa-1", "ES256") == await keys.candidates("ec-1", "ES384") == []


async def test_of_keys_that_share_a_name_or_have_none_eight_are_tried(issuer, http, clock):
    issuer.keys = [public(RSA_KEY)] * 9 + [public(EC_KEY, kid="ec")] * 7 + [public(EC_KEY)]
    keys = SigningKeys(issuer.url, http, clock)
    assert len(await keys.candidates("any", "RS256")) == len(await keys.candidates(None, "ES256")) == 8
    assert len(await keys.candidates("ec", "ES256")) == 7 and len(await keys.candidates("other", "ES256")) == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_a_compressed_key_document_is_not_unpacked(verifier, issuer, encoding):
    issuer.headers = f"content-encoding: {encoding}\r\n"

    with pytest.raises(IdentityUnavailable):
        await verifier.caller(bearing(token()))
    assert b"accept: application/json\r\n" in issuer.heard.lower() and b"accept-encoding: identity\r\n" in issuer.heard.lower()


async def test_a_key_document_is_read_up_to_its_bound(verifier, issuer):
    padding = {"kty": "oct", "kid": "padding", "k": "A" * (500 * 1024)}
    issuer.keys = [public(RSA_KEY, kid="rsa-1"), padding]
    assert await verifier.caller(bearing(token()))

    issuer.keys = [public(OTHER_RSA_KEY, kid="rsa-2"), padding, padding]
    with pytest.raises(IdentityUnavailable):
        await verifier.caller(bearing(token(OTHER_RSA_KEY, "rsa-2")))


async def test_a_new_key_is_found_at_once(verifier, issuer):
    await verifier.caller(bearing(token()))
    issuer.keys = [public(OTHER_RSA_KEY, kid="rsa-2")]

    assert await verifier.caller(bearing(token(OTHER_RSA_KEY, "rsa-2")))
    assert issuer.asked == 2


async def test_tokens_with_invented_keys_do_not_make_us_hammer_the_issuer(verifier, issuer, clock):
    await verifier.caller(bearing(token()))
    for number in range(20):
        assert await refused(verifier, token(kid=f"invented-{number}")) == "the token's signing key is unknown"
    assert issuer.asked == 2

    clock.seconds += 10
    await refused(verifier, token(kid="invented-again"))
    assert issuer.asked == 3


@pytest.mark.parametrize(
    "answer", [{"status": 500}, {"status": 302}, {"keys": []}, {"keys": "none"}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}]
)
async def test_without_keys_nobody_is_refused_as_unknown(verifier, issuer, answer):
    for name, value in answer.items():
        setattr(issuer, name, value)

    with pytest.raises(IdentityUnavailable):
        await verifier.caller(bearing(token()))


async def test_an_unreachable_issuer_is_asked_again_by_the_next_request(verifier, issuer):
    good_keys, issuer.keys = issuer.keys, None
    with pytest.raises(IdentityUnavailable):
        await verifier.caller(bearing(token()))
    issuer.keys = good_keys

    assert await verifier.caller(bearing(token()))


async def test_a_refused_connection_is_an_unavailable_issuer(http):
    verifier = Verifier(Oidc(ISSUER, AUDIENCE, "http://127.0.0.1:1/jwks", scope=None), http)

    with pytest.raises(IdentityUnavailable):
        await verifier.caller(bearing(token()))


async def test_known_keys_serve_while_the_issuer_is_down(verifier, issuer):
    await verifier.caller(bearing(token()))
    issuer.status = 503

    assert await verifier.caller(bearing(token()))
    with pytest.raises(IdentityUnavailable):  # it may be a new key: that cannot be said now
        await verifier.caller(bearing(token(kid="rsa-2")))
    assert await verifier.caller(bearing(token()))


async def test_a_caller_who_gives_up_does_not_end_the_reading_for_the_others(verifier, issuer):
    issuer.may_answer.clear()
    impatient = asyncio.create_task(verifier.caller(bearing(token())))
    patient = asyncio.create_task(verifier.caller(bearing(token())))
    await issuer.was_asked.wait()
    impatient.cancel()
    issuer.may_answer.set()

    assert await patient == Caller(ISSUER, "wallet-7")
    assert issuer.asked == 1


async def test_locally_the_caller_is_whoever_the_header_says():
    assert await local_caller(httpx.Headers()) == Caller("local", "local")
    assert await local_caller(httpx.Headers({"X-Caller": "thandi"})) == Caller("local", "thandi")
    assert (local_operator(Headers()), local_operator(Headers({"X-Caller": "thandi"}))) == ("local", "thandi")
    assert local_operator(Headers(raw=[(b"x-caller", b"thandi"), (b"x-caller", b"ben")])) == "unknown"


@pytest.mark.parametrize("name", ["", "two words", "x" * 256])
async def test_a_malformed_local_caller_is_refused(name):
    with pytest.raises(Unauthenticated):
        await local_caller(httpx.Headers({"X-Caller": name}))


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
def test_a_service_account_is_told_from_a_person(address, is_one):
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


# --- Identity-Aware Proxy

IAP_AUDIENCE = "/projects/123456789/locations/africa-south1/services/reconcile"


def assertion(**changes: object) -> str:
    """What Identity-Aware Proxy sends with a request."""
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
