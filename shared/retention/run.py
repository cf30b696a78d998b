"""Retaining: the run that erases the personal data of old sales, and years later leaves only tombstones.

The run awaits its ports and nothing else. It reads each shard's sales in the order of their days, from the place of the last run. It
remembers sales that are still needed: as days while files are compared with them, else by their ids. The next run continues a run
that was cut short. Two runs at once do no harm: each step reads the sale as recorded, and changes it only if nothing needs it.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final, NamedTuple, assert_never

from msgspec import structs

from shared.domain import closures
from shared.domain.clock import BUSINESS_TIME, business_day
from shared.domain.transaction import SHARDS, Transaction
from shared.domain.unread import Unread
from shared.lib import logs
from shared.lib.value import Value
from shared.ports.concurrency import Each
from shared.ports.documents import MAX_DELETED, Conflict, Document, DocumentKind, UnreadableRecord
from shared.ports.transactions import Place, Placed, SaleRetired, TransactionIndex
from shared.retention.progress import FIRST, Progress, Step, Waiting, day_of, is_id, progress_of
from shared.retention.rules import BY_AGE, ONE_DAY, Hold, Retention, around, erased, hold, tombstone_of
from shared.settlement.repository import day_marks, progress_id, refused_mark, runs_id
from shared.vending.contradictions import discrepancies
from shared.vending.recorder import Recorder

AT_ONCE: Final = 16
PAGE: Final = 100  # sales in one query
MAX_SALES: Final = 20_000  # sales in one run
MAX_HELD: Final = 5_000  # ids of sales that are still needed: the document stays small. The days of further sales are read again.
MAX_OPEN: Final = 200  # sales of a shard
MAX_DAYS: Final = 50  # retired days in one run

log = logs.logger(__name__)


class Needed(NamedTuple):
    """The facts that keep sales, besides the sales themselves: see `retention.hold`. `unended` are the days that have not ended.

    `named` maps the id of each sale in an open discrepancy to its business day, as far as known.
    """

    named: Mapping[str, date | None]
    unsettled: frozenset[date]
    unended: frozenset[date]


class Retained(Value, frozen=True, kw_only=True):
    """The result of a run: numbers of sales, and of deleted documents. `held` are still needed; `more`: the run had no time for all."""

    erased: int
    retired: int
    held: int
    papers: int
    more: bool


class Retaining(Value, frozen=True, kw_only=True):
    """Erases and retires, over the ports."""

    recorder: Recorder
    store: TransactionIndex
    each: Each
    retention: Retention

    async def retain(self, until: datetime) -> Retained:
        """Erase the personal data of sales that are old enough, and retire sales past their retention, oldest first.

        The run begins no sale after `until`, and at most about `MAX_SALES`.

        Raises:
            StoreUnavailable: finished work stays; the next run continues.
        """
        run = _Run(self, await self._progress(), await self.needed(), until)
        try:
            await run.sales()
            await run.papers()
        except Conflict:  # another run works too: the work of this run is recorded, and the other run continues
            run.more = True
        return run.result

    async def needed(self) -> Needed:
        """The facts from discrepancies and days that keep sales."""
        mode, named, unsettled, unended = self.recorder.rules.mode, dict[str, date | None](), set[date](), set[date]()
        async for paper in self.store.marked_papers(DocumentKind.DISCREPANCIES, f"{mode}-{closures.OPEN}"):
            named |= _named(paper)
        async for paper in self.store.marked_papers(DocumentKind.SETTLEMENTS, day_marks(mode)[0]):
            if (day := day_of(paper.body.get("day"))) is not None:
                unended.add(day)
                if paper.body.get("open", True) or paper.body.get("notReadable"):
                    unsettled.add(day)
        async for paper in self.store.marked_papers(DocumentKind.SETTLEMENTS, refused_mark(mode)):
            if (day := day_of(_part(paper.body, "refusal").get("day"))) is not None:
                unended.add(day)
                unsettled.add(day)
        shards = (self.store.due(mode, number, self.recorder.now() + ONE_DAY, MAX_OPEN) for number in range(SHARDS))
        days = {sale.day for shard in await self.each(shards, AT_ONCE) for sale in shard}  # also of a day that was never settled
        unended |= days
        unsettled |= days
        return Needed(named, frozenset(unsettled), frozenset(unended))

    async def erase(self, sale: Transaction, needed: Needed, by: str = BY_AGE, note: str | None = None) -> Hold | bool:
        """Erase the personal data of a sale. Returns why the data stays, or whether this call has erased any."""
        found: Hold | bool = False

        def bare(known: Transaction) -> Transaction:
            nonlocal found
            if (why := hold(known, needed.named, needed.unsettled)) is not None:
                found = why
                return known
            without = erased(known, at=self.recorder.now(), by=by, note=note)
            found = without is not known
            return without

        try:
            await self.recorder.update(sale, bare)
        except SaleRetired:  # by another run, meanwhile
            return False
        except UnreadableRecord:  # newer code has changed the sale meanwhile
            return Hold.NOT_READABLE
        return found

    async def retire(self, sale: Transaction, needed: Needed) -> Hold | bool:
        """Replace a sale with its tombstone. Returns why the sale stays, or that it is retired."""
        while True:
            if (why := hold(sale, needed.named, needed.unended)) is not None:
                return why
            try:
                papers = [held for fresh in discrepancies(sale) if (held := await self._discrepancy(fresh.id)) is not None]
            except UnreadableRecord:  # nobody knows whether the discrepancy is closed
                return Hold.DISCREPANCY
            if any(paper.body.get("status") == closures.OPEN for paper in papers):
                return Hold.DISCREPANCY
            try:
                await self.store.retire(sale, tombstone_of(sale, self.recorder.now()), papers)
                return True
            except Conflict:
                try:
                    sale = await self.recorder.held(sale.id)
                except SaleRetired:  # by another run, or by our own write, whose reply was lost
                    return True
                except UnreadableRecord:
                    return Hold.NOT_READABLE

    async def _discrepancy(self, paper_id: str) -> Document | None:
        return await self.store.read_paper(DocumentKind.DISCREPANCIES, paper_id)

    async def _progress(self) -> Progress:
        fresh = Progress()
        try:
            paper = await self.store.read_paper(DocumentKind.CONTROLS, progress_id(self.recorder.rules.mode))
        except UnreadableRecord as unreadable:  # logged: the runs start again, and skip finished sales
            return structs.replace(fresh, revision=unreadable.revision)
        return fresh if paper is None else progress_of(paper, business_day(self.recorder.now()))

    async def _keep(self, progress: Progress) -> Progress:
        paper = Document(progress_id(self.recorder.rules.mode), progress.body(), revision=progress.revision)
        return structs.replace(progress, revision=(await self.store.write_paper(DocumentKind.CONTROLS, paper)).revision)


class _Run:
    """The state of one run of retaining."""

    def __init__(self, at: Retaining, progress: Progress, needed: Needed, until: datetime) -> None:
        self.at, self.progress, self.needed, self.until = at, progress, needed, until
        self.began, self.today = at.recorder.moment(), business_day(at.recorder.now())
        self.examined = self.erased = self.retired = self.deleted = 0
        self.more = self.is_told = False

    @property
    def result(self) -> Retained:
        held = self.progress.all_held
        return Retained(erased=self.erased, retired=self.retired, held=held, papers=self.deleted, more=self.more)

    async def sales(self) -> None:
        """Do one page of each kind of due work in turn, so that no kind waits for another to end."""
        again = self._looked_at_again()
        walks = [again, *(walk(step) for walk in (self._caught_up, self._gone_on) for step in Step)]
        try:
            while walks:
                for walk in tuple(walks):
                    if self._is_late():
                        self.more = True
                        return
                    if walk is not again and self.examined >= MAX_SALES:
                        self.more = True
                        walks.remove(walk)
                    elif not await anext(walk, False):
                        walks.remove(walk)
        finally:
            for walk in walks:
                await walk.aclose()

    async def _looked_at_again(self) -> AsyncGenerator[bool, None]:
        """Process the sales that were needed, and those that a discrepancy has named since their erasure."""
        await self._hold_named()
        due = sorted(self.progress.held - self.needed.named.keys())
        for at in range(0, len(due), PAGE):
            ids = due[at : at + PAGE]
            ended = await self.at.each((self._again(one) for one in ids), AT_ONCE)
            await self._keep(held=self.progress.held.difference(one for one, is_done in zip(ids, ended, strict=True) if is_done))
            yield True

    async def _hold_named(self) -> None:
        """Hold each old sale that a discrepancy has named: a later erasure finds it by its id, or by its day if ids are too many."""
        closed = [
            paper
            async for paper in self.at.store.marked_papers(DocumentKind.DISCREPANCIES, f"{self.at.recorder.rules.mode}-{closures.CLOSED}")
        ]
        named = {sale_id: day for paper in closed for sale_id, day in _named(paper).items()} | {**self.needed.named}
        furthest = max((day for day, _ in self.progress.places[Step.ERASE].values()), default=date.min)
        last = max(furthest, self._last(Step.ERASE))
        old = {sale_id: day for sale_id, day in sorted(named.items()) if day is not None and day <= last and is_id(sale_id)}
        fresh = [sale_id for sale_id in old if sale_id not in self.progress.held]
        room = max(0, MAX_HELD - len(self.progress.held))
        waiting = dict(self.progress.waiting[Step.ERASE])
        for sale_id in fresh[room:]:
            one = waiting.get(old[sale_id], Waiting())
            has_begun = one[2:] != Waiting()[2:]  # the last run may have passed this sale
            waiting[old[sale_id]] = one._replace(left=max(1, one.left)) if has_begun else one
        await self._keep(held=self.progress.held.union(fresh[:room]), waiting={**self.progress.waiting, Step.ERASE: waiting})
        for paper in closed:
            with suppress(Conflict):  # the sale is open again
                await self.at.store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(paper, mark=None))

    async def _gone_on(self, step: Step) -> AsyncGenerator[bool, None]:
        """Process all sales that are old enough, from the place of the last run, in the shard that is furthest behind."""
        last = self._last(step)
        if step is Step.RETIRE:
            await self._keep(retired_up_to=max(last, self.progress.retired_up_to or date.min))
        left = set(range(SHARDS))
        while left:
            places = self.progress.places[step]
            shard = min(left, key=lambda shard: (places.get(shard, (date.min, "")), shard))
            place = places.get(shard)
            is_there = place is not None and place[0] > last  # fewer days are old enough than before
            page = () if is_there else await self._page(shard, last, place)
            if len(page) < PAGE:
                left.remove(shard)
            if page:
                outcomes = await self._done(step, page)
                await self._keep_page(step, page, outcomes, places={**self.progress.places, step: {**places, shard: page[-1][0]}})
            yield True

    async def _caught_up(self, step: Step) -> AsyncGenerator[bool, None]:
        """Process the sales of passed days, once no file is compared with them any more."""
        for day in sorted(self.progress.waiting[step]):
            if day > self._last(step) or self._is_compared(step, day):
                continue
            shard, sale_id = self.progress.waiting[step][day][2:]
            while shard < SHARDS:
                page = await self._page(shard, day, (day, sale_id))
                await self._keep_page(step, page, await self._done(step, page))
                shard, sale_id = (shard, page[-1][0][1]) if len(page) == PAGE else (shard + 1, FIRST)
                if page or shard == SHARDS:
                    await self._keep_caught_up(step, day, shard, sale_id, len(page))
                yield True

    async def _keep_caught_up(self, step: Step, day: date, shard: int, sale_id: str, looked_at: int) -> None:
        waiting = dict(self.progress.waiting[step])
        one = waiting.pop(day)
        if shard < SHARDS:
            waiting[day] = Waiting(max(0, one.sales - looked_at), one.left, shard, sale_id)
        elif one.left:  # for another pass
            waiting[day] = Waiting(sales=one.left)
        await self._keep(waiting={**self.progress.waiting, step: waiting})

    async def papers(self) -> None:
        """Delete the documents of days whose sales are all retired, and old decisions of operators."""
        last = self.at.retention.retires_up_to(self.today)
        days: list[date] = []
        async for paper in self.at.store.marked_papers(DocumentKind.SETTLEMENTS, day_marks(self.at.recorder.rules.mode)[1]):
            if (day := day_of(paper.body.get("day"))) is not None and day > last:
                break
            days += [] if day is None else [day]
        done = looked_at = 0
        for day in days:
            if done == MAX_DAYS or (looked_at >= MAX_DAYS and self._is_late()):
                break
            if not any(near in self.needed.unended for near in around(day)):
                looked_at += 1
                if not await self.at.store.any_of_day(self.at.recorder.rules.mode, day):
                    done += await self._day_deleted(day)
        for mark in (f"{self.at.recorder.rules.mode}-selling", f"{self.at.recorder.rules.mode}-erasures"):
            await self._decisions_deleted(mark, datetime.combine(last, datetime.min.time(), BUSINESS_TIME))

    async def _day_deleted(self, day: date) -> bool:
        """Delete the versions of a day first, with its discrepancies, and the day last, so that no version is ever orphaned."""
        mode = self.at.recorder.rules.mode
        paper = await self._paper(DocumentKind.SETTLEMENTS, f"{mode}-{day.isoformat()}")
        if paper is None or paper.mark != day_marks(mode)[1]:  # another run or a settlement has changed the document
            return False
        try:
            kept = await self._versions(paper.id)
            found = (one for body in (paper.body, *(one.body for one in kept)) for one in _rows(body, "discrepancies"))
            own = sorted({f"{mode}-{one['id']}" for one in found if one.get("day") == day.isoformat() and is_id(one.get("id"))})
            papers = [one for name in own if (one := await self._paper(DocumentKind.DISCREPANCIES, name)) is not None]
            runs = await self._paper(DocumentKind.SETTLEMENTS, runs_id(mode, day))
        except UnreadableRecord:  # logged: nobody knows which discrepancies the document names, and whether they are closed
            return False
        if any(one.body.get("status") == closures.OPEN for one in papers):
            return False
        await self._deleted(DocumentKind.DISCREPANCIES, papers)
        await self._deleted(DocumentKind.SETTLEMENTS, [*reversed(kept), *([] if runs is None else [runs]), paper])
        return True

    async def _versions(self, day_id: str) -> list[Document]:
        """Delete every version of a day; its number may be damaged. The last version goes first, so that no version stands behind a gap."""
        kept: list[Document] = []
        while (one := await self._paper(DocumentKind.SETTLEMENTS, f"{day_id}-v{len(kept) + 1:04d}")) is not None:
            kept.append(one)
        return kept

    async def _decisions_deleted(self, mark: str, before: datetime) -> None:
        old: list[Document] = []
        async for paper in self.at.store.marked_papers(DocumentKind.CONTROLS, mark):
            at = _moment(paper.body.get("at"))
            if len(old) == MAX_DELETED or (at is not None and at >= before):
                break
            old += [] if at is None else [paper]  # a damaged document stays: nobody knows its age
        await self._deleted(DocumentKind.CONTROLS, old)

    async def _deleted(self, kind: DocumentKind, papers: Sequence[Document]) -> None:
        for at in range(0, len(papers), MAX_DELETED):
            await self.at.store.delete_papers(kind, papers[at : at + MAX_DELETED])
            self.deleted += len(papers[at : at + MAX_DELETED])

    async def _paper(self, kind: DocumentKind, paper_id: str) -> Document | None:
        return await self.at.store.read_paper(kind, paper_id)

    async def _page(self, shard: int, last: date, place: Place | None) -> Sequence[Placed]:
        page = await self.at.store.up_to_day(self.at.recorder.rules.mode, shard, last, place, PAGE)
        self.examined += len(page)
        return page

    async def _again(self, sale_id: str) -> bool:
        """Whether a held sale is released: by its age, the sale is erased or retired now."""
        try:
            sale = await self.at.store.find(sale_id)
            if sale is None:
                return True
            if sale.day > self._last(Step.ERASE):  # the sale was old enough before: retention is longer now, or the clock went back
                return False
            found = await self._erased(sale)
            if sale.day <= self._last(Step.RETIRE):
                found = await self._retired(await self.at.recorder.held(sale_id))
        except SaleRetired:
            return True
        except UnreadableRecord:
            return False
        return not isinstance(found, Hold)

    async def _erased(self, sale: Transaction | Unread) -> Hold | bool:
        if isinstance(sale, Unread):
            return Hold.NOT_READABLE
        found = await self.at.erase(sale, self.needed)
        self.erased += found is True
        return found

    async def _retired(self, sale: Transaction | Unread) -> Hold | bool:
        if isinstance(sale, Unread):
            return Hold.NOT_READABLE
        found = await self.at.retire(sale, self.needed)
        self.retired += found is True
        return found

    def _last(self, step: Step) -> date:
        """The last business day whose sales are old enough for a step."""
        retention = self.at.retention
        match step:
            case Step.ERASE:
                return retention.erases_up_to(self.today)
            case Step.RETIRE:
                return retention.retires_up_to(self.today)
            case _:
                assert_never(step)

    def _is_compared(self, step: Step, day: date) -> bool:
        """Whether files are still compared with the sales of a day."""
        match step:
            case Step.ERASE:
                days = self.needed.unsettled
            case Step.RETIRE:
                days = self.needed.unended
            case _:
                assert_never(step)
        return any(near in days for near in around(day))

    def _is_late(self) -> bool:
        return self.began.latest(self.at.recorder.moment()) >= self.until

    async def _done(self, step: Step, page: Sequence[Placed]) -> Sequence[Hold | bool]:
        match step:
            case Step.ERASE:
                do = self._erased
            case Step.RETIRE:
                do = self._retired
            case _:
                assert_never(step)
        return await self.at.each((do(sale) for _, sale in page), AT_ONCE)

    async def _keep_page(self, step: Step, page: Sequence[Placed], outcomes: Sequence[Hold | bool], **changed: Any) -> None:
        """Store the progress of a step and the sales that it held: compared sales as days, other sales by their ids."""
        held, waiting = set(self.progress.held), dict(self.progress.waiting[step])
        for ((day, placed_at), sale), found in zip(page, outcomes, strict=True):
            if not isinstance(found, Hold) or sale.id in held:
                continue
            known, is_compared = waiting.get(day, Waiting()), self._is_compared(step, day)
            if is_compared:
                waiting[day] = known._replace(sales=known.sales + 1)
            elif len(held) < MAX_HELD or placed_at != sale.id:
                held.add(sale.id)
            else:
                waiting[day] = known._replace(left=known.left + 1)
                self._tell_many(len(held))
        await self._keep(held=frozenset(held), waiting={**self.progress.waiting, step: waiting}, **changed)

    def _tell_many(self, held: int) -> None:
        if not self.is_told:
            log.error("too many old sales still needed", held=held)
        self.is_told = True

    async def _keep(self, **changed: Any) -> None:
        progress = structs.replace(self.progress, **changed)
        if progress != self.progress:
            self.progress = await self.at._keep(progress)


def _named(paper: Document) -> dict[str, date | None]:
    """The ids of the sales that a discrepancy names, each with its business day as far as known."""
    ours = _part(paper.body, "ours")
    named: dict[str, date | None] = {sale_id: None for sale_id in (ours.get("alsoHeldBy"),) if isinstance(sale_id, str)}
    if isinstance(sale_id := paper.body.get("transactionId"), str):
        named[sale_id] = day_of(ours.get("day"))
    return named


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a document, which may be damaged."""
    part = body.get(name)
    return part if isinstance(part, Mapping) else {}


def _rows(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = body.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
