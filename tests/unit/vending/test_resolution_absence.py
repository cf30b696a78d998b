""" "Does not exist" ends a doubt only when the supplier answers so twice, after the minimum age, beside a control."""

import pytest
from msgspec import structs

from shared.domain.outcome import NoAnswer, Unknown, Vended
from shared.domain.transaction import State
from tests.step_driver import World, electricity, run
from tests.unit.vending.doubts import AGE, LOST, MINUTE, SIGN, control_sale, lost_reply, never_vended, sweep_at, swept


def test_a_second_old_does_not_exist_beside_a_control_rejects_a_sale():
    world = World()
    control_sale(world)
    sale = never_vended(world)
    sweep_at(world, AGE)
    assert world.sales[sale.id].state is State.IN_DOUBT
    sweep_at(world, MINUTE)
    assert world.sales[sale.id].state is State.REJECTED


def test_does_not_exist_is_not_believed_before_the_minimum_age():
    world = World()
    control_sale(world)
    sale = never_vended(world)
    for _ in range(14):
        sweep_at(world, MINUTE)
    assert world.sales[sale.id].not_found_at is None and world.sales[sale.id].state is State.IN_DOUBT


def test_does_not_exist_is_not_believed_when_said_once():
    world = World()
    control_sale(world)
    sale = never_vended(world)
    sweep_at(world, AGE, 0, 1, MINUTE - 2)
    assert world.sales[sale.id].state is State.IN_DOUBT


def test_does_not_exist_proves_nothing_without_a_control():
    world = World()
    sale = never_vended(world)
    sweep_at(world, AGE, *[2 * 3600] * 5)
    assert world.sales[sale.id].state is State.IN_DOUBT


def test_a_reprint_that_knows_nothing_proves_nothing():
    world = World()
    control_sale(world)
    sale = lost_reply(world)
    world.reprint_knows = False
    sweep_at(world, AGE, *[2 * 3600] * 5)
    assert world.sales[sale.id].state is State.IN_DOUBT


def test_does_not_exist_never_stands_against_a_sign_of_a_vend():
    world = World()
    control_sale(world)
    sale = never_vended(world, outcome=SIGN)
    sweep_at(world, AGE, *[2 * 3600] * 5)
    assert world.sales[sale.id].state is State.IN_DOUBT


@pytest.mark.parametrize("cause", ["1012", "429", "401", "timeout"])
def test_no_answer_is_no_evidence(cause):
    world = World()
    control_sale(world)
    sale = never_vended(world)
    world.reprints = [NoAnswer(cause)] * 20
    sweep_at(world, AGE, *[2 * 3600] * 5)
    assert world.sales[sale.id].state is State.IN_DOUBT and world.sales[sale.id].not_found_at is None


def test_a_later_stored_send_end_restarts_the_count_of_does_not_exist():
    world = World()
    control_sale(world)
    world.answers = [LOST]
    selling = world.vending.purchase(electricity(allow_duplicate=True))
    while selling.send(None) != "after vend":
        pass
    world.vends.pop()  # never made
    sweep_at(world, 240, AGE)
    (sale_id,) = (sale.id for sale in world.sales.values() if sale.not_found_at == world.now)
    run(selling)  # its send ends only now
    sweep_at(world, MINUTE)
    assert world.sales[sale_id].state is State.IN_DOUBT
    sweep_at(world, AGE)
    assert world.sales[sale_id].state is State.IN_DOUBT
    sweep_at(world, MINUTE)
    assert world.sales[sale_id].state is State.REJECTED


def test_a_late_indication_of_a_vend_undoes_a_first_does_not_exist():
    world = World()
    control_sale(world)
    sale = never_vended(world)
    sweep_at(world, AGE)
    assert world.sales[sale.id].not_found_at is not None
    world.sales[sale.id] = structs.replace(world.sales[sale.id], sign_of_vend=True)
    sweep_at(world, MINUTE)
    assert world.sales[sale.id].state is State.IN_DOUBT


def test_a_mismatched_vend_under_our_request_id_forbids_a_rejection():
    world = World()
    control_sale(world)
    sale = never_vended(world)
    world.reprints = [Unknown("another sale: its amount differs", sign_of_vend=True)]
    swept(world)
    assert world.sales[sale.id].history[-1].what == "sign of a vend"
    sweep_at(world, AGE, *[2 * 3600] * 5)
    assert world.sales[sale.id].state is State.IN_DOUBT


def test_a_vend_that_another_sale_holds_forbids_a_rejection_too():
    world = World()
    other = control_sale(world)
    sale = never_vended(world)
    world.reprints = [Vended(other.receipt)]
    swept(world)
    sweep_at(world, AGE, *[2 * 3600] * 5)
    assert world.sales[sale.id].state is State.IN_DOUBT and world.sales[sale.id].sign_of_vend


def test_a_young_doubt_is_not_believed_absent_beside_an_old_one():
    world = World()
    control_sale(world)
    old = never_vended(world)
    world.wait(AGE)
    young = never_vended(world, "key-2")
    swept(world)
    assert world.sales[old.id].not_found_at == world.now
    assert world.sales[young.id].not_found_at is None
