"""A store with Firestore's semantics: preconditions, commits whose reply is lost, and commits that land after all hope is gone."""

from collections.abc import AsyncIterator, Callable, Generator, Sequence
from datetime import date, datetime
from types import coroutine
from typing import Any, NamedTuple

from msgspec import structs

from shared.domain.identifiers import account_key
from shared.domain.prevend import Prevend
from shared.domain.sale_summary import Sold
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import SHARDS, Open, State, Transaction, shard_name
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable, UnreadableRecord
from shared.ports.transactions import CONTROLS, CONTROLS_WITHIN, MAX_ALIKE, LookupBy, Place, SaleRetired
from tests.simulation.faults import READ, WRITE, Call, Fault
from tests.simulation.goods import id_on_record
from tests.simulation.newer_code import NewerCode

FIND = Call("store.find", *READ)
FIND_PREVEND = Call("store.find_prevend", *READ)
FIND_OPEN = Call("store.find_open", *READ)
DUE = Call("store.due", *READ, weight=1 / 16)  # sixteen of them in a sweep
OF_DAY = Call("store.of_day", *READ, weight=1 / 6)  # and 48 of these in the settling of a day
ANY_OF_DAY = Call("store.any_of_day", *READ, weight=16)
LOOKUP = Call("store.lookup", *READ, weight=3)
CONTROL = Call("store.vended_lately", *READ, weight=6)
READ_PAPER = Call("store.read_paper", *READ)
MARKED = Call("store.marked_papers", *READ, weight=6)
CREATE = Call("store.create", *WRITE)
ADVANCE = Call("store.advance", *WRITE)
ADD_PREVEND = Call("store.add_prevend", *WRITE)
WRITE_PAPER = Call("store.write_paper", *WRITE, weight=5)
UP_TO_DAY = Call("store.up_to_day", *READ, weight=1 / 8)  # 32 of them in a run
RETIRE = Call("store.retire", *WRITE, weight=5)
DELETE_PAPERS = Call("store.delete_papers", *WRITE, weight=40)

PAPERS_PAGE = 3
_SHARD_NAMES = {mode: tuple(shard_name(mode, number) for number in range(SHARDS)) for mode in Mode}

Step = Generator[Any, Fault | None, Any]


class Watch(NamedTuple):
    """Who is told of every write, as it is made."""

    created: Callable[[Transaction], None]
    advanced: Callable[[Transaction, Transaction], None]
    retired: Callable[[Transaction, Tombstone], None]
    later: Callable[[Callable[[], object]], None]


class Store:
    """Sales, prevends and papers in memory. Implements `shared.ports.transactions.TransactionIndex`.

    `older_index`: sales are kept as older code does, whose index for the duplicate guard holds those that wait for nothing but their
    announcement.
    """

    __slots__ = (
        "_in_shard",
        "_newer",
        "_now",
        "_older_index",
        "_revision",
        "_watch",
        "open",
        "papers",
        "prevends",
        "sales",
        "tombstones",
        "writes",
    )

    def __init__(self, now: Callable[[], datetime], watch: Watch, newer: NewerCode, *, older_index: bool = False) -> None:
        self._newer = newer
        self._now = now
        self._older_index = older_index
        self._watch = watch
        self._revision = 0
        self.writes = 0
        self.sales: dict[str, Transaction] = {}
        self.tombstones: dict[str, Tombstone] = {}
        self.prevends: dict[str, Prevend] = {}
        self.papers: dict[tuple[DocumentKind, str], Document] = {}
        self._in_shard: dict[str, dict[str, Transaction]] = {}
        self.open: dict[str, Transaction] = {}

    @coroutine
    def find(self, transaction_id: str) -> Step:
        if (fault := (yield FIND)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        found = self.sales.get(transaction_id)
        if fault is not None:
            yield fault
        if transaction_id in self._newer.unread:
            raise UnreadableRecord("newer code wrote it", self._newer.unread[transaction_id])
        if found is None and transaction_id in self.tombstones:
            raise SaleRetired(self.tombstones[transaction_id])
        return found

    @coroutine
    def find_prevend(self, prevend_id: str) -> Step:
        if (fault := (yield FIND_PREVEND)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        found = self.prevends.get(prevend_id)
        if fault is not None:
            yield fault
        return found

    @coroutine
    def find_open(self, account: str) -> Step:
        if (fault := (yield FIND_OPEN)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        found = [sale.id for sale in self.open.values() if sale.open is not None and sale.open.account == account]
        if len(found) > 1:
            page = sorted(found)[:MAX_ALIKE]  # as Firestore reads them, before they are put in order
            found = [sale_id for sale_id in self.sales if sale_id in page]  # in the order of their claims
        if fault is not None:
            yield fault
        return found

    def create(self, fresh: Transaction, prevend: Prevend | None = None) -> Step:
        return self._commit(CREATE, lambda: self._created(fresh, prevend))

    def advance(self, before: Transaction, after: Transaction) -> Step:
        return self._commit(ADVANCE, lambda: self._advanced(before, after))

    def add_prevend(self, prevend: Prevend) -> Step:
        return self._commit(ADD_PREVEND, lambda: self._added(prevend))

    @coroutine
    def due(self, mode: Mode, shard: int, at: datetime, at_most: int) -> Step:
        if (fault := (yield DUE)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        held = self._in_shard.get(_SHARD_NAMES[mode][shard])
        sales = [sale for sale in held.values() if sale.open is not None and sale.open.due_at <= at] if held else []
        if self._newer.unread:
            sales = [sale for sale in sales if sale.id not in self._newer.unread]
        if fault is not None:
            yield fault
        return sales if len(sales) < 2 else sorted(sales, key=_due_at)[:at_most]

    @coroutine
    def lookup(self, mode: Mode, by: LookupBy, value: str, at_most: int = 100) -> Step:
        if (fault := (yield LOOKUP)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        found: list[Any] = [sale for sale in self.sales.values() if sale.mode is mode and _key(sale, by) == value.lower()]
        if self.tombstones:
            found += [one for one in self.tombstones.values() if by in _OF_TOMBSTONES and getattr(one, by) == value.lower()]
        if fault is not None:
            yield fault
        newest: list[Any] = sorted(found, key=_created_at, reverse=True)[:at_most]
        return [self._newer.unread.get(sale.id, sale) for sale in newest] if self._newer.unread else newest

    @coroutine
    def vended_lately(self, mode: Mode, vas_type: VasType, at: datetime) -> Step:
        if (fault := (yield CONTROL)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        since = at - CONTROLS_WITHIN
        found = [
            sale
            for sale in self.sales.values()
            if sale.state is State.VENDED
            and sale.order.vas_type is vas_type
            and sale.mode is mode
            and since < sale.created_at <= at
            and _key(sale, LookupBy.SUPPLIER_TRANSACTION_ID) is not None
            and sale.id not in self._newer.unread
        ]
        if fault is not None:
            yield fault
        return sorted(found, key=_created_at, reverse=True)[:CONTROLS]

    async def of_day(self, mode: Mode, day: date, shard: int) -> AsyncIterator[Sold | Unread]:
        for sale in await self._of_day(mode, day, shard):
            yield self._newer.unread.get(sale.id) or Sold.of(sale)

    @coroutine
    def _of_day(self, mode: Mode, day: date, shard: int) -> Step:
        if (fault := (yield OF_DAY)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        found = [sale for sale in self.sales.values() if sale.day == day and sale.mode is mode and int(sale.id[:4], 16) % SHARDS == shard]
        if fault is not None:
            yield fault
        return found

    @coroutine
    def any_of_day(self, mode: Mode, day: date) -> Step:
        if (fault := (yield ANY_OF_DAY)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        found = any(sale.day == day and sale.mode is mode for sale in self.sales.values())
        if fault is not None:
            yield fault
        return found

    @coroutine
    def up_to_day(self, mode: Mode, shard: int, last: date, after: Place | None, at_most: int) -> Step:
        if (fault := (yield UP_TO_DAY)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        behind = after or (date.min, "")
        places = ((sale.day, sale.id) for sale in self.sales.values() if int(sale.id[:4], 16) % SHARDS == shard and sale.mode is mode)
        page = sorted(place for place in places if behind < place and place[0] <= last)[:at_most]
        found = [(place, self._newer.unread.get(place[1]) or self.sales[place[1]]) for place in page]
        if fault is not None:
            yield fault
        return found

    def retire(self, before: Transaction, tombstone: Tombstone, papers: Sequence[Document] = ()) -> Step:
        return self._commit(RETIRE, lambda: self._retired(before, tombstone, papers))

    def delete_papers(self, kind: DocumentKind, papers: Sequence[Document]) -> Step:
        return self._commit(DELETE_PAPERS, lambda: self._deleted(kind, papers))

    @coroutine
    def read_paper(self, kind: DocumentKind, paper_id: str) -> Step:
        if (fault := (yield READ_PAPER)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        found = self.papers.get((kind, paper_id))
        if fault is not None:
            yield fault
        return found

    async def marked_papers(self, kind: DocumentKind, mark: str, from_id: str | None = None) -> AsyncIterator[Document]:
        since, cursor = from_id or "", ""
        while True:
            page = await self._marked(kind, mark, since, cursor)
            for paper in page:
                yield paper
            if len(page) < PAPERS_PAGE:
                return
            cursor = page[-1].id

    @coroutine
    def _marked(self, kind: DocumentKind, mark: str, since: str, cursor: str) -> Step:
        if (fault := (yield MARKED)) is Fault.REFUSED:
            raise StoreUnavailable("refused")
        found = [paper for (of, name), paper in self.papers.items() if of is kind and paper.mark == mark and cursor < name >= since]
        if fault is not None:
            yield fault
        return sorted(found, key=_paper_id)[:PAPERS_PAGE]

    def write_paper(self, kind: DocumentKind, paper: Document, beside: Document | None = None) -> Step:
        return self._commit(WRITE_PAPER, lambda: self._paper_written(kind, paper, beside))

    @coroutine
    def _commit(self, call: Call, write: Callable[[], Any]) -> Step:
        fault = yield call
        if fault is Fault.REFUSED:
            raise StoreUnavailable("refused")
        if fault is Fault.LANDS_LATER:
            self._watch.later(write)
            raise StoreUnavailable("deadline exceeded")
        written = write()
        self.writes += 1
        if fault is Fault.REPEATED:
            written = write()  # the library tries again, and meets its own write
        if fault is not None:
            yield fault
        if fault is Fault.LOST:
            raise StoreUnavailable("deadline exceeded")
        return written

    def _created(self, fresh: Transaction, prevend: Prevend | None) -> Transaction:
        if fresh.id in self.sales or fresh.id in self.tombstones:
            raise Conflict
        if prevend is not None:
            if self.prevends[prevend.id].revision != prevend.revision:
                raise Conflict
            self.prevends[prevend.id] = _used(prevend, fresh.id, self._next())
        stored = self._keep(fresh)
        self._watch.created(stored)
        return stored

    def _advanced(self, before: Transaction, after: Transaction) -> Transaction:
        held = self.sales.get(before.id)
        if held is None or held.revision != before.revision:
            raise Conflict
        stored = self._keep(self._newer.changed(before, after))
        self._watch.advanced(held, stored)
        return stored

    def _retired(self, before: Transaction, tombstone: Tombstone, papers: Sequence[Document]) -> None:
        held = self.sales.get(before.id)
        if held is None or held.revision != before.revision:
            raise Conflict
        self._deleted(DocumentKind.DISCREPANCIES, papers)
        del self.sales[before.id]
        self.tombstones[tombstone.id] = tombstone
        self._watch.retired(held, tombstone)

    def _deleted(self, kind: DocumentKind, papers: Sequence[Document]) -> None:
        for one in papers:
            held = self.papers.get((kind, one.id))
            if held is None or held.revision != one.revision:
                raise Conflict
        for one in papers:
            del self.papers[kind, one.id]

    def rewrite(self, sale: Transaction) -> None:
        """A write of newer code's."""
        self._keep(sale)

    def _keep(self, sale: Transaction) -> Transaction:
        stored = structs.replace(sale, open=_as_older_code_has_it(sale) if self._older_index else sale.open, revision=self._next())
        self.sales[sale.id] = stored
        held = self.open.pop(sale.id, None)
        if held is not None and held.open is not None:
            del self._in_shard[held.open.shard][sale.id]
        if stored.open is not None:
            self.open[sale.id] = stored
            self._in_shard.setdefault(stored.open.shard, {})[sale.id] = stored
        return stored

    def _added(self, prevend: Prevend) -> None:
        if prevend.id not in self.prevends:
            self.prevends[prevend.id] = _used(prevend, None, self._next())

    def _paper_written(self, kind: DocumentKind, paper: Document, beside: Document | None) -> Document:
        papers = (paper,) if beside is None else (paper, beside)
        for one in papers:
            held = self.papers.get((kind, one.id))
            if (held.revision if held is not None else None) != one.revision:
                raise Conflict
        for one in papers:
            self.papers[kind, one.id] = Document(one.id, one.body, one.mark, revision=self._next())
        return self.papers[kind, paper.id]

    def _next(self) -> str:
        self._revision += 1
        return str(self._revision)


def _used(prevend: Prevend, by: str | None, revision: str) -> Prevend:
    return Prevend(
        id=prevend.id,
        mode=prevend.mode,
        caller=prevend.caller,
        order=prevend.order,
        supplier_prevend_id=prevend.supplier_prevend_id,
        minimum_amount=prevend.minimum_amount,
        amount_due=prevend.amount_due,
        created_at=prevend.created_at,
        expires_at=prevend.expires_at,
        used_by=by,
        revision=revision,
    )


def _as_older_code_has_it(sale: Transaction) -> Open | None:
    if sale.open is None or sale.state is State.REJECTED:
        return sale.open
    return structs.replace(sale.open, account=account_key(sale.mode, sale.caller, sale.order))


def _key(sale: Transaction, by: LookupBy) -> str | None:
    match by:
        case LookupBy.REQUEST_ID:
            return sale.request_id
        case LookupBy.SUPPLIER_TRANSACTION_ID:
            return id_on_record(sale)
        case _:
            return sale.order.meter_number


_OF_TOMBSTONES = frozenset({LookupBy.REQUEST_ID, LookupBy.SUPPLIER_TRANSACTION_ID})


def _due_at(sale: Transaction) -> datetime:
    assert sale.open is not None
    return sale.open.due_at


def _created_at(sale: Transaction) -> datetime:
    return sale.created_at


def _paper_id(paper: Document) -> str:
    return paper.id
