"""STS tokens: the 20 digits that a customer types into a prepaid meter.

Source: IEC 62055-41 (the Standard Transfer Specification); what the supplier sends is in `docs/mobilemart.md`.
"""

import re
from decimal import Decimal
from enum import StrEnum

from shared.value import Value

TOKEN_DIGITS = 20
SIMULATED_PREFIX = "0" * 12  # no real token of this system's supplier starts so; every simulated one does

_TWENTY_DIGITS = re.compile(r"[0-9]{20}", re.ASCII)
_SEPARATORS = re.compile(r"[\s-]+", re.ASCII)


class TokenKind(StrEnum):
    """What typing the token does to the meter."""

    KEY_CHANGE = "key_change"  # typed first, in order, or the credit token is refused
    FREE = "free"  # free basic electricity: zero rand
    CREDIT = "credit"
    OTHER = "other"  # the supplier named a kind that we do not know


class StsToken(Value, frozen=True):
    """One token. Bearer value: whoever reads `number` can spend it, so it is never shown by `repr`.

    `units` is in kWh (or the unit that the receipt names), as quoted by the supplier; `None` where it said nothing.
    """

    kind: TokenKind
    number: str
    units: Decimal | None = None

    def __post_init__(self) -> None:
        if not _TWENTY_DIGITS.fullmatch(self.number):
            raise ValueError("an STS token has exactly 20 digits")

    def __repr__(self) -> str:
        return f"StsToken(kind={self.kind.value!r}, number='{'*' * TOKEN_DIGITS}', units={self.units!r})"


def token_number(text: object) -> str | None:
    """The 20 digits in `text`, which may be grouped by spaces or hyphens; `None` when it is anything but a token."""
    if not isinstance(text, str) or len(text) > 2 * TOKEN_DIGITS:
        return None
    digits = _SEPARATORS.sub("", text)
    return digits if _TWENTY_DIGITS.fullmatch(digits) else None


def grouped(number: str) -> str:
    """A token as a slip shows it: groups of four digits."""
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))
