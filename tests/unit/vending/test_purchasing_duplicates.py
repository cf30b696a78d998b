"""Two purchases that look the same: at most one vends, unless the caller wants a duplicate."""

import itertools
from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.identifiers import Caller, account_key, transaction_id
from shared.domain.outcome import Reason, Receipt, TokensDue, Unknown, Vended
from shared.domain.transaction import State
from shared.domain.vas import Mode
from shared.ports.documents import UnreadableRecord
from shared.ports.transactions import MAX_ALIKE
from tests.step_driver import CALLER, World, boundaries, electricity, run
from tests.unit.vending.purchases import bought, by_prevend, confirmed


def test_a_missing_sale_that_the_index_names_blocks_a_second_one(monkeypatch):
    world = World()

    async def find_open(_):
        return ["gone"]

    monkeypatch.setattr(world, "find_open", find_open)
    refused = bought(world, electricity()).transaction
    assert (refused.outcome.reason, refused.outcome.other_transaction_id) == (Reason.POSSIBLE_DUPLICATE, "gone")


def test_a_second_tap_while_the_first_one_prevends_is_a_duplicate():
    world = World(answers=[Unknown("lost")])
    second = world.vending.purchase(electricity("key-2"))
    while second.send(None) != "before prevend":
        pass
    bought(world, electricity("key-1"))
    refused = run(second).transaction
    assert refused.outcome.reason is Reason.POSSIBLE_DUPLICATE and len(world.vends) == 1


def test_of_two_taps_under_two_keys_one_vends_at_every_interleaving():
    def taps():
        world = World(answers=[Unknown("lost"), Unknown("lost")])
        return world, [world.vending.purchase(electricity(key)) for key in ("key-1", "key-2")]

    world, (only, other) = taps()
    other.close()
    steps = len(boundaries(lambda: only))
    for pauses in itertools.product(range(steps), range(steps)):
        world, both = taps()
        told = {}
        for tap, pause in zip(both, pauses, strict=True):
            try:
                for _ in range(pause + 1):
                    tap.send(None)
            except StopIteration as ended:
                told[tap] = ended.value
        ends = [(told.get(tap) or run(tap)).transaction for tap in both]
        assert len(world.vends) == 1, pauses
        assert sorted(sale.state for sale in ends) == [State.IN_DOUBT, State.REJECTED], pauses
        sold, refused = sorted(ends, key=lambda sale: sale.state)
        assert refused.outcome.reason is Reason.POSSIBLE_DUPLICATE and refused.outcome.other_transaction_id == sold.id, pauses


def test_of_any_number_of_concurrent_taps_at_most_one_vends():
    world = World(answers=[Unknown("lost")] * 20)
    taps = [world.vending.purchase(electricity(f"key-{number}")) for number in range(15)]
    for tap in taps:
        while tap.send(None) != "after create":
            pass
    ends = [run(tap).transaction for tap in taps]
    assert len(world.vends) <= 1
    assert all(sale.state is State.IN_DOUBT or sale.outcome.reason is Reason.POSSIBLE_DUPLICATE for sale in ends)


def test_a_sale_that_may_be_a_duplicate_is_never_sent():
    world = World(store_faults={"find_open": ["refused"]})
    refused = bought(world, electricity()).transaction
    assert (refused.state, refused.outcome.reason) == (State.REJECTED, Reason.TEMPORARILY_UNAVAILABLE)
    assert world.store_calls[2] == "find_open" and not world.vends and not world.noticed
    assert [(entry.what, entry.by) for entry in refused.history] == [("rejected", "us")]


def test_a_refused_duplicate_leaves_its_prevend_unused():
    world = World(answers=[Unknown("lost")])
    bought(world, electricity())
    prevend = confirmed(world)
    assert bought(world, by_prevend(prevend, "key-2")).transaction.outcome.reason is Reason.POSSIBLE_DUPLICATE
    wanted = structs.replace(by_prevend(prevend, "key-3"), allow_duplicate=True)
    assert bought(world, wanted).transaction.state is State.VENDED


def test_an_open_sale_blocks_its_like_unless_a_duplicate_is_allowed():
    world = World(answers=[Unknown("ReadTimeout")])
    doubtful = bought(world, electricity()).transaction
    refused = bought(world, electricity("key-2")).transaction
    assert refused.outcome.reason is Reason.POSSIBLE_DUPLICATE and refused.outcome.other_transaction_id == doubtful.id
    assert bought(world, electricity("key-3", allow_duplicate=True)).transaction.state is State.VENDED
    assert bought(world, electricity("key-4", cents=10_100)).transaction.state is State.VENDED
    assert bought(world, electricity("key-5", caller=Caller("i", "other"))).transaction.state is State.VENDED


def ended_unannounced(world, key="key-1"):
    """A vended sale whose announcement the topic refused."""
    world.topic_down = True
    sale = bought(world, electricity(key, allow_duplicate=True)).transaction
    assert sale.state is State.VENDED and sale.unannounced and sale.open is not None
    return sale


def as_older_code_kept(world, sale):
    """The sale in the guard's index, in which older code left it until it was announced."""
    account = account_key(sale.mode, sale.caller, sale.order)
    world.sales[sale.id] = structs.replace(sale, open=structs.replace(sale.open, account=account))


@pytest.mark.parametrize("kept", [lambda world, sale: None, as_older_code_kept], ids=["by this code", "by older code"])
def test_a_sale_with_only_a_pending_event_blocks_no_other(kept):
    world = World()
    prevend = confirmed(world)
    kept(world, ended_unannounced(world))
    assert bought(world, electricity("key-2")).transaction.state is State.VENDED
    assert bought(world, by_prevend(prevend, "key-3")).transaction.state is State.VENDED


def test_a_sale_with_a_pending_token_blocks_another():
    world = World(answers=[Vended(Receipt(supplier_transaction_id="supplier-1", tokens_due=TokensDue.PENDING))], topic_down=True)
    first = bought(world, electricity()).transaction
    refused = bought(world, electricity("key-2")).transaction
    assert (refused.outcome.reason, refused.outcome.other_transaction_id) == (Reason.POSSIBLE_DUPLICATE, first.id)


def test_an_unfinished_sale_is_found_behind_ended_ones():
    world = World()
    for number in range(MAX_ALIKE - 2):
        as_older_code_kept(world, ended_unannounced(world, f"old-{number}"))
    world.answers = [Unknown("lost")]
    doubtful = bought(world, electricity("key-1")).transaction
    refused = bought(world, electricity("key-2")).transaction
    assert (refused.outcome.reason, refused.outcome.other_transaction_id) == (Reason.POSSIBLE_DUPLICATE, doubtful.id)


def test_with_more_candidates_than_are_read_no_sale_is_sent():
    world = World()
    for number in range(MAX_ALIKE):
        as_older_code_kept(world, ended_unannounced(world, f"old-{number}"))
    sold = len(world.vends)
    assert bought(world, electricity("key-1")).transaction.outcome.reason is Reason.POSSIBLE_DUPLICATE
    assert len(world.vends) == sold


def test_the_sweep_clears_older_codes_index_while_the_topic_fails():
    world = World()
    for number in range(MAX_ALIKE):
        as_older_code_kept(world, ended_unannounced(world, f"old-{number}"))
    world.wait(61)
    run(world.sweeping.sweep(world.now + timedelta(hours=1)))
    assert not any(sale.open.account for sale in world.sales.values())
    assert bought(world, electricity("key-1")).transaction.state is State.VENDED


def test_newer_codes_sale_blocks_another(monkeypatch):
    world = World(answers=[Unknown("lost")])
    doubtful = bought(world, electricity()).transaction
    find = world.find

    async def unreadable(sale_id):
        if sale_id == doubtful.id:
            raise UnreadableRecord("a field that is not known")
        return await find(sale_id)

    monkeypatch.setattr(world, "find", unreadable)
    refused = bought(world, electricity("key-2")).transaction
    assert (refused.outcome.reason, refused.outcome.other_transaction_id) == (Reason.POSSIBLE_DUPLICATE, doubtful.id)


def test_with_more_candidates_than_are_read_the_first_is_refused_too():
    keys = sorted((f"key-{number}" for number in range(60)), key=lambda key: transaction_id(Mode.LIVE, CALLER, key))
    elder, own, *others = keys[-1], *keys[:MAX_ALIKE]  # the store reads the first by id, and the elder is not among them
    world = World(answers=[Unknown("lost")] * (MAX_ALIKE + 1))
    first = bought(world, electricity(elder)).transaction
    tap = world.vending.purchase(electricity(own))
    while tap.send(None) != "after create":
        pass
    for key in others:
        bought(world, electricity(key, allow_duplicate=True))
    assert len(others) == MAX_ALIKE - 1 and first.open is not None
    refused = run(tap).transaction
    assert refused.state is State.REJECTED and refused.outcome.reason is Reason.POSSIBLE_DUPLICATE
    assert refused.outcome.other_transaction_id in {transaction_id(Mode.LIVE, CALLER, key) for key in others}
    assert refused.request_id not in world.vends


def test_a_first_tap_is_sold_for_any_later_taps_up_to_the_bound():
    world = World()
    tap = world.vending.purchase(electricity("first"))
    while tap.send(None) != "after create":
        pass
    for number in range(MAX_ALIKE - 2):
        world.answers.append(Unknown("lost"))
        bought(world, electricity(f"key-{number}", allow_duplicate=True))
    assert run(tap).transaction.state is State.VENDED
