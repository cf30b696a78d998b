"""The meaning of the supplier's answer to a prevend."""

import pytest

from shared.domain.money import Money
from shared.domain.outcome import Consumer, Prevended, Reason, Rejected
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.responses import Heard, NoReply, read_products
from tests.unit.mobilemart.answers import BILL, ELECTRICITY, answer, html, prevended, problem


@pytest.mark.parametrize(
    ("minimum", "cents"), [(10, 1000), (339.26, 33926), ("339.26", 33926), ("10", 1000), (None, None), ("lots", None), (True, None)]
)
def test_a_prevend_says_its_conditions(minimum: object, cents: int | None) -> None:
    consumer = {"name": "T CONSUMER", "address": "1 TEST ROAD"}
    said = prevended(
        answer(200, {"transactionId": "PV-1", "minimumPurchaseAmount": minimum, "amountDue": 450.5, "consumerDetails": consumer})
    )

    assert said == Prevended("PV-1", None if cents is None else Money(cents), Money(45050), Consumer("T CONSUMER", "1 TEST ROAD"))


def test_a_prevend_of_a_bill_names_the_account_holder() -> None:
    said = prevended(answer(200, {"prevendTransactionId": "PV-2", "accountHolder": "A HOLDER"}), BILL)

    assert said == Prevended("PV-2", consumer=Consumer("A HOLDER"))


@pytest.mark.parametrize("order", [ELECTRICITY, BILL], ids=["utility", "bill payment"])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, Reason.PRODUCT_UNAVAILABLE),
        (1001, Reason.AMOUNT_REFUSED),
        (1002, Reason.TEMPORARILY_UNAVAILABLE),
        (1003, Reason.PREVEND_REFUSED),
        (1006, Reason.TEMPORARILY_UNAVAILABLE),
        (1008, Reason.TEMPORARILY_UNAVAILABLE),
        (1010, Reason.PREVEND_REFUSED),
        (1011, Reason.PRODUCT_UNAVAILABLE),
        (1012, Reason.PREVEND_REFUSED),
        (1013, Reason.PREVEND_REFUSED),
        (1099, Reason.PREVEND_REFUSED),
    ],
)
def test_a_refused_prevend_says_why(order: Order, code: int, reason: Reason) -> None:
    refusal = prevended(problem(400, code), order)

    assert isinstance(refusal, Rejected)
    assert refusal.reason is reason


def test_a_prevend_refuses_a_meter_as_unknown_and_an_account_as_refused() -> None:
    meter, account = prevended(problem(400, 1016)), prevended(problem(400, 1016), BILL)

    assert isinstance(meter, Rejected)
    assert isinstance(account, Rejected)
    assert (meter.reason, account.reason) == (Reason.METER_UNKNOWN, Reason.ACCOUNT_REFUSED)


@pytest.mark.parametrize(
    "heard",
    [
        NoReply("TimeoutError"),
        html(200),
        html(405),
        problem(403, None),
        problem(500, 1001),
        problem(503, None),
        problem(500, 1099),
        problem(499, None),
        *(problem(status, 1099) for status in (200, 302, 399, 500)),
        answer(200, {"transactionId": "PV-1", "errorCode": 5}),
        answer(200, {"transactionId": "PV-1", "fulcrumErrorCode": "E5"}),
        answer(200, {}),
        answer(200, []),
    ],
)
def test_a_prevend_that_was_not_answered_is_temporarily_unavailable(heard: Heard) -> None:
    refusal = prevended(heard)

    assert isinstance(refusal, Rejected)
    assert refusal.reason is Reason.TEMPORARILY_UNAVAILABLE


@pytest.mark.parametrize("heard", [problem(400, None), html(400), problem(401 + 1, 1099), problem(499, 1099), problem(404, 7)])
def test_a_prevend_that_was_refused_without_a_known_reason_is_refused_all_the_same(heard: Heard) -> None:
    refusal = prevended(heard)

    assert isinstance(refusal, Rejected)
    assert (refusal.reason, refusal.retry_after_seconds, refusal.float_exhausted) == (Reason.PREVEND_REFUSED, None, False)


def test_a_refusal_names_an_empty_float_and_a_refused_token() -> None:
    empty, unknown = prevended(problem(400, 1008)), prevended(problem(401, None))

    assert isinstance(empty, Rejected) and isinstance(unknown, Rejected)
    assert (empty.float_exhausted, empty.not_taken, unknown.float_exhausted, unknown.not_taken) == (True, False, False, True)
    assert empty.retry_after_seconds is None


def test_an_id_of_zeros_confirms_nothing() -> None:
    empty = "00000000-0000-0000-0000-000000000000"

    assert isinstance(prevended(answer(200, {"transactionId": empty})), Rejected)
    assert prevended(answer(200, {"transactionId": empty, "prevendTransactionId": "PV-1"})) == Prevended("PV-1")


def test_a_busy_supplier_says_when_to_ask_again() -> None:
    for refusal in (prevended(answer(429, {})), read_products(answer(429, {}), VasType.DATA, Mode.LIVE)):
        assert isinstance(refusal, Rejected)
        assert (refusal.reason, refusal.retry_after_seconds) == (Reason.SUPPLIER_BUSY, 60)
