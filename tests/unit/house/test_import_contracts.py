"""The contracts of `make lint` are the table "Who imports whom": each arrow against it fails, and each arrow in it passes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from tests.docs.pages import Page, quoted, rows
from tests.root import ROOT

ROWS = rows(Page.read("docs/architecture.md").below("Who imports whom"))
TABLE = {room: quoted(may) for first, may in ROWS for room in quoted(first)}
IN_IT = {(room, other) for room in TABLE for other in TABLE[room]} - {("store", "gcp")} | {("store", "gcp.grpc")}
AGAINST = {(room, other) for room in TABLE for other in TABLE if other not in {room, *TABLE[room]}} | {
    *((room, above) for room in TABLE for above in ("bootstrap", "config", "event_publisher")),
    *((room, "mobilemart.simulator") for room in (*TABLE, "config")),
    *(("store", f"gcp.{client}") for client in ("pubsub", "secret_manager", "cloud_storage")),
}


def linted(checkout: Path, arrows: Collection[tuple[str, str]]) -> subprocess.CompletedProcess[str]:
    """What import-linter says of this checkout once these imports are in it, each in a module of its own."""
    for name in ("shared", "local"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    for room, other in arrows:
        path = checkout / f"{importer(room, other).replace('.', '/')}.py"
        with path.open("a") as module:
            module.write(f"\nimport shared.{other}\n")
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
    wide = {**os.environ, "COLUMNS": "500"}  # no line is broken
    return subprocess.run(command, cwd=checkout, env=wide, check=False, capture_output=True, text=True)


def importer(room: str, other: str) -> str:
    return "shared.config" if room == "config" else f"shared.{room}.planted_{other.replace('.', '_')}"


def test_each_import_against_the_table_fails_and_both_modules_are_named(tmp_path: Path) -> None:
    linting = linted(tmp_path, AGAINST)

    assert linting.returncode == 1, linting.stderr
    named = {(room, other) for room, other in AGAINST if f"{importer(room, other)} -> shared.{other} (" in linting.stdout}
    assert named == AGAINST


def test_each_import_in_the_table_passes(tmp_path: Path) -> None:
    linting = linted(tmp_path, IN_IT)

    assert linting.returncode == 0, linting.stdout + linting.stderr


def test_a_room_that_no_contract_names_fails(tmp_path: Path) -> None:
    (tmp_path / "shared" / "attic").mkdir(parents=True)
    (tmp_path / "shared" / "attic" / "__init__.py").touch()
    linting = linted(tmp_path, ())

    assert linting.returncode == 1
    assert "shared.attic" in linting.stdout
