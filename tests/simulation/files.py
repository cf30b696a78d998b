"""The supplier's settlement files: of what it really sold, and as they should not be."""

from collections.abc import Collection, Generator, Iterator, Mapping
from datetime import date, datetime, timedelta
from hashlib import sha256
from types import coroutine
from typing import Any
from zlib import crc32

from shared.domain.clock import business_day
from shared.domain.transaction import Transaction
from shared.mobilemart.settlement_file import Line
from shared.mobilemart.settlement_format import FORMAT
from shared.mobilemart.settlement_writer import detail, written
from shared.ports.settlement_files import FilesUnavailable, FileUnreadable, Found, Reading, StoredFile
from shared.settlement.file_selection import Choice, read
from tests.file_forms import Form, formed
from tests.simulation.faults import Call, Fault
from tests.simulation.goods import Vend

LIST = Call("files.find", Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.REFUSED, Fault.LATE, weight=6)
READ = Call("files.read", Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.REFUSED, Fault.LATE, weight=6)
FORMS = tuple(Form)
UNBILLED = ("Pending", "Binned")  # statuses under which nothing is billed: one that nobody knows, and one that is known


class Shelf:
    """Files in memory, by name. Implements `shared.settlement.file_selection.Files`.

    `contents` are what files say, by the letter; `forms` in which other form some are written; `unreadable`, of some that cannot
    be read, whether their header can.
    """

    __slots__ = ("_choice", "_opened", "contents", "ever", "forms", "unreadable")

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.ever: dict[str, bytes] = {}  # by hash, those that were overwritten too
        self.forms: dict[str, Form] = {}
        self.unreadable: dict[str, bool] = {}
        self._opened: set[tuple[str, bytes]] = set()  # files, with their bytes, of which the header has been read
        self._choice = Choice(None, FORMAT)

    @coroutine
    def find(self, days: Collection[date]) -> Generator[Any, Fault | None, Found]:
        if (fault := (yield LIST)) is Fault.REFUSED:
            raise FilesUnavailable
        found = self._choice(map(self._stored, self.contents), days)
        if fault is not None:
            yield fault
        return found

    @coroutine
    def read(self, files: Mapping[date, StoredFile], reading: Reading[Any]) -> Generator[Any, Fault | None, Any]:
        if (fault := (yield READ)) is Fault.REFUSED:
            raise FilesUnavailable
        made = read(files, reading, FORMAT)
        if fault is not None:
            yield fault
        return made

    def deliver(
        self, day: date, lines: list[Line], at: datetime, *, miscounted_by: int = 0, cut: bool = False, form: Form | None = None
    ) -> str:
        """Put a file in place, named by when it was made: over another of that name, if there is one. Its name."""
        content = b"".join(written(day, lines, miscounted_by=miscounted_by))
        name = f"FULCRUM.MERCHANT.ACME.RECON.{at:%Y%m%d%H%M%S}.txt"
        self.contents[name] = content[:-9] if cut else content
        self.ever[sha256(content).hexdigest()] = content
        self.forms.pop(name, None)
        if form is not None:
            self.forms[name] = form
        return name

    def repeat_last(self, at: datetime) -> None:
        """The same bytes under another name."""
        *_, last = self.contents.values()
        self.contents[f"FULCRUM.MERCHANT.ACME.RECON.{at:%Y%m%d%H%M%S}.txt"] = last

    def days(self) -> set[date]:
        """The days that files say they are of, as far as their headers came whole."""
        heads = (content.partition(b"\n")[0].decode().removeprefix("H|1|") for content in self.contents.values())
        return {date.fromisoformat(head) for head in heads if len(head) == 8}

    def of_day(self, day: date) -> list[str]:
        """The names of a day's files, the last one last."""
        head = f"H|1|{day:%Y%m%d}".encode()
        return sorted(name for name in self.contents if self.contents[name].startswith(head))

    def hides_some_of(self, day: date) -> bool:
        """Whether a file that cannot be read is of that day, or may be: its name allows it, and its header was never read."""
        stamps = [f".{day + timedelta(days=later):%Y%m%d}" for later in (0, 1)]
        headless = [name for name, header in self.unreadable.items() if not header and (name, self._served(name)) not in self._opened]
        by_name = any(stamp in name for name in headless for stamp in stamps)
        return by_name or any(name in self.unreadable for name in self.of_day(day))

    def hash_of(self, name: str) -> str:
        """The SHA-256 of a file's bytes."""
        return sha256(self._served(name)).hexdigest()

    def _served(self, name: str) -> bytes:
        content, form = self.contents[name], self.forms.get(name)
        return content if form is None else formed(content, form)

    def _stored(self, name: str) -> StoredFile:
        served = self._served(name)
        return StoredFile(name, f"{crc32(served):08x}", lambda: self._chunks(name, served))

    def _chunks(self, name: str, served: bytes) -> Iterator[bytes]:
        if name not in self.unreadable:
            self._opened.add((name, served))
            yield served
            return
        if self.unreadable[name]:
            self._opened.add((name, served))
            yield served[: len(served.splitlines(keepends=True)[0]) + 1]
        raise FileUnreadable("Forbidden (403)")


def lines_of(day: date, vends: list[Vend], ids: str) -> list[Line]:
    """What the supplier bills for a day; `ids` says what its field for our id carries."""
    return [line_of(vend, ids) for vend in vends if billed_on(vend) == day]


def billed_on(vend: Vend) -> date:
    """The day whose file bills a sale: its own, but where the supplier is late with it, or its clock is."""
    return business_day(vend.at) + timedelta(days=vend.posted_days_later)


def of_nobody(line: Line) -> Line:
    """A line like that one, of a sale that nobody knows here."""
    return line._replace(transaction_id=f"f{line.transaction_id[1:]}", merchant_id="")


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
        case "another" | "another, in capitals":
            merchant_id = f"eeeeeeee{vend.request_id[8:]}"
        case _:
            merchant_id = ""
    return detail(
        service=vend.vas_type,
        transaction_id=vend.supplier_id.upper() if "in capitals" in ids else vend.supplier_id,
        merchant_id=merchant_id,
        at=vend.at,
        cents=vend.cents,
        recipient=vend.recipient or "",
    )
