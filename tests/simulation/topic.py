"""The topic, and the wallets behind it: announcements are delivered at least once, late, repeated, and in any order."""

from collections.abc import Callable, Generator
from random import Random
from types import coroutine
from typing import Any, NamedTuple

from shared.domain.transaction import EventName, State, Transaction
from shared.ports.events import EventsUnavailable
from shared.schemas.responses import event_id
from tests.simulation.faults import PUBLISH, Call, Fault

PUBLISHED = Call("events.publish", *PUBLISH)


class Message(NamedTuple):
    """What a wallet can act on."""

    sale_id: str
    event: EventName
    version: int
    state: State
    event_id: str


class Topic:
    """Implements `shared.ports.supplier.Events`."""

    __slots__ = ("_heard", "messages")

    def __init__(self, heard: Callable[[EventName, Transaction], None]) -> None:
        self._heard = heard
        self.messages: list[Message] = []

    @coroutine
    def publish(self, event: EventName, sale: Transaction) -> Generator[Any, Fault | None, None]:
        if (fault := (yield PUBLISHED)) is Fault.REFUSED:
            raise EventsUnavailable
        self._heard(event, sale)
        message = Message(sale.id, event, sale.version, sale.state, event_id(event, sale))
        self.messages += [message] * (2 if fault is Fault.REPEATED else 1)
        if fault is not None:
            yield fault
        if fault is Fault.LOST:
            raise EventsUnavailable


class Wallets(NamedTuple):
    """What wallets make of the messages: each sale's state of the highest version that they were told of, and whose end was contradicted.

    `contradicted` holds a sale once for each contradiction that they have heard of.
    """

    states: dict[str, State]
    contradicted: list[str]


def delivered(messages: list[Message], rng: Random) -> Wallets:
    """The messages as wallets hear them, in whatever order they come: without repeats, by their ids, and without lower versions."""
    order = messages.copy()
    if len(order) > 1:
        for at in range(len(order) - 1, 0, -1):
            other = int(rng.random() * (at + 1))
            order[at], order[other] = order[other], order[at]
    seen: set[str] = set()
    contradicted: list[str] = []
    versions: dict[str, int] = {}
    states: dict[str, State] = {}
    for sale_id, event, version, state, name in order:
        if name in seen or version < versions.get(sale_id, 0):
            continue
        seen.add(name)
        versions[sale_id] = version
        states[sale_id] = state
        if event is EventName.CONTRADICTED:
            contradicted.append(sale_id)
    return Wallets(states, contradicted)
