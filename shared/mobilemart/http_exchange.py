"""One exchange over HTTP: a call goes out at most once, within one deadline, and every result returns as a value.

The transport is called directly, without httpx's client. httpx's client would follow environment proxies and
keep the supplier's cookies. It would log every address, meter numbers included.
"""

import asyncio
import ssl
from functools import cache
from typing import Final

import aiohttp
import httpx

from shared.mobilemart.requests import JSON, Call
from shared.mobilemart.responses import Heard, NoReply, Reply

MAX_ANSWER_BYTES: Final = 1024 * 1024
IDLE_SECONDS: Final = 3.0  # a connection idle for longer is not used again; `docs/mobilemart.md` has the measurement
_EXACT_WAIT_SECONDS: Final = 5.0  # aiohttp rounds longer waits up to the next whole second of its clock


class Exchange:
    """Calls to one switch over one transport."""

    def __init__(self, transport: httpx.AsyncBaseTransport, base_url: str) -> None:
        self._transport = transport
        self._base_url = base_url

    async def __call__(
        self,
        call: Call,
        *,
        access_token: str | None = None,
        etag: str | None = None,
        seconds: float,
        connect_seconds: float,
        most_bytes: int = MAX_ANSWER_BYTES,
    ) -> Heard:
        """Return the answer, or why there is none. A new connection is not written to once `connect_seconds` have passed.

        Only a cancellation of the caller's task raises: it proves nothing about the supplier.
        """
        response: httpx.Response | None = None
        body = bytearray()
        fault: str | None = None
        try:
            async with asyncio.timeout(seconds):  # read timeouts are per chunk: a dripped body passes them
                response = await self._transport.handle_async_request(self._request(call, access_token, etag, connect_seconds))
                try:
                    assert isinstance(response.stream, httpx.AsyncByteStream)  # an asynchronous transport gives one
                    async for chunk in response.stream:  # undecoded
                        body += chunk
                        if len(body) > most_bytes:
                            fault = f"over {most_bytes} bytes"
                            break
                finally:
                    await response.aclose()
        except Exception as error:  # any library's: every exception is an outcome, and only proof makes it more than a doubt
            if response is None:
                return NoReply(_named(error), never_sent=never_connected(error))
            fault = _named(error)
        return Reply.of(response.status_code, response.headers, bytes(body), fault)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def _request(self, call: Call, access_token: str | None, etag: str | None, connect_seconds: float) -> httpx.Request:
        headers = {"Accept": JSON, "Accept-Encoding": "identity"}  # compressed bytes cannot be measured before they are unpacked
        if access_token is not None:
            headers["Authorization"] = f"Bearer {access_token}"
        if etag is not None:
            headers["If-None-Match"] = etag
        if call.content_type is not None:
            headers["Content-Type"] = call.content_type
        wait = connect_seconds if connect_seconds <= _EXACT_WAIT_SECONDS else max(_EXACT_WAIT_SECONDS, connect_seconds - 1)
        timeouts = {"connect": wait, "pool": wait, "read": None, "write": None}  # "pool" covers name resolution and handshake, too
        url = httpx.URL(call.url(self._base_url)) if call.query else _address(call.url(self._base_url))
        return httpx.Request(call.method, url, headers=headers, content=call.body, extensions={"timeout": timeouts})


def never_connected(error: Exception) -> bool:
    """Whether `error` proves that the request was not sent.

    The exception's own type proves nothing: httpx-aiohttp also raises `ConnectTimeout` for an answer that was cut.
    The exception's cause is a proof: aiohttp raises these two only while it has no connection.
    They include a failed TLS handshake.
    """
    return isinstance(error.__cause__, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def live_transport() -> httpx.AsyncBaseTransport:
    """The network, by aiohttp. TLS is always verified against certifi's roots.

    There are no proxies, no cookies, and no queue for connections.
    """
    from httpx_aiohttp import AiohttpTransport  # loaded only if a network is used

    roots = _roots()
    return AiohttpTransport(verify=roots, trust_env=False, client=lambda: _session(roots))


@cache
def _address(url: str) -> httpx.URL:
    """Parse an address once: a dozen have no query, and parsing one takes longer than sending it."""
    return httpx.URL(url)


@cache
def _roots() -> ssl.SSLContext:
    """Read certifi's roots once for all transports: it takes 35 ms."""
    return httpx.create_ssl_context(trust_env=False)


def _session(roots: ssl.SSLContext) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=roots, limit=0, keepalive_timeout=IDLE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        request_class=_Request,
        trust_env=False,
    )


class _Request(aiohttp.ClientRequest):
    """A request that uses a connection only if no unread data arrived on it.

    aiohttp keeps data that arrives on an idle connection, and would read it as the answer to the next request.
    A repeated answer would then give one customer's token to another.
    The request is refused before a byte is written, and so counts as never connected.
    """

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        if conn.protocol is None or conn.protocol.should_close:
            raise aiohttp.ClientConnectorError(self.connection_key, ConnectionResetError("unasked data on an idle connection"))
        return await super().send(conn)


def _named(error: BaseException) -> str:
    """The types of the error and its cause. Their texts may quote an address with a meter number, and are left out.

    The cause comes first: `ServerDisconnectedError as ConnectTimeout` means that the request was sent.
    """
    if error.__cause__ is None or isinstance(error, TimeoutError):
        return type(error).__name__
    return f"{type(error.__cause__).__name__} as {type(error).__name__}"
