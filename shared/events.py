"""Announcing what became of a sale: to a Pub/Sub topic, or to the log where there is no topic."""

import asyncio
from typing import TYPE_CHECKING, Final

from shared import logs
from shared.config import ConsumerDetails
from shared.ports import EventsUnavailable
from shared.shown import encoded, event_body
from shared.single_flight import SingleFlight
from shared.transaction import EventName, Transaction
from shared.vas import Mode

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherAsyncClient

TIMEOUT_SECONDS: Final = 5
SPARED_SECONDS: Final = 5  # after a wait that was in vain, no sale waits for the topic: the sweep announces it later

log = logs.logger(__name__)


class PubSubEvents:
    """Publishes to `topic` (`projects/p/topics/t`), over a client that is made for the first event.

    Messages of one sale carry its id as their ordering key. A topic that let one sale wait is spared for a while: while it is away,
    customers would wait for nothing. `emulator` is the `host:port` of one, spoken to without TLS and
    credentials. It belongs to one event loop.
    """

    def __init__(self, topic: str, details: ConsumerDetails, emulator: str | None = None, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._topic = topic
        self._details = details
        self._emulator = emulator
        self._timeout_seconds = timeout_seconds
        self._client: PublisherAsyncClient | None = None
        self._connect = SingleFlight(self._connected)
        self._spared_until = 0.0  # on the event loop's clock

    async def publish(self, event: EventName, sale: Transaction) -> None:
        """Announce, at least once.

        Raises:
            EventsUnavailable: it may not have been delivered, or not in time.
        """
        clock = asyncio.get_running_loop().time
        started = clock()
        if started < self._spared_until:
            raise EventsUnavailable("the topic was away a moment ago")
        try:
            async with asyncio.timeout(self._timeout_seconds):  # over all tries that the client library makes
                request = {"topic": self._topic, "messages": [self._message(event, sale)]}
                client = self._client or await self._connect()
                await client.publish(request, timeout=self._timeout_seconds)
        except Exception as error:  # of the client's several libraries, whose texts may quote what was sent
            if clock() - started > self._timeout_seconds / 2:  # away, and not only refusing
                self._spared_until = clock() + SPARED_SECONDS
            raise EventsUnavailable(type(error).__name__) from None

    async def close(self) -> None:
        """Give up the connection."""
        if self._client is not None:
            await self._client.transport.close()
            self._client = None

    def _message(self, event: EventName, sale: Transaction) -> dict[str, object]:
        return {
            "data": encoded(event_body(event, sale, self._details)),
            "attributes": {
                "event": event.value,
                "vasType": sale.order.vas_type.value,
                "simulated": "true" if sale.mode is Mode.SIMULATED else "false",
            },
            "ordering_key": sale.id,
        }

    async def _connected(self) -> "PublisherAsyncClient":
        self._client = await _client(self._emulator)
        return self._client


class LogEvents:
    """Tells the log which event of which sale it is, and nothing that is worth anything: no token, PIN or person."""

    async def publish(self, event: EventName, sale: Transaction) -> None:
        log.info(
            "event",
            event_id=f"{sale.id}:{event}",
            event=event,
            transaction_id=sale.id,
            version=sale.version,
            vas_type=sale.order.vas_type,
            state=sale.state,
            amount_cents=sale.order.amount.cents,
            simulated=sale.mode is Mode.SIMULATED,
        )


async def _client(emulator: str | None) -> "PublisherAsyncClient":
    from google.pubsub_v1 import PublisherAsyncClient
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

    from shared.channels import channel

    return PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=await channel(PublisherGrpcAsyncIOTransport, emulator)))
