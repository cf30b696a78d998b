"""Old sales in both stores: bare records, then tombstones, and no documents."""

from datetime import date, timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Consumer, RawAnswer, Receipt, Vended
from shared.domain.transaction import SHARDS, State, reindexed
from shared.domain.vas import Mode
from shared.ports.documents import Conflict, Document, DocumentKind
from shared.ports.transactions import LookupBy, SaleRetired
from shared.retention.rules import erased, tombstone_of
from shared.store.sqlite import SqliteStore
from shared.store.transaction_documents import tombstone_document, transaction_document
from tests.contract.records import CALLER, METER, NOON, outcomes, prevend, sale, shard, vended
from tests.newer import on_record

LATER = NOON + timedelta(days=500)
OPEN = Document("live-d-1", {"id": "d-1", "status": "open"}, "live-open")


def sold(key="key-1", **fields):
    receipt = Receipt(supplier_transaction_id=f"supplier-{key}", consumer=Consumer("Jane Doe", "12 Main Road", "Hello"))
    answer = RawAnswer.of("vend", NOON, 200, "application/json", b'{"name": "Jane Doe"}')
    return reindexed(sale(key, state=State.VENDED, outcome=Vended(receipt), answers=(answer,), **fields), NOON)


def bare(made):
    return erased(made, at=LATER, by="retention")


async def retired(store, key="key-1", **fields):
    made = await store.create(vended(key, **fields))
    await store.retire(made, tombstone_of(made, LATER))
    return made


async def test_an_erased_sale_is_found_without_personal_data_and_by_none_of_its_numbers(store):
    made = await store.create(sold())
    kept = await store.advance(made, bare(made))
    found = await store.find(made.id)
    assert found == kept and found.erased_at == LATER and found.version == made.version
    assert found.order.meter_number is None and found.receipt.consumer is None and found.answers[0].body == b""
    assert await store.lookup(Mode.LIVE, LookupBy.METER_NUMBER, METER) == []
    assert await store.lookup(Mode.LIVE, LookupBy.REQUEST_ID, made.request_id) == [kept]
    assert await store.lookup(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, "supplier-key-1") == [kept]
    assert await store.vended_lately(Mode.LIVE, made.order.vas_type, NOON) == [kept]
    assert METER not in str(await on_record(store, made.id)) and "Jane" not in str(await on_record(store, made.id))


async def test_an_erased_sale_goes_on_as_any_other(store):
    made = await store.create(sold())
    kept = await store.advance(made, bare(made))
    further = await store.advance(kept, structs.replace(kept, version=2, nonce="further"))
    assert await store.find(made.id) == further and (await on_record(store, made.id))["keys"] == transaction_document(further)["keys"]


@pytest.mark.parametrize(
    ("by", "field", "number"),
    [
        (LookupBy.METER_NUMBER, "meter_number", "12345678901"),
        (LookupBy.ACCOUNT_NUMBER, "account_number", "0012349708"),
        (LookupBy.MOBILE_NUMBER, "mobile_number", "27821234567"),
    ],
)
async def test_a_persons_sales_are_found_by_each_kind_of_number(store, by, field, number):
    order = structs.replace(sale().order, meter_number=None)
    made = await store.create(sale(order=structs.replace(order, **{field: number})))
    assert await store.lookup(Mode.LIVE, by, number) == [made]
    assert [found for other in LookupBy if other is not by for found in await store.lookup(Mode.LIVE, other, number)] == []


async def test_a_retired_sale_leaves_a_tombstone_and_its_key_is_never_free(store):
    made = await retired(store)
    with pytest.raises(SaleRetired) as refused:
        await store.find(made.id)
    assert refused.value.tombstone == tombstone_of(made, LATER)
    with pytest.raises(Conflict):
        await store.create(sale())
    document = await on_record(store, made.id)
    assert set(document) == set(tombstone_document(refused.value.tombstone)) == {"retired", "keys", "createdAt"}
    assert all(word not in str(document) for word in (METER, CALLER.subject, "idempotency_key", "'record'"))


async def test_a_tombstone_is_found_by_its_two_ids_and_stands_in_no_list(store):
    made = await retired(store)
    (tombstone,) = await store.lookup(Mode.LIVE, LookupBy.REQUEST_ID, made.request_id)
    assert await store.lookup(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, "supplier-key-1") == [tombstone] == [tombstone_of(made, LATER)]
    assert await store.lookup(Mode.LIVE, LookupBy.METER_NUMBER, METER) == []
    assert await store.of_caller(Mode.LIVE, CALLER, made.day.isoformat(), None, 10) == []
    assert [one async for one in store.of_day(Mode.LIVE, made.day, shard(made))] == [] and not await store.any_of_day(Mode.LIVE, made.day)
    assert await store.vended_lately(Mode.LIVE, made.order.vas_type, NOON) == []
    assert await store.up_to_day(Mode.LIVE, shard(made), date(2099, 1, 1), None, 10) == []


async def test_only_the_sale_and_the_documents_that_were_read_are_retired(store):
    made = await store.create(vended())
    current = await store.advance(made, structs.replace(made, version=2))
    paper = await store.write_paper(DocumentKind.DISCREPANCIES, OPEN)
    closed = await store.write_paper(
        DocumentKind.DISCREPANCIES, structs.replace(paper, body={"id": "d-1", "status": "accepted"}, mark=None)
    )
    for stale in ((made, closed), (current, paper)):
        with pytest.raises(Conflict):
            await store.retire(stale[0], tombstone_of(stale[0], LATER), [stale[1]])
    assert await store.find(made.id) == current and await store.read_paper(DocumentKind.DISCREPANCIES, OPEN.id) == closed
    await store.retire(current, tombstone_of(current, LATER), [closed])
    assert await store.read_paper(DocumentKind.DISCREPANCIES, OPEN.id) is None
    with pytest.raises(Conflict):
        await store.advance(current, structs.replace(current, version=3))


async def test_a_retirement_and_a_change_have_one_winner(store):
    made = await store.create(vended())
    racers = [store.advance(made, structs.replace(made, version=2)), *(store.retire(made, tombstone_of(made, LATER)) for _ in range(7))]
    assert (await outcomes(*racers))["Conflict"] == 7


async def test_sales_up_to_a_day_are_read_in_the_order_of_their_days_page_by_page(store):
    made = [await store.create(vended(f"key-{number}", at=NOON + timedelta(days=number % 3))) for number in range(120)]
    number = shard(made[0])
    wanted = sorted((one.day, one.id) for one in made if shard(one) == number and one.day <= date(2026, 5, 2))
    await store.create(vended("simulated", mode=Mode.SIMULATED))
    read, place = [], None
    while page := await store.up_to_day(Mode.LIVE, number, date(2026, 5, 2), place, 2):
        read += [found for found, _ in page]
        assert [one for _, one in page] == [await store.find(one.id) for _, one in page]
        place = page[-1][0]
    assert read == wanted and len(wanted) > 2
    every = [place for each in range(SHARDS) for place, _ in await store.up_to_day(Mode.LIVE, each, date(2026, 5, 2), None, 100)]
    assert len(every) == sum(one.day <= date(2026, 5, 2) for one in made)


async def test_documents_are_deleted_as_they_were_read_all_or_none(store):
    made = [await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-{number}", {"n": number}, "live")) for number in range(3)]
    changed = await store.write_paper(DocumentKind.SETTLEMENTS, structs.replace(made[1], body={"n": 9}))
    with pytest.raises(Conflict):
        await store.delete_papers(DocumentKind.SETTLEMENTS, made)
    await store.delete_papers(DocumentKind.SETTLEMENTS, [made[0], changed])
    assert [paper.id async for paper in store.marked_papers(DocumentKind.SETTLEMENTS, "live")] == ["live-2"]


async def test_a_prevend_that_expired_long_ago_is_kept_no_longer(tmp_path):
    """On SQLite, when another one is added. On Firestore by the TTL; the emulator has none, and a test reads it in the plan."""
    opened = await SqliteStore.open(str(tmp_path / "store.sqlite"), timeout_seconds=10)
    old, used, young = prevend(), prevend(), prevend(created_at=NOON + timedelta(hours=24), expires_at=NOON + timedelta(hours=25))
    for one in (old, used):
        await opened.add_prevend(one)
    await opened.create(sale(), await opened.find_prevend(used.id))
    await opened.add_prevend(young)
    found = [await opened.find_prevend(one.id) is not None for one in (old, used, young)]
    later = NOON + timedelta(days=3)
    await opened.add_prevend(prevend(created_at=later, expires_at=later))
    found += [await opened.find_prevend(one.id) is not None for one in (old, used, young)]
    await opened.close()
    assert found == [True, True, True, False, False, False]  # a late purchase receives "expired" for a day
