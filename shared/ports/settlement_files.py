"""The port to the supplier's settlement files: the place that holds them, and their format."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol, TypeVar

from shared.domain.statement import FileFault, FileName, Statement
from shared.lib.value import Value

CHUNK_BYTES: Final = 4 * 1024 * 1024
HEAD_BYTES: Final = 64 * 1024  # of the first chunk: most reads need the header alone
MAX_NAMED: Final = 100  # of the names of files that are not taken
BROKEN_OFF: Final = "broken off"


class FilesUnavailable(Exception):
    """The place of the files did not answer, for the cause in the text. Its content is unknown."""


class FileUnreadable(Exception):
    """One file could not be read. The text names the cause and quotes nothing of the file. Other files may be readable."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file, unread. `mark` changes whenever the bytes change. Each call of `chunks` reads the file from the beginning.

    `earlier` are the other files of the day, which this file corrects. A file whose bytes have several names is listed once;
    `other_names` holds the names and marks under which the same bytes lie there besides.
    A file with an unreadable header is listed for every day that its name allows.
    """

    name: str
    mark: str
    chunks: Callable[[], Iterable[bytes]] = field(repr=False, compare=False)
    earlier: tuple["StoredFile", ...] = field(default=(), repr=False, compare=False)
    other_names: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def known_as(self) -> str:
        """The name and the mark of the file: they tell it from every other file, and from itself with other bytes."""
        return _known_as(self.name, self.mark)


class Refusal(Value, frozen=True):
    """Why a file is refused: the rule that it breaks, or that several files compete for its day.

    `file` and `mark` are those of the file. `foreign`: the file is another merchant's, and ours may still arrive.
    `anyones`: the refusal holds for every day.
    `unread`: the file could not be read at all (`unreadable`), or not past its header (`broken off`).
    """

    file: str
    mark: str
    reason: str
    faults: tuple[FileFault, ...] = ()
    foreign: bool = False
    anyones: bool = False
    unread: str = ""

    @property
    def known_as(self) -> str:
        """`StoredFile.known_as`, with a suffix for an unread file: once readable, the file counts as new under its mark."""
        known_as = _known_as(self.file, self.mark)
        return f"{known_as}/{self.unread}" if self.unread else known_as


def _known_as(name: str, mark: str) -> str:
    return f"{name}/{mark}"  # no name holds a slash


def broke_off(known_as: str) -> str:
    """The name of the file `known_as` for a read that broke off behind its header."""
    return f"{known_as}/{BROKEN_OFF}"


class StatementRefused(Exception):
    """The file of a day is refused, and is no evidence for anything."""

    def __init__(self, day: date, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.day, self.refusal = day, refusal


class NotTaken(Value, frozen=True):
    """A file that may be meant as a settlement file, and is not taken as one."""

    name: str
    reason: str


Found = Mapping[date, StoredFile | Refusal]


class FoundFiles(dict[date, StoredFile | Refusal]):
    """The files found in a place, by day. `not_taken` names up to `MAX_NAMED` other files; `more_not_taken` counts the rest."""

    not_taken: tuple[NotTaken, ...] = ()
    more_not_taken: int = 0


Answered = TypeVar("Answered")

Reading = Callable[[Sequence[Statement]], Answered]
"""Computes a result from files, and reads each to its end."""


class Files(Protocol):
    """The supplier's settlement files, in any place."""

    async def find(self, days: Collection[date]) -> Found:
        """The file of each of these days, or its refusal; a day without a file is absent.

        Raises:
            FilesUnavailable: the place did not answer.
        """

    async def read(self, files: Mapping[date, StoredFile], reading: Reading[Answered]) -> Answered:
        """The result of `reading` over the files, the oldest first. Reading does not block the event loop.

        Raises:
            StatementRefused: a file breaks the format, or cannot be read.
            FilesUnavailable: the place did not answer.
        """


class StatementFormat(Protocol):
    """How a supplier names and writes its settlement files."""

    def read(self, chunks: Iterable[bytes], name: str = "") -> Statement:
        """The file in these bytes, with its header read.

        Raises:
            FileRefused: the first line is no header.
        """

    def file_name(self, name: str) -> FileName | None:
        """The parts of a settlement file's name; `None` for every other name."""

    def why_not_taken(self, name: str) -> str | None:
        """Why a file that may be meant as a settlement file is none, by its name alone; `None` for every other file."""


Folder = Callable[[], Iterable[StoredFile | NotTaken]]
"""Lists every file of a place, by any name, and the entries that it cannot open. May raise `FilesUnavailable`.

Reading one of the files may raise `FileUnreadable`.
"""
