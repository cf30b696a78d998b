"""Which file is a day's, wherever they lie: one suite on a bucket and on a folder; and the files of the simulated supplier."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from local.supplier import Supplier
from shared.matching import ONE_DAY
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import Plant, detail, written
from shared.mobilemart.simulator import MemoryLedger, Simulator
from shared.mobilemart.simulator.books import Books, Deal, sold
from shared.mobilemart.simulator.services import Service
from shared.mobilemart.simulator.settlement import day_file
from shared.settlement_files import FilesUnavailable, Refusal, Refused, StoredFile
from shared.settlement_folders import SimulatedFiles, StoredFiles, files_in
from shared.vas import VasType
from tests.stand_ins.storage import storage

DAY = date(2026, 5, 1)
NEXT = DAY + ONE_DAY
NOON = datetime(2026, 5, 1, 10, tzinfo=UTC)


class Place:
    """Somewhere to put files: a folder or a bucket, by one name."""

    def __init__(self, url: str, put, take_down) -> None:
        self.url, self.put, self.take_down = url, put, take_down
        self.opened: list[StoredFiles] = []

    def files(self, merchant: str | None = None) -> StoredFiles:
        self.opened.append(files_in(self.url, merchant))
        return self.opened[-1]


@pytest.fixture(params=["bucket", "folder"])
async def place(request, tmp_path, monkeypatch):
    made = _bucket(monkeypatch) if request.param == "bucket" else _folder(tmp_path)
    for one in made:
        yield one
        for files in one.opened:
            await files.close()


def _bucket(monkeypatch) -> Iterator[Place]:
    with storage("settlement") as service:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.address)
        service.objects["elsewhere/FULCRUM.MERCHANT.ACME.RECON.20260509.txt"] = content(DAY)  # not under the prefix

        def put(name: str, body: bytes) -> None:
            service.objects[f"recon/{name}"] = body

        def take_down() -> None:
            service.down = True

        yield Place("gs://settlement/recon", put, take_down)


def _folder(folder: Path) -> Iterator[Place]:
    inside = folder / "recon files"
    inside.mkdir()

    def put(name: str, body: bytes) -> None:
        path = inside / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)

    def take_down() -> None:
        (inside / "loop.txt").symlink_to("loop.txt")

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
    """The names found, or why one is refused."""
    return {day: file.reason if isinstance(file, Refusal) else file.name for day, file in (await files.find(days)).items()}


async def test_a_file_is_found_by_the_date_in_its_header_whatever_its_name_says(place):
    place.put(name("20260502060000"), content(DAY))
    place.put(name("20260503"), content(NEXT))
    place.put("notes.txt", b"of no interest")
    place.put("FULCRUM.MERCHANT.ACME.RECON.txt", content(DAY))
    assert await found(place.files(), DAY, NEXT, NEXT + ONE_DAY) == {DAY: name("20260502060000"), NEXT: name("20260503")}


async def test_a_name_whose_time_says_nothing_is_found_too(place):
    place.put(name("01052026"), content(DAY))
    assert await found(place.files(), DAY) == {DAY: name("01052026")}


async def test_nothing_lies_where_nothing_was_put(place):
    assert await found(place.files(), DAY) == {}


async def test_a_later_file_of_a_day_goes_before_an_earlier_one(place):
    place.put(name("20260502060000"), content(DAY))
    place.put(name("20260504120000"), content(DAY, cents=1))
    assert await found(place.files(), DAY) == {DAY: name("20260504120000")}


async def test_bytes_that_count_already_are_no_correction(place):
    place.put(name("20260502060000"), content(DAY))
    place.put(name("20260503060000"), content(DAY, cents=1))
    place.put(name("20260504060000"), content(DAY, cents=1))
    assert await found(place.files(), DAY) == {DAY: name("20260503060000")}


async def test_a_file_that_is_taken_back_by_sending_the_one_before_it_counts_no_more(place):
    place.put(name("20260502060000"), content(DAY))
    place.put(name("20260503060000"), content(DAY, cents=1))
    place.put(name("20260504060000"), content(DAY))
    assert await found(place.files(), DAY) == {DAY: name("20260504060000")}


async def test_two_different_files_of_one_time_are_refused_until_a_later_one_comes(place):
    place.put(name(), content(DAY))
    place.put(f"again/{name()}", content(DAY, cents=1))
    assert "same time" in (await found(place.files(), DAY))[DAY]
    place.put(name("20260509"), content(DAY, cents=2))
    assert await found(place.files(), DAY) == {DAY: name("20260509")}


async def test_files_of_two_merchants_in_one_place_are_refused(place):
    place.put(name(merchant="ACME"), content(DAY))
    place.put(name("20260503", merchant="OTHER"), content(NEXT))
    said = await found(place.files(), DAY)
    assert "ACME, OTHER" in said[DAY]


async def test_where_our_name_is_known_another_merchants_file_is_never_ours(place):
    place.put(name(merchant="OTHER"), content(DAY))
    place.put(name("20260503", merchant="ACME"), content(NEXT))
    files = place.files("ACME")
    found_files = await files.find([DAY, NEXT])
    assert found_files[NEXT].name == name("20260503") and found_files[DAY].foreign
    place.put(name(merchant="ACME"), content(DAY))
    assert await found(place.files("ACME"), DAY) == {DAY: name()}


async def test_a_file_without_a_header_is_taken_for_that_of_the_day_its_name_says(place):
    place.put(name("20260502060000"), b"nothing like it\n")
    files = place.files()
    assert await found(files, DAY, NEXT, DAY - ONE_DAY) == {DAY: name(), NEXT: name()}
    with pytest.raises(Refused, match="format") as refused:
        await files.read(await files.find([DAY]), list)
    assert refused.value.refusal.file == name()


async def test_a_file_of_many_chunks_is_read_whole(place, monkeypatch):
    monkeypatch.setattr("shared.settlement_folders.CHUNK_BYTES", 40_000)
    place.put(name(), content(DAY, 3_000))
    files = place.files()
    rows = []

    def comparing(opened: list[SettlementFile]) -> None:
        rows.extend(opened[0])

    await files.read(await files.find([DAY]), comparing)
    assert len(rows) == 3_000


async def test_the_file_that_breaks_the_format_is_named(place):
    place.put(name(), content(DAY, 2))
    place.put(name("20260503"), content(NEXT, 2).replace(b"T|4", b"T|5"))
    files = place.files()

    def comparing(opened: list[SettlementFile]) -> None:
        for file in opened:
            list(file)

    with pytest.raises(Refused) as refused:
        await files.read(await files.find([DAY, NEXT]), comparing)
    assert refused.value.refusal.file == name("20260503") and "counts 5" in str(refused.value.refusal.faults[0])


async def test_a_place_that_does_not_answer_is_not_an_empty_one(place):
    place.put(name(), content(DAY))
    place.take_down()
    with pytest.raises(FilesUnavailable):
        await place.files().find([DAY])


async def test_a_file_that_was_replaced_while_it_was_looked_for_is_not_taken_for_another(place):
    place.put(name(), content(DAY))
    files = place.files()
    listed = await files.find([DAY])
    place.put(name(), content(NEXT))
    with pytest.raises(FilesUnavailable):
        await files.read(listed, list)


async def test_a_file_that_was_replaced_is_known_as_another_and_one_that_was_not_as_the_same(place):
    place.put(name(), content(DAY))
    first, again = (await place.files().find([DAY]))[DAY], (await place.files().find([DAY]))[DAY]
    place.put(name(), content(DAY, cents=10_001))
    replaced = (await place.files().find([DAY]))[DAY]
    assert first.known_as == again.known_as != replaced.known_as
    assert first.known_as.startswith(f"{name()}/") and replaced.known_as.startswith(f"{name()}/")


async def test_a_file_that_is_refused_is_known_as_the_one_that_was_found(place):
    place.put(name(), content(DAY)[:-4])
    files = place.files()
    listed = await files.find([DAY])
    with pytest.raises(Refused) as refused:
        await files.read(listed, lambda opened: list(opened[0]))
    assert refused.value.refusal.known_as == listed[DAY].known_as


async def test_the_headers_of_years_ago_are_not_read_again_for_yesterday(monkeypatch):
    with storage("settlement") as service:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.address)
        for back in range(100):
            day = DAY - ONE_DAY * back
            service.objects[name(f"{day:%Y%m%d}")] = content(day)
        files = files_in("gs://settlement", "ACME")
        assert await found(files, DAY) == {DAY: name("20260501")}
        assert len(service.read) <= 32
        await files.find([DAY])
        assert len(service.read) <= 32  # once is enough
        await files.close()


async def test_without_a_place_there_are_no_files():
    files = files_in(None, None)
    assert await files.find([DAY]) == {}
    await files.close()


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
        await Books(ledger).book(sold(deal, request_id, 1, f"aaaaaaaa-0000-4000-8000-{number:012d}", "CreditCard", at))


async def test_the_simulated_supplier_delivers_what_it_vended_a_file_a_day():
    ledger = MemoryLedger()
    await vends_in(ledger, NOON, NOON + timedelta(minutes=1), NOON + ONE_DAY)
    files = SimulatedFiles(ledger, lambda: NOON + ONE_DAY + timedelta(hours=1))
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
    await files.close()


async def test_a_day_that_still_runs_has_another_name_with_every_vend():
    ledger, moment = MemoryLedger(), NOON + timedelta(hours=1)
    files = SimulatedFiles(ledger, lambda: moment)
    await vends_in(ledger, NOON)
    first = await found(files, DAY)
    assert await found(files, DAY) == first
    await vends_in(ledger, NOON, NOON + timedelta(minutes=1))
    assert await found(files, DAY) != first
    moment += ONE_DAY
    assert await found(files, DAY) == {DAY: "FULCRUM.MERCHANT.SIMULATED.RECON.20260502060000000.txt"}
    await files.close()


async def test_what_was_delivered_goes_before_what_is_made(tmp_path):
    ledger = MemoryLedger()
    await vends_in(ledger, NOON)
    delivered = files_in(f"file://{tmp_path}", None)
    files = SimulatedFiles(ledger, lambda: NOON + ONE_DAY, delivered)
    vends = await Books(ledger).vends()
    (tmp_path / name()).write_bytes(b"".join(day_file(DAY, vends, {0: Plant.MISSING})))
    assert (await found(files, DAY, NEXT))[DAY] == name()
    await files.close()
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
        assert answer.content == b"".join(day_file(DAY, await Books(ledger).vends(), {0: Plant.MISSING}))
        assert answer.headers["content-disposition"].endswith('RECON.20260502060000000.txt"')
