"""The remains of a retired sale: enough to bind its key for ever, and no personal data."""

from datetime import date, datetime

from shared.domain.money import Money
from shared.domain.transaction import State
from shared.domain.vas import Mode, VasType
from shared.lib.value import Value


class Tombstone(Value, frozen=True, kw_only=True):
    """A sale that has ended and is no longer stored. Its id binds its key for ever.

    `caller` is a hash (`identifiers.caller_id`). By the ids, the day and the amounts, a settlement line that arrives years later
    still matches the sale. Amounts are integer cents, times UTC; `fee_cents` is the convenience fee of a bill payment.
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
