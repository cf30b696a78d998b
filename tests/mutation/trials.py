"""A plugin of pytest that, instead of running the tests, plants mistake after mistake and runs those that may notice it.

The session has imported and collected everything; each trial is a fork of it, in which the functions of the product that hold the
mistake get its code. A mistake in what is made as a module is imported needs a process that imports it so: `anew`.
"""

import ast
import gc
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import IO, Any, Final

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.anew import asked
from tests.mutation.lines import AS_IMPORTED, Covered, caches_of_the_product, functions_of_the_product, listening, within
from tests.mutation.mutants import Mutant
from tests.root import ROOT

HISTORIES: Final = "simulated histories"
SEEDS: Final = range(1, 401)
TESTS: Final = ("tests/unit", "tests/contract", "tests/functions", "tests/hostile/test_answers.py", "tests/simulation/test_exhaustive.py")
LEFT_OUT: Final = (  # processes of their own, emulators, or no net of the core and slow
    *("unit/house/test_log_leak_guard.py", "unit/local/test_supplier.py", "functions/test_archives.py", "functions/test_callers.py"),
    *(
        "functions/test_background_jobs.py",
        "functions/test_problem_pages.py",
        "functions/test_process.py",
        "functions/test_settling_day.py",
    ),
    *("behind_the_proxy", "the_brake_stops_purchase_within_its_cache_time"),
)
OPTIONS: Final = (
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "--hypothesis-seed=0",
    "-W",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
WAITING: Final = 0.1  # what a second of waiting costs, in seconds of a processor: it may be another's that works
SLOWER: Final = 20  # than without the mistake, and a test has failed
FIRST_FILES: Final = 10  # tests, whose files are imported first where a mistake needs a process of its own
MEMORY: Final = 8 << 30
ENDING: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one mistake: which test noticed it, or none."""

    mutant: Mutant
    noticed_by: str | None
    asked: int  # tests


def prepare() -> None:
    """Property tests draw the same in every trial, and no clock fails them; what needs an emulator is skipped."""
    import hypothesis  # of these two, pytest wants to be the first to import them

    from tests import emulators

    hypothesis.settings.register_profile(
        "mutation", deadline=None, derandomize=True, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    hypothesis.settings.load_profile("mutation")

    def missing() -> Any:
        raise emulators.EmulatorMissing("trials use none")

    emulators.firestore = emulators.pubsub = missing

    from tests.functions import running

    def in_process(name: str, **environ: str) -> Any:
        from tests.mutation.in_process import opened

        return opened(name, **environ)

    running.opened = in_process


class Session:
    """The plugin: collects, then hands the tests to `then`."""

    def __init__(self, then: Callable[["Tests"], None]) -> None:
        self._then = then

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        prepare()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if not any(name in item.nodeid for name in LEFT_OUT)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._then(Tests(session.items))
        return True


class Tests:
    """The collected tests, and the simulated histories as if they were one more."""

    def __init__(self, items: Sequence[pytest.Item]) -> None:
        self.items: dict[str, pytest.Item | None] = {item.nodeid: item for item in items}
        self.items[HISTORIES] = None

    def passes(self, name: str, after: str | None = None) -> bool:
        """Run one. `after` comes after it, and may use its fixtures."""
        item = self.items[name]
        if item is None:
            from tests.simulation.runner import run_seeds

            return run_seeds(SEEDS).failure is None
        following = self.items[after] if after is not None else None
        return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=following))

    def cover(self, covered: Covered, jobs: int) -> int:
        """Run those that it does not know, without a mistake, and write down what they run. Gives how many."""
        names = [name for name in self.items if name not in covered.seconds]
        files = sorted({name.partition("::")[0] for name in names})
        parts = [[name for name in names if files.index(name.partition("::")[0]) % jobs == part] for part in range(jobs)]
        for answer in forked([lambda part=part: self._covered(part) for part in parts if part], jobs):
            if answer is None or "error" in answer:
                raise RuntimeError(f"the tests could not be run without a mistake: {answer}")
            covered.seconds.update(answer["seconds"])
            covered.lines.update({test: {file: set(lines) for file, lines in files.items()} for test, files in answer["lines"].items()})
        return len(names)

    def _covered(self, names: list[str]) -> dict[str, Any]:
        seconds, lines, caches = {}, {}, caches_of_the_product()
        with listening() as since:
            for name, after in zip(names, [*names[1:], None], strict=True):
                for cache in caches:
                    cache.cache_clear()
                since()
                began, waited = time.process_time(), time.monotonic()
                if self.passes(name, after):
                    seconds[name] = time.process_time() - began + WAITING * (time.monotonic() - waited)
                    lines[name] = {file: sorted(found) for file, found in since().items()}
        return {"seconds": seconds, "lines": lines}

    def first_that_fails(self, names: Sequence[str], seconds: dict[str, float]) -> str | None:
        """Run these in this order, up to the first that fails. One that takes far too long ends the process."""
        for name, after in zip(names, [*names[1:], None], strict=True):
            signal.setitimer(signal.ITIMER_PROF, 3 + SLOWER * seconds[name])
            signal.setitimer(signal.ITIMER_REAL, 60 + SLOWER * seconds[name])
            if not self.passes(name, after):
                return name
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return None


def tried(
    tests: Tests, covered: Covered, mutants: Sequence[Mutant], numbers: Sequence[int], jobs: int, budget: float, address: str
) -> Generator[Trial]:
    """Try each of the mistakes. `numbers` say where each stands among all of its module; `budget` bounds the seconds of the tests.

    `address` is that of `anew`.
    """
    living: dict[tuple[str, str, int], list[Any]] = {}
    for function in functions_of_the_product():
        code = function.__code__
        living.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(function)
    caches = caches_of_the_product()
    users = Users()
    selected = [_within(budget, covered, _selected(covered, mutant, users)) for mutant in mutants]
    gc.collect()
    gc.freeze()

    def trial(at: int) -> Callable[[], Any]:
        mutant, names = mutants[at], selected[at]
        if not names:
            return lambda: {"noticed_by": None}
        if mutant.is_in_function and not covered.as_imported(mutant.file, *mutant.lines):

            def struck() -> Any:
                if not _strike(mutant, living, caches):
                    return {"noticed_by": _anew(address, mutant.file, numbers[at], names, covered)}
                return {"noticed_by": tests.first_that_fails(names, covered.seconds)}

            return struck
        return lambda: {"noticed_by": _anew(address, mutant.file, numbers[at], names, covered)}

    with closing(forked([trial(at) for at in range(len(mutants))], jobs)) as answers:
        for at, answer in enumerate(answers):
            yield Trial(mutants[at], "the limit of time or memory" if answer is None else answer["noticed_by"], len(selected[at]))


def _selected(covered: Covered, mutant: Mutant, users: "Users") -> list[str]:
    if mutant.is_in_function and not covered.as_imported(mutant.file, *mutant.lines):
        names = set(covered.of(mutant.file, *mutant.lines))
    else:
        names = {test for file, first, last in users.of(mutant) for test in covered.of(file, first, last)}
    return sorted(names, key=lambda test: (test == HISTORIES, covered.cost(test)))


def _within(budget: float, covered: Covered, names: list[str]) -> list[str]:
    """As many of the tests as take so long together, the simulated histories last."""
    left, chosen = budget, []
    for name in names:
        left -= covered.seconds[name]
        if left >= 0:
            chosen.append(name)
    return chosen


def _strike(mutant: Mutant, living: dict[tuple[str, str, int], list[Any]], caches: Iterable[Any]) -> bool:
    """Give the living functions the code of the mistake, or none of them where one cannot take it.

    A function in a function cannot that uses other names of the outer one than before: those are bound where it is made.
    """
    path = str(ROOT / mutant.file)
    planted = compile(ast.fix_missing_locations(mutant.tree), path, "exec")
    found = [(function, code) for code in within(planted) for function in living.get((path, code.co_qualname, code.co_firstlineno), ())]
    struck = [(function, code) for function, code in found if function.__code__ != code]
    if any(function.__code__.co_freevars != code.co_freevars for function, code in struck):
        return False
    for function, code in struck:
        function.__code__ = code
    for cache in caches:
        cache.cache_clear()
    return True


class Users:
    """Where a name of a module is used: by functions, or by what other names of modules are made of."""

    def __init__(self) -> None:
        self._functions: list[tuple[str, int, int, frozenset[str]]] = []
        self._made_of: list[tuple[frozenset[str], frozenset[str]]] = []  # names, and what they are made of
        self._all: dict[str, list[tuple[str, int, int]]] = {}
        for path in sorted((ROOT / "shared").rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            self._read(file, ast.parse(path.read_text()))

    def of(self, mutant: Mutant) -> list[tuple[str, int, int]]:
        """The functions that use what the mistake is in, or else all of its module."""
        names = set(mutant.names)
        grows = "*" not in names
        while grows:
            grows = False
            for made, parts in self._made_of:
                if not made <= names and not parts.isdisjoint(names):
                    names |= made
                    grows = True
        found = [(file, first, last) for file, first, last, used in self._functions if not used.isdisjoint(names)]
        return [*found, *self._all.get(mutant.file, [])]

    def _read(self, file: str, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                place = (file, node.body[0].lineno, node.end_lineno or node.lineno)
                self._functions.append((*place, _names(node)))
                self._all.setdefault(file, []).append(place)
        for statement in tree.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                made = frozenset(name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
                self._made_of.append((made, _names(statement.value)))


def _names(node: ast.AST) -> frozenset[str]:
    return frozenset(
        part.id if isinstance(part, ast.Name) else part.attr for part in ast.walk(node) if isinstance(part, ast.Name | ast.Attribute)
    )


def _anew(address: str, file: str, number: int | None, names: Sequence[str], covered: Covered) -> str | None:
    """Import everything anew, with the mistake, and run these tests: first those of a few files."""
    first = list(dict.fromkeys(name.partition("::")[0] for name in names[:FIRST_FILES] if name != HISTORIES))
    parts = [[name for name in names if name.partition("::")[0] in first], [name for name in names if name.partition("::")[0] not in first]]
    for part in filter(None, parts):
        noticed = asked(address, file, number, part, {name: covered.seconds[name] for name in part})
        if noticed is not None:
            return noticed
    return None


def forked(tasks: Sequence[Callable[[], Any]], jobs: int) -> Generator[Any]:
    """What each gives, in order, each in a fork of this process. None where it was ended by a signal."""
    running: dict[int, tuple[int, IO[bytes]]] = {}  # by process: the task, and its answer
    answers: dict[int, Any] = {}
    given = begun = 0
    try:
        while given < len(tasks):
            while begun < len(tasks) and len(running) < jobs:
                running.update([_fork(tasks[begun], begun)])
                begun += 1
            process, _ = os.waitpid(-1, 0) if given not in answers else (0, 0)
            if process in running:
                at, answer = running.pop(process)
                with answer:
                    answer.seek(0)
                    said = answer.read()
                answers[at] = json.loads(said) if said else None
                _end(process)
            while given in answers:
                yield answers.pop(given)
                given += 1
    finally:
        for process in running:
            _end(process)
            with suppress(ProcessLookupError):  # one that has no group of its own yet
                os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def end_when_told() -> None:
    """Let a signal that ends this process end its trials too: each is a group of its own, which no signal to this one reaches."""
    for number in ENDING:
        signal.signal(number, lambda told, _: sys.exit(128 + told))


def limit() -> None:
    """Bound the memory of this process, and leave nothing behind when it is ended."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _fork(task: Callable[[], Any], at: int) -> tuple[int, tuple[int, IO[bytes]]]:
    answer = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended
    if (process := os.fork()) != 0:
        return process, (at, answer)
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        limit()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        said = task()
    except BaseException as error:
        said = {"noticed_by": type(error).__name__, "error": traceback.format_exc()}
    finally:
        answer.write(json.dumps(said).encode())
        answer.flush()
        os._exit(0)


def _end(process: int) -> None:
    """End what a trial has begun and left."""
    try:
        os.killpg(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def untouched(covered: Covered, address: str) -> str | None:
    """Import everything anew without a mistake, and run a few tests: which of them fails."""
    names = sorted((name for name in covered.seconds if name != AS_IMPORTED), key=covered.cost)[:FIRST_FILES]
    return _anew(address, "shared/domain/money.py", None, [*names, HISTORIES], covered)
