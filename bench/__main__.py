"""All measurements, as tables: `make bench`, or `python -m bench [--short]`.

Each table is available alone, with more options: `python -m bench.sales`, `.start`, `.counts`, `.settlement`, `.sweep`,
`.histories`, and `.cost`, which prices a sale.
Without Java or the emulators, the measurements that need them are left out, and the output names them.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import counts, histories, sales, settlement, start, sweep
from bench.table import Table
from tests.emulators import EmulatorMissing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer and shorter rounds: to see that all runs, not to be believed")
    short = parser.parse_args().short
    python = Path(sys.executable)
    began = time.monotonic()
    print(f"CPython {sys.version.split()[0]}; every function a process of its own, on the machine that also plays the world around it")
    show(lambda: sales.tables(*((2, 3.0) if short else (3, 4.0)), python))
    show(lambda: start.tables(3 if short else 15, python))
    show(counts.tables)
    show(lambda: settlement.tables((10_000, 100_000) if short else settlement.SIZES))
    show(lambda: sweep.tables(100 if short else sweep.DOUBTS))
    show(lambda: histories.tables(500 if short else histories.SEEDS))
    print(f"\n{time.monotonic() - began:.0f} seconds")


def show(tables: Callable[[], Iterator[Table]]) -> None:
    try:
        for table in tables():
            print(table, flush=True)
    except EmulatorMissing as missing:
        print(f"\nleft out: {missing}", flush=True)


if __name__ == "__main__":
    main()
