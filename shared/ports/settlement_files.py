"""The port to the supplier's settlement files: where they lie, and the form in which they are written."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol, TypeVar

from shared.domain.statement import FileFault, FileName, Statement
from shared.lib.value import Value

CHUNK_BYTES: Final = 4 * 1024 * 1024
HEAD_BYTES: Final = 64 * 1024  # of the first chunk: mostly a file is opened for its header alone
MAX_NAMED: Final = 100  # of the names that are not taken
BROKEN_OFF: Final = "broken off"


class FilesUnavailable(Exception):
    """The place where the files lie did not answer, for this cause. Nothing is known of what lies there."""


class FileUnreadable(Exception):
    """One file could not be read, for this cause, which quotes nothing of it. The place itself may well answer."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file, unread. `mark` changes whenever its bytes do; `chunks` reads it from the beginning, as often as it is called.

    `earlier` are the other files of its day, which it corrects: each once, however many names its bytes have. One whose header cannot be
    read is among them wherever its name allows it.
    """

    name: str
    mark: str
    chunks: Callable[[], Iterable[bytes]] = field(repr=False, compare=False)
    earlier: tuple["StoredFile", ...] = field(default=(), repr=False, compare=False)

    @property
    def known_as(self) -> str:
        """Its name and mark: what tells it from every other, and from itself once its bytes have changed."""
        return _known_as(self.name, self.mark)


class Refusal(Value, frozen=True):
    """Why a file is not believed: what it breaks, or that it is not to be told which file is meant.

    `file` and `mark` are those of the file. `foreign`: it is another merchant's, so it says nothing of whether ours is still to come.
    `anyones`: it refuses every day alike. `unread`: it could not be read, at all (`unreadable`) or behind its header (`broken off`).
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
        """As `StoredFile.known_as`; of a file that could not be read, something else: read, it is news under the same mark."""
        known_as = _known_as(self.file, self.mark)
        return f"{known_as}/{self.unread}" if self.unread else known_as


def _known_as(name: str, mark: str) -> str:
    return f"{name}/{mark}"  # no name holds a slash


def broke_off(known_as: str) -> str:
    """What a file is known as that broke off behind its header, and is otherwise known as `known_as`."""
    return f"{known_as}/{BROKEN_OFF}"


class StatementRefused(Exception):
    """The file of a day is not believed; nothing may be done on its word."""

    def __init__(self, day: date, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.day, self.refusal = day, refusal


class NotTaken(Value, frozen=True):
    """A file that may be meant for a settlement file, and is taken for none."""

    name: str
    reason: str


Found = Mapping[date, StoredFile | Refusal]


class FoundFiles(dict[date, StoredFile | Refusal]):
    """What was found in a place, with the names there that are not taken: `MAX_NAMED` at most, and how many more there are."""

    not_taken: tuple[NotTaken, ...] = ()
    more_not_taken: int = 0


Answered = TypeVar("Answered")

Reading = Callable[[Sequence[Statement]], Answered]
"""Makes something of files, which it reads to their ends."""


class Files(Protocol):
    """The supplier's settlement files, wherever they lie."""

    async def find(self, days: Collection[date]) -> Found:
        """The one file of each of these days that has any.

        Raises:
            FilesUnavailable: the place did not answer.
        """

    async def read(self, files: Mapping[date, StoredFile], reading: Reading[Answered]) -> Answered:
        """What `reading` makes of the files, the oldest first. It takes no time of the caller's.

        Raises:
            Refused: a file breaks the format, or cannot be read.
            FilesUnavailable: the place did not answer.
        """


class StatementFormat(Protocol):
    """How a supplier names and writes its settlement files."""

    def read(self, chunks: Iterable[bytes], name: str = "") -> Statement:
        """The file in these bytes, of which the header was read.

        Raises:
            FileRefused: the first line is no header.
        """

    def file_name(self, name: str) -> FileName | None:
        """The parts of a file's name; `None` where the name is no settlement file's."""

    def why_not_taken(self, name: str) -> str | None:
        """Why a file that may be meant for a settlement file is none, by its name alone; `None` for every other file."""


Folder = Callable[[], Iterable[StoredFile | NotTaken]]
"""Lists every file of a place, whatever its name, and what it cannot look into. May raise `FilesUnavailable`.

Reading one of the files may raise `FileUnreadable`.
"""
