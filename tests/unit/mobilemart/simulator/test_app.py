"""The simulated switch speaks the supplier's wire: tokens, lists, prevends, purchases, reprints, errors."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import Money
from shared.mobilemart.error_codes import CODES
from shared.mobilemart.simulator import (
    PLAIN,
    SCENARIOS,
    STANDARD,
    Behaviour,
    Effect,
    Ledger,
    MemoryLedger,
    Scenario,
    Service,
    Simulator,
    SwitchFault,
)
from shared.mobilemart.simulator.errors import ERRORS
from tests.stand_ins.merchant import PURCHASE_PATHS, Merchant, abandoned, exactly, new_id

NOON = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


@dataclass
class StrictLedger:
    """A ledger that takes only what the port promises to take."""

    kept: MemoryLedger = field(default_factory=MemoryLedger)

    async def get(self, key: str) -> dict[str, Any] | None:
        return await self.kept.get(_legal(key))

    async def add(self, key: str, value: dict[str, Any]) -> bool:
        await asyncio.sleep(0)  # others may come in between, as over a network
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


class TestAccess:
    async def test_a_token_is_given_for_the_right_credentials(self) -> None:
        async with merchant_at(simulator(), logged_in=False) as merchant:
            answer = await merchant.log_in()

        assert answer.status_code == 200
        assert answer.json() == {
            "access_token": answer.json()["access_token"],
            "token_type": "Bearer",
            "expires_in": 7200,
            "simulated": True,
        }
        assert answer.headers["cache-control"] == "no-store"

    async def test_a_wrong_secret_is_an_invalid_client(self) -> None:
        async with merchant_at(simulator(), logged_in=False) as merchant:
            answer = await merchant.log_in("another")

        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_client"

    @pytest.mark.parametrize(
        "authorization", [None, "Bearer x", "Bearer simulated.9999999999.00", "Bearer simulated.9999999999.é", "Basic eDp5"]
    )
    async def test_a_call_without_a_good_token_is_refused_before_anything_happens(self, authorization: str | None) -> None:
        switch = simulator()
        async with merchant_at(switch, logged_in=False) as merchant:
            if authorization is not None:
                merchant.http.headers["authorization"] = authorization
            answer = await merchant.purchase(Service.VOUCHER, PLAIN.order(Service.VOUCHER))

        assert answer.status_code == 401
        assert await switch.vends() == []

    async def test_a_token_ends_after_its_lifetime(self) -> None:
        clock = Clock()
        async with merchant_at(simulator(Behaviour(access_token_seconds=60), now=clock)) as merchant:
            clock.at = NOON + timedelta(seconds=59)
            before = await merchant.http.get("/v1/utility/products")
            clock.at = NOON + timedelta(seconds=60)
            after = await merchant.http.get("/v1/utility/products")

        assert (before.status_code, after.status_code) == (200, 401)

    @pytest.mark.parametrize(("scope", "status"), [("api", 200), ("openid api", 200), (None, 401), ("", 401), ("apis", 401), ("API", 401)])
    async def test_only_a_token_for_the_scope_api_is_accepted(self, scope: str | None, status: int) -> None:
        switch = simulator()
        async with merchant_at(switch, logged_in=False) as merchant:
            given = await merchant.log_in(scope=scope)
            listed = await merchant.http.get("/v1/voucher/products")
            sold = await merchant.purchase(Service.VOUCHER, PLAIN.order(Service.VOUCHER))

        assert (given.status_code, given.json()["token_type"], given.json()["expires_in"]) == (200, "Bearer", 7200)
        assert (listed.status_code, sold.status_code) == (status, status)
        assert len(await switch.vends()) == (status == 200)

    async def test_any_process_takes_the_token_of_another(self) -> None:
        async with merchant_at(simulator()) as here, merchant_at(simulator(), logged_in=False) as there:
            there.http.headers["authorization"] = here.http.headers["authorization"]
            answer = await there.http.get("/v1/utility/products")

        assert answer.status_code == 200


BILLER = "merchantProductId productName contentCreator minimumAmount maximumAmount"


class TestLists:
    @pytest.mark.parametrize(
        ("vas_type", "fields"),
        [
            ("airtime", "merchantProductId productName contentCreator pinned fixedAmount amount minimumAmount maximumAmount"),
            ("data", "merchantProductId productName contentCreator pinned fixedAmount amount minimumAmount maximumAmount"),
            ("voucher", "merchantProductId productName contentCreator fixedAmount amount minimumAmount maximumAmount"),
            ("bill-payment", f"{BILLER} or {BILLER} pinned"),
            ("utility", "merchantProductId name"),
        ],
    )
    async def test_a_list_is_a_bare_array_of_the_fields_of_its_service(self, vas_type: str, fields: str) -> None:
        async with merchant_at(simulator()) as merchant:
            answer = await merchant.http.get(f"/v1/{vas_type}/products")

        rows = answer.json()
        assert isinstance(rows, list)
        assert rows
        assert {frozenset(row) for row in rows} == {frozenset(form.split()) for form in fields.split(" or ")}
        assert all(re.fullmatch("[A-Za-z0-9]{20}", row["merchantProductId"]) for row in rows)
        assert answer.headers["x-simulated"] == "true"

    async def test_an_unchanged_list_is_not_sent_again(self) -> None:
        async with merchant_at(simulator()) as merchant:
            etag = (await merchant.http.get("/v1/voucher/products")).headers["etag"]
            again = await merchant.http.get("/v1/voucher/products", headers={"if-none-match": etag})
            other = await merchant.http.get("/v1/voucher/products", headers={"if-none-match": '"another"'})

        assert (again.status_code, again.content) == (304, b"")
        assert (other.status_code, other.headers["etag"]) == (200, etag)

    @pytest.mark.parametrize("creator", ["vodacom", "Voda Com", "VODACOM"])
    async def test_a_creator_is_found_whatever_its_case_and_spaces(self, creator: str) -> None:
        async with merchant_at(simulator()) as merchant:
            rows = (await merchant.http.get("/v1/data/products", params={"contentCreator": creator})).json()
            names = (await merchant.http.get("/v1/data/content-creators")).json()

        assert {row["contentCreator"] for row in rows} == {"vodacom"}
        assert names == ["mtn", "telkom", "vodacom"]


class TestPaths:
    @pytest.mark.parametrize("path", ["/", "/api/v1/utility/products", "/v1/billpayment/products", "/v1/utility/purchase", "/oauth/token"])
    async def test_an_unknown_get_is_the_web_apps_page_with_or_without_a_token(self, path: str) -> None:
        async with merchant_at(simulator(), logged_in=False) as merchant:
            answer = await merchant.http.get(path)

        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
        assert "<title>Fulcrum</title>" in answer.text

    @pytest.mark.parametrize("path", ["/oauth/token", "/v1/v1/utility/purchase", "/v1/utility/prevend", "/v1/bill-payment/pay"])
    async def test_an_unknown_post_is_not_allowed(self, path: str) -> None:
        async with merchant_at(simulator()) as merchant:
            answer = await merchant.http.post(path, json={})

        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


class TestErrors:
    async def test_a_missing_field_is_a_merchant_error_that_names_them_all(self) -> None:
        async with merchant_at(simulator()) as merchant:
            answer = await merchant.http.get("/v1/utility/prevend", params={"meterNumber": "12345678901", "amount": "50"})

        body = answer.json()
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", body.pop("traceId"))
        assert (answer.status_code, body) == (
            400,
            {
                "type": "http://simulator/error-codes#1010",
                "title": "Merchant error",
                "status": 400,
                "detail": "MerchantProductId is required RequestId is required",
                "fulcrumErrorCode": 1010,
                "simulated": True,
            },
        )

    async def test_names_are_bound_without_regard_to_case(self) -> None:
        query = {"MeterNumber": "12345678901", "MerchantProductId": "SimUtility0000000000", "REQUESTID": new_id(), "Amount": "50.00"}
        async with merchant_at(simulator()) as merchant:
            answer = await merchant.http.get("/v1/utility/prevend", params=query)

        assert answer.status_code == 200
        assert GUID.fullmatch(answer.json()["transactionId"])

    @pytest.mark.parametrize(("length", "status"), [(36, 200), (37, 400)])
    async def test_a_request_id_has_at_most_36_characters(self, length: int, status: int) -> None:
        async with merchant_at(simulator()) as merchant:
            answer = await merchant.purchase(Service.VOUCHER, PLAIN.order(Service.VOUCHER), request_id="é" * length)

        assert answer.status_code == status
        assert status == 200 or answer.json()["detail"] == "Request Id cannot be longer than 36 characters"

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"merchantProductId": "SimVoucher9999999999"}, 1000),
            ({"merchantProductId": "SimAirtime0000000000"}, 1000),
            ({"amount": 1_000_000}, 1001),
            ({"amount": None}, 1010),
            ({"amount": "100"}, 1010),
            ({"amount": True}, 1010),
            ({"amount": -5}, 1010),
            ({"amount": 1.005}, 1010),
            ({"tenderType": "Cash"}, 1010),
            ({"requestId": 7}, 1010),
        ],
    )
    async def test_a_purchase_that_does_not_fit_is_refused(self, changed: dict[str, Any], code: int) -> None:
        switch = simulator()
        async with merchant_at(switch) as merchant:
            answer = await merchant.purchase(Service.VOUCHER, PLAIN.order(Service.VOUCHER), **changed)

        assert (answer.status_code, answer.json()["fulcrumErrorCode"]) == (400, code)
        assert await switch.vends() == []

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"\xff"', b"null"])
    async def test_a_body_that_is_no_json_object_is_a_merchant_error(self, body: bytes) -> None:
        async with merchant_at(simulator()) as merchant:
            answer = await merchant.http.post("/v1/voucher/purchase", content=body)

        assert (answer.status_code, answer.json()["fulcrumErrorCode"]) == (400, 1010)

    async def test_too_many_requests_have_no_error_code_and_no_wait(self) -> None:
        async with merchant_at(simulator()) as merchant:
            answer = await merchant.play(named("rate-limited"), Service.VOUCHER)

        assert (answer.status_code, answer.json()["title"]) == (429, "Too Many Requests.")
        assert "fulcrumErrorCode" not in answer.json()
        assert "retry-after" not in answer.headers

    @pytest.mark.parametrize(
        ("host", "taken", "refused"),
        [("fulcrumswitch.com", "27720012345", "0720012345"), ("uat.fulcrumswitch.com", "0720012345", "27720012345")],
    )
    async def test_each_kind_of_host_takes_its_own_form_of_mobile_number(self, host: str, taken: str, refused: str) -> None:
        switch = simulator()
        async with merchant_at(switch, host=host) as merchant:
            codes = [await self._code_for(merchant, number) for number in (taken, refused, "+27720012345", "0520012345", "27520012345")]

        assert codes == [None, 1013, 1013, 1013, 1013]
        assert [vend.recipient for vend in await switch.vends()] == [taken]

    @pytest.mark.parametrize(("form", "taken"), [("local", "0720012345"), ("international", "27720012345")])
    async def test_a_behaviour_sets_the_form_for_any_host(self, form: Any, taken: str) -> None:
        numbers = ("0720012345", "27720012345")
        for host in ("fulcrumswitch.com", "uat.fulcrumswitch.com", "127.0.0.1:9000"):
            async with merchant_at(simulator(Behaviour(mobile_numbers=form)), host=host) as merchant:
                assert [number for number in numbers if await self._code_for(merchant, number) is None] == [taken]

    @staticmethod
    async def _code_for(merchant: Merchant, number: str) -> int | None:
        """The code under which a number is refused; its answer names the number."""
        service = Service.AIRTIME_PINLESS
        answer = await merchant.purchase(service, PLAIN.order(service), mobileNumber=number)
        code: int | None = answer.json().get("fulcrumErrorCode")
        assert answer.json().get("msisdn") == (number if code else None)
        return code

    async def test_a_scripted_refusal_of_a_number_names_it_too(self) -> None:
        async with merchant_at(
            simulator(faults=(SwitchFault(Effect.REFUSED, code=1013), SwitchFault(Effect.REFUSED, code=1013)))
        ) as merchant:
            order = PLAIN.order(Service.DATA_PINLESS)
            answer = await merchant.purchase(Service.DATA_PINLESS, order)
            without = await merchant.purchase(Service.VOUCHER, PLAIN.order(Service.VOUCHER))

        assert answer.json()["msisdn"] == order.mobile_number
        assert "msisdn" not in without.json()


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
    async def test_of_many_with_one_request_id_at_once_one_vends(self, behaviour: Any, answered: int) -> None:
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

    async def test_a_script_can_grow_and_comes_before_the_scenario(self) -> None:
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


class TestMemoryLedger:
    async def test_add_writes_only_what_is_new(self) -> None:
        ledger = MemoryLedger()

        assert await ledger.add("a:1", {"n": 1})
        assert not await ledger.add("a:1", {"n": 2})
        assert await ledger.get("a:1") == {"n": 1}

    async def test_values_come_in_the_order_of_their_keys(self) -> None:
        ledger = MemoryLedger()
        for key in ("b:1", "a:2", "a:10", "a:1"):
            await ledger.put(key, {"key": key})

        assert [value["key"] for value in await ledger.starting_with("a:")] == ["a:1", "a:10", "a:2"]

    async def test_what_is_kept_does_not_change_with_what_was_given(self) -> None:
        ledger, value = MemoryLedger(), {"n": [1]}
        await ledger.put("a", value)
        value["n"].append(2)

        assert await ledger.get("a") == {"n": [1]}


def test_the_switch_has_words_for_every_code_that_we_know_and_for_no_other() -> None:
    assert set(ERRORS) == set(CODES)
