"""The promises of a store, on both of them: Firestore (Google's emulator) and SQLite."""

import asyncio
import itertools
import json
import logging
import socket
import sqlite3
import time
import uuid
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import grpc
import pytest
from msgspec import structs

from shared.domain.catalogue import Product
from shared.domain.clock import business_day
from shared.domain.identifiers import Caller, account_key, transaction_id
from shared.domain.money import Money
from shared.domain.outcome import Answer, Prevended, RawAnswer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.policy import VendingPolicy
from shared.domain.prevend import Prevend
from shared.domain.sale_summary import Sold
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import SHARDS, HistoryEntry, State, Transaction, reindexed, transition
from shared.domain.vas import Mode, Order, VasType
from shared.gcp.grpc import CHANNEL_OPTIONS
from shared.lib import logs
from shared.ports.documents import Conflict, StoreUnavailable
from shared.ports.transactions import CONTROLS, CONTROLS_WITHIN, MAX_ALIKE, LookupBy
from shared.store import firestore as firestore_module
from shared.store import sqlite as sqlite_module
from shared.store.database import Database
from shared.store.firestore import FirestoreStore
from shared.store.sqlite import SqliteStore
from shared.vending.purchase import PurchaseRequest
from shared.vending.purchasing import Vending
from shared.vending.recorder import Recorder

NOON = datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)
CALLER = Caller("https://issuer.example", "user-1")
METER = "12345678901"
RULES = VendingPolicy(mode=Mode.LIVE)
TIMEOUT_SECONDS = 10
SHORT_SECONDS = 0.5


@pytest.fixture(params=["firestore", "sqlite"])
async def store(request, tmp_path):
    if request.param == "sqlite":
        opened = await SqliteStore.open(str(tmp_path / "store.sqlite"), timeout_seconds=TIMEOUT_SECONDS)
    else:
        host = request.getfixturevalue("firestore_emulator")
        opened = await FirestoreStore.open(project(), "(default)", timeout_seconds=TIMEOUT_SECONDS, emulator_host=host)
    yield opened
    await opened.close()


def project():
    return f"demo-{uuid.uuid4()}"


def new_id():
    return str(uuid.uuid4())


def sale(key="key-1", *, mode=Mode.LIVE, caller=CALLER, at=NOON, due_at=NOON, cents=10_000, **fields):
    """A sale as a claim would write it, or with `fields` of a later moment; open where something is left to do."""
    order = Order(vas_type=VasType.UTILITY, amount=Money(cents), merchant_product_id="electricity", meter_number=METER)
    made = Transaction(
        id=transaction_id(mode, caller, key),
        version=1,
        mode=mode,
        caller=caller,
        idempotency_key=key,
        fingerprint="fingerprint",
        request_id=new_id(),
        supplier_prevend_id="supplier-prevend",
        created_at=at,
        updated_at=at,
        day=business_day(at),
        send_by=at,
        lease_until=at,
        nonce=new_id(),
        **{"order": order, "state": State.VENDING, **fields},
    )
    return reindexed(made, due_at)


def vended(key="key-1", *, supplier_id=None, **fields):
    receipt = Receipt(supplier_transaction_id=supplier_id or f"supplier-{key}")
    return sale(key, state=State.VENDED, outcome=Vended(receipt), sign_of_vend=True, **fields)


def prevend(**fields):
    order = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="electricity", meter_number=METER)
    made = {
        "id": new_id(),
        "mode": Mode.LIVE,
        "caller": CALLER,
        "order": order,
        "supplier_prevend_id": "supplier-prevend",
        "minimum_amount": Money(1000),
        "amount_due": None,
        "created_at": NOON,
        "expires_at": NOON + timedelta(minutes=15),
    }
    return Prevend(**made | fields)


async def outcomes(*coroutines):
    """How many of the racers won, and how the others fared."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    return Counter(type(result).__name__ for result in results)


def shard(of):
    return int(of.id[:4], 16) % SHARDS


async def test_what_is_created_is_found_exactly_with_its_revision(store):
    created = await store.create(sale())
    found = await store.find(created.id)
    assert found == created and found.revision == created.revision is not None
    assert await store.find(transaction_id(Mode.LIVE, CALLER, "another key")) is None


async def test_what_is_advanced_is_found_exactly_with_its_new_revision(store):
    created = await store.create(sale())
    advanced = await store.advance(
        created, reindexed(structs.replace(created, version=2, state=State.IN_DOUBT, outcome=Unknown("lost")), NOON)
    )
    found = await store.find(created.id)
    assert found == advanced and found.revision == advanced.revision != created.revision


async def test_sixteen_claims_of_one_key_have_one_winner(store):
    racers = [sale() for _ in range(16)]
    assert await outcomes(*map(store.create, racers)) == {"Transaction": 1, "Conflict": 15}
    assert (await store.find(racers[0].id)).nonce in {racer.nonce for racer in racers}


async def test_sixteen_sales_of_one_prevend_have_one_winner_and_the_others_leave_nothing(store):
    kept = prevend()
    await store.add_prevend(kept)
    read = await store.find_prevend(kept.id)
    assert read == kept
    racers = [sale(f"key-{number}") for number in range(16)]
    assert await outcomes(*(store.create(racer, read) for racer in racers)) == {"Transaction": 1, "Conflict": 15}
    on_record = [racer for racer in racers if await store.find(racer.id) is not None]
    assert len(on_record) == 1
    assert await store.find_prevend(kept.id) == structs.replace(kept, used_by=on_record[0].id)


async def test_sixteen_advances_of_one_version_have_one_winner(store):
    before = await store.create(sale())
    racers = [structs.replace(before, version=2, nonce=new_id()) for _ in range(16)]
    assert await outcomes(*(store.advance(before, racer) for racer in racers)) == {"Transaction": 1, "Conflict": 15}


async def test_a_stale_advance_is_refused_and_changes_nothing(store):
    stale = await store.create(sale())
    current = await store.advance(stale, structs.replace(stale, version=2))
    with pytest.raises(Conflict):
        await store.advance(stale, structs.replace(stale, version=3))
    assert await store.find(stale.id) == current


async def test_an_advance_of_what_is_not_on_record_is_refused_and_writes_nothing(store):
    read = await store.create(sale("key-1"))
    other = structs.replace(sale("key-2"), revision=read.revision)
    with pytest.raises(Conflict):
        await store.advance(other, structs.replace(other, version=2))
    assert await store.find(other.id) is None


async def test_a_record_that_was_not_read_cannot_be_advanced_or_used(store):
    with pytest.raises(ValueError, match="not read"):
        await store.advance(sale(), sale())
    with pytest.raises(ValueError, match="not read"):
        await store.create(sale(), prevend())
    assert await store.find(sale().id) is None


async def test_a_used_prevend_is_refused_and_the_sale_is_not_written(store):
    kept = prevend()
    await store.add_prevend(kept)
    unused = await store.find_prevend(kept.id)
    await store.create(sale("key-1"), unused)
    with pytest.raises(Conflict):
        await store.create(sale("key-2"), unused)
    assert await store.find(sale("key-2").id) is None


async def test_a_prevend_that_is_added_once_more_is_not_unused_again(store):
    kept = prevend()
    await store.add_prevend(kept)
    await store.create(sale("key-1"), await store.find_prevend(kept.id))
    await store.add_prevend(kept)  # a first try that lands late
    assert (await store.find_prevend(kept.id)).used_by == sale("key-1").id


async def test_a_prevend_that_is_gone_is_refused_and_the_sale_is_not_written(store):
    kept = prevend()
    await store.add_prevend(kept)
    read = await store.find_prevend(kept.id)
    with pytest.raises(Conflict):
        await store.create(sale(), structs.replace(read, id=new_id()))
    assert await store.find(sale().id) is None


@pytest.mark.parametrize("name", ["", "..", "a/b", "__x__", "x" * 2000, "\ud800", "\x00", "..%2f", "prevends/1", "é"])
async def test_a_name_that_no_record_can_have_finds_nothing(store, name):
    assert await store.find(name) is None
    assert await store.find_prevend(name) is None


async def test_only_an_open_sale_is_found_by_its_account(store):
    account = account_key(Mode.LIVE, CALLER, sale().order)
    assert await store.find_open(account) == []
    opened = await store.create(sale())
    assert await store.find_open(account) == [opened.id]
    await store.advance(opened, structs.replace(opened, open=None, state=State.REJECTED, outcome=Rejected(Reason.METER_UNKNOWN, "1001")))
    assert await store.find_open(account) == []


async def test_sales_that_look_the_same_are_found_in_the_order_of_their_claims_whatever_became_of_them(store):
    alike = [await store.create(sale(key)) for key in ("key-3", "key-1", "key-2")]
    await store.advance(alike[0], structs.replace(alike[0], version=2, state=State.IN_DOUBT))
    assert await store.find_open(account_key(Mode.LIVE, CALLER, sale().order)) == [one.id for one in alike]


async def test_of_very_many_that_look_the_same_a_part_is_found_in_the_order_of_its_claims(store):
    claimed = [(await store.create(sale(f"key-{number}"))).id for number in range(MAX_ALIKE + 2)]
    found = await store.find_open(account_key(Mode.LIVE, CALLER, sale().order))
    assert len(found) == MAX_ALIKE
    assert found == [sale_id for sale_id in claimed if sale_id in found]


HOSTILE = [
    bytes(range(256)) * 256,
    b"",
    b"\x00" * 65_536,
    "⚡ é \U0001f4a1 ".encode() * 500,
    b"\xed\xa0\x80 not utf-8",
    b'{"a": ' * 5_000,
]


@pytest.mark.parametrize(
    "text", ["⚡\U0001f4a1", "", "a\x00b", "\ud800 alone", "'; DROP TABLE transactions; --", "x" * 20_000, "\u2028\ufeff"]
)
async def test_nothing_that_the_supplier_says_makes_a_commit_fail(store, text):
    receipt = Receipt(
        supplier_transaction_id=text,
        tokens_due=TokensDue.PENDING,
        receipt_number=text,
        tokens=(StsToken(TokenKind.OTHER, "0" * 20, Decimal("1E+100000")),),
        units=Decimal("-0.000"),
        pin=text,
        instructions=text,
    )
    answers = tuple(RawAnswer.of("vend", NOON, 200, text, body) for body in HOSTILE)
    history = tuple(HistoryEntry(NOON, "said", "supplier", text[:1000]) for _ in range(200))
    claimed = await store.create(sale())
    said = structs.replace(claimed, state=State.VENDED, outcome=Vended(receipt), answers=answers, history=history)
    await store.advance(claimed, said)
    found = await store.find(claimed.id)
    assert found.answers == answers
    assert found.receipt.supplier_transaction_id == text.replace("\ud800", "\\ud800")
    assert await store.lookup(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, text) == [found]


async def test_the_fullest_record_is_kept(store):
    """Eight answers of 64 KiB and all history: what `transaction.py` allows, and Firestore's 1 MiB must hold."""
    answers = tuple(RawAnswer.of("vend", NOON, 200, None, bytes(65_536)) for _ in range(8))
    history = tuple(HistoryEntry(NOON, "contradicted", "settlement", "x" * 1000) for _ in range(200))
    full = await store.create(sale(answers=answers, history=history))
    assert await store.find(full.id) == full


async def test_a_number_beyond_64_bits_is_kept(store):
    refused = Rejected(Reason.SUPPLIER_BUSY, "429", retry_after_seconds=10**30)
    kept = await store.create(sale(state=State.REJECTED, outcome=refused))
    assert (await store.find(kept.id)).outcome == refused


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
    """Keys whose sales share a shard, which is the first one's."""
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
        monkeypatch.setattr(module, "PAGE", 2)  # so that a day has pages
    midnight = datetime(2026, 4, 30, 22, 0, tzinfo=UTC)  # of 1 May in Johannesburg
    made = [await store.create(vended(f"key-{number}", at=midnight + timedelta(minutes=number))) for number in range(40)]
    await store.create(sale("the day before", at=midnight - timedelta(microseconds=1)))
    read = [each for number in range(SHARDS) async for each in store.of_day(Mode.LIVE, date(2026, 5, 1), number)]
    assert sorted(read, key=lambda each: each.id) == sorted(map(Sold.of, made), key=lambda each: each.id)
    assert len(read) == 40


async def test_a_day_on_which_anything_was_sold_is_told_from_one_without_sales(store):
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


async def test_a_ledger_keeps_what_was_put_and_adds_a_key_once(store):
    ledger = store.ledger
    odd = {"nested": [[1, [2.5, None]], {}], "": {"é⚡": "\x00"}, "big": 10**30}
    assert await ledger.get("vend:1") is None
    assert await ledger.add("vend:1", odd)
    assert not await ledger.add("vend:1", {"other": True})
    assert await ledger.get("vend:1") == odd
    await ledger.put("vend:1", {"changed": 1})
    assert await ledger.get("vend:1") == {"changed": 1}


async def test_sixteen_additions_of_one_ledger_key_have_one_winner(store):
    added = await asyncio.gather(*(store.ledger.add("request:1", {"number": number}) for number in range(16)))
    assert sum(added) == 1
    assert (await store.ledger.get("request:1"))["number"] == added.index(True)


async def test_a_ledger_lists_a_prefix_in_the_order_of_its_keys(store):
    keys = ["a", "a.", "a:", "a:1", "a:10", "a:2", "a:Z", "a:_", "a:z", "a-", "b", ".", "..", "__x__", "z" * 200]
    for key in reversed(keys):
        await store.ledger.put(key, {"key": key})

    async def listed(prefix):
        return [value["key"] for value in await store.ledger.starting_with(prefix)]

    assert await listed("a:") == ["a:", "a:1", "a:10", "a:2", "a:Z", "a:_", "a:z"]
    assert await listed("") == sorted(keys)
    assert await listed("c") == []
    assert [await store.ledger.get(key) for key in keys] == [{"key": key} for key in keys]


# A whole sale over each store, with the supplier's part played here.


@dataclass
class Switch:
    """A supplier that vends whatever it is asked for, and counts."""

    vends: list[str] = field(default_factory=list)

    async def ready(self):
        return None

    async def products(self, vas_type):
        return (Product(vas_type, "electricity", "Electricity"),)

    async def prevend(self, order, request_id):
        return Prevended("supplier-prevend")

    async def vend(self, order, supplier_prevend_id, request_id, send_within_seconds):
        self.vends.append(request_id)
        receipt = Receipt(supplier_transaction_id=f"supplier-{request_id}", tokens_due=TokensDue.DELIVERED)
        return Answer(Vended(receipt), RawAnswer.of("vend", NOON, 200, "application/json", b"{}"))


class Topic:
    async def publish(self, event, sold):
        return None


class Released:
    """A brake that nobody has set."""

    async def stops(self, vas_type):
        return False

    async def notice(self, vas_type, outcome):
        pass


def vending(store, switch):
    recorder = Recorder(store=store, events=Topic(), rules=RULES, now=lambda: datetime.now(UTC), new_id=new_id)
    return Vending(recorder=recorder, supplier=switch, brake=Released())


def electricity(key="key-1", **fields):
    order = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id=None, meter_number=METER)
    named = fields or {"order": order}
    return PurchaseRequest(caller=CALLER, idempotency_key=key, fingerprint="f", vas_type=VasType.UTILITY, **named)


class LosesReplies:
    """The store, but the reply to one of its writes never comes."""

    def __init__(self, store, lost):
        self._store = store
        self._lost = lost
        self.writes = 0

    def __getattr__(self, name):
        method = getattr(self._store, name)
        if name not in {"create", "advance"}:
            return method

        async def write(*arguments):
            self.writes += 1
            written = await method(*arguments)
            if self.writes == self._lost:
                raise StoreUnavailable("reply lost")
            return written

        return write


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_sale_whose_commit_loses_its_reply_recognises_its_own_write(store, lost):
    switch = Switch()
    losing = LosesReplies(store, lost)
    purchased = await vending(losing, switch).purchase(electricity())
    assert (purchased.transaction.state, purchased.replayed, purchased.on_record) == (State.VENDED, False, True)
    assert switch.vends == [purchased.transaction.request_id]
    again = await vending(store, switch).purchase(electricity())
    assert again.replayed and again.transaction.state is State.VENDED and len(switch.vends) == 1
    assert losing.writes >= lost


async def test_sixteen_requests_with_one_key_vend_once(store):
    switch = Switch()
    results = await asyncio.gather(*(vending(store, switch).purchase(electricity()) for _ in range(16)), return_exceptions=True)
    assert len(switch.vends) == 1
    told = Counter("first" if not isinstance(each, Exception) and not each.replayed else "repeat" for each in results)
    assert told == {"first": 1, "repeat": 15}
    assert {type(each).__name__ for each in results} <= {"Purchased", "RequestInProgress"}


async def test_sixteen_requests_with_one_prevend_vend_once(store):
    switch = Switch()
    named = await vending(store, switch).prevend(CALLER, electricity().order)
    requests = [electricity(f"key-{number}", prevend_id=named.id, allow_duplicate=True) for number in range(16)]
    results = await asyncio.gather(*(vending(store, switch).purchase(each) for each in requests))
    assert len(switch.vends) == 1
    (sold,) = [each.transaction for each in results if each.transaction.state is State.VENDED]
    refusals = [each.transaction.outcome for each in results if each.transaction is not sold]
    assert {(refusal.reason, refusal.other_transaction_id) for refusal in refusals} == {(Reason.PREVEND_USED, sold.id)}


# Firestore only: what its transport may do.


class LosesCommitReplies(grpc.aio.UnaryUnaryClientInterceptor):
    """Lets every commit happen, and answers one of them with a failure."""

    def __init__(self, lost, code):
        self._lost = lost
        self._code = code
        self.commits = 0

    async def intercept_unary_unary(self, continuation, details, request):
        self.commits += 1
        number = self.commits
        call = await continuation(details, request)
        await call
        if number == self._lost:
            raise grpc.aio.AioRpcError(self._code, grpc.aio.Metadata(), grpc.aio.Metadata())
        return call


@asynccontextmanager
async def over(address, *interceptors, timeout_seconds=TIMEOUT_SECONDS):
    """A store on Firestore, whose calls pass the interceptors."""
    channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS, interceptors=interceptors)
    opened = FirestoreStore(Database(channel, project(), "(default)", timeout_seconds))
    yield opened
    await opened.close()


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED])
@pytest.mark.parametrize("lost", [2, 3, 4])
async def test_a_commit_that_firestore_made_but_did_not_confirm_is_recognised(firestore_emulator, lost, code):
    losing = LosesCommitReplies(lost, code)
    async with over(firestore_emulator, losing) as store:
        switch = Switch()
        named = await vending(store, switch).prevend(CALLER, electricity().order)  # the first commit
        purchased = await vending(store, switch).purchase(electricity(prevend_id=named.id))
        assert losing.commits > lost
        assert (purchased.transaction.state, purchased.replayed, purchased.on_record) == (State.VENDED, False, True)
        assert switch.vends == [purchased.transaction.request_id]
        assert (await store.find_prevend(named.id)).used_by == purchased.transaction.id


async def test_a_prevend_whose_commit_was_not_confirmed_is_kept(firestore_emulator):
    async with over(firestore_emulator, LosesCommitReplies(1, grpc.StatusCode.UNAVAILABLE)) as store:
        kept = prevend()
        await store.add_prevend(kept)
        assert await store.find_prevend(kept.id) == kept


async def test_an_addition_to_the_ledger_that_was_not_confirmed_is_not_taken_for_anothers(firestore_emulator):
    async with over(firestore_emulator, LosesCommitReplies(1, grpc.StatusCode.UNAVAILABLE)) as store:
        with pytest.raises(StoreUnavailable):
            await store.ledger.add("vend:1", {})
        assert await store.ledger.get("vend:1") == {}


@pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION])
async def test_a_missing_database_is_not_taken_for_a_document_that_is_there(firestore_emulator, code):
    async with over(firestore_emulator, LosesCommitReplies(1, code)) as store:
        with pytest.raises(StoreUnavailable, match=code.name):
            await store.add_prevend(prevend())
    async with over(firestore_emulator, LosesCommitReplies(1, code)) as store:
        with pytest.raises(StoreUnavailable, match=code.name):
            await store.ledger.add("vend:1", {})


async def test_a_revision_is_exact_to_the_microsecond(firestore_emulator):
    async with over(firestore_emulator) as store:
        created = await store.create(sale())
        seconds, _, nanos = created.revision.partition(".")
        assert int(nanos) % 1000 == 0  # Firestore has no finer ones, and takes none
        earlier = divmod(int(seconds) * 10**9 + int(nanos) - 1000, 10**9)
        with pytest.raises(Conflict):
            await store.advance(structs.replace(created, revision="{}.{:09d}".format(*earlier)), structs.replace(created, version=2))
        assert (await store.advance(created, structs.replace(created, version=2))).version == 2


@pytest.fixture(params=["refused", "silent"])
def unreachable(request):
    """An address where nothing listens, or where connections are taken and nothing is ever said."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "silent":
            listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


async def test_an_unreachable_firestore_is_said_within_the_bound_and_blocks_nobody(unreachable):
    store = await FirestoreStore.open(project(), "(default)", timeout_seconds=SHORT_SECONDS, emulator_host=unreachable)
    longest = Longest()
    started = time.monotonic()
    async with longest.watching():
        results = await asyncio.gather(*calls(store), return_exceptions=True)
    assert time.monotonic() - started < SHORT_SECONDS + 0.5
    assert {type(result) for result in results} == {StoreUnavailable}
    assert longest.pause_seconds < 0.25
    await store.close()


class Exhausted(grpc.aio.UnaryUnaryClientInterceptor):
    """Answers every commit that a quota is used up, in words that nobody is to see."""

    async def intercept_unary_unary(self, continuation, details, request):
        raise grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), grpc.aio.Metadata(), details="of demo")


async def test_a_log_says_with_which_code_firestore_failed_until_the_time_was_up(firestore_emulator):
    async with over(firestore_emulator, Exhausted(), timeout_seconds=SHORT_SECONDS) as store:
        with pytest.raises(StoreUnavailable) as failed:
            await store.create(sale())
    record = logging.makeLogRecord({"name": "tests", "msg": "store unavailable", "fields": {"cause": failed.value}})
    causes = json.loads(logs.JsonFormatter().format(record))["cause"]
    assert [cause.partition(" at ")[0] for cause in causes][-1] == "AioRpcError RESOURCE_EXHAUSTED"
    assert not any("of demo" in cause for cause in causes)


async def test_a_locked_sqlite_file_is_said_within_the_bound_and_blocks_nobody(tmp_path):
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


async def test_a_sqlite_file_that_cannot_be_opened_is_said(tmp_path):
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(str(tmp_path), timeout_seconds=SHORT_SECONDS)


async def test_a_sqlite_file_keeps_what_it_was_given(tmp_path):
    path = str(tmp_path / "store.sqlite")
    first = await SqliteStore.open(path, timeout_seconds=TIMEOUT_SECONDS)
    created = await first.create(sale())
    await first.close()
    second = await SqliteStore.open(path, timeout_seconds=TIMEOUT_SECONDS)
    assert await second.find(created.id) == created
    await second.close()


def calls(store):
    """One call of every kind."""
    read = structs.replace(sale(), revision="1.000000000")
    yield store.find(read.id)
    yield store.find_prevend("some-prevend")
    yield store.find_open("account")
    yield store.create(sale())
    yield store.advance(read, read)
    yield store.add_prevend(prevend())
    yield store.due(Mode.LIVE, 0, NOON, 1)
    yield store.ledger.add("key", {})


class Longest:
    """The longest time for which the event loop could not run anything else."""

    def __init__(self):
        self.pause_seconds = 0.0

    @asynccontextmanager
    async def watching(self):
        ticking = asyncio.create_task(self._tick())
        yield
        ticking.cancel()

    async def _tick(self):
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self.pause_seconds = max(self.pause_seconds, time.monotonic() - before - 0.01)
