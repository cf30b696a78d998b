"""One day compared: a truthful file, midnight, missing files, and what a line proves or shows."""

from datetime import timedelta

import pytest

from shared.domain.discrepancy import DiscrepancyKind
from shared.domain.outcome import TokensDue
from shared.domain.statement import FileRefused, Total
from shared.domain.transaction import State
from shared.domain.vas import Mode, VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import written
from shared.settlement.comparison import compare, files_needed
from shared.settlement.matching import FileInterpretation, MerchantId
from shared.settlement.settled_day import Status
from tests.unit.settlement.compared import (
    BEFORE,
    DAY,
    METER,
    MIDNIGHT,
    NEXT,
    NOON,
    ONE_DAY,
    TODAY,
    A,
    B,
    closed,
    doubtful,
    is_conserved,
    kinds,
    line,
    sale,
    settled,
)


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


def test_an_id_that_an_operators_decision_lacks_comes_from_the_line_and_nothing_else():
    decided = sale("a", supplier_transaction_id=None)
    result = closed([decided, B], [line(A), line(B)])
    (proof,) = result.proofs
    assert (proof.transaction_id, proof.supplier_transaction_id, proof.ends_sale) == (decided.id, A.supplier_transaction_id, False)
    assert (result.discrepancies, result.matched, result.healed) == ((), Total(2, 20_000), ())
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


def test_a_day_waits_for_the_whole_next_day_whose_running_file_is_its_first_half():
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


# Lines that prove


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


def test_a_token_is_recovered_only_for_vended_sales_of_the_day_or_billed_on_it():
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


# Lines that show without proof


@pytest.mark.parametrize("state", [State.IN_DOUBT, State.VENDING])
@pytest.mark.parametrize("changes", [{"status": "Binned"}, {"status": "Pending"}, {"amount": "-10000"}])
@pytest.mark.parametrize("day", [BEFORE, DAY, NEXT])
def test_a_line_that_names_a_doubt_without_billing_it_is_an_indication_of_a_vend(state, changes, day):
    doubt = doubtful("d", state=state)
    result = settled([A, doubt], {BEFORE: [], DAY: [line(A)], NEXT: []} | {day: [line(doubt, **changes), line(doubt, status="Later")]})
    (sign,) = result.signs
    assert (sign.transaction_id, sign.day, sign.number, sign.line) == (doubt.id, day, 2, line(doubt, **changes))
    assert METER not in repr(result) and doubt.id in repr(result)


@pytest.mark.parametrize("day", [DAY, NEXT])
def test_a_billed_ended_or_already_indicated_sale_needs_no_indication(day):
    billed, ended = doubtful("d"), sale("r", state=State.REJECTED, supplier_transaction_id=None)
    shown = doubtful("s", sign_of_vend=True)
    lines = [line(one, status="Binned") for one in (billed, ended, shown, A)]
    assert settled([billed, ended, shown, A], {DAY: lines, NEXT: []} | {day: [*lines, line(billed)]}).signs == ()
