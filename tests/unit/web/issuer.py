"""An issuer on a socket, its keys, and the tokens that it signs."""

import asyncio
import base64
import json
import time
import traceback
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from shared.web.oidc import (
    Unauthenticated,
    Verifier,
)

AUDIENCE = "https://vas.example"
ISSUER = "https://issuer.example/tenant"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ABSENT = object()


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, **members: str) -> dict[str, Any]:
    """A key as a JWKS document lists it."""
    algorithm: Any
    match key:
        case rsa.RSAPrivateKey():
            algorithm = jwt.algorithms.RSAAlgorithm
        case ec.EllipticCurvePrivateKey():
            algorithm = jwt.algorithms.ECAlgorithm
        case _:
            algorithm = jwt.algorithms.OKPAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), **members}


def token(key: Any = RSA_KEY, kid: str | None = "rsa-1", algorithm: str = "RS256", **changes: object) -> str:
    """A signed token. Its times (`iat`, `nbf`, `exp`) are given in seconds from now."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "wallet-7", "iat": 0, "exp": 300, **changes}
    present = {name: value for name, value in claims.items() if value is not ABSENT}
    now = int(time.time())
    times = {name: now + value for name in ("iat", "nbf", "exp") if isinstance(value := present.get(name), int)}
    return jwt.encode({**present, **times}, key, algorithm=algorithm, headers={} if kid is None else {"kid": kid})


def unsigned(header: object, **changes: object) -> str:
    """A token put together by hand, since no library would sign it."""
    _, claims, _ = token(**changes).split(".")
    return f"{base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b'=').decode()}.{claims}."


class Issuer:
    """An issuer's JWKS address: what it publishes, and how often it was asked."""

    def __init__(self) -> None:
        self.keys: object = [public(RSA_KEY, kid="rsa-1", use="sig", alg="RS256"), public(EC_KEY, kid="ec-1")]
        self.status = 200
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.url = ""
        self.headers = ""
        self.heard = b""

    async def asks(self, times: int) -> None:
        """Wait until it was asked so many times."""
        while self.asked < times:
            await asyncio.sleep(0.01)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard = await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        self.was_asked.set()
        await self.may_answer.wait()
        body = json.dumps({"keys": self.keys})
        writer.write(f"HTTP/1.1 {self.status} -\r\n{self.headers}content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode())
        writer.close()
        await writer.wait_closed()


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def bearing(token: str) -> httpx.Headers:
    return httpx.Headers({"Authorization": f"Bearer {token}"}, encoding="latin-1")


async def refused(verifier: Verifier, token: str) -> str:
    """The reason for which `token` is refused; neither it nor its causes quote the token."""
    with pytest.raises(Unauthenticated) as error:
        await verifier.caller(bearing(token))
    told = "".join(traceback.format_exception_only(error.value))
    assert not any(part in told for part in token.split(".") if part)
    assert error.value.__suppress_context__ or error.value.__context__ is None
    return str(error.value)
