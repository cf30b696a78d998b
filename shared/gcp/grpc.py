"""Channels to Google's services, over TLS with this process's credentials or to an emulator on this machine, and calls on them.

The calls are gRPC's own, with the services' protobuf messages. A generated client takes half as much CPU again for each.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, TypeVar

import google.auth
import grpc.aio
from google.api_core.gapic_v1.routing_header import to_grpc_metadata

FIRST_WAIT_SECONDS: Final = 0.05
MAX_WAIT_SECONDS: Final = 1.0

RETRIED: Final = frozenset(
    {grpc.StatusCode.ABORTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
)

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),  # a page of sales with their raw answers passes gRPC's 4 MB
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),  # a connection that died in silence is noticed
    ("grpc.max_reconnect_backoff_ms", 5_000),  # instead of two minutes, in which every call would fail
)

READ_ONCE_MORE: Final = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN})
"""A channel that is being connected anew, or a proxy on the way, may end a call with these. A read has no effect to be repeated."""

Answered = TypeVar("Answered")


async def channel(transport: Any, emulator: str | None) -> grpc.aio.Channel:
    """A channel for a generated client's asyncio `transport`, which names its host and scopes. `emulator` is `host:port`.

    Raises:
        GoogleAuthError: no credentials were found.
    """
    if emulator is not None:
        return grpc.aio.insecure_channel(emulator, options=CHANNEL_OPTIONS)
    # In a thread: it may read files, and ask the metadata server.
    credentials, _ = await asyncio.to_thread(google.auth.default, scopes=transport.AUTH_SCOPES)
    made: grpc.aio.Channel = transport.create_channel(transport.DEFAULT_HOST, credentials=credentials, options=CHANNEL_OPTIONS)
    return made


class Service:
    """A service on a channel, by its full name. `metadata` goes with every call."""

    def __init__(self, over: grpc.aio.Channel, name: str, *metadata: tuple[str, str]) -> None:
        self._channel = over
        self._name = name
        self._metadata = metadata

    def unary(self, method: str, request: Any, response: Any, **routed_by: str) -> Callable[[Any, float], Awaitable[Any]]:
        """A method with one answer, called with a protobuf request and a timeout in seconds.

        `request` and `response` are the generated types of its messages; `routed_by` is the field by which the service
        routes it, and its value. The call raises `grpc.aio.AioRpcError`.
        """
        return self._called(self._channel.unary_unary, method, request, response, routed_by)

    def stream(self, method: str, request: Any, response: Any, **routed_by: str) -> Callable[[Any, float], Any]:
        """The same with a stream of answers."""
        return self._called(self._channel.unary_stream, method, request, response, routed_by)

    def _called(self, make: Any, method: str, request: Any, response: Any, routed_by: dict[str, str]) -> Callable[[Any, float], Any]:
        call = make(
            f"/{self._name}/{method}",
            request_serializer=request.pb().SerializeToString,
            response_deserializer=response.pb().FromString,
        )
        metadata = grpc.aio.Metadata(*self._metadata, to_grpc_metadata(routed_by))  # made once: of a tuple, each call would make one
        return lambda asked, timeout_seconds: call(asked, timeout=timeout_seconds, metadata=metadata)


async def call_with_retry(
    call: Callable[[float], Awaitable[Answered]],
    seconds: float,
    worth_another_try: Collection[grpc.StatusCode],
    worth_one_more: Collection[grpc.StatusCode] = (),
) -> Answered:
    """What `call` answers within the seconds that it is given, tried again after a wait while it fails with one of these codes.

    A failure with one of the codes of `worth_one_more` is tried again once.

    All tries and waits together take no longer than `seconds`, where each call keeps to its part. A last try that the end of
    the time cuts off has the failure before it as its cause: what a log shows of it tells an outage from a quota.

    Raises:
        AioRpcError: of any other code, or when the time is up.
    """
    clock = asyncio.get_running_loop().time
    ends_at, left_seconds, wait_seconds = clock() + seconds, seconds, FIRST_WAIT_SECONDS
    failure: grpc.aio.AioRpcError | None = None
    while True:
        try:
            return await call(left_seconds)
        except grpc.aio.AioRpcError as error:
            if error.code() not in worth_another_try:
                if error.code() not in worth_one_more:
                    raise error from failure
                worth_one_more = ()
            failure = error
        waited_seconds = wait_seconds * random.uniform(0.5, 1)  # noqa: S311 -- so that not all try again at once
        if clock() + waited_seconds >= ends_at:
            raise failure
        await asyncio.sleep(waited_seconds)
        wait_seconds = min(2 * wait_seconds, MAX_WAIT_SECONDS)
        left_seconds = ends_at - clock()
