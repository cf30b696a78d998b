"""A session that skips tests names each reason once, and how many tests it skipped."""

import os
import subprocess
import sys
import textwrap

import pytest

from tests.root import ROOT

SKIPPING = """
    import pytest

    @pytest.fixture(scope="session")
    def emulator():
        pytest.skip("no emulator: install the emulator")

    @pytest.mark.parametrize("case", range(3))
    def test_needs_the_emulator(emulator, case):
        assert False

    def test_needs_a_browser():
        pytest.skip("no browser: install the browser")

    @pytest.mark.skipif(True, reason="no Linux: run the tests on Linux")
    def test_needs_linux():
        assert False

    def test_needs_nothing():
        assert True
"""


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "2")], ids=["in one process", "spread over workers"])
def test_a_session_ends_with_one_line_for_each_reason_of_a_skip(tmp_path, options):
    (tmp_path / "test_skipping.py").write_text(textwrap.dedent(SKIPPING))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.skip_summary", *options, "test_skipping.py"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    *_, first, second, third, counted = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stdout
    assert first == "skipped: 3 tests: no emulator: install the emulator"
    assert {second, third} == {
        "skipped: 1 test: no browser: install the browser",
        "skipped: 1 test: no Linux: run the tests on Linux",
    }
    assert counted.startswith("1 passed, 5 skipped")
