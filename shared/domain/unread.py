"""A sale on record that this code cannot read whole, and what of it can be read. Pure.

Newer code wrote it, in a state or with an outcome that is not known here, or it is damaged. Nothing here changes it or says what
became of it: it is named, shown as far as it can be read, and left to whoever can.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from shared.domain.identifiers import Caller
from shared.domain.vas import Mode, Order
from shared.lib.value import Value


class Unread(Value, frozen=True, kw_only=True):
    """What can be read of a sale. `None`: that cannot, or is not there.

    `unknown` names what cannot, and what is not known here. `record` is the whole, as it is stored.
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
