"""A world that also finds settlement files, for driving the settling of days one port call at a time."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from zlib import crc32

from shared.domain.identifiers import same_supplier_id
from shared.domain.sale_summary import Sold
from shared.domain.transaction import Transaction, shard_name, shard_of
from shared.domain.vas import Mode
from shared.mobilemart.settlement_file import Line
from shared.mobilemart.settlement_format import FORMAT
from shared.mobilemart.settlement_writer import detail, written
from shared.ports.documents import Document, DocumentKind
from shared.ports.settlement_files import Answered, FilesUnavailable, FileUnreadable, Found, Reading, StoredFile
from shared.ports.transactions import LookupBy
from shared.settlement.file_selection import Choice, read
from shared.settlement.matching import FileInterpretation
from shared.settlement.runner import Settling
from tests.step_driver import World, boundary, one_by_one


@dataclass
class Shelf:
    """Settlement files in memory, by name. `unavailable`: the place does not answer.

    `unreadable` are the names of files of which so many bytes come before they break off.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    merchant: str | None = None
    unavailable: bool = False
    unreadable: dict[str, int] = field(default_factory=dict)

    async def find(self, days: Collection[date]) -> Found:
        await boundary("before find files")
        if self.unavailable:
            raise FilesUnavailable
        stored = [StoredFile(name, f"{crc32(content):08x}", partial(self._pieces, name, content)) for name, content in self.files.items()]
        return Choice(self.merchant, FORMAT)(stored, days)

    async def read(self, files: Mapping[date, StoredFile], reading: Reading[Answered]) -> Answered:
        await boundary(f"before {getattr(reading, 'func', reading).__name__}")
        return read(files, reading, FORMAT)

    def _pieces(self, name: str, content: bytes) -> Iterator[bytes]:
        yield content[: self.unreadable.get(name)]
        if name in self.unreadable:
            raise FileUnreadable("Forbidden (403)")


@dataclass
class Archive(World):
    """Sales, papers and files in memory. `written` counts what was written, sales and papers alike."""

    shelf: Shelf = field(default_factory=Shelf)
    written: int = 0
    looked_up: list[str] = field(default_factory=list)

    def settling(self, readings: FileInterpretation | None = None) -> Settling:
        return Settling(recorder=self.recorder, store=self, files=self.shelf, each=one_by_one, readings=readings or FileInterpretation())

    def deliver(self, day: date, *lines: Line, stamp: str = "", merchant: str = "ACME") -> str:
        """Put a day's file in place; its name."""
        name = f"FULCRUM.MERCHANT.{merchant}.RECON.{stamp or f'{day:%Y%m%d}230000'}.txt"
        self.shelf.files[name] = b"".join(written(day, lines))
        return name

    @property
    def days(self) -> dict[str, Mapping[str, object]]:
        """Every settlement paper, by id."""
        return {paper_id: paper.body for (kind, paper_id), paper in self.papers.items() if kind is DocumentKind.SETTLEMENTS}

    @property
    def discrepancies(self) -> list[Mapping[str, object]]:
        return [paper.body for (kind, _), paper in sorted(self.papers.items()) if kind is DocumentKind.DISCREPANCIES]

    async def advance(self, before: Transaction, after: Transaction) -> Transaction:
        self.written += 1
        return await super().advance(before, after)

    async def of_day(self, mode: Mode, day: date, shard: int) -> AsyncIterator[Sold]:
        await boundary("before of_day")
        for sale in sorted(self.sales.values(), key=lambda sale: sale.id):
            if sale.day == day and shard_of(sale.id, mode) == shard_name(mode, shard):
                yield Sold.of(sale)

    async def any_of_day(self, mode: Mode, day: date) -> bool:
        return await self._effect("any_of_day", lambda: any(sale.day == day for sale in self.sales.values()))

    async def lookup(self, mode: Mode, by: LookupBy, value: str, at_most: int = 100) -> list[Transaction]:
        def read() -> list[Transaction]:
            self.looked_up.append(value)
            if by is LookupBy.REQUEST_ID:
                return [sale for sale in self.sales.values() if sale.request_id == value]
            return [sale for sale in self.sales.values() if sale.receipt and same_supplier_id(sale.receipt.supplier_transaction_id, value)]

        return await self._effect("lookup", read)

    async def write_paper(self, kind: DocumentKind, paper: Document, beside: Document | None = None) -> Document:
        kept = await super().write_paper(kind, paper, beside)
        self.written += 1
        return kept


def bill(sale: Transaction, supplier_id: str | None = None, **changes: str) -> Line:
    """The line that bills a sale as it was ordered."""
    held = sale.receipt.supplier_transaction_id if sale.receipt else None
    line = detail(
        service=sale.order.vas_type,
        transaction_id=supplier_id or held or f"aaaaaaaa-0000-4000-8000-{sale.request_id[-12:]}",
        merchant_id=sale.request_id,
        at=sale.created_at,
        cents=sale.order.amount.cents,
        recipient=sale.order.recipient or "",
    )
    return line._replace(**changes)
