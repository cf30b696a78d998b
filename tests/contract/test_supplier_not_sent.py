"""A vend that was provably not sent, and exceptions that prove nothing."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
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

from shared.domain.outcome import (
    Answer,
    Unknown,
)
from shared.mobilemart import http_exchange
from shared.mobilemart.http_exchange import live_transport, never_connected
from shared.mobilemart.requests import Call
from shared.mobilemart.responses import Reply
from tests.contract.transport import AIRTIME, REQUEST_ID, SELLS, client, made, not_taken, sell
from tests.stand_ins.switch_on_a_socket import (
    SOLD,
    Switch,
    http,
)


class Elsewhere(httpx.AsyncBaseTransport):
    """The network, with everything but token calls redirected to another address."""

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
    """Vend to `base_url`, with a client whose token came from a switch that works."""
    async with Switch(SELLS) as works, client(works.url, transport=Elsewhere(base_url), connect_timeout_seconds=30) as supplier:
        assert await supplier.ready() is None
        return await supplier.vend(AIRTIME, None, REQUEST_ID, send_within_seconds)


async def test_a_vend_over_a_refused_connection_was_not_taken(unused_tcp_port: int) -> None:
    assert not_taken(await sold_at(f"http://127.0.0.1:{unused_tcp_port}"))


async def test_a_vend_to_a_name_that_does_not_resolve_was_not_taken() -> None:
    assert not_taken(await sold_at("http://switch.invalid"))


async def test_a_vend_to_an_unverified_certificate_was_not_taken(self_signed: ssl.SSLContext) -> None:
    async with Switch(SELLS, tls=self_signed) as stranger:
        assert not_taken(await sold_at(stranger.url))
        assert stranger.asked == []


async def test_a_vend_to_a_switch_without_tls_was_not_taken() -> None:
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
    """aiohttp rounds waits of more than 5 s up to the next second of its clock: they are requested a second shorter."""
    waits = []

    def answer(request: httpx.Request) -> httpx.Response:
        waits.append(request.extensions["timeout"])
        return httpx.Response(200, json=SOLD | {"access_token": "t", "expires_in": 7200})

    async with client("http://switch", transport=httpx.MockTransport(answer), connect_timeout_seconds=connect) as supplier:
        assert await supplier.ready() is None
        await supplier.vend(AIRTIME, None, REQUEST_ID, send_within)

    assert waits[-1] == {"connect": longest, "pool": longest, "read": None, "write": None}


async def test_without_a_cached_token_nothing_is_sent() -> None:
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


RAISED = sorted({*exceptions_of(httpx), *exceptions_of(aiohttp), OSError, TimeoutError, RuntimeError}, key=lambda kind: kind.__name__)
PROOF = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


async def outcome_of(error: Exception) -> Answer:
    async with client("http://switch", transport=Raises(error)) as supplier:
        return await sell(supplier)


async def test_only_two_causes_of_exceptions_prove_that_a_vend_was_not_taken() -> None:
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


async def test_the_cause_of_an_exception_is_named_before_its_type() -> None:
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


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's TLS, with a certificate that no authority signed."""
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
