"""The supplier's client over a socket, and sales by it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
from msgspec.structs import replace

from shared.domain.money import Money
from shared.domain.outcome import (
    Answer,
    Rejected,
)
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.client import MobileMart, Settings
from shared.mobilemart.http_exchange import live_transport
from shared.ports.credentials import Credentials, GetCredentials
from tests.stand_ins.switch_on_a_socket import (
    SOLD,
    Behave,
    Switch,
    http,
    says,
)

AIRTIME = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", mobile_number="27821234567")
ELECTRICITY = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="ELEC", meter_number="12345678901")
REQUEST_ID = "3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f"
SELLS = says(http(200, SOLD))


class Clock:
    """Aware UTC, moved by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_seconds(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Vault:
    """The credentials; counts how often and how they were read. No reading after `hangs_after` returns."""

    def __init__(self, *secrets: str, hangs_after: asyncio.Event | None = None) -> None:
        self.secrets = list(secrets) or ["secret"]
        self.reads: list[bool] = []
        self.hangs_after = hangs_after

    async def __call__(self, fresh: bool) -> Credentials:
        self.reads.append(fresh)
        if self.hangs_after is not None and self.hangs_after.is_set():
            await asyncio.Event().wait()
        return Credentials("our-id", self.secrets.pop(0) if len(self.secrets) > 1 else self.secrets[0])


@asynccontextmanager
async def client(
    base_url: str,
    *,
    vault: GetCredentials | None = None,
    now: Callable[[], datetime] | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    **settings: object,
) -> AsyncIterator[MobileMart]:
    chosen = replace(Settings(base_url=base_url, mode=Mode.LIVE, connect_timeout_seconds=2, timeout_seconds=2), **settings)  # type: ignore[arg-type]
    supplier = MobileMart(transport or live_transport(), chosen, vault or Vault(), now or Clock())
    try:
        yield supplier
    finally:
        await supplier.aclose()


async def sell(supplier: MobileMart, order: Order = AIRTIME) -> Answer:
    assert await supplier.ready() is None
    return await supplier.vend(order, None, REQUEST_ID, 5)


async def sold_by(behave: Behave, **settings: object) -> tuple[Answer, Switch]:
    async with Switch(behave) as switch, client(switch.url, **settings) as supplier:  # type: ignore[arg-type]
        return await sell(supplier), switch


WHOLE = http(200, SOLD)


def not_taken(answer: Answer) -> bool:
    return isinstance(answer.outcome, Rejected) and answer.outcome.not_taken and answer.raw is None


def made(kind: type[Exception]) -> Exception:
    """Make an instance, for any constructor."""
    error = kind.__new__(kind)
    error.args = ("made by a test",)
    return error
