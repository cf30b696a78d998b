"""The requests to the supplier: exact paths and fields, for every sale and every question."""

import json
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import Money, money_from_rand
from shared.domain.policy import ReprintBy
from shared.domain.vas import Order, VasType
from shared.mobilemart.requests import Call, MobileForm, mobile_form, prevend_call, products_call, reprint_call, token_call, vend_call

REQUEST_ID = "3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f"
PREVEND_ID = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"

ELECTRICITY = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="ELEC", meter_number="01234567890")
BILL = Order(vas_type=VasType.BILL_PAYMENT, amount=Money(45_050), merchant_product_id="BILL", account_number="135609708")
AIRTIME = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", mobile_number="27821234567")
AIRTIME_PIN = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIRPIN", pinned=True)
DATA = Order(vas_type=VasType.DATA, amount=Money(2_900), merchant_product_id="DATA", mobile_number="27821234567")
DATA_PIN = Order(vas_type=VasType.DATA, amount=Money(2_900), merchant_product_id="DATAPIN", pinned=True)
VOUCHER = Order(vas_type=VasType.VOUCHER, amount=Money(5_000), merchant_product_id="VOUCHER")


def sold(order: Order, mobile: MobileForm = MobileForm.INTERNATIONAL) -> tuple[str, str, str | None, object]:
    call = vend_call(order, PREVEND_ID if order.meter_number or order.account_number else None, REQUEST_ID, "CreditCard", mobile)
    assert call.query == ()
    return call.method, call.path, call.content_type, json.loads(call.body or b"", parse_float=Decimal)


@pytest.mark.parametrize(
    ("order", "path", "fields"),
    [
        (ELECTRICITY, "/v1/utility/purchase", {"prevendTransactionId": PREVEND_ID}),
        (BILL, "/v2/bill-payment/pay", {"prevendTransactionId": PREVEND_ID, "amount": Decimal("450.50")}),
        (AIRTIME, "/v1/airtime/pinless", {"merchantProductId": "AIR", "mobileNumber": "27821234567", "amount": Decimal("5.00")}),
        (AIRTIME_PIN, "/v1/airtime/pinned", {"merchantProductId": "AIRPIN", "amount": Decimal("5.00")}),
        (DATA, "/v1/data/pinless", {"merchantProductId": "DATA", "mobileNumber": "27821234567"}),
        (DATA_PIN, "/v1/data/pinned", {"merchantProductId": "DATAPIN"}),
        (VOUCHER, "/v1/voucher/purchase", {"merchantProductId": "VOUCHER", "amount": Decimal("50.00")}),
    ],
    ids=["utility", "bill payment", "airtime", "airtime PIN", "data", "data PIN", "voucher"],
)
def test_each_sale_sends_exactly_the_fields_of_its_schema(order: Order, path: str, fields: dict[str, object]) -> None:
    common = {"requestId": REQUEST_ID, "tenderType": "CreditCard"}

    assert sold(order) == ("POST", path, "application/json", common | fields)


def test_a_uat_switch_gets_local_mobile_numbers_and_any_other_international_ones() -> None:
    assert mobile_form("https://uat.fulcrumswitch.com/") is MobileForm.LOCAL
    assert mobile_form("https://UAT.FulcrumSwitch.com.:443") is MobileForm.LOCAL
    assert mobile_form("https://fulcrumswitch.com") is MobileForm.INTERNATIONAL
    assert mobile_form("http://simulator") is MobileForm.INTERNATIONAL
    for order in (AIRTIME, DATA):
        _, _, _, fields = sold(order, MobileForm.LOCAL)
        assert isinstance(fields, dict)
        assert fields["mobileNumber"] == "0821234567"


@given(st.integers(min_value=0, max_value=10**14))
def test_amounts_reach_the_wire_to_the_cent_and_come_back(cents: int) -> None:
    call = vend_call(
        Order(vas_type=VasType.VOUCHER, amount=Money(cents), merchant_product_id="V"), None, REQUEST_ID, "Cash", MobileForm.LOCAL
    )
    assert call.body is not None
    amount = json.loads(call.body, parse_float=Decimal)["amount"]

    assert isinstance(amount, Decimal)
    assert money_from_rand(amount) == Money(cents)


def test_a_prevend_asks_in_the_query_with_the_amount_as_decimal_text() -> None:
    utility, bill = prevend_call(ELECTRICITY, REQUEST_ID), prevend_call(BILL, REQUEST_ID)

    assert (utility.method, utility.path, utility.body) == ("GET", "/v1/utility/prevend", None)
    assert dict(utility.query) == {
        "merchantProductId": "ELEC",
        "requestId": REQUEST_ID,
        "meterNumber": "01234567890",
        "amount": "100.00",
    }
    assert (bill.method, bill.path, bill.body) == ("GET", "/v2/bill-payment/prevend", None)
    assert dict(bill.query) == {"merchantProductId": "BILL", "requestId": REQUEST_ID, "accountNumber": "135609708", "amount": "450.50"}


@pytest.mark.parametrize("vas_type", VasType)
def test_every_product_list_is_v1(vas_type: VasType) -> None:
    assert products_call(vas_type) == Call("GET", f"/v1/{vas_type.value}/products")


@pytest.mark.parametrize("vas_type", [VasType.UTILITY, VasType.DATA, VasType.VOUCHER])
def test_a_reprint_asks_by_the_configured_id(vas_type: VasType) -> None:
    by_request = reprint_call(vas_type, ReprintBy.REQUEST_ID, REQUEST_ID, None)
    by_transaction = reprint_call(vas_type, ReprintBy.TRANSACTION_ID, REQUEST_ID, "T-1")

    assert by_request == Call("GET", f"/v1/{vas_type}/reprint", query=(("requestId", REQUEST_ID),))
    assert by_transaction == Call("GET", f"/v1/{vas_type}/reprint", query=(("transactionId", "T-1"),))


def test_there_is_no_reprint_without_something_to_ask_by_or_where_none_is_documented() -> None:
    assert reprint_call(VasType.UTILITY, ReprintBy.TRANSACTION_ID, REQUEST_ID, None) is None
    assert reprint_call(VasType.UTILITY, ReprintBy.NONE, REQUEST_ID, "T-1") is None
    assert reprint_call(VasType.AIRTIME, ReprintBy.REQUEST_ID, REQUEST_ID, "T-1") is None
    assert reprint_call(VasType.BILL_PAYMENT, ReprintBy.REQUEST_ID, REQUEST_ID, "T-1") is None


def test_the_token_call_is_a_client_credentials_form_with_the_scope() -> None:
    call = token_call("our id", "s&cret=+")

    assert (call.method, call.path, call.content_type) == ("POST", "/connect/token", "application/x-www-form-urlencoded")
    assert dict(parse_qsl((call.body or b"").decode())) == {
        "grant_type": "client_credentials",
        "client_id": "our id",
        "client_secret": "s&cret=+",
        "scope": "api",
    }


def test_an_address_has_one_slash_after_the_host_and_an_escaped_query() -> None:
    call = Call("GET", "/v1/utility/prevend", query=(("a", "x&y=z"), ("b", "é")))

    address = urlsplit(call.url("https://switch.example/"))

    assert (address.netloc, address.path) == ("switch.example", "/v1/utility/prevend")
    assert parse_qsl(address.query) == [("a", "x&y=z"), ("b", "é")]


def test_an_address_without_a_query_ends_with_its_path() -> None:
    assert products_call(VasType.DATA).url("https://switch.example/") == "https://switch.example/v1/data/products"
    assert Call("GET", "/a", query=(("b", ""),)).url("https://switch.example") == "https://switch.example/a?b="


def test_a_field_that_an_order_lacks_is_sent_empty() -> None:
    unnamed = Order(vas_type=VasType.UTILITY, amount=Money(1), merchant_product_id=None)
    assert prevend_call(unnamed, REQUEST_ID).query == (
        *(("merchantProductId", ""), ("requestId", REQUEST_ID), ("meterNumber", ""), ("amount", "0.01")),
    )
    assert mobile_form("") is MobileForm.INTERNATIONAL


def test_a_call_shows_neither_meter_nor_secret() -> None:
    shown = repr(prevend_call(ELECTRICITY, REQUEST_ID)) + repr(token_call("our id", "secret-of-ours"))

    assert "01234567890" not in shown
    assert "secret-of-ours" not in shown
