"""What ends a doubt, and what does not: the rules of evidence, one by one."""

import itertools
from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain import transaction
from shared.domain.outcome import Answer, NoAnswer, NoSuchTransaction, RawAnswer, Receipt, Reprint, TokensDue, Unknown, Vended
from shared.domain.policy import VendingPolicy
from shared.domain.transaction import EventName, State, reindexed
from shared.domain.vas import Mode, VasType
from shared.lib.value import new_word
from shared.ports.documents import Conflict, StoreUnavailable
from shared.ports.events import EventsUnavailable
from shared.ports.transactions import CONTROLS
from shared.vending import sweep
from shared.vending.recorder import MAX_CONFLICTS
from shared.vending.sweep import Swept
from tests.logged import logged
from tests.step_driver import World, boundaries, delivered, electricity, run

LOST = Unknown("ReadTimeout")
SIGN = Unknown("2xx without a transaction id", sign_of_vend=True)
MINUTE = 60
AGE = 900


def never_vended(world, key="key-1", outcome=LOST):
    """A sale in doubt that the supplier never heard of."""
    world.answers.append(outcome)
    sale = run(world.vending.purchase(electricity(key, allow_duplicate=True))).transaction
    world.vends.remove(sale.request_id)
    return sale


def lost_reply(world, key="key-1"):
    """A sale in doubt that the supplier did vend."""
    world.answers.append(LOST)
    return run(world.vending.purchase(electricity(key, allow_duplicate=True))).transaction


def control_sale(world):
    """A sale known to have vended: what makes a "does not exist" believable."""
    return run(world.vending.purchase(electricity("control", cents=5000))).transaction


def swept(world, seconds=3600):
    return run(world.sweeping.sweep(world.now.replace(year=2027)))


def sweep_at(world, *waits):
    for wait in waits:
        world.wait(wait)
        swept(world)


def one_at_a_time(monkeypatch):
    """Sweeps that look at one sale each."""
    monkeypatch.setattr(sweep, "MAX_DUE", 1)
    for module in (sweep, transaction):
        monkeypatch.setattr(module, "SHARDS", 1)


def test_a_lost_reply_is_found_at_once_and_its_token_announced():
    world = World()
    sale = lost_reply(world)
    result = swept(world)
    assert (result.examined, result.vended, result.still_in_doubt, result.announced, result.left) == (1, 1, 0, 1, 0)
    ended = world.sales[sale.id]
    assert ended.state is State.VENDED and ended.receipt.tokens and ended.open is None
    assert [event for _, event, _ in world.topic] == [EventName.IN_DOUBT, EventName.VENDED]
    assert len(world.vends) == 1


def test_what_never_vended_is_rejected_when_said_twice_after_the_minimum_age_beside_a_control():
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


def test_a_doubt_whose_absence_was_said_once_is_soon_asked_about_again_and_then_ever_less_often():
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


def test_an_old_doubt_goes_to_a_person_once_and_is_still_tried():
    world = World(rules=VendingPolicy(mode=Mode.LIVE, review_after_seconds=7200))
    sale = lost_reply(world)
    world.reprint_knows = False
    sweep_at(world, *[3600] * 6)
    assert [event for _, event, _ in world.topic].count(EventName.NEEDS_REVIEW) == 1
    world.reprint_knows = True
    sweep_at(world, 3600)
    assert world.sales[sale.id].state is State.VENDED


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
def test_an_answer_that_comes_after_a_sweep_leaves_when_the_send_ended_and_what_it_said(page):
    world = World()
    sale = come_back_late(world, Answer(LOST, page))
    known = world.sales[sale.id]
    assert (known.state, known.send_ended_at) == (State.IN_DOUBT, sale.created_at + timedelta(seconds=300))
    assert known.answers == (() if page is None else (page,))
    assert known.version == 2 and [entry.note for entry in known.history] == ["abandoned past its lease"]


def test_does_not_exist_has_to_be_said_twice_of_age_also_where_the_end_of_the_send_came_on_record_in_between():
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


def test_what_was_not_announced_is_announced_by_the_sweep():
    world = World(topic_down=True)
    sale = run(world.vending.purchase(electricity())).transaction
    world.topic_down = False
    world.wait(MINUTE)
    assert swept(world).announced == 1
    assert world.topic == [(sale.id, EventName.VENDED, State.VENDED)] and world.sales[sale.id].open is None
    assert world.asked_again == []  # it has ended: nobody asks the supplier about it


def test_a_sweep_past_its_deadline_begins_what_goes_at_once_and_says_what_is_left():
    world = World()
    for number in range(16 + 5):
        lost_reply(world, f"key-{number}")
    result = run(world.sweeping.sweep(world.now))
    assert (result.vended, result.left) == (16, 5)
    assert swept(world).vended == 5


def test_what_the_topic_refuses_keeps_no_doubt_waiting(monkeypatch):
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


def test_what_only_newer_code_can_do_is_looked_at_again_after_a_quarter_of_an_hour():
    world = World()
    sale = lost_reply(world)
    swept(world)
    waits = structs.replace(world.sales[sale.id], unannounced=(new_word(EventName, "of newer code"),))
    world.sales[sale.id] = reindexed(waits, world.now)
    run(world.sweeping.resolving.resolve(world.sales[sale.id], frozenset()))
    assert world.sales[sale.id].open.due_at == world.now + timedelta(seconds=900)


def test_a_sweep_asks_for_one_control_of_a_service():
    world = World()
    control = control_sale(world)
    for number in range(4):
        never_vended(world, f"key-{number}")
    world.asked_again.clear()
    sweep_at(world, AGE)
    assert world.asked_again.count(control.id) == 1


def test_a_sweep_whose_supplier_hangs_ends_in_time_and_has_counted_its_try():
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


def test_a_late_sign_of_a_vend_undoes_what_silence_had_begun_to_prove():
    world = World()
    control_sale(world)
    sale = never_vended(world)
    sweep_at(world, AGE)
    assert world.sales[sale.id].not_found_at is not None
    world.sales[sale.id] = structs.replace(world.sales[sale.id], sign_of_vend=True)
    sweep_at(world, MINUTE)
    assert world.sales[sale.id].state is State.IN_DOUBT


def test_a_change_whose_commit_lost_its_reply_is_made_once():
    world = World()
    sale = never_vended(world)
    world.reprints = [NoAnswer("timeout")]
    advances = len(world.store_calls) + 16  # after the sixteen reads of what is due comes the note of this try
    world.store_faults = {advances: "reply lost"}
    swept(world)
    assert world.store_calls[advances : advances + 3] == ["advance", "advance", "find"]
    assert world.sales[sale.id].attempts == 1


def test_a_vend_under_our_request_id_that_does_not_match_forbids_a_rejection_for_ever():
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


READABLE = b'{"transactionId":"s-1","additionalDetails":{"tokens":["00001111222233334444"]}}'


def words(result, body=READABLE, status=200):
    """A reprint, with the words that it came in."""
    return Reprint(result, RawAnswer.of("reprint", World().now, status, "application/json", body))


NO_AMOUNT = Unknown("no amount said", sign_of_vend=True)


@pytest.mark.parametrize("first", [LOST, SIGN, Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING))], ids=repr)
@pytest.mark.parametrize("result", [NO_AMOUNT, NoAnswer("no amount said")], ids=["by request id", "by their id"])
def test_a_token_in_words_that_are_not_believed_is_kept_for_a_person_to_see(first, result):
    world = World(answers=[first])
    sale = run(world.vending.purchase(electricity())).transaction
    world.reprints = [words(result)] * 4
    sweep_at(world, *[3600] * 4)
    known = world.sales[sale.id]
    assert len(world.asked_again) == 4 and [answer.body for answer in known.answers] == [READABLE]
    assert known.state is sale.state and (known.receipt is None or known.receipt.tokens == ())


def test_tokens_that_can_be_read_while_others_cannot_are_on_the_receipt():
    world = World(answers=[Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING))])
    sale = run(world.vending.purchase(electricity())).transaction
    token = delivered("00000001").receipt.tokens
    world.reprints = [Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING, tokens=token, tokens_issued=2))] * 2
    sweep_at(world, MINUTE, 3600)
    known = world.sales[sale.id]
    assert known.receipt.tokens == token and known.tokens_pending and known.version == sale.version + 1
    assert [event for _, event, _ in world.topic] == [EventName.VENDED]


def test_an_hourly_page_neither_fills_a_record_nor_costs_a_write_of_its_own():
    world = World()
    sale = never_vended(world)
    results = [words(NoSuchTransaction(), b"no %d" % at, 400) for at in range(6)]
    results += [words(NoAnswer("HTTP 502"), b"page %d" % at, 502) for at in range(6)]
    world.reprints = results + [words(NoAnswer("HTTP 200, no JSON"), b"page %d" % at) for at in range(12)]
    before = world.store_calls.count("advance")
    sweep_at(world, *[3600] * 24)
    assert world.store_calls.count("advance") - before == 24  # one for each try
    assert [answer.body for answer in world.sales[sale.id].answers] == [b"page %d" % at for at in range(4)]


def test_what_a_try_found_and_that_it_was_one_is_one_write():
    world = World()
    sale = never_vended(world)
    world.reprints = [words(NO_AMOUNT)]
    swept(world)
    before = world.store_calls.count("advance")
    world.reprints = [words(Unknown("another sale: its amount differs", sign_of_vend=True), b"{}")]
    sweep_at(world, MINUTE)
    assert world.store_calls.count("advance") == before + 1
    assert world.sales[sale.id].attempts == 2 and len(world.sales[sale.id].answers) == 2


def under(supplier_id, vended):
    return Vended(structs.replace(vended.receipt, supplier_transaction_id=supplier_id))


GUID = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"


def test_a_control_that_comes_back_with_its_guid_in_capitals_is_the_control():
    world = World(answers=[under(GUID, delivered("00000001"))])
    control_sale(world)
    sale = never_vended(world)
    for _ in range(2):
        world.wait(AGE)
        world.reprints = [under(GUID.upper(), delivered("00000001")), NoSuchTransaction()]  # the control is asked first
        swept(world)
    assert world.sales[sale.id].state is State.REJECTED


def test_a_vend_that_another_sale_holds_is_known_by_its_guid_in_capitals_too():
    world = World(answers=[under(GUID, delivered("00000001"))])
    control_sale(world)
    sale = lost_reply(world)
    world.reprints = [under(GUID.upper(), delivered("00000002"))]
    swept(world)
    doubtful = world.sales[sale.id]
    assert doubtful.state is State.IN_DOUBT and doubtful.history[-1].note == f"claimed_twice: {GUID.upper()}"


def test_no_control_is_asked_where_a_does_not_exist_could_end_nothing():
    world = World()
    control = control_sale(world)
    lost_reply(world)
    never_vended(world, "key-2", outcome=SIGN)
    world.asked_again.clear()
    sweep_at(world, MINUTE, AGE)
    assert control.id not in world.asked_again


def test_only_what_was_published_is_forgotten_when_the_topic_fails_between_two_events():
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


def test_a_young_doubt_is_not_believed_absent_beside_an_old_one():
    world = World()
    control_sale(world)
    old = never_vended(world)
    world.wait(AGE)
    young = never_vended(world, "key-2")
    swept(world)
    assert world.sales[old.id].not_found_at == world.now
    assert world.sales[young.id].not_found_at is None


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


def test_a_doubt_that_is_too_old_wakes_somebody_at_every_try_and_a_token_that_is_due_is_told_each_time(caplog):
    world = World(rules=VendingPolicy(mode=Mode.LIVE, review_after_seconds=7200))
    doubt = lost_reply(world)
    world.reprint_knows = False
    said = {"transaction_id": doubt.id, "amount_cents": 10_000, "created_at": doubt.created_at}
    caplog.clear()
    swept(world)
    assert logged(caplog) == []
    sweep_at(world, 7200)
    assert logged(caplog) == [("ERROR", "in doubt too long", said)]
    sweep_at(world, 7200)
    assert logged(caplog) == [("ERROR", "in doubt too long", said)] * 2
    caplog.clear()
    world.reprint_knows = True
    world.reprints = [Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING))]
    sweep_at(world, 7200)
    assert logged(caplog) == [("WARNING", "tokens pending", said)]
    caplog.clear()
    world.reprints = [Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.NONE))]
    sweep_at(world, 7200)
    assert logged(caplog) == [] and world.sales[doubt.id].open is None


def test_a_doubt_is_told_once_as_it_begins_and_by_what(caplog):
    world = World()
    sale = lost_reply(world)
    sweep_at(world, 0)
    told = {"transaction_id": sale.id, "vas_type": VasType.UTILITY, "amount_cents": 10_000, "cause": "ReadTimeout"}
    assert logged(caplog) == [("WARNING", "vend in doubt", told)]


def test_each_contradiction_wakes_somebody_once_and_says_what_it_was(caplog):
    world = World()
    sold = run(world.vending.purchase(electricity())).transaction
    for number in (1, 2):
        run(world.recorder.apply_answer(sold, Answer(delivered(f"other-0000000{number}")), by="reprint"))
    contradictions = [line for line in logged(caplog) if line[0] == "CRITICAL"]
    assert [line[1] for line in contradictions] == ["contradiction after an end"] * 2
    notes = [entry.note for entry in world.sales[sold.id].history if entry.what == EventName.CONTRADICTED]
    assert [line[2]["note"] for line in contradictions] == notes and len(set(notes)) == 2
    for *_, fields in contradictions:
        assert {**fields, "note": None} == {
            "transaction_id": sold.id,
            "vas_type": VasType.UTILITY,
            "amount_cents": 10_000,
            "state": State.VENDED,
            "note": None,
        }


def test_a_vend_that_another_sale_holds_wakes_somebody(caplog):
    world = World()
    holder = run(world.vending.purchase(electricity("holder", allow_duplicate=True))).transaction
    doubt = lost_reply(world)
    world.reprints = [delivered(holder.request_id)]
    swept(world)
    (line,) = [line for line in logged(caplog) if line[0] == "CRITICAL"]
    assert line[1] == "vend claimed twice" and (line[2]["transaction_id"], line[2]["state"]) == (doubt.id, State.IN_DOUBT)


def test_an_announcement_that_fails_says_which_and_why(caplog):
    world = World(topic_down=True)
    sale = run(world.vending.purchase(electricity())).transaction
    (line,) = logged(caplog)
    assert line[:2] == ("ERROR", "events not announced")
    assert {**line[2], "cause": None} == {"transaction_id": sale.id, "event": EventName.VENDED, "cause": None}
    assert isinstance(line[2]["cause"], EventsUnavailable)


def test_a_record_that_is_always_somebody_elses_or_gone_is_a_store_that_is_away():
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


def test_a_sale_that_a_lease_has_left_behind_counts_as_one_that_was_open():
    world = World()
    run(world.vending.purchase(electricity()), stop_after=boundaries(lambda: World().vending.purchase(electricity())).index("after vend"))
    world.wait(world.rules.lease_seconds)
    assert swept(world) == Swept(examined=1, vended=1, announced=1)
