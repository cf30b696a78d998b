"""The port to the topic: events about sales are published through it."""

from typing import Protocol

from shared.domain.transaction import EventName, Transaction


class EventsUnavailable(Exception):
    """The announcement may not have been delivered: make it again later."""


class Events(Protocol):
    async def publish(self, event: EventName, sale: Transaction) -> None:
        """Announce, at least once.

        Raises:
            EventsUnavailable: it may not have been delivered.
        """
