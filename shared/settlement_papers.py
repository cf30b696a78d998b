"""What settling keeps: the settled days, every version of each, and the discrepancies until a person has decided on them.

Kind `settlements`: `live-2026-05-01` is the day as it stands, marked `live` until it has ended and then `live-ended`, so that a run
finds the days that are not done without reading all others; `live-2026-05-01-v0002` is one of its versions, written first;
`live-2026-05-01-run` says what the runs did, and with which files the last one ended. It is marked `live-refused` while the day is
refused. Kind `discrepancies`: `live-<id>`, marked
`live-open` until it is closed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final

from msgspec import field, structs

from shared import logs
from shared.mobilemart.settlement_file import Fault, Total
from shared.reconciling import Each
from shared.settled_day import (
    ENDED,
    MOST_LISTED,
    OPEN,
    Discrepancy,
    Healed,
    Json,
    Kind,
    SettledDay,
    Severity,
    day_as_read,
    difference_as_read,
    next_version,
)
from shared.settlement_files import Refusal
from shared.store import Conflict, Paper, PaperKind, Papers
from shared.transaction import State
from shared.value import Value
from shared.vas import Mode
from shared.withdrawn import Lacking, LostLine

AT_ONCE: Final = 16
MOST_HEALED: Final = 10_000  # remembered of a day
CORRECTED: Final = "corrected"
BY: Final = "settlement"

log = logs.logger(__name__)


class Runs(Value, frozen=True):
    """What the runs over a day came to: whom they healed, and with which files the last of them ended.

    `files` are those of the day and its neighbours that were believed, `refused` those neighbours' that were not, `earlier` those that
    a later one has corrected, as they are known by name and mark (`StoredFile.known_as`); by name alone where the paper is of a
    version that did not look at marks. `beyond` are other days whose files matter: they bill a sale of this one, or may end a doubt.
    `lacking` is what the day's file has not, and earlier ones had. `refusal`: why the last run refused the day.
    """

    healed: tuple[Healed, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    beyond: tuple[date, ...] = ()
    lacking: Lacking = Lacking()
    revision: str | None = None
    refusal: Refusal | None = None


class DayPapers(Value, frozen=True, kw_only=True):
    """The papers of settling, in one mode. Every method may raise `StoreUnavailable`, and those that write, `Conflict`."""

    papers: Papers
    mode: Mode
    each: Each
    now: Callable[[], datetime]

    async def day(self, day: date) -> Paper | None:
        """The day as it was settled last."""
        paper = await self.papers.read_paper(PaperKind.SETTLEMENTS, self._day_id(day))
        return None if paper is None else structs.replace(paper, body=day_as_read(paper.body, self.mode))

    async def keep_day(self, settled: SettledDay, before: Paper | None) -> Json:
        """Keep the day as a new version, if there is anything new in it."""
        day_id, kept = self._day_id(settled.day), before.body if before else None
        while (body := next_version(settled, _json(kept))) != kept:
            version = Paper(f"{day_id}-v{body['version']:04d}", body)
            held = await self.papers.read_paper(PaperKind.SETTLEMENTS, version.id)
            if held is None:
                await self.papers.write_paper(PaperKind.SETTLEMENTS, version)
                break
            kept = dict(day_as_read(held.body, self.mode))  # by a run that was cut short here; what it kept stays kept
        mark = _mark(self.mode, body)
        if before is None or (body, mark) != (before.body, before.mark):
            revision = before.revision if before else None
            await self.papers.write_paper(PaperKind.SETTLEMENTS, Paper(day_id, body, mark, revision=revision))
        return body

    async def first_since(self, day: date) -> date | None:
        """The first day, from that one on, that was ever settled."""
        lists = [self.papers.marked_papers(PaperKind.SETTLEMENTS, mark, self._day_id(day)) for mark in day_marks(self.mode)]
        return min([date.fromisoformat(paper.body["day"]) for papers in lists async for paper in papers], default=None)

    async def unended(self) -> list[date]:
        """The days that were begun and have not ended, the earliest first."""
        days = []
        async for paper in self.papers.marked_papers(PaperKind.SETTLEMENTS, self.mode):
            if (mark := _mark(self.mode, paper.body)) == paper.mark:
                days.append(date.fromisoformat(paper.body["day"]))
            else:  # it was kept when all days had one mark
                with suppress(Conflict):
                    await self.papers.write_paper(PaperKind.SETTLEMENTS, structs.replace(paper, mark=mark))
        return days

    async def runs(self, day: date) -> Runs:
        """What the runs over the day came to so far."""
        paper = await self.papers.read_paper(PaperKind.SETTLEMENTS, runs_id(self.mode, day))
        if paper is None:
            return Runs()
        body = paper.body
        return Runs(
            healed=tuple(Healed(one, State(state), supplier_id) for one, state, supplier_id in body["healed"]),
            files=body["files"],
            refused=tuple(body["refused"]),
            earlier=tuple(body.get("earlier", ())),
            beyond=tuple(map(date.fromisoformat, body.get("beyond", ()))),
            lacking=_lacking(body.get("lacking")),
            revision=paper.revision,
            refusal=refusal_of(body),
        )

    async def refuse(self, day: date, refusal: Refusal | None) -> None:
        """Put on record why a day was refused, until a run settles it; `None`: it is no longer. Only what is said of this day is kept."""
        if refusal is None or not (refusal.foreign or refusal.anyones):
            runs = await self.runs(day)
            with suppress(Conflict):  # another run says how the day stands
                await self.keep_runs(day, runs, structs.replace(runs, refusal=refusal))

    async def refused(self) -> list[date]:
        """The days that the last run over them refused."""
        papers = self.papers.marked_papers(PaperKind.SETTLEMENTS, refused_mark(self.mode))
        return [date.fromisoformat(paper.body["refusal"]["day"]) async for paper in papers]

    async def keep_runs(self, day: date, before: Runs, after: Runs) -> Runs:
        """Replace what is known of the runs."""
        if after == before:
            return before
        body: Json = {
            "healed": [[one.transaction_id, one.state.value, one.supplier_transaction_id] for one in after.healed],
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
        paper = Paper(runs_id(self.mode, day), body, mark, revision=before.revision)
        return structs.replace(after, revision=(await self.papers.write_paper(PaperKind.SETTLEMENTS, paper)).revision)

    async def review(self, settled: SettledDay) -> SettledDay:
        """The day with what people decided on its discrepancies, and with those of earlier days that are still open.

        New ones are put on record and said, and those that the files no longer show are closed.
        """
        listed = settled.listing(MOST_LISTED)
        open_papers = {paper.id: paper async for paper in self.papers.marked_papers(PaperKind.DISCREPANCIES, f"{self.mode}-{OPEN}")}
        statuses = await self.each((self._reviewed(found, open_papers) for found in listed.discrepancies), AT_ONCE)
        decisions = {found.id: status for found, status in zip(listed.discrepancies, statuses, strict=True)}
        if settled.file is not None:
            await self._close_gone(settled, open_papers.values())
        earlier = [_discrepancy(difference_as_read(paper.body, self.mode)) for paper in open_papers.values()]
        return settled.reviewed(decisions, earlier).listing(MOST_LISTED)

    async def _reviewed(self, found: Discrepancy, open_papers: Mapping[str, Paper]) -> str:
        """The status of a discrepancy, which is on record afterwards."""
        paper_id = f"{self.mode}-{found.id}"
        held = open_papers.get(paper_id) or await self.papers.read_paper(PaperKind.DISCREPANCIES, paper_id)
        closure = None if held is None else held.body["closure"]
        if closure is not None and closure["by"] == BY:
            closure = None  # it was gone, and is back
        status = OPEN if closure is None else str(closure["decision"])
        body = _body(found, status, closure)
        if held is None or held.body != body:
            if held is None or (status, held.body["status"]) == (OPEN, CORRECTED):
                log.error("discrepancy found", discrepancy_id=found.id, kind=found.kind, severity=found.severity, day=found.day)
            await self._write(body, held)
        return status

    async def _close_gone(self, settled: SettledDay, open_papers: Collection[Paper]) -> None:
        """Close what the files showed once and show no more. What an answer contradicted (it names its `source`) no file takes back."""
        day, still = settled.day.isoformat(), {found.id for found in settled.discrepancies}
        for paper in open_papers:
            of_files = "source" not in (paper.body["theirs"] or {})
            if of_files and paper.body["day"] == day and paper.body["id"] not in still:
                note = "the settlement files no longer show it"
                closure = {"decision": CORRECTED, "note": note, "by": BY, "at": self.now().isoformat().replace("+00:00", "Z")}
                await self._write({**paper.body, "status": CORRECTED, "closure": closure}, paper)

    async def _write(self, body: Json, held: Paper | None) -> None:
        mark = f"{self.mode}-{OPEN}" if body["status"] == OPEN else None
        revision = None if held is None else held.revision
        await self.papers.write_paper(PaperKind.DISCREPANCIES, Paper(f"{self.mode}-{body['id']}", body, mark, revision=revision))

    def _day_id(self, day: date) -> str:
        return f"{self.mode}-{day.isoformat()}"


def runs_id(mode: Mode, day: date) -> str:
    """Where it is kept what the runs over a day came to."""
    return f"{mode}-{day.isoformat()}-run"


def day_marks(mode: Mode) -> tuple[str, str]:
    """What settled days are listed by: those that have not ended, and those that have. One that ends meanwhile is in both lists."""
    return mode.value, f"{mode}-ended"


def refused_mark(mode: Mode) -> str:
    """What the runs over refused days are listed by."""
    return f"{mode}-refused"


def refusal_of(body: Mapping[str, Any]) -> Refusal | None:
    """Why a day was refused, by what its runs came to."""
    kept = body.get("refusal")
    if kept is None:
        return None
    return Refusal(kept["file"], kept["mark"], kept["reason"], tuple(Fault(**fault) for fault in kept["faults"]), unread=kept["unread"])


def _mark(mode: Mode, body: Mapping[str, Any]) -> str:
    unended, ended = day_marks(mode)
    return ended if body["status"] in ENDED else unended


def with_healed(healed: Sequence[Healed], more: Collection[Healed]) -> tuple[Healed, ...]:
    """Both, each sale once, in the order of their ids."""
    by_id = {one.transaction_id: one for one in (*more, *healed)}
    return tuple(by_id[transaction_id] for transaction_id in sorted(by_id))[:MOST_HEALED]


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


def _body(found: Discrepancy, status: str, closure: Mapping[str, Any] | None) -> Json:
    return {
        "id": found.id,
        "day": found.day.isoformat(),
        "kind": found.kind.value,
        "severity": found.severity.value,
        "transactionId": found.transaction_id,
        "ours": found.ours,
        "theirs": found.theirs,
        "status": status,
        "closure": closure,
    }


def _discrepancy(body: Mapping[str, Any]) -> Discrepancy:
    return Discrepancy(
        id=body["id"],
        day=date.fromisoformat(body["day"]),
        kind=Kind(body["kind"]),
        severity=Severity(body["severity"]),
        transaction_id=body["transactionId"],
        ours=body["ours"],
        theirs=body["theirs"],
        status=body["status"],
    )
