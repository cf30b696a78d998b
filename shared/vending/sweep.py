"""Reconciling many sales: the sweep that ends what is open.

Like selling, it awaits its ports and nothing else; many sales at once go through the port `each`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import structs

from shared.domain.transaction import SHARDS, State, Transaction, may_be_absent
from shared.domain.vas import VasType
from shared.lib import logs
from shared.lib.clocks import Moment
from shared.lib.value import Value
from shared.ports.concurrency import Each
from shared.ports.documents import StoreUnavailable
from shared.ports.supplier import Supplier
from shared.ports.transactions import TransactionIndex
from shared.vending.recorder import Recorder
from shared.vending.resolution import Resolving

AT_ONCE: Final = 16
MAX_DUE: Final = 100  # of one shard, in one sweep: what is left is oldest first in the next. One more is read, to know of it


log = logs.logger(__name__)


class Swept(Value, frozen=True, kw_only=True):
    """What one sweep did, in sales; `announced` in sales with events published, `left` for the next sweep at the least."""

    examined: int = 0
    vended: int = 0
    rejected: int = 0
    still_in_doubt: int = 0
    needs_review: int = 0
    announced: int = 0
    left: int = 0


class Sweeping(Value, frozen=True, kw_only=True):
    """Resolves whatever is due, over the ports."""

    recorder: Recorder
    supplier: Supplier
    store: TransactionIndex
    each: Each

    async def sweep(self, until: datetime) -> Swept:
        """Resolve what is due, oldest first, and begin with no sale after `until` but the first `AT_ONCE`.

        Those are begun however long it took to get here, with a slow database or a supplier whose controls hang. Otherwise each
        sweep would be as late as the one before, and nothing would end or be announced. No control is begun after `until` either,
        so that they end, and their tries are counted, before the platform cuts the sweep off.

        Raises:
            StoreUnavailable: what is due could not be read.
        """
        began = self.recorder.moment()
        shards = await self.each(
            (self.store.due(self.recorder.rules.mode, number, began.at, MAX_DUE + 1) for number in range(SHARDS)),
            AT_ONCE,
        )
        due = sorted((sale for shard in shards for sale in shard[:MAX_DUE]), key=_due_at)
        unseen = sum(len(shard) > MAX_DUE for shard in shards)
        controlled = await self._controlled(due, began.at, until)
        results = await self.each(
            (self._one(sale, controlled, began, until if number >= AT_ONCE else None) for number, sale in enumerate(due)), AT_ONCE
        )
        return _summed(Swept(left=results.count(None) + unseen), *(one for one in results if one is not None))

    @property
    def resolving(self) -> Resolving:
        """Ending one sale, over the same ports."""
        return Resolving(recorder=self.recorder, supplier=self.supplier, store=self.store)

    async def _controlled(self, due: Iterable[Transaction], at: datetime, until: datetime) -> frozenset[VasType]:
        """The services whose control answers in this sweep, asked for once, and only where a "does not exist" could end a sale."""
        age = self.recorder.rules.minimum_age_seconds
        services = sorted({sale.order.vas_type for sale in due if may_be_absent(sale, at=at, minimum_age_seconds=age)})
        answered = await self.each((self.resolving.control(service, until) for service in services), AT_ONCE)
        return frozenset(service for service, found in zip(services, answered, strict=True) if found)

    async def _one(self, before: Transaction, controlled: frozenset[VasType], began: Moment, until: datetime | None) -> Swept | None:
        """What came of one sale; `None`: it is left."""
        if until is not None and began.latest(self.recorder.moment()) >= until:
            return None
        try:
            sale = await self.resolving.resolve(before, controlled, began)
        except StoreUnavailable:
            log.error("sweep could not store", transaction_id=before.id)
            return None
        was_open = before.state in (State.VENDING, State.IN_DOUBT)
        return Swept(
            examined=1,
            vended=was_open and sale.state is State.VENDED,
            rejected=was_open and sale.state is State.REJECTED,
            still_in_doubt=sale.state is State.IN_DOUBT,
            needs_review=sale.review_announced,
            announced=not sale.unannounced and (bool(before.unannounced) or sale.version > before.version),
        )


def _due_at(sale: Transaction) -> datetime:
    assert sale.open is not None  # only open sales are due
    return sale.open.due_at


def _summed(*parts: Swept) -> Swept:
    columns = zip(*map(structs.astuple, parts), strict=True)
    return Swept(**dict(zip(Swept.__struct_fields__, map(sum, columns), strict=True)))
