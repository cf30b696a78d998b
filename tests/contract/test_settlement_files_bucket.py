"""Settlement files in a bucket: faults of the transport, retries, checksums, gzip."""

import gzip
import hashlib
from collections import Counter
from datetime import date
from random import Random
from uuid import UUID

import pytest

from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import detail, written
from shared.ports.settlement_files import FilesUnavailable, StatementRefused
from shared.settlement.matching import ONE_DAY
from tests.contract.file_places import DAY, NEXT, NOON, THREE, content, found, name, read_whole, refusals
from tests.stand_ins.storage import Fault


def large(day: date) -> bytes:
    """Build a file larger than the part that is read for a header."""
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


def put_three(service) -> str:
    """Put the files of three days, of which the middle one is large; return its name."""
    for day in (DAY, NEXT, NEXT + ONE_DAY):
        service.objects[f"recon/{name(f'{day + ONE_DAY:%Y%m%d}060000')}"] = large(day) if day == NEXT else content(day)
    return f"recon/{name('20260503060000')}"


@pytest.mark.parametrize("fault", IN_THE_BUCKET)
async def test_an_unreadable_object_costs_its_own_day_alone_and_names_the_reason(bucket, fault):
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


async def test_unreadable_objects_fail_each_day_and_an_unlistable_place_fails_all(bucket):
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


async def test_a_refused_and_retried_read_returns_its_connection(bucket, monkeypatch):
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
    await files.find([NEXT + 9 * ONE_DAY])  # no file can belong to that day
    assert [one for one, _ in service.read if one == bad] == [bad]
    service.faults.clear()
    assert await refusals(files) == {}


async def test_of_unreadable_objects_in_a_row_only_the_first_is_retried(bucket, monkeypatch):
    service, files = bucket
    put_three(service)
    monkeypatch.setattr("shared.gcp.cloud_storage.READING_SECONDS", 1.0)
    service.faults = {name: Fault(status=503) for name in service.objects}
    await files.find(THREE)
    tries = Counter(one for one, _ in service.read)
    assert sorted(tries.values())[:2] == [1, 1] and max(tries.values()) > 1


async def test_an_object_without_a_day_in_its_name_is_read_again_once_it_is_readable(bucket):
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
async def test_an_object_stored_as_gzip_is_read_whole_in_any_transfer(bucket, rows, expands, said):
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
    """Build a file that gzip hardly compresses."""
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
