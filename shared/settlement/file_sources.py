"""The places of settlement files: a folder, or any place that a function lists.

One thread reads files, because reading needs the processor and the clients of places may be synchronous. A place that cannot be
listed is unavailable. An unreadable file is a fault of that file alone while its place can still be listed.
"""

import asyncio
import os
import stat
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

from shared.ports.settlement_files import (
    CHUNK_BYTES,
    HEAD_BYTES,
    Answered,
    FilesUnavailable,
    FileUnreadable,
    Folder,
    Found,
    NotTaken,
    Reading,
    Refusal,
    StatementFormat,
    StatementRefused,
    StoredFile,
)
from shared.settlement.file_selection import Choice, printable, read

_GZIP: Final = b"\x1f\x8b"


class StoredFiles:
    """The files in a folder, listed and read in one thread. Implements `shared.ports.settlement_files.Files`."""

    def __init__(self, folder: Folder, merchant: str | None, form: StatementFormat, leave: Callable[[], None] = lambda: None) -> None:
        """`merchant` is our name in file names; `None`: the folder holds files of one merchant. `leave` releases the folder's resources."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="settlement")
        self._folder, self._form, self._choose, self._leave = folder, form, Choice(merchant, form), leave

    async def find(self, days: Collection[date]) -> Found:
        """As `Files.find`."""
        return await self._in_thread(partial(self._found, days))

    async def read(self, files: Mapping[date, StoredFile], reading: Reading[Answered]) -> Answered:
        """As `Files.read`."""
        return await self._in_thread(partial(self._made, files, reading))

    async def close(self) -> None:
        """Release the folder after the current read, and end the thread."""
        await self._in_thread(self._leave)
        self._thread.shutdown(wait=False)

    def _found(self, days: Collection[date]) -> Found:
        found = self._choose(map(expanding, self._folder()), days)
        if any(isinstance(file, Refusal) and file.unread for file in found.values()):
            self._is_there()
        return found

    def _made(self, files: Mapping[date, StoredFile], reading: Reading[Answered]) -> Answered:
        try:
            return read(files, reading, self._form)
        except StatementRefused as refused:
            if refused.refusal.unread:
                self._is_there()
            raise

    def _is_there(self) -> None:
        """Decide whether an unreadable file is at fault, or its whole place.

        Raises:
            FilesUnavailable: the place cannot be listed either.
        """
        next(iter(self._folder()), None)

    async def _in_thread(self, work: Callable[[], Answered]) -> Answered:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def expanding(file: StoredFile | NotTaken) -> StoredFile | NotTaken:
    """The file; its bytes are expanded if they are stored as gzip."""
    return replace(file, chunks=partial(_expanded, file.chunks)) if isinstance(file, StoredFile) else file


def local_files(folder: Path, form: StatementFormat) -> Iterator[StoredFile | NotTaken]:
    """All files below a folder, at any depth. Links to folders are not followed."""
    errors: list[OSError] = []
    paths = sorted(Path(parent, name) for parent, inner, names in os.walk(folder, onerror=errors.append) for name in (*inner, *names))
    for error in errors:
        if Path(error.filename) == folder:
            raise FilesUnavailable(_cause(error)) from error
        yield NotTaken(printable(Path(error.filename).name), f"the folder cannot be listed: {_cause(error)}")
    for path in paths:
        with suppress(OSError):  # deleted since the listing
            about = path.stat() if path.exists() else path.lstat()
            if form.file_name(path.name) is None and stat.S_ISDIR(about.st_mode):
                continue
            state = about.st_mtime_ns, about.st_size
            yield StoredFile(path.name, f"{state[0]}-{state[1]}-{printable(str(path))}", partial(_local_bytes, path, state))


def _local_bytes(path: Path, listed: tuple[int, int]) -> Iterator[bytes]:
    """The bytes of a regular file, if the file is still the listed one. The function never waits for a pipe."""
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


def _expanded(chunks: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
    """A file's text. Gzip is expanded; no settlement file begins with the bytes of gzip.

    Raises:
        FileUnreadable: the gzip is cut off or broken.
    """
    stream = iter(chunks())
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


def _cause(error: OSError) -> str:
    """Why a file could not be read: the operating system's reason, without names or content."""
    return error.strerror or type(error).__name__
