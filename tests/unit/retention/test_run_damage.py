"""A run that is cut short, meets another or reads damage loses nothing and keeps no other sale waiting."""

from contextlib import suppress
from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.transaction import SHARDS, EventName, reindexed
from shared.lib.concurrency import each
from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable
from shared.ports.transactions import SaleRetired
from shared.retention import run as retention_run
from shared.retention.rules import Hold
from shared.settlement.repository import progress_id
from shared.vending.contradictions import discrepancies
from tests.unit.retention.retained import MODE, SOLD_AT, Failing, contradicted, damage, day_paper, is_bare, is_gone, keeper_of, run, sold


async def test_two_runs_at_once_do_each_sale_once(store, keeper, clock):
    made = [await store.create(sold(f"key-{number}")) for number in range(60)]
    runs = await each((run(keeper_of(store, clock)) for _ in range(3)), 3)
    rest = await run(keeper)
    assert sum(one.erased for one in runs) + rest.erased == 60
    histories = [(await store.find(one.id)).history for one in made]
    assert all(sum(entry.what == "personal data erased" for entry in history) == 1 for history in histories)


@pytest.mark.parametrize("is_made", [False, True], ids=["refused", "reply lost"])
async def test_wherever_a_run_is_cut_short_the_next_one_ends_it(store, clock, is_made):
    clock.now = SOLD_AT + timedelta(days=1827)
    for at in range(1, 200):
        key = f"key-{at}"
        made = await store.create(sold(key))
        young = await store.create(sold(f"young-{at}", at=SOLD_AT + timedelta(days=1000)))
        failing = Failing(store, at, is_made=is_made)
        with suppress(StoreUnavailable):
            await run(keeper_of(failing, clock))
        await run(keeper_of(store, clock))
        with pytest.raises(SaleRetired):
            await store.find(made.id)
        with pytest.raises(Conflict):
            await store.create(sold(key))
        assert await is_bare(store, young.id)
        paper = await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))
        await store.delete_papers(DocumentKind.CONTROLS, [paper])
        if failing.calls < at:
            return
    raise AssertionError("a run never ends")


async def test_a_sale_that_changes_while_it_is_erased_or_retired_keeps_its_change(store, keeper, clock):
    made = await store.create(sold())
    needed = await keeper.retaining.needed()
    doubted = await store.advance(made, reindexed(structs.replace(made, version=2, unannounced=(EventName.CONTRADICTED,)), SOLD_AT))
    assert await keeper.retaining.erase(made, needed) is Hold.OPEN
    assert await keeper.retaining.retire(made, needed) is Hold.OPEN
    assert await store.find(made.id) == doubted


async def test_what_cannot_be_read_is_left_to_whoever_can_and_keeps_no_other_waiting(store, keeper, clock):
    made = [await store.create(sold(f"key-{number}")) for number in range(40)]
    await damage(store, made[0].id)
    done = await run(keeper)
    assert (done.erased, done.held) == (39, 1)
    clock.now = SOLD_AT + timedelta(days=1827)
    assert (await run(keeper)).retired == 39


async def test_damaged_documents_stop_no_run(store, keeper, clock):
    made = await store.create(sold())
    await store.write_paper(DocumentKind.DISCREPANCIES, Document("live-d-1", {"ours": "ours", "transactionId": 7}, "live-open"))
    for number, body in enumerate(({"day": 7}, {"day": "soon"}, {})):
        await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-2024-01-0{number + 1}", body, "live"))
        await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-2024-01-0{number + 1}-run", {"refusal": body}, "live-refused"))
    damaged = {"day": "2024-01-04", "version": "two", "status": "balanced", "discrepancies": [7, {"day": "2024-01-04"}]}
    await store.write_paper(DocumentKind.SETTLEMENTS, Document("live-2024-01-04", damaged, "live-ended"))
    for number, at in enumerate((None, "noon", "2024-01-01", SOLD_AT.isoformat())):
        await store.write_paper(DocumentKind.CONTROLS, Document(f"live-selling-{number}", {"at": at}, "live-selling"))
    assert (await run(keeper)).erased == 1 and await is_bare(store, made.id)
    clock.now = SOLD_AT + timedelta(days=1850)
    assert (await run(keeper)).papers == 2  # the day, and the one decision whose age is known
    assert [paper.id async for paper in store.marked_papers(DocumentKind.CONTROLS, "live-selling")] == [
        f"live-selling-{n}" for n in range(3)
    ]


@pytest.mark.parametrize("day", ["2024-02-31", "2024-00-00", "2023-13-01", "2023-W52-1"])
async def test_a_sale_whose_day_is_not_in_the_calendar_keeps_no_other_waiting(store, keeper, monkeypatch, day):
    monkeypatch.setattr(retention_run, "PAGE", 2)
    made = [await store.create(sold(f"key-{number}")) for number in range(60)]
    damaged = [one.id for one in made[:40]]
    marks = ", ".join("?" * len(damaged))
    statement = f"UPDATE transactions SET day_shard = substr(day_shard, 1, 8) || ? WHERE id IN ({marks})"
    await store._connection.commit(lambda sqlite: sqlite.execute(statement, (day, *damaged)))
    await run(keeper)
    assert all([await is_bare(store, one.id) for one in made[40:]])


@pytest.mark.parametrize(
    "damaged",
    [
        {"erased": {"0": ["2024-03-01"]}},
        {"erased": {str(shard): ["9999-12-31", "x"] for shard in range(SHARDS)}},
        {"erased": {"0": ["0001-01-01", None], "99": ["2024-03-01", "x"], "x": []}},
        {"erased": {str(shard): ["2024-03-01", "\ud800"] for shard in range(SHARDS)}},
        {"erased": {str(shard): ["2024-03-01", "x/y"] for shard in range(SHARDS)}},
        {"retiredUpTo": "9999-12-31"},
        {"held": ["a\ud800", "", "x/y", "..", 7, None]},
        {"erasedLater": {"2024-03-01": [0, 0, 99, "x"], "soon": 7, "0001-01-01": [], "9999-12-31": [0, 0, 0, "\ud800"]}},
        {"erasedLater": 7, "retiredLater": []},
    ],
)
async def test_no_damage_in_how_far_the_last_run_came_stops_the_next_one(store, keeper, damaged):
    await store.write_paper(DocumentKind.CONTROLS, Document(progress_id(MODE), damaged))
    made = await store.create(sold())
    for _ in range(2):
        await run(keeper)
    assert await is_bare(store, made.id)
    assert (await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))).body["retiredUpTo"] < "2024"


async def test_what_newer_code_keeps_of_its_runs_stays(store, keeper):
    await store.write_paper(DocumentKind.CONTROLS, Document(progress_id(MODE), {"swept": {"0": 1}}))
    await store.create(sold())
    await run(keeper)
    assert (await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))).body["swept"] == {"0": 1}


@pytest.mark.parametrize("mark", ["live", "live-ended", "live-refused"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_a_day_at_the_end_of_the_calendar_stops_no_run(store, keeper, clock, day, mark):
    made = await store.create(sold())
    await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-{day}", {"day": day, "version": 1, "refusal": {"day": day}}, mark))
    clock.now = SOLD_AT + timedelta(days=1827)
    await run(keeper)
    assert await is_gone(store, made.id)


async def test_a_damaged_number_of_versions_costs_no_time_and_leaves_no_version(store, keeper, clock):
    for day, version in (("2024-01-01", 10**6), ("2024-01-02", 0)):
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day, version=version))
        for number in (1, 2):
            await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-{day}-v{number:04d}", {"discrepancies": []}))
    clock.now = SOLD_AT + timedelta(days=1850)
    counted = Failing(store, 10**9, is_made=False)
    assert (await run(keeper_of(counted, clock))).papers == 6 and counted.calls < 100


async def test_a_discrepancy_or_a_version_that_cannot_be_read_keeps_only_its_own(store, keeper, clock):
    made, other = await store.create(contradicted()), await store.create(sold("other"))
    (fresh,) = discrepancies(made)
    await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(fresh, mark=None))
    for day in ("2024-01-01", "2024-01-03"):
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day, discrepancies=[{"id": "\ud800", "day": day}]))
    await store.write_paper(DocumentKind.SETTLEMENTS, Document("live-2024-01-01-v0001", {"discrepancies": []}))
    for damaged in (fresh.id, "live-2024-01-01-v0001"):
        await store._connection.commit(lambda sqlite, name=damaged: sqlite.execute("UPDATE papers SET body = '' WHERE id = ?", (name,)))
    clock.now = SOLD_AT + timedelta(days=1850)
    done = await run(keeper)
    assert (done.retired, done.papers, done.held) == (1, 1, 1) and await is_gone(store, other.id)


@pytest.mark.parametrize("body", ["{}", "[]", "no JSON", '{"erased": [1], "held": 7, "retired": {"0": "x"}, "retiredUpTo": "soon"}'])
async def test_a_run_that_cannot_read_how_far_the_last_one_came_begins_again(store, keeper, body):
    made = await store.create(sold())
    await run(keeper)
    await store._connection.commit(lambda sqlite: sqlite.execute("UPDATE papers SET body = ? WHERE id = 'live-retention'", (body,)))
    another = await store.create(sold("another"))
    assert (await run(keeper)).erased == 1
    assert await is_bare(store, made.id) and await is_bare(store, another.id)
