"""Documents of settling, damaged or written by newer code: the day settles, and nothing is lost or closed because of them."""

from copy import deepcopy
from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.sale_summary import unsettled
from shared.domain.vas import Mode
from shared.ports.documents import Document, DocumentKind, UnreadableRecord
from shared.ports.settlement_files import Refusal
from shared.settlement.closing import Closing, DiscrepancyClosed
from shared.settlement.document_forms import _about
from shared.settlement.matching import ONE_DAY
from shared.settlement.reporting import Reporting
from shared.settlement.runner import NOT_READABLE
from shared.web.report_csv import csv_of
from shared.web.report_html import html_of
from tests.archive import bill
from tests.newer import FIELD, POINTS, WORD
from tests.step_driver import one_by_one, run
from tests.unit.settlement.settled import DAY, LATER, LOST, MORNING, NEXT, balanced, sell, settle, world_at

SETTLEMENTS, DISCREPANCIES = DocumentKind.SETTLEMENTS, DocumentKind.DISCREPANCIES
DAY_ID, RUN_ID = f"live-{DAY}", f"live-{DAY}-run"
WRONG = (None, 5, True, "text", [], {}, [None], ["x"], [[]], {"x": 5})


def eventful():
    """A day with an entry in every list, settled twice, with discrepancies of two kinds."""
    world = world_at(MORNING + ONE_DAY)
    sales = [sell(world, cents=cents) for cents in (10_000, 20_000, 30_000)]
    lost = sell(world, LOST, cents=40_000)
    sell(world, LOST, cents=50_000)
    late = sell(world, cents=60_000)
    stranger = bill(sales[0], "dddddddd-0000-4000-8000-000000000000", merchant_id="eeeeeeee-0000-4000-8000-000000000000")
    world.deliver(DAY, bill(sales[0], amount="10001"), bill(sales[1]), bill(lost), stranger)
    world.deliver(NEXT, bill(late))
    settle(world, DAY)
    return world


def places(stored, path=()):
    """Every map in a body."""
    if isinstance(stored, dict):
        yield path
        for name, item in stored.items():
            yield from places(item, (*path, name))
    elif isinstance(stored, list):
        for number, item in enumerate(stored):
            yield from places(item, (*path, number))


def at(body, path):
    for step in path:
        body = body[step]
    return body


def rewritten(world, kind, paper_id, change):
    """Store a document as another writer would."""
    held = world.papers[kind, paper_id]
    body = deepcopy(dict(held.body))
    change(body)
    world.papers[kind, paper_id] = structs.replace(held, body=body, revision=world.new_id())


def reporting(world):
    return Reporting(store=Shards(world), mode=Mode.LIVE, now=lambda: world.now, each=one_by_one)


class Shards:
    """An archive, with the one list that a report wants beside."""

    def __init__(self, world):
        self.world = world

    def __getattr__(self, name):
        return getattr(self.world, name)

    async def due(self, mode, shard, at, at_most):
        return []


def everything_is_shown(world):
    """The day's report in each form, and the list of days."""
    report = run(reporting(world).day(DAY))
    page, table = html_of(report).decode(), csv_of(report).decode()
    assert [one["day"] for one in run(reporting(world).days())] == [DAY.isoformat()]
    return report, page, table


def test_newer_codes_field_of_a_day_stays_at_any_depth_and_makes_no_new_version():
    day = eventful().days[DAY_ID]
    tried = list(places(dict(day)))
    assert len(tried) > 60
    for path in tried:
        world = eventful()
        rewritten(world, SETTLEMENTS, DAY_ID, lambda body, path=path: at(body, path).update({FIELD: POINTS}))
        before, world.written = world.days[DAY_ID], 0
        settle(world, DAY)
        assert world.days[DAY_ID] == before and world.written == 0, path
        everything_is_shown(world)
        world.deliver(DAY, *(bill(sale) for sale in world.sales.values()), stamp=f"{DAY:%Y%m%d}235900")  # what it says changes
        about = at(before, path[:2]) if len(path) > 1 else before
        settle(world, DAY)
        now = world.days[DAY_ID]
        assert now["version"] == 2
        if len(path) < 2 or isinstance(path[1], str):
            assert at(now, path)[FIELD] == POINTS
        elif still := [one for one in now[path[0]] if _about(one) == _about(about)]:  # it may have moved in its list, or be gone
            assert at(still[0], path[2:])[FIELD] == POINTS


def test_a_field_that_newer_code_keeps_of_the_runs_stays():
    world = eventful()

    def newer(body):
        body[FIELD] = POINTS
        body["healed"][0].append("newer")

    rewritten(world, SETTLEMENTS, RUN_ID, newer)
    world.deliver(NEXT, stamp=f"{NEXT:%Y%m%d}235900")
    settle(world, DAY)
    assert world.days[RUN_ID][FIELD] == POINTS and world.days[RUN_ID]["healed"][0][-1] == "newer"
    assert world.days[DAY_ID]["healed"]


def test_newer_codes_field_of_a_discrepancy_stays_through_settling_and_closing():
    for path in ((), ("ours",), ("theirs",)):
        world = eventful()
        differing = next(paper for paper in world.discrepancies if paper["kind"] == "amount_differs")
        paper_id = f"live-{differing['id']}"
        rewritten(world, DISCREPANCIES, paper_id, lambda body, path=path: at(body, path).update({FIELD: POINTS}))
        before = world.papers[DISCREPANCIES, paper_id]
        settle(world, DAY)
        assert world.papers[DISCREPANCIES, paper_id] == before
        run(closing(world).close(differing["id"], "accepted", "seen", "somebody"))
        settle(world, DAY)
        kept = world.papers[DISCREPANCIES, paper_id].body
        assert at(kept, path)[FIELD] == POINTS and kept["status"] == "accepted"


def closing(world):
    return Closing(store=world, mode=Mode.LIVE, now=lambda: world.now)


def newer_difference(world, **changed):
    """An open discrepancy on record, of a kind that only newer code finds."""
    body = {
        "id": "ab" * 16,
        "day": DAY.isoformat(),
        "kind": WORD,
        "severity": "critical",
        "transactionId": None,
        "ours": {"lines": 3, "said": "call 0821234567 8901"},
        "theirs": None,
        "status": "open",
        "closure": None,
        FIELD: POINTS,
        **changed,
    }
    paper = Document(f"live-{body['id']}", body, "live-open" if body["status"] == "open" else None)
    run(world.write_paper(DISCREPANCIES, paper))
    return paper.id


@pytest.mark.parametrize("day", [DAY, DAY - ONE_DAY, DAY - 30 * ONE_DAY])
@pytest.mark.parametrize(
    "changed", [{}, {"severity": WORD}, {"kind": "amount_differs", "severity": WORD, "theirs": {"source": WORD}}], ids=str
)
def test_newer_codes_open_discrepancy_stops_no_settling_is_shown_and_never_closed(day, changed):
    world = world_at(MORNING + ONE_DAY)
    balanced(world)
    paper_id = newer_difference(world, day=day.isoformat(), **changed)
    for _ in range(2):
        (body,) = settle(world, DAY).days
        held = world.papers[DISCREPANCIES, paper_id]
        assert (held.body["status"], held.mark, held.body[FIELD]) == ("open", "live-open", POINTS)
    listed = [one for one in body["discrepancies"] if one["id"] == "ab" * 16]
    is_contradiction = "theirs" in changed and day == DAY  # which a report reads anew
    assert len(listed) == (0 if is_contradiction else 1)
    assert body["status"] == ("discrepancies" if day == DAY and not is_contradiction else "balanced")
    report, page, table = everything_is_shown(world)
    (shown,) = [one for one in report.body["discrepancies"] if one["id"] == "ab" * 16]
    assert (shown["kind"], shown["severity"]) == (changed.get("kind", WORD), changed.get("severity", "critical"))
    assert changed.get("severity", WORD) in page and changed.get("severity", WORD) in table
    assert "0821234567" not in f"{report.json()}{page}{table}"


def test_a_persons_closure_of_newer_codes_discrepancy_shows_in_the_day_from_then_on():
    world = world_at(MORNING + ONE_DAY)
    balanced(world)
    paper_id = newer_difference(world)
    assert settle(world, DAY).days[0]["status"] == "discrepancies"
    closed = run(closing(world).close("ab" * 16, "accepted", "seen", "somebody"))
    assert closed[FIELD] == POINTS and closed["kind"] == WORD
    for _ in range(2):
        (body,) = settle(world, DAY).days
        assert (body["status"], body["version"]) == ("balanced", 2)
        assert [(one["id"], one["status"]) for one in body["discrepancies"]] == [("ab" * 16, "accepted")]
    assert world.papers[DISCREPANCIES, paper_id].body["status"] == "accepted"


@pytest.mark.parametrize(
    "closure", [None, {"by": "somebody", FIELD: POINTS}, {"decision": WORD, "by": "somebody", "note": "", "at": ""}], ids=str
)
def test_a_status_that_only_newer_code_gives_a_discrepancy_stays(closure):
    world = eventful()
    differing = next(paper for paper in world.discrepancies if paper["kind"] == "amount_differs")
    paper_id = f"live-{differing['id']}"
    rewritten(world, DISCREPANCIES, paper_id, lambda body: body.update({"status": WORD, "closure": closure}))
    world.papers[DISCREPANCIES, paper_id] = structs.replace(world.papers[DISCREPANCIES, paper_id], mark=None)
    (body,) = settle(world, DAY).days
    assert world.papers[DISCREPANCIES, paper_id].body["status"] == WORD and world.papers[DISCREPANCIES, paper_id].mark is None
    assert [one["status"] for one in body["discrepancies"] if one["id"] == differing["id"]] == [WORD]
    with pytest.raises(DiscrepancyClosed):
        run(closing(world).close(differing["id"], "accepted", "seen", "somebody"))
    everything_is_shown(world)


def test_a_day_with_a_status_of_newer_code_is_shown_as_that_and_settled_again():
    world = eventful()
    rewritten(world, SETTLEMENTS, DAY_ID, lambda body: body.update({"status": WORD}))
    report, page, table = everything_is_shown(world)
    assert report.json()["status"] == WORD and WORD in page and WORD in table
    assert settle(world, DAY).days[0]["status"] == "discrepancies"


def test_a_damaged_discrepancy_is_reported_and_stops_neither_settling_nor_reports(caplog):
    for name in ("id", "day", "kind", "severity", "transactionId", "ours", "theirs", "status"):
        for wrong in WRONG:
            world = world_at(MORNING + ONE_DAY)
            balanced(world)
            paper_id = newer_difference(world)
            rewritten(world, DISCREPANCIES, paper_id, lambda body, name=name, wrong=wrong: body.update({name: wrong}))
            (body,) = settle(world, DAY).days
            assert body["day"] == DAY.isoformat()
            everything_is_shown(world)
    assert {line.fields["paper_id"] for line in caplog.records if line.message == "record not readable"} == {f"live-{'ab' * 16}"}


@pytest.mark.parametrize("paper_id", [DAY_ID, RUN_ID])
def test_a_damaged_day_costs_itself_alone(paper_id, caplog):
    for wrong in WRONG:
        for name in eventful().days[paper_id]:
            world = eventful()
            rewritten(world, SETTLEMENTS, paper_id, lambda body, name=name, wrong=wrong: body.update({name: wrong}))
            damaged = world.days[paper_id]
            result = settle(world)
            named = {one.day for one in result.refused if one.refusal == Refusal("", "", NOT_READABLE)}
            assert named <= {DAY} and NEXT.isoformat() in {body["day"] for body in result.days}
            if named:
                assert world.days[paper_id] == damaged
                with pytest.raises(UnreadableRecord):
                    settle(world, DAY)
            run(reporting(world).days())
            run(reporting(world).day(NEXT))
    assert {line.fields["paper_id"] for line in caplog.records if line.message == "record not readable"} == {paper_id}


ROWS = [
    *(("file", name) for name in ("name", "sha256", "rows", "totalCents")),
    *(("matched", name) for name in ("rows", "totalCents")),
    *(("carriedOut", 0, name) for name in ("transactionId", "soldOn")),
    *(("conservation", 0, name) for name in ("vasType", "residue", "differences", "carriedIn")),
    *(("conservation", 0, "residue", name) for name in ("rows", "cents")),
    *(("discrepancies", 0, name) for name in ("id", "day", "kind", "severity", "transactionId", "ours", "theirs", "status")),
    *((name, 0, "transactionId") for name in ("healed", "open", "tokensToRecover")),
]


@pytest.mark.parametrize("path", ROWS, ids=str)
def test_a_day_with_a_damaged_row_is_refused_on_request_and_costs_itself_alone(path):
    world = eventful()
    rewritten(world, SETTLEMENTS, DAY_ID, lambda body: at(body, path[:-1]).update({path[-1]: [5]}))
    with pytest.raises(UnreadableRecord):
        settle(world, DAY)
    assert {one.day for one in settle(world).refused} == {DAY}


def test_what_is_no_longer_so_is_no_longer_said_although_it_was_kept():
    world = eventful()
    rewritten(world, SETTLEMENTS, DAY_ID, lambda body: body.update({"leftOut": {"lookUps": 3}}))
    differing = next(paper for paper in world.discrepancies if paper["kind"] == "amount_differs")
    rewritten(world, DISCREPANCIES, f"live-{differing['id']}", lambda body: body["ours"].update({"alsoHeldBy": "some sale"}))
    settle(world, DAY)
    assert "leftOut" not in world.days[DAY_ID]
    assert "alsoHeldBy" not in world.papers[DISCREPANCIES, f"live-{differing['id']}"].body["ours"]
    assert MORNING + timedelta(days=1) < LATER


class Unreadable:
    """An archive in which some sales are as newer code has left them."""

    def __init__(self, world, *unread):
        self.world, self.unread = world, {sale.id: sale for sale in unread}

    def __getattr__(self, name):
        return getattr(self.world, name)

    async def of_day(self, mode, day, shard):
        async for sold in self.world.of_day(mode, day, shard):
            yield unsettled(self.unread[sold.id]) if sold.id in self.unread else sold

    async def lookup(self, mode, by, value, at_most=100):
        return [unsettled(sale) if sale.id in self.unread else sale for sale in await self.world.lookup(mode, by, value, at_most)]


def settled_around(world, *unread, day=DAY):
    settling = structs.replace(world.settling(), store=Unreadable(world, *unread))
    (body,) = run(settling.settle(day, LATER)).days
    return body


@pytest.mark.parametrize("billed", ["by our id", "by theirs", "negative", "binned", "not"])
def test_a_sale_that_cannot_be_read_is_named_and_never_missing_on_either_side(billed):
    world = world_at(MORNING + 2 * ONE_DAY)
    newer, plain = sell(world), sell(world, cents=20_000)
    line = bill(newer, **{"negative": {"amount": "-10000"}, "binned": {"status": "Binned"}}.get(billed, {}))
    if billed == "by theirs":
        line = line._replace(merchant_id="")
    world.deliver(DAY, *([] if billed == "not" else [line]), bill(plain))
    world.deliver(NEXT)
    body = settled_around(world, newer)
    assert (body["status"], body["discrepancies"], body["matched"]["rows"]) == ("provisional", [], 1)
    order = newer.order
    assert body["notReadable"] == [
        {"transactionId": newer.id, "requestId": newer.request_id, "vasType": order.vas_type, "amountCents": order.amount.cents}
    ]
    assert {(row["residue"]["rows"], row["residue"]["cents"]) for row in body["conservation"]} == {(0, 0)}
    _, page, table = everything_is_shown(world)
    assert newer.id in page and newer.id in table
    assert settled_around(world, newer) == body  # the same again writes nothing new
    again = only_day(world)
    assert "notReadable" not in again and again["version"] == 2
    assert again["status"] == ("balanced" if billed in ("by our id", "by theirs") else "discrepancies")


def only_day(world):
    (body,) = settle(world, DAY).days
    return body


def test_a_later_files_line_that_names_an_unreadable_sale_is_no_stranger():
    world = world_at(MORNING + 40 * ONE_DAY)
    newer = sell(world)
    far = DAY + 30 * ONE_DAY
    world.deliver(far, bill(newer))
    world.deliver(far + ONE_DAY)
    body = settled_around(world, newer, day=far)
    assert (body["status"], body["discrepancies"]) == ("balanced", []) and "notReadable" not in body


def test_absence_beside_a_sale_that_cannot_be_read_proves_nothing():
    world = world_at(MORNING + 2 * ONE_DAY)
    before, newer = sell(world), sell(world, cents=20_000)
    doubt = sell(world, LOST, cents=30_000)
    later = sell(world, cents=40_000)
    world.now, now = MORNING + timedelta(hours=4), world.now
    control = sell(world, at=world.now, cents=50_000)
    world.now = now
    world.deliver(DAY, bill(before), bill(later))
    world.deliver(NEXT, bill(control))
    settled_around(world, newer)
    assert world.sales[doubt.id].state.value == "in_doubt"
    assert world.sales[newer.id] == newer
