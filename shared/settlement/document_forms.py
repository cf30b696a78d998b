"""The papers of settling, whichever version wrote them: what they must hold to be read, and what is kept of newer code's. Pure.

Newer code may have kept a field, a kind of difference, a severity or a status that this code does not know. Each is carried as text and
written back. A paper that lacks what this code needs of it is damaged, and no reason to stop anything but what needs it.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import date
from typing import Any, Final, NotRequired

import msgspec
from typing_extensions import TypedDict

from shared.domain.discrepancy import OurSide, TheirSide
from shared.lib import logs
from shared.ports.documents import Document, DocumentKind, UnreadableRecord

OPTIONAL: Final = frozenset({"alsoHeldBy", "leftOut", "notReadable", "refusal"})
"""What this code keeps only where there is something to say: it is no longer so where it is not said again."""

log = logs.logger(__name__)


class Total(TypedDict):
    rows: int
    totalCents: int


class File(Total):
    name: str
    sha256: str


class Standing(TypedDict):
    """Whether a discrepancy is open, and how it was closed."""

    status: str
    closure: NotRequired[dict[str, Any] | None]


class Difference(Standing):
    """What every version keeps of a discrepancy."""

    id: str
    day: date
    kind: str
    severity: str
    transactionId: str | None
    ours: OurSide | None
    theirs: TheirSide | None


class Carried(TypedDict):
    transactionId: str
    soldOn: date


class OfSale(TypedDict):
    transactionId: str


class NotReadable(OfSale):
    requestId: str | None
    vasType: str | None
    amountCents: int | None


class Term(TypedDict):
    rows: int
    cents: int


TERMS: Final = (
    *("fileSuccessful", "ourVended", "carriedOut", "carriedIn", "missingHere", "billedThoughRejected", "extraLines"),
    *("missingAtSupplier", "differences", "residue"),
)
"""Of the conservation equation, as every version keeps them."""


Conservation = TypedDict("Conservation", {"vasType": str, **dict.fromkeys(TERMS, Term)})  # type: ignore[misc]


class Listed(TypedDict):
    """What every version keeps of a settled day, as far as lists of days show it."""

    day: date
    version: int
    status: str
    file: File | None


class Day(Listed):
    """What every version keeps of a settled day."""

    matched: Total
    carriedOut: list[Carried]
    carriedIn: list[Carried]
    discrepancies: list[Difference]
    conservation: list[Conservation]
    healed: list[OfSale]
    open: list[OfSale]
    tokensToRecover: list[OfSale]
    notReadable: NotRequired[list[NotReadable]]
    leftOut: NotRequired[dict[str, int]]


class FaultForm(TypedDict):
    line: int
    message: str
    field: int | None
    name: str | None


class Refusal(TypedDict):
    day: date
    file: str
    mark: str
    reason: str
    faults: list[FaultForm]
    unread: str


class Lacking(Term):
    lines: list[tuple[str, str, int]]
    unlisted: bool


class Runs(TypedDict):
    """What every version keeps of the runs over a day."""

    healed: list[list[Any]]
    files: dict[str, str]
    refused: list[str]
    earlier: NotRequired[list[str]]
    beyond: NotRequired[list[date]]
    lacking: NotRequired[Lacking | None]
    refusal: NotRequired[Refusal | None]


class RefusedRuns(TypedDict):
    """What it holds beside of a day that the last run refused."""

    refusal: Refusal


def read(kind: DocumentKind, paper: Document, form: Any) -> Document:
    """The paper, which holds what that form asks for.

    Raises:
        UnreadableRecord: it does not. That is reported.
    """
    with suppress(msgspec.ValidationError):
        msgspec.convert(paper.body, form)
        return paper
    log.critical("record not readable", kind=kind, paper_id=paper.id)
    raise UnreadableRecord("a paper that this version cannot read", revision=paper.revision)


async def readable(kind: DocumentKind, papers: AsyncIterator[Document], form: Any) -> AsyncIterator[Document]:
    """Those papers that hold what the form asks for. Each other one is reported."""
    async for paper in papers:
        with suppress(UnreadableRecord):
            yield read(kind, paper, form)


def with_newer(fresh: Any, held: Any) -> Any:
    """What is about to be kept, with all that is held in its place and that this code does not know.

    An entry of a list is known again by what it is about.
    """
    if fresh == held:  # as most of it is: nothing in it is unknown here
        return fresh
    match fresh, held:
        case dict(), Mapping():
            known = {name: item if name in OPTIONAL else with_newer(item, held.get(name)) for name, item in fresh.items()}
            return known | {name: item for name, item in held.items() if name not in fresh and name not in OPTIONAL}
        case list(), list():
            entries = {_about(entry): entry for entry in held}
            return [with_newer(entry, entries.get(_about(entry))) for entry in fresh]
        case _:
            return fresh


def _about(entry: object) -> str | None:
    """What an entry of a list is about: a difference, a sale or a service."""
    names = ("id", "transactionId", "vasType")
    return next((entry[name] for name in names if isinstance(entry.get(name), str)), None) if isinstance(entry, Mapping) else None
