"""A transport that copies the supplier's answers as they arrive."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import httpx

from shared.mobilemart.responses import Reply

TOKEN_PATH: Final = "/connect/token"


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer, and the part of its body that was read. Access tokens are not stored."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytearray = field(default_factory=bytearray, repr=False)

    @property
    def reply(self) -> Reply:
        """Return the answer as the supplier's client reads one."""
        return Reply.of(self.status, self.headers, bytes(self.body))


class RecordingTransport(httpx.AsyncBaseTransport):
    """Passes every request and answer on unchanged, and stores the last answer."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._last: Seen | None = None

    def take(self) -> Seen | None:
        """Return the last answer since the previous call; `None` if none began."""
        last, self._last = self._last, None
        return last

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._last = None
        response = await self._transport.handle_async_request(request)
        self._last = seen = Seen(response.status_code, response.headers)
        if request.url.path != TOKEN_PATH:
            assert isinstance(response.stream, httpx.AsyncByteStream)
            response.stream = _Copied(response.stream, seen.body)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Copied(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, copy: bytearray) -> None:
        self._stream, self._copy = stream, copy

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._copy += chunk
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
