"""SQLite alone: a file that is locked, cannot be opened, or is opened again."""

import sqlite3
import time

import pytest

from shared.ports.documents import StoreUnavailable
from shared.store.sqlite import SqliteStore
from tests.contract.records import SHORT_SECONDS, TIMEOUT_SECONDS, Longest, sale


async def test_a_locked_sqlite_file_fails_within_the_bound_and_blocks_nobody(tmp_path):
    path = str(tmp_path / "store.sqlite")
    store = await SqliteStore.open(path, timeout_seconds=SHORT_SECONDS)
    longest = Longest()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with longest.watching():
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.create(sale())
        assert time.monotonic() - started < SHORT_SECONDS + 0.5
    other.execute("COMMIT")
    other.close()
    await store.close()
    again = await SqliteStore.open(path, timeout_seconds=TIMEOUT_SECONDS)  # a busy disk may take longer than the short bound
    assert await again.find(sale().id) is None
    assert (await again.create(sale())).revision is not None
    await again.close()
    assert longest.pause_seconds < 0.25


async def test_a_sqlite_file_that_cannot_be_opened_is_an_error(tmp_path):
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(str(tmp_path), timeout_seconds=SHORT_SECONDS)


async def test_a_sqlite_file_stores_its_records(tmp_path):
    path = str(tmp_path / "store.sqlite")
    first = await SqliteStore.open(path, timeout_seconds=TIMEOUT_SECONDS)
    created = await first.create(sale())
    await first.close()
    second = await SqliteStore.open(path, timeout_seconds=TIMEOUT_SECONDS)
    assert await second.find(created.id) == created
    await second.close()
