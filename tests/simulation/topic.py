"""The topic, and the wallets behind it: announcements are delivered at least once, late, repeated, and in any order."""

from collections.abc import Callable, Generator
from random import Random
from types import coroutine
from typing import Any, NamedTuple

from shared.ports import EventsUnavailable
from shared.transaction import EventName, State, Transaction
from tests.simulation.faults import PUBLISH, Call, Fault

PUBLISHED = Call("events.publish", *PUBLISH)


class Message(NamedTuple):
    """What a wallet can act on."""

    sale_id: str
    event: EventName
    version: int
    state: State


class Topic:
    """Implements `shared.ports.Events`."""

    __slots__ = ("_heard", "messages")

    def __init__(self, heard: Callable[[EventName, Transaction], None]) -> None:
        self._heard = heard
        self.messages: list[Message] = []

    @coroutine
    def publish(self, event: EventName, sale: Transaction) -> Generator[Any, Fault | None, None]:
        if (fault := (yield PUBLISHED)) is Fault.REFUSED:
            raise EventsUnavailable
        self._heard(event, sale)
        message = Message(sale.id, event, sale.version, sale.state)
        self.messages += [message] * (2 if fault is Fault.REPEATED else 1)
        if fault is not None:
            yield fault
        if fault is Fault.LOST:
            raise EventsUnavailable


def delivered(messages: list[Message], rng: Random) -> dict[str, State]:
    """What wallets make of the messages, in whatever order they come: the state of the highest version that each sale was told of."""
    order = messages.copy()
    if len(order) > 1:
        for at in range(len(order) - 1, 0, -1):
            other = int(rng.random() * (at + 1))
            order[at], order[other] = order[other], order[at]
    seen: set[tuple[str, EventName]] = set()
    versions: dict[str, int] = {}
    states: dict[str, State] = {}
    for sale_id, event, version, state in order:
        if (sale_id, event) in seen or version < versions.get(sale_id, 0):
            continue
        seen.add((sale_id, event))
        versions[sale_id] = version
        states[sale_id] = state
    return states
