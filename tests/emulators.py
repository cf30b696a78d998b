"""Google's own emulators as child processes of the tests: Firestore and Pub/Sub, each on a free port.

Started by their `java` command line: `gcloud emulators ... start` is slower and leaves children behind when it is stopped.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path

READY_SECONDS = 30.0
STOP_SECONDS = 10.0

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
FIRST_PORT, PORTS = 20_000 + WORKER % 12 * 1_000, 1_000  # below those that the system gives to whoever wants any

_turns = count(random.randrange(PORTS))  # two sessions side by side begin apart
_running_at: dict[str, "subprocess.Popen[bytes]"] = {}  # those that this process started, by their addresses
_JVM = ("-Duser.language=en", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class EmulatorMissing(Exception):
    """Java or the emulator's archive is not installed; the text says how to install it."""


@contextmanager
def firestore() -> Iterator[str]:
    """A Firestore emulator; its `host:port`. Projects are isolated from each other, and need not be created.

    Raises:
        EmulatorMissing: it is not installed.
    """
    archive = _archive("cloud-firestore-emulator/cloud-firestore-emulator.jar", component="cloud-firestore-emulator")
    main_class = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
    with _running(["-cp", str(archive), main_class, "start"]) as address:
        yield address


@contextmanager
def pubsub() -> Iterator[str]:
    """A Pub/Sub emulator; its `host:port`. Names need at least three characters.

    Raises:
        EmulatorMissing: it is not installed.
    """
    with _running(["-jar", str(_archive("pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar", component="pubsub-emulator"))]) as address:
        yield address


@contextmanager
def silent(address: str) -> Iterator[None]:
    """The emulator there stands still, as long as the block runs: connections stay, and nothing is answered until it goes on."""
    process = _running_at[address]
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextmanager
def _running(arguments: Sequence[str]) -> Iterator[str]:
    """The emulator while it runs; what it says is shown only when it does not start."""
    address = f"127.0.0.1:{free_port()}"
    host, _, port = address.partition(":")
    command = [_java(), *_JVM, *arguments, f"--host={host}", f"--port={port}"]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder)
        try:
            if not _is_ready(process, address):
                said.seek(0)
                raise RuntimeError(f"the emulator did not start:\n{said.read().decode(errors='replace')[-2000:]}")
            _running_at[address] = process
            yield address
        finally:
            _running_at.pop(address, None)
            _stop(process)


def _is_ready(process: subprocess.Popen[bytes], address: str) -> bool:
    give_up_at = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on, and that nobody else is given before its turn comes again.

    Raises:
        OSError: there is none.
    """
    for turn in islice(_turns, PORTS):
        port = FIRST_PORT + turn % PORTS
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"no port is free from {FIRST_PORT} to {FIRST_PORT + PORTS - 1}")


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise EmulatorMissing("no java: install a Java runtime, version 17 or newer")
    return java


def _archive(pattern: str, *, component: str) -> Path:
    """The emulator's archive below the SDK's root, which is two levels above the real path of `gcloud`."""
    gcloud = shutil.which("gcloud")
    root = os.environ.get("CLOUDSDK_ROOT_DIR") or (Path(gcloud).resolve().parents[1] if gcloud else None)
    found = sorted(Path(root, "platform").glob(pattern)) if root else []
    if not found:
        raise EmulatorMissing(f"no {component}: gcloud components install {component} (or the package google-cloud-cli-{component})")
    return found[-1]
