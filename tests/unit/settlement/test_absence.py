"""Absence proves that nothing was vended: each condition alone, at its bound, on each of its days."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import written
from shared.settlement.absence import NEAR_MIDNIGHT, Absence, days_that_may_bill, may_be_absent
from shared.settlement.matching import FileInterpretation, match
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
    TODAY,
    doubtful,
    line,
    sale,
    with_files,
)

AFTER = NEXT + ONE_DAY
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def matching(sold, files, **readings):
    read = [SettlementFile(written(day, lines), name=f"{day}.txt") for day, lines in files.items()]
    return match(sold, read, FileInterpretation(**readings), sorted(files))


def asked(doubt=SILENT, *others, files=None, today=TODAY, distrusted=(), sold=None, **readings):
    """The absence over the controls of three days, and the match of the doubt."""
    rows = [*(CONTROLS.values() if sold is None else sold), doubt, *others]
    made = matching(rows, with_files() if files is None else files, **readings)
    (known,) = [one for one in made.known if one.sale.id == doubt.id]
    return Absence(made, today, distrusted), known


def proves(*args, **kwargs):
    silence, known = asked(*args, **kwargs)
    return silence.proves_absence(known)


def wanted(*args, **kwargs):
    silence, known = asked(*args, **kwargs)
    return sorted(silence.files_wanted(known))


# Which days


@pytest.mark.parametrize(
    ("into_the_day", "from_before"),
    [
        (timedelta(), True),
        (10 * MINUTE, True),
        (10 * MINUTE + SECOND, False),
        (12 * 60 * MINUTE, False),
        (ONE_DAY - 10 * MINUTE - SECOND, False),
        (ONE_DAY - 10 * MINUTE, True),
        (ONE_DAY - SECOND, True),
    ],
)
def test_the_day_before_may_bill_a_sale_made_or_sent_within_ten_minutes_of_midnight(into_the_day, from_before):
    assert NEAR_MIDNIGHT == 10 * MINUTE
    days = (BEFORE, DAY, NEXT) if from_before else (DAY, NEXT)
    made, sent = doubtful("d", created_at=MIDNIGHT + into_the_day), doubtful("d", sent_by=MIDNIGHT + into_the_day)
    unsaid = doubtful("d", created_at=MIDNIGHT + into_the_day, sent_by=None)
    for one in (made, sent, unsaid):
        (known,) = matching([one], {}).known
        assert days_that_may_bill(known) == days


@pytest.mark.parametrize("distrusted", [BEFORE, DAY, NEXT, AFTER])
def test_a_distrusted_day_proves_nothing_of_the_sales_that_it_may_bill(distrusted):
    early = doubtful("early", created_at=MIDNIGHT)
    assert proves(distrusted=[distrusted]) is (distrusted in (BEFORE, AFTER))
    assert proves(early, distrusted=[distrusted]) is (distrusted == AFTER)
    assert proves() and proves(early)


@pytest.mark.parametrize(("days_later", "is_over"), [(0, False), (1, False), (2, True)])
def test_the_days_that_may_bill_a_sale_are_over(days_later, is_over):
    assert proves(today=DAY + days_later * ONE_DAY) is is_over


@pytest.mark.parametrize("name", ["no_before", "no_day", "no_next"])
def test_each_day_that_may_bill_a_sale_has_a_file(name):
    assert proves(files=with_files(**{name: True})) is (name == "no_before")
    assert not proves(doubtful("early", created_at=MIDNIGHT), files=with_files(**{name: True}))


# Which sales


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"state": State.VENDING}, True),
        ({"state": State.REJECTED}, False),
        ({"state": State.VENDED}, False),
        ({"sign_of_vend": True}, False),
        ({"supplier_transaction_id": "s-1"}, False),
    ],
)
def test_only_a_sale_that_is_open_and_never_showed_an_indication_may_be_absent(changes, may):
    silence, known = asked(structs.replace(SILENT, **changes))
    assert may_be_absent(known) is may and silence.proves_absence(known) is may


@pytest.mark.parametrize("changes", [{}, {"status": "Binned"}, {"amount": "-10000"}])
@pytest.mark.parametrize("day", [BEFORE, DAY, NEXT, AFTER])
def test_a_sale_that_any_line_bills_or_names_is_not_absent(changes, day):
    files = with_files()
    files.setdefault(day, []).append(line(SILENT, **changes))
    assert not may_be_absent(asked(files=files)[1])


# Lines that may hide the sale


BILL = doubtful("bill", vas_type=VasType.BILL_PAYMENT, recipient="12345")
OF_A_BILL = {"vas_type": VasType.BILL_PAYMENT, "recipient": "777"}


@pytest.mark.parametrize("day", ["before", "day", "next"])
def test_a_line_that_might_be_the_sales_hides_it_on_the_days_that_may_bill_it(day):
    files = with_files(**{day: lambda lines: [*lines, line(sale("nobody"))]})
    assert proves(files=files) is (day == "before")
    assert not proves(doubtful("early", created_at=MIDNIGHT), files=files)


@pytest.mark.parametrize(
    ("stranger", "of_the_same", "on_top"),
    [
        (sale("x", **OF_A_BILL), False, False),
        (sale("x", **OF_A_BILL, amount_cents=10_001), True, False),
        (sale("x", **OF_A_BILL, amount_cents=1), True, False),
        (sale("x", amount_cents=10_000), True, True),
    ],
)
def test_a_bill_is_hidden_by_its_amount_or_by_any_bill_where_fees_come_on_top(stranger, of_the_same, on_top):
    files = with_files(day=lambda lines: [*lines, line(stranger), line(sale("y", vas_type=VasType.AIRTIME, recipient="27720012345"))])
    assert proves(BILL, files=files) is of_the_same
    assert proves(BILL, files=files, fee_is_on_top=True) is on_top


def test_where_fees_come_on_top_another_service_is_hidden_by_its_own_amount_alone():
    files = with_files(day=lambda lines: [*lines, line(sale("x", amount_cents=10_001))])
    assert proves(files=files, fee_is_on_top=True)
    assert not proves(files=with_files(day=lambda lines: [*lines, line(sale("x"))]), fee_is_on_top=True)


# Lines that the files lack


def test_a_vend_billed_by_the_next_day_is_not_lacking_and_one_billed_later_is():
    other = sale("other", amount_cents=7_700, created_at=NOON + 60 * MINUTE)
    for day, is_whole in ((BEFORE, True), (DAY, True), (NEXT, True), (AFTER, False)):
        files = with_files()
        files.setdefault(day, []).append(line(other))
        assert proves(SILENT, other, files=files) is is_whole
        assert wanted(SILENT, other, files=files) == []  # no file can mend what one has said
    assert wanted(SILENT, other) == [DAY, NEXT, NEXT]


def test_files_are_wanted_for_each_lacking_sale_once_its_own_days_file_is_there():
    early = sale("early", amount_cents=7_700, created_at=MIDNIGHT + MINUTE)
    following = sale("following", amount_cents=7_800, created_at=NOON + ONE_DAY)
    assert wanted(SILENT, early, following) == [BEFORE, DAY, NEXT, NEXT, NEXT, AFTER, AFTER]
    assert wanted(SILENT, early, following, files=with_files(no_next=True)) == [BEFORE, DAY, NEXT, NEXT]
    assert wanted() == []


@pytest.mark.parametrize(("before_midnight", "counts"), [(10 * MINUTE + SECOND, True), (10 * MINUTE, False), (SECOND, False)])
@pytest.mark.parametrize("day", [BEFORE, DAY, NEXT])
def test_a_sale_of_the_last_ten_minutes_of_the_last_day_alone_is_not_lacking(before_midnight, counts, day):
    late = sale("late", amount_cents=7_700, created_at=MIDNIGHT + (day - DAY) + ONE_DAY - before_midnight)
    assert late.day == day
    assert proves(SILENT, late) is (day == BEFORE or (day == NEXT and not counts))
    early = doubtful("early", created_at=MIDNIGHT)
    assert proves(early, late) is (day == NEXT and not counts)


# Sales billed before and after


@pytest.mark.parametrize(("later", "followed"), [(timedelta(), False), (SECOND, True)])
@pytest.mark.parametrize("day", [DAY, NEXT])
def test_a_sale_made_after_the_doubt_was_sent_is_billed_in_its_days_file_or_the_next(later, followed, day):
    doubt = doubtful("doubt", created_at=NOON, sent_by=NOON + 60 * MINUTE, recipient=OTHER_METER)
    first = sale("first", created_at=NOON - SECOND, amount_cents=5_000)
    after = sale("after", created_at=doubt.sent_by + later, amount_cents=5_100)
    control = sale("control", created_at=NOON - SECOND, amount_cents=5_200)
    files = {BEFORE: [], DAY: [line(first)], NEXT: [line(control)]}
    files[day].append(line(after))
    assert proves(doubt, first, after, control, files=files, sold=[]) is followed
    unsaid = structs.replace(doubt, sent_by=None, created_at=doubt.sent_by)
    assert proves(unsaid, first, after, control, files=files, sold=[]) is followed


def test_a_sale_billed_on_the_day_before_alone_does_not_follow_even_if_made_later():
    doubt = doubtful("doubt", created_at=MIDNIGHT, recipient=OTHER_METER)
    after = sale("after", created_at=MIDNIGHT + MINUTE, amount_cents=5_100)
    old = [sale(f"old {at}", created_at=MIDNIGHT - at * MINUTE, amount_cents=5_200 + at) for at in (1, 2)]
    files = {BEFORE: [line(after)], DAY: [line(old[0])], NEXT: [line(old[1])]}
    assert not proves(doubt, after, *old, files=files, sold=[])


@pytest.mark.parametrize(("earlier", "counts"), [(timedelta(), False), (SECOND, True)])
def test_an_earlier_sale_if_any_must_be_billed_on_the_days_that_may_bill_the_doubt(earlier, counts):
    doubt = doubtful("doubt", created_at=NOON, recipient=OTHER_METER)
    early = sale("early", created_at=NOON - earlier, amount_cents=5_000)
    later = [sale(f"later {at}", created_at=NOON + at * ONE_DAY + MINUTE, amount_cents=5_100 + at) for at in range(2)]
    files = {DAY: [line(later[0])], NEXT: [line(later[1])]}
    assert proves(doubt, early, *later, files={BEFORE: [line(early)], **files}, sold=[]) is not counts
    for day in (DAY, NEXT):
        assert proves(doubt, early, *later, files={**files, day: [*files[day], line(early)]}, sold=[])


def test_a_sale_of_the_very_moment_of_the_doubt_was_not_made_before_it():
    doubt = doubtful("doubt", created_at=NOON, recipient=OTHER_METER)
    early, same = sale("early", created_at=NOON - MINUTE, amount_cents=5_000), sale("same", created_at=NOON, amount_cents=5_100)
    later = [sale(f"later {at}", created_at=NOON + at * ONE_DAY + MINUTE, amount_cents=5_200 + at) for at in range(2)]
    files = {BEFORE: [line(early)], DAY: [line(same), line(later[0])], NEXT: [line(later[1])]}
    assert not proves(doubt, early, same, *later, files=files, sold=[])
    assert proves(doubt, same, *later, files={**files, BEFORE: []}, sold=[])


def test_near_midnight_a_sale_of_the_day_before_was_made_before_the_doubt():
    doubt = doubtful("doubt", created_at=MIDNIGHT + 5 * MINUTE, recipient=OTHER_METER)
    early = sale("early", created_at=NOON - ONE_DAY, amount_cents=5_000)
    later = [sale(f"later {at}", created_at=NOON + at * MINUTE, amount_cents=5_100 + at) for at in range(3)]
    files = {day: [line(one)] for day, one in zip((BEFORE, DAY, NEXT), later, strict=True)}
    assert proves(doubt, *later, files=files, sold=[])
    assert not proves(doubt, early, *later, files={BEFORE - ONE_DAY: [line(early)], **files}, sold=[])
    assert proves(doubt, early, *later, files={**files, BEFORE: [line(early), line(later[0])]}, sold=[])


def test_the_earliest_and_the_latest_sale_of_a_day_count_in_any_order():
    first = sale("first", created_at=NOON - 60 * MINUTE, amount_cents=5_000)
    last = sale("last", created_at=NOON + 60 * MINUTE, amount_cents=5_100)
    doubt = doubtful("doubt", created_at=NOON, recipient=OTHER_METER)
    control = sale("control", created_at=NOON + ONE_DAY, amount_cents=5_200)
    middle = sale("middle", created_at=NOON, amount_cents=5_300)
    for order in ((first, middle, last), (last, middle, first), (middle, first, last), (first, last, middle)):
        files = {DAY: [line(one) for one in order], NEXT: [line(control)]}
        assert proves(doubt, *order, control, files=files, sold=[])
        late = structs.replace(doubt, created_at=last.created_at, sent_by=last.created_at)
        assert not proves(late, *order, files={**files, NEXT: [line(CONTROLS[BEFORE])]}, sold=[CONTROLS[BEFORE]])


# Lists that were cut


@pytest.mark.parametrize("listed", [1_000, 1_001])
@pytest.mark.parametrize("day", ["before", "day", "next"])
def test_a_day_of_more_than_a_thousand_discrepancies_proves_nothing(listed, day):
    strangers = [line(sale(f"nobody {at}", amount_cents=at)) for at in range(1, listed + 1)]
    files = with_files(**{day: lambda lines: [*lines, *strangers]})
    assert proves(files=files) is (listed == 1_000 or day == "before")


@pytest.mark.parametrize("listed", [1_000, 1_001])
@pytest.mark.parametrize(("sold_on", "billed_on"), [(BEFORE, DAY), (DAY, NEXT), (DAY, BEFORE), (NEXT, AFTER), (NEXT, NEXT)])
def test_a_day_of_more_than_a_thousand_sales_carried_in_or_out_proves_nothing(listed, sold_on, billed_on):
    made_at = {BEFORE: NOON - ONE_DAY, DAY: NOON, NEXT: NOON + ONE_DAY}[sold_on]
    carried = [sale(f"carried {at}", created_at=made_at, amount_cents=at) for at in range(1, listed + 1)]
    files = with_files()
    files.setdefault(billed_on, []).extend(map(line, carried))
    assert proves(SILENT, *carried, files=files) is (listed == 1_000 or sold_on == billed_on)


def test_sales_that_the_file_after_may_bill_are_no_lines_of_a_list():
    late = [sale(f"late {at}", created_at=MIDNIGHT + 2 * ONE_DAY - MINUTE, amount_cents=at) for at in range(1, 1_002)]
    assert proves(SILENT, *late)
