"""A sale that a later day's file bills: carried out of its own day, which closes."""

from datetime import timedelta

import pytest

from shared.domain.transaction import State
from shared.settlement.matching import ONE_DAY
from tests.archive import Archive, bill
from tests.step_driver import START
from tests.unit.settlement.two_days import AFTER, DAY, LOST, NEXT, Two, is_settled_for_good, morning, opened, sell, settle, state


def test_absence_counts_once_the_third_days_file_bills_the_next_days_sale():
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


def test_a_day_asked_for_alone_counts_absence_no_sooner(two):
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


@pytest.mark.parametrize("after", [3, 4, 5])  # yesterday's and today's too
@pytest.mark.parametrize("asked", [None, DAY])
def test_a_later_file_that_exists_already_is_read_before_absence_ends_a_sale(two, asked, after):
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


def test_a_later_file_that_is_refused_keeps_no_doubt_open(two):
    world = two.world
    world.now = morning(5)
    world.deliver(DAY, bill(two.first), bill(two.second))
    two.deliver_next()
    world.deliver(AFTER)
    name = world.deliver(DAY + 3 * ONE_DAY, bill(two.doubt))
    world.shelf.unreadable = {name: 20}
    settle(world, DAY)
    assert state(world, two.doubt) is State.REJECTED


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
