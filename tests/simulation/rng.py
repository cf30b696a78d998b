"""The seed's decisions about scheduling and faults."""

from collections.abc import Mapping
from random import Random

from tests.simulation.faults import Call, Fault
from tests.simulation.scheduler import Task

FAULT_RATES = (0.0, 0.02, 0.05, 0.1, 0.2)
WEAK = (
    *("store.create", "store.advance", "store.advance", "events.publish", "supplier.vend", "supplier.reprint"),
    *("" for _ in range(12)),
)
WEAK_RATE = 0.5
CLOCKS = ("true", "true", "true", "true", "the wall clock steps", "the monotonic clock stops")
STEP_RATE = 0.01
STEP_RATES = {"store.create": 0.1, "store.find_open": 0.1, "supplier.vend": 0.6, "store.advance": 0.3}  # mostly while something is sold
STEPS = (120.0, 600.0, 1800.0, 3600.0, 5400.0)
PAUSES = (0.05, 1.0, 5.0, 20.0)


class SeededChance:
    """Implements `scheduler.Chance` by a seed. `breaks`: processes may pause for longer than the promise assumes."""

    __slots__ = ("_breaks", "_calm", "_dies_at", "_draw", "_faults", "_refused", "_slow", "_steps_next", "_weak", "_weakness", "clocks")

    def __init__(self, rng: Random, *, breaks: bool) -> None:
        self._draw = rng.random
        self._calm = False
        self._faults = FAULT_RATES[int(self._draw() * len(FAULT_RATES))]
        self._breaks = breaks

        self._weak = WEAK[int(self._draw() * len(WEAK))]  # the call that fails again and again in this history, and always alike
        self._weakness = self._draw()
        self.clocks = CLOCKS[int(self._draw() * len(CLOCKS))]
        self._steps_next = ""
        self._refused = self._dies_at = ""
        self._slow: Mapping[str, float] | None = None

    def calm_down(self) -> None:
        """No more faults."""
        self._calm = True

    def storm(self) -> None:
        """Faults again."""
        self._calm = False

    def pick(self, count: int) -> int:
        return int(self._draw() * count)

    def slow(self, seconds: Mapping[str, float]) -> None:
        """From now on nothing fails, but these calls take so long, by their names."""
        self._slow = seconds

    def turn(self, ready: list[Task]) -> int:
        return int(self._draw() * len(ready))

    def will_refuse(self, call: str) -> None:
        """From now on nobody gets an answer to the calls of that name, although all else is calm."""
        self._refused = call

    def will_die_at(self, call: str) -> None:
        """Let whoever makes the next call of that name die once it has been made, although all else is calm."""
        self._dies_at = call

    def strike(self, call: Call, task: Task) -> Fault | float | None:
        if call.name == self._dies_at:
            self._dies_at = ""
            return Fault.CRASH_AFTER
        if call.name == self._refused:
            return Fault.REFUSED
        if self._calm:
            return None
        if self._slow is not None:
            return self._slow.get(call.name)
        drawn = self._draw()
        if call.name == self._weak and drawn < WEAK_RATE:
            return call.faults[int(self._weakness * len(call.faults))]
        if drawn < self._faults * call.weight:
            return call.faults[int(self._draw() * len(call.faults))]
        return PAUSES[int(self._draw() * len(PAUSES))] if drawn > 0.93 else None

    def freeze(self, call: Call) -> float:
        """Before the wire, at most as long as the lease, unless this is a history that breaks that assumption."""
        seconds = (30.0, 200.0, 239.0, 300.0, 1500.0, 9000.0)[int(self._draw() * 6)]
        if call.name == "supplier.vend" and not self._breaks:
            return min(seconds, 239.0)
        return seconds

    def will_step(self, call: str) -> None:
        """Let the wall clock step back at the next call of that name."""
        self._steps_next = call

    def step(self, call: Call) -> float:
        if self._calm:
            if call.name != self._steps_next:
                return 0.0
            self._steps_next = ""
            return -STEPS[int(self._draw() * len(STEPS))]
        rate = STEP_RATES.get(call.name, STEP_RATE)
        if (drawn := self._draw()) >= rate:
            return 0.0
        seconds = STEPS[int(self._draw() * len(STEPS))]
        return seconds if drawn < rate / 3 else -seconds  # mostly back: that is what makes young things look old

    def interleaves(self) -> bool:
        return not self._calm and self._draw() < 0.3

    def whole_instance(self) -> bool:
        return self._draw() < 0.25
