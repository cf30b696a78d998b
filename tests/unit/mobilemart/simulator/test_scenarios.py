"""Every scenario does what its row in the table states, under each of its services; the documentation lists all."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec import structs

from shared.domain.money import Money
from shared.domain.vas import ACCOUNT_NUMBER, METER_NUMBER, MOBILE_NUMBER
from shared.mobilemart.simulator import (
    PLAIN,
    SCENARIOS,
    Behaviour,
    Effect,
    Leg,
    MemoryLedger,
    Scenario,
    Service,
    Simulator,
    SwitchFault,
    Told,
    Vend,
)
from shared.mobilemart.simulator.deliverables import TokenShape
from shared.mobilemart.simulator.faults import IDLE
from tests.root import ROOT
from tests.stand_ins.merchant import Merchant, abandoned, exactly
from tests.unit.mobilemart.simulator.scenes import NOON, Switch, named

MAX_DEADLINE_SECONDS = 60.0
NEVER_ANSWERED = ("silent", "vends-late")
NO_PROOF = (1003, 1099)
DOCUMENTATION = ROOT / "docs" / "simulated-mode.md"


def _played(*, vended_only: bool = False) -> list[Any]:
    """Every scenario under each of its services, as parameters of a test."""
    chosen = (scenario for scenario in SCENARIOS if scenario.vends or not vended_only)
    return [
        pytest.param(scenario, service, id=f"{scenario.name}-{service}") for scenario in chosen for service in sorted(scenario.services)
    ]


@pytest.mark.parametrize(("scenario", "service"), _played())
async def test_a_scenario_vends_and_tells_as_its_row_says(switch: Switch, scenario: Scenario, service: Service) -> None:
    async with switch.merchant() as merchant:
        answer = await _heard(switch, merchant, scenario, service)

    vends = await switch.simulator.vends()
    assert len(vends) == (1 if scenario.vends else 0)
    match scenario.told:
        case Told.OUTCOME:
            assert _outcome(answer, vends) == ("vended" if scenario.vends else "refused")
        case Told.NOTHING:
            assert _outcome(answer, vends) is None
        case Told.UNREADABLE:
            assert answer is not None and answer.status_code == 200


async def _heard(switch: Switch, merchant: Merchant, scenario: Scenario, service: Service) -> httpx.Response | None:
    """Return the answer to the scenario's step, as a client with a deadline receives it."""
    if scenario.name in NEVER_ANSWERED:
        await abandoned(merchant.play(scenario, service, "ours"), switch.simulator)
        return None
    try:
        response = await merchant.play(scenario, service, "ours")
    except httpx.RemoteProtocolError:
        return None
    return response if switch.paused_seconds < MAX_DEADLINE_SECONDS else None


def _outcome(response: httpx.Response | None, vends: list[Vend]) -> str | None:
    """Return what an answer proves, beside the database: `vended`, `refused`, or nothing."""
    if response is None or response.headers.get("content-type") == "text/html":
        return "refused" if response is not None and response.status_code == 502 and "prevend" in str(response.url) else None
    if response.status_code in (401, 429):
        return "refused"
    try:
        body = response.json()
    except ValueError:
        return None
    if response.is_success:
        says_no = "status" in body or body.get("success") is False
        return "vended" if body.get("transactionId") in {vend.transaction_id for vend in vends} and not says_no else None
    return "refused" if response.status_code == 400 and body["fulcrumErrorCode"] not in NO_PROOF else None


@pytest.mark.parametrize(("scenario", "service"), _played(vended_only=True))
async def test_a_reprint_shows_what_a_scenario_vended_or_its_row_says_otherwise(
    switch: Switch, scenario: Scenario, service: Service
) -> None:
    async with switch.merchant() as merchant:
        await _heard(switch, merchant, scenario, service)
        later = Simulator(switch.ledger, now=lambda: datetime(2026, 5, 1, 11, 0, tzinfo=UTC))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(later), base_url="http://simulator", headers=merchant.http.headers
        ) as http:
            shown = await Merchant(http).reprint(service, requestId="ours")

    [vend] = await switch.simulator.vends()
    amounts = re.findall(r"\"(?:amount|productAmount)\":\"?([0-9.]+)", shown.text)
    as_it_was = shown.is_success and shown.json()["transactionId"] == vend.transaction_id and f"{vend.amount_cents / 100:.2f}" in amounts
    assert as_it_was == (scenario.fault(Leg.REPRINT) is None)
    assert all(token.number in shown.text for token in vend.tokens) == shown.is_success or not vend.tokens


def test_there_are_many_scenarios_each_with_its_own_number_name_and_keys() -> None:
    keys = [(service, scenario.key(service)) for scenario in SCENARIOS for service in scenario.services]

    assert len(SCENARIOS) >= 30
    assert len({scenario.number for scenario in SCENARIOS}) == len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(("scenario", "service"), _played())
def test_the_key_of_a_scenario_is_a_valid_recipient_or_product(scenario: Scenario, service: Service) -> None:
    form = {
        Service.UTILITY: METER_NUMBER,
        Service.BILL_PAYMENT: ACCOUNT_NUMBER,
        Service.AIRTIME_PINLESS: MOBILE_NUMBER,
        Service.DATA_PINLESS: MOBILE_NUMBER,
    }.get(service, re.compile("[A-Za-z0-9]{20}"))

    assert form.fullmatch(scenario.key(service))


@pytest.mark.parametrize("meter", ["12345678901", "99000000099", "9900000004000", "01234567840"])
async def test_any_other_meter_is_plain(switch: Switch, meter: str) -> None:
    query = {"meterNumber": meter, "merchantProductId": "SimUtility0000000000", "requestId": "a", "amount": "100"}
    async with switch.merchant() as merchant:
        prevend = (await merchant.http.get("/v1/utility/prevend", params=query)).json()
        answer = await merchant.purchase(Service.UTILITY, PLAIN.order(Service.UTILITY), prevend_id=prevend["transactionId"])

    assert len(answer.json()["additionalDetails"]["tokens"]) == 1


@pytest.mark.parametrize("service", sorted(named("another-recipient").services))
async def test_an_answer_can_be_that_of_another_sale(switch: Switch, service: Service) -> None:
    async with switch.merchant() as merchant:
        body = exactly(await merchant.play(named("another-recipient"), service, "ours"))
        other_request = exactly(await merchant.play(named("another-request"), service, "another-of-ours"))

    vends = await switch.simulator.vends()
    assert {body["transactionId"], other_request["transactionId"]}.isdisjoint(vend.transaction_id for vend in vends)
    assert not any((vend.recipient or "") in json.dumps(body, default=str) for vend in vends)
    assert not any(token.number in json.dumps(body, default=str) for token in vends[0].tokens)
    assert other_request["requestId"] not in ("ours", "another-of-ours")


ANSWER_EFFECTS = [effect for effect in Effect if effect not in (*IDLE, Effect.SILENT, Effect.VENDS_LATE, Effect.REPLY_LOST)]


@pytest.mark.parametrize("effect", ANSWER_EFFECTS)
async def test_a_script_may_spoil_the_answer_of_any_scenario(effect: Effect) -> None:
    shapes = [each for each in SCENARIOS if each.goods.token_shape is not TokenShape.TOKEN or each.pending or each.number == 0]
    for scenario in shapes:
        for service in sorted(scenario.services):
            switch = Switch()
            async with switch.merchant() as merchant:
                switch.simulator.script(SwitchFault(effect))
                answer = await merchant.play(scenario, service)

            assert answer.status_code in (200, 202, 502), (scenario.name, service)


@pytest.mark.parametrize(
    ("name", "status", "meanwhile"),
    [("processing-202", 202, "PROCESSING"), ("processing-200", 200, 1003)],
)
@pytest.mark.parametrize("service", Service)
async def test_a_sale_in_processing_is_carried_out_later(name: str, status: int, meanwhile: object, service: Service) -> None:
    at = NOON
    simulator = Simulator(MemoryLedger(), now=lambda: at)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator), base_url="http://simulator") as http:
        merchant = Merchant(http)
        await merchant.log_in()
        answer = await merchant.play(named(name), service, "ours")
        at = NOON + timedelta(seconds=9)
        early = await merchant.reprint(service, requestId="ours")
        at = NOON + timedelta(seconds=10)
        shown = await merchant.reprint(service, requestId="ours")

    [vend] = await simulator.vends()
    assert (answer.status_code, answer.json()["status"]) == (status, "PROCESSING")
    assert vend.at == at
    assert early.json().get("status" if meanwhile == "PROCESSING" else "fulcrumErrorCode") == meanwhile
    assert answer.json()["transactionId"] == shown.json()["transactionId"] == vend.transaction_id
    assert "status" not in shown.json()


@pytest.mark.parametrize(
    ("name", "status", "meanwhile"),
    [("processing-for-ever-202", 202, 1003), ("processing-for-ever-200", 200, "PROCESSING")],
)
async def test_a_sale_in_processing_may_never_be_carried_out(name: str, status: int, meanwhile: object) -> None:
    ledger = MemoryLedger()
    today, next_year = (Simulator(ledger, now=lambda at=at: at) for at in (NOON, NOON + timedelta(days=365)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(today), base_url="http://simulator") as http:
        merchant = Merchant(http)
        await merchant.log_in()
        answer = await merchant.play(named(name), Service.UTILITY, "ours")
        again = await merchant.play(named(name), Service.UTILITY, "ours")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(next_year), base_url="http://simulator") as http:
        merchant = Merchant(http)
        await merchant.log_in()
        shown = await merchant.reprint(Service.UTILITY, requestId="ours")
        another = await merchant.reprint(Service.VOUCHER, requestId="ours")

    assert (answer.status_code, answer.json()["status"], again.json()) == (status, "PROCESSING", answer.json())
    assert shown.json().get("status" if meanwhile == "PROCESSING" else "fulcrumErrorCode") == meanwhile
    assert another.json()["fulcrumErrorCode"] == 1003
    assert await next_year.vends() == []


async def test_a_switch_that_looks_up_by_its_own_id_hides_sales_it_never_carried_out() -> None:
    simulator = Simulator(MemoryLedger(), behaviour=Behaviour(reprint_by="transaction_id"), now=lambda: NOON)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(simulator), base_url="http://simulator") as http:
        merchant = Merchant(http)
        await merchant.log_in()
        answer = await merchant.play(named("processing-for-ever-200"), Service.UTILITY, "ours")
        shown = await merchant.reprint(Service.UTILITY, transactionId=answer.json()["transactionId"])

    assert shown.json()["fulcrumErrorCode"] == 1003


async def test_a_blocked_meter_differs_from_an_unknown_one_by_its_text(switch: Switch) -> None:
    async with switch.merchant() as merchant:
        blocked = await merchant.play(named("blocked-meter"), Service.UTILITY)
        unknown = await merchant.play(named("unknown"), Service.UTILITY)

    assert blocked.json()["fulcrumErrorCode"] == unknown.json()["fulcrumErrorCode"] == 1016
    assert (blocked.json()["detail"], unknown.json()["detail"] != blocked.json()["detail"]) == ("Meter is blocked.", True)


@pytest.mark.parametrize(("cents", "code"), [(100_000, None), (100_001, 1001)])
async def test_a_meter_can_have_a_maximum(switch: Switch, cents: int, code: int | None) -> None:
    order = structs.replace(named("above-maximum").order(Service.UTILITY), amount=Money(cents))
    async with switch.merchant() as merchant:
        answer = await merchant.purchase(Service.UTILITY, order)

    assert answer.json().get("fulcrumErrorCode") == code


async def test_a_product_that_is_gone_is_on_no_list_and_is_refused(switch: Switch) -> None:
    product = named("product-gone").order(Service.UTILITY).merchant_product_id
    async with switch.merchant() as merchant:
        rows = (await merchant.http.get("/v1/utility/products")).json()
        answer = await merchant.play(named("product-gone"), Service.UTILITY)

    assert product not in {row["merchantProductId"] for row in rows}
    assert answer.json()["fulcrumErrorCode"] == 1000


@pytest.mark.parametrize(("name", "minimum"), [("plain", "10.00"), ("minimum-339", "339.26"), ("minimum-untrue", "10.00")])
async def test_a_prevend_says_the_meters_minimum_even_for_less(switch: Switch, name: str, minimum: str) -> None:
    order = PLAIN.order(Service.UTILITY)
    query = {"meterNumber": named(name).key(Service.UTILITY), "merchantProductId": order.merchant_product_id or "", "requestId": "a"}
    async with switch.merchant() as merchant:
        answer = await merchant.http.get("/v1/utility/prevend", params={**query, "amount": "5"})

    assert answer.status_code == 200
    assert str(exactly(answer)["minimumPurchaseAmount"]) == minimum


@pytest.mark.parametrize(("name", "seconds"), [("slow-prevend", 35), ("late", 90), ("dripped", 90)])
async def test_a_slow_answer_takes_as_long_as_it_says(switch: Switch, name: str, seconds: int) -> None:
    async with switch.merchant() as merchant:
        await merchant.play(named(name), Service.UTILITY)

    assert switch.paused_seconds == pytest.approx(seconds, rel=0.05)


@pytest.mark.parametrize(
    ("name", "vends", "code"), [("repeat-rejected", 1, 1010), ("repeat-replayed", 1, None), ("repeat-vends-again", 2, None)]
)
async def test_a_repeat_after_a_lost_reply_does_what_the_scenario_says(switch: Switch, name: str, vends: int, code: int | None) -> None:
    order = named(name).order(Service.UTILITY)
    async with switch.merchant() as merchant:
        prevend_id = (await merchant.prevend(Service.UTILITY, order)).json()["transactionId"]
        for _ in range(2):
            with pytest.raises(httpx.RemoteProtocolError):
                await merchant.purchase(Service.UTILITY, order, prevend_id=prevend_id, request_id="same")

    assert len(await switch.simulator.vends()) == vends


def test_the_documentation_lists_the_scenarios() -> None:
    rows = [line for line in DOCUMENTATION.read_text("utf-8").splitlines() if re.match(r"\| [0-9]{2} \|", line)]

    assert rows == [_row(scenario) for scenario in SCENARIOS]


def _row(scenario: Scenario) -> str:
    services = "all" if scenario.services == frozenset(Service) else ", ".join(name for name in Service if name in scenario.services)
    vends = "yes" if scenario.vends else "no"
    return f"| {scenario.number:02d} | {scenario.name} | {scenario.says} | {services} | {vends} | {scenario.told} |"
