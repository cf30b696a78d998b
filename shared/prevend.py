"""A prevend of ours: one confirmed meter or account, good for one purchase, for a while."""

from dataclasses import dataclass, field
from datetime import datetime

from shared.identifiers import Caller
from shared.money import Money
from shared.outcome import Consumer
from shared.vas import Mode, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Prevend:
    """What was confirmed, for whom, and which sale used it.

    `id` is random and ours; `supplier_prevend_id` is what the supplier's purchase needs. `revision` is the store's mark of
    the version read, not part of the record.
    """

    id: str
    mode: Mode
    caller: Caller
    order: Order
    supplier_prevend_id: str
    minimum_amount: Money | None
    amount_due: Money | None
    consumer: Consumer | None = field(default=None, repr=False)
    created_at: datetime
    expires_at: datetime
    used_by: str | None = None
    revision: str | None = field(default=None, compare=False, repr=False)
