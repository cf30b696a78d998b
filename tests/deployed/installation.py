"""What the build does with an archive: its own requirements, with hashes, in an environment that holds nothing else."""

import subprocess
import sys
from pathlib import Path


def installed(archive: Path, environment: Path) -> Path:
    """The interpreter of a fresh environment in which an unpacked archive can run.

    Raises:
        AssertionError: a step failed, with what it said.
    """
    python = environment / "bin" / "python"
    _run(archive, sys.executable, "-m", "venv", str(environment))
    _run(archive, str(python), "-m", "pip", "install", "--quiet", "--no-compile", "--require-hashes", "-r", "requirements.txt")
    _run(archive, str(python), "-m", "pip", "check")
    _run(archive, str(python), "-m", "compileall", "-f", "-q", ".")
    return python


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"[-3000:]
