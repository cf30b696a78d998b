import json
import random
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from shared.domain.clock import business_day
from shared.domain.outcome import TokensDue
from shared.domain.sale_summary import Sold
from shared.domain.statement import FileRefused, Total
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import Plant, detail, planted, written
from shared.settlement.comparison import compare, files_needed
from shared.settlement.matching import FileInterpretation, MerchantId, match
from shared.settlement.settled_day import DiscrepancyKind, Severity, Status, day_as_read, next_version
from shared.settlement.withdrawn_lines import UNREAD, Lacking, LostLine, ids_of, names_any, withdrawn

ONE_DAY = timedelta(days=1)
DAY = date(2026, 5, 4)
BEFORE, NEXT = DAY - ONE_DAY, DAY + ONE_DAY
TODAY = DAY + 2 * ONE_DAY
NOON = datetime(2026, 5, 4, 10, tzinfo=UTC)
MIDNIGHT = datetime(2026, 5, 3, 22, tzinfo=UTC)  # where DAY begins in South Africa
METER, OTHER_METER = "12345678901", "12345678902"
GUID = "ffffffff-0000-4000-8000-00000000000f"


def sale(name, **fields):
    """A vended sale of DAY; `name` makes all its ids."""
    made_at = fields.pop("created_at", NOON)
    known = {
        "id": f"{name}-sale",
        "request_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} request")),
        "state": State.VENDED,
        "amount_cents": 10_000,
        "vas_type": VasType.UTILITY,
        "recipient": METER,
        "supplier_transaction_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} supplier")),
        "day": business_day(made_at),
        "created_at": made_at,
        "sent_by": made_at,
        "sign_of_vend": True,
        "token_due": False,
        "fee_cents": 0,
    }
    return Sold(**(known | fields))


def doubtful(name, **fields):
    return sale(name, **({"state": State.IN_DOUBT, "supplier_transaction_id": None, "sign_of_vend": False, "token_due": True} | fields))


def line(sold, **changes):
    """The truthful line of a sale, whatever we know of it."""
    name = sold.id.removesuffix("-sale")
    truthful = detail(
        service=sold.vas_type,
        transaction_id=sold.supplier_transaction_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} supplier")),
        merchant_id=sold.request_id,
        at=sold.created_at,
        cents=sold.amount_cents,
        recipient=sold.recipient or "",
    )
    return truthful._replace(**changes)


def settled(sold, files, *, day=DAY, today=TODAY, **readings):
    """`files`: the lines of each day."""
    read = [SettlementFile(written(of, lines), name=f"{of}.txt") for of, lines in files.items()]
    return compare(day, sold, read, mode=Mode.LIVE, today=today, readings=FileInterpretation(**readings))


def closed(sold, lines, **changes):
    """The day with its file and the next day's, which is empty."""
    return settled(sold, {DAY: lines, NEXT: []}, **changes)


def kinds(result):
    return [found.kind for found in result.discrepancies]


def is_conserved(result):
    return all(books.residue == Total() for books in result.conservation)


A, B = sale("a"), sale("b", recipient=OTHER_METER)


# A truthful day


def test_a_truthful_file_leaves_nothing_to_say():
    result = closed([A, B], [line(B), line(A)])
    assert (result.status, result.discrepancies, result.matched) == (Status.BALANCED, (), Total(2, 20_000))
    assert is_conserved(result)


def test_a_day_without_sales_balances_with_an_empty_file():
    assert closed([], []).status is Status.BALANCED


@pytest.mark.parametrize("said", ["27720012345", "0720012345", "+27720012345", ""])
def test_a_mobile_number_is_the_same_in_any_of_its_forms(said):
    airtime = sale("a", vas_type=VasType.AIRTIME, recipient="27720012345")
    assert closed([airtime], [line(airtime, msisdn=said)]).discrepancies == ()


def test_ids_are_the_same_in_upper_case():
    assert closed([A], [line(A, transaction_id=line(A).transaction_id.upper(), merchant_id=A.request_id.upper())]).discrepancies == ()


@pytest.mark.parametrize("known_as", list(MerchantId))
def test_a_line_is_found_by_whichever_id_field_5_carries(known_as):
    carried = A.supplier_transaction_id if known_as is MerchantId.SUPPLIER_ID else A.request_id
    assert closed([A], [line(A, merchant_id=carried)], merchant_id=known_as).discrepancies == ()


def test_a_line_without_our_request_id_is_found_by_the_suppliers():
    for merchant_id in ("", "4711", A.supplier_transaction_id):
        assert closed([A], [line(A, merchant_id=merchant_id)]).discrepancies == ()


def test_an_id_that_a_persons_decision_lacks_is_proven_by_its_line_and_changes_nothing_else():
    decided = sale("a", supplier_transaction_id=None)
    result = closed([decided, B], [line(A), line(B)])
    (proof,) = result.proofs
    assert (proof.transaction_id, proof.supplier_transaction_id, proof.ends_sale) == (decided.id, A.supplier_transaction_id, False)
    assert (result.discrepancies, result.matched, result.healed) == ((), Total(2, 20_000), ())
    assert is_conserved(result)


# Each kind alone


def test_missing_at_supplier():
    result = closed([A, B], [line(B)])
    (found,) = result.discrepancies
    assert (found.kind, found.severity, found.transaction_id, found.theirs) == (
        DiscrepancyKind.MISSING_AT_SUPPLIER,
        Severity.WARNING,
        A.id,
        None,
    )
    assert found.ours["recipient"] == "*8901"
    assert result.status is Status.DISCREPANCIES


def test_missing_here():
    result = closed([A], [line(A), line(B)])
    (found,) = result.discrepancies
    assert (found.kind, found.severity, found.transaction_id, found.ours) == (DiscrepancyKind.MISSING_HERE, Severity.CRITICAL, None, None)
    assert (found.theirs["line"], found.theirs["recipient"], found.theirs["amountCents"]) == (3, "*8902", 10_000)
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
def test_a_difference_shows_both_sides_whole_and_four_digits_of_whom_it_is_about(sold, ours):
    found = closed([sold], [line(sold, amount="10001")]).discrepancies[-1]
    assert found.kind is DiscrepancyKind.AMOUNT_DIFFERS
    assert found.ours == ours | {
        "supplierId": "",
        "requestId": sold.request_id,
        "vasType": "utility",
        "amountCents": 10_000,
        "recipient": "*8901",
        "day": "2026-05-04",
    }
    assert found.theirs == {
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
    assert (found.kind, found.theirs["supplierTransactionId"]) == (DiscrepancyKind.VENDED_TWICE, second.transaction_id)
    assert [proof.supplier_transaction_id for proof in result.proofs] == [second.transaction_id]
    assert is_conserved(result)


def test_vended_twice_when_the_one_line_has_another_supplier_id_than_our_answer_had():
    assert kinds(closed([A], [line(A, transaction_id=line(B).transaction_id)])) == [DiscrepancyKind.VENDED_TWICE]


def test_claimed_twice_when_two_sales_hold_one_supplier_id():
    later = sale("b", recipient=OTHER_METER, supplier_transaction_id=A.supplier_transaction_id, created_at=NOON + timedelta(minutes=1))
    own_id = line(B).transaction_id
    (found,) = closed([A, later], [line(A), line(later, transaction_id=own_id)]).discrepancies
    assert (found.kind, found.transaction_id, found.ours["alsoHeldBy"]) == (DiscrepancyKind.CLAIMED_TWICE, later.id, A.id)


def test_claimed_twice_when_a_line_gives_one_sale_the_supplier_id_of_another():
    doubt = doubtful("c", created_at=NOON + timedelta(minutes=1))
    taken = line(doubt, transaction_id=line(A).transaction_id)
    result = closed([A, doubt], [line(A), taken])
    (found,) = result.discrepancies
    assert (found.kind, found.transaction_id, found.ours["alsoHeldBy"]) == (DiscrepancyKind.CLAIMED_TWICE, doubt.id, A.id)
    assert kinds(closed(recorded([A, doubt], result), [line(A), taken])) == [DiscrepancyKind.CLAIMED_TWICE]
    assert is_conserved(result)


def test_claimed_twice_when_one_sales_line_has_the_supplier_id_of_another():
    result = closed([A, B], [line(A, transaction_id=line(B).transaction_id), line(B)])
    (found,) = result.discrepancies
    assert (found.kind, found.transaction_id, found.ours["alsoHeldBy"]) == (DiscrepancyKind.CLAIMED_TWICE, A.id, B.id)


def test_a_sale_whose_supplier_id_another_sales_line_has_is_vended_twice_when_its_own_line_has_a_third():
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


def test_a_negative_line_of_no_sale_of_ours_is_a_warning_even_where_reversals_are_expected():
    result = closed([A], [line(A), line(B, amount="-10000")], reversals_are_expected=True)
    assert [(found.kind, found.severity) for found in result.discrepancies] == [(DiscrepancyKind.NEGATIVE_LINE, Severity.WARNING)]


def test_a_line_of_a_sale_that_cannot_be_read_hides_no_difference_in_the_lines_behind_it():
    files = [SettlementFile(written(day, lines)) for day, lines in {DAY: [line(A), line(B)], NEXT: []}.items()]
    unread = Unread(id=A.id, request_id=A.request_id, day=DAY)
    result = compare(DAY, [], files, mode=Mode.LIVE, today=TODAY, readings=FileInterpretation(), unread=[unread])
    assert [(found.kind, found.theirs["merchantTransactionId"]) for found in result.discrepancies] == [
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


# Midnight, and files that are not there yet


def test_what_the_file_lacks_waits_for_the_next_days_file():
    provisional = settled([A, B], {DAY: [line(A)]})
    assert (provisional.status, provisional.discrepancies) == (Status.PROVISIONAL, ())
    assert [(carried.transaction_id, carried.billed_on) for carried in provisional.carried_out] == [(B.id, None)]
    assert is_conserved(provisional)


def test_the_next_days_file_closes_the_day():
    files = {DAY: [line(A)], NEXT: [line(B)]}
    result = settled([A, B], files)
    assert (result.status, result.discrepancies) == (Status.BALANCED, ())
    assert [(carried.transaction_id, carried.billed_on) for carried in result.carried_out] == [(B.id, NEXT)]
    following = settled([A, B], files, day=NEXT)
    assert [(carried.transaction_id, carried.sold_on) for carried in following.carried_in] == [(B.id, DAY)]
    assert (following.discrepancies, following.matched) == ((), Total(1, 10_000))
    assert is_conserved(result)
    assert is_conserved(following)


def test_a_sale_just_behind_midnight_may_be_billed_the_day_before():
    early = sale("early", created_at=MIDNIGHT + timedelta(minutes=3))
    files = {BEFORE: [line(early)], DAY: [], NEXT: []}
    assert early.day == DAY
    assert [carried.billed_on for carried in settled([early], files).carried_out] == [BEFORE]
    assert [carried.sold_on for carried in settled([early], files, day=BEFORE).carried_in] == [DAY]


def test_today_is_provisional_whatever_files_there_are():
    assert closed([A], [line(A)], today=DAY).status is Status.PROVISIONAL


def test_a_day_waits_for_the_whole_of_the_next_one_whose_file_of_a_day_that_still_runs_is_its_first_half():
    files = {DAY: [line(A)], NEXT: []}
    result = settled([A, B], files, today=NEXT)
    assert (result.status, result.discrepancies) == (Status.PROVISIONAL, ())
    assert [(carried.transaction_id, carried.billed_on) for carried in result.carried_out] == [(B.id, None)]
    assert is_conserved(result)
    assert kinds(settled([A, B], files, today=NEXT + ONE_DAY)) == [DiscrepancyKind.MISSING_AT_SUPPLIER]


def test_without_its_file_a_day_waits_and_calls_nothing_missing():
    result = settled([A, doubtful("b")], {NEXT: []})
    assert (result.status, result.file, result.discrepancies) == (Status.FILE_MISSING, None, ())
    assert is_conserved(result)


def test_two_files_of_one_day_are_refused():
    twin = [SettlementFile(written(DAY, [])), SettlementFile(written(DAY, []))]
    with pytest.raises(ValueError, match="two settlement files"):
        compare(DAY, [], twin, mode=Mode.LIVE, today=TODAY, readings=FileInterpretation())


def test_a_broken_file_finds_nothing_out():
    with pytest.raises(FileRefused):
        compare(
            DAY, [A], [SettlementFile(written(DAY, [line(A)], miscounted_by=1))], mode=Mode.LIVE, today=TODAY, readings=FileInterpretation()
        )


def test_an_older_sale_needs_the_files_around_it():
    old = sale("old", created_at=NOON - 3 * ONE_DAY)
    assert files_needed(DAY, [old]) == {DAY + offset * ONE_DAY for offset in (-4, -3, -2, -1, 0, 1)}
    twice_billed = settled([old], {old.day: [line(old)], DAY: [line(old)], NEXT: []})
    assert kinds(twice_billed) == [DiscrepancyKind.DUPLICATE_LINE]


# What a line proves


@pytest.mark.parametrize("state", [State.IN_DOUBT, State.VENDING])
def test_a_line_by_our_request_id_ends_a_doubt(state):
    doubt = doubtful("a", state=state)
    result = closed([doubt], [line(doubt, serial_number="S1")])
    (proof,) = result.proofs
    assert (proof.transaction_id, proof.ends_sale) == (doubt.id, True)
    assert (proof.receipt.supplier_transaction_id, proof.receipt.tokens_due) == (line(doubt).transaction_id, TokensDue.PENDING)
    assert [(healed.transaction_id, healed.state) for healed in result.healed] == [(doubt.id, State.VENDED)]
    assert [token.transaction_id for token in result.tokens_to_recover] == [doubt.id]
    assert (result.discrepancies, result.open, result.matched) == ((), (), Total(1, 10_000))
    assert is_conserved(result)


def test_a_line_ends_a_doubt_whose_supplier_id_is_known():
    doubt = doubtful("a", supplier_transaction_id=A.supplier_transaction_id)
    result = closed([doubt], [line(doubt)])
    assert [(one.transaction_id, one.state) for one in result.healed] == [(doubt.id, State.VENDED)]


def test_a_token_is_to_be_recovered_of_vended_sales_that_are_of_the_day_or_billed_on_it_alone():
    due = {name: sale(name, token_due=True, created_at=NOON - ONE_DAY) for name in ("billed here", "billed there")}
    own, unended = sale("own", token_due=True), doubtful("unended")
    sold = [*due.values(), own, unended, doubtful("rejected", state=State.REJECTED)]
    files = {BEFORE: [line(due["billed there"])], DAY: [line(due["billed here"]), line(own)], NEXT: []}
    assert [one.transaction_id for one in settled(sold, files).tokens_to_recover] == [due["billed here"].id, own.id]


def test_only_a_vended_sale_is_carried_out_and_only_as_what_it_is():
    rejected, misfiled, plain = doubtful("rejected", state=State.REJECTED), sale("misfiled"), sale("plain")
    files = {DAY: [], NEXT: [line(rejected), line(misfiled, vas_type="Data", meter_number=""), line(plain)]}
    result = settled([rejected, misfiled, plain], files)
    assert [one.transaction_id for one in result.carried_out] == [plain.id] and is_conserved(result)


def test_a_line_in_the_next_days_file_ends_a_doubt():
    doubt = doubtful("a")
    assert [healed.transaction_id for healed in settled([doubt], {DAY: [], NEXT: [line(doubt)]}).healed] == [doubt.id]


@pytest.mark.parametrize(
    "changes", [{"status": "Binned"}, {"status": "Pending"}, {"amount": "-10000"}, {"merchant_id": ""}, {"merchant_id": A.request_id}]
)
def test_no_other_line_ends_a_doubt(changes):
    doubt = doubtful("d")
    result = closed([A, doubt], [line(A), line(doubt, **changes)])
    assert doubt.id not in {healed.transaction_id for healed in result.healed}
    assert [sale.transaction_id for sale in result.open] == [doubt.id]
    assert is_conserved(result)


# What a line shows without proving it


@pytest.mark.parametrize("state", [State.IN_DOUBT, State.VENDING])
@pytest.mark.parametrize("changes", [{"status": "Binned"}, {"status": "Pending"}, {"amount": "-10000"}])
@pytest.mark.parametrize("day", [BEFORE, DAY, NEXT])
def test_a_line_that_names_a_sale_in_doubt_and_does_not_bill_it_is_a_sign_of_a_vend(state, changes, day):
    doubt = doubtful("d", state=state)
    result = settled([A, doubt], {BEFORE: [], DAY: [line(A)], NEXT: []} | {day: [line(doubt, **changes), line(doubt, status="Later")]})
    (sign,) = result.signs
    assert (sign.transaction_id, sign.day, sign.number, sign.line) == (doubt.id, day, 2, line(doubt, **changes))
    assert METER not in repr(result) and doubt.id in repr(result)


@pytest.mark.parametrize("day", [DAY, NEXT])
def test_a_sale_that_a_line_bills_or_that_has_ended_or_showed_a_sign_before_needs_none(day):
    billed, ended = doubtful("d"), sale("r", state=State.REJECTED, supplier_transaction_id=None)
    shown = doubtful("s", sign_of_vend=True)
    lines = [line(one, status="Binned") for one in (billed, ended, shown, A)]
    assert settled([billed, ended, shown, A], {DAY: lines, NEXT: []} | {day: [*lines, line(billed)]}).signs == ()


# What silence proves


CONTROLS = {BEFORE: sale("before", created_at=NOON - ONE_DAY), DAY: A, NEXT: sale("next", created_at=NOON + ONE_DAY)}
SILENT = doubtful("silent", recipient=OTHER_METER)


def absent(doubt=SILENT, files=None, others=(), today=TODAY, **readings):
    files = {day: [line(control)] for day, control in CONTROLS.items()} if files is None else files
    result = settled([*CONTROLS.values(), doubt, *others], files, today=today, **readings)
    assert is_conserved(result)
    return doubt.id in result.absent


def with_files(**changes):
    """The three complete files, with lines added (`day`), or taken away (`without_day=True`)."""
    names = {"before": BEFORE, "day": DAY, "next": NEXT}
    files = {day: [line(control)] for day, control in CONTROLS.items()}
    for name, more in changes.items():
        day = names[name.removeprefix("no_")]
        if name.startswith("no_"):
            del files[day]
        else:
            files[day] = more(files[day])
    return files


def test_a_sale_that_complete_files_lack_was_never_vended():
    assert absent()
    assert absent(files=with_files(no_before=True))


def test_an_absent_sale_is_healed_as_rejected():
    result = settled([*CONTROLS.values(), SILENT], with_files())
    assert [(healed.transaction_id, healed.state) for healed in result.healed] == [(SILENT.id, State.REJECTED)]
    assert (result.open, result.discrepancies) == ((), ())


@pytest.mark.parametrize("day", ["no_day", "no_next"])
def test_silence_of_a_missing_file_proves_nothing(day):
    assert not absent(files=with_files(**{day: True}))


@pytest.mark.parametrize("minutes", [0, 10, 24 * 60 - 10, 24 * 60 - 1])
def test_near_midnight_the_day_before_must_be_silent_too(minutes):
    early = doubtful("early", created_at=MIDNIGHT + timedelta(minutes=minutes))
    assert early.day == DAY
    assert absent(early)
    assert not absent(early, files=with_files(no_before=True))


@pytest.mark.parametrize("minutes", [11, 24 * 60 - 11])
def test_no_nearer_to_midnight_than_ten_minutes_the_day_before_is_not_asked(minutes):
    assert absent(doubtful("early", created_at=MIDNIGHT + timedelta(minutes=minutes)), files=with_files(no_before=True))


def test_a_sale_that_was_sent_near_midnight_was_near_midnight():
    late = doubtful("late", created_at=MIDNIGHT + timedelta(hours=23, minutes=49), sent_by=MIDNIGHT + timedelta(hours=23, minutes=51))
    assert not absent(late, files=with_files(no_before=True))


def test_silence_of_a_day_that_is_not_over_proves_nothing():
    assert not absent(today=NEXT)


@pytest.mark.parametrize("day", ["day", "next"])
def test_silence_of_a_file_that_never_named_a_request_id_proves_nothing(day):
    assert not absent(files=with_files(**{day: lambda _: []}))
    assert not absent(files=with_files(**{day: lambda lines: [one._replace(merchant_id="") for one in lines]}))
    assert not absent(files=with_files(**{day: lambda lines: [one._replace(status="Binned") for one in lines]}))


def test_a_rejected_sale_is_no_control():
    rejected = sale("r", state=State.REJECTED, supplier_transaction_id=None)
    assert not absent(files=with_files(day=lambda _: [line(rejected)]), others=[rejected])


@pytest.mark.parametrize("sign", [{"sign_of_vend": True}, {"supplier_transaction_id": str(uuid.uuid4())}, {"state": State.VENDED}])
def test_a_sign_of_a_vend_outweighs_silence(sign):
    assert not absent(doubtful("silent", recipient=OTHER_METER, **sign))


@pytest.mark.parametrize("status", ["Binned", "Pending"])
@pytest.mark.parametrize("day", ["before", "day", "next"])
def test_a_line_of_any_status_that_names_the_sale_is_no_silence(status, day):
    named = line(SILENT, status=status)
    assert not absent(files=with_files(**{day: lambda lines: [*lines, named]}))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": "Binned"},
        {"status": "Pending"},
        {"amount": "-10000"},
        {"meter_number": "99999999999"},
        {"merchant_id": ""},
        {"merchant_id": A.request_id},
    ],
)
@pytest.mark.parametrize("day", ["day", "next"])
def test_a_line_that_might_be_the_sales_is_no_silence(changes, day):
    unexplained = line(sale("nobody"), **changes)
    assert not absent(files=with_files(**{day: lambda lines: [*lines, unexplained]}))


def test_a_line_that_says_otherwise_than_its_sale_might_be_another_sales():
    assert not absent(files=with_files(day=lambda _: [line(A, meter_number=OTHER_METER)]))
    assert not absent(structs.replace(SILENT, amount_cents=9_999), files=with_files(day=lambda _: [line(A, amount="9999")]))


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        (State.VENDED, {}),
        (State.VENDED, {"meter_number": OTHER_METER}),
        (State.REJECTED, {"amount": "-10000"}),
        (State.REJECTED, {"status": "Binned"}),
    ],
)
@pytest.mark.parametrize(("is_nameless", "is_silent"), [(True, False), (False, True)])
def test_a_line_of_a_sale_whose_recipient_is_no_longer_kept_might_be_another_sales(changes, state, is_nameless, is_silent):
    bare = sale("bare", state=state, recipient=None, is_nameless=is_nameless)  # the other one is pinned
    found = absent(files=with_files(day=lambda lines: [*lines, line(bare, **changes)]), others=[bare])
    assert bool(found) is is_silent


@pytest.mark.parametrize("changes", [{"amount": "10001"}, {"vas_type": "Voucher", "meter_number": ""}])
def test_an_unexplained_line_of_another_amount_or_service_does_not_hide_the_sale(changes):
    assert absent(files=with_files(day=lambda lines: [*lines, line(sale("nobody"), **changes)]))


def test_a_known_rejected_sales_binned_line_does_not_hide_another_sale():
    rejected = sale("r", state=State.REJECTED, supplier_transaction_id=None)
    assert absent(files=with_files(day=lambda lines: [*lines, line(rejected, status="Binned")]), others=[rejected])


def test_where_fees_come_on_top_any_unexplained_bill_may_be_the_sales():
    bill = doubtful("bill", vas_type=VasType.BILL_PAYMENT, recipient="12345")
    other = line(sale("nobody", vas_type=VasType.BILL_PAYMENT, recipient="12345", amount_cents=77))
    files = with_files(day=lambda lines: [*lines, other])
    assert absent(bill, files=files)
    assert not absent(bill, files=files, fee_is_on_top=True)


def test_where_field_5_carries_the_suppliers_id_silence_proves_nothing():
    files = {day: [line(control, merchant_id=control.supplier_transaction_id)] for day, control in CONTROLS.items()}
    assert not absent(files=files, merchant_id=MerchantId.SUPPLIER_ID)
    assert not absent(files=files)


EVENING = MIDNIGHT + timedelta(days=2) - timedelta(minutes=10)  # from where on a sale of NEXT may be billed on the day after


@pytest.mark.parametrize(
    "created_at", [NOON - timedelta(hours=1), NOON + timedelta(hours=1), NOON + ONE_DAY, EVENING - timedelta(seconds=1)]
)
def test_silence_proves_nothing_where_a_vended_sale_of_the_day_or_the_next_is_billed_nowhere(created_at):
    other = sale("other", created_at=created_at, amount_cents=7_700)
    assert not absent(others=[other])
    files = with_files(day=lambda lines: [*lines, *([line(other)] if other.day == DAY else [])])
    files[NEXT] += [line(other)] if other.day == NEXT else []
    assert absent(others=[other], files=files)


def test_silence_proves_nothing_near_midnight_where_a_vended_sale_of_the_day_before_is_billed_nowhere():
    early = doubtful("early", created_at=MIDNIGHT + timedelta(minutes=5))
    missing = sale("missing", created_at=NOON - ONE_DAY, amount_cents=7_700)
    assert absent(early) and not absent(early, others=[missing])
    assert absent(others=[missing])  # at noon its file is not asked


def test_a_sale_of_the_last_ten_minutes_of_the_last_day_does_not_count_against_its_file():
    late = sale("late", created_at=EVENING, amount_cents=7_700)
    assert late.day == NEXT and absent(others=[late])
    at_noon = sale("noon", created_at=EVENING - ONE_DAY, amount_cents=7_700)
    assert at_noon.day == DAY and not absent(others=[at_noon])  # of the first day they do


@pytest.mark.parametrize(("billed_on", "proves"), [(NEXT, True), (NEXT + ONE_DAY, False), (NEXT + 2 * ONE_DAY, False)])
def test_a_day_with_a_sale_that_is_billed_later_than_the_next_day_is_never_evidence(billed_on, proves):
    other = sale("other", amount_cents=7_700, created_at=NOON - timedelta(hours=1))
    files = with_files()
    files.setdefault(billed_on, []).append(line(other))
    assert absent(others=[other], files=files) is proves


def test_a_sale_of_the_next_day_may_be_billed_on_the_day_after_which_is_wanted_then():
    other = sale("other", amount_cents=7_700, created_at=NOON + ONE_DAY)
    result = settled([*CONTROLS.values(), SILENT, other], with_files())
    assert (result.absent, result.wanted) == ((), {NEXT + ONE_DAY})
    files = with_files() | {NEXT + ONE_DAY: [line(other)]}
    assert settled([*CONTROLS.values(), SILENT, other], files).absent == (SILENT.id,)
    assert settled([*CONTROLS.values(), other], with_files()).wanted == frozenset()  # where nobody is in doubt nothing is


def test_a_file_cut_off_in_time_proves_nothing_of_what_was_made_after_its_last_line():
    late = doubtful("late", created_at=NOON + timedelta(hours=8))
    carried = sale("carried", created_at=NOON + timedelta(hours=1), amount_cents=5_000)
    files = {DAY: [line(A)], NEXT: [line(carried)]}
    assert not settled([A, carried, late], files).absent
    after = sale("after", created_at=NOON + timedelta(hours=9), amount_cents=5_100)
    assert settled([A, carried, late, after], {DAY: [line(A)], NEXT: [line(carried), line(after)]}).absent == (late.id,)


def test_a_sale_made_before_the_doubt_is_billed_beside_it_where_there_is_any():
    first = sale("first", created_at=MIDNIGHT + timedelta(minutes=3), amount_cents=5_000)
    doubt, after = doubtful("doubt"), sale("after", created_at=NOON + timedelta(hours=1))
    following = CONTROLS[NEXT]
    files = {BEFORE: [line(first)], DAY: [line(after)], NEXT: [line(following)]}
    assert not settled([first, doubt, after, following], files).absent  # its file may begin in the afternoon
    assert settled([doubt, after, following], files).absent == (doubt.id,)
    assert settled([first, doubt, after, following], files | {BEFORE: [], DAY: [line(first), line(after)]}).absent == (doubt.id,)


def test_a_day_whose_lists_are_cut_proves_nothing():
    strangers = [line(sale(f"nobody {at}", amount_cents=at)) for at in range(1, 1_002)]
    assert absent(files=with_files(day=lambda lines: [*lines, *strangers[1:]]))
    for day in ("day", "next"):
        assert not absent(files=with_files(**{day: lambda lines: [*lines, *strangers]}))


@pytest.mark.parametrize("sold_on", [BEFORE, NEXT])
def test_a_day_whose_list_of_sales_billed_beside_their_day_is_cut_proves_nothing(sold_on):
    """They are carried into the doubt's day, or out of the next one: no other list of a day that may bill the doubt has them."""
    late = [sale(f"late {at}", created_at=NOON + (sold_on - DAY), amount_cents=at) for at in range(1, 1_002)]
    for carried, proves in ((late[1:], True), (late, False)):
        files = with_files()
        files.setdefault(sold_on + ONE_DAY, []).extend(map(line, carried))
        assert absent(files=files, others=carried) is proves


# The day that is kept


def recorded(sold, result):
    """Our sales once the proofs and the absence are on record."""
    vended = {proof.transaction_id: proof for proof in result.proofs if proof.ends_sale}
    for one in sold:
        if proof := vended.get(one.id):
            yield structs.replace(one, state=State.VENDED, supplier_transaction_id=proof.supplier_transaction_id, sign_of_vend=True)
        elif one.id in result.absent:
            yield structs.replace(one, state=State.REJECTED)
        else:
            yield one


def test_the_same_inputs_again_answer_the_same_day():
    doubts = [doubtful("d1"), doubtful("d2"), doubtful("d3", amount_cents=500)]
    sold = [*CONTROLS.values(), B, *doubts]
    wrong = line(doubts[1], amount="12345")
    files = with_files(day=lambda lines: [*lines, line(B), line(doubts[0]), wrong, wrong])
    result = settled(sold, files)
    assert {healed.state for healed in result.healed} == {State.VENDED, State.REJECTED}
    first = json.loads(json.dumps(next_version(result, None)))
    assert next_version(settled(list(recorded(sold, result)), files), first) is first


def test_the_next_days_file_makes_a_new_version():
    first = next_version(settled([A, B], {DAY: [line(A)]}), None)
    second = next_version(closed([A, B], [line(A)]), first)
    assert (first["version"], first["status"], second["version"], second["status"]) == (1, "provisional", 2, "discrepancies")


def test_a_day_has_the_contracts_shape():
    day = next_version(closed([A, B], [line(A)]), None)
    assert json.loads(json.dumps(day)) == day
    assert list(day) == [
        *("day", "version", "status", "file", "matched", "carriedOut", "carriedIn", "discrepancies", "conservation", "healed", "open"),
        "tokensToRecover",
    ]
    assert day["file"].keys() == {"name", "sha256", "rows", "totalCents"}
    assert {"id", "kind", "severity", "transactionId", "ours", "theirs", "status"} <= day["discrepancies"][0].keys()
    assert METER not in json.dumps(day)


def test_the_words_of_a_day_never_change():
    """Golden: papers with these words are kept for years, and older code reads them."""
    assert [kind.value for kind in DiscrepancyKind] == [
        *("vended_twice", "claimed_twice", "vended_after_rejection", "tokens_differ", "missing_here", "lines_withdrawn", "duplicate_line"),
        *("amount_differs", "account_differs", "missing_at_supplier", "state_differs", "negative_line", "unknown_status", "late_posting"),
    ]
    assert [severity.value for severity in Severity] == ["info", "warning", "critical"]
    assert [status.value for status in Status] == ["provisional", "balanced", "discrepancies", "file_missing"]


def test_decisions_close_discrepancies_and_open_ones_are_carried():
    yesterday = settled([CONTROLS[BEFORE]], {BEFORE: [], DAY: []}, day=BEFORE)
    today = closed([A], [])
    decided = today.reviewed({today.discrepancies[0].id: "accepted"}, yesterday.discrepancies)
    assert [(found.day, found.status) for found in decided.discrepancies] == [(BEFORE, "open"), (DAY, "accepted")]
    assert decided.status is Status.BALANCED
    assert today.reviewed({}, ()).status is Status.DISCREPANCIES


@pytest.mark.parametrize("name", ["carried_out", "carried_in", "healed", "open", "tokens_to_recover", "not_readable", "discrepancies"])
def test_a_list_that_is_cut_says_how_many_entries_it_lacks_and_one_that_fits_says_nothing(name):
    three = tuple(sale(f"{at}") for at in range(3)) if name != "discrepancies" else closed([A, B, sale("c")], []).discrepancies
    day = structs.replace(closed([A], [line(A)]), **{name: three})
    camel = name.split("_")[0] + "".join(map(str.capitalize, name.split("_")[1:]))
    assert (day.listing(2).left_out, len(getattr(day.listing(2), name))) == ({camel: 1}, 2)
    assert day.listing(3) == day
    assert day.listing(2).listing(2) == day.listing(2)  # it still says what it lacks


def test_of_a_list_that_is_cut_the_gravest_differences_stay_in_their_order():
    late = sale("late", created_at=NOON - 3 * ONE_DAY)
    result = closed([late, A], [line(late), line(B)])
    assert kinds(result) == [DiscrepancyKind.MISSING_HERE, DiscrepancyKind.MISSING_AT_SUPPLIER, DiscrepancyKind.LATE_POSTING]
    backwards = structs.replace(result, discrepancies=result.discrepancies[::-1])
    assert kinds(backwards.listing(2)) == [DiscrepancyKind.MISSING_AT_SUPPLIER, DiscrepancyKind.MISSING_HERE]


LOST = LostLine("their id", "our id", 10_000)


@pytest.mark.parametrize(
    ("known", "earlier", "lacks"),
    [
        (Lacking(), Total(), None),
        (Lacking(least=Total(2, 20_000)), Total(), None),
        (Lacking(least=Total(5, 50_000)), Total(), Total(3, 30_000)),
        (Lacking(least=Total(3, 20_000)), Total(), Total(1, 0)),
        (Lacking(least=Total(2, 25_000)), Total(), Total(0, 5_000)),
        (Lacking(least=Total(1, 20_001)), Total(), Total(0, 1)),
        (Lacking(lines=(LOST,)), Total(), Total(1, 10_000)),
        (Lacking(least=Total(3, 90_000), lines=(LOST,)), Total(), Total(1, 10_000)),  # it is known which one
        (Lacking(least=Total(5, 50_000), lines=(LOST,)), Total(), Total(3, 30_000)),
        (Lacking(least=Total(5, 20_001), lines=(LOST,)), Total(), Total(3, 10_000)),
        (Lacking(lines=(LOST,)), Total(2, 9_000), Total(2, 9_000)),
        (Lacking(lines=(LOST, LOST)), Total(1, 90_000), Total(2, 20_000)),
    ],
)
def test_how_many_lines_and_cents_a_file_lacks_is_said_by_the_lines_that_are_known_or_else_by_its_sums(known, earlier, lacks):
    one = structs.replace(UNREAD, total=earlier)
    assert withdrawn(closed([A, B], [line(A), line(B)]), known, [one]) == lacks
    assert withdrawn(settled([A, B], {NEXT: []}), known, [one]) is None  # a day without a file


@pytest.mark.parametrize(
    ("theirs", "ours", "is_held"),
    [
        (A.supplier_transaction_id, "", True),
        (A.supplier_transaction_id.upper(), GUID, True),
        (GUID, A.request_id, True),
        (GUID, A.request_id.upper(), True),
        (GUID, B.request_id, False),
        (GUID, "SHOP 7", False),
        (GUID, "x" * 35, False),
        (GUID, "", False),
    ],
)
def test_a_line_is_known_again_by_the_suppliers_id_or_by_one_of_ours_that_is_whole(theirs, ours, is_held):
    lines = [line(A), line(B, merchant_id="SHOP 7"), line(sale("c"), merchant_id="x" * 35)]
    assert ids_of([SettlementFile(written(DAY, lines))]).hold(theirs, ours) is is_held


@pytest.mark.parametrize(("mode", "supplier"), [(Mode.LIVE, "MOBILEMART"), (Mode.SIMULATED, "SIMULATED")])
def test_rows_that_were_kept_before_they_said_who_sold_are_read_with_the_supplier_of_their_mode(mode, supplier):
    old, new = {"transactionId": "t-1"}, {"transactionId": "t-2", "supplierId": "another"}
    named = [old | {"supplierId": supplier}, new]
    lists = ("carriedOut", "carriedIn", "healed", "open", "tokensToRecover")
    differences = [{"id": "d-1", "ours": old}, {"id": "d-2", "ours": new}, {"id": "d-3", "ours": None}]
    body = {"day": "2026-05-04", **{name: [old, new] for name in lists}, "discrepancies": differences}
    read = day_as_read(body, mode)
    assert read == {
        **body,
        **dict.fromkeys(lists, named),
        "discrepancies": [{"id": "d-1", "ours": named[0]}, {"id": "d-2", "ours": new}, {"id": "d-3", "ours": None}],
    }
    assert day_as_read({"day": "2026-05-04"}, mode) == {"day": "2026-05-04"}


def test_modes_never_share_a_discrepancy():
    live, simulated = (
        compare(DAY, [A], [SettlementFile(written(day, [])) for day in (DAY, NEXT)], mode=mode, today=TODAY, readings=FileInterpretation())
        for mode in Mode
    )
    assert live.discrepancies[0].id != simulated.discrepancies[0].id


# Many


def many(count, chance):
    services = list(VasType)
    for at in range(count):
        service = services[at % len(services)]
        recipient = None if service is VasType.VOUCHER else f"{27_600_000_000 + chance.randrange(10**9)}"
        yield sale(
            str(at),
            vas_type=service,
            recipient=recipient,
            amount_cents=chance.randrange(100, 50_000),
            created_at=NOON + timedelta(seconds=at % 3600),
        )


FOUND = {
    Plant.MISSING: DiscrepancyKind.MISSING_AT_SUPPLIER,
    Plant.EXTRA: DiscrepancyKind.MISSING_HERE,
    Plant.DUPLICATE: DiscrepancyKind.DUPLICATE_LINE,
    Plant.TWICE: DiscrepancyKind.VENDED_TWICE,
    Plant.AMOUNT: DiscrepancyKind.AMOUNT_DIFFERS,
    Plant.BINNED: DiscrepancyKind.STATE_DIFFERS,
    Plant.UNKNOWN_STATUS: DiscrepancyKind.UNKNOWN_STATUS,
    Plant.REVERSED: DiscrepancyKind.NEGATIVE_LINE,
}


def test_sixty_faults_among_twenty_thousand_sales_are_found_and_nothing_else():
    chance = random.Random(60)
    sold = list(many(20_000, chance))
    plants = dict(zip(chance.sample(range(len(sold)), 60), [*FOUND] * 8, strict=False))
    result = closed(sold, planted(map(line, sold), plants))
    expected = sorted((FOUND[plant], sold[at].id) for at, plant in plants.items() if plant is not Plant.EXTRA)
    assert len(result.discrepancies) == len(plants) == 60
    assert sorted((found.kind, found.transaction_id) for found in result.discrepancies if found.transaction_id) == expected
    assert kinds(result).count(DiscrepancyKind.MISSING_HERE) == 60 - len(expected)
    assert is_conserved(result)


STATES = st.sampled_from([State.VENDED, State.VENDED, State.VENDED, State.REJECTED, State.IN_DOUBT, State.VENDING])


@st.composite
def days(draw, *, claims=True):
    """Sales of three days in any state, and files that hold their lines, with faults, in their own or another day's file."""
    sold, files = [], {BEFORE: [], DAY: [], NEXT: []}
    for at in range(draw(st.integers(0, 8))):
        state = draw(STATES)
        made_at = MIDNIGHT + timedelta(minutes=draw(st.integers(-1440, 2879)))
        service = draw(st.sampled_from([VasType.UTILITY, VasType.DATA]))
        fields = {"vas_type": service, "amount_cents": draw(st.sampled_from([100, 200])), "created_at": made_at, "state": state}
        known = sale(str(at), **fields) if state is State.VENDED else doubtful(str(at), **fields)
        if claims and sold and draw(st.integers(0, 9)) == 0:
            known = structs.replace(known, supplier_transaction_id=sold[0].supplier_transaction_id)
        sold.append(known)
        truthful = line(known, **({"vas_type": "Airtime"} if draw(st.integers(0, 9)) == 0 else {}))
        faults = draw(st.dictionaries(st.just(0), st.sampled_from([*Plant]), max_size=1))
        filed = draw(st.sampled_from([known.day, known.day, BEFORE, DAY, NEXT]))
        if state is State.VENDED or draw(st.booleans()):
            files[filed if filed in files else DAY] += planted([truthful], faults)
    for missing in draw(st.sets(st.sampled_from(sorted(files)))):
        del files[missing]
    return sold, files, {"merchant_id": draw(st.sampled_from(list(MerchantId)))}


@settings(max_examples=150, deadline=None)
@given(days())
def test_every_cent_of_any_day_is_conserved(arbitrary):
    sold, files, readings = arbitrary
    for day in (BEFORE, DAY, NEXT):
        assert is_conserved(settled(sold, files, day=day, **readings))


@settings(max_examples=100, deadline=None)
@given(days(claims=False))
def test_a_second_run_of_any_day_finds_nothing_new(arbitrary):
    sold, files, readings = arbitrary
    result = settled(sold, files, **readings)
    first = next_version(result, None)
    assert next_version(settled(list(recorded(sold, result)), files, **readings), first) is first


@settings(max_examples=100, deadline=None)
@given(days())
def test_a_sale_with_a_line_of_its_own_is_never_called_absent(arbitrary):
    sold, files, readings = arbitrary
    named = {one.merchant_id for lines in files.values() for one in lines}
    missing = {one.id for one in sold if one.request_id not in named}
    assert set(settled(sold, files, **readings).absent) <= missing


@settings(max_examples=100, deadline=None)
@given(count=st.integers(0, 30), seed=st.integers(0, 2**32))
def test_a_truthful_file_gives_no_discrepancy(count, seed):
    chance = random.Random(seed)
    sold = list(many(count, chance))
    lines = list(map(line, sold))
    chance.shuffle(lines)
    result = closed(sold, lines)
    assert (result.status, result.discrepancies, result.matched.rows) == (Status.BALANCED, (), count)
    assert is_conserved(result)


TRUTHFUL = b"".join(written(DAY, [line(A), line(B)]))


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, len(TRUTHFUL) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_reported_or_harmless(at, byte):
    corrupted = TRUTHFUL[:at] + bytes([byte]) + TRUTHFUL[at + 1 :]
    files = [SettlementFile(written(NEXT, []))]
    try:
        files.append(SettlementFile([corrupted]))
        result = compare(DAY, [A, B], files, mode=Mode.LIVE, today=TODAY, readings=FileInterpretation())
    except (FileRefused, ValueError):
        return
    truth = closed([A, B], [line(A), line(B)])
    unchanged = structs.replace(result, file=truth.file) == truth
    assert unchanged or result.discrepancies or result.status is Status.FILE_MISSING
    assert is_conserved(result)


# The same, where a line is no plain one of its day: it differs in form, or bills a sale of another day


def in_capitals(one, **changes):
    return one._replace(transaction_id=one.transaction_id.upper(), **changes)


@pytest.mark.parametrize("day", ["day", "next"])
@pytest.mark.parametrize("carried", ["", "eeeeeeee-0000-4000-8000-000000000000"])
def test_a_line_that_is_laid_by_the_suppliers_id_is_no_control_however_that_is_spelt(day, carried):
    assert not absent(files=with_files(**{day: lambda lines: [in_capitals(one, merchant_id=carried) for one in lines]}))


@pytest.mark.parametrize("day", ["day", "next"])
def test_a_line_by_our_request_id_in_capitals_is_a_control(day):
    assert absent(files=with_files(**{day: lambda lines: [in_capitals(one, merchant_id=one.merchant_id.upper()) for one in lines]}))


def test_a_sale_that_is_billed_a_day_late_by_our_request_id_is_a_control_of_that_file():
    late = sale("late", created_at=NOON)
    by_their_id = [line(CONTROLS[NEXT], merchant_id="")]
    assert absent(files=with_files(next=lambda _: [line(late), *by_their_id]), others=[late])
    assert not absent(files=with_files(next=lambda _: [line(late, merchant_id=""), *by_their_id]), others=[late])


def test_of_the_days_that_may_bill_a_bill_any_with_a_line_that_may_hide_it_is_enough_where_fees_come_on_top():
    bill = doubtful("silent", vas_type=VasType.BILL_PAYMENT, recipient="135609708")
    strangers = [
        line(sale("x", vas_type=VasType.BILL_PAYMENT, recipient="135609709", amount_cents=777)),
        line(sale("y", vas_type=VasType.AIRTIME, recipient="27720012345")),
    ]
    assert absent(bill, fee_is_on_top=True)
    assert not absent(bill, files=with_files(day=lambda lines: [*lines, *strangers]), fee_is_on_top=True)
    assert absent(bill, files=with_files(day=lambda lines: [*lines, *strangers]))


def test_the_strangers_of_a_day_are_its_lines_that_name_no_sale_and_those_behind_which_one_of_its_own_may_hide():
    own, hiding, other = sale("own", amount_cents=123), sale("hiding"), sale("other", amount_cents=456)
    doubt = doubtful("d")
    found = settled([A, doubt], {DAY: [line(A), line(A), line(own)], NEXT: [line(hiding), line(other)]})
    assert found.strangers == (line(own), line(hiding))
    vended = settled([A, sale("d")], {DAY: [line(A), line(own), line(sale("d"))], NEXT: [line(hiding), line(other)]})
    assert vended.strangers == (line(own),)
    carried, billed = sale("carried", amount_cents=456), doubtful("billed")  # neither is silent
    files = {DAY: [line(A), line(own), line(billed, amount="10001")], NEXT: [line(hiding), line(other)]}
    assert settled([A, carried, billed], files, today=NEXT).strangers == (line(own),)


@pytest.mark.parametrize(
    ("amount", "kind"),
    [("-100", DiscrepancyKind.NEGATIVE_LINE), ("-1", DiscrepancyKind.NEGATIVE_LINE), ("0", DiscrepancyKind.MISSING_HERE)],
)
def test_a_strangers_line_is_negative_from_its_first_cent_on(amount, kind):
    stranger = line(sale("stranger"), amount=amount)
    result = closed([A], [line(A), stranger])
    assert kinds(result) == [kind] and is_conserved(result)


def test_a_negative_line_that_nobody_knows_might_hide_a_sale_of_its_amount():
    assert not absent(files=with_files(day=lambda lines: [*lines, line(sale("stranger"), amount="-10000")]))


BY_THEIR_ID = {
    "merchant_id": {MerchantId.REQUEST_ID: False, MerchantId.SUPPLIER_ID: True, MerchantId.UNKNOWN: True},
    "transaction_id": {MerchantId.REQUEST_ID: True, MerchantId.SUPPLIER_ID: False, MerchantId.UNKNOWN: True},
}


@pytest.mark.parametrize("spelt", [str, str.upper])
@pytest.mark.parametrize("known_as", list(MerchantId))
@pytest.mark.parametrize("field", BY_THEIR_ID)
def test_the_suppliers_id_names_a_sale_in_the_field_that_is_known_to_carry_it_or_in_both_where_none_is(field, known_as, spelt):
    other = {"merchant_id": "eeeeeeee-0000-4000-8000-000000000001", "transaction_id": "eeeeeeee-0000-4000-8000-000000000002"}
    billed = line(A, **{**other, field: spelt(A.supplier_transaction_id)})
    matched = match([A, B], [SettlementFile(written(DAY, [billed]), name="one.txt")], FileInterpretation(merchant_id=known_as), [DAY])
    named = matched.named(billed)
    assert (named is not None) is BY_THEIR_ID[field][known_as]
    assert named is None or named.sale == A
    carried = "merchant_id" if known_as is MerchantId.SUPPLIER_ID else "transaction_id"
    assert matched.spelt(billed) == getattr(billed, carried) and matched.supplier_id(billed) == getattr(billed, carried).lower()


def test_a_file_names_a_sale_by_its_request_id_in_any_case_and_no_other():
    file = SettlementFile(written(DAY, [line(A)._replace(merchant_id=A.request_id.upper())]))
    assert names_any({A.request_id, B.request_id}, [file])
    assert not names_any({B.request_id}, [SettlementFile(written(DAY, [line(A)]))])
