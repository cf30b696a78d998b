"""The simulated switch sells each request at most once, reprints what it sold, and plays scripted faults."""

import asyncio
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import Money
from shared.mobilemart.simulator import (
    PLAIN,
    Behaviour,
    Effect,
    Service,
    SwitchFault,
)
from tests.stand_ins.merchant import PURCHASE_PATHS, abandoned, exactly
from tests.unit.mobilemart.simulator.merchants import NOON, Clock, StrictLedger, merchant_at, named, simulator


class TestSales:
    @pytest.mark.parametrize("service", Service)
    async def test_each_service_sells_and_says_what(self, service: Service) -> None:
        switch = simulator()
        async with merchant_at(switch) as merchant:
            answer = await merchant.play(PLAIN, service, "our-request")

        body, [vend] = exactly(answer), await switch.vends()
        details = body.get("additionalDetails", {})
        assert answer.status_code == 200
        assert body["simulated"] is True
        assert (vend.request_id, vend.transaction_id, vend.at) == ("our-request", body["transactionId"], NOON)
        assert (vend.vas_type, vend.amount_cents, vend.tender_type) == (service.vas_type, 10_000, "CreditCard")
        assert Decimal(details["productAmount"] if details else body["amount"]) == 100
        assert body["timestamp"] == "2026-05-01T12:00:00.000+02:00"

    async def test_nothing_that_is_delivered_could_be_real(self) -> None:
        async with merchant_at(simulator()) as merchant:
            electricity = exactly(await merchant.play(named("key-change-and-free"), Service.UTILITY))["additionalDetails"]
            voucher = exactly(await merchant.play(PLAIN, Service.VOUCHER))["additionalDetails"]

        tokens = [token["token"] for token in electricity["tokens"]]
        assert all(re.fullmatch("0{12}[0-9]{8}", token) for token in tokens)
        assert len(set(tokens)) == 4
        assert re.fullmatch("0{8}[0-9]{8}", voucher["pin"])
        assert re.fullmatch("0{12}[0-9]{8}", voucher["serialNumber"])

    async def test_the_same_request_delivers_the_same_from_any_simulator(self) -> None:
        answers = []
        for _ in range(2):
            async with merchant_at(simulator()) as merchant:
                answers.append((await merchant.play(PLAIN, Service.UTILITY, "our-request")).content)

        assert answers[0] == answers[1]

    @pytest.mark.parametrize(("rand", "units"), [(30, "7.3"), (100, "29.7"), (200, "59.3"), (1, "0.2")])
    async def test_units_are_those_seen_in_production(self, rand: int, units: str) -> None:
        meter = PLAIN.order(Service.UTILITY)
        async with merchant_at(simulator()) as merchant:
            query = {"meterNumber": meter.meter_number, "merchantProductId": meter.merchant_product_id, "requestId": "a", "amount": rand}
            prevend = await merchant.http.get("/v1/utility/prevend", params={name: str(value) for name, value in query.items()})
            answer = await merchant.purchase(Service.UTILITY, meter, prevend_id=prevend.json()["transactionId"])

        assert exactly(answer)["additionalDetails"]["units"] == Decimal(units)

    @given(cents=st.integers(200, 500_000))
    async def test_an_amount_comes_back_to_the_cent(self, cents: int) -> None:
        amount = f'"amount":{Money(cents).rand}'
        named = '"requestId":"r","merchantProductId":"SimAirtime0000000000","tenderType":"CreditCard","mobileNumber":"27720012345"'
        body = f"{{{named},{amount}}}"
        switch = simulator()
        async with merchant_at(switch) as merchant:
            answer = await merchant.http.post("/v1/airtime/pinless", content=body)

        assert exactly(answer)["amount"] == Money(cents).rand
        assert [vend.amount_cents for vend in await switch.vends()] == [cents]

    async def test_an_unmarked_switch_never_says_that_it_is_simulated(self) -> None:
        async with merchant_at(simulator(Behaviour(marked=False)), logged_in=False) as merchant:
            answers = [await merchant.log_in(), await merchant.play(PLAIN, Service.VOUCHER), await merchant.http.get("/")]

        assert all("x-simulated" not in answer.headers and b'"simulated":' not in answer.content for answer in answers)


class TestAtMostOnce:
    async def test_a_prevend_is_good_for_one_purchase_however_many_race(self) -> None:
        order = PLAIN.order(Service.UTILITY)
        switch = simulator()
        async with merchant_at(switch) as merchant:
            prevend_id = (await merchant.prevend(Service.UTILITY, order)).json()["transactionId"]
            answers = await asyncio.gather(*(merchant.purchase(Service.UTILITY, order, prevend_id=prevend_id) for _ in range(20)))

        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
        assert len(await switch.vends()) == 1

    async def test_a_prevend_is_good_for_many_where_the_switch_allows_it(self) -> None:
        order = PLAIN.order(Service.UTILITY)
        switch = simulator(Behaviour(prevend_used_once=False))
        async with merchant_at(switch) as merchant:
            prevend_id = (await merchant.prevend(Service.UTILITY, order)).json()["transactionId"]
            for _ in range(2):
                await merchant.purchase(Service.UTILITY, order, prevend_id=prevend_id)

        assert len(await switch.vends()) == 2

    async def test_a_prevend_expires(self) -> None:
        clock = Clock()
        order = PLAIN.order(Service.UTILITY)
        async with merchant_at(simulator(Behaviour(prevend_valid_seconds=60), now=clock)) as merchant:
            prevend_id = (await merchant.prevend(Service.UTILITY, order)).json()["transactionId"]
            clock.at += timedelta(seconds=60)
            answer = await merchant.purchase(Service.UTILITY, order, prevend_id=prevend_id)

        assert answer.json()["fulcrumErrorCode"] == 1003

    @pytest.mark.parametrize("service", [Service.UTILITY, Service.VOUCHER])
    async def test_a_repeated_request_id_is_rejected(self, service: Service) -> None:
        first, again, vends = await _repeated(Behaviour(repeated_request_id="reject"), service)

        assert (first.status_code, again.status_code, again.json()["fulcrumErrorCode"]) == (200, 400, 1010)
        assert vends == 1

    @pytest.mark.parametrize("service", [Service.UTILITY, Service.VOUCHER])
    async def test_a_repeated_request_id_is_replayed(self, service: Service) -> None:
        first, again, vends = await _repeated(Behaviour(repeated_request_id="replay"), service)

        assert first.content == again.content
        assert vends == 1

    @pytest.mark.parametrize("service", [Service.UTILITY, Service.VOUCHER])
    async def test_a_repeated_request_id_vends_again(self, service: Service) -> None:
        first, again, vends = await _repeated(Behaviour(repeated_request_id="vend_again"), service)

        assert (first.status_code, again.status_code) == (200, 200)
        assert first.json()["transactionId"] != again.json()["transactionId"]
        assert vends == 2

    @pytest.mark.parametrize(("behaviour", "answered"), [("reject", 1), ("replay", 20)])
    async def test_one_of_many_concurrent_requests_with_one_id_vends(self, behaviour: Any, answered: int) -> None:
        ledger = StrictLedger()
        order = PLAIN.order(Service.VOUCHER)
        here, there = (simulator(Behaviour(repeated_request_id=behaviour), ledger=ledger) for _ in range(2))
        async with merchant_at(here) as one, merchant_at(there) as other:
            calls = [merchant.purchase(Service.VOUCHER, order, request_id="same") for merchant in (one, other) for _ in range(10)]
            answers = await asyncio.gather(*calls)

        assert sum(answer.is_success for answer in answers) == answered
        assert len(await here.vends()) == 1

    async def test_simulators_that_share_a_ledger_are_one_supplier(self) -> None:
        ledger = StrictLedger()
        order = PLAIN.order(Service.BILL_PAYMENT)
        async with merchant_at(simulator(ledger=ledger)) as one, merchant_at(simulator(ledger=ledger)) as other:
            prevend_id = (await one.prevend(Service.BILL_PAYMENT, order)).json()["transactionId"]
            bought = await other.purchase(Service.BILL_PAYMENT, order, prevend_id=prevend_id, request_id="ours")
            shown = await one.reprint(Service.BILL_PAYMENT, requestId="ours")

        assert bought.status_code == 200
        assert shown.content == bought.content


async def _repeated(behaviour: Behaviour, service: Service) -> tuple[httpx.Response, httpx.Response, int]:
    order = PLAIN.order(service)
    switch = simulator(behaviour)
    async with merchant_at(switch) as merchant:
        prevend_id = (await merchant.prevend(service, order)).json()["transactionId"] if service is Service.UTILITY else None
        first, again = [await merchant.purchase(service, order, request_id="same", prevend_id=prevend_id) for _ in range(2)]
    return first, again, len(await switch.vends())


class TestReprints:
    @pytest.mark.parametrize(
        ("reprint_by", "by_request", "by_transaction"),
        [("request_id", None, 1010), ("transaction_id", 1010, None), ("both", None, None), ("none", 1003, 1003)],
    )
    async def test_a_reprint_finds_a_sale_by_what_the_switch_looks_it_up_by(
        self, reprint_by: Any, by_request: int | None, by_transaction: int | None
    ) -> None:
        async with merchant_at(simulator(Behaviour(reprint_by=reprint_by))) as merchant:
            sold = await merchant.play(PLAIN, Service.UTILITY, "ours")
            shown = await merchant.reprint(Service.UTILITY, RequestID="ours")
            shown_too = await merchant.reprint(Service.UTILITY, transactionId=sold.json()["transactionId"])

        assert [answer.json().get("fulcrumErrorCode") for answer in (shown, shown_too)] == [by_request, by_transaction]
        assert all(answer.content == sold.content for answer in (shown, shown_too) if answer.is_success)

    async def test_a_reprint_of_what_was_never_sold_or_of_another_service_finds_nothing(self) -> None:
        async with merchant_at(simulator()) as merchant:
            await merchant.play(PLAIN, Service.VOUCHER, "ours")
            answers = [
                await merchant.reprint(Service.VOUCHER, requestId="another"),
                await merchant.reprint(Service.UTILITY, requestId="ours"),
            ]

        assert [answer.json()["fulcrumErrorCode"] for answer in answers] == [1003, 1003]

    @pytest.mark.parametrize(
        ("behaviour", "name", "seconds"),
        [(Behaviour(reprint_lag_seconds=30), "reply-lost", 30), (Behaviour(), "reprint-lags", 120), (Behaviour(), "vends-late", 90)],
    )
    async def test_a_reprint_may_find_a_sale_only_later(self, behaviour: Behaviour, name: str, seconds: int) -> None:
        clock = Clock()
        switch = simulator(behaviour, now=clock)
        async with merchant_at(switch) as merchant:
            await abandoned(merchant.play(named(name), Service.DATA_PINLESS, "ours"), switch)
            clock.at += timedelta(seconds=seconds - 1)
            early = await merchant.reprint(Service.DATA_PINLESS, requestId="ours")
            clock.at += timedelta(seconds=1)
            shown = await merchant.reprint(Service.DATA_PINLESS, requestId="ours")

        assert early.json()["fulcrumErrorCode"] == 1003
        assert shown.status_code == 200


class TestScript:
    async def test_a_fault_strikes_as_often_as_it_says_and_where_it_says(self) -> None:
        faults = (SwitchFault(Effect.RATE_LIMITED, on="/v1/voucher/purchase", times=2),)
        order = PLAIN.order(Service.VOUCHER)
        async with merchant_at(simulator(faults=faults)) as merchant:
            other = await merchant.play(PLAIN, Service.DATA_PINNED)
            answers = [await merchant.purchase(Service.VOUCHER, order) for _ in range(3)]

        assert other.status_code == 200
        assert [answer.status_code for answer in answers] == [429, 429, 200]

    async def test_a_fault_for_every_call_never_ends(self) -> None:
        async with merchant_at(simulator(faults=(SwitchFault(Effect.WRONG_HOST, on=None, times=None),)), logged_in=False) as merchant:
            answers = [
                await merchant.http.post("/connect/token"),
                await merchant.http.get("/v1/utility/products"),
                await merchant.http.get("/"),
            ]

        assert {(answer.status_code, answer.headers["content-type"], answer.content) for answer in answers} == {(200, "text/html", b"")}

    async def test_a_script_can_grow_and_strikes_before_the_scenario(self) -> None:
        switch = simulator()
        async with merchant_at(switch) as merchant:
            switch.script(SwitchFault(Effect.REFUSED, code=1002))
            first = await merchant.play(named("rate-limited"), Service.VOUCHER)
            second = await merchant.play(named("rate-limited"), Service.VOUCHER)

        assert (first.json()["fulcrumErrorCode"], second.status_code) == (1002, 429)

    @pytest.mark.parametrize("service", Service)
    async def test_any_purchase_can_lose_its_reply_and_has_vended(self, service: Service) -> None:
        switch = simulator(faults=(SwitchFault(Effect.REPLY_LOST, on=PURCHASE_PATHS[service]),))
        async with merchant_at(switch) as merchant:
            with pytest.raises(httpx.RemoteProtocolError):
                await merchant.play(PLAIN, service)

        assert len(await switch.vends()) == 1
