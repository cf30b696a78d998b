"""Lines that differ in form, or bill a sale of another day."""

import pytest

from shared.domain.discrepancy import DiscrepancyKind
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import written
from shared.settlement.matching import FileInterpretation, MerchantId, match
from shared.settlement.withdrawn_lines import names_any
from tests.unit.settlement.compared import (
    CONTROLS,
    DAY,
    NEXT,
    NOON,
    A,
    B,
    absent,
    closed,
    doubtful,
    is_conserved,
    kinds,
    line,
    sale,
    settled,
    with_files,
)


def in_capitals(one, **changes):
    return one._replace(transaction_id=one.transaction_id.upper(), **changes)


@pytest.mark.parametrize("day", ["day", "next"])
@pytest.mark.parametrize("carried", ["", "eeeeeeee-0000-4000-8000-000000000000"])
def test_a_line_that_is_laid_by_the_suppliers_id_is_no_control_however_that_is_spelt(day, carried):
    assert not absent(files=with_files(**{day: lambda lines: [in_capitals(one, merchant_id=carried) for one in lines]}))


@pytest.mark.parametrize("day", ["day", "next"])
def test_a_line_by_our_request_id_in_capitals_is_a_control(day):
    assert absent(files=with_files(**{day: lambda lines: [in_capitals(one, merchant_id=one.merchant_id.upper()) for one in lines]}))


def test_a_sale_billed_a_day_late_by_our_request_id_is_a_control_of_that_file():
    late = sale("late", created_at=NOON)
    by_their_id = [line(CONTROLS[NEXT], merchant_id="")]
    assert absent(files=with_files(next=lambda _: [line(late), *by_their_id]), others=[late])
    assert not absent(files=with_files(next=lambda _: [line(late, merchant_id=""), *by_their_id]), others=[late])


def test_a_line_in_any_file_that_may_bill_can_hide_a_bill_if_fees_come_on_top():
    bill = doubtful("silent", vas_type=VasType.BILL_PAYMENT, recipient="135609708")
    strangers = [
        line(sale("x", vas_type=VasType.BILL_PAYMENT, recipient="135609709", amount_cents=777)),
        line(sale("y", vas_type=VasType.AIRTIME, recipient="27720012345")),
    ]
    assert absent(bill, fee_is_on_top=True)
    assert not absent(bill, files=with_files(day=lambda lines: [*lines, *strangers]), fee_is_on_top=True)
    assert absent(bill, files=with_files(day=lambda lines: [*lines, *strangers]))


def test_strangers_are_lines_without_a_sale_and_lines_that_may_hide_one_of_the_day():
    own, hiding, other = sale("own", amount_cents=123), sale("hiding"), sale("other", amount_cents=456)
    doubt = doubtful("d")
    found = settled([A, doubt], {DAY: [line(A), line(A), line(own)], NEXT: [line(hiding), line(other)]})
    assert found.strangers == (line(own), line(hiding))
    vended = settled([A, sale("d")], {DAY: [line(A), line(own), line(sale("d"))], NEXT: [line(hiding), line(other)]})
    assert vended.strangers == (line(own),)
    carried, billed = sale("carried", amount_cents=456), doubtful("billed")  # neither sale is absent
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
def test_the_suppliers_id_matches_in_its_configured_field_or_in_both_if_none_is_set(field, known_as, spelt):
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
