"""The outcome of one exchange with the supplier: vended, rejected, or unknown; and the receipt of a vend."""

import hashlib
import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from msgspec import structs

from shared.domain.money import Money
from shared.domain.sts_tokens import StsToken, joined
from shared.lib.value import Kept, Value

KEPT_ANSWER_BYTES: Final = 64 * 1024

MAX_WORTH: Final = 2  # of an answer that may hold a token

_LONG_NUMBER: Final = re.compile(rb"[0-9](?:[ -]?[0-9]){13}")  # of 14 digits, like the shortest PIN seen so far; a token has 20


class Reason(StrEnum):
    """Why nothing was sold. The value is the problem's name, `/problems/<value>`; `shared/schemas/problems.py` has its texts."""

    AMOUNT_ABOVE_MAXIMUM = "amount-above-maximum"
    AMOUNT_BELOW_MINIMUM = "amount-below-minimum"
    AMOUNT_REFUSED = "amount-refused"  # the utility refused this amount for this meter (1001)
    ACCOUNT_REFUSED = "account-refused"
    METER_UNKNOWN = "meter-unknown"
    MOBILE_NUMBER_REFUSED = "mobile-number-refused"
    POSSIBLE_DUPLICATE = "possible-duplicate"
    PREVEND_EXPIRED = "prevend-expired"
    PREVEND_REFUSED = "prevend-refused"
    PREVEND_USED = "prevend-used"
    PRICE_CHANGED = "price-changed"
    PRODUCT_UNAVAILABLE = "product-unavailable"
    SUPPLIER_BUSY = "supplier-busy"
    TEMPORARILY_UNAVAILABLE = "temporarily-unavailable"


class TokensDue(StrEnum):
    """Whether the customer is owed a number to type: an STS token, or the PIN of a pinned product."""

    NONE = "none"  # an online meter, debt recovery that used up the amount, pinless, bill payment
    DELIVERED = "delivered"
    PENDING = "pending"  # vended, but the token or PIN has not reached us yet


class Consumer(Kept, frozen=True):
    """The owner of the meter or account, in the supplier's words. Personal data: `repr` shows none of it."""

    _hidden = frozenset({"name", "address", "message"})

    name: str | None = None
    address: str | None = None
    message: str | None = None


class MeterDetails(Kept, frozen=True):
    """The meter's STS settings, each as the supplier's text: SGC, KRN, TI, token technology, algorithm."""

    supplier_group_code: str | None = None
    key_revision_number: str | None = None
    tariff_index: str | None = None
    token_technology: str | None = None
    algorithm: str | None = None


class Charge(Kept, frozen=True):
    """A fixed cost or debt that the utility took from the amount."""

    description: str | None
    amount: Money | None


class Receipt(Kept, frozen=True, kw_only=True):
    """The delivery of one sale. `tokens` are in the order in which the customer types them.

    `supplier_transaction_id` is `None` only if an operator decided that the sale vended, and the supplier has not confirmed yet.
    `pin` and the tokens are bearer value and stay out of `repr`. `units` is as quoted, in `unit_type` (kWh if `None`).
    `tokens_issued` is the number of tokens, if not all could be read, or if the supplier quoted units without a token.
    """

    _hidden = frozenset({"tokens", "pin", "serial_number", "consumer", "instructions"})

    supplier_transaction_id: str | None
    tokens_due: TokensDue = TokensDue.NONE
    receipt_number: str | None = None
    reference: str | None = None
    tokens: tuple[StsToken, ...] = ()
    units: Decimal | None = None
    unit_type: str | None = None
    pin: str | None = None
    serial_number: str | None = None
    expiry_date: str | None = None
    consumer: Consumer | None = None
    meter: MeterDetails | None = None
    charges: tuple[Charge, ...] = ()
    instructions: str | None = None
    tokens_issued: int | None = None

    def lacks(self, more: "Receipt") -> bool:
        """Whether another answer about the sale has a token or PIN that this receipt lacks, or counts more tokens than it has."""
        return (
            not {token.number for token in more.tokens} <= {token.number for token in self.tokens}
            or (more.tokens_issued or 0) > len(self.tokens)
            or (more.pin is not None and not more.is_pin_masked and _plain(more.pin) != _plain(self.pin or ""))
        )

    @property
    def is_pin_masked(self) -> bool:
        return self.pin is not None and "*" in self.pin

    def is_quoted_in(self, body: bytes) -> bool:
        """Whether a raw answer holds the PIN and every token of this receipt, grouped or not."""
        text = _plain(body.decode("utf-8", "replace"))
        numbers = (*(token.number for token in self.tokens), *(() if self.pin is None else (self.pin,)))
        return all(_plain(number) in text for number in numbers)

    def merged_with(self, more: "Receipt") -> "Receipt":
        """This receipt, with a token still due, completed by another answer about its sale. No known field or token is lost.

        Tokens are due as long as the merged receipt has fewer than were issued. If both receipts fill a field, the answer that
        delivers counts. Until an answer delivers, the known value stays: no answer takes back another's words.
        """
        tokens = joined(self.tokens, more.tokens)
        issued = max(self.tokens_issued or 0, more.tokens_issued or 0)
        waits = more.tokens_due is TokensDue.PENDING or len(tokens) < issued or (self.tokens != () and more.tokens == ())
        quoted = sum(token.units is not None for token in tokens)
        if quoted > 1 and len(more.tokens) < len(tokens):  # the units of some tokens are not the units of all
            more = structs.replace(more, units=None)
        filled: Receipt = _filled(self, more) if waits else _filled(more, self)
        return structs.replace(
            filled,
            charges=_with_beyond(filled.charges, self.charges),
            supplier_transaction_id=self.supplier_transaction_id or more.supplier_transaction_id,
            tokens=tokens,
            tokens_due=TokensDue.PENDING if waits else more.tokens_due,
            tokens_issued=issued or None if waits else None,
        )


def _plain(text: str) -> str:
    """A text without the blanks and hyphens that group the digits of tokens and PINs."""
    return text.replace(" ", "").replace("-", "")


def _with_beyond(charges: tuple[Charge, ...], known: tuple[Charge, ...]) -> tuple[Charge, ...]:
    """The charges, each with the `beyond` of its known equal."""
    held = {structs.replace(charge, beyond=None): charge for charge in known if charge.beyond is not None}
    return tuple(held.get(charge, charge) for charge in charges) if held else charges


def _filled(known: Any, more: Any) -> Any:
    """`known`, with each empty field filled from `more`, down to the fields of fields."""
    if known is None or known == ():
        return more
    if isinstance(known, Value) and type(known) is type(more):
        return structs.replace(known, **{name: _filled(getattr(known, name), getattr(more, name)) for name in known.__struct_fields__})
    return known


class Vended(Kept, frozen=True):
    """The sale was vended: final, and owed to the supplier."""

    receipt: Receipt


class Rejected(Kept, frozen=True):
    """Nothing was sold, and we can prove it.

    `not_taken` is the stronger proof that the supplier did not begin (no connection, or 401): the request may be sent again.
    `float_exhausted`: our prefunded account is empty, and no other sale can succeed either.
    `cause` is for our records, never for the caller.
    """

    reason: Reason
    cause: str
    not_taken: bool = False
    float_exhausted: bool = False
    minimum_amount: Money | None = None
    retry_after_seconds: int | None = None
    other_transaction_id: str | None = None


class Unknown(Kept, frozen=True):
    """The sale may have vended. Never resend: a second token is a second debt.

    `sign_of_vend`: the answer is an indication of a vend (any 2xx). Absence elsewhere then proves nothing.
    """

    cause: str
    sign_of_vend: bool = False


Outcome = Vended | Rejected | Unknown


class RawAnswer(Kept, frozen=True):
    """The supplier's answer as it arrived, for audit: at most `KEPT_ANSWER_BYTES` of the body, and the hash of the whole body.

    `source` names the call (`vend`, `reprint`, `settlement`). The body holds tokens and personal data: `repr` never shows it.
    """

    _hidden = frozenset({"body"})

    source: str
    received_at: datetime
    status: int | None
    content_type: str | None
    body: bytes
    size_bytes: int
    sha256: str

    @property
    def worth(self) -> int:
        """The rank of the answer when space is short.

        0 is no indication of a vend. 1 is an indication. 2 also holds a number that may be a token or a PIN.
        """
        if self.status is None or not 200 <= self.status < 300 or not self.body:
            return 0
        return MAX_WORTH if _LONG_NUMBER.search(self.body) else 1

    @classmethod
    def of(cls, source: str, received_at: datetime, status: int | None, content_type: str | None, body: bytes) -> "RawAnswer":
        kept_type = None if content_type is None else content_type[:100].encode("ascii", "replace").decode("ascii")
        return cls(source, received_at, status, kept_type, body[:KEPT_ANSWER_BYTES], len(body), hashlib.sha256(body).hexdigest())


class Answer(Value, frozen=True):
    """One exchange: its outcome, and the raw answer (`None` if no answer arrived)."""

    outcome: Outcome
    raw: RawAnswer | None = None


class Prevended(Value, frozen=True):
    """A confirmed meter or account: the supplier's id for it, and the conditions of a purchase."""

    _hidden = frozenset({"consumer"})

    supplier_prevend_id: str
    minimum_amount: Money | None = None
    amount_due: Money | None = None
    consumer: Consumer | None = None


class NoSuchTransaction(Value, frozen=True):
    """A reprint that answers `TransactionDoesNotExist` (1003). Evidence only beside a control, and only the second time."""


class NoAnswer(Value, frozen=True):
    """A reprint without information about the sale: refused, busy, unreachable, or not understood."""

    cause: str


Reprinted = Vended | NoSuchTransaction | NoAnswer | Unknown
"""`Unknown`: a vend under our request id that differs from our order. Never evidence, always an indication of a vend."""


class Reprint(Value, frozen=True):
    """One reprint: its result for the sale, and the raw answer (`None` if no answer arrived)."""

    result: Reprinted
    raw: RawAnswer | None = None
