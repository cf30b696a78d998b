"""The readable part of a sale on record that this code cannot read whole. Pure.

Newer code wrote the sale, in a state or with an outcome that this code does not know, or the record is damaged.
This code never changes such a sale and derives no outcome from it. It names the sale, shows the readable part, and leaves the rest
to newer code.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from shared.domain.identifiers import Caller
from shared.domain.vas import Mode, Order
from shared.lib.value import Value


class Unread(Value, frozen=True, kw_only=True):
    """The readable fields of a sale. `None`: the field is absent or unreadable.

    `unknown` names the unreadable fields and the unknown words. `record` is the whole record, as stored.
    """

    _hidden = frozenset({"record", "caller"})

    id: str
    unknown: tuple[str, ...] = ()
    mode: Mode | None = None
    caller: Caller | None = None
    order: Order | None = None
    request_id: str | None = None
    supplier_transaction_id: str | None = None
    version: int | None = None
    created_at: datetime | None = None
    day: date | None = None
    record: Mapping[str, Any] | None = None
