"""A sale that a restored database has lost and whose key was bound again: in the packaged functions, and in the settlement of its day."""

import asyncio
from collections.abc import Iterator

import pytest

from local import rebuild
from shared.domain.identifiers import caller_id
from shared.domain.vas import Mode
from shared.store.sqlite import SqliteStore
from tests.deployed.shop import Sale, Shop, opened, own, sold_day
from tests.deployed.surroundings import Surroundings


@pytest.fixture(scope="module")
def restored(surroundings: Surroundings) -> Iterator[Shop]:
    """A shop of its own: it forgets sales."""
    with opened(surroundings, surroundings.platform.folder, "restored") as shop:
        yield shop


async def bound(sale: Sale) -> None:
    """Put in the place of a sale what is bound once it is lost: what its last event tells of it."""
    store = await SqliteStore.open(str(sale.shop.store), timeout_seconds=10)
    held = await store.find(sale.id)
    assert held is not None
    told = rebuild.of_event(sale.answer.json(), caller_id(Mode.LIVE, held.caller), Mode.LIVE, held.updated_at)
    await store.retire(held, told)
    await store.close()


def test_a_key_that_was_lost_is_never_sold_again_and_its_line_is_known(restored: Shop) -> None:
    day, (lost, kept) = sold_day(restored)
    asyncio.run(bound(lost))
    again = lost.repeated()
    assert (again.status_code, again.json()["type"]) == (410, "/problems/key-retired")
    assert len(restored.switch.deals_of(lost.recipient)) == 1
    restored.deliver(day, [lost.vend, kept.vend])
    settled = restored.settle(day)
    assert (settled["status"], own(settled)) == ("balanced", [])
    assert kept.repeated().status_code == 201
