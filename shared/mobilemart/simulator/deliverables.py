"""The goods of a sale: tokens, units, PINs. None can be mistaken for real ones. The same request yields the same goods."""

import hashlib
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Final, Literal, assert_never

from shared.domain.sts_tokens import SIMULATED_PREFIX, TOKEN_DIGITS, grouped

VAT_PERCENT: Final = 15  # inside every amount
# The steps of one purchase: so many kWh, each for so many cents before VAT; `None` stands for the rest. The first step
# also carries the network's charge. Seen in production, VAT included: R30 gave 7.3 kWh, R100 29.7, R200 59.3.
TARIFF: Final[tuple[tuple[Decimal | None, int], ...]] = ((Decimal(5), 397), (Decimal(25), 272), (None, 294))
FREE_UNITS: Final = Decimal("50.0")
REFUND_UNITS: Final = Decimal("12.5")
CONVENIENCE_FEE_CENTS: Final = 550

_TENTH: Final = Decimal("0.1")
_NUMBERS: Final = 10**8  # the digits that the twelve zeros leave


class DeliverableKind(StrEnum):
    """The purpose of a token."""

    KEY_CHANGE = "key_change"
    FREE = "free"
    CREDIT = "credit"
    REFUND = "refund"
    POWER_LIMIT = "power_limit"


_TYPE_NAMES: Final = {
    DeliverableKind.KEY_CHANGE: "KeyChange",
    DeliverableKind.FREE: "FreeBasicElectricity",
    DeliverableKind.CREDIT: "Credit",
    DeliverableKind.REFUND: "Refund",
    DeliverableKind.POWER_LIMIT: "PowerLimit",
}
_ABBREVIATIONS: Final = {  # from the interfaces of South Africa's switches
    DeliverableKind.KEY_CHANGE: "KC",
    DeliverableKind.FREE: "BSST",
    DeliverableKind.CREDIT: "STD",
    DeliverableKind.REFUND: "REFUND",
    DeliverableKind.POWER_LIMIT: "PWRLMT",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One STS token, of 20 digits. `units` is in kWh; `None` if it has none."""

    kind: DeliverableKind
    number: str = field(repr=False)
    units: Decimal | None = None


class TokenShape(StrEnum):
    """How an electricity answer writes its tokens. The shape of the real switch is only partly known."""

    TOKEN = "token"  # objects, with the digits under this key, or under one of the next three
    VALUE = "value"
    TOKEN_VALUE = "tokenValue"
    PIN = "pin"
    UNHEARD_OF = "stsToken"  # under a key that nobody has seen
    STRINGS = "strings"  # bare strings
    GROUPED = "grouped"  # objects, the digits in groups of four
    NINETEEN_DIGITS = "nineteen-digits"  # objects, one digit short: not a usable token
    EMPTY = "empty"  # an empty array
    MISSING = "missing"  # no such member
    SLIP = "slip"  # no such member, but lines to print, with the digits in them
    ABBREVIATED = "abbreviated"  # objects with abbreviated kinds; key changes as KC
    NUMBERED = "numbered"  # the same; key changes as KCT1 and KCT2
    PIPED = "piped"  # the digits of all tokens in one text, which is the member itself
    LISTED = "listed"  # the same with commas, in one object
    SPACED = "spaced"  # the same with blanks, in one string of an array


@dataclass(frozen=True, slots=True)
class Share:
    """The part of the amount that goes to a debt or a service.

    `balance_cents` is the remaining debt, if the answer states it.
    """

    description: str
    percent: int
    balance_cents: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """The delivery of a scenario, if it is not plain. `shares` are taken from the amount before units are bought.

    `itemised`: the answer also lists the price of the units, and the VAT.
    `steps` lists the steps of the tariff; `energy` is one line.
    """

    key_change: bool = False
    free_units: bool = False
    credit_first: bool = False  # before the free token
    refund: bool = False
    power_limit: bool = False
    shares: tuple[Share, ...] = ()
    itemised: Literal["steps", "energy"] | None = None
    online_meter: bool = False
    token_shape: TokenShape = TokenShape.TOKEN
    pin: bool = True
    convenience_fee: bool = False

    def shares_cents(self, amount_cents: int) -> list[tuple[Share, int]]:
        """The cents that each share takes of an amount."""
        return [(share, amount_cents * share.percent // 100) for share in self.shares]

    def charges_cents(self, amount_cents: int) -> int:
        return sum(cents for _, cents in self.shares_cents(amount_cents))

    def tokens(self, transaction_id: str, amount_cents: int) -> tuple[Token, ...]:
        """The tokens of one electricity sale, in the order of typing."""
        if self.online_meter:
            return ()
        paid = units(amount_cents - self.charges_cents(amount_cents))
        bought: list[tuple[DeliverableKind, Decimal | None]] = [(DeliverableKind.FREE, FREE_UNITS)] * self.free_units
        bought += [(DeliverableKind.CREDIT, paid)] * (paid > 0)
        kinds = [
            *[(DeliverableKind.KEY_CHANGE, None)] * (2 * self.key_change),
            *(reversed(bought) if self.credit_first else bought),
            *[(DeliverableKind.REFUND, REFUND_UNITS)] * self.refund,
            *[(DeliverableKind.POWER_LIMIT, None)] * self.power_limit,
        ]
        return tuple(Token(kind, _token_number(transaction_id, at), kwh) for at, (kind, kwh) in enumerate(kinds))


PLAIN_GOODS: Final = Goods()


def units(cents: int) -> Decimal:
    """The kWh for an amount in cents, VAT included, to a tenth."""
    return sum((kwh for kwh, _ in steps(cents)), Decimal(0)).quantize(_TENTH, ROUND_HALF_UP)


def steps(cents: int) -> list[tuple[Decimal, int]]:
    """The exact kWh that an amount in cents, VAT included, buys in each step, and its price per kWh before VAT in cents."""
    left = Decimal(cents) * 100 / (100 + VAT_PERCENT)
    bought = []
    for most, price in TARIFF:
        kwh = left / price if most is None else min(left / price, most)
        left -= kwh * price
        bought.append((kwh, price))
    return [step for step in bought if step[0] > 0]


def pin(transaction_id: str) -> str:
    """A PIN of 16 digits, half of them leading zeros."""
    return f"{_number('pin', transaction_id):016d}"


def serial_number(transaction_id: str) -> str:
    """A serial number of 20 digits with twelve leading zeros."""
    return f"{_number('serial', transaction_id):020d}"


def written(tokens: tuple[Token, ...], shape: TokenShape) -> list[Any] | str | None:
    """The `tokens` member of an answer; `None` if the answer has no such member. One case per shape: the match stays whole."""
    numbers = [token.number for token in tokens]
    match shape:
        case TokenShape.MISSING | TokenShape.SLIP:
            return None
        case TokenShape.EMPTY:
            return []
        case TokenShape.STRINGS:
            return numbers
        case TokenShape.PIPED:
            return "|".join(numbers)
        case TokenShape.LISTED:
            return [{"token": ",".join(numbers)}]
        case TokenShape.SPACED:
            return [" ".join(numbers)]
        case TokenShape.ABBREVIATED | TokenShape.NUMBERED:
            words = [_abbreviated(at, token, shape) for at, token in enumerate(tokens, 1)]
            return [{"token": token.number, "type": word, "units": token.units} for token, word in zip(tokens, words, strict=True)]
        case TokenShape.GROUPED:
            return [_written("token", grouped(token.number), token) for token in tokens]
        case TokenShape.NINETEEN_DIGITS:
            return [_written("token", token.number[1:], token) for token in tokens]
        case TokenShape.TOKEN | TokenShape.VALUE | TokenShape.TOKEN_VALUE | TokenShape.PIN | TokenShape.UNHEARD_OF:
            return [_written(shape.value, token.number, token) for token in tokens]
        case _:
            assert_never(shape)


def printable(tokens: tuple[Token, ...]) -> list[str]:
    """The lines of a slip that is printed as it is."""
    return ["PREPAID ELECTRICITY", *(f"TOKEN: {grouped(token.number)}" for token in tokens), "SIMULATED: NO ELECTRICITY WAS SOLD"]


def _abbreviated(at: int, token: Token, shape: TokenShape) -> str:
    """The kind of the token at that place, from 1. Key changes come first, so their place is their number."""
    is_numbered = shape is TokenShape.NUMBERED and token.kind is DeliverableKind.KEY_CHANGE
    return f"KCT{at}" if is_numbered else _ABBREVIATIONS[token.kind]


def _written(key: str, number: str, token: Token) -> dict[str, Any]:
    return {key: number, "type": _TYPE_NAMES[token.kind], "units": token.units}


def _token_number(transaction_id: str, at: int) -> str:
    number = (_number("token", transaction_id) + at) % _NUMBERS  # neighbouring numbers: no two tokens of a sale are equal
    return f"{SIMULATED_PREFIX}{number:0{TOKEN_DIGITS - len(SIMULATED_PREFIX)}d}"


def _number(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256(":".join(parts).encode()).digest()[:8]) % _NUMBERS
