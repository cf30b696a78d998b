"""The settlement files of the simulated supplier."""

from datetime import timedelta

import httpx
import pytest

from local.supplier import Supplier
from shared.bootstrap import files_in
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import Plant
from shared.mobilemart.simulator import MemoryLedger, Simulator
from shared.mobilemart.simulator.database import Database
from shared.mobilemart.simulator.settlement import SimulatedFiles, day_file
from shared.ports.settlement_files import StoredFile
from shared.settlement.matching import ONE_DAY
from tests.contract.file_places import DAY, NEXT, NOON, found, name, vends_in


async def test_without_a_place_there_are_no_files():
    files = files_in(None, None)
    assert await files.find([DAY]) == {}
    await files.close()


async def test_the_simulated_supplier_delivers_what_it_vended_a_file_a_day():
    ledger = MemoryLedger()
    await vends_in(ledger, NOON, NOON + timedelta(minutes=1), NOON + ONE_DAY)
    files = SimulatedFiles(ledger, lambda: NOON + ONE_DAY + timedelta(hours=1), files_in(None, None))
    listed = await files.find([DAY - ONE_DAY, DAY, NEXT, NEXT + ONE_DAY])
    assert set(listed) == {DAY, NEXT} and all(isinstance(file, StoredFile) for file in listed.values())
    billed = {}

    def comparing(opened: list[SettlementFile]) -> None:
        for file in opened:
            billed[file.day] = [(line.merchant_id[-1], line.cents, line.units, line.meter_number) for line in file]

    await files.read(listed, comparing)
    assert billed == {
        DAY: [("0", 10_000, "29.7", "12345678901"), ("1", 10_000, "29.7", "12345678901")],
        NEXT: [("2", 10_000, "29.7", "12345678901")],
    }


async def test_a_day_that_still_runs_has_another_name_with_every_vend():
    ledger, moment = MemoryLedger(), NOON + timedelta(hours=1)
    files = SimulatedFiles(ledger, lambda: moment, files_in(None, None))
    await vends_in(ledger, NOON)
    first = await found(files, DAY)
    assert await found(files, DAY) == first
    await vends_in(ledger, NOON, NOON + timedelta(minutes=1))
    assert await found(files, DAY) != first
    moment += ONE_DAY
    assert await found(files, DAY) == {DAY: "FULCRUM.MERCHANT.SIMULATED.RECON.20260502060000000.txt"}


async def test_refused_names_are_reported_beside_the_simulated_suppliers_files(tmp_path):
    delivered = files_in(tmp_path.as_uri(), None)
    (tmp_path / f"{name()}.gz").write_bytes(b"")
    files = SimulatedFiles(MemoryLedger(), lambda: NOON, delivered)
    assert [one.name for one in (await files.find([DAY])).not_taken] == [f"{name()}.gz"]
    await delivered.close()


async def test_a_delivered_file_replaces_the_simulated_one(tmp_path):
    ledger = MemoryLedger()
    await vends_in(ledger, NOON)
    delivered = files_in(f"file://{tmp_path}", None)
    files = SimulatedFiles(ledger, lambda: NOON + ONE_DAY, delivered)
    vends = await Database(ledger).vends()
    (tmp_path / name()).write_bytes(b"".join(day_file(DAY, vends, {0: Plant.MISSING})))
    assert (await found(files, DAY, NEXT))[DAY] == name()
    await delivered.close()


@pytest.mark.parametrize(("query", "status"), [("?day=2026-05-01&plant=0:missing", 200), ("?day=today", 400), ("", 400)])
async def test_the_local_supplier_hands_out_a_days_file_with_the_faults_that_are_asked_for(query, status):
    ledger = MemoryLedger()
    await vends_in(ledger, NOON, NOON + timedelta(minutes=1))
    supplier = Supplier(Simulator(ledger, now=lambda: NOON))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(supplier), base_url="http://supplier") as client:
        answer = await client.get(f"/_control/settlement-file{query}")
    assert answer.status_code == status
    if status == 200:
        assert answer.content == b"".join(day_file(DAY, await Database(ledger).vends(), {0: Plant.MISSING}))
        assert answer.headers["content-disposition"].endswith('RECON.20260502060000000.txt"')
