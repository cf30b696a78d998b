"""Whatever the supplier says, an answer means only what it proves: `make fuzz` in small, the same inputs every time."""

import json
import random
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from shared.domain.money import Money
from shared.domain.outcome import NoSuchTransaction, Outcome, Prevended, Reason, Receipt, Rejected, Reprinted, TokensDue, Unknown, Vended
from shared.domain.policy import AmountCheck
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.vas import Mode
from shared.mobilemart.responses import read_products, read_reprint, read_vend
from tests.hostile import promises, seeds
from tests.hostile.answer import ASKED_FOR, CONTENT_TYPES, HEAD_BYTES, ORDERS, REQUEST_ID, HostileAnswer, spelt

ELECTRICITY, AIRTIME = ORDERS[0], ORDERS[2]
TOKEN = "00000000000012345678"

same_every_time = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))


@cache
def simulated() -> list[bytes]:
    return seeds.answers()


def hostile(number: int) -> bytes:
    """What the simulator says, with some of what surrounds it, some of its JSON and some of its bytes changed."""
    chance = random.Random(number)
    data = chance.choice(simulated())
    for _ in range(chance.randrange(4)):
        bent = seeds.bent(data[HEAD_BYTES:], chance)
        data = data if bent is None else data[:HEAD_BYTES] + bent
    changed = bytearray(data)
    for longest in (HEAD_BYTES, HEAD_BYTES, len(data)):
        if chance.random() < 0.4:
            changed[chance.randrange(longest)] = chance.randrange(256)
    return bytes(changed[: chance.randrange(len(changed)) if chance.random() < 0.1 else None])


hostile_answers = st.integers(0, 2**64).map(hostile)


@settings(same_every_time, max_examples=2000)
@given(hostile_answers)
def test_an_answer_proves_what_it_says_and_nothing_more(data: bytes) -> None:
    promises.keep(HostileAnswer.of(data))


@settings(same_every_time, max_examples=500)
@given(st.binary(max_size=300))
def test_bytes_of_any_kind_prove_nothing_by_chance(data: bytes) -> None:
    promises.keep(HostileAnswer.of(data))


@settings(same_every_time, max_examples=300)
@given(hostile_answers)
async def test_an_access_token_is_what_a_header_can_carry_or_none(data: bytes) -> None:
    await promises.token(HostileAnswer.of(data))


def test_every_answer_of_the_simulator_keeps_them_as_it_is() -> None:
    assert len(simulated()) > 500
    for data in simulated():
        promises.keep(HostileAnswer.of(data))


# The judge is not blind.


def heard(value: object, status: int = 200, mode: Mode = Mode.LIVE) -> HostileAnswer:
    return HostileAnswer.of(spelt(ELECTRICITY, mode, status, CONTENT_TYPES[0], json.dumps(value).encode()))


ALL_TAKEN = {"transactionId": ASKED_FOR, "additionalDetails": {"fixedCosts": [{"description": "Arrears", "amount": 100}]}}
SOLD: dict[str, Any] = {"transactionId": ASKED_FOR, "additionalDetails": {"productAmount": "100.00", "tokens": [TOKEN]}}
RECEIPT = Receipt(supplier_transaction_id=ASKED_FOR, tokens=(StsToken(TokenKind.CREDIT, TOKEN),), tokens_due=TokensDue.DELIVERED)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (heard(SOLD, 500), Vended(RECEIPT)),
        (heard(SOLD), Unknown("HTTP 200", sign_of_vend=True)),
        (heard(SOLD), Rejected(Reason.TEMPORARILY_UNAVAILABLE, "HTTP 200")),
        (heard(SOLD | {"simulated": True}), Vended(RECEIPT)),
        (heard({"transactionId": ASKED_FOR}), Vended(RECEIPT)),
        (heard(SOLD | {"transactionId": "another"}), Vended(RECEIPT)),
        (heard({"fulcrumErrorCode": 1099}, 400), Rejected(Reason.PREVEND_REFUSED, "HTTP 400 code 1099")),
        (heard({"fulcrumErrorCode": 1001}, 404), Rejected(Reason.AMOUNT_REFUSED, "HTTP 404 code 1001")),
        (heard({"fulcrumErrorCode": 1001}, 400), Unknown("HTTP 400 code 1001")),
        (heard({}, 502), Rejected(Reason.TEMPORARILY_UNAVAILABLE, "HTTP 502")),
        (heard({}, 429), Unknown("HTTP 429")),
        (heard({}, 502), Unknown("HTTP 502", sign_of_vend=True)),
        (heard({}, 502), Unknown("Meter 12345678901 is unknown")),
        (heard(SOLD | {"status": "Failed"}), Vended(RECEIPT)),
        (heard(SOLD | {"additionalDetails": SOLD["additionalDetails"] | {"state": "PENDING"}}), Vended(RECEIPT)),
        (heard(SOLD | {"approved": False}), Vended(RECEIPT)),
        (heard(SOLD | {"errorCode": 7}), Vended(RECEIPT)),
        (heard(SOLD | {"title": "No.", "status": 400}), Vended(RECEIPT)),
        (heard(SOLD | {"meterNumber": "99999999999"}), Vended(RECEIPT)),
        (heard(SOLD | {"requestId": ASKED_FOR}), Vended(RECEIPT)),
        (heard(ALL_TAKEN | {"units": 29.7}), Vended(structs.replace(RECEIPT, tokens=(), tokens_due=TokensDue.NONE))),
        (heard(SOLD | {"additionalDetails": {"tokens": [f"{TOKEN}|{TOKEN}"]}}), Vended(RECEIPT)),
    ],
)
def test_a_wrong_reading_of_a_vend_is_seen(answer: HostileAnswer, wrong: Outcome) -> None:
    promises.vend(answer, read_vend(answer.reply, answer.order, answer.mode, REQUEST_ID).outcome)
    with pytest.raises(AssertionError):
        promises.vend(answer, wrong)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (heard(SOLD | {"additionalDetails": {"productAmount": "100.01", "tokens": [TOKEN]}}), Vended(RECEIPT)),
        (heard(SOLD | {"meterNumber": "99999999999"}), Vended(RECEIPT)),
        (heard({"fulcrumErrorCode": 1003}, 500), NoSuchTransaction()),
        (heard({"fulcrumErrorCode": 1012}, 400), NoSuchTransaction()),
    ],
)
def test_a_wrong_reading_of_a_reprint_is_seen(answer: HostileAnswer, wrong: Reprinted) -> None:
    promises.reprint(answer, read_reprint(answer.reply, answer.order, answer.mode, answer.asked_for))
    with pytest.raises(AssertionError):
        promises.reprint(answer, wrong)


def test_another_amount_that_is_believed_where_it_is_a_doubt_is_seen() -> None:
    half = heard(SOLD | {"additionalDetails": {"productAmount": "50.00", "tokens": [TOKEN]}})
    for amount_check in AmountCheck:
        promises.vend(half, read_vend(half.reply, half.order, half.mode, REQUEST_ID, amount_check).outcome, amount_check)
    with pytest.raises(AssertionError):
        promises.vend(half, Vended(RECEIPT), AmountCheck.DOUBT)


def test_a_wrong_reading_of_a_prevend_or_a_list_is_seen() -> None:
    confirmed = heard({"transactionId": ASKED_FOR, "minimumPurchaseAmount": "10.00"})
    with pytest.raises(AssertionError):
        promises.prevend(confirmed, Prevended(ASKED_FOR, minimum_amount=Money(1001)))
    with pytest.raises(AssertionError):
        promises.prevend(heard({}), Prevended(ASKED_FOR))
    listed = heard([{"merchantProductId": "a", "productName": "b"}])
    (product,) = read_products(listed.reply, listed.order.vas_type, listed.mode)
    with pytest.raises(AssertionError):
        promises.products(listed, (product, product))
