"""The queries of a store, on both stores."""

import itertools
from datetime import UTC, date, datetime, timedelta

from msgspec import structs

from shared.domain.identifiers import Caller, account_key
from shared.domain.money import Money
from shared.domain.outcome import Answer, Reason, Receipt, Rejected, Unknown, Vended
from shared.domain.sale_summary import Sold
from shared.domain.transaction import SHARDS, State, transition
from shared.domain.vas import Mode, Order, VasType
from shared.ports.transactions import CONTROLS, CONTROLS_WITHIN, MAX_ALIKE, LookupBy
from shared.store import firestore as firestore_module
from shared.store import sqlite as sqlite_module
from tests.contract.records import CALLER, METER, NOON, sale, shard, vended


async def test_only_an_open_sale_is_found_by_its_account(store):
    account = account_key(Mode.LIVE, CALLER, sale().order)
    assert await store.find_open(account) == []
    opened = await store.create(sale())
    assert await store.find_open(account) == [opened.id]
    await store.advance(opened, structs.replace(opened, open=None, state=State.REJECTED, outcome=Rejected(Reason.METER_UNKNOWN, "1001")))
    assert await store.find_open(account) == []


async def test_similar_sales_are_found_in_the_order_of_their_claims_in_every_state(store):
    alike = [await store.create(sale(key)) for key in ("key-3", "key-1", "key-2")]
    await store.advance(alike[0], structs.replace(alike[0], version=2, state=State.IN_DOUBT))
    assert await store.find_open(account_key(Mode.LIVE, CALLER, sale().order)) == [one.id for one in alike]


async def test_the_first_of_very_many_similar_sales_are_found_in_the_order_of_claims(store):
    claimed = [(await store.create(sale(f"key-{number}"))).id for number in range(MAX_ALIKE + 2)]
    found = await store.find_open(account_key(Mode.LIVE, CALLER, sale().order))
    assert len(found) == MAX_ALIKE
    assert found == [sale_id for sale_id in claimed if sale_id in found]


async def test_no_query_ever_shows_the_other_modes_records(store):
    theirs = [await store.create(vended(f"key-{number}", mode=Mode.SIMULATED, supplier_id="one id")) for number in range(40)]
    ours = await store.create(vended("key-1", supplier_id="one id"))
    request_ids = [each.request_id for each in [*theirs, ours]]

    async def everything(mode):
        return [
            *await store.of_caller(mode, CALLER, "2026-05-01", None, 100),
            *[each for number in range(SHARDS) for each in await store.due(mode, number, NOON, 100)],
            *await store.lookup(mode, LookupBy.METER_NUMBER, METER),
            *await store.lookup(mode, LookupBy.SUPPLIER_TRANSACTION_ID, "one id"),
            *[each for request_id in request_ids for each in await store.lookup(mode, LookupBy.REQUEST_ID, request_id)],
            *await store.vended_lately(mode, VasType.UTILITY, NOON),
            *[each for number in range(SHARDS) async for each in store.of_day(mode, date(2026, 5, 1), number)],
        ]

    assert {each.id for each in await everything(Mode.LIVE)} == {ours.id}
    assert {each.id for each in await everything(Mode.SIMULATED)} == {each.id for each in theirs}
    account = account_key(Mode.SIMULATED, CALLER, ours.order)
    assert account != account_key(Mode.LIVE, CALLER, ours.order)


async def test_a_callers_day_is_listed_page_by_page_in_the_order_of_ids(store):
    mine = [await store.create(sale(f"key-{number}")) for number in range(7)]
    await store.create(sale("key-1", caller=Caller(CALLER.issuer, "user-2")))
    await store.create(sale("another day", at=NOON + timedelta(days=1)))
    pages, cursor = [], None
    while page := await store.of_caller(Mode.LIVE, CALLER, "2026-05-01", cursor, 3):
        pages.append(page)
        cursor = page[-1].id
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [each.id for page in pages for each in page] == sorted(each.id for each in mine)
    assert pages[0][0] == min(mine, key=lambda each: each.id)


def in_one_shard(count):
    """Return keys whose sales share the shard of the first one."""
    keys = (f"key-{number}" for number in itertools.count())
    first = shard(sale("key-0"))
    return list(itertools.islice((key for key in keys if shard(sale(key)) == first), count))


async def test_the_sweep_gets_what_is_due_in_its_shard_the_longest_due_first(store):
    keys = in_one_shard(5)
    minutes = [-3, -1, -2, 0, 1]
    made = {
        minute: await store.create(sale(key, due_at=NOON + timedelta(minutes=minute))) for key, minute in zip(keys, minutes, strict=True)
    }
    ended = await store.create(sale("ended", due_at=NOON - timedelta(minutes=9)))
    await store.advance(ended, structs.replace(ended, open=None))
    number = shard(made[0])
    assert await store.due(Mode.LIVE, number, NOON, 100) == [made[-3], made[-2], made[-1], made[0]]
    assert await store.due(Mode.LIVE, number, NOON, 2) == [made[-3], made[-2]]
    assert await store.due(Mode.LIVE, number, NOON - timedelta(minutes=3, microseconds=1), 100) == []
    assert await store.due(Mode.LIVE, (number + 1) % SHARDS, NOON, 100) == []


async def test_every_sale_of_a_day_is_in_exactly_one_shard_as_settlement_compares_it(store, monkeypatch):
    for module in (firestore_module, sqlite_module):
        monkeypatch.setattr(module, "PAGE", 2)  # a day then has pages
    midnight = datetime(2026, 4, 30, 22, 0, tzinfo=UTC)  # of 1 May in Johannesburg
    made = [await store.create(vended(f"key-{number}", at=midnight + timedelta(minutes=number))) for number in range(40)]
    await store.create(sale("the day before", at=midnight - timedelta(microseconds=1)))
    read = [each for number in range(SHARDS) async for each in store.of_day(Mode.LIVE, date(2026, 5, 1), number)]
    assert sorted(read, key=lambda each: each.id) == sorted(map(Sold.of, made), key=lambda each: each.id)
    assert len(read) == 40


async def test_a_day_with_sales_is_distinguished_from_a_day_without(store):
    midnight = datetime(2026, 4, 30, 22, 0, tzinfo=UTC)  # of 1 May in Johannesburg
    for number in range(3):
        await store.create(vended(f"key-{number}", at=midnight + timedelta(hours=number)))
    await store.create(sale("simulated", mode=Mode.SIMULATED, at=midnight - timedelta(hours=1)))
    days = [date(2026, 4, 30), date(2026, 5, 1), date(2026, 5, 2)]
    assert [await store.any_of_day(Mode.LIVE, day) for day in days] == [False, True, False]
    assert await store.any_of_day(Mode.SIMULATED, days[0])


async def test_a_meters_sales_are_looked_up_newest_first(store):
    made = [await store.create(sale(f"key-{number}", at=NOON + timedelta(hours=number % 3, minutes=number))) for number in range(6)]
    newest = sorted(made, key=lambda each: each.created_at, reverse=True)
    assert await store.lookup(Mode.LIVE, LookupBy.METER_NUMBER, METER) == newest
    assert await store.lookup(Mode.LIVE, LookupBy.METER_NUMBER, METER, at_most=2) == newest[:2]
    assert await store.lookup(Mode.LIVE, LookupBy.METER_NUMBER, METER[:-1]) == []
    assert await store.lookup(Mode.LIVE, LookupBy.REQUEST_ID, METER) == []


async def test_a_sale_is_found_by_its_request_id_and_once_vended_by_the_suppliers(store):
    claimed = await store.create(sale())
    assert await store.lookup(Mode.LIVE, LookupBy.REQUEST_ID, claimed.request_id) == [claimed]
    assert await store.lookup(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, "supplier-1") == []
    answer = Answer(Vended(Receipt(supplier_transaction_id="supplier-1")))
    ended = await store.advance(claimed, transition(claimed, answer, at=NOON, by="supplier", retry_seconds=60))
    assert await store.lookup(Mode.LIVE, LookupBy.REQUEST_ID, claimed.request_id) == [ended]
    assert await store.lookup(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, "supplier-1") == [ended]


async def test_a_sale_is_found_by_the_suppliers_guid_in_whichever_case_it_is_spelt(store):
    guid = "6B0F6A52-0d1c-4c3c-9a53-1f2f4f1f9a10"
    made = await store.create(vended("key-1", supplier_id=guid))
    for text in (guid, guid.lower(), guid.upper()):
        assert await store.lookup(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, text) == [made]
    assert made.receipt.supplier_transaction_id == guid


async def test_controls_are_the_newest_sales_of_a_service_that_are_known_to_have_vended(store):
    made = [await store.create(vended(f"key-{number}", at=NOON - timedelta(hours=number))) for number in range(CONTROLS + 2)]
    await store.create(sale("in doubt", state=State.IN_DOUBT, outcome=Unknown("lost")))
    await store.create(vended("too old", at=NOON - CONTROLS_WITHIN))
    airtime = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="a", mobile_number="27821234567")
    other = await store.create(vended("airtime", order=airtime))
    assert await store.vended_lately(Mode.LIVE, VasType.UTILITY, NOON) == made[:CONTROLS]
    assert await store.vended_lately(Mode.LIVE, VasType.AIRTIME, NOON) == [other]
    assert await store.vended_lately(Mode.LIVE, VasType.VOUCHER, NOON) == []
