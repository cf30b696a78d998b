"""Runs many histories, in one process or on all cores, and replays one."""

import gc
import logging
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from tests.simulation.history import History
from tests.simulation.scheduler import Stuck
from tests.simulation.trace import Trace
from tests.simulation.violation import Violation

CHUNK = 250
COLLECTED_EVERY = 250  # histories: in between, no time goes into looking for garbage, and they leave hardly any

Plant = Callable[[], AbstractContextManager[object]]
"""A fault planted in the product: it is there while the context is open."""


@dataclass(slots=True)
class Failure:
    """A history in which a promise did not hold."""

    seed: int
    invariant: str
    what: str

    @property
    def replay(self) -> str:
        """The command that shows it."""
        return f"make simulate SEED={self.seed}"

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.invariant}: {self.what}\nreplay: {self.replay}"


@dataclass(slots=True)
class Summary:
    """What happened in many histories. `seen` counts faults, manners of the supplier and whatever else may happen."""

    histories: int = 0
    sales: int = 0
    calls: int = 0
    fewest_sales: int = 1_000_000
    fewest_calls: int = 1_000_000
    seconds: float = 0.0  # of a processor
    seen: dict[str, int] = field(default_factory=dict)
    failure: Failure | None = None

    def add(self, history: History) -> None:
        """Count a history in."""
        sales, calls = len(history.store.sales) + len(history.store.tombstones), history.scheduler.calls
        self.histories += 1
        self.sales += sales
        self.calls += calls
        self.fewest_sales = min(self.fewest_sales, sales)
        self.fewest_calls = min(self.fewest_calls, calls)
        self.count(history.seen)
        self.count(history.scheduler.struck)
        seen = self.seen
        for vend in history.switch.vends:
            seen["vends"] = seen.get("vends", 0) + 1
            seen[f"sold: {vend.vas_type}"] = seen.get(f"sold: {vend.vas_type}", 0) + 1
        for breach in history.breaches.values():
            seen[f"assumption: {breach}"] = seen.get(f"assumption: {breach}", 0) + 1
        for message in history.topic.messages:
            seen[f"event: {message.event}"] = seen.get(f"event: {message.event}", 0) + 1

    def count(self, seen: dict[str, int]) -> None:
        """Add to what was seen."""
        for name, times in seen.items():
            self.seen[name] = self.seen.get(name, 0) + times

    def merge(self, other: "Summary") -> None:
        """Take in what another process counted."""
        self.histories += other.histories
        self.sales += other.sales
        self.calls += other.calls
        self.fewest_sales = min(self.fewest_sales, other.fewest_sales)
        self.fewest_calls = min(self.fewest_calls, other.fewest_calls)
        self.seconds += other.seconds
        self.count(other.seen)
        self.failure = self.failure or other.failure


def run_seeds(seeds: Iterable[int], plant: Plant | None = None) -> Summary:
    """Run these histories in this process, up to the first that fails; with a fault planted, if one is given."""
    with _undisturbed(), (plant or nullcontext)():
        return _run(seeds)


def run_everywhere(first: int, count: int, processes: int | None = None) -> Iterator[Summary]:
    """Run histories on all cores, as parts in the order of their seeds, up to the first that fails."""
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    with multiprocessing.get_context("fork").Pool(processes, initializer=_undisturbed().__enter__) as pool:  # for as long as it lives
        for summary in pool.imap(_run, chunks):
            yield summary
            if summary.failure is not None:
                return


def replay(seed: int) -> tuple[list[str], Failure | None]:
    """A history as people read it, and whether it failed."""
    trace = Trace()
    with _undisturbed():
        history = History(seed, trace)
        failure = _failure_of(history)
    return trace.lines, failure


def _run(seeds: Iterable[int]) -> Summary:
    summary = Summary()
    began = time.process_time()
    for number, seed in enumerate(seeds):
        if number % COLLECTED_EVERY == 0:
            gc.collect()
        history = History(seed)
        summary.failure = _failure_of(history)
        summary.add(history)
        history.forget()
        if summary.failure is not None:
            break
    summary.seconds = time.process_time() - began
    return summary


def _failure_of(history: History) -> Failure | None:
    try:
        history.run()
    except Violation as violation:
        failure = Failure(history.seed, violation.invariant, violation.what)
    except Stuck:
        failure = Failure(history.seed, "every history ends", "it goes round in circles")
    else:
        return None
    history.scheduler.close()
    return failure


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without logs, and without the garbage collector in the middle of a history."""
    disabled, collecting = logging.root.manager.disable, gc.isenabled()
    logging.disable(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        logging.disable(disabled)
        gc.unfreeze()
        if collecting:
            gc.enable()
