"""No answer of the supplier, however hostile, raises or reaches a store that cannot hold it."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from shared.domain.money import Money
from shared.domain.outcome import NoAnswer, NoSuchTransaction, Prevended, RawAnswer, Rejected, Unknown, Vended
from shared.domain.vas import Mode
from shared.mobilemart.responses import (
    Reply,
    read_prevend,
    read_products,
    read_reprint,
    read_vend,
)
from tests.unit.mobilemart.answers import (
    ORDERS,
    VOUCHER,
    answer,
    prevended,
    vend,
)

HOSTILE = [
    b"[" * 200_000,
    b'{"a":' * 200_000,
    b'{"transactionId":"T","additionalDetails":{"productAmount":%s}}' % (b"9" * 4200),
    b'{"transactionId":"T","additionalDetails":{"productAmount":%s}}' % (b"9" * 100_000),
    b'{"transactionId":"T","amount":1e999999999999999999999}',
    b'{"transactionId":"T","amount":1E-999999999,"additionalDetails":{"tokens":[1e999,{"units":1E+400}],"fixedCosts":[{"amount":1e99}]}}',
    b'{"transactionId":"T","additionalDetails":{"instructions":"\\u0000","tokens":[[[]],{},null,"\\udfff"]}}',
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"\x00" * 1024,
    b"a" * 1_048_576,
    b'{"simulated":[],"fulcrumErrorCode":{},"detail":{"retry in":1},"errorCode":[]}',
]


def read_in_every_way(reply: Reply) -> None:
    for order in ORDERS:
        for mode in Mode:
            outcome = read_vend(reply, order, mode).outcome
            assert isinstance(outcome, Vended | Rejected | Unknown)
            if isinstance(outcome, Unknown):
                assert outcome.sign_of_vend is (200 <= reply.status < 300)
            assert_storable(repr(outcome))
            assert isinstance(read_prevend(reply, order, mode), Prevended | Rejected)
            assert isinstance(read_reprint(reply, order, mode, "T-1"), Vended | NoSuchTransaction | NoAnswer | Unknown)
            assert isinstance(read_products(reply, order.vas_type, mode), tuple | Rejected)


def assert_storable(shown: str) -> None:
    assert "\x00" not in shown
    shown.encode()


@pytest.mark.parametrize("body", HOSTILE, ids=[repr(body[:24]) for body in HOSTILE])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_no_body_however_hostile_raises(status: int, body: bytes) -> None:
    read_in_every_way(Reply.of(status, {"content-type": "application/json"}, body))


any_text = st.text(st.characters(exclude_categories=()), max_size=30)  # surrogates and NUL included
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text
names = st.sampled_from(
    [
        *("transactionId", "additionalDetails", "tokens", "token", "value", "pin", "units", "type", "fixedCosts", "amount", "products"),
        *(
            "consumerDetails",
            "name",
            "fulcrumErrorCode",
            "errorCode",
            "detail",
            "simulated",
            "serialNumber",
            "productAmount",
            "onlineMeter",
        ),
    ]
)
json_values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=8), max_leaves=25)
bodies = st.binary(max_size=200) | st.builds(lambda value: json.dumps(value).encode(), json_values)
content_types = st.sampled_from(["application/json", "application/problem+json", "text/html", ""]) | st.text(max_size=40)


@given(
    status=st.integers(100, 999),
    content_type=content_types,
    body=bodies,
    fault=st.none() | st.just("ReadError"),
    waits=st.text(max_size=12),
)
def test_no_status_content_type_or_body_raises(status: int, content_type: str, body: bytes, fault: str | None, waits: str) -> None:
    reply = Reply.of(status, {"content-type": content_type, "retry-after": waits, "etag": waits}, body, fault)

    assert 1 <= reply.wait_seconds <= 3600
    read_in_every_way(reply)


def without_errors(value: object) -> Any:
    """Remove the members that contradict a sale from a JSON value, on every level."""
    if isinstance(value, list):
        return [without_errors(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {key: without_errors(inner) for key, inner in value.items() if key not in ("fulcrumErrorCode", "errorCode", "simulated")}


@given(value=json_values.filter(lambda value: isinstance(value, dict)))
def test_any_sale_with_an_id_is_vended_and_storable(value: object) -> None:
    assert isinstance(value, dict)
    said = without_errors(value) | {"transactionId": "T-1"}
    for order in ORDERS:
        outcome = vend(answer(200, said), order)
        assert isinstance(outcome, Vended)
        receipt = outcome.receipt
        said_of = (receipt.pin, receipt.serial_number, receipt.reference, receipt.instructions, receipt.expiry_date, receipt.receipt_number)
        assert_storable("".join(text or "" for text in said_of))
        assert all(len(token.number) == 20 for token in receipt.tokens)


def test_an_answer_never_shows_its_body() -> None:
    reply = answer(200, {"transactionId": "T-1", "additionalDetails": {"tokens": ["00001111222233334444"], "pin": "12345678901234"}})
    raw = RawAnswer.of("vend", datetime(2026, 5, 1, tzinfo=UTC), reply.status, reply.content_type, reply.body)
    shown = repr(reply) + repr(vend(reply)) + repr(vend(reply, VOUCHER)) + repr(raw) + reply.description

    assert "00001111222233334444" not in shown
    assert "12345678901234" not in shown


def test_amounts_are_read_without_floats() -> None:
    said = prevended(
        Reply.of(200, {"content-type": "application/json"}, b'{"transactionId":"P","minimumPurchaseAmount":0.29,"amountDue":1.1E1}')
    )

    assert said == structs.replace(Prevended("P"), minimum_amount=Money(29), amount_due=Money(1100))
    assert Decimal("0.29") * 100 == 29
