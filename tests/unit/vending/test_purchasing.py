"""The order of effects, step by step: what is promised when anything between two steps goes wrong."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.identifiers import Caller, caller_id
from shared.domain.money import Money
from shared.domain.outcome import Answer, Reason, Rejected, Unknown
from shared.domain.policy import VendingPolicy
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import EventName, State
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.ports.documents import UnreadableRecord
from shared.ports.transactions import SaleRetired
from shared.vending.purchase import KeyReused, RequestInProgress
from tests.step_driver import CALLER, START, Crashed, World, boundaries, delivered, electricity, run
from tests.unit.vending.purchases import bought

REFUSED = Rejected(Reason.AMOUNT_REFUSED, "1001")
NOT_TAKEN = Rejected(Reason.TEMPORARILY_UNAVAILABLE, "no connection", not_taken=True)


def test_a_purchase_vends_records_and_announces_in_that_order():
    names = boundaries(lambda: World().vending.purchase(electricity()))
    assert [name for name in names if name.startswith("before")] == [
        "before find",
        "before stops",
        "before ready",
        "before products",
        "before prevend",
        "before create",
        "before find_open",
        "before ready",
        "before vend",
        "before lookup",
        "before advance",
        "before publish",
        "before advance",
        "before notice",
    ]


def test_a_delivered_sale_is_closed_with_its_token():
    world = World()
    done = bought(world, electricity()).transaction
    assert done.state is State.VENDED and done.receipt.tokens and done.open is None and done.unannounced == ()
    assert world.sales[done.id] == done
    assert world.topic == [(done.id, EventName.VENDED, State.VENDED)]


def test_a_repeat_reads_once_and_does_nothing():
    world = World()
    first = bought(world, electricity())
    world.store_calls.clear()
    again = bought(world, electricity())
    assert (again.transaction, again.replayed, first.replayed) == (first.transaction, True, False)
    assert world.store_calls == ["find"] and len(world.vends) == 1


@pytest.mark.parametrize("outcome", [Unknown("ReadTimeout"), Unknown("503")])
def test_repeating_a_purchase_in_doubt_vends_nothing_more(outcome):
    world = World(answers=[outcome])
    first, again = bought(world, electricity()), bought(world, electricity())
    assert first.transaction == again.transaction and first.transaction.state is State.IN_DOUBT
    assert len(world.vends) == 1 and first.transaction.open is not None
    assert [event for _, event, _ in world.topic] == [EventName.IN_DOUBT]


def test_repeats_after_any_crash_vend_at_most_once_and_reject_no_vend():
    steps = len(boundaries(lambda: World().vending.purchase(electricity())))
    assert steps > 15
    for crash in range(steps):
        world = World()
        assert run(world.vending.purchase(electricity()), stop_after=crash) is Crashed
        for wait in (0, 300, 300):
            world.wait(wait)
            try:
                bought(world, electricity())
            except RequestInProgress:
                assert wait == 0
        assert len(world.vends) <= 1, crash
        (sale,) = world.sales.values()
        assert sale.state is State.VENDED or sale.open is not None, crash
        assert not (world.vends and sale.state is State.REJECTED), crash


def test_two_requests_with_one_key_interleaved_at_every_pair_of_steps_vend_once():
    steps = len(boundaries(lambda: World().vending.purchase(electricity())))
    for pause in range(steps):
        world = World()
        first, outcomes = world.vending.purchase(electricity()), []
        for _ in range(pause + 1):
            first.send(None)
        for racer in (world.vending.purchase(electricity()), first):
            try:
                outcomes.append(run(racer).transaction)
            except RequestInProgress as running:
                outcomes.append(running.running)
        assert len(world.vends) == 1, pause
        assert len({sale.id for sale in outcomes}) == len({sale.request_id for sale in outcomes}) == 1, pause
        assert world.sales[outcomes[0].id].state is State.VENDED, pause


def test_a_request_that_was_provably_not_taken_goes_out_once_more_under_the_same_id():
    world = World(answers=[NOT_TAKEN])
    assert bought(world, electricity()).transaction.state is State.VENDED
    assert len(world.vends) == 1


def test_twice_not_taken_is_rejected():
    world = World(answers=[NOT_TAKEN, NOT_TAKEN])
    assert bought(world, electricity()).transaction.state is State.REJECTED and not world.vends


def test_a_doubt_after_a_request_not_taken_stays_a_doubt():
    world = World(answers=[NOT_TAKEN, Unknown("reset")])
    assert bought(world, electricity()).transaction.state is State.IN_DOUBT


def test_nothing_is_sent_after_the_send_window():
    world = World()
    frozen = world.vending.purchase(electricity())
    while frozen.send(None) != "after create":
        pass
    world.wait(11)
    thawed = run(frozen).transaction
    assert thawed.state is State.REJECTED and not world.vends


def test_no_second_send_after_the_send_window():
    world = World()
    world.answers = [lambda: (world.wait(11), NOT_TAKEN)[1]]
    assert bought(world, electricity()).transaction.state is State.REJECTED and not world.vends


def test_a_late_answer_ends_a_sale_that_was_put_in_doubt_meanwhile():
    world = World()
    slow = world.vending.purchase(electricity())
    while slow.send(None) != "after vend":
        pass
    (sale,) = world.sales.values()
    world.sales[sale.id] = structs.replace(sale, state=State.IN_DOUBT, nonce="sweep", revision="sweep")
    assert run(slow).transaction.state is State.VENDED


def test_a_vend_that_arrives_after_a_rejection_is_never_silent():
    world = World()
    slow = world.vending.purchase(electricity())
    while slow.send(None) != "after vend":
        pass
    (sale,) = world.sales.values()
    world.sales[sale.id] = structs.replace(sale, state=State.REJECTED, outcome=REFUSED, nonce="sweep", revision="sweep")
    done = run(slow).transaction
    assert done.state is State.REJECTED and done.history[-1].what == "contradicted"
    assert [event for _, event, _ in world.topic] == [EventName.CONTRADICTED]
    (paper,) = world.papers.values()
    assert (paper.body["kind"], paper.body["severity"], paper.body["transactionId"]) == ("vended_after_rejection", "critical", sale.id)
    assert paper.mark == "live-open"


def test_a_contradiction_is_listed_before_its_event_after_any_crash():
    def prepared():
        world = World(answers=[REFUSED])
        sale = bought(world, electricity()).transaction
        return world, world.recorder.apply_answer(sale, Answer(delivered(sale.request_id)), by="supplier")

    whole, learning = prepared()
    contradicted = run(learning)
    for crash in range(len(boundaries(lambda: whole.recorder.publish_pending_events(contradicted)))):
        world, learning = prepared()
        run(world.recorder.publish_pending_events(run(learning)), stop_after=crash)
        if EventName.CONTRADICTED in {event for _, event, _ in world.topic}:
            assert world.papers, crash
        (sale,) = world.sales.values()
        run(world.recorder.publish_pending_events(sale))
        assert len(world.papers) == 1 and world.sales[sale.id].unannounced == (), crash


def test_an_announcement_that_failed_is_left_to_the_sweep_and_the_sale_is_sold():
    world = World(topic_down=True)
    done = bought(world, electricity()).transaction
    assert done.state is State.VENDED and done.unannounced == (EventName.VENDED,) and done.open is not None


def test_an_unpublished_event_stays_pending():
    world = World()
    selling = world.vending.purchase(electricity())
    while selling.send(None) != "after publish":
        pass
    (sale,) = world.sales.values()
    world.sales[sale.id] = structs.replace(sale, unannounced=(*sale.unannounced, EventName.CONTRADICTED), nonce="x", revision="x")
    run(selling)
    assert world.sales[sale.id].unannounced == (EventName.CONTRADICTED,)


def test_a_key_is_good_for_one_request_and_one_caller():
    world = World()
    first = bought(world, electricity())
    with pytest.raises(KeyReused):
        bought(world, electricity(cents=20_000))
    other = bought(world, electricity(caller=Caller("https://issuer.example", "user-2")))
    assert other.transaction.id != first.transaction.id and len(world.vends) == 2


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        (World(prevend_answer=Rejected(Reason.METER_UNKNOWN, "1016")), Reason.METER_UNKNOWN),
        (World(products_answer=Rejected(Reason.TEMPORARILY_UNAVAILABLE, "HTML")), Reason.TEMPORARILY_UNAVAILABLE),
        (World(ready_answers=[Rejected(Reason.TEMPORARILY_UNAVAILABLE, "no token")]), Reason.TEMPORARILY_UNAVAILABLE),
        (World(answers=[REFUSED]), Reason.AMOUNT_REFUSED),
    ],
)
def test_a_refusal_binds_its_key_for_ever(world, reason):
    refused = bought(world, electricity())
    assert refused.transaction.state is State.REJECTED and refused.transaction.outcome.reason is reason
    world.prevend_answer, world.products_answer = World().prevend_answer, World().products_answer
    assert bought(world, electricity()).transaction == refused.transaction
    assert not world.vends and [event for _, event, _ in world.topic] == [EventName.REJECTED]


def test_an_amount_below_the_meters_minimum_is_refused_without_asking_for_a_vend():
    world = World()
    outcome = bought(world, electricity(cents=999)).transaction.outcome
    assert (outcome.reason, outcome.minimum_amount) == (Reason.AMOUNT_BELOW_MINIMUM, Money(1000))
    assert bought(world, electricity("key-2", cents=1000)).transaction.state is State.VENDED


def test_a_request_that_took_too_long_before_its_claim_sells_nothing():
    world = World(rules=VendingPolicy(mode=Mode.LIVE, exchange_seconds=60, function_timeout_seconds=220))
    slow = world.vending.purchase(electricity())
    while slow.send(None) != "before prevend":
        pass
    world.wait(81)
    assert run(slow).transaction.state is State.REJECTED and not world.vends


@pytest.mark.parametrize(
    ("boundary", "waits", "sells"),
    [
        ("before prevend", World().rules.latest_claim, True),
        ("before prevend", World().rules.latest_claim + timedelta(microseconds=1), False),
        ("before find_open", timedelta(seconds=9.5), True),
        ("before find_open", timedelta(seconds=10), False),
    ],
)
def test_a_sale_is_made_up_to_the_last_moment_and_not_after(boundary, waits, sells):
    world = World()
    slow = world.vending.purchase(electricity())
    while slow.send(None) != boundary:
        pass
    world.now += waits
    assert (run(slow).transaction.state is State.VENDED, len(world.vends)) == (sells, int(sells))


def test_a_caller_sees_only_its_own_sales():
    world = World()
    sale = bought(world, electricity()).transaction
    stranger = Caller(CALLER.issuer, "stranger")
    assert run(world.vending.find(CALLER, sale.id)) == sale
    assert run(world.vending.find_by_key(CALLER, "key-1")) == sale
    assert run(world.vending.find(stranger, sale.id)) is None
    assert run(world.vending.find_by_key(stranger, "key-1")) is None


STRANGER = Caller(CALLER.issuer, "stranger")


def tombstone(caller):
    return Tombstone(
        id="a1" * 16,
        mode=Mode.LIVE,
        caller=caller_id(Mode.LIVE, caller),
        fingerprint="f",
        state=State.VENDED,
        vas_type=VasType.UTILITY,
        amount=Money(10_000),
        fee_cents=0,
        request_id="r",
        supplier_id="MOBILEMART",
        day=START.date(),
        created_at=START,
        retired_at=START,
    )


@pytest.mark.parametrize(
    ("found", "is_told"),
    [
        (UnreadableRecord("damaged"), True),
        (UnreadableRecord("damaged", Unread(id="a1" * 16)), True),
        (UnreadableRecord("damaged", Unread(id="a1" * 16, caller=CALLER)), True),
        (UnreadableRecord("damaged", Unread(id="a1" * 16, caller=STRANGER)), False),
        (SaleRetired(tombstone(CALLER)), True),
        (SaleRetired(tombstone(STRANGER)), False),
    ],
    ids=["of nobody that can be told", "of a caller that cannot", "its own", "a stranger's", "its own, retired", "a stranger's, retired"],
)
def test_only_its_caller_learns_of_an_unreadable_or_retired_sale(found, is_told, monkeypatch):
    world = World()

    async def find(_):
        raise found

    monkeypatch.setattr(world, "find", find)
    if is_told:
        with pytest.raises(type(found)) as told:
            run(world.vending.find(CALLER, "a1" * 16))
        assert told.value is found
    else:
        assert run(world.vending.find(CALLER, "a1" * 16)) is None


def test_a_sale_of_the_other_mode_is_nobodys():
    world = World()
    sale = bought(world, electricity()).transaction
    world.sales[sale.id] = structs.replace(sale, mode=Mode.SIMULATED)
    assert run(world.vending.find(CALLER, sale.id)) is None


def test_the_request_id_that_was_recorded_is_the_one_that_is_sent():
    world = World()
    sale = bought(world, electricity()).transaction
    assert world.vends == [sale.request_id] and len(sale.request_id) == 36
    assert sale.receipt == delivered(sale.request_id).receipt


def test_a_paused_service_is_refused_on_record_without_asking_the_supplier():
    world = World(paused={VasType.UTILITY})
    refused = bought(world, electricity()).transaction
    assert refused.outcome.reason is Reason.TEMPORARILY_UNAVAILABLE and not world.vends
    world.paused.clear()
    assert bought(world, electricity()).transaction == refused
    assert bought(world, electricity("key-2")).transaction.state is State.VENDED


@pytest.mark.parametrize("outcome", [REFUSED, Unknown("ReadTimeout")])
def test_the_breaker_counts_the_outcome_of_every_vend(outcome):
    world = World(answers=[outcome])
    bought(world, electricity())
    assert world.noticed == [outcome]


def test_a_refusal_before_the_claim_is_on_record_as_version_one():
    world = World(prevend_answer=REFUSED)
    refused = bought(world, electricity()).transaction
    assert (refused.state, refused.version, refused.send_ended_at) == (State.REJECTED, 1, None)
    assert refused.created_at == refused.updated_at == START
    assert [(entry.what, entry.by) for entry in refused.history] == [("rejected", "us")]
