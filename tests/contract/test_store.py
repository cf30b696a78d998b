"""The promises of a store on its records, on both stores: Firestore (Google's emulator) and SQLite."""

from decimal import Decimal

import pytest
from msgspec import structs

from shared.domain.identifiers import transaction_id
from shared.domain.outcome import RawAnswer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import HistoryEntry, State, reindexed
from shared.domain.vas import Mode
from shared.ports.documents import Conflict
from shared.ports.transactions import LookupBy
from tests.contract.records import CALLER, NOON, new_id, outcomes, prevend, sale


async def test_a_created_record_is_found_exactly_with_its_revision(store):
    created = await store.create(sale())
    found = await store.find(created.id)
    assert found == created and found.revision == created.revision is not None
    assert await store.find(transaction_id(Mode.LIVE, CALLER, "another key")) is None


async def test_an_advanced_record_is_found_exactly_with_its_new_revision(store):
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
    await store.add_prevend(kept)  # a first try that arrives late
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
    """Eight answers of 64 KiB and a full history: `transaction.py` allows them, and Firestore's 1 MiB must hold them."""
    answers = tuple(RawAnswer.of("vend", NOON, 200, None, bytes(65_536)) for _ in range(8))
    history = tuple(HistoryEntry(NOON, "contradicted", "settlement", "x" * 1000) for _ in range(200))
    full = await store.create(sale(answers=answers, history=history))
    assert await store.find(full.id) == full


async def test_a_number_beyond_64_bits_is_kept(store):
    refused = Rejected(Reason.SUPPLIER_BUSY, "429", retry_after_seconds=10**30)
    kept = await store.create(sale(state=State.REJECTED, outcome=refused))
    assert (await store.find(kept.id)).outcome == refused
