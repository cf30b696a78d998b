"""Numbers and texts of the supplier: read exactly, or not at all."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mobilemart.json_fields import (
    MAX_ID_LENGTH,
    MAX_TEXT_LENGTH,
    exact,
    first_text,
    given_id,
    json_value,
    leaves,
    members,
    number,
    rand,
    text,
)
from shared.schemas.responses import encoded

PLAIN = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15) + 1, max_value=10**15 - 1, places=6)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)  # surrogates and NUL included
ANY_JSON = (
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | ANY_TEXT | st.lists(st.integers())
)


@given(PLAIN)
def test_a_quantity_passes_json_digit_for_digit(quantity):
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
    assert kept is None or (kept in said and 0 < len(kept) <= MAX_TEXT_LENGTH and "\x00" not in kept)
    assert kept is None or json.loads(encoded(kept)) == kept


@given(ANY_TEXT | st.text(max_size=MAX_ID_LENGTH + 5))
def test_an_identifier_is_whole_or_none(said):
    kept = exact(said)
    assert kept is None or (kept == said.strip() and len(said) <= MAX_ID_LENGTH and "\ufffd" not in kept)


def test_a_text_of_full_length_is_whole_and_one_more_letter_is_cut_or_none():
    assert (exact("i" * 100), exact("i" * 101)) == ("i" * 100, None)
    assert (exact("i" * 5, 5), exact("i" * 6, 5)) == ("i" * 5, None)
    assert (text("t" * 300), text("t" * 301)) == ("t" * 300, "t" * 300)
    assert text(f"{'t' * 299} t") == "t" * 299 and text(" a b ") == "a b" and text("abc", 2) == "ab"
    assert (text(""), text("  "), text(None), text(5), text("a\x00b"), text("a\ud800")) == (None,) * 6
    assert text("Zoë") == "Zoë"


def test_an_identifier_with_a_replaced_letter_is_none_and_a_text_with_one_is_a_text():
    assert (exact("a\ufffdb"), text("a\ufffdb")) == (None, "a\ufffdb")


@pytest.mark.parametrize("nothing", ["0", "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}", "", None])
def test_an_id_of_zeros_is_no_id(nothing):
    assert given_id(nothing) is None


def test_every_other_text_is_an_id():
    for one in ("00000000-0000-0000-0000-00000000000a", "10", "T-0", "~", "0~0", "0_0", "0.0"):
        assert given_id(one) == one


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("9" * 15, Decimal("9" * 15)),
        ("9" * 16, None),
        (f"0.{'1' * 15}", Decimal(f"0.{'1' * 15}")),
        (f"0.{'1' * 16}", None),
        (10**15 - 1, Decimal(10**15 - 1)),
        (10**15, None),
        (Decimal("1E+15"), None),
        (Decimal("1E+14"), Decimal("1E+14")),
        (Decimal("1E-15"), Decimal("1E-15")),
        (Decimal("1E-16"), None),
        (Decimal(f"{'9' * 15}.{'9' * 15}"), Decimal(f"{'9' * 15}.{'9' * 15}")),
        (Decimal(f"{'9' * 15}.{'9' * 16}"), None),
        (Decimal(f"{'9' * 16}.{'9' * 15}"), None),
        (Decimal("0E+14"), Decimal(0)),
        (Decimal("0E+15"), None),
        (Decimal("0E-16"), None),
        (-(10**15) + 1, Decimal(-(10**15) + 1)),
        (-(10**15), None),
        (Decimal("sNaN"), None),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (" 5 ", Decimal(5)),
        ("-5.5", Decimal("-5.5")),
        ("+5", None),
        (".5", None),
        ("5.", None),
        ("", None),
        (f"{' ' * 28}12", Decimal(12)),
        (f"{' ' * 29}12", None),
        (True, None),
        (5.0, None),
        (None, None),
    ],
)
def test_a_number_has_at_most_fifteen_digits_on_either_side_of_its_point(said, read):
    assert number(said) == read


def test_json_is_read_as_it_was_meant_or_not_at_all():
    assert json_value(b'\xef\xbb\xbf{"a": 1.50}') == {"a": Decimal("1.50")}
    assert json_value(b'{"a": "\xff"}') == {"a": "\ufffd"}
    assert [json_value(body) for body in (b'{"a": 1, "a": 2}', b"[" * 100_000, b"", b"NaN", b"{")] == [None] * 5


def test_a_byte_order_mark_is_passed_over():
    assert json_value(b'\xef\xbb\xbf{"a": 1}') == json_value(b'{"a": 1}') == {"a": 1}


def test_every_leaf_is_named_by_the_member_that_holds_it():
    said = {"a": [1, {"b": None}], "c": {"d": ["x", ["y"]]}, "e": []}
    assert sorted(leaves(said), key=str) == sorted([("a", 1), ("b", None), ("d", "x"), ("d", "y")], key=str)
    assert list(leaves("alone")) == [("", "alone")] and list(leaves("alone", "n")) == [("n", "alone")]


def test_the_first_text_is_the_first_that_is_one():
    assert first_text(None, "", 5, " a ", "b") == "a"
    assert first_text(None, 5) is None and first_text() is None
    assert first_text("abc", longest=2) == "ab"


def test_only_an_object_has_members():
    assert members({"a": 1}) == {"a": 1} and [members(value) for value in ([], "a", None, 5)] == [{}] * 4
