"""A person decides which tokens a sale brought, or that none is due, and the supplier then shows others: none of them is lost."""

import pytest
from msgspec import structs

from shared.domain.catalogue import Product
from shared.domain.money import Money
from shared.domain.outcome import Answer, RawAnswer, Receipt, Reprint, TokensDue, Unknown, Vended
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import EventName, State
from shared.domain.vas import Order, VasType
from shared.vending.operator_actions import Decision, VersionConflict, decided
from tests.step_driver import CATALOGUE, World, electricity, run

TOKEN, OTHER, THIRD = "11112222333344445555", "22223333444455556666", "33334444555566667777"
PIN, OTHER_PIN = "12345678901234", "99999999999999"
PINNED = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="airtime-pin", pinned=True)
PIN_PRODUCT = Product(VasType.AIRTIME, "airtime-pin", "R5", pinned=True, fixed_amount=True, amount=Money(500))
ID = "supplier-1"


def receipt(*numbers, **fields):
    tokens = tuple(StsToken(TokenKind.CREDIT, number) for number in numbers)
    return Receipt(supplier_transaction_id=ID, tokens_due=TokensDue.DELIVERED, tokens=tokens, **fields)


def words(world, *texts, source="reprint"):
    return RawAnswer.of(source, world.now, 200, "application/json", ("{" + ", ".join(f'"{text}"' for text in texts) + "}").encode())


def says(world, shown, *texts, source="reprint"):
    """An answer of the supplier's with that receipt."""
    quoted = texts or (*(token.number for token in shown.tokens), *(() if shown.pin is None else (shown.pin,)))
    return Answer(Vended(shown), words(world, *quoted, source=source))


def doubtful(world, order=None):
    world.answers, world.products_answer = [Unknown("lost")], CATALOGUE if order is None else (PIN_PRODUCT,)
    asked = electricity() if order is None else structs.replace(electricity(order=order), vas_type=order.vas_type)
    return run(world.vending.purchase(asked)).transaction


def decide(world, sale, *tokens, state=State.VENDED, known=True):
    """A person's decision, on record and announced."""
    made = Decision(version=sale.version, state=state, tokens=tokens if known else None, note="read out")
    kept = run(world.recorder.update(sale, lambda held: decided(held, made, at=world.now, by="person", retry_seconds=60)))
    return run(world.recorder.publish_pending_events(kept))


def learn(world, sale, answer, by="reprint"):
    return run(world.recorder.publish_pending_events(run(world.recorder.apply_answer(world.sales[sale.id], answer, by=by))))


def contradictions(sale):
    return [entry.note for entry in sale.history if entry.what == "contradicted"]


CASES = {
    "nothing due, and a token": (None, (), receipt(TOKEN), TOKEN),
    "a token, and another": (None, (TOKEN,), receipt(OTHER), OTHER),
    "one token of two": (None, (TOKEN,), receipt(TOKEN, OTHER), OTHER),
    "nothing due, and a PIN": (PINNED, (), receipt(pin=PIN), PIN),
    "a PIN, and another": (PINNED, (PIN,), receipt(pin=OTHER_PIN), OTHER_PIN),
}


@pytest.mark.parametrize("by", ["reprint", "supplier"])
@pytest.mark.parametrize(("order", "written", "shown", "kept"), CASES.values(), ids=CASES)
def test_another_token_than_the_operators_contradicts_and_is_stored(caplog, order, written, shown, kept, by):
    world = World()
    sale = decide(world, doubtful(world, order), *written)
    told = learn(world, sale, says(world, shown, source="vend" if by == "supplier" else by), by=by)

    assert (told.state, told.receipt.tokens, told.receipt.pin) == (State.VENDED, sale.receipt.tokens, sale.receipt.pin)
    assert told.receipt.supplier_transaction_id == ID
    assert any(kept.encode() in answer.body for answer in told.answers)
    assert contradictions(told) == [f"tokens_differ: {ID}"]
    (paper,) = world.papers.values()
    assert (paper.body["kind"], paper.body["severity"], paper.mark) == ("tokens_differ", "critical", "live-open")
    assert world.topic[-1] == (sale.id, EventName.CONTRADICTED, State.VENDED) and told.unannounced == ()
    everything_told = f"{told.history} {paper.body} {[(line.message, vars(line).get('fields')) for line in caplog.records]}"
    assert kept not in everything_told and "contradiction after an end" in everything_told


SAME = {
    "the token": (None, (TOKEN,), receipt(TOKEN)),
    "the token, which a person wrote in groups": (None, ("1111 2222 3333-4444-5555",), receipt(TOKEN)),
    "one of two": (None, (TOKEN, OTHER), receipt(OTHER)),
    "no token": (None, (TOKEN,), receipt()),
    "nothing due, and nothing shown": (None, (), Receipt(supplier_transaction_id=ID, tokens_due=TokensDue.NONE)),
    "nothing due, and a line that shows no tokens": (None, (), Receipt(supplier_transaction_id=ID, tokens_due=TokensDue.PENDING)),
    "the PIN": (PINNED, (PIN,), receipt(pin=PIN)),
    "the PIN, which a person wrote in groups": (PINNED, ("1234 5678 9012-34",), receipt(pin=PIN)),
    "a masked PIN": (PINNED, (PIN,), receipt(pin="**********1234")),
}


@pytest.mark.parametrize(("order", "written", "shown"), SAME.values(), ids=SAME)
def test_the_same_token_again_is_no_contradiction(order, written, shown):
    world = World()
    sale = decide(world, doubtful(world, order), *written)
    told = learn(world, sale, says(world, shown))
    assert contradictions(told) == [] and not world.papers and told.receipt.supplier_transaction_id == ID


def test_a_token_that_cannot_be_read_contradicts_that_nothing_is_due():
    world = World()
    sale = decide(world, doubtful(world))
    shown = structs.replace(receipt(), tokens_due=TokensDue.PENDING, tokens_issued=1)
    for _ in range(2):
        told = learn(world, sale, says(world, shown, "1111 22"))
    assert contradictions(told) == [f"tokens_differ: {ID}"] and any(b"1111 22" in answer.body for answer in told.answers)


def test_each_further_token_is_stored_and_published_once():
    world = World()
    sale = decide(world, doubtful(world))
    for number in (TOKEN, OTHER, TOKEN, OTHER, THIRD):
        world.wait(60)
        told = learn(world, sale, says(world, receipt(number), number, world.now.isoformat()))
    assert len(contradictions(told)) == len(set(contradictions(told))) == 3 == len(told.contradicted_at)
    kept = b"".join(answer.body for answer in told.answers)
    assert all(number.encode() in kept for number in (TOKEN, OTHER, THIRD))


def test_a_supplier_that_shows_other_tokens_without_end_fills_no_record():
    world = World()
    sale = decide(world, doubtful(world))
    for number in range(50):
        world.wait(60)
        told = learn(world, sale, says(world, receipt(f"{number:04d}{TOKEN[4:]}")))
    assert len(contradictions(told)) == 8 == len(told.answers)


def test_tokens_that_a_person_has_added_are_contradicted_likewise():
    world = World(answers=[Vended(Receipt(supplier_transaction_id=ID, tokens_due=TokensDue.PENDING))])
    pending = run(world.vending.purchase(electricity())).transaction
    sale = decide(world, pending, TOKEN, state=None)
    assert contradictions(learn(world, sale, says(world, receipt(TOKEN)))) == []
    assert contradictions(learn(world, sale, says(world, receipt(OTHER)))) == [f"tokens_differ: {ID}"]


def test_a_reprint_in_flight_during_a_decision_loses_no_token():
    world = World()
    sale = doubtful(world)
    world.wait(61)
    world.reprints = [Reprint(Vended(receipt(TOKEN)), words(world, TOKEN))]
    sweep = world.sweeping.resolving.resolve(world.sales[sale.id], frozenset())
    while sweep.send(None) != "before reprint":
        pass
    decide(world, sale)
    told = run(sweep)
    assert told.receipt.tokens == () and contradictions(told) == [f"tokens_differ: {ID}"]
    assert (sale.id, EventName.CONTRADICTED, State.VENDED) in world.topic
    with pytest.raises(VersionConflict):
        decide(world, sale, OTHER)


def test_a_decision_while_the_vend_is_still_answered_loses_no_token():
    world = World(answers=[says(World(), receipt(TOKEN), source="vend")])
    selling = world.vending.purchase(electricity())
    while selling.send(None) != "after vend":
        pass
    (sale,) = world.sales.values()
    world.now = sale.lease_until
    decide(world, sale)
    told = run(selling).transaction
    assert told.receipt.tokens == () and contradictions(told) == [f"tokens_differ: {ID}"]


def test_a_token_that_only_a_control_shows_is_kept():
    world = World()
    sale = decide(world, doubtful(world))
    learn(world, sale, Answer(Vended(Receipt(supplier_transaction_id=ID, tokens_due=TokensDue.PENDING))), by="settlement")
    world.reprints = [Reprint(Vended(receipt(TOKEN)), words(world, TOKEN))]
    assert run(world.sweeping.resolving.control(VasType.UTILITY, world.now.replace(year=2030))) is True
    told = world.sales[sale.id]
    assert contradictions(told) == [f"tokens_differ: {ID}"] and told.unannounced == ()
    assert any(TOKEN.encode() in answer.body for answer in told.answers)
