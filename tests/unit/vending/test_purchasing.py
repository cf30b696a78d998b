"""The order of effects, step by step: what is promised when anything between two steps goes wrong."""

import contextlib
import itertools
from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.identifiers import Caller, account_key, caller_id, transaction_id
from shared.domain.money import Money
from shared.domain.outcome import Answer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.policy import VendingPolicy
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import EventName, State
from shared.domain.unread import Unread
from shared.domain.vas import Mode, Order, VasType
from shared.ports.documents import Conflict, StoreUnavailable, UnreadableRecord
from shared.ports.transactions import MAX_ALIKE, SaleRetired
from shared.vending.purchase import KeyReused, PrevendRefused, PrevendUnknown, RequestInProgress
from shared.vending.purchasing import NOT_LOOKED_UP
from tests.logged import logged
from tests.step_driver import CALLER, METER, START, Crashed, World, boundaries, delivered, electricity, run

STORE_TRIES = 3

REFUSED = Rejected(Reason.AMOUNT_REFUSED, "1001")
NOT_TAKEN = Rejected(Reason.TEMPORARILY_UNAVAILABLE, "no connection", not_taken=True)
ORDER = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id=None, meter_number=METER)


def bought(world, request):
    return run(world.vending.purchase(request))


def confirmed(world, **fields):
    return run(world.vending.prevend(CALLER, structs.replace(ORDER, **fields)))


def by_prevend(prevend, key="key-1", caller=CALLER, vas_type=VasType.UTILITY):
    return structs.replace(electricity(key, order=None, prevend_id=prevend.id, fingerprint=prevend.id), caller=caller, vas_type=vas_type)


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


def test_wherever_a_purchase_crashes_its_repeats_vend_at_most_once_and_never_call_a_vend_rejected():
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


@pytest.mark.parametrize("fault", ["refused", "reply lost"])
def test_a_store_that_fails_at_any_call_never_leads_to_a_second_vend_or_a_false_rejection(fault):
    calls = World()
    bought(calls, electricity())
    for failing in range(len(calls.store_calls)):
        world = World(store_faults={failing: fault})
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
        assert sale.state is not State.REJECTED or (not world.vends and calls.store_calls[failing] == "find_open"), failing
        assert sale.state is not State.IN_DOUBT or sale.open is not None, failing


def test_a_claim_whose_reply_was_lost_recognises_its_own_write():
    claim = ["find", "create"].index("create")
    world = World(store_faults={claim: "reply lost"})
    assert bought(world, electricity()).transaction.state is State.VENDED
    assert world.store_calls[:3] == ["find", "create", "find"]


def test_an_outcome_whose_record_was_refused_twice_is_still_kept():
    world = World(store_faults={4: "refused", 5: "refused"})
    assert bought(world, electricity()).transaction.state is State.VENDED


def test_an_outcome_is_tried_to_be_kept_for_as_long_as_the_function_has_time():
    world = World(store_faults=dict.fromkeys(range(4, 13), "refused"), fault_seconds=10)
    assert bought(world, electricity()).transaction.state is State.VENDED

    world = World(store_faults=dict.fromkeys(range(4, 40), "refused"), fault_seconds=10)
    assert not bought(world, electricity()).on_record
    assert world.now - START == world.rules.latest_record


def test_a_store_that_refuses_at_once_is_not_asked_for_ever():
    world = World(store_faults=dict.fromkeys(range(4, 1000), "refused"))
    assert not bought(world, electricity()).on_record
    assert world.store_calls.count("advance") == STORE_TRIES


def test_an_outcome_survives_a_read_that_fails_behind_a_conflict():
    world = World(store_faults={4: "reply lost", 6: "refused"})
    assert bought(world, electricity()).transaction.state is State.VENDED
    assert world.store_calls[4:8] == ["advance", "advance", "find", "find"]


def test_an_outcome_that_cannot_be_stored_is_not_told():
    world = World(store_faults=dict.fromkeys(range(4, 20), "refused"))
    told = bought(world, electricity())
    assert not told.on_record and told.transaction.state is State.VENDING and told.transaction.receipt is None
    world.store_faults.clear()
    with pytest.raises(RequestInProgress):
        bought(world, electricity())
    world.wait(240)
    assert bought(world, electricity()).transaction.is_abandoned(world.now)
    assert len(world.vends) == 1


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


def test_a_contradiction_is_on_a_persons_list_before_it_is_announced_wherever_it_crashes():
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


def test_what_was_not_published_is_not_forgotten():
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
def test_it_is_sold_up_to_the_last_moment_and_not_after_it(boundary, waits, sells):
    world = World()
    slow = world.vending.purchase(electricity())
    while slow.send(None) != boundary:
        pass
    world.now += waits
    assert (run(slow).transaction.state is State.VENDED, len(world.vends)) == (sells, int(sells))


def test_a_sale_that_the_index_names_and_that_is_not_there_stands_in_the_way(monkeypatch):
    world = World()

    async def find_open(_):
        return ["gone"]

    monkeypatch.setattr(world, "find_open", find_open)
    refused = bought(world, electricity()).transaction
    assert (refused.outcome.reason, refused.outcome.other_transaction_id) == (Reason.POSSIBLE_DUPLICATE, "gone")


def test_a_prevend_that_has_changed_meanwhile_without_being_bought_is_refused_all_the_same():
    world = World()
    prevend = confirmed(world)
    selling = world.vending.purchase(by_prevend(prevend))
    while selling.send(None) != "before create":
        pass
    world.prevends[prevend.id] = structs.replace(world.prevends[prevend.id], revision="another")
    refused = run(selling).transaction
    assert (refused.state, refused.outcome.reason, refused.version) == (State.REJECTED, Reason.PREVEND_USED, 1)
    assert not world.vends


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


def test_however_many_taps_come_at_once_one_at_most_vends():
    world = World(answers=[Unknown("lost")] * 20)
    taps = [world.vending.purchase(electricity(f"key-{number}")) for number in range(15)]
    for tap in taps:
        while tap.send(None) != "after create":
            pass
    ends = [run(tap).transaction for tap in taps]
    assert len(world.vends) <= 1
    assert all(sale.state is State.IN_DOUBT or sale.outcome.reason is Reason.POSSIBLE_DUPLICATE for sale in ends)


def test_a_sale_of_which_it_is_not_known_whether_it_is_a_second_one_is_never_sent():
    world = World(store_faults={2: "refused"})
    refused = bought(world, electricity()).transaction
    assert (refused.state, refused.outcome.reason) == (State.REJECTED, Reason.TEMPORARILY_UNAVAILABLE)
    assert world.store_calls[2] == "find_open" and not world.vends and not world.noticed
    assert [(entry.what, entry.by) for entry in refused.history] == [("rejected", "us")]


def test_a_duplicate_leaves_its_prevend_for_whoever_wants_two():
    world = World(answers=[Unknown("lost")])
    bought(world, electricity())
    prevend = confirmed(world)
    assert bought(world, by_prevend(prevend, "key-2")).transaction.outcome.reason is Reason.POSSIBLE_DUPLICATE
    wanted = structs.replace(by_prevend(prevend, "key-3"), allow_duplicate=True)
    assert bought(world, wanted).transaction.state is State.VENDED


def test_an_open_sale_of_the_same_meter_and_amount_stands_in_the_way_unless_a_duplicate_is_wanted():
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
def test_a_sale_that_waits_only_for_its_announcement_stands_in_no_others_way(kept):
    world = World()
    prevend = confirmed(world)
    kept(world, ended_unannounced(world))
    assert bought(world, electricity("key-2")).transaction.state is State.VENDED
    assert bought(world, by_prevend(prevend, "key-3")).transaction.state is State.VENDED


def test_a_sale_that_waits_for_its_token_stands_in_the_way_of_another():
    world = World(answers=[Vended(Receipt(supplier_transaction_id="supplier-1", tokens_due=TokensDue.PENDING))], topic_down=True)
    first = bought(world, electricity()).transaction
    refused = bought(world, electricity("key-2")).transaction
    assert (refused.outcome.reason, refused.outcome.other_transaction_id) == (Reason.POSSIBLE_DUPLICATE, first.id)


def test_the_one_that_is_unfinished_is_found_behind_those_that_have_ended():
    world = World()
    for number in range(MAX_ALIKE - 2):
        as_older_code_kept(world, ended_unannounced(world, f"old-{number}"))
    world.answers = [Unknown("lost")]
    doubtful = bought(world, electricity("key-1")).transaction
    refused = bought(world, electricity("key-2")).transaction
    assert (refused.outcome.reason, refused.outcome.other_transaction_id) == (Reason.POSSIBLE_DUPLICATE, doubtful.id)


def test_where_not_all_that_look_the_same_are_read_none_is_sent():
    world = World()
    for number in range(MAX_ALIKE):
        as_older_code_kept(world, ended_unannounced(world, f"old-{number}"))
    sold = len(world.vends)
    assert bought(world, electricity("key-1")).transaction.outcome.reason is Reason.POSSIBLE_DUPLICATE
    assert len(world.vends) == sold


def test_the_sweep_takes_what_has_ended_out_of_the_index_of_older_code_while_the_topic_is_away():
    world = World()
    for number in range(MAX_ALIKE):
        as_older_code_kept(world, ended_unannounced(world, f"old-{number}"))
    world.wait(61)
    run(world.sweeping.sweep(world.now + timedelta(hours=1)))
    assert not any(sale.open.account for sale in world.sales.values())
    assert bought(world, electricity("key-1")).transaction.state is State.VENDED


def test_a_sale_that_newer_code_wrote_stands_in_the_way_of_another(monkeypatch):
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
def test_a_sale_that_cannot_be_read_or_is_kept_no_longer_is_told_of_to_nobody_but_its_caller(found, is_told, monkeypatch):
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
def test_the_brake_hears_how_every_vend_ended(outcome):
    world = World(answers=[outcome])
    bought(world, electricity())
    assert world.noticed == [outcome]


def test_where_more_look_the_same_than_are_read_none_is_sold_for_being_first_among_those_that_were():
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


def test_a_first_tap_is_sold_however_many_come_after_it_up_to_those_that_are_read():
    world = World()
    tap = world.vending.purchase(electricity("first"))
    while tap.send(None) != "after create":
        pass
    for number in range(MAX_ALIKE - 2):
        world.answers.append(Unknown("lost"))
        bought(world, electricity(f"key-{number}", allow_duplicate=True))
    assert run(tap).transaction.state is State.VENDED


def test_what_is_refused_before_its_claim_is_on_record_as_its_first_version():
    world = World(prevend_answer=REFUSED)
    refused = bought(world, electricity()).transaction
    assert (refused.state, refused.version, refused.send_ended_at) == (State.REJECTED, 1, None)
    assert refused.created_at == refused.updated_at == START
    assert [(entry.what, entry.by) for entry in refused.history] == [("rejected", "us")]


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


def test_an_outcome_that_is_not_on_record_wakes_somebody_and_the_brake_does_not_hear_of_it(caplog):
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


# --- a supplier's id that another sale holds


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


def test_what_a_vend_that_another_holds_leaves_behind_is_never_rejected_by_silence_and_ends_by_its_own_reprint(caplog):
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


def test_whether_another_holds_a_vend_is_asked_again_where_the_store_fails():
    world = World(store_faults={3: "refused", 4: "reply lost"})
    assert bought(world, electricity()).transaction.state is State.VENDED
    assert world.store_calls[3:6] == ["lookup"] * STORE_TRIES


def test_where_the_store_does_not_say_who_holds_a_vend_the_sale_is_in_doubt_until_its_reprint():
    world = World(store_faults={3: "refused", 4: "refused", 5: "refused"})
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
