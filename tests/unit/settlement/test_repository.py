"""What settling keeps of a day, of its runs and of its differences: exact papers, each written once, and what older ones are read as."""

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.closures import SEEN
from shared.domain.statement import FileFault, Summary, Total
from shared.domain.transaction import State
from shared.domain.vas import Mode
from shared.ports.documents import Conflict, Document, DocumentKind, UnreadableRecord
from shared.ports.settlement_files import Refusal
from shared.settlement.repository import DayPapers, Runs, progress_id, with_healed
from shared.settlement.settled_day import Discrepancy, DiscrepancyKind, ResolvedBySettlement, SettledDay, Severity, Status, next_version
from shared.settlement.withdrawn_lines import Lacking, LostLine
from tests.step_driver import World, boundaries, one_by_one, run

DAY = date(2026, 5, 1)
NOON = datetime(2026, 5, 1, 10, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
SETTLEMENTS, DISCREPANCIES = DocumentKind.SETTLEMENTS, DocumentKind.DISCREPANCIES
DAY_ID, RUN_ID = "live-2026-05-01", "live-2026-05-01-run"
REFUSAL = Refusal("f", "m", "broken", (FileFault(3, "no number", 4, "amount"), FileFault(9, "no line")))


@pytest.fixture
def world():
    return World(now=NOON)


def papers_of(world, mode=Mode.LIVE):
    return DayPapers(papers=world, mode=mode, each=one_by_one, now=lambda: world.now)


def a_day(of=DAY, **changed):
    lists = ("carried_out", "carried_in", "discrepancies", "conservation", "healed", "open", "tokens_to_recover")
    lists = dict.fromkeys((*lists, "signs", "proofs", "absent", "strangers"), ())
    known = {"day": of, "status": Status.PROVISIONAL, "file": Summary("f", "sha of f", Total(1, 900), {}), "matched": Total(1, 900)}
    return SettledDay(**{**lists, **known, **changed})


def keep(world, settled, mode=Mode.LIVE):
    papers = papers_of(world, mode)
    return run(papers.keep_day(settled, run(papers.day(settled.day))))


def put(world, kind, paper_id, body, mark=None):
    world.papers[kind, paper_id] = Document(paper_id, body, mark, revision=world.new_id())


def kept(world, kind=SETTLEMENTS):
    return {paper_id: (paper.body, paper.mark) for (of, paper_id), paper in world.papers.items() if of is kind}


# Days


def test_a_day_is_kept_as_its_first_version_and_as_it_stands(world):
    body = keep(world, a_day())
    assert (body["version"], body["status"]) == (1, "provisional")
    assert kept(world) == {"live-2026-05-01-v0001": (body, None), DAY_ID: (body, "live")}


@pytest.mark.parametrize(
    ("status", "mark"),
    [
        (Status.PROVISIONAL, "live"),
        (Status.FILE_MISSING, "live"),
        (Status.BALANCED, "live-ended"),
        (Status.DISCREPANCIES, "live-ended"),
    ],
)
def test_a_day_is_marked_as_ended_once_no_file_is_awaited_any_more(world, status, mark):
    keep(world, a_day(status=status))
    assert world.papers[SETTLEMENTS, DAY_ID].mark == mark


def test_the_same_day_again_writes_nothing_and_reads_no_version(world):
    papers = papers_of(world)
    first = keep(world, a_day())
    before = run(papers.day(DAY))
    assert boundaries(lambda: papers.keep_day(a_day(), before)) == [] and keep(world, a_day()) == first


def test_what_is_new_is_kept_as_a_version_of_its_own_and_the_one_before_it_stays(world):
    first = keep(world, a_day())
    second = keep(world, a_day(status=Status.BALANCED))
    assert second == {**first, "version": 2, "status": "balanced"}
    assert kept(world) == {
        "live-2026-05-01-v0001": (first, None),
        "live-2026-05-01-v0002": (second, None),
        DAY_ID: (second, "live-ended"),
    }


@pytest.mark.parametrize("cut_short", [[], [{"matched": Total(2, 1_000)}], [{"matched": Total(2, 1_000)}, {"matched": Total(3, 1_100)}]])
def test_versions_of_runs_that_were_cut_short_stay_and_the_day_becomes_the_next_one(world, cut_short):
    first = keep(world, a_day())
    body = first
    for changed in cut_short:
        body = next_version(a_day(**changed), body)
        put(world, SETTLEMENTS, f"live-2026-05-01-v{body['version']:04d}", body)
    versions = kept(world)
    last = keep(world, a_day(status=Status.BALANCED))
    assert (last["version"], last["status"], last["matched"]) == (2 + len(cut_short), "balanced", first["matched"])
    last_id = f"live-2026-05-01-v{last['version']:04d}"
    assert kept(world) == {**versions, last_id: (last, None), DAY_ID: (last, "live-ended")}


def test_a_version_that_was_kept_before_its_run_was_cut_short_is_taken_up_and_not_written_again(world):
    first = keep(world, a_day())
    second = next_version(a_day(status=Status.BALANCED), first)
    put(world, SETTLEMENTS, "live-2026-05-01-v0002", second)
    world.store_calls.clear()
    assert keep(world, a_day(status=Status.BALANCED)) == second
    assert world.store_calls.count("write_paper") == 1 and kept(world)[DAY_ID] == (second, "live-ended")


def test_a_day_whose_mark_alone_is_another_is_marked_anew(world):
    body = keep(world, a_day(status=Status.BALANCED))
    world.papers[SETTLEMENTS, DAY_ID] = structs.replace(world.papers[SETTLEMENTS, DAY_ID], mark="live")
    assert keep(world, a_day(status=Status.BALANCED)) == body
    assert kept(world) == {"live-2026-05-01-v0001": (body, None), DAY_ID: (body, "live-ended")}


def test_a_day_that_another_run_has_kept_meanwhile_is_a_conflict(world):
    papers = papers_of(world)
    keep(world, a_day())
    before = run(papers.day(DAY))
    keep(world, a_day(status=Status.BALANCED))
    for held in (None, before):
        with pytest.raises(Conflict):
            run(papers.keep_day(a_day(status=Status.DISCREPANCIES), held))


def test_a_day_without_a_paper_is_not_begun_and_one_that_cannot_be_read_is(world):
    papers = papers_of(world)
    assert (run(papers.day(DAY)), run(papers.is_begun(DAY)), run(papers.runs(DAY))) == (None, False, Runs())
    put(world, SETTLEMENTS, DAY_ID, {"day": 5})
    assert run(papers.is_begun(DAY)) and not run(papers.is_begun(DAY + ONE_DAY))
    assert not run(papers_of(world, Mode.SIMULATED).is_begun(DAY))
    with pytest.raises(UnreadableRecord):
        run(papers.day(DAY))


@pytest.mark.parametrize(
    ("body", "is_retired"),
    [
        (None, False),
        ({}, False),
        ({"retiredUpTo": None}, False),
        *(({"retiredUpTo": f"2026-0{day}"}, day != "4-30") for day in ("4-30", "5-01", "5-02")),
    ],
)
def test_a_day_is_retired_up_to_the_one_that_retaining_says(world, body, is_retired):
    if body is not None:
        put(world, DocumentKind.CONTROLS, progress_id(Mode.LIVE), body)
    assert run(papers_of(world).is_retired(DAY)) is is_retired
    assert not run(papers_of(world, Mode.SIMULATED).is_retired(DAY))


def test_the_first_day_from_one_on_is_found_among_those_that_ended_and_those_that_have_not(world):
    papers = papers_of(world)
    assert run(papers.first_since(DAY)) is None
    for back, status in (
        (3, Status.BALANCED),
        (1, Status.PROVISIONAL),
        (0, Status.BALANCED),
        (-2, Status.PROVISIONAL),
        (-3, Status.BALANCED),
    ):
        keep(world, a_day(DAY - back * ONE_DAY, status=status))
    keep(world, a_day(DAY - 2 * ONE_DAY), Mode.SIMULATED)
    found = [run(papers.first_since(DAY + after * ONE_DAY)) for after in range(-4, 5)]
    assert found == [DAY + days * ONE_DAY if days is not None else None for days in (-3, -3, -1, -1, 0, 2, 2, 3, None)]


def test_the_days_that_have_not_ended_are_listed_oldest_first_and_one_of_an_old_mark_is_marked_anew(world):
    papers = papers_of(world)
    statuses = [Status.PROVISIONAL, Status.BALANCED, Status.FILE_MISSING, Status.DISCREPANCIES, Status.PROVISIONAL]
    for after, status in reversed(list(enumerate(statuses))):
        keep(world, a_day(DAY + after * ONE_DAY, status=status))
    days = [DAY, DAY + 2 * ONE_DAY, DAY + 4 * ONE_DAY]
    for _ in range(2):
        world.store_calls.clear()
        assert run(papers.unended()) == days
    assert "write_paper" not in world.store_calls
    old = [("live-2026-05-02", "live"), ("live-2026-05-04", "live")]
    for paper_id, mark in old:
        world.papers[SETTLEMENTS, paper_id] = structs.replace(world.papers[SETTLEMENTS, paper_id], mark=mark)
    assert run(papers.unended()) == days
    assert [kept(world)[paper_id][1] for paper_id, _ in old] == ["live-ended", "live-ended"]


# Runs


FULL = Runs(
    healed=(ResolvedBySettlement("a", State.VENDED, "theirs"), ResolvedBySettlement("b", State.REJECTED, None)),
    files={"2026-05-01": "f/m", "2026-05-02": "g/m"},
    refused=("h/m", "i/m/unreadable"),
    earlier=("e/m", "d/m"),
    beyond=(DAY + 9 * ONE_DAY, DAY + 20 * ONE_DAY),
    lacking=Lacking(least=Total(3, 900), lines=(LostLine("theirs", "ours", 300), LostLine("x", "", 5)), unlisted=True),
    refusal=structs.replace(REFUSAL, unread="broken off"),
)
FULL_BODY = {
    "healed": [["a", "vended", "theirs"], ["b", "rejected", None]],
    "files": {"2026-05-01": "f/m", "2026-05-02": "g/m"},
    "refused": ["h/m", "i/m/unreadable"],
    "earlier": ["e/m", "d/m"],
    "beyond": ["2026-05-10", "2026-05-21"],
    "lacking": {"rows": 3, "cents": 900, "lines": [["theirs", "ours", 300], ["x", "", 5]], "unlisted": True},
    "refusal": {
        "file": "f",
        "mark": "m",
        "reason": "broken",
        "faults": [
            {"line": 3, "message": "no number", "field": 4, "name": "amount"},
            {"line": 9, "message": "no line", "field": None, "name": None},
        ],
        "foreign": False,
        "anyones": False,
        "unread": "broken off",
        "day": "2026-05-01",
    },
}
NOTHING_BODY = {"healed": [], "files": {}, "refused": [], "earlier": [], "beyond": [], "lacking": None}


def read_runs(world):
    return structs.replace(run(papers_of(world).runs(DAY)), stored={})


@pytest.mark.parametrize(
    ("runs", "body", "mark"),
    [(FULL, FULL_BODY, "live-refused"), (Runs(refused=("h/m",)), {**NOTHING_BODY, "refused": ["h/m"]}, None)],
    ids=["full", "plain"],
)
def test_what_the_runs_came_to_has_one_form_and_comes_back_exactly(world, runs, body, mark):
    after = run(papers_of(world).keep_runs(DAY, Runs(), runs))
    assert kept(world) == {RUN_ID: (body, mark)}
    assert after.revision == world.papers[SETTLEMENTS, RUN_ID].revision
    assert read_runs(world) == structs.replace(runs, revision=after.revision)


def test_what_the_runs_came_to_is_written_where_it_is_news_and_over_what_was_read_alone(world):
    papers = papers_of(world)
    before = run(papers.keep_runs(DAY, Runs(), FULL))
    world.store_calls.clear()
    assert run(papers.keep_runs(DAY, before, before)) is before and world.store_calls == []
    after = run(papers.keep_runs(DAY, before, structs.replace(before, refusal=None)))
    assert after.revision != before.revision and kept(world)[RUN_ID][1] is None and "refusal" not in kept(world)[RUN_ID][0]
    with pytest.raises(Conflict):
        run(papers.keep_runs(DAY, before, structs.replace(before, beyond=())))


def test_what_newer_code_keeps_of_the_runs_stays_and_a_file_that_is_gone_does_not(world):
    newer = {**FULL_BODY, "healed": [["a", "vended", "theirs", "more", 5], ["b", "rejected", None]], "points": 3}
    put(world, SETTLEMENTS, RUN_ID, newer, "live-refused")
    papers = papers_of(world)
    before = run(papers.runs(DAY))
    more = (*before.healed, ResolvedBySettlement("c", State.VENDED, None))
    run(papers.keep_runs(DAY, before, structs.replace(before, healed=more, files={"2026-05-02": "g/n"})))
    healed = [["a", "vended", "theirs", "more", 5], ["b", "rejected", None], ["c", "vended", None]]
    assert kept(world)[RUN_ID][0] == {**newer, "healed": healed, "files": {"2026-05-02": "g/n"}}


def test_runs_that_were_kept_with_less_are_read_all_the_same(world):
    rows = [["a", "vended"], ["b", "rejected", None], ["c", "brand_new", "theirs", 5], []]
    put(world, SETTLEMENTS, RUN_ID, {"healed": rows, "files": {"2026-05-01": "f"}, "refused": []})
    runs = read_runs(world)
    assert [(one.transaction_id, str(one.state), one.supplier_transaction_id) for one in runs.healed] == [
        ("b", "rejected", None),
        ("c", "brand_new", "theirs"),
    ]
    assert structs.replace(runs, healed=(), revision=None) == Runs(files={"2026-05-01": "f"})
    before = run(papers_of(world).runs(DAY))
    run(papers_of(world).keep_runs(DAY, before, structs.replace(before, refused=("g/m",))))
    healed = [["b", "rejected", None], ["c", "brand_new", "theirs", 5]]
    assert kept(world)[RUN_ID][0] == {**NOTHING_BODY, "healed": healed, "files": {"2026-05-01": "f"}, "refused": ["g/m"]}


@pytest.mark.parametrize(
    ("changed", "is_kept"),
    [({}, True), ({"foreign": True}, False), ({"anyones": True}, False), ({"foreign": True, "anyones": True}, False)],
)
def test_a_refusal_is_on_record_where_it_says_something_of_this_day(world, changed, is_kept):
    papers = papers_of(world)
    run(papers.keep_runs(DAY, Runs(), Runs(refused=("h/m",))))
    run(papers.refuse(DAY, structs.replace(REFUSAL, **changed)))
    runs = run(papers.runs(DAY))
    assert (runs.refusal, runs.refused) == (REFUSAL if is_kept else None, ("h/m",))
    assert run(papers.refused()) == ([DAY] if is_kept else [])
    run(papers.refuse(DAY, None))
    assert run(papers.runs(DAY)).refusal is None and run(papers.refused()) == []


def test_another_runs_word_or_a_damaged_paper_goes_before_a_refusal(world):
    papers = papers_of(world)
    refusing = papers.refuse(DAY, REFUSAL)
    while refusing.send(None) != "before write_paper":
        pass
    put(world, SETTLEMENTS, RUN_ID, NOTHING_BODY)
    run(refusing)
    assert run(papers.runs(DAY)).refusal is None
    put(world, SETTLEMENTS, RUN_ID, {"healed": 5})
    run(papers.refuse(DAY, REFUSAL))
    assert kept(world)[RUN_ID] == ({"healed": 5}, None)


def test_the_days_that_are_refused_are_listed_by_the_day_that_was(world):
    papers = papers_of(world)
    for after in (4, 0, 2):
        run(papers.refuse(DAY + after * ONE_DAY, REFUSAL))
    put(world, SETTLEMENTS, "live-2026-05-02-run", {"refusal": {"day": 5}}, "live-refused")
    run(papers_of(world, Mode.SIMULATED).refuse(DAY + ONE_DAY, REFUSAL))
    assert run(papers.refused()) == [DAY, DAY + 2 * ONE_DAY, DAY + 4 * ONE_DAY]


def test_of_sales_that_were_healed_each_is_remembered_once_as_it_was_first_and_ten_thousand_at_most():
    first, again, other = (
        ResolvedBySettlement("b", State.VENDED, "theirs"),
        ResolvedBySettlement("b", State.REJECTED, None),
        ResolvedBySettlement("a", State.REJECTED, None),
    )
    assert with_healed([first], [again, other]) == (other, first)
    many = [ResolvedBySettlement(f"{number:05d}", State.VENDED, None) for number in range(10_001)]
    assert with_healed(many[::2], many[1::2]) == tuple(many[:10_000])
    assert with_healed([], many[:1]) == (many[0],) and with_healed(many[:1], []) == (many[0],)


# Differences


FOUND = Discrepancy(
    id="ab" * 16,
    day=DAY,
    kind=DiscrepancyKind.AMOUNT_DIFFERS,
    severity=Severity.CRITICAL,
    transaction_id="sale",
    ours={"amountCents": 5, "supplierId": "MOBILEMART"},
    theirs={"amountCents": 6},
    seen="seen",
)
FOUND_BODY = {
    "id": "ab" * 16,
    "day": "2026-05-01",
    "kind": "amount_differs",
    "severity": "critical",
    "transactionId": "sale",
    "ours": {"amountCents": 5, "supplierId": "MOBILEMART"},
    "theirs": {"amountCents": 6},
    "status": "open",
    "closure": None,
    SEEN: "seen",
}
FOUND_ID = f"live-{'ab' * 16}"
GONE_CLOSURE = {
    "decision": "corrected",
    "note": "the settlement files no longer show it",
    "by": "settlement",
    "at": "2026-05-01T10:00:00Z",
}
BY_ANN = {"decision": "accepted", "note": "a cent", "by": "ann@example.com", "at": "2026-05-04T08:00:00Z"}


FILE = a_day().file


def review(world, *found, file=FILE, before=None):
    return run(papers_of(world).review(a_day(discrepancies=found, file=file, status=Status.BALANCED), before))


def told(caplog):
    return [line.fields for line in caplog.records if line.message == "discrepancy found"]


def test_a_difference_is_put_on_record_and_told_once(world, caplog):
    for _ in range(2):
        reviewed = review(world, FOUND)
        assert (reviewed.discrepancies, reviewed.status) == ((FOUND,), Status.DISCREPANCIES)
        assert kept(world, DISCREPANCIES) == {FOUND_ID: (FOUND_BODY, "live-open")}
    assert told(caplog) == [{"discrepancy_id": FOUND.id, "kind": "amount_differs", "severity": "critical", "day": DAY}]
    assert (world.store_calls.count("write_paper"), world.store_calls.count("read_paper")) == (1, 1)


def test_an_open_difference_that_is_another_one_now_is_kept_as_it_is_now_and_told_no_more(world, caplog):
    review(world, FOUND)
    changed = structs.replace(FOUND, theirs={"amountCents": 9}, seen="otherwise")
    assert review(world, changed).discrepancies == (changed,)
    assert kept(world, DISCREPANCIES) == {FOUND_ID: ({**FOUND_BODY, "theirs": {"amountCents": 9}, SEEN: "otherwise"}, "live-open")}
    assert len(told(caplog)) == 1


@pytest.mark.parametrize("has_file", [True, False])
def test_a_difference_that_the_files_no_longer_show_is_closed_where_there_is_a_file(world, has_file):
    review(world, FOUND)
    reviewed = review(world, file=FILE if has_file else None)
    closed = {**FOUND_BODY, "status": "corrected", "closure": GONE_CLOSURE}
    assert kept(world, DISCREPANCIES) == {FOUND_ID: (closed, "live-closed") if has_file else (FOUND_BODY, "live-open")}
    assert reviewed.discrepancies == ()


def test_a_difference_that_is_back_is_open_again_and_told_again(world, caplog):
    for found in ((FOUND,), (), (FOUND,)):
        reviewed = review(world, *found)
    assert kept(world, DISCREPANCIES) == {FOUND_ID: (FOUND_BODY, "live-open")}
    assert reviewed.discrepancies == (FOUND,) and len(told(caplog)) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"day": "2026-04-30"},
        {"day": "2026-05-02"},
        {"theirs": {"source": "reprint"}},
        {"kind": "brand_new"},
    ],
    ids=str,
)
def test_what_is_of_another_day_or_of_an_answer_or_of_newer_code_is_not_closed_by_a_file(world, changed):
    body = {**FOUND_BODY, **changed}
    put(world, DISCREPANCIES, FOUND_ID, body, "live-open")
    put(world, DISCREPANCIES, "live-another", {**FOUND_BODY, "id": "another", "theirs": None}, "live-open")
    reviewed = review(world)
    assert kept(world, DISCREPANCIES)[FOUND_ID] == (body, "live-open")
    assert kept(world, DISCREPANCIES)["live-another"][1] == "live-closed"
    listed = changed.get("day") == "2026-04-30" or "kind" in changed
    assert [found.id for found in reviewed.discrepancies] == [FOUND.id] * listed


def test_what_a_person_has_closed_stays_closed_while_it_is_the_same_and_is_written_where_it_moves(world, caplog):
    closed = {**FOUND_BODY, "status": "accepted", "closure": BY_ANN, "points": 3}
    put(world, DISCREPANCIES, FOUND_ID, closed, "live-closed")
    for found in (FOUND, structs.replace(FOUND, severity=Severity.WARNING)):
        reviewed = review(world, found)
        body = {**closed, "severity": found.severity.value}
        assert kept(world, DISCREPANCIES) == {FOUND_ID: (body, "live-closed")}
        assert (reviewed.discrepancies, reviewed.status) == ((structs.replace(found, status="accepted"),), Status.BALANCED)
    assert told(caplog) == [] and world.store_calls.count("write_paper") == 1


def test_another_difference_than_a_person_has_closed_is_open_again_with_the_earlier_closure(world, caplog):
    put(world, DISCREPANCIES, FOUND_ID, {**FOUND_BODY, "status": "accepted", "closure": BY_ANN}, "live-closed")
    changed = structs.replace(FOUND, theirs={"amountCents": 9}, seen="otherwise")
    assert review(world, changed).discrepancies == (changed,)
    earlier = {**BY_ANN, "ours": FOUND_BODY["ours"], "theirs": {"amountCents": 6}}
    body = {**FOUND_BODY, "theirs": {"amountCents": 9}, SEEN: "otherwise", "earlierClosures": [earlier]}
    assert kept(world, DISCREPANCIES) == {FOUND_ID: (body, "live-open")} and len(told(caplog)) == 1


def test_what_a_closure_decides_is_the_status(world):
    put(world, DISCREPANCIES, FOUND_ID, {**FOUND_BODY, "status": "other", "closure": BY_ANN}, "live-closed")
    assert [found.status for found in review(world, FOUND).discrepancies] == ["accepted"]


@pytest.mark.parametrize(("closure", "status"), [({"by": "ann@example.com"}, "settled_by_hand"), (None, "settled_by_hand")])
def test_a_status_that_newer_code_gave_is_the_status(world, closure, status):
    put(world, DISCREPANCIES, FOUND_ID, {**FOUND_BODY, "status": status, "closure": closure}, "live-closed")
    assert [found.status for found in review(world, FOUND).discrepancies] == [status]
    assert kept(world, DISCREPANCIES) == {FOUND_ID: ({**FOUND_BODY, "status": status, "closure": closure}, "live-closed")}


def test_open_differences_of_earlier_days_stand_before_the_days_own_and_those_of_later_days_do_not(world):
    earlier = [
        {**FOUND_BODY, "id": name, "day": day}
        for name, day in (("d", "2026-04-30"), ("b", "2026-04-29"), ("c", "2026-04-29"), ("z", "2026-05-02"))
    ]
    for body in earlier:
        put(world, DISCREPANCIES, f"live-{body['id']}", body, "live-open")
    put(world, DISCREPANCIES, "live-closed", {**FOUND_BODY, "id": "closed", "day": "2026-04-29"}, "live-closed")
    assert [found.id for found in review(world, FOUND).discrepancies] == ["b", "c", "d", FOUND.id]


def test_what_people_decided_on_a_days_own_differences_of_newer_code_is_looked_up(world):
    bodies = [
        {**FOUND_BODY, "id": name, "kind": kind, "day": day, "status": "accepted", "closure": BY_ANN}
        for name, kind, day in (
            ("newer", "brand_new", "2026-05-01"),
            ("known", "amount_differs", "2026-05-01"),
            ("other", "brand_new", "2026-04-30"),
            ("gone", "brand_new", "2026-05-01"),
        )
    ]
    for body in bodies[:3]:
        put(world, DISCREPANCIES, f"live-{body['id']}", body, "live-closed")
    before = Document(DAY_ID, {"day": "2026-05-01", "discrepancies": bodies})
    reviewed = review(world, FOUND, before=before)
    assert [(found.id, str(found.kind), found.status) for found in reviewed.discrepancies] == [
        (FOUND.id, "amount_differs", "open"),
        ("newer", "brand_new", "accepted"),
    ]
    assert world.store_calls.count("read_paper") == 3  # of its own one that is found again, and two that are not
