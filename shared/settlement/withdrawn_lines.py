"""Lines that an earlier file of a day had and the last file lacks: which, how many, and how many cents. Pure.

A correcting file withdraws no evidence. If the earlier bytes still exist, the ids identify the lines. If the bytes are gone, the
document of the earlier file shows its rows, its cents and its listed lines.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from msgspec import structs

from shared.domain.discrepancy import DiscrepancyKind, side_body
from shared.domain.statement import FileRefused, Statement, Total
from shared.lib.value import Value
from shared.settlement.matching import Filed
from shared.settlement.settled_day import MAX_LISTED, SettledDay

LENGTH_OF_GUID: Final = 36  # a shorter value in the field of our id may repeat in every line


class Past(Value, frozen=True, kw_only=True):
    """Facts about the files of a day and its neighbours, beside the current files.

    `lines` stood in earlier files, and name a sale or are lost. `withdrawn` are the lines that the day's last file lacks. On the days
    `distrusted`, absence proves nothing.
    """

    _hidden = frozenset({"lines"})

    lines: tuple[Filed, ...] = ()
    withdrawn: Total | None = None
    distrusted: frozenset[date] = frozenset()

    def merged_with(self, withdrawn: Total | None, distrusted: Collection[date]) -> "Past":
        """The facts merged with new ones: a distrusted day stays distrusted."""
        return structs.replace(self, withdrawn=withdrawn, distrusted=self.distrusted.union(distrusted))


class Ids(NamedTuple):
    """The ids in a file's lines, as hashes, which need the least memory for a million lines."""

    theirs: frozenset[int]
    ours: frozenset[int]

    def hold(self, theirs: str, ours: str) -> bool:
        """Whether a line carries one of these ids, in any case."""
        return hash(theirs.lower()) in self.theirs or hash(ours.lower()) in self.ours


class LostLine(NamedTuple):
    """A lost line, as documents store it."""

    supplier_id: str
    merchant_id: str
    cents: int


class Earlier(Value, frozen=True, kw_only=True):
    """The facts of an earlier file beside the last one.

    `lost` are the first of its lines that the last file lacks, and `total` counts all. `naming` are its lines that name a requested
    sale, lost or not. `sha256` is the hash of its bytes, and `rows` the number of its lines.
    """

    _hidden = frozenset({"lost", "naming"})

    sha256: str
    rows: int
    total: Total
    lost: tuple[Filed, ...]
    naming: tuple[Filed, ...]


UNREAD: Final = Earlier(sha256="", rows=0, total=Total(), lost=(), naming=())
"""An earlier file that cannot be read now."""


class Lacking(Value, frozen=True, kw_only=True):
    """The lines that the last file of a day lacks, stored in the day's runs until a file arrives that has them.

    `least` is the minimum that such a file bills, at our amounts, and `lines` are some of its lines. `unlisted`: the document of a
    deleted file was cut, so nobody knows whether a line is lost.
    """

    least: Total = Total()
    lines: tuple[LostLine, ...] = ()
    unlisted: bool = False


def ids_of(files: Iterable[Statement]) -> Ids:
    """A `Reading` of the last file of a day: its ids."""
    theirs, ours = set(), set()
    for file in files:
        for line in file:
            theirs.add(hash(line.transaction_id.lower()))
            if len(line.merchant_id) == LENGTH_OF_GUID:
                ours.add(hash(line.merchant_id.lower()))
    return Ids(frozenset(theirs), frozenset(ours))


def names_any(request_ids: Collection[str], files: Iterable[Statement]) -> bool:
    """A `Reading` of a file: whether a line names one of these sales. The file is read to its end, where it may still be refused."""
    (file,) = files
    return sum(line.merchant_id.lower() in request_ids for line in file) > 0


def read_earlier(last: Ids, request_ids: Collection[str], files: Iterable[Statement]) -> Earlier:
    """A `Reading` of an earlier file of a day: the lines lost in the last file, and the lines that name one of these sales."""
    total = Total()
    lost: list[Filed] = []
    naming: list[Filed] = []
    (file,) = files
    try:
        for number, line in enumerate(file, 2):
            if not last.hold(line.transaction_id, line.merchant_id):
                total += Total(1, line.cents)
                if len(lost) < MAX_LISTED:
                    lost.append(Filed(file.day, number, line))
            if line.merchant_id.lower() in request_ids:
                naming.append(Filed(file.day, number, line))
    except FileRefused:  # no day was settled with the file, so nothing of it is lost; a sale that it names may still have vended
        return Earlier(sha256="", rows=0, total=Total(), lost=(), naming=tuple(naming))
    summary = file.summary
    return Earlier(sha256=summary.sha256, rows=summary.all.rows, total=total, lost=tuple(lost), naming=tuple(naming))


def lacking(settled: SettledDay, last: Ids, known: Lacking, earlier: Sequence[Earlier], before: Mapping[str, Any] | None) -> Lacking:
    """The lines that the day's current file lacks.

    Args:
        last: the ids in the current file.
        known: the lines that earlier runs knew as missing.
        earlier: the earlier files of the day that still exist.
        before: the day's document from another file whose bytes are gone; `None` if the bytes exist.
    """
    lines = {line: None for line in known.lines if not last.hold(line.supplier_id, line.merchant_id)}
    for one in earlier:
        lines |= {LostLine(lost.line.transaction_id, lost.line.merchant_id, lost.line.cents): None for lost in one.lost}
    least = [known.least, *(Total(one.rows, 0) for one in earlier if one.total.rows > len(one.lost))]
    unlisted = known.unlisted
    if before is not None:
        lines |= {line: None for line in _listed(before) if not last.hold(line.supplier_id, line.merchant_id)}
        least.append(_at_ours_on_paper(before))
        unlisted = unlisted or "leftOut" in before
    most, now = Total(max(one.rows for one in least), max(one.cents for one in least)), _at_ours(settled)
    is_short = most.rows > now.rows or most.cents > now.cents
    return Lacking(least=most if is_short else Total(), lines=tuple(lines)[:MAX_LISTED], unlisted=unlisted)


def withdrawn(settled: SettledDay, known: Lacking, earlier: Iterable[Earlier]) -> Total | None:
    """How many lines and cents a day's file lacks; `None` if no lack is known."""
    if settled.file is None:
        return None
    now = _at_ours(settled)
    named = [Total(len(known.lines), sum(line.cents for line in known.lines)), *(one.total for one in earlier)]
    rows = max(known.least.rows - now.rows, *(one.rows for one in named))
    by_id = max(named, key=lambda one: one.rows)
    cents = by_id.cents if by_id.rows == rows and rows > 0 else max(known.least.cents - now.cents, by_id.cents)
    return Total(rows, cents) if rows > 0 or cents > 0 else None


def _at_ours(settled: SettledDay) -> Total:
    """The sum of a file, at our amounts where amounts differ, without negative lines: a correction removes no line."""
    file = settled.file
    assert file is not None  # a day without a file has no known lack
    negative = sum(_cents(side_body(found.theirs)) for found in settled.discrepancies if found.kind is DiscrepancyKind.NEGATIVE_LINE)
    return Total(file.all.rows, file.all.cents - sum(books.differences.cents for books in settled.conservation) - negative)


def _at_ours_on_paper(body: Mapping[str, Any]) -> Total:
    """The sum of a file of a day that was settled before."""
    file = body["file"]
    own = [found for found in body["discrepancies"] if found["day"] == body["day"] and found["kind"] == DiscrepancyKind.NEGATIVE_LINE]
    negative = sum(_cents(found["theirs"]) for found in own)
    return Total(file["rows"], file["totalCents"] - sum(books["differences"]["cents"] for books in body["conservation"]) - negative)


def _cents(theirs: Mapping[str, Any] | None) -> int:
    return 0 if theirs is None else int(theirs["amountCents"])


def _listed(body: Mapping[str, Any]) -> Iterator[LostLine]:
    """The lines of a day's file that its document lists."""
    for found in body["discrepancies"]:
        theirs = found["theirs"]
        if found["day"] == body["day"] and theirs is not None and "line" in theirs:
            yield LostLine(theirs["supplierTransactionId"], theirs["merchantTransactionId"], theirs["amountCents"])
