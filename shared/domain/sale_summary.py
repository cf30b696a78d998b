"""A sale as settlement sees it: small enough that a day of them fits in memory."""

from datetime import date, datetime
from sys import intern
from typing import Final, assert_never

from shared.domain.tombstone import Tombstone
from shared.domain.transaction import NEXT, State, Transaction
from shared.domain.unread import Unread
from shared.domain.vas import Order, VasType
from shared.lib.masking import last_four
from shared.lib.value import Value, is_new_word

CONVENIENCE_FEE = "convenience fee"  # the name that a bill's receipt gives to what its payment costs


class Sold(Value, frozen=True, kw_only=True, gc=False):  # nothing in it leads back to it, and the collector need not look at a million
    """What settlement compares of a sale.

    `recipient` is the meter, account or mobile number, if it has one. `token_due`: when this is vended, a token or PIN is
    owed that we do not hold. `fee_cents` is the convenience fee that a bill's receipt named. Times are UTC; `day` is the business
    day of the claim. `sent_by` is kept of a sale that is open, for of no other does anybody ask for it: from then on nobody sends it
    any more. The process that sent it may have died without a word; then that is when its lease ended.
    `is_nameless`: it went to somebody, and to whom is no longer kept.
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
            supplier_id=intern(sale.supplier_id),  # one for all of them
            is_nameless=sale.erased_at is not None and sale.order.recipient is None and not sale.order.pinned,
        )

    def __repr__(self) -> str:
        return f"Sold({self.id}, {self.state.value}, {self.vas_type.value}, {self.amount_cents} cents, to={last_four(self.recipient)})"


def seen(sale: Transaction | Unread | Tombstone) -> Sold | Unread:
    """A sale as settlement sees it. One of a service that newer code sells cannot be compared with anything: it counts as not read."""
    if isinstance(sale, Unread):
        return sale
    if isinstance(sale, Tombstone):
        return _retired(sale)
    return unsettled(sale) if is_new_word(VasType, sale.order.vas_type) else Sold.of(sale)


def _retired(sale: Tombstone) -> Sold:
    """A sale of which only its tombstone is left: it has ended, and nobody knows any more to whom it went."""
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
        is_nameless=True,  # as far as anybody knows
    )


def unsettled(sale: Transaction) -> Unread:
    """What settlement can say of a sale that it cannot compare."""
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
    """Whether a sale of this kind brings something to type: an STS token, a PIN, or a voucher's serial number."""
    return order.pinned or order.vas_type in _BRINGS_TOKEN
