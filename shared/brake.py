"""The selling brake: which services are paused, why, and until when. A person sets it, or it sets itself.

It sets itself for minutes when the supplier says that our float is empty, and on a run of sales in doubt; it releases itself
by its time. Like selling, it awaits its ports and nothing else.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from shared import logs
from shared.outcome import Outcome, Rejected, Unknown
from shared.store import Conflict, StoreUnavailable
from shared.vas import VasType

KNOWN_FOR: Final = timedelta(seconds=10)
FLOAT_PAUSE: Final = timedelta(minutes=5)
DOUBT_PAUSE: Final = timedelta(minutes=2)
RUN_OF_DOUBTS: Final = 20  # in a row, of one service, in one instance: an outage, not bad luck
ITSELF: Final = "brake"

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a service is not sold, and until when; `None`: until somebody releases it."""

    reason: str
    until: datetime | None
    by: str
    at: datetime

    def holds(self, at: datetime) -> bool:
        return self.until is None or at < self.until


Pauses = Mapping[VasType, Pause]


class Controls(Protocol):
    """Where the pauses are kept: one record for all instances and functions."""

    async def pauses(self) -> tuple[Pauses, str | None]:
        """The pauses on record, expired ones included, and the revision to replace them at; `None` when there is no record."""

    async def replace_pauses(self, pauses: Pauses, revision: str | None) -> None:
        """Put `pauses` on record.

        Raises:
            Conflict: the record is no longer at that revision.
        """


def in_force(pauses: Pauses, at: datetime) -> dict[VasType, Pause]:
    """The pauses that hold at that time."""
    return {vas_type: pause for vas_type, pause in pauses.items() if pause.holds(at)}


@dataclass(slots=True)
class Brake:
    """One instance's view of the brake: what it read at most `KNOWN_FOR` ago, and its own run of doubts."""

    controls: Controls
    now: Callable[[], datetime]
    _known: Pauses = field(default_factory=dict)
    _known_at: datetime | None = None
    _doubts: dict[VasType, int] = field(default_factory=dict)

    async def stops(self, vas_type: VasType) -> bool:
        """Whether this service is not to be sold now.

        Raises:
            StoreUnavailable: it is not known.
        """
        if self._known_at is None or self.now() - self._known_at >= KNOWN_FOR:
            self._known, _ = await self.controls.pauses()
            self._known_at = self.now()
        return vas_type in in_force(self._known, self.now())

    async def notice(self, vas_type: VasType, outcome: Outcome) -> None:
        """Brake, if this outcome of a vend calls for it. What cannot be stored now will be when the next one does."""
        doubts = self._doubts.get(vas_type, 0) + 1 if isinstance(outcome, Unknown) else 0
        self._doubts[vas_type] = doubts
        try:
            if isinstance(outcome, Rejected) and outcome.float_exhausted:
                await self._pause(VasType, "the supplier's float is exhausted", FLOAT_PAUSE)
            elif doubts >= RUN_OF_DOUBTS:
                await self._pause((vas_type,), f"{doubts} sales in a row in doubt", DOUBT_PAUSE)
        except (StoreUnavailable, Conflict):
            log.warning("brake not stored", vas_type=vas_type)

    async def set(self, pauses: Pauses) -> dict[VasType, Pause]:
        """Replace every pause by these: a person's decision.

        Raises:
            StoreUnavailable: it may or may not have been stored.
            Conflict: somebody else decided at the same time.
        """
        _, revision = await self.controls.pauses()
        await self.controls.replace_pauses(pauses, revision)
        self._known, self._known_at = pauses, self.now()
        if pauses:
            log.error("selling paused", vas_types=sorted(pauses))
        return in_force(pauses, self.now())

    async def _pause(self, vas_types: Iterable[VasType], reason: str, for_long: timedelta) -> None:
        """Pause services for a while, and leave alone whatever a longer pause holds already."""
        at = self.now()
        pauses, revision = await self.controls.pauses()
        held = in_force(pauses, at)
        fresh = Pause(reason, at + for_long, ITSELF, at)
        added = {vas_type: fresh for vas_type in vas_types if vas_type not in held}
        if not added:
            return
        await self.controls.replace_pauses({**held, **added}, revision)
        self._known, self._known_at = {**held, **added}, at
        self._doubts.clear()
        log.error("selling paused", vas_types=sorted(added), reason=reason)
