"""The database in one file: its one connection and thread, how long it waits, and what its rows hold."""

import sqlite3
import threading
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Unknown
from shared.domain.transaction import State, shard_of
from shared.domain.vas import Mode, VasType
from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable
from shared.ports.transactions import LookupBy
from shared.store.sqlite import Connection, SqliteStore, _found, _json, _key, _sortable
from shared.store.transaction_documents import transaction_document
from tests.sales import CALLER, METER, NOON, in_doubt, vended, vending


@pytest.fixture
async def store():
    opened = await SqliteStore.open(":memory:", timeout_seconds=5)
    yield opened
    await opened.close()


async def rows(store, statement, *values):
    return await store._connection.read(statement, *values)


# The connection


@pytest.mark.parametrize(("seconds", "milliseconds"), [(2, 1_000), (5, 2_500)])
async def test_another_processes_lock_is_waited_for_for_half_the_bound(seconds, milliseconds):
    store = await SqliteStore.open(":memory:", timeout_seconds=seconds)
    assert await rows(store, "PRAGMA busy_timeout") == [(milliseconds,)]
    await store.close()


async def test_a_write_is_on_disk_before_its_call_returns(tmp_path):
    store = await SqliteStore.open(str(tmp_path / "sales.db"), timeout_seconds=5)
    assert await rows(store, "PRAGMA journal_mode") == [("wal",)] and await rows(store, "PRAGMA synchronous") == [(2,)]
    await store.close()


async def test_a_file_that_is_closed_is_closed_with_its_thread(tmp_path):
    store = await SqliteStore.open(str(tmp_path / "sales.db"), timeout_seconds=5)
    connection = store._connection
    await store.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        await store.find("a")
    assert not (tmp_path / "sales.db-wal").exists()  # the last connection takes it away
    assert connection._thread._shutdown


async def test_a_file_that_cannot_be_opened_leaves_no_thread(tmp_path):
    connection = Connection(5)
    with pytest.raises(StoreUnavailable):
        await connection.open(str(tmp_path / "no" / "folder"))
    assert connection._thread._shutdown


async def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    (tmp_path / "text").write_text("no database, and long enough to be taken for none" * 10)
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(str(tmp_path / "text"), timeout_seconds=5)


async def test_a_disk_that_hangs_is_given_up_in_time_and_not_waited_for(monkeypatch):
    let, ended = threading.Event(), []

    def hangs(path):
        let.wait(10)
        ended.append(path)

    connection = Connection(0.01)
    monkeypatch.setattr(connection, "_connect", hangs)
    with pytest.raises(StoreUnavailable, match="TimeoutError"):
        await connection.open(":memory:")
    assert ended == []
    let.set()


async def test_a_failed_commit_stores_nothing(store):
    fresh = vending()
    await store.create(fresh)
    with pytest.raises(Conflict):
        await store.create(fresh)

    def work(sqlite):
        sqlite.execute("UPDATE transactions SET open_account = 'x'")
        raise sqlite3.OperationalError("disk is full")

    with pytest.raises(StoreUnavailable, match="OperationalError"):
        await store._connection.commit(work)
    assert await rows(store, "SELECT open_account FROM transactions") == [(fresh.open.account,)]


# Rows


async def test_a_sale_has_one_row_with_all_that_it_is_found_by(store):
    fresh = vending()
    await store.create(fresh)
    document = transaction_document(fresh)
    columns = "id, revision, document, day_shard, caller_day, open_shard, open_due_at, open_account"
    assert await rows(store, f"SELECT {columns} FROM transactions") == [
        (
            fresh.id,
            1,
            _json(document),
            document["dayShard"],
            document["callerDay"],
            fresh.open.shard,
            "2026-05-01T10:04:00.000000+00:00",
            fresh.open.account,
        )
    ]
    made = "2026-05-01T10:00:00.000000+00:00"
    assert await rows(store, "SELECT * FROM transaction_keys") == sorted((key, made, fresh.id) for key in document["keys"])


async def test_a_closed_sale_is_in_no_index_of_open_sales(store):
    held = await store.create(vending())
    closed = structs.replace(vended(), open=None)
    advanced = await store.advance(held, closed)
    assert (held.revision, advanced.revision) == ("1", "2")
    assert await rows(store, "SELECT revision, open_shard, open_due_at, open_account FROM transactions") == [(2, None, None, None)]
    assert await store.find(held.id) == closed and (await store.find(held.id)).revision == "2"
    with pytest.raises(Conflict):
        await store.advance(held, closed)
    with pytest.raises(ValueError, match="not read"):
        await store.advance(structs.replace(held, revision=None), closed)


async def test_due_sales_are_read_up_to_the_moment_and_the_limit(store):
    for number in range(5):
        sale = vending(f"key-{number}")
        at = NOON + timedelta(seconds=number)
        await store.create(structs.replace(sale, open=structs.replace(sale.open, shard="simulated-03", due_at=at)))
    for seconds, at_most, found in ((-1, 9, 0), (0, 9, 1), (2, 9, 3), (9, 9, 5), (9, 5, 5), (9, 3, 3), (9, 1, 1)):
        due = await store.due(Mode.SIMULATED, 3, NOON + timedelta(seconds=seconds), at_most)
        assert [sale.open.due_at for sale in due] == [NOON + timedelta(seconds=number) for number in range(found)]
    assert await store.due(Mode.SIMULATED, 2, NOON + timedelta(days=1), 9) == await store.due(Mode.LIVE, 3, NOON, 9) == []


async def test_unreadable_due_sales_are_skipped_until_enough_are_read(store):
    sales = []
    for number in range(7):
        sale = vending(f"key-{number}")
        at = NOON + timedelta(seconds=number)
        sales.append(structs.replace(sale, open=structs.replace(sale.open, shard="simulated-03", due_at=at)))
        await store.create(sales[-1])
    for number in (0, 1, 3):
        await store._connection.read("UPDATE transactions SET document = '5' WHERE id = ?", sales[number].id)
    for at_most, found in ((1, [2]), (2, [2, 4]), (3, [2, 4, 5]), (4, [2, 4, 5, 6]), (9, [2, 4, 5, 6])):
        due = await store.due(Mode.SIMULATED, 3, NOON + timedelta(days=1), at_most)
        assert [sale.id for sale in due] == [sales[number].id for number in found]


async def test_a_days_sales_are_read_page_by_page_each_once(store, monkeypatch):
    monkeypatch.setattr("shared.store.sqlite.PAGE", 2)
    sales = [vending(f"key-{number}") for number in range(200)]
    ids = [sale.id for sale in sales if shard_of(sale.id, Mode.SIMULATED) == "simulated-03"][:5]
    for sale in sales:
        if sale.id in ids:
            await store.create(sale)
    found = [[sale.id async for sale in store.of_day(Mode.SIMULATED, NOON.date(), shard)] for shard in range(16)]
    assert found == [sorted(ids) if shard == 3 else [] for shard in range(16)] and len(ids) == 5
    assert [sale async for sale in store.of_day(Mode.LIVE, NOON.date(), 3)] == []


async def test_a_look_up_returns_the_sales_with_its_key_newest_first(store):
    sales = [await store.create(vending(f"key-{number}", at=NOON + timedelta(hours=number))) for number in range(4)]
    newest = [sale.id for sale in reversed(sales)]
    for at_most in (1, 3, 4, 9):
        found = await store.lookup(Mode.SIMULATED, LookupBy.METER_NUMBER, METER, at_most)
        assert [sale.id for sale in found] == newest[:at_most]
    assert await store.lookup(Mode.LIVE, LookupBy.METER_NUMBER, METER, 9) == []


@pytest.mark.parametrize(("seconds", "is_there"), [(-1, False), (0, True), (1, True)])
async def test_controls_are_sales_that_vended_by_the_moment(store, seconds, is_there):
    held = await store.create(vending())
    await store.advance(held, vended())
    found = await store.vended_lately(Mode.SIMULATED, VasType.UTILITY, NOON + timedelta(seconds=seconds))
    assert [sale.id for sale in found] == [held.id] * is_there
    assert await store.vended_lately(Mode.SIMULATED, VasType.AIRTIME, NOON + timedelta(seconds=seconds)) == []


async def test_a_callers_sales_of_a_day_are_read_from_a_cursor_on(store):
    ids = sorted([(await store.create(vending(f"key-{number}"))).id for number in range(4)])
    for cursor, at_most, found in ((None, 9, ids), (None, 2, ids[:2]), (ids[1], 9, ids[2:]), (ids[3], 9, [])):
        page = await store.of_caller(Mode.SIMULATED, CALLER, "2026-05-01", cursor, at_most)
        assert [sale.id for sale in page] == found
    assert await store.of_caller(Mode.SIMULATED, CALLER, "2026-05-02", None, 9) == []


async def test_open_sales_that_look_the_same_are_found_in_the_order_of_their_claims(store):
    sales = [await store.create(structs.replace(vending(f"key-{number}"))) for number in range(3)]
    assert await store.find_open(sales[0].open.account) == [sale.id for sale in sales]


async def test_a_paper_is_deleted_as_it_was_read_and_all_of_a_call_or_none(store):
    papers = [await store.write_paper(DocumentKind.CONTROLS, Document(f"p-{number}", {"n": number}, "mark")) for number in range(3)]
    stale = structs.replace(papers[2], revision="7")
    with pytest.raises(Conflict):
        await store.delete_papers(DocumentKind.CONTROLS, [*papers[:2], stale])
    assert [paper.id async for paper in store.marked_papers(DocumentKind.CONTROLS, "mark")] == ["p-0", "p-1", "p-2"]
    await store.delete_papers(DocumentKind.CONTROLS, papers[:2])
    assert [paper async for paper in store.marked_papers(DocumentKind.CONTROLS, "mark")] == papers[2:]
    with pytest.raises(ValueError, match="not read"):
        await store.delete_papers(DocumentKind.CONTROLS, [Document("p-2", {})])


async def test_a_paper_is_written_over_what_was_read_and_says_its_revision(store):
    first = await store.write_paper(DocumentKind.CONTROLS, Document("p", {"n": 1}))
    second = await store.write_paper(DocumentKind.CONTROLS, structs.replace(first, body={"n": 2}))
    assert (
        (first.revision, second.revision) == ("1", "2") == (first.revision, (await store.read_paper(DocumentKind.CONTROLS, "p")).revision)
    )
    for stale in (Document("p", {"n": 3}), structs.replace(first, body={"n": 3})):
        with pytest.raises(Conflict):
            await store.write_paper(DocumentKind.CONTROLS, stale)
    assert (await store.read_paper(DocumentKind.CONTROLS, "p")).body == {"n": 2}


async def test_the_simulators_memory_keeps_a_value_under_a_new_key_once(store):
    ledger = store.ledger
    assert (await ledger.add("a:1", {"n": 1}), await ledger.add("a:1", {"n": 2}), await ledger.get("a:1")) == (True, False, {"n": 1})
    await ledger.put("a:1", {"n": 3})
    await ledger.put("a:0", {"n": 4})
    await ledger.put("b", {"n": 5})
    assert await ledger.starting_with("a:") == [{"n": 4}, {"n": 3}] and await ledger.get("none") is None


# Forms


def test_json_holds_what_a_document_holds_and_nothing_else():
    assert _json({"at": NOON, "body": b"\x00\xff", "n": [1, None]}) == '{"at":"2026-05-01T10:00:00+00:00","body":"AP8=","n":[1,null]}'
    with pytest.raises(TypeError, match="not storable: object"):
        _json({"x": object()})


def test_times_sort_as_text():
    moments = [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(seconds=1), datetime(2026, 12, 1, tzinfo=UTC)]
    assert sorted(map(_sortable, reversed(moments))) == list(map(_sortable, moments)) and {len(_sortable(at)) for at in moments} == {32}
    assert _sortable(NOON) == "2026-05-01T10:00:00.000000+00:00" and UTC is UTC


@pytest.mark.parametrize("text", ["", "{", "5", "[]", "null", "[" * 100_000])
def test_a_row_without_a_document_in_it_is_read_as_an_empty_one(text):
    assert _found("id", text, 3) == ("id", {}, "3")
    assert _found("id", '{"a": 1}', 3) == ("id", {"a": 1}, "3")


def test_a_lone_surrogate_is_in_no_id():
    assert (_key("a\ud800b"), _key("é")) == ("a?b", "é")


async def test_a_doubt_is_kept_with_its_state(store):
    doubt = in_doubt()
    held = await store.create(vending())
    assert (await store.advance(held, doubt)).outcome == Unknown("ReadTimeout")
    assert (await store.find(held.id)).state is State.IN_DOUBT
