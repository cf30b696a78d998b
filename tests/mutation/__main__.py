"""`python -m tests.mutation --count 500 --seed 1`: plants so many mistakes, drawn at random, and lists those that nothing notices."""

import argparse
import sys
import time
import tomllib
from collections import Counter
from contextlib import ExitStack, closing
from math import inf
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.mutation import anew, lines, trials
from tests.mutation.mutants import Mutant, mutants_of
from tests.root import ROOT

GOAL: Final = 0.97
EQUIVALENTS: Final = Path(__file__).with_name("equivalents.toml")

# The product but for what only carries, shows or logs: the adapters of Google's services, pages, reports, and what wires them up.
NOT_THE_CORE: Final = (
    *(
        "__init__.py",
        "bootstrap.py",
        "event_publisher.py",
        "gcp/",
        "lib/logs.py",
        "mobilemart/settlement_writer.py",
        "mobilemart/simulator/",
    ),
    *("settlement/reporting.py", "store/database.py", "store/firestore.py", "store/protobuf.py"),
    *(f"web/{name}.py" for name in ("middleware", "backoffice", "oidc", "templating", "problem_pages", "report_csv", "report_html")),
)
"""Where paths below `shared/` begin or, for `__init__.py`, end."""


def core() -> list[Path]:
    """The modules that decide."""
    paths = sorted((ROOT / "shared").rglob("*.py"))
    names = [(path, path.relative_to(ROOT / "shared").as_posix()) for path in paths]
    return [path for path, name in names if not name.startswith(NOT_THE_CORE) and not name.endswith("__init__.py")]


def equivalents() -> dict[tuple[str, str, str], str]:
    """The reviewed mistakes that change nothing that matters, each with its reason."""
    rows = tomllib.loads(EQUIVALENTS.read_text())
    return {
        (file, scope, change): group["reason"]
        for group in rows.get("equivalent", [])
        for file, _, scope in [group["in"].partition(": ")]
        for change in group["changes"]
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="how many mistakes")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--only", nargs="*", default=[], help="modules, as parts of their paths")
    parser.add_argument("--equivalents", action="store_true", help="try those that are listed as equivalent: none may be noticed")
    parser.add_argument("--budget", type=float, default=inf, help="seconds of tests for each mistake: for a first look")
    given = parser.parse_args()

    began = time.monotonic()
    everything = [(mutant, at) for path in core() for at, mutant in enumerate(mutants_of(path))]
    reasons = equivalents()
    stale = sorted(set(reasons) - {mutant.key for mutant, _ in everything})
    among = [one for one in everything if not given.only or any(part in one[0].file for part in given.only)]
    if given.equivalents:
        drawn = [one for one in among if one[0].key in reasons]
    else:
        drawn = Random(given.seed).sample(among, min(given.count, len(among)))
    to_try = [one for one in drawn if given.equivalents or one[0].key not in reasons]
    print(
        f"{len(everything)} mistakes are possible; {len(drawn)} drawn with seed {given.seed}, {len(drawn) - len(to_try)} of them equivalent"
    )

    results: list[trials.Trial] = []

    def then(tests: trials.Tests) -> None:
        as_imported = stop()
        covered = lines.kept()
        covered.lines[lines.AS_IMPORTED] = as_imported
        if tests.cover(covered, given.jobs):
            lines.keep(covered)
        print(
            f"{len(covered.seconds)} tests, in {sum(covered.seconds.values()):.0f} s; begun after {time.monotonic() - began:.0f} s",
            flush=True,
        )
        mutants, numbers = [mutant for mutant, _ in to_try], [at for _, at in to_try]
        with ExitStack() as until:
            address = until.enter_context(anew.served())
            unnoticed = trials.untouched(covered, address)
            if unnoticed is not None:
                raise RuntimeError(f"without any mistake, {unnoticed} fails in a process of its own")
            ended = trials.tried(tests, covered, mutants, numbers, given.jobs, given.budget, address)
            for result in until.enter_context(closing(ended)):
                results.append(result)
                if (result.noticed_by is None) != given.equivalents:
                    how = "survived" if result.noticed_by is None else f"noticed by {result.noticed_by}"
                    print(f"{how} ({result.asked} tests): {result.mutant}", flush=True)

    trials.end_when_told()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    stop = lines.hear_as_imported()
    ended = pytest.main([*trials.OPTIONS, "-s", *trials.TESTS], plugins=[trials.Session(then)])
    return _told(results, drawn, to_try, stale, time.monotonic() - began) if len(results) == len(to_try) else int(ended) or 1


def _told(
    results: list[trials.Trial], drawn: list[tuple[Mutant, int]], to_try: list[tuple[Mutant, int]], stale: list[object], took: float
) -> int:
    survivors = [result.mutant for result in results if result.noticed_by is None]
    noticed = len(results) - len(survivors)
    score = noticed / len(results) if results else 1.0
    tally = Counter(mutant.file for mutant, _ in to_try)
    lost = Counter(mutant.file for mutant in survivors)
    for file, count in lost.most_common():
        print(f"{file}: {count} of {tally[file]} survived")
    for key in stale:
        print(f"listed as equivalent, and no longer possible: {key}")
    print(f"{noticed} of {len(results)} noticed: {score:.1%}; {len(drawn) - len(to_try)} equivalent; {took:.0f} s")
    return 0 if score >= GOAL and not stale else 1


if __name__ == "__main__":
    sys.exit(main())
