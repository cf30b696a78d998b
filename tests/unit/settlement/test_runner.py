"""Settling days: each day in versions, oldest first, and nothing written twice."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.domain.vas import Mode
from shared.ports.documents import Document, DocumentKind
from shared.settlement.matching import ONE_DAY
from shared.settlement.repository import progress_id
from shared.settlement.runner import NoBusinessDay, _Evidence
from tests.archive import bill
from tests.step_driver import START, boundaries, run
from tests.unit.settlement.settled import (
    DAY,
    LOST,
    MORNING,
    NEXT,
    balanced,
    only,
    sell,
    settle,
    spoil,
    world_at,
)


def test_a_day_is_provisional_until_the_next_days_file_closes_it_as_a_new_version():
    world = world_at(MORNING)
    sale = sell(world)
    world.deliver(DAY, bill(sale))
    assert (only(settle(world, DAY))["status"], only(settle(world, DAY))["version"]) == ("provisional", 1)
    world.now += ONE_DAY
    world.deliver(NEXT)
    assert only(settle(world, NEXT))["day"] == "2026-05-02"
    closed = world.days["live-2026-05-01"]
    assert (closed["status"], closed["version"], closed["matched"]) == ("balanced", 2, {"rows": 1, "totalCents": 10_000})
    assert world.days["live-2026-05-01-v0001"]["status"] == "provisional" and world.days["live-2026-05-01-v0002"] == closed
    assert {paper.id: paper.mark for paper in world.papers.values() if paper.mark} == {
        "live-2026-05-01": "live-ended",
        "live-2026-05-02": "live",
    }


def test_the_same_inputs_again_write_nothing_and_answer_the_same_bytes():
    world = world_at(MORNING + ONE_DAY)
    balanced(world)
    sell(world, LOST)
    for day in (DAY, None):
        first = settle(world, day)
        world.written = 0
        assert json.dumps(settle(world, day).days) == json.dumps(first.days) and world.written == 0


def test_without_a_day_every_unsettled_one_is_settled_oldest_first():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    settled = settle(world)
    assert [(body["day"], body["status"]) for body in settled.days] == [
        ("2026-05-01", "balanced"),
        ("2026-05-02", "provisional"),
        ("2026-05-03", "file_missing"),
    ]
    world.now += ONE_DAY
    assert [body["day"] for body in settle(world).days] == ["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04"]


def test_a_system_without_a_past_settles_yesterday_and_misses_its_file(caplog):
    world = world_at(MORNING)
    assert [(body["day"], body["status"]) for body in settle(world).days] == [("2026-05-01", "file_missing")]
    assert "settlement file missing" in caplog.text


def test_a_file_that_comes_late_settles_its_day_and_those_around_it():
    world = world_at(MORNING + 2 * ONE_DAY)
    sale = sell(world)
    world.deliver(DAY, bill(sale))
    settle(world)
    world.deliver(NEXT)
    assert [(body["day"], body["status"]) for body in settle(world).days][:2] == [("2026-05-01", "balanced"), ("2026-05-02", "provisional")]


def test_today_is_provisional_and_the_future_is_refused():
    world = world_at(START + timedelta(hours=1))
    world.deliver(DAY, bill(sell(world)))
    assert only(settle(world, DAY))["status"] == "provisional"
    for other in (NEXT, date.min):
        with pytest.raises(NoBusinessDay):
            settle(world, other)
    assert set(world.days) == {"live-2026-05-01", "live-2026-05-01-v0001", "live-2026-05-01-run"}


def test_a_mistyped_day_before_the_first_sale_and_file_is_refused_and_stores_nothing():
    world = world_at(MORNING)
    world.deliver(DAY, bill(sell(world)))
    settle(world)
    papers = set(world.days)
    for day in (DAY - ONE_DAY, DAY - 40 * ONE_DAY, date(2020, 1, 1)):
        with pytest.raises(NoBusinessDay):
            settle(world, day)
    assert set(world.days) == papers


def test_a_run_over_all_days_ends_with_yesterday_although_today_was_settled_by_hand():
    world = world_at(START + timedelta(hours=1))
    world.deliver(DAY, bill(sell(world)))
    settle(world, DAY)
    assert [body["day"] for body in settle(world).days] == ["2026-04-30"]


def test_yesterdays_last_sale_is_not_missed_while_a_running_days_file_may_bill_it(caplog):
    late = datetime(2026, 5, 1, 21, 58, tzinfo=UTC)
    world = world_at(MORNING)
    first, last = sell(world), sell(world, at=late)
    world.deliver(DAY, bill(first))
    world.deliver(NEXT)
    assert [body["status"] for body in settle(world).days] == ["provisional"]
    world.now += ONE_DAY
    world.deliver(NEXT, bill(last), stamp="20260503060000")
    assert [body["status"] for body in settle(world).days] == ["balanced", "provisional"]
    assert "discrepancy found" not in caplog.text and world.discrepancies == []


def test_the_days_of_sales_before_the_first_file_are_settled_too():
    world = world_at(MORNING + ONE_DAY)
    sell(world, at=START)
    sell(world, at=START - ONE_DAY)
    sell(world, at=START - 5 * ONE_DAY)
    world.deliver(NEXT)
    assert [body["day"] for body in settle(world).days] == ["2026-04-30", "2026-05-01", "2026-05-02"]


def test_a_day_is_asked_whether_anything_was_sold_on_it_without_reading_its_sales():
    world = world_at(MORNING)
    for back in range(3):
        sell(world, at=START - back * ONE_DAY)
    steps = boundaries(lambda: world.settling().settle(None, world.now))
    assert (steps.count("before any_of_day"), steps.count("before of_day")) == (3, 0)


def test_the_sales_of_a_day_are_not_gathered_anew_for_each_that_was_resolved(monkeypatch):
    world = world_at(MORNING)
    world.deliver(DAY, *(bill(sell(world, LOST, cents=1_000 + at)) for at in range(40)))
    gathered, gather = [], _Evidence.all.fget
    monkeypatch.setattr(_Evidence, "all", property(lambda evidence: gathered.append(1) or gather(evidence)))
    assert len(only(settle(world, DAY))["healed"]) == 40
    assert len(gathered) < 10


def test_an_old_day_with_nothing_but_sales_is_settled_only_on_request():
    world = world_at(MORNING + 90 * ONE_DAY)
    sell(world)
    world.deliver(DAY + 89 * ONE_DAY)
    assert only(settle(world, DAY))["status"] == "file_missing"
    for other in (DAY - ONE_DAY, NEXT + ONE_DAY):
        with pytest.raises(NoBusinessDay):
            settle(world, other)


def test_days_of_sales_before_the_first_file_are_settled_back_to_the_first_empty_day():
    world = world_at(MORNING + 3 * ONE_DAY)
    for days in (-2, 0, 1):
        sell(world, at=START + days * ONE_DAY)
    world.deliver(NEXT + ONE_DAY)
    assert [body["day"] for body in settle(world).days] == ["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04"]


def test_a_day_settled_once_is_settled_on_request_even_if_nothing_is_left_of_it():
    world = world_at(MORNING)
    name = world.deliver(DAY)
    settle(world, DAY)
    del world.shelf.files[name]
    world.now += 90 * ONE_DAY
    world.deliver(DAY + 89 * ONE_DAY)
    assert only(settle(world, DAY))["status"] == "file_missing"


def test_the_requested_day_is_settled_even_without_time_for_any_other():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    settled = settle(world, DAY, until=world.now)
    assert (only(settled)["day"], settled.left) == ("2026-05-01", ())


def test_a_day_of_the_last_weeks_that_has_nothing_is_settled_when_it_is_asked_for():
    world = world_at(MORNING + 3 * ONE_DAY)
    balanced(world)
    assert only(settle(world, DAY + 2 * ONE_DAY))["status"] == "file_missing"


def test_no_run_over_all_days_settles_today_even_if_its_file_was_refused_by_hand():
    world = world_at(START + timedelta(hours=1))
    spoil(world, world.deliver(DAY, bill(sell(world))))
    assert [one.day for one in settle(world, DAY).refused] == [DAY]
    settled = settle(world)
    assert ([body["day"] for body in settled.days], settled.refused) == (["2026-04-30"], ())


@pytest.mark.parametrize(("retired_up_to", "is_settled"), [(DAY, False), (NEXT, False), (DAY - ONE_DAY, True), (None, True)])
def test_a_file_of_a_day_whose_sales_are_kept_no_longer_is_nothing_to_settle(retired_up_to, is_settled):
    world = world_at(MORNING + 90 * ONE_DAY)
    body = {"retiredUpTo": retired_up_to and retired_up_to.isoformat()}
    run(world.write_paper(DocumentKind.CONTROLS, Document(progress_id(Mode.LIVE), body)))
    world.deliver(DAY)
    world.deliver(DAY + 89 * ONE_DAY)
    if is_settled:
        assert only(settle(world, DAY))["status"] == "provisional"
    else:
        with pytest.raises(NoBusinessDay):
            settle(world, DAY)
