"""Putting what was learned of a sale on record, and announcing it: what selling and resolving have in common."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from shared.domain import closures
from shared.domain.outcome import Answer, Receipt
from shared.domain.policy import VendingPolicy
from shared.domain.transaction import (
    NEXT,
    EventName,
    State,
    Transaction,
    announced,
    claimed_twice,
    each_contradiction,
    reschedule,
    sent_until,
    transition,
)
from shared.lib import logs
from shared.lib.clocks import Moment
from shared.lib.value import Value, is_new_word
from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable
from shared.ports.events import Events, EventsUnavailable
from shared.ports.transactions import LookupBy, Store
from shared.vending.contradictions import discrepancies

STORE_TRIES: Final = 3  # an outcome in our hands is worth more than one try to keep it
MAX_CONFLICTS: Final = 100  # more than ever change one sale at a time
MAX_HOLDERS: Final = 2  # of one id of the supplier's: the sale itself, and another
SLOW_REFUSAL: Final = timedelta(seconds=1)

log = logs.logger(__name__)


class Recorder(Value, frozen=True, kw_only=True):
    """Puts on record what became of a sale, and announces it, over the store and the topic.

    `now` is aware UTC, and may step; `monotonic` counts seconds, and may stop while the instance is frozen. `new_id` gives UUID4s of 36
    characters.
    """

    store: Store
    events: Events
    rules: VendingPolicy
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    monotonic: Callable[[], float] = time.monotonic

    def moment(self) -> Moment:
        """This moment, by both clocks."""
        return Moment(self.now(), self.monotonic())

    def deadline(self) -> datetime:
        """Until when a run that is asked for now may begin with another piece of work: the rest of its time is for that piece."""
        return self.now() + self.rules.latest_claim

    async def held_by_another(self, sale: Transaction, receipt: Receipt) -> str | None:
        """The supplier's id on a receipt, if another sale holds it.

        Raises:
            StoreUnavailable: whether one does is not known.
        """
        supplier_id = receipt.supplier_transaction_id
        assert supplier_id is not None  # an answer without one names no sale
        holders = await self.store.lookup(self.rules.mode, LookupBy.SUPPLIER_TRANSACTION_ID, supplier_id, MAX_HOLDERS)
        return None if all(holder.id == sale.id for holder in holders) else supplier_id

    async def apply_answer(
        self,
        sale: Transaction,
        answer: Answer,
        *,
        by: str,
        send_ended_at: datetime | None = None,
        until: datetime | None = None,
        claimed: str | None = None,
    ) -> Transaction:
        """Put what `answer` says on record, and when its send ended, whatever else has happened to the sale meanwhile.

        `claimed` is the supplier's id in the answer, where another sale holds it: then the answer proves nothing of this one.
        Tries as `update` does.

        Raises:
            StoreUnavailable: after several tries; the record may or may not have changed.
        """

        def learned(known: Transaction) -> Transaction:
            timed = sent_until(known, send_ended_at)
            if claimed is not None:
                return claimed_twice(timed, claimed, answer.raw, at=self.now(), by=by, retry_seconds=self.rules.retry_seconds)
            return transition(timed, answer, at=self.now(), by=by, retry_seconds=self.rules.retry_seconds)

        return await self.update(sale, learned, until)

    async def publish_pending_events(self, sale: Transaction) -> Transaction:
        """Publish what is unannounced, then forget exactly what was published.

        What fails here is left to the sweep, and is due again later: while the topic refuses, doubts are still asked about.
        """
        events = [event for event in sale.unannounced if not is_new_word(EventName, event)]  # newer code announces its own
        if not events:
            return sale
        published: set[EventName] = set()
        event = EventName.CONTRADICTED
        try:
            if sale.contradicted_at or event in events:
                await self._publish_contradictions(sale)
                published.add(event)
            for event in events:
                if event is not EventName.CONTRADICTED:
                    await self.events.publish(event, sale)
                    published.add(event)
        except (EventsUnavailable, StoreUnavailable) as error:
            log.error("events not announced", transaction_id=sale.id, event=event, cause=error)
        said = frozenset(published)

        def told(known: Transaction) -> Transaction:
            unsaid = {EventName.CONTRADICTED} if known.version != sale.version else set()  # perhaps once more, which has not been said
            left = announced(known, said - unsaid)
            return reschedule(left, at=self.now(), retry_seconds=self.rules.retry_seconds) if left.unannounced else left

        try:
            return await self.update(sale, told)
        except StoreUnavailable:  # announced again by the sweep: consumers drop repeats
            return sale

    async def update(self, sale: Transaction, changed: Callable[[Transaction], Transaction], until: datetime | None = None) -> Transaction:
        """Put `changed(sale)` on record, or what it makes of the sale as somebody else has left it meanwhile.

        `changed` is pure, and returns what it was given where there is nothing to change; then nothing is written. A store that
        does not answer is tried `STORE_TRIES` times, and on until `until`; one that refuses at once will do so again.

        Raises:
            StoreUnavailable: after those tries; the record may or may not have changed.
        """
        nonce = self.new_id()
        before, is_stale, failures, conflicts = sale, False, 0, 0
        started = self.moment()
        while True:
            began = self.moment()
            try:
                if is_stale:
                    before, is_stale = await self.held(sale.id), False
                    if before.nonce == nonce:
                        return before
                wanted = changed(before)
                if wanted is before:
                    return before
                stored = await self.store.advance(before, structs.replace(wanted, nonce=nonce))
                _tell(before, stored)
                return stored
            except Conflict:
                is_stale = True
                conflicts += 1
                if conflicts == MAX_CONFLICTS:
                    raise StoreUnavailable("whatever is read, another version is said to be there") from None
            except StoreUnavailable:  # if it was written all the same, the next try conflicts with it
                failures += 1
                now = self.moment()
                waits = until is not None and began.age(now) >= SLOW_REFUSAL and started.latest(now) < until
                if failures >= STORE_TRIES and not waits:
                    raise

    async def _publish_contradictions(self, sale: Transaction) -> None:
        """Every contradiction, those that were announced before too: a consumer ignores older versions than the one it knows.

        So whoever hears of this version of the sale has heard of each of them before it, under the id that is its own for ever.
        """
        await self._keep_discrepancies(sale)
        for contradicted in each_contradiction(sale):
            await self.events.publish(EventName.CONTRADICTED, contradicted)

    async def _keep_discrepancies(self, sale: Transaction) -> None:
        """A contradiction is a person's to decide: it is on the list before it is announced.

        One that was closed is open again when the sale is no longer as it was then.
        """
        for paper in discrepancies(sale):
            try:
                await self.store.write_paper(DocumentKind.DISCREPANCIES, paper)
            except Conflict:  # kept before
                await self._reopen(paper)

    async def _reopen(self, fresh: Document) -> None:
        held = await self.store.read_paper(DocumentKind.DISCREPANCIES, fresh.id)
        if held is None or not held.body.get("closure") or closures.is_covered(held.body, fresh.body):
            return
        with suppress(Conflict):  # somebody else has just done so, or closes it now as it is
            reopened = structs.replace(held, body=closures.reopened(held.body, fresh.body), mark=fresh.mark)
            await self.store.write_paper(DocumentKind.DISCREPANCIES, reopened)
            log.error("discrepancy found", discrepancy_id=fresh.body["id"], kind=fresh.body["kind"], severity="critical")

    async def held(self, sale_id: str) -> Transaction:
        """A sale that is known to be on record."""
        held = await self.store.find(sale_id)
        if held is None:
            raise StoreUnavailable("a recorded sale was not found")
        return held


def _tell(before: Transaction, stored: Transaction) -> None:
    """Say what a person should hear of a change."""
    if stored.history is before.history:
        return
    told = {"transaction_id": stored.id, "vas_type": stored.order.vas_type, "amount_cents": stored.order.amount.cents}
    for entry in stored.history:
        if entry.what != EventName.CONTRADICTED or entry in before.history:
            continue
        if NEXT[stored.state]:
            log.critical("vend claimed twice", **told, state=stored.state, note=entry.note)
        else:
            log.critical("contradiction after an end", **told, state=stored.state, note=entry.note)
    if stored.state is State.IN_DOUBT and before.state is not State.IN_DOUBT:
        log.warning("vend in doubt", **told, cause=stored.history[-1].note)
