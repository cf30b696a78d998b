"""A sale or a prevend as a document, the one form that every store keeps.

A document is made of what Firestore has natively: dicts, lists, text, integers, booleans, bytes and times. What a store
finds by stands at its top, and `record` holds the whole; `docs/firestore.md` describes the layout.

The form of `record` follows from the classes. What is `None` or an empty tuple is not stored; a field that is absent is
`None`, empty, or else the default in code. So a field may be added with a default, and none may be renamed or removed while
records hold it. A field or value that this code does not know is refused: the next write would drop it.
"""

from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache, lru_cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from msgspec import structs

from shared import logs
from shared.identifiers import Caller, caller_id, hashed, one_spelling
from shared.money import Money
from shared.prevend import Prevend
from shared.store import LookupBy, UnreadableRecord
from shared.transaction import SHARDS, Open, Transaction, shard_name, shard_of
from shared.value import Value
from shared.vas import Mode, VasType

PREVEND_KEPT: Final = timedelta(days=1)  # after its expiry: a late purchase is told "expired", not "unknown"

Document = dict[str, Any]

log = logs.logger(__name__)


class _Codec(Value, frozen=True):
    """How the values of one type are stored, and read."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def transaction_document(sale: Transaction) -> Document:
    """The document of a sale. `open` is there only while something is left to do."""
    document: Document = {
        "record": _SALE.encode(sale),
        "dayShard": day_shard(shard_of(sale.id, sale.mode), sale.day),
        "callerDay": caller_day(sale.mode, sale.caller, sale.day.isoformat()),
        "createdAt": _utc(sale.created_at),
        "supplierId": sale.supplier_id,
        "keys": _keys(sale),
    }
    if sale.contradicted_at:
        document["contradictedAt"] = _VERSIONS.encode(sale.contradicted_at)
    if sale.open is not None:
        document["open"] = _open_document(sale.open)
    return document


def transaction_update(before: Transaction, after: Transaction) -> tuple[Document, list[str]]:
    """What `after` changes in the document of `before`, and the paths of all that it changes or removes.

    A sale is copied from step to step, and what was not changed is the same object. What stands beside `record` never changes,
    but for `open`, `contradictedAt`, and `keys`, which follow the outcome.
    """
    changed = {name: item for name in _SALE_FIELDS if (item := getattr(after, name)) is not getattr(before, name)}
    changed["nonce"] = after.nonce  # so that there always is something: no path at all would stand for the whole document
    document: Document = {"record": {name: _SALE_FIELDS[name].encode(item) for name, item in changed.items() if _says_something(item)}}
    paths = [f"record.{name}" for name in changed]
    if "outcome" in changed:
        document["keys"] = _keys(after)
        paths.append("keys")
    if after.contradicted_at is not before.contradicted_at:
        paths.append("contradictedAt")
        if after.contradicted_at:
            document["contradictedAt"] = _VERSIONS.encode(after.contradicted_at)
    if after.open is not before.open:
        paths.append("open")
        if after.open is not None:
            document["open"] = _open_document(after.open)
    return document, paths


def transaction_of(document: Mapping[str, Any], revision: str | None) -> Transaction:
    """The sale that a document holds.

    Raises:
        UnreadableRecord: a newer version of this code wrote it.
    """
    try:
        sale: Transaction = _SALE.decode(document["record"])
        return structs.replace(
            sale,
            open=_open(document.get("open")),
            supplier_id=document.get("supplierId") or sale.supplier_id,
            contradicted_at=_VERSIONS.decode(document.get("contradictedAt") or ()),
            revision=revision,
        )
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise UnreadableRecord("a sale holds what this version does not know") from None  # the cause may quote a token


def readable(documents: Iterable[tuple[str, Mapping[str, Any], str]]) -> list[Transaction]:
    """The sales of (id, document, revision) that can be read. Each other one is reported: it must not keep these waiting."""
    sales = []
    for transaction_id, document, revision in documents:
        try:
            sales.append(transaction_of(document, revision))
        except UnreadableRecord:
            log.critical("record not readable", transaction_id=transaction_id)
    return sales


def prevend_document(prevend: Prevend) -> Document:
    """The document of a prevend. It may be deleted after `expireAt`."""
    return {"record": _PREVEND.encode(prevend), "expireAt": _utc(prevend.expires_at) + PREVEND_KEPT}


def prevend_of(document: Mapping[str, Any], revision: str | None) -> Prevend:
    """The prevend that a document holds.

    Raises:
        UnreadableRecord: a newer version of this code wrote it.
    """
    try:
        prevend: Prevend = _PREVEND.decode(document["record"])
        return structs.replace(prevend, revision=revision)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise UnreadableRecord("a prevend holds what this version does not know") from None


def day_shard(shard: str, day: date) -> str:
    """`live-03-2026-05-01`: what settlement reads a business day by."""
    return f"{shard}-{day.isoformat()}"


def day_shards(mode: Mode, day: date) -> list[str]:
    """All that a business day is read by."""
    return [day_shard(shard_name(mode, number), day) for number in range(SHARDS)]


def caller_day(mode: Mode, caller: Caller, day: str) -> str:
    """What a caller's sales of a business day (`YYYY-MM-DD`) are listed by."""
    return f"{caller_id(mode, caller)}-{day}"


def lookup_key(mode: Mode, by: LookupBy, value: str) -> str:
    """What a sale is looked up by. A hash: whatever the supplier calls its transactions, and in whichever case it spells a GUID."""
    return f"{mode}-{by}-{hashed(one_spelling(value))}"


def vended_key(shard: str, vas_type: VasType) -> str:
    """What finds the vended sales of a service. In shards: one key for all would be one hot end of the index."""
    return f"{shard}-vended-{vas_type}"


def _keys(sale: Transaction) -> list[str]:
    keys = [lookup_key(sale.mode, LookupBy.REQUEST_ID, sale.request_id)]
    if sale.order.meter_number is not None:
        keys.append(lookup_key(sale.mode, LookupBy.METER_NUMBER, sale.order.meter_number))
    if sale.receipt is not None and (supplier_id := sale.receipt.supplier_transaction_id) is not None:
        keys.append(lookup_key(sale.mode, LookupBy.SUPPLIER_TRANSACTION_ID, supplier_id))
        keys.append(vended_key(shard_of(sale.id, sale.mode), sale.order.vas_type))
    return keys


def _open_document(place: Open) -> Document:
    return {"shard": place.shard, "dueAt": _utc(place.due_at), "account": place.account}


def _open(document: Mapping[str, Any] | None) -> Open | None:
    return None if document is None else Open(document["shard"], _moment(document["dueAt"]), document["account"])


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment.astimezone(UTC)


def _moment(stored: datetime | str) -> datetime:
    """Text in what was JSON meanwhile."""
    return stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)


def _body(stored: bytes | str) -> bytes:
    """Base64 in what was JSON meanwhile."""
    return stored if isinstance(stored, bytes) else b64decode(stored, validate=True)


def _text(text: str) -> str:
    """As UTF-8 can hold it: a lone surrogate, which JSON can smuggle in, becomes its escape, and the commit succeeds."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _integer(number: int) -> int | str:
    """Text where it is beyond 64 bits, which is the most that Firestore has."""
    return number if -(2**63) <= number < 2**63 else str(number)


def _as_it_is(value: Any) -> Any:
    return value


_LEAVES: Final[Mapping[Any, _Codec]] = MappingProxyType(
    {
        str: _Codec(_text, _as_it_is),
        bool: _Codec(_as_it_is, _as_it_is),
        int: _Codec(_integer, int),
        bytes: _Codec(_as_it_is, _body),
        datetime: _Codec(_utc, _moment),
        date: _Codec(date.isoformat, lru_cache(64)(date.fromisoformat)),  # a million sales of one day have one day in memory
        Decimal: _Codec(str, Decimal),
        Money: _Codec(lambda money: money.cents, Money),
    }
)


_hints: Final = cache(get_type_hints)  # these and the codecs are made once a start: a caller waits for them


@cache
def _codec(hint: Any) -> _Codec:
    """The codec of a field's type. `None` never reaches it."""
    if hint in _LEAVES:
        return _LEAVES[hint]
    if get_origin(hint) is tuple:  # of any length, all of one type
        return _sequence(_codec(get_args(hint)[0]))
    if isinstance(hint, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        return _codec(kinds[0]) if len(kinds) == 1 else _one_of(kinds)
    if issubclass(hint, Enum):
        return _Codec(lambda member: member.value, hint)
    return _record(hint)


def _sequence(item: _Codec) -> _Codec:
    encode, decode = item.encode, item.decode
    return _Codec(lambda items: [encode(each) for each in items], lambda stored: tuple(decode(each) for each in stored))


def _one_of(kinds: list[type]) -> _Codec:
    """One of several kinds of value, told apart by `type`."""
    named = {kind.__name__.lower(): _codec(kind) for kind in kinds}
    names = {kind: kind.__name__.lower() for kind in kinds}

    def encode(value: Any) -> Document:
        name = names[type(value)]
        return {"type": name, **named[name].encode(value)}

    def decode(stored: Document) -> Any:
        return named[stored["type"]].decode({name: value for name, value in stored.items() if name != "type"})

    return _Codec(encode, decode)


def _record(kind: type[Value], *, without: frozenset[str] = frozenset()) -> _Codec:
    """A `Value` as a dict of those of its fields that say something. The fields `without` are read as their defaults."""
    hints = _hints(kind)
    codecs = _fields(kind, without)
    encoders = tuple((name, codec.encode) for name, codec in codecs.items())
    decoders = {name: codec.decode for name, codec in codecs.items()}
    absent: Document = {name: () if get_origin(hints[name]) is tuple else None for name in codecs if _may_be_absent(hints[name])}

    def encode(value: Any) -> Document:
        document: Document = {}
        for name, encode_field in encoders:
            item = getattr(value, name)
            if _says_something(item):
                document[name] = encode_field(item)
        return document

    def decode(stored: Document) -> Any:
        found = {name: decoders[name](item) for name, item in stored.items()}  # KeyError: a field that we do not know
        return kind(**(absent | found))

    return _Codec(encode, decode)


def _fields(kind: type[Value], without: frozenset[str]) -> dict[str, _Codec]:
    hints = _hints(kind)
    return {name: _codec(hints[name]) for name in kind.__struct_fields__ if name not in without}


def _says_something(item: object) -> bool:
    return item is not None and item != ()


def _may_be_absent(hint: Any) -> bool:
    return get_origin(hint) is tuple or NoneType in get_args(hint)


_BESIDE_THE_RECORD: Final = frozenset({"open", "revision", "supplier_id", "contradicted_at"})
_VERSIONS: Final = _codec(tuple[int, ...])
_SALE: Final = _record(Transaction, without=_BESIDE_THE_RECORD)
_SALE_FIELDS: Final = _fields(Transaction, _BESIDE_THE_RECORD)
_PREVEND: Final = _record(Prevend, without=frozenset({"revision"}))

SETTLED_BY: Final = (*(f"record.{name}" for name in _SALE_FIELDS if name not in {"history", "answers"}), "supplierId")
"""The paths of what settlement reads: a sale without its bulk, which is its history and the raw answers."""
