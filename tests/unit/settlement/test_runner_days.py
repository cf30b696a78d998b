"""Which days a run of settling takes up, leaves or refuses, and how often it tries one."""

from datetime import UTC, date, datetime

import pytest
from msgspec import structs

from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable
from shared.ports.settlement_files import Refusal
from shared.settlement.runner import NoBusinessDay, RefusedDay
from tests.archive import Archive, bill
from tests.step_driver import START, run
from tests.unit.settlement.evidence import ONE_DAY
from tests.unit.settlement.settled import DAY, LATER, MORNING, NEXT, days_begun, listed, only, sell, settle, spoil, world_at


def test_the_first_day_of_business_may_be_settled_and_none_before_it():
    at = datetime(2020, 1, 1, 10, tzinfo=UTC)
    world = world_at(at + ONE_DAY)
    sell(world, at=at), sell(world, at=at - ONE_DAY)
    assert only(settle(world, date(2020, 1, 1)))["day"] == "2020-01-01"
    with pytest.raises(NoBusinessDay):
        settle(world, date(2019, 12, 31))


@pytest.mark.parametrize(("back", "first"), [(1, 1), (2, 2), (28, 28), (29, 1)])
@pytest.mark.parametrize("by", ["a file", "a broken file", "a paper"])
def test_a_run_covers_four_weeks_from_the_first_day_with_a_file_or_a_document(by, back, first):
    world = world_at(MORNING)
    today = NEXT
    if by == "a paper":
        body = {"day": (today - back * ONE_DAY).isoformat(), "version": 1, "status": "balanced", "file": None}
        paper_id = f"live-{body['day']}"
        world.papers[DocumentKind.SETTLEMENTS, paper_id] = Document(paper_id, body, "live-ended", revision="r")
        steps = run(world.settling()._window(today))
    else:
        name = world.deliver(today - back * ONE_DAY)
        if by == "a broken file":
            spoil(world, name)
        steps = run(world.settling()._window(today))
    assert steps == [today - days * ONE_DAY for days in range(first, 0, -1)]


@pytest.mark.parametrize(("first", "last", "taken"), [(40, 2, 28), (28, 2, 28), (27, 2, 27), (3, 2, 3), (4, 3, 1), (1, 1, 1), (0, 0, 1)])
def test_sales_right_before_the_first_day_are_included_up_to_four_weeks_back(first, last, taken):
    world = world_at(MORNING)
    for back in range(first, last - 1, -1):
        sell(world, at=START + ONE_DAY - back * ONE_DAY)
    world.store_calls.clear()
    assert run(world.settling()._window(NEXT)) == [NEXT - days * ONE_DAY for days in range(taken, 0, -1)]
    assert world.store_calls.count("any_of_day") == min(taken, 27)


def test_an_older_day_is_included_while_it_is_unended_or_refused_and_not_empty():
    world = world_at(MORNING)
    sell(world)
    broken = world.deliver(NEXT, bill(sell(world, at=START + ONE_DAY)))
    spoil(world, broken)
    world.now += ONE_DAY
    assert [one.day for one in settle(world).refused] == [NEXT]
    world.now += 60 * ONE_DAY
    assert run(world.settling()._unsettled(world.now.date())) == [DAY, NEXT, world.now.date() - ONE_DAY]
    settled = settle(world, until=world.now)
    assert settled.left == (DAY, NEXT, world.now.date() - ONE_DAY) and settled.days == () == settled.refused
    assert listed(world, "live-refused") == ["live-2026-05-02-run"]


def test_refused_and_left_days_are_reported_oldest_first_and_not_as_settled():
    world = world_at(MORNING + 3 * ONE_DAY)
    for after in range(4):
        name = world.deliver(DAY + after * ONE_DAY)
        if after in (0, 2):
            spoil(world, name)
    asked = []

    def slow():
        asked.append(None)
        return world.now if len(asked) < 8 else LATER

    settling = world.settling()
    settling = structs.replace(settling, recorder=structs.replace(settling.recorder, now=slow))
    settled = run(settling.settle(None, LATER))
    days = {*(body["day"] for body in settled.days), *(one.day.isoformat() for one in settled.refused), *map(str, settled.left)}
    assert days == {(DAY + after * ONE_DAY).isoformat() for after in range(4)}
    assert len(settled.days) + len(settled.refused) + len(settled.left) == 4 and list(settled.left) == sorted(settled.left)


def test_yesterday_may_be_settled_although_there_is_nothing_of_it_at_all():
    assert only(settle(world_at(MORNING), DAY))["status"] == "file_missing"


def test_yesterday_goes_before_days_that_only_wait():
    world = world_at(MORNING + ONE_DAY)
    sell(world)
    assert days_begun(world) == ["2026-05-01", "2026-05-02"]
    assert days_begun(world) == ["2026-05-02", "2026-05-01"]


def test_both_neighbours_of_a_requested_day_are_settled_if_a_file_is_new_to_them():
    world = world_at(MORNING + 3 * ONE_DAY)
    for back in (1, 0, -1):
        world.deliver(DAY - back * ONE_DAY)
    settle(world)
    assert [world.days[f"live-2026-0{day}"]["status"] for day in ("4-30", "5-01", "5-02")] == ["balanced", "balanced", "provisional"]
    world.deliver(NEXT + ONE_DAY)
    assert only(settle(world, DAY))["day"] == "2026-05-01"
    assert world.days["live-2026-05-02"]["status"] == "balanced"
    world.deliver(DAY - ONE_DAY, bill(sell(world), merchant_id=""), stamp="20260501090000")
    settle(world, DAY)
    assert world.days["live-2026-04-30"]["version"] == 2


def test_days_that_are_left_are_reported_where_there_are_any(caplog):
    world = world_at(MORNING + ONE_DAY)
    sell(world)
    settle(world)
    assert "days left unsettled" not in caplog.text
    settle(world, until=world.now)
    (line,) = [line for line in caplog.records if line.message == "days left unsettled"]
    assert line.fields == {"days": ["2026-05-01", "2026-05-02"]}


def test_a_day_whose_document_cannot_be_read_is_refused_without_a_file():
    world = world_at(MORNING + ONE_DAY)
    world.deliver(DAY, bill(sell(world)))
    settle(world)
    key = DocumentKind.SETTLEMENTS, "live-2026-05-01"
    world.papers[key] = structs.replace(world.papers[key], body={**world.papers[key].body, "matched": 5})
    settled = settle(world)
    assert settled.refused == (RefusedDay(DAY, Refusal("", "", "what is on record of the day cannot be read by this version")),)
    assert [body["day"] for body in settled.days] == ["2026-05-02"]


class Contested(Archive):
    """A store in which another run writes the documents of a day first, `conflicts` times."""

    conflicts = 0

    async def write_paper(self, kind, paper, beside=None):
        if self.conflicts > 0 and paper.id == "live-2026-05-01":
            self.conflicts -= 1
            raise Conflict
        return await super().write_paper(kind, paper, beside)


@pytest.mark.parametrize(("conflicts", "is_settled"), [(0, True), (2, True), (3, False)])
def test_a_day_over_which_two_runs_meet_is_tried_three_times(conflicts, is_settled):
    world = Contested(now=MORNING)
    world.deliver(DAY, bill(sell(world)))
    world.conflicts = conflicts
    if is_settled:
        assert only(settle(world, DAY))["status"] == "provisional"
    else:
        with pytest.raises(StoreUnavailable):
            settle(world, DAY)
