"""Fixtures that several files of this room share."""

import pytest

from shared.store.sqlite import SqliteStore
from tests.unit.retention.retained import Clock, keeper_of


@pytest.fixture
async def store(tmp_path):
    opened = await SqliteStore.open(str(tmp_path / "store.sqlite"), timeout_seconds=10)
    yield opened
    await opened.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keeper(store, clock):
    return keeper_of(store, clock)
