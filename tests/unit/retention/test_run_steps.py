"""The run that erases and retires, step by step: what is needed, which sales it reads in which order, and what of that is on record."""

from datetime import date, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Unknown
from shared.domain.transaction import SHARDS, State
from shared.ports.documents import Conflict, Document, DocumentKind
from shared.retention import run as retention_run
from shared.retention.rules import Hold, tombstone_of
from shared.retention.run import Needed, Retained
from shared.settlement.repository import progress_id
from shared.vending.contradictions import discrepancies
from tests.contract.test_store import sale
from tests.newer import put_back
from tests.unit.retention.test_run import (  # noqa: F401 -- fixtures
    ANSWER,
    MODE,
    SOLD_AT,
    clock,
    close,
    contradicted,
    day_paper,
    end,
    is_bare,
    is_gone,
    keeper,
    keeper_of,
    open_discrepancy,
    run,
    sold,
    store,
)

DAY = SOLD_AT.date()
ONE = timedelta(days=1)
TO_ERASE, TO_RETIRE = 400, 1826  # days, at the end of which a sale is old enough


async def body_of(store):  # noqa: F811
    return (await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))).body


async def keep_body(store, **body):  # noqa: F811
    held = await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))
    paper = Document(progress_id(MODE), body) if held is None else structs.replace(held, body={**held.body, **body})
    await store.write_paper(DocumentKind.CONTROLS, paper)


async def name(store, made, number=1, status="open"):  # noqa: F811
    """A discrepancy that names a sale."""
    body = {**open_discrepancy(made.id, made.day.isoformat()).body, "id": f"d-{number}", "status": status}
    return await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"live-d-{number}", body, f"live-{status}"))


def keys_of(shard, at):
    """Keys of sales of one shard."""
    return (key for number in range(10_000) if int(sale(key := f"{at:%d}-{number}").id[:4], 16) % SHARDS == shard)


async def make(store, shard, count, at=SOLD_AT, **fields):  # noqa: F811
    """So many sales of a shard, in the order of their ids."""
    keys = keys_of(shard, at)
    made = [await store.create(sold(f"{next(keys)}", at=at, **fields)) for _ in range(count)]
    return sorted(made, key=lambda one: one.id)


def asked(store, monkeypatch, method):  # noqa: F811
    """With which arguments a method of the store is called from now on."""
    calls, real = [], getattr(store, method)

    async def called(*args):
        calls.append(args)
        return await real(*args)

    monkeypatch.setattr(store, method, called)
    return calls


# What is needed


async def test_what_discrepancies_days_and_open_sales_need(store, keeper, clock):  # noqa: F811
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


async def test_erasing_one_sale_says_what_came_of_it(store, keeper):  # noqa: F811
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


async def test_retiring_one_sale_says_what_came_of_it(store, keeper):  # noqa: F811
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
async def test_of_several_discrepancies_of_a_sale_one_that_is_open_keeps_it(store, keeper, statuses):  # noqa: F811
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


async def test_how_far_a_run_has_come_is_on_record_by_shards(store, keeper, clock):  # noqa: F811
    first, other = await make(store, 3, 3), await make(store, 0, 2, at=SOLD_AT + ONE)
    clock.now = SOLD_AT + timedelta(days=TO_ERASE + 1)
    assert await run(keeper) == Retained(erased=5, retired=0, held=0, papers=0, more=False)
    places = {"3": ["2024-03-01", first[-1].id], "0": ["2024-03-02", other[-1].id]}
    empty = {"erasedLater": {}, "retiredLater": {}, "held": []}
    assert await body_of(store) == {"erased": places, "retired": {}, "retiredUpTo": "2020-04-06", **empty}
    clock.now = SOLD_AT + timedelta(days=TO_RETIRE)
    assert await run(keeper) == Retained(erased=0, retired=3, held=0, papers=0, more=False)
    assert await body_of(store) == {"erased": places, "retired": {"3": places["3"]}, "retiredUpTo": "2024-03-01", **empty}


async def test_a_run_that_finds_nothing_new_writes_nothing(store, keeper, monkeypatch):  # noqa: F811
    await make(store, 3, 3)
    await name(store, await store.create(sold("named")))
    await run(keeper)
    written = asked(store, monkeypatch, "write_paper")
    assert (await run(keeper)).held == 1 and written == []


@pytest.mark.parametrize("pages", [1, 2])
async def test_all_sales_of_the_last_day_that_is_old_enough_are_done_however_many_pages_they_fill(
    store,  # noqa: F811
    keeper,  # noqa: F811
    clock,  # noqa: F811
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


async def test_the_shard_that_is_furthest_behind_goes_first(store, keeper, monkeypatch):  # noqa: F811
    await make(store, 5, 1), await make(store, 2, 1, at=SOLD_AT - ONE)
    await run(keeper)
    read = asked(store, monkeypatch, "up_to_day")
    await run(keeper)
    erasing = [shard for _, shard, last, *_ in read if last > DAY]
    assert erasing == [*(shard for shard in range(SHARDS) if shard not in (2, 5)), 2, 5]


async def test_a_shard_that_has_come_further_than_sales_are_old_now_is_not_asked(store, keeper, monkeypatch):  # noqa: F811
    """Retention was made longer, or the clock has gone back."""
    shards = {str(shard): ["2024-03-03", "x"] for shard in range(SHARDS)}
    await keep_body(store, erased=shards, retired=shards)
    read = asked(store, monkeypatch, "up_to_day")
    assert await run(keeper) == Retained(erased=0, retired=0, held=0, papers=0, more=False) and read == []


@pytest.mark.parametrize(("most", "done"), [(4, 4), (3, 4), (5, 6)])
async def test_a_run_begins_no_page_once_it_has_looked_at_as_many_sales_as_it_may(store, keeper, monkeypatch, most, done):  # noqa: F811
    monkeypatch.setattr(retention_run, "PAGE", 2)
    monkeypatch.setattr(retention_run, "MAX_SALES", most)
    await make(store, 3, 9)
    await keep_body(store, erased={str(shard): ["2024-04-01", "x"] for shard in range(SHARDS) if shard != 3})
    assert await run(keeper) == Retained(erased=done, retired=0, held=0, papers=0, more=True)


async def test_a_run_begins_no_page_once_its_time_is_over_and_the_next_one_goes_on(store, keeper, clock, monkeypatch):  # noqa: F811
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


async def test_of_two_runs_at_once_the_later_stops_and_says_that_there_is_more(store, keeper, monkeypatch):  # noqa: F811
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


async def test_no_page_is_begun_at_the_very_moment_at_which_the_time_is_over(store, keeper):  # noqa: F811
    made = await make(store, 3, 1)
    keeper = structs.replace(keeper, recorder=structs.replace(keeper.recorder, monotonic=lambda: 0.0))
    assert await keeper.retaining.retain(keeper.recorder.now()) == Retained(erased=0, retired=0, held=0, papers=0, more=True)
    assert await store.find(made[0].id) == made[0]


# What must stay: sales by their ids, days that wait


async def left(store):  # noqa: F811
    """The ids that are on record, and the days that wait for each step."""
    body = await body_of(store)
    return body["held"], body["erasedLater"], body["retiredLater"]


async def test_what_must_stay_is_kept_by_its_id_as_far_as_there_is_room_and_then_by_its_day(store, keeper, monkeypatch, caplog):  # noqa: F811
    monkeypatch.setattr(retention_run, "MAX_HELD", 2)
    made = [*await make(store, 3, 3), *await make(store, 4, 2), *await make(store, 5, 2, at=SOLD_AT + ONE)]
    papers = [await name(store, one, number) for number, one in enumerate(made)]
    await make(store, 6, 1)
    assert (await run(keeper)).erased == 1 and (await run(keeper)).erased == 0
    caplog.clear()
    assert await run(keeper) == Retained(erased=0, retired=0, held=7, papers=0, more=False)
    held = sorted(one.id for one in made)[:2]
    of_days = [sum(one.day == DAY + number * ONE and one.id not in held for one in made) for number in range(2)]
    assert await left(store) == (held, {"2024-03-01": [of_days[0], 0, 0, "0"], "2024-03-02": [of_days[1], 0, 0, "0"]}, {})
    assert [line.fields for line in caplog.records if line.message == "too many old sales still needed"] == [{"held": 2}]
    for paper in papers:
        await close(store, paper)
    assert await run(keeper) == Retained(erased=7, retired=0, held=0, papers=0, more=False)
    assert await left(store) == ([], {}, {})


@pytest.mark.parametrize("room", [0, 1, 2, 3])
@pytest.mark.parametrize("begun", [None, [5, 3, 2, "z"], [5, 0, 2, "z"], [5, 0, 0, "0"]])
async def test_of_sales_that_were_named_since_they_were_erased_each_is_looked_at_again(store, keeper, monkeypatch, room, begun):  # noqa: F811
    kept = [await store.create(sold(f"kept-{number}")) for number in range(3)]
    for number, one in enumerate(kept):
        await name(store, one, number)
    assert (await run(keeper)).held == 3
    made = [await store.create(sold(f"day-{number}", at=SOLD_AT - number * ONE)) for number in range(3)]
    made.sort(key=lambda one: one.id)
    await keep_body(store, erased={str(shard): ["2024-03-01", "zz"] for shard in range(SHARDS)})
    days = [one.day.isoformat() for one in made]
    await keep_body(store, erasedLater={} if begun is None else {days[-1]: begun}, retiredLater={"2020-01-01": [1, 2, 3, "x"]})
    for number, one in enumerate(made):
        await name(store, one, number + 3)
    monkeypatch.setattr(retention_run, "MAX_HELD", 3 + room)
    monkeypatch.setattr(retention_run, "MAX_SALES", 0)  # nothing else is looked at
    await run(keeper)
    later = {} if begun is None else {days[-1]: begun}
    later |= {day: [0, 0, 0, "0"] for day in days[room:] if day not in later}
    if room < 3 and begun == [5, 0, 2, "z"]:
        later[days[-1]] = [5, 1, 2, "z"]
    ids = sorted([*(one.id for one in kept), *(one.id for one in made[:room])])
    assert await left(store) == (ids, later, {"2020-01-01": [1, 2, 3, "x"]})


async def test_where_more_are_held_than_there_is_room_for_none_is_forgotten_and_none_is_added(store, keeper, monkeypatch):  # noqa: F811
    kept = [await store.create(sold(f"kept-{number}")) for number in range(3)]
    for number, one in enumerate(kept):
        await name(store, one, number)
    await run(keeper)
    made = [await store.create(sold(f"day-{number}", at=SOLD_AT - number * ONE)) for number in (1, 2)]
    for number, one in enumerate(made):
        await name(store, one, number + 3)
    monkeypatch.setattr(retention_run, "MAX_HELD", 1)
    monkeypatch.setattr(retention_run, "MAX_SALES", 0)
    await run(keeper)
    assert await left(store) == (sorted(one.id for one in kept), {one.day.isoformat(): [0, 0, 0, "0"] for one in made}, {})


async def test_a_name_that_no_sale_can_have_or_whose_sale_is_young_is_not_looked_at_again(store, keeper, clock):  # noqa: F811
    clock.now = SOLD_AT + timedelta(days=TO_ERASE)
    named = [("x/y", DAY), ("\u00e9", DAY), ("last", DAY), ("young", DAY + ONE), ("a1", None)]
    for number, (sale_id, day) in enumerate(named):
        body = {"id": f"d-{number}", "transactionId": sale_id, "ours": {"day": day and day.isoformat(), "alsoHeldBy": 7}, "status": "open"}
        await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"live-d-{number}", body, "live-open"))
    await run(keeper)
    assert await left(store) == (["last"], {}, {})


async def test_a_sale_that_was_named_in_a_day_to_which_another_shard_has_come_is_not_forgotten(store, keeper, clock):  # noqa: F811
    longer = keeper_of(store, clock, personal_data_days=800)
    made = await store.create(sold())
    await keep_body(store, erased={"1": ["2024-02-01", "x"], "2": ["2024-03-01", "x"], "3": ["2024-02-01", "x"]})
    await close(store, await name(store, made, status="closed"))
    await name(store, made, 2, status="closed")
    assert (await run(longer)).held == 1 and (await left(store))[0] == [made.id]


async def test_each_sale_that_was_held_is_read_once_however_many_pages_they_fill(store, keeper, monkeypatch):  # noqa: F811
    monkeypatch.setattr(retention_run, "PAGE", 3)
    made = [await store.create(sold(f"key-{number}")) for number in range(7)]
    papers = [await name(store, one, number) for number, one in enumerate(made)]
    await run(keeper)
    for paper in papers[1:]:
        await close(store, paper)
    found = asked(store, monkeypatch, "find")
    assert await run(keeper) == Retained(erased=6, retired=0, held=1, papers=0, more=False)
    assert [args[0] for args in found] == sorted(one.id for one in made[1:])
    assert await left(store) == ([made[0].id], {}, {})


async def test_held_sales_are_remembered_as_far_as_a_run_comes_with_them(store, keeper, clock, monkeypatch):  # noqa: F811
    monkeypatch.setattr(retention_run, "PAGE", 2)
    made = [await store.create(sold(f"key-{number}")) for number in range(6)]
    papers = [await name(store, one, number) for number, one in enumerate(made)]
    await run(keeper)
    for paper in papers:
        await close(store, paper)
    real = store.find

    async def slow(*args):
        clock.now += timedelta(seconds=1)
        return await real(*args)

    monkeypatch.setattr(store, "find", slow)
    frozen = structs.replace(keeper.retaining, recorder=structs.replace(keeper.recorder, monotonic=lambda: 0.0))
    done = await frozen.retain(clock.now + timedelta(seconds=3))
    ids = sorted(one.id for one in made)
    assert (done.erased, done.held, done.more, (await left(store))[0]) == (4, 2, True, ids[4:])


@pytest.mark.parametrize(("days", "erased", "retired"), [(TO_ERASE - 1, 0, 0), (TO_ERASE, 1, 0), (TO_RETIRE - 1, 1, 0), (TO_RETIRE, 1, 1)])
async def test_a_sale_that_was_held_is_done_from_the_day_on_at_which_it_is_old_enough(store, keeper, clock, days, erased, retired):  # noqa: F811
    made = await store.create(sold())
    gone = await store.create(sold("gone"))
    await store.retire(gone, tombstone_of(gone, clock.now))
    damaged = await store.create(sold("damaged"))
    await put_back(store, damaged.id, "{}")
    shards = {str(shard): ["2024-03-01", "zz"] for shard in range(SHARDS)}
    clock.now = SOLD_AT + timedelta(days=days)
    await keep_body(store, held=sorted([made.id, gone.id, damaged.id, "nobody"]), erased=shards, retired=shards)
    done = await run(keeper)
    assert (done.erased, done.retired) == (erased, retired)
    assert (await left(store))[0] == sorted([damaged.id] if erased else [damaged.id, made.id])


@pytest.mark.parametrize("step", ["erased", "retired"])
@pytest.mark.parametrize("settled", [False, True])
async def test_the_day_that_waits_is_gone_through_once_it_is_old_enough_and_compared_no_longer(
    store,  # noqa: F811
    keeper,  # noqa: F811
    clock,  # noqa: F811
    monkeypatch,
    step,
    settled,
):
    monkeypatch.setattr(retention_run, "PAGE", 2)
    made = [*await make(store, 3, 3), *await make(store, 15, 2)]
    before = await make(store, 3, 1, at=SOLD_AT - 5 * ONE)
    shards = {str(shard): ["2024-03-01", "zz"] for shard in range(SHARDS)}
    later = {(DAY - 5 * ONE).isoformat(): [1, 0, 0, "0"], DAY.isoformat(): [6, 0, 0, "0"], (DAY + ONE).isoformat(): [9, 0, 0, "0"]}
    await keep_body(store, erased=shards, retired=shards, **{f"{step}Later": later})
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper((DAY - 5 * ONE).isoformat(), "provisional", open=[{}]))
    if not settled:
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(DAY.isoformat(), "provisional", open=[{}]))
    clock.now = SOLD_AT + timedelta(days=TO_ERASE if step == "erased" else TO_RETIRE)
    read, written = asked(store, monkeypatch, "up_to_day"), asked(store, monkeypatch, "write_paper")
    done = await run(keeper)
    assert getattr(done, step) == (5 if settled else 0)
    assert len(written) == (1 + 4 if settled else 1)  # up to which day all is retired; each page, and the end
    passes = [(shard, after[1]) for _, shard, last, after, _ in read if after is not None and after[1] != "zz"]
    whole = [(shard, "0") for shard in range(SHARDS)]
    whole[4:4] = [(3, made[1].id)]
    assert passes == ([*whole, (15, made[4].id)] if settled else [])
    assert (await body_of(store))[f"{step}Later"] == {day: one for day, one in later.items() if not settled or day != DAY.isoformat()}
    assert await store.find(before[0].id) == before[0]


@pytest.mark.parametrize("most", [1, 4])
@pytest.mark.parametrize("known", [8, 3])
async def test_a_day_that_waits_is_gone_on_with_where_the_last_run_has_stopped(store, keeper, clock, monkeypatch, most, known):  # noqa: F811
    monkeypatch.setattr(retention_run, "PAGE", 3)
    monkeypatch.setattr(retention_run, "MAX_SALES", most)
    made = [*await make(store, 3, 7), *await make(store, 4, 1)]
    shards = {str(shard): ["2024-03-01", "zz"] for shard in range(SHARDS)}
    other = {"2024-01-01": [1, 0, 0, "0"]}
    await keep_body(store, erased=shards, retired=shards, erasedLater={"2024-03-01": [known, 0, 0, "0"]}, retiredLater=other)
    come = most + 2  # in pages of three
    assert await run(keeper) == Retained(erased=come, retired=0, held=max(0, known - come) + 1, papers=0, more=True)
    assert await left(store) == ([], {"2024-03-01": [max(0, known - come), 0, 3, made[come - 1].id]}, other)
    monkeypatch.setattr(retention_run, "MAX_SALES", 100)
    assert await run(keeper) == Retained(erased=8 - come, retired=0, held=1, papers=0, more=False)
    assert await left(store) == ([], {}, other)


@pytest.mark.parametrize("compared", [True, False])
async def test_what_is_compared_waits_as_its_day_and_what_is_named_by_its_id(store, keeper, clock, compared):  # noqa: F811
    made = await make(store, 3, 3)
    day = await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(DAY.isoformat(), "provisional", open=[{}] if compared else []))
    papers = [await name(store, one, number) for number, one in enumerate(made)]
    ids = [one.id for one in made]
    await run(keeper)
    assert await left(store) == (ids, {}, {})  # each was named before it was come to
    for paper in papers:
        await close(store, paper)
    assert await run(keeper) == Retained(erased=0 if compared else 3, retired=0, held=3 if compared else 0, papers=0, more=False)
    more = await make(store, 4, 2, at=SOLD_AT + ONE)
    clock.now += ONE
    assert (await run(keeper)).erased == (0 if compared else 2)
    assert await left(store) == ((ids, {(DAY + ONE).isoformat(): [2, 0, 0, "0"]}, {}) if compared else ([], {}, {}))
    clock.now = SOLD_AT + timedelta(days=TO_RETIRE + 1)
    done = await run(keeper)
    later = {(DAY + number * ONE).isoformat(): [3 - number, 0, 0, "0"] for number in ((1,) if compared else (0, 1))}
    assert (done.retired, done.held, (await left(store))[2]) == (0, 5, later)
    await end(store, day)
    assert (await run(keeper)).retired == 5 and all([await is_gone(store, one.id) for one in (*made, *more)])


async def test_a_sale_that_is_named_waits_by_its_id_though_a_file_of_its_day_is_awaited(store, keeper):  # noqa: F811
    """Its personal data goes once the discrepancy is closed, whether or not the file ever comes."""
    made = await store.create(sold())
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(DAY.isoformat(), "file_missing"))
    body = {**open_discrepancy(made.id).body, "ours": None}
    paper = await store.write_paper(DocumentKind.DISCREPANCIES, Document("live-d-1", body, "live-open"))
    await run(keeper)
    assert await left(store) == ([made.id], {}, {})
    await close(store, paper)
    assert (await run(keeper)).erased == 1


async def test_an_index_entry_that_is_not_its_sales_is_remembered_though_there_is_no_room(store, keeper, monkeypatch):  # noqa: F811
    """By its day it could never be found again."""
    monkeypatch.setattr(retention_run, "MAX_HELD", 0)
    made = await store.create(sold())
    await name(store, made)
    real = store.up_to_day

    async def elsewhere(*args):
        return [((day, f"{sale_id}-other"), one) for (day, sale_id), one in await real(*args)]

    monkeypatch.setattr(store, "up_to_day", elsewhere)
    await keep_body(store, erasedLater={})
    assert (await run(keeper)).held >= 1 and (await left(store))[0] == [made.id]
