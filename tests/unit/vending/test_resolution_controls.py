"""A control is a reprint of a sale that vended: which sale is one, when a sweep asks for one, and what one proves."""

from datetime import timedelta

from shared.domain.outcome import NoAnswer, NoSuchTransaction
from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.ports.documents import StoreUnavailable
from tests.step_driver import World, delivered, electricity, run
from tests.unit.vending.doubts import AGE, GUID, MINUTE, SIGN, control_sale, lost_reply, never_vended, sweep_at, swept, under


def test_a_sweep_asks_for_one_control_of_a_service():
    world = World()
    control = control_sale(world)
    for number in range(4):
        never_vended(world, f"key-{number}")
    world.asked_again.clear()
    sweep_at(world, AGE)
    assert world.asked_again.count(control.id) == 1


def test_a_control_that_finds_another_sale_is_no_control():
    world = World()
    control = control_sale(world)
    sale = never_vended(world)
    foreign = delivered("99999999-0000-4000-8000-000000000000")
    for _ in range(4):
        world.wait(AGE)
        world.reprints = [foreign, NoSuchTransaction()]  # the control is asked first
        swept(world)
    assert world.asked_again.count(control.id) >= 2
    assert world.sales[sale.id].not_found_at is None and world.sales[sale.id].state is State.IN_DOUBT


def test_a_control_with_its_guid_in_capitals_is_the_control():
    world = World(answers=[under(GUID, delivered("00000001"))])
    control_sale(world)
    sale = never_vended(world)
    for _ in range(2):
        world.wait(AGE)
        world.reprints = [under(GUID.upper(), delivered("00000001")), NoSuchTransaction()]  # the control is asked first
        swept(world)
    assert world.sales[sale.id].state is State.REJECTED


def test_no_control_runs_if_does_not_exist_could_end_no_sale():
    world = World()
    control = control_sale(world)
    lost_reply(world)
    never_vended(world, "key-2", outcome=SIGN)
    world.asked_again.clear()
    sweep_at(world, MINUTE, AGE)
    assert control.id not in world.asked_again


def test_a_store_that_is_away_finds_no_control():
    world = World()
    control_sale(world)
    sale = never_vended(world)

    async def away(*_):
        raise StoreUnavailable("away")

    world.vended_lately = away
    sweep_at(world, AGE, *[2 * 3600] * 5)
    assert world.sales[sale.id].not_found_at is None and world.sales[sale.id].state is State.IN_DOUBT


def test_no_control_is_asked_for_after_the_sweeps_time():
    world = World()
    control_sale(world)
    for seconds, asked, is_control in ((-1, 0, False), (0, 0, False), (1, 1, True)):
        world.asked_again.clear()
        assert run(world.sweeping.resolving.control(VasType.UTILITY, world.now + timedelta(seconds=seconds))) is is_control
        assert len(world.asked_again) == asked


def test_a_control_that_does_not_answer_leaves_it_to_the_next_one():
    world = World()
    for key in ("one", "two"):
        run(world.vending.purchase(electricity(key, allow_duplicate=True)))
    world.reprints = [NoAnswer("HTTP 500")]
    assert run(world.sweeping.resolving.control(VasType.UTILITY, world.now + timedelta(seconds=1)))
    assert len(set(world.asked_again)) == 2
