"""A purchase over a store that fails: no second vend, no false rejection, and every outcome is stored in the end."""

import contextlib
from itertools import repeat

import pytest

from shared.domain.transaction import State
from shared.ports.documents import Conflict, StoreUnavailable
from shared.vending.purchase import RequestInProgress
from tests.logged import logged
from tests.step_driver import START, World, electricity, nth, run
from tests.unit.vending.purchases import STORE_TRIES, bought, by_prevend, confirmed


@pytest.mark.parametrize("fault", ["refused", "reply lost"])
def test_no_failing_store_call_causes_a_second_vend_or_a_false_rejection(fault):
    calls = World()
    bought(calls, electricity())
    for number, name in enumerate(calls.store_calls):
        earlier = calls.store_calls[:number].count(name)
        failing = (name, earlier)
        world = World(store_faults={name: nth(earlier, fault)})
        try:
            bought(world, electricity())
        except StoreUnavailable:
            assert not world.vends, (failing, "a 503 comes only before anything was sent")
        for wait in (0, 300):
            world.wait(wait)
            with contextlib.suppress(RequestInProgress):
                bought(world, electricity())
        (sale,) = world.sales.values()
        assert len(world.vends) <= 1, failing
        assert sale.state is not State.REJECTED or (not world.vends and name == "find_open"), failing
        assert sale.state is not State.IN_DOUBT or sale.open is not None, failing


def test_a_claim_whose_reply_was_lost_recognises_its_own_write():
    world = World(store_faults={"create": ["reply lost"]})
    assert bought(world, electricity()).transaction.state is State.VENDED
    assert world.store_calls[:3] == ["find", "create", "find"]


def test_an_outcome_whose_record_was_refused_twice_is_still_kept():
    world = World(store_faults={"advance": ["refused"] * (STORE_TRIES - 1)})
    assert bought(world, electricity()).transaction.state is State.VENDED


def test_an_outcome_is_tried_to_be_kept_for_as_long_as_the_function_has_time():
    world = World(store_faults={"advance": ["refused"] * 9}, fault_seconds=10)
    assert bought(world, electricity()).transaction.state is State.VENDED

    world = World(store_faults={"advance": repeat("refused")}, fault_seconds=10)
    assert not bought(world, electricity()).on_record
    assert world.now - START == world.rules.latest_record


def test_a_store_that_refuses_at_once_is_not_asked_for_ever():
    world = World(store_faults={"advance": repeat("refused")})
    assert not bought(world, electricity()).on_record
    assert world.store_calls.count("advance") == STORE_TRIES


def test_an_outcome_survives_a_read_that_fails_behind_a_conflict():
    world = World(store_faults={"advance": ["reply lost"], "find": nth(1, "refused")})
    assert bought(world, electricity()).transaction.state is State.VENDED
    assert world.store_calls[4:8] == ["advance", "advance", "find", "find"]


def test_an_outcome_that_cannot_be_stored_is_not_told():
    world = World(store_faults={"advance": repeat("refused")})
    told = bought(world, electricity())
    assert not told.on_record and told.transaction.state is State.VENDING and told.transaction.receipt is None
    world.store_faults.clear()
    with pytest.raises(RequestInProgress):
        bought(world, electricity())
    world.wait(240)
    assert bought(world, electricity()).transaction.is_abandoned(world.now)
    assert len(world.vends) == 1


@pytest.mark.parametrize("named", [False, True])
def test_a_conflict_with_what_cannot_be_found_is_a_store_that_is_away(named):
    world = World()
    request = by_prevend(confirmed(world)) if named else electricity()

    async def overtaken(*_):
        world.prevends.clear()
        raise Conflict

    world.create = overtaken
    with pytest.raises(StoreUnavailable):
        bought(world, request)
    assert not world.vends and not world.sales


def test_an_unstored_outcome_is_logged_and_not_counted_by_the_breaker(caplog):
    world = World()
    selling = world.vending.purchase(electricity())
    while selling.send(None) != "after vend":
        pass

    async def away(*_):
        raise StoreUnavailable("away")

    world.advance = away
    told = run(selling)
    assert not told.on_record and world.noticed == []
    assert logged(caplog) == [("CRITICAL", "outcome not stored", {"transaction_id": told.transaction.id, "outcome": "Vended"})]
