"""The port to the supplier: what the core asks of it."""

from typing import Protocol

from shared.domain.catalogue import Product
from shared.domain.outcome import Answer, Prevended, Rejected, Reprint
from shared.domain.transaction import Transaction
from shared.domain.vas import Order, VasType


class Supplier(Protocol):
    """What the core asks of MobileMart. A supplier's failure never raises: it is an outcome."""

    async def ready(self) -> Rejected | None:
        """Have an access token at hand. `None` when it is there."""

    async def products(self, vas_type: VasType) -> tuple[Product, ...] | Rejected:
        """The catalogue of one service."""

    async def prevend(self, order: Order, request_id: str) -> Prevended | Rejected:
        """Confirm a meter or account and an amount. Moves no money, so it may be asked again."""

    async def vend(self, order: Order, supplier_prevend_id: str | None, request_id: str, send_within_seconds: float) -> Answer:
        """One exchange, at most one request on the wire, none after `send_within_seconds`.

        `Rejected.not_taken` only when the supplier provably did not begin with it.
        """

    async def reprint(self, sale: Transaction) -> Reprint:
        """Ask for a past vend again, by the id that is configured. A vend that does not match the sale is no answer."""
