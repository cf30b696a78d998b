"""The port to the supplier."""

from typing import Protocol

from shared.domain.catalogue import Product
from shared.domain.outcome import Answer, Prevended, Rejected, Reprint
from shared.domain.transaction import Transaction
from shared.domain.vas import Order, VasType


class Supplier(Protocol):
    """The calls of the core to the supplier. A supplier's failure never raises: it is an outcome."""

    async def ready(self) -> Rejected | None:
        """Fetch an access token unless one is cached. `None` once a token is there."""

    async def products(self, vas_type: VasType) -> tuple[Product, ...] | Rejected:
        """The catalogue of one service."""

    async def prevend(self, order: Order, request_id: str) -> Prevended | Rejected:
        """Confirm a meter or account and an amount. The call moves no money and may be repeated."""

    async def vend(self, order: Order, supplier_prevend_id: str | None, request_id: str, send_within_seconds: float) -> Answer:
        """One exchange: at most one request on the wire, and none after `send_within_seconds`.

        `Rejected.not_taken` only if the supplier provably did not begin with the request.
        """

    async def reprint(self, sale: Transaction) -> Reprint:
        """Ask for a past vend again, by the configured id. A vend that does not match the sale is no evidence."""
