"""A supplier's statement of its bills for one business day: lines, totals, and the faults of a refused file. Pure.

Settlement compares these types with our sales. A supplier's reader implements them.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum, auto
from typing import Protocol

from shared.domain.vas import VasType
from shared.lib.value import Value


class Note(Value, frozen=True):
    """A deviation from the format that the reader accepts. `line` is the first of the `lines` with it. The message quotes no field."""

    line: int
    message: str
    lines: int = 1


class Billing(Enum):
    """Whether a line bills its sale."""

    BILLED = auto()
    NOT_BILLED = auto()
    UNKNOWN = auto()  # the reader does not know the line's status


class StatementLine(Protocol):
    """One line of a statement. Texts are in the supplier's spelling. Its `repr` shows no number whole."""

    @property
    def transaction_id(self) -> str:
        """The supplier's id of the vend."""

    @property
    def merchant_id(self) -> str:
        """Our id of the sale; empty if the line names none."""

    @property
    def service(self) -> VasType: ...

    @property
    def cents(self) -> int:
        """The billed amount; negative in a reversal."""

    @property
    def at(self) -> datetime:
        """The moment of the sale, UTC."""

    @property
    def recipient(self) -> str:
        """The meter, account or mobile number; empty if the line names none."""

    @property
    def status(self) -> str:
        """The supplier's word for the state of the sale."""

    @property
    def billing(self) -> Billing: ...

    @property
    def product_name(self) -> str: ...

    @property
    def serial_number(self) -> str:
        """A voucher's serial number; empty if there is none."""

    @property
    def text(self) -> str:
        """The line of the file, without a card number."""


class Statement(Protocol):
    """A file of one day, read once from its beginning to its end.

    Iterating raises `FileRefused` at the first line that breaks the format. The lines before are then no evidence either.
    """

    @property
    def name(self) -> str: ...

    @property
    def day(self) -> date: ...

    @property
    def summary(self) -> "Summary":
        """The summary of the whole file. Raises `ValueError` before the file was read to its end."""

    def __iter__(self) -> Iterator[StatementLine]: ...


class FileFault(Value, frozen=True):
    """The place where a file breaks the format. The message quotes no field: after one field too many it could be a card number."""

    line: int
    message: str
    field: int | None = None  # its position, counted from 0 as the specification does
    name: str | None = None

    def __str__(self) -> str:
        where = f"line {self.line}" if self.field is None else f"line {self.line}, field {self.field} ({self.name})"
        return f"{where}: {self.message}"


class FileRefused(Exception):
    """The file `name` breaks the format. `faults` are the first ten."""

    def __init__(self, name: str, faults: tuple[FileFault, ...]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.name, self.faults = name, faults


class FileName(Value, frozen=True):
    """The parts of a file's name. `stamp` is 8 to 17 digits of unknown form: we take the greater of two stamps as the later."""

    merchant: str
    stamp: str


class Total(Value, frozen=True):
    """A number of lines or sales, and the sum of their amounts in cents."""

    rows: int = 0
    cents: int = 0

    def __add__(self, other: "Total") -> "Total":
        return Total(self.rows + other.rows, self.cents + other.cents)

    def __sub__(self, other: "Total") -> "Total":
        return Total(self.rows - other.rows, self.cents - other.cents)


class Summary(Value, frozen=True):
    """A file that was read to its end and broke no rule. `all` totals its detail lines, `successful` the billed lines.

    `notes` are the accepted deviations from the format, in the order of their first lines.
    """

    name: str
    sha256: str
    all: Total
    successful: Mapping[VasType, Total]
    notes: tuple[Note, ...] = ()
