"""A sale or a prevend as a document, the one form that every store keeps.

A document is made of what Firestore has natively: dicts, lists, text, integers, booleans, bytes and times. What a store
finds by stands at its top, and `record` holds the whole; `docs/firestore.md` describes the layout, `codec.py` how values are kept.

Of a document that is on record, only what has changed is written. All else in it stays, also what this code does not know.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from contextlib import suppress
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
from shared.lib.times import MALFORMED, moment_of
from shared.lib.value import is_new_word
from shared.ports.documents import UnreadableRecord
from shared.ports.transactions import LookupBy, Place, Placed, SaleRetired
from shared.store.codec import DocumentBody, codec, field_codecs, meet, record_codec, required_fields, unknown, utc

PREVEND_KEPT: Final = timedelta(days=1)  # after its expiry: a late purchase is told "expired", not "unknown"
MAX_NAMED: Final = 1_000  # sales that one process names although it can read them: after a roll back it may be every one

log = logs.logger(__name__)


def transaction_document(sale: Transaction) -> DocumentBody:
    """The document of a sale. `open` is there only while something is left to do."""
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
    """What `after` changes in the document of `before`, and the paths of all that it changes or removes.

    A sale is copied from step to step, and what was not changed is the same object. What stands beside `record` never changes,
    but for `open`, `contradictedAt`, `erasedAt`, and `keys`, which follow the outcome: those that are not there yet are added to the
    others. Those of numbers that are erased are taken away (`lost_keys`).
    """
    changed = {name: item for name in _SALE_FIELDS if (item := getattr(after, name)) is not getattr(before, name)}
    changed["nonce"] = after.nonce  # so that there always is something: no path at all would stand for the whole document
    said = {name: item for name, item in changed.items() if item is not None and item != ()}
    document: DocumentBody = {"record": {name: _SALE_FIELDS[name].encode(item) for name, item in said.items()}}
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
    """The keys that a sale no longer has: those of its numbers, once they are erased."""
    return [] if after.order is before.order else [key for key in _number_keys(before) if key not in _number_keys(after)]


def tombstone_document(tombstone: Tombstone) -> DocumentBody:
    """The document of a sale that is retired. It has no `record`: older code refuses it, and sells nothing under its key."""
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
    """The sale that a document holds.

    Raises:
        UnreadableRecord: newer code wrote what decides about the sale, or the document is damaged.
        SaleRetired: the sale is retired.
    """
    return _whole(_read(None, document, revision))


def sale_of(document_id: str, document: Mapping[str, Any], revision: str) -> Transaction | Unread | Tombstone:
    """The sale that a document holds, as far as it can be read. What is not known of it is reported, with its id."""
    sale = _read(document_id, document, revision)
    if isinstance(sale, Unread):
        log.critical("record not readable", transaction_id=document_id, unknown=sale.unknown)
    elif (names := unknown()) and len(_NAMED) < MAX_NAMED and document_id not in _NAMED:
        _NAMED.add(document_id)
        log.warning("record not readable", transaction_id=document_id, unknown=names, in_part=True)
    return sale


def readable_sale(document_id: str, document: Mapping[str, Any], revision: str) -> Transaction:
    """The same sale, which has to be one that can be read.

    Raises:
        UnreadableRecord: it is none.
        SaleRetired: it is retired.
    """
    return _whole(sale_of(document_id, document, revision))


def readable(documents: Iterable[tuple[str, Mapping[str, Any], str]]) -> list[Transaction]:
    """The sales of (id, document, revision) that can be read. Each other one is reported: it must not keep these waiting."""
    return [sale for one in documents if isinstance(sale := sale_of(*one), Transaction)]


def unretired(documents: Iterable[tuple[str, Mapping[str, Any], str]]) -> list[Transaction | Unread]:
    """The sales of a list in which no retired one stands."""
    return [sale for one in documents if not isinstance(sale := sale_of(*one), Tombstone)]


def placed(documents: Iterable[tuple[str, tuple[str, Mapping[str, Any], str]]]) -> list[Placed]:
    """The sales of a list, each with its place, of (day and shard, document): of one that cannot be read, too."""
    found = [(_place(shard[-len("2026-05-01") :], one[0]), sale_of(*one)) for shard, one in documents]
    return [(place, sale) for place, sale in found if not isinstance(sale, Tombstone)]


def _place(day: str, sale_id: str) -> Place:
    """A sale's place. One of a day that is not in the calendar has its place before all sales of the day that comes after."""
    with suppress(ValueError):
        if (found := date.fromisoformat(day)).isoformat() == day:
            return found, sale_id
    days = range(date.min.toordinal(), date.max.toordinal())
    return date.fromordinal(days.start + bisect_right(days, day, key=lambda number: date.fromordinal(number).isoformat())), "0"


def prevend_document(prevend: Prevend) -> DocumentBody:
    """The document of a prevend. It may be deleted after `expireAt`."""
    return {"record": _PREVEND.encode(prevend), "expireAt": utc(prevend.expires_at) + PREVEND_KEPT}


def prevend_update(used_by: str) -> tuple[DocumentBody, list[str]]:
    """What its purchase changes in the document of a prevend, and the path of that."""
    return {"record": {"used_by": used_by}}, ["record.used_by"]


def prevend_of(document: Mapping[str, Any], revision: str | None) -> Prevend:
    """The prevend that a document holds.

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
    """The same, reported where it cannot be read."""
    try:
        return prevend_of(document, revision)
    except UnreadableRecord:
        log.critical("record not readable", prevend_id=document_id)
        raise


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
    keys = [lookup_key(sale.mode, LookupBy.REQUEST_ID, sale.request_id), *_number_keys(sale)]
    if sale.receipt is not None and (supplier_id := sale.receipt.supplier_transaction_id) is not None:
        keys.append(lookup_key(sale.mode, LookupBy.SUPPLIER_TRANSACTION_ID, supplier_id))
        keys.append(vended_key(shard_of(sale.id, sale.mode), sale.order.vas_type))
    return keys


def _number_keys(sale: Transaction) -> list[str]:
    """By the number that it went to, so that a person's data can be found, and erased."""
    order = sale.order
    numbers = (
        (LookupBy.METER_NUMBER, order.meter_number),
        (LookupBy.ACCOUNT_NUMBER, order.account_number),
        (LookupBy.MOBILE_NUMBER, order.mobile_number),
    )
    return [lookup_key(sale.mode, by, number) for by, number in numbers if number is not None]


def _open_document(place: Open) -> DocumentBody:
    said = {"shard": place.shard, "dueAt": utc(place.due_at), "account": place.account}
    return said if place.beyond is None else {**place.beyond, **said}


def _open(stored: Mapping[str, Any] | None) -> Open | None:
    """A sale's place in the indexes."""
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
    """The sale that a document holds, which has to be the one of that id, where it is given."""
    unknown()  # was met in another document, whose reader did not ask
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
    """Whether its state is one that we know, with an outcome that belongs to it."""
    if is_new_word(State, sale.state) or is_new_word(Mode, sale.mode):
        return False
    ended = {State.VENDED: Vended, State.REJECTED: Rejected}.get(sale.state)
    return not isinstance(sale.outcome, Vended | Rejected) if ended is None else isinstance(sale.outcome, ended)


def _unread(document_id: str, document: Mapping[str, Any]) -> Unread:
    """What can be read of a sale that cannot be read whole, each part by itself."""
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
        unknown=unknown() or ("outcome",),  # each part can be read, and together they make no sense
        record=stored,
        supplier_transaction_id=_supplier_id(stored.get("outcome")),
        **{name: read[name] for name in _OF_UNREAD if name in read},
    )


def _supplier_id(outcome: object) -> str | None:
    """The supplier's id in an outcome, whatever that is."""
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
"""What stands beside `record`, and its field: the last release refuses a record that holds a field more, and passes over these."""
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
"""The paths of what settlement reads: a sale without its bulk, which is its history and the raw answers."""
