"""What a sweep says that it did, what it leaves, and what a control shows beside what it was asked for."""

from datetime import timedelta
from itertools import repeat

import pytest
from msgspec import structs

from shared.domain.outcome import NoAnswer, NoSuchTransaction, RawAnswer, Reason, Rejected, Reprint, TokensDue, Unknown, Vended
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.lib.clocks import Moment
from shared.vending.sweep import Swept, _summed
from tests.step_driver import START, World, delivered, electricity, run

LOST, REFUSED = Unknown("lost"), Rejected(Reason.METER_UNKNOWN, "1011")
LATER = START.replace(year=2027)


def sell(world, answer=None, key="key-1"):
    world.answers = [] if answer is None else [answer]
    return run(world.vending.purchase(electricity(key, allow_duplicate=True))).transaction


def sweep(world):
    return run(world.sweeping.sweep(LATER))


def test_a_sweep_reads_one_sale_more_of_each_shard_than_it_takes_up():
    world, asked = World(), []
    due = world.due

    async def watched(mode, shard, at, at_most):
        asked.append((shard, at_most))
        return await due(mode, shard, at, at_most)

    world.due = watched
    assert sweep(world) == Swept() and sorted(asked) == [(shard, 101) for shard in range(16)]


@pytest.mark.parametrize(
    ("answer", "reprint", "topic_down", "told"),
    [
        (LOST, delivered("00000001"), False, Swept(examined=1, vended=1, announced=1)),
        (LOST, delivered("00000001"), True, Swept(examined=1, vended=1)),
        (LOST, NoAnswer("busy"), False, Swept(examined=1, still_in_doubt=1)),
        (LOST, NoSuchTransaction(), False, Swept(examined=1, still_in_doubt=1)),
    ],
    ids=str,
)
def test_a_sweep_counts_the_end_of_a_doubt(answer, reprint, topic_down, told):
    world = World()
    sell(world, answer)
    world.topic_down, world.reprints = topic_down, [Reprint(reprint)]
    assert sweep(world) == told


@pytest.mark.parametrize("answer", [None, REFUSED])
def test_a_sale_that_had_ended_before_is_only_announced_and_counted_once_it_is(answer):
    world = World(topic_down=True)
    sale = sell(world, answer)
    world.wait(3600)
    assert sweep(world) == Swept(examined=1) and world.sales[sale.id].open.due_at == world.now + timedelta(seconds=60)
    world.wait(60)
    world.topic_down = False
    assert sweep(world) == Swept(examined=1, announced=1) and world.sales[sale.id].open is None
    assert sweep(world) == Swept()


def test_the_results_of_a_sweeps_sales_are_added_up():
    parts = Swept(examined=1, vended=True, announced=1), Swept(examined=1, rejected=True), Swept(left=7, needs_review=2, still_in_doubt=3)
    assert _summed(*parts) == Swept(examined=2, vended=1, rejected=1, announced=1, left=7, needs_review=2, still_in_doubt=3)


def test_a_sale_that_still_runs_is_no_doubt():
    world = World()
    selling = world.vending.purchase(electricity())
    while selling.send(None) != "before vend":
        pass
    (sale,) = world.sales.values()
    assert run(world.sweeping.resolving.resolve(sale, frozenset())) == sale and world.asked_again == []
    world.wait(240)
    world.reprints = [NoAnswer("busy")]
    doubt = run(world.sweeping.resolving.resolve(sale, frozenset()))
    entry = doubt.history[0]
    assert (doubt.state, entry.what, entry.by, entry.note) == (State.IN_DOUBT, "in_doubt", "sweep", "abandoned past its lease")


@pytest.mark.parametrize(
    ("answer", "reprint", "history", "attempts"),
    [
        (LOST, delivered("00000001"), ("vended", "reprint", None), 0),
        (LOST, Unknown("another order's", sign_of_vend=True), ("sign of a vend", "reprint", "another order's"), 1),
        (LOST, NoAnswer("busy"), ("in_doubt", "supplier", "lost"), 1),
    ],
    ids=str,
)
def test_a_reprint_is_recorded_and_an_unfinished_attempt_counted(answer, reprint, history, attempts):
    world = World()
    sale = sell(world, answer)
    world.reprints = [Reprint(reprint)]
    sweep(world)
    told = world.sales[sale.id]
    assert (told.history[-1].what, told.history[-1].by, told.history[-1].note, told.attempts) == (*history, attempts)


def test_a_reprint_of_anothers_vend_is_an_indication_by_the_reprint():
    world = World()
    other = sell(world)
    doubt = sell(world, LOST, "key-2")
    world.reprints = [Reprint(other.outcome)]
    sweep(world)
    told = world.sales[doubt.id]
    claimed = f"claimed_twice: {other.receipt.supplier_transaction_id}"
    assert (told.state, told.sign_of_vend, told.history[-1].by, told.history[-1].note) == (State.IN_DOUBT, True, "reprint", claimed)


def test_a_sale_is_resolved_by_itself_too():
    world = World()
    sale = sell(world, LOST)
    world.reprints = [delivered(sale.request_id)]
    assert run(world.sweeping.resolving.resolve(sale, frozenset())).state is State.VENDED


# Controls


TOKEN = StsToken(TokenKind.CREDIT, "11112222333344445555")
RAW = RawAnswer.of("reprint", START, 200, None, TOKEN.number.encode())


def controlled(world, *reprints, until=LATER):
    world.reprints = list(reprints)
    return run(world.sweeping.resolving.control(VasType.UTILITY, until))


def shown(sale, *tokens, supplier_id=None):
    receipt = structs.replace(sale.receipt, tokens=tokens or sale.receipt.tokens, tokens_due=TokensDue.DELIVERED)
    named = structs.replace(receipt, supplier_transaction_id=supplier_id or receipt.supplier_transaction_id)
    return Reprint(Vended(named), RAW)


def test_a_control_is_found_by_its_own_reprint_and_writes_nothing():
    world = World()
    sale = sell(world)
    before = world.sales[sale.id]
    assert controlled(world, shown(sale)) and world.sales[sale.id] is before
    assert not controlled(world, shown(sale, supplier_id="another")) and world.sales[sale.id] is before
    assert not controlled(world, Reprint(NoSuchTransaction())) and not controlled(world, Reprint(NoAnswer("busy")))
    assert world.sales[sale.id] is before


def test_a_second_vend_that_only_a_control_shows_is_a_contradiction_with_its_token_and_no_control():
    world = World()
    sale = sell(world)
    for _ in range(2):  # shown again, it is no news
        assert not controlled(world, shown(sale, TOKEN, supplier_id="another"))
    told = world.sales[sale.id]
    assert (told.history[-1].what, told.history[-1].by, told.answers[-1:]) == ("contradicted", "reprint", (RAW,))
    assert told.history[-1].note.startswith("vended_twice") and told.receipt == sale.receipt
    assert [event for sale_id, event, _ in world.topic if sale_id == sale.id].count("contradicted") == 1


def test_an_additional_token_of_a_control_is_noted_and_published():
    world = World()
    sale = sell(world)
    assert controlled(world, shown(sale, TOKEN))
    told = world.sales[sale.id]
    assert (told.history[-1].what, told.history[-1].by, told.answers[-1]) == ("contradicted", "reprint", RAW)
    assert told.history[-1].note.startswith("tokens_differ") and world.topic[-1][:2] == (sale.id, "contradicted")


def test_a_control_that_could_not_be_put_on_record_answers_all_the_same():
    world = World()
    sale = sell(world)
    world.store_faults = {"advance": repeat("refused")}
    world.fault_seconds = 60
    assert controlled(world, shown(sale, TOKEN)) and world.sales[sale.id].state is State.VENDED


def test_a_second_control_runs_after_a_first_without_answer_but_not_late():
    world = World()
    first, second = sell(world), sell(world, key="key-2")
    assert controlled(world, Reprint(NoAnswer("busy")), shown(second)) and world.asked_again == [first.id, second.id]
    assert not controlled(world, shown(first), until=world.now) and len(world.asked_again) == 2
    world.reprint_seconds = 30
    assert not controlled(world, Reprint(NoAnswer("busy")), shown(second), until=world.now + timedelta(seconds=30))
    assert len(world.asked_again) == 3
    assert controlled(world, Reprint(NoAnswer("busy")), shown(second), until=world.now + timedelta(seconds=31))


def test_a_store_that_does_not_answer_is_no_control():
    world = World()
    sell(world)
    world.store_faults = {"vended_lately": ["refused"]}
    assert not controlled(world) and world.asked_again == []


def test_the_later_and_the_earlier_of_two_clocks_count_from_a_moment():
    began, now = Moment(START, 5.0), Moment(START + timedelta(seconds=60), 70.0)
    assert (began.latest(now), began.earliest(now)) == (START + timedelta(seconds=65), START + timedelta(seconds=60))
