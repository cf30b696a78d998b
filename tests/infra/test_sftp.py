"""What the SFTP server does with a file that the supplier has pushed: its script, against a cloud that refuses what is not granted."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.infra.standin.storage import Cloud, serving
from tests.infra.workspace import CONFIGURATION

SCRIPT: Final = CONFIGURATION / "modules" / "sftp" / "deliver.py"
BUCKET: Final = "wallet-vas-production-settlement"
GRANTED: Final = {"roles/storage.objectCreator", "roles/storage.objectViewer"}
NAME: Final = "FULCRUM.MERCHANT.ACME.RECON.202611290500.txt"

Deliver = Callable[..., int]


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """The server's disk."""
    for folder in ("home/in", "delivered", "refused"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def deliver(server: Path) -> Deliver:
    """Runs the script as it runs every minute, as if files were quiet at once."""

    def run(cloud: Cloud, quiet: int = 0) -> int:
        urls = dict.fromkeys(("METADATA_URL", "STORAGE_URL", "LOGGING_URL"), cloud.url)
        code = f"import runpy, sys; sys.argv = ['deliver', {BUCKET!r}, {str(server)!r}]; text = open({str(SCRIPT)!r}).read()\n"
        code += f"exec(compile(text.replace('QUIET_SECONDS = 300', 'QUIET_SECONDS = {quiet}'), 'deliver', 'exec'))"
        done = subprocess.run([sys.executable, "-c", code], env={"PATH": os.environ["PATH"], **urls}, timeout=60, check=False)
        return done.returncode

    return run


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with serving(BUCKET, GRANTED) as cloud:
        yield cloud


def pushed(server: Path, content: bytes = b"a line\n", name: str = NAME) -> Path:
    path = server / "home" / "in" / name
    path.write_bytes(content)
    return path


def said(cloud: Cloud) -> list[tuple[str, str]]:
    return [(entry["severity"], entry["jsonPayload"]["message"]) for entry in cloud.logged]


def test_a_whole_file_is_brought_and_kept_on_the_disk(server: Path, deliver: Deliver, cloud: Cloud) -> None:
    path = pushed(server)
    assert deliver(cloud) == 0
    assert cloud.objects == {NAME: b"a line\n"} and not path.exists()
    assert [kept.name.startswith(NAME) for kept in (server / "delivered").iterdir()] == [True]
    assert said(cloud) == [("INFO", "settlement file brought")]


@pytest.mark.skipif(sys.platform != "linux", reason="no Linux, whose kernel names the files that are open: run the tests on Linux")
def test_a_file_that_is_still_written_is_left(server: Path, deliver: Deliver, cloud: Cloud) -> None:
    with pushed(server).open("ab"):
        assert deliver(cloud) == 0
    assert cloud.objects == {}


def test_a_file_that_changed_a_moment_ago_is_left_whatever_time_the_client_gave_it(server: Path, deliver: Deliver, cloud: Cloud) -> None:
    path = pushed(server)
    os.utime(path, (0, 0))
    assert deliver(cloud, quiet=300) == 0
    assert cloud.objects == {} and path.exists()


@pytest.mark.parametrize("name", ["a name with spaces.txt", "-rf", "naïve.txt"])
def test_a_name_that_none_of_the_suppliers_files_has_is_set_aside_and_said(server: Path, deliver: Deliver, cloud: Cloud, name: str) -> None:
    pushed(server, name=name)
    assert deliver(cloud) == 1
    assert cloud.objects == {} and len(list((server / "refused").iterdir())) == 1
    assert said(cloud) == [("ERROR", "settlement file refused: no file of the supplier's has such a name")]


@pytest.mark.parametrize("name", [".hidden", f"{NAME}.filepart", f"{NAME}.tmp", "..x"])
def test_what_clients_call_an_unfinished_file_is_left(server: Path, deliver: Deliver, cloud: Cloud, name: str) -> None:
    pushed(server, name=name)
    assert deliver(cloud) == 0
    assert cloud.objects == {}


def test_a_link_leads_nowhere(server: Path, deliver: Deliver, cloud: Cloud) -> None:
    (server / "secret").write_text("of the machine")
    (server / "home" / "in" / NAME).symlink_to(server / "secret")
    assert deliver(cloud) == 0
    assert cloud.objects == {}


def test_another_file_of_the_same_name_is_set_aside_and_said(server: Path, deliver: Deliver, cloud: Cloud) -> None:
    cloud.objects[NAME] = b"what was billed\n"
    pushed(server, b"something else\n")
    assert deliver(cloud) == 1
    assert cloud.objects == {NAME: b"what was billed\n"}
    assert len(list((server / "refused").iterdir())) == 1
    assert said(cloud) == [("ERROR", "settlement file refused: another of its name lies in the bucket")]
    assert deliver(cloud) == 0 and len(cloud.logged) == 1  # once, not every minute


def test_the_same_file_pushed_twice_is_no_fault(server: Path, deliver: Deliver, cloud: Cloud) -> None:
    cloud.objects[NAME] = b"a line\n"
    pushed(server)
    assert deliver(cloud) == 0
    assert len(list((server / "delivered").iterdir())) == 1


def test_a_file_that_cannot_be_brought_stays_until_it_can(server: Path, deliver: Deliver) -> None:
    path = pushed(server)
    with serving(BUCKET, {"roles/storage.objectViewer"}) as refusing:
        assert deliver(refusing) == 1
        assert said(refusing) == [("ERROR", "settlement file not brought")]
    assert path.exists()
    with serving(BUCKET, GRANTED) as cloud:
        assert deliver(cloud) == 0
        assert cloud.objects == {NAME: b"a line\n"}


def test_the_disk_does_not_fill_up(server: Path, deliver: Deliver, cloud: Cloud) -> None:
    """The age is of the last change, which is now: only what a later clock calls a month old would go."""
    kept = server / "delivered" / "old"
    kept.write_text("brought long ago")
    assert deliver(cloud) == 0 and kept.exists()
    code = SCRIPT.read_text().replace("KEPT_SECONDS = 30 * 86_400", "KEPT_SECONDS = -1")
    time.sleep(0.01)
    command = [sys.executable, "-c", code, BUCKET, str(server)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    assert not kept.exists()
