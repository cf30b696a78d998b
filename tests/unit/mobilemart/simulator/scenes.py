"""A simulated switch without real waiting, and merchants on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx

from shared.mobilemart.simulator import SCENARIOS, MemoryLedger, Scenario, Simulator
from tests.stand_ins.merchant import Merchant

NOON = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)


class Switch:
    """A simulator whose pauses take no time and are added up."""

    def __init__(self) -> None:
        self.paused_seconds = 0.0
        self.ledger = MemoryLedger()
        self.simulator = Simulator(self.ledger, now=lambda: NOON, delay=self._pause)

    async def _pause(self, seconds: float) -> None:
        self.paused_seconds += seconds

    @asynccontextmanager
    async def merchant(self) -> AsyncIterator[Merchant]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.simulator), base_url="http://simulator") as http:
            merchant = Merchant(http)
            await merchant.log_in()
            yield merchant


def named(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)
