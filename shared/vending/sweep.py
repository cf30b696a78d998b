"""The sweep: resolves all open sales that are due.

The module awaits its ports and nothing else. The port `each` runs many sales at once.
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
MAX_DUE: Final = 100  # of one shard, in one sweep, oldest first. One sale more is read, to know whether any is left


log = logs.logger(__name__)


class Swept(Value, frozen=True, kw_only=True):
    """The result of one sweep, in sales. `announced` counts sales with published events; `left` is at least the rest for the next sweep."""

    examined: int = 0
    vended: int = 0
    rejected: int = 0
    still_in_doubt: int = 0
    needs_review: int = 0
    announced: int = 0
    left: int = 0


class Sweeping(Value, frozen=True, kw_only=True):
    """Resolves all sales that are due, over the ports."""

    recorder: Recorder
    supplier: Supplier
    store: TransactionIndex
    each: Each

    async def sweep(self, until: datetime) -> Swept:
        """Resolve the sales that are due, oldest first. No sale begins after `until`, except the first `AT_ONCE`.

        The first `AT_ONCE` sales always begin, even after a slow database or hanging controls. Otherwise each sweep could be as late
        as the one before, and no sale would end. No control begins after `until` either: controls end, and their attempts are counted,
        before the platform ends the sweep.

        Raises:
            StoreUnavailable: the due sales could not be read.
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
        """The resolution of one sale, over the same ports."""
        return Resolving(recorder=self.recorder, supplier=self.supplier, store=self.store)

    async def _controlled(self, due: Iterable[Transaction], at: datetime, until: datetime) -> frozenset[VasType]:
        """The services whose control is found in this sweep. A control runs once, and only if "does not exist" could end a sale."""
        age = self.recorder.rules.minimum_age_seconds
        services = sorted({sale.order.vas_type for sale in due if may_be_absent(sale, at=at, minimum_age_seconds=age)})
        answered = await self.each((self.resolving.control(service, until) for service in services), AT_ONCE)
        return frozenset(service for service, found in zip(services, answered, strict=True) if found)

    async def _one(self, before: Transaction, controlled: frozenset[VasType], began: Moment, until: datetime | None) -> Swept | None:
        """The result of one sale; `None` if the sale is left for the next sweep."""
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
