"""Binding the keys that a restore has lost, in Firestore: no lost sale is sold again, and no record changes."""

from datetime import timedelta

import pytest
from msgspec import structs

from local import rebuild
from shared.domain.identifiers import caller_id
from shared.domain.outcome import Reason, Rejected, Unknown
from shared.domain.transaction import EventName, State, may_be_absent
from shared.domain.vas import Mode, VasType
from shared.ports.documents import Conflict, StoreUnavailable, UnreadableRecord
from shared.ports.transactions import LookupBy, SaleRetired
from shared.store.firestore import FirestoreStore
from tests.contract.rebuilt import GOOD, KEYS, NOW, OF_CALLER, TOKEN, altered, paused, ran, sold
from tests.contract.records import CALLER, sale
from tests.newer import on_record


def doubtful(key):
    return structs.replace(sale(key, state=State.IN_DOUBT, outcome=Unknown("timeout")), version=2)


async def test_a_published_sale_without_a_record_is_never_sold_again(restored, gap):
    lost = sold("lost")
    code, said = await ran(restored, "--events", gap((EventName.VENDED, lost)), "--write")
    assert code == 0 and f"lost: {lost.id}" in said and "announced vended" in said
    with pytest.raises(SaleRetired) as refused:
        await restored.find(lost.id)
    kept = refused.value.tombstone
    assert (kept.caller, kept.state, kept.amount) == (caller_id(Mode.LIVE, CALLER), State.VENDED, lost.order.amount)
    with pytest.raises(Conflict):
        await restored.create(sale("lost"))
    assert await restored.lookup(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, "supplier-lost") == [kept]
    assert TOKEN not in said and TOKEN not in str(await on_record(restored, lost.id))


async def test_without_write_nothing_is_written(restored, gap):
    code, said = await ran(restored, "--events", gap((EventName.VENDED, sold("lost"))))
    assert code == 0 and "0 on record, 0 on record and behind, 1 to bind" in said
    assert await restored.find(sold("lost").id) is None


async def test_records_are_not_changed_and_those_behind_their_events_are_listed(restored, gap):
    kept = await restored.create(sold("kept"))
    behind = await restored.create(sale("behind"))
    before = [await on_record(restored, one.id) for one in (kept, behind)]
    events = gap((EventName.VENDED, sold("kept")), (EventName.IN_DOUBT, doubtful("behind")))
    code, said = await ran(restored, "--events", events, "--write")
    assert code == 0 and "1 on record, 1 on record and behind, 0 bound" in said and f"behind: {behind.id}" in said
    assert [await on_record(restored, one.id) for one in (kept, behind)] == before


async def test_the_newest_event_of_a_sale_counts_in_any_order_of_the_pulls(restored, gap):
    vended = structs.replace(sold("lost"), version=3)
    gap((EventName.VENDED, vended))
    code, _ = await ran(restored, "--events", gap((EventName.IN_DOUBT, doubtful("lost"))), "--write")
    with pytest.raises(SaleRetired) as refused:
        await restored.find(vended.id)
    assert code == 0 and refused.value.tombstone.state is State.VENDED


async def test_a_second_run_changes_nothing(restored, gap):
    events = gap((EventName.VENDED, sold("lost")))
    await ran(restored, "--events", events, "--write")
    before = await on_record(restored, sold("lost").id)
    code, said = await ran(restored, "--events", events, "--write")
    assert code == 0 and "0 on record, 0 on record and behind, 0 bound, 1 bound before" in said and f"lost: {sold('lost').id}" in said
    assert await on_record(restored, sold("lost").id) == before


async def test_a_concurrent_writer_keeps_its_record(restored, gap, monkeypatch):
    """Another process writes between the look and the write: its record stays."""
    made = await restored.create(sold("lost"))

    find, looks = FirestoreStore.find, []

    async def late(self, sale_id):
        looks.append(sale_id)
        return None if len(looks) == 1 else await find(self, sale_id)

    monkeypatch.setattr(FirestoreStore, "find", late)
    code, said = await ran(restored, "--events", gap((EventName.VENDED, sold("lost"))), "--write")
    monkeypatch.undo()
    assert code == 0 and "1 on record" in said
    assert await restored.find(made.id) == made


async def test_a_key_without_an_event_is_bound_and_listed_as_unknown(restored, tmp_path):
    keys = tmp_path / "wallet.csv"
    keys.write_text("idempotencyKey,vasType,amountCents,usedAt\nnever,utility,10000,2026-11-29T10:00:00+02:00\n")
    lost = sale("never")
    code, said = await ran(restored, "--keys", keys, "--issuer", CALLER.issuer, "--subject", CALLER.subject, "--write")
    assert code == 0 and f"lost: {lost.id} 2026-11-29 utility 10000 cents: cannot be known until" in said
    with pytest.raises(SaleRetired) as refused:
        await restored.find(lost.id)
    assert refused.value.tombstone.state is State.IN_DOUBT


@pytest.mark.parametrize("until", [NOW + timedelta(hours=8), "nothing"])
async def test_it_refuses_while_anything_may_be_sold(restored, gap, until):
    if until == "nothing":
        await paused(restored, None, services=tuple(VasType)[1:])
    else:
        await paused(restored, until)
    code, said = await ran(restored, "--events", gap((EventName.VENDED, sold("lost"))), "--write")
    assert code == 1 and "not paused without an end" in said
    assert await restored.find(sold("lost").id) is None


async def test_simulated_sales_are_not_those_of_a_live_database(restored, gap):
    other = structs.replace(sold("lost"), mode=Mode.SIMULATED)
    code, said = await ran(restored, "--events", gap((EventName.VENDED, other)), "--write")
    assert code == 0 and "0 bound" in said


@pytest.mark.parametrize("arguments", [[], ["--events", "a", "--keys", "b"], ["--keys", "b", "--issuer", "i"]])
def test_an_incomplete_command_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        rebuild.read_options(["--project", "p", "--database", "d", "--mode", "live", *arguments])
    assert "either --events, or --keys" in capsys.readouterr().err


async def doubt(store, key, state=State.IN_DOUBT, version=2):
    outcome = None if state is State.VENDING else Unknown("timeout")
    return await store.create(structs.replace(sale(key, state=state, outcome=outcome), version=version))


@pytest.mark.parametrize("version", [2, 3, 4])
async def test_a_record_that_ended_otherwise_than_published_is_reported_and_stays(restored, gap, version):
    rejected = structs.replace(sale("kept", state=State.REJECTED, outcome=Rejected(Reason.ACCOUNT_REFUSED, "no")), version=version)
    kept = await restored.create(rejected)
    vended = structs.replace(sold("kept"), version=3)
    before = await on_record(restored, kept.id)
    code, said = await ran(restored, "--events", gap((EventName.VENDED, vended)), "--write")
    assert code == 1 and "1 CONTRADICTING" in said and f"CONTRADICTING: {kept.id}: announced vended, on record rejected" in said
    assert await on_record(restored, kept.id) == before


@pytest.mark.parametrize(("announced", "version"), [(State.REJECTED, 3), (State.IN_DOUBT, 2), (State.IN_DOUBT, 3)])
async def test_a_vend_on_record_that_was_published_otherwise_is_a_contradiction(restored, gap, announced, version):
    kept = await restored.create(sold("kept"))
    outcome = Unknown("timeout") if announced is State.IN_DOUBT else Rejected(Reason.ACCOUNT_REFUSED, "no")
    other = structs.replace(sale("kept", state=announced, outcome=outcome), version=version)
    code, said = await ran(restored, "--events", gap((EventName(announced.value), other)), "--write")
    assert code == 1 and f"CONTRADICTING: {kept.id}" in said


@pytest.mark.parametrize("change", [{"amountCents": 5}, {"vasType": "airtime"}, {"receipt": {"supplierTransactionId": "other"}}])
async def test_a_vend_on_record_of_something_else_is_a_contradiction(restored, gap, change):
    kept = await restored.create(sold("kept"))
    events = gap((EventName.VENDED, sold("kept")))
    altered(events, change)
    code, said = await ran(restored, "--events", events, "--write")
    assert code == 1 and f"CONTRADICTING: {kept.id}" in said


@pytest.mark.parametrize("state", [State.IN_DOUBT, State.VENDING])
@pytest.mark.parametrize("version", [1, 3, 7])
async def test_a_doubt_that_was_published_as_vended_gets_the_indication_of_a_vend(restored, gap, state, version):
    """The version does not matter. No empty reprint and no file without the sale can then reject a vend."""
    kept = await doubt(restored, "kept", state, version)
    events = gap((EventName.VENDED, structs.replace(sold("kept"), version=3)))
    code, said = await ran(restored, "--events", events)
    assert code == 0 and f"behind: {kept.id}" in said and "gets the sign of a vend" in said
    assert await restored.find(kept.id) == kept
    code, said = await ran(restored, "--events", events, "--write")
    signed = await restored.find(kept.id)
    assert code == 0 and "has got the sign of a vend" in said
    assert (signed.state, signed.sign_of_vend, signed.version) == (State.IN_DOUBT, True, version + 1)
    assert not may_be_absent(signed, at=NOW + timedelta(days=30), minimum_age_seconds=60)
    code, said = await ran(restored, "--events", events, "--write")
    assert code == 0 and f"behind: {kept.id}" in said and await restored.find(kept.id) == signed


async def test_a_doubt_that_was_published_as_rejected_gets_no_indication_of_a_vend(restored, gap):
    kept = await doubt(restored, "kept")
    rejected = structs.replace(sale("kept", state=State.REJECTED, outcome=Rejected(Reason.ACCOUNT_REFUSED, "no")), version=3)
    code, said = await ran(restored, "--events", gap((EventName.REJECTED, rejected)), "--write")
    assert code == 0 and f"behind: {kept.id}" in said and await restored.find(kept.id) == kept


async def test_a_vend_counts_before_every_later_event(restored, gap):
    """After an earlier restore the archive holds two lives of one sale."""
    again = structs.replace(sale("lost", state=State.REJECTED, outcome=Rejected(Reason.ACCOUNT_REFUSED, "no")), version=5)
    code, said = await ran(restored, "--events", gap((EventName.VENDED, sold("lost")), (EventName.REJECTED, again)), "--write")
    assert code == 0 and "announced vended" in said


async def test_a_run_that_broke_off_prints_its_results_and_its_repeat_lists_every_lost_key(restored, gap, monkeypatch):
    events = gap(*((EventName.VENDED, sold(key)) for key in ("one", "two", "three")))
    commit, calls = rebuild.Database.commit, []

    async def breaks(self, *writes, **others):
        calls.append(writes)
        if len(calls) > 1:
            raise StoreUnavailable("deadline")
        return await commit(self, *writes, **others)

    with monkeypatch.context() as patched:
        patched.setattr(rebuild.Database, "commit", breaks)
        code, said = await ran(restored, "--events", events, "--write")
    assert code == 1 and "1 bound" in said and "BROKE OFF: the database did not answer, 2 were not looked at" in said
    code, said = await ran(restored, "--events", events, "--write")
    assert code == 0 and "2 bound, 1 bound before" in said
    assert all(f"lost: {sold(key).id}" in said for key in ("one", "two", "three"))


async def test_a_bound_key_whose_write_was_not_answered_is_listed_as_lost(restored, gap, monkeypatch):
    """The database's client tries again by itself, and then meets its own write."""
    commit = rebuild.Database.commit

    async def twice(self, *writes, **others):
        await commit(self, *writes, **others)
        return await commit(self, *writes, **others)

    monkeypatch.setattr(rebuild.Database, "commit", twice)
    code, said = await ran(restored, "--events", gap((EventName.VENDED, sold("lost"))), "--write")
    assert code == 0 and f"lost: {sold('lost').id}" in said


async def test_a_key_whose_sale_was_published_is_not_listed_as_unknown(restored, gap, tmp_path):
    await ran(restored, "--events", gap((EventName.VENDED, sold("never"))), "--write")
    keys = tmp_path / "wallet.csv"
    keys.write_text(f"{KEYS}{GOOD}")
    code, said = await ran(restored, "--keys", keys, *OF_CALLER, "--write")
    assert code == 0 and "1 on record" in said and "lost:" not in said


async def test_an_unreadable_record_is_listed_as_not_compared(restored, gap, monkeypatch):
    async def unreadable(*_):
        raise UnreadableRecord("newer")

    monkeypatch.setattr(FirestoreStore, "find", unreadable)
    code, said = await ran(restored, "--events", gap((EventName.VENDED, sold("lost"))), "--write")
    assert code == 1 and "1 on record" in said and "its record cannot be read" in said


@pytest.mark.parametrize(
    ("issuer", "subject"), [("https://issuer.example ", "wallet"), ("issuer", "wallet"), ("https://i.example", "wal let")]
)
def test_a_caller_whom_no_token_names_is_refused(issuer, subject, capsys):
    with pytest.raises(SystemExit):
        rebuild.read_options(
            ["--project", "p", "--database", "d", "--mode", "live", "--keys", "b", "--issuer", issuer, "--subject", subject]
        )
    assert "--issuer must be an address" in capsys.readouterr().err
