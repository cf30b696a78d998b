"""Sales that something still needs stay, and go once nothing needs them."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import TokensDue, Unknown, Vended
from shared.domain.transaction import SHARDS, EventName, State, reindexed
from shared.ports.documents import Document, DocumentKind
from shared.ports.transactions import SaleRetired
from shared.retention import run as retention_run
from shared.settlement.closing import Closing
from shared.settlement.repository import progress_id
from shared.vending.contradictions import discrepancies
from tests.contract.records import sale, vended
from tests.unit.retention.retained import (
    ANSWER,
    MODE,
    SOLD_AT,
    close,
    contradicted,
    day_paper,
    end,
    is_bare,
    is_gone,
    keeper_of,
    open_discrepancy,
    run,
    sold,
)


async def held_ids(store):
    return (await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))).body["held"]


@pytest.mark.parametrize("days", [401, 1827])
async def test_a_day_that_is_still_compared_waits_as_a_day_and_keeps_no_other_waiting(store, keeper, clock, monkeypatch, days):
    monkeypatch.setattr(retention_run, "MAX_HELD", 5)
    monkeypatch.setattr(retention_run, "PAGE", 4)
    paper = await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-03-01", "provisional", open=[{}]))
    waits = [await store.create(sold(f"waits-{number}")) for number in range(40)]
    other = [await store.create(sold(f"other-{number}", at=SOLD_AT - timedelta(days=number))) for number in range(2, 12)]
    clock.now = SOLD_AT + timedelta(days=days)
    for _ in range(2):
        done = await run(keeper)
        assert (done.held, done.more, await held_ids(store)) == (40, False, [])
    young = await store.create(sold("young", at=SOLD_AT + timedelta(days=20)))
    clock.now += timedelta(days=30)
    assert (await run(keeper)).erased == 1 and (await is_gone(store, young.id) or await is_bare(store, young.id))
    assert [await store.find(one.id) for one in waits] == waits
    await end(store, paper)
    done = await run(keeper)
    assert (done.erased, done.retired, done.held) == ((40, 0, 0) if days == 401 else (40, 40, 0))
    assert sum([await is_gone(store, one.id) for one in other]) == (len(other) if days == 1827 else 0)


async def test_a_day_whose_file_never_came_keeps_tombstones_waiting_and_no_personal_data(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "MAX_HELD", 3)
    paper = await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-03-01", "file_missing"))
    old = [await store.create(sold(f"old-{number}")) for number in range(12)]
    clock.now = SOLD_AT + timedelta(days=1826)
    assert (await run(keeper)).erased == 12
    young = [await store.create(sold(f"young-{number}", at=SOLD_AT + timedelta(days=1500))) for number in range(12)]
    clock.now = SOLD_AT + timedelta(days=1901)
    assert (await run(keeper)).erased == 12 and all([await is_bare(store, one.id) for one in young])
    await end(store, paper)
    assert (await run(keeper)).retired == 12 and all([await is_gone(store, one.id) for one in old])


async def test_more_held_sales_than_a_document_takes_delay_no_other_and_get_their_turn(store, keeper, caplog, monkeypatch):
    monkeypatch.setattr(retention_run, "MAX_HELD", 2)
    monkeypatch.setattr(retention_run, "PAGE", 2)
    named = [await store.create(sold(f"named-{number}")) for number in range(7)]
    papers = []
    for number, one in enumerate(named):
        body = {**open_discrepancy(one.id).body, "id": f"d-{number}"}
        papers.append(await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"live-d-{number}", body, "live-open")))
    other = [await store.create(sold(f"other-{number}")) for number in range(20)]
    for number in range(3):
        assert (await run(keeper)).erased == (0 if number else 20)
        assert len(await held_ids(store)) == 2
    assert all([await is_bare(store, one.id) for one in other])
    assert "too many old sales still needed" in [line.message for line in caplog.records]
    for paper in papers:
        await close(store, paper)
    done = await run(keeper)
    assert (done.erased, done.held) == (7, 0) and all([await is_bare(store, one.id) for one in named])


async def test_a_day_that_was_half_looked_at_is_looked_at_again_for_a_sale_without_room(store, keeper, monkeypatch):
    made = await store.create(sold())
    await run(keeper)
    known, day = await store.find(made.id), "2024-03-01"
    paper = await store.write_paper(DocumentKind.DISCREPANCIES, open_discrepancy(made.id))
    await store.advance(known, structs.replace(known, answers=(ANSWER,)))
    progress = await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))
    half = {**progress.body, "erasedLater": {day: [1, 0, SHARDS - 1, "z"]}}
    await store.write_paper(DocumentKind.CONTROLS, structs.replace(progress, body=half))
    monkeypatch.setattr(retention_run, "MAX_HELD", 0)
    await run(keeper)
    await close(store, paper)
    assert (await run(keeper)).erased == 1 and (await store.find(made.id)).answers[0].body == b""


async def test_the_id_of_a_sale_is_looked_at_again_however_many_others_a_run_has_seen(store, keeper, monkeypatch):
    made = await store.create(sold())
    paper = await store.write_paper(DocumentKind.DISCREPANCIES, open_discrepancy(made.id))
    await run(keeper)
    await close(store, paper)
    monkeypatch.setattr(retention_run, "MAX_SALES", 0)
    assert (await run(keeper)).erased == 1


async def test_a_raw_answer_goes_if_its_discrepancy_opened_and_closed_between_two_runs(store, keeper, clock):
    made = await store.create(sold())
    await run(keeper)
    known = await store.find(made.id)
    paper = await store.write_paper(DocumentKind.DISCREPANCIES, whole_discrepancy(made))
    await store.advance(known, structs.replace(known, answers=(ANSWER,)))
    await Closing(store=store, mode=MODE, now=clock).close(paper.body["id"], "accepted", "seen", "thandi@example.com")
    assert (await run(keeper)).erased == 1 and (await store.find(made.id)).answers[0].body == b""
    closed = await store.read_paper(DocumentKind.DISCREPANCIES, paper.id)
    assert (closed.mark, closed.body["status"]) == (None, "accepted")


def whole_discrepancy(made):
    return next(discrepancies(structs.replace(contradicted(), id=made.id)))


@pytest.mark.parametrize("how", ["longer retention", "a clock that goes back"])
@pytest.mark.parametrize("why", ["named", "compared"])
async def test_a_sale_that_was_held_is_not_forgotten_when_it_is_young_again(store, keeper, clock, how, why):
    made = await store.create(sold())
    if why == "named":
        paper, ended = await store.write_paper(DocumentKind.DISCREPANCIES, open_discrepancy(made.id)), close
    else:
        paper, ended = await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-03-01", "provisional", open=[{}])), end
    assert (await run(keeper)).held == 1
    await ended(store, paper)
    if how == "longer retention":
        assert (await run(keeper_of(store, clock, personal_data_days=800))).held == 1
    else:
        clock.now -= timedelta(days=100)
        assert (await run(keeper)).held == 1
        clock.now += timedelta(days=100)
    assert await store.find(made.id) == made
    assert (await run(keeper)).erased == 1 and await is_bare(store, made.id)


async def test_a_sale_that_is_contradicted_while_it_is_young_again_is_erased_once_more(store, keeper, clock):
    made = await store.create(sold())
    await run(keeper)
    longer = keeper_of(store, clock, personal_data_days=800)
    known = await store.find(made.id)
    paper = await store.write_paper(DocumentKind.DISCREPANCIES, open_discrepancy(made.id))
    await store.advance(known, structs.replace(known, answers=(ANSWER,)))
    await run(longer)
    await close(store, paper)
    await run(longer)
    clock.now = SOLD_AT + timedelta(days=801)
    assert (await run(longer)).erased == 1 and (await store.find(made.id)).answers[0].body == b""


@pytest.mark.parametrize("left", [State.IN_DOUBT, State.VENDING, "pending", "unannounced"])
async def test_an_open_sale_is_not_touched_until_it_has_ended(store, keeper, left):
    doubt = sale("open", at=SOLD_AT, state=State.IN_DOUBT, outcome=Unknown("lost"), answers=(ANSWER,))
    match left:
        case State.VENDING:
            doubt = sale("open", at=SOLD_AT)
        case "pending":
            doubt = reindexed(structs.replace(vended("open", at=SOLD_AT), state=State.VENDED), SOLD_AT)
            receipt = structs.replace(doubt.receipt, tokens_due=TokensDue.PENDING)
            doubt = reindexed(structs.replace(doubt, outcome=Vended(receipt)), SOLD_AT)
        case "unannounced":
            doubt = reindexed(structs.replace(vended("open", at=SOLD_AT), unannounced=(EventName.VENDED,)), SOLD_AT)
    made = await store.create(doubt)
    assert made.open is not None
    for _ in range(2):
        assert (await run(keeper)).held == 1
        assert await store.find(made.id) == made
    ended = structs.replace(vended("open", at=SOLD_AT, answers=(ANSWER,)), open=None, revision=made.revision)
    await store.advance(made, structs.replace(ended, request_id=made.request_id))
    done = await run(keeper)
    assert (done.erased, done.held) == (1, 0) and (await store.find(made.id)).answers[0].body == b""


async def test_a_sale_that_an_open_discrepancy_names_stays_until_it_is_closed(store, keeper):
    made, rival = [await store.create(sold(key)) for key in ("named", "rival")]
    paper = await store.write_paper(DocumentKind.DISCREPANCIES, open_discrepancy(made.id, alsoHeldBy=rival.id))
    assert (await run(keeper)).held == 2
    assert [await store.find(one.id) for one in (made, rival)] == [made, rival]
    await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(paper, body={**paper.body, "status": "accepted"}, mark=None))
    assert (await run(keeper)).erased == 2


async def test_what_a_contradiction_has_brought_back_goes_once_its_discrepancy_is_closed(store, keeper):
    made = await store.create(sold())
    await run(keeper)
    known = await store.find(made.id)
    paper = await store.write_paper(DocumentKind.DISCREPANCIES, open_discrepancy(made.id))
    await store.advance(known, structs.replace(known, answers=(ANSWER,)))
    assert (await run(keeper)).held == 1
    await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(paper, body={**paper.body, "status": "accepted"}, mark=None))
    assert (await run(keeper)).erased == 1 and await is_bare(store, made.id)


@pytest.mark.parametrize(
    ("paper", "stays"),
    [
        (day_paper("2024-03-01", "balanced"), False),
        (day_paper("2024-03-01", "provisional"), False),
        (day_paper("2024-03-01", "provisional", open=[{"transactionId": "x"}]), True),
        (day_paper("2024-02-29", "provisional", open=[{"transactionId": "x"}]), True),
        (day_paper("2024-03-02", "provisional", open=[{"transactionId": "x"}]), True),
        (day_paper("2024-03-03", "provisional", open=[{"transactionId": "x"}]), False),
        (day_paper("2024-03-01", "provisional", notReadable=[{"transactionId": "x"}]), True),
        (day_paper("2024-03-01", "file_missing"), False),
        (Document("live-2024-03-01", {"day": "2024-03-01", "status": "brand new"}, "live"), True),  # which does not say what is open
        (day_paper("2024-03-01", "file_missing", open=[{"transactionId": "x"}]), True),
        (Document("live-2024-03-01-run", {"refusal": {"day": "2024-03-01"}}, "live-refused"), True),
    ],
)
async def test_what_a_running_evidence_rule_compares_stays(store, keeper, paper, stays):
    made = await store.create(sold())
    await store.write_paper(DocumentKind.SETTLEMENTS, paper)
    assert (await run(keeper)).held == stays
    assert (await store.find(made.id) == made) is stays


async def test_beside_a_doubt_nothing_goes_although_its_day_was_never_settled(store, keeper, clock):
    doubt = await store.create(sale("doubt", at=SOLD_AT, state=State.IN_DOUBT, outcome=Unknown("lost")))
    beside = await store.create(sold("beside", at=SOLD_AT + timedelta(days=1)))
    apart = await store.create(sold("apart", at=SOLD_AT - timedelta(days=2)))
    clock.now = SOLD_AT + timedelta(days=1850)
    done = await run(keeper)
    assert (done.erased, done.retired, done.held) == (1, 1, 2)
    assert await store.find(beside.id) == beside and await store.find(doubt.id) == doubt
    with pytest.raises(SaleRetired):
        await store.find(apart.id)
