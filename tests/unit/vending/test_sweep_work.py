"""A sweep: which work it takes up, in which order and until when, and how crashes and other sweeps leave its work."""

import itertools
from datetime import timedelta

from msgspec import structs

from shared.domain import transaction
from shared.domain.outcome import NoAnswer
from shared.domain.policy import VendingPolicy
from shared.domain.transaction import EventName, State, reindexed
from shared.domain.vas import Mode
from shared.lib.value import new_word
from shared.ports.documents import StoreUnavailable
from shared.ports.transactions import CONTROLS
from shared.vending import sweep
from shared.vending.sweep import Swept
from tests.logged import logged
from tests.step_driver import World, boundaries, electricity, run
from tests.unit.vending.doubts import AGE, MINUTE, control_sale, lost_reply, never_vended, sweep_at, swept


def one_at_a_time(monkeypatch):
    """Sweeps that look at one sale each."""
    monkeypatch.setattr(sweep, "MAX_DUE", 1)
    for module in (sweep, transaction):
        monkeypatch.setattr(module, "SHARDS", 1)


def test_tries_grow_apart_up_to_an_hour_and_never_stop():
    world = World()
    sale = never_vended(world)
    tries = []
    for _ in range(60 * 24):
        before = len(world.asked_again)
        sweep_at(world, MINUTE)
        if len(world.asked_again) > before:
            tries.append(int((world.now - sale.created_at).total_seconds()) // MINUTE)
    gaps = [after - before for before, after in itertools.pairwise(tries)]
    assert tries[0] == 1 and gaps[-3:] == [60, 60, 60] and len(tries) > 20


def test_after_one_does_not_exist_a_doubt_is_due_soon_then_ever_later():
    world = World()
    control = control_sale(world)
    sale = never_vended(world)
    sweep_at(world, AGE)
    assert world.sales[sale.id].not_found_at == world.now
    del world.sales[control.id]  # no control answers any more
    tries = []
    for minute in range(1, 60 * 24):
        before = len(world.asked_again)
        sweep_at(world, MINUTE)
        if len(world.asked_again) > before:
            tries.append(minute)
    gaps = [after - before for before, after in itertools.pairwise(tries)]
    assert tries[0] == 1 and gaps[-3:] == [60, 60, 60] and len(tries) < 40
    control_sale(world)
    sweep_at(world, 3600)
    assert world.sales[sale.id].state is State.REJECTED


def test_an_old_doubt_goes_to_review_once_and_is_still_attempted():
    world = World(rules=VendingPolicy(mode=Mode.LIVE, review_after_seconds=7200))
    sale = lost_reply(world)
    world.reprint_knows = False
    sweep_at(world, *[3600] * 6)
    assert [event for _, event, _ in world.topic].count(EventName.NEEDS_REVIEW) == 1
    world.reprint_knows = True
    sweep_at(world, 3600)
    assert world.sales[sale.id].state is State.VENDED


def test_the_sweep_publishes_pending_events():
    world = World(topic_down=True)
    sale = run(world.vending.purchase(electricity())).transaction
    world.topic_down = False
    world.wait(MINUTE)
    assert swept(world).announced == 1
    assert world.topic == [(sale.id, EventName.VENDED, State.VENDED)] and world.sales[sale.id].open is None
    assert world.asked_again == []  # it has ended: nobody asks the supplier about it


def test_a_late_sweep_begins_one_batch_and_counts_the_rest():
    world = World()
    for number in range(16 + 5):
        lost_reply(world, f"key-{number}")
    result = run(world.sweeping.sweep(world.now))
    assert (result.vended, result.left) == (16, 5)
    assert swept(world).vended == 5


def test_a_failing_topic_delays_no_doubt(monkeypatch):
    one_at_a_time(monkeypatch)
    world = World(topic_down=True)
    for number in range(4):
        run(world.vending.purchase(electricity(f"sold-{number}", cents=5000 + number)))
    doubt = never_vended(world)
    for _ in range(12):
        sweep_at(world, MINUTE)
    assert world.asked_again.count(doubt.id) >= 2

    world.topic_down = False
    for _ in range(12):
        sweep_at(world, MINUTE)
    assert [event for _, event, _ in world.topic].count(EventName.VENDED) == 4


def test_a_sale_whose_announcement_fails_is_written_once_and_due_later():
    world = World(topic_down=True)
    sale = run(world.vending.purchase(electricity())).transaction
    assert world.store_calls.count("advance") == 1  # its outcome: a customer does not wait for the topic's sake
    sweep_at(world, MINUTE)
    assert world.store_calls.count("advance") == 2
    assert world.sales[sale.id].open.due_at == world.now + timedelta(seconds=MINUTE)


def test_a_sweep_says_that_there_is_more_than_it_has_looked_at(monkeypatch):
    one_at_a_time(monkeypatch)
    world = World()
    for number in range(3):
        never_vended(world, f"key-{number}")
    assert (result := swept(world)).examined == 1
    assert result.left == 1
    alone = World()
    never_vended(alone)
    assert ((result := swept(alone)).examined, result.left) == (1, 0)


def test_a_sweep_looks_at_a_hundred_sales_of_a_shard_and_says_that_there_are_more(monkeypatch):
    for module in (sweep, transaction):
        monkeypatch.setattr(module, "SHARDS", 1)
    world = World()
    for number in range(101):
        lost_reply(world, f"key-{number}")
    assert ((result := swept(world)).examined, result.left) == (100, 1)
    assert ((result := swept(world)).examined, result.left) == (1, 0)


def test_work_for_newer_code_is_due_again_after_a_quarter_of_an_hour():
    world = World()
    sale = lost_reply(world)
    swept(world)
    waits = structs.replace(world.sales[sale.id], unannounced=(new_word(EventName, "of newer code"),))
    world.sales[sale.id] = reindexed(waits, world.now)
    run(world.sweeping.resolving.resolve(world.sales[sale.id], frozenset()))
    assert world.sales[sale.id].open.due_at == world.now + timedelta(seconds=900)


def test_a_sweep_with_a_hanging_supplier_ends_in_time_and_counts_attempts():
    world = World()
    for number in range(CONTROLS):
        run(world.vending.purchase(electricity(f"control-{number}", allow_duplicate=True)))
    sale = never_vended(world)
    world.wait(AGE)
    began, world.reprint_seconds, world.reprints = world.now, world.rules.exchange_seconds, [NoAnswer("timeout")] * (CONTROLS + 1)
    run(world.sweeping.sweep(began + world.rules.latest_claim))
    assert (world.now - began).total_seconds() < world.rules.function_timeout_seconds
    assert world.sales[sale.id].attempts == 1


def test_wherever_a_sweep_crashes_the_next_one_finishes():
    def prepared():
        world = World()
        lost_reply(world)
        return world

    steps = len(boundaries(lambda: prepared().sweeping.sweep(World().now.replace(year=2027))))
    for crash in range(steps):
        world = prepared()
        run(world.sweeping.sweep(world.now.replace(year=2027)), stop_after=crash)
        sweep_at(world, MINUTE, MINUTE)
        (sale,) = world.sales.values()
        assert sale.state is State.VENDED and sale.open is None, crash
        assert {event for _, event, _ in world.topic} == {EventName.IN_DOUBT, EventName.VENDED}, crash


def test_two_sweeps_at_once_do_no_harm_at_any_interleaving():
    def prepared():
        world = World()
        lost_reply(world)
        return world

    late = World().now.replace(year=2027)
    for pause in range(len(boundaries(lambda: prepared().sweeping.sweep(late)))):
        world = prepared()
        first = world.sweeping.sweep(late)
        for _ in range(pause + 1):
            first.send(None)
        run(world.sweeping.sweep(late))
        run(first)
        (sale,) = world.sales.values()
        assert sale.state is State.VENDED and sale.open is None and sale.version == 3, pause


def test_a_sweep_counts_each_sale_for_what_it_did_and_names_what_could_not_be_stored(caplog):
    world = World()
    control_sale(world)
    gone = never_vended(world, "gone")
    sweep_at(world, AGE)  # said once
    found, unknown, lost = lost_reply(world, "found"), never_vended(world, "unknown"), never_vended(world, "lost")
    world.topic_down = True
    unsaid = run(world.vending.purchase(electricity("unsaid", cents=7000))).transaction
    world.topic_down = False
    world.wait(MINUTE)
    advance = world.advance

    async def away_for_one(before, after):
        if before.id == lost.id:
            raise StoreUnavailable("away")
        return await advance(before, after)

    world.advance = away_for_one
    caplog.clear()
    counted = swept(world)
    assert counted == Swept(examined=4, vended=1, rejected=1, still_in_doubt=1, needs_review=0, announced=3, left=1)
    assert ("ERROR", "sweep could not store", {"transaction_id": lost.id}) in logged(caplog)
    states = {world.sales[sale.id].state for sale in (found, unsaid)}
    assert states == {State.VENDED} and world.sales[gone.id].state is State.REJECTED and world.sales[unknown.id].state is State.IN_DOUBT


def test_a_sweep_counts_what_needs_a_person_and_announces_it():
    world = World(rules=VendingPolicy(mode=Mode.LIVE, review_after_seconds=7200), reprint_knows=False)
    never_vended(world)
    world.wait(7200)
    assert swept(world) == Swept(examined=1, still_in_doubt=1, needs_review=1, announced=1)
    assert world.topic[-1][1] is EventName.NEEDS_REVIEW


def test_a_sale_past_its_lease_counts_as_open():
    world = World()
    run(world.vending.purchase(electricity()), stop_after="after vend")
    world.wait(world.rules.lease_seconds)
    assert swept(world) == Swept(examined=1, vended=1, announced=1)
