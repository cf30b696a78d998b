"""The simulated histories that one core plays in a second: `python -m bench.histories [SEEDS]`.

`make simulate` plays more of them.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import Final

from bench.table import Goal, Row, Table
from tests.simulation.runner import Summary, run_everywhere

SEEDS: Final = 10_000
GOAL: Final = Goal(1_000, at_least=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="?", default=SEEDS)
    for table in tables(parser.parse_args(arguments).seeds):
        print(table, flush=True)


def tables(seeds: int = SEEDS) -> Iterator[Table]:
    total = Summary()
    for part in run_everywhere(1, seeds):
        total.merge(part)
    rate = total.histories / total.seconds  # of each core, added up
    sales, calls = (f"{each / total.histories:.1f}, at least {fewest}" for each, fewest in _each(total))
    columns = ("histories", "sales in one", "port calls in one", "histories/s of a core", "goal", "")
    row = Row((f"{total.histories:,}", sales, calls, f"{rate:,.0f}", str(GOAL), GOAL.verdict(rate)))
    yield Table("Histories simulated", columns, [row])


def _each(total: Summary) -> tuple[tuple[int, int], ...]:
    return (total.sales, total.fewest_sales), (total.calls, total.fewest_calls)


if __name__ == "__main__":
    main()
