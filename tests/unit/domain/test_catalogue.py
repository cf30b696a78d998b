import pytest
from msgspec import structs

from shared.domain.catalogue import Product, fitted
from shared.domain.money import Money
from shared.domain.outcome import Reason, Rejected
from shared.domain.vas import Order, VasType

FIXED = Product(VasType.AIRTIME, "fixed", "R50", fixed_amount=True, amount=Money(5000))
OPEN = Product(VasType.AIRTIME, "open", "Any", minimum_amount=Money(200), maximum_amount=Money(50_000))
PINNED = Product(VasType.AIRTIME, "pinned", "PIN", pinned=True)
ELECTRICITY = Product(VasType.UTILITY, "electricity", "Electricity")


def airtime(product, cents, *, pinned=False):
    number = None if pinned else "27821234567"
    return Order(vas_type=VasType.AIRTIME, amount=Money(cents), merchant_product_id=product, mobile_number=number, pinned=pinned)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (airtime("fixed", 4999), Reason.PRICE_CHANGED),
        (airtime("fixed", 5001), Reason.PRICE_CHANGED),
        (airtime("open", 199), Reason.AMOUNT_BELOW_MINIMUM),
        (airtime("open", 50_001), Reason.AMOUNT_ABOVE_MAXIMUM),
        (airtime("gone", 5000), Reason.PRODUCT_UNAVAILABLE),
        (airtime("pinned", 5000), Reason.PRODUCT_UNAVAILABLE),
        (airtime("open", 5000, pinned=True), Reason.PRODUCT_UNAVAILABLE),
    ],
)
def test_an_order_outside_the_catalogue_is_refused(order, reason):
    refusal = fitted(order, (FIXED, OPEN, PINNED), None)
    assert isinstance(refusal, Rejected) and refusal.reason is reason


@pytest.mark.parametrize(
    "order", [airtime("fixed", 5000), airtime("open", 200), airtime("open", 50_000), airtime("pinned", 1, pinned=True)]
)
def test_a_fitting_order_is_unchanged(order):
    assert fitted(order, (FIXED, OPEN, PINNED), None) == order


@pytest.mark.parametrize(("cents", "reason"), [(9_900, None), (9_899, Reason.PRICE_CHANGED), (100, Reason.PRICE_CHANGED)])
def test_data_is_sold_at_its_price_even_if_the_list_does_not_call_it_fixed(cents, reason):
    row = Product(VasType.DATA, "1gb", "1 GB", amount=Money(9_900), minimum_amount=Money(100))
    order = Order(vas_type=VasType.DATA, amount=Money(cents), merchant_product_id="1gb", mobile_number="27821234567")
    chosen = fitted(order, (row,), None)
    assert (chosen == order) if reason is None else (isinstance(chosen, Rejected) and chosen.reason is reason)


def test_a_voucher_ignores_the_pinned_flag_of_its_product():
    order = Order(vas_type=VasType.VOUCHER, amount=Money(5_000), merchant_product_id="v")
    for pinned in (True, False):
        assert fitted(order, (Product(VasType.VOUCHER, "v", "Voucher", pinned=pinned),), None) == order


@pytest.mark.parametrize("vas_type", [VasType.AIRTIME, VasType.DATA])
@pytest.mark.parametrize("pinned", [True, False])
def test_airtime_and_data_are_sold_as_their_list_has_them(vas_type, pinned):
    row = Product(vas_type, "p", "R50", pinned=pinned, amount=Money(5_000))
    order = Order(vas_type=vas_type, amount=Money(5_000), merchant_product_id="p", pinned=pinned)
    assert fitted(order, (row,), None) == order
    assert fitted(structs.replace(order, pinned=not pinned), (row,), None).reason is Reason.PRODUCT_UNAVAILABLE


def test_a_fixed_price_that_is_not_known_cannot_be_asked_for():
    row = structs.replace(FIXED, amount=None, minimum_amount=Money(200))
    assert fitted(airtime("fixed", 5000), (row,), None).reason is Reason.PRODUCT_UNAVAILABLE
    assert not (PINNED.fixed_amount or FIXED.pinned)


def test_data_without_a_price_is_not_sold():
    row = Product(VasType.DATA, "1gb", "1 GB", minimum_amount=Money(100), maximum_amount=Money(50_000))
    order = Order(vas_type=VasType.DATA, amount=Money(100), merchant_product_id="1gb", mobile_number="27821234567")
    refusal = fitted(order, (row,), None)
    assert isinstance(refusal, Rejected) and refusal.reason is Reason.PRODUCT_UNAVAILABLE


def test_a_minimum_is_named_in_the_refusal():
    assert fitted(airtime("open", 1), (OPEN,), None).minimum_amount == Money(200)


def electricity():
    return Order(vas_type=VasType.UTILITY, amount=Money(100), merchant_product_id=None, meter_number="12345678901")


def test_electricity_takes_the_only_product_or_the_configured_one():
    other = Product(VasType.UTILITY, "other", "Metro")
    assert fitted(electricity(), (ELECTRICITY,), None).merchant_product_id == "electricity"
    assert fitted(electricity(), (ELECTRICITY, other), "other").merchant_product_id == "other"


@pytest.mark.parametrize(("rows", "configured"), [((), None), ((ELECTRICITY, ELECTRICITY), None), ((ELECTRICITY,), "misspelt")])
def test_electricity_is_not_guessed(rows, configured):
    assert fitted(electricity(), rows, configured).reason is Reason.PRODUCT_UNAVAILABLE


@pytest.mark.parametrize(
    ("rows", "configured", "cause"),
    [
        ((), None, "0 utility products and none configured"),
        ((ELECTRICITY, ELECTRICITY), None, "2 utility products and none configured"),
        ((ELECTRICITY,), "misspelt", "not in the catalogue"),
        ((), "electricity", "not in the catalogue"),
    ],
)
def test_the_record_says_why_no_product_was_chosen(rows, configured, cause):
    assert fitted(electricity(), rows, configured) == Rejected(Reason.PRODUCT_UNAVAILABLE, cause)


def test_a_row_is_pinless_and_of_open_amount_by_default():
    row = Product(VasType.AIRTIME, "p", "Any")
    assert row == Product(VasType.AIRTIME, "p", "Any", None, False, False, None, None, None)
    assert fitted(airtime("p", 1), (row,), None) == airtime("p", 1)
