"""What a function asks of the world, counted on the wire: between it and the emulators, and at the supplier."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import grpc
from google.cloud.firestore_v1 import types
from google.pubsub_v1 import PublishRequest
from starlette.types import Receive, Scope, Send

from local.supplier import Supplier, serving
from shared.mobilemart.simulator import PLAIN, Behaviour, MemoryLedger, Service, Simulator, SwitchFault
from tests.deployed.processes import Function
from tests.deployed.surroundings import Surroundings
from tests.deployed.wallet import body_of, new_key

ORDER = body_of(PLAIN, Service.UTILITY)
STREAMED = frozenset({"BatchGetDocuments", "RunQuery"})


@dataclass(frozen=True, slots=True)
class Counts:
    """Documents as Firestore charges for them: a read that finds nothing is one too. `rpcs` are all of gRPC's."""

    writes: int = 0
    reads: int = 0
    rpcs: int = 0
    messages: int = 0
    supplier_calls: int = 0
    token_calls: int = 0

    def __sub__(self, before: "Counts") -> "Counts":
        return Counts(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


@dataclass(slots=True)
class Counting:
    """Stands between functions and the world. `firestore` and `pubsub` are what functions are told are the emulators."""

    firestore: str = ""
    pubsub: str = ""
    supplier: str = ""
    simulator: Simulator | None = None
    seen: Counts = field(default_factory=Counts)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **more: int) -> None:
        with self._lock:
            self.seen = replace(self.seen, **{name: getattr(self.seen, name) + count for name, count in more.items()})

    def during(self, act: Callable[[], object]) -> Counts:
        """What was asked of the world while `act` ran."""
        before = self.seen
        act()
        return self.seen - before

    def lose_the_next_sale(self) -> None:
        """The supplier will make it, and its answer will never come."""
        assert self.simulator is not None
        self.simulator.script(SwitchFault("reply-lost", on="purchase"))


class Counted:
    """A deployment whose every call is counted."""

    def __init__(self, surroundings: Surroundings, world: Counting, *functions: str) -> None:
        self.world = world
        self._wallet = surroundings.wallet()
        topic = surroundings.topic()
        addresses = {
            "FIRESTORE_EMULATOR_HOST": world.firestore,
            "PUBSUB_EMULATOR_HOST": world.pubsub,
            "MOBILEMART_API_URL": world.supplier,
        }
        environment = surroundings.live(topic, surroundings.platform.supplier("--unmarked"), **addresses)
        self._functions = {name: surroundings.platform.start(name, environment) for name in functions}

    def warmed(self) -> "Counted":
        """What an instance does once is done: each has its access token, and its catalogue where it needs one."""
        self.prevend()
        self.world.lose_the_next_sale()
        self.buy(status=202)
        self.sweep()
        return self

    def __getitem__(self, name: str) -> Function:
        return self._functions[name].ready()

    def buy(self, body: Mapping[str, object] = ORDER, status: int = 201, key: str = "") -> None:
        answer = self._wallet.buy(self["purchase"], "utility", body, key or new_key())
        assert answer.status_code == status, answer.text

    def prevend(self) -> dict[str, str]:
        answer = self._wallet.confirm(self["prevend"], "utility", ORDER)
        assert answer.status_code == 200, answer.text
        return {"prevendId": answer.json()["prevendId"]}

    def sweep(self) -> None:
        answer = self["reconcile"].http.post("/sweep")
        assert answer.status_code == 200, answer.text


@contextmanager
def counting(firestore: str, pubsub: str, behaviour: Behaviour) -> Iterator[Counting]:
    """A world of the emulators at these addresses, and a supplier that behaves so."""
    counts = Counting()
    counts.simulator = Simulator(MemoryLedger(), behaviour=behaviour, now=lambda: datetime.now(UTC))
    with (
        _relayed(firestore, counts) as counts.firestore,
        _relayed(pubsub, counts) as counts.pubsub,
        _served(_Counted(Supplier(counts.simulator), counts)) as counts.supplier,
    ):
        yield counts


@dataclass(frozen=True, slots=True)
class _Counted:
    """The supplier's switch, whose calls are counted as they come."""

    app: Supplier
    counts: Counting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.counts.add(**{"token_calls" if scope["path"] == "/connect/token" else "supplier_calls": 1})
        await self.app(scope, receive, send)


class _Relay(grpc.GenericRpcHandler):
    """Passes every call on to a channel as it is, and counts it."""

    def __init__(self, channel: grpc.Channel, counts: Counting) -> None:
        self._channel = channel
        self._counts = counts

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        path = details.method
        method = path.rpartition("/")[2]
        metadata = [(name, value) for name, value in details.invocation_metadata if not name.startswith((":", "grpc-", "user-agent"))]

        def unary(request: bytes, context: grpc.ServicerContext) -> bytes:
            self._counts.add(rpcs=1, **_asked(method, request))
            return self._passed(context, lambda: self._channel.unary_unary(path)(request, metadata=metadata))  # type: ignore[no-any-return]

        def stream(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            assert _is_bounded(method, request)
            answers = self._passed(context, lambda: list(self._channel.unary_stream(path)(request, metadata=metadata)))
            self._counts.add(rpcs=1, reads=_documents(method, answers))
            yield from answers

        if method in STREAMED:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)

    def _passed(self, context: grpc.ServicerContext, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())


def _asked(method: str, request: bytes) -> dict[str, int]:
    match method:
        case "Commit":
            return {"writes": len(types.CommitRequest.pb().FromString(request).writes)}
        case "Publish":
            return {"messages": len(PublishRequest.pb().FromString(request).messages)}
        case _:
            raise AssertionError(f"nobody counts a {method}")


def _is_bounded(method: str, request: bytes) -> bool:
    """No query of a sale or a sweep is without a limit."""
    return method != "RunQuery" or types.RunQueryRequest.pb().FromString(request).structured_query.limit.value > 0


def _documents(method: str, answers: list[bytes]) -> int:
    if method == "BatchGetDocuments":
        return len(answers)
    found = sum(types.RunQueryResponse.pb().FromString(answer).HasField("document") for answer in answers)
    return max(1, found)


@contextmanager
def _relayed(address: str, counts: Counting) -> Iterator[str]:
    with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(16) as threads:
        server = grpc.server(threads, handlers=[_Relay(channel, counts)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(grace=None).wait()


@contextmanager
def _served(app: _Counted) -> Iterator[str]:
    """`app` on a port, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = serving(app)
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
