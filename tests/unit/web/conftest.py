"""Fixtures that several files of this room share."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.web.oidc import (
    Verifier,
)
from shared.web.settings import Oidc
from tests.unit.web.issuer import (
    AUDIENCE,
    ISSUER,
    Clock,
    Issuer,
)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    async with await asyncio.start_server(issuer.answer, "127.0.0.1", 0) as server:
        issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
        yield issuer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=False) as client:
        yield client


@pytest.fixture
def verifier(issuer: Issuer, http: httpx.AsyncClient, clock: Clock) -> Verifier:
    return Verifier(Oidc(ISSUER, AUDIENCE, issuer.url, scope=None), http, clock)
