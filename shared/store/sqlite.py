"""The store in one SQLite file, for a local machine: the same documents and the same promises as on Firestore.

Every call is one function on the one thread that owns the connection. Statements of two calls therefore never mix, no call reads
uncommitted rows, and a caller that gives up leaves no transaction open.
"""

import asyncio
import json
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final, Self, TypeVar

from msgspec import structs

from shared.domain.identifiers import Caller
from shared.domain.prevend import Prevend
from shared.domain.sale_summary import Sold, seen
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import SHARDS, Open, Transaction, shard_name
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable, UnreadableRecord
from shared.ports.transactions import CONTROLS, CONTROLS_WITHIN, MAX_ALIKE, LookupBy, Place, Placed
from shared.store.codec import DocumentBody
from shared.store.documents import readable_paper
from shared.store.transaction_documents import (
    KEYS,
    caller_day,
    day_shard,
    day_shards,
    lookup_key,
    lost_keys,
    placed,
    prevend_document,
    prevend_update,
    readable,
    readable_prevend,
    readable_sale,
    sale_of,
    tombstone_document,
    transaction_document,
    transaction_update,
    unretired,
    updated,
    vended_key,
)

PAGE: Final = 500  # rows of one read while a long answer is collected
PAPERS_PAGE: Final = 100  # likewise, of small documents: one may have some hundred kilobytes

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS transactions (
    id TEXT PRIMARY KEY, revision INTEGER NOT NULL, document TEXT NOT NULL, day_shard TEXT NOT NULL, caller_day TEXT NOT NULL,
    open_shard TEXT, open_due_at TEXT, open_account TEXT
);
CREATE INDEX IF NOT EXISTS transactions_due ON transactions (open_shard, open_due_at) WHERE open_shard IS NOT NULL;
CREATE INDEX IF NOT EXISTS transactions_open ON transactions (open_account) WHERE open_account IS NOT NULL;
CREATE INDEX IF NOT EXISTS transactions_of_day ON transactions (day_shard, id);
CREATE INDEX IF NOT EXISTS transactions_of_caller ON transactions (caller_day, id);
CREATE TABLE IF NOT EXISTS transaction_keys (
    key TEXT NOT NULL, created_at TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (key, created_at, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prevends (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS papers (
    kind TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL, mark TEXT, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS papers_marked ON papers (kind, mark, id) WHERE mark IS NOT NULL;
CREATE TABLE IF NOT EXISTS simulator (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_INSERT: Final = """
INSERT OR IGNORE INTO transactions (id, revision, document, day_shard, caller_day, open_shard, open_due_at, open_account)
VALUES (:id, 1, :document, :day_shard, :caller_day, :open_shard, :open_due_at, :open_account)
"""
_UPDATE: Final = """
UPDATE transactions SET revision = revision + 1, document = :document,
    open_shard = :open_shard, open_due_at = :open_due_at, open_account = :open_account
WHERE id = :id
"""
_RETIRE: Final = """
UPDATE transactions SET revision = revision + 1, document = ?, day_shard = '', caller_day = '',
    open_shard = NULL, open_due_at = NULL, open_account = NULL
WHERE id = ?
"""
_SELECT: Final = "SELECT id, document, revision FROM transactions"
_ADD_PREVEND: Final = "INSERT OR IGNORE INTO prevends (id, revision, document) VALUES (?, 1, ?)"
_EXPIRED: Final = "DELETE FROM prevends WHERE json_extract(document, '$.expireAt') < ?"  # as Firestore does by itself
_UP_TO_DAY: Final = """
SELECT day_shard, id, document, revision FROM transactions WHERE (day_shard, id) > (?, ?) AND day_shard <= ? ORDER BY day_shard, id LIMIT ?
"""
_SALE: Final = "SELECT document FROM transactions WHERE id = ? AND revision = ?"
_PREVEND: Final = "SELECT document FROM prevends WHERE id = ? AND revision = ?"
_BY_KEY: Final = "SELECT DISTINCT id, document, revision, created_at FROM transaction_keys JOIN transactions USING (id)"
_PAPERS: Final = "SELECT id, body, mark, revision FROM papers WHERE kind = ?"

Row = tuple[str, str, int]
Answered = TypeVar("Answered")


class Connection:
    """A connection and the thread that owns it. Every call has one time bound."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._sqlite: sqlite3.Connection

    async def open(self, path: str) -> None:
        try:
            await self._call(lambda: self._connect(path))
        except StoreUnavailable:
            self._thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        await self._call(self._sqlite.close)
        self._thread.shutdown()

    async def read(self, statement: str, *values: object) -> list[Any]:
        """The rows that one statement selects."""
        return await self._call(lambda: self._sqlite.execute(statement, values).fetchall())

    async def commit(self, work: Callable[[sqlite3.Connection], Answered]) -> Answered:
        """Run `work` in one transaction, and return its result once all its writes are on disk. If `work` raises, none is."""

        def transaction() -> Answered:
            with self._sqlite:
                self._sqlite.execute("BEGIN IMMEDIATE")
                return work(self._sqlite)

        return await self._call(transaction)

    def _connect(self, path: str) -> None:
        # Waits for another process's lock for half the bound: a call that timed out then writes nothing later.
        sqlite = sqlite3.connect(path, timeout=self._timeout_seconds / 2, isolation_level=None)
        try:
            sqlite.execute("PRAGMA journal_mode = WAL")
            sqlite.execute("PRAGMA synchronous = FULL")
            sqlite.executescript(_SCHEMA)
        except sqlite3.Error:
            sqlite.close()
            raise
        self._sqlite = sqlite

    async def _call(self, work: Callable[[], Answered]) -> Answered:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, TimeoutError) as error:
            raise StoreUnavailable(type(error).__name__) from error


class SqliteStore:
    """Sales and prevends in SQLite. Implements `shared.ports.transactions.TransactionIndex`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, path: str, *, timeout_seconds: float) -> Self:
        """Open the file at `path`, or `:memory:`, and create missing tables.

        Raises:
            StoreUnavailable: the file cannot be opened.
        """
        connection = Connection(timeout_seconds)
        await connection.open(path)
        return cls(connection)

    async def close(self) -> None:
        """Close the file. The simulator's ledger shares it."""
        await self._connection.close()

    @property
    def ledger(self) -> "SqliteLedger":
        """The simulator's store in the same file."""
        return SqliteLedger(self._connection)

    async def find(self, transaction_id: str) -> Transaction | None:
        rows: list[Row] = await self._connection.read(f"{_SELECT} WHERE id = ?", _key(transaction_id))
        return readable_sale(*_found(*rows[0])) if rows else None

    async def find_prevend(self, prevend_id: str) -> Prevend | None:
        rows: list[Row] = await self._connection.read("SELECT id, document, revision FROM prevends WHERE id = ?", _key(prevend_id))
        return readable_prevend(*_found(*rows[0])) if rows else None

    async def find_open(self, account: str) -> Sequence[str]:
        statement = "SELECT id FROM transactions WHERE open_account = ? ORDER BY rowid LIMIT ?"
        return [row[0] for row in await self._connection.read(statement, account, MAX_ALIKE)]

    async def create(self, fresh: Transaction, prevend: Prevend | None = None) -> Transaction:
        def work(sqlite: sqlite3.Connection) -> None:
            document = transaction_document(fresh)
            made = {"id": fresh.id, "day_shard": document["dayShard"], "caller_day": document["callerDay"]}
            _written(sqlite.execute(_INSERT, made | _row(document, fresh.open)))
            _add_keys(sqlite, fresh, document)
            if prevend is not None:
                held = _held(sqlite, _PREVEND, prevend.id, prevend.revision)
                used = _json(updated(held, *prevend_update(fresh.id)))
                sqlite.execute("UPDATE prevends SET document = ?, revision = revision + 1 WHERE id = ?", (used, prevend.id))

        await self._connection.commit(work)
        return structs.replace(fresh, revision="1")

    async def advance(self, before: Transaction, after: Transaction) -> Transaction:
        revision = _read_at(before.revision)

        def work(sqlite: sqlite3.Connection) -> None:
            held = _held(sqlite, _SALE, before.id, before.revision)
            document = updated(held, *transaction_update(before, after))
            if lost := lost_keys(before, after):
                document[KEYS] = [key for key in document[KEYS] if key not in lost]
                sqlite.executemany("DELETE FROM transaction_keys WHERE id = ? AND key = ?", [(before.id, key) for key in lost])
            sqlite.execute(_UPDATE, {"id": before.id} | _row(document, after.open))
            _add_keys(sqlite, after, document)

        await self._connection.commit(work)
        return structs.replace(after, revision=str(revision + 1))

    async def add_prevend(self, prevend: Prevend) -> None:
        def work(sqlite: sqlite3.Connection) -> None:
            sqlite.execute(_EXPIRED, (_sortable(prevend.created_at),))
            sqlite.execute(_ADD_PREVEND, (prevend.id, _json(prevend_document(prevend))))

        await self._connection.commit(work)

    async def of_caller(self, mode: Mode, caller: Caller, day: str, cursor: str | None, at_most: int) -> Sequence[Transaction | Unread]:
        statement = f"{_SELECT} WHERE caller_day = ? AND id > ? ORDER BY id LIMIT ?"
        return _sales(await self._connection.read(statement, caller_day(mode, caller, day), cursor or "", at_most))

    async def due(self, mode: Mode, shard: int, at: datetime, at_most: int) -> Sequence[Transaction]:
        statement = f"{_SELECT} WHERE open_shard = ? AND open_due_at <= ? ORDER BY open_due_at, id LIMIT ? OFFSET ?"
        sales: list[Transaction] = []
        read = 0
        while True:  # past unreadable sales, of which any number may be due
            rows: list[Row] = await self._connection.read(statement, shard_name(mode, shard), _sortable(at), at_most, read)
            sales += readable(_found(*row) for row in rows)
            if len(sales) >= at_most or len(rows) < at_most:
                return sales[:at_most]
            read += len(rows)

    async def of_day(self, mode: Mode, day: date, shard: int) -> AsyncIterator[Sold | Unread]:
        statement = f"{_SELECT} WHERE day_shard = ? AND id > ? ORDER BY id LIMIT ?"
        cursor = ""
        while rows := await self._connection.read(statement, day_shard(shard_name(mode, shard), day), cursor, PAGE):
            for sale in _sales(rows):
                yield seen(sale)
            cursor = rows[-1][0]

    async def up_to_day(self, mode: Mode, shard: int, last: date, after: Place | None, at_most: int) -> Sequence[Placed]:
        name, (day, sale_id) = shard_name(mode, shard), after or (date.min, "")
        rows = await self._connection.read(_UP_TO_DAY, day_shard(name, day), sale_id, day_shard(name, last), at_most)
        return placed((row[0], _found(*row[1:])) for row in rows)

    async def retire(self, before: Transaction, tombstone: Tombstone, papers: Sequence[Document] = ()) -> None:
        document = tombstone_document(tombstone)

        def work(sqlite: sqlite3.Connection) -> None:
            _held(sqlite, _SALE, before.id, before.revision)
            sqlite.execute(_RETIRE, (_json(document), before.id))
            sqlite.execute("DELETE FROM transaction_keys WHERE id = ?", (before.id,))
            _add_keys(sqlite, tombstone, document)
            for paper in papers:
                _delete_paper(sqlite, DocumentKind.DISCREPANCIES, paper)

        await self._connection.commit(work)

    async def any_of_day(self, mode: Mode, day: date) -> bool:
        statement = f"{_SELECT} WHERE day_shard IN ({', '.join('?' * SHARDS)}) LIMIT 1"
        return bool(await self._connection.read(statement, *day_shards(mode, day)))

    async def lookup(self, mode: Mode, by: LookupBy, value: str, at_most: int = 100) -> Sequence[Transaction | Unread | Tombstone]:
        statement = f"{_BY_KEY} WHERE key = ? ORDER BY created_at DESC LIMIT ?"
        rows = await self._connection.read(statement, lookup_key(mode, by, value), at_most)
        return [sale_of(*_found(*row[:3])) for row in rows]

    async def vended_lately(self, mode: Mode, vas_type: VasType, at: datetime) -> Sequence[Transaction]:
        keys = [vended_key(shard_name(mode, number), vas_type) for number in range(SHARDS)]
        within = "created_at > ? AND created_at <= ? ORDER BY created_at DESC LIMIT ?"
        statement = f"{_BY_KEY} WHERE key IN ({', '.join('?' * SHARDS)}) AND {within}"
        rows = await self._connection.read(statement, *keys, _sortable(at - CONTROLS_WITHIN), _sortable(at), CONTROLS)
        return readable(_found(*row[:3]) for row in rows)

    async def read_paper(self, kind: DocumentKind, paper_id: str) -> Document | None:
        rows = await self._connection.read(f"{_PAPERS} AND id = ?", kind, _key(paper_id))
        return _paper(kind, *rows[0]) if rows else None

    async def write_paper(self, kind: DocumentKind, paper: Document, beside: Document | None = None) -> Document:
        papers = [paper] if beside is None else [paper, beside]

        def write(sqlite: sqlite3.Connection) -> None:
            for one in papers:
                _write_paper(sqlite, kind, one)

        await self._connection.commit(write)
        return structs.replace(paper, revision=str(int(paper.revision or 0) + 1))

    async def delete_papers(self, kind: DocumentKind, papers: Sequence[Document]) -> None:
        def work(sqlite: sqlite3.Connection) -> None:
            for paper in papers:
                _delete_paper(sqlite, kind, paper)

        await self._connection.commit(work)

    async def marked_papers(self, kind: DocumentKind, mark: str, from_id: str | None = None) -> AsyncIterator[Document]:
        statement = f"{_PAPERS} AND mark = ? AND id >= ? AND id > ? ORDER BY id LIMIT ?"
        cursor = ""
        while rows := await self._connection.read(statement, kind, mark, from_id or "", cursor, PAPERS_PAGE):
            for row in rows:
                with suppress(UnreadableRecord):  # which was logged
                    yield _paper(kind, *row)
            cursor = rows[-1][0]


class SqliteLedger:
    """The simulator's store: JSON by key. Keys have up to 200 characters of `[A-Za-z0-9:_.-]`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, key: str) -> dict[str, Any] | None:
        rows = await self._connection.read("SELECT value FROM simulator WHERE key = ?", key)
        return json.loads(rows[0][0]) if rows else None

    async def add(self, key: str, value: Mapping[str, Any]) -> bool:
        """Store a value under a new key; false if the key is taken."""
        return await self._write("INSERT OR IGNORE INTO simulator (key, value) VALUES (?, ?)", key, value)

    async def put(self, key: str, value: Mapping[str, Any]) -> None:
        await self._write("INSERT OR REPLACE INTO simulator (key, value) VALUES (?, ?)", key, value)

    async def starting_with(self, prefix: str) -> list[dict[str, Any]]:
        """The values whose keys start with `prefix`, in the order of the keys."""
        rows = await self._connection.read("SELECT value FROM simulator WHERE substr(key, 1, ?) = ? ORDER BY key", len(prefix), prefix)
        return [json.loads(row[0]) for row in rows]

    async def _write(self, statement: str, key: str, value: Mapping[str, Any]) -> bool:
        return await self._connection.commit(lambda sqlite: sqlite.execute(statement, (key, json.dumps(value))).rowcount == 1)


def _row(document: DocumentBody, place: Open | None) -> dict[str, object]:
    """The columns that an update of a sale changes."""
    return {
        "document": _json(document),
        "open_shard": place and place.shard,
        "open_due_at": place and _sortable(place.due_at),
        "open_account": place and place.account,
    }


def _add_keys(sqlite: sqlite3.Connection, sale: Transaction | Tombstone, document: DocumentBody) -> None:
    keys = [(key, _sortable(sale.created_at), sale.id) for key in document[KEYS]]
    sqlite.executemany("INSERT OR IGNORE INTO transaction_keys (key, created_at, id) VALUES (?, ?, ?)", keys)


def _held(sqlite: sqlite3.Connection, statement: str, document_id: str, revision: str | None) -> DocumentBody:
    """The stored document, still at the revision that was read.

    Raises:
        Conflict: the document has changed since.
    """
    rows = sqlite.execute(statement, (document_id, _read_at(revision))).fetchall()
    if not rows:
        raise Conflict
    held: DocumentBody = json.loads(rows[0][0])
    return held


def _write_paper(sqlite: sqlite3.Connection, kind: DocumentKind, paper: Document) -> None:
    if paper.revision is None:
        statement = "INSERT OR IGNORE INTO papers (body, mark, kind, id, revision) VALUES (?, ?, ?, ?, ? + 1)"
    else:
        statement = "UPDATE papers SET body = ?, mark = ?, revision = revision + 1 WHERE kind = ? AND id = ? AND revision = ?"
    body = json.dumps(paper.body, separators=(",", ":"))
    _written(sqlite.execute(statement, (body, paper.mark, kind, paper.id, int(paper.revision or 0))))


def _delete_paper(sqlite: sqlite3.Connection, kind: DocumentKind, paper: Document) -> None:
    statement = "DELETE FROM papers WHERE kind = ? AND id = ? AND revision = ?"
    _written(sqlite.execute(statement, (kind, paper.id, _read_at(paper.revision))))


def _written(cursor: sqlite3.Cursor) -> None:
    if cursor.rowcount != 1:
        raise Conflict


def _read_at(revision: str | None) -> int:
    if revision is None:
        raise ValueError("the record was not read from a store")
    return int(revision)


def _key(text: str) -> str:
    """An id that a caller may have sent. SQLite cannot bind a lone surrogate, and no id of ours contains one."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _found(document_id: str, text: str, revision: int) -> tuple[str, DocumentBody, str]:
    """The id, document and revision of a row. Text that is no JSON object becomes an empty document."""
    try:
        document = json.loads(text)
    except (RecursionError, ValueError):
        document = {}
    return document_id, document if isinstance(document, dict) else {}, str(revision)


def _sales(rows: list[Any]) -> list[Transaction | Unread]:
    return unretired(_found(*row[:3]) for row in rows)


def _paper(kind: DocumentKind, paper_id: str, body: str, mark: str | None, revision: int) -> Document:
    return readable_paper(kind, paper_id, lambda: body, mark, str(revision))


def _json(document: DocumentBody) -> str:
    return json.dumps(document, default=_as_text, separators=(",", ":"))


def _as_text(value: object) -> str:
    """The text of a value that JSON cannot hold. `codec.py` reads the text back by the type of its field."""
    match value:
        case datetime():
            return value.isoformat()
        case bytes():
            return b64encode(value).decode("ascii")
        case _:
            raise TypeError(f"not storable: {type(value).__name__}")


def _sortable(moment: datetime) -> str:
    """A time as text of fixed length, which sorts in the order of time: all stored times are UTC."""
    return moment.isoformat(timespec="microseconds")
