"""Each try to end a doubt stores its answer: tokens that can be read, and words that a person must see."""

import pytest

from shared.domain.outcome import NoAnswer, NoSuchTransaction, RawAnswer, Receipt, Reprint, TokensDue, Unknown, Vended
from shared.domain.transaction import EventName
from tests.step_driver import World, delivered, electricity, run
from tests.unit.vending.doubts import LOST, MINUTE, SIGN, never_vended, sweep_at, swept

READABLE = b'{"transactionId":"s-1","additionalDetails":{"tokens":["00001111222233334444"]}}'


def words(result, body=READABLE, status=200):
    """A reprint, with the words that it came in."""
    return Reprint(result, RawAnswer.of("reprint", World().now, status, "application/json", body))


NO_AMOUNT = Unknown("no amount said", sign_of_vend=True)


@pytest.mark.parametrize("first", [LOST, SIGN, Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING))], ids=repr)
@pytest.mark.parametrize("result", [NO_AMOUNT, NoAnswer("no amount said")], ids=["by request id", "by their id"])
def test_a_token_in_an_unproven_answer_is_stored_for_an_operator(first, result):
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


def test_an_hourly_answer_neither_fills_a_record_nor_causes_a_write():
    world = World()
    sale = never_vended(world)
    results = [words(NoSuchTransaction(), b"no %d" % at, 400) for at in range(6)]
    results += [words(NoAnswer("HTTP 502"), b"page %d" % at, 502) for at in range(6)]
    world.reprints = results + [words(NoAnswer("HTTP 200, no JSON"), b"page %d" % at) for at in range(12)]
    before = world.store_calls.count("advance")
    sweep_at(world, *[3600] * 24)
    assert world.store_calls.count("advance") - before == 24  # one for each try
    assert [answer.body for answer in world.sales[sale.id].answers] == [b"page %d" % at for at in range(4)]


def test_an_attempts_result_and_its_count_are_one_write():
    world = World()
    sale = never_vended(world)
    world.reprints = [words(NO_AMOUNT)]
    swept(world)
    before = world.store_calls.count("advance")
    world.reprints = [words(Unknown("another sale: its amount differs", sign_of_vend=True), b"{}")]
    sweep_at(world, MINUTE)
    assert world.store_calls.count("advance") == before + 1
    assert world.sales[sale.id].attempts == 2 and len(world.sales[sale.id].answers) == 2
