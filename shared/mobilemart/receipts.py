"""Reads the supplier's sale into a receipt. Pure; no function raises.

The shapes are those of `docs/mobilemart.md`. If the supplier has not documented a key, every likely key is read.
Each such list of keys stands below, once.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, assert_never

from msgspec import structs

from shared.domain.money import Money
from shared.domain.outcome import Charge, Consumer, MeterDetails, Receipt, TokensDue
from shared.domain.sts_tokens import StsToken, TokenKind, joined_numbers
from shared.domain.vas import Order, VasType
from shared.lib.value import Value
from shared.mobilemart.charges import quotes_units, read_charges, recovers_all
from shared.mobilemart.json_fields import exact, first_text, given_id, members, number, rand, text

MAX_TOKENS: Final = 20  # of one sale; a record must stay storable, whatever the answer
MAX_INSTRUCTIONS_LENGTH: Final = 2000

TOKEN_KEYS: Final = ("token", "value", "tokenValue", "pin")
KIND_KEYS: Final = ("type", "tokenType", "kind", "description")
UNIT_KEYS: Final = ("units", "kWh", "kwh")

KIND_WORDS: Final = tuple(  # the first match counts: "free basic electricity" is free before it is electricity. No match is `other`
    (re.compile(words, re.IGNORECASE), kind)
    for words, kind in (
        (r"(?<![a-z])kct|(?<![a-z])kc(?![a-z])|key.?change|decoder.?key", TokenKind.KEY_CHANGE),  # a keypad is no key
        (r"(?<!non)(?<!non.)(?<!no)(?<!no.)(?<!not )refund(?!able)", TokenKind.REFUND),
        (r"\Afree\Z|(?<![a-z])fbe|(?<![a-z])e?bsst|(?<![a-z])free.?basic", TokenKind.FREE),  # BSST: basic support services token
        (
            r"(?<![a-z])(?<!vat.)(?<!tax.)free.?(?:unit|kwh|electric|energy|issue|token)",
            TokenKind.FREE,
        ),  # VAT-free energy is paid for
        (
            r"(?<!clear)(?<!clear.)(?<!clr)(?<!clr.)credit|electricity|energy|normal|standard|(?<![a-z])std(?:tok|(?![a-z]))|(?<![a-z])sale",
            TokenKind.CREDIT,
        ),  # "clear credit" removes credit
    )
)


def read_receipt(sold: Mapping[str, object], order: Order) -> Receipt | None:
    """Read the receipt of `order`. `None` without a supplier's transaction id, which alone proves a sale."""
    supplier_id = given_id(sold.get("transactionId"))
    if supplier_id is None:
        return None
    receipt = _common(supplier_id, sold)
    match order.vas_type:
        case VasType.UTILITY:
            return _with_tokens(receipt, sold, order.amount)
        case VasType.BILL_PAYMENT:
            return _with_bill(receipt, sold)
        case VasType.VOUCHER:
            return _with_pin(receipt, sold, may_lack_pin=True)
        case VasType.AIRTIME | VasType.DATA:
            return _with_pin(receipt, sold, may_lack_pin=False) if order.pinned else receipt
        case _:
            assert_never(order.vas_type)


def amount_said(sold: Mapping[str, object]) -> Money | None:
    """Return the amount that a sale names, in any field of its service; `None` if none can be read."""
    return next((stated for value in _amounts(sold) if (stated := rand(value)) is not None), None)


def names_amount(sold: Mapping[str, object]) -> bool:
    """Whether a sale names an amount, readable or not."""
    return bool(_named_amounts(sold))


def other_amounts(sold: Mapping[str, object], amount: Money) -> tuple[Money | None, ...]:
    """Return the amounts of a sale that differ from `amount`; `None` stands for one that cannot be read."""
    return tuple(stated for value in _named_amounts(sold) if (stated := rand(value)) != amount)


def _named_amounts(sold: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(value for value in _amounts(sold) if value not in (None, ""))


def _amounts(sold: Mapping[str, object]) -> tuple[object, ...]:
    details = members(sold.get("additionalDetails"))
    return (details.get("productAmount"), sold.get("amount"), details.get("amount"), sold.get("productAmount"))


def _common(supplier_id: str, sold: Mapping[str, object]) -> Receipt:
    details = members(sold.get("additionalDetails"))
    return Receipt(
        supplier_transaction_id=supplier_id,
        receipt_number=text(details.get("receiptNumber")),
        reference=first_text(*(said.get(key) for said in (details, sold) for key in ("reference", "referenceNumber"))),
        expiry_date=first_text(sold.get("expiryDate"), details.get("expiryDate")),
        consumer=read_consumer(details) or read_consumer(sold),
        instructions=first_text(details.get("instructions"), details.get("productInstructions"), longest=MAX_INSTRUCTIONS_LENGTH),
    )


def read_consumer(said: Mapping[str, object]) -> Consumer | None:
    """Return the person under `consumerDetails`, or the holder of a billed account."""
    details = members(said.get("consumerDetails"))
    name = first_text(details.get("name"), said.get("accountHolder"))
    consumer = Consumer(name, text(details.get("address")), text(details.get("message")))
    return consumer if consumer != Consumer() else None


def _with_bill(receipt: Receipt, sold: Mapping[str, object]) -> Receipt:
    fee = rand(sold.get("convenienceFee"))
    return structs.replace(receipt, charges=(Charge("convenience fee", fee),)) if fee is not None and fee.cents else receipt


def _with_pin(receipt: Receipt, sold: Mapping[str, object], *, may_lack_pin: bool) -> Receipt:
    """Some vouchers have no PIN and are redeemed by their serial number. An unreadable PIN is still due."""
    details = members(sold.get("additionalDetails"))
    pin, serial_number = exact(details.get("pin")), exact(details.get("serialNumber"))
    by_serial = may_lack_pin and details.get("pin") in (None, "") and serial_number is not None
    due = TokensDue.DELIVERED if pin is not None or by_serial else TokensDue.PENDING
    return structs.replace(receipt, pin=pin, serial_number=serial_number, tokens_due=due)


def _with_tokens(receipt: Receipt, sold: Mapping[str, object], amount: Money) -> Receipt:
    details = members(sold.get("additionalDetails"))
    issued = read_tokens(details.get("tokens"))
    due = _tokens_due(issued, sold, amount)
    return structs.replace(
        receipt,
        tokens=issued.tokens,
        tokens_due=due,
        tokens_issued=_issued(issued, due, sold),
        units=_units(sold, issued),
        unit_type=text(details.get("unitType")),
        meter=_meter(details),
        charges=read_charges(details.get("fixedCosts")),
    )


class Issued(Value, frozen=True):
    """The tokens that could be read, in their order; the number of tokens sent; and the units quoted for all together."""

    tokens: tuple[StsToken, ...]
    count: int
    units: Decimal | None = None

    @property
    def is_whole(self) -> bool:
        return len(self.tokens) == self.count


class _Entry(Value, frozen=True):
    number: str | None
    kind: TokenKind | None
    units: Decimal | None


def read_tokens(said: object) -> Issued:
    """Read the tokens of a sale: objects or strings, several or one, each of which may hold several tokens.

    One unreadable token leaves the others readable, but the sale undelivered.
    A meter would refuse a credit token without its key change.
    """
    if said is None:
        return Issued((), 0)
    listed: Sequence[object] = said if isinstance(said, list) else (said,)
    read = [_entries(one) for one in listed[:MAX_TOKENS]]
    entries = [entry for one in read for entry in one]
    unsaid = TokenKind.CREDIT if sum(entry.kind is None for entry in entries) == 1 else TokenKind.OTHER
    kept = entries[:MAX_TOKENS]
    tokens = tuple(StsToken(entry.kind or unsaid, entry.number, entry.units) for entry in kept if entry.number is not None)
    together = _quantity(members(listed[0])) if len(listed) == 1 and len(entries) > 1 else None
    return Issued(tokens, len(entries) + len(listed[MAX_TOKENS:]), together)


def _entries(one: object) -> tuple[_Entry, ...]:
    """Read the tokens of one entry. Several tokens in one text share its name and units, so no token has either."""
    named = members(one)
    said = [joined_numbers(value) for value in ([named.get(key) for key in TOKEN_KEYS] if named else [one])]
    found = {numbers for numbers in said if any(numbers)}
    if len(found) != 1:  # none, or different numbers in one token: neither can be trusted
        return (_Entry(None, _kind(named), _quantity(named)),)
    match found.pop():
        case (number,):
            return (_Entry(number, _kind(named), _quantity(named)),)
        case numbers:
            return tuple(_Entry(number, None, None) for number in numbers)


def _kind(named: Mapping[str, object]) -> TokenKind | None:
    """Return the kind that a token's names give, in the order of the table; `None` without a name."""
    names = [name for key in KIND_KEYS if (name := text(named.get(key))) is not None]
    if not names:
        return None
    return next((kind for words, kind in KIND_WORDS if any(map(words.search, names))), TokenKind.OTHER)


def _tokens_due(issued: Issued, sold: Mapping[str, object], amount: Money) -> TokensDue:
    """Return `NONE` only if the supplier states that nothing is due. Every other sale without a token waits for one."""
    if not issued.is_whole:
        return TokensDue.PENDING
    if issued.tokens:
        return TokensDue.DELIVERED
    details = members(sold.get("additionalDetails"))
    nothing_left = recovers_all(details.get("fixedCosts"), amount) and not quotes_units(sold)
    return TokensDue.NONE if details.get("onlineMeter") is True or nothing_left else TokensDue.PENDING


def _issued(issued: Issued, due: TokensDue, sold: Mapping[str, object]) -> int | None:
    """Return the number of tokens sent, if not all could be read. Units without a token mean one token, which is missing."""
    if due is not TokensDue.PENDING:
        return None
    return issued.count if not issued.is_whole else 1 if quotes_units(sold) else None


def _quantity(said: Mapping[str, object]) -> Decimal | None:
    quoted = next((found for key in UNIT_KEYS if (found := number(said.get(key))) is not None), None)
    return quoted if quoted is not None and quoted >= 0 else None


def _units(sold: Mapping[str, object], issued: Issued) -> Decimal | None:
    """Return the units quoted for the whole sale, or for its only token with units. They are never added up.

    The only token counts if all tokens could be read.
    """
    quoted = [token.units for token in issued.tokens if token.units is not None]
    stated = (_quantity(members(sold.get("additionalDetails"))), _quantity(sold), issued.units)
    whole = next((units for units in stated if units is not None), None)
    return whole if whole is not None or len(quoted) != 1 or not issued.is_whole else quoted[0]


def _meter(details: Mapping[str, object]) -> MeterDetails | None:
    meter = MeterDetails(
        supplier_group_code=text(details.get("supplierGroupCode")),
        key_revision_number=text(details.get("keyRevisionNumber")),
        tariff_index=text(details.get("tariffIndex")),
        token_technology=text(details.get("tokenTechCode")),
        algorithm=text(details.get("algorithmCode")),
    )
    return meter if meter != MeterDetails() else None
