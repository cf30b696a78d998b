"""The form of an answer without its values: the paths of its members and the forms of their values. Pure."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from shared.domain.sts_tokens import TOKEN_DIGITS, token_number

MAX_PATHS: Final = 60
MAX_ITEMS: Final = 2_000  # of a list that are read
MAX_DEPTH: Final = 8

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z_]{0,39}", re.ASCII)  # a name from the supplier, not a customer's number
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,18}(?:Z|[+-][0-9]{2}:?[0-9]{2})?", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)
_DECIMAL: Final = re.compile(r"-?[0-9]+[.,][0-9]+", re.ASCII)


def structure(value: object) -> dict[str, str]:
    """Return the form of every member, by its path: the first 60 paths. A list's items share theirs: `tokens[].units`."""
    forms: dict[str, list[str]] = {}
    for path, form in _forms("", value, 0):
        known = forms.setdefault(path, [])
        if form not in known:
            known.append(form)
        if len(forms) == MAX_PATHS:
            break
    return {path: " or ".join(known) for path, known in forms.items()}


def token_paths(value: object) -> list[str]:
    """Return each path in an answer at which 20 digits could be a token, once. An empty path is the value itself."""
    return [path for path, form in structure(value).items() if f"{TOKEN_DIGITS} digits" in form]


def form_of(value: object) -> str:
    """Return the form of one value."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int():
            return "whole number"
        case Decimal():
            return "decimal number"
        case str():
            return _text_form(value)
        case list():
            return f"list of {len(value)}"
        case _:
            return "object" if value else "empty object"


def _forms(path: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    match value:
        case dict() if value and depth < MAX_DEPTH:
            for name, member in value.items():
                shown = name if _NAME.fullmatch(name) else "?"
                yield from _forms(f"{path}.{shown}" if path else shown, member, depth + 1)
        case list() if depth < MAX_DEPTH:
            yield path or "(the answer)", form_of(value)
            for item in value[:MAX_ITEMS]:
                yield from _forms(f"{path}[]", item, depth + 1)
        case _:
            yield path or "(the answer)", form_of(value)


def _text_form(text: str) -> str:
    if not text.strip():
        return "empty text"
    if _GUID.fullmatch(text):
        return "GUID"
    if _TIME.fullmatch(text):
        return "time"
    if _DIGITS.fullmatch(text):
        return f"text of {len(text)} digits"
    if token_number(text) is not None:
        return f"text of {TOKEN_DIGITS} digits in groups"
    return "text of a decimal number" if _DECIMAL.fullmatch(text) else "text"


def members_at(value: object, *names: str) -> Mapping[str, object]:
    """Return the object under these names, one inside the other; an empty one if there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
