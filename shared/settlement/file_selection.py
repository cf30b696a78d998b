"""Which file of a place is a day's settlement file: by its name, its merchant, and the date in its header.

A later file of a day corrects the earlier ones. A copy of the current bytes under another name is not another file. A doubtful file
is refused, never guessed. An unreadable file costs only its own day. A file whose name resembles a settlement file's is reported.
`file_sources` reads the places that hold files.
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

NEAR: Final = timedelta(days=31)  # the form of the time in a name is uncertain, but no file is named months before its day

_UNREADABLE: Final = "unreadable"


def read(files: Mapping[date, StoredFile], reading: Reading[Answered], form: StatementFormat) -> Answered:
    """As `Files.read`, in the caller's thread; the files have the given format."""
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
        day = next(file.day for file in opened if not _is_read(file))  # the files are read one by one, the oldest day first
        broken = error if isinstance(error, FileRefused) else None
        raise StatementRefused(day, _broken(files[day], broken) if broken else _unreadable(files[day], error, BROKEN_OFF)) from None


def to_the_end(files: Iterable[Statement]) -> None:
    """A `Reading` that checks the format of the files and returns nothing."""
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
    """A file and the parts of its name. The first three fields differ for any two files, so files sort by the time in their names."""

    stamp: str
    name: str
    mark: str
    said: FileName
    file: StoredFile


class Choice:
    """Chooses among files. Caches each file's day, and its hash if two files had to be distinguished."""

    def __init__(self, merchant: str | None, form: StatementFormat) -> None:
        self._merchant, self._form = merchant, form
        self._days: dict[tuple[str, str], date | None] = {}
        self._hashes: dict[tuple[str, str], str] = {}
        self._unread: dict[tuple[str, str], FileUnreadable] = {}  # in this call
        self._unread_before: frozenset[tuple[str, str]] = frozenset()

    def __call__(self, stored: Iterable[StoredFile | NotTaken], days: Collection[date]) -> FoundFiles:
        """The file of each of the days, among all files of a place."""
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
        """The file of a day, with those that may be of that day too: their names allow the day, and their headers cannot be read."""
        perhaps = [one.file for one in named if self._why_no_header(one) and one not in files and day in _days_by_name(one.said)]
        return latest if isinstance(latest, Refusal) else replace(latest, earlier=(*latest.earlier, *perhaps))

    def _why_no_header(self, one: _Named) -> FileUnreadable | None:
        """Why the header of a file cannot be read. A file that breaks off after its header has a known day."""
        return None if _key(one) in self._days else self._unread.get(_key(one))

    def _of_no_day(self, named: Iterable[_Named]) -> Iterator[tuple[_Named, str]]:
        """The files whose day neither header nor name gives, each with its reason. No other refusal reports these files."""
        for one in named:
            if not any(_days_by_name(one.said)):
                if (cause := self._why_no_header(one)) is not None:
                    yield one, f"the name says no day, and the file cannot be read: {cause}"
                elif self._days.get(_key(one), date.max) is None:
                    yield one, "neither the name nor a header says a day"

    def _by_day(self, named: Iterable[_Named], days: Collection[date]) -> dict[date, list[_Named]]:
        """The files of the days, in the order of the times in their names. Old headers are read only if no other file is found."""
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
        """The date in the header; `None` if the header is missing or cannot be read."""
        key = _key(one)
        if key not in self._days and key not in self._unread:
            if key in self._unread_before and not {*_days_by_name(one.said)} & {*days} and any(_days_by_name(one.said)):
                return None  # reading costs time, and no day that the file may be of is requested
            try:
                self._days[key] = self._form.read(one.file.chunks()).day
            except FileRefused:
                self._days[key] = None
            except FileUnreadable as error:
                self._unread[key] = error
        return self._days.get(key)

    def _latest(self, files: list[_Named]) -> StoredFile | Refusal:
        """The last correction. A copy of the current bytes is no correction; a copy of an earlier file's bytes is one."""
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
        earlier = tuple(others.values())
        names = tuple(one.file.known_as for one in files if one is not counting and one.file not in earlier)
        return replace(counting.file, earlier=earlier, other_names=names)

    def _hash(self, one: _Named) -> str:
        """The hash of a file's bytes. An unreadable file gets a unique value, because the file may equal any other."""
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
    """A name that any program can print and store: unprintable characters, and bytes that are not UTF-8, become escapes."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)


def _days_of_no_header(at: int, read: list[tuple[_Named, date | None]]) -> tuple[date, ...]:
    """The days that a file without a header may be of. The name of the nearest file with a header shows how names give days."""
    days = tuple(_days_by_name(read[at][0].said))
    for one, day in sorted(read, key=lambda other: abs(int(other[0].stamp[:8]) - int(read[at][0].stamp[:8]))):
        if day in (named := tuple(_days_by_name(one.said))):
            return days[named.index(day) :][:1]
    return days


def _days_by_name(said: FileName) -> Iterator[date]:
    """The days that a file without a header may be of: a file arrives on its day or on the next morning."""
    try:
        made = date.fromisoformat(said.stamp[:8])  # eight digits
    except ValueError:
        return
    yield made
    yield made - timedelta(days=1)
