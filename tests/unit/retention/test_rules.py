"""The personal data of a sale, the reasons to store it, and the content of a tombstone."""

from datetime import date, timedelta

import pytest
from msgspec import structs

from shared.domain.identifiers import caller_id
from shared.domain.outcome import RawAnswer, Reason, Receipt, Rejected, TokensDue, Unknown
from shared.domain.policy import ConsumerDetails
from shared.domain.sale_summary import Sold, seen
from shared.domain.transaction import State, append_history, attach_raw_answer
from shared.domain.vas import Mode, Order, VasType
from shared.lib.value import Kept, Value
from shared.retention.rules import ERASED, Hold, Retention, around, erased, hold, tombstone_of
from shared.schemas.responses import transaction_body
from tests.sales import CALLER, KEY_CHANGE, METER, NOON, ORDER, PINNED_ORDER, RECEIPT, TOKEN, in_doubt, rejected, vended, vending

LATER = NOON + timedelta(days=401)
ANSWER = RawAnswer.of("vend", NOON, 200, "application/json", b'{"consumerDetails": {"name": "Jane Doe"}, "meterNumber": "12345678901"}')
NOTHING = frozenset()


def sold(**fields):
    """A sale that has ended and has no pending event, with all personal data."""
    return structs.replace(vended(), open=None, answers=(ANSWER,), **fields)


def bare(sale):
    return erased(sale, at=LATER, by="retention", note="400 days")


def test_what_is_personal_is_gone_and_what_a_customer_may_still_need_stays():
    sale = sold()
    after = bare(sale)
    words = str(structs.asdict(after))
    assert all(word not in words for word in (METER, "Jane", "Main Road", "Arrears are due"))
    assert after.receipt.consumer is None and after.order.recipient is None and after.answers[0].sha256 == ANSWER.sha256
    assert [token.number for token in after.receipt.tokens] == [KEY_CHANGE, TOKEN] and after.receipt.charges == RECEIPT.charges
    assert after.order.amount == sale.order.amount and after.order.reference == ORDER.reference


def test_neither_version_nor_events_change_and_the_history_says_who_and_why():
    sale = sold()
    after = bare(sale)
    same = ("version", "updated_at", "unannounced", "state", "open", "fingerprint", "idempotency_key", "request_id")
    assert all(getattr(after, name) == getattr(sale, name) for name in same)
    assert after.history[:-1] == sale.history and after.erased_at == LATER
    assert (after.history[-1].what, after.history[-1].by, after.history[-1].note) == (ERASED, "retention", "400 days")


def test_a_caller_sees_the_same_sale_without_its_consumer_and_its_recipient():
    before, after = (transaction_body(one, State.VENDED, ConsumerDetails.FULL) for one in (sold(), bare(sold())))
    assert after["receipt"] == before["receipt"] | {"consumer": None}
    assert {**after, "receipt": None} == {name: value for name, value in before.items() if name != "meterNumber"} | {"receipt": None}


def test_it_is_done_once_and_what_holds_nothing_personal_stays_as_it_is():
    after = bare(sold())
    assert bare(after) is after
    plain = structs.replace(vended(Receipt(supplier_transaction_id="s-1"), order=PINNED_ORDER), open=None)
    assert bare(plain) is plain
    assert bare(structs.replace(plain, answers=(ANSWER,))).answers[0].body == b""


@pytest.mark.parametrize("number", [{"account_number": "0012349708"}, {"mobile_number": "27821234567"}])
@pytest.mark.parametrize("text", ["Acc {}", "ref-{}-7", "0{}"])
def test_texts_that_quote_the_number_go_with_it(number, text):
    (digits,) = number.values()
    order = Order(
        vas_type=VasType.AIRTIME, amount=ORDER.amount, merchant_product_id="airtime", reference=text.format(digits[-9:]), **number
    )
    receipt = structs.replace(RECEIPT, reference=text.format(digits[-9:]), instructions=f"For {digits[-9:-4]} {digits[-4:]}", tokens=())
    after = bare(structs.replace(vended(receipt, order=order), open=None))
    assert (after.order.reference, after.receipt.reference, after.receipt.instructions) == (None, None, None)
    assert after.receipt.receipt_number == RECEIPT.receipt_number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0012345678", "Paid to account 12345678"),
        ("0012345678", "Acc 00000012345678"),
        ("000123456", "Ref 123456/Jan"),
        ("12345678", "Paid to account 0012345678"),
        ("0000", "Paid to 0000"),
    ],
)
def test_texts_that_quote_the_number_with_other_zeros_before_it_go_too(number, text):
    order = Order(vas_type=VasType.BILL_PAYMENT, amount=ORDER.amount, merchant_product_id="bill", account_number=number, reference=text)
    receipt = structs.replace(RECEIPT, reference=text, instructions=text, receipt_number="R-987", tokens=())
    after = bare(structs.replace(vended(receipt, order=order), open=None))
    assert (after.order.reference, after.receipt.reference, after.receipt.instructions) == (None, None, None)
    assert after.receipt.receipt_number == "R-987"


@pytest.mark.parametrize(("quoted", "goes"), [("821234567", True), ("7821234567", True), ("21234567", False), ("821234568", False)])
def test_a_text_quotes_a_number_that_has_its_last_nine_digits(quoted, goes):
    order = Order(vas_type=VasType.AIRTIME, amount=ORDER.amount, merchant_product_id="a", mobile_number="27821234567", reference=quoted)
    text = f"For {quoted[:3]} {quoted[3:]}."
    texts = dict.fromkeys(("receipt_number", "reference", "instructions"), text)
    after = bare(structs.replace(vended(structs.replace(RECEIPT, **texts), order=order), open=None))
    assert after.order.reference == (None if goes else quoted)
    assert [getattr(after.receipt, name) for name in texts] == [None if goes else text] * 3


def test_texts_of_a_sale_to_nobody_stay():
    order = structs.replace(PINNED_ORDER, reference="821234567")
    after = bare(structs.replace(vended(structs.replace(RECEIPT, reference="82", receipt_number=None), order=order), open=None))
    assert (after.order.reference, after.receipt.reference, after.receipt.receipt_number) == ("821234567", "82", None)
    assert after.receipt.consumer is None


@pytest.mark.parametrize("part", ["order", "outcome", "answers"])
def test_a_sale_of_which_one_part_alone_is_personal_loses_that_part(part):
    plain = structs.replace(vended(Receipt(supplier_transaction_id="s-1"), order=PINNED_ORDER), open=None)
    personal = structs.replace(plain, **{part: getattr(sold(), part)})
    after = bare(personal)
    assert after.erased_at == LATER and getattr(after, part) == getattr(bare(sold()), part)
    assert all(getattr(after, name) == getattr(plain, name) for name in ("order", "outcome", "answers") if name != part)


def test_raw_answers_with_a_body_lose_it_and_the_others_stay_unchanged():
    empty = RawAnswer.of("reprint", NOON, 204, None, b"")
    after = bare(structs.replace(sold(), answers=(empty, ANSWER)))
    assert after.answers == (empty, structs.replace(ANSWER, body=b"")) and after.answers[0] is empty


@pytest.mark.parametrize(
    ("day", "near"),
    [
        (date(2024, 3, 1), ["2024-02-29", "2024-03-01", "2024-03-02"]),
        (date.min, ["0001-01-01", "0001-01-01", "0001-01-02"]),
        (date(1, 1, 2), ["0001-01-01", "0001-01-02", "0001-01-03"]),
        (date.max, ["9999-12-30", "9999-12-31", "9999-12-31"]),
        (date(9999, 12, 30), ["9999-12-29", "9999-12-30", "9999-12-31"]),
    ],
)
def test_the_neighbours_of_a_day_are_those_that_the_calendar_has(day, near):
    assert [one.isoformat() for one in around(day)] == near


def places(part, path=()):
    """The places of a sale that newer code may write into."""
    if isinstance(part, tuple):
        return [found for number, one in enumerate(part) for found in places(one, (*path, number))]
    if not isinstance(part, Value):
        return []
    found = [path] if isinstance(part, Kept) else []
    return found + [one for name in part.__struct_fields__ for one in places(getattr(part, name), (*path, name))]


def with_newer(part, path):
    if not path:
        return structs.replace(part, beyond={"emailAddress": "jane@example.com"})
    at, *rest = path
    if isinstance(part, tuple):
        return (*part[:at], with_newer(part[at], rest), *part[at + 1 :])
    return structs.replace(part, **{at: with_newer(getattr(part, at), rest)})


def test_a_sale_with_fields_of_newer_code_at_any_depth_waits_for_newer_code():
    found = places(sold())
    assert {("order",), ("outcome",), ("outcome", "receipt"), ("outcome", "receipt", "consumer"), ("answers", 0)} <= set(found)
    for path in found:
        newer = with_newer(sold(), path)
        assert hold(newer, NOTHING, NOTHING) is Hold.NOT_READABLE == "not_readable"
        assert hold(structs.replace(newer, erased_at=LATER), NOTHING, NOTHING) is None  # by newer code
    assert hold(sold(), NOTHING, NOTHING) is None


def test_what_comes_after_the_erasure_brings_nothing_back_that_changes_nothing():
    after = bare(sold())
    assert attach_raw_answer(after, RawAnswer.of("reprint", LATER, 200, None, b'{"name": "Jane Doe", "n": 1}')) is after


def test_a_contradiction_of_an_erased_sale_is_stored_and_goes_with_the_next_erasure():
    contradicted = structs.replace(bare(sold()), answers=(ANSWER,))
    again = erased(contradicted, at=LATER + timedelta(days=1), by="retention")
    assert again.answers[0].body == b"" and again.erased_at == LATER and again.history[-1].at == LATER + timedelta(days=1)


@pytest.mark.parametrize(
    ("sale", "named", "unsettled", "why"),
    [
        (sold(), NOTHING, NOTHING, None),
        (structs.replace(rejected(Rejected(Reason.METER_UNKNOWN, "1002")), open=None), NOTHING, NOTHING, None),
        (vending(), NOTHING, NOTHING, "open"),
        (in_doubt(), NOTHING, NOTHING, "open"),
        (vended(), NOTHING, NOTHING, "open"),  # published, and still in the sweep's index
        (structs.replace(in_doubt(), open=None, outcome=Unknown("lost")), NOTHING, NOTHING, "open"),
        (vended(structs.replace(RECEIPT, tokens=(), tokens_due=TokensDue.PENDING)), NOTHING, NOTHING, "open"),
        (sold(unannounced=("brand_new",)), NOTHING, NOTHING, "open"),
        (sold(), {sold().id}, NOTHING, "discrepancy"),
        (sold(), {"another"}, {sold().day - timedelta(days=2), sold().day + timedelta(days=2)}, None),
        (sold(), NOTHING, {sold().day}, "settling"),
        (sold(), NOTHING, {sold().day - timedelta(days=1)}, "settling"),
        (sold(), NOTHING, {sold().day + timedelta(days=1)}, "settling"),
    ],
)
def test_what_is_still_needed_stays(sale, named, unsettled, why):
    assert hold(sale, named, unsettled) == why


def test_a_tombstone_says_which_key_it_binds_and_nothing_about_anybody():
    sale = append_history(sold(), sold().history[0])
    tombstone = tombstone_of(sale, LATER)
    words = str(structs.asdict(tombstone))
    assert structs.asdict(tombstone) == {
        "id": sale.id,
        "mode": Mode.SIMULATED,
        "caller": caller_id(sale.mode, CALLER),
        "fingerprint": sale.fingerprint,
        "state": State.VENDED,
        "vas_type": VasType.UTILITY,
        "amount": ORDER.amount,
        "fee_cents": 0,
        "request_id": sale.request_id,
        "supplier_transaction_id": RECEIPT.supplier_transaction_id,
        "supplier_id": "SIMULATED",
        "day": NOON.date(),
        "created_at": NOON,
        "retired_at": LATER,
    }
    assert all(word not in words for word in (METER, "Jane", TOKEN, KEY_CHANGE, sale.idempotency_key, "basket 7"))


def test_settlement_knows_a_retired_sale_by_all_that_it_compares_but_its_recipient():
    sale = sold()
    assert seen(tombstone_of(sale, LATER)) == structs.replace(Sold.of(sale), recipient=None, sign_of_vend=False, is_nameless=True)


def test_settlement_knows_that_an_erased_sale_had_a_recipient_and_a_pinned_one_none():
    pinned = structs.replace(vended(Receipt(supplier_transaction_id="s-1"), order=PINNED_ORDER), open=None, answers=(ANSWER,))
    assert [Sold.of(one).is_nameless for one in (sold(), bare(sold()), pinned, bare(pinned))] == [False, True, False, False]


def test_days_are_counted_from_the_business_day():
    retention = Retention(days=1826, personal_data_days=400)
    today = LATER.date()
    assert (today - retention.erases_up_to(today)).days == 400 and (today - retention.retires_up_to(today)).days == 1826
