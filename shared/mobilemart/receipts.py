"""What was delivered: the supplier's sale, read into a receipt. Pure; nothing that it reads raises.

The shapes are those of `docs/mobilemart.md`. Where the supplier has not said which key holds something, every likely one is
read, and each such list of keys stands below, once.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec import structs

from shared.mobilemart.fields import exact, first_text, given_id, members, number, rand, text
from shared.money import Money
from shared.outcome import Charge, Consumer, MeterDetails, Receipt, TokensDue
from shared.sts import StsToken, TokenKind, token_number
from shared.value import Value
from shared.vas import Order, VasType

MOST_TOKENS: Final = 20  # of one sale; a record must stay storable whatever is answered
MOST_CHARGES: Final = 20
LONGEST_INSTRUCTIONS: Final = 2000

TOKEN_KEYS: Final = ("token", "value", "tokenValue", "pin")
KIND_KEYS: Final = ("type", "tokenType", "kind", "description")
UNIT_KEYS: Final = ("units", "kWh", "kwh")
CHARGE_NAME_KEYS: Final = ("description", "name", "type")
CHARGE_AMOUNT_KEYS: Final = ("amount", "value")

KIND_WORDS: Final = tuple(  # the first that matches: "free basic electricity" is free before it is electricity. Else it is `other`
    (re.compile(words, re.IGNORECASE), kind)
    for words, kind in (
        (r"(?<![a-z])kct|key.?change|decoder.?key", TokenKind.KEY_CHANGE),  # a keypad is no key
        (r"\Afree\Z|(?<![a-z])fbe|(?<![a-z])free.?basic", TokenKind.FREE),
        (r"(?<![a-z])(?<!vat.)(?<!tax.)free.?(?:unit|kwh|electric|energy|issue|token)", TokenKind.FREE),  # what is free of VAT is paid for
        (
            r"(?<!clear)(?<!clear.)credit|electricity|energy|normal|standard|(?<![a-z])sale",
            TokenKind.CREDIT,
        ),  # "clear credit" takes it away
    )
)


def read_receipt(sold: Mapping[str, object], order: Order) -> Receipt | None:
    """The receipt of what `order` bought; `None` without a supplier's transaction id, which alone proves a sale."""
    supplier_id = given_id(sold.get("transactionId"))
    if supplier_id is None:
        return None
    receipt = _common(supplier_id, sold)
    match order.vas_type, order.pinned:
        case VasType.UTILITY, _:
            return _with_tokens(receipt, sold, order.amount)
        case VasType.BILL_PAYMENT, _:
            return _with_bill(receipt, sold)
        case (VasType.VOUCHER, _) | (_, True):
            return _with_pin(receipt, sold, order.vas_type)
        case _:
            return receipt


def amount_said(sold: Mapping[str, object]) -> Money | None:
    """The amount that a sale names, in whichever field its service has for it."""
    stated = rand(members(sold.get("additionalDetails")).get("productAmount"))
    return stated if stated is not None else rand(sold.get("amount"))


def recipients_said(sold: Mapping[str, object]) -> tuple[str, ...]:
    """Every meter, account and mobile number that a sale names."""
    details = members(sold.get("additionalDetails"))
    named = (said.get(key) for said in (sold, details) for key in ("meterNumber", "accountNumber", "mobileNumber"))
    return tuple(found for value in named if (found := text(value)) is not None)


def _common(supplier_id: str, sold: Mapping[str, object]) -> Receipt:
    details = members(sold.get("additionalDetails"))
    return Receipt(
        supplier_transaction_id=supplier_id,
        receipt_number=text(details.get("receiptNumber")),
        reference=first_text(*(said.get(key) for said in (details, sold) for key in ("reference", "referenceNumber"))),
        expiry_date=first_text(sold.get("expiryDate"), details.get("expiryDate")),
        consumer=read_consumer(details) or read_consumer(sold),
        instructions=first_text(details.get("instructions"), details.get("productInstructions"), longest=LONGEST_INSTRUCTIONS),
    )


def read_consumer(said: Mapping[str, object]) -> Consumer | None:
    """Whom `said` names under `consumerDetails`, or as the holder of a billed account."""
    details = members(said.get("consumerDetails"))
    name = first_text(details.get("name"), said.get("accountHolder"))
    consumer = Consumer(name, text(details.get("address")), text(details.get("message")))
    return consumer if consumer != Consumer() else None


def _with_bill(receipt: Receipt, sold: Mapping[str, object]) -> Receipt:
    fee = rand(sold.get("convenienceFee"))
    return structs.replace(receipt, charges=(Charge("convenience fee", fee),)) if fee is not None and fee.cents else receipt


def _with_pin(receipt: Receipt, sold: Mapping[str, object], vas_type: VasType) -> Receipt:
    """Some vouchers have no PIN: their serial number is what is redeemed. A PIN that is there but unreadable is still due."""
    details = members(sold.get("additionalDetails"))
    pin, serial_number = exact(details.get("pin")), exact(details.get("serialNumber"))
    by_serial = vas_type is VasType.VOUCHER and details.get("pin") in (None, "") and serial_number is not None
    due = TokensDue.DELIVERED if pin is not None or by_serial else TokensDue.PENDING
    return structs.replace(receipt, pin=pin, serial_number=serial_number, tokens_due=due)


def _with_tokens(receipt: Receipt, sold: Mapping[str, object], amount: Money) -> Receipt:
    details = members(sold.get("additionalDetails"))
    issued = read_tokens(details.get("tokens"))
    charges, all_charges = _charges(details.get("fixedCosts"))
    return structs.replace(
        receipt,
        tokens=issued.tokens,
        tokens_due=_tokens_due(issued, details, charges if all_charges else (), amount),
        tokens_issued=None if issued.is_whole else issued.count,
        units=_units(details, issued),
        unit_type=text(details.get("unitType")),
        meter=_meter(details),
        charges=charges,
    )


class Issued(Value, frozen=True):
    """The tokens that could be read, in their order, and how many were sent."""

    tokens: tuple[StsToken, ...]
    count: int

    @property
    def is_whole(self) -> bool:
        return len(self.tokens) == self.count


class _Entry(Value, frozen=True):
    number: str | None
    kind: TokenKind | None
    units: Decimal | None


def read_tokens(said: object) -> Issued:
    """The tokens of a sale: objects or strings, several or one.

    One that cannot be read leaves the others readable but the whole undelivered: a credit token without its key change
    would be refused by the meter.
    """
    if said is None:
        return Issued((), 0)
    listed: Sequence[object] = said if isinstance(said, list) else (said,)
    entries = [_entry(one) for one in listed[:MOST_TOKENS]]
    unsaid = TokenKind.CREDIT if sum(entry.kind is None for entry in entries) == 1 else TokenKind.OTHER
    tokens = tuple(StsToken(entry.kind or unsaid, entry.number, entry.units) for entry in entries if entry.number is not None)
    return Issued(tokens, len(listed))


def _entry(one: object) -> _Entry:
    if not isinstance(one, dict):
        return _Entry(token_number(one), None, None)
    numbers = {found for key in TOKEN_KEYS if (found := token_number(one.get(key))) is not None}
    only = numbers.pop() if len(numbers) == 1 else None  # two different numbers in one token: neither can be believed
    return _Entry(only, _kind(first_text(*(one.get(key) for key in KIND_KEYS))), _quantity(one))


def _kind(named: str | None) -> TokenKind | None:
    if named is None:
        return None
    return next((kind for words, kind in KIND_WORDS if words.search(named)), TokenKind.OTHER)


def _tokens_due(issued: Issued, details: Mapping[str, object], charges: Sequence[Charge], amount: Money) -> TokensDue:
    if not issued.is_whole:
        return TokensDue.PENDING
    if issued.tokens:
        return TokensDue.DELIVERED
    charged = sum(charge.amount.cents for charge in charges if charge.amount is not None)
    nothing_left = charged > 0 and charged >= amount.cents
    return TokensDue.NONE if details.get("onlineMeter") is True or nothing_left else TokensDue.PENDING


def _charges(said: object) -> tuple[tuple[Charge, ...], bool]:
    """The charges, and whether every one of them has an amount that could be read."""
    listed = said if isinstance(said, list) else []
    items = [members(one) for one in listed[:MOST_CHARGES]]
    charges = tuple(Charge(first_text(*(item.get(key) for key in CHARGE_NAME_KEYS)), _charged(item)) for item in items)
    return charges, len(charges) == len(listed) and all(charge.amount is not None for charge in charges)


def _charged(item: Mapping[str, object]) -> Money | None:
    return next((amount for key in CHARGE_AMOUNT_KEYS if (amount := rand(item.get(key))) is not None), None)


def _quantity(said: Mapping[str, object]) -> Decimal | None:
    quoted = next((found for key in UNIT_KEYS if (found := number(said.get(key))) is not None), None)
    return quoted if quoted is not None and quoted >= 0 else None


def _units(details: Mapping[str, object], issued: Issued) -> Decimal | None:
    """As quoted for the whole sale, or for its only token with units, where all could be read. Never added up here."""
    quoted = [token.units for token in issued.tokens if token.units is not None]
    whole = _quantity(details)
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
