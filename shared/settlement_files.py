"""Which of the files that lie in a place is a day's settlement file: by name, merchant, and the date in the header.

A later file of a day corrects the earlier ones; the bytes that count already, under another name, are no other file. What leaves a
doubt is refused, never guessed. Where the files lie is in `settlement_folders`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final, NamedTuple, Protocol, TypeVar

from shared.mobilemart.settlement_file import Fault, FileName, FileRefused, SettlementFile, file_name
from shared.value import Value

NEAR: Final = timedelta(days=31)  # a name's time is of uncertain form, but a file's is not months before its day


class FilesUnavailable(Exception):
    """The place where the files lie did not answer. Nothing is known of what lies there."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file, unread. `mark` changes whenever its bytes do; `chunks` reads it from the beginning, as often as it is called."""

    name: str
    mark: str
    chunks: Callable[[], Iterable[bytes]] = field(repr=False, compare=False)

    @property
    def known_as(self) -> str:
        """Its name and mark: what tells it from every other, and from itself once its bytes have changed."""
        return _known_as(self.name, self.mark)


class Refusal(Value, frozen=True):
    """Why a file is not believed: what it breaks, or that it is not to be told which file is meant.

    `file` and `mark` are those of the file. `foreign`: it is another merchant's, so it says nothing of whether ours is still to come.
    """

    file: str
    mark: str
    reason: str
    faults: tuple[Fault, ...] = ()
    foreign: bool = False

    @property
    def known_as(self) -> str:
        """As `StoredFile.known_as`."""
        return _known_as(self.file, self.mark)


def _known_as(name: str, mark: str) -> str:
    return f"{name}/{mark}"  # no name holds a slash


class Refused(Exception):
    """The file of a day is not believed; nothing may be done on its word."""

    def __init__(self, day: date, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.day, self.refusal = day, refusal


Found = Mapping[date, StoredFile | Refusal]

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
            Refused: a file breaks the format.
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
        if opened[-1].day != day:
            raise FilesUnavailable("a file was replaced while it was looked for")
    try:
        return reading(opened)
    except FileRefused as refused:
        day = next(file.day for file in opened if not _is_read(file))  # they are read one by one, the oldest day first
        raise Refused(day, _broken(files[day], refused)) from None


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

    def __call__(self, stored: Iterable[StoredFile], days: Collection[date]) -> Found:
        """The file of each of the days, among all those of a place."""
        said = ((file, file_name(file.name)) for file in stored)
        named = sorted(_Named(name.stamp, file.name, file.mark, name, file) for file, name in said if name is not None)
        merchants = sorted({one.said.merchant for one in named})
        if self._merchant is None and len(merchants) > 1:
            reason = f"files of several merchants lie in one place: {', '.join(merchants)}"
            return dict.fromkeys(days, Refusal(named[-1].name, named[-1].mark, reason))
        ours = self._by_day((one for one in named if self._merchant in (None, one.said.merchant)), days)
        theirs = self._by_day((one for one in named if self._merchant not in (None, one.said.merchant)), set(days) - ours.keys())
        foreign = {
            day: Refusal(files[-1].name, files[-1].mark, "the file is another merchant's", foreign=True) for day, files in theirs.items()
        }
        return foreign | {day: self._latest(files) for day, files in ours.items()}

    def _by_day(self, named: Iterable[_Named], days: Collection[date]) -> dict[date, list[_Named]]:
        """The files of the days, in the order of their names' times. Headers of long ago are read only if nothing else is found."""
        candidates = list(named)
        if not candidates or not days:
            return {}
        since = f"{min(days) - NEAR:%Y%m%d}"
        near = [one for one in candidates if one.stamp >= since]
        return self._of_days(near, days) or self._of_days(candidates, days)

    def _of_days(self, candidates: Iterable[_Named], days: Collection[date]) -> dict[date, list[_Named]]:
        found = defaultdict(list)
        for one in candidates:
            day = self._day(one.file)
            for each in _days_by_name(one.said) if day is None else (day,):
                if each in days:
                    found[each].append(one)
        return dict(found)

    def _day(self, file: StoredFile) -> date | None:
        """The date in the header; `None` where there is no header."""
        key = file.name, file.mark
        if key not in self._days:
            try:
                self._days[key] = SettlementFile(file.chunks()).day
            except FileRefused:
                self._days[key] = None
        return self._days[key]

    def _latest(self, files: list[_Named]) -> StoredFile | Refusal:
        """The last correction. Another name for the bytes that count already is none; for those of an earlier file, it is."""
        if len(files) == 1:
            return files[0].file
        counting, rivals = files[0], 1
        for _, of_one_time in groupby(files, key=lambda one: one.stamp):
            fresh: dict[str, _Named] = {}
            for one in of_one_time:
                if one is counting or self._hash(one.file) != self._hash(counting.file):
                    fresh.setdefault(self._hash(one.file), one)
            if fresh:
                counting, rivals = max(fresh.values()), len(fresh)
        if rivals > 1:
            return Refusal(counting.name, counting.mark, "different files of the day have the same time in their names")
        return counting.file

    def _hash(self, file: StoredFile) -> str:
        key = file.name, file.mark
        if key not in self._hashes:
            digest = hashlib.sha256()
            for chunk in file.chunks():
                digest.update(chunk)
            self._hashes[key] = digest.hexdigest()
        return self._hashes[key]


def _days_by_name(said: FileName) -> Iterator[date]:
    """The days that a file without a header may be of: it comes on its day, or on the morning after."""
    try:
        made = datetime.strptime(said.stamp[:8], "%Y%m%d").date()  # noqa: DTZ007 - a date
    except ValueError:
        return
    yield made
    yield made - timedelta(days=1)
