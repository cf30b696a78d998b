"""A purchase: the caller's request, our answer, and the errors of a request that becomes no sale. Pure."""

from shared.domain.identifiers import Caller
from shared.domain.outcome import Rejected
from shared.domain.transaction import Transaction
from shared.domain.vas import Order, VasType
from shared.lib.value import Value


class PurchaseRequest(Value, frozen=True, kw_only=True):
    """A valid request. It names a prevend or has an `order`, never both."""

    caller: Caller
    idempotency_key: str
    fingerprint: str
    vas_type: VasType
    order: Order | None = None
    prevend_id: str | None = None
    reference: str | None = None
    allow_duplicate: bool = False


class Purchased(Value, frozen=True):
    """The sale for the caller's answer. Not `on_record`: we could not store the outcome, and the answer does not show it either."""

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
    """The prevend does not exist, or belongs to another caller, mode or service. The key stays free."""


class PrevendRefused(Exception):
    """The supplier did not confirm the meter or account."""

    def __init__(self, refusal: Rejected) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
