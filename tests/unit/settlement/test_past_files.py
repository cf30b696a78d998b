"""Facts about a day beside its current file: the memory of runs, and the days on which absence proves nothing."""

from datetime import date, timedelta

import pytest
from msgspec import structs

from shared.domain.statement import Summary, Total
from shared.domain.transaction import State
from shared.domain.vas import Mode, VasType
from shared.mobilemart.settlement_writer import detail
from shared.ports.documents import Document, DocumentKind
from shared.ports.settlement_files import Refusal, StoredFile, broke_off
from shared.settlement.matching import Filed
from shared.settlement.past_files import Doubted, PastFiles, Read
from shared.settlement.repository import DayPapers, Runs
from shared.settlement.settled_day import ResolvedBySettlement, SettledDay, Status, next_version
from shared.settlement.withdrawn_lines import UNREAD, Earlier, Lacking, LostLine
from tests.archive import Archive, bill
from tests.step_driver import START, boundaries, one_by_one, run
from tests.unit.settlement.two_days import LATER, Two, morning, opened, sell, settle, state

DAY = date(2026, 5, 1)
BEFORE, NEXT, FAR, FARTHER = (DAY + timedelta(days=days) for days in (-1, 1, 20, 30))
NOTHING = Lacking()
LACKS = Lacking(least=Total(1, 900))
LOST_LINE = Filed(
    DAY,
    2,
    detail(
        service=VasType.UTILITY,
        transaction_id="cccccccc-0000-4000-8000-000000000001",
        merchant_id="",
        at=START,
        cents=900,
        recipient="12345678901",
    ),
)


def stored(name, *earlier):
    return StoredFile(name, "m", list, tuple(stored(one) for one in earlier))


def earlier_file(sha256="sha of e", lost=()):
    return Earlier(sha256=sha256, rows=1, total=Total(), lost=lost, naming=())


def test_a_run_stores_every_file_that_it_settled_with_and_the_corrected_ones():
    files = {
        BEFORE: stored("before"),
        DAY: stored("day", "first", "second"),
        NEXT: stored("next", "third"),
        FAR: stored("far", "fourth"),
        FARTHER: stored("farther"),
        DAY + timedelta(days=2): stored("of no matter"),
    }
    refused = {
        FAR: Refusal("broken", "m", "broken"),
        FARTHER: Refusal("another's", "m", "another merchant's", foreign=True),
        NEXT: Refusal("broken off", "m", "unreadable", unread="unreadable"),
        DAY + timedelta(days=2): Refusal("of no matter", "m", "broken"),
    }
    before = Runs(
        healed=(ResolvedBySettlement("sale", State.VENDED, None),),
        files={"2026-04-20": "gone/m"},
        refused=("old/m",),
        earlier=("older/m",),
        beyond=(BEFORE,),
        revision="r",
        refusal=Refusal("day", "m", "broken"),
    )
    said = {DAY: (earlier_file(), UNREAD), NEXT: (earlier_file(),)}
    assert Read(None, files, refused).ended(DAY, before, [FARTHER, FAR], LACKS, {NEXT}, said) == Runs(
        healed=before.healed,
        files={"2026-04-30": "before/m", "2026-05-01": "day/m", "2026-05-21": "far/m", "2026-05-31": "farther/m"},
        refused=("broken off/m/unreadable", "broken/m"),
        earlier=(broke_off("first/m"), broke_off("second/m"), "third/m"),
        beyond=(FAR, FARTHER),
        lacking=LACKS,
        revision="r",
        refusal=None,
    )


def day(**changed):
    """A day on which absence may end a doubt."""
    lists = dict.fromkeys(
        (
            "carried_out",
            "carried_in",
            "discrepancies",
            "conservation",
            "healed",
            "open",
            "tokens_to_recover",
            "signs",
            "proofs",
            "strangers",
        ),
        (),
    )
    known = {"day": DAY, "status": Status.BALANCED, "file": Summary("f", "sha of f", Total(1, 900), {}), "matched": Total()}
    return SettledDay(**{**known, **lists, "absent": ("doubt",), **changed})


def papers_of(world):
    return DayPapers(papers=world, mode=Mode.LIVE, each=one_by_one, now=lambda: world.now)


def past(world):
    return PastFiles(files=world.shelf, papers=papers_of(world))


def on_record(world, of, files=None, lacking=NOTHING, changed=None, damaged=None):
    """A day beside the doubt's, as it was settled."""
    body = {**next_version(day(day=of), None), **(changed or {})}
    keys = {"paper": f"live-{of}", "runs": f"live-{of}-run"}
    world.papers[DocumentKind.SETTLEMENTS, keys["paper"]] = Document(keys["paper"], body, "live-ended", revision="r")
    run(papers_of(world).keep_runs(of, Runs(), Runs(files=files or {}, lacking=lacking)))
    if damaged is not None:
        key = DocumentKind.SETTLEMENTS, keys[damaged]
        world.papers[key] = structs.replace(world.papers[key], body={"day": 5})


NEIGHBOURS = {  # the state of a neighbour; whether absence there proves nothing; and whether only until the neighbour is settled
    "never settled": (None, False, False),
    "settled with its file": ({}, False, False),
    "settled with its file and lacking lines": ({"lacking": LACKS}, True, False),
    "settled with another file": ({"files": {}}, True, True),
    "settled with a file that still lies there": ({"files": {}, "changed": {"file": {"sha256": "sha of e"}}}, False, False),
    "settled with another file and lacking lines": ({"files": {}, "lacking": LACKS}, True, True),
    "settled with its file and cut lists": ({"changed": {"leftOut": {"open": 1}}}, True, False),
    "settled with another file and cut lists": ({"files": {}, "changed": {"leftOut": {"open": 1}}}, True, True),
    "settled without a file": ({"files": {}, "lacking": LACKS, "changed": {"file": None}}, False, False),
    "not readable": ({"damaged": "paper"}, True, False),
    "with runs that are not readable": ({"damaged": "runs"}, True, False),
}


@pytest.mark.parametrize("later", NEIGHBOURS)
@pytest.mark.parametrize("sooner", NEIGHBOURS)
def test_a_neighbours_file_that_may_lack_lines_proves_no_absence_and_hides_no_other(sooner, later):
    world = Archive()
    for of, name in ((BEFORE, sooner), (NEXT, later)):
        if (shape := NEIGHBOURS[name][0]) is not None:
            file = {"name": "f", "sha256": "sha of f", "rows": 1, "totalCents": 900}
            changed = {"file": file, **shape.get("changed", {})}
            if changed["file"] is not None:
                changed["file"] = {**file, **changed["file"]}
            on_record(world, of, **{"files": {of.isoformat(): "n/m"}, **shape, "changed": changed})
    files = {of: stored("n", "e") for of in (BEFORE, DAY, NEXT)}
    earlier = {of: (earlier_file("sha of another"), earlier_file("sha of e")) for of in (BEFORE, NEXT)}
    beside = ((BEFORE, sooner), (NEXT, later))
    found = run(past(world).doubted(day(), files, NOTHING, earlier, lists_all=True))
    assert found == Doubted(
        days=frozenset(of for of, name in beside if NEIGHBOURS[name][1]),
        unsettled=frozenset(of for of, name in beside if NEIGHBOURS[name][2]),
    )


def test_a_neighbour_without_a_file_is_not_asked_what_it_lacks():
    world = Archive()
    on_record(world, NEXT, lacking=LACKS)
    assert run(past(world).doubted(day(), {DAY: stored("n")}, NOTHING, {}, lists_all=True)) == Doubted(frozenset(), frozenset())
    assert "read_paper" not in world.store_calls


MANY = tuple(ResolvedBySettlement(f"{number:04d}", State.VENDED, None) for number in range(1_001))


@pytest.mark.parametrize(
    ("settled", "lacks", "earlier", "lists_all", "distrusted"),
    [
        (day(), NOTHING, {}, True, set()),
        (day(), LACKS, {}, True, {DAY}),
        (day(), NOTHING, {}, False, {DAY}),
        (day(healed=MANY[1:]), NOTHING, {}, True, set()),
        (day(healed=MANY), NOTHING, {}, True, {DAY}),
        (day(), NOTHING, {BEFORE: (earlier_file(), earlier_file(lost=(LOST_LINE,)), earlier_file())}, True, {BEFORE}),
        (day(), NOTHING, {DAY: (UNREAD, earlier_file()), NEXT: (earlier_file(),)}, True, {DAY}),
        (day(absent=()), LACKS, {NEXT: (UNREAD,)}, False, {NEXT}),
        (day(absent=()), LACKS, {}, False, set()),
    ],
)
def test_a_day_proves_no_absence_if_lines_are_lost_or_unlisted_or_unreadable(settled, lacks, earlier, lists_all, distrusted):
    found = run(past(Archive()).doubted(settled, {DAY: stored("n")}, lacks, earlier, lists_all=lists_all))
    assert found == Doubted(frozenset(distrusted), frozenset())


def test_a_refused_earlier_file_proves_nothing_and_a_broken_one_may_hold_any_line():
    two = Two()
    world = two.world
    world.shelf.files[name("20260502040000")] = b"no header\n"
    world.deliver(DAY, bill(two.first), bill(two.doubt), stamp="20260502050000")
    hidden = world.deliver(DAY, bill(two.second), stamp="20260502050100")
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050200")
    two.deliver_next()
    found = run(world.shelf.find([DAY, NEXT]))
    world.shelf.unreadable = {hidden: 20}
    said = run(past(world).earlier(found, [two.doubt.request_id]))
    assert set(said) == {DAY}
    believed, unread = said[DAY]
    assert (believed.rows, believed.total, unread) == (2, Total(1, 5_100), UNREAD)
    assert [line.number for line in believed.lost] == [line.number for line in believed.naming] == [3]


def name(stamp):
    return f"FULCRUM.MERCHANT.ACME.RECON.{stamp}.txt"


def test_a_file_without_a_header_beside_the_one_that_counts_hinders_no_absence():
    two = Two()
    two.world.shelf.files[name("20260502040000")] = b"no header\n"
    two.world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050000")
    two.deliver_next()
    settle(two.world)
    assert state(two.world, two.doubt) is State.REJECTED and opened(two.world) == set()


def test_files_that_correct_none_are_read_for_no_ids():
    two = Two()
    two.world.deliver(DAY, bill(two.first), bill(two.second))
    two.deliver_next()
    for _ in range(2):
        steps = boundaries(lambda: two.world.settling().settle(None, LATER))
        assert "before compare" in steps and "before ids_of" not in steps


def test_lines_that_an_earlier_file_had_are_lacking_still_when_that_file_is_gone():
    two = Two()
    world = two.world
    stranger = bill(two.first, "cccccccc-0000-4000-8000-000000000001", merchant_id="", amount="900")
    gone = world.deliver(DAY, bill(two.first), bill(two.second), stranger, stamp="20260502050000")
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050100")
    two.deliver_next()
    settle(world)
    assert world.days["live-2026-05-01-run"]["lacking"]["lines"] == [["cccccccc-0000-4000-8000-000000000001", "", 900]]
    del world.shelf.files[gone]
    for given in (DAY, None):
        settle(world, given)
        assert state(world, two.doubt) is State.IN_DOUBT and ("2026-05-01", "lines_withdrawn") in opened(world)


@pytest.mark.parametrize("lies_there", ["as the last one", "as an earlier one", "no longer"])
def test_lines_that_a_document_did_not_list_are_read_from_its_file_if_it_exists(lies_there):
    two = Two(days=1)
    world = two.world
    lines = bill(two.first), bill(two.second)
    world.deliver(DAY, *lines, stamp="20260502050000")
    settle(world, DAY)
    key = DocumentKind.SETTLEMENTS, "live-2026-05-01"
    world.papers[key] = structs.replace(world.papers[key], body={**world.papers[key].body, "leftOut": {"open": 1}})
    world.now = morning(2)
    two.deliver_next()
    if lies_there != "as the last one":
        stamp = "20260502060000" if lies_there == "as an earlier one" else "20260502050000"
        world.deliver(DAY, *reversed(lines), stamp=stamp)
    settle(world)
    assert state(world, two.doubt) is (State.IN_DOUBT if lies_there == "no longer" else State.REJECTED)


def test_a_day_without_its_file_lacks_what_it_was_known_to_lack():
    assert run(past(Archive()).lacking(day(file=None), {}, LACKS, {DAY: (earlier_file(),)}, None)) == LACKS


def test_lines_that_the_file_has_again_are_not_lacking_even_if_runs_were_not_stored():
    world = Archive(now=morning(1))
    here, gone = sell(world), sell(world)
    world.deliver(DAY, bill(here))
    settle(world, DAY)
    lost = [LostLine(sale.receipt.supplier_transaction_id, sale.request_id, 10_000) for sale in (here, gone)]
    known, before = Lacking(least=Total(1, 10_000), lines=tuple(lost)), run(papers_of(world).day(DAY))
    found = run(world.shelf.find([DAY]))
    settled = day(file=Summary("f", before.body["file"]["sha256"], Total(1, 10_000), {}))
    assert run(past(world).lacking(settled, found, known, {}, before)) == Lacking(lines=(lost[1],))


def test_only_files_that_lie_there_and_are_believed_name_a_sale():
    world = Archive(now=morning(40))
    world.shelf.merchant = "ACME"
    sale, other = sell(world), sell(world)
    days = [DAY + timedelta(days=days) for days in range(6)]
    broken = world.deliver(days[0], bill(sale))
    world.shelf.files[broken] = world.shelf.files[broken].replace(b"T|3", b"T|4")
    world.deliver(days[1], bill(other))
    world.deliver(days[2], bill(other), bill(sale))
    world.deliver(days[3], bill(sale), merchant="OTHER")
    world.deliver(days[4], bill(sale))
    world.deliver(days[5], bill(sale))
    assert run(past(world).naming(days[:5], [sale.request_id])) == {days[2], days[4]}
