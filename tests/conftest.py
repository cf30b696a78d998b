"""Fixtures for every test: Google's emulators, one of each per session, started when first asked for."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests import emulators

pytest_plugins = ["tests.overheard"]


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
