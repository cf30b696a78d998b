"""Which test runs which lines of the product: written down, and found anew only for what has changed."""

import functools
import gc
import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

from tests.root import ROOT

SHARED: Final = str(ROOT / "shared")
KEPT: Final = ROOT / "build" / "mutation-lines.json"
TOOL: Final = 4  # of those that sys.monitoring leaves to everybody
AS_IMPORTED: Final = "as the modules are imported"


@dataclass
class Covered:
    """By the name of a test: how long it takes, and by file the lines that it runs."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[str, set[int]]] = field(default_factory=dict)

    def of(self, file: str, first: int, last: int) -> list[str]:
        """The tests that run one of these lines."""
        wanted = set(range(first, last + 1))
        return [test for test, files in self.lines.items() if test != AS_IMPORTED and not wanted.isdisjoint(files.get(file, ()))]

    def cost(self, test: str) -> float:
        """By which tests are put in order: what is fast and runs little of the product is asked first."""
        return self.seconds[test] * (1 + sum(map(len, self.lines[test].values())) / 200)

    def as_imported(self, file: str, first: int, last: int) -> bool:
        return not set(range(first, last + 1)).isdisjoint(self.lines.get(AS_IMPORTED, {}).get(file, ()))


def kept() -> Covered:
    """What was written down, and still holds: of tests in files that are as they were, while all else is as it was."""
    if not KEPT.exists():
        return Covered()
    held, states = json.loads(KEPT.read_text()), _states()
    if held["states"].pop("") != states[""]:
        return Covered()
    names = [name for name in held["seconds"] if (file := name.partition("::")[0]) in states and held["states"].get(file) == states[file]]
    lines = {name: {file: set(found) for file, found in held["lines"][name].items()} for name in (*names, AS_IMPORTED)}
    return Covered({name: held["seconds"][name] for name in names}, lines)


def keep(covered: Covered) -> None:
    """Write it down."""
    KEPT.parent.mkdir(exist_ok=True)
    lines = {test: {file: sorted(found) for file, found in files.items()} for test, files in covered.lines.items()}
    KEPT.write_text(json.dumps({"states": _states(), "seconds": covered.seconds, "lines": lines}))


def _states() -> dict[str, str]:
    """A hash of each file of tests, and one of everything else: the product, what helps the tests, the interpreter."""
    states = {}
    rest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for folder in ("shared", "tests", "local") for path in (ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if path.name.startswith("test_"):
            states[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif not name.startswith("tests/mutation/"):
            rest.update(name.encode() + path.read_bytes())
    return {"": rest.hexdigest(), **states}


def hear_as_imported() -> Callable[[], dict[str, set[int]]]:
    """From now on, until the call that gives them: the lines of functions of the product that run as its modules are imported."""
    heard: dict[str, set[int]] = {}

    def begun(code: CodeType, _: int) -> Any:
        if code.co_filename.startswith(SHARED) and code.co_flags & inspect.CO_OPTIMIZED:  # a function's, not a module's or class's
            heard.setdefault(relative(code.co_filename), set()).update(line for *_, line in code.co_lines() if line is not None)
        return sys.monitoring.DISABLE

    monitoring = _monitoring(sys.monitoring.events.PY_START, begun)
    monitoring.__enter__()
    sys.monitoring.set_events(TOOL, sys.monitoring.events.PY_START)

    def stop() -> dict[str, set[int]]:
        sys.monitoring.set_events(TOOL, 0)
        monitoring.__exit__(None, None, None)
        return heard

    return stop


@contextmanager
def listening() -> Iterator[Callable[[], dict[str, set[int]]]]:
    """Within it, a call gives the lines that were run since the call before."""
    heard: dict[str, set[int]] = {}
    files: dict[str, str] = {}

    def run(code: CodeType, line: int) -> Any:
        file = files.get(code.co_filename) or files.setdefault(code.co_filename, relative(code.co_filename))
        heard.setdefault(file, set()).add(line)
        return sys.monitoring.DISABLE

    def since() -> dict[str, set[int]]:
        found = dict(heard)
        heard.clear()
        sys.monitoring.restart_events()
        return found

    with _monitoring(sys.monitoring.events.LINE, run):
        for code in {part for function in functions_of_the_product() for part in within(function.__code__)}:
            sys.monitoring.set_local_events(TOOL, code, sys.monitoring.events.LINE)
        yield since


@contextmanager
def _monitoring(event: int, callback: Callable[..., Any]) -> Iterator[None]:
    sys.monitoring.use_tool_id(TOOL, "mutation")
    sys.monitoring.register_callback(TOOL, event, callback)
    try:
        yield
    finally:
        sys.monitoring.free_tool_id(TOOL)


def relative(filename: str) -> str:
    return Path(filename).relative_to(ROOT).as_posix()


def functions_of_the_product() -> list[FunctionType]:
    """All that live, whatever holds them: modules, classes, decorators."""
    return [found for found in gc.get_objects() if type(found) is FunctionType and found.__code__.co_filename.startswith(SHARED)]


def within(code: CodeType) -> Iterator[CodeType]:
    """A code object, and all that are made in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from within(constant)


def caches_of_the_product() -> Iterable[Any]:
    """Functions of the product that remember what they gave."""
    kind = functools._lru_cache_wrapper
    return [found for found in gc.get_objects() if isinstance(found, kind) and str(found.__module__).startswith(("shared", "tests"))]
