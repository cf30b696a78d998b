"""Our prevend: one confirmed meter or account, good for one purchase until it expires."""

from datetime import datetime

from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import Consumer
from shared.domain.vas import Mode, Order
from shared.lib.value import Record


class Prevend(Record, frozen=True, kw_only=True):
    """A confirmed order of a caller, and the id of the sale that used the prevend.

    `id` is random and ours. The supplier's purchase needs `supplier_prevend_id`. Times are UTC.
    """

    _hidden = frozenset({"consumer", "revision"})

    id: str
    mode: Mode
    caller: Caller
    order: Order
    supplier_prevend_id: str
    minimum_amount: Money | None
    amount_due: Money | None
    consumer: Consumer | None = None
    created_at: datetime
    expires_at: datetime
    used_by: str | None = None
