"""STS tokens: the 20 digits that a customer types into a prepaid meter.

Source: IEC 62055-41 (the Standard Transfer Specification). `docs/mobilemart.md` describes the supplier's forms.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import groupby

from msgspec import structs

from shared.lib.value import Kept, is_new_word

TOKEN_DIGITS = 20
SIMULATED_PREFIX = "0" * 12  # of every simulated token, and of no real token of the supplier

_TWENTY_DIGITS = re.compile(r"[0-9]{20}", re.ASCII)
MAX_JOINED = 20  # tokens in one text

_SEPARATORS = re.compile(r"[\s-]+", re.ASCII)
_BETWEEN_TOKENS = re.compile(r"[|,;/]")
_MAX_JOINED_LENGTH = MAX_JOINED * 2 * TOKEN_DIGITS


class TokenKind(StrEnum):
    """The effect of a token on the meter."""

    KEY_CHANGE = "key_change"  # typed first, in order, or the meter refuses the credit token
    FREE = "free"  # free basic electricity: zero rand
    CREDIT = "credit"
    REFUND = "refund"  # credit that the utility returns
    OTHER = "other"  # the supplier named a kind that this code does not know


class StsToken(Kept, frozen=True):
    """One token. Bearer value: a reader of `number` can spend it. `repr` never shows the number.

    `units` is in kWh (or the receipt's unit), as quoted by the supplier; `None` if the supplier quoted none.
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
    """The 20 digits of a token, which spaces or hyphens may group; `None` for every other text or value."""
    if not isinstance(text, str) or len(text) > 2 * TOKEN_DIGITS:
        return None
    digits = _SEPARATORS.sub("", text)
    return digits if _TWENTY_DIGITS.fullmatch(digits) else None


def joined_numbers(text: object) -> tuple[str | None, ...]:
    """The tokens in one text, in their order; `None` for each part that is no token.

    `|`, `,`, `;`, `/`, blanks or line ends separate several tokens. The groups of one token never count as several tokens.
    """
    if not isinstance(text, str) or len(text) > _MAX_JOINED_LENGTH:
        return (None,)
    numbers = tuple(number for part in _BETWEEN_TOKENS.split(text) for number in _spaced(part))
    return numbers if any(numbers) else (None,)


def _spaced(text: str) -> Iterator[str | None]:
    """The tokens in a text that only blanks and hyphens separate: each a whole group, or several groups of 20 digits together."""
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
    return (None,) if digits or None in numbers else tuple(numbers)  # with one group missing, others would form false tokens


def grouped(number: str) -> str:
    """A token as a printed receipt shows it: groups of four digits."""
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def joined(known: Sequence[StsToken], more: Sequence[StsToken]) -> tuple[StsToken, ...]:
    """Two lists of one sale's tokens as one, in the order of typing. No known number is lost.

    If `more` has all known numbers, its order counts. Otherwise each new token goes before the known tokens that follow it in `more`,
    and behind those that precede it there. A token without such neighbours goes behind all tokens of its kind.
    """
    held = {token.number: token for token in known}
    listed = [_both(held.get(token.number, token), token) for token in more]
    by_number = {token.number: token for token in listed}
    if held.keys() <= by_number.keys():
        return tuple(listed)
    whole = [by_number.get(token.number, token) for token in known]
    numbers = list(by_number)
    for at, token in enumerate(by_number.values()):
        if token.number not in held:
            whole.insert(_place(token, whole, listed=numbers, later=numbers[at:]), token)  # `whole` does not hold the token yet
    return tuple(whole)


def _place(token: StsToken, whole: Sequence[StsToken], *, listed: Sequence[str], later: Sequence[str]) -> int:
    """The position of a new token in `whole`. `listed` are the numbers of its list, and `later` those from the token on."""
    if (before := next((at for at, other in enumerate(whole) if other.number in later), None)) is not None:
        return before
    behind = max((at + 1 for at, other in enumerate(whole) if other.number in listed), default=0)
    by_kind = next((at for at, other in enumerate(whole) if _typed(other) > _typed(token)), len(whole))
    return max(behind, by_kind)


def _both(known: StsToken, listed: StsToken) -> StsToken:
    """One token from two lists: the surer of its two kinds, and the units that a list quotes."""
    kind = min(known.kind, listed.kind, key=_guessed)
    units = known.units if listed.units is None else listed.units
    return structs.replace(listed, kind=kind, units=units, beyond=listed.beyond or known.beyond)


def _guessed(kind: TokenKind) -> int:
    """The rank of a kind by certainty. The last kinds may be guesses; a kind from newer code is no guess, and ranks first."""
    return -1 if is_new_word(TokenKind, kind) else _SUREST_FIRST.index(kind)


_SUREST_FIRST = (TokenKind.KEY_CHANGE, TokenKind.FREE, TokenKind.REFUND, TokenKind.CREDIT, TokenKind.OTHER)


def _typed(token: StsToken) -> int:
    """The rank of a token in the order of typing: key changes first, then free units, then all others with refunds."""
    return {TokenKind.KEY_CHANGE: 0, TokenKind.FREE: 1}.get(token.kind, 2)
