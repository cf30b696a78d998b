"""A purchase as a caller asks for it and is answered, and the reasons for which no sale is made of it. Pure."""

from shared.domain.identifiers import Caller
from shared.domain.outcome import Rejected
from shared.domain.transaction import Transaction
from shared.domain.vas import Order, VasType
from shared.lib.value import Value


class PurchaseRequest(Value, frozen=True, kw_only=True):
    """A valid request. It names a prevend, or says what it wants in `order`; never both."""

    caller: Caller
    idempotency_key: str
    fingerprint: str
    vas_type: VasType
    order: Order | None = None
    prevend_id: str | None = None
    reference: str | None = None
    allow_duplicate: bool = False


class Purchased(Value, frozen=True):
    """A sale as the caller is to see it. Not `on_record`: its outcome could not be stored, so it is not told either."""

    transaction: Transaction
    replayed: bool
    on_record: bool = True


class KeyReused(Exception):
    """The idempotency key belongs to another request."""

    def __init__(self, holder: Transaction) -> None:
        super().__init__("idempotency key was used for another request")
        self.holder = holder


class RequestInProgress(Exception):
    """The first request with this key is still running. Not a rejection."""

    def __init__(self, running: Transaction) -> None:
        super().__init__("the first request with this key is still running")
        self.running = running


class PrevendUnknown(Exception):
    """No such prevend, or another caller's, mode's or service's. The key stays free."""


class PrevendRefused(Exception):
    """The supplier did not confirm the meter or account."""

    def __init__(self, refusal: Rejected) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
