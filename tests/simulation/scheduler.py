"""One thread that holds many coroutines: who goes on, what strikes, and how the clock moves.

A port call is two boundaries. It yields its `Call` before its effect, is given a fault or `None`, makes its effect, and yields
what it was given. Between any two boundaries everybody else may go on, or the process may die.
"""

import heapq
from collections.abc import Callable, Coroutine, Generator, Iterable
from datetime import datetime, timedelta
from types import coroutine
from typing import Any, Protocol

from tests.simulation.faults import Call, Fault
from tests.simulation.trace import Trace
from tests.simulation.violation import Violation

MOST_STEPS = 20_000  # of one history: whoever needs more goes round in circles


class Chance(Protocol):
    """Whoever decides: a seed, or a test that wants one history and no other."""

    def pick(self, count: int) -> int:
        """Which of so many goes on."""

    def strike(self, call: Call) -> Fault | None:
        """What strikes this call."""

    def pause(self) -> float:
        """How many seconds a call takes that nothing strikes."""

    def freeze(self, call: Call) -> float:
        """How many seconds a process stands still."""

    def whole_instance(self) -> bool:
        """Whether a crash takes all that runs in the instance with it."""


class Clock:
    """The one clock of a history."""

    __slots__ = ("now",)

    def __init__(self, now: datetime) -> None:
        self.now = now

    def read(self) -> datetime:
        return self.now


class Crashed(Exception):
    """What is left of a coroutine whose process died."""


class Task:
    """A coroutine under way. `on_end` is told its result, or why there is none."""

    __slots__ = ("coroutine", "instance", "name", "on_end", "reply")

    def __init__(
        self, name: str, instance: object, running: Coroutine[Any, Any, Any], on_end: Callable[[Any, Exception | None], None]
    ) -> None:
        self.name = name
        self.instance = instance
        self.coroutine = running
        self.on_end = on_end
        self.reply: Fault | None = None


class Stuck(Exception):
    """The history does not end."""


class Scheduler:
    """Runs tasks until none is left."""

    __slots__ = ("_asleep", "_number", "calls", "chance", "clock", "on_crash", "ready", "steps", "struck", "trace")

    def __init__(self, clock: Clock, chance: Chance, trace: Trace | None) -> None:
        self.clock = clock
        self.chance = chance
        self.trace = trace
        self.ready: list[Task] = []
        self._asleep: list[tuple[datetime, int, Task]] = []
        self._number = 0
        self.steps = 0
        self.calls = 0
        self.struck: dict[str, int] = {}
        self.on_crash: Callable[[object], None] = _ignore

    def start(self, task: Task, after_seconds: float = 0.0) -> None:
        """Let a task begin, now or later."""
        if after_seconds > 0:
            self._number += 1
            heapq.heappush(self._asleep, (self.clock.now + timedelta(seconds=after_seconds), self._number, task))
        else:
            self.ready.append(task)

    def run(self) -> None:
        """Go on until every task has ended."""
        ready, pick = self.ready, self.chance.pick
        while True:
            if not ready and not self._wake():
                return
            count = len(ready)
            self._step(pick(count) if count > 1 else 0)

    def _wake(self) -> bool:
        """Let the clock move to where the next sleeper wakes. False: there is none."""
        asleep = self._asleep
        if not asleep:
            return False
        clock = self.clock
        clock.now = max(clock.now, asleep[0][0])
        while asleep and asleep[0][0] <= clock.now:
            self.ready.append(heapq.heappop(asleep)[2])
        return True

    def _step(self, at: int) -> None:
        """From one boundary of a task to its next."""
        task = self.ready[at]
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Stuck
        try:
            said = task.coroutine.send(task.reply)
        except StopIteration as ended:
            self._end(at, ended.value, None)
            return
        except Violation:
            raise
        except Exception as error:
            self._end(at, None, error)
            return
        task.reply = None
        if said is None:
            return
        if type(said) is Call:
            self._before(at, task, said)
        elif said is Fault.CRASH_AFTER:
            self._crash(at)
        elif said is Fault.LATE:
            self._sleep(at, self.chance.freeze(_REPLY))

    def _before(self, at: int, task: Task, call: Call) -> None:
        self.calls += 1
        fault = self.chance.strike(call)
        if self.trace is not None:
            self.trace.call(self.clock.now, task.name, call.name, fault)
        if fault is None:
            if (seconds := self.chance.pause()) > 0:
                self._sleep(at, seconds)
            return
        name = f"{call.name}: {fault.value}"
        self.struck[name] = self.struck.get(name, 0) + 1
        if fault is Fault.CRASH_BEFORE:
            self._crash(at)
        elif fault is Fault.FREEZE:
            self._sleep(at, self.chance.freeze(call))
        else:
            task.reply = fault

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

    def _sleep(self, at: int, seconds: float) -> None:
        self.start(self._take(at), seconds)

    def _crash(self, at: int) -> None:
        """The task dies, and perhaps all that runs in its instance."""
        task = self._take(at)
        dying = [task]
        if task.instance is not None and self.chance.whole_instance():
            dying += [one for one in self.ready if one.instance is task.instance]
            self.ready[:] = [one for one in self.ready if one.instance is not task.instance]
            dying += [one for _, _, one in sorted(self._asleep, key=_by_number) if one.instance is task.instance]
            self._asleep = [entry for entry in self._asleep if entry[2].instance is not task.instance]
            heapq.heapify(self._asleep)
            self.on_crash(task.instance)
        for one in dying:
            one.coroutine.close()
            if self.trace is not None:
                self.trace.end(self.clock.now, one.name, None, Crashed())
        for one in dying:
            one.on_end(None, Crashed())


_REPLY = Call("reply")


def _by_number(entry: tuple[datetime, int, Task]) -> int:
    return entry[1]


def _ignore(_: object) -> None:
    pass


class _Child:
    __slots__ = ("coroutine", "number", "reply")

    def __init__(self, number: int, running: Coroutine[Any, Any, Any]) -> None:
        self.number = number
        self.coroutine = running
        self.reply: Fault | None = None


class Interleaved:
    """The port `each`: at every boundary of one of its coroutines, any of the others may go on."""

    __slots__ = ("chance",)

    def __init__(self, chance: Chance) -> None:
        self.chance = chance

    @coroutine
    def __call__(self, coroutines: Iterable[Coroutine[Any, Any, Any]], at_most: int) -> Generator[Any, Any, list[Any]]:
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
