"""For how long a sale is kept: first its personal data goes, and after years all but a tombstone. Pure.

`docs/retention.md` says what is kept where, for how long and why.
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
BY_AGE: Final = "retention"  # who erases what is old
ONE_DAY: Final = timedelta(days=1)

_SECOND_DAY: Final = date.min + ONE_DAY
_LAST_BUT_ONE: Final = date.max - ONE_DAY
_NOT_A_DIGIT: Final = re.compile(r"\D+")
_OWN_DIGITS: Final = 9  # at the end of a number: a mobile number has as many in each of its forms


class Retention(Value, frozen=True, kw_only=True):
    """For how many days after its business day a sale is kept, and its personal data."""

    days: int
    personal_data_days: int

    def erases_up_to(self, today: date) -> date:
        """The last business day of whose sales the personal data is no longer kept."""
        return today - self.personal_data_days * ONE_DAY

    def retires_up_to(self, today: date) -> date:
        """The last business day whose sales become tombstones."""
        return today - self.days * ONE_DAY


class Hold(StrEnum):
    """Why a sale keeps its personal data for now."""

    OPEN = "open"  # it runs, is in doubt, waits for its token, or is not announced
    DISCREPANCY = "discrepancy"  # a difference that nobody has closed names it
    SETTLING = "settling"  # its business day, or one beside it, is not settled for good: files are still compared with it
    NOT_READABLE = "not_readable"  # newer code wrote it, or a part of it, and only newer code knows what of that is personal


def hold(sale: Transaction, named: Collection[str], unsettled: Collection[date]) -> Hold | None:
    """What a sale's personal data is still needed for; `None`: for nothing.

    Args:
        named: the ids of the sales that open discrepancies name.
        unsettled: the business days with whose sales files are still compared, neighbours aside.
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
    """A business day and its neighbours: with the sales of all three its file is compared. The calendar's ends have one neighbour."""
    return max(day, _SECOND_DAY) - ONE_DAY, day, min(day, _LAST_BUT_ONE) + ONE_DAY


def erased(sale: Transaction, *, at: datetime, by: str, note: str | None = None) -> Transaction:
    """The sale without personal data: not a visible change, so neither its version nor its events change.

    What goes: meter, account and mobile number; the consumer's name, address and message; the bodies of the supplier's raw answers;
    and each of our texts that quotes the number. What stays: amounts, ids, tokens and PINs, history, and the hashes of the answers.
    A sale that has none of it is returned as it is.
    """
    order, outcome = _order(sale.order), _outcome(sale)
    answers = tuple(_answer(answer) for answer in sale.answers)
    if (order, outcome, answers) == (sale.order, sale.outcome, sale.answers):
        return sale
    bare = structs.replace(sale, order=order, outcome=outcome, answers=answers, erased_at=sale.erased_at or at)
    return append_history(bare, HistoryEntry(at, ERASED, by, note))


def tombstone_of(sale: Transaction, at: datetime) -> Tombstone:
    """What is left of a sale that has ended."""
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
    assert isinstance(sale.outcome, Vended)  # it has a receipt
    return structs.replace(sale.outcome, receipt=_receipt(receipt, sale.order.recipient))


def _receipt(receipt: Receipt, number: str | None) -> Receipt:
    texts = {name: _unless_quoting(getattr(receipt, name), number) for name in ("receipt_number", "reference", "instructions")}
    return structs.replace(receipt, consumer=None, **texts)


def _answer(answer: RawAnswer) -> RawAnswer:
    """That there was an answer, and the hash of it."""
    return structs.replace(answer, body=b"") if answer.body else answer


def _unless_quoting(text: str | None, number: str | None) -> str | None:
    """A text, unless it quotes a number, with whichever zeros before it."""
    if text is None or number is None or (number.lstrip("0")[-_OWN_DIGITS:] or number) not in _NOT_A_DIGIT.sub("", text):
        return text
    return None
