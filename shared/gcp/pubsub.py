"""A Pub/Sub topic over gRPC. The publisher imports this module with the first message: a cold start does not need it."""

from collections.abc import Mapping
from typing import Any, Final, Self

import grpc.aio
from google.pubsub_v1 import PublishRequest, PublishResponse
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

from shared.gcp.grpc import RETRIED, Service, call_with_retry, channel

_SERVICE: Final = "google.pubsub.v1.Publisher"
_RETRIED: Final = RETRIED | {grpc.StatusCode.UNKNOWN}
_Request: Final[Any] = PublishRequest.pb()


class Topic:
    """`projects/p/topics/t`, over a channel of its own."""

    def __init__(self, over: grpc.aio.Channel, name: str) -> None:
        self._channel = over
        self._name = name
        self._call = Service(over, _SERVICE).unary("Publish", PublishRequest, PublishResponse, topic=name)

    @classmethod
    async def open(cls, name: str, emulator: str | None) -> Self:
        """Connect; no call is made yet. `emulator` is the `host:port` of an emulator.

        Raises:
            GoogleAuthError: no credentials were found.
        """
        return cls(await channel(PublisherGrpcAsyncIOTransport, emulator), name)

    async def publish(self, message: Mapping[str, object], timeout_seconds: float) -> None:
        """Publish one message, at least once, with all attempts within `timeout_seconds`.

        Raises:
            AioRpcError: the message may not have been published.
        """
        request = _Request(topic=self._name, messages=[message])
        await call_with_retry(lambda seconds: self._call(request, seconds), timeout_seconds, _RETRIED)

    async def close(self) -> None:
        await self._channel.close()
