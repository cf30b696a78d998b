"""A 2xx that means no or not yet, or names another sale, never proves this sale."""

import json
from typing import Any

import pytest

from shared.domain.money import Money
from shared.domain.outcome import NoAnswer, Outcome, TokensDue, Unknown, Vended
from shared.domain.policy import AmountCheck
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart import vend_checks
from shared.mobilemart.recipients import names_another
from shared.mobilemart.responses import Concern, Reply, read_reprint, read_vend
from shared.mobilemart.status_words import Says, flag_says, remark_says, says_no_error, status_says

TOKEN = "00000000000011112222"
REQUEST_ID = "3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f"
ELECTRICITY = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="ELEC", meter_number="04123456789")
BILL = Order(vas_type=VasType.BILL_PAYMENT, amount=Money(45_050), merchant_product_id="BILL", account_number="135609708")
AIRTIME = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", mobile_number="27821234567")
AIRTIME_PIN = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIRPIN", pinned=True)
DATA = Order(vas_type=VasType.DATA, amount=Money(2_900), merchant_product_id="DATA", mobile_number="27821234567")
DATA_PIN = Order(vas_type=VasType.DATA, amount=Money(2_900), merchant_product_id="DATAPIN", pinned=True)
VOUCHER = Order(vas_type=VasType.VOUCHER, amount=Money(5_000), merchant_product_id="VOUCHER")
ORDERS = [ELECTRICITY, BILL, AIRTIME, AIRTIME_PIN, DATA, DATA_PIN, VOUCHER]
NAMES = ["utility", "bill payment", "airtime", "airtime PIN", "data", "data PIN", "voucher"]
every_order = pytest.mark.parametrize("order", ORDERS, ids=NAMES)


def goods(order: Order) -> dict[str, Any]:
    """Build the members of a good answer to the order."""
    amount = f"{order.amount.rand:f}"
    if order.vas_type is VasType.UTILITY:
        return {"additionalDetails": {"productAmount": amount, "tokens": [{"token": TOKEN}]}}
    if order.pinned or order.vas_type is VasType.VOUCHER:
        return {"additionalDetails": {"productAmount": amount, "pin": "12345678901234"}}
    return {"amount": amount}


def answered(order: Order, *more: dict[str, Any], status: int = 200, content_type: str = "application/json") -> Reply:
    """Build an answer to the order with more members. A dictionary under an existing name is merged into its value."""
    body: dict[str, Any] = {"transactionId": "T-1"} | goods(order)
    for members in more:
        for name, value in members.items():
            body[name] = body[name] | value if isinstance(value, dict) and isinstance(body.get(name), dict) else value
    return Reply.of(status, {"content-type": content_type}, json.dumps(body).encode())


def vend(order: Order, *more: dict[str, Any], status: int = 200) -> Outcome:
    return read_vend(answered(order, *more, status=status), order, Mode.LIVE, REQUEST_ID).outcome


def is_doubted(outcome: Outcome) -> bool:
    return isinstance(outcome, Unknown) and outcome.sign_of_vend


# --- a status that means no, or not yet

NO = ["Failed", "FAILURE", "failed", "Declined", "Rejected", "Cancelled", "Reversed", "Voided", "Error", "Binned", "Timed out", "TIMEOUT"]
NO += ["Unsuccessful", "NotSuccessful", "not successful", "Transaction failed", "DO_NOT_HONOUR", "Expired", "Insufficient funds", "false"]
NOT_YET = ["Pending", "PROCESSING", "InProgress", "in_progress", "Queued", "Submitted", "Awaiting confirmation", "On hold", "Unknown"]
NOT_YET += ["Successfully queued", "Being processed", "Partially completed", "202"]
YES = ["Success", "SUCCESSFUL", "Completed", "Approved", "OK", "00", "000", "200", "Vended", "Delivered", "Processed", "No errors", "true"]
YES += ["Successful, no errors", "Request processed successfully"]


@every_order
@pytest.mark.parametrize("word", [*NO, *NOT_YET])
def test_a_status_that_is_no_yes_is_a_doubt_with_an_indication_of_a_vend(order: Order, word: str) -> None:
    for status in (200, 201, 202):
        assert is_doubted(vend(order, {"status": word}, status=status))


@pytest.mark.parametrize("word", YES)
def test_a_status_of_yes_contradicts_nothing(word: str) -> None:
    for order in ORDERS:
        read = read_vend(answered(order, {"status": word}), order, Mode.LIVE, REQUEST_ID, AmountCheck.ALERT)
        assert isinstance(read.outcome, Vended) and read.concern is None


@pytest.mark.parametrize(
    "members",
    [
        {"state": "FAILED"},
        {"result": "failed"},
        {"outcome": "declined"},
        {"Status": "failed"},
        {"transactionStatus": "Failed"},
        {"transaction_status": "PENDING"},
        {"vendStatus": "Binned"},
        {"statusDescription": "Transaction failed"},
        {"responseCode": "05"},
        {"responseCode": "DECLINED"},
        {"responseCode": 1002},
        {"responseMessage": "Declined"},
        {"response_description": "TRANSACTION FAILED"},
        {"resultCode": -1},
        {"code": "500", "message": "no"},
        {"message": "Transaction failed"},
        {"messages": ["Vend failed"]},
        {"note": "Vend failed"},
        {"stat": "Failed"},
        {"message": "Your transaction is being processed"},
        {"success": False},
        {"success": "false"},
        {"isSuccessful": False},
        {"approved": False},
        {"isApproved": 0},
        {"pending": True},
        {"declined": "true"},
        {"status": {"code": "05", "description": "Do not honour"}},
        {"status": ["Failed"]},
        {"statuses": [], "result": {"status": "Pending"}},
        {"additionalDetails": {"status": "Failed"}},
        {"additionalDetails": {"approved": False}},
        {"additionalDetails": {"result": {"state": {"value": "declined"}}}},
        {"data": {"transaction": {"status": "processing"}}},
        {"status": False},
        {"status": 400},
        {"status": "Success", "additionalDetails": {"status": "Reversed"}},
    ],
    ids=str,
)
def test_a_status_is_read_at_any_depth(members: dict[str, Any]) -> None:
    assert all(is_doubted(vend(order, members)) for order in ORDERS)


@pytest.mark.parametrize(
    "members",
    [
        {"errorCode": 5},
        {"errorCode": 1},
        {"errorCode": True},
        {"errorCode": "1002"},
        {"fulcrumErrorCode": 1002},
        {"error": "no stock"},
        {"error": {"code": 5, "message": "no"}},
        {"errors": ["no stock"]},
        {"hasError": True},
        {"errorMessage": "upstream provider issue"},
        {"failureReason": "no stock"},
        {"additionalDetails": {"errorCode": 7}},
        {"additionalDetails": {"provider": {"fault_code": "E1"}}},
        {"title": "No.", "status": 400},
        {"title": "Bad Request", "detail": "no"},
        {"type": "https://switch.example/error-codes#1013"},
        {"title": "Bad Request", "traceId": "00-1-2-00"},
    ],
    ids=str,
)
def test_an_error_of_any_kind_in_a_2xx_is_a_doubt_with_an_indication_of_a_vend(members: dict[str, Any]) -> None:
    assert all(is_doubted(vend(order, members)) for order in ORDERS)


def test_a_2xx_that_is_a_problem_by_its_type_is_a_doubt() -> None:
    assert is_doubted(read_vend(answered(AIRTIME, content_type="application/problem+json"), AIRTIME, Mode.LIVE).outcome)


@pytest.mark.parametrize(
    "other", [{"type": "about:blank"}, {"status": 200}, {"status": "400"}, {"traceId": "00-1"}, {"instance": "/1"}], ids=str
)
def test_a_2xx_that_is_a_problem_by_its_members_is_a_doubt(other: dict[str, Any]) -> None:
    assert all(is_doubted(vend(order, {"title": "Bad Request", **other})) for order in ORDERS)


@pytest.mark.parametrize(
    "members",
    [
        {"errorCode": 0, "errorMessage": "", "errors": [], "error": None, "hasError": False},
        {"errorCode": "00", "errorMessage": "Success", "error": {"code": 0, "message": "none"}},
        {"status": "", "state": None, "result": [], "message": "Thank you. Tokens cannot be refunded."},
        {"success": True, "approved": "yes", "pending": False, "reversed": False, "confirmed": "2026-05-01T10:00:00"},
        {"additionalDetails": {"accountStatus": {"status": "Blocked"}, "consumerDetails": {"state": "Pending"}}},
        {"additionalDetails": {"municipalityDetails": {"status": "Failed"}, "fixedCosts": [{"description": "Arrears", "status": "Open"}]}},
        {"additionalDetails": {"instructions": "If this fails, call us."}, "productName": "Failed dreams"},
        {"title": "Electricity", "type": "utility"},
    ],
    ids=str,
)
def test_a_value_that_is_no_status_of_the_sale_contradicts_nothing(members: dict[str, Any]) -> None:
    assert all(isinstance(vend(order, members), Vended) for order in ORDERS)


@every_order
@pytest.mark.parametrize("word", ["Accepted", "PARTYING", "STATUS_7", "7", "失败"])
def test_a_status_that_nobody_knows_is_vended_beside_a_token_and_else_a_doubt(order: Order, word: str) -> None:
    read = read_vend(answered(order, {"status": word}), order, Mode.LIVE, REQUEST_ID, AmountCheck.ALERT)
    if "additionalDetails" in goods(order):
        assert isinstance(read.outcome, Vended) and read.concern is Concern.STATUS_NOT_KNOWN
    else:
        assert is_doubted(read.outcome) and read.concern is Concern.DOES_NOT_MATCH


@every_order
def test_a_bare_202_is_a_sale_only_where_the_goods_are_in_it(order: Order) -> None:
    with_goods = "additionalDetails" in goods(order)
    assert isinstance(vend(order, status=202), Vended) is with_goods
    assert is_doubted(vend(order, {"additionalDetails": {"tokens": [], "pin": None}}, status=202))


def test_a_doubt_names_its_reason_in_our_words_and_alerts_an_operator() -> None:
    read = read_vend(answered(AIRTIME, {"status": "Failed"}), AIRTIME, Mode.LIVE, REQUEST_ID, AmountCheck.ALERT)
    assert read.outcome == Unknown("HTTP 200, but its status says no", sign_of_vend=True)
    assert (read.concern, read.why) == (Concern.DOES_NOT_MATCH, "its status says no")


# --- another sale


@pytest.mark.parametrize(
    ("order", "members"),
    [
        (ELECTRICITY, {"meterNumber": "04123456780"}),
        (ELECTRICITY, {"meterNumber": 99}),
        (ELECTRICITY, {"additionalDetails": {"meterNumber": "04123456780"}}),
        (ELECTRICITY, {"additionalDetails": {"consumerDetails": {"meterNo": "04123456780"}}}),
        (ELECTRICITY, {"meterNumber": "*****6780"}),
        (ELECTRICITY, {"meterNumber": "05*****6789"}),
        (ELECTRICITY, {"meterNumber": "04123456789", "additionalDetails": {"meterNumber": "04123456780"}}),
        (ELECTRICITY, {"mobileNumber": "0821234567"}),
        (BILL, {"accountNumber": "135609709"}),
        (BILL, {"additionalDetails": {"account_number": "135520754"}}),
        (AIRTIME, {"mobileNumber": "0821234568"}),
        (AIRTIME, {"msisdn": "27821234568"}),
        (DATA, {"additionalDetails": {"mobileNumber": "+27 82 123 4568"}}),
        (AIRTIME, {"mobileNumber": "xxx4568"}),
        *((AIRTIME, {name: "0821234568"}) for name in ("phoneNumber", "cellularNumber", "destination", "destinationNumber", "telephone")),
        (ELECTRICITY, {"meterNumber": "*******0000"}),
        (AIRTIME, {"meterNumber": "04123456789"}),
        (AIRTIME_PIN, {"mobileNumber": "0821234567"}),
        (VOUCHER, {"meterNumber": "04123456789"}),
        *((order, {"requestId": "3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e40"}) for order in ORDERS),
        (ELECTRICITY, {"additionalDetails": {"merchantRequestId": "another"}}),
    ],
    ids=str,
)
def test_another_recipient_or_request_is_a_doubt_with_an_indication_of_a_vend(order: Order, members: dict[str, Any]) -> None:
    read = read_vend(answered(order, members), order, Mode.LIVE, REQUEST_ID, AmountCheck.ALERT)
    assert is_doubted(read.outcome) and read.concern is Concern.DOES_NOT_MATCH


@pytest.mark.parametrize(
    ("order", "members"),
    [
        (ELECTRICITY, {"meterNumber": "4123456789"}),
        (ELECTRICITY, {"meterNumber": 4123456789}),
        (ELECTRICITY, {"meterNumber": "0004123456789"}),
        (ELECTRICITY, {"meterNumber": "0412 345 6789"}),
        (ELECTRICITY, {"meterNumber": "*******6789"}),
        (ELECTRICITY, {"meterNumber": "xxx6789"}),
        (ELECTRICITY, {"meterNumber": "...6789"}),
        (ELECTRICITY, {"meterNumber": "041****6789"}),
        (ELECTRICITY, {"meterNumber": "***********"}),
        (ELECTRICITY, {"meterNumber": "", "mobileNumber": None, "accountNumber": "n/a"}),
        (ELECTRICITY, {"meterNumber": "00000000000"}),
        (ELECTRICITY, {"meterNumber": "04123456789", "accountNumber": "778899", "mobileNumber": "0831112222"}),
        (ELECTRICITY, {"additionalDetails": {"consumerDetails": {"accountNumber": "778899", "mobileNumber": "0831112222"}}}),
        (ELECTRICITY, {"accountNumber": "04123456789"}),
        (BILL, {"accountNumber": "0135609708"}),
        (BILL, {"accountNumber": "ACC-135609708"}),
        (AIRTIME, {"mobileNumber": "0821234567"}),
        (AIRTIME, {"mobileNumber": "27821234567"}),
        (AIRTIME, {"mobileNumber": "+27821234567"}),
        (AIRTIME, {"mobileNumber": "+27 (0)82 123-4567"}),
        (AIRTIME, {"mobileNumber": "0027821234567"}),
        (AIRTIME, {"mobileNumber": 821234567}),
        (AIRTIME, {"mobileNumber": "082***4567"}),
        (AIRTIME, {"mobileNumber": "2782***4567"}),
        *((order, {"requestId": REQUEST_ID.upper()}) for order in ORDERS),
        (AIRTIME, {"requestId": REQUEST_ID.replace("-", "")}),
        (AIRTIME, {"requestId": f"{{{REQUEST_ID}}}"}),
        (AIRTIME, {"requestId": None, "merchantRequestId": "00000000-0000-0000-0000-000000000000"}),
        (VOUCHER, {"mobileNumber": "", "accountNumber": 0}),
    ],
    ids=str,
)
def test_a_number_in_another_form_is_the_same_number(order: Order, members: dict[str, Any]) -> None:
    assert isinstance(vend(order, members), Vended)


@pytest.mark.parametrize(
    ("named", "another"),
    [
        ("0*12*6789", False),
        ("0*12*34*6789", False),
        ("0*34*12*6789", True),
        ("0*12*12*6789", True),
        ("0*4*6789", False),
        ("0*51*6789", True),
        ("041234*56789", False),
        ("041234*456789", True),
        ("041*23*89", False),
        ("041*1*89", True),  # the piece at the start is not found again after it
        ("04*8*789", True),
        ("04*6*6*789", True),
        ("04123456789*", False),
        ("04123456789*9", True),
        ("041234567890", True),
        ("6789", True),
        ("*******0000", True),
        ("***********", None),
        ("00000000000", None),
        ("METER 04123456789", False),
        ("1*" * 400, True),
        (True, None),
        (False, None),
        (4.5, None),
        (["04123456780"], None),
        ("0", None),
        ("00*00", True),
        ("٠٤١٢", None),
    ],
    ids=str,
)
def test_the_visible_digits_of_a_masked_number_decide(named: object, another: bool | None) -> None:
    assert names_another(named, ELECTRICITY) is another


@pytest.mark.parametrize(
    ("zeros", "another"), [(0, False), (1, True), (2, False), (3, True), (4, False), (5, True), (11, False), (12, True)]
)
def test_a_masked_number_may_be_filled_up_to_eleven_thirteen_or_twenty_digits(zeros: int, another: bool) -> None:
    assert names_another(f"{'0' * zeros}1356*708", BILL) is another
    assert names_another(f"{'0' * zeros}135609708", BILL) is False


@pytest.mark.parametrize(
    ("named", "another"),
    [
        *((f"{before}82*4567", False) for before in ("27", "0", "", "0027", "270", "+27 ", "(0) ")),
        *((f"{before}82*4567", True) for before in ("28", "00", "2700", "00270", "7")),
        *((f"08{between}2*4567", False) for between in " -\u2010\u2013\u2015+()/.,'_\t"),
        *((f"0821{hidden}4567", False) for hidden in ("..", "...", "xx", "#", "\u2022\u2022")),
        *((f"0821{between}4567", True) for between in (".", "-", " ")),
    ],
)
def test_a_masked_mobile_number_is_read_in_each_of_its_forms(named: str, another: bool) -> None:
    assert names_another(named, AIRTIME) is another


# --- the amount

HALF = {"amount": 50, "additionalDetails": {"productAmount": "50.00"}}


@pytest.mark.parametrize(
    ("members", "how"),
    [
        (HALF, "less than asked"),
        ({"amount": 50, "additionalDetails": {"productAmount": "100.00"}}, "less than asked"),
        ({"amount": 100, "additionalDetails": {"productAmount": "50.00"}}, "less than asked"),
        ({"additionalDetails": {"productAmount": "10000"}}, "in cents"),
        ({"additionalDetails": {"productAmount": "105.00"}}, "more than asked"),
        ({"amount": 50, "additionalDetails": {"productAmount": "105.00"}}, "more than asked"),
        ({"additionalDetails": {"productAmount": "R100"}}, "not readable"),
    ],
    ids=str,
)
def test_another_amount_alerts_an_operator_and_is_a_doubt_only_if_configured(members: dict[str, Any], how: str) -> None:
    reply = answered(ELECTRICITY, members)
    alert = read_vend(reply, ELECTRICITY, Mode.LIVE, REQUEST_ID, AmountCheck.ALERT)
    doubt = read_vend(reply, ELECTRICITY, Mode.LIVE, REQUEST_ID, AmountCheck.DOUBT)
    assert isinstance(alert.outcome, Vended) and alert.outcome.receipt.tokens
    assert is_doubted(doubt.outcome)
    assert (alert.concern, alert.why) == (doubt.concern, doubt.why) == (Concern.AMOUNT_DIFFERS, how)


@every_order
def test_the_amount_that_was_sent_or_none_is_no_other_amount(order: Order) -> None:
    for members in ({}, {"amount": None, "additionalDetails": {"productAmount": None}}):
        read = read_vend(answered(order, members), order, Mode.LIVE, REQUEST_ID, AmountCheck.DOUBT)
        assert isinstance(read.outcome, Vended) and read.concern is None


# --- reprints


@pytest.mark.parametrize(
    "members",
    [
        {"status": "Failed"},
        {"status": "Pending"},
        {"success": False},
        {"requestId": "another"},
        {"meterNumber": "04123456780"},
        {"additionalDetails": {"productAmount": "50.00"}},
    ],
    ids=str,
)
def test_a_contradicting_reprint_indicates_a_vend_under_our_request_id_alone(members: dict[str, Any]) -> None:
    reply = answered(ELECTRICITY, members)
    found = read_reprint(reply, ELECTRICITY, Mode.LIVE, None, REQUEST_ID)
    assert isinstance(found, Unknown) and found.sign_of_vend
    assert isinstance(read_reprint(reply, ELECTRICITY, Mode.LIVE, "T-1", REQUEST_ID), NoAnswer)


@pytest.mark.parametrize("members", [{"errorCode": 5}, {"title": "No.", "detail": "no"}], ids=str)
def test_a_reprint_that_says_an_error_is_no_answer(members: dict[str, Any]) -> None:
    assert isinstance(read_reprint(answered(ELECTRICITY, members), ELECTRICITY, Mode.LIVE, None, REQUEST_ID), NoAnswer)


def test_a_reprint_in_another_form_is_the_sale() -> None:
    members = {"status": "SUCCESSFUL", "meterNumber": "***6789", "requestId": REQUEST_ID.upper()}
    found = read_reprint(answered(ELECTRICITY, members), ELECTRICITY, Mode.LIVE, None, REQUEST_ID)
    assert isinstance(found, Vended) and found.receipt.tokens_due is TokensDue.DELIVERED


# --- words


@pytest.mark.parametrize(("words", "says"), [(NO, Says.NO), (NOT_YET, Says.NOT_YET), (YES, Says.YES)])
def test_each_word_says_what_its_list_says(words: list[str], says: Says) -> None:
    assert {word: status_says(word) for word in words} == dict.fromkeys(words, says)


@pytest.mark.parametrize(
    ("value", "says"),
    [(0, Says.UNKNOWN), (1, Says.UNKNOWN), (200, Says.YES), (202, Says.NOT_YET), (503, Says.NO), (1008, Says.NO), (-1, Says.NO)],
)
def test_a_number_says_what_it_says_in_http_and_in_the_suppliers_own_list(value: int, says: Says) -> None:
    assert status_says(value) is status_says(str(value)) is says


@pytest.mark.parametrize(("value", "says"), [(0, Says.YES), ("0", Says.YES), ("00", Says.YES), ("05", Says.NO), ("7", Says.UNKNOWN)])
def test_a_response_code_of_zero_says_yes(value: object, says: Says) -> None:
    assert status_says(value, is_code=True) is says


def test_flags_remarks_and_errors_say_no_more_than_they_say() -> None:
    assert (flag_says(True, good=True), flag_says(1, good=True), flag_says("N", good=True)) == (Says.YES, Says.YES, Says.NO)
    assert (flag_says(False, good=False), flag_says(True, good=False), flag_says(17, good=True)) == (None, Says.NO, None)
    assert flag_says("2026-05-01", good=True) is flag_says([], good=True) is None
    assert remark_says("Tokens cannot be refunded") is remark_says(7) is None
    assert (remark_says("It has failed."), remark_says("is pending")) == (Says.NO, Says.NOT_YET)
    assert all(map(says_no_error, (None, 0, "0", "000", "", False, [], {}, {"code": [0, ""]}, "None", "No error", "OK")))
    assert not any(map(says_no_error, (True, 1, "1", -1, "E5", [0, 1], {"code": {"n": 5}}, "Accepted")))


def test_names_of_any_length_are_read_without_being_remembered_whole() -> None:
    for number in range(50):
        assert isinstance(vend(AIRTIME, {f"{number}" * 100_000: 1}), Vended)
    known = vend_checks._place.cache_info()
    assert isinstance(vend(AIRTIME, {"7" * 200_000: 1}), Vended)
    assert vend_checks._place.cache_info().misses == known.misses  # the cache ends where the name is no longer read
