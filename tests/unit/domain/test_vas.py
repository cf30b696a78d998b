import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import Money
from shared.domain.vas import (
    ACCOUNT_NUMBER,
    ALIASES,
    METER_NUMBER,
    PREVENDED,
    PRICED_BY_PRODUCT,
    SUPPLIER_IDS,
    Mode,
    Order,
    VasType,
    msisdn,
    vas_type_named,
)
from shared.lib.masking import last_four


@pytest.mark.parametrize(
    ("name", "vas_type"),
    [
        ("utility", VasType.UTILITY),
        ("electricity", VasType.UTILITY),
        ("prepaidutility", VasType.UTILITY),
        ("bill-payment", VasType.BILL_PAYMENT),
        ("billpayment", VasType.BILL_PAYMENT),
        ("bill_payment", VasType.BILL_PAYMENT),
        ("airtime", VasType.AIRTIME),
        ("data", VasType.DATA),
        ("voucher", VasType.VOUCHER),
        ("Utility", None),
        ("", None),
        ("prepaid-utility", None),
    ],
)
def test_services_by_name_and_by_the_names_the_app_already_uses(name, vas_type):
    assert vas_type_named(name) is vas_type


@pytest.mark.parametrize("text", ["0821234567", "27821234567", "+27821234567"])
def test_one_mobile_number_in_every_form(text):
    assert msisdn(text) == "27821234567"


@pytest.mark.parametrize(
    "text", ["", "821234567", "0521234567", "08212345678", "2782123456", "0８21234567", "082 123 4567", "0821234567\n"]
)
def test_what_is_no_south_african_mobile_number(text):
    assert msisdn(text) is None


@pytest.mark.parametrize("meter", ["12345678901", "01234567890", "1234567890123"])
def test_meters_have_11_or_13_digits(meter):
    assert METER_NUMBER.fullmatch(meter)


@pytest.mark.parametrize("meter", ["1234567890", "123456789012", "12345678901234", "1234567890a", "١٢٣٤٥٦٧٨٩٠١", "12345678901\n"])
def test_nothing_else_is_a_meter(meter):
    assert not METER_NUMBER.fullmatch(meter)


def test_accounts_have_5_to_20_digits():
    assert [bool(ACCOUNT_NUMBER.fullmatch("1" * digits)) for digits in (4, 5, 20, 21)] == [False, True, True, False]


def test_an_order_shows_four_digits_of_its_recipient():
    order = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="p", meter_number="12345678901")
    assert "*8901" in repr(order) and "12345678901" not in repr(order)
    assert last_four(None) is None


DIGITS = st.text(st.sampled_from("0123456789"), max_size=22)
ANY_NUMBER = DIGITS | st.text(max_size=22) | st.text(st.characters(categories=["Nd", "No", "Zs", "Cc"]), max_size=22)


@given(st.from_regex(r"[6-8][0-9]{8}", fullmatch=True))
def test_every_mobile_number_has_one_form_and_keeps_it(subscriber):
    assert {msisdn(f"{prefix}{subscriber}") for prefix in ("0", "27", "+27")} == {f"27{subscriber}"}


@given(ANY_NUMBER | st.builds("{}{}".format, st.sampled_from(["0", "27", "+27", "0027", " 0"]), DIGITS))
def test_a_mobile_number_is_read_whole_or_not_at_all(text):
    number = msisdn(text)
    assert number is None or (re.fullmatch("27[6-8][0-9]{8}", number) and text.endswith(number[2:]) and msisdn(number) == number)
    assert (number is not None) is bool(re.fullmatch(r"(0|27|\+27)[6-8][0-9]{8}", text))


@given(ANY_NUMBER)
def test_meters_and_accounts_are_ascii_digits_of_their_lengths_and_nothing_else(text):
    plain = text.isascii() and text.isdecimal()
    assert bool(METER_NUMBER.fullmatch(text)) is (plain and len(text) in {11, 13})
    assert bool(ACCOUNT_NUMBER.fullmatch(text)) is (plain and 5 <= len(text) <= 20)


@given(DIGITS)
def test_no_more_than_four_digits_are_shown(number):
    assert last_four(number) == f"*{number[-4:]}"


@pytest.mark.parametrize("field", ["meter_number", "account_number", "mobile_number"])
def test_an_order_goes_to_its_one_number(field):
    order = {"vas_type": VasType.AIRTIME, "amount": Money(100), "merchant_product_id": "p"}
    assert Order(**order, **{field: "12345678901"}).recipient == "12345678901"
    assert Order(**order).recipient is None


def test_the_words_of_modes_services_and_suppliers_never_change():
    assert [mode.value for mode in Mode] == ["live", "simulated"]
    assert [kind.value for kind in VasType] == ["utility", "bill-payment", "airtime", "data", "voucher"]
    assert dict(SUPPLIER_IDS) == {Mode.LIVE: "MOBILEMART", Mode.SIMULATED: "SIMULATED"}
    assert {VasType.UTILITY, VasType.BILL_PAYMENT} == PREVENDED and {VasType.DATA} == PRICED_BY_PRODUCT
    assert set(ALIASES) == {"electricity", "prepaidutility", "billpayment", "bill_payment"}


def test_an_order_is_unpinned_by_default_and_goes_to_its_meter_first():
    order = Order(vas_type=VasType.AIRTIME, amount=Money(100), merchant_product_id="p")
    assert (order.pinned, order.reference, order.recipient) == (False, None, None)
    assert repr(order) == "Order(airtime, R1.00, product='p', to=None)"
