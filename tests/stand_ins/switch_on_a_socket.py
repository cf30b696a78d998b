"""A supplier's switch on a real socket, written by hand: it reads the whole of each request before it does its worst."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

SOLD = {"transactionId": "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10", "amount": 5, "mobileNumber": "27821234567"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, whole."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Behave = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def http(status: int, value: object, *headers: str, content_type: str = "application/json") -> bytes:
    """An answer with a whole body, over a connection that stays open."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    head = (f"HTTP/1.1 {status} Said", f"content-type: {content_type}", f"content-length: {len(body)}", *headers)
    return "\r\n".join((*head, "", "")).encode() + body


def says(*parts: bytes) -> Behave:
    """Write these and leave the connection open."""

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return behave


def says_and_closes(*parts: bytes) -> Behave:
    """Write these and end the connection properly (FIN)."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await says(*parts)(asked, writer)
        writer.close()

    return behave


def says_in_turn(*parts: bytes) -> Behave:
    """Write these one after the other, so that each is read by itself, and end the connection."""

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.05)
        writer.close()

    return behave


async def resets(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Tear the connection down (RST) without a word."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def is_silent(_: Asked, __: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""


def drips(answer: bytes, every_seconds: float) -> Behave:
    """A byte at a time, so that no chunk is ever late and the answer never ends."""

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            for byte in answer:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(every_seconds)

    return behave


@dataclass(slots=True)
class Switch:
    """Answers token calls by `token`, and everything else by `behave`; what it was asked is in `asked`."""

    behave: Behave
    token: Behave = field(default_factory=lambda: says(http(200, {"access_token": "first", "token_type": "Bearer", "expires_in": 7200})))
    tls: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for writer in self._writers:
            with suppress(OSError):
                await writer.wait_closed()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def sales_asked(self) -> list[Asked]:
        """The POSTs that would have sold something."""
        return [one for one in self.asked if one.method == "POST" and one.target != "/connect/token"]

    @property
    def tokens_asked(self) -> list[Asked]:
        return [one for one in self.asked if one.target == "/connect/token"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):  # the client hangs up, or the server is closed
            while not writer.is_closing():
                asked = await _read(reader)
                self.asked.append(asked)
                await (self.token if asked.target == "/connect/token" else self.behave)(asked, writer)


async def _read(reader: asyncio.StreamReader) -> Asked:
    start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = start.split(" ")
    return Asked(method, target, headers, body)


def in_turn(behaviours: Iterable[Behave]) -> Behave:
    """One behaviour after the other; the last one stays."""
    left = list(behaviours)

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(asked, writer)

    return behave
