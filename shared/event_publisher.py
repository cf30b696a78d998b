"""Announcing what became of a sale: to a Pub/Sub topic, or to the log where there is no topic."""

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
SPARED_SECONDS: Final = 5  # after a wait that was in vain, no sale waits for the topic: the sweep announces it later

log = logs.logger(__name__)


class PubSubEvents:
    """Publishes to `topic` (`projects/p/topics/t`), over a channel that is made for the first event.

    Messages of one sale carry its id as their ordering key. A topic that let one sale wait is spared for a while, and then the
    first sale to come tries for all: while the topic is away, customers would wait for nothing. `emulator` is the `host:port`
    of one, spoken to without TLS and credentials. It belongs to one event loop.
    """

    def __init__(self, topic: str, details: ConsumerDetails, emulator: str | None = None, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._name = topic
        self._details = details
        self._emulator = emulator
        self._timeout_seconds = timeout_seconds
        self._topic: Topic | None = None
        self._open = SingleFlight(self._opened)
        self._spared_until: float | None = None  # on the event loop's clock, since a sale waited in vain

    async def publish(self, event: EventName, sale: Transaction) -> None:
        """Announce, at least once.

        Raises:
            EventsUnavailable: it may not have been delivered, or not in time.
        """
        clock = asyncio.get_running_loop().time
        started = clock()
        if self._spared_until is not None:
            if started < self._spared_until:
                raise EventsUnavailable("the topic was away a moment ago")
            self._spared_until = started + self._timeout_seconds + SPARED_SECONDS  # from all but this one, which tries it
        try:
            topic = self._topic or await self._opened_in_time()
            await topic.publish(self._message(event, sale), started + self._timeout_seconds - clock())
        except Exception as error:  # of several libraries, whose texts may quote what was sent: a log tells their names and codes alone
            is_away = clock() - started > self._timeout_seconds / 2  # and not only refusing
            self._spared_until = clock() + SPARED_SECONDS if is_away else None
            raise EventsUnavailable(type(error).__name__) from error
        self._spared_until = None

    async def close(self) -> None:
        """Give up the connection."""
        if self._topic is not None:
            await self._topic.close()
            self._topic = None

    def _message(self, event: EventName, sale: Transaction) -> dict[str, object]:
        return {
            "data": encoded(event_body(event, sale, self._details)),
            "attributes": {
                "caller": caller_id(sale.mode, sale.caller),  # a subscription is filtered by it, so that a wallet sees its own sales
                "event": event.value,
                "vasType": sale.order.vas_type.value,
                "simulated": "true" if sale.mode is Mode.SIMULATED else "false",
            },
            "ordering_key": sale.id,
        }

    async def _opened_in_time(self) -> "Topic":
        async with asyncio.timeout(self._timeout_seconds):  # credentials are asked for
            return await self._open()

    async def _opened(self) -> "Topic":
        from shared.gcp.pubsub import Topic

        self._topic = await Topic.open(self._name, self._emulator)
        return self._topic


class LogEvents:
    """Tells the log which event of which sale it is, and nothing that is worth anything: no token, PIN or person."""

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
