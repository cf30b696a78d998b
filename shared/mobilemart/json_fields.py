"""Reads the supplier's JSON: hostile JSON in, storable values or `None` out. No function raises. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final, NoReturn

from shared.domain.money import MAX_DIGITS, Money, money_from_rand

MAX_ID_LENGTH: Final = 100
MAX_TEXT_LENGTH: Final = 300

_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_REPLACED: Final = "\ufffd"  # replaces bytes that were not UTF-8
_BYTE_ORDER_MARK: Final = "\ufeff"
_ZEROS: Final = "0-{}"  # an empty GUID consists of these, in every form


def json_value(body: bytes) -> object:
    """Decode the JSON in `body`, fractions as `Decimal`. `None` if it is no JSON, nests too deep, or repeats a key.

    A byte that is not UTF-8 becomes U+FFFD: one bad letter in a customer's name must not cost the token beside it.
    """
    try:
        return _decoded(body.decode("utf-8", "replace").removeprefix(_BYTE_ORDER_MARK))
    except (ValueError, ArithmeticError, RecursionError, MemoryError):
        return None


def members(value: object) -> Mapping[str, object]:
    """Return a JSON object's members; none for any other value."""
    return value if isinstance(value, dict) else {}


def leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value that is no object and no list, with the name of its nearest member. Any depth is read."""
    left = [(name, value)]
    while left:
        nearest, one = left.pop()
        if isinstance(one, dict):
            left += one.items()
        elif isinstance(one, list):
            left += ((nearest, inner) for inner in one)
        else:
            yield nearest, one


def text(value: object, longest: int = MAX_TEXT_LENGTH) -> str | None:
    """Return text for people, cut to `longest` characters; `None` if it is empty or no store could hold it."""
    if not isinstance(value, str):
        return None
    kept = value.strip()[:longest].rstrip()
    return kept if kept and _is_storable(kept) else None


def exact(value: object, longest: int = MAX_ID_LENGTH) -> str | None:
    """Return an identifier, serial number or PIN as a whole, or `None`. It is never cut, and no letter is replaced."""
    if not isinstance(value, str) or len(value) > longest or _REPLACED in value:
        return None
    return text(value, longest)


def given_id(value: object) -> str | None:
    """Return the supplier's id, as `exact` does. An id of zeros counts as none: .NET writes a missing id so."""
    found = exact(value)
    return found if found is not None and found.strip(_ZEROS) else None


def number(value: object) -> Decimal | None:
    """Read a JSON number, or decimal text, with at most 15 digits on either side of the point."""
    if isinstance(value, str):
        return Decimal(value.strip()) if len(value) <= 2 * MAX_DIGITS and _DECIMAL.fullmatch(value.strip()) else None
    if type(value) is not int and not isinstance(value, Decimal):
        return None
    plain = Decimal(value)
    exponent = plain.as_tuple().exponent
    return plain if isinstance(exponent, int) and exponent >= -MAX_DIGITS and plain.adjusted() < MAX_DIGITS else None


def rand(value: object) -> Money | None:
    """Read an amount in rand, as a number or decimal text; `None` if it is neither, or finer than a cent."""
    exact_rand = number(value)
    try:
        return None if exact_rand is None else money_from_rand(exact_rand)
    except ValueError:
        return None


def first_text(*values: object, longest: int = MAX_TEXT_LENGTH) -> str | None:
    """Return the first of `values` that is text."""
    return next((found for value in values if (found := text(value, longest)) is not None), None)


def _is_storable(kept: str) -> bool:
    if "\x00" in kept:
        return False
    if kept.isascii():
        return True
    try:
        kept.encode()  # a lone surrogate, which JSON can spell, has no encoding
    except UnicodeEncodeError:
        return False
    return True


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise ValueError("a key appears twice")  # of two amounts or two codes neither can be trusted
    return named


_decoded: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_refused, object_pairs_hook=_unambiguous).decode  # built once
