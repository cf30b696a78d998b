"""Lines that a later file of the day lacks: counted, reported, and a reason to accept no absence."""

import pytest

from shared.domain.transaction import State
from tests.archive import bill
from tests.unit.settlement.two_days import AFTER, DAY, DOUBT, NEXT, is_settled_for_good, morning, opened, settle, state


def test_lines_of_an_overwritten_file_are_reported_by_its_documents_rows_and_cents(two):
    world = two.world
    lost = bill(two.first, "cccccccc-0000-4000-8000-000000000001", merchant_id="", amount="900")
    world.now = morning(1)
    name = world.deliver(DAY, bill(two.first), bill(two.second), lost)
    settle(world, DAY)
    world.now = morning(2)
    assert world.deliver(DAY, bill(two.first), bill(two.second)) == name
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT
    (found,) = [one for one in world.discrepancies if one["kind"] == "lines_withdrawn"]
    assert (found["status"], found["theirs"]) == ("open", {"rows": 1, "amountCents": 900})
    assert is_settled_for_good(world)
    world.deliver(DAY, bill(two.first), bill(two.second), lost)
    settle(world)
    assert state(world, two.doubt) is State.REJECTED
    assert ("2026-05-01", "lines_withdrawn") not in opened(world)


def test_a_line_swapped_in_place_for_another_of_the_same_amount_is_missed_by_its_id(two):
    world = two.world
    stranger = bill(two.first, "cccccccc-0000-4000-8000-000000000001", merchant_id="", amount=str(DOUBT + 1))
    other = stranger._replace(transaction_id="cccccccc-0000-4000-8000-000000000002")
    world.now = morning(1)
    world.deliver(DAY, bill(two.first), bill(two.second), stranger)
    settle(world, DAY)
    world.now = morning(2)
    world.deliver(DAY, bill(two.first), bill(two.second), other)
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and ("2026-05-01", "lines_withdrawn") in opened(world)


def test_one_swapped_line_in_a_later_file_of_equal_rows_and_cents_is_withdrawn(two):
    world = two.world
    other = bill(two.doubt, "cccccccc-0000-4000-8000-000000000002", merchant_id="", vas_type="Airtime", meter_number="")
    world.deliver(DAY, bill(two.first), bill(two.second), bill(two.doubt), stamp="20260502050000")
    world.deliver(DAY, bill(two.first), bill(two.second), other, stamp="20260502050100")
    two.deliver_next()
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and world.sales[two.doubt.id].sign_of_vend
    assert ("2026-05-01", "lines_withdrawn") in opened(world)


def test_a_corrected_amount_or_recipient_withdraws_no_line_with_or_without_old_bytes(two):
    world = two.world
    two.deliver_next()
    for stamp in ("20260502050000", "20260502050100"):
        wrong = bill(two.first, amount="910000"), bill(two.second, meter_number="99999999999")
        world.deliver(DAY, *wrong, stamp=stamp)
        settle(world)
        assert ("2026-05-01", "amount_differs") in opened(world)
        world.deliver(DAY, bill(two.first), bill(two.second), stamp="20260502050100")
        settle(world)
        assert opened(world) == set()
    assert state(world, two.doubt) is State.REJECTED


@pytest.mark.parametrize("overwritten", [True, False])
def test_a_file_that_bills_less_for_a_sale_than_the_one_before_it_withdraws_no_line(two, overwritten):
    two.deliver_next()
    for wrong in ({}, {"amount": "9000"}):
        stamp = "20260502050000" if overwritten or not wrong else "20260502050100"
        two.world.deliver(DAY, bill(two.first, **wrong), bill(two.second), stamp=stamp)
        settle(two.world)
    assert opened(two.world) == {("2026-05-01", "amount_differs")}


def test_a_lost_negative_line_counts_as_one_line_and_no_cents(two):
    world = two.world
    two.deliver_next()
    world.deliver(DAY, bill(two.first), bill(two.second), bill(two.first, amount="-10000"))
    settle(world)
    world.deliver(DAY, bill(two.first), bill(two.second))
    settle(world)
    (found,) = [one for one in world.discrepancies if one["kind"] == "lines_withdrawn"]
    assert found["theirs"] == {"rows": 1, "amountCents": 0}


def test_lines_withdrawn_from_the_next_days_file_stop_absence_in_either_order(two):
    world = two.world
    world.now = morning(3)
    world.deliver(DAY, bill(two.first), bill(two.second))
    stranger = bill(two.control, "cccccccc-0000-4000-8000-000000000003", merchant_id="", amount="900")
    world.deliver(NEXT, bill(two.control), stranger)
    settle(world, AFTER)  # and so the next day, with it
    world.papers.clear()
    settle(world, NEXT)
    assert state(world, two.doubt) is State.IN_DOUBT
    world.deliver(NEXT, bill(two.control))
    settle(world, DAY)
    assert state(world, two.doubt) is State.IN_DOUBT
    settle(world)
    assert state(world, two.doubt) is State.IN_DOUBT and ("2026-05-02", "lines_withdrawn") in opened(world)
    assert is_settled_for_good(world)


def test_a_next_day_corrected_in_place_without_loss_ends_the_doubt_in_the_same_run(two):
    world = two.world
    world.now = morning(2)
    world.deliver(NEXT, bill(two.control, amount="30001"), stamp="20260503050000")
    settle(world, NEXT)
    world.deliver(DAY, bill(two.first), bill(two.second))
    world.deliver(NEXT, bill(two.control), stamp="20260503050000")
    settle(world, DAY)
    assert state(world, two.doubt) is State.REJECTED
    assert is_settled_for_good(world)
