"""The guard of the logs finds each value that no log may hold, and nothing else."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.log_leak_guard import LeakSearch
from tests.root import ROOT

TOKEN, PIN, METER, ACCOUNT, MOBILE = "00000000000012345678", "0000000012345678", "12345678901", "135609708", "27821234567"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ3YWxsZXQifQ.c2ln"


def findings(text: str) -> list[str]:
    search = LeakSearch(used={ACCOUNT}, secrets={"hunter2hunter2"})
    search.scan(text, "here")
    return search.findings


@pytest.mark.parametrize(
    "text",
    [
        f"sold {TOKEN}",
        f'{{"message":"sold","number":"{TOKEN}"}}',
        "0000 0000 0000 1234 5678",
        "0000-0000-0000-1234-5678",
        "GET /?token=0000%200000%200000%201234%205678",
        f"pin={PIN}",
        "0000 0000 1234 5678",
        f'"meter_number":"{METER}"',
        f"GET /utility?meterNumber={METER}&amountCents=1",
        '"amount":1234567890123',
        MOBILE,
        "0821234567",
        f"to account {ACCOUNT}.",
        f"Authorization: Bearer {JWT}",
        JWT,
        "Authorization: Basic c2ltdWxhdGVkLW1lcmNoYW50",
        "simulated.1777629600.0a1b2c",
        "client_secret=hunter2hunter2&scope=api",
    ],
)
def test_what_no_log_may_hold_is_found_and_not_repeated(text):
    (finding,) = findings(text)
    assert finding.startswith("here: a ")
    assert not any(value in finding for value in (TOKEN, PIN, METER, ACCOUNT, MOBILE, JWT, "1234", "hunter2"))


@pytest.mark.parametrize(
    "text",
    [
        '"meter_number":"*8901","account":"*9708","token":"[refused]","message":"sold [masked]"',
        '"transaction_id":"12345678901234567890123456789abc"',
        "request 12345678-1234-4123-8123-123456789012",
        '"time":"2026-05-01T10:00:00.123456+00:00","day":"2026-05-01"',
        "[2026-05-01 10:00:00 +0000] [123456] [INFO] Listening at: http://127.0.0.1:54321 (123456)",
        "FULCRUM.MERCHANT.SIMULATED.RECON.20261123060000000.txt",
        '"elapsed_seconds":0.012345678901234567,"amount_cents":500000',
        '"logging.googleapis.com/spanId":"0000000000000001","severity":"INFO"',
        "Bearer [masked]",
        'Bearer error="invalid_token"',
        "account 135609709",
    ],
)
def test_what_a_log_may_hold_is_no_finding(text):
    assert findings(text) == []


def test_a_number_said_in_one_worker_and_used_in_another_is_found():
    using, saying = LeakSearch(records=1, used={ACCOUNT}), LeakSearch(records=2)
    saying.scan(f"to account {ACCOUNT}", "there")
    assert (using.findings, saying.findings) == ([], [])
    using.add(saying)
    assert (using.records, using.findings) == (3, ["there: a account: 135..."])


def session(folder: Path, test: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A session of one test, with the plugin and nothing else of this project's tests."""
    (folder / "test_planted.py").write_text(textwrap.dedent(test))
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.log_leak_guard", *options, "test_planted.py"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


PLANTED = """
    import subprocess, sys

    from shared.lib import logs
    from shared.domain.money import Money
    from shared.domain.vas import Order, VasType

    log = logs.logger("planted")
    SAYS = [sys.executable, "-c", "print('sold', '0' * 12 + '12345678')"]

    def test_logs_a_number_in_a_field_that_promises_none():
        log.info("sold", amount=12345678901)

    def test_starts_a_process_that_says_a_token(tmp_path):
        with (tmp_path / "said").open("wb") as said:
            subprocess.run(SAYS, stdout=said, check=True)

    def test_starts_a_process_that_nobody_listens_to():
        subprocess.run(SAYS, stdout=subprocess.DEVNULL, check=True)

    def test_logs_an_account_that_looks_like_any_number():
        order = Order(vas_type=VasType.BILL_PAYMENT, amount=Money(1), merchant_product_id="p", account_number="135609708")
        log.info("sold", to=order.recipient)
"""
MASKED = """
    import subprocess, sys
    from concurrent.futures import ThreadPoolExecutor

    from shared.lib import logs

    SAYS = [sys.executable, "-I", "-S", "-c", "print(*range(1000), sep=chr(10))"]

    def start(_):
        return subprocess.Popen(SAYS, stdout=subprocess.DEVNULL)

    def test_sells():
        logs.logger("planted").info("sold", meter_number="12345678901", token="0" * 20)

    def test_starts_processes_in_several_threads():
        assert [started.wait() for started in [start(at) for at in range(12)]] == [0] * 12
        with ThreadPoolExecutor(4) as threads:
            assert [started.wait() for started in threads.map(start, range(8))] == [0] * 8
"""


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "2")], ids=["in one process", "spread over workers"])
def test_a_session_that_logs_what_it_must_not_fails_and_names_each_test(tmp_path, options):
    ended = session(tmp_path, PLANTED, *options)
    assert ended.returncode == 1 and "4 passed" in ended.stdout, ended.stdout
    assert "logs: 2 records, 2 lines of 2 processes, 4 with what none may hold" in ended.stdout
    assert ended.stdout.count("  test_planted.py::test_") == 4
    assert not any(value in ended.stdout for value in (TOKEN, METER, ACCOUNT))


def test_a_session_whose_logs_are_masked_passes_and_hears_every_process_once(tmp_path):
    ended = session(tmp_path, MASKED)
    assert ended.returncode == 0, ended.stdout
    assert "logs: 1 records, 20000 lines of 20 processes, 0 with what none may hold" in ended.stdout
