"""The supplier's settlement file ("recon file") v1.1: a strict reader that streams. Pure.

A file is `H|version|CCYYMMDD`, then one `D` line of 24 positions per sale, then `T|count of all lines`.
`|` separates fields; LF or CRLF ends lines; the text is UTF-8.

A file is accepted as a whole or not at all. The reader yields lines while it reads: a million lines never fill memory.
Callers act on no line before the last one has been yielded without `FileRefused`.
Forms that harm nothing are read and noted: `settlement_forms`.

Source: the supplier's "Merchant Recon Spec" v1.1 as restated in `docs/settlement.md`, with its open questions.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from functools import partial
from itertools import chain
from operator import itemgetter
from types import MappingProxyType
from typing import Final, NamedTuple

from shared.domain.clock import BUSINESS_TIME
from shared.domain.statement import Billing, FileFault, FileRefused, Note, Summary, Total
from shared.domain.vas import VasType
from shared.lib.masking import last_four
from shared.lib.value import Value
from shared.mobilemart import settlement_forms as forms

SUCCESSFUL: Final = "Successful"
BINNED: Final = "Binned"
_BILLING: Final = MappingProxyType({SUCCESSFUL: Billing.BILLED, BINNED: Billing.NOT_BILLED})

FILE_VAS_TYPES: Final = MappingProxyType(
    {
        "Airtime": VasType.AIRTIME,
        "Data": VasType.DATA,
        "Voucher": VasType.VOUCHER,
        "Bill Payment": VasType.BILL_PAYMENT,
        "Utility": VasType.UTILITY,
    }
)

MAX_FAULTS: Final = 10
MAX_LINE_BYTES: Final = 16 * 1024  # longer than any valid line: 24 fields of 128 characters of 4 bytes
PIECE_BYTES: Final = 128 * 1024  # parsed at once; memory holds only its lines


class Line(NamedTuple):
    """One detail line: its fields in the file's order, as the file's texts. The properties give their values.

    Implements `shared.domain.statement.StatementLine`.

    The record id and the tender PAN are left out: a card number is never stored.
    """

    vas_type: str
    vas_category: str
    provider: str
    transaction_id: str  # the supplier's
    merchant_id: str  # ours: presumably the request id; may be empty
    transaction_type: str
    status: str
    date: str
    time: str
    tender_type: str
    amount: str  # cents
    barcode: str
    product_name: str
    serial_number: str
    msisdn: str
    account_number: str
    meter_number: str
    unit_type: str
    units: str
    municipality: str
    free_basic_electricity: str
    free_basic_units: str

    @property
    def cents(self) -> int:
        return int(self.amount)

    @property
    def service(self) -> VasType:
        return FILE_VAS_TYPES[self.vas_type]

    @property
    def at(self) -> datetime:
        """The moment of the sale, UTC. The file holds it in South African time."""
        said = datetime.fromisoformat(f"{self.date}T{self.time}")
        return said.replace(tzinfo=BUSINESS_TIME).astimezone(UTC)

    @property
    def recipient(self) -> str:
        """The meter, account or mobile number of the line's service; empty if the line names none."""
        return self[RECIPIENT_FIELD[self.vas_type]]

    @property
    def billing(self) -> Billing:
        return _BILLING.get(self.status, Billing.UNKNOWN)

    @property
    def text(self) -> str:
        """The line as the file holds it, without its tender PAN."""
        return "|".join(("D", *self))

    def __repr__(self) -> str:
        to = last_four(self.recipient or None)
        return f"Line({self.vas_type}, {self.transaction_id}, {self.merchant_id}, {self.status}, {self.amount}, to={to})"


RECIPIENT_FIELD: Final = MappingProxyType(
    {
        "Airtime": Line._fields.index("msisdn"),
        "Data": Line._fields.index("msisdn"),
        "Voucher": Line._fields.index("msisdn"),
        "Bill Payment": Line._fields.index("account_number"),
        "Utility": Line._fields.index("meter_number"),
    }
)


class _Field(Value, frozen=True):
    name: str
    pattern: str
    rule: str


_CHARACTER: Final = r"[^|\x00-\x1f\x7f]"  # its repeats are possessive: a field ends where its characters end, so backtracking finds nothing
_HEX: Final = "[0-9A-Fa-f]"
_DAY: Final = "2[0-9]{7}"  # of this millennium: a moment in the year 1 has none in UTC, and the last day of 9999 has no next day
_TEXT: Final = f"{_CHARACTER}{{1,128}}+", "1 to 128 characters, none of them a control character"
_OPTIONAL: Final = f"{_CHARACTER}{{0,128}}+", "at most 128 characters, none of them a control character"

_FIELDS: Final = (  # behind the record id
    _Field("VAS type", "|".join(FILE_VAS_TYPES), "one of " + ", ".join(FILE_VAS_TYPES)),
    _Field("VAS category", *_TEXT),
    _Field("provider", *_TEXT),
    _Field("Fulcrum transaction id", "-".join(f"{_HEX}{{{digits}}}" for digits in (8, 4, 4, 4, 12)), "a GUID"),
    _Field("merchant transaction id", *_OPTIONAL),
    _Field("transaction type", "Payment|Purchase", "Payment or Purchase"),
    _Field("transaction status", *_TEXT),  # an unknown status is a discrepancy, not a broken file
    _Field("date", _DAY, "a day as CCYYMMDD"),
    _Field("time", "(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]", "a time as HHMMSS"),
    _Field("tender type", *_OPTIONAL),
    _Field("amount", "-?[0-9]{1,15}", "whole cents: at most 15 digits, behind a minus where negative"),
    _Field("barcode", *_OPTIONAL),
    _Field("product name", *_TEXT),
    _Field("serial number", *_OPTIONAL),
    _Field("MSISDN", *_OPTIONAL),
    _Field("account number", *_OPTIONAL),
    _Field("meter number", *_OPTIONAL),
    _Field("unit type", *_OPTIONAL),
    _Field("units", *_OPTIONAL),
    _Field("municipality", *_OPTIONAL),
    _Field("free basic electricity", *_OPTIONAL),
    _Field("FBE units", *_OPTIONAL),
    _Field("tender PAN", *_OPTIONAL),
)
_DATE_FIELD: Final = 1 + Line._fields.index("date")

_VAS_TYPE: Final = itemgetter(0)  # empty in a row that is no detail line
_KIND: Final = itemgetter(0, Line._fields.index("status"))
_AMOUNT: Final = itemgetter(Line._fields.index("amount"))
_DATE: Final = itemgetter(Line._fields.index("date"))
_line: Final = partial(tuple.__new__, Line)  # as `Line._make`, without a Python frame for each of a million lines

_HEADER: Final = re.compile(rf"H\|([^|\x00-\x1f\x7f]{{1,16}})\|({_DAY})")
_TRAILER: Final = re.compile(r"T\|([0-9]{1,12})")
# Matches a whole line at once; all fields but the tender PAN are groups. Any other line matches with empty groups.
_DETAIL: Final = re.compile(
    "D" + "".join(rf"\|({field.pattern})" for field in _FIELDS[:-1]) + rf"\|(?:{_FIELDS[-1].pattern})\r?\n|[^\n]*\n"
)


class SettlementFile:
    """One pass over a file's bytes, in whatever chunks they come. Implements `shared.domain.statement.Statement`.

    >>> file = SettlementFile([b"H|1|20260501\\nT|2\\n"])
    >>> file.day.isoformat(), list(file), file.summary.all
    ('2026-05-01', [], Total(rows=0, cents=0))

    `day` is the header's, `name` only goes into the summary.

    Raises:
        FileRefused: the first line is no header; while iterating, at the tenth fault or at the end.
    """

    def __init__(self, chunks: Iterable[bytes], name: str = "") -> None:
        self.name = name
        self._sha256 = hashlib.sha256()
        self._faults: list[FileFault] = []
        self._number = 1  # of the next line
        self._trailer: tuple[int, int] | None = None  # its line number, and the count that it gives
        self._blanks = 0  # empty lines behind the trailer
        self._notes: dict[str, Note] = {}  # by their messages
        self._rows: Counter[tuple[str, str]] = Counter()  # by VAS type and status
        self._cents: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._real_days: set[str] = set()
        self._summary: Summary | None = None
        self._pieces = map(self._decoded, self._whole_lines(self._with_line_feeds(chunks)))
        first, _, self._first_piece = next(self._pieces, "").lstrip(forms.BYTE_ORDER_MARK).partition("\n")  # .NET writes such a mark
        head, notes = forms.framed(first, ends_the_file=False)
        self._note(1, *notes)
        match = _HEADER.fullmatch(head)
        day = _day(match[2]) if match else None
        if match is None or day is None:
            raise FileRefused(self.name, (FileFault(1, "must be the header H|version|CCYYMMDD"),))
        self.version, self.day = match[1], day
        self._number = 2

    @property
    def summary(self) -> Summary:
        """The summary of the whole file.

        Raises:
            ValueError: a line has not been yielded yet, or one was refused.
        """
        if self._summary is None:
            raise ValueError("the file has not been read to its end")
        return self._summary

    def __iter__(self) -> Iterator[Line]:
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[list[Line]]:
        for text in chain((self._first_piece,), self._pieces):
            lines = self._lines(text)
            if not self._faults:  # behind a fault no line is yielded, but the reader looks for further faults
                self._count(lines)
                yield lines
        self._summary = self._verdict()

    def _count(self, lines: list[Line]) -> None:
        self._rows.update(map(_KIND, lines))
        for kind, cents in zip(map(_KIND, lines), map(int, map(_AMOUNT, lines)), strict=True):
            self._cents[kind] += cents

    def _lines(self, text: str) -> list[Line]:
        """Return the detail lines of whole lines of text, after it judged every other line."""
        rows = _DETAIL.findall(text)
        lines = list(map(_line, filter(_VAS_TYPE, rows)))
        if len(lines) < len(rows):
            self._judge_others(rows, text)
            lines = list(map(_line, filter(_VAS_TYPE, rows)))
        if not self._real_days.issuperset(days := set(map(_DATE, lines))):
            self._judge_days(rows, days)
        self._number += len(rows)
        return lines

    def _judge_others(self, rows: list[tuple[str, ...]], text: str) -> None:
        """Judge every row that is not exactly a detail line. A row in another accepted form becomes a detail line."""
        texts = text.split("\n")
        for at, row in enumerate(rows):
            if not _VAS_TYPE(row):
                rows[at] = self._judge(self._number + at, texts[at]) or row

    def _judge(self, number: int, text: str) -> tuple[str, ...] | None:
        """Judge a line that is not exactly a detail line: another form, the trailer, a blank line, or a fault.

        The fields of a line in another form are returned.
        """
        if self._trailer is not None and forms.is_blank(text):
            self._judge_blank(number)
            return None
        bare, marks = forms.unmarked(text)
        if bare.startswith("T") and self._trailer is None:
            last, notes = forms.framed(bare, ends_the_file=True)
            if trailer := _TRAILER.fullmatch(last):
                self._trailer = number, int(trailer[1])
                self._note(number, *marks, *notes)
                return None
        plain, notes = forms.detail(bare)
        match = _DETAIL.fullmatch(f"{plain}\n")
        if match is None or match[1] is None:
            self._refuse(*_faults_of(number, bare.removesuffix("\r")))
            return None
        self._note(number, *marks, *notes)
        return match.groups()

    def _judge_blank(self, number: int) -> None:
        self._blanks += 1
        self._note(number, forms.BLANK)
        if self._blanks > forms.MAX_BLANK_LINES:
            self._refuse(FileFault(number, f"is blank, as more than {forms.MAX_BLANK_LINES} lines behind the trailer"))

    def _note(self, number: int, *messages: str) -> None:
        for message in messages:
            known = self._notes.get(message)
            self._notes[message] = Note(number, message) if known is None else Note(known.line, message, known.lines + 1)

    def _judge_days(self, rows: list[tuple[str, ...]], days: set[str]) -> None:
        """Refuse eight digits that are no day of the calendar."""
        real = {text for text in days if _day(text) is not None}
        self._real_days |= real
        for at, row in enumerate(rows):
            if _VAS_TYPE(row) and _DATE(row) not in real:
                self._refuse(_fault(self._number + at, _DATE_FIELD))

    def _verdict(self) -> Summary:
        last = self._number - 1 - self._blanks
        if self._trailer is None:
            self._refuse(FileFault(last + 1, "the trailer T|count is missing"))
        else:
            at, count = self._trailer
            if at != last:
                self._refuse(FileFault(at + 1, "stands behind the trailer"))
            if count != at:
                self._refuse(FileFault(at, f"the trailer counts {count} lines, but is line {at}"))
        if self._faults:
            raise FileRefused(self.name, tuple(self._faults))
        totals = {kind: Total(rows, self._cents[kind]) for kind, rows in self._rows.items()}
        successful = {service: totals.get((text, SUCCESSFUL), Total()) for text, service in FILE_VAS_TYPES.items()}
        notes = tuple(sorted(self._notes.values(), key=lambda note: note.line))
        return Summary(self.name, self._sha256.hexdigest(), sum(totals.values(), Total()), MappingProxyType(successful), notes)

    def _refuse(self, *faults: FileFault) -> None:
        self._faults = [*self._faults, *faults][:MAX_FAULTS]
        if len(self._faults) == MAX_FAULTS:
            raise FileRefused(self.name, tuple(self._faults))

    def _decoded(self, piece: bytes) -> str:
        try:
            return piece.decode("utf-8")
        except UnicodeDecodeError:
            text, lines = forms.decoded(piece)
        for line, wrong in lines:
            number = self._number + line
            if wrong:
                self._refuse(*(FileFault(number, "is not UTF-8", at or None, _FIELDS[at - 1].name if at else None) for at in wrong))
            else:
                self._note(number, forms.NOT_UTF_8)
        return text

    def _whole_lines(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Cut the bytes behind line ends into pieces of about `PIECE_BYTES`. A last line needs no line end."""
        rest = b""
        for chunk in chunks:
            for start in range(0, len(chunk), PIECE_BYTES):
                rest += chunk[start : start + PIECE_BYTES]
                cut = rest.rfind(b"\n") + 1
                if len(rest) - cut > MAX_LINE_BYTES:
                    number = self._number + rest.count(b"\n")
                    raise FileRefused(self.name, (*self._faults, FileFault(number, f"is longer than {MAX_LINE_BYTES} bytes")))
                if cut:
                    yield rest[:cut]
                    rest = rest[cut:]
        if rest:
            yield rest + b"\n"

    def _with_line_feeds(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bytes as they arrive. If the first line ends in CR alone, every CR becomes LF."""
        begun, alone = b"", None
        for chunk in chunks:
            self._sha256.update(chunk)
            if alone is not None:
                yield chunk.replace(b"\r", b"\n") if alone else chunk
                continue
            begun += chunk
            alone = forms.ends_in_cr_alone(begun)
            if alone is None and len(begun) > MAX_LINE_BYTES:
                alone = False
            if alone:
                self._note(1, forms.CR_ALONE)
            if alone is not None:
                yield begun.replace(b"\r", b"\n") if alone else begun
        if alone is None:
            yield begun


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _fault(line: int, position: int) -> FileFault:
    field = _FIELDS[position - 1]
    return FileFault(line, f"must be {field.rule}", position, field.name)


def _faults_of(line: int, text: str) -> tuple[FileFault, ...]:
    """Return the faults of a line that is neither a detail line nor the trailer."""
    record, *fields = text.split("|")
    if record != "D":
        return (FileFault(line, "is no detail line, which begins with D"),)
    if len(fields) != len(_FIELDS):
        return (FileFault(line, f"has {len(fields) + 1} positions, not {len(_FIELDS) + 1}"),)
    wrong = (at for at, (field, value) in enumerate(zip(_FIELDS, fields, strict=True), 1) if not re.fullmatch(field.pattern, value))
    return tuple(_fault(line, position) for position in wrong)
