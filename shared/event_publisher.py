"""Publishes events about sales: on a Pub/Sub topic, or in the log if there is no topic."""

import asyncio
from typing import TYPE_CHECKING, Final

from shared.domain.identifiers import caller_id
from shared.domain.policy import ConsumerDetails
from shared.domain.transaction import EventName, Transaction
from shared.domain.vas import Mode
from shared.lib import logs
from shared.lib.single_flight import SingleFlight
from shared.ports.events import EventsUnavailable
from shared.schemas.responses import encoded, event_body, event_id

if TYPE_CHECKING:
    from shared.gcp.pubsub import Topic

TIMEOUT_SECONDS: Final = 5
SPARED_SECONDS: Final = 5  # after a timeout, sales do not wait for the topic: the sweep publishes their events later

log = logs.logger(__name__)


class PubSubEvents:
    """Publishes to `topic` (`projects/p/topics/t`), over a channel that the first event opens. Belongs to one event loop.

    The ordering key of a message is the sale's id. After a slow failure no sale waits for the topic for a while: customers would wait
    in vain. The first sale after that time tries the topic for all.
    `emulator` is the `host:port` of an emulator, which is called without TLS and credentials.
    """

    def __init__(self, topic: str, details: ConsumerDetails, emulator: str | None = None, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._name = topic
        self._details = details
        self._emulator = emulator
        self._timeout_seconds = timeout_seconds
        self._topic: Topic | None = None
        self._open = SingleFlight(self._opened)
        self._spared_until: float | None = None  # on the event loop's clock; set after a slow failure

    async def publish(self, event: EventName, sale: Transaction) -> None:
        """Publish the event, at least once.

        Raises:
            EventsUnavailable: the event may not have been delivered, or not in time.
        """
        clock = asyncio.get_running_loop().time
        started = clock()
        if self._spared_until is not None:
            if started < self._spared_until:
                raise EventsUnavailable("the topic was away a moment ago")
            self._spared_until = started + self._timeout_seconds + SPARED_SECONDS  # only this sale tries the topic meanwhile
        try:
            topic = self._topic or await self._opened_in_time()
            await topic.publish(self._message(event, sale), started + self._timeout_seconds - clock())
        except Exception as error:  # of several libraries; their texts may quote the message, and a log shows only types and codes
            is_away = clock() - started > self._timeout_seconds / 2  # a fast refusal is no outage
            self._spared_until = clock() + SPARED_SECONDS if is_away else None
            raise EventsUnavailable(type(error).__name__) from error
        self._spared_until = None

    async def close(self) -> None:
        """Close the connection."""
        if self._topic is not None:
            await self._topic.close()
            self._topic = None

    def _message(self, event: EventName, sale: Transaction) -> dict[str, object]:
        return {
            "data": encoded(event_body(event, sale, self._details)),
            "attributes": {
                "caller": caller_id(sale.mode, sale.caller),  # a wallet's subscription filters by the caller
                "event": event.value,
                "vasType": sale.order.vas_type.value,
                "simulated": "true" if sale.mode is Mode.SIMULATED else "false",
            },
            "ordering_key": sale.id,
        }

    async def _opened_in_time(self) -> "Topic":
        async with asyncio.timeout(self._timeout_seconds):  # opening fetches credentials
            return await self._open()

    async def _opened(self) -> "Topic":
        from shared.gcp.pubsub import Topic

        self._topic = await Topic.open(self._name, self._emulator)
        return self._topic


class LogEvents:
    """Logs the name of each event and the sale's public fields: no token, PIN or personal data."""

    async def publish(self, event: EventName, sale: Transaction) -> None:
        log.info(
            "event",
            event_id=event_id(event, sale),
            event=event,
            transaction_id=sale.id,
            version=sale.version,
            vas_type=sale.order.vas_type,
            state=sale.state,
            amount_cents=sale.order.amount.cents,
            simulated=sale.mode is Mode.SIMULATED,
            supplier_id=sale.supplier_id,
        )
