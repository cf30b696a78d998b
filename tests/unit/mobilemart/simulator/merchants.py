"""Merchants of a simulated switch, with a clock of their own."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from shared.mobilemart.simulator import (
    SCENARIOS,
    STANDARD,
    Behaviour,
    Ledger,
    MemoryLedger,
    Scenario,
    Simulator,
    SwitchFault,
)
from tests.stand_ins.merchant import Merchant

NOON = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


@dataclass
class StrictLedger:
    """A ledger that accepts only what the port promises to accept."""

    kept: MemoryLedger = field(default_factory=MemoryLedger)

    async def get(self, key: str) -> dict[str, Any] | None:
        return await self.kept.get(_legal(key))

    async def add(self, key: str, value: dict[str, Any]) -> bool:
        await asyncio.sleep(0)  # other calls may interleave, as over a network
        return await self.kept.add(_legal(key), json.loads(json.dumps(value)))

    async def put(self, key: str, value: dict[str, Any]) -> None:
        await self.kept.put(_legal(key), json.loads(json.dumps(value)))

    async def starting_with(self, prefix: str) -> list[dict[str, Any]]:
        return await self.kept.starting_with(_legal(prefix))


def _legal(key: str) -> str:
    assert re.fullmatch(r"[A-Za-z0-9:_.-]{1,200}", key)
    return key


@asynccontextmanager
async def merchant_at(simulator: Simulator, *, logged_in: bool = True, host: str = "simulator") -> AsyncIterator[Merchant]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator), base_url=f"http://{host}") as http:
        merchant = Merchant(http)
        if logged_in:
            await merchant.log_in()
        yield merchant


def simulator(
    behaviour: Behaviour = STANDARD,
    *,
    ledger: Ledger | None = None,
    faults: tuple[SwitchFault, ...] = (),
    now: Callable[[], datetime] | None = None,
) -> Simulator:
    return Simulator(ledger or StrictLedger(), behaviour=behaviour, faults=faults, now=now or Clock())


def named(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)
