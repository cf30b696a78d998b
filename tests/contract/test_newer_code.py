"""Documents of newer code, and damaged ones, on both stores. All readable ones are read, and none is lost."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Answer, Receipt, Vended
from shared.domain.transaction import SHARDS, State, Transaction, transition
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.ports.documents import Conflict, UnreadableRecord
from shared.ports.transactions import LookupBy
from shared.store.firestore import PREVENDS, FirestoreStore
from shared.store.transaction_documents import transaction_document
from tests.contract.records import prevend, sale, vended
from tests.newer import (
    CALLER,
    DAY,
    FIELD,
    METER,
    NOON,
    OF_SALES,
    POINTS,
    TOKEN,
    decides,
    filled_sale,
    kept,
    on_record,
    put,
    put_back,
    written,
)

SOLD = Vended(Receipt(supplier_transaction_id="supplier-1"))


async def put_all(store):
    """Store every document that newer code might have written, each as a sale of its own. Return them by id."""
    placed = {}
    for number, (state, place) in enumerate(OF_SALES):
        document = written(transaction_document(filled_sale(state, f"key-{number}")), place)
        placed[await put(store, document)] = document, place
    return placed


async def everything(call):
    """Return what a call per shard finds."""
    return [one for number in range(SHARDS) for one in await call(number)]


async def test_documents_of_newer_code_are_found_listed_due_settled_and_survive_a_change(store):
    placed = await put_all(store)
    readable = {sale_id for sale_id, (_, place) in placed.items() if not decides(place)}

    listed = await store.of_caller(Mode.LIVE, CALLER, DAY.isoformat(), None, 1000)
    assert [one.id for one in listed] == sorted(placed)
    assert {one.id for one in listed if isinstance(one, Transaction)} == readable

    found = await store.lookup(Mode.LIVE, LookupBy.METER_NUMBER, METER, 1000)
    assert {one.id for one in found} == placed.keys() and {one.id for one in found if isinstance(one, Transaction)} == readable

    due = await everything(lambda shard: store.due(Mode.LIVE, shard, NOON, 1000))
    assert {one.id for one in due} == readable

    async def of_day(shard):
        return [one async for one in store.of_day(Mode.LIVE, DAY, shard)]

    sold = await everything(of_day)
    unread = {sale_id for sale_id, (_, place) in placed.items() if decides(place) or place.word is VasType}
    assert {one.id for one in sold} == placed.keys() and {one.id for one in sold if isinstance(one, Unread)} == unread

    for sale_id, (document, place) in placed.items():
        if sale_id not in readable:
            with pytest.raises(UnreadableRecord):
                await store.find(sale_id)
            continue
        known = await store.find(sale_id)
        told = transition(known, Answer(SOLD), at=NOON + timedelta(days=1), by="reprint", retry_seconds=60)
        changed = await store.advance(known, structs.replace(told, attempts=told.attempts + 1, nonce="n-2"))
        stored = await on_record(store, sale_id)
        if place.word is None or type(changed.outcome) is type(known.outcome) or "outcome" not in place.path:
            assert kept(stored, place)
        assert stored["record"]["nonce"] == "n-2" and (await store.find(sale_id)).attempts == changed.attempts
        assert FIELD in str(document) or place.word is not None
        with pytest.raises(Conflict):
            await store.advance(known, changed)


async def test_fields_of_newer_code_are_written_back_unchanged(store):
    odd = {"float": 0.1, "big": 2**62, "none": None, "empty": [{}, "", None], "text": "Zoë 🙂"}
    if isinstance(store, FirestoreStore):
        from shared.store.protobuf import Value

        odd["place"] = Value(geo_point_value={"latitude": -26.2, "longitude": 28.0})
        odd["other"] = Value(reference_value=store._database.path("transactions", "ff"))
        odd["at"], odd["bytes"] = NOON, b"\x00\xff"
    document = transaction_document(filled_sale(State.IN_DOUBT))
    document["record"]["history"][0][FIELD] = document["record"]["outcome"][FIELD] = odd
    sale_id = await put(store, document)
    known = await store.find(sale_id)
    await store.advance(known, structs.replace(transition(known, Answer(SOLD), at=NOON, by="reprint", retry_seconds=60), nonce="n-2"))
    stored = (await on_record(store, sale_id))["record"]
    assert stored["history"][0][FIELD] == stored["outcome"][FIELD] == odd and stored["state"] == "vended"


@pytest.mark.parametrize("many", [1, 12])
async def test_unreadable_sales_keep_no_other_sale_from_the_sweep(store, many):
    alike = [sale for number in range(400) if (sale := filled_sale(State.IN_DOUBT, f"key-{number}")).open.shard == "live-03"]
    for one in alike[:many]:  # all due at the same time, and before the others
        document = transaction_document(structs.replace(one, open=structs.replace(one.open, due_at=NOON - timedelta(hours=1))))
        document["record"]["state"] = "half_vended"
        await put(store, document)
    late = {(await store.create(one)).id for one in alike[many : many + 3]}
    assert {one.id for one in await store.due(Mode.LIVE, 3, NOON, 5)} == late
    assert len(await store.due(Mode.LIVE, 3, NOON, 2)) == 2


async def test_a_prevend_that_newer_code_made_is_used_up_and_stays_what_it_was(store):
    made = prevend()
    await store.add_prevend(made)
    newer = await on_record(store, made.id, PREVENDS)
    newer[FIELD] = newer["record"][FIELD] = POINTS
    await put_back(store, made.id, newer, PREVENDS)
    held = await store.find_prevend(made.id)
    claimed = await store.create(sale(), held)
    document = await on_record(store, made.id, PREVENDS)
    assert document[FIELD] == document["record"][FIELD] == POINTS
    assert (await store.find_prevend(made.id)).used_by == claimed.id
    with pytest.raises(Conflict):
        await store.create(sale("key-2"), held)
    assert await store.find(sale("key-2").id) is None


@pytest.mark.parametrize("record", [None, [], "{not json", "[" * 100_000, {}, {"state": TOKEN}], ids=lambda record: str(record)[:9])
async def test_a_damaged_document_is_named_and_hides_no_other(store, record, caplog):
    document = transaction_document(filled_sale(State.VENDED, "damaged"))
    sale_id = await put(store, document)
    damaged = {**document, "record": record}
    await put_back(store, sale_id, record if isinstance(record, str) and not isinstance(store, FirestoreStore) else damaged)
    whole = await store.create(vended("key-1"))
    listed = await store.of_caller(Mode.LIVE, CALLER, DAY.isoformat(), None, 10)
    assert {one.id for one in listed} == {sale_id, whole.id}
    assert [one.id for one in listed if isinstance(one, Unread)] == [sale_id]
    assert {line.fields["transaction_id"] for line in caplog.records if line.levelname == "CRITICAL"} == {sale_id}
    assert all(TOKEN not in str(line.fields) for line in caplog.records)
