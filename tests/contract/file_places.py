"""Settlement files, and the bucket or folder that holds them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from shared.bootstrap import files_in
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import detail, written
from shared.mobilemart.simulator import MemoryLedger
from shared.mobilemart.simulator.database import Database, Deal, sold
from shared.mobilemart.simulator.services import Service
from shared.ports.settlement_files import Refusal, StatementRefused, StoredFile
from shared.settlement.file_sources import StoredFiles
from shared.settlement.matching import ONE_DAY
from tests.stand_ins.storage import storage

DAY = date(2026, 5, 1)
NEXT = DAY + ONE_DAY
NOON = datetime(2026, 5, 1, 10, tzinfo=UTC)


class Place:
    """A place for files: a folder or a bucket, under one name."""

    def __init__(self, url: str, put, take_down) -> None:
        self.url, self.put, self.take_down = url, put, take_down
        self.opened: list[StoredFiles] = []

    def files(self, merchant: str | None = None) -> StoredFiles:
        self.opened.append(files_in(self.url, merchant))
        return self.opened[-1]


def bucket_place(monkeypatch) -> Iterator[Place]:
    with storage("settlement") as service:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.address)
        service.objects["elsewhere/FULCRUM.MERCHANT.ACME.RECON.20260509.txt"] = content(DAY)  # not under the prefix

        def put(name: str, body: bytes) -> None:
            service.objects[f"recon/{name}"] = body

        def take_down() -> None:
            service.down = True

        yield Place("gs://settlement/recon", put, take_down)


def folder_place(folder: Path) -> Iterator[Place]:
    inside = folder / "recon files"
    inside.mkdir()

    def put(name: str, body: bytes) -> None:
        path = inside / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)

    def take_down() -> None:
        inside.rename(folder / "elsewhere")

    yield Place(f"file://{folder}/recon%20files", put, take_down)


def name(stamp: str = "20260502060000", merchant: str = "ACME") -> str:
    return f"FULCRUM.MERCHANT.{merchant}.RECON.{stamp}.txt"


def content(day: date, rows: int = 1, cents: int = 10_000) -> bytes:
    lines = (
        detail(
            service=VasType.UTILITY,
            transaction_id=f"aaaaaaaa-0000-4000-8000-{row:012d}",
            merchant_id=f"bbbbbbbb-0000-4000-8000-{row:012d}",
            at=NOON,
            cents=cents,
            recipient="12345678901",
        )
        for row in range(rows)
    )
    return b"".join(written(day, lines))


async def found(files, *days: date) -> dict[date, str]:
    """Return the names found, or why one is refused."""
    return {day: file.reason if isinstance(file, Refusal) else file.name for day, file in (await files.find(days)).items()}


def read_whole(opened: list[SettlementFile]) -> list[int]:
    return [len(list(file)) for file in opened]


THREE = (DAY, NEXT, NEXT + ONE_DAY)


async def refusals(files) -> dict[date, Refusal]:
    """Find three days' files, and read each whole. Return the refused days."""
    listed = await files.find(THREE)
    said = {day: file for day, file in listed.items() if isinstance(file, Refusal)}
    for day, file in listed.items():
        if isinstance(file, StoredFile):
            try:
                assert (await files.read({day: file}, read_whole))[0] >= 1
            except StatementRefused as refused:
                said[day] = refused.refusal
    assert set(listed) == set(THREE)
    return said


async def vends_in(ledger: MemoryLedger, *moments: datetime) -> None:
    deal = Deal(
        service=Service.UTILITY,
        scenario=0,
        merchant_product_id="SimUtility",
        product_name="Electricity",
        content_creator="SimOperator",
        amount_cents=10_000,
        meter_number="12345678901",
    )
    for number, at in enumerate(moments):
        request_id = f"bbbbbbbb-0000-4000-8000-{number:012d}"
        await Database(ledger).book(sold(deal, request_id, 1, f"aaaaaaaa-0000-4000-8000-{number:012d}", "CreditCard", at))
