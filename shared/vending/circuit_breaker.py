"""The selling brake: which services are paused, why, and until when. A person sets it, or it sets itself.

It sets itself for minutes when the supplier says that our float is empty, and on a run of sales in doubt; it releases itself
by its time. Like selling, it awaits its ports and nothing else.

Newer code may have written the pauses. A service that is not known here is passed over and kept, and so is what else a pause says.
Where a pause of one of our services cannot be read, nothing is sold until somebody decides.
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
"""By service, of which newer code may have others."""


class _OnRecord(Value, frozen=True):
    """The pauses on record, and each `as_stored`, by the name of its service."""

    pauses: Pauses
    as_stored: Mapping[str, Any]
    revision: str | None

    def with_only(self, pauses: Pauses) -> dict[str, Any]:
        """What is stored when only these pauses of our services hold. One that stays, stays as it is stored."""
        services = frozenset(VasType)
        stored = {name: said for name, said in self.as_stored.items() if name not in services}
        for vas_type, pause in pauses.items():
            stays = pause is self.pauses.get(vas_type)
            stored[vas_type.value] = self.as_stored[vas_type] if stays else _body(pause)
        return stored


def in_force(pauses: Pauses, at: datetime) -> dict[VasType, Pause]:
    """The pauses that hold at that time."""
    return {vas_type: pause for vas_type, pause in pauses.items() if pause.holds(at)}


class CircuitBreaker:
    """One instance's view of the brake: what it read at most `CACHE_TTL` ago, and its own run of doubts.

    The pauses are one paper, `<mode>-selling`, for all instances and functions. `longest` bounds those that it sets itself.
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
        """Whether this service is not to be sold now.

        Once something is known, one sale reads it again, and whoever comes meanwhile goes by what was known.

        Raises:
            StoreUnavailable: it is not known.
        """
        at, known_at = self._now(), self._known_at
        if known_at is None or not timedelta() <= at - known_at < CACHE_TTL:  # before it: the clock has stepped back
            self._known_at = at if known_at is not None else None
            try:
                self._keep((await self._read()).pauses)
            except StoreUnavailable:
                self._known_at = known_at
                raise
        return vas_type in in_force(self._known, self._now())

    async def held(self) -> dict[VasType, Pause]:
        """The pauses that hold now, as they are on record.

        Raises:
            StoreUnavailable: they are not known.
        """
        self._keep((await self._read()).pauses)
        return in_force(self._known, self._now())

    async def notice(self, vas_type: VasType, outcome: Outcome) -> None:
        """Brake, if this outcome of a vend calls for it. What cannot be stored now will be when the next one does. Never raises."""
        doubts = self._doubts.get(vas_type, 0) + 1 if isinstance(outcome, Unknown) else 0
        self._doubts[vas_type] = doubts
        try:
            if isinstance(outcome, Rejected) and outcome.float_exhausted:
                await self._pause(VasType, "the supplier's float is exhausted", FLOAT_PAUSE)
            elif doubts >= RUN_OF_DOUBTS:
                await self._pause((vas_type,), f"{doubts} sales in a row in doubt", DOUBT_PAUSE)
        except Exception as error:  # the sale is on record: nothing that fails here may become its answer
            log.warning("brake not stored", vas_type=vas_type, cause=error)

    async def set(self, pauses: Pauses, decision: Document | None = None) -> dict[VasType, Pause]:
        """Replace every pause by these: a person's decision, whose paper is on record if and only if it took effect.

        Pauses of services that only newer code sells stay.

        Raises:
            StoreUnavailable: it may or may not have been stored.
            Conflict: somebody else decided at the same time.
        """
        await self._write(pauses, await self._read(), decision)
        if pauses:
            log.error("selling paused", vas_types=sorted(pauses))
        return in_force(pauses, self._now())

    async def _pause(self, vas_types: Iterable[VasType], reason: str, for_long: timedelta) -> None:
        """Pause services for a while, and leave alone whatever a longer pause holds already."""
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
        """The pauses on record. Where they cannot be read, every service is paused until somebody decides."""
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
    """The pauses as they are stored; of a service that is not known here, where its pause can be read."""
    known = {vas_type.value: vas_type for vas_type in VasType}
    for name, said in body.items():
        if name in known:
            yield known[name], _pause(said)
        else:
            with suppress(*MALFORMED):
                yield new_word(VasType, name), _pause(said)


def _pause(said: Mapping[str, Any]) -> Pause:
    """A pause. What else newer code says of it changes nothing: a pause is one."""
    reason, by, until = said["reason"], said["by"], said["until"]
    if not (isinstance(reason, str) and isinstance(by, str)):
        raise TypeError("not a pause")
    return Pause(reason, None if until is None else moment_of(until), by, moment_of(said["at"]))
