"""Tombstones, and the documents of a day: when they go, and what keeps them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Unknown
from shared.domain.transaction import State
from shared.ports.documents import Document, DocumentKind
from shared.ports.transactions import SaleRetired
from shared.retention import run as retention_run
from shared.settlement.repository import progress_id
from shared.vending.contradictions import discrepancies
from tests.contract.records import sale
from tests.unit.retention.retained import MODE, SOLD_AT, contradicted, day_paper, keeper_of, run, sold


async def test_after_the_retention_a_tombstone_stays_and_closed_discrepancies_are_deleted(store, keeper, clock):
    made = await store.create(contradicted())
    (fresh,) = discrepancies(made)
    await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(fresh, body={**fresh.body, "status": "accepted"}, mark=None))
    clock.now = SOLD_AT + timedelta(days=1827)
    assert (await run(keeper)).retired == 1
    with pytest.raises(SaleRetired):
        await store.find(made.id)
    assert await store.read_paper(DocumentKind.DISCREPANCIES, fresh.id) is None
    assert (await run(keeper)).retired == 0


@pytest.mark.parametrize("status", ["provisional", "file_missing"])
async def test_a_sale_of_a_day_that_has_not_ended_is_not_retired_and_neither_is_its_day(store, keeper, clock, status):
    made = await store.create(sold())
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-03-01", status))
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-02-29"))
    clock.now = SOLD_AT + timedelta(days=3000)
    assert (await run(keeper)).retired == 0
    assert (await store.find(made.id)).id == made.id
    assert await store.read_paper(DocumentKind.SETTLEMENTS, "live-2024-03-01") is not None
    assert await store.read_paper(DocumentKind.SETTLEMENTS, "live-2024-02-29") is not None  # beside a day that is compared with it


async def test_documents_of_a_day_go_once_its_sales_are_retired_and_discrepancies_closed(store, keeper, clock):
    made = [await store.create(sold(f"key-{number}")) for number in range(3)]
    found = {"id": "d-1", "day": "2024-03-01", "status": "open", "transactionId": None, "ours": None}
    difference = await store.write_paper(DocumentKind.DISCREPANCIES, Document("live-d-1", found, "live-open"))
    for name in ("v0001", "run"):
        await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-2024-03-01-{name}", {"discrepancies": [found], "version": 1}))
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-03-01"))
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2029-03-01"))
    clock.now = SOLD_AT + timedelta(days=1827)
    done = await run(keeper)
    assert (done.retired, done.papers) == (len(made), 0)  # a discrepancy of that day is still open
    await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(difference, body={**found, "status": "accepted"}, mark=None))
    assert (await run(keeper)).papers == 4
    kinds = (
        (DocumentKind.SETTLEMENTS, "live-2024-03-01"),
        (DocumentKind.SETTLEMENTS, "live-2024-03-01-v0001"),
        (DocumentKind.DISCREPANCIES, "live-d-1"),
    )
    assert [await store.read_paper(*one) for one in kinds] == [None] * 3
    assert await store.read_paper(DocumentKind.SETTLEMENTS, "live-2029-03-01") is not None


async def test_a_day_that_must_stay_keeps_no_other_from_going(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "MAX_DAYS", 1)
    doubt = sale("doubt", at=SOLD_AT, state=State.IN_DOUBT, outcome=Unknown("lost"))
    await store.create(doubt)
    for day in ("2024-03-01", "2024-03-04", "2024-03-05"):
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day))
    clock.now = SOLD_AT + timedelta(days=1850)
    assert [(await run(keeper)).papers for _ in range(3)] == [1, 1, 0]
    assert await store.read_paper(DocumentKind.SETTLEMENTS, "live-2024-03-01") is not None


async def test_of_very_many_days_and_documents_each_run_deletes_a_part_until_none_is_left(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "MAX_DAYS", 2)
    monkeypatch.setattr(retention_run, "MAX_DELETED", 2)
    for day in ("2024-02-27", "2024-02-28", "2024-03-02", "2024-03-03"):  # the last is a day too young
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day, version=4))
        for number in range(1, 5):
            await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-{day}-v{number:04d}", {"discrepancies": []}))
    for number in range(5):
        at = SOLD_AT + timedelta(hours=number)
        await store.write_paper(DocumentKind.CONTROLS, Document(f"live-selling-{number}", {"at": at.isoformat()}, "live-selling"))
    clock.now = SOLD_AT + timedelta(days=1827)
    assert [(await run(keeper)).papers for _ in range(4)] == [10 + 2, 5 + 2, 1, 0]
    left = [paper.id async for paper in store.marked_papers(DocumentKind.SETTLEMENTS, "live-ended")]
    assert left == ["live-2024-03-03"] and await store.read_paper(DocumentKind.SETTLEMENTS, "live-2024-03-03-v0004") is not None


@pytest.mark.parametrize(("back", "goes"), [(timedelta(microseconds=1), True), (timedelta(0), False)])
async def test_a_decision_goes_with_the_last_moment_of_the_last_day_that_is_kept_no_longer(store, keeper, clock, back, goes):
    clock.now = SOLD_AT + timedelta(days=1826)
    at = datetime(2024, 2, 29, 22, tzinfo=UTC) - back  # 1 March in Johannesburg
    await store.write_paper(DocumentKind.CONTROLS, Document("live-selling-1", {"at": at.isoformat()}, "live-selling"))
    assert (await run(keeper)).papers == goes


async def test_a_longer_retention_does_not_bring_back_days_whose_sales_are_retired(store, keeper, clock):
    clock.now = SOLD_AT + timedelta(days=1826)
    await run(keeper)
    await run(keeper_of(store, clock, days=3000))
    assert (await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))).body["retiredUpTo"] == "2024-03-01"


async def test_decisions_about_the_brake_and_erasures_go_after_the_retention(store, keeper, clock):
    for mark in ("live-selling", "live-erasures"):
        for at in (SOLD_AT, SOLD_AT + timedelta(days=100)):
            await store.write_paper(DocumentKind.CONTROLS, Document(f"{mark}-{at:%Y%m%d}", {"at": at.isoformat()}, mark))
    clock.now = SOLD_AT + timedelta(days=1850)
    assert (await run(keeper)).papers == 2
    for mark in ("live-selling", "live-erasures"):
        assert [paper.id async for paper in store.marked_papers(DocumentKind.CONTROLS, mark)] == [f"{mark}-20240609"]


async def test_a_day_is_retired_once_its_sales_were(store, keeper, clock):
    assert date(2024, 3, 1) == SOLD_AT.date()
    await store.create(sold())
    clock.now = SOLD_AT + timedelta(days=1827)
    await run(keeper)
    paper = await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))
    assert paper.body["retiredUpTo"] == "2024-03-02"
