"""What the project promises about itself: it starts from a bare checkout, and ships nothing that is not pinned."""

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.root import ROOT


def made(venv: Path, **choice: str) -> subprocess.CompletedProcess[str]:
    """What `make` does and says when it has to choose an interpreter and make the environment `venv` with it."""
    stamp = venv / f".made-with-{choice.get('PYTHON', 'default').replace('/', '-')}"
    settings = [f"{name}={value}" for name, value in choice.items()]
    command = ["make", "--no-print-directory", f"VENV={venv}", *settings, str(stamp)]
    environment = {"PATH": os.environ["PATH"]}  # not the settings of a `make test` that runs this
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)


def interpreter(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def broken(path: Path) -> Path:
    """An interpreter that is there and starts nothing, as pyenv leaves them on PATH."""
    return interpreter(path, "echo 'command not found' >&2; exit 127")


def working(path: Path) -> Path:
    """The interpreter of this test, which leaves pip out of the environments it makes: that is what takes the time."""
    python = f"exec '{sys.executable}'"
    return interpreter(path, f'[ "$1 $2" != "-m venv" ] || {python} "$@" --without-pip; {python} "$@"')


def pins(requirements: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / requirements).read_text(), re.MULTILINE))


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imported(folder: str) -> set[str]:
    """The modules that the code under a folder imports, by the first part of their names."""
    names: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 11))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
                names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_an_interpreter_that_does_not_start_is_passed_over_for_the_next(tmp_path: Path) -> None:
    making = made(tmp_path / "venv", CANDIDATES=f"no-such-python {broken(tmp_path / 'python3.13')} {working(tmp_path / 'python3.12')}")

    assert making.returncode == 0, making.stderr
    version = subprocess.run([tmp_path / "venv" / "bin" / "python", "--version"], check=True, capture_output=True, text=True).stdout
    assert version.strip() == f"Python {sys.version.split()[0]}"


def test_without_a_usable_interpreter_one_line_says_so(tmp_path: Path) -> None:
    making = made(tmp_path / "venv", PYTHON=str(broken(tmp_path / "python3.13")))

    assert making.returncode != 0
    said = [line for line in making.stderr.splitlines() if not line.startswith("make: ***")]
    assert said == [f"{tmp_path}/python3.13 is not a Python 3.11 or newer with venv: set PYTHON to one"]
    assert not (tmp_path / "venv").exists()


def test_the_functions_import_only_what_is_pinned_for_them() -> None:
    pinned, providers = pins("requirements.txt"), packages_distributions()
    outside = (imported("shared") | imported("functions")) - sys.stdlib_module_names - {"shared"}

    assert pinned
    assert {name for name in outside if not any(normalised(provider) in pinned for provider in providers.get(name, ()))} == set()


def test_tests_run_with_the_versions_that_ship() -> None:
    shipped, tested = pins("requirements.txt"), pins("requirements-dev.txt")
    both = shipped.keys() & tested.keys()

    assert both
    assert {name: tested[name] for name in both} == {name: shipped[name] for name in both}
