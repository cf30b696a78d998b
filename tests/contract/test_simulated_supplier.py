"""The client over the simulated switch: its conclusion from each answer that the switch can give."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from msgspec import structs

from shared.domain.outcome import Outcome, Reason, Rejected, Unknown, Vended
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.client import MobileMart, Settings
from shared.mobilemart.simulator import (
    PLAIN,
    SCENARIOS,
    SIMULATED_CLIENT_ID,
    SIMULATED_CLIENT_SECRET,
    STANDARD,
    Behaviour,
    Effect,
    Leg,
    MemoryLedger,
    Scenario,
    Service,
    Simulator,
    SwitchFault,
    Told,
    product_id,
)
from shared.mobilemart.simulator.services import PREVENDED
from shared.ports.credentials import Credentials
from tests.deliveries import DELIVERIES, Delivery
from tests.sales import vending

NOON = datetime(2026, 5, 1, 10, tzinfo=UTC)
REQUEST_ID = "3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f"


async def _credentials(_refused: bool) -> Credentials:
    return Credentials(SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET)


@asynccontextmanager
async def client(
    simulator: Simulator,
    base_url: str = "https://fulcrumswitch.com",
    *,
    utility_product_id: str | None = None,
    now: Callable[[], datetime] = lambda: NOON,
    timeout_seconds: float = 60,
) -> AsyncIterator[MobileMart]:
    settings = Settings(base_url=base_url, mode=Mode.SIMULATED, utility_product_id=utility_product_id, timeout_seconds=timeout_seconds)
    supplier = MobileMart(httpx.ASGITransport(simulator), settings, _credentials, now)
    try:
        yield supplier
    finally:
        await supplier.aclose()


def named(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


def switch(behaviour: Behaviour = STANDARD) -> Simulator:
    return Simulator(MemoryLedger(), behaviour=behaviour, now=lambda: NOON)


async def sold(supplier: MobileMart, order: Order) -> Outcome:
    """Return the outcome of one purchase without a prevend."""
    assert await supplier.ready() is None
    return (await supplier.vend(order, None, REQUEST_ID, 5)).outcome


async def played(supplier: MobileMart, scenario: Scenario, service: Service) -> Outcome:
    """Return the outcome of a scenario, with its prevend."""
    order, prevend_id = scenario.order(service), None
    if service in PREVENDED:
        confirmed = await supplier.prevend(order, "f0000000-0000-4000-8000-000000000000")
        if isinstance(confirmed, Rejected):
            return confirmed
        prevend_id = confirmed.supplier_prevend_id
    assert await supplier.ready() is None
    return (await supplier.vend(order, prevend_id, REQUEST_ID, 5)).outcome


def everything() -> list[object]:
    return [pytest.param(each, service, id=f"{each.name}-{service}") for each in SCENARIOS for service in sorted(each.services)]


@pytest.mark.parametrize(("scenario", "service"), everything())
async def test_the_client_concludes_from_each_scenario_what_its_row_says(scenario: Scenario, service: Service) -> None:
    simulator = switch(Behaviour(slow_seconds=0.01))
    async with client(simulator, timeout_seconds=0.2 if scenario.faults else 5) as supplier:
        outcome = await played(supplier, scenario, service)

    concluded = {
        Told.OUTCOME: {True: (Vended,), False: (Rejected,)},
        Told.UNREADABLE: {True: (Vended, Unknown)},
        Told.NOTHING: {True: (Unknown,), False: (Unknown,)},
    }
    assert isinstance(outcome, concluded[scenario.told][scenario.vends])
    assert len(await simulator.vends()) == scenario.vends


@pytest.mark.parametrize("name", [each.name for each in SCENARIOS if 80 <= each.number < 90 and each.told is Told.NOTHING])
async def test_a_2xx_of_no_or_not_yet_or_of_another_sale_is_an_indication_of_a_vend(name: str) -> None:
    scenario = named(name)
    for service in sorted(scenario.services):
        async with client(switch()) as supplier:
            outcome = await played(supplier, scenario, service)

        assert isinstance(outcome, Unknown) and outcome.sign_of_vend, service


@pytest.mark.parametrize(("name", "delivery"), DELIVERIES.items())
async def test_goods_are_read_as_they_were_sold(name: str, delivery: Delivery) -> None:
    simulator = switch()
    async with client(simulator) as supplier:
        outcome = await played(supplier, named(name), Service.UTILITY)

    [vend] = await simulator.vends()
    assert isinstance(outcome, Vended)
    tokens = outcome.receipt.tokens
    assert (tuple(token.kind for token in tokens), outcome.receipt.tokens_due) == delivery
    if delivery.due == "delivered":
        assert [token.number for token in tokens] == [token.number for token in vend.tokens]


@pytest.mark.parametrize("name", ["processing-202", "processing-200", "another-recipient", "another-request", "says-unsuccessful"])
async def test_a_reprint_ends_the_doubt_once_the_sale_is_carried_out(name: str) -> None:
    at = NOON
    simulator = Simulator(MemoryLedger(), now=lambda: at)
    scenario = named(name)
    async with client(simulator, now=lambda: at) as supplier:
        await played(supplier, scenario, Service.UTILITY)
        sale = structs.replace(vending(order=scenario.order(Service.UTILITY)), request_id=REQUEST_ID)
        early = (await supplier.reprint(sale)).result
        at = NOON + timedelta(seconds=10)
        later = (await supplier.reprint(sale)).result

    [vend] = await simulator.vends()
    assert isinstance(later, Vended)
    assert later.receipt.supplier_transaction_id == vend.transaction_id
    assert [token.number for token in later.receipt.tokens] == [token.number for token in vend.tokens]
    assert isinstance(early, Vended) == (scenario.pending is None)


@pytest.mark.parametrize("name", ["processing-for-ever-202", "processing-for-ever-200"])
async def test_a_reprint_never_calls_vended_what_is_processed_for_ever(name: str) -> None:
    at = NOON
    async with client(Simulator(MemoryLedger(), now=lambda: at), now=lambda: at) as supplier:
        await played(supplier, named(name), Service.UTILITY)
        sale = structs.replace(vending(order=named(name).order(Service.UTILITY)), request_id=REQUEST_ID)
        at = NOON + timedelta(minutes=60)
        outcome = (await supplier.reprint(sale)).result

    assert not isinstance(outcome, Vended)


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


class TestConfiguredProduct:
    """A configured product that the list no longer has: one error is logged for each list that lacks it."""

    MESSAGE = "configured product not listed"
    ELECTRICITY = product_id(Service.UTILITY, 0)

    async def test_a_listed_product_is_not_reported(self, caplog: pytest.LogCaptureFixture) -> None:
        async with client(switch(), utility_product_id=self.ELECTRICITY) as supplier:
            for vas_type in VasType:
                await supplier.products(vas_type)

        assert self._said(caplog) == 0

    async def test_without_a_configured_product_none_is_reported_missing(self, caplog: pytest.LogCaptureFixture) -> None:
        simulator = switch()
        simulator.script(SwitchFault(Effect.PRODUCTS_RENAMED, on=Leg.LIST, times=None))
        async with client(simulator) as supplier:
            [product] = await self._listed(supplier)

        assert (product == self.ELECTRICITY, self._said(caplog)) == (False, 0)

    async def test_a_missing_product_is_logged_with_each_refresh_and_not_with_each_read(self, caplog: pytest.LogCaptureFixture) -> None:
        simulator, at = switch(), NOON
        async with client(simulator, utility_product_id=self.ELECTRICITY, now=lambda: at) as supplier:
            assert await self._listed(supplier) == [self.ELECTRICITY]
            simulator.script(SwitchFault(Effect.PRODUCTS_RENAMED, on=Leg.LIST, times=None))
            told = []
            for minutes in (1, 16, 17, 18, 32, 33):
                at = NOON + timedelta(minutes=minutes)
                listed = await self._listed(supplier)
                told.append((listed == [self.ELECTRICITY], self._said(caplog)))

        assert told == [(True, 0), (False, 1), (False, 1), (False, 1), (False, 2), (False, 2)]
        assert {record.levelname for record in caplog.records if record.message == self.MESSAGE} == {"ERROR"}

    async def test_an_unchanged_list_without_the_product_is_logged_again(self, caplog: pytest.LogCaptureFixture) -> None:
        at = NOON
        async with client(switch(), utility_product_id="SimUtilityGone000000", now=lambda: at) as supplier:
            for refresh in range(3):
                at = NOON + refresh * timedelta(minutes=16)
                await supplier.products(VasType.UTILITY)
                assert self._said(caplog) == refresh + 1

    async def test_a_list_that_does_not_arrive_reports_no_missing_product(self, caplog: pytest.LogCaptureFixture) -> None:
        simulator = switch()
        simulator.script(SwitchFault(Effect.FAILED_BEFORE, on=Leg.LIST))
        async with client(simulator, utility_product_id="SimUtilityGone000000") as supplier:
            assert isinstance(await supplier.products(VasType.UTILITY), Rejected)

        assert self._said(caplog) == 0

    def _said(self, caplog: pytest.LogCaptureFixture) -> int:
        return sum(record.message == self.MESSAGE for record in caplog.records)

    @staticmethod
    async def _listed(supplier: MobileMart) -> list[str]:
        listed = await supplier.products(VasType.UTILITY)
        assert not isinstance(listed, Rejected)
        return [product.merchant_product_id for product in listed]
