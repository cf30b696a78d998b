"""The port to the topic on which events about sales are published."""

from typing import Protocol

from shared.domain.transaction import EventName, Transaction


class EventsUnavailable(Exception):
    """The event may not have been delivered: publish it again later."""


class Events(Protocol):
    async def publish(self, event: EventName, sale: Transaction) -> None:
        """Publish the event, at least once.

        Raises:
            EventsUnavailable: the event may not have been delivered.
        """
