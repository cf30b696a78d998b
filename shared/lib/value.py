"""Values: made once, never changed, and cheap to make and to copy."""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

from msgspec import Struct

Word = TypeVar("Word", bound=StrEnum)


class Value(Struct, frozen=True):
    """A frozen value of named fields; `msgspec.structs.replace` makes a changed copy.

    A `Struct`, because one sale makes a hundred values. Making a frozen dataclass takes ten times as long, and copying a wide one
    forty times. The class of a dataclass takes 0.4 ms of every start.

    `_hidden` names the fields that no `repr` may show: bearer values, personal data, and the supplier's words.
    """

    _hidden: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in self._hidden and name != "beyond")
        return f"{type(self).__name__}({', '.join(shown)})"

    __rich_repr__ = None  # type: ignore[assignment]  # a Struct's own method would show every field to `rich`


class Kept(Value, frozen=True, kw_only=True):
    """A part of a record that code older than the record may write again.

    `beyond` holds the fields, as stored, that newer code has written and this code does not know. Each copy of the value carries
    them, each write stores them again, and nothing shows them.
    """

    beyond: Mapping[str, Any] | None = None

    def __hash__(self) -> int:
        """By the fields that this code knows: `beyond` is not hashable."""
        return hash(tuple([getattr(self, name) for name in self.__struct_fields__ if name != "beyond"]))


def new_word(kind: type[Word], text: str) -> Word:
    """A member of an enum that newer code has and this code has not. Its type is `kind`, and it equals no known member.

    Raises:
        ValueError: `text` is a member that this code knows.
        TypeError: `text` is no `str`.
    """
    made: Word = _new_word(kind, text)
    return made


@lru_cache(1024)
def _new_word(kind: type[StrEnum], text: str) -> Any:
    if type(text) is not str:
        raise TypeError(f"a {kind.__name__} is text")
    if not is_new_word(kind, text):
        raise ValueError(f"a {kind.__name__} that is known")
    word = str.__new__(kind, text)
    word._name_ = word._value_ = text
    return word


def word(kind: type[Word], text: str) -> Word:
    """The member of an enum that a record names: a known member, or a new one that only newer code knows.

    Raises:
        TypeError: `text` is no `str`.
    """
    return new_word(kind, text) if is_new_word(kind, text) else kind(text)


def is_new_word(kind: type[StrEnum], word: str) -> bool:
    """Whether a member of an enum is new: newer code has the member, and this code has not."""
    return word not in kind._value2member_map_


class Record(Value, frozen=True, kw_only=True):
    """A value that a store holds. `revision` is the store's mark of the version read: not part of the record, and not compared."""

    _hidden = frozenset({"revision"})

    revision: str | None = None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__struct_fields__ if name != "revision")

    __hash__ = None  # type: ignore[assignment]  # no set or dict holds records by value
