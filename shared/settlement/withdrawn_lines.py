"""Lines that an earlier file of a day had and the last one has not: which, how many, and how many cents. Pure.

A file that corrects another takes back nothing as evidence. The lines are known by their ids where the earlier bytes still lie there.
Where they are gone, the paper that was made of them tells: by its rows and cents, and by the lines that it lists.
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

LENGTH_OF_GUID: Final = 36  # a field for our id that holds anything shorter may say the same in every line


class Past(Value, frozen=True, kw_only=True):
    """What is known of a day's and its neighbours' files beside those that count.

    `lines` stood in earlier files and name a sale, or are lost. `withdrawn` is what the day's last file lacks, and `distrusted` are
    the days whose silence proves nothing.
    """

    _hidden = frozenset({"lines"})

    lines: tuple[Filed, ...] = ()
    withdrawn: Total | None = None
    distrusted: frozenset[date] = frozenset()

    def merged_with(self, withdrawn: Total | None, distrusted: Collection[date]) -> "Past":
        """The same, with what is known now: a day that was distrusted once stays so."""
        return structs.replace(self, withdrawn=withdrawn, distrusted=self.distrusted.union(distrusted))


class Ids(NamedTuple):
    """The ids that a file's lines carry, as hashes: of a million lines they take as little memory as can be."""

    theirs: frozenset[int]
    ours: frozenset[int]

    def hold(self, theirs: str, ours: str) -> bool:
        """Whether a line carries one of these ids, in any case."""
        return hash(theirs.lower()) in self.theirs or hash(ours.lower()) in self.ours


class LostLine(NamedTuple):
    """A line that is gone, by what the papers keep of it."""

    supplier_id: str
    merchant_id: str
    cents: int


class Earlier(Value, frozen=True, kw_only=True):
    """What an earlier file says beside the last one.

    `lost` are the first of its lines that the last one has not, and `total` all of them. `naming` are its lines that name a sale
    which was asked for, lost or not. `sha256` is of its bytes, and `rows` how many lines it has.
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
    """What the last file of a day has not, as the day's runs remember it, until a file comes that has it.

    `least` is what such a file has at least, at our amounts, and `lines` are lines of it. `unlisted`: the paper of a file that is
    gone did not list all that it should, so nobody can tell whether anything is lost.
    """

    least: Total = Total()
    lines: tuple[LostLine, ...] = ()
    unlisted: bool = False


def ids_of(files: Iterable[Statement]) -> Ids:
    """A `Reading` of the last file of a day: the ids in it."""
    theirs, ours = set(), set()
    for file in files:
        for line in file:
            theirs.add(hash(line.transaction_id.lower()))
            if len(line.merchant_id) == LENGTH_OF_GUID:
                ours.add(hash(line.merchant_id.lower()))
    return Ids(frozenset(theirs), frozenset(ours))


def names_any(request_ids: Collection[str], files: Iterable[Statement]) -> bool:
    """A `Reading` of a file: whether one of its lines names one of these sales. It is read to its end, where it may yet be refused."""
    (file,) = files
    return sum(line.merchant_id.lower() in request_ids for line in file) > 0


def read_earlier(last: Ids, request_ids: Collection[str], files: Iterable[Statement]) -> Earlier:
    """A `Reading` of an earlier file of a day, beside the ids of its last one: what is lost, and what names one of these sales."""
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
    except FileRefused:  # nobody ever believed it, so nothing of it is lost; a sale that it names may have vended all the same
        return Earlier(sha256="", rows=0, total=Total(), lost=(), naming=tuple(naming))
    summary = file.summary
    return Earlier(sha256=summary.sha256, rows=summary.all.rows, total=total, lost=tuple(lost), naming=tuple(naming))


def lacking(settled: SettledDay, last: Ids, known: Lacking, earlier: Sequence[Earlier], before: Mapping[str, Any] | None) -> Lacking:
    """What the file with which a day is settled has not.

    Args:
        last: the ids in that file.
        known: what the runs before knew to be lacking.
        earlier: the earlier files of the day that still lie there.
        before: the day's paper, as another file made it whose bytes are gone; `None` where they are there.
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
    """How many lines a day's file lacks, and how many cents; `None` where it lacks none that is known of."""
    if settled.file is None:
        return None
    now = _at_ours(settled)
    named = [Total(len(known.lines), sum(line.cents for line in known.lines)), *(one.total for one in earlier)]
    rows = max(known.least.rows - now.rows, *(one.rows for one in named))
    by_id = max(named, key=lambda one: one.rows)
    cents = by_id.cents if by_id.rows == rows and rows > 0 else max(known.least.cents - now.cents, by_id.cents)
    return Total(rows, cents) if rows > 0 or cents > 0 else None


def _at_ours(settled: SettledDay) -> Total:
    """What a file bills in all, with our amounts where they differ, and without what is negative: a correction takes no line away."""
    file = settled.file
    assert file is not None  # a day without a file lacks nothing that is known
    negative = sum(_cents(side_body(found.theirs)) for found in settled.discrepancies if found.kind is DiscrepancyKind.NEGATIVE_LINE)
    return Total(file.all.rows, file.all.cents - sum(books.differences.cents for books in settled.conservation) - negative)


def _at_ours_on_paper(body: Mapping[str, Any]) -> Total:
    """The same, of a day that was settled before."""
    file = body["file"]
    own = [found for found in body["discrepancies"] if found["day"] == body["day"] and found["kind"] == DiscrepancyKind.NEGATIVE_LINE]
    negative = sum(_cents(found["theirs"]) for found in own)
    return Total(file["rows"], file["totalCents"] - sum(books["differences"]["cents"] for books in body["conservation"]) - negative)


def _cents(theirs: Mapping[str, Any] | None) -> int:
    return 0 if theirs is None else int(theirs["amountCents"])


def _listed(body: Mapping[str, Any]) -> Iterator[LostLine]:
    """The lines of a day's file that its paper lists."""
    for found in body["discrepancies"]:
        theirs = found["theirs"]
        if found["day"] == body["day"] and theirs is not None and "line" in theirs:
            yield LostLine(theirs["supplierTransactionId"], theirs["merchantTransactionId"], theirs["amountCents"])
