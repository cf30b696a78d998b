"""Which keys of an issuer's set may verify tokens, and how the set is read: just at each bound, and each kind of key."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from shared.web import signing_keys
from shared.web.signing_keys import ALGORITHMS, KeysUnavailable, SigningKeys, usable_keys
from tests.logged import logged

P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()


def number(value: int) -> str:
    """A number as a key set writes it."""
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8)).rstrip(b"=").decode()


def rsa_of(bits: int) -> dict[str, Any]:
    """A public RSA key of so many bits."""
    return {"kty": "RSA", "n": number(2 ** (bits - 1) + 1), "e": "AQAB"}


def listed(key: Any) -> dict[str, Any]:
    """The public half of a key, as a key set lists it."""
    of = jwt.algorithms.OKPAlgorithm if isinstance(key, ed25519.Ed25519PrivateKey) else jwt.algorithms.ECAlgorithm
    return dict(of.to_jwk(key.public_key(), as_dict=True))


KEYS = {
    "RSA": (rsa_of(2048), ["RS256", "PS256"]),
    "P-256": (listed(P256), ["ES256"]),
    "P-384": (listed(P384), ["ES384"]),
    "Ed25519": (listed(EDWARDS), ["EdDSA"]),
}
every_key = pytest.mark.parametrize(("key", "algorithms"), KEYS.values(), ids=KEYS)


def algorithms_of(*keys: object) -> list[str]:
    return [key.algorithm_name for key in usable_keys({"keys": list(keys)})]


@every_key
def test_a_key_serves_each_algorithm_that_it_is_good_for(key, algorithms):
    assert algorithms_of(key) == algorithms_of(key | {"kid": "k"}) == algorithms
    assert [algorithms_of(key | {"alg": name}) for name in algorithms] == [[name] for name in algorithms]
    assert algorithms_of(key | {"alg": "HS256"}) == algorithms_of(key | {"alg": "RS512"}) == []


@every_key
@pytest.mark.parametrize("kid", [7, ["k"], True], ids=repr)
def test_a_key_whose_name_is_no_text_verifies_nothing(key, algorithms, kid):
    assert algorithms_of(key | {"kid": kid}) == []
    assert algorithms_of(key | {"kid": kid}, key) == algorithms


@pytest.mark.parametrize(("bits", "serves"), [(1024, False), (2047, False), (2048, True), (2049, True), (4096, True)])
def test_an_rsa_key_is_trusted_from_2048_bits_on(bits, serves):
    assert algorithms_of(rsa_of(bits)) == (["RS256", "PS256"] if serves else [])


def test_a_key_on_another_curve_or_of_another_kind_verifies_nothing():
    mislabelled = listed(P256) | {"crv": "P-521"}
    assert algorithms_of(listed(P384) | {"alg": "ES256"}, listed(P256) | {"alg": "ES384"}, mislabelled) == []
    assert algorithms_of({"kty": "OKP", "crv": "X25519", "x": number(2**255 - 20)}) == []
    assert algorithms_of(dict(jwt.algorithms.OKPAlgorithm.to_jwk(EDWARDS, as_dict=True))) == []  # the private half as well
    assert algorithms_of(dict(jwt.algorithms.ECAlgorithm.to_jwk(P256, as_dict=True))) == []


@every_key
@pytest.mark.parametrize(
    ("members", "serves"),
    [
        *(({"use": use}, use in ("sig", None)) for use in ("sig", None, "enc", "")),
        *(({"key_ops": operations}, "verify" in operations) for operations in (["verify"], ["sign", "verify"], ["sign"], [])),
        ({"key_ops": None}, True),
        ({"key_ops": "verify"}, False),
        ({"key_ops": {"verify": 1}}, False),
        ({"use": "enc", "key_ops": ["verify"]}, False),
        ({"use": "sig", "key_ops": ["encrypt"]}, False),
    ],
    ids=str,
)
def test_a_key_serves_where_its_issuer_lets_it_verify(key, algorithms, members, serves):
    assert algorithms_of(key | members) == (algorithms if serves else [])
    assert ALGORITHMS == ("RS256", "PS256", "ES256", "ES384", "EdDSA")


def test_of_a_very_long_set_the_first_hundred_are_looked_at():
    good = listed(P256)
    assert algorithms_of(*["no key"] * 99, good, good) == algorithms_of(*[None] * 99, good) == ["ES256"]
    assert algorithms_of(*[good] * 101) == ["ES256"] * 100
    assert algorithms_of(*[{}] * 100, good) == []


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {}}, {"keys": "none"}])
def test_what_lists_no_keys_is_no_key_set(document):
    with pytest.raises(ValueError, match="keys is not a list"):
        usable_keys(document)


# --- reading the set

BOUND = 512 * 1024


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Chunks(httpx.AsyncByteStream):
    """A body as it arrives; remembers how much of it was taken."""

    def __init__(self, body: bytes) -> None:
        self.body, self.taken = body, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.body), 65_536):
            chunk = self.body[at : at + 65_536]
            self.taken += len(chunk)
            yield chunk


def key_set(*keys: object, size: int = 0) -> bytes:
    """The set of these keys, filled up with blanks."""
    return json.dumps({"keys": list(keys)}).encode().ljust(size)


class Issuer:
    """Answers in turn, the last answer from then on."""

    def __init__(self, *answers: Callable[[], httpx.Response]) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.clock = Clock()
        self.keys = SigningKeys("https://issuer.example/jwks", httpx.AsyncClient(transport=httpx.MockTransport(self.answer)), self.clock)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])()

    async def names(self, key_id: str | None = None, algorithm: str = "ES256") -> list[str | None]:
        """The names of the keys that may have signed such a token."""
        return [key.key_id for key in await self.keys.candidates(key_id, algorithm)]

    async def read(self) -> None:
        """Wait for the read that runs in the background, if one does."""
        if self.keys._reading.is_running:
            await self.keys._reading()


def says(body: bytes, status: int = 200, **headers: str) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, headers={name.replace("_", "-"): value for name, value in headers.items()}, stream=Chunks(body))


ONE, TWO = listed(P256) | {"kid": "one"}, listed(P256) | {"kid": "two"}


@pytest.mark.parametrize(("size", "is_read"), [(BOUND - 1, True), (BOUND, True), (BOUND + 1, False)])
async def test_a_set_is_read_up_to_its_bound(size: int, is_read: bool, caplog: pytest.LogCaptureFixture) -> None:
    issuer = Issuer(says(key_set(ONE, size=size)))
    if is_read:
        assert await issuer.names() == ["one"]
        return
    with pytest.raises(KeysUnavailable):
        await issuer.names()
    ((level, message, fields),) = logged(caplog)
    assert (level, message, str(fields["cause"])) == ("ERROR", "signing keys not read", f"it is larger than {BOUND} bytes")
    assert fields["known_keys_verify"] is False


async def test_of_a_set_without_end_no_more_is_taken_than_its_bound() -> None:
    endless = Chunks(b" " * (4 * BOUND))
    with pytest.raises(KeysUnavailable):
        await Issuer(lambda: httpx.Response(200, stream=endless)).names()
    assert endless.taken == BOUND + 65_536


@pytest.mark.parametrize(
    ("coding", "is_read"), [("identity", True), ("", True), (" Identity ", True), ("gzip", False), ("identity, br", False)]
)
async def test_a_packed_set_is_not_unpacked(coding: str, is_read: bool) -> None:
    issuer = Issuer(says(key_set(ONE), content_encoding=coding))
    if is_read:
        assert await issuer.names() == ["one"]
    else:
        with pytest.raises(KeysUnavailable):
            await issuer.names()
    (asked,) = issuer.asked
    assert (asked.method, str(asked.url)) == ("GET", "https://issuer.example/jwks")
    assert (asked.headers["accept"], asked.headers["accept-encoding"]) == ("application/json", "identity")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (says(key_set(ONE), 500), "HTTPStatusError"),
        (says(b"", 302), "HTTPStatusError"),
        (says(b"{"), "JSONDecodeError"),
        (says(b"[]"), "ValueError"),
        (says(key_set()), "_Unusable"),
        (says(key_set(rsa_of(1024))), "_Unusable"),
    ],
)
async def test_what_is_no_set_with_a_usable_key_leaves_the_keys_that_are_known(
    answer: Callable[[], httpx.Response], cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    issuer = Issuer(says(key_set(ONE)), answer, says(key_set(TWO)))
    assert (issuer.keys.are_fresh, await issuer.names(), issuer.keys.are_fresh, issuer.keys.edition) == (False, ["one"], True, 1)
    issuer.clock.seconds += 540
    assert (issuer.keys.are_fresh, await issuer.names(), issuer.keys.edition) == (False, ["one"], 1)
    ((level, message, fields),) = logged(caplog)
    assert (level, message, type(fields["cause"]).__name__, fields["known_keys_verify"]) == ("ERROR", "signing keys not read", cause, True)
    issuer.clock.seconds += 10
    await issuer.names()
    await issuer.read()
    assert (await issuer.names(), issuer.keys.edition, issuer.keys.are_fresh, len(issuer.asked)) == (["two"], 2, True, 3)


async def test_a_reading_that_hangs_ends_after_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    assert signing_keys.READ_TIMEOUT_SECONDS == 5
    monkeypatch.setattr(signing_keys, "READ_TIMEOUT_SECONDS", 0.01)
    keys = SigningKeys("https://issuer.example/jwks", httpx.AsyncClient(transport=httpx.MockTransport(hang)), Clock())
    with pytest.raises(KeysUnavailable):
        await asyncio.wait_for(keys.candidates(None, "ES256"), 1)


async def test_an_unknown_name_is_looked_for_at_once_and_then_every_ten_seconds() -> None:
    issuer = Issuer(says(key_set(ONE)), says(key_set(ONE, TWO)))
    assert await issuer.names("one") == ["one"]
    assert (await issuer.names("two"), len(issuer.asked), issuer.keys.edition) == (["two"], 2, 2)
    for seconds, asked in ((0, 2), (9.99, 2), (0.01, 3), (9.99, 3), (0.01, 4)):
        issuer.clock.seconds += seconds
        assert (await issuer.names("three"), len(issuer.asked)) == ([], asked)


async def test_a_token_may_be_of_the_key_that_it_names_or_of_one_without_a_name() -> None:
    nameless = listed(P256)
    issuer = Issuer(says(key_set(ONE, nameless, TWO, listed(P384) | {"kid": "one"}, rsa_of(2048) | {"kid": "one"})))
    assert await issuer.names(None) == ["one", None, "two"]
    assert (await issuer.names("one"), await issuer.names("other")) == (["one"], [None])
    assert (await issuer.names("one", "ES384"), await issuer.names("one", "PS256"), await issuer.names("one", "EdDSA")) == (
        ["one"],
        ["one"],
        [],
    )


@pytest.mark.parametrize(
    ("age", "asked", "waits"),
    [(0, 1, False), (299.9, 1, False), (300, 2, False), (539.9, 2, False), (540, 2, True), (3599.9, 2, True), (3600, 2, True)],
)
async def test_older_keys_are_read_again_beside_a_request_and_too_old_ones_before_it(age: float, asked: int, waits: bool) -> None:
    issuer = Issuer(says(key_set(ONE)), says(key_set(TWO)))
    assert await issuer.names() == ["one"]
    issuer.clock.seconds += age
    assert issuer.keys.are_fresh is (asked == 1)
    assert await issuer.names() == (["two"] if waits else ["one"])
    await issuer.read()
    assert (len(issuer.asked), issuer.keys.edition, await issuer.names()) == (asked, asked, ["one"] if asked == 1 else ["two"])


async def test_while_they_cannot_be_read_keys_verify_for_an_hour_and_no_longer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    issuer = Issuer(says(key_set(ONE)), says(b"", 503))
    assert await issuer.names() == ["one"]
    for seconds, asked in ((540, 2), (9.9, 2), (0.1, 3), (9.9, 3), (0.1, 4), (3039.9, 5)):
        issuer.clock.seconds += seconds
        assert await issuer.names() == ["one"]
        await issuer.read()
        assert len(issuer.asked) == asked
    issuer.clock.seconds += 0.1
    for asked in (6, 7):
        with pytest.raises(KeysUnavailable):
            await issuer.names()
        assert len(issuer.asked) == asked
    assert [fields["known_keys_verify"] for _, _, fields in logged(caplog)] == [True] * 4 + [False] * 2


async def test_an_unknown_name_waits_for_the_reading_that_another_one_began() -> None:
    may_answer = asyncio.Event()
    asked = []

    async def slow(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) > 1:
            await may_answer.wait()
        return says(key_set(ONE) if len(asked) == 1 else key_set(ONE, TWO))()

    keys = SigningKeys("https://issuer.example/jwks", httpx.AsyncClient(transport=httpx.MockTransport(slow)), Clock())
    async with asyncio.timeout(1):
        assert len(await keys.candidates("one", "ES256")) == 1
        asking = [asyncio.create_task(keys.candidates("two", "ES256")) for _ in range(3)]
        while len(asked) < 2:
            await asyncio.sleep(0)
        asking.append(asyncio.create_task(keys.candidates("two", "ES256")))
        await asyncio.sleep(0)
        may_answer.set()
        assert [len(found) for found in await asyncio.gather(*asking)] == [1] * 4
    assert len(asked) == 2


async def test_as_many_keys_are_tried_as_one_token_is_worth() -> None:
    issuer = Issuer(says(key_set(*[ONE] * 9, *[listed(P256)] * 9)))
    assert [len(await issuer.names(name)) for name in ("one", None, "other")] == [8, 8, 8]


async def test_all_who_wait_share_one_reading_and_one_who_gives_up_leaves_it_to_the_others() -> None:
    may_answer = asyncio.Event()
    asked = []

    async def slow(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        await may_answer.wait()
        return says(key_set(ONE))()

    keys = SigningKeys("https://issuer.example/jwks", httpx.AsyncClient(transport=httpx.MockTransport(slow)), Clock())
    waiting = [asyncio.create_task(keys.candidates("one", "ES256")) for _ in range(3)]
    async with asyncio.timeout(1):
        while not asked:
            await asyncio.sleep(0)
        waiting[0].cancel()
        may_answer.set()
        assert [len(found) for found in await asyncio.gather(*waiting[1:])] == [1, 1]
    assert (len(asked), keys.edition, waiting[0].cancelled()) == (1, 1, True)
