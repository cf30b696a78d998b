"""Documents as newer code would write them, made from the types: a new enum or struct is covered by itself.

A level is a place where a record is a map: newer code may have a field there that is not known here. A word is a place where it holds
a member of an enum, of which newer code may have others.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from msgspec import structs

from shared.domain.clock import business_day
from shared.domain.identifiers import Caller, transaction_id
from shared.domain.money import Money
from shared.domain.outcome import Outcome, Rejected, Unknown, Vended
from shared.domain.prevend import Prevend
from shared.domain.transaction import Open, State, Transaction, shard_of
from shared.domain.vas import Mode, Order, VasType
from shared.lib.value import Value
from shared.store.database import Write
from shared.store.firestore import SALES, FirestoreStore
from shared.store.sqlite import _INSERT, SqliteStore, _json, _sortable
from shared.store.transaction_documents import prevend_document, transaction_document

NOON: Final = datetime(2026, 5, 1, 10, tzinfo=UTC)
DAY: Final = date(2026, 5, 1)
METER: Final = "12345678901"
TOKEN: Final = "00000000000012345678"
FIELD: Final = "loyalty_points"
POINTS: Final = {"earned": 5, "rate": 2.5, "by": ["shop", None, {"until": "2030"}], "is it": True}
WORD: Final = "brand_new"
CALLER: Final = Caller("https://issuer.example", "user-1")

Path = tuple[str | int, ...]
LEAVES: Final = {
    str: "text",
    bool: True,
    int: 3,
    bytes: b"\x00\xff",
    datetime: NOON,
    date: DAY,
    Decimal: Decimal("29.70"),
    Money: Money(10_000),
}
ENDS: Final = {State.VENDED: Vended, State.REJECTED: Rejected, State.IN_DOUBT: Unknown, State.VENDING: NoneType}


class Place(NamedTuple):
    """Where a document holds a map (`word` is `None`), or a member of an enum."""

    path: Path
    word: type[StrEnum] | None = None

    def __str__(self) -> str:
        return ".".join(map(str, self.path)) or "top"


def filled(hint: Any) -> Any:
    """A value of that type in which nothing is left out."""
    if hint in LEAVES:
        return LEAVES[hint]
    if get_origin(hint) is tuple:
        return (filled(get_args(hint)[0]),)
    if isinstance(hint, UnionType):
        return filled(next(kind for kind in get_args(hint) if kind is not NoneType))
    if issubclass(hint, StrEnum):
        return next(iter(hint))
    hints = get_type_hints(hint)
    made = {name: filled(hints[name]) for name in hint.__struct_fields__ if name not in ("beyond", "revision", "number")}
    return hint(**made, **({"number": TOKEN} if "number" in hint.__struct_fields__ else {}))


def filled_sale(
    state: State, key: str = "key-1", *, mode: Mode = Mode.LIVE, caller: Caller = CALLER, at: datetime = NOON, **changed: Any
) -> Transaction:
    """A sale in that state in which nothing is left out: open, and due."""
    outcome: type[Outcome | None] = ENDS[state]
    sale_id = transaction_id(mode, caller, key)
    order = Order(
        vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="electricity", meter_number="12345678901", reference="r"
    )
    sale: Transaction = structs.replace(
        filled(Transaction),
        id=sale_id,
        mode=mode,
        caller=caller,
        idempotency_key=key,
        order=order,
        request_id=f"3f1d6c1e-2b4f-4f0a-8a53-{sale_id[:12]}",
        state=state,
        outcome=None if outcome is NoneType else filled(outcome),
        open=Open(shard_of(sale_id, mode), at, "account"),
        created_at=at,
        updated_at=at,
        day=business_day(at),
    )
    return structs.replace(sale, **changed)


def places(hint: Any, stored: Any, path: Path = ()) -> Iterator[Place]:
    """Every level and word of what is stored of a type."""
    if get_origin(hint) is tuple:
        for at, item in enumerate(stored):
            yield from places(get_args(hint)[0], item, (*path, at))
    elif isinstance(hint, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        named = {kind.__name__.lower(): kind for kind in kinds}
        yield from places(named[stored["type"]] if len(kinds) > 1 else kinds[0], stored, path)
    elif hint not in LEAVES and issubclass(hint, StrEnum):
        yield Place(path, hint)
    elif hint not in LEAVES and issubclass(hint, Value):
        yield Place(path)
        hints = get_type_hints(hint)
        for name, item in stored.items():
            if name in hint.__struct_fields__:
                yield from places(hints[name], item, (*path, name))


def places_of(document: dict[str, Any], kind: type[Value] = Transaction) -> list[Place]:
    """All of a sale's document, or of a prevend's: beside the record too."""
    beside = [Place(()), *([Place(("open",))] if "open" in document else [])]
    return [*beside, *places(kind, document["record"], ("record",))]


def at(document: Any, path: Path) -> Any:
    """What a document holds at a place."""
    for step in path:
        document = document[step]
    return document


def written(document: dict[str, Any], place: Place) -> dict[str, Any]:
    """The document, as newer code would have written it: with a further field there, or with another word."""
    newer = deepcopy(document)
    if place.word is None:
        at(newer, place.path)[FIELD] = deepcopy(POINTS)
    else:
        *above, name = place.path
        at(newer, tuple(above))[name] = WORD
    return newer


def kept(document: dict[str, Any], place: Place) -> bool:
    """Whether a document still holds there what newer code has written, to the letter."""
    found = at(document, place.path)
    return bool(found == WORD if place.word is not None else found[FIELD] == POINTS)


def decides(place: Place) -> bool:
    """Whether what newer code writes there decides about the sale: then nobody here can read what became of it."""
    return place.word in (State, Mode) and place.path[:-1] == ("record",)


DOCUMENTS: Final = {state: transaction_document(filled_sale(state)) for state in State}
PREVEND: Final = prevend_document(filled(Prevend))
OF_SALES: Final = [(state, place) for state, document in DOCUMENTS.items() for place in places_of(document)]
OF_PREVENDS: Final = places_of(PREVEND, Prevend)


Stores = FirestoreStore | SqliteStore


async def put(store: Stores, document: dict[str, Any]) -> str:
    """Put the document of a sale on record as it is, whoever wrote it; its id."""
    sale_id: str = document["record"]["id"]
    if isinstance(store, FirestoreStore):
        await store._database.commit(Write(SALES, sale_id, document))
        return sale_id
    place = document.get("open") or {}
    row = {
        "id": sale_id,
        "document": _json(document),
        "day_shard": document["dayShard"],
        "caller_day": document["callerDay"],
        "open_shard": place.get("shard"),
        "open_due_at": place.get("dueAt") and _sortable(place["dueAt"]),
        "open_account": place.get("account"),
    }
    keys = [(key, _sortable(document["createdAt"]), sale_id) for key in document["keys"]]

    def write(sqlite: Any) -> None:
        sqlite.execute(_INSERT, row)
        sqlite.executemany("INSERT INTO transaction_keys (key, created_at, id) VALUES (?, ?, ?)", keys)

    await store._connection.commit(write)
    return sale_id


async def on_record(store: Stores, document_id: str, collection: str = SALES) -> dict[str, Any]:
    """The document of a sale, or of a prevend, as it is on record."""
    if isinstance(store, FirestoreStore):
        found = await store._database.get(collection, document_id)
        assert found is not None
        return found.document
    rows = await store._connection.read(f"SELECT document FROM {collection} WHERE id = ?", document_id)
    document: dict[str, Any] = json.loads(rows[0][0])
    return document


async def put_back(store: Stores, document_id: str, document: Any, collection: str = SALES) -> None:
    """Write a document over the one that is on record; text that is no document, as far as the store takes it."""
    if isinstance(store, FirestoreStore):
        await store._database.commit(Write(collection, document_id, document if isinstance(document, dict) else {"record": document}))
        return
    text = document if isinstance(document, str) else _json(document)
    statement = f"UPDATE {collection} SET document = ? WHERE id = ?"
    await store._connection.commit(lambda sqlite: sqlite.execute(statement, (text, document_id)))
