"""The meaning of the supplier's lists of products."""

import pytest

from shared.domain.catalogue import Product
from shared.domain.money import Money
from shared.domain.outcome import Reason, Rejected
from shared.domain.vas import Mode, VasType
from shared.mobilemart.responses import Heard, NoReply, read_products
from tests.unit.mobilemart.answers import answer, html, problem


def test_a_list_of_products_that_is_refused_says_why() -> None:
    refusal = read_products(problem(400, 1011), VasType.DATA, Mode.LIVE)

    assert isinstance(refusal, Rejected) and refusal.reason is Reason.PRODUCT_UNAVAILABLE


def test_the_later_row_of_a_product_counts_at_the_place_of_the_first() -> None:
    row = {"merchantProductId": "a", "productName": "A", "amount": "0.01"}
    rows = listed([row, {"merchantProductId": "b", "productName": "", "name": "B"}, row | {"name": "other", "amount": "-1"}])

    assert [(one.merchant_product_id, one.name, one.amount) for one in rows] == [("a", "A", None), ("b", "B", None)]
    assert listed([row])[0].amount == Money(1)


def test_the_first_real_list_of_several_counts() -> None:
    good = [{"merchantProductId": "a", "productName": "b"}]

    assert len(listed({"products": None, "data": good, "items": []})) == 1
    assert listed({"products": [], "data": good}) == ()


# --- product lists


def listed(value: object, vas_type: VasType = VasType.DATA) -> tuple[Product, ...]:
    products = read_products(answer(200, value), vas_type, Mode.LIVE)
    assert not isinstance(products, Rejected)
    return products


def test_a_product_list_reads_the_fields_of_each_service() -> None:
    fixed = {
        "merchantProductId": "aB3",
        "productName": "1 GB",
        "contentCreator": "mtn",
        "pinned": False,
        "fixedAmount": True,
        "amount": 29.00,
    }
    open_amount = {"merchantProductId": "cD4", "productName": "Top-up", "contentCreator": "mtn", "pinned": True, "fixedAmount": False}
    limits = {"amount": 0, "minimumAmount": 2, "maximumAmount": 500}

    first, second = listed([fixed, open_amount | limits])

    assert (first.merchant_product_id, first.name, first.content_creator, first.pinned, first.fixed_amount) == (
        "aB3",
        "1 GB",
        "mtn",
        False,
        True,
    )
    assert (first.amount, first.minimum_amount, first.maximum_amount) == (Money(2900), None, None)
    assert (second.pinned, second.fixed_amount, second.amount) == (True, False, None)
    assert (second.minimum_amount, second.maximum_amount) == (Money(200), Money(50_000))
    (only,) = listed([{"merchantProductId": "eF5", "name": "Electricity"}], VasType.UTILITY)
    assert (only.vas_type, only.name) == (VasType.UTILITY, "Electricity")


def test_a_row_that_cannot_be_sold_is_left_out() -> None:
    good = {"merchantProductId": "aB3", "productName": "1 GB"}
    unpriced = {"merchantProductId": "x", "productName": "fixed, price unread", "fixedAmount": True, "amount": "29,00"}

    free = {"merchantProductId": "y", "productName": "fixed, without a price", "fixedAmount": True, "amount": 0}

    rows = listed([good, {"productName": "no id"}, {"merchantProductId": "no name"}, unpriced, free, None, 7, "row"])

    assert [row.merchant_product_id for row in rows] == ["aB3"]


@pytest.mark.parametrize("key", ["products", "data", "items"])
def test_a_wrapped_list_is_read_too(key: str) -> None:
    assert len(listed({key: [{"merchantProductId": "a", "productName": "b"}]})) == 1


@pytest.mark.parametrize("heard", [html(200), answer(200, "3386"), answer(200, {}), problem(500, None), problem(404, None), NoReply("x")])
def test_a_body_without_a_list_is_no_catalogue(heard: Heard) -> None:
    refusal = read_products(heard, VasType.DATA, Mode.LIVE)

    assert isinstance(refusal, Rejected)
    assert refusal.reason is Reason.TEMPORARILY_UNAVAILABLE
