"""The supplier over real sockets: whatever happens to a vend, it goes out at most once, and its outcome says only what is proven."""

import asyncio
import json
import logging
import socket
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import (
    Answer,
    NoAnswer,
    NoSuchTransaction,
    Prevended,
    Reason,
    Receipt,
    Rejected,
    Reprint,
    TokensDue,
    Unknown,
    Vended,
)
from shared.domain.policy import ReprintBy
from shared.domain.sts_tokens import SIMULATED_PREFIX
from shared.domain.transaction import State, Transaction
from shared.domain.vas import PREVENDED, Mode, Order, VasType
from shared.lib import logs
from shared.mobilemart import http_exchange
from shared.mobilemart.client import MobileMart, Settings
from shared.mobilemart.http_exchange import IDLE_SECONDS, live_transport, never_connected
from shared.mobilemart.requests import Call
from shared.mobilemart.responses import Reply
from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET, MemoryLedger, Simulator
from shared.ports.credentials import Credentials, GetCredentials
from tests.logged import logged
from tests.stand_ins.switch_on_a_socket import (
    SOLD,
    Asked,
    Behave,
    Switch,
    drips,
    http,
    in_turn,
    is_silent,
    resets,
    says,
    says_and_closes,
    says_in_turn,
)

AIRTIME = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", mobile_number="27821234567")
ELECTRICITY = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="ELEC", meter_number="12345678901")
REQUEST_ID = "3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f"
SELLS = says(http(200, SOLD))
UNAUTHORIZED = http(401, {"title": "Unauthorized"})
INVALID_CLIENT = http(401, {"error": "invalid_client"})


class Clock:
    """Aware UTC, moved by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_seconds(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Vault:
    """The credentials, and how often they were read, and how. No reading after `hangs_after` returns."""

    def __init__(self, *secrets: str, hangs_after: asyncio.Event | None = None) -> None:
        self.secrets = list(secrets) or ["secret"]
        self.reads: list[bool] = []
        self.hangs_after = hangs_after

    async def __call__(self, fresh: bool) -> Credentials:
        self.reads.append(fresh)
        if self.hangs_after is not None and self.hangs_after.is_set():
            await asyncio.Event().wait()
        return Credentials("our-id", self.secrets.pop(0) if len(self.secrets) > 1 else self.secrets[0])


@asynccontextmanager
async def client(
    base_url: str,
    *,
    vault: GetCredentials | None = None,
    now: Callable[[], datetime] | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    **settings: object,
) -> AsyncIterator[MobileMart]:
    chosen = replace(Settings(base_url=base_url, mode=Mode.LIVE, connect_timeout_seconds=2, timeout_seconds=2), **settings)  # type: ignore[arg-type]
    supplier = MobileMart(transport or live_transport(), chosen, vault or Vault(), now or Clock())
    try:
        yield supplier
    finally:
        await supplier.aclose()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens beside the test; the test's own assertion says what it was."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def sell(supplier: MobileMart, order: Order = AIRTIME) -> Answer:
    assert await supplier.ready() is None
    return await supplier.vend(order, None, REQUEST_ID, 5)


async def sold_by(behave: Behave, **settings: object) -> tuple[Answer, Switch]:
    async with Switch(behave) as switch, client(switch.url, **settings) as supplier:  # type: ignore[arg-type]
        return await sell(supplier), switch


# --- one vend, one request


async def test_a_sale_is_one_request_and_its_answer_is_kept() -> None:
    answer, switch = await sold_by(SELLS)

    assert isinstance(answer.outcome, Vended)
    assert (answer.outcome.receipt.supplier_transaction_id, answer.outcome.receipt.tokens_due) == (SOLD["transactionId"], TokensDue.NONE)
    assert answer.raw is not None
    assert (answer.raw.source, answer.raw.status, json.loads(answer.raw.body)) == ("vend", 200, SOLD)
    (asked,) = switch.sales_asked
    assert (asked.target, asked.headers["authorization"]) == ("/v1/airtime/pinless", "Bearer first")
    assert (asked.headers["accept"], asked.headers["accept-encoding"]) == ("application/json", "identity")
    assert json.loads(asked.body)["requestId"] == REQUEST_ID


WHOLE = http(200, SOLD)
HEAD, BODY = WHOLE.split(b"\r\n\r\n", 1)
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"

LOST = {
    "FIN without an answer": (says_and_closes(), None),
    "reset without an answer": (resets, None),
    "header cut": (says_and_closes(HEAD[:40]), None),
    "garbage instead of a status line": (says_and_closes(b"\x16\x03\x01 what is this\r\n\r\n"), None),
    "a 20 kB header": (says(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 20_000 + b"\r\n\r\n"), None),
    "body cut": (says_and_closes(HEAD + b"\r\n\r\n" + BODY[:10]), True),
    "body cut in a 400": (says_and_closes(http(400, {"fulcrumErrorCode": 1001})[:-4]), False),
    "bad chunk at once": (says_and_closes(CHUNKED + b"zz\r\nwhat\r\n"), None),
    "bad chunk later": (says_in_turn(CHUNKED, b"zz\r\nwhat\r\n"), True),
    "last chunk missing": (says_and_closes(CHUNKED + b"%x\r\n%s\r\n" % (len(BODY), BODY)), True),
    "too long": (says(http(200, b'{"transactionId":"T","x":"%s"}' % (b"x" * 1_100_000))), True),
    "endless": (says(CHUNKED, *[b"10000\r\n" + b" " * 0x10000 + b"\r\n"] * 20), True),
    "compressed": (says(http(200, SOLD, "content-encoding: gzip")), True),
    "HTML": (says(http(200, b"<!doctype html>", content_type="text/html")), True),
    "redirect 307": (says(http(307, b"", "location: /v1/airtime/pinless")), False),
    "redirect 302": (says(http(302, b"", "location: /v1/airtime/pinless")), False),
    "403": (says(http(403, {})), False),
    "503": (says(http(503, {})), False),
}


@pytest.mark.parametrize(("behave", "sign_of_vend"), LOST.values(), ids=LOST.keys())
async def test_whatever_happens_after_the_request_left_is_a_doubt_and_it_left_once(behave: Behave, sign_of_vend: bool | None) -> None:
    answer, switch = await sold_by(behave)

    assert isinstance(answer.outcome, Unknown)
    assert answer.outcome.sign_of_vend is bool(sign_of_vend)
    assert (answer.raw is None) == (sign_of_vend is None)  # where an answer began, what came of it is kept
    assert len(switch.sales_asked) == 1


@pytest.mark.parametrize("behave", [is_silent, drips(WHOLE, 0.05)], ids=["silence", "a drip"])
async def test_one_deadline_covers_the_whole_exchange(behave: Behave) -> None:
    started = asyncio.get_running_loop().time()

    answer, switch = await sold_by(behave, timeout_seconds=0.5)

    assert isinstance(answer.outcome, Unknown)
    assert asyncio.get_running_loop().time() - started < 2
    assert len(switch.sales_asked) == 1


async def test_a_drip_of_the_body_is_a_sign_of_a_vend_and_what_came_is_kept() -> None:
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await says(HEAD + b"\r\n\r\n")(asked, writer)
        await drips(BODY, 0.05)(asked, writer)

    answer, _ = await sold_by(behave, timeout_seconds=0.5)

    assert answer.outcome == Unknown("HTTP 200, TimeoutError", sign_of_vend=True)
    assert answer.raw is not None
    assert BODY.startswith(answer.raw.body)
    assert answer.raw.body


async def test_a_cancelled_vend_is_cancelled_and_nothing_else() -> None:
    async with Switch(is_silent) as switch, client(switch.url) as supplier:
        assert await supplier.ready() is None
        vend = asyncio.create_task(supplier.vend(AIRTIME, None, REQUEST_ID, 5))
        while not switch.sales_asked:
            await asyncio.sleep(0.01)
        vend.cancel()

        with pytest.raises(asyncio.CancelledError):
            await vend


# --- provably not sent


class Elsewhere(httpx.AsyncBaseTransport):
    """The network, with everything but token calls sent to another address."""

    def __init__(self, base_url: str) -> None:
        self.base_url = httpx.URL(base_url)
        self.network = live_transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/connect/token":
            request.url = request.url.copy_with(scheme=self.base_url.scheme, host=self.base_url.host, port=self.base_url.port)
        return await self.network.handle_async_request(request)

    async def aclose(self) -> None:
        await self.network.aclose()


async def sold_at(base_url: str, *, send_within_seconds: float = 5) -> Answer:
    """A vend to `base_url`, by a client whose token came from a switch that works."""
    async with Switch(SELLS) as works, client(works.url, transport=Elsewhere(base_url), connect_timeout_seconds=30) as supplier:
        assert await supplier.ready() is None
        return await supplier.vend(AIRTIME, None, REQUEST_ID, send_within_seconds)


def not_taken(answer: Answer) -> bool:
    return isinstance(answer.outcome, Rejected) and answer.outcome.not_taken and answer.raw is None


async def test_a_refused_connection_was_not_taken(unused_tcp_port: int) -> None:
    assert not_taken(await sold_at(f"http://127.0.0.1:{unused_tcp_port}"))


async def test_a_name_that_does_not_resolve_was_not_taken() -> None:
    assert not_taken(await sold_at("http://switch.invalid"))


async def test_a_certificate_that_does_not_verify_was_not_taken(self_signed: ssl.SSLContext) -> None:
    async with Switch(SELLS, tls=self_signed) as stranger:
        assert not_taken(await sold_at(stranger.url))
        assert stranger.asked == []


async def test_a_switch_that_speaks_no_tls_was_not_taken() -> None:
    async def answers_in_plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(http(400, {}))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answers_in_plain, "127.0.0.1", 0) as plain:
        assert not_taken(await sold_at(f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}"))


async def test_a_handshake_that_hangs_ends_with_the_send_window_and_was_not_taken() -> None:
    started = asyncio.get_running_loop().time()
    with socket.create_server(("127.0.0.1", 0)) as listening:  # connects, and never answers the handshake
        assert not_taken(await sold_at(f"https://127.0.0.1:{listening.getsockname()[1]}", send_within_seconds=0.3))
    assert asyncio.get_running_loop().time() - started < 1.5


async def test_nothing_is_sent_when_the_send_window_has_passed() -> None:
    async with Switch(SELLS) as switch:
        assert not_taken(await sold_at(switch.url, send_within_seconds=0))
        assert switch.asked == []


@pytest.mark.parametrize(("connect", "send_within", "longest"), [(5, 10, 5), (5, 0.3, 0.3), (30, 20, 19), (6, 20, 5), (5.5, 5.2, 5)])
async def test_no_wait_for_a_connection_outlasts_the_send_window(connect: float, send_within: float, longest: float) -> None:
    """aiohttp rounds waits of more than 5 s up to the next second of its clock, so those are asked for a second shorter."""
    waits = []

    def answer(request: httpx.Request) -> httpx.Response:
        waits.append(request.extensions["timeout"])
        return httpx.Response(200, json=SOLD | {"access_token": "t", "expires_in": 7200})

    async with client("http://switch", transport=httpx.MockTransport(answer), connect_timeout_seconds=connect) as supplier:
        assert await supplier.ready() is None
        await supplier.vend(AIRTIME, None, REQUEST_ID, send_within)

    assert waits[-1] == {"connect": longest, "pool": longest, "read": None, "write": None}


async def test_without_a_token_at_hand_nothing_is_sent() -> None:
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        assert not_taken(await supplier.vend(AIRTIME, None, REQUEST_ID, 5))
        assert switch.asked == []


class Raises(httpx.AsyncBaseTransport):
    """Gives a token, and fails every other request with one exception."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/connect/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 7200})
        raise self.error


def exceptions_of(module: object) -> Iterator[type[Exception]]:
    for thing in vars(module).values():
        if isinstance(thing, type) and issubclass(thing, Exception):
            yield thing


def made(kind: type[Exception]) -> Exception:
    """An instance, whatever its constructor wants."""
    error = kind.__new__(kind)
    error.args = ("made by a test",)
    return error


RAISED = sorted({*exceptions_of(httpx), *exceptions_of(aiohttp), OSError, TimeoutError, RuntimeError}, key=lambda kind: kind.__name__)
PROOF = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


async def outcome_of(error: Exception) -> Answer:
    async with client("http://switch", transport=Raises(error)) as supplier:
        return await sell(supplier)


async def test_of_all_exceptions_only_the_two_proven_causes_were_not_taken() -> None:
    proofs = set()
    for kind in RAISED:
        bare, error = made(kind), made(httpx.ConnectTimeout)
        error.__cause__ = made(kind)
        assert isinstance((await outcome_of(bare)).outcome, Unknown)  # whatever its own type
        answer = await outcome_of(error)
        if not_taken(answer):
            proofs.add(kind)
        else:
            assert isinstance(answer.outcome, Unknown)
            assert not answer.outcome.sign_of_vend
    assert proofs == {kind for kind in RAISED if issubclass(kind, PROOF)}
    assert {*PROOF, aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorDNSError} <= proofs
    assert not {aiohttp.ServerDisconnectedError, aiohttp.ServerTimeoutError, aiohttp.ClientOSError, httpx.ConnectError} & proofs


async def test_what_happened_is_told_before_what_the_library_made_of_it() -> None:
    error = made(httpx.ConnectTimeout)
    error.__cause__ = made(aiohttp.ServerDisconnectedError)
    outcome = (await outcome_of(error)).outcome
    assert isinstance(outcome, Unknown) and "ServerDisconnectedError as ConnectTimeout" in outcome.cause


async def test_an_answer_is_read_up_to_its_bound_and_not_a_chunk_further() -> None:
    given: list[int] = []

    class Flows(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for _ in range(100):
                given.append(len(given))
                yield b" " * 1024

    answer = httpx.MockTransport(lambda _: httpx.Response(200, stream=Flows()))
    for most, chunks, fault in ((100 * 1024, 100, None), (2 * 1024, 3, "over 2048 bytes")):
        given.clear()
        heard = await http_exchange.Exchange(answer, "http://switch")(Call("GET", "/"), seconds=5, connect_seconds=1, most_bytes=most)
        assert isinstance(heard, Reply) and (heard.fault, len(given), len(heard.body)) == (fault, chunks, chunks * 1024)


async def test_a_cause_proves_nothing_once_an_answer_has_begun() -> None:
    class Breaks(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"{"
            raise httpx.ConnectTimeout("made by a test") from made(aiohttp.ConnectionTimeoutError)

    def answer(request: httpx.Request) -> httpx.Response:
        token = {"access_token": "t", "expires_in": 7200}
        return httpx.Response(200, json=token) if request.url.path == "/connect/token" else httpx.Response(200, stream=Breaks())

    async with client("http://switch", transport=httpx.MockTransport(answer)) as supplier:
        answered = await sell(supplier)

    assert isinstance(answered.outcome, Unknown)
    assert answered.outcome.sign_of_vend


def test_the_type_of_an_exception_proves_nothing_without_its_cause() -> None:
    assert not never_connected(made(httpx.ConnectError))
    assert not never_connected(made(aiohttp.ClientConnectorError))


# --- pooled connections


async def test_a_connection_is_used_again_at_once() -> None:
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        answers = [await sell(supplier) for _ in range(5)]

    assert all(isinstance(answer.outcome, Vended) for answer in answers)
    assert switch.connections == 1


async def test_a_peer_that_closes_idle_connections_causes_no_doubt() -> None:
    closed = asyncio.Event()

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await SELLS(asked, writer)
        asyncio.get_running_loop().call_later(0.02, writer.close)
        asyncio.get_running_loop().call_later(0.04, closed.set)

    async with Switch(behave) as switch, client(switch.url) as supplier:
        for _ in range(5):
            assert isinstance((await sell(supplier)).outcome, Vended)
            await closed.wait()
            closed.clear()

    assert len(switch.sales_asked) == 5


async def test_a_connection_idle_for_longer_than_the_limit_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.mobilemart.http_exchange.IDLE_SECONDS", 0.01)
    assert IDLE_SECONDS <= 5
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        for _ in range(3):
            assert isinstance((await sell(supplier)).outcome, Vended)
            await asyncio.sleep(0.03)

    assert switch.connections == 3


async def test_a_repeated_answer_is_never_taken_for_the_answer_to_the_next_vend() -> None:
    """aiohttp alone would hand the second copy, with the first customer's goods, to the second customer."""
    repeated = asyncio.Event()

    def repeat(writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, SOLD | {"transactionId": "of-the-first-customer"}))
        asyncio.get_running_loop().call_later(0.02, repeated.set)  # it has arrived on the idle connection

    async def says_it_again(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await says(http(200, SOLD))(asked, writer)
        asyncio.get_running_loop().call_later(0.02, repeat, writer)

    behave = in_turn([says_it_again, says(http(200, SOLD | {"transactionId": "of-the-second-customer"}))])
    async with Switch(behave) as switch, client(switch.url) as supplier:
        first = await sell(supplier)
        await repeated.wait()
        unusable, second = await sell(supplier), await sell(supplier)

    assert isinstance(first.outcome, Vended)
    assert not_taken(unusable)
    assert isinstance(second.outcome, Vended)
    assert second.outcome.receipt.supplier_transaction_id == "of-the-second-customer"
    assert len(switch.sales_asked) == 2


async def test_many_vends_at_once_wait_for_no_connection() -> None:
    async with Switch(is_silent) as switch, client(switch.url, timeout_seconds=5) as supplier:
        assert await supplier.ready() is None
        vends = [asyncio.create_task(supplier.vend(AIRTIME, None, REQUEST_ID, 5)) for _ in range(120)]
        async with asyncio.timeout(4):
            while len(switch.sales_asked) < 120:
                await asyncio.sleep(0.01)
        for vend in vends:
            vend.cancel()
        await asyncio.gather(*vends, return_exceptions=True)


# --- access tokens


async def test_a_refused_token_is_dropped_and_the_vend_goes_out_again_only_when_it_is_asked_to() -> None:
    token = in_turn([says(http(200, {"access_token": name, "expires_in": 7200})) for name in ("first", "second")])
    async with Switch(in_turn([says(UNAUTHORIZED), SELLS]), token) as switch, client(switch.url) as supplier:
        refused = await sell(supplier)
        assert len(switch.sales_asked) == 1
        again = await sell(supplier)

    assert isinstance(refused.outcome, Rejected)
    assert refused.outcome.not_taken
    assert isinstance(again.outcome, Vended)
    assert [one.headers["authorization"] for one in switch.sales_asked] == ["Bearer first", "Bearer second"]
    assert len({one.body for one in switch.sales_asked}) == 1


async def test_1006_is_a_refused_token_too() -> None:
    async with Switch(in_turn([says(http(400, {"fulcrumErrorCode": 1006})), SELLS])) as switch, client(switch.url) as supplier:
        assert isinstance((refused := await sell(supplier)).outcome, Rejected)
        assert refused.outcome.not_taken
        assert isinstance((await sell(supplier)).outcome, Vended)
        assert len(switch.tokens_asked) == 2


async def test_a_supplier_that_refuses_every_token_is_asked_twice_and_no_more() -> None:
    async with Switch(says(UNAUTHORIZED)) as switch, client(switch.url) as supplier:
        refusal = await supplier.prevend(ELECTRICITY, REQUEST_ID)

    assert isinstance(refusal, Rejected)
    assert refusal.reason is Reason.TEMPORARILY_UNAVAILABLE
    assert [one.target.partition("?")[0] for one in switch.asked] == ["/connect/token", "/v1/utility/prevend"] * 2


async def test_a_403_is_reported_and_never_repeated() -> None:
    async with Switch(says(http(403, {}))) as switch, client(switch.url) as supplier:
        refusal = await supplier.prevend(ELECTRICITY, REQUEST_ID)

    assert isinstance(refusal, Rejected)
    assert len(switch.asked) == 2


async def test_one_token_call_serves_all_who_wait_and_all_who_follow() -> None:
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        assert await asyncio.gather(*(supplier.ready() for _ in range(50))) == [None] * 50
        assert await supplier.ready() is None

    assert len(switch.tokens_asked) == 1


async def test_one_who_gives_up_leaves_the_others_their_token() -> None:
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        impatient, patient = asyncio.create_task(supplier.ready()), asyncio.create_task(supplier.ready())
        await asyncio.sleep(0)
        impatient.cancel()

        assert await patient is None
        assert impatient.cancelled()


async def test_a_token_is_renewed_300_seconds_before_it_ends() -> None:
    now = Clock()
    async with Switch(SELLS) as switch, client(switch.url, now=now) as supplier:
        for seconds, calls in ((0, 1), (6899, 1), (1, 2)):
            now.pass_seconds(seconds)
            assert await supplier.ready() is None
            await until(lambda calls=calls: len(switch.tokens_asked) == calls)


@pytest.mark.parametrize("silent", ["the token endpoint", "the secrets"])
async def test_a_renewal_that_hangs_delays_no_sale_while_the_token_is_good(silent: str) -> None:
    now, hangs = Clock(), asyncio.Event()
    token = in_turn([says(http(200, {"access_token": "first", "expires_in": 7200})), is_silent])
    vault = Vault("secret", hangs_after=hangs if silent == "the secrets" else None)
    async with Switch(SELLS, token) as switch, client(switch.url, now=now, vault=vault) as supplier:
        assert await supplier.ready() is None
        hangs.set()
        now.pass_seconds(7200 - 54)
        async with asyncio.timeout(1):
            assert isinstance((await sell(supplier)).outcome, Vended)

    assert [one.headers["authorization"] for one in switch.sales_asked] == ["Bearer first"]


async def test_after_a_failed_renewal_the_next_waits() -> None:
    now = Clock()
    token = in_turn([says(http(200, {"access_token": "first", "expires_in": 7200})), says(http(503, {}))])
    async with Switch(SELLS, token) as switch, client(switch.url, now=now) as supplier:
        assert await supplier.ready() is None
        now.pass_seconds(7000)
        for seconds, calls in ((0, 2), (9, 2), (1, 3)):
            now.pass_seconds(seconds)
            assert await supplier.ready() is None
            await until(lambda calls=calls: len(switch.tokens_asked) == calls)
            await asyncio.sleep(0.05)  # for a call too many, and for the failure to be known
            assert len(switch.tokens_asked) == calls


async def test_while_no_new_token_is_given_the_old_one_is_used_to_its_end() -> None:
    now = Clock()
    token = in_turn([says(http(200, {"access_token": "first", "expires_in": 7200})), says(http(503, {}))])
    async with Switch(SELLS, token) as switch, client(switch.url, now=now) as supplier:
        assert await supplier.ready() is None
        now.pass_seconds(7199)
        assert await supplier.ready() is None
        now.pass_seconds(1)
        refusal = await supplier.ready()
        assert not_taken(await supplier.vend(AIRTIME, None, REQUEST_ID, 5))

    assert isinstance(refusal, Rejected)
    assert switch.sales_asked == []


async def test_a_rotated_secret_is_read_anew_once() -> None:
    async def token(asked: Asked, writer: asyncio.StreamWriter) -> None:
        is_new = b"client_secret=rotated" in asked.body
        await says(http(200, {"access_token": "t", "expires_in": 7200}) if is_new else INVALID_CLIENT)(asked, writer)

    vault = Vault("old", "rotated")
    async with Switch(SELLS, token) as switch, client(switch.url, vault=vault) as supplier:
        assert isinstance((await sell(supplier)).outcome, Vended)

    assert vault.reads == [False, True]
    assert len(switch.tokens_asked) == 2


async def test_a_secret_that_stays_wrong_is_an_alarm_and_no_loop(said: list[tuple[str, str]]) -> None:
    async with Switch(SELLS, says(INVALID_CLIENT)) as switch, client(switch.url) as supplier:
        refusal = await supplier.ready()

    assert isinstance(refusal, Rejected)
    assert refusal.reason is Reason.TEMPORARILY_UNAVAILABLE
    assert len(switch.tokens_asked) == 2
    assert ("CRITICAL", "supplier refuses our credentials") in said


TOKENS_REFUSED = {
    "429": http(429, {}),
    "HTML": http(200, b"<!doctype html>", content_type="text/html"),
    "no token": http(200, {"expires_in": 7200}),
    "no lifetime": http(200, {"access_token": "t"}),
    "a lifetime that is none": http(200, {"access_token": "t", "expires_in": -1}),
    "a lifetime of nought": http(200, {"access_token": "t", "expires_in": 0}),
    "a lifetime in words": http(200, {"access_token": "t", "expires_in": "7200"}),
    "a lifetime that is a flag": http(200, {"access_token": "t", "expires_in": True}),
    "a token that is a number": http(200, {"access_token": 7, "expires_in": 7200}),
    "an empty token": http(200, {"access_token": "", "expires_in": 7200}),
    "a token too long for a header": http(200, {"access_token": "t" * 8001, "expires_in": 7200}),
    "a token that no header can carry": http(200, {"access_token": "a\r\nb", "expires_in": 7200}),
    "marked as simulated": http(200, {"access_token": "t", "expires_in": 7200, "simulated": True}),
}


@pytest.mark.parametrize("answer", TOKENS_REFUSED.values(), ids=TOKENS_REFUSED.keys())
async def test_what_is_no_token_makes_nobody_ready(answer: bytes) -> None:
    async with Switch(SELLS, says(answer)) as switch, client(switch.url) as supplier:
        refusal = await supplier.ready()

    assert isinstance(refusal, Rejected)
    assert refusal.reason is (Reason.SUPPLIER_BUSY if b" 429 " in answer else Reason.TEMPORARILY_UNAVAILABLE)


@pytest.mark.parametrize(
    ("lives", "renewed_after", "ends_after"),
    [(1, 0.5, 1), (400, 200, 400), (600, 300, 600), (700, 400, 700), (86_400, 86_100, 86_400), (10**12, 86_100, 86_400)],
)
async def test_a_token_is_renewed_in_time_and_used_for_a_day_at_most(lives: int, renewed_after: float, ends_after: float) -> None:
    now = Clock()
    async with (
        Switch(SELLS, says(http(200, {"access_token": "t" * 8000, "expires_in": lives}))) as switch,
        client(switch.url, now=now) as supplier,
    ):
        assert await supplier.ready() is None
        now.pass_seconds(renewed_after - 0.001)
        assert not supplier._access._is_due()
        now.pass_seconds(0.001)
        assert supplier._access._is_due()
        now.pass_seconds(ends_after - renewed_after - 0.001)
        assert supplier._access.cached() is not None
        now.pass_seconds(0.001)
        assert supplier._access.cached() is None


@pytest.mark.parametrize(
    ("status", "error", "readings"),
    [
        (400, "invalid_client", 2),
        (401, "invalid_client", 2),
        (400, "invalid_scope", 1),
        (403, "invalid_client", 1),
        (500, "invalid_client", 1),
    ],
)
async def test_only_where_the_supplier_refuses_our_credentials_are_they_read_anew(
    status: int, error: str, readings: int, said: list[tuple[str, str]]
) -> None:
    vault = Vault()
    async with Switch(SELLS, says(http(status, {"error": error}))) as switch, client(switch.url, vault=vault) as supplier:
        assert isinstance(await supplier.ready(), Rejected)

    assert vault.reads == [False, True][:readings]
    assert (("CRITICAL", "supplier refuses our credentials") in said) is (readings == 2)


async def test_credentials_that_cannot_be_read_make_nobody_ready_and_wake_somebody(said: list[tuple[str, str]]) -> None:
    async def broken(_: bool) -> Credentials:
        raise RuntimeError("the vault is closed")

    async with Switch(SELLS) as switch, client(switch.url, vault=broken) as supplier:
        assert await supplier.ready() == Rejected(Reason.TEMPORARILY_UNAVAILABLE, "credentials not read")

    assert switch.asked == []
    assert said == [("ERROR", "credentials not read")]


async def test_a_switch_that_cannot_be_reached_is_told(unused_tcp_port: int, said: list[tuple[str, str]]) -> None:
    async with client(f"http://127.0.0.1:{unused_tcp_port}") as supplier:
        assert isinstance(await supplier.ready(), Rejected)

    assert said == [("WARNING", "supplier not heard")]


# --- what moves no money


PRODUCTS = [{"merchantProductId": "P", "productName": "A product"}]


async def test_a_catalogue_is_asked_for_once_in_15_minutes_and_once_for_all_who_wait() -> None:
    now = Clock()
    async with Switch(says(http(200, PRODUCTS))) as switch, client(switch.url, now=now) as supplier:
        first, *others = await asyncio.gather(*(supplier.products(VasType.DATA) for _ in range(20)))
        now.pass_seconds(899)
        assert all(one == first for one in (*others, await supplier.products(VasType.DATA)))
        assert len(switch.asked) == 2
        await supplier.products(VasType.VOUCHER)
        now.pass_seconds(1)
        await supplier.products(VasType.DATA)

    assert [one.target for one in switch.asked[1:]] == ["/v1/data/products", "/v1/voucher/products", "/v1/data/products"]


async def test_a_catalogue_that_has_not_changed_is_kept_by_its_etag() -> None:
    now = Clock()
    unchanged = b'HTTP/1.1 304 Not Modified\r\netag: "v1"\r\n\r\n'
    async with (
        Switch(in_turn([says(http(200, PRODUCTS, 'etag: "v1"')), says(unchanged)])) as switch,
        client(switch.url, now=now) as supplier,
    ):
        first = await supplier.products(VasType.DATA)
        for _ in range(2):
            now.pass_seconds(900)
            assert await supplier.products(VasType.DATA) == first

    assert [one.headers.get("if-none-match") for one in switch.asked[1:]] == [None, '"v1"', '"v1"']


async def test_unchanged_means_nothing_to_one_who_has_no_catalogue() -> None:
    async with Switch(says(b"HTTP/1.1 304 Not Modified\r\n\r\n")) as switch, client(switch.url) as supplier:
        refusal = await supplier.products(VasType.DATA)

    assert isinstance(refusal, Rejected) and refusal.reason is Reason.TEMPORARILY_UNAVAILABLE


async def test_a_catalogue_from_before_the_clock_stepped_back_is_asked_for_again() -> None:
    now = Clock()
    async with Switch(says(http(200, PRODUCTS))) as switch, client(switch.url, now=now) as supplier:
        for seconds, calls in ((0, 1), (0, 1), (-1, 2), (899, 2), (1, 3)):
            now.pass_seconds(seconds)
            await supplier.products(VasType.DATA)
            assert len(switch.asked) - 1 == calls


@pytest.mark.parametrize(("megabytes", "is_read"), [(7, True), (9, False)])
async def test_a_catalogue_may_be_larger_than_any_other_answer(megabytes: int, is_read: bool) -> None:
    rows = [*PRODUCTS, {"productName": "x" * (megabytes * 1024 * 1024)}]
    async with Switch(says(http(200, rows))) as switch, client(switch.url, timeout_seconds=20) as supplier:
        assert isinstance(await supplier.products(VasType.DATA), tuple) is is_read


async def test_a_web_page_is_no_catalogue_and_is_not_kept() -> None:
    page = says(http(200, b"<!doctype html>" * 300, content_type="text/html"))
    async with Switch(in_turn([page, says(http(200, PRODUCTS))])) as switch, client(switch.url) as supplier:
        refusal, products = await supplier.products(VasType.DATA), await supplier.products(VasType.DATA)

    assert isinstance(refusal, Rejected)
    assert isinstance(products, tuple)
    assert len(products) == 1


async def test_a_prevend_is_confirmed_over_the_wire() -> None:
    async with (
        Switch(says(http(200, {"transactionId": "PV-1", "minimumPurchaseAmount": 339.26}))) as switch,
        client(switch.url) as supplier,
    ):
        assert await supplier.prevend(ELECTRICITY, REQUEST_ID) == Prevended("PV-1", Money(33_926))


async def test_a_reprint_carries_its_words() -> None:
    async with Switch(says(http(400, {"fulcrumErrorCode": 1003}))) as switch, client(switch.url) as supplier:
        reprint = await supplier.reprint(sale_of(ELECTRICITY))
        nothing = await supplier.reprint(sale_of(AIRTIME))
    async with client("http://switch.invalid", reprint_by=ReprintBy.NONE) as supplier:
        none = await supplier.reprint(sale_of(ELECTRICITY))

    assert isinstance(reprint.result, NoSuchTransaction)
    assert reprint.raw is not None
    assert (reprint.raw.source, reprint.raw.status) == ("reprint", 400)
    assert [one.target for one in switch.asked[1:]] == [f"/v1/utility/reprint?requestId={REQUEST_ID}"]
    assert nothing == none == Reprint(NoAnswer("nothing to ask a reprint by"))


async def test_a_reprint_by_the_suppliers_id_names_it_and_is_believed_of_that_sale_alone() -> None:
    known = replace(sale_of(ELECTRICITY), state=State.VENDED, outcome=Vended(Receipt(supplier_transaction_id="T-1")))
    found = {"transactionId": "T-1", "additionalDetails": {"productAmount": "100.00", "tokens": ["12345678901234567890"]}}
    behave = in_turn([says(http(200, found)), says(http(200, found | {"transactionId": "T-2"}))])
    async with Switch(behave) as switch, client(switch.url, reprint_by=ReprintBy.TRANSACTION_ID) as supplier:
        assert supplier.can_reprint(known) and not supplier.can_reprint(sale_of(ELECTRICITY))
        answers = [(await supplier.reprint(known)).result for _ in range(2)]

    assert [type(answer) for answer in answers] == [Vended, NoAnswer]
    assert [one.target for one in switch.asked[1:]] == ["/v1/utility/reprint?transactionId=T-1"] * 2


# --- in process, and alarms


@pytest.mark.parametrize(
    ("vas_type", "pinned"),
    [(vas_type, False) for vas_type in VasType] + [(VasType.AIRTIME, True), (VasType.DATA, True)],
)
async def test_the_same_client_sells_everything_in_process(vas_type: VasType, pinned: bool) -> None:
    async def credentials(_: bool) -> Credentials:
        return Credentials(SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET)

    transport = httpx.ASGITransport(Simulator(MemoryLedger(), now=Clock()))
    async with client("http://simulator", transport=transport, mode=Mode.SIMULATED, vault=credentials) as supplier:
        products = await supplier.products(vas_type)
        assert not isinstance(products, Rejected)
        product = next(row for row in products if row.pinned == pinned)
        order = Order(
            vas_type=vas_type,
            amount=product.amount or Money(10_000),
            merchant_product_id=product.merchant_product_id,
            meter_number="12345678901" if vas_type is VasType.UTILITY else None,
            account_number="135609708" if vas_type is VasType.BILL_PAYMENT else None,
            mobile_number="27820012345" if vas_type in (VasType.AIRTIME, VasType.DATA) and not pinned else None,
            pinned=pinned,
        )
        prevend_id = None
        if vas_type in PREVENDED:
            prevended = await supplier.prevend(order, str(uuid.uuid4()))
            assert isinstance(prevended, Prevended)
            prevend_id = prevended.supplier_prevend_id
        answer = await supplier.vend(order, prevend_id, str(uuid.uuid4()), 5)

    assert isinstance(answer.outcome, Vended)
    typed = vas_type in (VasType.UTILITY, VasType.VOUCHER) or pinned
    assert answer.outcome.receipt.tokens_due is (TokensDue.DELIVERED if typed else TokensDue.NONE)
    assert all(token.number.startswith(SIMULATED_PREFIX) for token in answer.outcome.receipt.tokens)


async def test_the_deadline_holds_over_the_in_process_transport_too() -> None:
    async def app(scope: dict[str, object], receive: object, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
        if scope["path"] != "/connect/token":
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"access_token":"t","expires_in":7200,"simulated":true}'})

    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with client("http://simulator", transport=transport, mode=Mode.SIMULATED, timeout_seconds=0.1) as supplier:
        answer = await sell(supplier)

    assert answer == Answer(Unknown("TimeoutError", sign_of_vend=False))


ALARMS = {
    ("ERROR", "supplier says simulated"): http(200, SOLD | {"simulated": True}),
    ("CRITICAL", "float exhausted"): http(400, {"fulcrumErrorCode": 1008}),
    ("ERROR", "supplier refuses the request"): http(400, {"fulcrumErrorCode": 1010}),
    ("ERROR", "unknown supplier code"): http(400, {"fulcrumErrorCode": 1099}),
    ("ERROR", "supplier forbids"): http(403, {}),
    ("ERROR", "supplier answered no JSON"): http(200, b"<!doctype html>", content_type="text/html"),
}


@pytest.mark.parametrize(("alarm", "answer"), ALARMS.items(), ids=[name for _, name in ALARMS])
async def test_what_a_person_must_see_is_logged_under_a_stable_name(
    alarm: tuple[str, str], answer: bytes, said: list[tuple[str, str]]
) -> None:
    await sold_by(says(answer))

    assert alarm in said


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE,
        http(400, {"fulcrumErrorCode": 1001}),
        http(400, {"fulcrumErrorCode": 0}),
        http(429, {}),
        http(503, {}),
        http(500, b"<!doctype html>", content_type="text/html"),
        http(201, {}),
    ],
)
async def test_what_nobody_can_mend_wakes_nobody(answer: bytes, said: list[tuple[str, str]]) -> None:
    await sold_by(says(answer))

    assert said == []


CONCERNS = {
    ("CRITICAL", "vend answer does not match"): {"status": "Failed"},
    ("CRITICAL", "vend amount differs"): {"amount": 6},
    ("WARNING", "vend status not known"): {"status": "Partying", "additionalDetails": {"pin": "12345678901234"}},
}


@pytest.mark.parametrize(("alarm", "members"), CONCERNS.items(), ids=[name for _, name in CONCERNS])
async def test_an_answer_that_gives_to_think_wakes_somebody_and_is_named_without_its_words(
    alarm: tuple[str, str], members: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    order = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", pinned=True)
    sold = {name: value for name, value in SOLD.items() if name != "mobileNumber"}
    async with Switch(says(http(200, sold | members))) as switch, client(switch.url) as supplier:
        await sell(supplier, order)

    ((level, message, fields),) = logged(caplog)
    assert (level, message) == alarm
    why = {"Failed": "its status says no", "Partying": None}.get(str(members.get("status")), "more than asked")
    assert fields == {"request_id": REQUEST_ID, "vas_type": VasType.AIRTIME, "amount_cents": 500, "why": why}


async def test_neither_log_nor_repr_tells_tokens_secrets_or_whole_numbers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    slip = {"transactionId": "T-1", "additionalDetails": {"tokens": ["00000000000012345678"], "pin": "11112222333344"}}
    shown = ""
    for behave in (says(http(200, slip)), says(http(200, slip, content_type="text/html")), says(http(400, slip)), says_and_closes()):
        async with Switch(behave) as switch, client(switch.url, vault=Vault("very-secret")) as supplier:
            shown += repr(await sell(supplier, ELECTRICITY)) + repr(await supplier.prevend(ELECTRICITY, REQUEST_ID))
    shown += "".join(f"{record.__dict__}" for record in caplog.records if record.name != "asyncio")

    assert "supplier" in shown
    for telling in ("00000000000012345678", "11112222333344", "very-secret", "12345678901", "Bearer"):
        assert telling not in shown


# --- fixtures


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is logged, as (level, message)."""
    heard: list[tuple[str, str]] = []
    for level in ("INFO", "WARNING", "ERROR", "CRITICAL"):
        monkeypatch.setattr(logs.Logger, level.lower(), lambda _, message, /, _level=level, **__: heard.append((_level, message)))
    return heard


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's TLS, with a certificate that nobody vouches for."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def sale_of(order: Order) -> Transaction:
    """A sale in doubt."""
    at = datetime(2026, 5, 1, 8, tzinfo=UTC)
    return Transaction(
        id="0" * 32,
        version=1,
        mode=Mode.LIVE,
        caller=Caller("issuer", "subject"),
        idempotency_key="key",
        fingerprint="f",
        order=order,
        request_id=REQUEST_ID,
        supplier_prevend_id=None,
        state=State.IN_DOUBT,
        created_at=at,
        updated_at=at,
        day=at.date(),
        send_by=at,
        lease_until=at,
    )


async def test_an_environment_that_names_proxies_and_certificates_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    http_exchange._roots.cache_clear()
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    (tmp_path / "none.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))

    answer, switch = await sold_by(SELLS)

    assert isinstance(answer.outcome, Vended) and len(switch.sales_asked) == 1
    assert len(http_exchange._roots().get_ca_certs()) > 50
    http_exchange._roots.cache_clear()


def test_what_happened_is_named_by_its_type_and_its_causes_alone() -> None:
    bare, caused, late = made(httpx.ReadError), made(httpx.ReadError), TimeoutError()
    caused.__cause__ = made(aiohttp.ServerDisconnectedError)
    late.__cause__ = asyncio.CancelledError()
    assert [http_exchange._named(error) for error in (bare, caused, late)] == [
        "ReadError",
        "ServerDisconnectedError as ReadError",
        "TimeoutError",
    ]


async def test_the_settings_that_nobody_chose_are_those_of_the_contract() -> None:
    settings = Settings(base_url="https://switch.example", mode=Mode.LIVE)
    assert (settings.tender_type, settings.reprint_by, settings.utility_product_id) == ("CreditCard", ReprintBy.REQUEST_ID, None)
    assert (settings.connect_timeout_seconds, settings.timeout_seconds) == (5, 60)
    assert IDLE_SECONDS == 3


async def test_a_token_is_at_hand_until_the_moment_it_ends() -> None:
    now = Clock()
    async with Switch(SELLS) as switch, client(switch.url, now=now) as supplier:
        assert await supplier.ready() is None
        now.pass_seconds(7200 - 0.001)
        assert supplier._access.cached() == "first"
        now.pass_seconds(0.001)
        assert supplier._access.cached() is None


async def test_a_token_that_was_refused_is_forgotten_and_one_fetched_meanwhile_is_not() -> None:
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        assert await supplier.ready() is None
        supplier._access.drop("another")
        assert supplier._access.cached() == "first"
        for _ in range(2):  # of two sales whose answers came at once, each drops it
            supplier._access.drop("first")
            assert supplier._access.cached() is None
