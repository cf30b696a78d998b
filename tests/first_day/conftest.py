"""The first day's tools, run as commands, in a folder of their own and without the environment of the test run."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import smoke
from local.probe import __main__ as probe
from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET


@dataclass(frozen=True, slots=True)
class Ran:
    """A command's exit code and its whole output."""

    code: int
    said: str


Run = Callable[..., Awaitable[Ran]]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run apart from the checkout's files, and from the environment of the test run."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("MOBILEMART_", "SMOKE_", "PROBE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PROBE_CLIENT_ID", SIMULATED_CLIENT_ID)
    monkeypatch.setenv("PROBE_CLIENT_SECRET", SIMULATED_CLIENT_SECRET)


@pytest.fixture
def run_probe(capsys: pytest.CaptureFixture[str]) -> Run:
    return _runner(probe.main, capsys)


@pytest.fixture
def run_smoke(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the smoke sale. Its pauses are cut short, and counted at their full length."""

    def main(arguments: list[str]) -> int:
        return smoke.main(arguments, sleep=lambda seconds: time.sleep(min(seconds, 0.1)))

    return _runner(main, capsys)


def _runner(main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]) -> Run:
    async def run(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            code = await asyncio.to_thread(main, [str(argument) for argument in arguments])
        except SystemExit as refused:
            code = int(refused.code or 0)
        printed = capsys.readouterr()
        return Ran(code, printed.out + printed.err)

    return run
