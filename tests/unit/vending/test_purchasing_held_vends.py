"""A vend whose supplier id another sale holds is a doubt, never a sale."""

from shared.domain.outcome import Unknown
from shared.domain.transaction import EventName, State
from shared.vending.purchasing import NOT_LOOKED_UP
from tests.step_driver import World, delivered, electricity, run
from tests.unit.vending.purchases import STORE_TRIES, bought


def two_customers_one_vend():
    """A first sale, delivered, and a second one that is answered with the first one's vend."""
    world = World()
    first = bought(world, electricity("first")).transaction
    world.answers = [delivered(first.request_id)]
    second = run(world.vending.purchase(electricity("second", cents=5_000))).transaction
    return world, first, second


def test_a_vend_that_another_sale_holds_is_a_doubt_at_the_sale_and_on_a_persons_list(caplog):
    world, first, second = two_customers_one_vend()
    assert (first.state, second.state, second.sign_of_vend) == (State.VENDED, State.IN_DOUBT, True)
    assert second.receipt is None and [entry.what for entry in second.history] == ["in_doubt", "contradicted"]
    assert [record.message for record in caplog.records].count("vend claimed twice") == 1
    assert [event for sale_id, event, _ in world.topic if sale_id == second.id] == [EventName.CONTRADICTED, EventName.IN_DOUBT]
    (paper,) = world.papers.values()
    assert (paper.body["kind"], paper.body["transactionId"]) == ("claimed_twice", second.id)
    assert isinstance(world.noticed[-1], Unknown)


def test_a_doubt_over_anothers_vend_ends_by_reprint_and_not_by_absence(caplog):
    world, first, second = two_customers_one_vend()
    world.reprints = [delivered(first.request_id)]
    world.wait(3600)
    run(world.sweeping.sweep(world.now))
    assert world.sales[second.id].state is State.IN_DOUBT and len(world.papers) == 1
    assert [record.message for record in caplog.records].count("vend claimed twice") == 1
    world.reprint_knows = False
    for _ in range(3):
        world.wait(7200)
        run(world.sweeping.sweep(world.now))
    assert world.sales[second.id].state is State.IN_DOUBT
    world.reprint_knows = True
    world.wait(7200)
    run(world.sweeping.sweep(world.now))
    ended = world.sales[second.id]
    assert ended.state is State.VENDED and ended.receipt.supplier_transaction_id == f"supplier-{second.request_id}"


def test_the_look_up_of_a_vends_holder_is_retried():
    world = World(store_faults={"lookup": ["refused", "reply lost"]})
    assert bought(world, electricity()).transaction.state is State.VENDED
    assert world.store_calls == ["find", "create", "find_open", *["lookup"] * STORE_TRIES, "advance", "advance"]


def test_a_vend_without_a_known_holder_is_a_doubt_until_its_reprint():
    world = World(store_faults={"lookup": ["refused"] * STORE_TRIES})
    sale = bought(world, electricity()).transaction
    assert (sale.state, sale.sign_of_vend, sale.outcome) == (State.IN_DOUBT, True, Unknown(NOT_LOOKED_UP, sign_of_vend=True))
    world.wait(60)
    run(world.sweeping.sweep(world.now))
    assert world.sales[sale.id].state is State.VENDED


def test_a_sale_that_the_sweep_has_ended_meanwhile_does_not_stand_in_its_own_way():
    world = World()
    slow = world.vending.purchase(electricity())
    while slow.send(None) != "after vend":
        pass
    (sale,) = world.sales.values()
    world.wait(300)
    run(world.sweeping.sweep(world.now))
    assert world.sales[sale.id].state is State.VENDED
    assert run(slow).transaction.state is State.VENDED and not world.papers
