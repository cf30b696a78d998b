"""What is on record, read from behind: from the database itself, past every function."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from shared.domain.transaction import SHARDS, Transaction
from shared.domain.vas import Mode
from shared.store.firestore import FirestoreStore

MAX_OPEN = 10_000  # of one shard

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Records:
    """The live sales of one project, on the emulator at `host:port`."""

    firestore: str
    project: str

    def one(self, sale_id: str) -> Transaction:
        """The sale of that id, which there is."""
        [sale] = self._read(lambda store: _found(store, [sale_id]))
        return sale

    def all(self, days: Collection[date]) -> list[Transaction]:
        """Every sale of these business days."""
        return self._read(lambda store: _of_days(store, days))

    def open(self) -> list[Transaction]:
        """Every sale with which something is left to do, whenever that is due."""
        return self._read(_open)

    def _read(self, read: Callable[[FirestoreStore], Awaitable[Read]]) -> Read:
        async def reading() -> Read:
            async with self._store() as store:
                return await read(store)

        return asyncio.run(reading())

    @asynccontextmanager
    async def _store(self) -> AsyncIterator[FirestoreStore]:
        store = await FirestoreStore.open(self.project, "(default)", timeout_seconds=60, emulator_host=self.firestore)
        try:
            yield store
        finally:
            await store.close()


async def _open(store: FirestoreStore) -> list[Transaction]:
    at = datetime.now(UTC) + timedelta(days=1)
    return [sale for shard in range(SHARDS) for sale in await store.due(Mode.LIVE, shard, at, MAX_OPEN)]


async def _of_days(store: FirestoreStore, days: Iterable[date]) -> list[Transaction]:
    async def of(day: date, shard: int) -> list[Transaction]:
        return await _found(store, [sold.id async for sold in store.of_day(Mode.LIVE, day, shard)])

    shards = await asyncio.gather(*(of(day, shard) for day in days for shard in range(SHARDS)))
    return [sale for shard in shards for sale in shard]


async def _found(store: FirestoreStore, sale_ids: Iterable[str]) -> list[Transaction]:
    found = [await store.find(sale_id) for sale_id in sale_ids]
    return [sale for sale in found if sale is not None]
