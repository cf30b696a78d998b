"""The calls of a sale, counted and not timed: on the wire between the archives, the emulators and the supplier.

    python -m bench.counts

`tests/deployed/test_counts.py` asserts the same counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import astuple, fields

from bench.cost import surrounded
from bench.table import Row, Table
from shared.mobilemart.simulator import Behaviour
from tests.deployed.counting import Counted, Counts, counting
from tests.deployed.wallet import new_key


def main() -> None:
    for table in tables():
        print(table, flush=True)


def tables() -> Iterator[Table]:
    with surrounded() as surroundings, counting(surroundings.firestore, surroundings.pubsub, Behaviour(marked=False)) as world:
        counted = Counted(surroundings, world, "prevend", "purchase", "reconcile").warmed()
        named, key = counted.prevend(), new_key()
        counted.buy(key=key)
        acts: dict[str, Callable[[], object]] = {
            "prevend": counted.prevend,
            "sale that prevends itself": counted.buy,
            "sale by a prevend": lambda: counted.buy(named),
            "repeat": lambda: counted.buy(key=key),
            "sweep that finds nothing": counted.sweep,
        }
        rows = [_row(name, world.during(act)) for name, act in acts.items()]
        idle = world.during(counted.sweep)
        world.lose_the_next_sale()
        counted.buy(status=202)
        rows.append(_row("doubt that a sweep ends, beside that", world.during(counted.sweep) - idle))
        yield Table("Counted", ("", *(field.name.replace("_", " ") for field in fields(Counts))), rows)


def _row(name: str, counts: Counts) -> Row:
    return Row((name, *astuple(counts)))


if __name__ == "__main__":
    main()
