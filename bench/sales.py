"""Sales a second, latency, CPU and memory: ours beside probes, in turns, as packaged functions.

    python -m bench.sales [--rounds N] [--seconds S] [--emulators]

Each sells electricity with the same calls in the same order: look, prevend, claim, vend, record, publish, clear. `probes/` says
what the probes are; ours is compared with the cheaper one of `raw` and `client`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final
import sys

from bench.load import Load, Seen
from bench.processes import Bench, Measured, bench

STACKS: Final = ("ours", "raw", "client", "default")
CALLERS: Final = (1, 32, 200)
SUPPLIER_SECONDS: Final = 0.1
WARM_UP_SECONDS: Final = 2.5


@dataclass(frozen=True, slots=True)
class Turn:
    """One stack's turn at selling."""

    seen: Seen
    around_ms: float  # CPU of the stand-ins a sale

    @property
    def cpu_ms(self) -> float:
        return self.seen.used / len(self.seen.latencies) * 1_000


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--callers", type=int, nargs="*", default=CALLERS)
    parser.add_argument("--stacks", nargs="*", default=STACKS)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    options = parser.parse_args(arguments)
    with bench() as around:
        around.answers_after(SUPPLIER_SECONDS)
        functions = {name: around.ready(around.start(name, options.python)) for name in options.stacks}
        turns: dict[tuple[str, int], list[Turn]] = {}
        for _ in range(options.rounds):
            for callers in options.callers:
                for name, function in functions.items():
                    turns.setdefault((name, callers), []).append(turn(around, function, callers, options.seconds))
        for (name, callers), taken in turns.items():
            print(
                f"{name:<8} {callers:>4} callers  "
                f"{median(one.seen.rate for one in taken):>7.1f}/s [{min(one.seen.rate for one in taken):.0f}..{max(one.seen.rate for one in taken):.0f}]  "
                f"p50 {median(one.seen.quantile_ms(0.5) for one in taken):>6.0f} p99 {median(one.seen.quantile_ms(0.99) for one in taken):>6.0f} ms  "
                f"CPU {median(one.cpu_ms for one in taken):.2f} ms [{min(one.cpu_ms for one in taken):.2f}..{max(one.cpu_ms for one in taken):.2f}]  "
                f"stand-ins {median(one.around_ms for one in taken):.2f} ms"
            )


def turn(around: Bench, function: Measured, callers: int, seconds: float) -> Turn:
    """Let so many callers buy for so long."""
    beside = [each for each in (around.supplier, around.google) if each is not None]
    before = sum(each.cpu_seconds() for each in beside)
    made = Load(function.port, callers, around.headers)
    seen = made.run(WARM_UP_SECONDS, seconds, function.cpu_seconds)
    used = sum(each.cpu_seconds() for each in beside) - before
    return Turn(seen, used / made.bought * 1_000)


if __name__ == "__main__":
    main()
