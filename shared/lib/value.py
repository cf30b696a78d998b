"""Values: what is known, made once, never changed, and cheap to make and to copy."""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

from msgspec import Struct

Word = TypeVar("Word", bound=StrEnum)


class Value(Struct, frozen=True):
    """A frozen value of named fields, with `msgspec.structs.replace` for a copy of it that differs.

    A `Struct`, because a sale makes a hundred of them: to make a frozen dataclass takes ten times as long, to copy a wide one
    forty times, and its class takes 0.4 ms of every start. `_hidden` names the fields that no `repr` may show: bearer value,
    personal data, and the supplier's words.
    """

    _hidden: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in self._hidden and name != "beyond")
        return f"{type(self).__name__}({', '.join(shown)})"

    __rich_repr__ = None  # type: ignore[assignment]  # a Struct's own would show `rich` every field


class Kept(Value, frozen=True, kw_only=True):
    """A part of a record that may be written again, perhaps by code that is older than the record.

    `beyond` holds, as they are stored, the fields that newer code has written and this code does not know: they go where the value
    goes, are written back, and are shown by nothing.
    """

    beyond: Mapping[str, Any] | None = None

    def __hash__(self) -> int:
        """By what this code knows: the rest cannot be hashed."""
        return hash(tuple([getattr(self, name) for name in self.__struct_fields__ if name != "beyond"]))


def new_word(kind: type[Word], text: str) -> Word:
    """A member of an enum that newer code has and this code has not: it is text of its kind, and equals none of the others.

    Raises:
        ValueError: `text` is a member that this code knows.
        TypeError: it is no text.
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
    """The member of an enum that a record holds, which newer code may have and this code has not.

    Raises:
        TypeError: it is no text.
    """
    return new_word(kind, text) if is_new_word(kind, text) else kind(text)


def is_new_word(kind: type[StrEnum], word: str) -> bool:
    """Whether newer code has this member of an enum, and this code has not."""
    return word not in kind._value2member_map_


class Record(Value, frozen=True, kw_only=True):
    """A value that a store keeps. `revision` is the store's mark of the version read: no part of the record, and not compared."""

    _hidden = frozenset({"revision"})

    revision: str | None = None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__struct_fields__ if name != "revision")

    __hash__ = None  # type: ignore[assignment]  # nothing keeps records by value
