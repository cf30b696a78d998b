"""The measured processes: functions as they are deployed, their stand-ins, and the resources of each."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import grpc
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from local import package
from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET
from tests.deployed.issuer import Issuer, issuing
from tests.deployed.processes import Platform, Process, until
from tests.deployed.surroundings import SECRETS
from tests.emulators import free_port
from tests.stand_ins.secret_manager import secret_manager

PROBES: Final = Path(__file__).parent / "probes"
PROJECT: Final = "demo-bench"
TOPIC: Final = f"projects/{PROJECT}/topics/transactions"


@dataclass(frozen=True, slots=True)
class Measured:
    """A process and its children, with the resources that they have used so far."""

    process: Process
    port: int = 0

    @property
    def pids(self) -> list[int]:
        """Return all processes of its session: functions-framework starts a worker."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[3]) == self.process.child.pid:
                    found.append(int(stat.parent.name))
        return found

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of all its threads, by the clock that Linux has for each process."""
        return sum(time.clock_gettime_ns(~pid << 3 | 2) for pid in self.pids) / 1e9  # CPUCLOCK_SCHED, <linux/posix-timers.h>

    def megabytes(self) -> float:
        """Return its memory; shared pages count once."""
        rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids)
        return sum(int(rollup.partition("\nPss:")[2].split()[0]) for rollup in rollups) / 1024


@dataclass(frozen=True, slots=True)
class Bench:
    """The stand-ins around every measured function. `google` is the `host:port` of Firestore and Pub/Sub."""

    platform: Platform
    issuer: Issuer
    secret_manager: str
    supplier: Measured
    google: Measured | None
    firestore: str
    pubsub: str
    _tokens: dict[int, str] = field(default_factory=dict)

    def headers(self, caller: int) -> dict[str, str]:
        """Return headers: each caller has its own token for the whole measurement."""
        if caller not in self._tokens:
            self._tokens[caller] = self.issuer.token(f"caller-{caller}")
        return {"Authorization": f"Bearer {self._tokens[caller]}"}

    def answers_after(self, seconds: float) -> None:
        """Set the supplier's delay."""
        self.platform.client(f"http://127.0.0.1:{self.supplier.port}").put(f"/_control/answer-seconds/{seconds}").raise_for_status()

    def start(self, name: str, python: Path) -> Measured:
        """Start `ours`, or a probe."""
        port = free_port()
        folder, target = (self.platform.unpacked("purchase"), "purchase") if name == "ours" else (PROBES / name, "sell")
        command = [str(python.parent / "functions-framework"), "--target", target]
        return Measured(self.platform.run(command, self.environment(name), folder, PORT=str(port)), port)

    def ready(self, function: Measured) -> Measured:
        """Return a function that answers."""
        client = self.platform.client(f"http://127.0.0.1:{function.port}")

        def answers() -> bool:
            assert function.process.is_running, function.process.words[-3000:]
            with suppress(Exception):  # nothing listens yet
                return client.get("/health").is_success
            return False

        until(answers)
        return function

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables of `ours`, or of a probe."""
        common = {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "EVENTS_TOPIC": TOPIC,
            "FIRESTORE_EMULATOR_HOST": self.firestore,
            "PUBSUB_EMULATOR_HOST": self.pubsub,
        }
        if name != "ours":
            return {**common, "SUPPLIER_URL": f"http://127.0.0.1:{self.supplier.port}", "PYTHONPATH": str(package.ROOT)}
        return {
            **common,
            "ENVIRONMENT": "uat",
            "MOBILEMART_LIVE_INTEGRATION": "true",
            "MOBILEMART_API_URL": f"http://127.0.0.1:{self.supplier.port}",
            "MOBILEMART_CLIENT_ID_SECRET": f"{SECRETS}/client-id/versions/latest",
            "MOBILEMART_CLIENT_SECRET_SECRET": f"{SECRETS}/client-secret/versions/latest",
            "SECRET_MANAGER_EMULATOR_HOST": self.secret_manager,
            **self.issuer.variables,
        }


@contextmanager
def bench(firestore: str | None = None, pubsub: str | None = None) -> Iterator[Bench]:
    """Start everything around the functions. Without emulators, by `host:port`, Google's services answer at once."""
    names = {"client-id": SIMULATED_CLIENT_ID, "client-secret": SIMULATED_CLIENT_SECRET}
    credentials = {f"{SECRETS}/{name}/versions/latest": value.encode() for name, value in names.items()}
    with TemporaryDirectory() as folder, secret_manager(credentials) as secrets, issuing() as issuer:
        platform = Platform(Path(folder))
        try:
            if pubsub is not None:
                _make_topic(pubsub)
            supplier = _standing(platform, "bench.fulcrum")
            google = _standing(platform, "bench.google") if firestore is None else None
            local = f"127.0.0.1:{google.port}" if google is not None else ""
            yield Bench(platform, issuer, secrets.address, supplier, google, firestore or local, pubsub or local)
        finally:
            platform.close()


def many_files() -> None:
    """Let this process and its children hold a connection for each caller."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _make_topic(pubsub: str) -> None:
    with grpc.insecure_channel(pubsub) as channel:
        PublisherClient(transport=PublisherGrpcTransport(channel=channel)).create_topic(name=TOPIC)


def _standing(platform: Platform, module: str) -> Measured:
    process = platform.run([sys.executable, "-m", module], {}, package.ROOT)
    line = until(lambda: process.words if process.words.endswith("\n") else None)
    return Measured(process, int(line.rpartition(":")[2]))
