"""What ends a doubt, and what does not: the rules of evidence, one by one."""

from datetime import timedelta

import pytest

from shared.domain.outcome import Answer, NoAnswer, RawAnswer, Receipt, TokensDue, Vended
from shared.domain.transaction import EventName, State
from shared.ports.documents import Conflict, StoreUnavailable
from shared.vending.recorder import MAX_CONFLICTS
from tests.step_driver import World, delivered, electricity, run
from tests.unit.vending.doubts import GUID, LOST, MINUTE, control_sale, lost_reply, never_vended, sweep_at, swept, under


def test_a_lost_reply_is_found_at_once_and_its_token_announced():
    world = World()
    sale = lost_reply(world)
    result = swept(world)
    assert (result.examined, result.vended, result.still_in_doubt, result.announced, result.left) == (1, 1, 0, 1, 0)
    ended = world.sales[sale.id]
    assert ended.state is State.VENDED and ended.receipt.tokens and ended.open is None
    assert [event for _, event, _ in world.topic] == [EventName.IN_DOUBT, EventName.VENDED]
    assert len(world.vends) == 1


def test_a_sale_abandoned_while_vending_is_put_in_doubt_and_resolved():
    world = World()
    crashed = world.vending.purchase(electricity())
    while crashed.send(None) != "after vend":
        pass
    crashed.close()
    sweep_at(world, 239)
    (sale,) = world.sales.values()
    assert sale.state is State.VENDING
    sweep_at(world, 1)
    (sale,) = world.sales.values()
    assert sale.state is State.VENDED and [entry.what for entry in sale.history] == ["in_doubt", "vended"]


def come_back_late(world, answer, seconds=300):
    """A sale whose process came back with that answer after a sweep had found it abandoned."""
    world.answers = [answer]
    selling = world.vending.purchase(electricity())
    while selling.send(None) != "after vend":
        pass
    world.reprints = [NoAnswer("timeout")]
    sweep_at(world, seconds)
    return run(selling).transaction


@pytest.mark.parametrize("page", [None, RawAnswer.of("vend", World().now, 502, "text/html", b"<h1>oops</h1>")])
def test_an_answer_after_a_sweep_stores_the_send_end_and_its_words(page):
    world = World()
    sale = come_back_late(world, Answer(LOST, page))
    known = world.sales[sale.id]
    assert (known.state, known.send_ended_at) == (State.IN_DOUBT, sale.created_at + timedelta(seconds=300))
    assert known.answers == (() if page is None else (page,))
    assert known.version == 2 and [entry.note for entry in known.history] == ["abandoned past its lease"]


def test_tokens_that_are_due_are_fetched_and_announced():
    world = World()
    pending = Vended(Receipt(supplier_transaction_id="supplier-00000000-0000-4000-8000-000000000002", tokens_due=TokensDue.PENDING))
    world.answers = [pending]
    sale = run(world.vending.purchase(electricity())).transaction
    assert sale.tokens_pending and sale.open is not None
    world.reprints = [delivered("00000000-0000-4000-8000-000000000002")]
    sweep_at(world, MINUTE)
    ended = world.sales[sale.id]
    assert ended.receipt.tokens and ended.open is None
    assert [event for _, event, _ in world.topic] == [EventName.VENDED, EventName.TOKENS]


def test_a_vend_that_another_sale_holds_is_no_evidence_and_never_silent():
    world = World()
    other = control_sale(world)
    sale = lost_reply(world)
    world.reprints = [Vended(other.receipt)]
    swept(world)
    doubtful = world.sales[sale.id]
    assert doubtful.state is State.IN_DOUBT and doubtful.history[-1].what == "contradicted"
    assert (sale.id, EventName.CONTRADICTED, State.IN_DOUBT) in world.topic


def test_a_change_whose_commit_lost_its_reply_is_made_once():
    world = World()
    sale = never_vended(world)
    world.reprints = [NoAnswer("timeout")]
    world.store_calls.clear()
    world.store_faults = {"advance": ["reply lost"]}
    swept(world)
    assert [name for name in world.store_calls if name != "due"] == ["advance", "advance", "find"]
    assert world.sales[sale.id].attempts == 1


def test_a_vend_that_another_sale_holds_is_known_by_its_guid_in_capitals_too():
    world = World(answers=[under(GUID, delivered("00000001"))])
    control_sale(world)
    sale = lost_reply(world)
    world.reprints = [under(GUID.upper(), delivered("00000002"))]
    swept(world)
    doubtful = world.sales[sale.id]
    assert doubtful.state is State.IN_DOUBT and doubtful.history[-1].note == f"claimed_twice: {GUID.upper()}"


def test_a_failure_between_two_events_clears_only_the_published_event():
    world = World(answers=[Vended(Receipt(supplier_transaction_id="supplier-00000001", tokens_due=TokensDue.PENDING))], topic_down=True)
    sale = run(world.vending.purchase(electricity())).transaction
    whole = run(world.recorder.apply_answer(sale, Answer(delivered("00000001")), by="reprint"))
    assert whole.unannounced == (EventName.VENDED, EventName.TOKENS)
    world.topic_down = False
    announcing = world.recorder.publish_pending_events(whole)
    while announcing.send(None) != "after publish":
        pass
    world.topic_down = True
    run(announcing)
    assert world.sales[sale.id].unannounced == (EventName.TOKENS,) and world.sales[sale.id].open is not None


def test_a_second_contradiction_while_the_first_is_being_announced_is_not_lost():
    world = World()
    sold = run(world.vending.purchase(electricity())).transaction
    first = run(world.recorder.apply_answer(sold, Answer(delivered("other-00000001")), by="reprint"))
    announcing = world.recorder.publish_pending_events(first)
    while announcing.send(None) != "after publish":
        pass
    run(world.recorder.apply_answer(first, Answer(delivered("other-00000002")), by="reprint"))  # and crashes before it announces
    run(announcing)
    assert EventName.CONTRADICTED in world.sales[sold.id].unannounced
    world.wait(MINUTE)
    swept(world)
    assert world.sales[sold.id].unannounced == () and len(world.papers) == 2


def test_a_record_that_always_conflicts_or_is_missing_is_an_unavailable_store():
    world = World()
    sale = lost_reply(world)
    tries = 0

    async def overtaken(*_):
        nonlocal tries
        tries += 1
        raise Conflict

    world.advance = overtaken
    with pytest.raises(StoreUnavailable):
        run(world.recorder.apply_answer(sale, Answer(delivered(sale.request_id)), by="reprint"))
    assert tries == MAX_CONFLICTS == 100
    world.sales.clear()
    with pytest.raises(StoreUnavailable):
        run(world.recorder.apply_answer(sale, Answer(delivered(sale.request_id)), by="reprint"))
