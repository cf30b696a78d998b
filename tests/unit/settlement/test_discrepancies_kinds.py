"""Each kind of discrepancy alone."""

from datetime import timedelta

import pytest

from shared.domain.discrepancy import DiscrepancyKind, Severity, side_body
from shared.domain.statement import Total
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import written
from shared.settlement.comparison import compare
from shared.settlement.matching import FileInterpretation
from shared.settlement.settled_day import Status
from tests.unit.settlement.compared import (
    BEFORE,
    DAY,
    GUID,
    METER,
    NEXT,
    NOON,
    ONE_DAY,
    OTHER_METER,
    TODAY,
    A,
    B,
    closed,
    doubtful,
    is_conserved,
    kinds,
    line,
    recorded,
    sale,
    settled,
)


def test_missing_at_supplier():
    result = closed([A, B], [line(B)])
    (found,) = result.discrepancies
    assert (found.kind, found.severity, found.transaction_id, found.theirs) == (
        DiscrepancyKind.MISSING_AT_SUPPLIER,
        Severity.WARNING,
        A.id,
        None,
    )
    assert found.ours.recipient == "*8901"
    assert result.status is Status.DISCREPANCIES


def test_missing_here():
    result = closed([A], [line(A), line(B)])
    (found,) = result.discrepancies
    assert (found.kind, found.severity, found.transaction_id, found.ours) == (DiscrepancyKind.MISSING_HERE, Severity.CRITICAL, None, None)
    assert (found.theirs.line, found.theirs.recipient, found.theirs.amount_cents) == (3, "*8902", 10_000)
    assert result.strangers == (line(B),)


@pytest.mark.parametrize("cents", [9_999, 10_001, 0])
def test_amount_differs_by_a_cent(cents):
    result = closed([A], [line(A, amount=str(cents))])
    assert kinds(result) == [DiscrepancyKind.AMOUNT_DIFFERS]
    assert is_conserved(result)


def test_a_bills_fee_is_in_the_amount_or_on_top_as_it_is_set():
    bill = sale("bill", vas_type=VasType.BILL_PAYMENT, recipient="12345", fee_cents=250)
    inside, on_top = line(bill), line(bill, amount="10250")
    assert kinds(closed([bill], [inside])) == kinds(closed([bill], [on_top], fee_is_on_top=True)) == []
    assert kinds(closed([bill], [on_top])) == kinds(closed([bill], [inside], fee_is_on_top=True)) == [DiscrepancyKind.AMOUNT_DIFFERS]


def test_state_differs_where_our_vend_was_binned():
    result = closed([A], [line(A, status="Binned")])
    assert kinds(result) == [DiscrepancyKind.STATE_DIFFERS]
    assert is_conserved(result)
    assert closed([A], [line(A, status="Binned")], binned_is_charged=True).discrepancies[0].severity is Severity.CRITICAL


def test_vended_after_rejection():
    rejected = sale("a", state=State.REJECTED, supplier_transaction_id=None, sign_of_vend=False)
    result = closed([rejected], [line(rejected)])
    assert kinds(result) == [DiscrepancyKind.VENDED_AFTER_REJECTION]
    assert [(proof.transaction_id, proof.ends_sale) for proof in result.proofs] == [(rejected.id, False)]
    assert (result.healed, result.matched) == ((), Total())
    assert is_conserved(result)


@pytest.mark.parametrize(
    ("sold", "ours"),
    [
        (A, {"state": "vended", "supplierTransactionId": A.supplier_transaction_id}),
        (doubtful("a"), {"state": "vended", "supplierTransactionId": A.supplier_transaction_id}),  # as it is once its line is on record
        (doubtful("a", state=State.REJECTED), {"state": "rejected", "supplierTransactionId": None}),
    ],
)
def test_a_discrepancy_shows_both_sides_whole_and_four_digits_of_whom_it_is_about(sold, ours):
    found = closed([sold], [line(sold, amount="10001")]).discrepancies[-1]
    assert found.kind is DiscrepancyKind.AMOUNT_DIFFERS
    assert side_body(found.ours) == ours | {
        "supplierId": "",
        "requestId": sold.request_id,
        "vasType": "utility",
        "amountCents": 10_000,
        "recipient": "*8901",
        "day": "2026-05-04",
    }
    assert side_body(found.theirs) == {
        "line": 2,
        "supplierTransactionId": A.supplier_transaction_id,
        "merchantTransactionId": sold.request_id,
        "status": "Successful",
        "vasType": "utility",
        "amountCents": 10_001,
        "recipient": "*8901",
        "at": "2026-05-04T10:00:00Z",
        "productName": line(sold).product_name,
    }


def test_a_rejected_sale_that_was_binned_is_as_it_should_be():
    rejected = sale("a", state=State.REJECTED, supplier_transaction_id=None, sign_of_vend=False)
    assert closed([rejected], [line(rejected, status="Binned")]).discrepancies == ()


@pytest.mark.parametrize("order", [1, -1])
def test_vended_twice_in_whatever_order_the_lines_stand(order):
    second = line(B, merchant_id=A.request_id, meter_number=METER)
    result = closed([A], [line(A), second][::order])
    (found,) = result.discrepancies
    assert (found.kind, found.theirs.supplier_transaction_id) == (DiscrepancyKind.VENDED_TWICE, second.transaction_id)
    assert [proof.supplier_transaction_id for proof in result.proofs] == [second.transaction_id]
    assert is_conserved(result)


def test_vended_twice_when_the_one_line_has_another_supplier_id_than_our_answer_had():
    assert kinds(closed([A], [line(A, transaction_id=line(B).transaction_id)])) == [DiscrepancyKind.VENDED_TWICE]


def test_claimed_twice_when_two_sales_hold_one_supplier_id():
    later = sale("b", recipient=OTHER_METER, supplier_transaction_id=A.supplier_transaction_id, created_at=NOON + timedelta(minutes=1))
    own_id = line(B).transaction_id
    (found,) = closed([A, later], [line(A), line(later, transaction_id=own_id)]).discrepancies
    assert (found.kind, found.transaction_id, found.ours.also_held_by) == (DiscrepancyKind.CLAIMED_TWICE, later.id, A.id)


def test_claimed_twice_when_a_line_gives_one_sale_the_supplier_id_of_another():
    doubt = doubtful("c", created_at=NOON + timedelta(minutes=1))
    taken = line(doubt, transaction_id=line(A).transaction_id)
    result = closed([A, doubt], [line(A), taken])
    (found,) = result.discrepancies
    assert (found.kind, found.transaction_id, found.ours.also_held_by) == (DiscrepancyKind.CLAIMED_TWICE, doubt.id, A.id)
    assert kinds(closed(recorded([A, doubt], result), [line(A), taken])) == [DiscrepancyKind.CLAIMED_TWICE]
    assert is_conserved(result)


def test_claimed_twice_when_one_sales_line_has_the_supplier_id_of_another():
    result = closed([A, B], [line(A, transaction_id=line(B).transaction_id), line(B)])
    (found,) = result.discrepancies
    assert (found.kind, found.transaction_id, found.ours.also_held_by) == (DiscrepancyKind.CLAIMED_TWICE, A.id, B.id)


def test_a_sale_is_vended_twice_if_another_line_has_its_id_and_its_own_has_a_third():
    lines = [line(A, transaction_id=line(B).transaction_id), line(B, transaction_id=GUID)]
    result = closed([A, B], lines)
    assert {(found.kind, found.transaction_id) for found in result.discrepancies} == {
        (DiscrepancyKind.CLAIMED_TWICE, A.id),
        (DiscrepancyKind.VENDED_TWICE, B.id),
    }
    rejected = doubtful("r", state=State.REJECTED)
    result = closed([rejected, B], [line(rejected, transaction_id=line(B).transaction_id), lines[1]])
    assert (DiscrepancyKind.VENDED_TWICE, B.id) in {(found.kind, found.transaction_id) for found in result.discrepancies}


@pytest.mark.parametrize(
    ("sold", "other"),
    [
        (A, {"meter_number": OTHER_METER}),
        (sale("a", vas_type=VasType.AIRTIME, recipient="27720012345"), {"msisdn": "0720012346"}),
        (sale("a", vas_type=VasType.BILL_PAYMENT, recipient="12345"), {"account_number": "12346"}),
    ],
)
def test_account_differs(sold, other):
    assert kinds(closed([sold], [line(sold, **other)])) == [DiscrepancyKind.ACCOUNT_DIFFERS]


def test_a_line_of_another_service_differs_and_both_services_stay_conserved():
    result = closed([A], [line(A, vas_type="Data", meter_number="")])
    assert kinds(result) == [DiscrepancyKind.ACCOUNT_DIFFERS]
    assert is_conserved(result)


def test_duplicate_line():
    result = closed([A], [line(A), line(A), line(A)])
    assert kinds(result) == [DiscrepancyKind.DUPLICATE_LINE, DiscrepancyKind.DUPLICATE_LINE]
    assert len({found.id for found in result.discrepancies}) == 2
    assert result.proofs == ()
    assert is_conserved(result)


def test_a_duplicate_in_the_next_days_file_is_the_next_days():
    files = {BEFORE: [], DAY: [line(A)], NEXT: [line(A)], NEXT + ONE_DAY: []}
    assert settled([A], files).discrepancies == ()
    assert kinds(settled([A], files, day=NEXT, today=NEXT + 2 * ONE_DAY)) == [DiscrepancyKind.DUPLICATE_LINE]


def test_late_posting():
    old = sale("old", created_at=NOON - 3 * ONE_DAY)
    result = closed([old], [line(old)])
    (found,) = result.discrepancies
    assert (found.kind, found.severity) == (DiscrepancyKind.LATE_POSTING, Severity.INFO)
    assert [carried.transaction_id for carried in result.carried_in] == [old.id]
    assert is_conserved(result)


def test_one_business_day_is_not_late():
    assert closed([sale("old", created_at=NOON - ONE_DAY)], [line(sale("old", created_at=NOON - ONE_DAY))]).discrepancies == ()


def test_negative_line():
    reversal = line(A, amount="-10000")
    result = closed([A], [line(A), reversal])
    assert [(found.kind, found.severity) for found in result.discrepancies] == [(DiscrepancyKind.NEGATIVE_LINE, Severity.WARNING)]
    assert closed([A], [line(A), reversal], reversals_are_expected=True).discrepancies[0].severity is Severity.INFO
    assert is_conserved(result)


def test_a_negative_line_without_a_sale_is_a_warning_even_if_reversals_are_expected():
    result = closed([A], [line(A), line(B, amount="-10000")], reversals_are_expected=True)
    assert [(found.kind, found.severity) for found in result.discrepancies] == [(DiscrepancyKind.NEGATIVE_LINE, Severity.WARNING)]


def test_a_line_of_an_unreadable_sale_hides_no_discrepancy_in_later_lines():
    files = [SettlementFile(written(day, lines)) for day, lines in {DAY: [line(A), line(B)], NEXT: []}.items()]
    unread = Unread(id=A.id, request_id=A.request_id, day=DAY)
    result = compare(DAY, [], files, mode=Mode.LIVE, today=TODAY, readings=FileInterpretation(), unread=[unread])
    assert [(found.kind, found.theirs.merchant_transaction_id) for found in result.discrepancies] == [
        (DiscrepancyKind.MISSING_HERE, B.request_id)
    ]


def test_unknown_status():
    result = closed([A], [line(A, status="Pending")])
    assert kinds(result) == [DiscrepancyKind.UNKNOWN_STATUS]
    assert is_conserved(result)


def test_a_binned_line_of_no_sale_of_ours_is_shown_but_bills_nothing():
    result = closed([], [line(A, status="Binned")])
    assert [(found.kind, found.severity) for found in result.discrepancies] == [(DiscrepancyKind.MISSING_HERE, Severity.WARNING)]
    assert is_conserved(result)
