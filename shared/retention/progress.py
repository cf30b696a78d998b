"""The progress of the runs of retaining, as a document stores it. Pure."""

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Final, NamedTuple

from msgspec import field

from shared.domain.transaction import SHARDS
from shared.lib.value import Value
from shared.ports.documents import Document
from shared.ports.transactions import Place

FIRST: Final = "0"  # sorts before every id of a sale

_SHARDS: Final = frozenset(map(str, range(SHARDS)))
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


class Step(StrEnum):
    """A step of retaining, as the document names its progress."""

    ERASE = "erased"
    RETIRE = "retired"


class Waiting(NamedTuple):
    """A business day that a step has passed. `sales` and `left` count its sales that are still needed, as far as known.

    A later pass has reached the sale `sale_id` of a shard. `left` sales had to stay then too, and the list had no room for their ids.
    """

    sales: int = 0
    left: int = 0
    shard: int = 0
    sale_id: str = FIRST


class Progress(Value, frozen=True, kw_only=True):
    """The place in each shard after which sales remain, the days that wait, and the sales that were held.

    `stored` is the document as read, with the fields of newer code.
    """

    places: Mapping[Step, Mapping[int, Place]] = field(default_factory=lambda: {step: {} for step in Step})
    waiting: Mapping[Step, Mapping[date, Waiting]] = field(default_factory=lambda: {step: {} for step in Step})
    held: frozenset[str] = frozenset()
    retired_up_to: date | None = None
    revision: str | None = None
    stored: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_held(self) -> int:
        """How many sales are still needed, as far as known. A sale that waits for both steps counts once."""
        days = {day for waiting in self.waiting.values() for day in waiting}
        return len(self.held) + sum(max(_sales(waiting.get(day)) for waiting in self.waiting.values()) for day in days)

    def body(self) -> dict[str, Any]:
        places = {
            step.value: {str(shard): [day.isoformat(), sale_id] for shard, (day, sale_id) in places.items()}
            for step, places in self.places.items()
        }
        waiting = {
            f"{step.value}Later": {day.isoformat(): list(one) for day, one in waiting.items()} for step, waiting in self.waiting.items()
        }
        up_to = None if self.retired_up_to is None else self.retired_up_to.isoformat()
        return {**self.stored, **places, **waiting, "held": sorted(self.held), "retiredUpTo": up_to}


def progress_of(paper: Document, today: date) -> Progress:
    """The progress in a document. An impossible place, or one ahead of `today`, starts again: both steps may be repeated."""
    body, held, up_to = paper.body, paper.body.get("held"), day_of(paper.body.get("retiredUpTo"))
    return Progress(
        places={step: _places(body.get(step.value), today) for step in Step},
        waiting={step: _waiting(body.get(f"{step.value}Later")) for step in Step},
        held=frozenset(one for one in (held if isinstance(held, list) else ()) if is_id(one)),
        retired_up_to=up_to if up_to is not None and up_to <= today else None,
        revision=paper.revision,
        stored=body,
    )


def is_id(text: object) -> bool:
    """Whether a store accepts this id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def day_of(text: object) -> date | None:
    """A day of a document, which may be damaged."""
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _sales(waiting: Waiting | None) -> int:
    return 0 if waiting is None else waiting.sales + waiting.left


def _places(stored: object, today: date) -> dict[int, Place]:
    found: dict[int, Place] = {}
    for shard, place in stored.items() if isinstance(stored, Mapping) else ():
        if shard in _SHARDS and isinstance(place, list) and [type(part) for part in place] == [str, str]:
            day = day_of(place[0])
            if day is not None and day <= today and is_id(place[1]):
                found[int(shard)] = (day, place[1])
    return found


def _waiting(stored: object) -> dict[date, Waiting]:
    """The days that wait. A day with damaged details is checked from its beginning."""
    found: dict[date, Waiting] = {}
    for text, one in stored.items() if isinstance(stored, Mapping) else ():
        if (day := day_of(text)) is not None:
            is_whole = isinstance(one, list) and [type(part) for part in one] == [int, int, int, str]
            found[day] = Waiting(*one) if is_whole and 0 <= one[2] < SHARDS and is_id(one[3]) else Waiting()
    return found
