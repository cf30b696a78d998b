"""Which days a run takes up first, until when, and which days it leaves."""

from datetime import date, timedelta

from msgspec import structs

from shared.ports.documents import DocumentKind
from shared.settlement.matching import ONE_DAY
from tests.archive import bill
from tests.step_driver import run
from tests.unit.settlement.settled import DAY, MORNING, NEXT, Slow, balanced, days_begun, listed, only, sell, settle, spoil, world_at


def test_no_day_is_begun_after_the_deadline_and_what_is_left_is_said():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    settled = settle(world, until=world.now)
    assert settled.days == () and [day.isoformat() for day in settled.left] == ["2026-05-01", "2026-05-02", "2026-05-03"]
    assert world.written == 0


def test_days_whose_files_never_come_keep_no_other_day_waiting(caplog):
    world = Slow(now=MORNING)
    sell(world)
    for after in range(12):  # mornings, each with three runs that have as long as the platform gives them
        morning, yesterday = MORNING + after * ONE_DAY, DAY + after * ONE_DAY
        if after >= 3:
            world.deliver(yesterday)
        for hours in (0, 6, 12):
            world.now = morning + timedelta(hours=hours)
            settled = settle(world, until=world.now + world.rules.latest_claim)
            assert yesterday not in settled.left
    assert {day: body["status"] for day, body in world.days.items() if len(day) == len("live-2026-05-01")} == {
        **dict.fromkeys((f"live-2026-05-{day:02d}" for day in (1, 2, 3)), "file_missing"),
        **dict.fromkeys((f"live-2026-05-{day:02d}" for day in range(4, 12)), "balanced"),
        "live-2026-05-12": "provisional",
    }
    assert settled.left == (DAY + 2 * ONE_DAY,) and "days left unsettled" in caplog.text


def test_days_whose_files_are_refused_keep_no_other_day_waiting():
    world = Slow(now=MORNING + 6 * ONE_DAY)
    for after in range(7):
        name = world.deliver(DAY + after * ONE_DAY)
        if after < 4:
            spoil(world, name)
    settled = settle(world, until=world.now + world.rules.latest_claim)
    assert [one.day for one in settled.refused] == [DAY + after * ONE_DAY for after in range(4)]
    assert [body["day"] for body in settled.days] == ["2026-05-05", "2026-05-06", "2026-05-07"]


def test_what_a_run_answers_is_oldest_first_whatever_it_began_with():
    world = world_at(MORNING)
    sell(world)
    settle(world)
    world.now += 40 * ONE_DAY
    world.deliver(date(2026, 6, 9))
    world.deliver(date(2026, 6, 10))
    assert days_begun(world) == ["2026-06-09", "2026-06-10", "2026-05-01"]
    assert [body["day"] for body in settle(world).days] == ["2026-05-01", "2026-06-09", "2026-06-10"]


def test_an_old_day_without_its_file_is_included_and_reported_as_left_without_time():
    world = world_at(MORNING)
    sell(world)
    assert only(settle(world))["status"] == "file_missing"
    world.now += 59 * ONE_DAY
    world.deliver(date(2026, 6, 29))
    assert settle(world, until=world.now).left[0] == DAY
    first = settle(world).days[0]
    assert (first["day"], first["status"]) == ("2026-05-01", "file_missing")

    world.deliver(DAY, bill(next(iter(world.sales.values()))))
    world.deliver(NEXT)
    assert [body["status"] for body in settle(world).days if body["day"] == "2026-05-01"] == ["balanced"]
    assert "2026-05-01" not in [body["day"] for body in settle(world).days]


def test_days_that_have_ended_are_not_read_by_every_run():
    world = world_at(MORNING + 12 * ONE_DAY)
    for after in range(12):
        world.deliver(DAY + after * ONE_DAY)
    settle(world)
    assert len(listed(world, "live-ended")) == 11 and listed(world, "live") == ["live-2026-05-12", "live-2026-05-13"]
    world.now += 40 * ONE_DAY
    world.store_calls.clear()
    days = [body["day"] for body in settle(world, until=world.now).days]
    # One page of two, and that there is no other; and that neither list has a day of the last weeks.
    assert days == [] and world.store_calls.count("marked_papers") == 5


def test_an_ended_day_without_mark_is_marked_once_and_an_unended_day_is_still_found():
    world = world_at(MORNING + 3 * ONE_DAY)
    for after in range(2):
        world.deliver(DAY + after * ONE_DAY)
    settle(world)
    for key in [key for key, paper in world.papers.items() if paper.mark == "live-ended"]:
        world.papers[key] = structs.replace(world.papers[key], mark="live")
    assert len(listed(world, "live")) == 4
    world.now += 60 * ONE_DAY
    world.written = 0
    assert [day.isoformat() for day in settle(world, until=world.now).left] == ["2026-05-02", "2026-05-03", "2026-05-04", "2026-07-03"]
    assert listed(world, "live-ended") == ["live-2026-05-01"] and world.written == 1


def test_a_day_that_another_run_settles_meanwhile_keeps_the_other_runs_mark():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    settle(world)
    key = DocumentKind.SETTLEMENTS, "live-2026-05-01"
    world.papers[key] = structs.replace(world.papers[key], mark="live")
    settling = world.settling().settle(None, world.now)
    while settling.send(None) != "before write_paper":
        pass
    world.papers[key] = structs.replace(world.papers[key], revision="later")
    run(settling)
    assert world.papers[key].mark == "live"
