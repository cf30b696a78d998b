"""The documents of settlement that any version wrote: the fields that this code needs, and the fields of newer code. Pure.

Newer code may have stored a field, a kind of discrepancy, a severity or a status that this code does not know. This code carries each
of them as text, and writes it back. A document that lacks a needed field is damaged. It stops only the work that needs this document.
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
"""The fields that this code stores only where they have a value. A field that a new version lacks is not carried over."""

log = logs.logger(__name__)


class Total(TypedDict):
    rows: int
    totalCents: int


class File(Total):
    name: str
    sha256: str


class Standing(TypedDict):
    """The status of a discrepancy, and its closure."""

    status: str
    closure: NotRequired[dict[str, Any] | None]


class Difference(Standing):
    """The fields of a discrepancy that every version stores."""

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
"""The terms of the conservation equation that every version stores."""


Conservation = TypedDict("Conservation", {"vasType": str, **dict.fromkeys(TERMS, Term)})  # type: ignore[misc]


class Listed(TypedDict):
    """The fields of a settled day that lists of days show."""

    day: date
    version: int
    status: str
    file: File | None


class Day(Listed):
    """The fields of a settled day that every version stores."""

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
    """The fields of the runs over a day that every version stores."""

    healed: list[list[Any]]
    files: dict[str, str]
    refused: list[str]
    earlier: NotRequired[list[str]]
    beyond: NotRequired[list[date]]
    lacking: NotRequired[Lacking | None]
    refusal: NotRequired[Refusal | None]


class RefusedRuns(TypedDict):
    """The runs over a day that the last run refused."""

    refusal: Refusal


def read(kind: DocumentKind, paper: Document, form: Any) -> Document:
    """The document, once it fits the form.

    Raises:
        UnreadableRecord: the document does not fit. That is logged.
    """
    with suppress(msgspec.ValidationError):
        msgspec.convert(paper.body, form)
        return paper
    log.critical("record not readable", kind=kind, paper_id=paper.id)
    raise UnreadableRecord("a document that this version cannot read", revision=paper.revision)


async def readable(kind: DocumentKind, papers: AsyncIterator[Document], form: Any) -> AsyncIterator[Document]:
    """The documents that fit the form. Each other one is logged."""
    async for paper in papers:
        with suppress(UnreadableRecord):
            yield read(kind, paper, form)


def with_newer(fresh: Any, held: Any) -> Any:
    """The fresh value with the fields of the stored value `held` that this code does not know.

    Two entries of a list correspond where they are about the same subject.
    """
    if fresh == held:  # the usual case
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
    """The subject of an entry of a list: the id of a discrepancy or sale, or the name of a service."""
    names = ("id", "transactionId", "vasType")
    return next((entry[name] for name in names if isinstance(entry.get(name), str)), None) if isinstance(entry, Mapping) else None
