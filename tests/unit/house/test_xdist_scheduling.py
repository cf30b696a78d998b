"""Workers beside each other: each has tests of its own, in their order, and ports of its own."""

import socket
import subprocess
import sys

import pytest

from tests import emulators, xdist_scheduling
from tests.root import ROOT


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("tests/deployed/test_logs.py::test_no_log", "tests/deployed"),
        ("tests/unit/domain/test_money.py::test_sum[a/b]", "tests/unit/domain/test_money.py"),
    ],
)
def test_what_shares_much_is_handed_out_as_a_whole_and_the_rest_by_its_files(nodeid: str, expected: str) -> None:
    assert xdist_scheduling.unit(nodeid) == expected


@pytest.mark.parametrize("name", sorted({*xdist_scheduling.WHOLE, *xdist_scheduling.MAX_FIRST_LENGTH}))
def test_what_is_spread_by_its_name_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_no_port_is_given_that_is_in_use_or_was_given_before() -> None:
    with socket.create_server(("127.0.0.1", emulators.free_port())) as taken:
        given = [emulators.free_port() for _ in range(emulators.PORTS)]
        in_use = taken.getsockname()[1]
    half = emulators.PORTS // 2
    assert in_use not in given and len(set(given[:half])) == half


def test_another_worker_is_given_other_ports() -> None:
    command = [sys.executable, "-c", "from tests.emulators import free_port; print(free_port())"]
    environment = {"PYTHONPATH": str(ROOT), "PYTEST_XDIST_WORKER": f"gw{emulators.WORKER + 1}"}
    port = int(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)
    assert port - port % emulators.PORTS != emulators.FIRST_PORT
