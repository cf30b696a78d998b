"""The circuit breaker: which services are paused, why, and until when. An operator pauses services, or the breaker itself does.

The breaker pauses services for minutes when the supplier reports an empty float, and after a run of sales in doubt. Such a pause
ends by its time. The module awaits its ports and nothing else.

Newer code may have written the pauses. Pauses of unknown services, and unknown fields of a pause, have no effect and stay stored.
If a pause of a known service cannot be read, no service is sold until an operator decides.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.outcome import Outcome, Rejected, Unknown
from shared.domain.vas import Mode, VasType
from shared.lib import logs
from shared.lib.times import MALFORMED, moment_of
from shared.lib.value import Value, new_word
from shared.ports.documents import Document, DocumentKind, Documents, StoreUnavailable, UnreadableRecord

CACHE_TTL: Final = timedelta(seconds=10)
FLOAT_PAUSE: Final = timedelta(minutes=2)
DOUBT_PAUSE: Final = timedelta(minutes=2)
MAX_PAUSE: Final = max(FLOAT_PAUSE, DOUBT_PAUSE)
RUN_OF_DOUBTS: Final = 20  # in a row, of one service, in one instance: an outage, not chance
ITSELF: Final = "brake"

log = logs.logger(__name__)


class Pause(Value, frozen=True):
    """Why a service is not sold, and until when; `None`: until an operator ends the pause."""

    reason: str
    until: datetime | None
    by: str
    at: datetime

    def holds(self, at: datetime) -> bool:
        return self.until is None or at < self.until


Pauses = Mapping[VasType, Pause]
"""The pause of each service. The keys may contain services that only newer code knows."""


class _OnRecord(Value, frozen=True):
    """The pauses on record, and the stored form of each by the name of its service."""

    pauses: Pauses
    as_stored: Mapping[str, Any]
    revision: str | None

    def with_only(self, pauses: Pauses) -> dict[str, Any]:
        """The stored form in which, of the known services, only `pauses` are paused. An unchanged pause keeps its stored form."""
        services = frozenset(VasType)
        stored = {name: body for name, body in self.as_stored.items() if name not in services}
        for vas_type, pause in pauses.items():
            stays = pause is self.pauses.get(vas_type)
            stored[vas_type.value] = self.as_stored[vas_type] if stays else _body(pause)
        return stored


def in_force(pauses: Pauses, at: datetime) -> dict[VasType, Pause]:
    """The pauses that hold at that time."""
    return {vas_type: pause for vas_type, pause in pauses.items() if pause.holds(at)}


class CircuitBreaker:
    """One instance's view of the circuit breaker: the pauses read at most `CACHE_TTL` ago, and the instance's run of doubts.

    One document, `<mode>-selling`, holds the pauses for all instances and functions. `longest` bounds the breaker's own pauses.
    """

    def __init__(self, papers: Documents, mode: Mode, now: Callable[[], datetime], *, longest: timedelta = MAX_PAUSE) -> None:
        self._papers = papers
        self._mode = mode
        self._now = now
        self._longest = longest
        self._known: Pauses = {}
        self._known_at: datetime | None = None
        self._doubts: dict[VasType, int] = {}

    async def stops(self, vas_type: VasType) -> bool:
        """Whether the service is paused now.

        After the cache expires, one caller refreshes it; concurrent callers use the old value.

        Raises:
            StoreUnavailable: the pauses could not be read.
        """
        at, known_at = self._now(), self._known_at
        if known_at is None or not timedelta() <= at - known_at < CACHE_TTL:  # negative: the clock has stepped back
            self._known_at = at if known_at is not None else None
            try:
                self._keep((await self._read()).pauses)
            except StoreUnavailable:
                self._known_at = known_at
                raise
        return vas_type in in_force(self._known, self._now())

    async def held(self) -> dict[VasType, Pause]:
        """The pauses on record that hold now.

        Raises:
            StoreUnavailable: the pauses could not be read.
        """
        self._keep((await self._read()).pauses)
        return in_force(self._known, self._now())

    async def notice(self, vas_type: VasType, outcome: Outcome) -> None:
        """Pause services if the outcome of a vend requires a pause. A pause that cannot be stored is tried at the next such outcome.

        Never raises.
        """
        doubts = self._doubts.get(vas_type, 0) + 1 if isinstance(outcome, Unknown) else 0
        self._doubts[vas_type] = doubts
        try:
            if isinstance(outcome, Rejected) and outcome.float_exhausted:
                await self._pause(VasType, "the supplier's float is exhausted", FLOAT_PAUSE)
            elif doubts >= RUN_OF_DOUBTS:
                await self._pause((vas_type,), f"{doubts} sales in a row in doubt", DOUBT_PAUSE)
        except Exception as error:  # the sale is on record: no failure here may become its answer
            log.warning("brake not stored", vas_type=vas_type, cause=error)

    async def set(self, pauses: Pauses, decision: Document | None = None) -> dict[VasType, Pause]:
        """Replace every pause by `pauses`, an operator's decision. One commit stores the pauses and the decision's document.

        Pauses of services that only newer code sells stay.

        Raises:
            StoreUnavailable: the pauses may or may not have been stored.
            Conflict: another operator, or the breaker, wrote the pauses at the same time.
        """
        await self._write(pauses, await self._read(), decision)
        if pauses:
            log.error("selling paused", vas_types=sorted(pauses))
        return in_force(pauses, self._now())

    async def _pause(self, vas_types: Iterable[VasType], reason: str, for_long: timedelta) -> None:
        """Pause services for the time `for_long`. A service that is already paused keeps its pause."""
        at = self._now()
        on_record = await self._read()
        held = in_force(on_record.pauses, at)
        fresh = Pause(reason, at + min(for_long, self._longest), ITSELF, at)
        added = {vas_type: fresh for vas_type in vas_types if vas_type not in held}
        if not added:
            return
        await self._write({**held, **added}, on_record)
        self._doubts.clear()
        log.error("selling paused", vas_types=sorted(added), reason=reason)

    async def _read(self) -> _OnRecord:
        """The pauses on record. If they cannot be read, every service is paused until an operator decides."""
        try:
            paper = await self._papers.read_paper(DocumentKind.CONTROLS, self._paper_id)
        except UnreadableRecord as unreadable:
            return _OnRecord(self._not_known(), {}, unreadable.revision)
        if paper is None:
            return _OnRecord({}, {}, None)
        try:
            pauses = dict(_read_pauses(paper.body))
        except MALFORMED:
            log.critical("record not readable", kind=DocumentKind.CONTROLS, paper_id=paper.id)
            pauses = self._not_known()
        return _OnRecord(pauses, paper.body, paper.revision)

    def _not_known(self) -> dict[VasType, Pause]:
        return dict.fromkeys(VasType, Pause("what is paused cannot be read by this version", None, ITSELF, self._now()))

    async def _write(self, pauses: Pauses, over: _OnRecord, decision: Document | None = None) -> None:
        paper = Document(self._paper_id, over.with_only(pauses), revision=over.revision)
        await self._papers.write_paper(DocumentKind.CONTROLS, paper, decision)
        self._keep(pauses)

    def _keep(self, pauses: Pauses) -> None:
        self._known, self._known_at = pauses, self._now()

    @property
    def _paper_id(self) -> str:
        return f"{self._mode}-selling"


def _body(pause: Pause) -> dict[str, str | None]:
    until = None if pause.until is None else pause.until.isoformat()
    return {"reason": pause.reason, "until": until, "by": pause.by, "at": pause.at.isoformat()}


def _read_pauses(body: Mapping[str, Any]) -> Iterator[tuple[VasType, Pause]]:
    """The stored pauses. An unreadable pause of an unknown service is left out."""
    known = {vas_type.value: vas_type for vas_type in VasType}
    for name, stored in body.items():
        if name in known:
            yield known[name], _pause(stored)
        else:
            with suppress(*MALFORMED):
                yield new_word(VasType, name), _pause(stored)


def _pause(stored: Mapping[str, Any]) -> Pause:
    """The pause in a stored form. Further fields, from newer code, change nothing."""
    reason, by, until = stored["reason"], stored["by"], stored["until"]
    if not (isinstance(reason, str) and isinstance(by, str)):
        raise TypeError("not a pause")
    return Pause(reason, None if until is None else moment_of(until), by, moment_of(stored["at"]))
