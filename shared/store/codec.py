"""How values of each type are stored and read. Pure.

The stored form follows from the classes. `None` and the empty tuple are not stored. An absent field is `None`, empty, or else the
default in code. A field may therefore be added with a default. No field may be renamed or removed while records hold it.

Newer code may have written fields and words that this code does not know. An unknown field goes into its value's `beyond`, and an
unknown word of an enum becomes a new word. Both are written back unchanged. An item of a wrong type is damaged, and is refused.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache, lru_cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT

from shared.domain.money import Money
from shared.lib.times import EARLIEST_YEAR, LATEST_YEAR, moment_of
from shared.lib.value import Kept, Value, new_word

MAX_DIGITS: Final = 100_000  # of a quantity, before or behind its point: its text must stay short

DocumentBody = dict[str, Any]


class Codec(Value, frozen=True):
    """How the values of one type are stored and read. `decode` may raise the errors of `MALFORMED`."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


_UNKNOWN: Final[set[str]] = set()  # met in the present document: one thread reads it without a pause
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z_ -]{0,63}", re.ASCII)


def unknown() -> tuple[str, ...]:
    """The unknown names of fields and words that were met since the last call."""
    if not _UNKNOWN:
        return ()
    met = tuple(sorted(_UNKNOWN))
    _UNKNOWN.clear()
    return met


def meet(name: str) -> None:
    """Remember an unknown name. A name that could be a number becomes `?`: a log and operators show the names."""
    _UNKNOWN.add(name if _NAME.fullmatch(name) else "?")


def utc(moment: datetime) -> datetime:
    """The stored form of a time.

    Raises:
        ValueError: the time has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment.astimezone(UTC)


def record_codec(kind: type[Value], *, without: frozenset[str] = frozenset()) -> Codec:
    """A `Value` as a dict of its fields that are neither `None` nor empty. The fields `without` are read as their defaults."""
    codecs = field_codecs(kind, without)
    encoders = tuple((name, codec.encode) for name, codec in codecs.items())
    decoders = {name: codec.decode for name, codec in codecs.items()}
    hints = _hints(kind)
    absent: DocumentBody = {name: () if get_origin(hints[name]) is tuple else None for name in codecs if _may_be_absent(hints[name])}
    defaults = _defaults(kind)
    required = {name: nothing for name, nothing in absent.items() if defaults.get(name, NODEFAULT) != nothing}
    keeps = issubclass(kind, Kept)

    def encode(value: Any) -> DocumentBody:
        document: DocumentBody = {}
        for name, encode_field in encoders:
            item = getattr(value, name)
            if item is not None and item != ():
                document[name] = encode_field(item)
        return {**value.beyond, **document} if keeps and value.beyond is not None else document

    def decode(stored: DocumentBody) -> Any:
        try:
            found = {name: decoders[name](item) for name, item in stored.items()}
        except (KeyError, TypeError):  # an unknown field, or a stored `None`
            found = with_unknown(stored)
        return kind(**(required | found)) if required else kind(**found)

    def with_unknown(stored: DocumentBody) -> DocumentBody:
        filled = {name: item for name, item in stored.items() if item is not None or name not in absent}
        found = {name: decoders[name](item) for name, item in filled.items() if name in decoders}
        beyond = {name: item for name, item in filled.items() if name not in decoders}
        for name in beyond:
            meet(name)
        return {**found, "beyond": beyond} if keeps and beyond else found

    return Codec(encode, decode)


def field_codecs(kind: type[Value], without: frozenset[str]) -> dict[str, Codec]:
    """The codecs of the fields of a `Value` that are stored by their names."""
    hints = _hints(kind)
    return {name: codec(hints[name]) for name in kind.__struct_fields__ if name not in without and name != "beyond"}


def required_fields(kind: type[Value]) -> frozenset[str]:
    """The fields that every stored value must have."""
    hints, defaults = _hints(kind), _defaults(kind)
    return frozenset(name for name in kind.__struct_fields__ if name not in defaults and not _may_be_absent(hints[name]))


def _defaults(kind: type[Value]) -> dict[str, Any]:
    pairs = zip(reversed(kind.__struct_fields__), reversed(kind.__struct_defaults__), strict=False)
    return {name: default for name, default in pairs if default is not NODEFAULT}


_hints: Final = cache(get_type_hints)  # hints and codecs are made once a start: a caller waits for them


@cache
def codec(hint: Any) -> Codec:
    """The codec of a field's type. `None` never reaches it."""
    if hint in _LEAVES:
        return _LEAVES[hint]
    if get_origin(hint) is tuple:  # of any length, with items of one type
        return _sequence(codec(get_args(hint)[0]))
    if isinstance(hint, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        return codec(kinds[0]) if len(kinds) == 1 else _one_of(kinds)
    return _word(hint) if issubclass(hint, StrEnum) else record_codec(hint)


def _sequence(item: Codec) -> Codec:
    encode, decode = item.encode, item.decode
    return Codec(lambda items: [encode(each) for each in items], lambda stored: tuple([decode(each) for each in _list(stored)]))


def _word(kind: type[StrEnum]) -> Codec:
    known: dict[str, StrEnum] = {member.value: member for member in kind}

    def decode(stored: str) -> StrEnum:
        try:
            return known[stored]
        except KeyError:
            meet(f"{kind.__name__} {stored}")
            return new_word(kind, stored)

    return Codec(lambda member: member.value, decode)


def _one_of(kinds: list[type]) -> Codec:
    """One of several kinds of value; the stored `type` names the kind. A value of an unknown kind cannot be read."""
    named = {kind.__name__.lower(): codec(kind) for kind in kinds}
    names = {kind: kind.__name__.lower() for kind in kinds}

    def encode(value: Any) -> DocumentBody:
        name = names[type(value)]
        return {"type": name, **named[name].encode(value)}

    def decode(stored: DocumentBody) -> Any:
        return named[stored["type"]].decode({name: value for name, value in stored.items() if name != "type"})

    return Codec(encode, decode)


def _may_be_absent(hint: Any) -> bool:
    return get_origin(hint) is tuple or NoneType in get_args(hint)


def _text(text: str) -> str:
    """A text that UTF-8 can hold: a lone surrogate, which JSON may bring, becomes its escape, and the commit succeeds."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _integer(number: int) -> int | str:
    """The number, or its text beyond 64 bits: a Firestore integer has at most 64."""
    return number if -(2**63) <= number < 2**63 else str(number)


def _as_it_is(value: Any) -> Any:
    return value


def _text_of(stored: str) -> str:
    if type(stored) is str:
        return stored
    raise TypeError("not text")


def _bool_of(stored: bool) -> bool:
    if stored is True or stored is False:
        return stored
    raise TypeError("not a boolean")


def _integer_of(stored: int | str) -> int:
    if type(stored) is int:
        return stored
    return int(_text_of(stored))  # type: ignore[arg-type]


def _body(stored: bytes | str) -> bytes:
    """Stored bytes: `bytes`, or base64 where the store holds JSON."""
    return stored if isinstance(stored, bytes) else b64decode(_text_of(stored), validate=True)


def _decimal(stored: str) -> Decimal:
    number = Decimal(_text_of(stored))
    if number.is_nan() or (number and number.is_finite() and abs(number.adjusted()) > MAX_DIGITS):
        raise ValueError("not a number")
    return number


@lru_cache(64)  # a million sales of one day have one day in memory
def _day(stored: str) -> date:
    day = date.fromisoformat(stored)
    if not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
        raise ValueError("not a day")
    return day


def _list(stored: list[Any]) -> list[Any]:
    if type(stored) is list:
        return stored
    raise TypeError("not a list")


_LEAVES: Final[Mapping[Any, Codec]] = MappingProxyType(
    {
        str: Codec(_text, _text_of),
        bool: Codec(_as_it_is, _bool_of),
        int: Codec(_integer, _integer_of),
        bytes: Codec(_as_it_is, _body),
        datetime: Codec(utc, moment_of),
        date: Codec(date.isoformat, _day),
        Decimal: Codec(str, _decimal),
        Money: Codec(lambda money: money.cents, Money),
    }
)
