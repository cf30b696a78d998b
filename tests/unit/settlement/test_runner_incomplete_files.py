"""Files that are not whole, or cannot be read, prove no absence."""

import pytest
from msgspec import structs

from shared.domain.outcome import Reason, Rejected
from shared.domain.transaction import EventName, State
from shared.domain.unread import Unread
from shared.ports.documents import DocumentKind
from shared.settlement.matching import ONE_DAY
from tests.archive import bill
from tests.unit.settlement.two_days import DAY, NEXT, Two, is_settled_for_good, opened, sell, settle, state


def test_whole_files_alone_end_a_doubt_that_never_vended(two):
    two.world.deliver(DAY, bill(two.first), bill(two.second))
    two.deliver_next()
    settle(two.world)
    assert state(two.world, two.doubt) is State.REJECTED
    assert is_settled_for_good(two.world)


def test_a_day_in_two_parts_whose_last_lacks_a_sale_and_the_doubt_rejects_nothing(two):
    world = two.world
    world.deliver(DAY, bill(two.first), bill(two.doubt), stamp="20260502050000")
    world.deliver(DAY, bill(two.second), stamp="20260502050100")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and world.sales[two.doubt.id].sign_of_vend
    assert opened(world) == {("2026-05-01", "missing_at_supplier"), ("2026-05-01", "lines_withdrawn")}
    (found,) = [one for one in world.discrepancies if one["kind"] == "lines_withdrawn"]
    assert (found["severity"], found["theirs"]) == ("critical", {"rows": 2, "amountCents": 15_100})
    assert is_settled_for_good(world)


@pytest.mark.parametrize("closed", ["missing_at_supplier", "lines_withdrawn"])
def test_no_closure_lets_absence_count_again_and_a_file_with_every_line_does(two, closed):
    world = two.world
    stranger = bill(two.first, "cccccccc-0000-4000-8000-000000000001", merchant_id="", amount="900")
    world.deliver(DAY, bill(two.first), bill(two.second), stranger, stamp="20260502050000")
    world.deliver(DAY, bill(two.second), stamp="20260502050100")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT
    (found,) = [one for one in world.discrepancies if one["kind"] == closed]
    close(world, found)
    settle(world, DAY)
    assert state(world, two.doubt) is State.IN_DOUBT
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050200")  # without the stranger's line
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT
    world.deliver(DAY, bill(two.first), bill(two.second), stranger, stamp="20260502050300")
    settle(world)
    assert state(world, two.doubt) is State.REJECTED and opened(world) == {("2026-05-01", "missing_here")}
    assert is_settled_for_good(world)


def close(world, found, decision="accepted"):
    key = DocumentKind.DISCREPANCIES, f"live-{found['id']}"
    closure = {"decision": decision, "note": "known", "by": "ann@example.com", "at": "2026-05-04T08:00:00Z"}
    world.papers[key] = structs.replace(world.papers[key], body={**found, "status": decision, "closure": closure}, mark=None, revision="c")


def test_an_earlier_part_that_comes_after_the_last_one_is_news(two):
    world = two.world
    world.deliver(DAY, bill(two.second), stamp="20260502050100")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and not world.sales[two.doubt.id].sign_of_vend
    world.deliver(DAY, bill(two.first), bill(two.doubt), stamp="20260502050000")
    settle(world)
    assert world.sales[two.doubt.id].sign_of_vend and ("2026-05-01", "lines_withdrawn") in opened(world)


@pytest.mark.parametrize("earlier", [1, 2])
def test_earlier_files_that_bill_a_sale_called_rejected_contradict_its_end_once(two, earlier):
    world = two.world
    refused = sell(world, Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"), cents=40_000)
    for at in range(earlier):
        world.deliver(DAY, bill(two.first), bill(refused), bill(two.second, units=str(at)), stamp=f"2026050205000{at}")
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050100")
    two.deliver_next()
    for _ in range(2):
        settle(world, DAY)
    assert opened(world) == {("2026-05-01", "vended_after_rejection"), ("2026-05-01", "lines_withdrawn")}
    assert len(world.discrepancies) == 2
    assert [event for sale_id, event, _ in world.topic if sale_id == refused.id].count(EventName.CONTRADICTED) == 1


def test_a_document_of_the_day_whose_lists_were_cut_proves_no_absence(two):
    world = two.world
    strangers = [bill(two.first, f"cccccccc-0000-4000-8000-{at:012d}", merchant_id="", amount=str(at)) for at in range(1, 1_003)]
    world.deliver(DAY, bill(two.first), bill(two.second), *strangers)
    two.deliver_next()
    settle(world)
    assert "leftOut" in world.days["live-2026-05-01"] and state(world, two.doubt) is State.IN_DOUBT
    world.deliver(DAY, bill(two.first), bill(two.second))  # in place: nobody knows any more what all those lines were
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT


def test_an_earlier_file_that_cannot_be_read_may_say_anything_so_no_absence_counts(two):
    world = two.world
    first = world.deliver(DAY, bill(two.first), stamp="20260502050000")
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050100")
    two.deliver_next()
    world.shelf.unreadable = {first: 20}
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and opened(world) == set()
    world.shelf.unreadable = {}
    settle(world, DAY)
    assert state(world, two.doubt) is State.REJECTED


@pytest.mark.parametrize("is_named_on_its_day", [False, True])
def test_a_file_with_an_unreadable_header_may_be_of_any_day_its_name_allows(is_named_on_its_day):
    two = Two(days=4)
    world, named = two.world, 0 if is_named_on_its_day else 1
    for day, lines in ((DAY, (bill(two.first), bill(two.second))), (NEXT, (bill(two.control),))):
        world.deliver(day, *lines, stamp=f"{day + named * ONE_DAY:%Y%m%d}050000")
    other = NEXT + ONE_DAY if is_named_on_its_day else DAY - ONE_DAY  # as the files beside it are named, and no day of the doubt's
    hidden = world.deliver(other, stamp=f"{other + named * ONE_DAY:%Y%m%d}040000")
    world.shelf.unreadable = {hidden: 0}
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and opened(world) == set()
    world.shelf.unreadable = {}
    settle(world)
    assert state(world, two.doubt) is State.REJECTED and opened(world) == set()


@pytest.mark.parametrize("is_there_one_more", [False, True])
def test_an_earlier_file_is_read_once_readable_and_its_extra_lines_are_reported(two, is_there_one_more):
    world = two.world
    if is_there_one_more:
        world.deliver(DAY, bill(two.first), stamp="20260502045900")
    first = world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050000")
    world.deliver(DAY, bill(two.first), stamp="20260502050100")
    two.deliver_next()
    world.shelf.unreadable = {first: 20}
    settle(world)
    assert ("2026-05-01", "lines_withdrawn") not in opened(world)
    world.written = 0
    settle(world)
    assert world.written == 0
    world.shelf.unreadable = {}
    settle(world)
    assert ("2026-05-01", "lines_withdrawn") in opened(world)
    settle(world)
    world.written = 0
    settle(world)
    assert world.written == 0


def test_an_unreadable_sale_of_the_day_may_be_unbilled_so_no_absence_counts(two):
    world = two.world
    world.deliver(DAY, bill(two.first), bill(two.second))
    two.deliver_next()
    of_day, hidden = world.of_day, two.control.id

    async def unread(mode, day, shard):
        async for sale in of_day(mode, day, shard):
            yield Unread(id=sale.id) if sale.id == hidden else sale

    world.of_day = unread
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT


def test_a_sale_that_an_earlier_file_of_wrong_count_bills_is_not_rejected_by_absence(two):
    world = two.world
    miscounted = world.deliver(DAY, bill(two.first), bill(two.doubt), bill(two.second), stamp="20260502050000")
    world.shelf.files[miscounted] = world.shelf.files[miscounted].replace(b"T|5", b"T|6")
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502060000")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and opened(world) == set()
    assert world.sales[two.doubt.id].sign_of_vend


def test_an_earlier_file_of_wrong_count_that_does_not_name_the_sale_hinders_nothing(two):
    world = two.world
    miscounted = world.deliver(DAY, bill(two.first), stamp="20260502050000")
    world.shelf.files[miscounted] = world.shelf.files[miscounted].replace(b"T|3", b"T|4")
    world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502060000")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.REJECTED and opened(world) == set()
