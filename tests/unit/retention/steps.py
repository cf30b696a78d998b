"""Documents that name sales, and what a run left of them."""

from datetime import timedelta

from msgspec import structs

from shared.domain.transaction import SHARDS
from shared.ports.documents import Document, DocumentKind
from shared.settlement.repository import progress_id
from tests.contract.records import sale
from tests.unit.retention.retained import (
    MODE,
    SOLD_AT,
    open_discrepancy,
    sold,
)

DAY = SOLD_AT.date()
ONE = timedelta(days=1)
TO_ERASE, TO_RETIRE = 400, 1826  # days, at the end of which a sale is old enough


async def body_of(store):
    return (await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))).body


async def keep_body(store, **body):
    held = await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))
    paper = Document(progress_id(MODE), body) if held is None else structs.replace(held, body={**held.body, **body})
    await store.write_paper(DocumentKind.CONTROLS, paper)


async def name(store, made, number=1, status="open"):
    """A discrepancy that names a sale."""
    body = {**open_discrepancy(made.id, made.day.isoformat()).body, "id": f"d-{number}", "status": status}
    return await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"live-d-{number}", body, f"live-{status}"))


def keys_of(shard, at):
    """Keys of sales of one shard."""
    return (key for number in range(10_000) if int(sale(key := f"{at:%d}-{number}").id[:4], 16) % SHARDS == shard)


async def make(store, shard, count, at=SOLD_AT, **fields):
    """The first sales of a shard, in the order of their ids."""
    keys = keys_of(shard, at)
    made = [await store.create(sold(f"{next(keys)}", at=at, **fields)) for _ in range(count)]
    return sorted(made, key=lambda one: one.id)


def asked(store, monkeypatch, method):
    """With which arguments a method of the store is called from now on."""
    calls, real = [], getattr(store, method)

    async def called(*args):
        calls.append(args)
        return await real(*args)

    monkeypatch.setattr(store, method, called)
    return calls
