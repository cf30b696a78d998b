"""Secrets by their resource names, from Secret Manager. Each request reads the secret: a rotation needs no new deployment."""

import asyncio
from typing import TYPE_CHECKING, Final

from shared.lib.single_flight import SingleFlight
from shared.ports.credentials import Credentials, GetCredentials, SupplierSecrets

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient, SecretPayload

_TIMEOUT_SECONDS: Final = 10


class SecretUnavailable(Exception):
    """A secret could not be read. The text names the secret and never quotes it."""


class Secrets:
    """Secret Manager. The first read imports and makes the client: a cold start does not need it.

    `emulator` is the `host:port` of an emulator, which is called without TLS and credentials.
    """

    def __init__(self, emulator: str | None = None, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self._emulator = emulator
        self._timeout_seconds = timeout_seconds
        self._client: SecretManagerServiceAsyncClient | None = None
        self._connect = SingleFlight(self._connected)

    async def read(self, name: str) -> str:
        """The text of the secret `projects/p/secrets/s/versions/v`, without the line break that an editor may leave at the end.

        Raises:
            SecretUnavailable: the secret is missing, denied, late, empty or damaged.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                client = self._client or await self._connect()
                answer = await client.access_secret_version(name=name, timeout=self._timeout_seconds)
            return _text(answer.payload)
        except Exception as error:  # of the client's several libraries; its text and its cause may quote the secret
            raise SecretUnavailable(f"{name} was not read: {type(error).__name__}") from None

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.transport.close()
            self._client = None

    async def _connected(self) -> "SecretManagerServiceAsyncClient":
        self._client = await _client(self._emulator)
        return self._client


def supplier_credentials(secrets: Secrets, names: SupplierSecrets) -> GetCredentials:
    """A reader of our credentials for the supplier's client. The client caches them, and each call here reads the secrets."""

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
    """The checksum of the secret's data differs."""


class _Empty(Exception):
    """The version of the secret is empty."""


def _text(payload: "SecretPayload") -> str:
    import google_crc32c

    data = bytes(payload.data)
    if "data_crc32c" in payload and payload.data_crc32c != google_crc32c.value(data):
        raise _Damaged
    text = data.decode("utf-8").rstrip("\r\n")
    if not text:
        raise _Empty
    return text
