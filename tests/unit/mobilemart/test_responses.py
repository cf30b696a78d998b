"""The proof in the supplier's answer to a vend: every known code and status, and every kind of doubt."""

import pytest

from shared.domain.outcome import Prevended, Reason, Rejected, TokensDue, Unknown, Vended
from shared.domain.policy import AmountCheck
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.error_codes import CODES
from shared.mobilemart.responses import Concern, NoReply, Reply, VendRead, read_products, read_reprint, read_vend
from tests.unit.mobilemart.answers import ELECTRICITY, HTML, ORDERS, SOLD, VOUCHER, answer, html, prevended, problem, vend

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
def test_a_401_was_not_taken_with_any_body(order: Order, reply: Reply) -> None:
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


# --- vends: in doubt


@every_order
@pytest.mark.parametrize(
    "status", [100, 300, 302, 304, 307, 308, 400, 402, 403, 404, 405, 408, 409, 410, 418, 422, 499, 500, 502, 503, 504, 599, 999]
)
def test_an_answer_that_proves_nothing_is_a_doubt_without_an_indication_of_a_vend(order: Order, status: int) -> None:
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
def test_a_2xx_that_is_no_documented_sale_is_a_doubt_with_an_indication_of_a_vend(content_type: str, body: bytes) -> None:
    for order in ORDERS:
        for status in (200, 201, 202, 204, 299):
            outcome = vend(Reply.of(status, {"content-type": content_type}, body), order)

            assert isinstance(outcome, Unknown)
            assert outcome.sign_of_vend


@pytest.mark.parametrize("fault", ["ReadError", "TimeoutError", "over 1048576 bytes"])
def test_a_2xx_that_was_cut_is_a_doubt_with_an_indication_of_a_vend(fault: str) -> None:
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
def test_an_unproven_sale_concerns_an_operator_only_if_its_answer_contradicts_it(reply: Reply, read: VendRead) -> None:
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
def test_goods_in_the_answer_outweigh_an_ambiguous_status(
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


def test_a_missing_answer_is_a_doubt() -> None:
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


@pytest.mark.parametrize(("status", "is_success"), [(199, False), (200, True), (299, True), (300, False)])
def test_a_sale_in_any_2xx_and_in_no_other_status_is_one(status: int, is_success: bool) -> None:
    assert isinstance(vend(answer(status, {"transactionId": "T-1"})), Vended) is is_success
    assert isinstance(prevended(answer(status, {"transactionId": "PV-1"})), Prevended) is is_success
    assert isinstance(read_reprint(answer(status, SOLD), ELECTRICITY, Mode.LIVE), Vended) is is_success
    assert isinstance(read_products(answer(status, []), VasType.DATA, Mode.LIVE), tuple) is is_success
