"""What a day's settling goes by: the evidence that it gathers, the days that it takes up, and what it looks up, to the last one."""

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Answer, Reason, Rejected
from shared.domain.sale_summary import seen
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.ports.documents import Conflict, Document, DocumentKind, StoreUnavailable
from shared.ports.settlement_files import FoundFiles, NotTaken, Refusal, StatementRefused, StoredFile
from shared.ports.transactions import LookupBy
from shared.settlement.past_files import Read
from shared.settlement.repository import Runs
from shared.settlement.runner import NoBusinessDay, RefusedDay, _check, _Evidence, _left_out, _not_taken, _Run
from tests.archive import Archive, bill
from tests.sales import in_doubt, rejected, vended
from tests.step_driver import START, run
from tests.unit.settlement.test_runner import DAY, LATER, LOST, MORNING, NEXT, days_begun, listed, only, sell, settle, spoil, world_at
from tests.unit.settlement.test_runner_incomplete_files import Two

ONE_DAY = timedelta(days=1)
REFUSED = Rejected(Reason.METER_UNKNOWN, "1011")


def evidence(*sold, older=()):
    return _Evidence({sale.id: seen(sale) for sale in sold}, {}, set(), older={sale.id: seen(sale) for sale in older})


def tombstone(sale):
    return Tombstone(
        id=sale.id,
        mode=sale.mode,
        caller="caller",
        fingerprint=sale.fingerprint,
        state=sale.state,
        vas_type=sale.order.vas_type,
        amount=sale.order.amount,
        fee_cents=0,
        request_id=sale.request_id,
        supplier_transaction_id=sale.receipt and sale.receipt.supplier_transaction_id,
        supplier_id=sale.supplier_id,
        day=sale.day,
        created_at=sale.created_at,
        retired_at=LATER,
    )


# Evidence


def test_the_sales_of_a_comparison_are_those_of_its_days_and_the_older_ones_that_lines_named():
    here, older = vended(key="a"), in_doubt(key="b")
    known = evidence(here, older=[older])
    assert known.all == [seen(older), seen(here)]
    assert [known.known(sale.id) for sale in (here, older)] == [seen(here), seen(older)] and known.known("another") is None


def test_only_sales_that_are_not_known_to_have_vended_are_looked_for_in_earlier_files():
    sales = [
        structs.replace(sale, request_id=f"request {number}")
        for number, sale in enumerate((vended(key="a"), in_doubt(key="b"), rejected(REFUSED, key="c"), vended(key="d"), in_doubt(key="e")))
    ]
    assert evidence(*sales[:3], older=sales[3:]).unvended == {"request 1", "request 2", "request 4"}


def test_what_is_learned_of_a_sale_is_news_once_and_takes_the_place_of_what_was_known():
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


# Days


def test_the_first_day_of_business_may_be_settled_and_none_before_it():
    at = datetime(2020, 1, 1, 10, tzinfo=UTC)
    world = world_at(at + ONE_DAY)
    sell(world, at=at), sell(world, at=at - ONE_DAY)
    assert only(settle(world, date(2020, 1, 1)))["day"] == "2020-01-01"
    with pytest.raises(NoBusinessDay):
        settle(world, date(2019, 12, 31))


@pytest.mark.parametrize(("back", "first"), [(1, 1), (2, 2), (28, 28), (29, 1)])
@pytest.mark.parametrize("by", ["a file", "a broken file", "a paper"])
def test_a_run_takes_up_the_last_four_weeks_from_the_first_day_with_a_file_or_a_paper_on(by, back, first):
    world = world_at(MORNING)
    today = NEXT
    if by == "a paper":
        body = {"day": (today - back * ONE_DAY).isoformat(), "version": 1, "status": "balanced", "file": None}
        paper_id = f"live-{body['day']}"
        world.papers[DocumentKind.SETTLEMENTS, paper_id] = Document(paper_id, body, "live-ended", revision="r")
        steps = run(world.settling()._window(today))
    else:
        name = world.deliver(today - back * ONE_DAY)
        if by == "a broken file":
            spoil(world, name)
        steps = run(world.settling()._window(today))
    assert steps == [today - days * ONE_DAY for days in range(first, 0, -1)]


@pytest.mark.parametrize(("first", "last", "taken"), [(40, 2, 28), (28, 2, 28), (27, 2, 27), (3, 2, 3), (4, 3, 1), (1, 1, 1), (0, 0, 1)])
def test_sales_right_before_the_first_day_are_taken_up_with_it_as_far_as_four_weeks_back(first, last, taken):
    world = world_at(MORNING)
    for back in range(first, last - 1, -1):
        sell(world, at=START + ONE_DAY - back * ONE_DAY)
    world.store_calls.clear()
    assert run(world.settling()._window(NEXT)) == [NEXT - days * ONE_DAY for days in range(taken, 0, -1)]
    assert world.store_calls.count("any_of_day") == min(taken, 27)


def test_a_day_older_than_four_weeks_is_taken_up_while_it_has_not_ended_or_is_refused_and_has_anything():
    world = world_at(MORNING)
    sell(world)
    broken = world.deliver(NEXT, bill(sell(world, at=START + ONE_DAY)))
    spoil(world, broken)
    world.now += ONE_DAY
    assert [one.day for one in settle(world).refused] == [NEXT]
    world.now += 60 * ONE_DAY
    assert run(world.settling()._unsettled(world.now.date())) == [DAY, NEXT, world.now.date() - ONE_DAY]
    settled = settle(world, until=world.now)
    assert settled.left == (DAY, NEXT, world.now.date() - ONE_DAY) and settled.days == () == settled.refused
    assert listed(world, "live-refused") == ["live-2026-05-02-run"]


def test_of_days_refused_and_left_none_is_among_those_settled_and_each_is_told_oldest_first():
    world = world_at(MORNING + 3 * ONE_DAY)
    for after in range(4):
        name = world.deliver(DAY + after * ONE_DAY)
        if after in (0, 2):
            spoil(world, name)
    asked = []

    def slow():
        asked.append(None)
        return world.now if len(asked) < 8 else LATER

    settling = world.settling()
    settling = structs.replace(settling, recorder=structs.replace(settling.recorder, now=slow))
    settled = run(settling.settle(None, LATER))
    days = {*(body["day"] for body in settled.days), *(one.day.isoformat() for one in settled.refused), *map(str, settled.left)}
    assert days == {(DAY + after * ONE_DAY).isoformat() for after in range(4)}
    assert len(settled.days) + len(settled.refused) + len(settled.left) == 4 and list(settled.left) == sorted(settled.left)


def test_yesterday_may_be_settled_although_there_is_nothing_of_it_at_all():
    assert only(settle(world_at(MORNING), DAY))["status"] == "file_missing"


def test_yesterday_goes_before_days_that_only_wait():
    world = world_at(MORNING + ONE_DAY)
    sell(world)
    assert days_begun(world) == ["2026-05-01", "2026-05-02"]
    assert days_begun(world) == ["2026-05-02", "2026-05-01"]


def test_beside_the_day_that_is_asked_for_both_neighbours_are_settled_where_a_file_is_news_to_them():
    world = world_at(MORNING + 3 * ONE_DAY)
    for back in (1, 0, -1):
        world.deliver(DAY - back * ONE_DAY)
    settle(world)
    assert [world.days[f"live-2026-0{day}"]["status"] for day in ("4-30", "5-01", "5-02")] == ["balanced", "balanced", "provisional"]
    world.deliver(NEXT + ONE_DAY)
    assert only(settle(world, DAY))["day"] == "2026-05-01"
    assert world.days["live-2026-05-02"]["status"] == "balanced"
    world.deliver(DAY - ONE_DAY, bill(sell(world), merchant_id=""), stamp="20260501090000")
    settle(world, DAY)
    assert world.days["live-2026-04-30"]["version"] == 2


def test_days_that_are_left_are_told_where_there_are_any(caplog):
    world = world_at(MORNING + ONE_DAY)
    sell(world)
    settle(world)
    assert "days left unsettled" not in caplog.text
    settle(world, until=world.now)
    (line,) = [line for line in caplog.records if line.message == "days left unsettled"]
    assert line.fields == {"days": ["2026-05-01", "2026-05-02"]}


def test_a_day_whose_paper_cannot_be_read_is_refused_without_a_file():
    world = world_at(MORNING + ONE_DAY)
    world.deliver(DAY, bill(sell(world)))
    settle(world)
    key = DocumentKind.SETTLEMENTS, "live-2026-05-01"
    world.papers[key] = structs.replace(world.papers[key], body={**world.papers[key].body, "matched": 5})
    settled = settle(world)
    assert settled.refused == (RefusedDay(DAY, Refusal("", "", "what is on record of the day cannot be read by this version")),)
    assert [body["day"] for body in settled.days] == ["2026-05-02"]


class Contested(Archive):
    """A store in which another run is first with the papers of a day, so often."""

    conflicts = 0

    async def write_paper(self, kind, paper, beside=None):
        if self.conflicts > 0 and paper.id == "live-2026-05-01":
            self.conflicts -= 1
            raise Conflict
        return await super().write_paper(kind, paper, beside)


@pytest.mark.parametrize(("conflicts", "is_settled"), [(0, True), (2, True), (3, False)])
def test_a_day_over_which_two_runs_meet_is_tried_three_times(conflicts, is_settled):
    world = Contested(now=MORNING)
    world.deliver(DAY, bill(sell(world)))
    world.conflicts = conflicts
    if is_settled:
        assert only(settle(world, DAY))["status"] == "provisional"
    else:
        with pytest.raises(StoreUnavailable):
            settle(world, DAY)


# Looking up


def test_an_old_sale_that_a_line_heals_is_listed_as_healed_with_its_supplier():
    world = world_at(MORNING)
    old = sell(world, LOST, at=START - 9 * ONE_DAY)
    world.deliver(DAY, bill(old))
    (healed,) = only(settle(world, DAY))["healed"]
    assert (healed["transactionId"], healed["state"], healed["supplierId"]) == (old.id, "vended", "MOBILEMART")
    assert world.days["live-2026-05-01-run"]["healed"] == [[old.id, "vended", healed["supplierTransactionId"]]]


def test_of_a_sale_that_ended_otherwise_meanwhile_it_is_not_said_that_the_files_healed_it():
    world = world_at(MORNING)
    sale = sell(world, LOST)
    world.deliver(DAY, bill(sale))
    settling = world.settling().settle(DAY, LATER)
    while settling.send(None) != "before advance":
        pass
    run(world.recorder.apply_answer(world.sales[sale.id], Answer(REFUSED), by="supplier"))
    assert world.sales[sale.id].state is State.REJECTED
    assert only(run(settling))["healed"] == []


@pytest.mark.parametrize(("strangers", "not_asked"), [(1, 0), (999, 0), (1_000, 0), (1_001, 1), (1_002, 2)])
def test_a_thousand_lines_of_a_day_that_name_no_sale_are_looked_up_and_the_others_are_counted(strangers, not_asked):
    world, asked = world_at(MORNING), []
    lines = [_stranger(number) for number in range(strangers)]

    async def lookup(mode, by, value, at_most=100):
        asked.append(value)
        return ()

    world.lookup = lookup
    known = evidence()
    assert run(world.settling()._named_by(lines, known)) == []
    assert (len(known.asked), known.not_asked) == (min(strangers, 1_000), not_asked)
    assert run(world.settling()._named_by(lines, known)) == [] and known.not_asked == not_asked
    assert len(set(asked)) == 3 * min(strangers, 1_000)
    more = [_stranger(number) for number in range(5_000, 5_600)]
    assert run(world.settling()._named_by(more, known)) == [] and len(known.asked) == min(strangers + 600, 1_000)
    assert known.not_asked == max(strangers + 600 - 1_000, 0) if strangers < 1_000 else 600
    if strangers == 1:
        assert asked[:4] == ["ours 0000", "theirs 0000", "THEIRS 0000", "ours 0000"]


def _stranger(number):
    (line,) = [bill(vended())._replace(transaction_id=f"theirs {number:04d}", merchant_id=f"ours {number:04d}")]
    return line


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ("m-1", [("request_id", "m-1")]),
        ("T-1", [("request_id", "m-1"), ("supplier", "T-1")]),
        ("t-1", [("request_id", "m-1"), ("supplier", "T-1"), ("supplier", "t-1")]),
        (None, [("request_id", "m-1"), ("supplier", "T-1"), ("supplier", "t-1"), ("supplier", "M-1")]),
    ],
)
def test_a_line_is_looked_up_by_our_request_id_then_by_the_suppliers_in_each_case_and_then_by_either_in_the_other_field(held, asked):
    world, tried = world_at(MORNING), []

    async def lookup(mode, by, value, at_most=100):
        tried.append(("request_id" if by is LookupBy.REQUEST_ID else "supplier", value))
        return [value] if value == held else []

    world.lookup = lookup
    assert run(world.settling()._looked_up("M-1", "T-1")) == ([held] if held else ())
    assert tried == asked


def test_a_line_without_an_id_of_ours_is_looked_up_by_the_suppliers_alone():
    world, tried = world_at(MORNING), []

    async def lookup(mode, by, value, at_most=100):
        tried.append(value)
        return []

    world.lookup = lookup
    assert run(world.settling()._looked_up("", "6B0F6A52-0D1C-4C3C-9A53-1F2F4F1F9A10")) == ()
    assert tried == ["6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"]


class Retired(Archive):
    """A store in which the sales that have gone from it are retired."""

    async def lookup(self, mode, by, value, at_most=100):
        gone = [tombstone(sale) for sale in self.gone if value in (sale.request_id, sale.receipt and sale.receipt.supplier_transaction_id)]
        return gone or await super().lookup(mode, by, value, at_most)

    gone = ()


@pytest.mark.parametrize(
    ("answer", "changes", "kinds"),
    [
        (None, {}, ["late_posting"]),
        (None, {"status": "Binned"}, []),
        (REFUSED, {}, ["vended_after_rejection", "late_posting"]),
        (REFUSED, {"status": "Binned"}, []),
        (REFUSED, {"status": "Pending"}, ["unknown_status"]),
    ],
    ids=str,
)
def test_a_line_that_names_a_retired_sale_is_no_strangers_and_puts_nothing_on_record(answer, changes, kinds):
    world = Retired(now=MORNING + 500 * ONE_DAY)
    sale = sell(world, answer)
    world.gone = [world.sales.pop(sale.id)]
    far = DAY + 500 * ONE_DAY
    world.deliver(far, bill(sale, **changes))
    body = only(settle(world, far))
    assert ([one["kind"] for one in body["discrepancies"]], body["healed"], world.topic[1:]) == (kinds, [], [])
    assert {paper_id[:15] for paper_id in world.days} == {f"live-{far}"}  # the day of the retired sale is not taken up


def test_names_that_are_not_taken_are_told_twenty_at_most_with_how_many_there_are(caplog):
    world = world_at(MORNING)
    world.deliver(DAY, bill(sell(world)))
    names = [f"FULCRUM.MERCHANT.ACME.RECON.202605012300{number:02d}.TXT" for number in range(25)]
    world.shelf.files.update(dict.fromkeys(names, b""))
    settled = settle(world, DAY)
    assert ([one.name for one in settled.not_taken], settled.more_not_taken) == (names, 0)
    (line,) = [line for line in caplog.records if line.message == "settlement files not taken"]
    reason = settled.not_taken[0].reason
    assert line.fields == {"count": 25, "files": [f"{name}: {reason}" for name in names[:20]]}


# What a file of another day bills


def test_a_day_whose_sale_a_later_file_bills_remembers_that_files_day_and_is_told_missing_only_where_it_is(caplog):
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
def test_later_files_of_four_weeks_are_looked_through_before_silence_ends_a_sale(after, state):
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


def test_a_day_that_was_never_settled_remembers_each_file_that_bills_a_sale_of_it_and_is_not_settled():
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


def test_a_day_that_was_settled_without_it_is_settled_again_and_one_that_is_refused_then_or_cannot_be_read_stops_nothing():
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


def test_any_file_among_the_days_that_are_wanted_is_looked_at_and_each_day_is_asked_for_once():
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
def test_a_day_is_refused_for_its_own_file_or_for_another_in_whose_place_one_was_believed(of, foreign, believed, is_refused):
    refusal = Refusal("f", "m", "broken", foreign=foreign)
    runs = Runs(files={NEXT.isoformat(): "g/m"} if believed else {})
    if not is_refused:
        assert _check(DAY, of, refusal, runs) is None
        return
    with pytest.raises(StatementRefused) as refused:
        _check(DAY, of, refusal, runs)
    assert (refused.value.day, refused.value.refusal) == (of, refusal)


def test_nothing_is_told_of_names_where_all_are_taken_and_nothing_left_out_where_all_is_asked(caplog):
    assert _not_taken({}) == _not_taken(FoundFiles()) == ((), 0) and caplog.records == []
    found = FoundFiles()
    found.not_taken, found.more_not_taken = (NotTaken("a", "b"),), 7
    assert _not_taken(found) == ((NotTaken("a", "b"),), 7) and caplog.records[0].fields["count"] == 8
    known = evidence()
    assert _left_out(known) == {}
    known.not_asked = 3
    assert _left_out(known) == {"lookUps": 3}
