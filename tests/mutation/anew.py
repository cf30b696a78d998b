"""Trials in processes of their own: a module is imported with the mistake in it.

One process has imported what others wrote and nothing of the product. It forks for each trial: to import all of that again would take
most of the time.
"""

import ast
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Final

import pytest

from tests.mutation.mutants import mutants_of
from tests.root import ROOT

OURS: Final = ("shared", "tests", "local", "functions", "bench", "conftest", "__main__")
COLLECTING: Final = 120  # seconds: a mistake that is made as a module is imported may never end
BEGUN: Final = "begun"
IMPORTED_BEFORE: Final = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # the plugins are: their own assertions stay bare


class Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, and gives it the code of a mistake."""

    def __init__(self, file: str, tree: ast.Module | None) -> None:
        self._file = ROOT / file
        self._name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        self._tree = tree

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        if name != self._name or self._tree is None:
            return None
        folders = [str(self._file.parent)] if self._file.name == "__init__.py" else None
        return importlib.machinery.ModuleSpec(name, self, origin=str(self._file), is_package=folders is not None)

    def exec_module(self, module: ModuleType) -> None:
        assert self._tree is not None
        module.__file__ = str(self._file)
        if module.__spec__ is not None and module.__spec__.submodule_search_locations is not None:
            module.__path__ = [str(self._file.parent)]
        exec(compile(ast.fix_missing_locations(self._tree), str(self._file), "exec"), vars(module))


class Forking(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """Forks for each question."""

    request_queue_size = 100


class Answering(socketserver.StreamRequestHandler):
    """Says that the tests have begun, and then which of them notices the mistake. Whoever is ended by a limit says nothing more."""

    def handle(self) -> None:
        question = json.loads(self.rfile.readline())
        signal.setitimer(signal.ITIMER_REAL, COLLECTING)
        tree = mutants_of(ROOT / question["file"])[question["number"]].tree if question["number"] is not None else None
        if "shared" in sys.modules:
            raise RuntimeError("the product was imported too early")
        sys.meta_path.insert(0, Planted(question["file"], tree))
        from tests.mutation import trials

        trials.limit()
        names = question["names"]

        def then(tests: trials.Tests) -> None:
            self._say(BEGUN)
            self._say(tests.first_that_fails([name for name in names if name in tests.items], question["seconds"]))

        files = list(dict.fromkeys(name.partition("::")[0] for name in names if name != trials.HISTORIES))
        with suppress(BaseException):  # what cannot be imported says nothing
            chosen = files or ["tests/unit/domain/test_money.py"]
            pytest.main([*trials.OPTIONS, *IMPORTED_BEFORE, *chosen], plugins=[trials.Session(then)])

    def _say(self, what: str | None) -> None:
        self.wfile.write(json.dumps(what).encode() + b"\n")


@contextmanager
def served() -> Iterator[str]:
    """The process that forks, with whatever of others this one has imported by now; the address of its socket."""
    others = [name for name in sys.modules if name.partition(".")[0] not in OURS]  # in the order in which they were imported
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/socket"
        command = [sys.executable, "-m", "tests.mutation.anew", address]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            try:
                print(json.dumps(others), file=process.stdin, flush=True)
                process.stdout.readline()  # it listens
                yield address
            finally:
                os.killpg(process.pid, signal.SIGKILL)


def asked(address: str, file: str, number: int | None, names: Sequence[str], seconds: dict[str, float]) -> str | None:
    """Which of these tests notices the mistake: their names, in this order, with how long each takes without it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        with connection.makefile("rw") as stream:
            print(json.dumps({"file": file, "number": number, "names": names, "seconds": seconds}), file=stream, flush=True)
            said = [json.loads(line) for line in stream]
    if not said:
        return "what cannot be imported"
    return "the limit of time or memory" if len(said) == 1 else said[1]


def main(address: str) -> None:
    for name in json.loads(sys.stdin.readline()):
        with suppress(Exception):  # a part of a package that only its package can import
            importlib.import_module(name)
    with Forking(address, Answering) as server:
        print("listening", flush=True)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(nothing, stream)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
