"""Binding what a restore has lost, in Firestore: nothing lost is sold again, and nothing that is there is touched."""

import base64
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from local import rebuild
from shared.brake import Brake, Pause
from shared.config import ConsumerDetails
from shared.identifiers import caller_id
from shared.outcome import Receipt, Unknown, Vended
from shared.shown import encoded, event_body
from shared.store import Conflict, LookupBy, SaleRetired
from shared.store.firestore import FirestoreStore
from shared.sts import StsToken, TokenKind
from shared.transaction import EventName, State
from shared.vas import Mode, VasType
from tests.contract.test_store import CALLER, TIMEOUT_SECONDS, project, sale
from tests.newer import on_record

TOKEN = "12345678901234567890"
NOW = datetime.now(UTC)


@pytest.fixture
async def restored(firestore_emulator, monkeypatch):
    """A restored database in which nothing is sold."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    named = project()
    store = await FirestoreStore.open(named, "(default)", timeout_seconds=TIMEOUT_SECONDS, emulator_host=firestore_emulator)
    store.named = named
    await paused(store, None)
    yield store
    await store.close()


async def paused(store, until, services=tuple(VasType)):
    await Brake(store, Mode.LIVE, lambda: NOW).set({one: Pause("restoring", until, "thandi", NOW) for one in services})


def sold(key):
    receipt = Receipt(supplier_transaction_id=f"supplier-{key}", tokens=(StsToken(TokenKind.CREDIT, TOKEN),))
    return structs.replace(sale(key, state=State.VENDED, outcome=Vended(receipt)), version=2)


def doubtful(key):
    return structs.replace(sale(key, state=State.IN_DOUBT, outcome=Unknown("timeout")), version=2)


def pulled(*announced):
    """What gcloud prints of a pull."""
    messages = []
    for event, one in announced:
        attributes = {"caller": caller_id(one.mode, one.caller), "event": event.value}
        data = base64.b64encode(encoded(event_body(event, one, ConsumerDetails.MASKED))).decode()
        messages.append({"ackId": "a", "message": {"attributes": attributes, "data": data, "messageId": "1", "orderingKey": one.id}})
    return json.dumps(messages, indent=2)


async def ran(store, *arguments):
    """The command's exit code and what it said."""
    out = io.StringIO()
    asked = rebuild.asked_for(["--project", store.named, "--database", "(default)", "--mode", "live", *map(str, arguments)])
    return await rebuild.run(asked, out), out.getvalue()


@pytest.fixture
def gap(tmp_path):
    def write(*announced):
        path = tmp_path / "gap.json"
        with path.open("a") as file:  # pull after pull
            file.write(pulled(*announced))
        return path

    return write


async def test_a_sale_that_was_announced_and_is_lost_is_never_sold_again(restored, gap):
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


async def test_without_being_told_to_it_writes_nothing(restored, gap):
    code, said = await ran(restored, "--events", gap((EventName.VENDED, sold("lost"))))
    assert code == 0 and "0 on record, 0 on record and behind, 1 to bind" in said
    assert await restored.find(sold("lost").id) is None


async def test_what_is_on_record_is_not_touched_and_said_where_it_is_behind(restored, gap):
    kept = await restored.create(sold("kept"))
    behind = await restored.create(sale("behind"))
    before = [await on_record(restored, one.id) for one in (kept, behind)]
    events = gap((EventName.VENDED, sold("kept")), (EventName.IN_DOUBT, doubtful("behind")))
    code, said = await ran(restored, "--events", events, "--write")
    assert code == 0 and "1 on record, 1 on record and behind, 0 bound" in said and f"behind: {behind.id}" in said
    assert [await on_record(restored, one.id) for one in (kept, behind)] == before


async def test_the_newest_of_a_sales_events_counts_in_whatever_order_they_were_pulled(restored, gap):
    vended = structs.replace(sold("lost"), version=3)
    gap((EventName.VENDED, vended))
    code, _ = await ran(restored, "--events", gap((EventName.IN_DOUBT, doubtful("lost"))), "--write")
    with pytest.raises(SaleRetired) as refused:
        await restored.find(vended.id)
    assert code == 0 and refused.value.tombstone.state is State.VENDED


async def test_twice_is_as_once(restored, gap):
    events = gap((EventName.VENDED, sold("lost")))
    await ran(restored, "--events", events, "--write")
    before = await on_record(restored, sold("lost").id)
    code, said = await ran(restored, "--events", events, "--write")
    assert code == 0 and "1 on record, 0 on record and behind, 0 bound" in said
    assert await on_record(restored, sold("lost").id) == before


async def test_who_came_first_keeps_the_record(restored, gap, monkeypatch):
    """Between the look and the write somebody else has written: never over it."""
    made = await restored.create(sale("lost"))

    async def nothing(*_):
        return None

    monkeypatch.setattr(FirestoreStore, "find", nothing)
    code, said = await ran(restored, "--events", gap((EventName.VENDED, sold("lost"))), "--write")
    monkeypatch.undo()
    assert code == 0 and "1 on record" in said
    assert await restored.find(made.id) == made


async def test_a_key_that_was_never_announced_is_bound_and_listed_as_what_cannot_be_known(restored, tmp_path):
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
def test_what_is_not_asked_whole_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        rebuild.asked_for(["--project", "p", "--database", "d", "--mode", "live", *arguments])
    assert "either --events, or --keys" in capsys.readouterr().err
