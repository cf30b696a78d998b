"""Channels to Google's services, over TLS with this process's credentials or to a local emulator, and calls on them.

The calls are gRPC's own, with the services' protobuf messages. A generated client takes half as much CPU again for each call.
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
    ("grpc.keepalive_time_ms", 30_000),  # detects a connection that died without a close
    ("grpc.max_reconnect_backoff_ms", 5_000),  # instead of two minutes, in which every call would fail
)

READ_ONCE_MORE: Final = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN})
"""A channel that reconnects, or a proxy, may end a call with these codes. A read has no effect, and may be repeated."""

Answered = TypeVar("Answered")


async def channel(transport: Any, emulator: str | None) -> grpc.aio.Channel:
    """A channel for a generated client's asyncio `transport`, which names its host and scopes. `emulator` is `host:port`.

    Raises:
        GoogleAuthError: no credentials were found.
    """
    if emulator is not None:
        return grpc.aio.insecure_channel(emulator, options=CHANNEL_OPTIONS)
    # In a thread: the call may read files, and ask the metadata server.
    credentials, _ = await asyncio.to_thread(google.auth.default, scopes=transport.AUTH_SCOPES)
    made: grpc.aio.Channel = transport.create_channel(transport.DEFAULT_HOST, credentials=credentials, options=CHANNEL_OPTIONS)
    return made


class Service:
    """A service on a channel, by its full name. Every call sends `metadata`."""

    def __init__(self, over: grpc.aio.Channel, name: str, *metadata: tuple[str, str]) -> None:
        self._channel = over
        self._name = name
        self._metadata = metadata

    def unary(self, method: str, request: Any, response: Any, **routed_by: str) -> Callable[[Any, float], Awaitable[Any]]:
        """A method with one answer, called with a protobuf request and a timeout in seconds.

        `request` and `response` are the generated types of its messages. `routed_by` is the field, with its value, by which the
        service routes the call. The call raises `grpc.aio.AioRpcError`.
        """
        return self._called(self._channel.unary_unary, method, request, response, routed_by)

    def stream(self, method: str, request: Any, response: Any, **routed_by: str) -> Callable[[Any, float], Any]:
        """A method with a stream of answers, called like `unary`."""
        return self._called(self._channel.unary_stream, method, request, response, routed_by)

    def _called(self, make: Any, method: str, request: Any, response: Any, routed_by: dict[str, str]) -> Callable[[Any, float], Any]:
        call = make(
            f"/{self._name}/{method}",
            request_serializer=request.pb().SerializeToString,
            response_deserializer=response.pb().FromString,
        )
        metadata = grpc.aio.Metadata(*self._metadata, to_grpc_metadata(routed_by))  # made once: gRPC would convert a tuple at each call
        return lambda message, timeout_seconds: call(message, timeout=timeout_seconds, metadata=metadata)


async def call_with_retry(
    call: Callable[[float], Awaitable[Answered]],
    seconds: float,
    worth_another_try: Collection[grpc.StatusCode],
    worth_one_more: Collection[grpc.StatusCode] = (),
) -> Answered:
    """The answer of `call`, which takes its timeout in seconds. Codes of `worth_another_try` are retried, each time after a wait.

    A failure with a code of `worth_one_more` is retried once.

    All attempts and waits together take at most `seconds`, if each call observes its timeout. If the end of the time cuts off the
    last attempt, its error has the failure before as its cause: the log then tells an outage from a quota.

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
        waited_seconds = wait_seconds * random.uniform(0.5, 1)  # noqa: S311 -- spreads concurrent retries
        if clock() + waited_seconds >= ends_at:
            raise failure
        await asyncio.sleep(waited_seconds)
        wait_seconds = min(2 * wait_seconds, MAX_WAIT_SECONDS)
        left_seconds = ends_at - clock()
