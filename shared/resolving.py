"""Resolving: ends a sale that is in doubt, and fetches tokens that are due. On evidence only.

Like selling, it awaits its ports and nothing else.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from shared import logs
from shared.identifiers import same_supplier_id
from shared.outcome import Answer, NoAnswer, NoSuchTransaction, Receipt, Reprint, Unknown, Vended
from shared.recording import Recording
from shared.store import Books, LookupBy, StoreUnavailable
from shared.transaction import State, Transaction, claimed_twice, not_found, tried
from shared.vas import VasType

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolving(Recording):
    """One try at a time, over the ports. Two at once do no harm: each learns from the record what the other found."""

    store: Books

    async def resolve(self, sale: Transaction, controlled: Collection[VasType]) -> Transaction:
        """Ask the supplier about a sale that is open, and put on record what it proves.

        `controlled` are the services of which the same kind of lookup, in the same sweep, found a sale known to have vended.

        Raises:
            StoreUnavailable: nothing is lost; the sale stays due.
        """
        sale = await self.announce(await self._in_doubt_if_abandoned(sale))
        if sale.state is not State.IN_DOUBT and not sale.tokens_pending:
            return sale
        asked_at = self.now()
        reprint = await self.supplier.reprint(sale)
        match reprint.result:
            case Vended(receipt):
                sale = await self._found(sale, receipt, reprint)
            case NoSuchTransaction() if sale.order.vas_type in controlled:
                rules = self.rules
                sale = await self.change(
                    sale,
                    lambda known: not_found(
                        known,
                        reprint.raw,
                        at=asked_at,
                        minimum_age_seconds=rules.minimum_age_seconds,
                        retry_seconds=rules.retry_seconds,
                    ),
                )
            case Unknown() as sign:
                sale = await self.learn(sale, Answer(sign, reprint.raw), by="reprint")
            case NoSuchTransaction() | NoAnswer():
                pass
        if sale.state is State.IN_DOUBT or sale.tokens_pending:
            sale = await self._try_later(sale)
        return await self.announce(sale)

    async def control(self, vas_type: VasType, until: datetime) -> bool:
        """Whether a reprint finds, right now, a sale of this service that is known to have vended. Asks for none after `until`."""
        try:
            lately = await self.store.vended_lately(self.rules.mode, vas_type, self.now())
        except StoreUnavailable:
            return False
        for known in lately:
            if self.now() >= until:
                return False
            result = (await self.supplier.reprint(known)).result
            if isinstance(result, Vended) and known.receipt is not None:
                return same_supplier_id(result.receipt.supplier_transaction_id, known.receipt.supplier_transaction_id)
        return False

    async def _in_doubt_if_abandoned(self, sale: Transaction) -> Transaction:
        if not sale.is_abandoned(self.now()):
            return sale
        return await self.learn(sale, Answer(Unknown("abandoned past its lease")), by="sweep")

    async def _found(self, sale: Transaction, receipt: Receipt, reprint: Reprint) -> Transaction:
        supplier_id = receipt.supplier_transaction_id
        assert supplier_id is not None  # a reprint without one is no answer
        holders = await self.store.lookup(self.rules.mode, LookupBy.SUPPLIER_TRANSACTION_ID, supplier_id)
        if all(holder.id == sale.id for holder in holders):
            return await self.learn(sale, Answer(Vended(receipt), reprint.raw), by="reprint")
        retry_seconds = self.rules.retry_seconds
        return await self.change(
            sale, lambda known: claimed_twice(known, supplier_id, reprint.raw, at=self.now(), retry_seconds=retry_seconds)
        )

    async def _try_later(self, sale: Transaction) -> Transaction:
        rules = self.rules
        sale = await self.change(
            sale,
            lambda known: tried(
                known,
                at=self.now(),
                minimum_age_seconds=rules.minimum_age_seconds,
                review_after_seconds=rules.review_after_seconds,
                retry_seconds=rules.retry_seconds,
            ),
        )
        told = {"transaction_id": sale.id, "amount_cents": sale.order.amount.cents, "created_at": sale.created_at}
        if sale.tokens_pending:
            log.warning("tokens pending", **told)
        elif sale.review_announced:
            log.error("in doubt too long", **told)
        return sale
