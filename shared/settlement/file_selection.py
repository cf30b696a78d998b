"""Which of the files that lie in a place is a day's settlement file: by name, merchant, and the date in the header.

A later file of a day corrects the earlier ones; the bytes that count already, under another name, are no other file. What leaves a
doubt is refused, never guessed. A file that cannot be read costs its own day. A name that only looks like a settlement file's is told.
`file_sources` reads the places where files lie.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby
from typing import Final, NamedTuple

from shared.domain.statement import FileName, FileRefused, Statement
from shared.ports.settlement_files import (
    BROKEN_OFF,
    MAX_NAMED,
    Answered,
    FileUnreadable,
    Found,
    FoundFiles,
    NotTaken,
    Reading,
    Refusal,
    StatementFormat,
    StatementRefused,
    StoredFile,
)

NEAR: Final = timedelta(days=31)  # a name's time is of uncertain form, but a file's is not months before its day

_UNREADABLE: Final = "unreadable"


def read(files: Mapping[date, StoredFile], reading: Reading[Answered], form: StatementFormat) -> Answered:
    """As `Files.read`, in the thread of the caller; the files are written in that form."""
    opened: list[Statement] = []
    for day, file in sorted(files.items()):
        try:
            opened.append(form.read(file.chunks(), file.name))
        except FileRefused as refused:
            raise StatementRefused(day, _broken(file, refused)) from None
        except FileUnreadable as error:
            raise StatementRefused(day, _unreadable(file, error, _UNREADABLE)) from None
        if opened[-1].day != day:
            replaced = FileUnreadable("it was replaced while it was looked for")
            raise StatementRefused(day, _unreadable(file, replaced, _UNREADABLE))
    try:
        return reading(opened)
    except (FileRefused, FileUnreadable) as error:
        day = next(file.day for file in opened if not _is_read(file))  # they are read one by one, the oldest day first
        broken = error if isinstance(error, FileRefused) else None
        raise StatementRefused(day, _broken(files[day], broken) if broken else _unreadable(files[day], error, BROKEN_OFF)) from None


def to_the_end(files: Iterable[Statement]) -> None:
    """A `Reading` that makes nothing of files: it only tells whether they keep the format."""
    for file in files:
        for _ in file:
            pass


def _is_read(file: Statement) -> bool:
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

    def __init__(self, merchant: str | None, form: StatementFormat) -> None:
        self._merchant, self._form = merchant, form
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
            elif (name := self._form.file_name(file.name)) is not None:
                named.append(_Named(name.stamp, file.name, file.mark, name, file))
            elif (reason := self._form.why_not_taken(file.name)) is not None:
                not_taken.append(NotTaken(printable(file.name), reason))
        named.sort()
        found = FoundFiles(self._of(named, days))
        not_taken += [NotTaken(one.name, reason) for one, reason in self._of_no_day(named)]
        found.not_taken = tuple(sorted(not_taken, key=lambda one: one.name)[:MAX_NAMED])
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
                self._days[key] = self._form.read(one.file.chunks()).day
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
