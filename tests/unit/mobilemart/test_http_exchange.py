"""One exchange: the request, the part of its answer that is read, and the close. Without a network."""

import ssl
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
import pytest

from shared.mobilemart import http_exchange
from shared.mobilemart.http_exchange import Exchange
from shared.mobilemart.requests import Call
from shared.mobilemart.responses import Reply

MEGABYTE = 1024 * 1024
QUESTION, ORDER = Call("GET", "/v1/data/products"), Call("POST", "/v1/airtime/pinless", body=b"{}", content_type="application/json")


class Chunks(httpx.AsyncByteStream):
    """A body that arrives in chunks of a kilobyte, and may break off. It records whether it was closed."""

    def __init__(self, size: int, breaks: Exception | None = None) -> None:
        self.size, self.breaks, self.is_closed = size, breaks, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, self.size, 1024):
            yield b" " * min(1024, self.size - at)
        if self.breaks is not None:
            raise self.breaks

    async def aclose(self) -> None:
        self.is_closed = True


class Transport(httpx.AsyncBaseTransport):
    def __init__(self, body: Chunks | None = None) -> None:
        self.body, self.asked, self.is_closed = body or Chunks(0), [], False  # type: ignore[var-annotated]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(200, stream=self.body)

    async def aclose(self) -> None:
        self.is_closed = True


async def asked(call: Call, **how: Any) -> httpx.Request:
    """Return the request for this call."""
    transport = Transport()
    await Exchange(transport, "https://switch.example")(call, **{"seconds": 1, "connect_seconds": 1} | how)
    return transport.asked[0]  # type: ignore[no-any-return]


PLAIN = {"host": "switch.example", "accept": "application/json", "accept-encoding": "identity"}


@pytest.mark.parametrize(
    ("call", "how", "headers"),
    [
        (QUESTION, {}, PLAIN),
        (QUESTION, {"access_token": "t"}, PLAIN | {"authorization": "Bearer t"}),
        (QUESTION, {"etag": '"v1"'}, PLAIN | {"if-none-match": '"v1"'}),
        (ORDER, {"access_token": "t"}, PLAIN | {"authorization": "Bearer t", "content-type": "application/json", "content-length": "2"}),
    ],
    ids=["a question", "with a token", "with a mark", "an order"],
)
async def test_a_request_has_the_headers_that_it_needs_and_no_other(call: Call, how: dict[str, Any], headers: dict[str, str]) -> None:
    request = await asked(call, **how)

    assert dict(request.headers) == headers
    assert (request.method, str(request.url), request.content) == (call.method, f"https://switch.example{call.path}", call.body or b"")


@pytest.mark.parametrize(("connect", "wait"), [(0.3, 0.3), (5, 5), (5.5, 5), (6, 5), (6.5, 5.5), (60, 59)])
async def test_a_wait_for_a_connection_ends_in_time_though_long_ones_are_rounded_up(connect: float, wait: float) -> None:
    request = await asked(QUESTION, connect_seconds=connect)

    assert request.extensions == {"timeout": {"connect": wait, "pool": wait, "read": None, "write": None}}


async def test_an_address_is_remembered_only_where_it_names_nobody() -> None:
    http_exchange._address.cache_clear()
    for _ in range(3):
        request = await asked(Call("GET", "/v1/utility/prevend", query=(("meterNumber", "04123456789"),)))
        assert str(request.url) == "https://switch.example/v1/utility/prevend?meterNumber=04123456789"
    assert http_exchange._address.cache_info().currsize == 0
    for _ in range(3):
        await asked(QUESTION)
    assert http_exchange._address.cache_info()[:2] == (2, 1)


@pytest.mark.parametrize(
    ("size", "most", "fault"),
    [
        (MEGABYTE, {}, None),
        (MEGABYTE + 1, {}, "over 1048576 bytes"),
        (2048, {"most_bytes": 2048}, None),
        (2049, {"most_bytes": 2048}, "over 2048 bytes"),
        (4096, {"most_bytes": 2048}, "over 2048 bytes"),
    ],
)
async def test_an_answer_is_read_up_to_its_bound_and_closed(size: int, most: dict[str, int], fault: str | None) -> None:
    body = Chunks(size)
    heard = await Exchange(Transport(body), "https://switch.example")(QUESTION, seconds=5, connect_seconds=1, **most)

    assert isinstance(heard, Reply) and (heard.fault, body.is_closed) == (fault, True)
    assert len(heard.body) == min(size, most.get("most_bytes", MEGABYTE) + (1 if size % 1024 else 1024))


async def test_an_answer_that_breaks_off_is_what_came_of_it_and_closed() -> None:
    body = Chunks(3000, httpx.ReadError("made by a test"))
    transport = Transport(body)
    speaks = Exchange(transport, "https://switch.example")
    heard = await speaks(QUESTION, seconds=5, connect_seconds=1)

    assert isinstance(heard, Reply) and (heard.status, heard.fault, len(heard.body), body.is_closed) == (200, "ReadError", 3000, True)
    assert not transport.is_closed
    await speaks.aclose()
    assert transport.is_closed


async def test_connections_have_no_limit_no_cookies_no_proxies_and_three_idle_seconds() -> None:
    roots = ssl.create_default_context()
    async with http_exchange._session(roots) as session:
        connector = session.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        assert (connector.limit, connector._keepalive_timeout, connector._ssl) == (0, 3.0, roots)
        assert (session.trust_env, type(session.cookie_jar), session._request_class) == (
            False,
            aiohttp.DummyCookieJar,
            http_exchange._Request,
        )


async def test_no_request_uses_a_connection_with_unread_data(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(_: object, connection: object) -> object:
        return connection

    monkeypatch.setattr(aiohttp.ClientRequest, "send", send)
    request: Any = object.__new__(http_exchange._Request)
    good: Any = SimpleNamespace(protocol=SimpleNamespace(should_close=False))
    assert await request.send(good) is good
    for protocol in (None, SimpleNamespace(should_close=True)):
        refusing: Any = SimpleNamespace(connection_key=None)
        with pytest.raises(aiohttp.ClientConnectorError) as refused:
            await http_exchange._Request.send(refusing, SimpleNamespace(protocol=protocol))  # type: ignore[arg-type]
        assert isinstance(refused.value.os_error, ConnectionResetError)
