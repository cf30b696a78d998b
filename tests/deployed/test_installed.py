"""An archive as the build makes it run: its own requirements, with hashes, in an environment that holds nothing else."""

import subprocess
import sys
from pathlib import Path

from shared.mobilemart.simulator import PLAIN, Service
from tests.deployed.processes import Supplier
from tests.deployed.surroundings import Surroundings
from tests.deployed.wallet import body_of, new_key


def test_an_archive_installs_from_its_own_requirements_and_sells(surroundings: Surroundings, supplier: Supplier, tmp_path: Path) -> None:
    archive, environment = surroundings.platform.unpacked("purchase"), tmp_path / "environment"
    python = environment / "bin" / "python"
    ran(archive, sys.executable, "-m", "venv", str(environment))
    ran(archive, str(python), "-m", "pip", "install", "--quiet", "--no-compile", "--require-hashes", "-r", "requirements.txt")
    ran(archive, str(python), "-m", "pip", "check")
    ran(archive, str(python), "-m", "compileall", "-f", "-q", ".")

    function = surroundings.platform.start("purchase", surroundings.live(surroundings.topic(), supplier), python).ready()
    sold = surroundings.wallet().buy(function, "utility", body_of(PLAIN, Service.UTILITY), new_key())

    assert (sold.status_code, sold.json()["receipt"]["tokensDue"]) == (201, "delivered")


def ran(folder: Path, *command: str) -> None:
    """Run a command to its end."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"[-3000:]
