"""The simulated switch refuses in the supplier's words."""

import re
from typing import Any

import pytest

from shared.mobilemart.error_codes import CODES
from shared.mobilemart.simulator import PLAIN, Behaviour, Effect, Service, SwitchFault
from shared.mobilemart.simulator.errors import ERRORS
from tests.stand_ins.merchant import Merchant, new_id
from tests.unit.mobilemart.simulator.merchants import merchant_at, named, simulator

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


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
        """Return the code that refuses a number; the answer names the number."""
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


def test_the_switch_has_words_for_every_code_that_we_know_and_for_no_other() -> None:
    assert set(ERRORS) == set(CODES)
