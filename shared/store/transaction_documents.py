"""A sale or a prevend as a document, the one form in every store.

A document consists of Firestore's native types: dicts, lists, text, integers, booleans, bytes and times. Index fields are at the
top, and `record` holds the whole value. `docs/firestore.md` describes the layout, and `codec.py` the form of values.

An update writes only the changed fields of a document. All others stay, also those that this code does not know.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from msgspec import structs

from shared.domain.identifiers import Caller, caller_id, hashed, one_spelling
from shared.domain.outcome import Rejected, Vended
from shared.domain.prevend import Prevend
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import SHARDS, Open, State, Transaction, shard_name, shard_of
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.lib import logs
from shared.lib.times import MALFORMED, calendar_day, moment_of
from shared.lib.value import is_new_word
from shared.ports.documents import UnreadableRecord
from shared.ports.transactions import LookupBy, Place, Placed, SaleRetired
from shared.store.codec import DocumentBody, codec, field_codecs, meet, record_codec, required_fields, unknown, utc

PREVEND_KEPT: Final = timedelta(days=1)  # after its expiry: the answer to a late purchase is "expired", not "unknown"
MAX_NAMED: Final = 1_000  # readable sales with unknown fields that one process logs: after a rollback every sale may be one

log = logs.logger(__name__)


def transaction_document(sale: Transaction) -> DocumentBody:
    """The document of a sale. It has `open` only while work is left."""
    document: DocumentBody = {
        "record": _SALE.encode(sale),
        "dayShard": day_shard(shard_of(sale.id, sale.mode), sale.day),
        "callerDay": caller_day(sale.mode, sale.caller, sale.day.isoformat()),
        "createdAt": utc(sale.created_at),
        "keys": _keys(sale),
        **{name: kept.encode(item) for name, (of, kept) in _BESIDE.items() if (item := getattr(sale, of))},
    }
    if sale.open is not None:
        document["open"] = _open_document(sale.open)
    return document


def transaction_update(before: Transaction, after: Transaction) -> tuple[DocumentBody, list[str]]:
    """The fields that `after` changes in the document of `before`, and the paths of all fields that it changes or removes.

    Each step copies a sale, and an unchanged field is the same object. Beside `record` only `open`, `contradictedAt`, `erasedAt` and
    `keys` change. `keys` follow the outcome: missing keys are added to the others.
    Keys of erased numbers are removed (`lost_keys`).
    """
    changed = {name: item for name in _SALE_FIELDS if (item := getattr(after, name)) is not getattr(before, name)}
    changed["nonce"] = after.nonce  # at least one path: a write without paths would replace the whole document
    filled = {name: item for name, item in changed.items() if item is not None and item != ()}
    document: DocumentBody = {"record": {name: _SALE_FIELDS[name].encode(item) for name, item in filled.items()}}
    paths = [f"record.{name}" for name in changed]
    if "outcome" in changed:
        document[KEYS] = _keys(after)
        paths.append(KEYS)
    for name, (of, kept) in _BESIDE.items():
        if (item := getattr(after, of)) is not getattr(before, of):
            paths.append(name)
            if item:
                document[name] = kept.encode(item)
    if after.open is not before.open:
        paths.append("open")
        if after.open is not None:
            document["open"] = _open_document(after.open)
    return document, paths


def lost_keys(before: Transaction, after: Transaction) -> list[str]:
    """The keys that a sale no longer has: those of its erased numbers."""
    return [] if after.order is before.order else [key for key in _number_keys(before) if key not in _number_keys(after)]


def tombstone_document(tombstone: Tombstone) -> DocumentBody:
    """The document of a retired sale. It has no `record`: older code refuses it, and sells nothing under its key."""
    keys = [lookup_key(tombstone.mode, LookupBy.REQUEST_ID, tombstone.request_id)]
    if tombstone.supplier_transaction_id is not None:
        keys.append(lookup_key(tombstone.mode, LookupBy.SUPPLIER_TRANSACTION_ID, tombstone.supplier_transaction_id))
    return {RETIRED: _TOMBSTONE.encode(tombstone), "keys": keys, "createdAt": utc(tombstone.created_at)}


def updated(stored: Mapping[str, Any], update: DocumentBody, paths: Iterable[str]) -> DocumentBody:
    """A document after a `transaction_update` or a `prevend_update`."""
    document = {**stored, "record": {**stored["record"]}}
    for path in paths:
        *above, name = path.split(".")
        old, new = (document["record"], update["record"]) if above else (document, update)
        if path == KEYS:
            held = stored[name] if isinstance(stored.get(name), list) else []
            old[name] = [*held, *(key for key in new[name] if key not in held)]
        elif name in new:
            old[name] = new[name]
        else:
            old.pop(name, None)
    return document


def transaction_of(document: Mapping[str, Any], revision: str | None) -> Transaction:
    """The sale in a document.

    Raises:
        UnreadableRecord: newer code wrote a deciding field that this code does not know, or the document is damaged.
        SaleRetired: the sale is retired.
    """
    return _whole(_read(None, document, revision))


def sale_of(document_id: str, document: Mapping[str, Any], revision: str) -> Transaction | Unread | Tombstone:
    """The sale in a document, or its readable part. Unknown fields and words are logged, with the sale's id."""
    sale = _read(document_id, document, revision)
    if isinstance(sale, Unread):
        log.critical("record not readable", transaction_id=document_id, unknown=sale.unknown)
    elif (names := unknown()) and len(_NAMED) < MAX_NAMED and document_id not in _NAMED:
        _NAMED.add(document_id)
        log.warning("record not readable", transaction_id=document_id, unknown=names, in_part=True)
    return sale


def readable_sale(document_id: str, document: Mapping[str, Any], revision: str) -> Transaction:
    """The sale in a document, which must be readable whole.

    Raises:
        UnreadableRecord: the sale cannot be read whole.
        SaleRetired: the sale is retired.
    """
    return _whole(sale_of(document_id, document, revision))


def readable(documents: Iterable[tuple[str, Mapping[str, Any], str]]) -> list[Transaction]:
    """The readable sales of (id, document, revision). Each unreadable sale is logged, and delays no other sale."""
    return [sale for one in documents if isinstance(sale := sale_of(*one), Transaction)]


def unretired(documents: Iterable[tuple[str, Mapping[str, Any], str]]) -> list[Transaction | Unread]:
    """The sales of a list, without the retired ones."""
    return [sale for one in documents if not isinstance(sale := sale_of(*one), Tombstone)]


def placed(documents: Iterable[tuple[str, tuple[str, Mapping[str, Any], str]]]) -> list[Placed]:
    """The sales of (shard and day, document), each with its place, unreadable sales included."""
    found = [(_place(shard[-len("2026-05-01") :], one[0]), sale_of(*one)) for shard, one in documents]
    return [(place, sale) for place, sale in found if not isinstance(sale, Tombstone)]


def _place(day: str, sale_id: str) -> Place:
    """A sale's place. A day that is not in the calendar gives a place before all sales of the next day in text order."""
    if (found := calendar_day(day)) is not None:
        return found, sale_id
    days = range(date.min.toordinal(), date.max.toordinal())
    return date.fromordinal(days.start + bisect_right(days, day, key=lambda number: date.fromordinal(number).isoformat())), "0"


def prevend_document(prevend: Prevend) -> DocumentBody:
    """The document of a prevend. It may be deleted after `expireAt`."""
    return {"record": _PREVEND.encode(prevend), "expireAt": utc(prevend.expires_at) + PREVEND_KEPT}


def prevend_update(used_by: str) -> tuple[DocumentBody, list[str]]:
    """The field that a purchase changes in its prevend's document, and the field's path."""
    return {"record": {"used_by": used_by}}, ["record.used_by"]


def prevend_of(document: Mapping[str, Any], revision: str | None) -> Prevend:
    """The prevend in a document.

    Raises:
        UnreadableRecord: the document is damaged.
    """
    try:
        prevend: Prevend = _PREVEND.decode(document["record"])
        return structs.replace(prevend, revision=revision)
    except MALFORMED:
        pass
    raise UnreadableRecord("a prevend that this version cannot read")  # without its cause


def readable_prevend(document_id: str, document: Mapping[str, Any], revision: str) -> Prevend:
    """The prevend in a document. An unreadable prevend is logged, with its id.

    Raises:
        UnreadableRecord: the document is damaged.
    """
    try:
        return prevend_of(document, revision)
    except UnreadableRecord:
        log.critical("record not readable", prevend_id=document_id)
        raise


def day_shard(shard: str, day: date) -> str:
    """`live-03-2026-05-01`: the index key by which settlement reads a shard's business day."""
    return f"{shard}-{day.isoformat()}"


def day_shards(mode: Mode, day: date) -> list[str]:
    """The index keys of all shards of a business day."""
    return [day_shard(shard_name(mode, number), day) for number in range(SHARDS)]


def caller_day(mode: Mode, caller: Caller, day: str) -> str:
    """The index key by which a caller's sales of a business day (`YYYY-MM-DD`) are listed."""
    return f"{caller_id(mode, caller)}-{day}"


def lookup_key(mode: Mode, by: LookupBy, value: str) -> str:
    """The index key for a look-up. A hash, which fits any form of the supplier's ids and any spelling of a GUID."""
    return f"{mode}-{by}-{hashed(one_spelling(value))}"


def vended_key(shard: str, vas_type: VasType) -> str:
    """The index key of a service's vended sales in a shard. One key for all shards would be a hot spot of the index."""
    return f"{shard}-vended-{vas_type}"


def _keys(sale: Transaction) -> list[str]:
    keys = [lookup_key(sale.mode, LookupBy.REQUEST_ID, sale.request_id), *_number_keys(sale)]
    if sale.receipt is not None and (supplier_id := sale.receipt.supplier_transaction_id) is not None:
        keys.append(lookup_key(sale.mode, LookupBy.SUPPLIER_TRANSACTION_ID, supplier_id))
        keys.append(vended_key(shard_of(sale.id, sale.mode), sale.order.vas_type))
    return keys


def _number_keys(sale: Transaction) -> list[str]:
    """The keys of the recipient's numbers, by which a person's data can be found and erased."""
    order = sale.order
    numbers = (
        (LookupBy.METER_NUMBER, order.meter_number),
        (LookupBy.ACCOUNT_NUMBER, order.account_number),
        (LookupBy.MOBILE_NUMBER, order.mobile_number),
    )
    return [lookup_key(sale.mode, by, number) for by, number in numbers if number is not None]


def _open_document(place: Open) -> DocumentBody:
    fields = {"shard": place.shard, "dueAt": utc(place.due_at), "account": place.account}
    return fields if place.beyond is None else {**place.beyond, **fields}


def _open(stored: Mapping[str, Any] | None) -> Open | None:
    """A sale's place in the sweep's index."""
    if stored is None:
        return None
    shard, due_at, account = stored["shard"], moment_of(stored["dueAt"]), stored.get("account")
    if type(shard) is not str or not isinstance(account, str | None):
        raise TypeError("not a place")
    beyond = {name: item for name, item in stored.items() if name not in _PLACE} if len(stored) != len(_PLACE) else None
    for name in beyond or {}:
        meet(name)
    return Open(shard, due_at, account, beyond=beyond or None)


def _read(document_id: str | None, document: Mapping[str, Any], revision: str | None) -> Transaction | Unread | Tombstone:
    """The sale in a document, or its readable part. If `document_id` is given, the sale must have the id."""
    unknown()  # clears names from another document, whose reader did not ask
    try:
        if RETIRED in document:
            tombstone: Tombstone = _TOMBSTONE.decode(document[RETIRED])
            return tombstone if document_id in (None, tombstone.id) else _unread(document_id or "", document)
        sale: Transaction = _SALE.decode(document["record"])
        if _is_consistent(sale) and document_id in (None, sale.id):
            beside = {of: kept.decode(document[name]) for name, (of, kept) in _BESIDE.items() if document.get(name)}
            return structs.replace(sale, **beside, open=_open(document.get("open")), revision=revision)
    except MALFORMED:  # it may quote a token
        return _unread(document_id or "", document)
    return _unread(document_id or "", document)


def _whole(sale: Transaction | Unread | Tombstone) -> Transaction:
    if isinstance(sale, Tombstone):
        raise SaleRetired(sale)
    if isinstance(sale, Unread):
        raise UnreadableRecord("a sale that this version cannot read", sale)
    return sale


def _is_consistent(sale: Transaction) -> bool:
    """Whether this code knows the sale's state and mode, and the outcome fits the state."""
    if is_new_word(State, sale.state) or is_new_word(Mode, sale.mode):
        return False
    ended = {State.VENDED: Vended, State.REJECTED: Rejected}.get(sale.state)
    return not isinstance(sale.outcome, Vended | Rejected) if ended is None else isinstance(sale.outcome, ended)


def _unread(document_id: str, document: Mapping[str, Any]) -> Unread:
    """The readable part of a sale that cannot be read whole. Each field is read by itself."""
    record = document.get("record")
    stored: Mapping[str, Any] = record if isinstance(record, Mapping) else {}
    read: dict[str, Any] = {}
    for name, of_field in _SALE_FIELDS.items():
        try:
            read[name] = of_field.decode(stored[name])
        except MALFORMED:
            if name in stored or name in _REQUIRED:
                meet(name)
    return Unread(
        id=document_id,
        unknown=unknown() or ("outcome",),  # each field can be read, and the fields contradict one another
        record=stored,
        supplier_transaction_id=_supplier_id(stored.get("outcome")),
        **{name: read[name] for name in _OF_UNREAD if name in read},
    )


def _supplier_id(outcome: object) -> str | None:
    """The supplier's id in a stored outcome of any form; `None` if there is none."""
    try:
        supplier_id = outcome["receipt"]["supplier_transaction_id"]  # type: ignore[index]
    except MALFORMED:
        return None
    return supplier_id if isinstance(supplier_id, str) else None


_PLACE: Final = frozenset({"shard", "dueAt", "account"})
_NAMED: Final[set[str]] = set()
_BESIDE: Final = {
    "supplierId": ("supplier_id", codec(str)),
    "contradictedAt": ("contradicted_at", codec(tuple[int, ...])),
    "erasedAt": ("erased_at", codec(datetime)),
}
"""The names beside `record`, each with its field. The last release refuses a record with an additional field, and ignores these."""
_NOT_IN_RECORD: Final = frozenset({"open", "revision", *(of for of, _ in _BESIDE.values())})
_SALE: Final = record_codec(Transaction, without=_NOT_IN_RECORD)
_SALE_FIELDS: Final = field_codecs(Transaction, _NOT_IN_RECORD)
_TOMBSTONE: Final = record_codec(Tombstone)
_PREVEND: Final = record_codec(Prevend, without=frozenset({"revision"}))
_REQUIRED: Final = required_fields(Transaction)
_OF_UNREAD: Final = frozenset(Unread.__struct_fields__) & frozenset(_SALE_FIELDS) - {"id"}

KEYS: Final = "keys"
RETIRED: Final = "retired"
SETTLED_BY: Final = (*(f"record.{name}" for name in _SALE_FIELDS if name not in {"history", "answers"}), "supplierId")
"""The paths that settlement reads: all of a sale but its history and its raw answers, which are the bulk."""
