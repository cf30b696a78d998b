"""What the supplier's answers mean: every known code and status, on every call, and anything at all besides."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from shared.domain.catalogue import Product
from shared.domain.money import Money
from shared.domain.outcome import Consumer, NoAnswer, NoSuchTransaction, Prevended, RawAnswer, Reason, Rejected, TokensDue, Unknown, Vended
from shared.domain.policy import AmountCheck
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.error_codes import CODES
from shared.mobilemart.responses import (
    SAYS_SIMULATED,
    Concern,
    Heard,
    NoReply,
    Reply,
    VendRead,
    read_prevend,
    read_products,
    read_reprint,
    read_vend,
)

ELECTRICITY = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="ELEC", meter_number="12345678901")
BILL = Order(vas_type=VasType.BILL_PAYMENT, amount=Money(45_050), merchant_product_id="BILL", account_number="135609708")
AIRTIME = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", mobile_number="27821234567")
AIRTIME_PIN = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIRPIN", pinned=True)
DATA = Order(vas_type=VasType.DATA, amount=Money(2_900), merchant_product_id="DATA", mobile_number="27821234567")
DATA_PIN = Order(vas_type=VasType.DATA, amount=Money(2_900), merchant_product_id="DATAPIN", pinned=True)
VOUCHER = Order(vas_type=VasType.VOUCHER, amount=Money(5_000), merchant_product_id="VOUCHER")
ORDERS = [ELECTRICITY, BILL, AIRTIME, AIRTIME_PIN, DATA, DATA_PIN, VOUCHER]
NAMES = ["utility", "bill payment", "airtime", "airtime PIN", "data", "data PIN", "voucher"]
every_order = pytest.mark.parametrize("order", ORDERS, ids=NAMES)

DEFINITIVE = {
    1000: Reason.PRODUCT_UNAVAILABLE,
    1001: Reason.AMOUNT_REFUSED,
    1002: Reason.TEMPORARILY_UNAVAILABLE,
    1006: Reason.TEMPORARILY_UNAVAILABLE,
    1008: Reason.TEMPORARILY_UNAVAILABLE,
    1010: Reason.TEMPORARILY_UNAVAILABLE,
    1011: Reason.PRODUCT_UNAVAILABLE,
    1013: Reason.MOBILE_NUMBER_REFUSED,
}
REFUSED_RECIPIENT = {
    VasType.UTILITY: Reason.METER_UNKNOWN,
    VasType.BILL_PAYMENT: Reason.ACCOUNT_REFUSED,
    VasType.AIRTIME: Reason.MOBILE_NUMBER_REFUSED,
    VasType.DATA: Reason.MOBILE_NUMBER_REFUSED,
    VasType.VOUCHER: Reason.ACCOUNT_REFUSED,
}
NO, NOT_YET, MISMATCH = "its status says no", "its status says not yet", Concern.DOES_NOT_MATCH
HTML = b"<!doctype html><title>Fulcrum</title><div id=root></div>"


def answer(status: int, value: object, content_type: str = "application/json", **headers: str) -> Reply:
    return Reply.of(status, {"content-type": content_type, **headers}, json.dumps(value).encode())


def problem(status: int, code: object, **more: object) -> Reply:
    """An error as the supplier writes it."""
    return answer(
        status,
        {"type": f"https://switch.example/error-codes#{code}", "status": status, "fulcrumErrorCode": code} | more,
        "application/problem+json; charset=utf-8",
    )


def html(status: int) -> Reply:
    return Reply.of(status, {"content-type": "text/html"}, HTML)


def vend(heard: Heard, order: Order = ELECTRICITY, mode: Mode = Mode.LIVE) -> object:
    return read_vend(heard, order, mode).outcome


# --- vends: what is proven


@every_order
@pytest.mark.parametrize("code", DEFINITIVE)
def test_a_definitive_code_on_a_4xx_proves_that_nothing_was_sold(order: Order, code: int) -> None:
    for status in (400, 402, 403, 409, 422, 499):
        outcome = vend(problem(status, code), order)

        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.not_taken) == (DEFINITIVE[code], code == 1006)


@every_order
def test_a_refused_recipient_is_named_for_what_it_is(order: Order) -> None:
    outcome = vend(problem(400, 1016), order)

    assert isinstance(outcome, Rejected)
    assert outcome.reason is REFUSED_RECIPIENT[order.vas_type]


@every_order
@pytest.mark.parametrize("reply", [problem(401, None), html(401), problem(401, 1001), Reply.of(401, {}, b"", "cut")])
def test_a_401_was_not_taken_whatever_its_body(order: Order, reply: Reply) -> None:
    outcome = vend(reply, order)

    assert isinstance(outcome, Rejected)
    assert outcome.not_taken


@pytest.mark.parametrize(
    ("headers", "detail", "seconds"),
    [
        ({}, "Rate Limit has been reached. Please retry in 1 minute(s).", 60),
        ({}, "Please retry in 3 minute(s).", 180),
        ({}, "Please retry in 20 seconds.", 20),
        ({}, "Please retry in 9999 minute(s).", 3600),
        ({}, "later", 60),
        ({"retry-after": "17"}, "Please retry in 3 minute(s).", 17),
        ({"retry-after": "0"}, "", 1),
        ({"retry-after": "999999"}, "", 3600),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "retry in 2 minutes", 120),
        ({"retry-after": "-5"}, "", 60),
        ({"retry-after": " 18 "}, "", 18),
        ({"retry-after": "9999999"}, "Please retry in 1 second.", 1),
        ({}, "RETRY IN 2 MINUTES", 120),
        ({}, "retry in 3600 seconds", 3600),
        ({}, "retry in 0 seconds", 1),
        ({}, "retry in 61 minutes", 3600),
    ],
)
def test_a_429_is_a_rejection_with_the_wait_that_it_asks_for(headers: dict[str, str], detail: str, seconds: int) -> None:
    outcome = vend(answer(429, {"title": "Too Many Requests.", "detail": detail}, **headers))

    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.retry_after_seconds, outcome.not_taken) == (Reason.SUPPLIER_BUSY, seconds, False)


def test_a_request_that_was_provably_not_sent_was_not_taken() -> None:
    assert vend(NoReply("refused", never_sent=True)) == Rejected(Reason.TEMPORARILY_UNAVAILABLE, "refused", not_taken=True)


# --- vends: what is in doubt


@every_order
@pytest.mark.parametrize(
    "status", [100, 300, 302, 304, 307, 308, 400, 402, 403, 404, 405, 408, 409, 410, 418, 422, 499, 500, 502, 503, 504, 599, 999]
)
def test_an_answer_that_proves_nothing_is_a_doubt_without_a_sign_of_a_vend(order: Order, status: int) -> None:
    for reply in (problem(status, None), problem(status, 1099), html(status), Reply.of(status, {}, b""), Reply.of(status, {}, b"", "cut")):
        outcome = vend(reply, order)

        assert isinstance(outcome, Unknown)
        assert not outcome.sign_of_vend


@every_order
@pytest.mark.parametrize("code", CODES)
def test_a_code_on_anything_but_a_4xx_or_on_an_unknown_path_proves_nothing(order: Order, code: int) -> None:
    for status in (200, 201, 302, 404, 405, 500, 503):
        outcome = vend(problem(status, code, transactionId="T-1"), order)

        assert isinstance(outcome, Unknown)
        assert outcome.sign_of_vend is (status < 300)


@pytest.mark.parametrize("code", [1003, 1012, 1004, 1103, 0, -1001, 10**30, "1001", 1001.0, True, [1001], {"code": 1001}], ids=repr)
def test_a_code_that_is_not_listed_as_definitive_proves_nothing(code: object) -> None:
    assert all(isinstance(vend(problem(400, code), order), Unknown) for order in ORDERS)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("application/json", b"null"),
        ("application/json", b'"a long string"'),
        ("application/json", b'[{"transactionId":"T-1"}]'),
        ("application/json", b"{}"),
        ("application/json", b'{"transactionId":""}'),
        ("application/json", b'{"transactionId":"  "}'),
        ("application/json", b'{"transactionId":12345}'),
        ("application/json", b'{"transactionId":null}'),
        ("application/json", b'{"transactionId":"00000000-0000-0000-0000-000000000000"}'),
        ("application/json", b'{"transactionId":"0"}'),
        ("application/json", b'{"transactionId":"%s"}' % (b"x" * 101)),
        ("application/json", b'{"transactionId":"T\\u0000"}'),
        ("application/json", b'{"transactionId":"\\ud800"}'),
        ("application/json", b'{"transactionId":"T-\xff"}'),
        ("application/json", b'{"transactionId":"T-1","transactionId":"T-2"}'),
        ("application/json", b'{"transactionId":"T-1","errorCode":7,"errorMessage":"no"}'),
        ("application/json", b'{"transactionId":"T-1","x":NaN}'),
        ("application/json", b'{"transactionId":"T-1"'),
        ("text/html", b'{"transactionId":"T-1"}'),
        ("text/html", HTML),
        ("", b'{"transactionId":"T-1"}'),
        ("application/jsonp", b'{"transactionId":"T-1"}'),
    ],
)  # fmt: skip
def test_a_2xx_that_is_no_sale_as_documented_is_a_doubt_with_a_sign_of_a_vend(content_type: str, body: bytes) -> None:
    for order in ORDERS:
        for status in (200, 201, 202, 204, 299):
            outcome = vend(Reply.of(status, {"content-type": content_type}, body), order)

            assert isinstance(outcome, Unknown)
            assert outcome.sign_of_vend


@pytest.mark.parametrize("fault", ["ReadError", "TimeoutError", "over 1048576 bytes"])
def test_a_2xx_that_was_cut_is_a_doubt_with_a_sign_of_a_vend(fault: str) -> None:
    outcome = vend(Reply.of(200, {"content-type": "application/json"}, b'{"transactionId":"T-1"}', fault))

    assert outcome == Unknown(f"HTTP 200, {fault}", sign_of_vend=True)


def test_a_2xx_in_an_encoding_that_we_did_not_ask_for_is_a_doubt() -> None:
    outcome = vend(Reply.of(200, {"content-type": "application/json", "content-encoding": "gzip"}, b'{"transactionId":"T-1"}'))

    assert isinstance(outcome, Unknown)
    assert outcome.sign_of_vend


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        (answer(200, {"status": "Success"}), VendRead(Unknown("HTTP 200", sign_of_vend=True))),
        (
            answer(202, {"transactionId": "0"}),
            VendRead(Unknown("HTTP 202, but its status says not yet", sign_of_vend=True), MISMATCH, NOT_YET),
        ),
        (answer(200, {"status": "Failed"}), VendRead(Unknown("HTTP 200, but its status says no", sign_of_vend=True), MISMATCH, NO)),
        (
            answer(202, {"transactionId": "T-1", "status": "Failed"}),
            VendRead(Unknown("HTTP 202, but its status says no", sign_of_vend=True), MISMATCH, NO),
        ),
        (html(200), VendRead(Unknown("HTTP 200, no JSON", sign_of_vend=True))),
        (html(500), VendRead(Unknown("HTTP 500, no JSON"))),
    ],
)
def test_of_an_answer_that_proves_no_sale_a_person_hears_only_what_speaks_against_it(reply: Reply, read: VendRead) -> None:
    assert read_vend(reply, ELECTRICITY, Mode.LIVE, None, AmountCheck.ALERT) == read


@pytest.mark.parametrize(
    ("details", "due"),
    [
        ({"tokens": ["00001111222233334444"]}, TokensDue.DELIVERED),
        ({"tokens": ["00001111222233334444", "12 34"]}, TokensDue.PENDING),
        ({"tokens": ["12 34"]}, None),
        ({"tokens": [], "onlineMeter": True}, None),
    ],
)
@pytest.mark.parametrize(("status", "word"), [(202, None), (202, "Success"), (200, "Partying")])
def test_goods_in_the_answer_outweigh_a_status_that_says_nothing_sure(
    status: int, word: str | None, details: dict[str, object], due: TokensDue | None
) -> None:
    outcome = vend(answer(status, {"transactionId": "T-1", "status": word, "additionalDetails": details}))

    assert (outcome.receipt.tokens_due if isinstance(outcome, Vended) else None) is due
    assert isinstance(outcome, Vended) or (isinstance(outcome, Unknown) and outcome.sign_of_vend)


@pytest.mark.parametrize("details", [{"pin": "12345678901234"}, {"serialNumber": "S-1"}], ids=str)
def test_a_pin_or_a_serial_number_outweighs_a_status_that_nobody_knows(details: dict[str, object]) -> None:
    for status, word in ((202, None), (200, "Partying")):
        said = {"transactionId": "T-1", "status": word, "additionalDetails": details}
        assert isinstance(vend(answer(status, said), VOUCHER), Vended)
        assert isinstance(vend(answer(status, said | {"additionalDetails": {"pin": ""}}), VOUCHER), Unknown)


def test_silence_is_a_doubt() -> None:
    assert vend(NoReply("TimeoutError")) == Unknown("TimeoutError", sign_of_vend=False)


# --- vends: sold


@every_order
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json;charset=UTF-8", "Application/JSON; charset=utf-8", "application/hal+json"]
)
def test_a_json_2xx_with_a_transaction_id_is_a_sale_even_without_its_token(order: Order, content_type: str) -> None:
    typed = order.vas_type in (VasType.UTILITY, VasType.VOUCHER) or order.pinned
    for status in (200, 201, 203):
        outcome = vend(answer(status, {"transactionId": "T-1", "errorCode": 0, "fulcrumErrorCode": None}, content_type), order)

        assert isinstance(outcome, Vended)
        assert outcome.receipt.supplier_transaction_id == "T-1"
        assert outcome.receipt.tokens_due is (TokensDue.PENDING if typed else TokensDue.NONE)


def test_a_letter_that_is_not_utf8_does_not_cost_the_token_beside_it() -> None:
    body = b'{"transactionId":"T-1","additionalDetails":{"consumerDetails":{"name":"Andr\xe9"},"tokens":["00001111222233334444"]}}'
    outcome = vend(Reply.of(200, {"content-type": "application/json"}, body))

    assert isinstance(outcome, Vended)
    assert [token.number for token in outcome.receipt.tokens] == ["00001111222233334444"]


# --- the simulator's mark


MARKED = [
    answer(200, {"transactionId": "T-1", "simulated": True}),
    answer(200, {"transactionId": "T-1"}, **{"x-simulated": "true"}),
    answer(400, {"fulcrumErrorCode": 1001, "simulated": True}),
    answer(401, {}, **{"x-simulated": "True"}),
    answer(429, {}, **{"x-simulated": "true"}),
]


@pytest.mark.parametrize("reply", MARKED)
def test_live_mode_believes_nothing_that_is_marked_as_simulated(reply: Reply) -> None:
    assert vend(reply) == Unknown(SAYS_SIMULATED, sign_of_vend=reply.status == 200)
    assert read_prevend(reply, ELECTRICITY, Mode.LIVE) == Rejected(Reason.TEMPORARILY_UNAVAILABLE, SAYS_SIMULATED)
    assert read_products(reply, VasType.DATA, Mode.LIVE) == Rejected(Reason.TEMPORARILY_UNAVAILABLE, SAYS_SIMULATED)
    assert read_reprint(reply, ELECTRICITY, Mode.LIVE) == NoAnswer(SAYS_SIMULATED)


def test_simulated_mode_expects_the_mark() -> None:
    assert [type(vend(reply, mode=Mode.SIMULATED)) for reply in MARKED] == [Vended, Vended, Rejected, Rejected, Rejected]


@pytest.mark.parametrize("value", [False, "true", 1, None, {"simulated": True}])
def test_only_true_is_the_mark(value: object) -> None:
    assert isinstance(vend(answer(200, {"transactionId": "T-1", "simulated": value})), Vended)


@pytest.mark.parametrize(
    ("headers", "is_read"),
    [
        *(({"content-type": kind}, True) for kind in ("application/json", " APPLICATION/JSON ;charset=utf-8", "application/a.b-1+json")),
        *(({"content-type": kind}, False) for kind in ("", "text/json", "application/jsonp", "application/+json", "xapplication/json")),
        *(({"content-encoding": coding}, True) for coding in ("", "identity", " Identity ")),
        *(({"content-encoding": coding}, False) for coding in ("gzip", "identity, gzip", "br")),
        ({}, True),
    ],
)
def test_an_answer_is_read_where_it_calls_itself_json_and_is_not_packed(headers: dict[str, str], is_read: bool) -> None:
    reply = Reply.of(200, {"content-type": "application/json", **headers}, b'{"a": 1}')

    assert reply.json == ({"a": 1} if is_read else None)
    assert (reply.fault is None) is (is_read or "content-encoding" not in headers)


def test_an_answer_without_a_header_or_a_body_holds_nothing() -> None:
    bare = Reply.of(401, {}, b"")

    assert bare == Reply(401) == Reply(401, content_type=None, body=b"", json=None, fault=None, retry_after=None, etag=None)
    assert (bare.says_simulated, bare.code, NoReply("x").never_sent) == (False, None, False)


def test_an_answer_that_was_cut_and_packed_was_cut() -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}

    assert Reply.of(200, headers, b"{}", "cut").fault == "cut"


@pytest.mark.parametrize(("value", "code"), [(1, 1), (-1, -1), (1001, 1001), (0, None), (True, None), ("1001", None), (1001.5, None)])
def test_the_suppliers_code_is_a_whole_number_and_nought_is_none(value: object, code: int | None) -> None:
    assert answer(400, {"fulcrumErrorCode": value}).code == code


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"', '""', f'"{"v" * 200}"', '"!#~"'])
def test_a_mark_of_a_version_is_kept_where_it_has_its_form(etag: str) -> None:
    assert answer(200, [], etag=etag).etag == etag
    for other in (etag.replace("W", "w") if "W" in etag else etag[1:], f"{etag} ", f"x{etag}", f'"{"v" * 201}"', '"a b"', '"a"b"', ""):
        assert answer(200, [], etag=other).etag is None
    assert answer(200, []).etag is None


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answer(200, {}), "HTTP 200"),
        (problem(400, 1001), "HTTP 400 code 1001 AmountInvalid"),
        (problem(400, 1099), "HTTP 400 code 1099"),
        *((problem(400, code), f"HTTP 400 code {code}") for code in (999_999, -999_999)),
        *((problem(400, code), "HTTP 400") for code in (0, 1_000_000, -1_000_000, True, "1001", 1001.5, None)),
        (answer(401, {}), "HTTP 401 Unauthorized"),
        (html(200), "HTTP 200, no JSON"),
        (Reply.of(200, {"content-type": "application/json"}, b"{}", "cut"), "HTTP 200, cut"),
        (
            Reply.of(200, {"content-type": "application/json", "content-encoding": "br"}, b""),
            "HTTP 200, an encoding that was not asked for",
        ),
    ],
)
def test_an_answer_is_described_in_our_words(reply: Reply, words: str) -> None:
    assert reply.description == words


@pytest.mark.parametrize(("status", "is_success"), [(199, False), (200, True), (299, True), (300, False)])
def test_a_sale_in_any_2xx_and_in_no_other_status_is_one(status: int, is_success: bool) -> None:
    assert isinstance(vend(answer(status, {"transactionId": "T-1"})), Vended) is is_success
    assert isinstance(prevended(answer(status, {"transactionId": "PV-1"})), Prevended) is is_success
    assert isinstance(read_reprint(answer(status, SOLD), ELECTRICITY, Mode.LIVE), Vended) is is_success
    assert isinstance(read_products(answer(status, []), VasType.DATA, Mode.LIVE), tuple) is is_success


# --- prevends


def prevended(heard: Heard, order: Order = ELECTRICITY) -> Prevended | Rejected:
    return read_prevend(heard, order, Mode.LIVE)


@pytest.mark.parametrize(
    ("minimum", "cents"), [(10, 1000), (339.26, 33926), ("339.26", 33926), ("10", 1000), (None, None), ("lots", None), (True, None)]
)
def test_a_prevend_says_its_conditions(minimum: object, cents: int | None) -> None:
    consumer = {"name": "T CONSUMER", "address": "1 TEST ROAD"}
    said = prevended(
        answer(200, {"transactionId": "PV-1", "minimumPurchaseAmount": minimum, "amountDue": 450.5, "consumerDetails": consumer})
    )

    assert said == Prevended("PV-1", None if cents is None else Money(cents), Money(45050), Consumer("T CONSUMER", "1 TEST ROAD"))


def test_a_prevend_of_a_bill_names_the_account_holder() -> None:
    said = prevended(answer(200, {"prevendTransactionId": "PV-2", "accountHolder": "A HOLDER"}), BILL)

    assert said == Prevended("PV-2", consumer=Consumer("A HOLDER"))


@pytest.mark.parametrize("order", [ELECTRICITY, BILL], ids=["utility", "bill payment"])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, Reason.PRODUCT_UNAVAILABLE),
        (1001, Reason.AMOUNT_REFUSED),
        (1002, Reason.TEMPORARILY_UNAVAILABLE),
        (1003, Reason.PREVEND_REFUSED),
        (1006, Reason.TEMPORARILY_UNAVAILABLE),
        (1008, Reason.TEMPORARILY_UNAVAILABLE),
        (1010, Reason.PREVEND_REFUSED),
        (1011, Reason.PRODUCT_UNAVAILABLE),
        (1012, Reason.PREVEND_REFUSED),
        (1013, Reason.PREVEND_REFUSED),
        (1099, Reason.PREVEND_REFUSED),
    ],
)
def test_a_refused_prevend_says_why(order: Order, code: int, reason: Reason) -> None:
    refusal = prevended(problem(400, code), order)

    assert isinstance(refusal, Rejected)
    assert refusal.reason is reason


def test_a_prevend_refuses_a_meter_as_unknown_and_an_account_as_refused() -> None:
    meter, account = prevended(problem(400, 1016)), prevended(problem(400, 1016), BILL)

    assert isinstance(meter, Rejected)
    assert isinstance(account, Rejected)
    assert (meter.reason, account.reason) == (Reason.METER_UNKNOWN, Reason.ACCOUNT_REFUSED)


@pytest.mark.parametrize(
    "heard",
    [
        NoReply("TimeoutError"),
        html(200),
        html(405),
        problem(403, None),
        problem(500, 1001),
        problem(503, None),
        problem(500, 1099),
        problem(499, None),
        *(problem(status, 1099) for status in (200, 302, 399, 500)),
        answer(200, {"transactionId": "PV-1", "errorCode": 5}),
        answer(200, {"transactionId": "PV-1", "fulcrumErrorCode": "E5"}),
        answer(200, {}),
        answer(200, []),
    ],
)
def test_a_prevend_that_was_not_answered_is_temporarily_unavailable(heard: Heard) -> None:
    refusal = prevended(heard)

    assert isinstance(refusal, Rejected)
    assert refusal.reason is Reason.TEMPORARILY_UNAVAILABLE


@pytest.mark.parametrize("heard", [problem(400, None), html(400), problem(401 + 1, 1099), problem(499, 1099), problem(404, 7)])
def test_a_prevend_that_was_refused_without_a_known_reason_is_refused_all_the_same(heard: Heard) -> None:
    refusal = prevended(heard)

    assert isinstance(refusal, Rejected)
    assert (refusal.reason, refusal.retry_after_seconds, refusal.float_exhausted) == (Reason.PREVEND_REFUSED, None, False)


def test_an_empty_float_and_a_refused_token_are_told_with_the_refusal() -> None:
    empty, unknown = prevended(problem(400, 1008)), prevended(problem(401, None))

    assert isinstance(empty, Rejected) and isinstance(unknown, Rejected)
    assert (empty.float_exhausted, empty.not_taken, unknown.float_exhausted, unknown.not_taken) == (True, False, False, True)
    assert empty.retry_after_seconds is None


def test_a_list_of_products_that_is_refused_says_why() -> None:
    refusal = read_products(problem(400, 1011), VasType.DATA, Mode.LIVE)

    assert isinstance(refusal, Rejected) and refusal.reason is Reason.PRODUCT_UNAVAILABLE


def test_of_two_rows_of_one_product_the_later_counts_in_the_place_of_the_first() -> None:
    row = {"merchantProductId": "a", "productName": "A", "amount": "0.01"}
    rows = listed([row, {"merchantProductId": "b", "productName": "", "name": "B"}, row | {"name": "other", "amount": "-1"}])

    assert [(one.merchant_product_id, one.name, one.amount) for one in rows] == [("a", "A", None), ("b", "B", None)]
    assert listed([row])[0].amount == Money(1)


def test_of_several_lists_the_first_that_is_one_counts() -> None:
    good = [{"merchantProductId": "a", "productName": "b"}]

    assert len(listed({"products": None, "data": good, "items": []})) == 1
    assert listed({"products": [], "data": good}) == ()


def test_an_id_of_zeros_confirms_nothing() -> None:
    empty = "00000000-0000-0000-0000-000000000000"

    assert isinstance(prevended(answer(200, {"transactionId": empty})), Rejected)
    assert prevended(answer(200, {"transactionId": empty, "prevendTransactionId": "PV-1"})) == Prevended("PV-1")


def test_a_busy_supplier_says_when_to_ask_again() -> None:
    for refusal in (prevended(answer(429, {})), read_products(answer(429, {}), VasType.DATA, Mode.LIVE)):
        assert isinstance(refusal, Rejected)
        assert (refusal.reason, refusal.retry_after_seconds) == (Reason.SUPPLIER_BUSY, 60)


# --- reprints


SOLD = {"transactionId": "T-1", "additionalDetails": {"productAmount": "100.00", "tokens": ["00001111222233334444"]}}


def reprinted(said: object, order: Order = ELECTRICITY, asked_for: str | None = None) -> object:
    return read_reprint(answer(200, said), order, Mode.LIVE, asked_for)


def test_a_reprint_that_matches_is_the_sale() -> None:
    found = reprinted(SOLD | {"meterNumber": "12345678901"}, asked_for="T-1")

    assert isinstance(found, Vended)
    assert [token.number for token in found.receipt.tokens] == ["00001111222233334444"]
    assert isinstance(reprinted({"transactionId": "T-1", "amount": 29, "mobileNumber": "0821234567"}, DATA), Vended)
    assert isinstance(
        reprinted({"transactionId": "T-1", "additionalDetails": {"productAmount": "50", "pin": "12345678901234"}}, VOUCHER), Vended
    )


def test_a_reprint_is_the_sale_that_was_asked_for_in_whichever_case_it_spells_the_guid() -> None:
    guid = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"

    assert isinstance(reprinted(SOLD | {"transactionId": guid.upper()}, asked_for=guid), Vended)
    assert isinstance(reprinted(SOLD | {"transactionId": "t-1"}, asked_for="T-1"), NoAnswer)


@pytest.mark.parametrize(
    "said",
    [
        SOLD | {"additionalDetails": {"productAmount": "100.01"}},
        SOLD | {"additionalDetails": {"productAmount": "10000"}},
        SOLD | {"additionalDetails": {}},
        SOLD | {"meterNumber": "99999999999"},
        SOLD | {"additionalDetails": {"productAmount": "100.00", "meterNumber": "99999999999"}},
        SOLD | {"transactionId": "T-2"},
        {"additionalDetails": {"productAmount": "100.00"}},
        [],
    ],
)  # fmt: skip
def test_a_reprint_of_another_sale_or_of_none_is_no_answer(said: object) -> None:
    assert isinstance(reprinted(said, asked_for="T-1"), NoAnswer)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"transactionId": "T-2"}, "its id differs"),
        ({"additionalDetails": {}}, "it names no amount"),
        ({"additionalDetails": {"productAmount": "R100"}}, "it names no amount"),
        ({"additionalDetails": {"productAmount": "100.01"}}, "its amount differs"),
        ({"status": "Failed", "additionalDetails": {}}, "its status says no"),
    ],
)
def test_a_reprint_that_is_not_believed_says_why(changes: dict[str, object], why: str) -> None:
    assert reprinted(SOLD | changes, asked_for="T-1") == NoAnswer(f"HTTP 200, but {why}")
    if "transactionId" not in changes:
        assert reprinted(SOLD | changes) == Unknown(f"HTTP 200, but {why}", sign_of_vend=True)


def test_a_202_that_says_an_error_is_no_answer_to_a_reprint() -> None:
    reply = answer(202, {"transactionId": "T-1", "amount": 100, "errorCode": 5})

    assert read_reprint(reply, ELECTRICITY, Mode.LIVE) == NoAnswer("HTTP 202, but it says an error")


def test_a_reprint_under_an_id_of_zeros_is_no_answer() -> None:
    assert isinstance(reprinted(SOLD | {"transactionId": "00000000-0000-0000-0000-000000000000"}), NoAnswer)


@pytest.mark.parametrize("details", [{"productAmount": "100.01"}, {}, {"productAmount": "100.00", "meterNumber": "99999999999"}])
def test_another_sale_under_our_own_request_id_is_a_sign_of_a_vend(details: object) -> None:
    found = reprinted(SOLD | {"additionalDetails": details})
    assert isinstance(found, Unknown)
    assert found.sign_of_vend


def test_only_1003_on_a_4xx_says_that_there_is_no_such_transaction() -> None:
    assert read_reprint(problem(400, 1003), ELECTRICITY, Mode.LIVE) == NoSuchTransaction()
    assert read_reprint(problem(404, 1003), ELECTRICITY, Mode.LIVE) == NoSuchTransaction()


@pytest.mark.parametrize(
    "heard",
    [
        *(problem(400, code) for code in CODES if code != 1003),
        *(problem(status, 1003) for status in (200, 302, 401, 429, 500)),
        *(problem(status, None) for status in (400, 401, 403, 404, 405, 429, 500)),
        html(200),
        NoReply("TimeoutError"),
        NoReply("refused", never_sent=True),
    ],
)
def test_every_other_answer_to_a_reprint_is_none(heard: Heard) -> None:
    assert isinstance(read_reprint(heard, ELECTRICITY, Mode.LIVE), NoAnswer)


# --- product lists


def listed(value: object, vas_type: VasType = VasType.DATA) -> tuple[Product, ...]:
    products = read_products(answer(200, value), vas_type, Mode.LIVE)
    assert not isinstance(products, Rejected)
    return products


def test_a_product_list_reads_the_fields_of_each_service() -> None:
    fixed = {
        "merchantProductId": "aB3",
        "productName": "1 GB",
        "contentCreator": "mtn",
        "pinned": False,
        "fixedAmount": True,
        "amount": 29.00,
    }
    open_amount = {"merchantProductId": "cD4", "productName": "Top-up", "contentCreator": "mtn", "pinned": True, "fixedAmount": False}
    limits = {"amount": 0, "minimumAmount": 2, "maximumAmount": 500}

    first, second = listed([fixed, open_amount | limits])

    assert (first.merchant_product_id, first.name, first.content_creator, first.pinned, first.fixed_amount) == (
        "aB3",
        "1 GB",
        "mtn",
        False,
        True,
    )
    assert (first.amount, first.minimum_amount, first.maximum_amount) == (Money(2900), None, None)
    assert (second.pinned, second.fixed_amount, second.amount) == (True, False, None)
    assert (second.minimum_amount, second.maximum_amount) == (Money(200), Money(50_000))
    (only,) = listed([{"merchantProductId": "eF5", "name": "Electricity"}], VasType.UTILITY)
    assert (only.vas_type, only.name) == (VasType.UTILITY, "Electricity")


def test_a_row_that_cannot_be_sold_is_left_out() -> None:
    good = {"merchantProductId": "aB3", "productName": "1 GB"}
    unpriced = {"merchantProductId": "x", "productName": "fixed, price unread", "fixedAmount": True, "amount": "29,00"}

    free = {"merchantProductId": "y", "productName": "fixed, without a price", "fixedAmount": True, "amount": 0}

    rows = listed([good, {"productName": "no id"}, {"merchantProductId": "no name"}, unpriced, free, None, 7, "row"])

    assert [row.merchant_product_id for row in rows] == ["aB3"]


@pytest.mark.parametrize("key", ["products", "data", "items"])
def test_a_wrapped_list_is_read_too(key: str) -> None:
    assert len(listed({key: [{"merchantProductId": "a", "productName": "b"}]})) == 1


@pytest.mark.parametrize("heard", [html(200), answer(200, "3386"), answer(200, {}), problem(500, None), problem(404, None), NoReply("x")])
def test_what_is_no_list_is_no_catalogue(heard: Heard) -> None:
    refusal = read_products(heard, VasType.DATA, Mode.LIVE)

    assert isinstance(refusal, Rejected)
    assert refusal.reason is Reason.TEMPORARILY_UNAVAILABLE


# --- whatever comes


HOSTILE = [
    b"[" * 200_000,
    b'{"a":' * 200_000,
    b'{"transactionId":"T","additionalDetails":{"productAmount":%s}}' % (b"9" * 4200),
    b'{"transactionId":"T","additionalDetails":{"productAmount":%s}}' % (b"9" * 100_000),
    b'{"transactionId":"T","amount":1e999999999999999999999}',
    b'{"transactionId":"T","amount":1E-999999999,"additionalDetails":{"tokens":[1e999,{"units":1E+400}],"fixedCosts":[{"amount":1e99}]}}',
    b'{"transactionId":"T","additionalDetails":{"instructions":"\\u0000","tokens":[[[]],{},null,"\\udfff"]}}',
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"\x00" * 1024,
    b"a" * 1_048_576,
    b'{"simulated":[],"fulcrumErrorCode":{},"detail":{"retry in":1},"errorCode":[]}',
]


def read_in_every_way(reply: Reply) -> None:
    for order in ORDERS:
        for mode in Mode:
            outcome = read_vend(reply, order, mode).outcome
            assert isinstance(outcome, Vended | Rejected | Unknown)
            if isinstance(outcome, Unknown):
                assert outcome.sign_of_vend is (200 <= reply.status < 300)
            assert_storable(repr(outcome))
            assert isinstance(read_prevend(reply, order, mode), Prevended | Rejected)
            assert isinstance(read_reprint(reply, order, mode, "T-1"), Vended | NoSuchTransaction | NoAnswer | Unknown)
            assert isinstance(read_products(reply, order.vas_type, mode), tuple | Rejected)


def assert_storable(shown: str) -> None:
    assert "\x00" not in shown
    shown.encode()


@pytest.mark.parametrize("body", HOSTILE, ids=[repr(body[:24]) for body in HOSTILE])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_no_body_however_hostile_raises(status: int, body: bytes) -> None:
    read_in_every_way(Reply.of(status, {"content-type": "application/json"}, body))


any_text = st.text(st.characters(exclude_categories=()), max_size=30)  # surrogates and NUL included
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text
names = st.sampled_from(
    [
        *("transactionId", "additionalDetails", "tokens", "token", "value", "pin", "units", "type", "fixedCosts", "amount", "products"),
        *(
            "consumerDetails",
            "name",
            "fulcrumErrorCode",
            "errorCode",
            "detail",
            "simulated",
            "serialNumber",
            "productAmount",
            "onlineMeter",
        ),
    ]
)
json_values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=8), max_leaves=25)
bodies = st.binary(max_size=200) | st.builds(lambda value: json.dumps(value).encode(), json_values)
content_types = st.sampled_from(["application/json", "application/problem+json", "text/html", ""]) | st.text(max_size=40)


@given(
    status=st.integers(100, 999),
    content_type=content_types,
    body=bodies,
    fault=st.none() | st.just("ReadError"),
    waits=st.text(max_size=12),
)
def test_no_status_content_type_or_body_raises(status: int, content_type: str, body: bytes, fault: str | None, waits: str) -> None:
    reply = Reply.of(status, {"content-type": content_type, "retry-after": waits, "etag": waits}, body, fault)

    assert 1 <= reply.wait_seconds <= 3600
    read_in_every_way(reply)


def without_errors(value: object) -> Any:
    """A JSON value without the members that speak against a sale, on any level."""
    if isinstance(value, list):
        return [without_errors(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {key: without_errors(inner) for key, inner in value.items() if key not in ("fulcrumErrorCode", "errorCode", "simulated")}


@given(value=json_values.filter(lambda value: isinstance(value, dict)))
def test_any_sale_with_an_id_is_vended_and_storable(value: object) -> None:
    assert isinstance(value, dict)
    said = without_errors(value) | {"transactionId": "T-1"}
    for order in ORDERS:
        outcome = vend(answer(200, said), order)
        assert isinstance(outcome, Vended)
        receipt = outcome.receipt
        said_of = (receipt.pin, receipt.serial_number, receipt.reference, receipt.instructions, receipt.expiry_date, receipt.receipt_number)
        assert_storable("".join(text or "" for text in said_of))
        assert all(len(token.number) == 20 for token in receipt.tokens)


def test_an_answer_never_shows_its_body() -> None:
    reply = answer(200, {"transactionId": "T-1", "additionalDetails": {"tokens": ["00001111222233334444"], "pin": "12345678901234"}})
    raw = RawAnswer.of("vend", datetime(2026, 5, 1, tzinfo=UTC), reply.status, reply.content_type, reply.body)
    shown = repr(reply) + repr(vend(reply)) + repr(vend(reply, VOUCHER)) + repr(raw) + reply.description

    assert "00001111222233334444" not in shown
    assert "12345678901234" not in shown


def test_amounts_are_read_without_floats() -> None:
    said = prevended(
        Reply.of(200, {"content-type": "application/json"}, b'{"transactionId":"P","minimumPurchaseAmount":0.29,"amountDue":1.1E1}')
    )

    assert said == structs.replace(Prevended("P"), minimum_amount=Money(29), amount_due=Money(1100))
    assert Decimal("0.29") * 100 == 29
