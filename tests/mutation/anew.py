"""One trial in a process of its own: a module is imported with the mistake in it."""

import ast
import importlib.abc
import importlib.machinery
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.mutation.mutants import ROOT, mutants_of


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


def main(asked: str, answer: str) -> None:
    question = json.loads(Path(asked).read_text())
    tree = mutants_of(ROOT / question["file"])[question["number"]].tree if question["number"] is not None else None
    if question["file"] in {str(getattr(module, "__file__", "")).removeprefix(f"{ROOT}/") for module in sys.modules.values()}:
        raise RuntimeError(f"{question['file']} was imported too early")
    sys.meta_path.insert(0, Planted(question["file"], tree))
    from tests.mutation import trials

    names = question["names"]

    def then(tests: trials.Tests) -> None:
        noticed = tests.first_that_fails([name for name in names if name in tests.items], question["seconds"])
        Path(answer).write_text(json.dumps({"noticed_by": noticed}))

    files = list(dict.fromkeys(name.partition("::")[0] for name in names if name != trials.HISTORIES))
    ended = pytest.main([*trials.OPTIONS, *(files or ["tests/unit/test_money.py"])], plugins=[trials.Session(then)])
    sys.exit(int(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
