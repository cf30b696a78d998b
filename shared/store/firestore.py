"""The store on Firestore: creates and preconditions, one commit each, never a transaction that reads.

`docs/firestore.md` has the layout, the queries and their indexes. `database.py` makes the calls.
"""

import json
import re
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Self

from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from msgspec import structs

from shared.domain.identifiers import Caller
from shared.domain.prevend import Prevend
from shared.domain.sale_summary import Sold, seen
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import SHARDS, Transaction, shard_name
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.gcp.grpc import channel
from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable, UnreadableRecord
from shared.ports.transactions import CONTROLS, CONTROLS_WITHIN, MAX_ALIKE, LookupBy, Place, Placed
from shared.store.codec import DocumentBody
from shared.store.database import TAKEN, Database, Found, Write
from shared.store.documents import readable_paper
from shared.store.protobuf import value_of
from shared.store.transaction_documents import (
    KEYS,
    SETTLED_BY,
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
    vended_key,
)

SALES: Final = "transactions"
PREVENDS: Final = "prevends"
SIMULATOR: Final = "simulator"
SIMULATOR_KEPT: Final = timedelta(days=30)
PAGE: Final = 500  # documents of one read while a long answer is collected
PAPERS_PAGE: Final = 100  # likewise, of small documents: one may have some hundred kilobytes

_DOCUMENT_ID: Final = re.compile(r"[A-Za-z0-9-]{1,128}", re.ASCII)
_AFTER_ANY_KEY: Final = "\x7f"  # sorts after every character of a simulator's key

_NO_FIELD: Final = {"fields": [{"field_path": "__name__"}]}  # the selection of queries for ids alone


class FirestoreStore:
    """Sales and prevends in Firestore. Implements `shared.ports.transactions.TransactionIndex`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, project: str, database: str, *, timeout_seconds: float, emulator_host: str | None = None) -> Self:
        """Connect to a project's database, or to the emulator at `host:port`. No call is made yet.

        Raises:
            StoreUnavailable: no credentials were found.
        """
        try:
            over = await channel(FirestoreGrpcAsyncIOTransport, emulator_host)
        except GoogleAuthError as error:
            raise StoreUnavailable(type(error).__name__) from error
        return cls(Database(over, project, database, timeout_seconds))

    async def close(self) -> None:
        """Close the connections. The simulator's ledger shares them."""
        await self._database.close()

    @property
    def ledger(self) -> "FirestoreLedger":
        """The simulator's memory in the same database."""
        return FirestoreLedger(self._database)

    async def find(self, transaction_id: str) -> Transaction | None:
        found = await self._get(SALES, transaction_id)
        return None if found is None else readable_sale(found.id, found.document, found.revision)

    async def find_prevend(self, prevend_id: str) -> Prevend | None:
        found = await self._get(PREVENDS, prevend_id)
        return None if found is None else readable_prevend(found.id, found.document, found.revision)

    async def find_open(self, account: str) -> Sequence[str]:
        clauses = {"where": _where("open.account", "EQUAL", account), "select": _NO_FIELD, "limit": {"value": MAX_ALIKE}}
        found = await self._database.query(SALES, **clauses)
        return [each.id for each in sorted(found, key=lambda each: (each.created, each.id))]

    async def create(self, fresh: Transaction, prevend: Prevend | None = None) -> Transaction:
        writes = [Write(SALES, fresh.id, transaction_document(fresh), is_new=True)]
        if prevend is not None:
            used, paths = prevend_update(fresh.id)
            writes.append(Write(PREVENDS, prevend.id, used, revision=_as_read(prevend.revision), paths=paths))
        revision, *_ = await self._database.commit(*writes)
        return structs.replace(fresh, revision=revision)

    async def advance(self, before: Transaction, after: Transaction) -> Transaction:
        document, paths = transaction_update(before, after)
        gained = {KEYS: document.pop(KEYS)} if KEYS in document else {}
        changed = [path for path in paths if path not in gained]
        lost = {KEYS: keys} if (keys := lost_keys(before, after)) else {}
        update = Write(SALES, before.id, document, revision=_as_read(before.revision), paths=changed, gained=gained, lost=lost)
        (revision,) = await self._database.commit(update)
        return structs.replace(after, revision=revision)

    async def add_prevend(self, prevend: Prevend) -> None:
        write = Write(PREVENDS, prevend.id, prevend_document(prevend), is_new=True)
        with suppress(Conflict):  # our earlier attempt, whose reply was lost; the prevend may be used by now
            await self._database.commit(write, refused_by=TAKEN)

    async def of_caller(self, mode: Mode, caller: Caller, day: str, cursor: str | None, at_most: int) -> Sequence[Transaction | Unread]:
        found = await self._page(SALES, _where("callerDay", "EQUAL", caller_day(mode, caller, day)), self._at(SALES, cursor), at_most)
        return _sales(found)

    async def due(self, mode: Mode, shard: int, at: datetime, at_most: int) -> Sequence[Transaction]:
        where = _all(_where("open.shard", "EQUAL", shard_name(mode, shard)), _where("open.dueAt", "LESS_THAN_OR_EQUAL", at))
        order_by, sales = [_by("open.dueAt", "ASCENDING"), _by("__name__", "ASCENDING")], list[Transaction]()
        clauses: DocumentBody = {}
        while True:  # past unreadable sales, of which any number may be due
            found = await self._database.query(SALES, where=where, order_by=order_by, limit={"value": at_most}, **clauses)
            sales += readable((each.id, each.document, each.revision) for each in found)
            if len(sales) >= at_most or len(found) < at_most:
                return sales[:at_most]
            clauses["start_at"] = self._behind(SALES, found[-1].id, found[-1].document["open"]["dueAt"])

    async def of_day(self, mode: Mode, day: date, shard: int) -> AsyncIterator[Sold | Unread]:
        where, start = _where("dayShard", "EQUAL", day_shard(shard_name(mode, shard), day)), None
        while page := await self._page(SALES, where, start, PAGE, select={"fields": [{"field_path": path} for path in SETTLED_BY]}):
            for each in page:
                yield seen(sale_of(each.id, each.document, each.revision))
            if len(page) < PAGE:
                return
            start = self._at(SALES, page[-1].id)

    async def up_to_day(self, mode: Mode, shard: int, last: date, after: Place | None, at_most: int) -> Sequence[Placed]:
        name = shard_name(mode, shard)
        first, end = day_shard(name, date.min), day_shard(name, last)
        where = _all(_where("dayShard", "GREATER_THAN_OR_EQUAL", first), _where("dayShard", "LESS_THAN_OR_EQUAL", end))
        start = {} if after is None else {"start_at": self._behind(SALES, after[1], day_shard(name, after[0]))}
        order_by = [_by("dayShard", "ASCENDING"), _by("__name__", "ASCENDING")]
        found = await self._database.query(SALES, where=where, order_by=order_by, limit={"value": at_most}, **start)
        return placed((each.document["dayShard"], (each.id, each.document, each.revision)) for each in found)

    async def retire(self, before: Transaction, tombstone: Tombstone, papers: Sequence[Document] = ()) -> None:
        whole = Write(SALES, before.id, tombstone_document(tombstone), revision=_as_read(before.revision))
        await self._database.commit(whole, *(_deletion(DocumentKind.DISCREPANCIES, paper) for paper in papers))

    async def any_of_day(self, mode: Mode, day: date) -> bool:
        where = _where("dayShard", "IN", day_shards(mode, day))
        return bool(await self._database.query(SALES, where=where, select=_NO_FIELD, limit={"value": 1}))

    async def lookup(self, mode: Mode, by: LookupBy, value: str, at_most: int = 100) -> Sequence[Transaction | Unread | Tombstone]:
        where = _where("keys", "ARRAY_CONTAINS", lookup_key(mode, by, value))
        return [sale_of(each.id, each.document, each.revision) for each in await self._newest(where, at_most)]

    async def vended_lately(self, mode: Mode, vas_type: VasType, at: datetime) -> Sequence[Transaction]:
        keys = [vended_key(shard_name(mode, number), vas_type) for number in range(SHARDS)]
        where = _all(
            _where("keys", "ARRAY_CONTAINS_ANY", keys),
            _where("createdAt", "GREATER_THAN", at - CONTROLS_WITHIN),
            _where("createdAt", "LESS_THAN_OR_EQUAL", at),
        )
        return readable((each.id, each.document, each.revision) for each in await self._newest(where, CONTROLS))

    async def read_paper(self, kind: DocumentKind, paper_id: str) -> Document | None:
        found = await self._get(kind, paper_id)
        return None if found is None else _paper(kind, found)

    async def write_paper(self, kind: DocumentKind, paper: Document, beside: Document | None = None) -> Document:
        papers = [paper] if beside is None else [paper, beside]
        # No retry: it would conflict with its own write.
        revision, *_ = await self._database.commit(*(_paper_write(kind, one) for one in papers), retried=False)
        return structs.replace(paper, revision=revision)

    async def delete_papers(self, kind: DocumentKind, papers: Sequence[Document]) -> None:
        # No retry: it would not find the documents that it deleted.
        await self._database.commit(*(_deletion(kind, paper) for paper in papers), retried=False)

    async def marked_papers(self, kind: DocumentKind, mark: str, from_id: str | None = None) -> AsyncIterator[Document]:
        where, start = _where("mark", "EQUAL", mark), self._at(kind, from_id, before=True)
        while page := await self._page(kind, where, start, PAPERS_PAGE):
            for each in page:
                with suppress(UnreadableRecord):  # which was logged
                    yield _paper(kind, each)
            if len(page) < PAPERS_PAGE:
                return
            start = self._at(kind, page[-1].id)

    async def _get(self, collection: str, document_id: str) -> Found | None:
        """The document of an id that a caller may have sent; `None` for a text that cannot be an id of ours."""
        return await self._database.get(collection, document_id) if _DOCUMENT_ID.fullmatch(document_id) else None

    async def _newest(self, where: DocumentBody, at_most: int) -> list[Found]:
        return await self._database.query(SALES, where=where, order_by=[_by("createdAt", "DESCENDING")], limit={"value": at_most})

    async def _page(self, collection: str, where: DocumentBody, start: DocumentBody | None, at_most: int, **clauses: Any) -> list[Found]:
        """Documents in the order of their ids, from the place `start` on."""
        if start is not None:
            clauses["start_at"] = start
        order_by = [_by("__name__", "ASCENDING")]
        return await self._database.query(collection, where=where, order_by=order_by, limit={"value": at_most}, **clauses)

    def _at(self, collection: str, document_id: str | None, *, before: bool = False) -> DocumentBody | None:
        """The place right before or behind an id, with or without a document of the id; `None`: the beginning."""
        if document_id is None:
            return None
        return {"values": [{"reference_value": self._database.path(collection, document_id)}], "before": before}

    def _behind(self, collection: str, document_id: str, sorted_by: Any) -> DocumentBody:
        """The place right behind a document, among documents that are sorted by a field and then by their ids."""
        return {"values": [value_of(sorted_by), {"reference_value": self._database.path(collection, document_id)}], "before": False}


class FirestoreLedger:
    """The simulator's store: JSON by key, for thirty days. Keys have up to 200 characters of `[A-Za-z0-9:_.-]`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> dict[str, Any] | None:
        found = await self._database.get(SIMULATOR, _ledger_id(key))
        return None if found is None else _ledger_value(found)

    async def add(self, key: str, value: Mapping[str, Any]) -> bool:
        """Store a value under a new key; false if the key is taken. No retry: it would conflict with its own write."""
        try:
            await self._database.commit(_ledger_write(key, value, is_new=True), retried=False, refused_by=TAKEN)
        except Conflict:
            return False
        return True

    async def put(self, key: str, value: Mapping[str, Any]) -> None:
        await self._database.commit(_ledger_write(key, value))

    async def starting_with(self, prefix: str) -> list[dict[str, Any]]:
        """The values whose keys start with `prefix`, in the order of the keys."""
        first, last = ({"reference_value": self._database.path(SIMULATOR, _ledger_id(key))} for key in (prefix, prefix + _AFTER_ANY_KEY))
        found = await self._database.query(
            SIMULATOR,
            order_by=[_by("__name__", "ASCENDING")],
            start_at={"values": [first], "before": True},
            end_at={"values": [last], "before": True},
        )
        return [_ledger_value(each) for each in found]


def _where(path: str, operator: str, value: Any) -> DocumentBody:
    return {"field_filter": {"field": {"field_path": path}, "op": operator, "value": value_of(value)}}


def _all(*filters: DocumentBody) -> DocumentBody:
    return {"composite_filter": {"op": "AND", "filters": filters}}


def _by(path: str, direction: str) -> DocumentBody:
    return {"field": {"field_path": path}, "direction": direction}


def _as_read(revision: str | None) -> str:
    """The revision of a write's precondition. Every replacing write must have one: without it no precondition guards the record."""
    if revision is None:
        raise ValueError("the record was not read from a store")
    return revision


def _sales(found: Iterable[Found]) -> list[Transaction | Unread]:
    return unretired((each.id, each.document, each.revision) for each in found)


def _deletion(collection: str, paper: Document) -> Write:
    return Write(collection, paper.id, None, revision=_as_read(paper.revision))


def _paper_write(kind: DocumentKind, paper: Document) -> Write:
    document: DocumentBody = {"json": zlib.compress(json.dumps(paper.body, separators=(",", ":")).encode())}
    if paper.mark is not None:
        document["mark"] = paper.mark
    if paper.revision is None:
        return Write(kind, paper.id, document, is_new=True)
    return Write(kind, paper.id, document, revision=paper.revision, paths=("json", "mark"))


def _paper(kind: DocumentKind, found: Found) -> Document:
    """A small document, whose body is compressed: thousands of discrepancies of a bad day stay below Firestore's 1 MiB."""
    mark = found.document.get("mark")
    return readable_paper(kind, found.id, lambda: zlib.decompress(found.document["json"]), mark, found.revision)


def _ledger_id(key: str) -> str:
    """The document id of a key. Keys may be `.`, `..` or `__x__`, which Firestore accepts as no id."""
    return f":{key}"


def _ledger_write(key: str, value: Mapping[str, Any], *, is_new: bool = False) -> Write:
    document = {"value": json.dumps(value), "expireAt": datetime.now(UTC) + SIMULATOR_KEPT}
    return Write(SIMULATOR, _ledger_id(key), document, is_new=is_new)


def _ledger_value(found: Found) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(found.document["value"])
    return value
