"""Fixtures for every test: Google's emulators, one of each per session, started when first asked for."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache

import pytest

from tests import emulators

pytest_plugins = ["tests.log_leak_guard", "tests.skip_summary", "tests.xdist_scheduling"]


def pytest_configure() -> None:
    """A shell that starts a session in the background has it ignore interrupts, and so would the programs that tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The first text that Hypothesis draws costs it its tables of all characters: seconds, in a fresh checkout, which are no test's."""
    if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        _tables_of_characters()


@cache
def _tables_of_characters() -> None:
    from hypothesis import HealthCheck, given, settings
    from hypothesis.strategies import text

    @settings(max_examples=1, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(text())
    def drawn(_: str) -> None:
        """Nothing is tried."""

    drawn()


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[str]:
    """The Firestore emulator's `host:port`. A test isolates itself by a project of its own, such as `demo-<uuid>`."""
    yield from _started(emulators.firestore)


@pytest.fixture(scope="session")
def pubsub_emulator() -> Iterator[str]:
    """The Pub/Sub emulator's `host:port`. A test isolates itself by a project of its own."""
    yield from _started(emulators.pubsub)


def _started(emulator: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Without the emulator its tests are skipped, but never where a build relies on them."""
    try:
        with emulator() as address:
            yield address
    except emulators.EmulatorMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
