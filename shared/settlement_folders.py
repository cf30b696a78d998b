"""Where settlement files lie: a bucket, a folder, or nowhere but in the simulator's books.

Cloud Storage's client is synchronous, and reading a file is work for a processor: both are done in one thread.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from shared.matching import ONE_DAY
from shared.mobilemart.simulator.books import Books, Vend
from shared.mobilemart.simulator.ledger import Ledger
from shared.mobilemart.simulator.settlement import day_file, day_file_name
from shared.settlement_files import Answered, Choice, Files, FilesUnavailable, Found, Reading, Refusal, StoredFile, read
from shared.transaction import business_day

CHUNK_BYTES: Final = 4 * 1024 * 1024
HEAD_BYTES: Final = 64 * 1024  # of the first chunk: mostly a file is opened for its header alone

Folder = Callable[[], Iterable[StoredFile]]
"""Lists every file of a place, whatever its name. May raise `FilesUnavailable`, as may reading them."""


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
    """The files in a folder. Implements `shared.settlement_files.Files`."""

    def __init__(self, folder: Folder, merchant: str | None) -> None:
        super().__init__()
        self._folder, self._choose = folder, Choice(merchant)

    async def find(self, days: Collection[date]) -> Found:
        """As `Files.find`."""
        return await self._in_thread(lambda: self._choose(self._folder(), days))


class SimulatedFiles(FilesInThread):
    """The files that the simulated supplier would deliver: of what it really vended. Implements `shared.settlement_files.Files`.

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
        return files if self._delivered is None else {**files, **await self._delivered.find(days)}


def _simulated_chunks(day: date, vends: list[Vend]) -> tuple[bytes]:
    return (b"".join(day_file(day, vends)),)


def files_in(place: str | None, merchant: str | None) -> StoredFiles:
    """The files in `gs://bucket/prefix` or `file:///folder`, or none at all where there is no place. Nothing is opened yet."""
    match urlsplit(place or ""):
        case parts if parts.scheme == "gs":
            return StoredFiles(_Bucket(parts.netloc, parts.path.strip("/")), merchant)
        case parts if parts.scheme == "file":
            return StoredFiles(partial(_local_files, Path(unquote(parts.path))), merchant)
        case _:
            return StoredFiles(tuple, merchant)


def _local_files(folder: Path) -> Iterator[StoredFile]:
    try:
        for path in sorted(folder.rglob("*.txt")):
            about = path.stat()
            yield StoredFile(path.name, f"{about.st_mtime_ns}-{about.st_size}-{path}", partial(_local_chunks, path))
    except OSError as error:
        raise FilesUnavailable(type(error).__name__) from error


def _local_chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            size = HEAD_BYTES
            while chunk := file.read(size):
                yield chunk
                size = CHUNK_BYTES
    except OSError as error:
        raise FilesUnavailable(type(error).__name__) from error


class _Bucket:
    """The files under a prefix of a bucket. The client is made when it is first needed; it heeds `STORAGE_EMULATOR_HOST` itself."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._client: Any = None

    def __call__(self) -> Iterator[StoredFile]:
        for blob in _or_unavailable(self._list):
            yield StoredFile(blob.name.rpartition("/")[2], f"{blob.generation}-{blob.name}", partial(_or_unavailable, partial(_blob, blob)))

    def _list(self) -> Iterator[Any]:
        from google.cloud.storage import Client

        if self._client is None:
            self._client = Client()
        yield from self._client.list_blobs(self._bucket, prefix=self._prefix)


def _blob(blob: Any) -> Iterator[bytes]:
    """The bytes of an object, of the generation that was listed."""
    start, size = 0, HEAD_BYTES
    while start < blob.size:
        yield blob.download_as_bytes(start=start, end=start + size - 1, checksum=None)  # a part has no checksum of its own
        start, size = start + size, CHUNK_BYTES


def _or_unavailable(read: Callable[[], Iterator[Answered]]) -> Iterator[Answered]:
    """What `read` gives, with every failure of Cloud Storage's client as one of ours."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield from read()
    except (GoogleAPIError, GoogleAuthError, OSError) as error:  # those of `requests` are OSErrors
        raise FilesUnavailable(type(error).__name__) from error
