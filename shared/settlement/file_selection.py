"""Which of the files that lie in a place is a day's settlement file: by name, merchant, and the date in the header.

A later file of a day corrects the earlier ones; the bytes that count already, under another name, are no other file. What leaves a
doubt is refused, never guessed. A file that cannot be read costs its own day. A name that only looks like a settlement file's is told.
Where the files lie is in `settlement_folders`.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Final, NamedTuple, Protocol, TypeVar

from shared.lib.value import Value
from shared.mobilemart.settlement_file import Fault, FileName, FileRefused, SettlementFile, file_name

NEAR: Final = timedelta(days=31)  # a name's time is of uncertain form, but a file's is not months before its day
MOST_NAMED: Final = 100  # of the names that are not taken

_ALIKE: Final = re.compile("fulcrum|recon", re.IGNORECASE)
_UNREADABLE: Final = "unreadable"
_BROKEN_OFF: Final = "broken off"


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
    faults: tuple[Fault, ...] = ()
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
    return f"{known_as}/{_BROKEN_OFF}"


class Refused(Exception):
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
    """What was found in a place, with the names there that are not taken: `MOST_NAMED` at most, and how many more there are."""

    not_taken: tuple[NotTaken, ...] = ()
    more_not_taken: int = 0


Answered = TypeVar("Answered")
Reading = Callable[[list[SettlementFile]], Answered]
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


def read(files: Mapping[date, StoredFile], reading: Reading[Answered]) -> Answered:
    """As `Files.read`, in the thread of the caller."""
    opened: list[SettlementFile] = []
    for day, file in sorted(files.items()):
        try:
            opened.append(SettlementFile(file.chunks(), file.name))
        except FileRefused as refused:
            raise Refused(day, _broken(file, refused)) from None
        except FileUnreadable as error:
            raise Refused(day, _unreadable(file, error, _UNREADABLE)) from None
        if opened[-1].day != day:
            replaced = FileUnreadable("it was replaced while it was looked for")
            raise Refused(day, _unreadable(file, replaced, _UNREADABLE))
    try:
        return reading(opened)
    except (FileRefused, FileUnreadable) as error:
        day = next(file.day for file in opened if not _is_read(file))  # they are read one by one, the oldest day first
        broken = error if isinstance(error, FileRefused) else None
        raise Refused(day, _broken(files[day], broken) if broken else _unreadable(files[day], error, _BROKEN_OFF)) from None


def to_the_end(files: Iterable[SettlementFile]) -> None:
    """A `Reading` that makes nothing of files: it only tells whether they keep the format."""
    for file in files:
        for _ in file:
            pass


def _is_read(file: SettlementFile) -> bool:
    try:
        return bool(file.summary)
    except ValueError:
        return False


def _broken(file: StoredFile, refused: FileRefused) -> Refusal:
    return Refusal(file.name, file.mark, "the file breaks the format", refused.faults)


def _unreadable(file: StoredFile, error: Exception, unread: str) -> Refusal:
    return Refusal(file.name, file.mark, f"the file cannot be read: {error}", unread=unread)


class _Named(NamedTuple):
    """A file and what its name says. The first three say it all, so these sort by the name's time."""

    stamp: str
    name: str
    mark: str
    said: FileName
    file: StoredFile


class Choice:
    """Chooses among files, and remembers what it has read of each: a file's day, and its hash where two must be told apart."""

    def __init__(self, merchant: str | None) -> None:
        self._merchant = merchant
        self._days: dict[tuple[str, str], date | None] = {}
        self._hashes: dict[tuple[str, str], str] = {}
        self._unread: dict[tuple[str, str], FileUnreadable] = {}  # in this call
        self._unread_before: frozenset[tuple[str, str]] = frozenset()

    def __call__(self, stored: Iterable[StoredFile | NotTaken], days: Collection[date]) -> FoundFiles:
        """The file of each of the days, among all those of a place."""
        self._unread_before, self._unread = self._unread_before | self._unread.keys(), {}
        not_taken: list[NotTaken] = []
        named: list[_Named] = []
        for file in stored:
            if isinstance(file, NotTaken):
                not_taken.append(file)
            elif (name := file_name(file.name)) is not None:
                named.append(_Named(name.stamp, file.name, file.mark, name, file))
            elif (reason := why_not_taken(file.name)) is not None:
                not_taken.append(NotTaken(printable(file.name), reason))
        named.sort()
        found = FoundFiles(self._of(named, days))
        not_taken += [NotTaken(one.name, reason) for one, reason in self._of_no_day(named)]
        found.not_taken = tuple(sorted(not_taken, key=lambda one: one.name)[:MOST_NAMED])
        found.more_not_taken = len(not_taken) - len(found.not_taken)
        return found

    def _of(self, named: list[_Named], days: Collection[date]) -> Found:
        merchants = sorted({one.said.merchant for one in named})
        if self._merchant is None and len(merchants) > 1:
            reason = f"files of several merchants lie in one place: {', '.join(merchants)}"
            return dict.fromkeys(days, Refusal(named[-1].name, named[-1].mark, reason, anyones=True))
        ours = self._by_day((one for one in named if self._merchant in (None, one.said.merchant)), days)
        theirs = self._by_day((one for one in named if self._merchant not in (None, one.said.merchant)), set(days) - ours.keys())
        foreign = {
            day: Refusal(files[-1].name, files[-1].mark, "the file is another merchant's", foreign=True) for day, files in theirs.items()
        }
        return foreign | {day: self._beside(self._latest(files), day, files, named) for day, files in ours.items()}

    def _beside(self, latest: StoredFile | Refusal, day: date, files: Collection[_Named], named: Iterable[_Named]) -> StoredFile | Refusal:
        """The file of a day, with those that may be of that day too: their names allow it, and their headers cannot be read."""
        perhaps = [one.file for one in named if self._why_no_header(one) and one not in files and day in _days_by_name(one.said)]
        return latest if isinstance(latest, Refusal) else replace(latest, earlier=(*latest.earlier, *perhaps))

    def _why_no_header(self, one: _Named) -> FileUnreadable | None:
        """Why the header of a file cannot be read. Of one that breaks off behind it, the day is known."""
        return None if _key(one) in self._days else self._unread.get(_key(one))

    def _of_no_day(self, named: Iterable[_Named]) -> Iterator[tuple[_Named, str]]:
        """The files of which neither header nor name says a day, and why: nobody else speaks of them."""
        for one in named:
            if not any(_days_by_name(one.said)):
                if (cause := self._why_no_header(one)) is not None:
                    yield one, f"the name says no day, and the file cannot be read: {cause}"
                elif self._days.get(_key(one), date.max) is None:
                    yield one, "neither the name nor a header says a day"

    def _by_day(self, named: Iterable[_Named], days: Collection[date]) -> dict[date, list[_Named]]:
        """The files of the days, in the order of their names' times. Headers of long ago are read only if nothing else is found."""
        candidates = list(named)
        if not days:
            return {}
        since = f"{min(days) - NEAR:%Y%m%d}"
        near = [one for one in candidates if one.stamp >= since or not any(_days_by_name(one.said))]
        return self._of_days(near, days) or self._of_days(candidates, days)

    def _of_days(self, candidates: list[_Named], days: Collection[date]) -> dict[date, list[_Named]]:
        read = [(one, self._day(one, days)) for one in candidates]
        found = defaultdict(list)
        for at, (one, day) in enumerate(read):
            for each in _days_of_no_header(at, read) if day is None else (day,):
                if each in days:
                    found[each].append(one)
        return dict(found)

    def _day(self, one: _Named, days: Collection[date]) -> date | None:
        """The date in the header; `None` where there is no header, or none that can be read."""
        key = _key(one)
        if key not in self._days and key not in self._unread:
            if key in self._unread_before and not {*_days_by_name(one.said)} & {*days} and any(_days_by_name(one.said)):
                return None  # it costs time, and the days that it may be of are not asked for
            try:
                self._days[key] = SettlementFile(one.file.chunks()).day
            except FileRefused:
                self._days[key] = None
            except FileUnreadable as error:
                self._unread[key] = error
        return self._days.get(key)

    def _latest(self, files: list[_Named]) -> StoredFile | Refusal:
        """The last correction. Another name for the bytes that count already is none; for those of an earlier file, it is."""
        counting, rivals = files[0], 1
        for _, of_one_time in groupby(files, key=lambda one: one.stamp) if len(files) > 1 else ():
            fresh: dict[str, _Named] = {}
            for one in of_one_time:
                if one is counting or self._hash(one) != self._hash(counting):
                    fresh.setdefault(self._hash(one), one)
            if fresh:
                counting, rivals = max(fresh.values()), len(fresh)
        if rivals > 1:
            return Refusal(counting.name, counting.mark, "different files of the day have the same time in their names")
        if (cause := self._unread.get(_key(counting))) is not None:
            return _unreadable(counting.file, cause, _UNREADABLE)
        if len(files) == 1:
            return counting.file
        others = {self._hash(one): one.file for one in files}
        del others[self._hash(counting)]
        return replace(counting.file, earlier=tuple(others.values()))

    def _hash(self, one: _Named) -> str:
        """The hash of a file's bytes; of one that cannot be read, something of its own: it may be any file."""
        key = _key(one)
        if key not in self._hashes and key not in self._unread:
            digest = hashlib.sha256()
            try:
                for chunk in one.file.chunks():
                    digest.update(chunk)
            except FileUnreadable as error:
                self._unread[key] = error
            else:
                self._hashes[key] = digest.hexdigest()
        return self._hashes.get(key) or one.file.known_as


def _key(one: _Named) -> tuple[str, str]:
    return one.name, one.mark


def printable(name: str) -> str:
    """A name as anybody can read it and any program can keep it: what cannot be printed, or is not UTF-8, as an escape."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)


def why_not_taken(name: str) -> str | None:
    """Why a file is taken for no settlement file, by its name alone; `None`: nobody could mean it for one, or it is taken."""
    if file_name(name) is not None or not _ALIKE.search(name):
        return None
    if not name.isprintable():
        return "the name holds what cannot be printed"
    if _is_named(name.lower()):
        return "the name is not in capitals with .txt in small letters"
    bare = re.sub(r"\s+|\(\d+\)", "", name)
    if _is_named(bare.lower()):
        return "the name has blanks or a number in brackets"
    if not name.endswith(".txt"):
        return "the name does not end in .txt"
    return "the name is not FULCRUM.MERCHANT.<NAME>.RECON.<8 to 17 digits>.txt"


def _is_named(lower: str) -> bool:
    return file_name(lower.removesuffix(".txt").upper() + ".txt") is not None and lower.endswith(".txt")


def _days_of_no_header(at: int, read: list[tuple[_Named, date | None]]) -> tuple[date, ...]:
    """The days that a file without a header may be of: as the nearest file with one is named, whose name says its day so."""
    days = tuple(_days_by_name(read[at][0].said))
    for one, day in sorted(read, key=lambda other: abs(int(other[0].stamp[:8]) - int(read[at][0].stamp[:8]))):
        if day in (named := tuple(_days_by_name(one.said))):
            return days[named.index(day) :][:1]
    return days


def _days_by_name(said: FileName) -> Iterator[date]:
    """The days that a file without a header may be of: it comes on its day, or on the morning after."""
    try:
        made = date.fromisoformat(said.stamp[:8])  # eight digits
    except ValueError:
        return
    yield made
    yield made - timedelta(days=1)
