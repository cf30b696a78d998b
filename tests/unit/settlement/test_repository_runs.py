"""The results of a day's runs as one document: exact, and readable if older code wrote fewer fields."""

import pytest
from msgspec import structs

from shared.domain.statement import FileFault, Total
from shared.domain.transaction import State
from shared.domain.vas import Mode
from shared.ports.documents import Conflict
from shared.ports.settlement_files import Refusal
from shared.settlement.repository import Runs, with_healed
from shared.settlement.settled_day import ResolvedBySettlement
from shared.settlement.withdrawn_lines import Lacking, LostLine
from tests.step_driver import run
from tests.unit.settlement.stored_days import DAY, ONE_DAY, RUN_ID, SETTLEMENTS, kept, papers_of, put

REFUSAL = Refusal("f", "m", "broken", (FileFault(3, "no number", 4, "amount"), FileFault(9, "no line")))

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


def test_a_runs_document_is_written_only_if_new_and_over_the_revision_that_was_read(world):
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


def test_another_runs_word_or_a_damaged_document_goes_before_a_refusal(world):
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


def test_each_resolved_sale_is_stored_once_as_it_was_first_and_10_000_at_most():
    first, again, other = (
        ResolvedBySettlement("b", State.VENDED, "theirs"),
        ResolvedBySettlement("b", State.REJECTED, None),
        ResolvedBySettlement("a", State.REJECTED, None),
    )
    assert with_healed([first], [again, other]) == (other, first)
    many = [ResolvedBySettlement(f"{number:05d}", State.VENDED, None) for number in range(10_001)]
    assert with_healed(many[::2], many[1::2]) == tuple(many[:10_000])
    assert with_healed([], many[:1]) == (many[0],) and with_healed(many[:1], []) == (many[0],)
