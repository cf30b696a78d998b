"""The forms of the API description that structs are: each struct, and each body that holds structs, as a form of its JSON."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Final, NotRequired, Union, get_args, get_origin, get_type_hints

from msgspec import Struct, UnsetType
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict, is_typeddict

from shared.domain.discrepancy import Discrepancy, OurSide, TheirSide
from shared.domain.statement import Note, Total
from shared.settlement.document_forms import OPTIONAL
from shared.settlement.reporting import ServiceTotals
from shared.settlement.settled_day import Carried, Conservation, NotReadable, ResolvedBySettlement, StillOpen, TokenToRecover

NAMES: Final[Mapping[Any, str]] = MappingProxyType(
    {
        Carried: "CarriedBody",
        Conservation: "ConservationBody",
        Discrepancy: "DifferenceBody",
        Note: "FileNoteBody",
        NotReadable: "NotReadableBody",
        OurSide: "OursBody",
        ResolvedBySettlement: "HealedBody",
        ServiceTotals: "ServiceTotalsBody",
        StillOpen: "StillOpenBody",
        TheirSide: "TheirsBody",
        TokenToRecover: "TokenToRecoverBody",
        Total: "TotalBody",
    }
)
_CHANGED: Final[Mapping[Any, Mapping[str, Any]]] = MappingProxyType(  # where an answer has more than the struct's fields, or another type
    {
        Conservation: {"residue": Total},
        Discrepancy: {"kind": str},
        OurSide: {"amountCents": int},
        TheirSide: {"amountCents": int | UnsetType},
    }
)


@cache
def form_of(kind: Any) -> Any:
    """A struct or a body as a `TypedDict` that holds no struct, for pydantic."""
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        return _typed(kind.__name__, kind.__doc__, {name: _resolved(hint) for name, hint in hints.items()})
    changed = dict(next((_CHANGED[of] for of in kind.__mro__ if of in _CHANGED), {}))
    hints = get_type_hints(kind, include_extras=True)
    fields = {to_camel(name): hints[name] for name in kind.__struct_fields__ if name not in {"beyond", *kind._hidden}} | changed
    if "supplierId" in fields:
        fields = {name: fields[name] for name in sorted(fields, key=_place)}
    members = {name: NotRequired[_resolved(hint)] if _may_lack(kind, name, hint) else _resolved(hint) for name, hint in fields.items()}
    return _typed(NAMES.get(kind, kind.__name__), kind.__doc__.partition("\n\n")[0], members)


def _place(name: str) -> int:
    """Where a row of a sale describes a field: which sale, and who sold it, before the others in their order."""
    return ("transactionId", "supplierId").index(name) if name in ("transactionId", "supplierId") else 2


def _may_lack(kind: Any, name: str, hint: Any) -> bool:
    """Whether an answer may lack a field. Every answer has all of our side, except what is stored only where there is something to say."""
    return name in OPTIONAL if kind is OurSide else UnsetType in get_args(hint)


def _typed(name: str, words: str | None, fields: dict[str, Any]) -> Any:
    made: Any = TypedDict(name, fields)  # type: ignore[misc]
    made.__doc__ = words
    return made


def _resolved(hint: Any) -> Any:
    """The type of a field's JSON. A text that holds a word of an enum is that enum."""
    of, parts = get_origin(hint), get_args(hint)
    if of is Annotated:
        return parts[1]
    if of in (Union, UnionType):
        return Union[tuple(_resolved(part) for part in parts if part is not UnsetType)]  # noqa: UP007 -- its parts are found at run time
    if of is NotRequired:
        return NotRequired[_resolved(parts[0])]
    if of is not None:
        return of[tuple(_resolved(part) for part in parts)]
    if hint in (date, datetime):
        return str
    return form_of(hint) if is_typeddict(hint) or (isinstance(hint, type) and issubclass(hint, Struct)) else hint
