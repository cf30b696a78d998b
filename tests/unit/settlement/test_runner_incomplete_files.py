"""Settling with files that are not whole: what they leave out, take back or bill late proves nothing, and is told."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.transaction import EventName, State
from shared.domain.unread import Unread
from shared.ports.documents import DocumentKind
from shared.settlement.matching import ONE_DAY
from tests.archive import Archive, bill
from tests.step_driver import START, electricity, run

DAY = date(2026, 5, 1)
NEXT = DAY + ONE_DAY
AFTER = NEXT + ONE_DAY
LATER = datetime(2027, 1, 1, tzinfo=UTC)
LOST = Unknown("ReadTimeout")
DOUBT = 5_100


def morning(days):
    """06:00 in Johannesburg, so many days after DAY."""
    return datetime(2026, 5, 1, 4, tzinfo=UTC) + days * ONE_DAY


def sell(world, answer=None, *, at=START, cents=10_000):
    number = len(world.sales)
    given = answer or Vended(Receipt(supplier_transaction_id=f"bbbbbbbb-0000-4000-8000-{number:012d}", tokens_due=TokensDue.NONE))
    now, world.now, world.answers = world.now, at, [given]
    sale = run(world.vending.purchase(electricity(f"key-{number}", cents=cents, allow_duplicate=True))).transaction
    world.now = now
    return sale


def settle(world, day=None):
    return run(world.settling().settle(day, LATER))


def state(world, sale):
    return world.sales[sale.id].state


def opened(world):
    """The open discrepancies, by day and kind."""
    return {(found["day"], found["kind"]) for found in world.discrepancies if found["status"] == "open"}


def is_settled_for_good(world):
    """Whether the same inputs again write nothing and answer the same bytes."""
    first = [settle(world), *(settle(world, DAY + at * ONE_DAY) for at in range(3))]
    world.written = 0
    again = [settle(world), *(settle(world, DAY + at * ONE_DAY) for at in range(3))]
    return json.dumps([one.days for one in again]) == json.dumps([one.days for one in first]) and world.written == 0


class Two:
    """Two sales of DAY and a doubt between them, and one sale of the next day."""

    def __init__(self, days=2):
        self.world = Archive(now=morning(days))
        self.first = sell(self.world)
        self.doubt = sell(self.world, LOST, at=START + timedelta(hours=1), cents=DOUBT)
        self.second = sell(self.world, at=START + timedelta(hours=2), cents=20_000)
        self.control = sell(self.world, at=START + ONE_DAY, cents=30_000)

    def deliver_next(self):
        self.world.deliver(NEXT, bill(self.control), stamp="20260503050000")


@pytest.fixture
def two():
    return Two()


def test_whole_files_alone_end_a_doubt_that_never_vended(two):
    two.world.deliver(DAY, bill(two.first), bill(two.second))
    two.deliver_next()
    settle(two.world)
    assert state(two.world, two.doubt) is State.REJECTED
    assert is_settled_for_good(two.world)


def test_a_day_in_two_parts_of_which_the_last_lacks_a_sale_and_the_doubt_rejects_nothing(two):
    world = two.world
    world.deliver(DAY, bill(two.first), bill(two.doubt), stamp="20260502050000")
    world.deliver(DAY, bill(two.second), stamp="20260502050100")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and world.sales[two.doubt.id].sign_of_vend
    assert opened(world) == {("2026-05-01", "missing_at_supplier"), ("2026-05-01", "lines_withdrawn")}
    (found,) = [one for one in world.discrepancies if one["kind"] == "lines_withdrawn"]
    assert (found["severity"], found["theirs"]) == ("critical", {"rows": 2, "amountCents": 15_100})
    assert is_settled_for_good(world)


@pytest.mark.parametrize("closed", ["missing_at_supplier", "lines_withdrawn"])
def test_no_closure_lets_silence_count_again_and_a_file_with_every_line_does(two, closed):
    world = two.world
    stranger = bill(two.first, "cccccccc-0000-4000-8000-000000000001", merchant_id="", amount="900")
    world.deliver(DAY, bill(two.first), bill(two.second), stranger, stamp="20260502050000")
    world.deliver(DAY, bill(two.second), stamp="20260502050100")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT
    (found,) = [one for one in world.discrepancies if one["kind"] == closed]
    close(world, found)
    settle(world, DAY)
    assert state(world, two.doubt) is State.IN_DOUBT
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050200")  # without the stranger's line
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT
    world.deliver(DAY, bill(two.first), bill(two.second), stranger, stamp="20260502050300")
    settle(world)
    assert state(world, two.doubt) is State.REJECTED and opened(world) == {("2026-05-01", "missing_here")}
    assert is_settled_for_good(world)


def close(world, found, decision="accepted"):
    key = DocumentKind.DISCREPANCIES, f"live-{found['id']}"
    closure = {"decision": decision, "note": "known", "by": "ann@example.com", "at": "2026-05-04T08:00:00Z"}
    world.papers[key] = structs.replace(world.papers[key], body={**found, "status": decision, "closure": closure}, mark=None, revision="c")


def test_lines_that_a_file_lost_when_it_was_overwritten_in_place_are_told_by_rows_and_cents_of_the_paper(two):
    world = two.world
    lost = bill(two.first, "cccccccc-0000-4000-8000-000000000001", merchant_id="", amount="900")
    world.now = morning(1)
    name = world.deliver(DAY, bill(two.first), bill(two.second), lost)
    settle(world, DAY)
    world.now = morning(2)
    assert world.deliver(DAY, bill(two.first), bill(two.second)) == name
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT
    (found,) = [one for one in world.discrepancies if one["kind"] == "lines_withdrawn"]
    assert (found["status"], found["theirs"]) == ("open", {"rows": 1, "amountCents": 900})
    assert is_settled_for_good(world)
    world.deliver(DAY, bill(two.first), bill(two.second), lost)
    settle(world)
    assert state(world, two.doubt) is State.REJECTED
    assert ("2026-05-01", "lines_withdrawn") not in opened(world)


def test_a_line_swapped_in_place_for_another_of_the_same_amount_is_missed_by_its_id(two):
    world = two.world
    stranger = bill(two.first, "cccccccc-0000-4000-8000-000000000001", merchant_id="", amount=str(DOUBT + 1))
    other = stranger._replace(transaction_id="cccccccc-0000-4000-8000-000000000002")
    world.now = morning(1)
    world.deliver(DAY, bill(two.first), bill(two.second), stranger)
    settle(world, DAY)
    world.now = morning(2)
    world.deliver(DAY, bill(two.first), bill(two.second), other)
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and ("2026-05-01", "lines_withdrawn") in opened(world)


def test_one_line_swapped_for_another_in_a_later_file_of_equal_rows_and_cents_is_withdrawn(two):
    world = two.world
    other = bill(two.doubt, "cccccccc-0000-4000-8000-000000000002", merchant_id="", vas_type="Airtime", meter_number="")
    world.deliver(DAY, bill(two.first), bill(two.second), bill(two.doubt), stamp="20260502050000")
    world.deliver(DAY, bill(two.first), bill(two.second), other, stamp="20260502050100")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and world.sales[two.doubt.id].sign_of_vend
    assert ("2026-05-01", "lines_withdrawn") in opened(world)


def test_a_corrected_amount_or_recipient_withdraws_no_line_whether_the_earlier_bytes_are_there_or_not(two):
    world = two.world
    two.deliver_next()
    for stamp in ("20260502050000", "20260502050100"):
        wrong = bill(two.first, amount="910000"), bill(two.second, meter_number="99999999999")
        world.deliver(DAY, *wrong, stamp=stamp)
        settle(world)
        assert ("2026-05-01", "amount_differs") in opened(world)
        world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050100")
        settle(world)
        assert opened(world) == set()
    assert state(world, two.doubt) is State.REJECTED


@pytest.mark.parametrize("overwritten", [True, False])
def test_a_file_that_bills_less_for_a_sale_than_the_one_before_it_withdraws_no_line(two, overwritten):
    two.deliver_next()
    for wrong in ({}, {"amount": "9000"}):
        stamp = "20260502050000" if overwritten or not wrong else "20260502050100"
        two.world.deliver(DAY, bill(two.first, **wrong), bill(two.second), stamp=stamp)
        settle(two.world)
    assert opened(two.world) == {("2026-05-01", "amount_differs")}


def test_a_negative_line_that_is_gone_with_the_file_that_had_it_is_one_line_and_no_cents(two):
    world = two.world
    two.deliver_next()
    world.deliver(DAY, bill(two.first), bill(two.second), bill(two.first, amount="-10000"))
    settle(world)
    world.deliver(DAY, bill(two.first), bill(two.second))
    settle(world)
    (found,) = [one for one in world.discrepancies if one["kind"] == "lines_withdrawn"]
    assert found["theirs"] == {"rows": 1, "amountCents": 0}


def test_lines_of_the_next_days_file_that_were_withdrawn_keep_the_day_before_from_silence_whichever_is_settled_first(two):
    world = two.world
    world.now = morning(3)
    world.deliver(DAY, bill(two.first), bill(two.second))
    stranger = bill(two.control, "cccccccc-0000-4000-8000-000000000003", merchant_id="", amount="900")
    world.deliver(NEXT, bill(two.control), stranger)
    settle(world, AFTER)  # and so the next day, with it
    world.papers.clear()
    settle(world, NEXT)
    assert state(world, two.doubt) is State.IN_DOUBT
    world.deliver(NEXT, bill(two.control))
    settle(world, DAY)
    assert state(world, two.doubt) is State.IN_DOUBT
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and ("2026-05-02", "lines_withdrawn") in opened(world)
    assert is_settled_for_good(world)


def test_a_next_day_corrected_in_place_that_lost_nothing_ends_the_doubt_of_the_day_before_in_the_same_run(two):
    world = two.world
    world.now = morning(2)
    world.deliver(NEXT, bill(two.control, amount="30001"), stamp="20260503050000")
    settle(world, NEXT)
    world.deliver(DAY, bill(two.first), bill(two.second))
    world.deliver(NEXT, bill(two.control), stamp="20260503050000")
    settle(world, DAY)
    assert state(world, two.doubt) is State.REJECTED
    assert is_settled_for_good(world)


def test_an_earlier_part_that_comes_after_the_last_one_is_news(two):
    world = two.world
    world.deliver(DAY, bill(two.second), stamp="20260502050100")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and not world.sales[two.doubt.id].sign_of_vend
    world.deliver(DAY, bill(two.first), bill(two.doubt), stamp="20260502050000")
    settle(world)
    assert world.sales[two.doubt.id].sign_of_vend and ("2026-05-01", "lines_withdrawn") in opened(world)


@pytest.mark.parametrize("earlier", [1, 2])
def test_earlier_files_that_bill_a_sale_called_rejected_contradict_its_end_once(two, earlier):
    world = two.world
    refused = sell(world, Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"), cents=40_000)
    for at in range(earlier):
        world.deliver(DAY, bill(two.first), bill(refused), bill(two.second, units=str(at)), stamp=f"2026050205000{at}")
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050100")
    two.deliver_next()
    for _ in range(2):
        settle(world, DAY)
    assert opened(world) == {("2026-05-01", "vended_after_rejection"), ("2026-05-01", "lines_withdrawn")}
    assert len(world.discrepancies) == 2
    assert [event for sale_id, event, _ in world.topic if sale_id == refused.id].count(EventName.CONTRADICTED) == 1


def test_a_paper_of_the_day_whose_lists_were_cut_proves_no_silence(two):
    world = two.world
    strangers = [bill(two.first, f"cccccccc-0000-4000-8000-{at:012d}", merchant_id="", amount=str(at)) for at in range(1, 1_003)]
    world.deliver(DAY, bill(two.first), bill(two.second), *strangers)
    two.deliver_next()
    settle(world)
    assert "leftOut" in world.days["live-2026-05-01"] and state(world, two.doubt) is State.IN_DOUBT
    world.deliver(DAY, bill(two.first), bill(two.second))  # in place: nobody knows any more what all those lines were
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT


def test_a_sale_of_the_next_day_that_only_the_third_days_file_bills_lets_silence_count_when_that_comes():
    two = Two(days=3)
    world = two.world
    carried = sell(world, at=START + ONE_DAY + timedelta(hours=2), cents=40_000)
    world.deliver(DAY, bill(two.first), bill(two.second))
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and world.days["live-2026-05-01"]["status"] == "balanced"
    world.deliver(AFTER, bill(carried), stamp="20260504050000")
    settle(world)
    assert state(world, two.doubt) is State.REJECTED
    assert is_settled_for_good(world)


def test_a_day_asked_for_alone_counts_silence_no_sooner(two):
    world = two.world
    world.deliver(DAY, bill(two.second))
    two.deliver_next()
    for day in (DAY, NEXT, DAY):
        settle(world, day)
        assert state(world, two.doubt) is State.IN_DOUBT


@pytest.mark.parametrize("days_later", [2, 3, 10, 40])
@pytest.mark.parametrize("asked", [True, False])
def test_a_sale_billed_days_later_is_carried_out_of_its_own_day_which_closes(days_later, asked):
    world = Archive(now=morning(2))
    late, other = sell(world, cents=40_000), sell(world)
    world.deliver(DAY, bill(other))
    world.deliver(NEXT, bill(sell(world, at=START + ONE_DAY)))
    settle(world)
    assert opened(world) == {("2026-05-01", "missing_at_supplier")}
    version = world.days["live-2026-05-01"]["version"]
    billed_on = DAY + days_later * ONE_DAY
    world.now = morning(days_later + 1)
    world.deliver(billed_on, bill(late), stamp=f"{billed_on:%Y%m%d}235900")
    settle(world, billed_on if asked else None)
    body = world.days["live-2026-05-01"]
    assert (body["status"], body["version"]) == ("balanced", version + 1)
    assert [(one["transactionId"], one["billedOn"]) for one in body["carriedOut"]] == [(late.id, billed_on.isoformat())]
    assert all(books["residue"] == {"rows": 0, "cents": 0} for books in body["conservation"])
    (carried,) = world.days[f"live-{billed_on}"]["carriedIn"]
    assert (carried["transactionId"], carried["soldOn"]) == (late.id, "2026-05-01")
    assert opened(world) == {(billed_on.isoformat(), "late_posting")}
    world.written = 0
    settle(world, billed_on), settle(world, DAY)
    assert world.written == 0


def test_a_doubt_that_a_file_weeks_later_bills_is_off_the_list_of_its_own_day():
    world = Archive(now=morning(2))
    doubt = sell(world, LOST)
    world.deliver(DAY)
    world.deliver(NEXT)
    settle(world)
    assert [one["transactionId"] for one in world.days["live-2026-05-01"]["open"]] == [doubt.id]
    world.now = morning(31)
    world.deliver(DAY + 30 * ONE_DAY, bill(doubt))
    settle(world)
    body = world.days["live-2026-05-01"]
    assert body["open"] == [] and [one["billedOn"] for one in body["carriedOut"]] == ["2026-05-31"]


def test_a_late_bill_that_is_corrected_away_is_missing_on_its_own_day_again():
    world = Archive(now=morning(4))
    late = sell(world)
    world.deliver(DAY)
    world.deliver(NEXT)
    name = world.deliver(DAY + 3 * ONE_DAY, bill(late))
    settle(world)
    assert world.days["live-2026-05-01"]["status"] == "balanced"
    assert world.deliver(DAY + 3 * ONE_DAY) == name
    settle(world, DAY + 3 * ONE_DAY)
    assert world.days["live-2026-05-01"]["status"] == "discrepancies"
    assert opened(world) == {("2026-05-01", "missing_at_supplier"), ("2026-05-04", "lines_withdrawn")}


def test_an_earlier_file_that_cannot_be_read_may_say_anything_so_no_silence_counts(two):
    world = two.world
    first = world.deliver(DAY, bill(two.first), stamp="20260502050000")
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050100")
    two.deliver_next()
    world.shelf.unreadable = {first: 20}
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and opened(world) == set()
    world.shelf.unreadable = {}
    settle(world, DAY)
    assert state(world, two.doubt) is State.REJECTED


@pytest.mark.parametrize("is_named_on_its_day", [False, True])
def test_a_file_whose_header_cannot_be_read_may_be_of_each_day_that_its_name_allows_so_no_silence_counts(is_named_on_its_day):
    two = Two(days=4)
    world, named = two.world, 0 if is_named_on_its_day else 1
    for day, lines in ((DAY, (bill(two.first), bill(two.second))), (NEXT, (bill(two.control),))):
        world.deliver(day, *lines, stamp=f"{day + named * ONE_DAY:%Y%m%d}050000")
    other = NEXT + ONE_DAY if is_named_on_its_day else DAY - ONE_DAY  # as the files beside it are named, and no day of the doubt's
    hidden = world.deliver(other, stamp=f"{other + named * ONE_DAY:%Y%m%d}040000")
    world.shelf.unreadable = {hidden: 0}
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and opened(world) == set()
    world.shelf.unreadable = {}
    settle(world)
    assert state(world, two.doubt) is State.REJECTED and opened(world) == set()


@pytest.mark.parametrize("is_there_one_more", [False, True])
def test_an_earlier_file_is_read_by_itself_once_it_can_be_and_what_it_had_more_is_told(two, is_there_one_more):
    world = two.world
    if is_there_one_more:
        world.deliver(DAY, bill(two.first), stamp="20260502045900")
    first = world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050000")
    world.deliver(DAY, bill(two.first), stamp="20260502050100")
    two.deliver_next()
    world.shelf.unreadable = {first: 20}
    settle(world)
    assert ("2026-05-01", "lines_withdrawn") not in opened(world)
    world.written = 0
    settle(world)
    assert world.written == 0
    world.shelf.unreadable = {}
    settle(world)
    assert ("2026-05-01", "lines_withdrawn") in opened(world)
    settle(world)
    world.written = 0
    settle(world)
    assert world.written == 0


def test_a_sale_of_the_day_that_cannot_be_read_may_be_billed_nowhere_so_no_silence_counts(two):
    world = two.world
    world.deliver(DAY, bill(two.first), bill(two.second))
    two.deliver_next()
    of_day, hidden = world.of_day, two.control.id

    async def unread(mode, day, shard):
        async for sale in of_day(mode, day, shard):
            yield Unread(id=sale.id) if sale.id == hidden else sale

    world.of_day = unread
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT


@pytest.mark.parametrize("after", [3, 4, 5])  # yesterday's and today's too
@pytest.mark.parametrize("asked", [None, DAY])
def test_a_later_file_that_lies_there_already_is_read_before_silence_ends_a_sale(two, asked, after):
    world = two.world
    world.now = morning(5)
    world.deliver(DAY, bill(two.first), bill(two.second))
    two.deliver_next()
    world.deliver(AFTER)
    world.deliver(DAY + after * ONE_DAY, bill(two.doubt))
    settle(world, asked)
    assert state(world, two.doubt) is State.VENDED
    assert not any(kind == "vended_after_rejection" for _, kind in opened(world))
    settle(world)
    assert is_settled_for_good(world)


def test_a_later_file_that_is_not_believed_keeps_no_doubt_open(two):
    world = two.world
    world.now = morning(5)
    world.deliver(DAY, bill(two.first), bill(two.second))
    two.deliver_next()
    world.deliver(AFTER)
    name = world.deliver(DAY + 3 * ONE_DAY, bill(two.doubt))
    world.shelf.unreadable = {name: 20}
    settle(world, DAY)
    assert state(world, two.doubt) is State.REJECTED


def test_a_sale_that_an_earlier_file_with_a_wrong_count_bills_is_not_rejected_by_silence(two):
    world = two.world
    miscounted = world.deliver(DAY, bill(two.first), bill(two.doubt), bill(two.second), stamp="20260502050000")
    world.shelf.files[miscounted] = world.shelf.files[miscounted].replace(b"T|5", b"T|6")
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502060000")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and opened(world) == set()
    assert world.sales[two.doubt.id].sign_of_vend


def test_an_earlier_file_with_a_wrong_count_that_does_not_name_the_sale_hinders_nothing(two):
    world = two.world
    miscounted = world.deliver(DAY, bill(two.first), stamp="20260502050000")
    world.shelf.files[miscounted] = world.shelf.files[miscounted].replace(b"T|3", b"T|4")
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502060000")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.REJECTED and opened(world) == set()


def test_a_file_beyond_is_waited_for_only_where_it_may_end_a_doubt():
    two = Two(days=1)
    world = two.world
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050000")
    settle(world, DAY)  # before the next day's file, of which all sales are lacking
    assert world.days["live-2026-05-01-run"]["beyond"] == []
    world.now = morning(2)
    world.deliver(NEXT, stamp="20260503050000")
    settle(world)
    assert world.days["live-2026-05-01-run"]["beyond"] == ["2026-05-03"]
    world.now = morning(3)
    for stamp, lines in (("20260504050000", ()), ("20260504060000", (bill(two.control),))):  # the first one lacks it as well
        assert state(world, two.doubt) is State.IN_DOUBT
        world.deliver(AFTER, *lines, stamp=stamp)
        settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT  # its next day's file bills nothing at all
    world.deliver(NEXT, bill(two.control), stamp="20260503060000")
    settle(world)
    assert state(world, two.doubt) is State.REJECTED and world.days["live-2026-05-01-run"]["beyond"] == []
