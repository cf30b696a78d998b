"""Which days a run of settling takes up, and in which order. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date
from enum import IntEnum

from shared.lib.value import Value
from shared.ports.documents import Document
from shared.ports.settlement_files import Found, Refusal, StoredFile, broke_off
from shared.settlement.comparison import around
from shared.settlement.repository import Runs
from shared.settlement.settled_day import ENDED


class Turn(IntEnum):
    """Which days a run takes up first: those that have something to settle must not wait for those that have nothing."""

    NEWS = 1  # there is a file around it with which it was not settled
    FRESH = 2  # it is yesterday, or was never looked at, or was refused
    WAITING = 3  # its files have not come; or they may have changed, when they were known by their names alone


class Standing(Value, frozen=True):
    """How a day stands before a run."""

    day: date
    paper: Document | None
    runs: Runs

    def turn(self, found: Found, yesterday: date) -> Turn | None:
        """When it is its turn; `None`: it has ended, and nothing around it is new."""
        if self.has_news(found):
            return Turn.NEWS
        if self.paper is None or self.day == yesterday or self.runs.refusal is not None:
            return Turn.FRESH
        return Turn.WAITING if self.paper.body["status"] not in ENDED or self._others(found) else None

    def has_news(self, found: Found) -> bool:
        """Whether there surely is a file around the day with which it was not settled."""
        sure = (one for one in self._others(found) if broke_off(one) not in {*self._known, *self.runs.earlier})  # it may break off again
        return any(known_as.partition("/")[0] not in self._known for known_as in sure)

    @property
    def files(self) -> tuple[date, ...]:
        """The days whose files matter to it."""
        return *around(self.day), *self.runs.beyond

    def _others(self, found: Found) -> list[str]:
        """The files that it is not known to have been settled with. One that is gone is none, and neither is another merchant's.

        One that others had corrected, and that counts now, is news as well. So is one that might have been of a day around this one
        while it could not be read, and is of another.
        """
        files = [found[one] for one in self.files if one in found and not is_foreign(found[one])]
        corrected = list(earlier_files(found[one] for one in around(self.day) if one in found))
        fresh = [file.known_as for file in files if file.known_as not in self._known]
        elsewhere = (one for one in _placed(found) if broke_off(one) in self.runs.earlier and one not in corrected)
        return [*fresh, *(one for one in corrected if one not in self._known and one not in self.runs.earlier), *elsewhere]

    @property
    def _known(self) -> frozenset[str]:
        own = () if self.runs.refusal is None else (self.runs.refusal.known_as,)
        return frozenset({*self.runs.files.values(), *self.runs.refused, *own})


def in_turn(standing: Iterable[Standing], found: Found, yesterday: date) -> list[date]:
    """The days that a run settles, in its order."""
    turns = ((one.turn(found, yesterday), one.day) for one in standing)
    return [day for turn, day in sorted((turn, day) for turn, day in turns if turn is not None)]


def around_asked(standing: Iterable[Standing], found: Found, asked: date) -> list[date]:
    """The day that is asked for, and those beside it that were settled and to which a file is news."""
    return [one.day for one in standing if one.day == asked or (one.paper is not None and one.has_news(found))]


def is_foreign(file: StoredFile | Refusal) -> bool:
    return isinstance(file, Refusal) and file.foreign


def _placed(found: Found) -> Iterator[str]:
    """The files that are some day's."""
    yield from (file.known_as for file in found.values() if isinstance(file, StoredFile))
    yield from earlier_files(found.values())


def earlier_files(files: Iterable[StoredFile | Refusal]) -> Iterator[str]:
    """The files that these correct, as they are known by name and mark."""
    for file in files:
        if isinstance(file, StoredFile):
            yield from (one.known_as for one in file.earlier)
