"""Binds the keys of sales that a restored database lacks. Compares the sales on record with their published events."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum, auto
from typing import Final, assert_never

from msgspec import structs

from shared.domain.identifiers import Caller, same_supplier_id
from shared.domain.money import Money
from shared.domain.outcome import Answer, Unknown
from shared.domain.policy import VendingPolicy
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import State, Transaction, transition
from shared.domain.vas import Mode, VasType
from shared.ports.documents import Conflict, StoreUnavailable, UnreadableRecord
from shared.ports.transactions import SaleRetired
from shared.settlement.comparison import OPEN_STATES
from shared.store.database import Database, Write
from shared.store.firestore import SALES, FirestoreStore
from shared.store.transaction_documents import tombstone_document
from shared.vending.circuit_breaker import CircuitBreaker

TRIES: Final = 3  # of one sale, if another process writes it meanwhile
UNKNOWN: Final = "not-known"  # no fingerprint of a request: an event holds none, and no request matches this one
BY: Final = "restore"
KNOWN_WITHIN: Final = 7  # days before its first lost key, within which a wallet has bought something

Lost = tuple[Tombstone, int]
"""A tombstone to bind if nothing is on record, and the published version; 0: none was published."""


class NotPaused(Exception):
    """Selling is not paused: a key that is not bound yet could be sold again."""


class Standing(Enum):
    """How a record compares with the published events of its sale."""

    SAME = auto()
    BEHIND = auto()
    CONTRADICTING = auto()


@dataclass(slots=True)
class Found:
    """The results of a run: sales, or their ids, each in the order of processing.

    An earlier run bound those in `before`. `signed` are the sales of `behind` that get the indication of a vend.
    `unread` are messages, and records that were not compared. `left` were not processed: the database did not answer.
    """

    on_record: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    contradicting: list[str] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    bound: list[Tombstone] = field(default_factory=list)
    before: list[Tombstone] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    left: int = 0

    @property
    def needs_a_person(self) -> bool:
        return bool(self.contradicting or self.unread or self.left)


def compared(published: Tombstone, version: int, held: Transaction | Tombstone) -> Standing:
    """Compare what is on record with what was published."""
    seen = None if isinstance(held, Tombstone) else held.version  # a tombstone has the last version
    if version == 0:
        return Standing.SAME
    if held.state != published.state:
        if held.state in OPEN_STATES:
            return Standing.BEHIND
        ended_later = published.state in OPEN_STATES and (seen is None or seen > version)
        return Standing.SAME if ended_later else Standing.CONTRADICTING
    vas_type, amount, supplier_id = _sold(held)
    ids = (supplier_id, published.supplier_transaction_id)
    if (vas_type, amount) != (published.vas_type, published.amount) or (None not in ids and not same_supplier_id(*ids)):
        return Standing.CONTRADICTING
    return Standing.BEHIND if seen is not None and seen < version else Standing.SAME


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """Binds keys in one database."""

    database: Database
    store: FirestoreStore
    mode: Mode
    write: bool

    async def require_pause(self) -> None:
        """Require that every service is paused without an end, by the circuit breaker on record.

        Raises:
            NotPaused: a service is not paused, or only for a while.
        """
        held = await CircuitBreaker(self.store, self.mode, lambda: datetime.now(UTC)).held()
        sold = [vas_type.value for vas_type in VasType if vas_type not in held or held[vas_type].until is not None]
        if sold:
            raise NotPaused(f"not paused without an end: {', '.join(sold)}")

    async def bind(self, lost: Iterable[Lost]) -> Found:
        """Bind each sale that is not on record, and compare each that is. The run ends early if the database does not answer."""
        found, each = Found(), tuple(lost)
        for at, (published, version) in enumerate(each):
            try:
                await self._bind(published, version, found)
            except StoreUnavailable:
                found.left = len(each) - at
                break
        return found

    async def has_sold_to(self, caller: Caller, first: date) -> bool:
        """Whether a record of this caller exists, from a few days before that business day on."""
        for back in range(KNOWN_WITHIN + 1):
            day = (first - timedelta(days=back)).isoformat()
            if await self.store.of_caller(self.mode, caller, day, None, 1):
                return True
        return False

    async def _bind(self, published: Tombstone, version: int, found: Found) -> None:
        """Bind one sale. Read it again if another process has just written it."""
        for _ in range(TRIES):
            with suppress(Conflict):
                await self._bind_once(published, version, found)
                return
        found.unread.append(f"sale {published.id}: it changes all the time, and was not compared")

    async def _bind_once(self, published: Tombstone, version: int, found: Found) -> None:
        held: Transaction | Tombstone | None
        try:
            held = await self.store.find(published.id)
        except SaleRetired as retired:
            held = retired.tombstone
        except UnreadableRecord:  # an unreadable record is on record
            found.on_record.append(published.id)
            if version:
                found.unread.append(f"sale {published.id}: its record cannot be read, and was not compared")
            return
        if held is None:
            if self.write:
                await self.database.commit(Write(SALES, published.id, tombstone_document(published), is_new=True))
            found.bound.append(published)
            return
        match compared(published, version, held):
            case Standing.BEHIND:
                if isinstance(held, Transaction) and await self._signs(held, published):
                    found.signed.append(published.id)
                found.behind.append(published.id)
            case Standing.CONTRADICTING:
                found.contradicting.append(f"{published.id}: announced {published.state.value}, on record {held.state.value}")
            case Standing.SAME if isinstance(held, Tombstone) and held.fingerprint == UNKNOWN and (version or held.state is State.IN_DOUBT):
                found.before.append(held)
            case Standing.SAME:
                found.on_record.append(published.id)
            case never:
                assert_never(never)

    async def _signs(self, held: Transaction, published: Tombstone) -> bool:
        """Whether a sale without an outcome gets the indication of a vend.

        It does if it was published as vended, or in a word that only newer code knows.
        """
        if published.state in OPEN_STATES or published.state is State.REJECTED or held.sign_of_vend:
            return False
        answer = Answer(Unknown(f"announced {published.state.value} before a restore", sign_of_vend=True))
        signed = transition(held, answer, at=datetime.now(UTC), by=BY, retry_seconds=VendingPolicy(mode=self.mode).retry_seconds)
        if self.write:
            await self.store.advance(held, structs.replace(signed, nonce=str(uuid.uuid4())))
        return True


def report(found: Found, *, announced: bool, write: bool) -> Iterator[str]:
    """Return the run in lines: counts, then what an operator must look at. No line holds a token or a customer's number."""
    done, before = "bound" if write else "to bind", f", {len(found.before)} bound before" if found.before else ""
    against = f", {len(found.contradicting)} CONTRADICTING" if found.contradicting else ""
    yield f"{len(found.on_record)} on record, {len(found.behind)} on record and behind{against}, {len(found.bound)} {done}{before}"
    for line in found.contradicting:
        yield f"CONTRADICTING: {line}: nothing was changed, a person decides"
    for line in found.unread:
        yield f"UNREAD: {line}"
    if found.left:
        yield f"BROKE OFF: the database did not answer, {found.left} were not looked at: run it again"
    for sale_id in found.behind:
        signed = f"; {'has got' if write else 'gets'} the sign of a vend" if sale_id in found.signed else ""
        yield f"behind: {sale_id}: the sweep or a person ends it; the archive tells how it was announced{signed}"
    for each in (*found.before, *found.bound):
        what = f"announced {each.state.value}" if announced else "cannot be known until the supplier's file of its day"
        yield f"lost: {each.id} {each.day.isoformat()} {each.vas_type.value} {each.amount.cents} cents: {what}"


def _sold(held: Transaction | Tombstone) -> tuple[VasType, Money, str | None]:
    """Return the goods and amount of a record, and the supplier's id."""
    if isinstance(held, Tombstone):
        return held.vas_type, held.amount, held.supplier_transaction_id
    return held.order.vas_type, held.order.amount, None if held.receipt is None else held.receipt.supplier_transaction_id
