"""Sales that a run must leave: stored by id while there is room, then by the day that waits."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.transaction import SHARDS
from shared.ports.documents import Document, DocumentKind
from shared.retention import run as retention_run
from shared.retention.rules import tombstone_of
from shared.retention.run import Retained
from tests.newer import put_back
from tests.unit.retention.retained import SOLD_AT, close, day_paper, end, is_gone, keeper_of, open_discrepancy, run, sold
from tests.unit.retention.steps import DAY, ONE, TO_ERASE, TO_RETIRE, asked, body_of, keep_body, make, name


async def left(store):
    """The ids that are on record, and the days that wait for each step."""
    body = await body_of(store)
    return body["held"], body["erasedLater"], body["retiredLater"]


async def test_held_sales_are_stored_by_id_while_there_is_room_and_then_by_day(store, keeper, monkeypatch, caplog):
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
async def test_of_sales_that_were_named_since_they_were_erased_each_is_looked_at_again(store, keeper, monkeypatch, room, begun):
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


async def test_when_ids_exceed_their_room_none_is_dropped_and_none_is_added(store, keeper, monkeypatch):
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


async def test_a_name_that_no_sale_can_have_or_whose_sale_is_young_is_not_looked_at_again(store, keeper, clock):
    clock.now = SOLD_AT + timedelta(days=TO_ERASE)
    named = [("x/y", DAY), ("\u00e9", DAY), ("last", DAY), ("young", DAY + ONE), ("a1", None)]
    for number, (sale_id, day) in enumerate(named):
        body = {"id": f"d-{number}", "transactionId": sale_id, "ours": {"day": day and day.isoformat(), "alsoHeldBy": 7}, "status": "open"}
        await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"live-d-{number}", body, "live-open"))
    await run(keeper)
    assert await left(store) == (["last"], {}, {})


async def test_a_sale_that_was_named_on_a_day_that_another_shard_reached_is_not_dropped(store, keeper, clock):
    longer = keeper_of(store, clock, personal_data_days=800)
    made = await store.create(sold())
    await keep_body(store, erased={"1": ["2024-02-01", "x"], "2": ["2024-03-01", "x"], "3": ["2024-02-01", "x"]})
    await close(store, await name(store, made, status="closed"))
    await name(store, made, 2, status="closed")
    assert (await run(longer)).held == 1 and (await left(store))[0] == [made.id]


async def test_each_sale_that_was_held_is_read_once_however_many_pages_they_fill(store, keeper, monkeypatch):
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


async def test_held_sales_are_remembered_as_far_as_a_run_comes_with_them(store, keeper, clock, monkeypatch):
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
async def test_a_sale_that_was_held_is_done_from_the_day_on_at_which_it_is_old_enough(store, keeper, clock, days, erased, retired):
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
async def test_a_waiting_day_is_read_once_it_is_old_enough_and_no_longer_compared(
    store,
    keeper,
    clock,
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
async def test_a_day_that_waits_is_gone_on_with_where_the_last_run_has_stopped(store, keeper, clock, monkeypatch, most, known):
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
async def test_what_is_compared_waits_as_its_day_and_what_is_named_by_its_id(store, keeper, clock, compared):
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


async def test_a_sale_that_is_named_waits_by_its_id_though_a_file_of_its_day_is_awaited(store, keeper):
    """Its personal data goes once the discrepancy is closed, whether or not the file ever comes."""
    made = await store.create(sold())
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(DAY.isoformat(), "file_missing"))
    body = {**open_discrepancy(made.id).body, "ours": None}
    paper = await store.write_paper(DocumentKind.DISCREPANCIES, Document("live-d-1", body, "live-open"))
    await run(keeper)
    assert await left(store) == ([made.id], {}, {})
    await close(store, paper)
    assert (await run(keeper)).erased == 1


async def test_an_index_entry_that_is_not_its_sales_is_remembered_though_there_is_no_room(store, keeper, monkeypatch):
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
