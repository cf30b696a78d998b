"""An issuer's public signing keys: read from its address, cached, and found by name and algorithm."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.lib import logs
from shared.lib.single_flight import SingleFlight

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA")  # all public-key: a key that verifies cannot sign

FRESH_SECONDS: Final = 300  # older keys are read again in the background
REREAD_WITHIN_SECONDS: Final = 540  # older keys are read again before they verify a token: a revoked key ends within ten minutes
KEPT_SECONDS: Final = 3600  # how long keys verify while their issuer cannot be read
RETRY_SECONDS: Final = 10  # between failed reads, and between reads for unknown names, which anyone can send
READ_TIMEOUT_SECONDS: Final = 5
MAX_DOCUMENT_BYTES: Final = 512 * 1024
MAX_KEYS: Final = 100
MAX_TRIED: Final = 8  # keys for one token
MIN_RSA_BITS: Final = 2048

_OF_KEY_TYPE: Final = {"RSA": ("RS256", "PS256"), "EC": ("ES256", "ES384"), "OKP": ("EdDSA",)}
_CURVES: Final = {"ES256": "secp256r1", "ES384": "secp384r1"}

log = logs.logger(__name__)


class KeysUnavailable(Exception):
    """The issuer's keys could not be read, so no token can be verified."""


class SigningKeys:
    """The keys that an issuer publishes at `url` as a JSON Web Key Set (RFC 7517).

    One read serves all callers. While the issuer is unavailable, its keys verify for an hour, with a log entry. `clock` is monotonic, in
    seconds. `edition` counts the reads: a token that an older edition verified must be verified again.
    """

    def __init__(self, url: str, http: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._http = http
        self._clock = clock
        self._keys: Sequence[jwt.PyJWK] = ()
        self._read_at: float | None = None
        self._has_failed = False
        self._retry_at = self._unknown_at = clock()
        self._reading = SingleFlight(self._replaced)
        self.edition = 0

    @property
    def are_fresh(self) -> bool:
        """Whether the keys are recent enough to need no read."""
        return self._read_at is not None and self._clock() < self._read_at + FRESH_SECONDS

    async def candidates(self, key_id: str | None, algorithm: str) -> Sequence[jwt.PyJWK]:
        """The keys that may have signed a token with `key_id` and `algorithm`; empty if there is no such key.

        Several keys may share a name, or have none. A token without a name may be of any key.

        Raises:
            KeysUnavailable: the keys could not be read.
        """
        await self._refreshed()
        found = self._named(key_id, algorithm)
        if not found and self._may_reread():
            await self._read()
            found = self._named(key_id, algorithm)
        return found

    def _named(self, key_id: str | None, algorithm: str) -> Sequence[jwt.PyJWK]:
        fitting = [key for key in self._keys if key.algorithm_name == algorithm]
        named = fitting if key_id is None else [key for key in fitting if key.key_id == key_id]
        return (named or [key for key in fitting if key.key_id is None])[:MAX_TRIED]

    async def _refreshed(self) -> None:
        """Read old keys again: before the request if they are too old, else in the background."""
        if self.are_fresh:
            return
        age = None if self._read_at is None else self._clock() - self._read_at
        if age is None or age >= KEPT_SECONDS:
            await self._read()
        elif age >= REREAD_WITHIN_SECONDS and not self._has_failed:
            await self._reading()
        elif self._clock() >= self._retry_at:
            self._reading.begin()

    def _may_reread(self) -> bool:
        """Whether an unknown key justifies a read, or waiting for the running one."""
        if self._reading.is_running:
            return True
        if self._clock() < self._unknown_at:
            return False
        self._unknown_at = self._clock() + RETRY_SECONDS
        return True

    async def _read(self) -> None:
        """Read the keys, once for all waiting callers. A cancelled caller leaves the others their read.

        Raises:
            KeysUnavailable: the keys could not be read.
        """
        if not await self._reading():
            raise KeysUnavailable

    async def _replaced(self) -> bool:
        try:
            async with asyncio.timeout(READ_TIMEOUT_SECONDS):
                keys = usable_keys(json.loads(await self._document()))
            if not keys:
                raise _Unusable("none is usable")
        except Exception as error:  # of any library, or of the document: there are no new keys
            kept = self._read_at is not None and self._clock() < self._read_at + KEPT_SECONDS
            log.error("signing keys not read", cause=error, known_keys_verify=kept)
            self._has_failed, self._retry_at = True, self._clock() + RETRY_SECONDS
            return False
        self._keys, self._read_at, self._has_failed = keys, self._clock(), False
        self.edition += 1
        return True

    async def _document(self) -> bytes:
        """The document as sent. The request refuses compression, because expanded data has no bound."""
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        async with self._http.stream("GET", self._url, headers=headers) as response:
            response.raise_for_status()
            if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
                raise _Unusable("it is compressed")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_DOCUMENT_BYTES:
                    raise _Unusable(f"it is larger than {MAX_DOCUMENT_BYTES} bytes")
        return bytes(body)


class _Unusable(Exception):
    """The issuer answered, and the answer is no key set."""


def usable_keys(document: object) -> Sequence[jwt.PyJWK]:
    """The keys of a key set that may sign tokens, once for each algorithm of a key.

    Raises:
        ValueError: the document is no key set.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("keys is not a list")
    return [key for data in listed[:MAX_KEYS] for key in _usable(data)]


def _usable(data: Any) -> list[jwt.PyJWK]:
    """One key of a set, once for each of its algorithms. A broken key leaves the others usable."""
    if not isinstance(data, dict) or data.get("use") not in {None, "sig"} or not _may_verify(data.get("key_ops")):
        return []
    algorithms = [name for name in _OF_KEY_TYPE.get(str(data.get("kty")), ()) if data.get("alg") in {None, name}]
    return [key for name in algorithms if (key := _key(data, name)) is not None]


def _may_verify(operations: object) -> bool:
    return operations is None or (isinstance(operations, list) and "verify" in operations)


def _key(data: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    try:
        key = jwt.PyJWK(data, algorithm=algorithm)
        named = key.key_id is None or isinstance(key.key_id, str)
    except Exception:  # a broken key verifies nothing
        return None
    match key.key:
        case RSAPublicKey(key_size=bits) if bits >= MIN_RSA_BITS and named:
            return key
        case EllipticCurvePublicKey(curve=curve) if curve.name == _CURVES.get(algorithm) and named:
            return key
        case Ed25519PublicKey() if named:
            return key
        case _:  # too short, on another curve, or a private key, with which any reader could sign
            return None
