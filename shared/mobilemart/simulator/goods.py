"""What a sale delivers: tokens, units, PINs. None of it can be taken for real, and the same request always yields the same."""

import hashlib
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Final

from shared.sts import SIMULATED_PREFIX, TOKEN_DIGITS, StsToken, TokenKind, grouped

VAT_PERCENT: Final = 15  # inside every amount
# The steps of one purchase: so many kWh, each for so many cents before VAT; `None` is all that follow. The first also carries the
# network's charge. Seen in production, VAT included: R30 gave 7.3 kWh, R100 gave 29.7, R200 gave 59.3.
TARIFF: Final[tuple[tuple[Decimal | None, int], ...]] = ((Decimal(5), 397), (Decimal(25), 272), (None, 294))
FREE_UNITS: Final = Decimal("50.0")
CONVENIENCE_FEE_CENTS: Final = 550

_TENTH: Final = Decimal("0.1")
_NUMBERS: Final = 10**8  # what the twelve zeros leave
_TYPE_NAMES: Final = {TokenKind.KEY_CHANGE: "KeyChange", TokenKind.FREE: "FreeBasicElectricity", TokenKind.CREDIT: "Credit"}


class TokenShape(StrEnum):
    """How an electricity answer writes its tokens; which shape the real switch uses is only half known."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """What is delivered, where it is not plain. `charged_percent` is the part of the amount that goes to arrears."""

    key_change: bool = False
    free_units: bool = False
    charged_percent: int = 0
    online_meter: bool = False
    token_shape: TokenShape = TokenShape.TOKEN
    pin: bool = True
    convenience_fee: bool = False

    def charges_cents(self, amount_cents: int) -> int:
        return amount_cents * self.charged_percent // 100

    def tokens(self, transaction_id: str, amount_cents: int) -> tuple[StsToken, ...]:
        """The tokens of one electricity sale, in the order in which they are typed."""
        if self.online_meter:
            return ()
        kinds: list[tuple[TokenKind, Decimal | None]] = []
        if self.key_change:
            kinds += [(TokenKind.KEY_CHANGE, None)] * 2
        if self.free_units:
            kinds += [(TokenKind.FREE, FREE_UNITS)]
        if (paid := units(amount_cents - self.charges_cents(amount_cents))) > 0:
            kinds += [(TokenKind.CREDIT, paid)]
        return tuple(StsToken(kind, _token_number(transaction_id, at), kwh) for at, (kind, kwh) in enumerate(kinds))


PLAIN_GOODS: Final = Goods()


def units(cents: int) -> Decimal:
    """The kWh for an amount in cents, VAT included, to a tenth."""
    return sum((kwh for kwh, _ in steps(cents)), Decimal(0)).quantize(_TENTH, ROUND_HALF_UP)


def steps(cents: int) -> list[tuple[Decimal, int]]:
    """What an amount in cents, VAT included, buys of each step of the tariff: exact kWh, and the price of one before VAT, in cents."""
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


def written(tokens: tuple[StsToken, ...], shape: TokenShape) -> list[Any] | None:
    """The `tokens` member of an answer; `None` when it is to be left out."""
    match shape:
        case TokenShape.MISSING:
            return None
        case TokenShape.EMPTY:
            return []
        case TokenShape.STRINGS:
            return [token.number for token in tokens]
        case TokenShape.GROUPED:
            return [_written("token", grouped(token.number), token) for token in tokens]
        case TokenShape.NINETEEN_DIGITS:
            return [_written("token", token.number[1:], token) for token in tokens]
        case _:
            return [_written(shape.value, token.number, token) for token in tokens]


def _written(key: str, number: str, token: StsToken) -> dict[str, Any]:
    return {key: number, "type": _TYPE_NAMES[token.kind], "units": token.units}


def _token_number(transaction_id: str, at: int) -> str:
    number = (_number("token", transaction_id) + at) % _NUMBERS  # neighbours, so that no two of a sale are equal
    return f"{SIMULATED_PREFIX}{number:0{TOKEN_DIGITS - len(SIMULATED_PREFIX)}d}"


def _number(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256(":".join(parts).encode()).digest()[:8]) % _NUMBERS
