"""A cold start: from the process's start to its first answered sale, and the cost of the imports in it.

    python -m bench.start [--runs N]

Ours, the probe with the same imports, and the probe with its own start in turns. The supplier answers at once.
A sale's imports happen before its answer, at load or with the first request: a lazy import hides nothing.
"""

import argparse
import os
import re
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import httpx

from bench.load import AMOUNT_CENTS
from bench.processes import Bench, bench
from bench.table import Goal, Row, Table, spread

STACKS: Final = ("ours", "imports", "raw")
GOAL: Final = Goal(1.15, at_least=False)
POLL_SECONDS: Final = 0.005
_IMPORTED: Final = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
_FIRST_SALE: Final = (
    "import functions_framework.aio, starlette.applications, uvicorn_worker, main, shared.store.firestore, shared.gcp.pubsub, "
    "google.cloud.secretmanager_v1, google_crc32c, httpx_aiohttp"
)
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Start:
    """The measurements of one start. CPU hardly depends on the load of the machine."""

    seconds: float
    cpu_seconds: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the interpreter whose packages the functions use")
    options = parser.parse_args(arguments)
    for table in tables(options.runs, options.python):
        print(table, flush=True)


def tables(runs: int, python: Path) -> Iterator[Table]:
    with bench() as around:
        around.answers_after(0)
        taken: dict[str, list[Start]] = {name: [] for name in STACKS}
        for at in range(runs + 1):
            for name in STACKS:
                start = first_sale(around, name, python)
                if at:  # the first starts compile
                    taken[name].append(start)
        rows = [
            Row((name, spread([each.seconds for each in starts], 2), spread([each.cpu_seconds for each in starts], 2)))
            for name, starts in taken.items()
        ]
        pairs = list(zip(taken["ours"], taken["imports"], strict=True))
        found = [ours.seconds / theirs.seconds for ours, theirs in pairs]
        used = [ours.cpu_seconds / theirs.cpu_seconds for ours, theirs in pairs]
        rows.append(Row(("ours, of `imports`", spread(found, 2), spread(used, 2))))
        rows.append(Row((f"goal: {GOAL}", GOAL.verdict(median(found)), GOAL.verdict(median(used)))))
        yield Table(f"To the first answered sale of a new process, {runs} runs", ("", "seconds", "CPU seconds"), rows)
        yield imports(around, python)


def first_sale(around: Bench, name: str, python: Path) -> Start:
    """Start a process, and wait until it has sold."""
    began = time.perf_counter()
    function = around.start(name, python)
    body = {"meterNumber": "99000000000", "amountCents": AMOUNT_CENTS}
    with httpx.Client(base_url=f"http://127.0.0.1:{function.port}", headers=around.headers(0), timeout=60, trust_env=False) as client:
        while True:
            with suppress(httpx.ConnectError):
                answer = client.post("/utility", json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
                break
            time.sleep(POLL_SECONDS)
    start = Start(time.perf_counter() - began, function.cpu_seconds())
    function.process.kill()
    assert answer.status_code == 201, answer.text
    return start


def imports(around: Bench, python: Path) -> Table:
    """Measure the imports of our first sale, by package; Python's own modules are one."""
    environment = {**around.environment("ours"), "PYTHONPATH": ""}
    folder = around.platform.unpacked("purchase")
    done = subprocess.run(
        [str(python), "-X", "importtime", "-c", f"import sys; sys.path.insert(0, ''); {_FIRST_SALE}"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    spent: Counter[str] = Counter()
    for microseconds, module in _IMPORTED.findall(done.stderr):
        spent[_package(module)] += int(microseconds)
    rows = [Row((package, f"{each / 1_000:.0f}")) for package, each in spent.most_common(_SHOWN)]
    rows.append(Row(("all", f"{sum(spent.values()) / 1_000:.0f}")))
    return Table("Milliseconds of imports, with the tracing's own cost", ("package", "ms"), rows)


def _package(module: str) -> str:
    top, _, rest = module.partition(".")
    if top in sys.stdlib_module_names or top in {"encodings", "_frozen_importlib_external"}:
        return "Python's own"
    return f"{top}.{rest.partition('.')[0]}" if top == "google" else top


if __name__ == "__main__":
    main()
