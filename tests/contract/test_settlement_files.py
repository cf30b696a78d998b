"""Which file is a day's, wherever they lie: one suite on a bucket and on a folder; and the files of the simulated supplier."""

import errno
import gc
import gzip
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import httpx
import pytest

from local.supplier import Supplier
from shared.bootstrap import files_in
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import Plant, detail, written
from shared.mobilemart.simulator import MemoryLedger, Simulator
from shared.mobilemart.simulator.database import Database, Deal, sold
from shared.mobilemart.simulator.services import Service
from shared.mobilemart.simulator.settlement import SimulatedFiles, day_file
from shared.ports.settlement_files import FilesUnavailable, Refusal, StatementRefused, StoredFile
from shared.settlement.file_sources import StoredFiles
from shared.settlement.matching import ONE_DAY
from tests.stand_ins.storage import Fault, storage

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
    gc.collect()  # a connection that is left open fails the test that opened it


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


async def test_a_file_whose_name_says_a_day_of_months_before_is_found_where_there_is_no_other(place):
    place.put(name("20260101060000"), content(DAY))
    assert await found(place.files(), DAY) == {DAY: name("20260101060000")}


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
    refusal = (await place.files().find([DAY]))[DAY]
    assert "ACME, OTHER" in refusal.reason and refusal.anyones
    assert refusal.file == name("20260503", merchant="OTHER")  # the last that came


async def test_where_our_name_is_known_another_merchants_file_is_never_ours(place):
    for stamp, cents in (("20260502060000", 1), ("20260502070000", 2)):
        place.put(name(stamp, merchant="OTHER"), content(DAY, cents=cents))
    place.put(name("20260503", merchant="ACME"), content(NEXT))
    files = place.files("ACME")
    found_files = await files.find([DAY, NEXT])
    assert found_files[NEXT].name == name("20260503") and found_files[DAY].foreign
    assert found_files[DAY].file == name("20260502070000", merchant="OTHER")  # the last that came
    place.put(name(merchant="ACME"), content(DAY))
    assert await found(place.files("ACME"), DAY) == {DAY: name()}


async def test_a_file_without_a_header_is_taken_for_that_of_the_day_its_name_says(place):
    place.put(name("20260502060000"), b"nothing like it\n")
    files = place.files()
    assert await found(files, DAY, NEXT, DAY - ONE_DAY) == {DAY: name(), NEXT: name()}
    with pytest.raises(StatementRefused, match="format") as refused:
        await files.read(await files.find([DAY]), list)
    assert refused.value.refusal.file == name()


async def test_a_file_of_many_chunks_is_read_whole(place, monkeypatch):
    monkeypatch.setattr("shared.gcp.cloud_storage.CHUNK_BYTES", 40_000)
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

    with pytest.raises(StatementRefused) as refused:
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
    with pytest.raises(StatementRefused, match="cannot be read") as refused:
        await files.read(listed, list)
    assert (refused.value.day, refused.value.refusal.unread) == (DAY, "unreadable")
    assert await found(files, DAY, NEXT) == {NEXT: name()}


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
    with pytest.raises(StatementRefused) as refused:
        await files.read(listed, lambda opened: list(opened[0]))
    assert refused.value.refusal.known_as == listed[DAY].known_as


def read_whole(opened: list[SettlementFile]) -> list[int]:
    return [len(list(file)) for file in opened]


def large(day: date) -> bytes:
    """More than is read at once for a header."""
    return content(day, 700)


IN_THE_BUCKET = {
    "403": ({"status": 403}, "Forbidden (403)", "unreadable"),
    "404": ({"status": 404}, "Not Found (404)", "unreadable"),
    "412": ({"status": 412}, "Precondition Failed (412)", "unreadable"),
    "304": ({"status": 304}, "Not Modified (304)", "unreadable"),
    "500, again and again": ({"status": 500}, "Internal Server Error (500)", "unreadable"),
    "503, again and again": ({"status": 503}, "Service Unavailable (503)", "unreadable"),
    "503 behind the header": ({"status": 503, "since": 70_000}, "Service Unavailable (503)", "broken off"),
    "404 behind the header": ({"status": 404, "since": 70_000}, "Not Found (404)", "broken off"),
    "416 behind the header": ({"status": 416, "since": 70_000}, "(416)", "broken off"),
    "other bytes than were stored": ({"altered": (b"|10000|", b"|10001|")}, "its bytes have not its checksum", "broken off"),
    "fewer bytes than were stored": ({"altered": (b"|10000|", b"|1000|")}, "bytes came in the place of", "unreadable"),
    "silence": ({"silent": 0.5}, "Timeout", "unreadable"),
}


@pytest.fixture
def impatient(monkeypatch):
    """A client that soon gives up."""
    monkeypatch.setattr("shared.gcp.cloud_storage.READING_SECONDS", 0.1)
    monkeypatch.setattr("shared.gcp.cloud_storage.LISTING_SECONDS", 0.1)
    monkeypatch.setattr("shared.gcp.cloud_storage.TIMEOUT_SECONDS", (0.2, 0.2))
    monkeypatch.setattr("shared.gcp.cloud_storage.SHORT_TIMEOUT_SECONDS", (0.2, 0.2))


@pytest.fixture
async def bucket(monkeypatch, impatient):
    with storage("settlement") as service:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.address)
        files = files_in("gs://settlement/recon", None)
        yield service, files
        await files.close()
    gc.collect()


def put_three(service) -> str:
    """The files of three days, of which the middle one is large; its name."""
    for day in (DAY, NEXT, NEXT + ONE_DAY):
        service.objects[f"recon/{name(f'{day + ONE_DAY:%Y%m%d}060000')}"] = large(day) if day == NEXT else content(day)
    return f"recon/{name('20260503060000')}"


THREE = (DAY, NEXT, NEXT + ONE_DAY)


async def refusals(files) -> dict[date, Refusal]:
    """The days that are refused when three days' files are looked for, and each is read whole; every other is read."""
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


@pytest.mark.parametrize("fault", IN_THE_BUCKET)
async def test_an_object_that_cannot_be_read_costs_its_own_day_alone_and_says_why_until_it_can(bucket, fault):
    service, files = bucket
    bad = put_three(service)
    happens, cause, unread = IN_THE_BUCKET[fault]
    service.faults[bad] = Fault(**happens)
    for _ in range(2):
        (refusal,) = (said := await refusals(files)).values()
        assert set(said) == {NEXT} and (refusal.file, refusal.unread) == (bad.removeprefix("recon/"), unread)
        assert refusal.reason.startswith("the file cannot be read: ") and cause in refusal.reason
    assert refusal.known_as.endswith(unread)
    service.faults.clear()
    assert await refusals(files) == {}


async def test_an_object_whose_connection_is_cut_each_time_costs_its_own_day_alone(bucket):
    service, files = bucket
    bad = put_three(service)
    service.faults[bad] = Fault(cut=True, since=70_000)
    assert set(await refusals(files)) == {NEXT}
    service.faults.clear()
    assert await refusals(files) == {}


async def test_a_place_of_which_no_object_can_be_read_says_so_of_each_day_and_when_it_cannot_be_listed_of_all(bucket):
    service, files = bucket
    put_three(service)
    service.faults = {name: Fault(status=403) for name in service.objects}
    assert {refusal.unread for refusal in (await refusals(files)).values()} == {"unreadable"}
    service.down = True
    with pytest.raises(FilesUnavailable, match=r"Forbidden \(403\)"):
        await files.find(THREE)


async def test_a_place_that_goes_away_while_a_file_is_read_is_away(bucket):
    service, files = bucket
    put_three(service)
    listed = await files.find(THREE)
    service.down = True
    with pytest.raises(FilesUnavailable, match="Forbidden"):
        await files.read(listed, read_whole)


async def test_what_is_refused_and_tried_again_gives_its_connection_back(bucket, monkeypatch):
    service, files = bucket
    bad = put_three(service)
    monkeypatch.setattr("shared.gcp.cloud_storage.READING_SECONDS", 1.0)
    assert await refusals(files) == {}
    opened = service.connections
    service.faults[bad] = Fault(status=503)
    service.read.clear()
    await refusals(files)
    assert len([one for one, _ in service.read if one == bad]) > 1 and service.connections == opened


async def test_an_object_that_cannot_be_read_is_tried_again_at_length_only_once(bucket, monkeypatch):
    service, files = bucket
    bad = put_three(service)
    monkeypatch.setattr("shared.gcp.cloud_storage.READING_SECONDS", 1.0)
    service.faults[bad] = Fault(status=503)
    await files.find(THREE)
    assert len([one for one, _ in service.read if one == bad]) > 1
    service.read.clear()
    await files.find(THREE)
    await files.find([NEXT + 9 * ONE_DAY])  # a day that it cannot be of
    assert [one for one, _ in service.read if one == bad] == [bad]
    service.faults.clear()
    assert await refusals(files) == {}


async def test_while_one_object_after_the_other_cannot_be_read_only_the_first_is_tried_again(bucket, monkeypatch):
    service, files = bucket
    put_three(service)
    monkeypatch.setattr("shared.gcp.cloud_storage.READING_SECONDS", 1.0)
    service.faults = {name: Fault(status=503) for name in service.objects}
    await files.find(THREE)
    tries = Counter(one for one, _ in service.read)
    assert sorted(tries.values())[:2] == [1, 1] and max(tries.values()) > 1


async def test_an_object_whose_name_says_no_day_is_looked_into_again_once_it_can_be_read(bucket):
    service, files = bucket
    key = f"recon/{name('01052026')}"
    service.objects[key], service.faults[key] = content(DAY), Fault(status=403)
    assert await found(files, DAY) == {}
    service.faults.clear()
    assert await found(files, DAY) == {DAY: name("01052026")}


@pytest.mark.parametrize("implementation", ["c", "python"])
async def test_a_checksum_is_compared_whichever_is_fast_here(bucket, monkeypatch, implementation):
    service, files = bucket
    put_three(service)
    monkeypatch.setattr("google_crc32c.implementation", implementation)
    assert await refusals(files) == {}
    service.faults = {one: Fault(altered=(b"|10000|", b"|10001|")) for one in service.objects}
    said = await refusals(files)
    assert set(said) == set(THREE) and all("its bytes have not its checksum" in refusal.reason for refusal in said.values())


@pytest.mark.parametrize("rows", [1, 700, 40_000])
@pytest.mark.parametrize("expands", [False, True])
@pytest.mark.parametrize("said", [False, True])
async def test_an_object_that_is_stored_as_gzip_is_read_whole_however_it_comes(bucket, rows, expands, said):
    service, files = bucket
    plain = random_rows(rows)
    key = f"recon/{name()}"
    service.objects[key], service.expands = gzip.compress(plain), expands
    if said:
        service.encodings[key] = "gzip"
    assert await files.read(await files.find([DAY]), read_whole) == [rows]
    assert await files.read(await files.find([DAY]), summaries) == [hashlib.sha256(plain).hexdigest()]


def summaries(opened: list[SettlementFile]) -> list[str]:
    read_whole(opened)
    return [file.summary.sha256 for file in opened]


def random_rows(rows: int) -> bytes:
    """A file that gzip makes little smaller."""
    ids = Random(1)
    lines = (
        detail(
            service=VasType.AIRTIME,
            transaction_id=str(UUID(int=ids.getrandbits(128))),
            merchant_id=str(UUID(int=ids.getrandbits(128))),
            at=NOON,
            cents=5,
        )
        for _ in range(rows)
    )
    return b"".join(written(DAY, lines))


@pytest.mark.parametrize(
    ("break_it", "how"),
    [(lambda data: data[:-20], "cut off"), (lambda data: data[:-6] + bytes(6), "broken"), (lambda data: data[:90_000], "cut off")],
)
async def test_a_gzip_that_is_cut_off_or_broken_is_never_read_half(place, break_it, how):
    whole = gzip.compress(random_rows(4_000))
    place.put(name(), break_it(whole))
    files = place.files()
    with pytest.raises(StatementRefused, match=f"its gzip is {how}"):
        await files.read(await files.find([DAY]), read_whole)


async def test_a_gzip_of_several_members_and_filled_up_is_read_whole(place):
    plain = content(DAY, 3)
    place.put(name(), gzip.compress(plain[:200]) + gzip.compress(plain[200:]) + bytes(300))
    files = place.files()
    assert await files.read(await files.find([DAY]), read_whole) == [3]


async def test_an_object_of_no_bytes_is_refused_as_no_settlement_file(place):
    place.put(name(), b"")
    files = place.files()
    with pytest.raises(StatementRefused, match="format"):
        await files.read(await files.find([DAY]), read_whole)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def looping(path: Path) -> None:
    path.symlink_to(path.name)


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_bytes(b"of no interest")


def a_link_to_a_folder(path: Path) -> None:
    path.symlink_to(path.parent)


def beyond_a_file(path: Path) -> None:
    (path.parent / "plain").write_bytes(b"")
    path.symlink_to("plain/beyond")


IN_A_FOLDER = {
    "a dangling link": (dangling, "No such file or directory"),
    "a link to itself": (looping, "Too many levels of symbolic links"),
    "a folder by a file's name": (a_folder, "Is a directory"),
    "a link to a folder": (a_link_to_a_folder, "Is a directory"),
    "a pipe": (os.mkfifo, "no regular file"),
    "a path through a file": (beyond_a_file, "Not a directory"),
}


@pytest.mark.parametrize("kind", IN_A_FOLDER)
async def test_what_cannot_be_read_in_a_folder_costs_its_own_day_alone_and_says_why_until_it_can(tmp_path, kind):
    make, cause = IN_A_FOLDER[kind]
    for day in (DAY, NEXT + ONE_DAY):
        (tmp_path / name(f"{day + ONE_DAY:%Y%m%d}060000")).write_bytes(content(day))
    bad = tmp_path / name("20260503060000")
    make(bad)
    files = files_in(tmp_path.as_uri(), None)
    (refusal,) = (said := await refusals(files)).values()
    assert set(said) == {NEXT} and (refusal.file, refusal.unread) == (bad.name, "unreadable") and cause in refusal.reason
    shutil.rmtree(bad) if bad.is_dir() and not bad.is_symlink() else bad.unlink()
    bad.write_bytes(content(NEXT))
    assert await refusals(files) == {}
    await files.close()


async def test_a_file_that_may_not_be_opened_costs_its_own_day_alone(tmp_path, monkeypatch):
    for day in THREE:
        (tmp_path / name(f"{day + ONE_DAY:%Y%m%d}060000")).write_bytes(content(day))
    opened = os.open

    def denied(path, flags, *more):
        if str(path).endswith("20260503060000.txt"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path, flags, *more)

    monkeypatch.setattr("os.open", denied)
    files = files_in(tmp_path.as_uri(), None)
    assert {day: refusal.reason for day, refusal in (await refusals(files)).items()} == {NEXT: "the file cannot be read: Permission denied"}
    await files.close()


async def test_a_file_that_grows_while_it_is_read_is_not_believed(tmp_path):
    path = tmp_path / name()
    path.write_bytes(content(DAY, 2))
    files = files_in(tmp_path.as_uri(), None)
    listed = await files.find([DAY])

    def reading(opened: list[SettlementFile]) -> list[int]:
        rows = []
        for file in opened:
            lines = iter(file)
            next(lines)
            with path.open("ab") as more:
                more.write(b"\n")
            rows.append(1 + len(list(lines)))
        return rows

    with pytest.raises(StatementRefused, match="changed") as refused:
        await files.read(listed, reading)
    assert refused.value.refusal.unread == "broken off"
    await files.close()


async def test_a_folder_in_the_place_that_cannot_be_listed_is_told(tmp_path, monkeypatch):
    (tmp_path / name()).write_bytes(content(DAY))
    (tmp_path / "inner").mkdir()
    scan = os.scandir

    def denied(path):
        if str(path).endswith("inner"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("os.scandir", denied)
    files = files_in(tmp_path.as_uri(), None)
    listed = await files.find([DAY])
    assert set(listed) == {DAY}
    assert [(one.name, one.reason) for one in listed.not_taken] == [("inner", "the folder cannot be listed: Permission denied")]
    await files.close()


@pytest.mark.parametrize("missing", ["nowhere", "plain"])
async def test_a_folder_that_is_not_there_is_no_empty_place(tmp_path, missing):
    (tmp_path / "plain").write_bytes(b"")
    files = files_in((tmp_path / missing).as_uri(), None)
    with pytest.raises(FilesUnavailable, match="No such file|Not a directory"):
        await files.find([DAY])
    await files.close()


async def test_a_file_without_a_header_is_named_as_those_beside_it(place):
    place.put(name("20260502060000"), content(DAY))
    place.put(name("20260503060000"), b"nothing like it\n")
    files = place.files()
    assert await found(files, DAY, NEXT, NEXT + ONE_DAY) == {DAY: name("20260502060000"), NEXT: name("20260503060000")}
    place.put(name("20260504"), b"nothing like it either\n")
    place.put(name("20260505"), content(NEXT + 2 * ONE_DAY))
    place.put(name("20260506"), b"nor it\n")
    said = await found(place.files(), *(DAY + ONE_DAY * days for days in range(9)))
    assert said[date(2026, 5, 4)] == name("20260505") and said[date(2026, 5, 5)] == name("20260506") and date(2026, 5, 6) not in said


NOT_TAKEN = {
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000.TXT": "small letters",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt.gz": "does not end in .txt",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt.part": "does not end in .txt",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000.csv": "does not end in .txt",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000": "does not end in .txt",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000 (1).txt": "brackets",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000(2).txt": "brackets",
    " FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt": "blanks",
    "FULCRUM.MERCHANT.ACME.RECON.20260502060000 .txt": "blanks",
    "FULCRUM. MERCHANT.ACME.RECON.20260502060000.txt": "blanks",
    "fulcrum.merchant.acme.recon.20260502060000.txt": "capitals",
    "Fulcrum.Merchant.Acme.Recon.20260502060000.Txt": "capitals",
    "FULCRUM.MERCHANT.ACME.RECON.txt": "8 to 17 digits",
    "FULCRUM.MERCHANT.ACME.RECON.2026-05-02.txt": "8 to 17 digits",
    "FULCRUM.MERCHANT..RECON.20260502060000.txt": "8 to 17 digits",
    "FULCRUM_MERCHANT_ACME_RECON_20260502.txt": "8 to 17 digits",
    "._FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt": "8 to 17 digits",
    "recon-2026-05-01.csv": "does not end in .txt",
    "FULCRUM.MERCHANT.AC\tME.RECON.20260502060000.txt": "printed",
}


async def test_names_that_look_like_a_settlement_files_and_are_not_taken_are_told_with_the_reason(place):
    for one in NOT_TAKEN:
        place.put(one, content(DAY))
    for one in ("notes.txt", "readme", "2026-05-01.csv"):
        place.put(one, content(DAY))
    listed = await place.files().find([DAY])
    assert dict(listed) == {}
    said = {one.name.replace("\\t", "\t"): one.reason for one in listed.not_taken}
    assert set(said) == set(NOT_TAKEN) and all(NOT_TAKEN[name] in reason for name, reason in said.items())


async def test_a_name_that_is_no_utf_8_is_told_and_no_other_file_suffers(tmp_path):
    (tmp_path / name()).write_bytes(content(DAY))
    (tmp_path / os.fsdecode(b"FULCRUM.MERCHANT.A\xffCME.RECON.20260502060000.txt")).write_bytes(content(DAY))
    below = tmp_path / os.fsdecode(b"\xff")
    below.mkdir()
    (below / name("20260503")).write_bytes(content(NEXT))
    files = files_in(tmp_path.as_uri(), None)
    listed = await files.find([DAY, NEXT])
    assert set(listed) == {DAY, NEXT}
    assert [one.name for one in listed.not_taken] == [r"FULCRUM.MERCHANT.A\udcffCME.RECON.20260502060000.txt"]
    assert listed[NEXT].known_as.encode()
    await files.close()


async def test_a_file_of_which_neither_header_nor_name_says_the_day_is_told(place):
    place.put(name("01052026"), b"nothing like it\n")
    place.put(name("20260502"), content(DAY))
    listed = await place.files().find([DAY])
    assert set(listed) == {DAY} and [one.name for one in listed.not_taken] == [name("01052026")]


async def test_of_very_many_names_that_are_not_taken_a_hundred_are_named(place):
    for number in range(130):
        place.put(f"FULCRUM.{number:03d}.gz", b"")
    listed = await place.files().find([DAY])
    assert (len(listed.not_taken), listed.more_not_taken) == (100, 30)


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
        await Database(ledger).book(sold(deal, request_id, 1, f"aaaaaaaa-0000-4000-8000-{number:012d}", "CreditCard", at))


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


async def test_names_that_are_not_taken_are_told_beside_the_simulated_suppliers_files(tmp_path):
    delivered = files_in(tmp_path.as_uri(), None)
    (tmp_path / f"{name()}.gz").write_bytes(b"")
    files = SimulatedFiles(MemoryLedger(), lambda: NOON, delivered)
    assert [one.name for one in (await files.find([DAY])).not_taken] == [f"{name()}.gz"]
    await delivered.close()


async def test_what_was_delivered_goes_before_what_is_made(tmp_path):
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
