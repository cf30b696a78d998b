"""Absence from complete files ends a sale in doubt, unless one of these conditions fails."""

import uuid
from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.settlement.matching import MerchantId
from tests.unit.settlement.compared import (
    BEFORE,
    CONTROLS,
    DAY,
    MIDNIGHT,
    NEXT,
    NOON,
    ONE_DAY,
    OTHER_METER,
    SILENT,
    A,
    absent,
    doubtful,
    line,
    sale,
    settled,
    with_files,
)


def test_a_sale_that_complete_files_lack_was_never_vended():
    assert absent()
    assert absent(files=with_files(no_before=True))


def test_an_absent_sale_is_resolved_as_rejected():
    result = settled([*CONTROLS.values(), SILENT], with_files())
    assert [(healed.transaction_id, healed.state) for healed in result.healed] == [(SILENT.id, State.REJECTED)]
    assert (result.open, result.discrepancies) == ((), ())


@pytest.mark.parametrize("day", ["no_day", "no_next"])
def test_absence_of_a_missing_file_proves_nothing(day):
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


def test_absence_of_a_day_that_is_not_over_proves_nothing():
    assert not absent(today=NEXT)


@pytest.mark.parametrize("day", ["day", "next"])
def test_absence_of_a_file_that_never_named_a_request_id_proves_nothing(day):
    assert not absent(files=with_files(**{day: lambda _: []}))
    assert not absent(files=with_files(**{day: lambda lines: [one._replace(merchant_id="") for one in lines]}))
    assert not absent(files=with_files(**{day: lambda lines: [one._replace(status="Binned") for one in lines]}))


def test_a_rejected_sale_is_no_control():
    rejected = sale("r", state=State.REJECTED, supplier_transaction_id=None)
    assert not absent(files=with_files(day=lambda _: [line(rejected)]), others=[rejected])


@pytest.mark.parametrize("sign", [{"sign_of_vend": True}, {"supplier_transaction_id": str(uuid.uuid4())}, {"state": State.VENDED}])
def test_an_indication_of_a_vend_outweighs_absence(sign):
    assert not absent(doubtful("silent", recipient=OTHER_METER, **sign))


@pytest.mark.parametrize("status", ["Binned", "Pending"])
@pytest.mark.parametrize("day", ["before", "day", "next"])
def test_a_line_of_any_status_that_names_the_sale_is_no_absence(status, day):
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
def test_a_line_that_might_be_the_sales_is_no_absence(changes, day):
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


def test_where_field_5_carries_the_suppliers_id_absence_proves_nothing():
    files = {day: [line(control, merchant_id=control.supplier_transaction_id)] for day, control in CONTROLS.items()}
    assert not absent(files=files, merchant_id=MerchantId.SUPPLIER_ID)
    assert not absent(files=files)


EVENING = MIDNIGHT + timedelta(days=2) - timedelta(minutes=10)  # from where on a sale of NEXT may be billed on the day after


@pytest.mark.parametrize(
    "created_at", [NOON - timedelta(hours=1), NOON + timedelta(hours=1), NOON + ONE_DAY, EVENING - timedelta(seconds=1)]
)
def test_absence_proves_nothing_if_a_vended_sale_of_the_day_or_the_next_is_unbilled(created_at):
    other = sale("other", created_at=created_at, amount_cents=7_700)
    assert not absent(others=[other])
    files = with_files(day=lambda lines: [*lines, *([line(other)] if other.day == DAY else [])])
    files[NEXT] += [line(other)] if other.day == NEXT else []
    assert absent(others=[other], files=files)


def test_absence_near_midnight_proves_nothing_if_the_day_before_has_an_unbilled_vend():
    early = doubtful("early", created_at=MIDNIGHT + timedelta(minutes=5))
    missing = sale("missing", created_at=NOON - ONE_DAY, amount_cents=7_700)
    assert absent(early) and not absent(early, others=[missing])
    assert absent(others=[missing])  # at noon its file is not asked


def test_a_sale_of_the_last_days_last_ten_minutes_does_not_count_against_its_file():
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
    """The sales are carried into the doubt's day, or out of the next day. No other list of a day that may bill the doubt holds them."""
    late = [sale(f"late {at}", created_at=NOON + (sold_on - DAY), amount_cents=at) for at in range(1, 1_002)]
    for carried, proves in ((late[1:], True), (late, False)):
        files = with_files()
        files.setdefault(sold_on + ONE_DAY, []).extend(map(line, carried))
        assert absent(files=files, others=carried) is proves
