"""The run that erases and retires, over a real store: its effects, the sales that it leaves, and no loss if it is cut short."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.transaction import SHARDS
from shared.ports.documents import Document, DocumentKind
from shared.retention import run as retention_run
from shared.retention.run import Retained
from tests.unit.retention.retained import SOLD_AT, day_paper, is_bare, open_discrepancy, run, sold


async def test_old_sales_are_erased_and_young_ones_are_not(store, keeper):
    old = [await store.create(sold(f"old-{number}")) for number in range(150)]
    young = await store.create(sold("young", at=SOLD_AT + timedelta(days=2)))
    done = await run(keeper)
    assert (done.erased, done.retired, done.held, done.more) == (150, 0, 0, False)
    assert all([await is_bare(store, one.id) for one in old])
    assert await store.find(young.id) == young


async def test_each_is_erased_once_and_the_next_run_reads_none_of_them_again(store, keeper, monkeypatch):
    for number in range(40):
        await store.create(sold(f"key-{number}"))
    await run(keeper)
    read = []
    monkeypatch.setattr(store, "up_to_day", spied(read, store.up_to_day))
    assert (await run(keeper)).erased == 0
    assert sum(read) == 0 and len(read) == 2 * SHARDS  # one look a shard, to erase and to retire


@pytest.mark.parametrize("days", [401, 1827])
async def test_what_a_run_had_to_leave_is_looked_at_again_by_its_id_and_not_page_by_page(store, keeper, clock, monkeypatch, days):
    made = [await store.create(sold(f"key-{number}")) for number in range(40)]
    for number, one in enumerate(made):
        body = {**open_discrepancy(one.id).body, "id": f"d-{number}"}
        await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"live-d-{number}", body, "live-open"))
    clock.now = SOLD_AT + timedelta(days=days)
    assert (await run(keeper)).held == 40
    read = []
    monkeypatch.setattr(store, "up_to_day", spied(read, store.up_to_day))
    assert (await run(keeper)).held == 40
    assert sum(read) == 0 and len(read) == 2 * SHARDS


async def test_whatever_was_held_is_done_by_one_run_once_nothing_needs_it_any_more(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "PAGE", 3)
    for number in range(8):
        await store.create(sold(f"key-{number}"))
    paper = await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-03-01", "provisional", open=[{}]))
    assert (await run(keeper)).held == 8
    await store.write_paper(DocumentKind.SETTLEMENTS, structs.replace(paper, body=day_paper("2024-03-01").body, mark="live-ended"))
    assert (await run(keeper)) == Retained(erased=8, retired=0, held=0, papers=0, more=False)


async def test_where_a_run_cannot_do_all_no_shard_falls_behind_the_others(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "PAGE", 5)
    monkeypatch.setattr(retention_run, "MAX_SALES", 40)
    clock.now = SOLD_AT
    made = []
    for number in range(12):  # days of fifty sales, of which a run does forty
        day = SOLD_AT + timedelta(days=number)
        made += [await store.create(sold(f"key-{number}-{one}", at=day)) for one in range(50)]
        clock.now = day + timedelta(days=400)
        await run(keeper)
    left = [one.day for one in made if (await store.find(one.id)).erased_at is None]
    assert left and min(left) >= SOLD_AT.date() + timedelta(days=8)


async def test_tombstones_are_made_although_there_is_always_more_to_erase(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "PAGE", 5)
    monkeypatch.setattr(retention_run, "MAX_SALES", 40)
    for number in range(80):
        await store.create(sold(f"old-{number}"))
        await store.create(sold(f"young-{number}", at=SOLD_AT + timedelta(days=1000)))
    clock.now = SOLD_AT + timedelta(days=1827)
    done = await run(keeper)
    assert done.more and done.erased >= 10 and done.retired >= 10


def spied(read, method):
    async def looked(*args):
        page = await method(*args)
        read.append(len(page))
        return page

    return looked


async def test_a_run_is_bounded_and_the_next_one_goes_on(store, keeper, monkeypatch):
    monkeypatch.setattr(retention_run, "PAGE", 3)
    monkeypatch.setattr(retention_run, "MAX_SALES", 20)
    made = [await store.create(sold(f"key-{number}")) for number in range(60)]
    runs = []
    while not runs or runs[-1].more:
        runs.append(await run(keeper))
        assert runs[-1].erased <= 20 + 3
    assert sum(one.erased for one in runs) == 60 and len(runs) >= 3
    assert all([await is_bare(store, one.id) for one in made])


async def test_nothing_is_begun_when_the_time_is_over(store, keeper):
    made = await store.create(sold())
    assert (await keeper.retaining.retain(keeper.recorder.now())).more is True
    assert await store.find(made.id) == made
