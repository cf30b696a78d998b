"""Reports: a settled day as an operator reads it in the morning, and what has changed since.

The run's findings are frozen. A report reads people's decisions, the open work of any day, and the last days anew. It holds no customer's
number whole. So no page, table or file of a report can show one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from msgspec import structs

from shared.domain import closures
from shared.domain.clock import business_day
from shared.domain.discrepancy import gravity
from shared.domain.statement import Total
from shared.domain.transaction import SHARDS, State, Transaction
from shared.domain.vas import Mode, VasType
from shared.lib import logs
from shared.lib.times import MALFORMED, moment_of, rfc3339
from shared.lib.value import Value, word
from shared.ports.concurrency import Each
from shared.ports.documents import Document, DocumentKind, UnreadableRecord
from shared.ports.settlement_files import Refusal
from shared.ports.transactions import TransactionIndex
from shared.settlement import document_forms
from shared.settlement.document_forms import TERMS
from shared.settlement.repository import day_marks, refusal_of, refused_mark, runs_id
from shared.settlement.settled_day import ENDED, Status, day_as_read, difference_as_read

GLANCED: Final = 30
LISTED: Final = timedelta(days=400)
AT_ONCE: Final = 16
MAX_OPEN: Final = 250  # sales of one shard: with more of them open, an operator needs more than a page
_EVERY_DUE: Final = timedelta(days=7)  # every open sale is due again within a day

AGES: Final[tuple[tuple[str, timedelta], ...]] = (
    ("under an hour", timedelta(hours=1)),
    ("1 to 24 hours", timedelta(days=1)),
    ("1 to 3 days", timedelta(days=3)),
    ("over 3 days", timedelta.max),
)

Json = dict[str, Any]


class ServiceTotals(Value, frozen=True, kw_only=True):
    """One service of the day: what we sold, what the file bills, what is the same sale on both sides, and what is not.

    `matched` includes sales of a neighbouring day that this day's file bills. `carried` are sales that wait for another file.
    """

    vas_type: Annotated[str, VasType]
    sold: Total
    billed: Total
    matched: Total
    carried: Total
    only_ours: Total
    only_theirs: Total


class OpenSale(Value, frozen=True, kw_only=True):
    """A sale of any day that is not finished: in doubt, or vended without its token."""

    transaction_id: str
    supplier_transaction_id: str | None
    vas_type: str
    cents: int
    created_at: datetime
    age: timedelta
    needs_review: bool
    supplier_id: str = ""


class Aged(Value, frozen=True):
    """Sales in doubt of one age."""

    age: str
    total: Total


class DaySummary(Value, frozen=True):
    """One of the last days. `status` is `None` where it was never settled."""

    day: date
    status: Status | None
    total: Total
    open_discrepancies: int


class Report(Value, frozen=True, kw_only=True):
    """A day, as of `at`. `body` is the settled day with the present state of its discrepancies.

    `refusal`: why the last run refused the day. One that was never settled has nothing else.
    """

    body: Json
    at: datetime
    simulated: bool
    totals: tuple[ServiceTotals, ...]
    in_doubt: tuple[OpenSale, ...]
    tokens: tuple[OpenSale, ...]
    at_least: bool
    last_days: tuple[DaySummary, ...]
    refusal: Refusal | None = None

    @property
    def by_age(self) -> tuple[Aged, ...]:
        """The sales in doubt and their value, by their age."""
        ages: Counter[str] = Counter()
        cents: Counter[str] = Counter()
        for sale in self.in_doubt:
            name = next(name for name, most in AGES if sale.age < most)
            ages[name] += 1
            cents[name] += sale.cents
        return tuple(Aged(name, Total(ages[name], cents[name])) for name, _ in AGES)

    def json(self) -> Json:
        """The report as JSON: the settled day, and what the report read anew."""
        return {
            **self.body,
            "totals": [_totals_json(one) for one in self.totals],
            "now": {
                "asOf": rfc3339(self.at),
                "atLeast": self.at_least,
                "inDoubt": {
                    **_total_json(Total(len(self.in_doubt), sum(sale.cents for sale in self.in_doubt))),
                    "byAge": [{"age": one.age, **_total_json(one.total)} for one in self.by_age],
                    "sales": [_open_json(sale) for sale in self.in_doubt],
                },
                "tokensToRecover": [_open_json(sale) for sale in self.tokens],
            },
            "lastDays": [_glance_json(one) for one in self.last_days],
            "simulated": self.simulated,
            **({} if self.refusal is None else {"refused": refusal_body(self.refusal)}),
        }


def refusal_body(refusal: Refusal) -> Json:
    """Why a file was refused, with the first ten faults."""
    return {"file": refusal.file, "reason": refusal.reason, "faults": [structs.asdict(fault) for fault in refusal.faults]}


class Reporting(Value, frozen=True, kw_only=True):
    """Makes reports. Every method may raise `StoreUnavailable`."""

    store: TransactionIndex
    mode: Mode
    now: Callable[[], datetime]
    each: Each

    async def days(self) -> list[Json]:
        """The settled and refused days of the last `LISTED`, newest first."""
        first = f"{self.mode}-{(business_day(self.now()) - LISTED).isoformat()}"
        open_days = Counter(paper.body["day"] for paper in await self._open_discrepancies())
        days: dict[str, Json] = {}
        for mark in day_marks(self.mode):
            listed = self.store.marked_papers(DocumentKind.SETTLEMENTS, mark, first)
            async for paper in document_forms.readable(DocumentKind.SETTLEMENTS, listed, document_forms.Listed):
                days[paper.id] = _glance_json(_glance(paper.body, open_days)) | {"version": paper.body["version"]}
        refused = self.store.marked_papers(DocumentKind.SETTLEMENTS, refused_mark(self.mode), first)
        async for paper in document_forms.readable(DocumentKind.SETTLEMENTS, refused, document_forms.RefusedRuns):
            day = date.fromisoformat(paper.body["refusal"]["day"])
            unsettled = _glance_json(DaySummary(day, None, Total(), 0)) | {"version": 0}
            days[paper.id] = days.pop(f"{self.mode}-{day}", unsettled) | {"refused": True}
        return [days[day_id] for day_id in sorted(days, reverse=True)]

    async def day(self, day: date) -> Report | None:
        """The report of a day; `None` where the day was neither settled nor refused."""
        paper, refusal = await self._settled(day), await self._refusal(day)
        if paper is None and refusal is None:
            return None
        body = _never_settled(day) if paper is None else paper.body
        at = self.now()
        open_papers = await self._open_discrepancies()
        open_days = Counter(open_paper.body["day"] for open_paper in open_papers)
        discrepancies = await self._discrepancies(body, open_papers, business_day(at))
        sales, at_least = await self._open_sales(at)
        return Report(
            body={**body, "status": _status(body, discrepancies), "discrepancies": discrepancies},
            at=at,
            simulated=self.mode is Mode.SIMULATED,
            totals=tuple(_totals(books) for books in body["conservation"]),
            in_doubt=tuple(_open(sale, at) for sale in sales if sale.state is State.IN_DOUBT or sale.is_abandoned(at)),
            tokens=tuple(_open(sale, at) for sale in sales if sale.tokens_pending),
            at_least=at_least,
            last_days=await self._last_days(day, open_days),
            refusal=refusal,
        )

    async def _refusal(self, day: date) -> Refusal | None:
        paper = await self.store.read_paper(DocumentKind.SETTLEMENTS, runs_id(self.mode, day))
        return None if paper is None else refusal_of(document_forms.read(DocumentKind.SETTLEMENTS, paper, document_forms.Runs).body)

    async def _settled(self, day: date) -> Document | None:
        paper = await self.store.read_paper(DocumentKind.SETTLEMENTS, f"{self.mode}-{day.isoformat()}")
        if paper is None:
            return None
        whole = document_forms.read(DocumentKind.SETTLEMENTS, paper, document_forms.Day)
        return structs.replace(whole, body=day_as_read(whole.body, self.mode))

    async def _open_discrepancies(self) -> Sequence[Document]:
        listed = self.store.marked_papers(DocumentKind.DISCREPANCIES, f"{self.mode}-{closures.OPEN}")
        papers = [paper async for paper in document_forms.readable(DocumentKind.DISCREPANCIES, listed, document_forms.Difference)]
        return [structs.replace(paper, body=difference_as_read(paper.body, self.mode)) for paper in papers]

    async def _discrepancies(self, body: Mapping[str, Any], open_papers: Iterable[Document], today: date) -> list[Json]:
        """The day's own discrepancies with their decisions, the open ones of earlier days, and those found since."""
        still_open = {paper.body["id"]: paper.body for paper in open_papers}
        own = {found["id"]: found for found in body["discrepancies"] if found["day"] == body["day"]}
        decided = await self.each((self._decided(found) for name, found in own.items() if name not in still_open), AT_ONCE)
        carried = [found for found in still_open.values() if found["day"] <= body["day"] and found["id"] not in own]
        standing = [*carried, *(still_open[name] for name in own if name in still_open), *decided]
        return [_aged(found, today) for found in sorted(standing, key=_gravest_first)]

    async def _decided(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            paper = await self.store.read_paper(DocumentKind.DISCREPANCIES, f"{self.mode}-{found['id']}")
            held = found if paper is None else document_forms.read(DocumentKind.DISCREPANCIES, paper, document_forms.Difference).body
        except UnreadableRecord:  # the day's own copy stands in
            held = found
        return difference_as_read(held, self.mode)

    async def _open_sales(self, at: datetime) -> tuple[list[Transaction], bool]:
        """The open sales of any day, oldest first, and whether there may be more."""
        shards = await self.each((self.store.due(self.mode, shard, at + _EVERY_DUE, MAX_OPEN) for shard in range(SHARDS)), AT_ONCE)
        sales = sorted((sale for shard in shards for sale in shard), key=lambda sale: sale.created_at)
        return sales, any(len(shard) == MAX_OPEN for shard in shards)

    async def _last_days(self, day: date, open_days: Mapping[str, int]) -> tuple[DaySummary, ...]:
        days = [day - timedelta(days=back) for back in reversed(range(GLANCED))]
        papers = await self.each((self._glanced(one) for one in days), AT_ONCE)
        return tuple(
            DaySummary(one, None, Total(), 0) if paper is None else _glance(paper.body, open_days)
            for one, paper in zip(days, papers, strict=True)
        )

    async def _glanced(self, day: date) -> Document | None:
        """One of the last days; `None` where it cannot be read: the report shows the other days."""
        try:
            return await self._settled(day)
        except UnreadableRecord:
            return None


def _never_settled(day: date) -> Json:
    """An empty settled day."""
    lists = ("carriedOut", "carriedIn", "discrepancies", "conservation", "healed", "open", "tokensToRecover")
    empty: Json = {name: [] for name in lists}
    matched = {"rows": 0, "totalCents": 0}
    return {"day": day.isoformat(), "version": 0, "status": Status.FILE_MISSING.value, "file": None, "matched": matched, **empty}


def _status(body: Mapping[str, Any], discrepancies: Iterable[Mapping[str, Any]]) -> str:
    """The status of a day after the decisions on its own discrepancies."""
    is_open = any(found["status"] == closures.OPEN and found["day"] == body["day"] for found in discrepancies)
    return str(_ended(word(Status, body["status"]), is_open))


def _ended(status: Status, is_open: bool) -> Status:
    if status not in ENDED:
        return status
    return Status.DISCREPANCIES if is_open else Status.BALANCED


def _gravest_first(found: Mapping[str, Any]) -> tuple[bool, int, str, str]:
    return found["status"] != closures.OPEN, -gravity(found["severity"]), found["day"], found["id"]


def _aged(found: Mapping[str, Any], today: date) -> Json:
    """A discrepancy as a report shows it. All texts are masked: a supplier's text may hold a number."""
    shown = {name: _masked(value) for name, value in closures.shown(found).items()}
    closure = None if found.get("closure") is None else _closure(shown)
    return {**shown, "closure": closure, "ageDays": (today - date.fromisoformat(found["day"])).days}


def _closure(found: Mapping[str, Any]) -> Json:
    """The closure of a discrepancy, with empty texts for fields that it lacks: newer code may store other fields."""
    closure = {"decision": found["status"], "note": "", "by": "", "at": None, **found["closure"]}
    with suppress(*MALFORMED):
        moment_of(closure["at"])
        return closure
    return {**closure, "at": None}


def _masked(value: object) -> object:
    match value:
        case str():
            return logs.masked(value)
        case Mapping():
            return {name: _masked(held) for name, held in value.items()}
        case list():
            return [_masked(held) for held in value]
        case _:
            return value


def _totals(books: Mapping[str, Any]) -> ServiceTotals:
    terms = {name: Total(books[name]["rows"], books[name]["cents"]) for name in TERMS}
    return ServiceTotals(
        vas_type=books["vasType"],
        sold=terms["ourVended"],
        billed=terms["fileSuccessful"],
        matched=terms["ourVended"] - terms["carriedOut"] - terms["missingAtSupplier"] + terms["carriedIn"],
        carried=terms["carriedOut"],
        only_ours=terms["missingAtSupplier"],
        only_theirs=terms["missingHere"] + terms["billedThoughRejected"] + terms["extraLines"],
    )


def _open(sale: Transaction, at: datetime) -> OpenSale:
    return OpenSale(
        transaction_id=sale.id,
        supplier_transaction_id=sale.receipt.supplier_transaction_id if sale.receipt else None,
        vas_type=sale.order.vas_type,
        cents=sale.order.amount.cents,
        created_at=sale.created_at,
        age=at - sale.created_at,
        needs_review=sale.review_announced,
        supplier_id=sale.supplier_id,
    )


def _glance(body: Mapping[str, Any], open_days: Mapping[str, int]) -> DaySummary:
    file = body["file"] or {"rows": 0, "totalCents": 0}
    is_open = open_days.get(body["day"], 0)
    status = _ended(word(Status, body["status"]), bool(is_open))
    return DaySummary(date.fromisoformat(body["day"]), status, Total(file["rows"], file["totalCents"]), is_open)


def _total_json(total: Total) -> Json:
    return {"rows": total.rows, "cents": total.cents}


def _totals_json(one: ServiceTotals) -> Json:
    return {
        "vasType": one.vas_type,
        "sold": _total_json(one.sold),
        "billed": _total_json(one.billed),
        "matched": _total_json(one.matched),
        "carried": _total_json(one.carried),
        "onlyOurs": _total_json(one.only_ours),
        "onlyTheirs": _total_json(one.only_theirs),
    }


def _open_json(sale: OpenSale) -> Json:
    return {
        "transactionId": sale.transaction_id,
        "supplierId": sale.supplier_id,
        "supplierTransactionId": sale.supplier_transaction_id,
        "vasType": sale.vas_type,
        "amountCents": sale.cents,
        "createdAt": rfc3339(sale.created_at),
        "ageHours": sale.age // timedelta(hours=1),
        "needsReview": sale.needs_review,
    }


def _glance_json(one: DaySummary) -> Json:
    return {
        "day": one.day.isoformat(),
        "status": one.status,
        "rows": one.total.rows,
        "totalCents": one.total.cents,
        "openDiscrepancies": one.open_discrepancies,
    }
