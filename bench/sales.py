"""Sales a second, latency, CPU and memory of packaged functions: ours beside probes, in turns.

    python -m bench.sales [--rounds N] [--seconds S] [--emulators]

Each sells electricity with the same calls in the same order: look, prevend, claim, vend, record, publish, clear.
`probes/` describes the probes. Ours is compared with `raw` or `client`, whichever takes less CPU a sale.
The tables show the median of the rounds, and the spread.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.load import Load, Seen
from bench.processes import Bench, Measured, bench, many_files
from bench.table import Goal, Row, Table, spread
from tests import emulators

STACKS: Final = ("ours", "raw", "client", "default")
CALLERS: Final = (1, 32, 200)
MAX_CALLERS: Final = 200
OPEN_SALES: Final = (200, 800)
SUPPLIER_SECONDS: Final = 0.1
SLOW_SUPPLIER_SECONDS: Final = 3.0
WARM_UP_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One function's turn at selling."""

    seen: Seen
    around_ms: float  # CPU of the stand-ins a sale

    @property
    def cpu_ms(self) -> float:
        return (self.seen.after - self.seen.before) / len(self.seen.latencies) * 1_000


Turns = Mapping[tuple[str, int], Sequence[Turn]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of one turn")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the interpreter whose packages the functions use")
    parser.add_argument("--emulators", action="store_true", help="sell into Google's emulators, which take more CPU than the functions")
    options = parser.parse_args(arguments)
    for table in tables(options.rounds, options.seconds, options.python, with_emulators=options.emulators):
        print(table, flush=True)


def tables(rounds: int, seconds: float, python: Path, *, with_emulators: bool = False) -> Iterator[Table]:
    """Return the measurements as tables."""
    many_files()
    with ExitStack() as stack:
        services = [stack.enter_context(each()) for each in (emulators.firestore, emulators.pubsub)] if with_emulators else []
        around = stack.enter_context(bench(*services))
        functions = {name: around.ready(around.start(name, python)) for name in STACKS}
        around.answers_after(SUPPLIER_SECONDS)
        for function in functions.values():  # the first sales are slow: imports, connections, and the emulators' compiler
            Load(function.port, CALLERS[1], around.headers).run(WARM_UP_SECONDS, seconds, function.cpu_seconds)
        turns: dict[tuple[str, int], list[Turn]] = {}
        for _ in range(rounds):
            for callers in CALLERS:
                for name, function in functions.items():
                    turns.setdefault((name, callers), []).append(turn(around, function, callers, seconds))
        yield sales_table(turns)
        yield ratios(turns)
        around.answers_after(SLOW_SUPPLIER_SECONDS)
        yield memory(around, functions)


def turn(around: Bench, function: Measured, callers: int, seconds: float) -> Turn:
    """Let so many callers buy for so many seconds."""
    beside = [each for each in (around.supplier, around.google) if each is not None]
    before = sum(each.cpu_seconds() for each in beside)
    load = Load(function.port, callers, around.headers)
    seen = load.run(WARM_UP_SECONDS, seconds, function.cpu_seconds)
    return Turn(seen, (sum(each.cpu_seconds() for each in beside) - before) / load.bought * 1_000)


def sales_table(turns: Turns) -> Table:
    columns = ("", "callers", "sales/s", "p50 ms", "p99 ms", "CPU ms a sale", "stand-ins' CPU ms")
    rows = [
        Row(
            (
                name,
                callers,
                spread([one.seen.rate for one in taken]),
                f"{median(one.seen.quantile_ms(0.5) for one in taken):.0f}",
                f"{median(one.seen.quantile_ms(0.99) for one in taken):.0f}",
                spread([one.cpu_ms for one in taken], 2),
                f"{median(one.around_ms for one in taken):.2f}",
            )
        )
        for (name, callers), taken in turns.items()
    ]
    return Table(f"Sales, supplier at {SUPPLIER_SECONDS * 1_000:.0f} ms", columns, rows)


def ratios(turns: Turns) -> Table:
    """Compare each goal with the measurement at the most callers, round by round: a busy machine is busy for both."""

    def cpu(name: str) -> float:
        return median(one.cpu_ms for one in turns[name, MAX_CALLERS])

    probe = min(("raw", "client"), key=cpu)
    rate: Callable[[Turn], float] = lambda one: one.seen.rate  # noqa: E731
    used: Callable[[Turn], float] = lambda one: one.cpu_ms  # noqa: E731
    goals = [
        (f"sales/s, of the probe's ({probe})", rate, probe, Goal(0.85, at_least=True)),
        ("sales/s, of the default's", rate, "default", Goal(5, at_least=True)),
        (f"CPU a sale, of the probe's ({probe})", used, probe, Goal(1.3, at_least=False)),
    ]
    rows = []
    for title, measure, other, goal in goals:
        pairs = zip(turns["ours", MAX_CALLERS], turns[other, MAX_CALLERS], strict=True)
        found = [measure(ours) / measure(theirs) for ours, theirs in pairs]
        rows.append(Row((title, spread(found, 2), str(goal), goal.verdict(median(found)))))
    return Table(f"Goals, {MAX_CALLERS} callers", ("", "measured", "goal", ""), rows)


def memory(around: Bench, functions: Mapping[str, Measured]) -> Table:
    """Measure the memory of a function while so many sales wait for the supplier, in turn."""
    rows = []
    for name in ("ours", "raw"):
        idle = functions[name].megabytes()
        held = []
        for callers in OPEN_SALES:
            seen = Load(functions[name].port, callers, around.headers).run(
                4 * SLOW_SUPPLIER_SECONDS, 4 * SLOW_SUPPLIER_SECONDS, functions[name].megabytes
            )
            held.append(seen.after)
        rows.append(Row((name, f"{idle:.0f}", *(f"{each:.0f}" for each in held))))
    return Table(
        f"Memory in MB, supplier at {SLOW_SUPPLIER_SECONDS:.0f} s", ("", "idle", *(f"{callers} open sales" for callers in OPEN_SALES)), rows
    )


if __name__ == "__main__":
    main()
