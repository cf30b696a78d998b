"""The simulated switch's settlement files: a line for each vend in its database, faults planted on request."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

from shared.domain.clock import BUSINESS_TIME, business_day
from shared.mobilemart.settlement_file import Line
from shared.mobilemart.settlement_writer import Plant, detail, planted, written
from shared.mobilemart.simulator.database import Database, Vend
from shared.mobilemart.simulator.key_value_store import Ledger
from shared.ports.settlement_files import Answered, Files, Found, FoundFiles, Reading, Refusal, StoredFile

MERCHANT: Final = "SIMULATED"
NO_PLANTS: Final[Mapping[int, Plant]] = MappingProxyType({})

_ONE_DAY: Final = timedelta(days=1)
_DELIVERED: Final = timedelta(days=1, hours=6)  # after the day's beginning: the supplier is said to deliver at this hour
_TENDERS: Final = MappingProxyType({"CreditCard": "Credit Card"})


def day_file(day: date, vends: Iterable[Vend], plants: Mapping[int, Plant] = NO_PLANTS) -> Iterator[bytes]:
    """Yield the file of a business day, line by line, in the order of the vends. `plants` are faults by position, from 0."""
    return written(day, planted((line_of(vend) for vend in vends if business_day(vend.at) == day), plants))


def day_file_name(day: date, vends: Iterable[Vend], at: datetime) -> str:
    """The name under which a day's file is delivered. While the day runs, its time is that of the day's last vend."""
    beginning = datetime(day.year, day.month, day.day, tzinfo=BUSINESS_TIME)
    made = beginning + _DELIVERED
    if business_day(at) <= day:
        made = max((vend.at for vend in vends if business_day(vend.at) == day), default=beginning).astimezone(BUSINESS_TIME)
    return f"FULCRUM.MERCHANT.{MERCHANT}.RECON.{made:%Y%m%d%H%M%S}{made.microsecond // 1000:03d}.txt"


def line_of(vend: Vend) -> Line:
    """The settlement line that bills a vend."""
    line = detail(
        service=vend.vas_type,
        transaction_id=vend.transaction_id,
        merchant_id=vend.request_id,
        at=vend.at,
        cents=vend.amount_cents,
        recipient=vend.recipient or "",
        category=vend.category,
        provider=vend.deal.content_creator,
        product_name=vend.deal.product_name,
        tender_type=_TENDERS.get(vend.tender_type, vend.tender_type),
    )
    return line._replace(
        transaction_type=vend.transaction_type,
        serial_number=vend.serial_number or "",
        unit_type=vend.unit_type or "",
        units="" if vend.units is None else str(vend.units),
        municipality=vend.municipality or "",
        free_basic_electricity="" if vend.municipality is None else str(vend.free_units is not None),
        free_basic_units="" if vend.free_units is None else str(vend.free_units),
    )


class SimulatedFiles:
    """The simulated supplier's files of its real vends. Implements `shared.ports.settlement_files.Files`.

    While a day runs, its file holds the vends so far, under a name of its own.
    The first file is of the first vend's day, or of yesterday. A file among `delivered` replaces the made one: faults can be planted.
    """

    def __init__(self, ledger: Ledger, now: Callable[[], datetime], delivered: Files) -> None:
        self._database, self._now, self._delivered = Database(ledger), now, delivered

    async def read(self, files: Mapping[date, StoredFile], reading: Reading[Answered]) -> Answered:
        """As `Files.read`."""
        return await self._delivered.read(files, reading)

    async def find(self, days: Collection[date]) -> Found:
        """As `Files.find`."""
        at = self._now()
        vends = [vend for vend in await self._database.vends() if vend.at <= at]
        today = business_day(at)
        first = min([today - _ONE_DAY, *(business_day(vend.at) for vend in vends[:1])])
        files: dict[date, StoredFile | Refusal] = {}
        for day in days:
            if first <= day <= today:
                name = day_file_name(day, vends, at)
                files[day] = StoredFile(name, name, partial(_chunks, day, vends))
        delivered = await self._delivered.find(days)
        found = FoundFiles({**files, **delivered})
        if isinstance(delivered, FoundFiles):
            found.not_taken, found.more_not_taken = delivered.not_taken, delivered.more_not_taken
        return found


def _chunks(day: date, vends: list[Vend]) -> tuple[bytes]:
    return (b"".join(day_file(day, vends)),)
