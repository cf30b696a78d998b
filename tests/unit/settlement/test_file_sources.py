"""The places of settlement files: the calls of Cloud Storage's client, their timeouts, the result of each answer; and local folders."""

import asyncio
import gzip
import hashlib
import threading
import time
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from types import SimpleNamespace

import google_crc32c
import pytest
from google.api_core.exceptions import Forbidden, RetryError

from shared.bootstrap import files_in
from shared.gcp import cloud_storage
from shared.mobilemart.settlement_format import FORMAT
from shared.mobilemart.simulator import MemoryLedger
from shared.mobilemart.simulator.settlement import SimulatedFiles
from shared.ports.settlement_files import (
    CHUNK_BYTES,
    HEAD_BYTES,
    FilesUnavailable,
    FileUnreadable,
    NotTaken,
    Refusal,
    StatementRefused,
    StoredFile,
)
from shared.settlement.file_sources import StoredFiles
from shared.settlement.matching import ONE_DAY
from tests.contract.file_places import vends_in

DAY = date(2026, 5, 1)
NEXT = DAY + ONE_DAY
NOON = datetime(2026, 5, 1, 10, tzinfo=UTC)
NAME = "FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt"
OTHER = "FULCRUM.MERCHANT.ACME.RECON.20260503060000.txt"


def of(day, size=0):
    """A file of a day without sales, of 17 bytes; behind its trailer as many of blank lines."""
    return f"H|1|{day:%Y%m%d}\nT|2\n".encode() + (b" " * 999 + b"\n") * (size // 1000) + b" " * (size % 1000)


class Client:
    """Cloud Storage's client as far as it is used: what is asked of it, in order, and what it answers or raises."""

    def __init__(self):
        self._http = SimpleNamespace(hooks={"response": []})
        self.objects, self.encodings, self.raises, self.unsaid = {}, {}, {}, False
        self.listed, self.read, self.closed, self.ranges = [], [], 0, True

    def list_blobs(self, bucket, *, prefix, timeout, retry):
        self.listed.append((bucket, prefix, timeout, retry._timeout))
        if "list" in self.raises:
            raise self.raises["list"]
        return [self._blob(name, body) for name, body in sorted(self.objects.items()) if name.startswith(prefix)]

    def _blob(self, name, body):
        crc = b64encode(google_crc32c.value(body).to_bytes(4, "big")).decode()
        md5 = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        encoding = self.encodings.get(name)
        crc, md5 = (None, None) if self.unsaid else (crc, md5)
        return SimpleNamespace(name=name, generation=7, size=len(body), content_encoding=encoding, crc32c=crc, md5_hash=md5)

    def bucket(self, bucket):
        def download(name, generation, *, start, end, raw_download, checksum, timeout, retry):
            assert (bucket, generation, raw_download, checksum) == ("bucket", 7, True, None)
            self.read.append((name.rpartition("/")[2], start, end, timeout, retry and (retry._timeout, retry._initial, retry._maximum)))
            if name in self.raises:
                raise self.raises[name]
            if self.encodings.get(name) == "expanded":
                return gzip.decompress(self.objects[name])
            return self.objects[name][start : end + 1] if self.ranges else self.objects[name]

        def blob(name, *, generation):
            return SimpleNamespace(download_as_bytes=lambda **how: download(name, generation, **how))

        return SimpleNamespace(blob=blob)

    def close(self):
        self.closed += 1


PATIENT = (5.0, 10.0), (5.0, 0.25, 2.0)
BRIEF = (2.0, 2.0), None


@pytest.fixture
def client(monkeypatch):
    made = Client()
    monkeypatch.setattr("google.cloud.storage.Client", lambda: made)
    return made


@pytest.fixture
async def bucket(client):
    files = files_in("gs://bucket/recon", None)
    yield files
    await files.close()


def to_the_end(opened):
    return [len(list(file)) for file in opened]


def hashes(opened):
    to_the_end(opened)
    return [file.summary.sha256 for file in opened]


async def test_a_bucket_is_listed_below_its_prefix_with_one_client_that_is_closed(client):
    client.objects = {f"recon/deep/{NAME}": of(DAY), f"reconciled/{OTHER}": of(NEXT)}
    files = files_in("gs://bucket/recon/", None)
    for _ in range(2):
        found = await files.find([DAY, NEXT])
    assert {day: (file.name, file.mark) for day, file in found.items()} == {DAY: (NAME, f"7-recon/deep/{NAME}")}
    assert client.listed == [("bucket", "recon/", (5.0, 10.0), 20.0)] * 2
    assert len(client._http.hooks["response"]) == 1
    await files.close()
    assert client.closed == 1
    client.objects = {NAME: of(DAY)}
    whole, never = files_in("gs://bucket", None), files_in("gs://bucket", None)
    assert set(await whole.find([DAY])) == {DAY} and client.listed[2:] == [("bucket", "", (5.0, 10.0), 20.0)]
    await whole.close()
    await never.close()  # it has opened nothing
    assert client.closed == 2
    odd = files_in("gs://bucket//~recon~//", None)
    await odd.find([DAY])
    assert client.listed[3][:2] == ("bucket", "~recon~/")
    await odd.close()


def test_what_stands_beside_a_refusal_is_read_so_that_its_connection_comes_back(client):
    read = []

    class Response:
        def __init__(self, status):
            self.status_code = status

        @property
        def content(self):
            read.append(self.status_code)

    list(cloud_storage.Bucket("bucket", "")())
    (hook,) = client._http.hooks["response"]
    for status in (200, 206, 204, 304, 404, 503):
        hook(Response(status), timeout=1)
    assert read == [204, 304, 404, 503]


async def test_an_object_is_read_by_a_head_and_then_by_chunks_each_byte_once(client, bucket, monkeypatch):
    monkeypatch.setattr(cloud_storage, "CHUNK_BYTES", 100_000)
    client.objects = {f"recon/{NAME}": of(DAY, 230_000)}
    size = len(client.objects[f"recon/{NAME}"])
    listed = await bucket.find([DAY])
    assert client.read == [(NAME, 0, 65_535, *PATIENT)]
    await bucket.read(listed, to_the_end)
    ends = [65_536, 165_536, size]
    assert client.read[1:] == [(NAME, start, end - 1, *PATIENT) for start, end in zip([0, *ends], ends, strict=False)]
    assert (HEAD_BYTES, CHUNK_BYTES) == (64 * 1024, 4 * 1024 * 1024)


@pytest.mark.parametrize("size", [HEAD_BYTES, HEAD_BYTES + 1])
async def test_an_object_of_a_heads_size_is_read_at_once_whether_ranges_are_heeded_or_not(client, bucket, size):
    body = of(DAY, size - len(of(DAY)))
    client.objects = {f"recon/{NAME}": body}
    for client.ranges in (True, False):
        listed = await bucket.find([DAY])
        client.read.clear()
        assert await bucket.read(listed, hashes) == [hashlib.sha256(body).hexdigest()]
        assert len(client.read) == (1 if size == HEAD_BYTES or not client.ranges else 2)


async def test_a_failed_object_is_read_with_short_retries_until_one_whole_read_succeeds(client, bucket):
    bad = f"recon/{OTHER}"
    client.objects = {f"recon/{NAME}": of(DAY), bad: of(NEXT)}

    async def asked(*days):
        client.read.clear()
        found = await bucket.find(days)
        for day, file in found.items():
            if not isinstance(file, Refusal):
                await bucket.read({day: file}, to_the_end)
        return [(name, (timeout, retry)) for name, _, _, timeout, retry in client.read]

    client.raises[bad] = Forbidden("no")
    assert await asked(DAY, NEXT) == [(NAME, PATIENT), (OTHER, PATIENT), (NAME, BRIEF)]  # the last: to be read whole
    assert await asked(DAY, NEXT) == [(OTHER, BRIEF), (NAME, BRIEF)]
    assert await asked(DAY) == [(NAME, PATIENT)]
    client.raises.clear()
    assert await asked(DAY, NEXT) == [(OTHER, BRIEF), (NAME, PATIENT), (OTHER, BRIEF)]
    assert await asked(DAY, NEXT) == [(NAME, PATIENT), (OTHER, PATIENT)]


@pytest.mark.parametrize("implementation", ["c", "python"])
async def test_bytes_that_have_not_their_checksum_are_refused_and_without_one_they_are(client, bucket, monkeypatch, implementation):
    monkeypatch.setattr("google_crc32c.implementation", implementation)
    client.objects = {f"recon/{NAME}": of(DAY, HEAD_BYTES)}
    listed = await bucket.find([DAY])
    assert await bucket.read(listed, to_the_end) == [0]
    client.objects = {f"recon/{NAME}": of(DAY, HEAD_BYTES - 1) + b"\t"}  # blank too
    with pytest.raises(StatementRefused, match="its bytes have not its checksum") as refused:
        await bucket.read(listed, to_the_end)
    assert refused.value.refusal.unread == "broken off"
    client.unsaid = True
    assert await bucket.read(await bucket.find([DAY]), to_the_end) == [0]


@pytest.mark.parametrize(("more", "came"), [(0, 0), (-1, 16), (1, 18)])
async def test_as_many_bytes_as_were_asked_for_have_to_come(client, bucket, more, came):
    client.objects = {f"recon/{NAME}": of(DAY)}
    listed = await bucket.find([DAY])
    client.ranges = False
    client.objects = {f"recon/{NAME}": (of(DAY) + b"\n")[: len(of(DAY)) + more] if more else b""}
    with pytest.raises(StatementRefused, match=f"{came} bytes came in the place of 17"):
        await bucket.read(listed, to_the_end)


@pytest.mark.parametrize("encoding", ["gzip", None])
async def test_expanded_objects_arrive_whole_without_checksum_only_if_stored_as_gzip(client, encoding):
    packed = gzip.compress(of(DAY, 1_000))
    client.objects, client.encodings = {NAME: packed}, {NAME: "expanded"}
    client._blob = lambda name, body: SimpleNamespace(
        name=name, generation=7, size=len(body), content_encoding=encoding, crc32c="AAAAAA==", md5_hash=None
    )
    found = await (files := files_in("gs://bucket", None)).find([DAY])
    if encoding is None:
        assert f"{len(of(DAY, 1_000))} bytes came in the place of {len(packed)}" in found[DAY].reason
    else:
        assert await files.read(found, to_the_end) == [0] and len(client.read) == 2
    await files.close()


async def test_an_expanded_object_is_read_with_long_retries_again_once_it_arrived(client):
    client.objects, client.encodings = {NAME: gzip.compress(of(DAY, 1_000))}, {NAME: "expanded"}
    blob = client._blob
    client._blob = lambda name, body: SimpleNamespace(**{**vars(blob(name, body)), "content_encoding": "gzip"})
    client.raises[NAME] = Forbidden("no")
    files = files_in("gs://bucket", None)
    assert (await files.find([DAY]))[DAY].unread
    client.raises.clear()
    for _ in range(2):
        await files.read(await files.find([DAY]), to_the_end)
    assert [(timeout, retry) for _, _, _, timeout, retry in client.read] == [PATIENT, BRIEF, BRIEF, PATIENT]
    await files.close()


@pytest.mark.parametrize("packed", [True, False])
async def test_an_object_marked_as_gzip_is_read_in_parts_to_its_end_gzip_or_not(client, bucket, monkeypatch, packed):
    monkeypatch.setattr(cloud_storage, "CHUNK_BYTES", 30_000)
    plain = of(DAY, 200_000)
    body = gzip.compress(plain, compresslevel=0) if packed else plain
    client.objects, client.encodings = {f"recon/{NAME}": body}, {f"recon/{NAME}": "gzip"}
    assert await bucket.read(await bucket.find([DAY]), hashes) == [hashlib.sha256(plain).hexdigest()]
    assert client.read[-1][2] == len(body) - 1


async def test_of_an_object_that_comes_as_gzip_as_many_bytes_come_as_were_asked_for(client, bucket):
    body = gzip.compress(of(DAY))
    client.objects, client.encodings = {f"recon/{NAME}": body}, {f"recon/{NAME}": "gzip"}
    listed = await bucket.find([DAY])
    client.objects = {f"recon/{NAME}": body[:-1]}
    with pytest.raises(StatementRefused, match=f"{len(body) - 1} bytes came in the place of {len(body)}"):
        await bucket.read(listed, to_the_end)


# One thread


async def test_files_are_read_in_one_thread_which_ends_with_them(tmp_path):
    (tmp_path / NAME).write_bytes(of(DAY))
    files = files_in(tmp_path.as_uri(), None)
    found = await files.find([DAY])

    def reading(_):
        time.sleep(0.01)
        return threading.get_ident(), threading.current_thread().name

    assert len({*await asyncio.gather(*(files.read(found, reading) for _ in range(3)))}) == 1
    assert (await files.read(found, reading))[1] == "settlement_0"
    await files.close()
    with pytest.raises(RuntimeError, match="after shutdown"):
        await files.read(found, reading)


# Is it the file, or the place?


class Folder:
    """A place whose file cannot be read; from a listing on, it is away."""

    def __init__(self, away_at=9, since_header=True):
        self.listings, self.away_at = 0, away_at
        self.parts = [of(DAY)[:13]] if since_header else []

    def __call__(self):
        self.listings += 1
        if self.listings >= self.away_at:
            raise FilesUnavailable("away")
        return [StoredFile(NAME, "m1", self._chunks), NotTaken("inner", "a folder")]

    def _chunks(self):
        yield from self.parts
        raise FileUnreadable("it is cut off")


async def test_after_a_file_could_not_be_read_the_place_is_listed_once_more():
    files = StoredFiles(folder := Folder(), None, FORMAT)
    found = await files.find([DAY])
    assert folder.listings == 1
    with pytest.raises(StatementRefused, match="cannot be read: it is cut off"):
        await files.read(found, to_the_end)
    assert folder.listings == 2
    folder.parts = []
    files = StoredFiles(folder, None, FORMAT)
    assert (await files.find([DAY]))[DAY].unread and folder.listings == 4
    await files.close()


async def test_one_file_of_several_that_cannot_be_read_is_enough_to_look_again():
    folder = Folder(away_at=2, since_header=False)
    files = StoredFiles(lambda: [*folder(), StoredFile(OTHER, "m2", lambda: [of(NEXT)])], None, FORMAT)
    with pytest.raises(FilesUnavailable):
        await files.find([DAY, NEXT])
    await files.close()


async def test_a_place_that_is_away_by_then_is_away_and_not_the_file():
    files = StoredFiles(Folder(away_at=2, since_header=False), None, FORMAT)
    with pytest.raises(FilesUnavailable):
        await files.find([DAY])
    await files.close()
    files = StoredFiles(Folder(away_at=2), None, FORMAT)
    found = await files.find([DAY])
    with pytest.raises(FilesUnavailable):
        await files.read(found, to_the_end)
    await files.close()


async def test_a_file_of_bad_format_or_another_merchant_shows_nothing_about_its_place(tmp_path):
    folder = Folder(away_at=2)
    folder._chunks = lambda: [b"H|1|20260501\nT|3\n"]
    files = StoredFiles(folder, None, FORMAT)
    found = await files.find([DAY])
    with pytest.raises(StatementRefused, match="format"):
        await files.read(found, to_the_end)
    await files.close()
    files = StoredFiles(folder := Folder(away_at=2), "BETA", FORMAT)
    assert (await files.find([DAY]))[DAY].foreign and folder.listings == 1
    await files.close()


# Causes


def retried(cause):
    return RetryError("given up", cause)


class Answered(Exception):
    def __init__(self, code=None, status=None):
        if code is not None:
            self.code = code
        if status is not None:
            self.response = SimpleNamespace(status_code=status)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(13, "Permission denied", "/secret/path"), "Permission denied"),
        (OSError("no number at /secret/path"), "OSError"),
        (OSError(13, ""), "PermissionError"),
        (Forbidden("no"), "Forbidden (403)"),
        (retried(Forbidden("no")), "Forbidden (403)"),
        (retried(OSError(13, "Permission denied")), "Permission denied"),
        (retried(None), "RetryError"),
        (Answered(code=HTTPStatus.NOT_FOUND), "Not Found (404)"),
        (Answered(code=404), "Not Found (404)"),
        (Answered(code=404, status=403), "Not Found (404)"),
        (Answered(status=412), "Precondition Failed (412)"),
        (Answered(status=599), "Answered"),
        (Answered(code="404"), "Answered"),
        (Answered(), "Answered"),
        (ValueError("quotes 12345678901"), "ValueError"),
    ],
)
async def test_why_a_place_does_not_answer_is_said_in_the_words_of_the_machine_alone(client, bucket, error, cause):
    client.raises["list"] = error
    with pytest.raises(FilesUnavailable) as away:
        await bucket.find([DAY])
    assert str(away.value) == cause


# The simulated supplier


async def simulated(*moments, now, delivered=None):
    ledger = MemoryLedger()
    await vends_in(ledger, *moments)
    return SimulatedFiles(ledger, lambda: now, delivered or files_in(None, None))


@pytest.mark.parametrize(
    ("moments", "days"),
    [
        ((), [NEXT, NEXT + ONE_DAY]),
        ((NOON - ONE_DAY, NOON + ONE_DAY), [DAY - ONE_DAY, DAY, NEXT, NEXT + ONE_DAY]),
        ((NOON + 2 * ONE_DAY,), [NEXT, NEXT + ONE_DAY]),
        ((NOON + 2 * ONE_DAY + timedelta(seconds=1),), [NEXT, NEXT + ONE_DAY]),
    ],
)
async def test_the_simulated_supplier_has_a_file_a_day_since_its_first_vend_or_yesterday(moments, days):
    files = await simulated(*moments, now=NOON + 2 * ONE_DAY)
    found = await files.find([DAY + at * ONE_DAY for at in range(-3, 5)])
    assert sorted(found) == days and (found.not_taken, found.more_not_taken) == ((), 0)
    until_now = sum(at <= NOON + 2 * ONE_DAY for at in moments)
    assert sum(await files.read(found, to_the_end)) == until_now
    assert all(file.mark == file.name for file in found.values())


async def test_a_simulated_supplier_beside_another_has_only_files_that_are_taken():
    other = await simulated(now=NOON)
    files = await simulated(now=NOON, delivered=other)
    found = await files.find([DAY])
    assert set(found) == {DAY} and (found.not_taken, found.more_not_taken) == ((), 0)


async def test_a_delivered_file_replaces_the_simulated_suppliers_file_of_its_day_alone(tmp_path):
    (tmp_path / NAME).write_bytes(of(DAY))
    for at in range(101):
        (tmp_path / f"recon {at:03d}").write_bytes(b"")
    delivered = files_in(tmp_path.as_uri(), None)
    files = await simulated(NOON, NOON + ONE_DAY, now=NOON + ONE_DAY, delivered=delivered)
    found = await files.find([DAY, NEXT])
    assert found[DAY].name == NAME and found[NEXT].name.startswith("FULCRUM.MERCHANT.SIMULATED.")
    assert (len(found.not_taken), found.more_not_taken) == (100, 1)
    await delivered.close()
