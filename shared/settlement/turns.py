"""Which days a run settles, and in which order. Pure."""

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
    """The order of days in a run: days with new files go first, so that other days never delay them."""

    NEWS = 1  # a file near the day exists with which the day was not settled
    FRESH = 2  # the day is yesterday, was never settled, or was refused
    WAITING = 3  # its files are missing, or may have changed


class Standing(Value, frozen=True):
    """The state of a day before a run."""

    day: date
    paper: Document | None
    runs: Runs

    def turn(self, found: Found, yesterday: date) -> Turn | None:
        """The turn of the day; `None`: the day has ended, and no file near it is new."""
        if self.has_news(found):
            return Turn.NEWS
        if self.paper is None or self.day == yesterday or self.runs.refusal is not None:
            return Turn.FRESH
        return Turn.WAITING if self.paper.body["status"] not in ENDED or self._others(found) else None

    def has_news(self, found: Found) -> bool:
        """Whether a file near the day certainly exists with which the day was not settled."""
        # A file that broke off may break off again.
        sure = (one for one in self._others(found) if broke_off(one) not in {*self._known, *self.runs.earlier})
        return any(known_as.partition("/")[0] not in self._known for known_as in sure)

    @property
    def files(self) -> tuple[date, ...]:
        """The days whose files matter to the day."""
        return *around(self.day), *self.runs.beyond

    def _others(self, found: Found) -> list[str]:
        """The files that are new to the day. A deleted file and another merchant's file are not new.

        A file that counts again, after others had corrected it, is new. A file is new too if it might have been of a day near this one
        while it was unreadable, and is of another day.
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
    """The days that a run settles, in order."""
    turns = ((one.turn(found, yesterday), one.day) for one in standing)
    return [day for turn, day in sorted((turn, day) for turn, day in turns if turn is not None)]


def around_asked(standing: Iterable[Standing], found: Found, asked: date) -> list[date]:
    """The requested day, and its settled neighbours to which a file is new."""
    return [one.day for one in standing if one.day == asked or (one.paper is not None and one.has_news(found))]


def is_foreign(file: StoredFile | Refusal) -> bool:
    return isinstance(file, Refusal) and file.foreign


def _placed(found: Found) -> Iterator[str]:
    """The files that belong to a day, under every name that they have."""
    for file in found.values():
        if isinstance(file, StoredFile):
            yield from (file.known_as, *file.other_names)
    yield from earlier_files(found.values())


def earlier_files(files: Iterable[StoredFile | Refusal]) -> Iterator[str]:
    """The files that these files correct, identified by name and mark."""
    for file in files:
        if isinstance(file, StoredFile):
            yield from (one.known_as for one in file.earlier)
