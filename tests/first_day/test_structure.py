"""The probe shows the form of an answer, never its values."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.probe.structure import structure, token_paths

FORMS = re.compile(
    r"null|true|false|whole number|decimal number|empty text|GUID|time|text( of \d+ digits( in groups)?| of a decimal number)?"
    r"|list of \d+|(empty )?object"
)
NAMES = re.compile(r"\(the answer\)|(\w+|\?)?(\.(\w+|\?)|\[\])*", re.ASCII)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_only_forms_are_shown_for_any_answer(value: object) -> None:
    for path, form in structure(value).items():
        assert all(FORMS.fullmatch(one) for one in form.split(" or "))
        assert NAMES.fullmatch(path) and not re.search(r"\d", path)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10", "GUID"),
        ("2026-05-01T10:15:30.123+02:00", "time"),
        ("00001111222233334444", "text of 20 digits"),
        ("0000 1111 2222 3333 4444", "text of 20 digits in groups"),
        ("100.00", "text of a decimal number"),
        ("J. Doe, 1 Test Road", "text"),
        (" ", "empty text"),
        (Decimal("59.3"), "decimal number"),
        (10, "whole number"),
        ({}, "empty object"),
    ],
)
def test_the_form_of_a_value(value: object, form: str) -> None:
    assert structure({"member": value}) == {"member": form}


def test_a_customers_number_as_a_name_is_not_shown() -> None:
    assert structure({"27821234567": {"name": "J"}}) == {"?.name": "text"}


def test_items_of_a_list_share_their_form() -> None:
    rows = [{"pinned": True, "amount": 1}, {"pinned": False}]

    assert structure(rows) == {"(the answer)": "list of 2", "[].pinned": "true or false", "[].amount": "whole number"}


def test_twenty_digits_are_found_wherever_they_stand() -> None:
    token = "00000000000012345678"
    answer = {"a": {"b": [token]}, "c": f"{token[:10]} {token[10:]}", "receiptNumber": "1234"}

    assert token_paths(answer) == ["a.b[]", "c"]
