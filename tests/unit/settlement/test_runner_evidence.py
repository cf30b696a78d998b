"""The evidence that a day's settling gathers, and files of other days that bill its sales."""

import pytest
from msgspec import structs

from shared.domain.sale_summary import seen
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.ports.documents import Document, DocumentKind
from shared.ports.settlement_files import FoundFiles, NotTaken, Refusal, StatementRefused, StoredFile
from shared.settlement.past_files import Read
from shared.settlement.repository import Runs
from shared.settlement.runner import _check, _left_out, _not_taken, _Run
from tests.archive import bill
from tests.sales import in_doubt, rejected, vended
from tests.step_driver import START, run
from tests.unit.settlement.evidence import ONE_DAY, REFUSED, evidence, tombstone
from tests.unit.settlement.settled import DAY, MORNING, NEXT, sell, settle, spoil, world_at
from tests.unit.settlement.two_days import Two


def test_the_sales_of_a_comparison_are_of_its_days_and_older_ones_that_lines_named():
    here, older = vended(key="a"), in_doubt(key="b")
    known = evidence(here, older=[older])
    assert known.all == [seen(older), seen(here)]
    assert [known.known(sale.id) for sale in (here, older)] == [seen(here), seen(older)] and known.known("another") is None


def test_only_sales_not_recorded_as_vended_are_looked_for_in_earlier_files():
    sales = [
        structs.replace(sale, request_id=f"request {number}")
        for number, sale in enumerate((vended(key="a"), in_doubt(key="b"), rejected(REFUSED, key="c"), vended(key="d"), in_doubt(key="e")))
    ]
    assert evidence(*sales[:3], older=sales[3:]).unvended == {"request 1", "request 2", "request 4"}


def test_a_sale_as_recorded_is_new_once_and_replaces_the_earlier_record():
    here, older, fresh = in_doubt(key="a"), in_doubt(key="b"), vended(key="c")
    known = evidence(here, older=[older])
    assert not known.apply_answer([]) and not known.apply_answer([here, older])
    ended = [structs.replace(sale, state=State.REJECTED, outcome=REFUSED) for sale in (here, older)]
    assert known.apply_answer([here, ended[1]]) and known.apply_answer([ended[0]]) and known.apply_answer([older, fresh])
    assert (known.sold, list(known.older)) == ({here.id: seen(ended[0])}, [older.id, fresh.id])
    assert known.older == {older.id: seen(older), fresh.id: seen(fresh)} and not known.apply_answer([fresh, ended[0]])


def test_a_sale_that_cannot_be_read_is_news_once_and_no_sale_to_compare():
    known, unread = evidence(vended(key="a")), Unread(id="newer")
    assert known.apply_answer([unread]) and not known.apply_answer([unread])
    assert known.unread == {"newer": unread} and known.older == {} and len(known.sold) == 1


def test_a_retired_sale_is_news_once_and_remembered_as_retired():
    sale = vended(key="a")
    known, left = evidence(), tombstone(sale)
    assert known.apply_answer([left]) and not known.apply_answer([left])
    assert (known.retired, list(known.older), known.older[sale.id].recipient) == ({sale.id}, [sale.id], None)


def test_a_day_is_taken_up_once_more_however_often_that_is_asked():
    made = _Run(DAY, {})
    for day in (NEXT, DAY, NEXT):
        made.look_again_at(day)
    assert made.once_more == [NEXT, DAY]


# Bills in the file of another day


def test_a_day_stores_the_later_day_that_bills_its_sale_and_misses_only_its_own_file(caplog):
    world = world_at(MORNING + 3 * ONE_DAY)
    late = sell(world)
    for after in (0, 1, 2, 3):
        world.deliver(DAY + after * ONE_DAY, *([bill(late)] if after == 3 else []))
    settle(world)
    assert world.days["live-2026-05-01-run"]["beyond"] == ["2026-05-04"]
    assert "settlement file missing" not in caplog.text
    world.now += ONE_DAY
    settle(world)
    missing = [line.fields for line in caplog.records if line.message == "settlement file missing"]
    assert missing == [{"day": DAY + 4 * ONE_DAY}]


def test_two_days_whose_files_bill_a_sale_of_each_other_are_both_settled():
    world = world_at(MORNING + 4 * ONE_DAY)
    early, late = sell(world), sell(world, at=START + 3 * ONE_DAY, cents=20_000)
    for after in range(5):
        world.deliver(DAY + after * ONE_DAY, *{0: [bill(late)], 3: [bill(early)]}.get(after, []))
    settle(world)
    for day, other in (("2026-05-01", "2026-05-04"), ("2026-05-04", "2026-05-01")):
        body = world.days[f"live-{day}"]
        assert [one["billedOn"] for one in body["carriedOut"]] == [other] == [one["soldOn"] for one in body["carriedIn"]]
    world.written = 0
    settle(world)
    assert world.written == 0


@pytest.mark.parametrize(("after", "state"), [(2, State.VENDED), (28, State.VENDED), (29, State.REJECTED)])
def test_later_files_of_four_weeks_are_looked_through_before_absence_ends_a_sale(after, state):
    two = Two()
    world = two.world
    world.now = MORNING + 40 * ONE_DAY
    world.deliver(DAY, bill(two.first), bill(two.second))
    two.deliver_next()
    world.deliver(DAY + after * ONE_DAY, bill(two.doubt), stamp=f"{DAY + after * ONE_DAY:%Y%m%d}235900")
    settle(world, DAY)
    assert world.sales[two.doubt.id].state is state


def brought(world, *, file=True, beyond=()):
    """The day, once a file of eight days later bills a sale of it."""
    billed_on = DAY + 8 * ONE_DAY
    settling = world.settling()
    if beyond:
        runs = run(settling._papers.runs(DAY))
        run(settling._papers.keep_runs(DAY, runs, structs.replace(runs, beyond=beyond)))
    files = {billed_on: StoredFile("late", "m", list)} if file else {}
    world.written = 0
    made = _Run(world.now.date(), {})
    run(settling._bring_up_to_date(DAY, billed_on, Read(None, files, {}), made))
    return made.bodies


def test_an_unsettled_day_stores_each_file_that_bills_its_sale_and_is_not_settled():
    world = world_at(MORNING + 9 * ONE_DAY)
    sell(world)
    assert brought(world, beyond=(DAY + 20 * ONE_DAY,)) == {}
    assert world.days.keys() == {"live-2026-05-01-run"}
    assert world.days["live-2026-05-01-run"]["beyond"] == ["2026-05-09", "2026-05-21"]


def test_a_day_without_such_a_file_or_settled_with_it_is_left_alone():
    world = world_at(MORNING + 9 * ONE_DAY)
    sell(world)
    assert (brought(world, file=False), world.days) == ({}, {})
    papers = world.settling()._papers
    run(papers.keep_runs(DAY, Runs(), Runs(files={"2026-05-09": "late/m"})))
    world.papers[DocumentKind.SETTLEMENTS, "live-2026-05-01"] = Document("live-2026-05-01", {"day": 5}, revision="r")
    assert (brought(world), world.written) == ({}, 0)


def test_a_day_is_settled_again_with_a_new_file_and_its_refusal_stops_nothing():
    world = world_at(MORNING + 9 * ONE_DAY)
    name = world.deliver(DAY, bill(sell(world)))
    settle(world, DAY)
    assert brought(world).keys() == {DAY}
    spoil(world, name)
    assert brought(world) == {}
    assert world.days["live-2026-05-01-run"]["refusal"]["file"] == name and run(world.settling()._papers.refused()) == [DAY]
    key = DocumentKind.SETTLEMENTS, "live-2026-05-01-run"
    world.papers[key] = structs.replace(world.papers[key], body={"healed": 5})
    assert (brought(world), world.written) == ({}, 0)


def test_any_file_among_the_wanted_days_is_read_and_each_day_is_requested_once():
    world, known = world_at(MORNING + 9 * ONE_DAY), evidence()
    files = {DAY: StoredFile("a", "m", list), NEXT: Refusal("b", "m", "broken")}
    asked = []

    async def find(days):
        asked.append(set(days))
        return {day: file for day, file in files.items() if day in days}

    world.shelf.find = find
    wanted = frozenset({DAY, NEXT, NEXT + ONE_DAY})
    assert run(world.settling()._is_any_there(wanted, known)) and known.beyond == wanted
    assert not run(world.settling()._is_any_there(wanted, known)) and asked == [wanted, set()]
    assert not run(world.settling()._is_any_there(frozenset({NEXT}), evidence()))


@pytest.mark.parametrize(
    ("of", "foreign", "believed", "is_refused"),
    [
        (DAY, False, False, True),
        (DAY, True, False, True),
        (NEXT, False, False, False),
        (NEXT, False, True, True),
        (NEXT, True, True, False),
        (NEXT, True, False, False),
    ],
)
def test_a_day_is_refused_for_its_own_file_or_for_one_that_replaces_an_accepted_file(of, foreign, believed, is_refused):
    refusal = Refusal("f", "m", "broken", foreign=foreign)
    runs = Runs(files={NEXT.isoformat(): "g/m"} if believed else {})
    if not is_refused:
        assert _check(DAY, of, refusal, runs) is None
        return
    with pytest.raises(StatementRefused) as refused:
        _check(DAY, of, refusal, runs)
    assert (refused.value.day, refused.value.refusal) == (of, refusal)


def test_no_names_are_reported_if_all_are_taken_and_nothing_is_left_out_if_all_fit(caplog):
    assert _not_taken({}) == _not_taken(FoundFiles()) == ((), 0) and caplog.records == []
    found = FoundFiles()
    found.not_taken, found.more_not_taken = (NotTaken("a", "b"),), 7
    assert _not_taken(found) == ((NotTaken("a", "b"),), 7) and caplog.records[0].fields["count"] == 8
    known = evidence()
    assert _left_out(known) == {}
    known.not_asked = 3
    assert _left_out(known) == {"lookUps": 3}
