"""Terraform on a stand-in for its provider, started once; and one plan per environment, made once."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from local import package
from tests.infra.plan import Plan
from tests.infra.standin.schema import read
from tests.infra.standin.server import serving
from tests.infra.workspace import Workspace

MISSING: Final = "terraform is not on PATH: get 1.11 or newer from https://developer.hashicorp.com/terraform/install"
SCHEMA: Final = Path(__file__).parent / "google_schema.json"

Planned = Callable[[str], Plan]
NewWorkspace = Callable[[], Workspace]


@pytest.fixture(scope="session")
def terraform() -> None:
    """Terraform itself. Where a build server has none, that is a failure, not a reason to look away."""
    if shutil.which("terraform") is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions' archives, as `make package` makes them."""
    folder = tmp_path_factory.mktemp("archives")
    assert {path.stem for path in package.write(folder)} == {"prevend", "purchase", "reconcile"}
    return folder


@pytest.fixture(scope="session")
def attach(terraform: None) -> Iterator[str]:
    """The stand-in, and how Terraform finds it. The folder's name is short, because a socket's must be."""
    with tempfile.TemporaryDirectory(prefix="tf-") as folder, serving(read(SCHEMA), Path(folder) / "socket") as attached:
        yield attached


@pytest.fixture(scope="session")
def new_workspace(tmp_path_factory: pytest.TempPathFactory, archives: Path, attach: str) -> NewWorkspace:
    """Makes fresh copies of the configuration."""
    return lambda: Workspace.copied(tmp_path_factory.mktemp("workspace") / "terraform", archives, attach)


@pytest.fixture(scope="session")
def planned(new_workspace: NewWorkspace) -> Planned:
    """The plan of an environment."""
    return cache(lambda environment: Plan.read(new_workspace().plan(environment)))


@pytest.fixture(scope="session")
def planned_with(new_workspace: NewWorkspace) -> Callable[..., Plan]:
    """The plan of an environment with further arguments, such as `-var=...`."""
    return lambda environment, *arguments: Plan.read(new_workspace().plan(environment, *arguments))
