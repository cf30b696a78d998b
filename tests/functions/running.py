"""Functions as they run when deployed: each a process of functions-framework, on a port of this machine."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.emulators import free_port
from tests.root import ROOT

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
SIMULATED = {"ENVIRONMENT": "local", "MOBILEMART_LIVE_INTEGRATION": "false"}


@dataclass(frozen=True, slots=True)
class Function:
    """A running function: its address, what it has logged, and its process."""

    url: str
    said: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> int:
        """End it as the platform does, and give its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait()

    def kill(self) -> None:
        """End it at once, with its workers."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def running(name: str, **environ: str) -> Iterator[Function]:
    """The function while it runs, with these variables and no others. One that does not start shows what it said."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        function = Function(url, said, started(name, said, PORT=str(port), HOST="127.0.0.1", **environ))
        try:
            assert _is_ready(function), f"{name} did not start:\n{said.read_text(errors='replace')[-3000:]}"
            yield function
        finally:
            function.kill()


@contextmanager
def opened(name: str, **environ: str) -> Iterator[tuple[httpx.Client, Path]]:
    """A client of the function while it runs, and the file of what it logs."""
    with running(name, **environ) as function, httpx.Client(base_url=function.url, timeout=30) as client:
        yield client, function.said


@contextmanager
def client_of(name: str, **environ: str) -> Iterator[httpx.Client]:
    """A client of the function while it runs."""
    with opened(name, **environ) as (client, _):
        yield client


def started(name: str, said: Path, **environ: str) -> subprocess.Popen[bytes]:
    """The process of a function, which may not get far; what it says goes to a file."""
    source = ROOT / "functions" / name / "main.py"
    command = [sys.executable, "-m", "functions_framework", "--target", name, "--source", str(source)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
    with said.open("wb") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=said.parent,
            start_new_session=True,
        )


def _is_ready(function: Function) -> bool:
    give_up_at = time.monotonic() + READY_SECONDS
    while function.process.poll() is None and time.monotonic() < give_up_at:
        try:
            return httpx.get(f"{function.url}/health", timeout=5).is_success
        except httpx.TransportError:
            time.sleep(0.05)
    return False
