"""One scene instead of a seed's history: chosen requests, a chosen supplier, and one or two faults where a test wants them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from types import MappingProxyType
from typing import Final

from tests.simulation import invariants
from tests.simulation.callers import Purse, Shopper
from tests.simulation.faults import Call, Fault
from tests.simulation.goods import Want
from tests.simulation.history import CALLERS, KEYS
from tests.simulation.scheduler import Task
from tests.simulation.supplier_profile import SOLD, Manner, SupplierProfile
from tests.simulation.world import ENOUGH, World

START: Final = datetime(2026, 5, 4, 8, tzinfo=UTC)
FROZEN_SECONDS: Final = 300.0  # longer than the lease, and than the send window
WIRE_SECONDS: Final = 230.0  # before the wire, a bit less than the lease

Faults = Mapping[tuple[str, int], Fault]
"""By task and the number of its port call, from 0."""

Turns = Sequence[tuple[str, int]]


NONE: Final[Faults] = MappingProxyType({})


class Script:
    """Implements `scheduler.Chance`: strikes where it is told, and lets those go on whom `turns` names, in that order.

    `turns` are pairs of a task's name and for how many boundaries it goes on. `made` are the port calls of each task.
    """

    def __init__(self, faults: Faults, turns: list[tuple[str, int]]) -> None:
        self.made: dict[str, list[Call]] = {}
        self._faults = faults
        self._turns = turns
        self._calm = False

    def pick(self, count: int) -> int:
        return 0

    def turn(self, ready: list[Task]) -> int:
        names = [task.name for task in ready]
        while self._turns:
            name, left = self._turns[0]
            if left > 0 and name in names:
                self._turns[0] = (name, left - 1)
                return names.index(name)
            self._turns.pop(0)
        return 0

    def strike(self, call: Call, task: Task) -> Fault | None:
        if self._calm:
            return None
        made = self.made.setdefault(task.name, [])
        made.append(call)
        return self._faults.get((task.name, len(made) - 1))

    def step(self, call: Call) -> float:
        return 0.0

    def freeze(self, call: Call) -> float:
        return WIRE_SECONDS if call.name == "supplier.vend" else FROZEN_SECONDS

    def interleaves(self) -> bool:
        return False

    def whole_instance(self) -> bool:
        return False

    def calm_down(self) -> None:
        self._calm = True


class Fixed(SupplierProfile):
    """A supplier that answers every vend of the storm in one manner, and is faultless otherwise."""

    __slots__ = ("_manner",)

    def __init__(self, manner: Manner, reprint: str, repeat: str) -> None:
        super().__init__(Random(0))
        self._manner = manner
        self.reprint = reprint
        self.repeat = repeat
        self.lag = 0
        self.minimum_rand = 10
        self.file_id = "ours"
        self.forgets_tokens = False
        self.forgets_what_it_answered_badly = False
        self.breaks = False
        self.prints_what_is_undone = False

    def manner_of_vend(self) -> Manner:
        return SOLD if self._calm else self._manner

    def trouble_of_prevend(self) -> None:
        return None

    def trouble_of_reprint(self) -> None:
        return None


class Scene(World):
    """One or two requests, and the calm after them. `tasks` are the names of the requests, in the order in which they come."""

    def __init__(self, shopping: Callable[["Scene"], None], supplier: SupplierProfile, faults: Faults = NONE, turns: Turns = ()) -> None:
        self.script = Script(faults, list(turns))
        super().__init__(Random(0), self.script, supplier, START)
        self._shopping = shopping

    def storm(self) -> None:
        self._shopping(self)
        self.scheduler.run()

    def aftermath(self) -> None:
        self.time_passes(ENOUGH)
        if invariants.needs_files(self) or (self.store.open and self.profile.reprint == "useless"):
            self.files_come()
        if self.store.open:
            self.people_decide()
        for shopper in self.shoppers:
            shopper.ask()
        self.scheduler.run()

    def shopper(self, key: int, want: Want, purse: Purse | None = None) -> Shopper:
        """Somebody who wants something, and does not try again before all is calm."""
        one = Shopper(self, CALLERS[0], KEYS[key], want, purse, duplicates=True)
        self.shoppers.append(one)
        return one
