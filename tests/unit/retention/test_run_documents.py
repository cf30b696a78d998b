"""The run that erases and retires: which documents it deletes, in which order, and which it leaves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from shared.ports.documents import Document, DocumentKind
from shared.retention import run as retention_run
from tests.unit.retention.retained import SOLD_AT, day_paper, run, sold

DAY = "2024-03-01"
ONE = timedelta(days=1)
RETIRED = SOLD_AT + timedelta(days=1826)  # the first moment of business at which the documents of that day may be deleted


@pytest.fixture(autouse=True)
def retired(clock):
    clock.now = RETIRED


async def write(store, *papers, kind=DocumentKind.SETTLEMENTS):
    return [await store.write_paper(kind, paper) for paper in papers]


def found(number, status="accepted", day=DAY):
    return {"id": f"d-{number}", "day": day, "status": status, "transactionId": None, "ours": None}


async def find(store, *entries):
    """These discrepancies, as a settlement has found them. None is listed as open: only they themselves say so."""
    return await write(store, *[Document(f"live-{one['id']}", one) for one in entries], kind=DocumentKind.DISCREPANCIES)


async def kept(store, kind=DocumentKind.SETTLEMENTS, *ids):
    return [one for one in ids if await store.read_paper(kind, one) is not None]


def commits(store, monkeypatch):
    """The later deletions: kind and ids of each commit."""
    made, real = [], store.delete_papers

    async def deleted(kind, papers):
        await real(kind, papers)
        made.append((kind.value, [paper.id for paper in papers]))

    monkeypatch.setattr(store, "delete_papers", deleted)
    return made


def read(store, monkeypatch):
    """The documents that lists return from now on."""
    ids, real = [], store.marked_papers

    async def listed(*args):
        async for paper in real(*args):
            ids.append(paper.id)
            yield paper

    monkeypatch.setattr(store, "marked_papers", listed)
    return ids


async def test_a_day_is_deleted_discrepancies_first_then_versions_backwards_itself_last(store, keeper, monkeypatch):
    monkeypatch.setattr(retention_run, "MAX_DELETED", 3)
    await find(store, found(1), found(2), found(3), found(4), found(5, day="2024-02-28"))
    unread = [{"id": "x/y", "day": DAY}, {"id": None, "day": DAY}, {"day": DAY}, {"id": "d-6", "day": DAY}, {"id": "d-4"}]
    versions = [[found(2), found(5, day="2024-02-28")], [], [found(4), found(1)], unread]
    for number, listed in enumerate(versions, 1):
        await write(store, Document(f"live-{DAY}-v{number:04d}", {"discrepancies": listed}))
    await write(store, day_paper(DAY, discrepancies=[found(3), found(1)]), Document(f"live-{DAY}-run", {"runs": []}))
    made = commits(store, monkeypatch)
    assert (await run(keeper)).papers == 10
    assert made == [
        ("discrepancies", ["live-d-1", "live-d-2", "live-d-3"]),
        ("discrepancies", ["live-d-4"]),
        ("settlements", [f"live-{DAY}-v0004", f"live-{DAY}-v0003", f"live-{DAY}-v0002"]),
        ("settlements", [f"live-{DAY}-v0001", f"live-{DAY}-run", f"live-{DAY}"]),
    ]
    assert await kept(store, DocumentKind.DISCREPANCIES, "live-d-5") == ["live-d-5"]


async def test_a_day_without_versions_runs_or_discrepancies_is_one_document(store, keeper, monkeypatch):
    await write(store, day_paper(DAY))
    made = commits(store, monkeypatch)
    assert (await run(keeper)).papers == 1 and made == [("settlements", [f"live-{DAY}"])]


@pytest.mark.parametrize("statuses", [("open", "accepted"), ("accepted", "open"), ("open", "open")])
async def test_a_day_stays_whole_while_one_of_its_discrepancies_is_open(store, keeper, statuses):
    await find(store, *[found(number, status) for number, status in enumerate(statuses)])
    await write(store, day_paper(DAY, discrepancies=[found(0), found(1)]), Document(f"live-{DAY}-v0001", {}))
    assert (await run(keeper)).papers == 0
    assert await kept(store, DocumentKind.DISCREPANCIES, "live-d-0", "live-d-1") == ["live-d-0", "live-d-1"]
    assert await kept(store, DocumentKind.SETTLEMENTS, f"live-{DAY}", f"live-{DAY}-v0001") == [f"live-{DAY}", f"live-{DAY}-v0001"]


async def test_a_day_stays_while_a_sale_of_it_is_more_than_a_tombstone(store, keeper, monkeypatch):
    await store.create(sold())
    await write(store, day_paper(DAY))
    monkeypatch.setattr(retention_run, "MAX_SALES", 0)
    assert (await run(keeper)).papers == 0 and await kept(store, DocumentKind.SETTLEMENTS, f"live-{DAY}") == [f"live-{DAY}"]


@pytest.mark.parametrize("apart", range(-3, 4))
async def test_a_day_stays_while_it_or_one_beside_it_has_not_ended(store, keeper, apart):
    near = (SOLD_AT.date() + apart * ONE - 2 * ONE).isoformat()
    await write(store, day_paper("2024-02-28"), Document("live-doubt", {"day": near, "open": []}, "live"))
    assert (await run(keeper)).papers == (apart not in (-1, 0, 1))


@pytest.mark.parametrize("how", ["settled again", "deleted"])
async def test_a_day_that_somebody_has_begun_again_or_deleted_meanwhile_is_left_alone(store, keeper, monkeypatch, how):
    held, _, _ = await write(store, day_paper(DAY), Document(f"live-{DAY}-v0001", {}), day_paper("2024-02-20"))
    real = store.any_of_day

    async def meanwhile(mode, day):
        if day == SOLD_AT.date():
            await (
                write(store, structs.replace(held, mark="live"))
                if how == "settled again"
                else store.delete_papers(DocumentKind.SETTLEMENTS, [held])
            )
        return await real(mode, day)

    monkeypatch.setattr(store, "any_of_day", meanwhile)
    monkeypatch.setattr(retention_run, "MAX_DAYS", 2)
    assert (await run(keeper)).papers == 1
    left = [f"live-{DAY}", f"live-{DAY}-v0001"]
    assert await kept(store, DocumentKind.SETTLEMENTS, *left) == left[how == "deleted" :]


@pytest.mark.parametrize("why", ["open", "unread", "begun again", "sold", "compared"])
async def test_days_that_must_stay_do_not_count_among_those_that_one_run_deletes(store, keeper, monkeypatch, why):
    monkeypatch.setattr(retention_run, "MAX_DAYS", 1)
    first, *others = [f"2024-01-{number:02d}" for number in (1, 11, 21)]
    await write(store, day_paper(first, discrepancies=[found(1, day=first)]), *map(day_paper, others))
    match why:
        case "open":
            await find(store, found(1, "open", day=first))
        case "unread":
            await find(store, found(1, day=first))
            await store._connection.commit(lambda sqlite: sqlite.execute("UPDATE papers SET body = '' WHERE id = 'live-d-1'"))
        case "sold":
            await store.create(sold(at=datetime(2024, 1, 1, 10, tzinfo=UTC)))
            monkeypatch.setattr(retention_run, "MAX_SALES", 0)
        case "compared":
            await write(store, Document("live-near", {"day": "2024-01-02", "open": []}, "live"))
        case "begun again":
            real = store.any_of_day

            async def begun(mode, day):
                if day.isoformat() == first:
                    (held,) = [
                        paper for paper in [await store.read_paper(DocumentKind.SETTLEMENTS, f"live-{first}")] if paper.mark == "live-ended"
                    ]
                    await write(store, structs.replace(held, mark="live"))
                return await real(mode, day)

            monkeypatch.setattr(store, "any_of_day", begun)
    assert (await run(keeper)).papers == 1
    assert await kept(store, DocumentKind.SETTLEMENTS, *[f"live-{day}" for day in (first, *others)]) == [
        f"live-{day}" for day in (first, others[1])
    ]


@pytest.mark.parametrize(("late", "gone"), [(False, 2), (True, 1)])
async def test_a_late_run_reads_as_many_days_as_one_run_deletes_and_no_more(store, keeper, monkeypatch, late, gone):
    monkeypatch.setattr(retention_run, "MAX_DAYS", 2)
    days = [f"2024-01-{number:02d}" for number in (1, 11, 21)]
    await write(store, *map(day_paper, days), Document("live-near", {"day": "2023-12-01", "open": []}, "live"), day_paper("2023-12-02"))
    await find(store, found(1, "open", day=days[0]))
    held = await store.read_paper(DocumentKind.SETTLEMENTS, f"live-{days[0]}")
    await write(store, structs.replace(held, body={**held.body, "discrepancies": [found(1, day=days[0])]}))
    keeper = structs.replace(keeper, recorder=structs.replace(keeper.recorder, monotonic=lambda: 0.0))
    assert (await keeper.retaining.retain(keeper.recorder.now() + (-ONE if late else ONE))).papers == gone
    assert await kept(store, DocumentKind.SETTLEMENTS, *[f"live-{day}" for day in days]) == [
        f"live-{day}" for day in (days[0], *days[1 + gone :])
    ]


async def test_of_days_and_decisions_a_run_reads_no_more_than_the_first_that_is_too_young(store, keeper, monkeypatch):
    await write(
        store, *[day_paper(f"2024-03-{number:02d}") for number in range(1, 6)], Document("live-2024-01-01", {"day": "soon"}, "live-ended")
    )
    ages = [("live-selling", number) for number in range(-1, 3)] + [("live-erasures", number) for number in range(-1, 3)]
    first = datetime(2024, 2, 29, 22, tzinfo=UTC)  # 1 March in Johannesburg
    decisions = [Document(f"{mark}-{number + 1}", {"at": (first + number * ONE).isoformat()}, mark) for mark, number in ages]
    await write(store, *decisions, Document("live-selling-0-damaged", {"at": "noon"}, "live-selling"), kind=DocumentKind.CONTROLS)
    listed = read(store, monkeypatch)
    assert (await run(keeper)).papers == 3
    assert listed == [
        *("live-2024-01-01", "live-2024-03-01", "live-2024-03-02"),
        *("live-selling-0", "live-selling-0-damaged", "live-selling-1", "live-erasures-0", "live-erasures-1"),
    ]
    assert await kept(store, DocumentKind.CONTROLS, *[paper.id for paper in decisions], "live-selling-0-damaged") == [
        *("live-selling-1", "live-selling-2", "live-selling-3", "live-erasures-1", "live-erasures-2", "live-erasures-3"),
        "live-selling-0-damaged",
    ]


async def test_decisions_go_by_as_many_as_one_commit_takes_in_one_run(store, keeper, monkeypatch):
    monkeypatch.setattr(retention_run, "MAX_DELETED", 2)
    for number in range(5):
        at = "noon" if number == 1 else (SOLD_AT - 9 * ONE).isoformat()
        await write(store, Document(f"live-selling-{number}", {"at": at}, "live-selling"), kind=DocumentKind.CONTROLS)
    made, listed = commits(store, monkeypatch), read(store, monkeypatch)
    assert (await run(keeper)).papers == 2
    assert made == [("controls", ["live-selling-0", "live-selling-2"])] and listed == [f"live-selling-{number}" for number in range(4)]
    assert (await run(keeper)).papers == 2 and (await run(keeper)).papers == 0
    assert await kept(store, DocumentKind.CONTROLS, "live-selling-1") == ["live-selling-1"]


async def test_a_run_is_bounded_as_the_page_on_retention_says(store, keeper):
    await store.create(sold())
    assert (await run(keeper)).erased == 1
    page = (Path(retention_run.__file__).parents[2] / "docs" / "retention.md").read_text()
    assert f"remembered, at most {retention_run.MAX_HELD:,}, and looked at again" in page
    assert f"looks at about {retention_run.MAX_SALES:,} sales at most" in page
