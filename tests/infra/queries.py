"""Every query that the store sends, caught on a socket where Firestore would be."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

import grpc.aio
from google.cloud.firestore_v1 import types
from google.protobuf import json_format

from shared.domain.identifiers import Caller
from shared.domain.vas import Mode, VasType
from shared.ports.documents import DocumentKind
from shared.ports.transactions import LookupBy
from shared.store import firestore
from shared.store.firestore import FirestoreStore
from tests.infra.indexes import Query

CALLER: Final = Caller("https://id.example.com", "wallet")
NOON: Final = datetime(2026, 5, 1, 10, tzinfo=UTC)
DAY: Final = date(2026, 5, 1)
CURSOR: Final = "0" * 32

Ask = Callable[[FirestoreStore], Awaitable[Any]]


async def _drained(stream: AsyncIterator[Any]) -> list[Any]:
    return [each async for each in stream]


def _marked(kind: DocumentKind, store: FirestoreStore) -> Awaitable[Any]:
    return _drained(store.marked_papers(kind, "live-open", "live-2026-05-01"))


# What is asked by fields, by class and method (and collection, where it has several); a cursor adds a start, and needs the same index.
ASKED: Final[Mapping[str, Ask]] = {
    "FirestoreStore.find_open": lambda store: store.find_open("account"),
    "FirestoreStore.of_caller": lambda store: store.of_caller(Mode.LIVE, CALLER, DAY.isoformat(), CURSOR, 10),
    "FirestoreStore.due": lambda store: store.due(Mode.LIVE, 3, NOON, 10),
    "FirestoreStore.of_day": lambda store: _drained(store.of_day(Mode.LIVE, DAY, 3)),
    "FirestoreStore.any_of_day": lambda store: store.any_of_day(Mode.LIVE, DAY),
    "FirestoreStore.up_to_day": lambda store: store.up_to_day(Mode.LIVE, 3, DAY, (DAY, CURSOR), 10),
    "FirestoreStore.lookup": lambda store: store.lookup(Mode.LIVE, LookupBy.METER_NUMBER, "04123456789"),
    "FirestoreStore.vended_lately": lambda store: store.vended_lately(Mode.LIVE, VasType.UTILITY, NOON),
    **{f"FirestoreStore.marked_papers {kind}": partial(_marked, kind) for kind in DocumentKind},
    "FirestoreLedger.starting_with": lambda store: store.ledger.starting_with("vend:"),
}

# What names its documents, and so needs no index.
BY_ID: Final = frozenset(
    {
        *(
            f"FirestoreStore.{name}"
            for name in (
                "open",
                "close",
                "find",
                "find_prevend",
                "create",
                "advance",
                "add_prevend",
                "ledger",
                "read_paper",
                "write_paper",
                "delete_papers",
                "retire",
            )
        ),
        *(f"FirestoreLedger.{name}" for name in ("get", "add", "put")),
    }
)


def methods() -> set[str]:
    """Every public method of the store on Firestore."""
    classes = [each for each in vars(firestore).values() if isinstance(each, type) and each.__module__ == firestore.__name__]
    named = [each for each in classes if each.__name__.startswith("Firestore")]
    return {f"{each.__name__}.{name}" for each in named for name in vars(each) if not name.startswith("_")}


async def sent(ask: Ask) -> list[Query]:
    """The queries that a call of the store sends."""
    async with _recording() as (address, queries):
        store = await FirestoreStore.open("vas", "(default)", timeout_seconds=5, emulator_host=address)
        try:
            await ask(store)
        finally:
            await store.close()
    return queries


async def all_sent() -> list[Query]:
    """The queries of every call."""
    return [query for ask in ASKED.values() for query in await sent(ask)]


@asynccontextmanager
async def _recording() -> AsyncIterator[tuple[str, list[Query]]]:
    """A Firestore that has nothing, and remembers what it was asked."""
    queries: list[Query] = []

    async def run_query(request: Any, _: Any) -> AsyncIterator[Any]:
        queries.append(Query.of(json_format.MessageToDict(types.RunQueryRequest.pb(request).structured_query)))
        yield types.RunQueryResponse()

    handler = grpc.unary_stream_rpc_method_handler(
        run_query, request_deserializer=types.RunQueryRequest.deserialize, response_serializer=types.RunQueryResponse.serialize
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("google.firestore.v1.Firestore", {"RunQuery": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", queries
    finally:
        await server.stop(grace=None)
