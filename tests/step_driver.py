"""Drives the core one port call at a time, with `send(None)`: no event loop, no clock but ours, a crash wherever one is wanted."""

import itertools
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from shared.domain.catalogue import Product
from shared.domain.identifiers import Caller, same_supplier_id
from shared.domain.money import Money
from shared.domain.outcome import Answer, NoSuchTransaction, Outcome, Prevended, Receipt, Rejected, Reprint, TokensDue, Vended
from shared.domain.policy import VendingPolicy
from shared.domain.prevend import Prevend
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import EventName, State, Transaction, shard_name
from shared.domain.vas import Mode, Order, VasType
from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable
from shared.ports.events import EventsUnavailable
from shared.ports.transactions import MAX_ALIKE, LookupBy
from shared.vending.purchase import PurchaseRequest
from shared.vending.purchasing import Vending
from shared.vending.recorder import Recorder
from shared.vending.sweep import Sweeping

PAPERS_PAGE = 2  # so that whatever is listed has pages
START = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
CALLER = Caller("https://issuer.example", "user-1")
METER = "12345678901"
CATALOGUE = (Product(VasType.UTILITY, "electricity", "Electricity"),)


@types.coroutine
def boundary(name: str) -> Generator[str, None, None]:
    """Where a step ends: the driver sees the name of the port call that comes next, and may never resume."""
    yield name


EVERY_CALL = "every call"  # as a name in `World.store_faults`


def run(coroutine: Coroutine[Any, Any, Any], *, stop_after: int | str | None = None) -> Any:
    """Drive to the end, or crash at a boundary (then `Crashed`): the first of that name, or the one of that number."""
    for step in itertools.count():
        try:
            name = coroutine.send(None)
        except StopIteration as ended:
            return ended.value
        if stop_after in (step, name):
            coroutine.close()
            return Crashed
    raise AssertionError


def boundaries(make: Callable[[], Coroutine[Any, Any, Any]]) -> list[str]:
    """The names of all port calls of one run, in order."""
    coroutine, names = make(), []
    while True:
        try:
            names.append(coroutine.send(None))
        except StopIteration:
            return names


def nth(number: int, fault: str) -> list[str | None]:
    """The faults of a store call that fails the next time but `number`, and only then."""
    return [*[None] * number, fault]


class Crashed:
    """What a run that was cut short leaves in the caller's hands."""


async def one_by_one(coroutines: Iterable[Coroutine[Any, Any, Any]], at_most: int) -> list[Any]:
    """The port `each`, without an event loop."""
    return [await coroutine for coroutine in coroutines]


@dataclass
class World:
    """A store with Firestore's semantics, a supplier that vends, a topic, and a clock, all in memory.

    Each port call is two boundaries: before it took effect, and after. `store_faults` maps the name of a store call to what becomes
    of the next calls of that name, one after the other: `None` (the call succeeds), `"refused"` (nothing written, `StoreUnavailable`)
    or `"reply lost"` (written, `StoreUnavailable`), each fault after `fault_seconds`. The faults of `EVERY_CALL` strike any call.
    """

    now: datetime = START
    sales: dict[str, Transaction] = field(default_factory=dict)
    prevends: dict[str, Prevend] = field(default_factory=dict)
    vends: list[str] = field(default_factory=list)
    papers: dict[tuple[DocumentKind, str], Document] = field(default_factory=dict)
    topic: list[tuple[str, EventName, str]] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    products_answer: Any = CATALOGUE
    reprints: list[Any] = field(default_factory=list)
    reprint_knows: bool = True
    reprint_seconds: float = 0
    asked_again: list[str] = field(default_factory=list)
    prevend_answer: Any = field(default_factory=lambda: Prevended("supplier-prevend", minimum_amount=Money(1000)))
    ready_answers: list[Rejected | None] = field(default_factory=list)
    topic_down: bool = False
    paused: set[VasType] = field(default_factory=set)
    noticed: list[Outcome] = field(default_factory=list)
    store_faults: dict[str, Iterable[str | None]] = field(default_factory=dict)
    fault_seconds: float = 0
    store_calls: list[str] = field(default_factory=list)
    ids: itertools.count = field(default_factory=lambda: itertools.count(1))
    rules: VendingPolicy = field(default_factory=lambda: VendingPolicy(mode=Mode.LIVE))

    @property
    def recorder(self) -> Recorder:
        return Recorder(store=self, events=self, rules=self.rules, now=lambda: self.now, new_id=self.new_id)

    @property
    def vending(self) -> Vending:
        return Vending(recorder=self.recorder, supplier=self, brake=self)

    @property
    def sweeping(self) -> Sweeping:
        return Sweeping(recorder=self.recorder, supplier=self, store=self, each=one_by_one)

    def new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self.ids):012d}"

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _fault(self, name: str) -> str | None:
        """What becomes of this call, by the first faults that name it."""
        for key in (name, EVERY_CALL):
            if key in self.store_faults:
                self.store_faults[key] = faults = iter(self.store_faults[key])
                return next(faults, None)
        return None

    async def _effect(self, name: str, effect: Callable[[], Any]) -> Any:
        fault = self._fault(name)
        self.store_calls.append(name)
        await boundary(f"before {name}")
        if fault is not None:
            self.wait(self.fault_seconds)
        if fault == "refused":
            raise StoreUnavailable(name)
        value = effect()
        await boundary(f"after {name}")
        if fault == "reply lost":
            raise StoreUnavailable(name)
        return value

    async def find(self, transaction_id: str) -> Transaction | None:
        return await self._effect("find", lambda: self.sales.get(transaction_id))

    async def find_prevend(self, prevend_id: str) -> Prevend | None:
        return await self._effect("find_prevend", lambda: self.prevends.get(prevend_id))

    async def find_open(self, account: str) -> list[str]:
        def alike() -> list[str]:
            found = [sale.id for sale in self.sales.values() if sale.open and sale.open.account == account]
            page = sorted(found)[:MAX_ALIKE]  # as Firestore reads them, before they are put in order
            return [sale_id for sale_id in found if sale_id in page]

        return await self._effect("find_open", alike)

    async def create(self, fresh: Transaction, prevend: Prevend | None = None) -> Transaction:
        def write() -> Transaction:
            if fresh.id in self.sales or (prevend and self.prevends[prevend.id].revision != prevend.revision):
                raise Conflict
            if prevend:
                self.prevends[prevend.id] = structs.replace(prevend, used_by=fresh.id, revision=self.new_id())
            self.sales[fresh.id] = structs.replace(fresh, revision=self.new_id())
            return self.sales[fresh.id]

        return await self._effect("create", write)

    async def advance(self, before: Transaction, after: Transaction) -> Transaction:
        def write() -> Transaction:
            if self.sales[before.id].revision != before.revision:
                raise Conflict
            self.sales[before.id] = structs.replace(after, revision=self.new_id())
            return self.sales[before.id]

        return await self._effect("advance", write)

    async def add_prevend(self, prevend: Prevend) -> None:
        await self._effect("add_prevend", lambda: self.prevends.update({prevend.id: structs.replace(prevend, revision=self.new_id())}))

    async def of_caller(self, mode: Mode, caller: Caller, day: str, cursor: str | None, at_most: int) -> list[Transaction]:
        raise AssertionError("selling does not list")

    async def ready(self) -> Rejected | None:
        await boundary("before ready")
        return self.ready_answers.pop(0) if self.ready_answers else None

    async def products(self, vas_type: VasType) -> Any:
        await boundary("before products")
        return self.products_answer

    async def prevend(self, order: Order, request_id: str) -> Any:
        await boundary("before prevend")
        return self.prevend_answer

    async def vend(self, order: Order, supplier_prevend_id: str | None, request_id: str, send_within_seconds: float) -> Answer:
        """The next scripted outcome, or whole answer, else a delivered token. One that is callable sees the order come in first."""
        await boundary("before vend")
        answer = self.answers.pop(0) if self.answers else delivered(request_id)
        if callable(answer):
            answer = answer()
        if not isinstance(answer, Rejected):
            self.vends.append(request_id)
        await boundary("after vend")
        return answer if isinstance(answer, Answer) else Answer(answer)

    async def reprint(self, sale: Transaction) -> Reprint:
        """The next scripted result, or whole reprint, else what is true: the vend if there was one."""
        await boundary("before reprint")
        self.asked_again.append(sale.id)
        self.wait(self.reprint_seconds)
        if self.reprints:
            said = self.reprints.pop(0)
            return said if isinstance(said, Reprint) else Reprint(said)
        if not self.reprint_knows:
            return Reprint(NoSuchTransaction())
        return Reprint(delivered(sale.request_id) if sale.request_id in self.vends else NoSuchTransaction())

    async def due(self, mode: Mode, shard: int, at: datetime, at_most: int) -> list[Transaction]:
        def read() -> list[Transaction]:
            sales = [
                sale for sale in self.sales.values() if sale.open and sale.open.shard == shard_name(mode, shard) and sale.open.due_at <= at
            ]
            return sorted(sales, key=lambda sale: sale.open.due_at if sale.open else at)[:at_most]

        return await self._effect("due", read)

    async def lookup(self, mode: Mode, by: LookupBy, value: str, at_most: int = 100) -> list[Transaction]:
        def read() -> list[Transaction]:
            assert by is LookupBy.SUPPLIER_TRANSACTION_ID
            return [sale for sale in self.sales.values() if sale.receipt and same_supplier_id(sale.receipt.supplier_transaction_id, value)]

        return await self._effect("lookup", read)

    async def vended_lately(self, mode: Mode, vas_type: VasType, at: datetime) -> list[Transaction]:
        def read() -> list[Transaction]:
            return [sale for sale in self.sales.values() if sale.state is State.VENDED and sale.order.vas_type is vas_type]

        return await self._effect("vended_lately", read)

    async def read_paper(self, kind: DocumentKind, paper_id: str) -> Document | None:
        return await self._effect("read_paper", lambda: self.papers.get((kind, paper_id)))

    async def write_paper(self, kind: DocumentKind, paper: Document, beside: Document | None = None) -> Document:
        def write() -> Document:
            papers = [paper] if beside is None else [paper, beside]
            for one in papers:
                held = self.papers.get((kind, one.id))
                if (held and held.revision) != one.revision:
                    raise Conflict
            for one in papers:
                self.papers[kind, one.id] = structs.replace(one, revision=self.new_id())
            return self.papers[kind, paper.id]

        return await self._effect("write_paper", write)

    async def marked_papers(self, kind: DocumentKind, mark: str, from_id: str | None = None) -> AsyncIterator[Document]:
        def page() -> list[Document]:
            marked = [paper for (of, _), paper in self.papers.items() if (of, paper.mark) == (kind, mark)]
            return sorted((paper for paper in marked if cursor < paper.id >= (from_id or "")), key=lambda paper: paper.id)[:PAPERS_PAGE]

        cursor = ""
        while papers := await self._effect("marked_papers", page):
            for paper in papers:
                yield paper
            cursor = papers[-1].id

    async def stops(self, vas_type: VasType) -> bool:
        await boundary("before stops")
        return vas_type in self.paused

    async def notice(self, vas_type: VasType, outcome: Outcome) -> None:
        await boundary("before notice")
        self.noticed.append(outcome)

    async def publish(self, event: EventName, sale: Transaction) -> None:
        await boundary("before publish")
        if self.topic_down:
            raise EventsUnavailable
        self.topic.append((sale.id, event, sale.state))
        await boundary("after publish")


def delivered(request_id: str) -> Vended:
    """An answer with a token, as good as the supplier's."""
    token = StsToken(TokenKind.CREDIT, f"{'0' * 12}{request_id[-8:]}")
    return Vended(Receipt(supplier_transaction_id=f"supplier-{request_id}", tokens_due=TokensDue.DELIVERED, tokens=(token,)))


def electricity(key: str = "key-1", *, cents: int = 10_000, caller: Caller = CALLER, **fields: Any) -> PurchaseRequest:
    """A request for electricity on the one meter of these tests."""
    order = Order(vas_type=VasType.UTILITY, amount=Money(cents), merchant_product_id=None, meter_number=METER)
    asked: dict[str, Any] = {"order": order, "fingerprint": f"{METER}:{cents}", **fields}
    return PurchaseRequest(caller=caller, idempotency_key=key, vas_type=VasType.UTILITY, **asked)
