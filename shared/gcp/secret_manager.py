"""Secrets by their resource names, from Secret Manager. Read when asked for, so that a rotation needs no new deployment."""

import asyncio
from typing import TYPE_CHECKING, Final

from shared.lib.single_flight import SingleFlight
from shared.ports.credentials import Credentials, GetCredentials, SupplierSecrets

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient, SecretPayload

_TIMEOUT_SECONDS: Final = 10


class SecretUnavailable(Exception):
    """A secret could not be read. The text names it and never holds any of it."""


class Secrets:
    """Secret Manager, over a client that is made for the first secret: what a cold start does not need, it does not import.

    `emulator` is the `host:port` of a stand-in that is talked to without TLS and credentials.
    """

    def __init__(self, emulator: str | None = None, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self._emulator = emulator
        self._timeout_seconds = timeout_seconds
        self._client: SecretManagerServiceAsyncClient | None = None
        self._connect = SingleFlight(self._connected)

    async def read(self, name: str) -> str:
        """The secret `projects/p/secrets/s/versions/v`, as text, without the line break that an editor may have left at its end.

        Raises:
            SecretUnavailable: it was not there, not allowed, not in time, or not as it was stored.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                client = self._client or await self._connect()
                answer = await client.access_secret_version(name=name, timeout=self._timeout_seconds)
            return _text(answer.payload)
        except Exception as error:  # of the client's several libraries; its text and its cause may hold what was read
            raise SecretUnavailable(f"{name} was not read: {type(error).__name__}") from None

    async def close(self) -> None:
        """Give up the connection."""
        if self._client is not None:
            await self._client.transport.close()
            self._client = None

    async def _connected(self) -> "SecretManagerServiceAsyncClient":
        self._client = await _client(self._emulator)
        return self._client


def supplier_credentials(secrets: Secrets, names: SupplierSecrets) -> GetCredentials:
    """What the supplier's client asks for our credentials. It keeps what it was given, so every asking is a reading."""

    async def read(_fresh: bool) -> Credentials:
        return Credentials(*await asyncio.gather(secrets.read(names.client_id), secrets.read(names.client_secret)))

    return read


async def _client(emulator: str | None) -> "SecretManagerServiceAsyncClient":
    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcAsyncIOTransport

    from shared.gcp.grpc import channel

    over = await channel(SecretManagerServiceGrpcAsyncIOTransport, emulator)
    return SecretManagerServiceAsyncClient(transport=SecretManagerServiceGrpcAsyncIOTransport(channel=over))


class _Damaged(Exception):
    """What arrived is not what was stored."""


class _Empty(Exception):
    """The version holds nothing."""


def _text(payload: "SecretPayload") -> str:
    import google_crc32c

    data = bytes(payload.data)
    if "data_crc32c" in payload and payload.data_crc32c != google_crc32c.value(data):
        raise _Damaged
    text = data.decode("utf-8").rstrip("\r\n")
    if not text:
        raise _Empty
    return text
