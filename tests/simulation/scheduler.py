"""One thread that holds many coroutines: who goes on, what strikes, and how the clock moves.

A port call yields its `Call` before its effect, is given a fault or `None`, and makes its effect. What strikes after the effect, it
yields then. Where nothing does, that is no boundary of its own: whoever may go on there may go on before the next call as well,
since nobody can see what a process only thinks. At every boundary everybody else may go on, or the process may die.
"""

import heapq
from collections.abc import Callable, Coroutine, Generator, Iterable
from datetime import datetime, timedelta
from types import coroutine
from typing import Any, Protocol

from tests.simulation.faults import Call, Fault
from tests.simulation.trace import Trace
from tests.simulation.violation import Violation

MAX_STEPS = 20_000  # of one history: whoever needs more goes round in circles


class Chance(Protocol):
    """Whoever decides: a seed, or a test that wants one history and no other."""

    def pick(self, count: int) -> int:
        """One of so many, counted from 0."""

    def turn(self, ready: list["Task"]) -> int:
        """Which of several goes on."""

    def strike(self, call: Call, task: "Task") -> Fault | float | None:
        """What strikes this call, or how many seconds it takes; `None`: none."""

    def freeze(self, call: Call) -> float:
        """How many seconds a process stands still."""

    def interleaves(self) -> bool:
        """Whether what may run at once does."""

    def whole_instance(self) -> bool:
        """Whether a crash takes all that runs in the instance with it."""

    def step(self, call: Call) -> float:
        """By how many seconds the wall clock steps at this call; 0: it does not."""

    def calm_down(self) -> None:
        """From now on nothing strikes."""


class Clock:
    """The clocks of a history. `now` is the true time, which nobody can read; `read` is the wall clock, `ticks` the monotonic one.

    `may_step`: the wall clock may step. `may_stop`: the monotonic one stands still for whoever is frozen. Never both: then nobody could
    measure a span.
    """

    __slots__ = ("_began", "_offset", "_true", "furthest", "may_step", "may_stop", "now")

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.furthest = now  # that the wall clock has ever shown
        self.may_step = False
        self.may_stop = False
        self._began = now
        self._offset = timedelta()
        self._true: dict[datetime, datetime] | None = None  # of what the wall clock has shown, since it stepped

    @property
    def wall(self) -> datetime:
        """What the wall clock shows."""
        return self.now + self._offset

    def read(self) -> datetime:
        if self._true is None:
            return self.now
        wall = self.now + self._offset
        self._true[wall] = self.now
        self.furthest = max(self.furthest, wall)
        return wall

    def ticks(self, frozen_seconds: float) -> float:
        """The monotonic clock of somebody who was frozen for so long."""
        return (self.now - self._began).total_seconds() - (frozen_seconds if self.may_stop else 0.0)

    def step(self, seconds: float) -> None:
        """Let the wall clock step away from the true time, or back to it."""
        self._true = {} if self._true is None else self._true
        self._offset = timedelta() if self._offset else timedelta(seconds=seconds)

    def true(self, wall: datetime) -> datetime:
        """When the wall clock showed that."""
        return wall if self._true is None else self._true.get(wall, wall)

    def calm_down(self) -> None:
        """From now on it shows the true time."""
        self.may_step = False
        self._offset = timedelta()


class Crashed(Exception):
    """What is left of a coroutine whose process died."""


class Task:
    """Something to do, in an instance. `on_end` is told its result, or why there is none."""

    __slots__ = ("coroutine", "frozen_seconds", "instance", "make", "name", "on_end", "reply")

    def __init__(
        self,
        name: str,
        instance: Any,
        make: Callable[[Any], Coroutine[Any, Any, Any]],
        on_end: Callable[[Any, Exception | None], None],
    ) -> None:
        self.name = name
        self.instance = instance
        self.make = make
        self.on_end = on_end
        self.coroutine: Coroutine[Any, Any, Any] | None = None  # until it begins
        self.reply: Fault | None = None
        self.frozen_seconds = 0.0


class Stuck(Exception):
    """The history does not end."""


class Scheduler:
    """Runs tasks until none is left."""

    __slots__ = ("_asleep", "_number", "_on_crash", "calls", "chance", "clock", "current", "ready", "steps", "struck", "trace")

    def __init__(self, clock: Clock, chance: Chance, trace: Trace | None, on_crash: Callable[[Any], None]) -> None:
        self.clock = clock
        self.chance = chance
        self.trace = trace
        self.ready: list[Task] = []
        self.current: Task | None = None  # that goes on now
        self._asleep: list[tuple[datetime, int, Task]] = []
        self._number = 0
        self.steps = 0
        self.calls = 0
        self.struck: dict[str, int] = {}
        self._on_crash = on_crash

    def start(self, task: Task, after_seconds: float = 0.0) -> None:
        """Let a task begin, now or later."""
        if after_seconds > 0:
            self._number += 1
            heapq.heappush(self._asleep, (self.clock.now + timedelta(seconds=after_seconds), self._number, task))
        else:
            self._begin(task)

    def run(self) -> None:
        """Go on until every task has ended."""
        ready, clock, trace = self.ready, self.clock, self.trace
        turn, strike = self.chance.turn, self.chance.strike
        steps = 0
        while True:
            if not ready and not self._wake():
                self.steps += steps
                return
            steps += 1
            at = turn(ready) if len(ready) > 1 else 0
            task = self.current = ready[at]
            try:
                said = task.coroutine.send(task.reply)
            except StopIteration as ended:
                self.steps += steps
                steps = 0
                self._end(at, ended.value, None)
                continue
            except Violation:
                raise
            except Exception as error:
                self.steps += steps
                steps = 0
                self._end(at, None, error)
                continue
            task.reply = None
            if type(said) is not Call:
                self._after(at, said)
                continue
            self.calls += 1
            if clock.may_step and (seconds := self.chance.step(said)):
                self.struck["the wall clock steps"] = self.struck.get("the wall clock steps", 0) + 1
                clock.step(seconds)
            fault = strike(said, task)
            if trace is not None:
                trace.call(clock.now, task.name, said.name, fault)
            if fault is None:
                pass
            elif type(fault) is float:
                self._sleep(at, fault)
            else:
                self._strike(at, task, said, fault)
            if steps > MAX_STEPS:
                raise Stuck

    def close(self) -> None:
        """Give up whatever is under way."""
        for task in (*self.ready, *(entry[2] for entry in self._asleep)):
            if task.coroutine is not None:
                task.coroutine.close()

    def _wake(self) -> bool:
        """Let the clock move to where the next sleeper wakes. False: there is none."""
        asleep = self._asleep
        if not asleep:
            return False
        clock = self.clock
        clock.now = max(clock.now, asleep[0][0])
        while asleep and asleep[0][0] <= clock.now:
            task = heapq.heappop(asleep)[2]
            if task.coroutine is None:
                self._begin(task)
            else:
                self.ready.append(task)
        return True

    def _begin(self, task: Task) -> None:
        task.coroutine = task.make(task.instance)
        self.ready.append(task)

    def _strike(self, at: int, task: Task, call: Call, fault: Fault) -> None:
        name = f"{call.name}: {fault.value}"
        self.struck[name] = self.struck.get(name, 0) + 1
        if fault is Fault.CRASH_BEFORE:
            self._crash(at)
        elif fault is Fault.FREEZE:
            self._freeze(at, self.chance.freeze(call))
        else:
            task.reply = fault

    def _after(self, at: int, fault: Fault) -> None:
        """What strikes once the effect is made. All else the port itself has seen to."""
        if fault is Fault.CRASH_AFTER:
            self._crash(at)
        elif fault is Fault.LATE:
            self._freeze(at, self.chance.freeze(_REPLY))

    def _take(self, at: int) -> Task:
        ready = self.ready
        task = ready[at]
        last = ready.pop()
        if last is not task:
            ready[at] = last
        return task

    def _end(self, at: int, result: Any, error: Exception | None) -> None:
        task = self._take(at)
        if self.trace is not None:
            self.trace.end(self.clock.now, task.name, result, error)
        task.on_end(result, error)

    def _freeze(self, at: int, seconds: float) -> None:
        self.ready[at].frozen_seconds += seconds
        self._sleep(at, seconds)

    def _sleep(self, at: int, seconds: float) -> None:
        self.start(self._take(at), seconds)

    def _crash(self, at: int) -> None:
        """The task dies, and perhaps all that runs in its instance."""
        task = self._take(at)
        dying = [task]
        if task.instance is not None and self.chance.whole_instance():
            dying += [one for one in self.ready if one.instance is task.instance]
            self.ready[:] = [one for one in self.ready if one.instance is not task.instance]
            dying += [one for _, _, one in sorted(self._asleep, key=_by_number) if _is_frozen(one, task.instance)]
            self._asleep = [entry for entry in self._asleep if not _is_frozen(entry[2], task.instance)]
            heapq.heapify(self._asleep)
            self._on_crash(task.instance)
        for one in dying:
            if one.coroutine is not None:
                one.coroutine.close()
            if self.trace is not None:
                self.trace.say(self.clock.now, one.name, "-> Crashed" if one is task else f"-> Crashed with {task.name}")
        for one in dying:
            one.on_end(None, Crashed())


_REPLY = Call("reply")


def _by_number(entry: tuple[datetime, int, Task]) -> int:
    return entry[1]


def _is_frozen(task: Task, instance: object) -> bool:
    return task.instance is instance and task.coroutine is not None


class _Child:
    __slots__ = ("coroutine", "number", "reply")

    def __init__(self, number: int, running: Coroutine[Any, Any, Any]) -> None:
        self.number = number
        self.coroutine = running
        self.reply: Fault | None = None


class Each:
    """The port `each`: one after the other, or, at every boundary of one of them, any of the others may go on."""

    __slots__ = ("chance",)

    def __init__(self, chance: Chance) -> None:
        self.chance = chance

    def __call__(self, coroutines: Iterable[Coroutine[Any, Any, Any]], at_most: int) -> Generator[Any, Any, list[Any]]:
        if self.chance.interleaves():
            return self._interleaved(coroutines, at_most)
        return self._one_by_one(coroutines)

    @coroutine
    def _one_by_one(self, coroutines: Iterable[Coroutine[Any, Any, Any]]) -> Generator[Any, Any, list[Any]]:
        results: list[Any] = []
        first: Exception | None = None
        for one in coroutines:
            try:
                results.append((yield from one))
            except Violation:
                raise
            except Exception as error:
                first = first or error
        if first is not None:
            raise first
        return results

    @coroutine
    def _interleaved(self, coroutines: Iterable[Coroutine[Any, Any, Any]], at_most: int) -> Generator[Any, Any, list[Any]]:
        waiting = [_Child(number, one) for number, one in enumerate(coroutines)]
        results: list[Any] = [None] * len(waiting)
        errors: dict[int, Exception] = {}
        running, waiting = waiting[:at_most], waiting[: at_most - 1 : -1]
        pick = self.chance.pick
        try:
            while running:
                at = pick(len(running)) if len(running) > 1 else 0
                child = running[at]
                try:
                    said = child.coroutine.send(child.reply)
                except StopIteration as ended:
                    results[child.number] = ended.value
                except Violation:
                    raise
                except Exception as error:
                    errors[child.number] = error
                else:
                    child.reply = yield said
                    continue
                running.pop(at)
                if waiting:
                    running.append(waiting.pop())
        finally:
            for child in (*running, *waiting):
                child.coroutine.close()
        if errors:
            raise errors[min(errors)]
        return results
