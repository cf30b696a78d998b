"""Stores the outcome of a sale and publishes its events, for purchasing and for resolution."""

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

STORE_TRIES: Final = 3  # an outcome that we hold is worth more than one attempt to store it
MAX_CONFLICTS: Final = 100  # more writers than ever change one sale at a time
MAX_HOLDERS: Final = 2  # of one supplier's id: the sale itself, and another
SLOW_REFUSAL: Final = timedelta(seconds=1)

log = logs.logger(__name__)


class Recorder(Value, frozen=True, kw_only=True):
    """Stores the outcome of a sale and publishes its events, over the store and the topic.

    `now` is aware UTC, and may step. `monotonic` counts seconds, and may stop while the instance is frozen.
    `new_id` returns UUID4s of 36 characters.
    """

    store: Store
    events: Events
    rules: VendingPolicy
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    monotonic: Callable[[], float] = time.monotonic

    def moment(self) -> Moment:
        """The present moment, by both clocks."""
        return Moment(self.now(), self.monotonic())

    def deadline(self) -> datetime:
        """The moment until which a run that starts now may begin another piece of work. The rest of its time is for that piece."""
        return self.now() + self.rules.latest_claim

    async def held_by_another(self, sale: Transaction, receipt: Receipt) -> str | None:
        """The supplier's id on a receipt if another sale holds the id, else `None`.

        Raises:
            StoreUnavailable: the store did not answer whether another sale holds the id.
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
        """Put an answer, and the end of its send, on record, on top of all changes of the sale meanwhile.

        `claimed` is the supplier's id in the answer if another sale holds the id. The answer then proves nothing for this sale.
        Attempts are as in `update`.

        Raises:
            StoreUnavailable: after several attempts; the record may or may not have changed.
        """

        def answered(existing: Transaction) -> Transaction:
            timed = sent_until(existing, send_ended_at)
            if claimed is not None:
                return claimed_twice(timed, claimed, answer.raw, at=self.now(), by=by, retry_seconds=self.rules.retry_seconds)
            return transition(timed, answer, at=self.now(), by=by, retry_seconds=self.rules.retry_seconds)

        return await self.update(sale, answered, until)

    async def publish_pending_events(self, sale: Transaction) -> Transaction:
        """Publish the pending events, then clear exactly the published events.

        The sweep publishes an event that fails here, and the sale is due again later. The sweep also resolves doubts while the topic fails.
        """
        events = [event for event in sale.unannounced if not is_new_word(EventName, event)]  # newer code publishes its own events
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
        done = frozenset(published)

        def cleared(existing: Transaction) -> Transaction:
            again = {EventName.CONTRADICTED} if existing.version != sale.version else set()  # perhaps a newer contradiction is pending
            left = announced(existing, done - again)
            return reschedule(left, at=self.now(), retry_seconds=self.rules.retry_seconds) if left.unannounced else left

        try:
            return await self.update(sale, cleared)
        except StoreUnavailable:  # the sweep publishes the events again: consumers drop repeats
            return sale

    async def update(self, sale: Transaction, changed: Callable[[Transaction], Transaction], until: datetime | None = None) -> Transaction:
        """Put `changed(sale)` on record. After a competitor's write, `changed` is applied to the new version of the sale.

        `changed` is pure. If it returns its argument, nothing is written.
        A store that does not answer is tried `STORE_TRIES` times. Further attempts follow until `until`, unless the store fails fast.

        Raises:
            StoreUnavailable: after those attempts; the record may or may not have changed.
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
                _log_change(before, stored)
                return stored
            except Conflict:
                is_stale = True
                conflicts += 1
                if conflicts == MAX_CONFLICTS:
                    raise StoreUnavailable("whatever is read, another version is said to be there") from None
            except StoreUnavailable:  # if the write happened all the same, the next attempt conflicts with it
                failures += 1
                now = self.moment()
                waits = until is not None and began.age(now) >= SLOW_REFUSAL and started.latest(now) < until
                if failures >= STORE_TRIES and not waits:
                    raise

    async def _publish_contradictions(self, sale: Transaction) -> None:
        """Publish every contradiction, also those published before: a consumer ignores versions older than the one that it has.

        A consumer of this version of the sale has therefore received each contradiction before, under its permanent event id.
        """
        await self._keep_discrepancies(sale)
        for contradicted in each_contradiction(sale):
            await self.events.publish(EventName.CONTRADICTED, contradicted)

    async def _keep_discrepancies(self, sale: Transaction) -> None:
        """Store the discrepancy of each contradiction before its event: an operator decides about it.

        A closed discrepancy is opened again if the sale has changed since the closure.
        """
        for paper in discrepancies(sale):
            try:
                await self.store.write_paper(DocumentKind.DISCREPANCIES, paper)
            except Conflict:  # stored before
                await self._reopen(paper)

    async def _reopen(self, fresh: Document) -> None:
        held = await self.store.read_paper(DocumentKind.DISCREPANCIES, fresh.id)
        if held is None or not held.body.get("closure") or closures.is_covered(held.body, fresh.body):
            return
        with suppress(Conflict):  # another process has just reopened it, or an operator closes the present form
            reopened = structs.replace(held, body=closures.reopened(held.body, fresh.body), mark=fresh.mark)
            await self.store.write_paper(DocumentKind.DISCREPANCIES, reopened)
            log.error("discrepancy found", discrepancy_id=fresh.body["id"], kind=fresh.body["kind"], severity="critical")

    async def held(self, sale_id: str) -> Transaction:
        """The present version of a sale that is on record.

        Raises:
            StoreUnavailable: the store did not answer, or did not find the sale.
        """
        held = await self.store.find(sale_id)
        if held is None:
            raise StoreUnavailable("a recorded sale was not found")
        return held


def _log_change(before: Transaction, stored: Transaction) -> None:
    """Log the changes that an operator should see."""
    if stored.history is before.history:
        return
    fields = {"transaction_id": stored.id, "vas_type": stored.order.vas_type, "amount_cents": stored.order.amount.cents}
    for entry in stored.history:
        if entry.what != EventName.CONTRADICTED or entry in before.history:
            continue
        if NEXT[stored.state]:
            log.critical("vend claimed twice", **fields, state=stored.state, note=entry.note)
        else:
            log.critical("contradiction after an end", **fields, state=stored.state, note=entry.note)
    if stored.state is State.IN_DOUBT and before.state is not State.IN_DOUBT:
        log.warning("vend in doubt", **fields, cause=stored.history[-1].note)
