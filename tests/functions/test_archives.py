"""The archives of `make package`: exactly what is promised, and the same bytes wherever they are made."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local import package

NAMES = ("prevend", "purchase", "reconcile")
DATA: frozenset[str] = frozenset(
    {"shared/web/templates/problems.html", "shared/web/templates/report.html"}
)  # files of `shared/` that are not code


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copied(tmp_path / "checkout")


def copied(to: Path) -> Path:
    """A copy of all that the packer reads, itself included."""
    for folder in ("functions", "local", "shared"):
        shutil.copytree(package.ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package.ROOT / "requirements.txt", to)
    return to


def packaged(checkout: Path, working_directory: Path | None = None) -> dict[str, bytes]:
    """The archives that a checkout's own packer makes, by name, and what it said is checked against them."""
    command = [sys.executable, "-m", "local.package"]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.run(command, cwd=working_directory or checkout, env=environment, check=True, capture_output=True, text=True).stdout
    archives = {path.stem: path.read_bytes() for path in (checkout / "build").iterdir()}
    assert [line.split() for line in said.splitlines()] == [
        [f"{name}.zip", f"{len(packed):,}", "bytes", "sha256", hashlib.sha256(packed).hexdigest()]
        for name, packed in sorted(archives.items())
    ]
    return archives


def test_every_function_has_an_archive_of_its_main_the_shared_code_and_the_requirements_and_nothing_else(checkout: Path) -> None:
    shared = {path.relative_to(checkout).as_posix() for path in (checkout / "shared").rglob("*.py")}
    for litter in ("__pycache__/money.cpython-313.pyc", "store/__pycache__/sqlite.pyc", ".DS_Store", ".cache/module.py"):
        (checkout / "shared" / litter).parent.mkdir(exist_ok=True)
        (checkout / "shared" / litter).write_bytes(b"left behind")

    archives = packaged(checkout)

    assert tuple(sorted(archives)) == NAMES
    for name in NAMES:
        with zipfile.ZipFile(checkout / "build" / f"{name}.zip") as bundle:
            assert bundle.namelist() == sorted({"main.py", "requirements.txt"} | shared | DATA)
            assert bundle.read("main.py") == (checkout / "functions" / name / "main.py").read_bytes()
            assert all(bundle.read(entry) == (checkout / entry).read_bytes() for entry in shared | {"requirements.txt"})


def test_the_same_files_give_the_same_bytes_wherever_and_whenever_they_are_packaged(tmp_path: Path) -> None:
    here, there = copied(tmp_path / "here"), copied(tmp_path / "a much longer way" / "to there")
    for age, path in enumerate(sorted(there.rglob("*"), reverse=True)):
        path.chmod(0o700)
        os.utime(path, (age * 86_400, age * 86_400))  # from 1970 on: earlier than a zip can say

    assert packaged(here) == packaged(there, working_directory=tmp_path) == packaged(there)


def test_a_changed_line_in_the_shared_code_changes_every_archive(checkout: Path) -> None:
    before = packaged(checkout)
    with (checkout / "shared" / "domain" / "money.py").open("a") as module:
        module.write("# a line more\n")
    after = packaged(checkout)

    assert all(before[name] != after[name] for name in NAMES)


def test_the_build_can_compile_an_archive_as_it_is_unpacked(checkout: Path, tmp_path: Path) -> None:
    for name in packaged(checkout):
        unpacked = tmp_path / name
        with zipfile.ZipFile(checkout / "build" / f"{name}.zip") as bundle:
            bundle.extractall(unpacked)
        subprocess.run([sys.executable, "-m", "compileall", "-f", "-q", "."], cwd=unpacked, check=True)


def test_a_checkout_without_functions_is_refused(checkout: Path) -> None:
    shutil.rmtree(checkout / "functions")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        packaged(checkout)
    assert "no functions/NAME/main.py" in refused.value.stderr


def test_the_requirements_are_pinned_with_hashes_and_name_no_place() -> None:
    text = (package.ROOT / "requirements.txt").read_text()
    pinned = re.sub(r" \\\n +", " ", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE)).splitlines()

    assert any(line.startswith("functions-framework==") for line in pinned)  # where it is not, the build adds a version of its own
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [^\\]+?)?( --hash=sha256:[0-9a-f]{64})+", line) for line in pinned)
    assert not re.search(r"https?:|file:|index-url|find-links", text)
