"""What the supplier writes as a number or a text: read exactly, or not at all."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.mobilemart.fields import LONGEST_ID, LONGEST_TEXT, exact, json_value, number, rand, text
from shared.shown import encoded

PLAIN = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15) + 1, max_value=10**15 - 1, places=6)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)  # surrogates and NUL included
ANY_JSON = (
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | ANY_TEXT | st.lists(st.integers())
)


@given(PLAIN)
def test_a_quantity_comes_through_json_digit_for_digit(quantity):
    said = json_value(f'{{"units": {quantity:f}, "text": "{quantity:f}"}}'.encode())
    assert isinstance(said, dict)
    assert (number(said["units"]), number(said["text"])) == (quantity, quantity)
    assert f"{number(said['text']):f}" == f"{quantity:f}"


@given(ANY_JSON | st.floats())
def test_a_number_is_what_stood_there_or_none(value):
    read = number(value)
    assert read is None or (read == Decimal(value) and abs(read) < 10**15 and not isinstance(value, bool | float))


@given(ANY_JSON | PLAIN | PLAIN.map(str))
def test_an_amount_is_the_same_number_in_whole_cents_or_none(value):
    amount, read = rand(value), number(value)
    assert amount is None or amount.rand == read


@given(ANY_TEXT)
def test_a_text_is_storable_and_no_longer_than_it_may_be(said):
    kept = text(said)
    assert kept is None or (kept in said and 0 < len(kept) <= LONGEST_TEXT and "\x00" not in kept)
    assert kept is None or json.loads(encoded(kept)) == kept


@given(ANY_TEXT | st.text(max_size=LONGEST_ID + 5))
def test_an_identifier_is_whole_or_none(said):
    kept = exact(said)
    assert kept is None or (kept == said.strip() and len(said) <= LONGEST_ID and "\ufffd" not in kept)
