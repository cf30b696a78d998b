"""STS tokens: the 20 digits that a customer types into a prepaid meter.

Source: IEC 62055-41 (the Standard Transfer Specification); what the supplier sends is in `docs/mobilemart.md`.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from msgspec import structs

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


def joined(known: Sequence[StsToken], more: Sequence[StsToken]) -> tuple[StsToken, ...]:
    """Two lists of one sale's tokens as one, in the order in which they are typed. No number that was known is lost.

    A list with all the known numbers in it is the better one, in its own order. Otherwise what is new goes before the known tokens
    that follow it in its list, and behind those that it follows there. Where that leaves it open, it goes behind all of its kind.
    """
    held = {token.number: token for token in known}
    listed = [_both(held.get(token.number, token), token) for token in more]
    said = {token.number: token for token in listed}
    if held.keys() <= said.keys():
        return tuple(listed)
    whole = [said.get(token.number, token) for token in known]
    numbers = list(said)
    for at, token in enumerate(said.values()):
        if token.number not in held:
            whole.insert(_place(token, whole, earlier=numbers[:at], later=numbers[at + 1 :]), token)
    return tuple(whole)


def _place(token: StsToken, whole: Sequence[StsToken], *, earlier: Sequence[str], later: Sequence[str]) -> int:
    """Where a new token goes among the others, of which its list names some earlier and some later."""
    if (before := next((at for at, other in enumerate(whole) if other.number in later), None)) is not None:
        return before
    behind = max((at + 1 for at, other in enumerate(whole) if other.number in earlier), default=0)
    by_kind = next((at for at, other in enumerate(whole) if _typed(other) > _typed(token)), len(whole))
    return max(behind, by_kind)


def _both(known: StsToken, said: StsToken) -> StsToken:
    """What two lists say of one token: the kind that is no guess, which the last ones may be, and the units that were quoted."""
    kind = min(known.kind, said.kind, key=list(TokenKind).index)
    return structs.replace(said, kind=kind, units=known.units if said.units is None else said.units)


def _typed(token: StsToken) -> int:
    """When a token is typed: key changes first, then free units, then all else."""
    return {TokenKind.KEY_CHANGE: 0, TokenKind.FREE: 1}.get(token.kind, 2)
