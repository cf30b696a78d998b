"""Values: what is known, made once, never changed, and cheap to make and to copy."""

from typing import ClassVar

from msgspec import Struct


class Value(Struct, frozen=True):
    """A frozen value of named fields, with `msgspec.structs.replace` for a copy of it that differs.

    A `Struct`, because a sale makes a hundred of them: to make a frozen dataclass takes ten times as long, to copy a wide one
    forty times, and its class takes 0.4 ms of every start. `_hidden` names the fields that no `repr` may show: bearer value,
    personal data, and the supplier's words.
    """

    _hidden: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in self._hidden)
        return f"{type(self).__name__}({', '.join(shown)})"

    __rich_repr__ = None  # type: ignore[assignment]  # a Struct's own would show `rich` every field


class Record(Value, frozen=True, kw_only=True):
    """A value that a store keeps. `revision` is the store's mark of the version read: no part of the record, and not compared."""

    _hidden = frozenset({"revision"})

    revision: str | None = None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__struct_fields__ if name != "revision")

    __hash__ = None  # type: ignore[assignment]  # nothing keeps records by value
