"""Value-added services: their names, the orders for them, and which numbers are well formed."""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, assert_never

from shared.domain.money import Money
from shared.lib.masking import last_four
from shared.lib.value import Kept


class Mode(StrEnum):
    """The destination of sales. Every id and index key contains the mode: neither mode ever reads the other's records."""

    LIVE = "live"
    SIMULATED = "simulated"


SUPPLIER_IDS: Final[Mapping[Mode, str]] = MappingProxyType({Mode.LIVE: "MOBILEMART", Mode.SIMULATED: "SIMULATED"})
"""The seller in each mode: the `supplierId` of a sale, by the names of the earlier system."""


class VasType(StrEnum):
    """The kinds of service, by the names that the contract and the supplier's paths share."""

    UTILITY = "utility"
    BILL_PAYMENT = "bill-payment"
    AIRTIME = "airtime"
    DATA = "data"
    VOUCHER = "voucher"


ALIASES: Final[Mapping[str, VasType]] = MappingProxyType(
    {
        "electricity": VasType.UTILITY,
        "prepaidutility": VasType.UTILITY,
        "billpayment": VasType.BILL_PAYMENT,
        "bill_payment": VasType.BILL_PAYMENT,
    }
)


class _Terms(NamedTuple):
    """How a service is sold. Each field makes one set of services below."""

    is_prevended: bool = False
    is_priced_by_product: bool = False
    may_be_pinned: bool = False
    has_recipient: bool = True
    brings_sts_tokens: bool = False


def _terms(vas_type: VasType) -> _Terms:
    match vas_type:
        case VasType.UTILITY:
            return _Terms(is_prevended=True, brings_sts_tokens=True)
        case VasType.BILL_PAYMENT:
            return _Terms(is_prevended=True)
        case VasType.AIRTIME:
            return _Terms(may_be_pinned=True)
        case VasType.DATA:
            return _Terms(may_be_pinned=True, is_priced_by_product=True)
        case VasType.VOUCHER:
            return _Terms(has_recipient=False)
        case _:
            assert_never(vas_type)


PREVENDED: Final = frozenset(vas_type for vas_type in VasType if _terms(vas_type).is_prevended)
"""Services with two calls: the supplier's prevend fixes the content of the purchase."""

MAY_BE_PINNED: Final = frozenset(vas_type for vas_type in VasType if _terms(vas_type).may_be_pinned)
"""Services that are sold to a mobile number or as a PIN. For a PIN the order and its product are `pinned`."""

WITHOUT_RECIPIENT: Final = frozenset(vas_type for vas_type in VasType if not _terms(vas_type).has_recipient)
"""Services without a meter, account or mobile number. A pinned order of any service has no recipient either."""

BRINGS_STS_TOKENS: Final = frozenset(vas_type for vas_type in VasType if _terms(vas_type).brings_sts_tokens)
"""Services that bring STS tokens for a meter. Every other service brings at most a PIN or a serial number to type."""

PRICED_BY_PRODUCT: Final = frozenset(vas_type for vas_type in VasType if _terms(vas_type).is_priced_by_product)
"""Services whose request to the supplier names no amount. The supplier bills the product's price, even if its list does not call
the price fixed."""


def vas_type_named(name: str) -> VasType | None:
    """The service that a path segment names, aliases included; `None` if no service has the name."""
    try:
        return VasType(name)
    except ValueError:
        return ALIASES.get(name)


METER_NUMBER: Final = re.compile(r"[0-9]{11}(?:[0-9]{2})?", re.ASCII)
ACCOUNT_NUMBER: Final = re.compile(r"[0-9]{5,20}", re.ASCII)
MOBILE_NUMBER: Final = re.compile(r"(?:\+?27|0)([6-8][0-9]{8})", re.ASCII)


def msisdn(text: str) -> str | None:
    """A South African mobile number as `27821234567`, from `082...`, `2782...` or `+2782...`; `None` for every other text."""
    match = MOBILE_NUMBER.fullmatch(text)
    return f"27{match[1]}" if match else None


class Order(Kept, frozen=True, kw_only=True):
    """The order of a sale: the caller's request, for the amount that the wallet reserved.

    Exactly one of meter, account and mobile number is set; none for a pinned order or a voucher.
    `merchant_product_id` is `None` only in an electricity sale that was refused before its product was chosen.
    """

    vas_type: VasType
    amount: Money
    merchant_product_id: str | None
    meter_number: str | None = None
    account_number: str | None = None
    mobile_number: str | None = None
    pinned: bool = False
    reference: str | None = None

    def __repr__(self) -> str:
        return f"Order({self.vas_type.value}, {self.amount}, product={self.merchant_product_id!r}, to={last_four(self.recipient)})"

    @property
    def recipient(self) -> str | None:
        """The meter, account or mobile number that receives the sale; `None` for a PIN or voucher."""
        return self.meter_number or self.account_number or self.mobile_number
