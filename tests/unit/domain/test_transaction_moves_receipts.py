"""Moves of a sale that merge two receipts or two outcomes: which field of which one stays."""

import pytest
from msgspec import structs

from shared.domain.outcome import Charge, Consumer, Receipt, TokensDue, Vended
from shared.domain.sts_tokens import StsToken, TokenKind
from tests.sales import vending
from tests.unit.domain.moves import BY_HAND, CREDIT, LOST, NAMELESS, REFUSED, moved, sale


def receipt(*tokens, due=TokensDue.PENDING, **fields):
    return Receipt(supplier_transaction_id="s-1", tokens_due=due, tokens=tokens, **fields)


def unit(number, units=None):
    return StsToken(TokenKind.CREDIT, f"{number:020d}", units)


def test_a_pin_is_masked_where_a_star_is_in_it_and_nothing_is_not():
    assert [receipt(pin=pin).is_pin_masked for pin in (None, "", "1234", "12*4", "****")] == [False, False, False, True, True]


@pytest.mark.parametrize("pin", ["", "~"])
def test_a_receipt_without_a_pin_lacks_any_that_holds_something(pin):
    assert receipt().lacks(receipt(pin=pin)) is (pin != "")


@pytest.mark.parametrize(
    ("known", "more", "units"),
    [
        (receipt(unit(1)), receipt(unit(2, 5), due=TokensDue.DELIVERED, units=5), 5),
        (receipt(unit(1, 7)), receipt(unit(2, 5), due=TokensDue.DELIVERED, units=5), None),
        (receipt(unit(1, 7), units=7), receipt(unit(1, 7), unit(2, 5), due=TokensDue.DELIVERED, units=12), 12),
        (receipt(unit(1, 7), unit(2, 5)), receipt(unit(1, 7), unit(2, 5), unit(3), due=TokensDue.DELIVERED, units=12), 12),
        (receipt(unit(1, 7), unit(2)), receipt(unit(2), unit(3), due=TokensDue.DELIVERED, units=7), 7),
    ],
)
def test_units_of_a_part_of_several_tokens_with_units_are_not_those_of_the_whole(known, more, units):
    assert known.merged_with(more).units == units


def test_a_new_outcome_keeps_newer_codes_fields_of_the_old_one():
    for beyond, own, kept in (
        ({"points": 1}, None, {"points": 1}),
        ({"points": 1, "minimum_amount": 5}, None, {"points": 1}),
        ({"minimum_amount": 5}, None, None),
        ({"points": 1}, {"points": 2, "more": 3}, {"points": 2, "more": 3}),
        ({"points": 1}, {"more": 3}, {"points": 1, "more": 3}),
        (None, {"more": 3}, {"more": 3}),
    ):
        doubt = structs.replace(sale(LOST), outcome=structs.replace(LOST, beyond=beyond))
        assert moved(doubt, structs.replace(REFUSED, beyond=own)).outcome.beyond == kept


def test_a_sign_of_a_vend_outlasts_the_doubt_that_begins_without_one():
    assert moved(structs.replace(vending(), sign_of_vend=True), LOST).sign_of_vend
    assert moved(structs.replace(vending(), sign_of_vend=True), REFUSED).sign_of_vend and not moved(vending(), REFUSED).sign_of_vend


def test_a_person_who_says_that_tokens_are_still_due_takes_nothing_away():
    before = sale(Vended(receipt(CREDIT, tokens_issued=3)))
    assert moved(before, Vended(receipt(CREDIT)), by=BY_HAND) is before


def test_a_second_vend_without_an_id_is_no_news():
    before = sale(NAMELESS)
    assert moved(before, NAMELESS) is before


def test_merging_fills_fields_and_the_delivering_answer_counts():
    known = receipt(consumer=Consumer("J DOE"), charges=(Charge("arrears", None),))
    more = receipt(CREDIT, due=TokensDue.DELIVERED, consumer=Consumer(None, "1 ROAD"), receipt_number="R-1", serial_number="s")
    whole = known.merged_with(more)
    assert (whole.consumer, whole.charges, whole.receipt_number, whole.serial_number) == (
        Consumer("J DOE", "1 ROAD"),
        known.charges,
        "R-1",
        "s",
    )
    assert known.merged_with(receipt(CREDIT)).consumer == Consumer("J DOE")
    assert more.merged_with(receipt(consumer=Consumer("A N OTHER"))).consumer == Consumer("A N OTHER", "1 ROAD")
