"""A prevend of ours: one confirmed meter or account, good for one purchase, for a while."""

from datetime import datetime

from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import Consumer
from shared.domain.vas import Mode, Order
from shared.lib.value import Record


class Prevend(Record, frozen=True, kw_only=True):
    """What was confirmed, for whom, and which sale used it.

    `id` is random and ours; `supplier_prevend_id` is what the supplier's purchase needs.
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
