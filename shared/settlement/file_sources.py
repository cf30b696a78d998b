"""Where settlement files lie: a bucket, a folder, or nowhere but in the simulator's books.

Cloud Storage's client is synchronous, and reading a file is work for a processor: both are done in one thread. A place that cannot be
listed is not there. A file that cannot be read is one file, as long as its place can still be listed.
"""

import asyncio
import hashlib
import os
import stat
import zlib
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from shared.domain.clock import business_day
from shared.lib.value import Value
from shared.mobilemart.settlement_file import file_name
from shared.mobilemart.simulator.database import Books, Vend
from shared.mobilemart.simulator.key_value_store import Ledger
from shared.mobilemart.simulator.settlement import day_file, day_file_name
from shared.settlement.file_selection import (
    Answered,
    Choice,
    Files,
    FilesUnavailable,
    FileUnreadable,
    Found,
    FoundFiles,
    NotTaken,
    Reading,
    Refusal,
    Refused,
    StoredFile,
    printable,
    read,
)
from shared.settlement.matching import ONE_DAY

CHUNK_BYTES: Final = 4 * 1024 * 1024
HEAD_BYTES: Final = 64 * 1024  # of the first chunk: mostly a file is opened for its header alone

LISTING_SECONDS: Final = 20.0  # for which a listing is tried again
READING_SECONDS: Final = 5.0  # likewise for a part of an object
TIMEOUT_SECONDS: Final = (5.0, 10.0)  # to connect, and of silence
SHORT_TIMEOUT_SECONDS: Final = (2.0, 2.0)  # for an object that could not be read before: others wait for it

_GZIP: Final = b"\x1f\x8b"

Folder = Callable[[], Iterable[StoredFile | NotTaken]]
"""Lists every file of a place, whatever its name, and what it cannot look into. May raise `FilesUnavailable`.

Reading one of the files may raise `FileUnreadable`.
"""


class FilesInThread:
    """Files that are read in one thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="settlement")

    async def read(self, files: Mapping[date, StoredFile], reading: Reading[Answered]) -> Answered:
        """As `Files.read`."""
        return await self._in_thread(partial(read, files, reading))

    async def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], Answered]) -> Answered:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class StoredFiles(FilesInThread):
    """The files in a folder. Implements `shared.settlement.file_selection.Files`."""

    def __init__(self, folder: Folder, merchant: str | None, leave: Callable[[], None] = lambda: None) -> None:
        """`leave` gives up what the folder has opened, once nobody reads it any more."""
        super().__init__()
        self._folder, self._choose, self._leave = folder, Choice(merchant), leave

    async def find(self, days: Collection[date]) -> Found:
        """As `Files.find`."""
        return await self._in_thread(partial(self._found, days))

    async def read(self, files: Mapping[date, StoredFile], reading: Reading[Answered]) -> Answered:
        """As `Files.read`."""
        return await self._in_thread(partial(self._made, files, reading))

    async def close(self) -> None:
        """Leave the folder after what is being read, and let the thread end."""
        await self._in_thread(self._leave)
        await super().close()

    def _found(self, days: Collection[date]) -> Found:
        found = self._choose(self._folder(), days)
        if any(isinstance(file, Refusal) and file.unread for file in found.values()):
            self._is_there()
        return found

    def _made(self, files: Mapping[date, StoredFile], reading: Reading[Answered]) -> Answered:
        try:
            return read(files, reading)
        except Refused as refused:
            if refused.refusal.unread:
                self._is_there()
            raise

    def _is_there(self) -> None:
        """After a file could not be read: is it the file, or the whole place?

        Raises:
            FilesUnavailable: the place cannot be listed either.
        """
        next(iter(self._folder()), None)


class SimulatedFiles(FilesInThread):
    """The files that the simulated supplier would deliver: of what it really vended. Implements `shared.settlement.file_selection.Files`.

    A day that still runs has a file of what was vended so far, under a name of its own. The first file is of the first vend's day,
    or of yesterday. Where a file lies among those `delivered`, it is that one: so faults can be planted.
    """

    def __init__(self, ledger: Ledger, now: Callable[[], datetime], delivered: Files | None = None) -> None:
        super().__init__()
        self._books, self._now, self._delivered = Books(ledger), now, delivered

    async def find(self, days: Collection[date]) -> Found:
        """As `Files.find`."""
        at = self._now()
        vends = [vend for vend in await self._books.vends() if vend.at <= at]
        today = business_day(at)
        first = min([today - ONE_DAY, *(business_day(vend.at) for vend in vends[:1])])
        files: dict[date, StoredFile | Refusal] = {}
        for day in days:
            if first <= day <= today:
                name = day_file_name(day, vends, at)
                files[day] = StoredFile(name, name, partial(_simulated_chunks, day, vends))
        if self._delivered is None:
            return files
        delivered = await self._delivered.find(days)
        found = FoundFiles({**files, **delivered})
        if isinstance(delivered, FoundFiles):
            found.not_taken, found.more_not_taken = delivered.not_taken, delivered.more_not_taken
        return found


def _simulated_chunks(day: date, vends: list[Vend]) -> tuple[bytes]:
    return (b"".join(day_file(day, vends)),)


def files_in(place: str | None, merchant: str | None) -> StoredFiles:
    """The files in `gs://bucket/prefix` or `file:///folder`, or none at all where there is no place. Nothing is opened yet."""
    match urlsplit(place or ""):
        case parts if parts.scheme == "gs":
            bucket = _Bucket(parts.netloc, parts.path.strip("/"))
            return StoredFiles(bucket, merchant, bucket.close)
        case parts if parts.scheme == "file":
            return StoredFiles(partial(_local_files, Path(unquote(parts.path))), merchant)
        case _:
            return StoredFiles(tuple, merchant)


def _local_files(folder: Path) -> Iterator[StoredFile | NotTaken]:
    """Whatever lies below a folder, however deep. Links to folders are not followed."""
    errors: list[OSError] = []
    paths = sorted(Path(parent, name) for parent, inner, names in os.walk(folder, onerror=errors.append) for name in (*inner, *names))
    for error in errors:
        if Path(error.filename) == folder:
            raise FilesUnavailable(_cause(error)) from error
        yield NotTaken(printable(Path(error.filename).name), f"the folder cannot be listed: {_cause(error)}")
    for path in paths:
        with suppress(OSError):  # it is gone since
            about = path.stat() if path.exists() else path.lstat()
            if file_name(path.name) is None and stat.S_ISDIR(about.st_mode):
                continue
            state = about.st_mtime_ns, about.st_size
            yield StoredFile(path.name, f"{state[0]}-{state[1]}-{printable(str(path))}", partial(_local_chunks, path, state))


def _local_chunks(path: Path, listed: tuple[int, int]) -> Iterator[bytes]:
    return _expanded(_local_bytes(path, listed))


def _local_bytes(path: Path, listed: tuple[int, int]) -> Iterator[bytes]:
    """The bytes of a regular file, as long as it is the one that was listed. A pipe is not waited for."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileUnreadable("it is no regular file")
            size = HEAD_BYTES
            _check_unchanged(file.fileno(), listed)
            while chunk := file.read(size):
                yield chunk
                size = CHUNK_BYTES
            _check_unchanged(file.fileno(), listed)
    except OSError as error:
        raise FileUnreadable(_cause(error)) from error


def _check_unchanged(descriptor: int, listed: tuple[int, int]) -> None:
    about = os.fstat(descriptor)
    if (about.st_mtime_ns, about.st_size) != listed:
        raise FileUnreadable("it changed since it was listed")


class _Listed(Value, frozen=True):
    """An object as it was listed. The client's own `Blob` takes on what each answer says."""

    name: str
    generation: int
    size: int
    encoding: str | None
    crc32c: str | None
    md5: str | None

    @property
    def mark(self) -> str:
        return f"{self.generation}-{self.name}"


class _Bucket:
    """The files under a prefix of a bucket. The client is made when it is first needed; it heeds `STORAGE_EMULATOR_HOST` itself.

    An object that could not be read is tried again only once, and briefly, until it has been read whole: a run reads it many times,
    and other days wait.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._client: Any = None
        self._failed: set[str] = set()  # marks
        self._failed_last = False  # then others are likely to fail as well

    def __call__(self) -> Iterator[StoredFile]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        try:
            if self._client is None:
                from google.cloud.storage import Client

                self._client = Client()
                self._client._http.hooks["response"].append(_read_refusal)  # it has no public way
            retry = DEFAULT_RETRY.with_timeout(LISTING_SECONDS)
            for blob in self._client.list_blobs(self._bucket, prefix=self._prefix, timeout=TIMEOUT_SECONDS, retry=retry):
                listed = _Listed(blob.name, blob.generation, blob.size, blob.content_encoding, blob.crc32c, blob.md5_hash)
                yield StoredFile(blob.name.rpartition("/")[2], listed.mark, partial(self._chunks, listed))
        except Exception as error:  # Google's, those of `requests` and `urllib3`, and whatever else it does not catch
            raise FilesUnavailable(_cause(error)) from error

    def close(self) -> None:
        """Give up the client's connections."""
        if self._client is not None:
            self._client.close()

    def _chunks(self, listed: _Listed) -> Iterator[bytes]:
        return _expanded(self._stored(listed))

    def _stored(self, listed: _Listed) -> Iterator[bytes]:
        """The bytes of an object as they are stored, of the generation that was listed, and with its checksum."""
        digest, expected = _digest(listed)
        start, size = 0, HEAD_BYTES
        while start < listed.size:
            end = min(start + size, listed.size)
            part = self._part(listed, start, end)
            if start == 0 and listed.encoding == "gzip" and not part.startswith(_GZIP) and len(part) != end:
                yield part  # Cloud Storage has expanded it: then it sends all of it, and knows no checksum
                self._failed.discard(listed.mark)
                return
            if start == 0 and len(part) == listed.size:
                end = listed.size  # no range was heeded
            if len(part) != end - start:
                raise FileUnreadable(f"{len(part)} bytes came in the place of {end - start}")
            digest.update(part)
            yield part
            start, size = end, CHUNK_BYTES
        if expected is not None and b64encode(digest.digest()).decode() != expected:
            raise FileUnreadable("its bytes have not its checksum")
        self._failed.discard(listed.mark)

    def _part(self, listed: _Listed, start: int, end: int) -> bytes:
        from google.cloud.storage.retry import DEFAULT_RETRY

        patient = listed.mark not in self._failed and not self._failed_last
        retry = DEFAULT_RETRY.with_timeout(READING_SECONDS).with_delay(initial=0.25, maximum=2.0) if patient else None
        timeout = TIMEOUT_SECONDS if patient else SHORT_TIMEOUT_SECONDS
        try:
            blob = self._client.bucket(self._bucket).blob(listed.name, generation=listed.generation)
            part: bytes = blob.download_as_bytes(start=start, end=end - 1, raw_download=True, checksum=None, timeout=timeout, retry=retry)
        except Exception as error:  # as in listing
            self._failed.add(listed.mark)
            self._failed_last = True
            raise FileUnreadable(_cause(error)) from error
        self._failed_last = False
        return part


def _read_refusal(response: Any, **_: object) -> None:
    """Read what stands beside a refusal, which gives its connection back. The client lets go of both unread when it tries again."""
    if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        _ = response.content


def _digest(listed: _Listed) -> tuple[Any, str | None]:
    """What an object's checksum is computed with, and what it has to be; `None` where the listing does not say."""
    import google_crc32c

    checksum: Any = google_crc32c.Checksum
    if listed.crc32c and google_crc32c.implementation == "c":  # otherwise it takes as long as the whole settling
        return checksum(), listed.crc32c
    return hashlib.md5(usedforsecurity=False), listed.md5


def _expanded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A file's text: of one that is stored as gzip, which no settlement file begins like, what was compressed.

    Raises:
        FileUnreadable: the gzip is cut off or broken.
    """
    stream = iter(chunks)
    first = next(stream, b"")
    if not first.startswith(_GZIP):
        yield from chain((first,), stream)
        return
    member = zlib.decompressobj(wbits=31)
    try:
        for chunk in chain((first,), stream):
            rest = chunk
            while rest and (rest.strip(b"\x00") or not member.eof):  # zeros may fill the last block
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                yield member.decompress(rest, CHUNK_BYTES)
                rest = member.unused_data if member.eof else member.unconsumed_tail
        yield member.flush()
    except zlib.error:
        raise FileUnreadable("its gzip is broken") from None
    if not member.eof:
        raise FileUnreadable("its gzip is cut off")


def _cause(error: Exception) -> str:
    """Why something could not be read, in the words of the machine. No name, address or content is in it."""
    error = getattr(error, "cause", None) or error  # of tries that were given up, the last one's
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return error.strerror
    status = getattr(error, "code", None) or getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int) and status in {*HTTPStatus}:
        return f"{HTTPStatus(status).phrase} ({int(status)})"
    return type(error).__name__
