"""One prevend is bought at most once, by its own caller, before its time is over."""

import pytest
from msgspec import structs

from shared.domain.identifiers import Caller
from shared.domain.outcome import Reason, Rejected
from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.vending.purchase import PrevendRefused, PrevendUnknown
from tests.step_driver import World, boundaries, run
from tests.unit.vending.purchases import bought, by_prevend, confirmed


def test_a_prevend_that_changed_without_being_used_is_refused():
    world = World()
    prevend = confirmed(world)
    selling = world.vending.purchase(by_prevend(prevend))
    while selling.send(None) != "before create":
        pass
    world.prevends[prevend.id] = structs.replace(world.prevends[prevend.id], revision="another")
    refused = run(selling).transaction
    assert (refused.state, refused.outcome.reason, refused.version) == (State.REJECTED, Reason.PREVEND_USED, 1)
    assert not world.vends


def test_a_prevend_is_bought_once():
    world = World()
    prevend = confirmed(world)
    first = bought(world, by_prevend(prevend)).transaction
    assert first.state is State.VENDED and first.supplier_prevend_id == "supplier-prevend"
    second = bought(world, by_prevend(prevend, "key-2")).transaction
    assert second.outcome.reason is Reason.PREVEND_USED and second.outcome.other_transaction_id == first.id
    assert len(world.vends) == 1


def test_two_keys_racing_for_one_prevend_vend_once_at_every_interleaving():
    template = World()
    prevend = confirmed(template)
    steps = len(boundaries(lambda: template.vending.purchase(by_prevend(prevend))))
    for pause in range(steps):
        world = World()
        prevend = confirmed(world)
        first = world.vending.purchase(by_prevend(prevend))
        for _ in range(pause + 1):
            first.send(None)
        results = [run(world.vending.purchase(by_prevend(prevend, "key-2"))).transaction, run(first).transaction]
        assert len(world.vends) == 1 and sorted(sale.state for sale in results) == [State.REJECTED, State.VENDED], pause
        loser = next(sale for sale in results if sale.state is State.REJECTED)
        assert loser.outcome.reason in (Reason.PREVEND_USED, Reason.POSSIBLE_DUPLICATE)


def test_an_expired_prevend_is_refused_on_record():
    world = World()
    prevend = confirmed(world)
    world.wait(900)
    assert bought(world, by_prevend(prevend)).transaction.outcome.reason is Reason.PREVEND_EXPIRED


@pytest.mark.parametrize("change", [{"caller": Caller("i", "other")}, {"vas_type": VasType.BILL_PAYMENT}])
def test_another_callers_or_services_prevend_is_unknown_and_leaves_the_key_free(change):
    world = World()
    prevend = confirmed(world)
    with pytest.raises(PrevendUnknown):
        bought(world, by_prevend(prevend, **change))
    assert not world.sales


def test_a_prevend_that_the_supplier_refuses_is_not_kept():
    world = World(prevend_answer=Rejected(Reason.METER_UNKNOWN, "1016"))
    with pytest.raises(PrevendRefused):
        confirmed(world)
    assert not world.prevends
