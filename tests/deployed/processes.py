"""What stands in for the platform: archives unpacked into empty folders, each function a process of its own, and what they all say."""

import os
import random
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from local import package
from shared.mobilemart.simulator import Scenario, Service
from tests.emulators import free_port

WAIT_SECONDS = 120.0  # for what takes a second on a quiet machine

Waited = TypeVar("Waited")


def until(condition: Callable[[], Waited | None], seconds: float = WAIT_SECONDS) -> Waited:
    """The first true thing that `condition` returns."""
    give_up_at = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < give_up_at, f"not within {seconds} seconds"
        time.sleep(0.02)
    return value


@dataclass(frozen=True, slots=True)
class Process:
    """A child that leads a session of its own, so that a signal can meet all of it; what it says goes to a file."""

    child: subprocess.Popen[bytes]
    said: Path

    @property
    def is_running(self) -> bool:
        return self.child.poll() is None

    @property
    def words(self) -> str:
        return self.said.read_text(errors="replace")

    def terminate(self) -> None:
        """As the platform ends an instance."""
        self.child.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """As when the machine is gone."""
        with suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def ended(self) -> int:
        """Its exit status, once it has ended by itself."""
        return self.child.wait(WAIT_SECONDS)


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function, and a client of it."""

    process: Process
    http: httpx.Client

    def is_ready(self) -> bool:
        assert self.process.is_running, f"it did not start:\n{self.process.words[-3000:]}"
        try:
            return self.http.get("/health").is_success
        except httpx.TransportError:
            return False

    def ready(self) -> "Function":
        until(self.is_ready)
        return self


@dataclass(slots=True)
class Fleet:
    """Instances of one function, as its callers meet them: any of them, which may be gone before the next one is ready.

    A caller waits `patience_seconds` for an answer, and then hears no more of it.
    """

    platform: "Platform"
    name: str
    environment: Mapping[str, str]
    patience_seconds: float = WAIT_SECONDS
    instances: list[Function] = field(default_factory=list)

    def begin(self, size: int) -> "Fleet":
        """Start so many, not waiting for them."""
        self.instances += [self._started() for _ in range(size)]
        return self

    def ready(self) -> None:
        for instance in self.instances:
            instance.ready()

    def any(self) -> Function:
        return random.choice(self.instances)

    def kill_one(self) -> int:
        """Its place."""
        at = random.randrange(len(self.instances))
        self.instances[at].process.kill()
        return at

    def replace(self, at: int) -> None:
        """Start another one in that place, and wait until it is ready."""
        self.instances[at] = self._started().ready()

    def _started(self) -> Function:
        started = self.platform.start(self.name, self.environment)
        started.http.timeout = httpx.Timeout(self.patience_seconds)
        return started


@dataclass(frozen=True, slots=True)
class Supplier:
    """The simulated switch in a process of its own, looked at from behind."""

    process: Process
    http: httpx.Client

    @property
    def url(self) -> str:
        return str(self.http.base_url).rstrip("/")

    def vends(self) -> list[Any]:
        """All that was ever sold, whatever became of the answers."""
        return self.http.get("/_control/vends").raise_for_status().json()  # type: ignore[no-any-return]

    def vends_to(self, recipient: str) -> list[Any]:
        """What a meter, account or number was sold."""
        return [vend for vend in self.vends() if vend["recipient"] == recipient]

    def vends_of(self, scenario: Scenario, service: Service) -> list[Any]:
        """What was sold to whom the scenario happens."""
        return [vend for vend in self.vends() if (vend["deal"]["scenario"], vend["deal"]["service"]) == (scenario.number, service)]

    def settlement_file(self, day: date) -> tuple[str, bytes]:
        """What it bills for a business day, and the name under which that is delivered."""
        file = self.http.get("/_control/settlement-file", params={"day": day.isoformat()}).raise_for_status()
        return file.headers["content-disposition"].partition('filename="')[2].rstrip('"'), file.content

    def script(self, *faults: Mapping[str, object]) -> None:
        """Let these go wrong with the next calls."""
        assert self.http.post("/_control/faults", json=faults).status_code == 204


SIMULATOR: Final = Path("shared/mobilemart/simulator")  # in an archive; only simulated mode loads it
TELLS_WHAT_IT_LOADS: Final = {"PYTHONVERBOSE": "1"}
_LOADED: Final = re.compile(r"code object from '?([^'\"\n]+\.pyc?)['\"\n]")  # a request's lines are JSON


def loaded_by(process: Process) -> set[Path]:
    """The sources of all modules that a process has loaded, which was started with `TELLS_WHAT_IT_LOADS`."""
    return {_source(Path(path)) for path in _LOADED.findall(process.words)}


def _source(path: Path) -> Path:
    """The source of a module that may have been loaded from its cache."""
    return path.parent.parent / f"{path.name.partition('.')[0]}.py" if path.parent.name == "__pycache__" else path


@dataclass(slots=True)
class Platform:
    """Starts processes in a folder, keeps all that they say, and kills them in the end. Functions are packaged from the tree `root`."""

    folder: Path
    root: Path = package.ROOT
    _processes: list[Process] = field(default_factory=list)
    _clients: list[httpx.Client] = field(default_factory=list)

    def unpacked(self, name: str) -> Path:
        """The archive of a function, unpacked into an empty folder, once."""
        folder = self.folder / "archives" / name
        if not folder.exists():
            packed = self.folder / f"{name}.zip"
            packed.write_bytes(package.archive(name, self.root))
            folder.mkdir(parents=True)
            with zipfile.ZipFile(packed) as bundle:
                bundle.extractall(folder)
        return folder

    def start(self, name: str, environment: Mapping[str, str], python: Path = Path(sys.executable)) -> Function:
        """A function, on its way: with this environment and nothing else, in its own folder, by the framework beside `python`."""
        port = free_port()
        command = [str(python.parent / "functions-framework"), "--target", name]
        # The platform sets the last one by itself; with it, the framework logs otherwise.
        process = self.run(command, environment, self.unpacked(name), PORT=str(port), LOG_EXECUTION_ID="true")
        return Function(process, self.client(f"http://127.0.0.1:{port}"))

    def supplier(self, *options: str, port: int = 0) -> Supplier:
        """The simulated switch, serving."""
        command = [sys.executable, "-m", "local.supplier", "--port", str(port), *options]
        process = self.run(command, {}, package.ROOT)
        return Supplier(process, self.client(until(lambda: self._address(process))))

    def run(self, command: list[str], environment: Mapping[str, str], folder: Path, **more: str) -> Process:
        said = self.folder / f"{len(self._processes):02d}.log"
        with said.open("wb") as output:
            child = subprocess.Popen(
                command,
                env={"PYTHONPATH": "", "HOST": "127.0.0.1", **environment, **more},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                start_new_session=True,
            )
        self._processes.append(Process(child, said))
        return self._processes[-1]

    def client(self, url: str) -> httpx.Client:
        """A client with room for many requests at once, each on a connection of its own: servers close idle ones at any time."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        client = httpx.Client(base_url=url, timeout=WAIT_SECONDS, limits=limits, trust_env=False)
        self._clients.append(client)
        return client

    @property
    def words(self) -> str:
        """All that all processes have said so far."""
        return "\n".join(process.words for process in self._processes)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for process in self._processes:
            process.kill()

    def _address(self, supplier: Process) -> str | None:
        assert supplier.is_running, f"the supplier did not start:\n{supplier.words}"
        line, ended, _ = supplier.words.partition("\n")
        return line.split()[-1] if ended else None
