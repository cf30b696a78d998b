"""STS tokens: the 20 digits that a customer types into a prepaid meter.

Source: IEC 62055-41 (the Standard Transfer Specification); what the supplier sends is in `docs/mobilemart.md`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import groupby

from msgspec import structs

from shared.lib.value import Kept, is_new_word

TOKEN_DIGITS = 20
SIMULATED_PREFIX = "0" * 12  # no real token of this system's supplier starts so; every simulated one does

_TWENTY_DIGITS = re.compile(r"[0-9]{20}", re.ASCII)
MAX_JOINED = 20  # tokens in one text

_SEPARATORS = re.compile(r"[\s-]+", re.ASCII)
_BETWEEN_TOKENS = re.compile(r"[|,;/]")
_MAX_JOINED_LENGTH = MAX_JOINED * 2 * TOKEN_DIGITS


class TokenKind(StrEnum):
    """What typing the token does to the meter."""

    KEY_CHANGE = "key_change"  # typed first, in order, or the credit token is refused
    FREE = "free"  # free basic electricity: zero rand
    CREDIT = "credit"
    REFUND = "refund"  # credit that the utility gives back
    OTHER = "other"  # the supplier named a kind that we do not know


class StsToken(Kept, frozen=True):
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


def joined_numbers(text: object) -> tuple[str | None, ...]:
    """The tokens in one text, in their order; `None` for each part that is no token.

    Several tokens stand between `|`, `,`, `;`, `/`, blanks or line ends. The groups of one token never count as several.
    """
    if not isinstance(text, str) or len(text) > _MAX_JOINED_LENGTH:
        return (None,)
    numbers = tuple(number for part in _BETWEEN_TOKENS.split(text) for number in _spaced(part))
    return numbers if any(numbers) else (None,)


def _spaced(text: str) -> Iterator[str | None]:
    """The tokens in text without other separators: each a whole group, or several groups. Groups that do not come out even are none."""
    for is_whole, run in groupby(_SEPARATORS.split(text.strip()), key=lambda group: len(group) == TOKEN_DIGITS):
        groups = tuple(run)
        yield from map(token_number, groups) if is_whole else _grouped_numbers(groups)


def _grouped_numbers(groups: Iterable[str]) -> tuple[str | None, ...]:
    numbers: list[str | None] = []
    digits = ""
    for group in groups:
        digits += group
        if len(digits) >= TOKEN_DIGITS:
            numbers.append(token_number(digits))
            digits = ""
    return (None,) if digits or None in numbers else tuple(numbers)  # one group that is missing would make tokens that nobody issued


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
            whole.insert(_place(token, whole, listed=numbers, later=numbers[at:]), token)  # it is not among the others yet
    return tuple(whole)


def _place(token: StsToken, whole: Sequence[StsToken], *, listed: Sequence[str], later: Sequence[str]) -> int:
    """Where a new token goes among the others, of which some are listed with it, and some of those later than it."""
    if (before := next((at for at, other in enumerate(whole) if other.number in later), None)) is not None:
        return before
    behind = max((at + 1 for at, other in enumerate(whole) if other.number in listed), default=0)
    by_kind = next((at for at, other in enumerate(whole) if _typed(other) > _typed(token)), len(whole))
    return max(behind, by_kind)


def _both(known: StsToken, said: StsToken) -> StsToken:
    """What two lists say of one token: the kind that is no guess, which the last ones may be, and the units that were quoted."""
    kind = min(known.kind, said.kind, key=_guessed)
    units = known.units if said.units is None else said.units
    return structs.replace(said, kind=kind, units=units, beyond=said.beyond or known.beyond)


def _guessed(kind: TokenKind) -> int:
    """How much of a guess a kind is: the last ones may be one, and what newer code calls a token is none."""
    return -1 if is_new_word(TokenKind, kind) else _SUREST_FIRST.index(kind)


_SUREST_FIRST = (TokenKind.KEY_CHANGE, TokenKind.FREE, TokenKind.REFUND, TokenKind.CREDIT, TokenKind.OTHER)


def _typed(token: StsToken) -> int:
    """When a token is typed: key changes first, then free units, then all else, refunds among it."""
    return {TokenKind.KEY_CHANGE: 0, TokenKind.FREE: 1}.get(token.kind, 2)
