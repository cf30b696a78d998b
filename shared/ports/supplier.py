"""The ports of the core: what it asks of the supplier and of the topic, and the settings of selling. The store's is in `store/`."""

from datetime import timedelta
from typing import Protocol

from shared.domain.catalogue import Product
from shared.domain.outcome import Answer, Outcome, Prevended, Rejected, Reprint
from shared.domain.transaction import EventName, Transaction
from shared.domain.vas import Mode, Order, VasType
from shared.lib.value import Value


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


class EventsUnavailable(Exception):
    """The announcement may not have been delivered: make it again later."""


class Events(Protocol):
    async def publish(self, event: EventName, sale: Transaction) -> None:
        """Announce, at least once.

        Raises:
            EventsUnavailable: it may not have been delivered.
        """


class Rules(Value, frozen=True, kw_only=True):
    """The settings of selling, in seconds; `docs/contract.md` says where each comes from."""

    mode: Mode
    utility_product_id: str | None = None
    exchange_seconds: float = 60
    send_window_seconds: float = 10
    function_timeout_seconds: float = 220
    lease_seconds: float = 240
    retry_seconds: int = 60
    prevend_valid_seconds: int = 900
    minimum_age_seconds: int = 900
    review_after_seconds: int = 216_000

    @property
    def latest_claim(self) -> timedelta:
        """How long after its start a request may still claim: the exchange and half of what it leaves remain for the rest."""
        return timedelta(seconds=(self.function_timeout_seconds - self.exchange_seconds) / 2)

    @property
    def latest_record(self) -> timedelta:
        """How long after its claim a sale's outcome can still be put on record: what the latest claim leaves of the function's time."""
        return timedelta(seconds=self.function_timeout_seconds) - self.latest_claim


class SellingBrake(Protocol):
    """Whether selling goes on. `brake.py` is the one implementation; the core only asks and tells."""

    async def stops(self, vas_type: VasType) -> bool:
        """Whether this service is not to be sold now. May raise `StoreUnavailable`."""

    async def notice(self, vas_type: VasType, outcome: Outcome) -> None:
        """Hear how a vend ended. Never raises."""
