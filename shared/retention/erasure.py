"""Erasing: an operator erases the personal data of one customer by number, before the data is old enough to be erased by age.

The module awaits its ports and nothing else. Who erases, when and why is recorded before any effect. The record holds four digits of
the number, never the number.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from msgspec import structs

from shared.domain.clock import business_day
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import Transaction
from shared.domain.unread import Unread
from shared.domain.vas import Mode
from shared.lib import logs
from shared.lib.masking import last_four
from shared.lib.times import rfc3339
from shared.lib.value import Value
from shared.ports.concurrency import Each
from shared.ports.documents import Document, DocumentKind, UnreadableRecord
from shared.ports.transactions import LookupBy, TransactionIndex
from shared.retention.rules import ONE_DAY, Hold, Retention, around
from shared.retention.run import AT_ONCE, Needed, Retaining
from shared.settlement.settled_day import ENDED
from shared.vending.recorder import Recorder

MAX_SALES: Final = 200  # of one request, each with its raw answers in memory
MAX_STAYED: Final = 2_000  # of one request: more than a person buys in four weeks
MAX_LISTED: Final = 50  # erasures in one list
SETTLED_WITHIN: Final = 28  # days: an older day is settled again only if it is recorded as unended

log = logs.logger(__name__)


class Person(Value, frozen=True):
    """A customer's number and its kind."""

    _hidden = frozenset({"number"})

    by: LookupBy
    number: str


class Stayed(NamedTuple):
    """A sale whose data had to stay, with the reason."""

    sale_id: str
    why: Hold


class Erased(Value, frozen=True, kw_only=True):
    """The result for a customer's sales, by id. `more`: older sales remain; repeat the request."""

    paper: Mapping[str, Any]
    erased: tuple[str, ...]
    stayed: tuple[Stayed, ...]
    more: bool


class Erasing(Value, frozen=True, kw_only=True):
    """Erases on an operator's request, over the ports."""

    recorder: Recorder
    store: TransactionIndex
    each: Each
    retention: Retention

    @property
    def retaining(self) -> Retaining:
        """Erasing and retiring by age, over the same ports."""
        return Retaining(recorder=self.recorder, store=self.store, each=self.each, retention=self.retention)

    async def erase_person(self, person: Person, reason: str, operator: str) -> Erased:
        """Erase a customer's data from all sales that have ended and that nothing needs.

        Raises:
            Conflict: another request has erased at the same moment.
            StoreUnavailable: finished erasures stay; repeat the request.
        """
        at, mode = self.recorder.now(), self.recorder.rules.mode
        body = {
            "at": rfc3339(at),
            "by": operator,
            "reason": logs.masked(reason),
            "of": person.by.value,
            "recipient": last_four(person.number),
        }
        asked = Document(f"{mode}-erasure-{at:%Y%m%dT%H%M%S%f}", {**body, "erased": None, "stayed": None}, erasures_mark(mode))
        held = await self.store.write_paper(DocumentKind.CONTROLS, asked)
        erased, stayed, more = await self._each_of(person, reason, operator)
        done = {**body, "erased": list(erased), "stayed": [[one.sale_id, one.why.value] for one in stayed]}
        await self.store.write_paper(DocumentKind.CONTROLS, structs.replace(held, body=done))
        log.warning("personal data erased", operator=operator, of=person.by, erased=len(erased), stayed=len(stayed))
        return Erased(paper=done, erased=erased, stayed=stayed, more=more)

    async def _each_of(self, person: Person, reason: str, operator: str) -> tuple[tuple[str, ...], tuple[Stayed, ...], bool]:
        """Erase a customer's sales, newest first: which were erased, which stayed, and whether more remain.

        A sale that stays never hides an older one.
        """
        erased, stayed, known, needed, more = list[str](), list[Stayed](), set[str](), await self.retaining.needed(), True
        while more and len(erased) < MAX_SALES and len(stayed) < MAX_STAYED:
            found = await self.store.lookup(self.recorder.rules.mode, person.by, person.number, len(known) + MAX_SALES + 1)
            fresh, room = [sale for sale in found if sale.id not in known], MAX_SALES - len(erased)
            more = len(fresh) > room
            sales = [sale for sale in fresh[:room] if not isinstance(sale, Tombstone)]
            needed = await self._with_recent(needed, sales)
            outcomes = await self.each((self._one(sale, needed, operator, reason) for sale in sales), AT_ONCE)
            known.update(sale.id for sale in fresh[:room])
            erased += [sale.id for sale, outcome in zip(sales, outcomes, strict=True) if outcome is True]
            stayed += [Stayed(sale.id, outcome) for sale, outcome in zip(sales, outcomes, strict=True) if isinstance(outcome, Hold)]
        return tuple(erased), tuple(stayed), more

    async def erasures(self) -> Sequence[Mapping[str, Any]]:
        """The last erasures by operators, newest first. `erased` is `None` if the erasure was cut short."""
        papers = [paper async for paper in self.store.marked_papers(DocumentKind.CONTROLS, erasures_mark(self.recorder.rules.mode))]
        return [paper.body for paper in reversed(papers[-MAX_LISTED:])]

    async def _one(self, sale: Transaction | Unread, needed: Needed, operator: str, reason: str) -> Hold | bool:
        if isinstance(sale, Unread):
            return Hold.NOT_READABLE
        return await self.retaining.erase(sale, needed, operator, logs.masked(reason))

    async def _with_recent(self, needed: Needed, sales: Sequence[Transaction | Unread]) -> Needed:
        """The needed sales and days, with the recent days of these sales that are not settled. Older days that began are known."""
        first = business_day(self.recorder.now()) - SETTLED_WITHIN * ONE_DAY
        days = sorted({near for sale in sales if sale.day is not None for near in around(sale.day) if near >= first})
        settled = await self.each((self._is_settled(day) for day in days), AT_ONCE)
        fresh = {day for day, is_settled in zip(days, settled, strict=True) if not is_settled}
        return needed._replace(unsettled=needed.unsettled | fresh)

    async def _is_settled(self, day: date) -> bool:
        """Whether a day has ended, or has nothing to settle."""
        mode = self.recorder.rules.mode
        try:
            paper = await self.store.read_paper(DocumentKind.SETTLEMENTS, f"{mode}-{day.isoformat()}")
        except UnreadableRecord:
            return False
        if paper is not None:
            return paper.body.get("status") in ENDED
        return day < business_day(self.recorder.now()) - ONE_DAY and not await self.store.any_of_day(mode, day)


def erasures_mark(mode: Mode) -> str:
    """The index key under which erasures are listed."""
    return f"{mode}-erasures"
