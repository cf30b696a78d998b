"""The keys of an issuer: when they are read again, how long they serve, and what happens while the issuer is away."""

import asyncio

import pytest

from shared.domain.identifiers import Caller
from shared.web.oidc import (
    IdentityUnavailable,
    Verifier,
)
from shared.web.settings import Oidc
from shared.web.signing_keys import KeysUnavailable, SigningKeys
from tests.unit.web.issuer import (
    AUDIENCE,
    EC_KEY,
    ISSUER,
    OTHER_RSA_KEY,
    RSA_KEY,
    bearing,
    public,
    refused,
    token,
)


async def read(keys: SigningKeys) -> None:
    """Wait for the read that runs in the background, if one does."""
    if keys._reading.is_running:
        await keys._reading()


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
async def test_keys_of_five_minutes_are_read_beside_requests_and_older_ones_before_them(issuer, http, clock, age, asked, waits):
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
    await read(keys)
    assert keys.edition == asked


async def test_while_they_cannot_be_read_keys_verify_for_an_hour_and_no_longer(issuer, http, clock, caplog):
    keys = SigningKeys(issuer.url, http, clock)
    await keys.candidates("rsa-1", "RS256")
    issuer.status = 503
    for seconds, asked in ((540, 2), (9.9, 2), (0.1, 3), (3049.9, 4)):
        clock.seconds += seconds
        assert await keys.candidates("rsa-1", "RS256")
        await read(keys)
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
