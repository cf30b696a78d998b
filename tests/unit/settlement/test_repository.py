"""Settled days as documents: each version written once, and its end marked."""

import pytest
from msgspec import structs

from shared.domain.statement import Total
from shared.domain.vas import Mode
from shared.ports.documents import Conflict, DocumentKind, UnreadableRecord
from shared.settlement.repository import Runs, progress_id
from shared.settlement.settled_day import Status, next_version
from tests.step_driver import boundaries, run
from tests.unit.settlement.stored_days import DAY, DAY_ID, ONE_DAY, SETTLEMENTS, a_day, kept, papers_of, put


def keep(world, settled, mode=Mode.LIVE):
    papers = papers_of(world, mode)
    return run(papers.keep_day(settled, run(papers.day(settled.day))))


def test_a_day_is_kept_as_its_first_version_and_as_it_stands(world):
    body = keep(world, a_day())
    assert (body["version"], body["status"]) == (1, "provisional")
    assert kept(world) == {"live-2026-05-01-v0001": (body, None), DAY_ID: (body, "live")}


@pytest.mark.parametrize(
    ("status", "mark"),
    [
        (Status.PROVISIONAL, "live"),
        (Status.FILE_MISSING, "live"),
        (Status.BALANCED, "live-ended"),
        (Status.DISCREPANCIES, "live-ended"),
    ],
)
def test_a_day_is_marked_as_ended_once_no_file_is_awaited_any_more(world, status, mark):
    keep(world, a_day(status=status))
    assert world.papers[SETTLEMENTS, DAY_ID].mark == mark


def test_the_same_day_again_writes_nothing_and_reads_no_version(world):
    papers = papers_of(world)
    first = keep(world, a_day())
    before = run(papers.day(DAY))
    assert boundaries(lambda: papers.keep_day(a_day(), before)) == [] and keep(world, a_day()) == first


def test_what_is_new_is_kept_as_a_version_of_its_own_and_the_one_before_it_stays(world):
    first = keep(world, a_day())
    second = keep(world, a_day(status=Status.BALANCED))
    assert second == {**first, "version": 2, "status": "balanced"}
    assert kept(world) == {
        "live-2026-05-01-v0001": (first, None),
        "live-2026-05-01-v0002": (second, None),
        DAY_ID: (second, "live-ended"),
    }


@pytest.mark.parametrize("cut_short", [[], [{"matched": Total(2, 1_000)}], [{"matched": Total(2, 1_000)}, {"matched": Total(3, 1_100)}]])
def test_versions_of_runs_that_were_cut_short_stay_and_the_day_becomes_the_next_one(world, cut_short):
    first = keep(world, a_day())
    body = first
    for changed in cut_short:
        body = next_version(a_day(**changed), body)
        put(world, SETTLEMENTS, f"live-2026-05-01-v{body['version']:04d}", body)
    versions = kept(world)
    last = keep(world, a_day(status=Status.BALANCED))
    assert (last["version"], last["status"], last["matched"]) == (2 + len(cut_short), "balanced", first["matched"])
    last_id = f"live-2026-05-01-v{last['version']:04d}"
    assert kept(world) == {**versions, last_id: (last, None), DAY_ID: (last, "live-ended")}


def test_a_version_stored_before_its_run_was_cut_short_is_used_and_not_written_again(world):
    first = keep(world, a_day())
    second = next_version(a_day(status=Status.BALANCED), first)
    put(world, SETTLEMENTS, "live-2026-05-01-v0002", second)
    world.store_calls.clear()
    assert keep(world, a_day(status=Status.BALANCED)) == second
    assert world.store_calls.count("write_paper") == 1 and kept(world)[DAY_ID] == (second, "live-ended")


def test_a_day_whose_mark_alone_is_another_is_marked_anew(world):
    body = keep(world, a_day(status=Status.BALANCED))
    world.papers[SETTLEMENTS, DAY_ID] = structs.replace(world.papers[SETTLEMENTS, DAY_ID], mark="live")
    assert keep(world, a_day(status=Status.BALANCED)) == body
    assert kept(world) == {"live-2026-05-01-v0001": (body, None), DAY_ID: (body, "live-ended")}


def test_a_day_that_another_run_has_kept_meanwhile_is_a_conflict(world):
    papers = papers_of(world)
    keep(world, a_day())
    before = run(papers.day(DAY))
    keep(world, a_day(status=Status.BALANCED))
    for held in (None, before):
        with pytest.raises(Conflict):
            run(papers.keep_day(a_day(status=Status.DISCREPANCIES), held))


def test_a_day_without_a_document_is_not_begun_and_one_that_cannot_be_read_is(world):
    papers = papers_of(world)
    assert (run(papers.day(DAY)), run(papers.is_begun(DAY)), run(papers.runs(DAY))) == (None, False, Runs())
    put(world, SETTLEMENTS, DAY_ID, {"day": 5})
    assert run(papers.is_begun(DAY)) and not run(papers.is_begun(DAY + ONE_DAY))
    assert not run(papers_of(world, Mode.SIMULATED).is_begun(DAY))
    with pytest.raises(UnreadableRecord):
        run(papers.day(DAY))


@pytest.mark.parametrize(
    ("body", "is_retired"),
    [
        (None, False),
        ({}, False),
        ({"retiredUpTo": None}, False),
        *(({"retiredUpTo": f"2026-0{day}"}, day != "4-30") for day in ("4-30", "5-01", "5-02")),
    ],
)
def test_a_day_is_retired_up_to_the_one_that_retaining_says(world, body, is_retired):
    if body is not None:
        put(world, DocumentKind.CONTROLS, progress_id(Mode.LIVE), body)
    assert run(papers_of(world).is_retired(DAY)) is is_retired
    assert not run(papers_of(world, Mode.SIMULATED).is_retired(DAY))


def test_the_first_day_from_a_date_is_found_among_ended_and_unended_days(world):
    papers = papers_of(world)
    assert run(papers.first_since(DAY)) is None
    for back, status in (
        (3, Status.BALANCED),
        (1, Status.PROVISIONAL),
        (0, Status.BALANCED),
        (-2, Status.PROVISIONAL),
        (-3, Status.BALANCED),
    ):
        keep(world, a_day(DAY - back * ONE_DAY, status=status))
    keep(world, a_day(DAY - 2 * ONE_DAY), Mode.SIMULATED)
    found = [run(papers.first_since(DAY + after * ONE_DAY)) for after in range(-4, 5)]
    assert found == [DAY + days * ONE_DAY if days is not None else None for days in (-3, -3, -1, -1, 0, 2, 2, 3, None)]


def test_unended_days_are_listed_oldest_first_and_an_old_mark_is_replaced(world):
    papers = papers_of(world)
    statuses = [Status.PROVISIONAL, Status.BALANCED, Status.FILE_MISSING, Status.DISCREPANCIES, Status.PROVISIONAL]
    for after, status in reversed(list(enumerate(statuses))):
        keep(world, a_day(DAY + after * ONE_DAY, status=status))
    days = [DAY, DAY + 2 * ONE_DAY, DAY + 4 * ONE_DAY]
    for _ in range(2):
        world.store_calls.clear()
        assert run(papers.unended()) == days
    assert "write_paper" not in world.store_calls
    old = [("live-2026-05-02", "live"), ("live-2026-05-04", "live")]
    for paper_id, mark in old:
        world.papers[SETTLEMENTS, paper_id] = structs.replace(world.papers[SETTLEMENTS, paper_id], mark=mark)
    assert run(papers.unended()) == days
    assert [kept(world)[paper_id][1] for paper_id, _ in old] == ["live-ended", "live-ended"]
