"""The client over the simulated switch: what it makes of each answer that the switch can give."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from shared.mobilemart.access import Credentials
from shared.mobilemart.client import MobileMart, Settings
from shared.mobilemart.simulator import (
    PLAIN,
    SIMULATED_CLIENT_ID,
    SIMULATED_CLIENT_SECRET,
    STANDARD,
    Behaviour,
    MemoryLedger,
    Service,
    Simulator,
)
from shared.outcome import Outcome, Reason, Rejected, Vended
from shared.vas import Mode, Order

NOON = datetime(2026, 5, 1, 10, tzinfo=UTC)
REQUEST_ID = "3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f"


async def _credentials(_refused: bool) -> Credentials:
    return Credentials(SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET)


@asynccontextmanager
async def client(simulator: Simulator, base_url: str = "https://fulcrumswitch.com") -> AsyncIterator[MobileMart]:
    settings = Settings(base_url=base_url, mode=Mode.SIMULATED)
    supplier = MobileMart(httpx.ASGITransport(simulator), settings, _credentials, lambda: NOON)
    try:
        yield supplier
    finally:
        await supplier.aclose()


def switch(behaviour: Behaviour = STANDARD) -> Simulator:
    return Simulator(MemoryLedger(), behaviour=behaviour, now=lambda: NOON)


async def sold(supplier: MobileMart, order: Order) -> Outcome:
    """What became of one purchase without a prevend."""
    assert await supplier.ready() is None
    return (await supplier.vend(order, None, REQUEST_ID, 5)).outcome


@pytest.mark.parametrize("service", [Service.AIRTIME_PINLESS, Service.DATA_PINLESS])
@pytest.mark.parametrize(
    ("base_url", "sent"),
    [
        ("https://fulcrumswitch.com", "27820000000"),
        ("https://conformance.fulcrumswitch.com", "27820000000"),
        ("https://uat.fulcrumswitch.com", "0820000000"),
        ("https://UAT.fulcrumswitch.com.:443/", "0820000000"),
        ("http://127.0.0.1:9000", "27820000000"),
    ],
)
async def test_each_kind_of_host_gets_the_form_of_mobile_number_that_it_takes(service: Service, base_url: str, sent: str) -> None:
    simulator = switch()
    async with client(simulator, base_url) as supplier:
        outcome = await sold(supplier, PLAIN.order(service))

    assert isinstance(outcome, Vended)
    assert [vend.recipient for vend in await simulator.vends()] == [sent]


async def test_the_other_form_of_mobile_number_is_refused_and_nothing_is_sold() -> None:
    simulator = switch(Behaviour(mobile_numbers="local"))
    async with client(simulator) as supplier:
        outcome = await sold(supplier, PLAIN.order(Service.AIRTIME_PINLESS))

    assert isinstance(outcome, Rejected)
    assert (outcome.reason, await simulator.vends()) == (Reason.MOBILE_NUMBER_REFUSED, [])
    assert "2782" not in outcome.cause
