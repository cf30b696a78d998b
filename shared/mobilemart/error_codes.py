"""The meaning of the supplier's error codes and statuses: the one table. **A new code is one line in `CODES`.**

A code that is not listed proves nothing, nor does a listed code on an answer that is not a 4xx.
A vend with such an answer is in doubt.
Source: the supplier's code list 1000 to 1103, of which only these are known by name; `docs/mobilemart.md`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, assert_never

from shared.domain.outcome import Reason
from shared.domain.vas import VasType
from shared.lib.value import Value


def _recipient_refused(vas_type: VasType) -> Reason:
    match vas_type:
        case VasType.UTILITY:
            return Reason.METER_UNKNOWN
        case VasType.BILL_PAYMENT | VasType.VOUCHER:
            return Reason.ACCOUNT_REFUSED
        case VasType.AIRTIME | VasType.DATA:
            return Reason.MOBILE_NUMBER_REFUSED
        case _:
            assert_never(vas_type)


RECIPIENT_REFUSED: Final = MappingProxyType({vas_type: _recipient_refused(vas_type) for vas_type in VasType})
"""The refusal of the meter, account or number itself. The service decides which of them it is."""


class Meaning(Value, frozen=True, kw_only=True):
    """The meaning of a code or status. `name` is the supplier's, for our records.

    `vend`: why nothing was sold. `None` means that the supplier has not stated that nothing is sold: the vend is in
    doubt.
    `prevend`: why a meter or account was not confirmed; no money moves there.
    `not_taken`: refused before the request was processed, so the same request may be sent again.
    """

    name: str
    vend: Reason | Mapping[VasType, Reason] | None
    prevend: Reason | Mapping[VasType, Reason]
    not_taken: bool = False

    def reason(self, vas_type: VasType) -> Reason | None:
        """Why a vend of that service was rejected; `None` if it may have been made."""
        return _of(self.vend, vas_type) if self.vend is not None else None

    def prevend_reason(self, vas_type: VasType) -> Reason:
        """Why a prevend of that service was refused."""
        return _of(self.prevend, vas_type)


NEVER_EVIDENCE: Final = frozenset({404, 405})
"""The statuses of the switch for an unknown path. On a vend they prove nothing, whatever the body holds."""

FLOAT_EXHAUSTED: Final = 1008
MERCHANT_ERROR: Final = 1010
TRANSACTION_DOES_NOT_EXIST: Final = 1003

CODES: Final[Mapping[int, Meaning]] = MappingProxyType(
    {
        1000: Meaning(name="ProductDoesNotExist", vend=Reason.PRODUCT_UNAVAILABLE, prevend=Reason.PRODUCT_UNAVAILABLE),
        1001: Meaning(name="AmountInvalid", vend=Reason.AMOUNT_REFUSED, prevend=Reason.AMOUNT_REFUSED),
        1002: Meaning(name="CannotSourceProduct", vend=Reason.TEMPORARILY_UNAVAILABLE, prevend=Reason.TEMPORARILY_UNAVAILABLE),
        # On a purchase: either no such prevend, or the prevend was used up, perhaps by this very sale. No proof.
        1003: Meaning(name="TransactionDoesNotExist", vend=None, prevend=Reason.PREVEND_REFUSED),
        1006: Meaning(
            name="UserNotAuthenticated",
            vend=Reason.TEMPORARILY_UNAVAILABLE,
            prevend=Reason.TEMPORARILY_UNAVAILABLE,
            not_taken=True,
        ),
        # Our prefunded float is empty. The customer did nothing wrong.
        1008: Meaning(name="MerchantCreditLimitReached", vend=Reason.TEMPORARILY_UNAVAILABLE, prevend=Reason.TEMPORARILY_UNAVAILABLE),
        # The request failed validation: on a vend our fault, on a prevend perhaps the meter's form.
        1010: Meaning(name="MerchantError", vend=Reason.TEMPORARILY_UNAVAILABLE, prevend=Reason.PREVEND_REFUSED),
        1011: Meaning(name="ProductNotAvailable", vend=Reason.PRODUCT_UNAVAILABLE, prevend=Reason.PRODUCT_UNAVAILABLE),
        # Documented for reprints only. On a vend it has no meaning, and so proves nothing.
        1012: Meaning(name="ReprintNotAllowed", vend=None, prevend=Reason.PREVEND_REFUSED),
        1013: Meaning(name="MobileNumberInvalid", vend=Reason.MOBILE_NUMBER_REFUSED, prevend=Reason.PREVEND_REFUSED),
        1016: Meaning(name="ConsumerAccountError", vend=RECIPIENT_REFUSED, prevend=RECIPIENT_REFUSED),
    }
)

STATUSES: Final[Mapping[int, Meaning]] = MappingProxyType(
    {
        401: Meaning(name="Unauthorized", vend=Reason.TEMPORARILY_UNAVAILABLE, prevend=Reason.TEMPORARILY_UNAVAILABLE, not_taken=True),
        429: Meaning(name="TooManyRequests", vend=Reason.SUPPLIER_BUSY, prevend=Reason.SUPPLIER_BUSY),
    }
)
"""Statuses with one meaning, whatever their body."""


def meaning(status: int, code: int | None) -> Meaning | None:
    """Return the meaning of a status and error code; `None` if the table has none."""
    if status in STATUSES:
        return STATUSES[status]
    return CODES.get(code) if code is not None and 400 <= status < 500 else None


def _of(reason: Reason | Mapping[VasType, Reason], vas_type: VasType) -> Reason:
    return reason if isinstance(reason, Reason) else reason[vas_type]
