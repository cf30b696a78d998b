"""What is left of a sale once its retention is over: enough that its key is never free again, and nothing about anybody."""

from datetime import date, datetime

from shared.domain.money import Money
from shared.domain.transaction import State
from shared.domain.vas import Mode, VasType
from shared.lib.value import Value


class Tombstone(Value, frozen=True, kw_only=True):
    """A sale that has ended and is kept no longer. Its id binds its key for ever.

    `caller` is a hash (`identifiers.caller_id`). The ids, the day and the amounts let a settlement line that comes after years name
    a sale that is known. Amounts are integer cents, times UTC; `fee_cents` is the convenience fee of a bill payment.
    """

    id: str
    mode: Mode
    caller: str
    fingerprint: str
    state: State
    vas_type: VasType
    amount: Money
    fee_cents: int
    request_id: str
    supplier_transaction_id: str | None = None
    supplier_id: str
    day: date
    created_at: datetime
    retired_at: datetime
