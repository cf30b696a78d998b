"""The selling brake: which services are paused, why, and until when. A person sets it, or it sets itself.

It sets itself for minutes when the supplier says that our float is empty, and on a run of sales in doubt; it releases itself
by its time. Like selling, it awaits its ports and nothing else.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from shared import logs
from shared.outcome import Outcome, Rejected, Unknown
from shared.store import Conflict, Paper, PaperKind, Papers, StoreUnavailable
from shared.value import Value
from shared.vas import Mode, VasType

KNOWN_FOR: Final = timedelta(seconds=10)
FLOAT_PAUSE: Final = timedelta(minutes=2)
DOUBT_PAUSE: Final = timedelta(minutes=2)
LONGEST_PAUSE: Final = max(FLOAT_PAUSE, DOUBT_PAUSE)
RUN_OF_DOUBTS: Final = 20  # in a row, of one service, in one instance: an outage, not bad luck
ITSELF: Final = "brake"

log = logs.logger(__name__)


class Pause(Value, frozen=True):
    """Why a service is not sold, and until when; `None`: until somebody releases it."""

    reason: str
    until: datetime | None
    by: str
    at: datetime

    def holds(self, at: datetime) -> bool:
        return self.until is None or at < self.until


Pauses = Mapping[VasType, Pause]


def in_force(pauses: Pauses, at: datetime) -> dict[VasType, Pause]:
    """The pauses that hold at that time."""
    return {vas_type: pause for vas_type, pause in pauses.items() if pause.holds(at)}


class Brake:
    """One instance's view of the brake: what it read at most `KNOWN_FOR` ago, and its own run of doubts.

    The pauses are one paper, `<mode>-selling`, for all instances and functions. `longest` bounds those that it sets itself.
    """

    def __init__(self, papers: Papers, mode: Mode, now: Callable[[], datetime], *, longest: timedelta = LONGEST_PAUSE) -> None:
        self._papers = papers
        self._mode = mode
        self._now = now
        self._longest = longest
        self._known: Pauses = {}
        self._known_at: datetime | None = None
        self._doubts: dict[VasType, int] = {}

    async def stops(self, vas_type: VasType) -> bool:
        """Whether this service is not to be sold now.

        Once something is known, one sale reads it again, and whoever comes meanwhile goes by what was known.

        Raises:
            StoreUnavailable: it is not known.
        """
        at, known_at = self._now(), self._known_at
        if known_at is None or at - known_at >= KNOWN_FOR:
            self._known_at = at if known_at is not None else None
            try:
                self._keep((await self._read())[0])
            except StoreUnavailable:
                self._known_at = known_at
                raise
        return vas_type in in_force(self._known, self._now())

    async def held(self) -> dict[VasType, Pause]:
        """The pauses that hold now, as they are on record.

        Raises:
            StoreUnavailable: they are not known.
        """
        self._keep((await self._read())[0])
        return in_force(self._known, self._now())

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

    async def set(self, pauses: Pauses, decision: Paper | None = None) -> dict[VasType, Pause]:
        """Replace every pause by these: a person's decision, whose paper is on record if and only if it took effect.

        Raises:
            StoreUnavailable: it may or may not have been stored.
            Conflict: somebody else decided at the same time.
        """
        _, revision = await self._read()
        await self._write(pauses, revision, decision)
        if pauses:
            log.error("selling paused", vas_types=sorted(pauses))
        return in_force(pauses, self._now())

    async def _pause(self, vas_types: Iterable[VasType], reason: str, for_long: timedelta) -> None:
        """Pause services for a while, and leave alone whatever a longer pause holds already."""
        at = self._now()
        pauses, revision = await self._read()
        held = in_force(pauses, at)
        fresh = Pause(reason, at + min(for_long, self._longest), ITSELF, at)
        added = {vas_type: fresh for vas_type in vas_types if vas_type not in held}
        if not added:
            return
        await self._write({**held, **added}, revision)
        self._doubts.clear()
        log.error("selling paused", vas_types=sorted(added), reason=reason)

    async def _read(self) -> tuple[Pauses, str | None]:
        paper = await self._papers.read_paper(PaperKind.CONTROLS, self._paper_id)
        return (_pauses(paper.body), paper.revision) if paper is not None else ({}, None)

    async def _write(self, pauses: Pauses, revision: str | None, decision: Paper | None = None) -> None:
        body = {vas_type.value: _body(pause) for vas_type, pause in pauses.items()}
        await self._papers.write_paper(PaperKind.CONTROLS, Paper(self._paper_id, body, revision=revision), decision)
        self._keep(pauses)

    def _keep(self, pauses: Pauses) -> None:
        self._known, self._known_at = pauses, self._now()

    @property
    def _paper_id(self) -> str:
        return f"{self._mode}-selling"


def _body(pause: Pause) -> dict[str, str | None]:
    until = None if pause.until is None else pause.until.isoformat()
    return {"reason": pause.reason, "until": until, "by": pause.by, "at": pause.at.isoformat()}


def _pauses(body: Mapping[str, Mapping[str, Any]]) -> dict[VasType, Pause]:
    return {VasType(name): _pause(**said) for name, said in body.items()}


def _pause(reason: str, until: str | None, by: str, at: str) -> Pause:
    return Pause(reason, None if until is None else datetime.fromisoformat(until), by, datetime.fromisoformat(at))
