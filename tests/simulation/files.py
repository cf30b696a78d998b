"""The supplier's settlement files: of what it really sold, and as they should not be."""

from collections.abc import Collection, Generator, Mapping
from datetime import date, datetime, timedelta
from hashlib import sha256
from types import coroutine
from typing import Any
from zlib import crc32

from shared.mobilemart.settlement_file import Line
from shared.mobilemart.settlement_writer import detail, written
from shared.settlement_files import Choice, FilesUnavailable, Found, Reading, StoredFile, read
from shared.transaction import Transaction, business_day
from tests.simulation.faults import Call, Fault
from tests.simulation.goods import Vend

LIST = Call("files.find", Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.REFUSED, Fault.LATE, weight=6)
READ = Call("files.read", Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.REFUSED, Fault.LATE, weight=6)
UNBILLED = ("Pending", "Binned")  # statuses under which nothing is billed: one that nobody knows, and one that is known


class Shelf:
    """Files in memory, by name. Implements `shared.settlement_files.Files`."""

    __slots__ = ("_choice", "contents", "ever")

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.ever: dict[str, bytes] = {}  # by hash, those that were overwritten too
        self._choice = Choice(None)

    @coroutine
    def find(self, days: Collection[date]) -> Generator[Any, Fault | None, Found]:
        if (fault := (yield LIST)) is Fault.REFUSED:
            raise FilesUnavailable
        found = self._choice([_stored(name, content) for name, content in self.contents.items()], days)
        if fault is not None:
            yield fault
        return found

    @coroutine
    def read(self, files: Mapping[date, StoredFile], reading: Reading[Any]) -> Generator[Any, Fault | None, Any]:
        if (fault := (yield READ)) is Fault.REFUSED:
            raise FilesUnavailable
        made = read(files, reading)
        if fault is not None:
            yield fault
        return made

    def deliver(self, day: date, lines: list[Line], at: datetime, *, miscounted_by: int = 0, cut: bool = False) -> None:
        """Put a file in place, named by when it was made: over another of that name, if there is one."""
        content = b"".join(written(day, lines, miscounted_by=miscounted_by))
        self.contents[f"FULCRUM.MERCHANT.ACME.RECON.{at:%Y%m%d%H%M%S}.txt"] = content[:-9] if cut else content
        self.ever[sha256(content).hexdigest()] = content

    def repeat_last(self, at: datetime) -> None:
        """The same bytes under another name."""
        *_, last = self.contents.values()
        self.contents[f"FULCRUM.MERCHANT.ACME.RECON.{at:%Y%m%d%H%M%S}.txt"] = last


def _stored(name: str, content: bytes) -> StoredFile:
    return StoredFile(name, f"{crc32(content):08x}", lambda: (content,))


def lines_of(day: date, vends: list[Vend], ids: str) -> list[Line]:
    """What the supplier bills for a day; `ids` says what its field for our id carries."""
    return [line_of(vend, ids) for vend in vends if billed_on(vend) == day]


def billed_on(vend: Vend) -> date:
    """The day whose file bills a sale: its own, but where the supplier is late with it, or its clock is."""
    return business_day(vend.at) + timedelta(days=vend.posted_days_later)


def line_that_bills_nothing(sale: Transaction, number: int, ids: str) -> Line:
    """A line of a request as it came in, whatever became of it, with another status than `Successful`."""
    order = sale.order
    tried = Vend(sale.request_id, order.vas_type, order.recipient, order.amount.cents, pinned=order.pinned)
    tried.supplier_id, tried.at = f"cccccccc-0000-4000-8000-{number:012d}", sale.created_at
    return line_of(tried, ids)._replace(status=UNBILLED[number % len(UNBILLED)])


def line_of(vend: Vend, ids: str) -> Line:
    """The line that bills a sale. Its supplier writes GUIDs in capitals in its files only, its own as well as ours."""
    match "none" if ids == "of what it answered" and not vend.answered else ids:
        case "ours" | "of what it answered":
            merchant_id = vend.request_id
        case "in capitals":
            merchant_id = vend.request_id.upper()
        case "theirs":
            merchant_id = vend.supplier_id
        case "another":
            merchant_id = f"eeeeeeee{vend.request_id[8:]}"
        case _:
            merchant_id = ""
    return detail(
        service=vend.vas_type,
        transaction_id=vend.supplier_id.upper() if ids == "in capitals" else vend.supplier_id,
        merchant_id=merchant_id,
        at=vend.at,
        cents=vend.cents,
        recipient=vend.recipient or "",
    )
