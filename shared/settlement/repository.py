"""The documents of settlement: settled days, each version of a day, the runs over it, and discrepancies.

Kind `settlements`:

- `live-2026-05-01` is the day's latest version. Its index mark is `live` until the day has ended, then `live-ended`: a run lists the days
  that have not ended, and reads no other.
- `live-2026-05-01-v0002` is one version. A run writes the version before the day.
- `live-2026-05-01-run` holds the results of the runs, and the files that the last run used. Its mark is `live-refused` while the day
  is refused.

Kind `discrepancies`: `live-<id>`. Its mark is `live-open` until somebody closes it, then `live-closed` until the next retention run.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final

from msgspec import field, structs

from shared.domain import closures
from shared.domain.discrepancy import Discrepancy, DiscrepancyKind, discrepancy_of
from shared.domain.statement import FileFault, Total
from shared.domain.transaction import State
from shared.domain.vas import Mode
from shared.lib import logs
from shared.lib.times import short_rfc3339
from shared.lib.value import Value, is_new_word, word
from shared.ports.concurrency import Each
from shared.ports.documents import Conflict, Document, DocumentKind, Documents, UnreadableRecord
from shared.ports.settlement_files import Refusal
from shared.settlement import document_forms
from shared.settlement.document_forms import with_newer
from shared.settlement.settled_day import (
    ENDED,
    MAX_LISTED,
    Json,
    ResolvedBySettlement,
    SettledDay,
    day_as_read,
    difference_as_read,
    next_version,
)
from shared.settlement.withdrawn_lines import Lacking, LostLine

AT_ONCE: Final = 16
MAX_HEALED: Final = 10_000  # of one day
CORRECTED: Final = "corrected"
BY: Final = "settlement"
_OF_HEALED: Final = 3  # the items that this code stores of each sale: its id, its state, the supplier's id

log = logs.logger(__name__)


class Runs(Value, frozen=True):
    """The results of the runs over a day: the sales that they healed, and the files that the last run used.

    `files` are the accepted files of the day and its neighbours, `refused` the refused files of its neighbours, and `earlier` the files
    that a later file corrects. Each is its name and mark (`StoredFile.known_as`), or its name alone in a document of older code.
    `beyond` are other days whose files bill a sale of this day or may end a doubt. `lacking` are the lines that the day's file lacks and
    an earlier file had. `refusal` is the reason why the last run refused the day. `stored` is the document as it was read.
    """

    healed: tuple[ResolvedBySettlement, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    beyond: tuple[date, ...] = ()
    lacking: Lacking = Lacking()
    revision: str | None = None
    refusal: Refusal | None = None
    stored: Mapping[str, Any] = field(default_factory=dict)


class DayPapers(Value, frozen=True, kw_only=True):
    """The documents of settlement in one mode. Every method may raise `StoreUnavailable`; a method that writes may raise `Conflict`."""

    papers: Documents
    mode: Mode
    each: Each
    now: Callable[[], datetime]

    async def day(self, day: date) -> Document | None:
        """The latest version of a day."""
        paper = await self.papers.read_paper(DocumentKind.SETTLEMENTS, self._day_id(day))
        return None if paper is None else self._read_day(paper)

    async def is_begun(self, day: date) -> bool:
        """Whether the day has a document, readable or not."""
        return await self.papers.read_paper(DocumentKind.SETTLEMENTS, self._day_id(day)) is not None

    async def is_retired(self, day: date) -> bool:
        """Whether retention has retired the sales of a day that has no document."""
        paper = await self.papers.read_paper(DocumentKind.CONTROLS, progress_id(self.mode))
        return paper is not None and str(paper.body.get("retiredUpTo") or "") >= day.isoformat()

    def _read_day(self, paper: Document) -> Document:
        whole = document_forms.read(DocumentKind.SETTLEMENTS, paper, document_forms.Day)
        return structs.replace(whole, body=day_as_read(whole.body, self.mode))

    async def keep_day(self, settled: SettledDay, before: Document | None) -> Json:
        """Store the day as a new version, unless nothing in it is new."""
        day_id, kept = self._day_id(settled.day), before.body if before else None
        while (body := next_version(settled, _json(kept))) != kept:
            version = Document(f"{day_id}-v{body['version']:04d}", body)
            held = await self.papers.read_paper(DocumentKind.SETTLEMENTS, version.id)
            if held is None:
                await self.papers.write_paper(DocumentKind.SETTLEMENTS, version)
                break
            kept = dict(self._read_day(held).body)  # a run was cut short here: its version stays
        mark = _mark(self.mode, body)
        if before is None or (body, mark) != (before.body, before.mark):
            revision = before.revision if before else None
            await self.papers.write_paper(DocumentKind.SETTLEMENTS, Document(day_id, body, mark, revision=revision))
        return body

    async def first_since(self, day: date) -> date | None:
        """The first settled day that is not before `day`."""
        lists = [self._days(mark, self._day_id(day)) for mark in day_marks(self.mode)]
        return min([date.fromisoformat(paper.body["day"]) for papers in lists async for paper in papers], default=None)

    async def unended(self) -> list[date]:
        """The settled days that have not ended, the earliest first."""
        days = []
        async for paper in self._days(self.mode):
            if (mark := _mark(self.mode, paper.body)) == paper.mark:
                days.append(date.fromisoformat(paper.body["day"]))
            else:  # older code stored all days under one mark
                with suppress(Conflict):
                    await self.papers.write_paper(DocumentKind.SETTLEMENTS, structs.replace(paper, mark=mark))
        return days

    def _days(self, mark: str, from_id: str | None = None) -> AsyncIterator[Document]:
        listed = self.papers.marked_papers(DocumentKind.SETTLEMENTS, mark, from_id)
        return document_forms.readable(DocumentKind.SETTLEMENTS, listed, document_forms.Listed)

    async def runs(self, day: date) -> Runs:
        """The results of the runs over the day."""
        paper = await self.papers.read_paper(DocumentKind.SETTLEMENTS, runs_id(self.mode, day))
        if paper is None:
            return Runs()
        body = document_forms.read(DocumentKind.SETTLEMENTS, paper, document_forms.Runs).body
        return Runs(
            healed=tuple(
                ResolvedBySettlement(str(one[0]), word(State, str(one[1])), one[2]) for one in body["healed"] if len(one) >= _OF_HEALED
            ),
            files=body["files"],
            refused=tuple(body["refused"]),
            earlier=tuple(body.get("earlier", ())),
            beyond=tuple(map(date.fromisoformat, body.get("beyond", ()))),
            lacking=_lacking(body.get("lacking")),
            revision=paper.revision,
            refusal=refusal_of(body),
            stored=body,
        )

    async def refuse(self, day: date, refusal: Refusal | None) -> None:
        """Store why a run refused the day. `None` deletes the reason. A refusal that is not about this day is not stored."""
        if refusal is None or not (refusal.foreign or refusal.anyones):
            with suppress(Conflict, UnreadableRecord):  # another run has written, or the document is damaged, which is logged
                runs = await self.runs(day)
                await self.keep_runs(day, runs, structs.replace(runs, refusal=refusal))

    async def refused(self) -> list[date]:
        """The days that their last run refused."""
        listed = self.papers.marked_papers(DocumentKind.SETTLEMENTS, refused_mark(self.mode))
        papers = document_forms.readable(DocumentKind.SETTLEMENTS, listed, document_forms.RefusedRuns)
        return [date.fromisoformat(paper.body["refusal"]["day"]) async for paper in papers]

    async def keep_runs(self, day: date, before: Runs, after: Runs) -> Runs:
        """Replace the results of the runs."""
        if after == before:
            return before
        more = {one[0]: one[_OF_HEALED:] for one in before.stored.get("healed", ()) if len(one) > _OF_HEALED}
        healed = [[one.transaction_id, one.state.value, one.supplier_transaction_id] for one in after.healed]
        body: Json = {
            "healed": [[*one, *more.get(one[0], ())] for one in healed],
            "files": after.files,
            "refused": list(after.refused),
            "earlier": list(after.earlier),
            "beyond": [one.isoformat() for one in after.beyond],
            "lacking": _lacking_body(after.lacking),
        }
        mark = None
        if (refusal := after.refusal) is not None:
            faults = [structs.asdict(fault) for fault in refusal.faults]
            body["refusal"] = {**structs.asdict(refusal), "faults": faults, "day": day.isoformat()}
            mark = refused_mark(self.mode)
        kept = {**with_newer(body, before.stored), "files": dict(after.files)}  # the entry of a file that is gone is deleted
        paper = Document(runs_id(self.mode, day), kept, mark, revision=before.revision)
        return structs.replace(after, revision=(await self.papers.write_paper(DocumentKind.SETTLEMENTS, paper)).revision)

    async def review(self, settled: SettledDay, before: Document | None = None) -> SettledDay:
        """The day with the decisions on its discrepancies, and with the open discrepancies of earlier days.

        New discrepancies are stored and logged. Discrepancies that the files no longer show are closed. `before` is the day's latest
        version: it lists discrepancies that only newer code finds, and their decisions are read.
        """
        listed = settled.listing(MAX_LISTED)
        marked = self.papers.marked_papers(DocumentKind.DISCREPANCIES, f"{self.mode}-{closures.OPEN}")
        differences = document_forms.readable(DocumentKind.DISCREPANCIES, marked, document_forms.Difference)
        open_papers = {paper.id: paper async for paper in differences}
        statuses = await self.each((self._reviewed(found, open_papers) for found in listed.discrepancies), AT_ONCE)
        decisions = {found.id: status for found, status in zip(listed.discrepancies, statuses, strict=True)}
        if settled.file is not None:
            await self._close_gone(settled, open_papers.values())
        decided = await self.each((self._difference(one) for one in _found_by_newer_code(before, open_papers, self.mode)), AT_ONCE)
        papers = [*open_papers.values(), *(paper for paper in decided if paper is not None)]
        earlier = [discrepancy_of(difference_as_read(paper.body, self.mode)) for paper in papers]
        return settled.reviewed(decisions, earlier).listing(MAX_LISTED)

    async def _reviewed(self, found: Discrepancy, open_papers: Mapping[str, Document]) -> str:
        """Store a discrepancy that was found, and return its status."""
        paper_id = f"{self.mode}-{found.id}"
        held = open_papers.get(paper_id) or await self._difference(paper_id)
        if held is not None and held.body.get("closure") is None and held.body["status"] != closures.OPEN:
            return str(held.body["status"])  # newer code gave this status without a closure
        body = _found_again(found, {} if held is None else held.body)
        if held is None or held.body != body:
            if held is None or (body["status"] == closures.OPEN != held.body["status"]):
                log.error("discrepancy found", discrepancy_id=found.id, kind=found.kind, severity=found.severity, day=found.day)
            await self._write(body, held)
        return str(body["status"])

    async def _difference(self, paper_id: str) -> Document | None:
        paper = await self.papers.read_paper(DocumentKind.DISCREPANCIES, paper_id)
        return None if paper is None else document_forms.read(DocumentKind.DISCREPANCIES, paper, document_forms.Difference)

    async def _close_gone(self, settled: SettledDay, open_papers: Collection[Document]) -> None:
        """Close the discrepancies of the day that the files no longer show.

        A discrepancy with a `source` stays open: an answer contradicted the sale, and no file changes that answer. A discrepancy of a
        kind that only newer code finds stays open too.
        """
        day, still = settled.day.isoformat(), {found.id for found in settled.discrepancies}
        for paper in open_papers:
            of_files = "source" not in (paper.body["theirs"] or {}) and not is_new_word(DiscrepancyKind, paper.body["kind"])
            if of_files and paper.body["day"] == day and paper.body["id"] not in still:
                note = "the settlement files no longer show it"
                closure = {"decision": CORRECTED, "note": note, "by": BY, "at": short_rfc3339(self.now())}
                await self._write({**paper.body, "status": CORRECTED, "closure": closure}, paper)

    async def _write(self, body: Json, held: Document | None) -> None:
        mark = f"{self.mode}-{closures.OPEN if body['status'] == closures.OPEN else closures.CLOSED}"
        revision = None if held is None else held.revision
        await self.papers.write_paper(DocumentKind.DISCREPANCIES, Document(f"{self.mode}-{body['id']}", body, mark, revision=revision))

    def _day_id(self, day: date) -> str:
        return f"{self.mode}-{day.isoformat()}"


def runs_id(mode: Mode, day: date) -> str:
    """The id of the document of the runs over a day."""
    return f"{mode}-{day.isoformat()}-run"


def progress_id(mode: Mode) -> str:
    """The id of the document of retention's progress."""
    return f"{mode}-retention"


def day_marks(mode: Mode) -> tuple[str, str]:
    """The index marks of days that have not ended, and of days that have. A day that ends between two lists is in both."""
    return mode.value, f"{mode}-ended"


def refused_mark(mode: Mode) -> str:
    """The index mark of the runs over refused days."""
    return f"{mode}-refused"


def refusal_of(body: Mapping[str, Any]) -> Refusal | None:
    """Why a run refused a day, from the document of its runs."""
    kept = body.get("refusal")
    if kept is None:
        return None
    faults = tuple(FileFault(fault["line"], fault["message"], fault["field"], fault["name"]) for fault in kept["faults"])
    return Refusal(kept["file"], kept["mark"], kept["reason"], faults, unread=kept["unread"])


def _mark(mode: Mode, body: Mapping[str, Any]) -> str:
    unended, ended = day_marks(mode)
    return ended if body["status"] in ENDED else unended


def with_healed(healed: Sequence[ResolvedBySettlement], more: Collection[ResolvedBySettlement]) -> tuple[ResolvedBySettlement, ...]:
    """All sales of both, each once and as it was first healed, in the order of their ids."""
    by_id = {one.transaction_id: one for one in (*more, *healed)}
    return tuple(by_id[transaction_id] for transaction_id in sorted(by_id))[:MAX_HEALED]


def _found_by_newer_code(before: Document | None, open_papers: Collection[str], mode: Mode) -> list[str]:
    """The ids of documents: a day's own discrepancies of a kind that only newer code finds, without the open ones."""
    found = () if before is None else before.body["discrepancies"]
    own = [
        one["id"] for one in found if before is not None and one["day"] == before.body["day"] and is_new_word(DiscrepancyKind, one["kind"])
    ]
    return [paper_id for one in own if (paper_id := f"{mode}-{one}") not in open_papers]


def _found_again(found: Discrepancy, held: Mapping[str, Any]) -> Json:
    """The document of a discrepancy that the files show, over the document `held`, which may be empty.

    A person's closure stays while it covers the discrepancy. The closure of a run ends: the files show the discrepancy again.
    """
    closure = held.get("closure")
    if closure is None or closure.get("by") == BY:
        opened: Json = with_newer(found.document(), held)
        return opened
    decided = structs.replace(found, status=str(closure.get("decision", held["status"])))
    body: Json = with_newer(decided.document(closure), held)
    return body if closures.is_covered(held, body) else closures.reopened(held, body)


def _json(body: Mapping[str, Any] | None) -> Json | None:
    return None if body is None else dict(body)


def _lacking_body(lacking: Lacking) -> Json | None:
    if lacking == Lacking():
        return None
    lines = [list(line) for line in lacking.lines]
    return {"rows": lacking.least.rows, "cents": lacking.least.cents, "lines": lines, "unlisted": lacking.unlisted}


def _lacking(body: Mapping[str, Any] | None) -> Lacking:
    if body is None:
        return Lacking()
    lines = tuple(LostLine(*line) for line in body["lines"])
    return Lacking(least=Total(body["rows"], body["cents"]), lines=lines, unlisted=body["unlisted"])
