"""Facts about a day beside its current file: earlier files that the current one corrects, and the memory of runs and documents."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from enum import Enum, auto
from functools import partial
from typing import Any, Generic, NamedTuple

from msgspec import structs

from shared.lib.value import Value
from shared.ports.documents import Document, UnreadableRecord
from shared.ports.settlement_files import Answered, Files, Refusal, StatementRefused, StoredFile, broke_off
from shared.settlement.comparison import around
from shared.settlement.repository import DayPapers, Runs
from shared.settlement.settled_day import MAX_LISTED, SettledDay
from shared.settlement.turns import earlier_files
from shared.settlement.withdrawn_lines import UNREAD, Earlier, Lacking, ids_of, lacking, names_any, read_earlier

EarlierFiles = Mapping[date, Sequence[Earlier]]
"""The valid earlier files, by day."""


class Read(NamedTuple, Generic[Answered]):
    """The result of a reading, the files that were read, and the files that were refused."""

    made: Answered
    files: Mapping[date, StoredFile]
    refused: Mapping[date, Refusal]

    def ended(
        self, day: date, runs: Runs, beyond: Collection[date], lacks: Lacking, unsettled: Collection[date], said: "EarlierFiles"
    ) -> Runs:
        """The runs of a day after it was settled with these files. A later run still has to settle the days in `unsettled`.

        If an earlier file could not be read, the next run reads all earlier files of its day again. `said` holds their lines of this run.
        """
        days = (*around(day), *sorted(beyond))
        files = {one.isoformat(): self.files[one].known_as for one in days if one in self.files and one not in unsettled}
        refused = tuple(self.refused[one].known_as for one in days if one in self.refused and not self.refused[one].foreign)
        earlier = tuple(
            broke_off(known_as) if any(earlier is UNREAD for earlier in said.get(one, ())) else known_as
            for one in around(day)
            if one in self.files
            for known_as in earlier_files([self.files[one]])
        )
        last = structs.replace(runs, files=files, refused=refused, earlier=earlier, refusal=None)
        return structs.replace(last, beyond=tuple(sorted(beyond)), lacking=lacks)


class Doubted(NamedTuple):
    """The days on which absence proves nothing, and among them the days that only need to be settled first."""

    days: frozenset[date]
    unsettled: frozenset[date]


class _Doubts(Enum):
    """Whether a day's file may lack lines."""

    NONE = auto()
    UNTIL_SETTLED = auto()  # the day was not settled with the file yet
    LASTING = auto()


class PastFiles(Value, frozen=True, kw_only=True):
    """Reads earlier files, over the ports. Every method may raise `FilesUnavailable` or `StoreUnavailable`."""

    files: Files
    papers: DayPapers

    async def earlier(self, files: Mapping[date, StoredFile], unvended: Collection[str]) -> EarlierFiles:
        """The content of the earlier files of these days. The request ids are of sales that have not vended."""
        said: dict[date, tuple[Earlier, ...]] = {}
        for day, file in sorted(files.items()):
            if not file.earlier:
                continue
            last = await self.files.read({day: file}, ids_of)
            ones = []
            for one in file.earlier:
                try:
                    ones.append(await self.files.read({day: one}, partial(read_earlier, last, unvended)))
                except StatementRefused as error:  # a file without a header was never accepted, and an unreadable file may hold any line
                    ones += [UNREAD] if error.refusal.unread else []
            said[day] = tuple(ones)
        return said

    async def naming(self, days: Collection[date], request_ids: Collection[str]) -> frozenset[date]:
        """The days whose file exists and names one of these sales. A refused file names none."""
        named: set[date] = set()
        for day, file in sorted((await self.files.find(days)).items()):
            with suppress(StatementRefused):
                if isinstance(file, StoredFile) and await self.files.read({day: file}, partial(names_any, request_ids)):
                    named.add(day)
        return frozenset(named)

    async def lacking(
        self, settled: SettledDay, files: Mapping[date, StoredFile], known: Lacking, earlier: EarlierFiles, before: Document | None
    ) -> Lacking:
        """The lines that earlier files had and the day's file lacks. The day's file is read once more only if earlier files differ."""
        ones = earlier.get(settled.day, ())
        if settled.file is None:
            return known
        paper = before.body if before is not None and _is_gone(before.body, ones, settled.file.sha256) else None
        if known == Lacking() and not ones and paper is None:
            return known
        last = await self.files.read({settled.day: files[settled.day]}, ids_of)
        return lacking(settled, last, known, ones, paper)

    async def doubted(
        self, settled: SettledDay, files: Mapping[date, StoredFile], lacks: Lacking, earlier: EarlierFiles, *, lists_all: bool
    ) -> Doubted:
        """The days whose files lack lines or may lack some, and days whose documents are cut. Empty unless absence is to count."""
        lost = {day for day, ones in earlier.items() if any(one.lost or one is UNREAD for one in ones)}
        unsettled: set[date] = set()
        if not settled.absent:
            return Doubted(frozenset(lost), frozenset())
        if lacks != Lacking() or settled.listing(MAX_LISTED).left_out or not lists_all:
            lost.add(settled.day)
        for day in sorted(set(around(settled.day)) & files.keys() - {settled.day}):
            doubts = await self._doubts(day, files[day], earlier.get(day, ()))
            if doubts is not _Doubts.NONE:
                lost.add(day)
            if doubts is _Doubts.UNTIL_SETTLED:
                unsettled.add(day)
        return Doubted(frozenset(lost), frozenset(unsettled))

    async def _doubts(self, day: date, file: StoredFile, earlier: Sequence[Earlier]) -> _Doubts:
        """Whether the file of a neighbour may lack lines."""
        try:
            paper, runs = await self.papers.day(day), await self.papers.runs(day)
        except UnreadableRecord:  # the file may show that lines are gone
            return _Doubts.LASTING
        if paper is None or paper.body["file"] is None:
            return _Doubts.NONE
        is_settled = runs.files.get(day.isoformat()) == file.known_as
        may_lack = not is_settled and _is_gone(paper.body, earlier)
        if runs.lacking != Lacking() or "leftOut" in paper.body or may_lack:
            return _Doubts.LASTING if is_settled else _Doubts.UNTIL_SETTLED
        return _Doubts.NONE


def _is_gone(body: Mapping[str, Any], earlier: Iterable[Earlier], last: str | None = None) -> bool:
    """Whether the file behind a day's document is gone: it is neither the current file nor an earlier one."""
    file = body["file"]
    return file is not None and file["sha256"] not in (last, *(one.sha256 for one in earlier))
