"""A sale as settlement compares it: small enough that a day of sales fits in memory."""

from datetime import date, datetime
from sys import intern
from typing import Final, assert_never

from shared.domain.tombstone import Tombstone
from shared.domain.transaction import NEXT, State, Transaction
from shared.domain.unread import Unread
from shared.domain.vas import Order, VasType
from shared.lib.masking import last_four
from shared.lib.value import Value, is_new_word

CONVENIENCE_FEE = "convenience fee"  # the name of a bill payment's fee on its receipt


class Sold(Value, frozen=True, kw_only=True, gc=False):  # holds no cycle: the garbage collector need not visit a million of them
    """The fields of a sale that settlement compares.

    `recipient` is the meter, account or mobile number, or `None`. `token_due`: once vended, the sale owes a token or PIN that we do
    not hold. `fee_cents` is the convenience fee on a bill's receipt. Times are UTC; `day` is the business day of the claim.

    `sent_by` is the moment after which no process sends the sale. Only an open sale has one.
    If the sending process died without a record, that moment is the end of the sale's lease.

    `is_nameless`: the sale had a recipient that is no longer stored.
    """

    id: str
    request_id: str
    state: State
    amount_cents: int
    vas_type: VasType
    recipient: str | None
    supplier_transaction_id: str | None
    day: date
    created_at: datetime
    sent_by: datetime | None
    sign_of_vend: bool
    token_due: bool
    fee_cents: int
    supplier_id: str = ""
    is_nameless: bool = False

    @classmethod
    def of(cls, sale: Transaction) -> "Sold":
        receipt = sale.receipt
        charges = () if receipt is None else receipt.charges
        fees = (charge.amount.cents for charge in charges if charge.description == CONVENIENCE_FEE and charge.amount is not None)
        return cls(
            id=sale.id,
            request_id=sale.request_id,
            state=sale.state,
            amount_cents=sale.order.amount.cents,
            vas_type=sale.order.vas_type,
            recipient=sale.order.recipient,
            supplier_transaction_id=None if receipt is None else receipt.supplier_transaction_id,
            day=sale.day,
            created_at=sale.created_at,
            sent_by=(sale.send_ended_at or sale.lease_until) if NEXT[sale.state] else None,
            sign_of_vend=sale.sign_of_vend,
            token_due=brings_token(sale.order) if receipt is None else sale.tokens_pending,
            fee_cents=sum(fees),
            supplier_id=intern(sale.supplier_id),  # one object for all sales
            is_nameless=sale.erased_at is not None and sale.order.recipient is None and not sale.order.pinned,
        )

    def __repr__(self) -> str:
        return f"Sold({self.id}, {self.state.value}, {self.vas_type.value}, {self.amount_cents} cents, to={last_four(self.recipient)})"


def seen(sale: Transaction | Unread | Tombstone) -> Sold | Unread:
    """A sale as settlement compares it. A sale of a service that only newer code sells cannot be compared: it counts as unread."""
    if isinstance(sale, Unread):
        return sale
    if isinstance(sale, Tombstone):
        return _retired(sale)
    return unsettled(sale) if is_new_word(VasType, sale.order.vas_type) else Sold.of(sale)


def _retired(sale: Tombstone) -> Sold:
    """The summary of a retired sale: it has ended, and its recipient is no longer stored."""
    return Sold(
        id=sale.id,
        request_id=sale.request_id,
        state=sale.state,
        amount_cents=sale.amount.cents,
        vas_type=sale.vas_type,
        recipient=None,
        supplier_transaction_id=sale.supplier_transaction_id,
        day=sale.day,
        created_at=sale.created_at,
        sent_by=None,
        sign_of_vend=False,
        token_due=False,
        fee_cents=sale.fee_cents,
        supplier_id=intern(sale.supplier_id),
        is_nameless=True,  # a tombstone does not show whether the sale had a recipient
    )


def unsettled(sale: Transaction) -> Unread:
    """The readable part of a sale that settlement cannot compare."""
    receipt = sale.receipt
    return Unread(
        id=sale.id,
        unknown=(f"VasType {sale.order.vas_type}",),
        mode=sale.mode,
        caller=sale.caller,
        order=sale.order,
        request_id=sale.request_id,
        supplier_transaction_id=None if receipt is None else receipt.supplier_transaction_id,
        version=sale.version,
        created_at=sale.created_at,
        day=sale.day,
    )


def _always_brings_token(vas_type: VasType) -> bool:
    match vas_type:
        case VasType.UTILITY | VasType.VOUCHER:
            return True
        case VasType.BILL_PAYMENT | VasType.AIRTIME | VasType.DATA:
            return False
        case _:
            assert_never(vas_type)


_BRINGS_TOKEN: Final = frozenset(filter(_always_brings_token, VasType))


def brings_token(order: Order) -> bool:
    """Whether a sale of this kind brings a number to type: an STS token, a PIN, or a voucher's serial number."""
    return order.pinned or order.vas_type in _BRINGS_TOKEN
