"""The run that erases and retires, over a real store: what it does, what it leaves, and that nothing it is cut short in is lost."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec import structs
from starlette.requests import Request

from shared.domain.outcome import Answer, RawAnswer, Reason, Rejected, TokensDue, Unknown, Vended
from shared.domain.policy import VendingPolicy
from shared.domain.transaction import SHARDS, EventName, State, announced, reindexed, transition
from shared.domain.vas import Mode
from shared.lib.concurrency import each
from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable
from shared.ports.transactions import LookupBy, SaleRetired
from shared.retention import erasure
from shared.retention import run as retention_run
from shared.retention.erasure import Erasing, Person
from shared.retention.rules import Hold, Retention
from shared.retention.run import Retained
from shared.settlement.closing import Closing
from shared.settlement.repository import progress_id
from shared.store.sqlite import SqliteStore
from shared.vending.contradictions import discrepancies
from shared.vending.recorder import Recorder
from shared.web.erasures import erasures
from tests.contract.test_store import METER, new_id, sale, vended
from tests.newer import on_record

MODE = Mode.LIVE
SOLD_AT = datetime(2024, 3, 1, 10, tzinfo=UTC)
ANSWER = RawAnswer.of("vend", SOLD_AT, 200, "application/json", b'{"name": "Jane Doe"}')
UNTIL = timedelta(hours=1)


class Clock:
    def __init__(self):
        self.now = SOLD_AT + timedelta(days=401)

    def __call__(self):
        return self.now


@pytest.fixture
async def store(tmp_path):
    opened = await SqliteStore.open(str(tmp_path / "store.sqlite"), timeout_seconds=10)
    yield opened
    await opened.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keeper(store, clock):
    return keeper_of(store, clock)


def keeper_of(store, clock, **days):
    retention = Retention(**{"days": 1826, "personal_data_days": 400} | days)
    recorder = Recorder(store=store, events=None, rules=VendingPolicy(mode=MODE), now=clock, new_id=new_id)
    return Erasing(recorder=recorder, store=store, each=each, retention=retention)


async def run(keeper):
    return await keeper.retaining.retain(keeper.recorder.now() + UNTIL)


def sold(key="key-1", at=SOLD_AT, **fields):
    return structs.replace(vended(key, at=at, answers=(ANSWER,), **fields), open=None)


async def is_bare(store, sale_id):
    return METER not in json.dumps(await on_record(store, sale_id), default=str) and (await store.find(sale_id)).erased_at is not None


def day_paper(day, status="balanced", **body):
    mark = "live-ended" if status in ("balanced", "discrepancies") else "live"
    return Document(f"live-{day}", {"day": day, "version": 1, "status": status, "open": [], "discrepancies": [], **body}, mark)


def open_discrepancy(sale_id, day="2024-03-01", **ours):
    body = {"id": "d-1", "day": day, "transactionId": sale_id, "ours": {"day": day, **ours}, "status": "open"}
    return Document("live-d-1", body, "live-open")


async def test_old_sales_are_erased_and_young_ones_are_not(store, keeper):
    old = [await store.create(sold(f"old-{number}")) for number in range(150)]
    young = await store.create(sold("young", at=SOLD_AT + timedelta(days=2)))
    done = await run(keeper)
    assert (done.erased, done.retired, done.held, done.more) == (150, 0, 0, False)
    assert all([await is_bare(store, one.id) for one in old])
    assert await store.find(young.id) == young


async def test_each_is_erased_once_and_the_next_run_reads_none_of_them_again(store, keeper, monkeypatch):
    for number in range(40):
        await store.create(sold(f"key-{number}"))
    await run(keeper)
    read = []
    monkeypatch.setattr(store, "up_to_day", spied(read, store.up_to_day))
    assert (await run(keeper)).erased == 0
    assert sum(read) == 0 and len(read) == 2 * SHARDS  # one look a shard, to erase and to retire


@pytest.mark.parametrize("days", [401, 1827])
async def test_what_a_run_had_to_leave_is_looked_at_again_by_its_id_and_not_page_by_page(store, keeper, clock, monkeypatch, days):
    made = [await store.create(sold(f"key-{number}")) for number in range(40)]
    for number, one in enumerate(made):
        body = {**open_discrepancy(one.id).body, "id": f"d-{number}"}
        await store.write_paper(DocumentKind.DISCREPANCIES, Document(f"live-d-{number}", body, "live-open"))
    clock.now = SOLD_AT + timedelta(days=days)
    assert (await run(keeper)).held == 40
    read = []
    monkeypatch.setattr(store, "up_to_day", spied(read, store.up_to_day))
    assert (await run(keeper)).held == 40
    assert sum(read) == 0 and len(read) == 2 * SHARDS


async def test_whatever_was_held_is_done_by_one_run_once_nothing_needs_it_any_more(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "PAGE", 3)
    for number in range(8):
        await store.create(sold(f"key-{number}"))
    paper = await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-03-01", "provisional", open=[{}]))
    assert (await run(keeper)).held == 8
    await store.write_paper(DocumentKind.SETTLEMENTS, structs.replace(paper, body=day_paper("2024-03-01").body, mark="live-ended"))
    assert (await run(keeper)) == Retained(erased=8, retired=0, held=0, papers=0, more=False)


async def held_ids(store):
    return (await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))).body["held"]


async def close(store, paper):
    body = {**paper.body, "status": "accepted"}
    return await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(paper, body=body, mark=None))


async def end(store, paper):
    ended = structs.replace(paper, body={**paper.body, "status": "balanced", "open": []}, mark="live-ended")
    return await store.write_paper(DocumentKind.SETTLEMENTS, ended)


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


async def is_gone(store, sale_id):
    try:
        return await store.find(sale_id) is None
    except SaleRetired:
        return True


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


async def test_more_sales_held_than_a_paper_takes_keep_no_other_waiting_and_are_done_in_their_turn(store, keeper, caplog, monkeypatch):
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


async def test_a_raw_answer_goes_although_its_discrepancy_was_opened_and_closed_between_two_runs(store, keeper, clock):
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


async def test_where_a_run_cannot_do_all_no_shard_falls_behind_the_others(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "PAGE", 5)
    monkeypatch.setattr(retention_run, "MAX_SALES", 40)
    clock.now = SOLD_AT
    made = []
    for number in range(12):  # days of fifty sales, of which a run does forty
        day = SOLD_AT + timedelta(days=number)
        made += [await store.create(sold(f"key-{number}-{one}", at=day)) for one in range(50)]
        clock.now = day + timedelta(days=400)
        await run(keeper)
    left = [one.day for one in made if (await store.find(one.id)).erased_at is None]
    assert left and min(left) >= SOLD_AT.date() + timedelta(days=8)


async def test_tombstones_are_made_although_there_is_always_more_to_erase(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "PAGE", 5)
    monkeypatch.setattr(retention_run, "MAX_SALES", 40)
    for number in range(80):
        await store.create(sold(f"old-{number}"))
        await store.create(sold(f"young-{number}", at=SOLD_AT + timedelta(days=1000)))
    clock.now = SOLD_AT + timedelta(days=1827)
    done = await run(keeper)
    assert done.more and done.erased >= 10 and done.retired >= 10


def spied(read, method):
    async def looked(*args):
        page = await method(*args)
        read.append(len(page))
        return page

    return looked


async def test_a_run_is_bounded_and_the_next_one_goes_on(store, keeper, monkeypatch):
    monkeypatch.setattr(retention_run, "PAGE", 3)
    monkeypatch.setattr(retention_run, "MAX_SALES", 20)
    made = [await store.create(sold(f"key-{number}")) for number in range(60)]
    runs = []
    while not runs or runs[-1].more:
        runs.append(await run(keeper))
        assert runs[-1].erased <= 20 + 3
    assert sum(one.erased for one in runs) == 60 and len(runs) >= 3
    assert all([await is_bare(store, one.id) for one in made])


async def test_nothing_is_begun_when_the_time_is_over(store, keeper):
    made = await store.create(sold())
    assert (await keeper.retaining.retain(keeper.recorder.now())).more is True
    assert await store.find(made.id) == made


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


async def test_after_the_retention_a_sale_is_a_tombstone_with_its_closed_discrepancies_gone(store, keeper, clock):
    made = await store.create(contradicted())
    (fresh,) = discrepancies(made)
    await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(fresh, body={**fresh.body, "status": "accepted"}, mark=None))
    clock.now = SOLD_AT + timedelta(days=1827)
    assert (await run(keeper)).retired == 1
    with pytest.raises(SaleRetired):
        await store.find(made.id)
    assert await store.read_paper(DocumentKind.DISCREPANCIES, fresh.id) is None
    assert (await run(keeper)).retired == 0


def contradicted(key="key-1"):
    known = reindexed(vended(key, at=SOLD_AT), SOLD_AT)
    said = transition(known, Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "decided")), at=SOLD_AT, by="thandi", retry_seconds=60)
    return announced(said, frozenset(said.unannounced))


@pytest.mark.parametrize("status", ["provisional", "file_missing"])
async def test_a_sale_of_a_day_that_is_not_settled_for_good_is_not_retired_and_neither_is_its_day(store, keeper, clock, status):
    made = await store.create(sold())
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-03-01", status))
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-02-29"))
    clock.now = SOLD_AT + timedelta(days=3000)
    assert (await run(keeper)).retired == 0
    assert (await store.find(made.id)).id == made.id
    assert await store.read_paper(DocumentKind.SETTLEMENTS, "live-2024-03-01") is not None
    assert await store.read_paper(DocumentKind.SETTLEMENTS, "live-2024-02-29") is not None  # beside a day that is compared with it


async def test_the_papers_of_a_day_go_once_its_sales_are_retired_and_its_discrepancies_closed(store, keeper, clock):
    made = [await store.create(sold(f"key-{number}")) for number in range(3)]
    found = {"id": "d-1", "day": "2024-03-01", "status": "open", "transactionId": None, "ours": None}
    difference = await store.write_paper(DocumentKind.DISCREPANCIES, Document("live-d-1", found, "live-open"))
    for name in ("v0001", "run"):
        await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-2024-03-01-{name}", {"discrepancies": [found], "version": 1}))
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2024-03-01"))
    await store.write_paper(DocumentKind.SETTLEMENTS, day_paper("2029-03-01"))
    clock.now = SOLD_AT + timedelta(days=1827)
    done = await run(keeper)
    assert (done.retired, done.papers) == (len(made), 0)  # a difference of that day is still open
    await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(difference, body={**found, "status": "accepted"}, mark=None))
    assert (await run(keeper)).papers == 4
    kinds = (
        (DocumentKind.SETTLEMENTS, "live-2024-03-01"),
        (DocumentKind.SETTLEMENTS, "live-2024-03-01-v0001"),
        (DocumentKind.DISCREPANCIES, "live-d-1"),
    )
    assert [await store.read_paper(*one) for one in kinds] == [None] * 3
    assert await store.read_paper(DocumentKind.SETTLEMENTS, "live-2029-03-01") is not None


async def test_a_day_that_must_stay_keeps_no_other_from_going(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "MAX_DAYS", 1)
    doubt = sale("doubt", at=SOLD_AT, state=State.IN_DOUBT, outcome=Unknown("lost"))
    await store.create(doubt)
    for day in ("2024-03-01", "2024-03-04", "2024-03-05"):
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day))
    clock.now = SOLD_AT + timedelta(days=1850)
    assert [(await run(keeper)).papers for _ in range(3)] == [1, 1, 0]
    assert await store.read_paper(DocumentKind.SETTLEMENTS, "live-2024-03-01") is not None


async def test_of_very_many_days_and_papers_each_run_deletes_a_part_until_none_is_left(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(retention_run, "MAX_DAYS", 2)
    monkeypatch.setattr(retention_run, "MAX_DELETED", 2)
    for day in ("2024-02-27", "2024-02-28", "2024-03-02", "2024-03-03"):  # the last is a day too young
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day, version=4))
        for number in range(1, 5):
            await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-{day}-v{number:04d}", {"discrepancies": []}))
    for number in range(5):
        at = SOLD_AT + timedelta(hours=number)
        await store.write_paper(DocumentKind.CONTROLS, Document(f"live-selling-{number}", {"at": at.isoformat()}, "live-selling"))
    clock.now = SOLD_AT + timedelta(days=1827)
    assert [(await run(keeper)).papers for _ in range(4)] == [10 + 2, 5 + 2, 1, 0]
    left = [paper.id async for paper in store.marked_papers(DocumentKind.SETTLEMENTS, "live-ended")]
    assert left == ["live-2024-03-03"] and await store.read_paper(DocumentKind.SETTLEMENTS, "live-2024-03-03-v0004") is not None


@pytest.mark.parametrize(("back", "goes"), [(timedelta(microseconds=1), True), (timedelta(0), False)])
async def test_a_decision_goes_with_the_last_moment_of_the_last_day_that_is_kept_no_longer(store, keeper, clock, back, goes):
    clock.now = SOLD_AT + timedelta(days=1826)
    at = datetime(2024, 2, 29, 22, tzinfo=UTC) - back  # 1 March in Johannesburg
    await store.write_paper(DocumentKind.CONTROLS, Document("live-selling-1", {"at": at.isoformat()}, "live-selling"))
    assert (await run(keeper)).papers == goes


async def test_a_longer_retention_does_not_bring_back_days_whose_sales_are_retired(store, keeper, clock):
    clock.now = SOLD_AT + timedelta(days=1826)
    await run(keeper)
    await run(keeper_of(store, clock, days=3000))
    assert (await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))).body["retiredUpTo"] == "2024-03-01"


async def test_decisions_about_the_brake_and_erasures_go_after_the_retention(store, keeper, clock):
    for mark in ("live-selling", "live-erasures"):
        for at in (SOLD_AT, SOLD_AT + timedelta(days=100)):
            await store.write_paper(DocumentKind.CONTROLS, Document(f"{mark}-{at:%Y%m%d}", {"at": at.isoformat()}, mark))
    clock.now = SOLD_AT + timedelta(days=1850)
    assert (await run(keeper)).papers == 2
    for mark in ("live-selling", "live-erasures"):
        assert [paper.id async for paper in store.marked_papers(DocumentKind.CONTROLS, mark)] == [f"{mark}-20240609"]


async def test_two_runs_at_once_do_each_sale_once(store, keeper, clock):
    made = [await store.create(sold(f"key-{number}")) for number in range(60)]
    runs = await each((run(keeper_of(store, clock)) for _ in range(3)), 3)
    rest = await run(keeper)
    assert sum(one.erased for one in runs) + rest.erased == 60
    histories = [(await store.find(one.id)).history for one in made]
    assert all(sum(entry.what == "personal data erased" for entry in history) == 1 for history in histories)


class Failing:
    """A store whose call of that number fails, before its effect or after it."""

    def __init__(self, store, at, *, is_made):
        self.store, self.at, self.is_made, self.calls = store, at, is_made, 0

    def __getattr__(self, name):
        method = getattr(self.store, name)
        if name == "marked_papers":
            return method

        async def called(*args, **named):
            self.calls += 1
            if self.calls == self.at and not self.is_made:
                raise StoreUnavailable(name)
            answer = await method(*args, **named)
            if self.calls == self.at:
                raise StoreUnavailable(name)
            return answer

        return called


@pytest.mark.parametrize("is_made", [False, True], ids=["refused", "reply lost"])
async def test_wherever_a_run_is_cut_short_the_next_one_ends_it(store, clock, is_made):
    clock.now = SOLD_AT + timedelta(days=1827)
    for at in range(1, 200):
        key = f"key-{at}"
        made = await store.create(sold(key))
        young = await store.create(sold(f"young-{at}", at=SOLD_AT + timedelta(days=1000)))
        failing = Failing(store, at, is_made=is_made)
        with suppress(StoreUnavailable):
            await run(keeper_of(failing, clock))
        await run(keeper_of(store, clock))
        with pytest.raises(SaleRetired):
            await store.find(made.id)
        with pytest.raises(Conflict):
            await store.create(sold(key))
        assert await is_bare(store, young.id)
        paper = await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))
        await store.delete_papers(DocumentKind.CONTROLS, [paper])
        if failing.calls < at:
            return
    raise AssertionError("a run never ends")


async def test_a_sale_that_changes_while_it_is_erased_or_retired_keeps_its_change(store, keeper, clock):
    made = await store.create(sold())
    needed = await keeper.retaining.needed()
    doubted = await store.advance(made, reindexed(structs.replace(made, version=2, unannounced=(EventName.CONTRADICTED,)), SOLD_AT))
    assert await keeper.retaining.erase(made, needed) is Hold.OPEN
    assert await keeper.retaining.retire(made, needed) is Hold.OPEN
    assert await store.find(made.id) == doubted


async def test_what_cannot_be_read_is_left_to_whoever_can_and_keeps_no_other_waiting(store, keeper, clock):
    made = [await store.create(sold(f"key-{number}")) for number in range(40)]
    await damage(store, made[0].id)
    done = await run(keeper)
    assert (done.erased, done.held) == (39, 1)
    clock.now = SOLD_AT + timedelta(days=1827)
    assert (await run(keeper)).retired == 39


async def test_damaged_papers_stop_no_run(store, keeper, clock):
    made = await store.create(sold())
    await store.write_paper(DocumentKind.DISCREPANCIES, Document("live-d-1", {"ours": "ours", "transactionId": 7}, "live-open"))
    for number, body in enumerate(({"day": 7}, {"day": "soon"}, {})):
        await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-2024-01-0{number + 1}", body, "live"))
        await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-2024-01-0{number + 1}-run", {"refusal": body}, "live-refused"))
    damaged = {"day": "2024-01-04", "version": "two", "status": "balanced", "discrepancies": [7, {"day": "2024-01-04"}]}
    await store.write_paper(DocumentKind.SETTLEMENTS, Document("live-2024-01-04", damaged, "live-ended"))
    for number, at in enumerate((None, "noon", "2024-01-01", SOLD_AT.isoformat())):
        await store.write_paper(DocumentKind.CONTROLS, Document(f"live-selling-{number}", {"at": at}, "live-selling"))
    assert (await run(keeper)).erased == 1 and await is_bare(store, made.id)
    clock.now = SOLD_AT + timedelta(days=1850)
    assert (await run(keeper)).papers == 2  # the day, and the one decision whose age is known
    assert [paper.id async for paper in store.marked_papers(DocumentKind.CONTROLS, "live-selling")] == [
        f"live-selling-{n}" for n in range(3)
    ]


@pytest.mark.parametrize("day", ["2024-02-31", "2024-00-00", "2023-13-01", "2023-W52-1"])
async def test_a_sale_whose_day_is_not_in_the_calendar_keeps_no_other_waiting(store, keeper, monkeypatch, day):
    monkeypatch.setattr(retention_run, "PAGE", 2)
    made = [await store.create(sold(f"key-{number}")) for number in range(60)]
    damaged = [one.id for one in made[:40]]
    marks = ", ".join("?" * len(damaged))
    statement = f"UPDATE transactions SET day_shard = substr(day_shard, 1, 8) || ? WHERE id IN ({marks})"
    await store._connection.commit(lambda sqlite: sqlite.execute(statement, (day, *damaged)))
    await run(keeper)
    assert all([await is_bare(store, one.id) for one in made[40:]])


@pytest.mark.parametrize(
    "damaged",
    [
        {"erased": {"0": ["2024-03-01"]}},
        {"erased": {str(shard): ["9999-12-31", "x"] for shard in range(SHARDS)}},
        {"erased": {"0": ["0001-01-01", None], "99": ["2024-03-01", "x"], "x": []}},
        {"erased": {str(shard): ["2024-03-01", "\ud800"] for shard in range(SHARDS)}},
        {"erased": {str(shard): ["2024-03-01", "x/y"] for shard in range(SHARDS)}},
        {"retiredUpTo": "9999-12-31"},
        {"held": ["a\ud800", "", "x/y", "..", 7, None]},
        {"erasedLater": {"2024-03-01": [0, 0, 99, "x"], "soon": 7, "0001-01-01": [], "9999-12-31": [0, 0, 0, "\ud800"]}},
        {"erasedLater": 7, "retiredLater": []},
    ],
)
async def test_no_damage_in_how_far_the_last_run_came_stops_the_next_one(store, keeper, damaged):
    await store.write_paper(DocumentKind.CONTROLS, Document(progress_id(MODE), damaged))
    made = await store.create(sold())
    for _ in range(2):
        await run(keeper)
    assert await is_bare(store, made.id)
    assert (await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))).body["retiredUpTo"] < "2024"


async def test_what_newer_code_keeps_of_its_runs_stays(store, keeper):
    await store.write_paper(DocumentKind.CONTROLS, Document(progress_id(MODE), {"swept": {"0": 1}}))
    await store.create(sold())
    await run(keeper)
    assert (await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))).body["swept"] == {"0": 1}


@pytest.mark.parametrize("mark", ["live", "live-ended", "live-refused"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_a_day_at_the_end_of_the_calendar_stops_no_run(store, keeper, clock, day, mark):
    made = await store.create(sold())
    await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-{day}", {"day": day, "version": 1, "refusal": {"day": day}}, mark))
    clock.now = SOLD_AT + timedelta(days=1827)
    await run(keeper)
    assert await is_gone(store, made.id)


async def test_a_damaged_number_of_versions_costs_no_time_and_leaves_no_version(store, keeper, clock):
    for day, version in (("2024-01-01", 10**6), ("2024-01-02", 0)):
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day, version=version))
        for number in (1, 2):
            await store.write_paper(DocumentKind.SETTLEMENTS, Document(f"live-{day}-v{number:04d}", {"discrepancies": []}))
    clock.now = SOLD_AT + timedelta(days=1850)
    counted = Failing(store, 10**9, is_made=False)
    assert (await run(keeper_of(counted, clock))).papers == 6 and counted.calls < 100


async def test_a_discrepancy_or_a_version_that_cannot_be_read_keeps_only_its_own(store, keeper, clock):
    made, other = await store.create(contradicted()), await store.create(sold("other"))
    (fresh,) = discrepancies(made)
    await store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(fresh, mark=None))
    for day in ("2024-01-01", "2024-01-03"):
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day, discrepancies=[{"id": "\ud800", "day": day}]))
    await store.write_paper(DocumentKind.SETTLEMENTS, Document("live-2024-01-01-v0001", {"discrepancies": []}))
    for damaged in (fresh.id, "live-2024-01-01-v0001"):
        await store._connection.commit(lambda sqlite, name=damaged: sqlite.execute("UPDATE papers SET body = '' WHERE id = ?", (name,)))
    clock.now = SOLD_AT + timedelta(days=1850)
    done = await run(keeper)
    assert (done.retired, done.papers, done.held) == (1, 1, 1) and await is_gone(store, other.id)


async def test_more_sales_than_one_request_takes_are_erased_by_the_next(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_SALES", 3)
    made = [await store.create(sold(f"key-{number}")) for number in range(5)]
    runs = []
    for _ in range(2):
        runs.append(await erased_by(keeper))
        clock.now += timedelta(seconds=1)
    assert [(len(one.erased), one.more) for one in runs] == [(3, True), (2, False)]
    assert all([await is_bare(store, one.id) for one in made])


@pytest.mark.parametrize("body", ["{}", "[]", "no JSON", '{"erased": [1], "held": 7, "retired": {"0": "x"}, "retiredUpTo": "soon"}'])
async def test_a_run_that_cannot_read_how_far_the_last_one_came_begins_again(store, keeper, body):
    made = await store.create(sold())
    await run(keeper)
    await store._connection.commit(lambda sqlite: sqlite.execute("UPDATE papers SET body = ? WHERE id = 'live-retention'", (body,)))
    another = await store.create(sold("another"))
    assert (await run(keeper)).erased == 1
    assert await is_bare(store, made.id) and await is_bare(store, another.id)


async def damage(store, sale_id):
    await store._connection.commit(lambda sqlite: sqlite.execute("UPDATE transactions SET document = '{}' WHERE id = ?", (sale_id,)))


# One person's data


async def erased_by(keeper, by=LookupBy.METER_NUMBER, number=METER):
    return await keeper.erase_person(Person(by, number), "The customer asked, ticket 4711; 12345678901.", "thandi@example.com")


async def test_a_persons_sales_are_found_and_erased_and_what_stays_says_why(store, keeper, clock):
    ended, doubt, named, settling = [
        await store.create(one)
        for one in (
            sold("ended", at=SOLD_AT + timedelta(days=200)),
            sale("doubt", at=SOLD_AT + timedelta(days=210), state=State.IN_DOUBT, outcome=Unknown("lost")),
            sold("named", at=SOLD_AT + timedelta(days=220)),
            sold("today", at=clock.now),
        )
    ]
    await store.write_paper(DocumentKind.DISCREPANCIES, open_discrepancy(named.id))
    done = await erased_by(keeper)
    assert done.erased == (ended.id,) and not done.more
    assert {one.sale_id: one.why for one in done.stayed} == {doubt.id: Hold.OPEN, named.id: Hold.DISCREPANCY, settling.id: Hold.SETTLING}
    assert await is_bare(store, ended.id) and [await store.find(one.id) for one in (doubt, named, settling)] == [doubt, named, settling]
    assert (await store.find(ended.id)).history[-1].by == "thandi@example.com"


@pytest.mark.parametrize(("back", "why"), [(28, Hold.SETTLING), (29, None)])
async def test_of_a_day_that_was_never_settled_the_sales_of_four_weeks_are_still_needed(store, keeper, clock, back, why):
    made = await store.create(sold(at=clock.now - timedelta(days=back)))
    done = await erased_by(keeper)
    assert (done.erased, [one.why for one in done.stayed]) == (((), [why]) if why else ((made.id,), []))


async def test_a_sale_stays_that_cannot_be_read_or_whose_day_cannot(store, keeper, clock):
    at = clock.now - timedelta(days=10)
    made, other = [await store.create(sold(key, at=moment)) for key, moment in (("unread", SOLD_AT), ("of that day", at))]
    for day in (at.date(), at.date() + timedelta(days=1)):
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day.isoformat()))
    await damage(store, made.id)
    await store._connection.commit(lambda sqlite: sqlite.execute("UPDATE papers SET body = '' WHERE id = ?", (f"live-{at.date()}",)))
    stayed = {one.sale_id: one.why for one in (await erased_by(keeper)).stayed}
    assert stayed == {made.id: Hold.NOT_READABLE, other.id: Hold.SETTLING}


async def test_a_persons_sales_beyond_what_one_request_takes_are_left_for_the_next_which_is_said(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_SALES", 2)
    monkeypatch.setattr(erasure, "MAX_LISTED", 2)
    made = [await store.create(sold(f"key-{number}", at=SOLD_AT + timedelta(hours=number))) for number in range(5)]
    asked = []
    for _ in range(3):
        clock.now += timedelta(seconds=1)
        asked.append(await erased_by(keeper))
    assert [(set(one.erased), one.more) for one in asked] == [
        ({made[4].id, made[3].id}, True),
        ({made[2].id, made[1].id}, True),
        ({made[0].id}, False),
    ]
    assert [len(paper["erased"]) for paper in await keeper.erasures()] == [1, 2]  # the last ones, newest first


async def test_sales_that_must_stay_hide_no_older_ones_of_the_same_person(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_SALES", 3)
    old = [await store.create(sold(f"old-{number}", at=SOLD_AT + timedelta(hours=number))) for number in range(4)]
    new = [await store.create(sold(f"new-{number}", at=clock.now - timedelta(days=3, minutes=number))) for number in range(8)]
    done = await erased_by(keeper)
    assert ({one.sale_id for one in done.stayed}, set(done.erased), done.more) == (
        {one.id for one in new},
        {one.id for one in old[1:]},
        True,
    )
    clock.now += timedelta(seconds=1)
    assert ((await erased_by(keeper)).erased, await is_bare(store, old[0].id)) == ((old[0].id,), True)


async def test_a_request_ends_that_finds_very_many_sales_that_must_stay(store, keeper, clock, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_SALES", 2)
    monkeypatch.setattr(erasure, "MAX_STAYED", 4)
    for number in range(7):
        await store.create(sold(f"new-{number}", at=clock.now - timedelta(days=3, minutes=number)))
    done = await erased_by(keeper)
    assert (len(done.stayed), done.erased, done.more) == (4, (), True)


async def test_a_sale_with_what_newer_code_has_written_is_left_whole_to_newer_code(store, keeper, clock):
    whole = sold()
    made = await store.create(structs.replace(whole, order=structs.replace(whole.order, beyond={"emailAddress": "jane@example.com"})))
    assert (await run(keeper)).held == 1
    assert (await erased_by(keeper)).stayed[0].why is Hold.NOT_READABLE
    clock.now = SOLD_AT + timedelta(days=1827)
    assert (await run(keeper)).held == 1 and (await store.find(made.id)).erased_at is None


@pytest.mark.parametrize(
    "damaged",
    [
        {"at": "2026-05-01T10:00:00Z", "by": "a", "reason": "r", "of": "email_address", "recipient": "*1", "erased": [], "stayed": []},
        {"at": "x"},
        {"at": "noon", "by": "a", "reason": "r", "of": "meter_number", "recipient": "*1", "erased": [], "stayed": []},
        {"at": "2026-05-01T10:00:00Z", "by": 7, "reason": "r", "of": "meter_number", "recipient": "*1", "erased": [], "stayed": []},
        {"at": "2026-05-01T10:00:00Z", "by": "a", "reason": "r", "of": "meter_number", "recipient": "*1", "erased": 7, "stayed": []},
        {"at": "2026-05-01T10:00:00Z", "by": "a", "reason": "r", "of": [], "recipient": "*1", "erased": [], "stayed": []},
    ],
)
async def test_an_erasure_that_cannot_be_read_hides_no_other(store, keeper, clock, caplog, damaged):
    await store.create(sold())
    await erased_by(keeper)
    await store.write_paper(DocumentKind.CONTROLS, Document("live-erasure-x", damaged, "live-erasures"))
    request = Request({"type": "http", "method": "GET", "path": "/erasures", "query_string": b"", "headers": []})
    listed = json.loads((await erasures(request, keeper, "")).body)["erasures"]
    assert [(one["by"], one["of"], one["erased"]) for one in listed] == [("thandi@example.com", "meterNumber", 1)]
    assert "record not readable" in [line.message for line in caplog.records]


async def test_exactly_as_many_sales_as_one_request_takes_are_all(store, keeper, monkeypatch):
    monkeypatch.setattr(erasure, "MAX_SALES", 2)
    for number in range(2):
        await store.create(sold(f"key-{number}"))
    done = await erased_by(keeper)
    assert (len(done.erased), done.more) == (2, False)


async def test_who_erased_what_and_why_is_on_record_without_the_number(store, keeper, caplog):
    await store.create(sold())
    await store.create(sale("doubt", at=SOLD_AT, state=State.IN_DOUBT, outcome=Unknown("lost")))
    await erased_by(keeper)
    (said,) = [line.fields for line in caplog.records if line.message == "personal data erased"]
    assert said == {"operator": "thandi@example.com", "of": "meter_number", "erased": 1, "stayed": 1}
    (paper,) = await keeper.erasures()
    assert (paper["by"], paper["of"], paper["recipient"], len(paper["erased"])) == ("thandi@example.com", "meter_number", "*8901", 1)
    assert METER not in json.dumps(paper) and "ticket" in paper["reason"]


async def test_nothing_is_erased_that_is_not_on_record_before(store, keeper, clock):
    made = await store.create(sold())
    with pytest.raises(StoreUnavailable):
        await erased_by(keeper_of(Failing(store, 1, is_made=False), clock))
    assert await store.find(made.id) == made
    with pytest.raises(StoreUnavailable):
        await erased_by(keeper_of(Failing(store, 2, is_made=False), clock))
    assert (await keeper.erasures())[0]["erased"] is None


async def test_a_recent_sale_is_erased_once_its_day_and_those_beside_it_are_settled(store, keeper, clock):
    at = clock.now - timedelta(days=10)
    made = await store.create(sold(at=at))
    assert (await erased_by(keeper)).stayed[0].why is Hold.SETTLING
    for day in (at.date() + timedelta(days=number) for number in (0, 1)):
        await store.write_paper(DocumentKind.SETTLEMENTS, day_paper(day.isoformat()))
    clock.now += timedelta(seconds=1)
    assert (await erased_by(keeper)).erased == (made.id,)


async def test_a_day_is_retired_once_its_sales_were(store, keeper, clock):
    assert date(2024, 3, 1) == SOLD_AT.date()
    await store.create(sold())
    clock.now = SOLD_AT + timedelta(days=1827)
    await run(keeper)
    paper = await store.read_paper(DocumentKind.CONTROLS, progress_id(MODE))
    assert paper.body["retiredUpTo"] == "2024-03-02"
