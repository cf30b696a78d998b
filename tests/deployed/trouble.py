"""What goes wrong in a storm. Each trouble is a loop of its own: it ends when the storm is over, and leaves nothing broken behind."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from threading import Event

import httpx

from shared.mobilemart.simulator import Effect, Leg
from tests import emulators
from tests.deployed.processes import Fleet, Supplier
from tests.deployed.relay import Relay

FAULT_EVERY_SECONDS = 0.1
SWEEP_EVERY_SECONDS = 0.5
CUT_SECONDS = 3  # at most. What a cut holds back is received that much later: the minimum age of a doubt has to be longer
AMID_SECONDS = 0.7  # for each instance to have sold something whose answer is held

_ON_PURCHASE = (
    *(Effect.REPLY_LOST, Effect.FAILED_AFTER, Effect.CUT_JSON, Effect.PAGE_AFTER, Effect.NO_TRANSACTION_ID, Effect.WRONG_AMOUNT),
    *(Effect.SILENT, Effect.LATE, Effect.DRIPPED, Effect.VENDS_LATE, Effect.NUL, Effect.LONE_SURROGATE),
    *(Effect.FAILED_BEFORE, Effect.LOST_BEFORE, Effect.WRONG_HOST, Effect.RATE_LIMITED, Effect.UNAUTHORISED, Effect.REFUSED),
)
_ON_OTHERS = (Effect.FAILED_BEFORE, Effect.LOST_BEFORE, Effect.CUT_JSON, Effect.RATE_LIMITED, Effect.UNAUTHORISED)
FAULTS: tuple[Mapping[str, object], ...] = (
    *({"effect": effect, "on": Leg.PURCHASE} for effect in _ON_PURCHASE),
    {"effect": Effect.UNAUTHORISED, "on": Leg.PURCHASE, "times": 2},
    *({"effect": effect, "on": leg} for effect in _ON_OTHERS for leg in (Leg.PREVEND, Leg.REPRINT)),
    {"effect": Effect.WRONG_AMOUNT, "on": Leg.REPRINT},
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Its makers. `seconds` is how long the storm lasts: whatever stands still does so for a part of it, 10 seconds at most."""

    seconds: float
    over: Event
    supplier: Supplier
    way_to_supplier: Relay
    killable: tuple[Fleet, ...]
    reconcile: Fleet
    emulators: Mapping[str, str]  # by name, each at its `host:port`
    made: Counter[str] = field(default_factory=Counter)

    @property
    def makers(self) -> tuple[Callable[[], None], ...]:
        """To be run side by side."""
        return self.strikes, self.kills, self.cuts, self.stops, self.sweeps

    def strikes(self) -> None:
        """The supplier's answers go wrong, often, and each fault as often as any other."""
        for fault in cycle(random.sample(FAULTS, len(FAULTS))):
            if self.over.wait(FAULT_EVERY_SECONDS):
                return
            self.supplier.script(fault)
            self.made["faults"] += 1

    def kills(self) -> None:
        """An instance is killed while what it has sold is not heard yet, and another one takes its place."""
        for fleet in cycle(self.killable):
            if self.over.wait(self._part(6, most=2)):
                return
            self.way_to_supplier.hold_answers()
            self.over.wait(AMID_SECONDS)
            gone = fleet.kill_one()
            self.way_to_supplier.release()
            fleet.replace(gone)
            self.made[f"{fleet.name} killed"] += 1

    def cuts(self) -> None:
        """The supplier hears nothing for a while; or hears, and is not heard."""
        for cut in cycle((self.way_to_supplier.hold, self.way_to_supplier.hold_answers)):
            if self.over.wait(self._part(2.5, most=6)):
                return
            cut()
            self.over.wait(self._part(6, most=CUT_SECONDS))
            self.way_to_supplier.release()
            self.made["cuts"] += 1

    def stops(self) -> None:
        """An emulator stands still, and goes on."""
        for name, address in cycle(self.emulators.items()):
            if self.over.wait(self._part(3, most=8)):
                return
            with emulators.silent(address):
                self.over.wait(self._part(6, most=10))
            self.made[f"{name} stopped"] += 1

    def sweeps(self) -> None:
        """No trouble, but as the scheduler does it: whatever becomes of one sweep, there is the next."""
        while not self.over.wait(SWEEP_EVERY_SECONDS):
            try:
                self.made["sweeps"] += self.reconcile.any().http.post("/sweep").is_success
            except httpx.TransportError:
                continue

    def _part(self, divisor: float, *, most: float) -> float:
        return min(self.seconds / divisor, most)
