"""The run that erases and retires, step by step: what is needed, and how far each run comes."""

from datetime import date, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Unknown
from shared.domain.transaction import SHARDS, State
from shared.ports.documents import Conflict, Document, DocumentKind
from shared.retention import run as retention_run
from shared.retention.rules import Hold, tombstone_of
from shared.retention.run import Needed, Retained
from shared.vending.contradictions import discrepancies
from tests.contract.records import sale
from tests.newer import put_back
from tests.unit.retention.retained import (
    SOLD_AT,
    contradicted,
    day_paper,
    is_bare,
    is_gone,
    run,
    sold,
)
from tests.unit.retention.steps import DAY, ONE, TO_ERASE, TO_RETIRE, asked, body_of, keep_body, make, name


async def test_what_discrepancies_days_and_open_sales_need(store, keeper, clock):
    ids = [letter * 32 for letter in "abcdef"]
    found = [
        {"transactionId": ids[0], "ours": {"day": "2024-03-01", "alsoHeldBy": ids[1]}},
        {"transactionId": None, "ours": None},
        {"transactionId": ids[2], "ours": {"day": "soon"}},
        {"transactionId": ids[3]},
        {"transactionId": 7, "ours": {"alsoHeldBy": 7}},
    ]
    for number, one in enumerate(found):
        await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"live-d-{number}", {**one, "status": "open"}, "live-open"))
    for mark in ("simulated-open", "live-closed", None):
        await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"{mark}-d-x", {"transactionId": ids[4]}, mark))
    days = [
        day_paper("2024-01-01", "provisional"),
        day_paper("2024-01-03", "provisional", open=[{}]),
        day_paper("2024-01-05", "provisional", notReadable=[{}]),
        day_paper("2024-01-07", "balanced", open=[{}]),
        Document("live-2024-01-09", {"day": "2024-01-09"}, "live"),
        Document("live-2024-01-11-run", {"refusal": {"day": "2024-01-11"}}, "live-refused"),
        Document("live-2024-01-13", {"day": "soon", "open": [{}]}, "live"),
        Document("live-2024-01-15-run", {"refusal": {"day": "soon"}}, "live-refused"),
        Document("live-2024-01-17-run", {"refusal": None}, "live-refused"),
        Document("simulated-2024-01-19", {"day": "2024-01-19"}, "simulated"),
    ]
    for paper in days:
        await store.write_paper(DocumentKind.SETTLEMENTS, paper)
    for day, due in ((20, timedelta(0)), (22, timedelta(hours=23, minutes=59)), (24, timedelta(hours=24, minutes=1))):
        at = datetime(2024, 1, day, 10, tzinfo=SOLD_AT.tzinfo)
        await store.create(sale(f"{day}", at=at, state=State.IN_DOUBT, outcome=Unknown("lost"), due_at=clock.now + due))
    compared = {date(2024, 1, day) for day in (3, 5, 9, 11, 20, 22)}
    named = {ids[0]: DAY, ids[1]: None, ids[2]: None, ids[3]: None}
    assert await keeper.retaining.needed() == Needed(named, frozenset(compared), frozenset(compared | {date(2024, 1, 1)}))


async def test_erasing_one_sale_says_what_came_of_it(store, keeper):
    needed = await keeper.retaining.needed()
    made, plain, named, gone, newer = [await store.create(sold(key)) for key in ("made", "plain", "named", "gone", "newer")]
    assert await keeper.retaining.erase(made, needed, "ann", "asked") is True
    known = await store.find(made.id)
    assert (known.history[-1].by, known.history[-1].note) == ("ann", "asked")
    assert await keeper.retaining.erase(known, needed) is False and await store.find(made.id) == known
    assert await keeper.retaining.erase(named, needed._replace(named={named.id: None})) is Hold.DISCREPANCY
    assert await store.find(named.id) == named
    await store.retire(gone, tombstone_of(gone, keeper.recorder.now()))
    assert await keeper.retaining.erase(gone, needed) is False
    await put_back(store, newer.id, "{}")
    await store.advance(plain, structs.replace(plain, version=2))
    assert await keeper.retaining.erase(structs.replace(newer, revision="0"), needed) is Hold.NOT_READABLE
    assert await keeper.retaining.erase(plain, needed) is True
    known = await store.find(plain.id)
    assert (known.version, known.history[-1].what, known.history[-1].by) == (2, "personal data erased", "retention")


async def test_retiring_one_sale_says_what_came_of_it(store, keeper):
    needed = await keeper.retaining.needed()
    made, gone, newer, named = [await store.create(sold(key)) for key in ("made", "gone", "newer", "named")]
    assert await keeper.retaining.retire(made, needed) is True and await is_gone(store, made.id)
    await store.retire(gone, tombstone_of(gone, keeper.recorder.now()))
    assert await keeper.retaining.retire(gone, needed) is True
    await put_back(store, newer.id, "{}")
    assert await keeper.retaining.retire(structs.replace(newer, revision="0"), needed) is Hold.NOT_READABLE
    assert await keeper.retaining.retire(named, needed._replace(unended=frozenset({DAY}))) is Hold.SETTLING
    assert await keeper.retaining.retire(named, needed._replace(unsettled=frozenset({DAY}))) is True


@pytest.mark.parametrize("statuses", [("open", "accepted"), ("accepted", "open"), ("open", "open")])
async def test_of_several_discrepancies_of_a_sale_one_that_is_open_keeps_it(store, keeper, statuses):
    twice = contradicted()
    twice = structs.replace(twice, history=(*twice.history, structs.replace(twice.history[-1], note="vend_after_rejection: once more")))
    made = await store.create(structs.replace(twice, open=None, unannounced=()))
    papers = [*discrepancies(made)]
    assert len(papers) == len(statuses)
    for paper, status in zip(papers, statuses, strict=True):  # neither is listed as open: only they themselves say so
        await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(paper, body={**paper.body, "status": status}, mark=None))
    assert await keeper.retaining.retire(made, await keeper.retaining.needed()) is Hold.DISCREPANCY
    assert await store.find(made.id) == made


# How far a run comes


async def test_how_far_a_run_has_come_is_on_record_by_shards(store, keeper, clock):
    first, other = await make(store, 3, 3), await make(store, 0, 2, at=SOLD_AT + ONE)
    clock.now = SOLD_AT + timedelta(days=TO_ERASE + 1)
    assert await run(keeper) == Retained(erased=5, retired=0, held=0, papers=0, more=False)
    places = {"3": ["2024-03-01", first[-1].id], "0": ["2024-03-02", other[-1].id]}
    empty = {"erasedLater": {}, "retiredLater": {}, "held": []}
    assert await body_of(store) == {"erased": places, "retired": {}, "retiredUpTo": "2020-04-06", **empty}
    clock.now = SOLD_AT + timedelta(days=TO_RETIRE)
    assert await run(keeper) == Retained(erased=0, retired=3, held=0, papers=0, more=False)
    assert await body_of(store) == {"erased": places, "retired": {"3": places["3"]}, "retiredUpTo": "2024-03-01", **empty}


async def test_a_run_that_finds_nothing_new_writes_nothing(store, keeper, monkeypatch):
    await make(store, 3, 3)
    await name(store, await store.create(sold("named")))
    await run(keeper)
    written = asked(store, monkeypatch, "write_paper")
    assert (await run(keeper)).held == 1 and written == []


@pytest.mark.parametrize("pages", [1, 2])
async def test_all_sales_of_the_last_old_day_are_done_over_any_number_of_pages(
    store,
    keeper,
    clock,
    monkeypatch,
    pages,
):
    monkeypatch.setattr(retention_run, "PAGE", 2)
    made = await make(store, 3, 2 * pages)
    clock.now = SOLD_AT + timedelta(days=TO_ERASE)
    read = asked(store, monkeypatch, "up_to_day")
    assert await run(keeper) == Retained(erased=2 * pages, retired=0, held=0, papers=0, more=False)
    places = [None, *[(DAY, made[2 * number + 1].id) for number in range(pages)]]
    assert [args[1:] for args in read if args[1] == 3 and args[2] == DAY] == [(3, DAY, place, 2) for place in places]


async def test_the_shard_that_is_furthest_behind_goes_first(store, keeper, monkeypatch):
    await make(store, 5, 1), await make(store, 2, 1, at=SOLD_AT - ONE)
    await run(keeper)
    read = asked(store, monkeypatch, "up_to_day")
    await run(keeper)
    erasing = [shard for _, shard, last, *_ in read if last > DAY]
    assert erasing == [*(shard for shard in range(SHARDS) if shard not in (2, 5)), 2, 5]


async def test_a_shard_that_has_come_further_than_sales_are_old_now_is_not_asked(store, keeper, monkeypatch):
    """Retention was made longer, or the clock has gone back."""
    shards = {str(shard): ["2024-03-03", "x"] for shard in range(SHARDS)}
    await keep_body(store, erased=shards, retired=shards)
    read = asked(store, monkeypatch, "up_to_day")
    assert await run(keeper) == Retained(erased=0, retired=0, held=0, papers=0, more=False) and read == []


@pytest.mark.parametrize(("most", "done"), [(4, 4), (3, 4), (5, 6)])
async def test_a_run_begins_no_page_once_it_has_looked_at_as_many_sales_as_it_may(store, keeper, monkeypatch, most, done):
    monkeypatch.setattr(retention_run, "PAGE", 2)
    monkeypatch.setattr(retention_run, "MAX_SALES", most)
    await make(store, 3, 9)
    await keep_body(store, erased={str(shard): ["2024-04-01", "x"] for shard in range(SHARDS) if shard != 3})
    assert await run(keeper) == Retained(erased=done, retired=0, held=0, papers=0, more=True)


async def test_a_run_begins_no_page_once_its_time_is_over_and_the_next_one_goes_on(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "PAGE", 2)
    made = await make(store, 3, 9)
    keeper = structs.replace(keeper, recorder=structs.replace(keeper.recorder, monotonic=lambda: 0.0))
    await keep_body(store, erased={str(shard): ["2024-04-01", "x"] for shard in range(SHARDS) if shard != 3})
    real = store.up_to_day

    async def slow(*args):
        clock.now += timedelta(seconds=1) if args[1] == 3 and args[2] >= DAY else timedelta(0)
        return await real(*args)

    monkeypatch.setattr(store, "up_to_day", slow)
    done = await keeper.retaining.retain(clock.now + timedelta(seconds=2))
    assert done == Retained(erased=4, retired=0, held=0, papers=0, more=True)
    assert [await is_bare(store, one.id) for one in made] == [True] * 4 + [False] * 5
    assert await run(keeper) == Retained(erased=5, retired=0, held=0, papers=0, more=False)


async def test_of_two_runs_at_once_the_later_stops_and_says_that_there_is_more(store, keeper, monkeypatch):
    made = await make(store, 3, 2)
    real = store.write_paper

    async def taken(kind, paper, *more):
        if kind is DocumentKind.CONTROLS:
            raise Conflict
        return await real(kind, paper, *more)

    monkeypatch.setattr(store, "write_paper", taken)
    assert (await run(keeper)).more is True
    monkeypatch.undo()
    assert (await run(keeper)).more is False and all([await is_bare(store, one.id) for one in made])


async def test_no_page_is_begun_at_the_very_moment_at_which_the_time_is_over(store, keeper):
    made = await make(store, 3, 1)
    keeper = structs.replace(keeper, recorder=structs.replace(keeper.recorder, monotonic=lambda: 0.0))
    assert await keeper.retaining.retain(keeper.recorder.now()) == Retained(erased=0, retired=0, held=0, papers=0, more=True)
    assert await store.find(made[0].id) == made[0]
