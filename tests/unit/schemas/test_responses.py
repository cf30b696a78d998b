"""A sale as callers see it: every field of the contract, and nothing else."""

import json
from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.catalogue import Product
from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import Consumer, Reason, Rejected
from shared.domain.policy import ConsumerDetails
from shared.domain.prevend import Prevend
from shared.domain.transaction import EventName, State
from shared.domain.vas import Mode, Order, VasType
from shared.schemas.responses import encoded, event_body, event_id, masked, prevend_body, products_body, state_shown, transaction_body
from tests.sales import NOON, PINNED_ORDER, PINNED_RECEIPT, RECEIPT, in_doubt, rejected, vended, vending

FULL, MASKED = ConsumerDetails.FULL, ConsumerDetails.MASKED


def shown(sale, details=MASKED):
    return json.loads(encoded(transaction_body(sale, sale.state, details)))


def test_a_vended_sale_shows_all_that_was_delivered():
    sale = vended()
    assert shown(sale, FULL) == {
        "transactionId": sale.id,
        "version": 2,
        "vasType": "utility",
        "state": "vended",
        "amountCents": 10000,
        "merchantProductId": "electricity",
        "meterNumber": "12345678901",
        "reference": "basket 7",
        "simulated": True,
        "supplierId": "SIMULATED",
        "createdAt": "2026-05-01T10:00:00.000000Z",
        "updatedAt": "2026-05-01T10:00:01.000000Z",
        "receipt": {
            "supplierTransactionId": "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10",
            "receiptNumber": "RCP0001",
            "reference": "REF0001",
            "tokensDue": "delivered",
            "tokens": [
                {"kind": "key_change", "number": "00000000000087654321", "units": None},
                {"kind": "credit", "number": "00000000000012345678", "units": "29.70"},
            ],
            "units": "29.70",
            "unitType": "kWh",
            "pin": None,
            "serialNumber": None,
            "expiryDate": None,
            "consumer": {"name": "Jane Doe", "address": "12 Main Road", "message": "Arrears are due"},
            "meter": {
                "supplierGroupCode": "000001",
                "keyRevisionNumber": "2",
                "tariffIndex": "01",
                "tokenTechnology": "02",
                "algorithm": "07",
            },
            "charges": [{"description": "service", "amountCents": 550}, {"description": None, "amountCents": None}],
            "instructions": "Type the tokens in order.",
        },
        "problem": None,
    }


def test_a_pin_is_shown_and_no_recipient_is_invented():
    body = shown(vended(PINNED_RECEIPT, order=PINNED_ORDER))
    assert (body["receipt"]["pin"], body["receipt"]["serialNumber"]) == ("12345678901234", "sn-99887766")
    assert not {"meterNumber", "accountNumber", "mobileNumber"} & set(body)


def test_a_live_sale_is_the_suppliers_and_a_simulated_one_says_so():
    sales = [structs.replace(vended(), mode=mode, supplier_id="") for mode in Mode]
    assert [(body["simulated"], body["supplierId"]) for body in map(shown, sales)] == [(False, "MOBILEMART"), (True, "SIMULATED")]


def test_masked_details_keep_a_letter_of_each_word_and_no_length():
    consumer = shown(vended())["receipt"]["consumer"]
    assert consumer == {"name": "J** D**", "address": "1** M** R**", "message": None}
    unsaid = shown(vended(structs.replace(RECEIPT, consumer=Consumer("Jane Doe"))))["receipt"]["consumer"]
    assert unsaid == {"name": "J** D**", "address": None, "message": None}


@pytest.mark.parametrize(("text", "kept"), [("", ""), ("   ", ""), ("Li", "L**"), ("van der\tMerwe", "v** d** M**"), ("😀é", "😀**")])
def test_masking_takes_any_text(text, kept):
    assert masked(text) == kept


def test_a_rejected_sale_says_why_without_the_suppliers_words():
    body = shown(rejected(Rejected(Reason.AMOUNT_BELOW_MINIMUM, "1001 from the switch", minimum_amount=Money(33_926))))
    assert (body["state"], body["receipt"]) == ("rejected", None)
    assert body["problem"] == {
        "type": "/problems/amount-below-minimum",
        "title": "Amount too small",
        "detail": "At least R339.26 has to be bought at once.",
        "retry": "change",
        "minimumAmountCents": 33926,
    }


def test_a_duplicate_names_the_other_sale_and_any_other_rejection_none():
    duplicate = rejected(Rejected(Reason.POSSIBLE_DUPLICATE, "twin", other_transaction_id="f" * 32))
    assert shown(duplicate)["problem"]["transactionId"] == "f" * 32
    assert "transactionId" not in shown(rejected(Rejected(Reason.PREVEND_EXPIRED, "late")))["problem"]


def test_a_sale_in_doubt_shows_neither_a_receipt_nor_a_problem():
    body = shown(in_doubt())
    assert (body["state"], body["receipt"], body["problem"]) == ("in_doubt", None, None)


def test_a_sale_that_nobody_sells_any_more_is_shown_in_doubt():
    sale = vending()
    assert state_shown(sale, NOON + timedelta(seconds=239)) is State.VENDING
    assert state_shown(sale, NOON + timedelta(seconds=240)) is State.IN_DOUBT
    assert state_shown(vended(), NOON + timedelta(days=9)) is State.VENDED


def test_the_same_record_is_always_the_same_bytes():
    assert len({encoded(transaction_body(vended(), State.VENDED, MASKED)) for _ in range(3)}) == 1


def test_an_event_is_the_sale_under_a_name_that_a_repeat_has_too():
    sale = vended()
    assert event_body(EventName.VENDED, sale, MASKED) == {
        **transaction_body(sale, State.VENDED, MASKED),
        "eventId": f"{sale.id}:vended",
        "event": "vended",
    }


def test_each_contradiction_is_an_event_of_its_own():
    sale = structs.replace(vended(), contradicted_at=(3, 5), version=7)
    assert event_id(EventName.CONTRADICTED, sale) == f"{sale.id}:contradicted:5"
    assert event_id(EventName.CONTRADICTED, structs.replace(sale, contradicted_at=())) == f"{sale.id}:contradicted:7"
    assert event_id(EventName.TOKENS, sale) == f"{sale.id}:tokens"


@pytest.mark.parametrize(
    ("details", "consumer"),
    [(FULL, {"name": "Jane Doe", "address": "12 Main Road"}), (MASKED, {"name": "J** D**", "address": "1** M** R**"})],
)
def test_a_prevend_shows_what_was_confirmed_and_until_when(details, consumer):
    order = Order(vas_type=VasType.BILL_PAYMENT, amount=Money(5_000), merchant_product_id="b", account_number="135609708")
    prevend = Prevend(
        id="p-1",
        mode=Mode.SIMULATED,
        caller=Caller("local", "local"),
        order=order,
        supplier_prevend_id="s-1",
        minimum_amount=Money(1_000),
        amount_due=Money(45_050),
        consumer=Consumer("Jane Doe", "12 Main Road", "Arrears are due"),
        created_at=NOON,
        expires_at=NOON + timedelta(seconds=900),
    )
    body = {
        "prevendId": "p-1",
        "vasType": "bill-payment",
        "merchantProductId": "b",
        "accountNumber": "135609708",
        "amountCents": 5_000,
        "minimumAmountCents": 1_000,
        "amountDueCents": 45_050,
        "consumer": consumer,
        "expiresAt": "2026-05-01T10:15:00.000000Z",
        "simulated": True,
    }
    assert prevend_body(prevend, details) == body
    bare = structs.replace(prevend, mode=Mode.LIVE, minimum_amount=None, amount_due=None, consumer=None)
    unsaid = {"minimumAmountCents": None, "amountDueCents": None, "consumer": None, "simulated": False}
    assert prevend_body(bare, details) == body | unsaid


def test_a_list_of_products_shows_each_with_its_price_or_its_bounds():
    fixed = Product(VasType.DATA, "d-1", "1 GB", "mtn", pinned=True, fixed_amount=True, amount=Money(2_900))
    free = Product(VasType.AIRTIME, "a-1", "Any", minimum_amount=Money(200), maximum_amount=Money(50_000))
    names = (
        "merchantProductId",
        "name",
        "contentCreator",
        "pinned",
        "fixedAmount",
        "amountCents",
        "minimumAmountCents",
        "maximumAmountCents",
    )
    rows = [("d-1", "1 GB", "mtn", True, True, 2_900, None, None), ("a-1", "Any", None, False, False, None, 200, 50_000)]
    assert products_body([fixed, free]) == {"products": [dict(zip(names, row, strict=True)) for row in rows]}


def test_what_has_no_form_in_json_is_never_sent():
    assert encoded({"a": "\u00eb", "b": [1, None]}) == '{"a":"\u00eb","b":[1,null]}'.encode()
    for wrong in (float("nan"), NOON, {1, 2}, Money(1)):
        with pytest.raises((ValueError, TypeError)):
            encoded({"a": wrong})
