"""The archives of the last release, from the history of this repository, to run beside those of this one."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from local.package import ROOT

LAST_RELEASE: Final = "27daa5bbcaa3253faf47aaeecd0255d98d9742aa"
"""The commit that is deployed. Whoever makes a release puts its commit here with the first commit after it; what stood beside `record`
only for the sake of the release before (`docs/firestore.md`) stays where it is."""


def last_release(into: Path, *parts: str) -> Path:
    """The tree of the last release, or parts of it, in a folder of its own. Skips where this is no clone that reaches back so far."""
    if not (ROOT / ".git").exists():
        pytest.skip("no clone: the last release is not here to run beside this one: clone the repository with git")
    if _git("cat-file", "-e", f"{LAST_RELEASE}^{{commit}}").returncode:
        shallow = _git("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
        assert shallow, f"the last release, {LAST_RELEASE}, is no commit of this repository"
        pytest.skip(f"a shallow clone: the last release, {LAST_RELEASE}, is not in it: git fetch --unshallow")
    packed = _git("archive", LAST_RELEASE, *(parts or ("functions", "shared", "requirements.txt")))
    assert packed.returncode == 0, packed.stderr.decode()
    into.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(into)], input=packed.stdout, check=True)
    return into


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
