"""Which request is a repeat of which, what is asked of the catalogue and of a prevend, and what a refusal names."""

from datetime import timedelta
from itertools import repeat

import pytest
from msgspec import structs

from shared.domain.catalogue import Product
from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import Prevended, Reason, Rejected, Unknown
from shared.domain.prevend import Prevend
from shared.domain.transaction import State
from shared.domain.vas import Mode, Order, VasType
from shared.ports.documents import StoreUnavailable
from shared.vending.purchase import KeyReused, PrevendRefused, PrevendUnknown, RequestInProgress
from tests.step_driver import CALLER, CATALOGUE, EVERY_CALL, METER, START, World, electricity, nth, run

ORDER = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id=None, meter_number=METER)
NEW, OTHER_NEW, OLD = "ab" * 16, "cd" * 16, "v0:an older scheme"
REFUSED = Rejected(Reason.TEMPORARILY_UNAVAILABLE, "busy")


def bought(world, request=None, **changed):
    return run(world.vending.purchase(structs.replace(request or electricity(), **changed)))


def prevended(world, **changed):
    prevend = run(world.vending.prevend(CALLER, ORDER))
    world.prevends[prevend.id] = structs.replace(world.prevends[prevend.id], **changed)
    return prevend


def by_prevend(prevend, key="key-1", **changed):
    return structs.replace(electricity(key, order=None, prevend_id=prevend.id, fingerprint=prevend.id), **changed)


# Repeats


@pytest.mark.parametrize(
    ("first", "then", "is_repeat"), [(NEW, NEW, True), (NEW, OTHER_NEW, False), (OLD, OLD, True), (OLD, f"{OLD}.", False)]
)
def test_equal_fingerprints_of_one_scheme_are_a_repeat_of_any_order(first, then, is_repeat):
    world = World()
    sale = bought(world, fingerprint=first).transaction
    again = electricity(cents=5_000, fingerprint=then)
    if is_repeat:
        assert bought(world, again).transaction == sale
    else:
        with pytest.raises(KeyReused) as reused:
            bought(world, electricity(fingerprint=then))
        assert reused.value.holder == sale
    assert len(world.vends) == 1


@pytest.mark.parametrize(
    ("changed", "is_repeat"),
    [
        ({}, True),
        ({"merchant_product_id": "electricity"}, True),
        ({"merchant_product_id": "another"}, False),
        ({"amount": Money(9_999)}, False),
        ({"meter_number": "12345678902"}, False),
    ],
    ids=str,
)
def test_of_fingerprints_of_two_schemes_a_repeat_orders_the_same(changed, is_repeat):
    world = World()
    order = structs.replace(ORDER, reference="basket 7")
    sale = bought(world, fingerprint=OLD, order=order, reference="basket 7").transaction
    again = structs.replace(electricity(fingerprint=NEW), order=structs.replace(order, **changed), reference="basket 7")
    others = [structs.replace(again, reference="basket 8"), structs.replace(again, vas_type=VasType.AIRTIME)]
    for one, same in ((again, is_repeat), *((other, False) for other in others)):
        if same:
            assert bought(world, one).transaction == sale
        else:
            with pytest.raises(KeyReused):
                bought(world, one)


@pytest.mark.parametrize(("amount", "is_there", "is_repeat"), [(10_000, True, True), (9_999, True, False), (9_999, False, True)])
def test_across_two_schemes_a_prevend_or_its_absence_decides_a_repeat(amount, is_there, is_repeat):
    world = World()
    prevend = prevended(world)
    sale = bought(world, by_prevend(prevend, fingerprint=OLD)).transaction
    world.prevends[prevend.id] = structs.replace(prevend, order=structs.replace(prevend.order, amount=Money(amount)))
    if not is_there:
        del world.prevends[prevend.id]
    if is_repeat:
        assert bought(world, by_prevend(prevend, fingerprint=NEW)).transaction == sale
    else:
        with pytest.raises(KeyReused):
            bought(world, by_prevend(prevend, fingerprint=NEW))


def repeated(world, key="key-1", own=NEW):
    asked = []
    found = run(world.vending.repeated(CALLER, key, lambda vas_type: asked.append(vas_type) or own))
    return found, asked


def test_an_invalid_request_is_answered_if_its_key_is_on_record_for_it():
    world = World()
    sale = bought(world, fingerprint=NEW).transaction
    found, asked = repeated(world)
    assert (found.transaction, found.replayed, found.on_record, asked) == (sale, True, True, [VasType.UTILITY])
    assert repeated(world, key="another") == (None, [])
    with pytest.raises(KeyReused) as reused:
        repeated(world, own=OTHER_NEW)
    assert reused.value.holder == sale
    assert repeated(world, own=OLD)[0].transaction == sale  # of another scheme: it cannot be compared


def test_an_invalid_request_waits_while_its_key_is_selling():
    world = World()
    selling = world.vending.purchase(electricity(fingerprint=NEW))
    while selling.send(None) != "before vend":
        pass
    with pytest.raises(RequestInProgress) as running:
        repeated(world)
    assert running.value.running.state is State.VENDING
    world.wait(240)
    assert repeated(world)[0].transaction.state is State.VENDING  # nobody is selling it any more


def test_a_refusal_is_no_repeat_the_first_time_and_one_from_then_on():
    world = World(prevend_answer=REFUSED)
    assert [bought(world).replayed for _ in range(3)] == [False, True, True]


# Catalogue and prevend


def test_the_catalogue_is_what_the_supplier_gives_or_refuses():
    world = World()
    assert run(world.vending.products(VasType.UTILITY)) == CATALOGUE
    world.products_answer = REFUSED
    with pytest.raises(PrevendRefused) as refused:
        run(world.vending.products(VasType.UTILITY))
    assert refused.value.refusal == REFUSED


@pytest.mark.parametrize(("products", "prevend"), [(REFUSED, None), ((), None), (CATALOGUE, Rejected(Reason.METER_UNKNOWN, "1016"))])
def test_the_catalogue_refuses_a_prevend_before_the_supplier_does(products, prevend):
    world = World(products_answer=products)
    if prevend is not None:
        world.prevend_answer = prevend
    with pytest.raises(PrevendRefused) as refused:
        run(world.vending.prevend(CALLER, ORDER))
    reason = {REFUSED: Reason.TEMPORARILY_UNAVAILABLE, (): Reason.PRODUCT_UNAVAILABLE}.get(products, Reason.METER_UNKNOWN)
    assert refused.value.refusal.reason is reason and world.prevends == {}


def test_a_prevend_stores_the_suppliers_answer_while_it_is_valid():
    world = World(prevend_answer=Prevended("theirs", minimum_amount=Money(500), amount_due=Money(700)))
    prevend = run(world.vending.prevend(CALLER, ORDER))
    assert prevend == Prevend(
        id=prevend.id,
        mode=Mode.LIVE,
        caller=CALLER,
        order=structs.replace(ORDER, merchant_product_id="electricity"),
        supplier_prevend_id="theirs",
        minimum_amount=Money(500),
        amount_due=Money(700),
        consumer=None,
        created_at=START,
        expires_at=START + timedelta(seconds=900),
    )
    assert world.prevends == {prevend.id: prevend}


@pytest.mark.parametrize(("minimum", "sells"), [(None, True), (9_999, True), (10_000, True), (10_001, False)])
@pytest.mark.parametrize("first", [True, False])
def test_an_amount_is_sold_from_the_meters_minimum_on(minimum, sells, first):
    world = World(prevend_answer=Prevended("theirs", minimum_amount=None if minimum is None else Money(minimum)))
    request = by_prevend(prevended(world)) if first else electricity()
    sale = bought(world, request).transaction
    assert (sale.state, sale.supplier_prevend_id) == ((State.VENDED, "theirs") if sells else (State.REJECTED, None))
    assert sells or (sale.outcome.reason, sale.outcome.minimum_amount) == (Reason.AMOUNT_BELOW_MINIMUM, Money(minimum))
    assert sale.order.merchant_product_id == "electricity"


def test_a_service_without_prevends_is_sold_without_one():
    world = World(products_answer=(Product(VasType.AIRTIME, "airtime", "R5", pinned=True),), prevend_answer=REFUSED)
    order = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="airtime", pinned=True)
    sale = bought(world, order=order, vas_type=VasType.AIRTIME).transaction
    assert (sale.state, sale.supplier_prevend_id) == (State.VENDED, None)


@pytest.mark.parametrize(
    "changed",
    [{"mode": Mode.SIMULATED}, {"caller": Caller("i", "other")}, {"order": structs.replace(ORDER, vas_type=VasType.BILL_PAYMENT)}],
    ids=str,
)
def test_only_the_callers_own_prevend_of_that_mode_and_service_is_bought(changed):
    world = World()
    prevend = prevended(world, **changed)
    for wanted in (by_prevend(prevend), electricity(order=None, prevend_id="another")):
        with pytest.raises(PrevendUnknown):
            bought(world, wanted)
    assert world.sales == {} and world.vends == []


@pytest.mark.parametrize(("seconds", "sells"), [(899, True), (900, False), (901, False)])
def test_a_prevend_is_good_until_it_expires(seconds, sells):
    world = World()
    prevend = prevended(world)
    world.wait(seconds)
    sale = bought(world, by_prevend(prevend)).transaction
    assert sale.state is (State.VENDED if sells else State.REJECTED)
    assert sells or sale.outcome.reason is Reason.PREVEND_EXPIRED


def test_a_used_prevend_names_its_sale_and_the_sale_has_its_reference():
    world = World()
    prevend = prevended(world)
    world.prevend_answer = world.products_answer = REFUSED  # neither is asked for again
    sale = bought(world, by_prevend(prevend, reference="basket 7")).transaction
    again = bought(world, by_prevend(prevend, "key-2")).transaction
    assert sale.order == structs.replace(prevend.order, reference="basket 7")
    assert (again.outcome.reason, again.outcome.other_transaction_id) == (Reason.PREVEND_USED, sale.id)
    assert world.prevends[prevend.id].used_by == sale.id


# Duplicates


def test_a_sale_bought_by_a_prevend_is_looked_for_once_before_its_claim():
    world = World()
    prevend = prevended(world)
    world.store_calls.clear()
    bought(world, by_prevend(prevend))
    assert world.store_calls.count("find_open") == 1 and world.store_calls.index("find_open") < world.store_calls.index("create")
    world.store_calls.clear()
    bought(world, electricity("key-2"))
    assert world.store_calls.index("find_open") > world.store_calls.index("create")


def test_a_sale_that_nothing_else_looks_like_is_not_looked_for():
    world = World(products_answer=(Product(VasType.AIRTIME, "airtime", "R5", pinned=True),))
    order = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="airtime", pinned=True)
    bought(world, order=order, vas_type=VasType.AIRTIME)
    bought(world, electricity("key-2"), allow_duplicate=True)
    assert "find_open" not in world.store_calls


def test_a_second_sale_that_looks_the_same_names_the_first():
    world = World(answers=[Unknown("lost")])
    first = bought(world).transaction
    second = bought(world, electricity("key-2")).transaction
    assert (second.state, second.outcome.reason, second.outcome.other_transaction_id) == (
        State.REJECTED,
        Reason.POSSIBLE_DUPLICATE,
        first.id,
    )
    assert second.history[-1].by == "us" and len(world.vends) == 1


# The record of a claim


def test_a_claim_says_all_that_is_known_before_anything_is_sent():
    world = World()
    selling = world.vending.purchase(electricity())
    while selling.send(None) != "after create":
        pass
    (sale,) = world.sales.values()
    assert (sale.state, sale.version, sale.mode, sale.supplier_id, sale.day) == (State.VENDING, 1, Mode.LIVE, "MOBILEMART", START.date())
    assert (sale.created_at, sale.updated_at) == (START, START)
    assert (sale.send_by, sale.lease_until) == (START + timedelta(seconds=10), START + timedelta(seconds=240))
    assert (sale.open.due_at, sale.outcome, sale.history, sale.unannounced) == (sale.lease_until, None, (), ())
    assert len({sale.request_id, sale.nonce, sale.id}) == 3
    ended = run(selling).transaction
    assert (ended.version, ended.history[-1].what, ended.history[-1].by) == (2, "vended", "supplier")
    assert (ended.send_ended_at, ended.updated_at) == (START, START)


def test_a_claim_of_unknown_effect_sends_nothing_and_a_repeat_finds_it():
    world = World()
    world.store_faults = {"create": ["refused"], "find": nth(1, "refused")}
    with pytest.raises(StoreUnavailable):
        bought(world)
    assert world.vends == [] and world.sales == {}
    world.store_faults = {}
    assert bought(world).transaction.state is State.VENDED


def test_a_sale_that_nobody_has_is_none():
    assert run(World().vending.find(CALLER, "a1" * 16)) is None


def test_a_prevend_taken_by_another_key_names_the_sale_that_used_it():
    world = World()
    prevend = prevended(world)
    slow = world.vending.purchase(by_prevend(prevend, allow_duplicate=True))
    while slow.send(None) != "before create":
        pass
    first = bought(world, by_prevend(prevend, "key-2", allow_duplicate=True)).transaction
    told = run(slow)
    assert (told.replayed, told.transaction.state, told.transaction.version) == (False, State.REJECTED, 1)
    assert (told.transaction.outcome.reason, told.transaction.outcome.other_transaction_id) == (Reason.PREVEND_USED, first.id)


def test_attempts_to_store_an_outcome_end_a_fixed_time_after_the_claim():
    world = World(fault_seconds=10)

    def slow():
        world.wait(60)
        world.store_faults = {EVERY_CALL: repeat("refused")}
        return Unknown("lost")

    world.answers = [slow]
    told = bought(world)
    assert (told.on_record, told.replayed) == (False, False)
    assert world.now - START == world.rules.latest_record
