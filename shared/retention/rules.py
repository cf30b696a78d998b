"""How long a sale is stored: its personal data is erased first, and after years a tombstone remains. Pure.

`docs/retention.md` lists what is stored where, for how long, and why.
"""

import re
from collections.abc import Collection
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import structs

from shared.domain.identifiers import caller_id
from shared.domain.outcome import RawAnswer, Receipt, Vended
from shared.domain.sale_summary import Sold
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import HistoryEntry, Transaction, append_history
from shared.domain.vas import Order
from shared.lib.value import Value

ERASED: Final = "personal data erased"
BY_AGE: Final = "retention"  # the actor of erasures by age
ONE_DAY: Final = timedelta(days=1)

_SECOND_DAY: Final = date.min + ONE_DAY
_LAST_BUT_ONE: Final = date.max - ONE_DAY
_NOT_A_DIGIT: Final = re.compile(r"\D+")
_OWN_DIGITS: Final = 9  # the last digits: equal in every form of a mobile number


class Retention(Value, frozen=True, kw_only=True):
    """For how many days after its business day a sale and its personal data are stored."""

    days: int
    personal_data_days: int

    def erases_up_to(self, today: date) -> date:
        """The last business day whose sales lose their personal data."""
        return today - self.personal_data_days * ONE_DAY

    def retires_up_to(self, today: date) -> date:
        """The last business day whose sales become tombstones."""
        return today - self.days * ONE_DAY


class Hold(StrEnum):
    """Why a sale keeps its personal data for now."""

    OPEN = "open"  # the sale runs, is in doubt, waits for its token, or has pending events
    DISCREPANCY = "discrepancy"  # an open discrepancy names the sale
    SETTLING = "settling"  # its business day or a neighbour has not ended: files are still compared with the sale
    NOT_READABLE = "not_readable"  # newer code wrote a part of the sale, and only newer code knows the personal data in that part


def hold(sale: Transaction, named: Collection[str], unsettled: Collection[date]) -> Hold | None:
    """Why a sale's personal data is still needed; `None`: nothing needs it.

    Args:
        named: the ids of the sales that open discrepancies name.
        unsettled: the business days whose sales are still compared with files, without their neighbours.
    """
    if sale.open is not None or sale.is_unfinished or sale.unannounced:
        return Hold.OPEN
    if sale.id in named:
        return Hold.DISCREPANCY
    if any(day in unsettled for day in around(sale.day)):
        return Hold.SETTLING
    if sale.erased_at is None and has_unknown(sale):
        return Hold.NOT_READABLE
    return None


def has_unknown(part: object) -> bool:
    """Whether a sale, or a part of it, holds fields that newer code has written."""
    if isinstance(part, tuple):
        return any(map(has_unknown, part))
    if not isinstance(part, Value):
        return False
    return getattr(part, "beyond", None) is not None or any(has_unknown(getattr(part, name)) for name in part.__struct_fields__)


def around(day: date) -> tuple[date, date, date]:
    """A business day and its neighbours: the day's file is compared with the sales of all three. The calendar's ends have one neighbour."""
    return max(day, _SECOND_DAY) - ONE_DAY, day, min(day, _LAST_BUT_ONE) + ONE_DAY


def erased(sale: Transaction, *, at: datetime, by: str, note: str | None = None) -> Transaction:
    """The sale without personal data. The erasure is not visible: neither the version nor the events of the sale change.

    Erased: meter, account and mobile number; the consumer's name, address and message; the bodies of raw answers; each of our texts
    that quotes the number. Stored: amounts, ids, tokens and PINs, history, and the hashes of the answers. A sale without
    personal data is returned unchanged.
    """
    order, outcome = _order(sale.order), _outcome(sale)
    answers = tuple(_answer(answer) for answer in sale.answers)
    if (order, outcome, answers) == (sale.order, sale.outcome, sale.answers):
        return sale
    bare = structs.replace(sale, order=order, outcome=outcome, answers=answers, erased_at=sale.erased_at or at)
    return append_history(bare, HistoryEntry(at, ERASED, by, note))


def tombstone_of(sale: Transaction, at: datetime) -> Tombstone:
    """The tombstone of a sale that has ended."""
    sold = Sold.of(sale)
    return Tombstone(
        id=sale.id,
        mode=sale.mode,
        caller=caller_id(sale.mode, sale.caller),
        fingerprint=sale.fingerprint,
        state=sale.state,
        vas_type=sale.order.vas_type,
        amount=sale.order.amount,
        fee_cents=sold.fee_cents,
        request_id=sale.request_id,
        supplier_transaction_id=sold.supplier_transaction_id,
        supplier_id=sale.supplier_id,
        day=sale.day,
        created_at=sale.created_at,
        retired_at=at,
    )


def _order(order: Order) -> Order:
    bare = structs.replace(order, meter_number=None, account_number=None, mobile_number=None)
    return structs.replace(bare, reference=_unless_quoting(order.reference, order.recipient))


def _outcome(sale: Transaction) -> object:
    if (receipt := sale.receipt) is None:
        return sale.outcome
    assert isinstance(sale.outcome, Vended)  # the sale has a receipt
    return structs.replace(sale.outcome, receipt=_receipt(receipt, sale.order.recipient))


def _receipt(receipt: Receipt, number: str | None) -> Receipt:
    texts = {name: _unless_quoting(getattr(receipt, name), number) for name in ("receipt_number", "reference", "instructions")}
    return structs.replace(receipt, consumer=None, **texts)


def _answer(answer: RawAnswer) -> RawAnswer:
    """The answer without its body; the hash of the body stays."""
    return structs.replace(answer, body=b"") if answer.body else answer


def _unless_quoting(text: str | None, number: str | None) -> str | None:
    """The text, or `None` if it quotes the number with any leading zeros."""
    if text is None or number is None or (number.lstrip("0")[-_OWN_DIGITS:] or number) not in _NOT_A_DIGIT.sub("", text):
        return text
    return None
