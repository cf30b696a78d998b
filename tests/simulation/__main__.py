"""`make simulate SEEDS=n`, `make simulate SEED=s`: many histories, or one that is told."""

import argparse
import os
import sys
import time

from tqdm import tqdm

from tests.simulation.runner import Summary, replay, run_everywhere

DOUBT_ENDED = "doubt ended by "


def main() -> int:
    """Run what was asked for. The exit code says whether every promise held."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many histories")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="replay this one")
    said = parser.parse_args()
    return _told(said.seed) if said.seed is not None else _many(said.first, said.seeds)


def _many(first: int, count: int) -> int:
    total, cores, began = Summary(), os.cpu_count() or 1, time.perf_counter()
    with tqdm(total=count, unit=" histories", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
        for part in run_everywhere(first, count):
            total.merge(part)
            bar.update(part.histories)
    seconds = time.perf_counter() - began
    print("\n".join(_table(total, seconds, cores)))
    if total.failure is None:
        return 0
    print(f"\nFAILED: {total.failure}\n")
    lines, _ = replay(total.failure.seed)
    print("\n".join(lines))
    print(f"\nFAILED: {total.failure}")
    return 1


def _told(seed: int) -> int:
    lines, failure = replay(seed)
    print("\n".join(lines))
    print(f"\nFAILED: {failure}" if failure is not None else f"\nseed {seed}: every promise held")
    return 1 if failure is not None else 0


def _table(total: Summary, seconds: float, cores: int) -> list[str]:
    count = max(total.histories, 1)
    rate, each = total.histories / seconds, total.histories / max(total.seconds, 1e-9)
    lines = [f"  {name:<52} {times:>12,}" for name, times in sorted(total.seen.items())]
    ended = {name.removeprefix(DOUBT_ENDED): times for name, times in sorted(total.seen.items()) if name.startswith(DOUBT_ENDED)}
    doubts = max(sum(ended.values()), 1)
    shares = ", ".join(f"{name} {times / doubts:.1%}" for name, times in ended.items())
    return [
        *lines,
        f"  {'doubts that ended':<52} {sum(ended.values()):>12,}   by {shares}",
        f"  {'sales':<52} {total.sales:>12,}   {total.sales / count:.1f} a history, at least {total.fewest_sales}",
        f"  {'port calls':<52} {total.calls:>12,}   {total.calls / count:.1f} a history, at least {total.fewest_calls}",
        f"  {'histories':<52} {total.histories:>12,}   {rate:,.0f}/s on {cores} cores, {each:,.0f} in a second of one, {seconds:.1f} s",
    ]


if __name__ == "__main__":
    sys.exit(main())
