"""What is known of a day beside the files that count: earlier ones that they correct, and what runs and papers remember of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
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
"""By day, the earlier files of it that were valid."""


class Read(NamedTuple, Generic[Answered]):
    """What was made of files, which they were, and which were not believed."""

    made: Answered
    files: Mapping[date, StoredFile]
    refused: Mapping[date, Refusal]

    def ended(
        self, day: date, runs: Runs, beyond: Collection[date], lacks: Lacking, unsettled: Collection[date], said: "EarlierFiles"
    ) -> Runs:
        """The runs over a day, once it is settled with these files. Of those that are `unsettled` it does not know enough yet.

        Where an earlier file could not be read, all of its day are read again in the next run: `said` is what they said now.
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
    """The days whose silence proves nothing, and those of which that is so until they are settled themselves."""

    days: frozenset[date]
    unsettled: frozenset[date]


class PastFiles(Value, frozen=True, kw_only=True):
    """Looks at earlier files, over the ports. Every method may raise `FilesUnavailable` or `StoreUnavailable`."""

    files: Files
    papers: DayPapers

    async def earlier(self, files: Mapping[date, StoredFile], unvended: Collection[str]) -> EarlierFiles:
        """What the earlier files of these days say, of whose sales those request ids have not vended."""
        said: dict[date, tuple[Earlier, ...]] = {}
        for day, file in sorted(files.items()):
            if not file.earlier:
                continue
            last = await self.files.read({day: file}, ids_of)
            ones = []
            for one in file.earlier:
                try:
                    ones.append(await self.files.read({day: one}, partial(read_earlier, last, unvended)))
                except StatementRefused as error:  # one without a header was never believed, and one that cannot be read may say anything
                    ones += [UNREAD] if error.refusal.unread else []
            said[day] = tuple(ones)
        return said

    async def naming(self, days: Collection[date], request_ids: Collection[str]) -> frozenset[date]:
        """Those of the days whose file lies there and names one of these sales. A file that is not believed names none."""
        named: set[date] = set()
        for day, file in sorted((await self.files.find(days)).items()):
            with suppress(StatementRefused):
                if isinstance(file, StoredFile) and await self.files.read({day: file}, partial(names_any, request_ids)):
                    named.add(day)
        return frozenset(named)

    async def lacking(
        self, settled: SettledDay, files: Mapping[date, StoredFile], known: Lacking, earlier: EarlierFiles, before: Document | None
    ) -> Lacking:
        """What the day's file has not, of what earlier ones had. It is read once more where there is anything to look for."""
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
        """The days whose files lack lines, or may do so, and those whose papers do not list all: as far as silence is to count at all."""
        lost = {day for day, ones in earlier.items() if any(one.lost or one is UNREAD for one in ones)}
        unsettled: set[date] = set()
        if not settled.absent:
            return Doubted(frozenset(lost), frozenset())
        if lacks != Lacking() or settled.listing(MAX_LISTED).left_out or not lists_all:
            lost.add(settled.day)
        for day in sorted(set(around(settled.day)) & files.keys() - {settled.day}):
            try:
                paper, runs = await self.papers.day(day), await self.papers.runs(day)
            except UnreadableRecord:  # it may say that lines are gone
                lost.add(day)
                continue
            if paper is None or paper.body["file"] is None:
                continue
            is_settled = runs.files.get(day.isoformat()) == files[day].known_as
            may_lack = not is_settled and _is_gone(paper.body, earlier.get(day, ()))
            if runs.lacking != Lacking() or "leftOut" in paper.body or may_lack:
                lost.add(day)
                unsettled |= set() if is_settled else {day}
        return Doubted(frozenset(lost), frozenset(unsettled))


def _is_gone(body: Mapping[str, Any], earlier: Iterable[Earlier], last: str | None = None) -> bool:
    """Whether the file of which a day's paper was made is no longer there, neither as the last one nor as an earlier one."""
    file = body["file"]
    return file is not None and file["sha256"] not in (last, *(one.sha256 for one in earlier))
