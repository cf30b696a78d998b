"""Settling: compares each business day's sales with the supplier's file, and stores the discrepancies and the settled day.

The runner awaits its ports and nothing else. For each day it reads the files and our sales, and compares. It looks up the sales that
unexplained lines name, records what the files prove, and compares again. Then it stores discrepancies and the day. The runner writes
nothing before it has read every file to its end. All writes are idempotent: the next run finishes a run that was cut short.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any, Final, Protocol

from msgspec import structs

from shared.domain.clock import business_day
from shared.domain.identifiers import one_spelling
from shared.domain.sale_summary import Sold, seen
from shared.domain.statement import StatementLine
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import SHARDS, State, Transaction
from shared.domain.unread import Unread
from shared.lib import logs
from shared.lib.value import Value
from shared.ports.concurrency import Each
from shared.ports.documents import Conflict, Document, Documents, StoreUnavailable, UnreadableRecord
from shared.ports.settlement_files import Answered, Files, Found, FoundFiles, NotTaken, Reading, Refusal, StatementRefused, StoredFile
from shared.ports.transactions import LookupBy, TransactionIndex
from shared.settlement.comparison import around, compare, files_needed
from shared.settlement.file_selection import to_the_end
from shared.settlement.matching import ONE_DAY, Filed, FileInterpretation
from shared.settlement.past_files import PastFiles, Read
from shared.settlement.proving import Proving
from shared.settlement.repository import AT_ONCE, DayPapers, Runs, with_healed
from shared.settlement.settled_day import Json, ResolvedBySettlement, SettledDay
from shared.settlement.turns import Standing, around_asked, in_turn, is_foreign
from shared.settlement.withdrawn_lines import Earlier, Past, withdrawn
from shared.vending.recorder import Recorder

NOT_READABLE: Final = "what is on record of the day cannot be read by this version"
FIRST_DAY: Final = date(2020, 1, 1)
WINDOW: Final = timedelta(days=28)  # how far back a run looks for new files; a day that has not ended is settled at any age
MAX_LOOKED_UP: Final = 1_000  # lines of a day that name no sale of these days: a file of strangers deserves no more look-ups
MAX_NAMED_IN_LOG: Final = 20  # of the files that are not taken
TRIES: Final = 3  # for a day that two runs write

log = logs.logger(__name__)


class NoBusinessDay(Exception):
    """The day has not begun, or lies before the first business day: there is nothing to settle."""


class Archive(TransactionIndex, Documents, Protocol):
    """A store with both sales and documents."""


class RefusedDay(Value, frozen=True):
    """A day that did not change, because a file that the day needs was refused."""

    day: date
    refusal: Refusal


class Settled(Value, frozen=True, kw_only=True):
    """The outcome of a run: stored days, refused days, days without time, and file names that are not taken."""

    days: tuple[Json, ...]
    refused: tuple[RefusedDay, ...]
    left: tuple[date, ...]
    not_taken: tuple[NotTaken, ...] = ()
    more_not_taken: int = 0


@dataclass(slots=True)
class _Evidence:
    """The facts for a day's comparison.

    `beyond` are days, besides the neighbours, whose files matter. `older` are sales of other days that a line named. `asked` are the
    lines that were looked up. `unread` are unreadable sales, of these days or named by a line. `retired` are the ids of `older` that have
    only a tombstone left.
    """

    sold: dict[str, Sold]
    unread: dict[str, Unread]
    beyond: set[date]
    retired: set[str] = field(default_factory=set)
    older: dict[str, Sold] = field(default_factory=dict)
    asked: set[tuple[str, str]] = field(default_factory=set)
    not_asked: int = 0

    @property
    def all(self) -> list[Sold]:
        return [*self.older.values(), *self.sold.values()]

    @property
    def unvended(self) -> frozenset[str]:
        """The request ids of the sales that are not recorded as vended."""
        return frozenset(sale.request_id for sale in self.all if sale.state is not State.VENDED)

    @property
    def unread_days(self) -> frozenset[date]:
        """The days with a sale that cannot be read."""
        return frozenset(one.day for one in self.unread.values() if one.day is not None)

    @property
    def retired_days(self) -> frozenset[date]:
        return frozenset(self.older[one].day for one in self.retired)

    def known(self, sale_id: str) -> Sold | None:
        return self.sold.get(sale_id) or self.older.get(sale_id)

    def apply_answer(self, sales: Collection[Transaction | Unread | Tombstone]) -> bool:
        """Add sales as recorded. Returns whether any of them was new."""
        self.retired.update(one.id for one in sales if isinstance(one, Tombstone))
        fresh = [one for one in map(seen, sales) if (one.id not in self.unread if isinstance(one, Unread) else self.known(one.id) != one)]
        for one in fresh:
            if isinstance(one, Unread):
                self.unread[one.id] = one
            else:
                (self.sold if one.id in self.sold else self.older)[one.id] = one
        return bool(fresh)


@dataclass(slots=True)
class _Run:
    """The state of one run: stored days, days in work, days that are settled once more at its end, refused days, days without time."""

    today: date
    bodies: dict[date, Json]
    begun: list[date] = field(default_factory=list)
    once_more: list[date] = field(default_factory=list)
    refused: dict[date, Refusal] = field(default_factory=dict)
    left: list[date] = field(default_factory=list)

    def outcome(self, shown: Sequence[date], not_taken: tuple[NotTaken, ...], more_not_taken: int) -> Settled:
        """The outcome of the run for the days in `shown`."""
        return Settled(
            days=tuple(self.bodies[one] for one in shown if one not in self.refused and one not in self.left),
            refused=tuple(RefusedDay(one, self.refused[one]) for one in shown if one in self.refused),
            left=tuple(sorted(self.left)),
            not_taken=not_taken,
            more_not_taken=more_not_taken,
        )

    def look_again_at(self, day: date) -> None:
        """Settle a day once more after all other days."""
        if day not in self.once_more:
            self.once_more.append(day)


class Settling(Value, frozen=True, kw_only=True):
    """Settles days, over the ports. Two runs at once do no harm: each finds the other's writes."""

    recorder: Recorder
    store: Archive
    each: Each
    files: Files
    readings: FileInterpretation

    async def settle(self, day: date | None, until: datetime) -> Settled:
        """Settle a day; without one, every unsettled day up to yesterday. After `until` the run begins no other day.

        The neighbours of a day are settled too if its file is new to them. Without a day, days near new files go first. The outcome holds
        the requested day, or all days of the run, oldest first.

        Raises:
            NoBusinessDay: the day has not begun, or lies before all sales, files and settled days.
            FilesUnavailable, StoreUnavailable: the days before the failed one are settled; repeat the call.
            UnreadableRecord: the record of the requested day cannot be read.
        """
        today = business_day(self.recorder.now())
        if day is not None and not (FIRST_DAY <= day <= today and await self._is_of_business(day, today)):
            raise NoBusinessDay(day.isoformat())
        shown = [day] if day is not None else await self._unsettled(today)
        run, turns, found = await self._begun(day, shown, today)
        for one in chain(turns, run.once_more):
            if self.recorder.now() >= until and one != day:
                run.left.append(one)
            else:
                await self._take_turn(one, run, is_asked_for=one == day)
        not_taken, more = _not_taken(found)
        if run.left:
            log.error("days left unsettled", days=[one.isoformat() for one in sorted(run.left)])
        return run.outcome(shown, not_taken, more)

    async def _begun(self, day: date | None, shown: Sequence[date], today: date) -> tuple[_Run, Sequence[date], Found]:
        """A run at its start: the stored days, the days in the order of their turns, and the files near them."""
        candidates = shown if day is None else [day - ONE_DAY, day, day + ONE_DAY]
        standing = await self.each((self._standing(one) for one in candidates), AT_ONCE)
        found = await self.files.find(frozenset(near for one in standing for near in one.files))
        turns = in_turn(standing, found, today - ONE_DAY) if day is None else around_asked(standing, found, day)
        return _Run(today, {one.day: dict(one.paper.body) for one in standing if one.paper is not None}), turns, found

    async def _take_turn(self, day: date, run: _Run, *, is_asked_for: bool) -> None:
        """Settle one day of a run. A day that is refused leaves the others their turns.

        Raises:
            UnreadableRecord: the run was asked for this day, and its record cannot be read.
        """
        try:
            await self._settle_day(day, run)
        except StatementRefused as error:
            run.refused[day] = error.refusal
            await self._refuse(day, error.refusal)
        except UnreadableRecord:  # logged where the record was read
            if is_asked_for:
                raise
            run.refused[day] = Refusal("", "", NOT_READABLE)

    async def _is_of_business(self, day: date, today: date) -> bool:
        """Whether a day can be settled. Every later run would miss a mistyped day, whose file never arrives."""
        return await self._has_anything(day) or day >= (await self._window(today))[0]

    async def _has_anything(self, day: date) -> bool:
        """Whether a day has a sale, a document or a file. The file of a retired day has no sales to be compared with."""
        if await self.store.any_of_day(self.recorder.rules.mode, day) or await self._papers.is_begun(day):
            return True
        return day in await self.files.find([day]) and not await self._papers.is_retired(day)

    async def _unsettled(self, today: date) -> list[date]:
        """The days up to yesterday that may not have ended: those of the last weeks, and older days that are recorded as unended.

        A refused day stays in the list until it is settled. A refused day that turns out to have no sale, document or file is dropped.
        """
        days = {*await self._window(today), *(day for day in await self._papers.unended() if day < today)}
        for day in await self._papers.refused():
            if day < today and day not in days:
                if await self._has_anything(day):
                    days.add(day)
                else:
                    await self._papers.refuse(day, None)
        return sorted(days)

    async def _window(self, today: date) -> list[date]:
        """The days up to yesterday, from the first day of the last weeks that was settled or has a file.

        Days with sales right before the first day belong to the window too. A refused file counts: its day has no settled document, and a
        better file may arrive after the next day was settled. Another merchant's file does not count.
        """
        days = [today - ONE_DAY * back for back in range(WINDOW.days, 0, -1)]
        settled = await self._papers.first_since(days[0])
        found = await self.files.find(days)
        ours = [day for day, file in found.items() if not is_foreign(file)]
        first = min([*ours, *([settled] if settled is not None and settled < today else []), days[-1]])
        while first > days[0] and await self.store.any_of_day(self.recorder.rules.mode, first - ONE_DAY):
            first -= ONE_DAY
        return [day for day in days if day >= first]

    async def _standing(self, day: date) -> Standing:
        try:
            return Standing(day, await self._papers.day(day), await self._papers.runs(day))
        except UnreadableRecord:  # as if the day were new: its turn meets the unreadable record again
            return Standing(day, None, Runs())

    async def _settle_day(self, day: date, run: _Run) -> None:
        for _ in range(TRIES):
            try:
                run.begun.append(day)
                run.bodies[day] = await self._settled(day, run)
                return
            except Conflict:  # another run wrote a document first
                continue
            finally:
                run.begun.remove(day)
        raise StoreUnavailable("other runs keep changing the day")

    async def _settled(self, day: date, run: _Run) -> Json:
        before, runs = await self._papers.day(day), await self._papers.runs(day)
        read: Read[Any] = await self._read(day, files_needed(day), runs, to_the_end)  # before the sales, which take longest
        evidence = _Evidence(*await self._sold(*around(day)), beyond=set(runs.beyond))
        earlier = await self._past.earlier(read.files, evidence.unvended)
        past, unsettled = Past(lines=_lines(earlier), distrusted=evidence.unread_days), set[date]()
        while True:
            needed = files_needed(day, evidence.older.values()) | evidence.beyond
            with_all = partial(compare, day, evidence.all, unread=tuple(evidence.unread.values()), past=past)
            comparing = partial(with_all, mode=self.recorder.rules.mode, today=run.today, readings=self.readings)
            read = await self._read(day, needed, runs, comparing)
            settled = read.made
            if evidence.apply_answer(await self._named_by(settled.strangers, evidence)):
                continue
            if settled.wanted - evidence.beyond and await self._is_any_there(settled.wanted, evidence):
                continue
            lacks = await self._past.lacking(settled, read.files, runs.lacking, earlier, before)
            doubted = await self._past.doubted(settled, read.files, lacks, earlier, lists_all=not evidence.not_asked)
            unsettled |= doubted.unsettled
            if (fuller := past.merged_with(withdrawn(settled, lacks, earlier.get(day, ())), doubted.days)) != past:
                past = fuller
                continue
            if named_later := await self._named_later(day, settled, evidence, run.today):
                evidence.beyond |= named_later
                continue
            runs = await self._papers.keep_runs(day, runs, structs.replace(runs, healed=with_healed(runs.healed, settled.healed)))
            if not evidence.apply_answer(await self._proving.record(_without(settled, evidence.retired))):
                break
        for one in sorted({*settled.reached, *_carried_in(before)} - {*around(day), *run.begun} - evidence.retired_days):
            await self._bring_up_to_date(one, day, read, run)
        complete = structs.replace(settled, healed=_still_resolved(runs, evidence), left_out=_left_out(evidence))
        reviewed = await self._papers.review(complete, before)
        body = await self._papers.keep_day(reviewed, before)
        beyond = settled.wanted.union(one.billed_on for one in settled.carried_out if one.billed_on is not None) - set(around(day))
        await self._papers.keep_runs(day, runs, read.ended(day, runs, beyond, lacks, unsettled, earlier))
        if unsettled:
            run.look_again_at(day)
        if settled.file is None:
            log.error("settlement file missing", day=day)
        return body

    async def _named_later(self, day: date, settled: SettledDay, evidence: _Evidence, today: date) -> frozenset[date]:
        """The later days whose files already exist and name a sale that absence would end: late files may all arrive at once."""
        if not settled.absent:
            return frozenset()
        request_ids = frozenset(sold.request_id for one in settled.absent if (sold := evidence.known(one)) is not None)
        later = {day + back * ONE_DAY for back in range(2, min(WINDOW, today - day).days + 1)}
        return await self._past.naming(later - evidence.beyond, request_ids)

    async def _bring_up_to_date(self, day: date, billed_on: date, read: Read[Any], run: _Run) -> None:
        """Settle an old day whose sale a file bills, or billed in the last run, unless the day was settled with that file.

        A day that was never settled, or is refused, only records the file for its first settlement.
        """
        try:
            runs = await self._papers.runs(day)
            file = read.files.get(billed_on)
            if file is None or runs.files.get(billed_on.isoformat()) == file.known_as:
                return
            await self._papers.keep_runs(day, runs, structs.replace(runs, beyond=tuple(sorted({*runs.beyond, billed_on}))))
            if await self._papers.day(day) is None:
                return
            await self._settle_day(day, run)
        except StatementRefused as error:
            await self._refuse(day, error.refusal)
        except UnreadableRecord:  # the unreadable record was logged, and stops no other day
            return

    async def _refuse(self, day: date, refusal: Refusal) -> None:
        """Log and store why a day was refused."""
        _tell_refused(day, refusal)
        await self._papers.refuse(day, refusal)

    async def _is_any_there(self, wanted: frozenset[date], evidence: _Evidence) -> bool:
        """Whether any of these days has a further file to read. The days stay in `beyond`, because their files may still arrive."""
        fresh = wanted - evidence.beyond
        evidence.beyond |= fresh
        return any(isinstance(file, StoredFile) for file in (await self.files.find(fresh)).values())

    async def _sold(self, *days: date) -> tuple[dict[str, Sold], dict[str, Unread]]:
        """The sales of these days, and the unreadable ones among them. Nobody knows whether an unreadable sale vended."""
        asked = [(day, shard) for day in days for shard in range(SHARDS)]
        parts = await self.each((self._shard(day, shard) for day, shard in asked), AT_ONCE)
        sold = {sale.id: sale for part in parts for sale in part if isinstance(sale, Sold)}
        if sum(map(len, parts)) == len(sold):
            return sold, {}
        of_days = [(day, sale) for (day, _), part in zip(asked, parts, strict=True) for sale in part if isinstance(sale, Unread)]
        return sold, {sale.id: structs.replace(sale, day=day) for day, sale in of_days}

    async def _shard(self, day: date, shard: int) -> list[Sold | Unread]:
        return [sale async for sale in self.store.of_day(self.recorder.rules.mode, day, shard)]

    async def _read(self, day: date, days: Collection[date], runs: Runs, reading: Reading[Answered]) -> Read[Answered]:
        """The result of `reading` on the files of `days`, with these files. A neighbour's refused file counts as missing.

        Raises:
            Refused: the file of the day itself is refused, or a neighbour's file that replaces an accepted one.
        """
        found = await self.files.find(days)
        refusals = {one: file for one, file in found.items() if isinstance(file, Refusal)}
        files = {one: file for one, file in found.items() if isinstance(file, StoredFile)}
        for one, refusal in refusals.items():
            _check(day, one, refusal, runs)
        while True:
            try:
                return Read(await self.files.read(files, reading), files, refusals)
            except StatementRefused as error:
                _check(day, error.day, error.refusal, runs)
                refusals[error.day] = error.refusal
                del files[error.day]

    async def _named_by(self, lines: Iterable[StatementLine], evidence: _Evidence) -> list[Transaction | Unread | Tombstone]:
        """The sales of any day that lines name, if the lines were not looked up before."""
        fresh = {(line.merchant_id, line.transaction_id) for line in lines} - evidence.asked
        now_asked = sorted(fresh)[: MAX_LOOKED_UP - len(evidence.asked)]
        evidence.asked.update(now_asked)
        evidence.not_asked = len(fresh) - len(now_asked)
        named = await self.each((self._looked_up(*ids) for ids in now_asked), AT_ONCE)
        return [sale for sales in named for sale in sales]

    async def _looked_up(self, merchant_id: str, supplier_id: str) -> Sequence[Transaction | Unread | Tombstone]:
        """The sales with our request id, else with the supplier's id, in either field and in any case."""
        spelt = dict.fromkeys(map(one_spelling, (supplier_id, supplier_id.lower(), supplier_id.upper(), merchant_id)))
        queries = [(LookupBy.REQUEST_ID, merchant_id.lower()), *((LookupBy.SUPPLIER_TRANSACTION_ID, text) for text in spelt)]
        for by, value in queries:
            if value and (found := await self.store.lookup(self.recorder.rules.mode, by, value)):
                return found
        return ()

    @property
    def _proving(self) -> Proving:
        return Proving(recorder=self.recorder, each=self.each)

    @property
    def _past(self) -> PastFiles:
        return PastFiles(files=self.files, papers=self._papers)

    @property
    def _papers(self) -> DayPapers:
        return DayPapers(papers=self.store, mode=self.recorder.rules.mode, each=self.each, now=self.recorder.now)


def _check(day: date, of: date, refusal: Refusal, runs: Runs) -> None:
    """Check that a day can be settled without a refused file.

    Raises:
        Refused: the file is the day's own, or replaces an accepted file. The earlier result stands until a better file arrives.
    """
    if of == day or (not refusal.foreign and of.isoformat() in runs.files):
        raise StatementRefused(of, refusal)


def _not_taken(found: Found) -> tuple[tuple[NotTaken, ...], int]:
    """The file names that are not taken, and how many more there are."""
    if not isinstance(found, FoundFiles) or not found.not_taken:
        return (), 0
    files = [f"{one.name}: {one.reason}" for one in found.not_taken[:MAX_NAMED_IN_LOG]]
    log.warning("settlement files not taken", count=len(found.not_taken) + found.more_not_taken, files=files)
    return found.not_taken, found.more_not_taken


def _still_resolved(runs: Runs, evidence: _Evidence) -> tuple[ResolvedBySettlement, ...]:
    """The sales that settlement resolved, if their records still show the resolution."""
    return tuple(
        structs.replace(one, supplier_id=sold.supplier_id)
        for one in runs.healed
        if (sold := evidence.known(one.transaction_id)) and sold.state is one.state
    )


def _left_out(evidence: _Evidence) -> dict[str, int]:
    return {"lookUps": evidence.not_asked} if evidence.not_asked else {}


def _without(settled: SettledDay, retired: Collection[str]) -> SettledDay:
    """The day without proofs of retired sales. Such sales can no longer be recorded, and the day's discrepancies name them."""
    if not retired:
        return settled
    proofs = tuple(one for one in settled.proofs if one.transaction_id not in retired)
    signs = tuple(one for one in settled.signs if one.transaction_id not in retired)
    return structs.replace(settled, proofs=proofs, signs=signs)


def _tell_refused(day: date, refusal: Refusal) -> None:
    log.error("settlement file refused", day=day, file=refusal.file, reason=refusal.reason, faults=[str(fault) for fault in refusal.faults])


def _lines(earlier: Mapping[date, Sequence[Earlier]]) -> tuple[Filed, ...]:
    """The lines of earlier files that name a sale or are lost."""
    return tuple(filed for ones in earlier.values() for one in ones for filed in (*one.naming, *one.lost))


def _carried_in(paper: Document | None) -> set[date]:
    """The days whose sales a day's file billed in the last settlement."""
    return set() if paper is None else {date.fromisoformat(one["soldOn"]) for one in paper.body["carriedIn"]}
