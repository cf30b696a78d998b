"""Resolution: ends a sale that is in doubt, and fetches tokens that are due. On evidence only.

The module awaits its ports and nothing else.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from typing import Final, assert_never

from shared.domain.identifiers import same_supplier_id
from shared.domain.outcome import Answer, NoAnswer, NoSuchTransaction, Receipt, Reprint, Unknown, Vended
from shared.domain.transaction import (
    State,
    Transaction,
    after_failed_attempt,
    after_not_found,
    attach_raw_answer,
    claimed_twice,
    reschedule,
    transition,
)
from shared.domain.vas import VasType
from shared.lib import logs
from shared.lib.clocks import Moment
from shared.lib.value import Value
from shared.ports.documents import StoreUnavailable
from shared.ports.supplier import Supplier
from shared.ports.transactions import TransactionIndex
from shared.vending.recorder import Recorder

NEWER_CODE_SECONDS: Final = 900  # until a sweep looks again at work that only newer code can do

Change = Callable[[Transaction], Transaction]

log = logs.logger(__name__)


class Resolving(Value, frozen=True, kw_only=True):
    """One attempt at a time, over the ports. Two attempts at once do no harm: each reads the other's result from the record."""

    recorder: Recorder
    supplier: Supplier
    store: TransactionIndex

    async def resolve(self, sale: Transaction, controlled: Collection[VasType], began: Moment | None = None) -> Transaction:
        """Ask the supplier about an open sale, and put on record what the answer proves.

        `controlled` are the services whose control was found in this sweep. The sweep `began` at that moment, or with this sale.
        From `began` on, the minimum age counts by both clocks.

        Raises:
            StoreUnavailable: nothing is lost; the sale stays due.
        """
        began = began or self.recorder.moment()
        sale = await self.recorder.publish_pending_events(await self._in_doubt_if_abandoned(sale))
        if not _is_unfinished(sale):
            return await self._left_to_newer_code(sale)
        asked_at = began.earliest(self.recorder.moment())
        reprint = await self.supplier.reprint(sale)
        change = await self._evidence(sale, reprint, asked_at, controlled)
        return await self.recorder.publish_pending_events(await self._after_attempt(sale, change))

    async def control(self, vas_type: VasType, until: datetime) -> bool:
        """Whether a reprint finds, right now, a vended sale of this service. No reprint begins after `until`."""
        try:
            lately = await self.store.vended_lately(self.recorder.rules.mode, vas_type, self.recorder.now())
        except StoreUnavailable:
            return False
        began = self.recorder.moment()
        for vended in lately:
            if began.latest(self.recorder.moment()) >= until:
                return False
            reprint = await self.supplier.reprint(vended)
            if isinstance(reprint.result, Vended) and vended.receipt is not None:
                shown = reprint.result.receipt
                is_found = same_supplier_id(shown.supplier_transaction_id, vended.receipt.supplier_transaction_id)
                if vended.receipt.lacks(shown):
                    await self._learn_from_control(vended, shown, Answer(reprint.result, reprint.raw), is_found=is_found)
                return is_found
        return False

    async def _learn_from_control(self, vended: Transaction, shown: Receipt, answer: Answer, *, is_found: bool) -> None:
        """Store a token that the sale's receipt lacks: no sweep asks about that sale any more.

        An operator had decided, or the supplier sold twice under one request id and shows the other vend.
        """
        with suppress(StoreUnavailable):  # the next control shows the token again
            claimed = None if is_found else await self.recorder.held_by_another(vended, shown)
            existing = await self.recorder.apply_answer(vended, answer, by="reprint", claimed=claimed)
            await self.recorder.publish_pending_events(existing)

    async def _left_to_newer_code(self, sale: Transaction) -> Transaction:
        """Reschedule a sale whose open work only newer code knows: the sale stays open, and delays no other."""
        if not sale.waits_for_newer_code:
            return sale
        return await self.recorder.update(
            sale, lambda existing: reschedule(existing, at=self.recorder.now(), retry_seconds=NEWER_CODE_SECONDS)
        )

    async def _in_doubt_if_abandoned(self, sale: Transaction) -> Transaction:
        if not sale.is_abandoned(self.recorder.now()):
            return sale
        return await self.recorder.apply_answer(sale, Answer(Unknown("abandoned past its lease")), by="sweep")

    async def _evidence(self, sale: Transaction, reprint: Reprint, asked_at: datetime, controlled: Collection[VasType]) -> Change:
        """The change of the sale that a reprint, requested at `asked_at`, proves."""
        retry_seconds = self.recorder.rules.retry_seconds
        match reprint.result:
            case Vended(receipt) if (claimed := await self.recorder.held_by_another(sale, receipt)) is not None:
                return lambda existing: claimed_twice(
                    existing, claimed, reprint.raw, at=self.recorder.now(), by="reprint", retry_seconds=retry_seconds
                )
            case Vended() | Unknown() as outcome:
                return lambda existing: transition(
                    existing, Answer(outcome, reprint.raw), at=self.recorder.now(), by="reprint", retry_seconds=retry_seconds
                )
            case NoSuchTransaction() if sale.order.vas_type in controlled:
                age = self.recorder.rules.minimum_age_seconds
                return lambda existing: after_not_found(
                    existing, reprint.raw, at=asked_at, minimum_age_seconds=age, retry_seconds=retry_seconds
                )
            case NoSuchTransaction() | NoAnswer():
                return lambda existing: attach_raw_answer(existing, reprint.raw)
            case _:
                assert_never(reprint.result)

    async def _after_attempt(self, sale: Transaction, change: Change) -> Transaction:
        """Put the change on record. An attempt that did not finish the sale is counted in the same commit."""
        rules = self.recorder.rules

        def attempted(existing: Transaction) -> Transaction:
            updated = change(existing)
            if not _is_unfinished(updated):
                return updated
            return after_failed_attempt(
                updated,
                at=self.recorder.now(),
                minimum_age_seconds=rules.minimum_age_seconds,
                review_after_seconds=rules.review_after_seconds,
                retry_seconds=rules.retry_seconds,
            )

        sale = await self.recorder.update(sale, attempted)
        fields = {"transaction_id": sale.id, "amount_cents": sale.order.amount.cents, "created_at": sale.created_at}
        if sale.tokens_pending:
            log.warning("tokens pending", **fields)
        elif sale.review_announced and _is_unfinished(sale):
            log.error("in doubt too long", **fields)
        return sale


def _is_unfinished(sale: Transaction) -> bool:
    return sale.state is State.IN_DOUBT or sale.tokens_pending
