"""Retaining: the run that takes personal data out of old sales, and years later leaves only their tombstones.

Like selling, it awaits its ports and nothing else. It walks each shard's sales in the order of their days, from where the last run
has come to, and remembers by their ids those that are still needed. Whatever is cut short is gone on with by the next run, and two
runs at once do no harm: each change is made to the sale as it is on record then, and only if nothing needs it then.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from msgspec import structs

from shared import closures, logs
from shared.contradiction import discrepancies
from shared.reconciling import Each
from shared.recording import Recording
from shared.retention import BY_AGE, ONE_DAY, Hold, Retention, around, erased, hold, tombstone_of
from shared.settlement_papers import day_marks, progress_id, refused_mark, runs_id
from shared.store import MOST_DELETED, Books, Conflict, Paper, PaperKind, Place, Placed, SaleRetired, UnreadableRecord
from shared.transaction import BUSINESS_TIME, SHARDS, Transaction, business_day
from shared.unread import Unread
from shared.value import Value

AT_ONCE: Final = 16
PAGE: Final = 100  # sales that one query reads
MOST_SALES: Final = 20_000  # that one run looks at
MOST_HELD: Final = 5_000  # ids of sales that are still needed: a paper of them stays small
MOST_OPEN: Final = 200  # sales of a shard
MOST_DAYS: Final = 50  # whose papers one run deletes

log = logs.logger(__name__)


class Needed(NamedTuple):
    """What is needed besides what a sale itself says: see `retention.hold`. `unended` are the days that are not settled for good.

    `named` holds, by the ids of the sales that open discrepancies name, the business day of each as far as it is known.
    """

    named: Mapping[str, date | None]
    unsettled: frozenset[date]
    unended: frozenset[date]


class Retained(Value, frozen=True, kw_only=True):
    """What a run did, in sales, and in papers deleted. `held` are still needed; `more`: there was no time for all."""

    erased: int
    retired: int
    held: int
    papers: int
    more: bool


class Progress(Value, frozen=True, kw_only=True):
    """How far the runs have come: behind which place of each shard sales are still to be looked at, and which were left behind."""

    erased: Mapping[int, Place]
    retired: Mapping[int, Place]
    held: frozenset[str]
    retired_up_to: date | None = None
    revision: str | None = None

    def body(self) -> dict[str, Any]:
        return {
            "erased": {str(shard): [day.isoformat(), sale_id] for shard, (day, sale_id) in self.erased.items()},
            "retired": {str(shard): [day.isoformat(), sale_id] for shard, (day, sale_id) in self.retired.items()},
            "held": sorted(self.held),
            "retiredUpTo": None if self.retired_up_to is None else self.retired_up_to.isoformat(),
        }


class Retaining(Recording, frozen=True, kw_only=True):
    """Erases and retires, over the ports."""

    store: Books
    each: Each
    retention: Retention

    async def retain(self, until: datetime) -> Retained:
        """Take personal data out of the sales that are old enough for it, and retire those that are kept no longer, oldest first.

        Begins with no sale after `until`, and with at most about `MOST_SALES`.

        Raises:
            StoreUnavailable: what was done stays done; the next run goes on.
        """
        run = _Run(self, await self._progress(), await self.needed(), until)
        try:
            await run.held_before()
            await run.erase()
            await run.retire()
            await run.papers()
        except Conflict:  # another run is at it: what this one did is on record, and that one goes on
            run.more = True
        return run.result

    async def needed(self) -> Needed:
        """What discrepancies and days still need."""
        mode, named, unsettled, unended = self.rules.mode, dict[str, date | None](), set[date](), set[date]()
        async for paper in self.store.marked_papers(PaperKind.DISCREPANCIES, f"{mode}-{closures.OPEN}"):
            ours = _part(paper.body, "ours")
            named.update({sale_id: None for sale_id in (ours.get("alsoHeldBy"),) if isinstance(sale_id, str)})
            if isinstance(sale_id := paper.body.get("transactionId"), str):
                named[sale_id] = _day(ours.get("day"))
        async for paper in self.store.marked_papers(PaperKind.SETTLEMENTS, day_marks(mode)[0]):
            if (day := _day(paper.body.get("day"))) is not None:
                unended.add(day)
                if paper.body.get("open", True) or paper.body.get("notReadable"):
                    unsettled.add(day)
        async for paper in self.store.marked_papers(PaperKind.SETTLEMENTS, refused_mark(mode)):
            if (day := _day(_part(paper.body, "refusal").get("day"))) is not None:
                unended.add(day)
                unsettled.add(day)
        shards = (self.store.due(mode, number, self.now() + ONE_DAY, MOST_OPEN) for number in range(SHARDS))
        days = {sale.day for shard in await self.each(shards, AT_ONCE) for sale in shard}  # also of a day that was never settled
        unended |= days
        unsettled |= days
        return Needed(named, frozenset(unsettled), frozenset(unended))

    async def erase(self, sale: Transaction, needed: Needed, by: str = BY_AGE, note: str | None = None) -> Hold | bool:
        """Take the personal data out of a sale: why it stays, or whether there was any that this has taken out."""
        found: Hold | bool = False

        def bare(known: Transaction) -> Transaction:
            nonlocal found
            if (why := hold(known, needed.named, needed.unsettled)) is not None:
                found = why
                return known
            without = erased(known, at=self.now(), by=by, note=note)
            found = without is not known
            return without

        with suppress(SaleRetired):  # by another run, meanwhile
            await self.change(sale, bare)
        return found

    async def retire(self, sale: Transaction, needed: Needed) -> Hold | bool:
        """Leave only a sale's tombstone: why it stays, or that it is done."""
        while True:
            if (why := hold(sale, needed.named, needed.unended)) is not None:
                return why
            papers = [held for fresh in discrepancies(sale) if (held := await self._discrepancy(fresh.id)) is not None]
            if any(paper.body.get("status") == closures.OPEN for paper in papers):
                return Hold.DISCREPANCY
            try:
                await self.store.retire(sale, tombstone_of(sale, self.now()), papers)
                return True
            except Conflict:
                try:
                    sale = await self._held(sale.id)
                except SaleRetired:  # by another run, or by our own try, whose reply was lost
                    return True

    async def _discrepancy(self, paper_id: str) -> Paper | None:
        return await self.store.read_paper(PaperKind.DISCREPANCIES, paper_id)

    async def _progress(self) -> Progress:
        fresh = Progress(erased={}, retired={}, held=frozenset())
        try:
            paper = await self.store.read_paper(PaperKind.CONTROLS, progress_id(self.rules.mode))
        except UnreadableRecord as unreadable:  # which was reported: the runs begin again, and find what is done already
            return structs.replace(fresh, revision=unreadable.revision)
        return fresh if paper is None else progress_of(paper)

    async def _keep(self, progress: Progress) -> Progress:
        paper = Paper(progress_id(self.rules.mode), progress.body(), revision=progress.revision)
        return structs.replace(progress, revision=(await self.store.write_paper(PaperKind.CONTROLS, paper)).revision)


class _Run:
    """One run of retaining: what it has come to."""

    def __init__(self, at: Retaining, progress: Progress, needed: Needed, until: datetime) -> None:
        self.at, self.progress, self.needed, self.until = at, progress, needed, until
        self.began, self.today = at.moment(), business_day(at.now())
        self.examined = self.erased = self.retired = self.deleted = 0
        self.more = False

    @property
    def result(self) -> Retained:
        held = len(self.progress.held)
        return Retained(erased=self.erased, retired=self.retired, held=held, papers=self.deleted, more=self.more)

    async def held_before(self) -> None:
        """Look again at the sales that were needed, and at those that a discrepancy has named since they were erased."""
        last = self.at.retention.erases_up_to(self.today)
        old = {sale_id for sale_id, day in self.needed.named.items() if day is not None and day <= last}
        held = self.progress.held | old
        due = sorted(held - self.needed.named.keys())
        done: set[str] = set()
        for at in range(0, len(due), PAGE):
            if self._is_over():
                break
            ids = due[at : at + PAGE]
            ended = await self.at.each((self._again(one) for one in ids), AT_ONCE)
            done |= {one for one, is_done in zip(ids, ended, strict=True) if is_done}
        await self._keep(held=held - done)

    async def erase(self) -> None:
        """Take the personal data out of all sales that are old enough, from where the last run has come to."""
        last = self.at.retention.erases_up_to(self.today)
        for shard in range(SHARDS):
            place, is_last = self.progress.erased.get(shard), False
            while not is_last and not self._is_over():
                page = await self._page(shard, last, place)
                is_last = len(page) < PAGE
                if page:
                    outcomes = await self.at.each((self._erased(one) for _, one in page), AT_ONCE)
                    place = page[-1][0]
                    await self._keep_page(page, outcomes, erased={**self.progress.erased, shard: place})

    async def retire(self) -> None:
        """Make tombstones of all sales that are kept no longer."""
        last = self.at.retention.retires_up_to(self.today)
        if last > (self.progress.retired_up_to or date.min):
            await self._keep(retired_up_to=last)
        for shard in range(SHARDS):
            place, is_last = self.progress.retired.get(shard), False
            while not is_last and not self._is_over():
                page = await self._page(shard, last, place)
                is_last = len(page) < PAGE
                if page:
                    outcomes = await self.at.each((self._retired(one) for _, one in page), AT_ONCE)
                    place = page[-1][0]
                    await self._keep_page(page, outcomes, retired={**self.progress.retired, shard: place})

    async def papers(self) -> None:
        """Delete the papers of days whose sales are all retired, and what people decided long ago."""
        last = self.at.retention.retires_up_to(self.today)
        days: list[date] = []
        async for paper in self.at.store.marked_papers(PaperKind.SETTLEMENTS, day_marks(self.at.rules.mode)[1]):
            if (day := _day(paper.body.get("day"))) is not None and day > last:
                break
            days += [] if day is None else [day]
        done = 0
        for day in days:
            is_needed = any(near in self.needed.unended for near in around(day))
            if done < MOST_DAYS and not (is_needed or self._is_over() or await self.at.store.any_of_day(self.at.rules.mode, day)):
                done += await self._day_deleted(day)
        for mark in (f"{self.at.rules.mode}-selling", f"{self.at.rules.mode}-erasures"):
            await self._decisions_deleted(mark, datetime.combine(last, datetime.min.time(), BUSINESS_TIME))

    async def _day_deleted(self, day: date) -> bool:
        """The versions of a day first, with its discrepancies, and the day itself last: so nothing of it is ever forgotten."""
        mode = self.at.rules.mode
        paper = await self._paper(PaperKind.SETTLEMENTS, f"{mode}-{day.isoformat()}")
        if paper is None or paper.mark != day_marks(mode)[1]:  # another run, or a settlement, has been there since
            return False
        versions = [f"{paper.id}-v{number:04d}" for number in range(1, _count(paper.body.get("version")) + 1)]
        kept = [one for name in (*versions, runs_id(mode, day)) if (one := await self._paper(PaperKind.SETTLEMENTS, name)) is not None]
        found = (one for body in (paper.body, *(one.body for one in kept)) for one in _rows(body, "discrepancies"))
        own = sorted({f"{mode}-{one.get('id')}" for one in found if one.get("day") == day.isoformat()})
        papers = [one for name in own if (one := await self._paper(PaperKind.DISCREPANCIES, name)) is not None]
        if any(one.body.get("status") == closures.OPEN for one in papers):
            return False
        await self._deleted(PaperKind.DISCREPANCIES, papers)
        await self._deleted(PaperKind.SETTLEMENTS, [*kept, paper])
        return True

    async def _decisions_deleted(self, mark: str, before: datetime) -> None:
        old: list[Paper] = []
        async for paper in self.at.store.marked_papers(PaperKind.CONTROLS, mark):
            at = _moment(paper.body.get("at"))
            if len(old) == MOST_DELETED or (at is not None and at >= before):
                break
            old += [] if at is None else [paper]  # one that is damaged stays: nobody knows how old it is
        await self._deleted(PaperKind.CONTROLS, old)

    async def _deleted(self, kind: PaperKind, papers: Sequence[Paper]) -> None:
        for at in range(0, len(papers), MOST_DELETED):
            await self.at.store.delete_papers(kind, papers[at : at + MOST_DELETED])
            self.deleted += len(papers[at : at + MOST_DELETED])

    async def _paper(self, kind: PaperKind, paper_id: str) -> Paper | None:
        return await self.at.store.read_paper(kind, paper_id)

    async def _page(self, shard: int, last: date, place: Place | None) -> Sequence[Placed]:
        page = await self.at.store.up_to_day(self.at.rules.mode, shard, last, place, PAGE)
        self.examined += len(page)
        return page

    async def _again(self, sale_id: str) -> bool:
        """Whether a sale that was held is no longer: because of its age, it is erased or retired now."""
        try:
            sale = await self.at.store.find(sale_id)
            if sale is None or sale.day > self.at.retention.erases_up_to(self.today):
                return True
            found = await self._erased(sale)
            if sale.day <= self.at.retention.retires_up_to(self.today):
                found = await self._retired(await self.at._held(sale_id))
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

    def _is_over(self) -> bool:
        """Whether there is no time, or no room, for more."""
        if len(self.progress.held) > MOST_HELD:
            if not self.more:
                log.error("too many old sales still needed", held=len(self.progress.held))
        elif self.examined < MOST_SALES and self.began.latest(self.at.moment()) < self.until:
            return False
        self.more = True
        return True

    async def _keep_page(self, page: Sequence[Placed], outcomes: Sequence[Hold | bool], **changed: Any) -> None:
        held = {sale.id for (_, sale), found in zip(page, outcomes, strict=True) if isinstance(found, Hold)}
        await self._keep(held=self.progress.held | held, **changed)

    async def _keep(self, **changed: Any) -> None:
        progress = structs.replace(self.progress, **changed)
        if progress != self.progress:
            self.progress = await self.at._keep(progress)


def progress_of(paper: Paper) -> Progress:
    """How far the runs have come. What cannot be read is begun again: all that they do may be done twice."""
    body, held = paper.body, paper.body.get("held")
    return Progress(
        erased=_places(body.get("erased")),
        retired=_places(body.get("retired")),
        held=frozenset(one for one in (held if isinstance(held, list) else ()) if isinstance(one, str)),
        retired_up_to=_day(body.get("retiredUpTo")),
        revision=paper.revision,
    )


def _places(stored: Any) -> dict[int, Place]:
    try:
        return {int(shard): (date.fromisoformat(day), str(sale_id)) for shard, (day, sale_id) in stored.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a paper, which may be damaged."""
    part = body.get(name)
    return part if isinstance(part, Mapping) else {}


def _rows(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = body.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _count(number: object) -> int:
    return number if type(number) is int else 0


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
