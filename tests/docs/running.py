"""The system as it runs on one's own machine, for pages and descriptions that speak of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.emulators import free_port
from tests.root import ROOT

START_SECONDS: Final = 30.0


@contextmanager
def system(folder: Path) -> Iterator[str]:
    """The address of a `make run` with nothing on its books but the demonstration."""
    port, said = free_port(), folder / "said"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "--port", str(port)], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        give_up_at = time.monotonic() + START_SECONDS
        while "Serving on" not in said.read_text(errors="replace"):
            assert process.poll() is None and time.monotonic() < give_up_at, said.read_text(errors="replace")[-3000:]
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
