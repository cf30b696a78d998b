"""How each kind of value is stored, and read. Pure.

The form follows from the classes. What is `None` or an empty tuple is not stored; a field that is absent is `None`, empty, or else
the default in code. So a field may be added with a default, and none may be renamed or removed while records hold it.

Newer code may have written what this code does not know. An unknown field goes into its value's `beyond`, an unknown word of an
enum is read as a new word, and both are written back as they were. What is of another type than its field is damaged, and refused.
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

MAX_DIGITS: Final = 100_000  # of a quantity, before its point or behind it: written out, it is text

DocumentBody = dict[str, Any]


class Codec(Value, frozen=True):
    """How the values of one type are stored, and read. Reading raises what is `MALFORMED`."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


_UNKNOWN: Final[set[str]] = set()  # met in the document that is being read: in one go, and in one thread
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z_ -]{0,63}", re.ASCII)


def unknown() -> tuple[str, ...]:
    """The names of the fields and words that were met since this was asked last, and that this code does not know."""
    if not _UNKNOWN:
        return ()
    met = tuple(sorted(_UNKNOWN))
    _UNKNOWN.clear()
    return met


def meet(name: str) -> None:
    """Remember a name that is not known: only one that can be no number, for a log and an operator see it."""
    _UNKNOWN.add(name if _NAME.fullmatch(name) else "?")


def utc(moment: datetime) -> datetime:
    """A time as it is stored."""
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment.astimezone(UTC)


def record_codec(kind: type[Value], *, without: frozenset[str] = frozenset()) -> Codec:
    """A `Value` as a dict of those of its fields that say something. The fields `without` are read as their defaults."""
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
        except (KeyError, TypeError):  # a field that we do not know, or one that says nothing
            found = with_unknown(stored)
        return kind(**(required | found)) if required else kind(**found)

    def with_unknown(stored: DocumentBody) -> DocumentBody:
        said = {name: item for name, item in stored.items() if item is not None or name not in absent}
        found = {name: decoders[name](item) for name, item in said.items() if name in decoders}
        beyond = {name: item for name, item in said.items() if name not in decoders}
        for name in beyond:
            meet(name)
        return {**found, "beyond": beyond} if keeps and beyond else found

    return Codec(encode, decode)


def field_codecs(kind: type[Value], without: frozenset[str]) -> dict[str, Codec]:
    """The codecs of those fields of a `Value` that are stored under their names."""
    hints = _hints(kind)
    return {name: codec(hints[name]) for name in kind.__struct_fields__ if name not in without and name != "beyond"}


def required_fields(kind: type[Value]) -> frozenset[str]:
    """The fields without which there is no such value."""
    hints, defaults = _hints(kind), _defaults(kind)
    return frozenset(name for name in kind.__struct_fields__ if name not in defaults and not _may_be_absent(hints[name]))


def _defaults(kind: type[Value]) -> dict[str, Any]:
    pairs = zip(reversed(kind.__struct_fields__), reversed(kind.__struct_defaults__), strict=False)
    return {name: default for name, default in pairs if default is not NODEFAULT}


_hints: Final = cache(get_type_hints)  # these and the codecs are made once a start: a caller waits for them


@cache
def codec(hint: Any) -> Codec:
    """The codec of a field's type. `None` never reaches it."""
    if hint in _LEAVES:
        return _LEAVES[hint]
    if get_origin(hint) is tuple:  # of any length, all of one type
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
    """One of several kinds of value, told apart by `type`. A kind that is not known cannot be read: nobody here knows what it means."""
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
    """As UTF-8 can hold it: a lone surrogate, which JSON can smuggle in, becomes its escape, and the commit succeeds."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _integer(number: int) -> int | str:
    """Text where it is beyond 64 bits, which is the most that Firestore has."""
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
    """Base64 in what was JSON meanwhile."""
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
