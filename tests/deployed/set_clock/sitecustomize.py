"""Sets the clocks of a deployed function from outside: Python imports this module by its name when a process starts.

The folder is on the path of the processes that a test starts with a clock, and of no other. The archive is as it is shipped: what
`shared` reads of the wall clock and of the monotonic one is moved by the seconds in a file, which the test may change at any time.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime, tzinfo
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

MOVED = Path(os.environ["CLOCKS_OF_A_TEST"])
ROOM = "shared."
KEEPS_TIME = ("shared.bootstrap", "shared.wiring")  # the only module that asks for the date, here and in the last release


def moved(clock: str) -> float:
    return float(json.loads(MOVED.read_bytes())[clock])


def wall() -> float:
    return time.time() + moved("wall")


def monotonic() -> float:
    return time.monotonic() + moved("monotonic")


class MovedDatetime(datetime):
    """Tells another time than the machine does. All that it gives is a plain `datetime`."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.fromtimestamp(wall(), tz)


MOVED_TIME = SimpleNamespace(**{**vars(time), "time": wall, "monotonic": monotonic, "time_ns": None, "monotonic_ns": None})


def set_clocks(module: ModuleType) -> None:
    named = vars(module)
    replaced = {id(time): MOVED_TIME, id(time.time): wall, id(time.monotonic): monotonic}
    if module.__name__ in KEEPS_TIME:
        replaced[id(datetime)] = MovedDatetime
    for name, value in list(named.items()):
        if id(value) in replaced:
            named[name] = replaced[id(value)]


class Finder(MetaPathFinder):
    """Finds the modules of `shared` as they are, and sets their clocks once they are loaded."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname.startswith(ROOM) else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def executed(module: ModuleType) -> None:
            execute(module)
            set_clocks(module)

        spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, Finder())
