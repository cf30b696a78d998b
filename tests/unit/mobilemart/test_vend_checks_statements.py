"""The names under which an answer may contradict its sale, and in which objects: each known name is read."""

from decimal import Decimal

import pytest

from shared.domain.money import Money
from shared.domain.vas import Order, VasType
from shared.mobilemart.status_words import Says
from shared.mobilemart.vend_checks import Statement, statement_of

REQUEST_ID = "3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f"
METER = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id=None, meter_number="04123456789")
ACCOUNT = Order(vas_type=VasType.BILL_PAYMENT, amount=Money(45_050), merchant_product_id="b", account_number="135609708")
MOBILE = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="a", mobile_number="27821234567")
PIN = Order(vas_type=VasType.DATA, amount=Money(500), merchant_product_id="a", pinned=True)
VOUCHER = Order(vas_type=VasType.VOUCHER, amount=Money(500), merchant_product_id="v")
UNNAMED = Order(vas_type=VasType.UTILITY, amount=Money(500), merchant_product_id="v")
NOTHING = Statement()


def said(members: dict[str, object], order: Order = METER) -> Statement:
    return statement_of(members, order, REQUEST_ID)


def named(table: str) -> list[str]:
    return table.split()


ERRORS = named("""
    error errors errorCode errorNumber errorNo errorMessage errorMsg errorReason errorDescription errorDesc errorText errorDetail
    errorDetails errorId errorType errorStatus errorInfo errorList errorFlag errorCount fulcrumErrorCode mobilemartError supplierError
    providerFault upstreamFailure apiException responseError respError vendFailureReason transactionErrors txnError switchError
    internalError
    systemError businessError validationErrors hasError isError wasReject faultCode exception declineReason rejectionReason
    rejectReason decline rejects
    """)
STATUSES = named("""
    status stat state result outcome transactionStatus txnStatus transStatus txStatus responseStatus respStatus resultStatus vendStatus
    vendingStatus paymentStatus purchaseStatus orderStatus saleStatus requestStatus deliveryStatus processingStatus operationStatus
    providerStatus upstreamStatus serviceStatus apiStatus switchStatus overallStatus finalState currentState replyStatus answerStatus
    dispenseStatus topupStatus rechargeStatus tokenStatus statusText statusMessage statusMsg statusDescription statusDesc statusDetail
    statusDetails statusReason statusName statusValue statusInfo response resp reply responseText respMessage replyDescription
    """)
CODES = named(
    "responseCode respCode resultCode returnCode reasonCode actionCode outcomeCode replyCode vendStatusCode someStateCode rc code"
)
GOOD = named("""
    success successful successfull successfully succeeded approved ok okay accepted complete completed valid confirmed fulfilled delivered
    processed vended authorised authorized sold issued isSuccess wasVended hasSucceeded successFlag approvedIndicator
    """)
BAD = named("""
    failed declined rejected-flag canceled cancelled reversed void voided binned pending refunded timedOut expired aborted queued denied
    refused unsuccessful inProgress incomplete partial isPending wasDeclined hasFailed failedFlag reversedIndicator
    """)
REMARKS = named("message messages msg msgs reason reasons remark remarks narration description note notes comment")
METERS = named("meter meterNumber meterNo meterNum")
ACCOUNTS = named("accountNumber accountNo accountNum customerAccountNumber consumerAccountNo smartcardNumber smartcardNo")
MOBILES = named("""
    msisdn recipientMsisdn subscriberMsisdn destinationMsisdn mobile mobileNumber mobileNo mobileNum cell cellNumber cellular phone
    phoneNumber telephone telNo cellphoneNumber mobilePhone subscriberNumber destinationNo destination
    """)
ANYBODY = named("recipient recipientNumber recipientId")
REQUESTS = named("requestId merchantRequestId clientRequestId originalRequestId merchantTransactionId requestGuid")


@pytest.mark.parametrize(
    ("names", "value", "stated"),
    [
        (ERRORS, "E5", Statement(has_error=True)),
        (STATUSES, "Failed", Statement(status=Says.NO)),
        (STATUSES, "Pending", Statement(status=Says.NOT_YET)),
        (CODES, "05", Statement(status=Says.NO)),
        (GOOD, False, Statement(status=Says.NO)),
        (BAD, True, Statement(status=Says.NO)),
        (REMARKS, "It has failed.", Statement(status=Says.NO)),
        (REQUESTS, "another", Statement(other_request=True)),
    ],
)
def test_each_contradiction_of_a_sale_is_read_under_each_of_its_names(names: list[str], value: object, stated: Statement) -> None:
    for spelt in (str, str.upper, lambda name: f"_{name} "):
        assert {name: said({spelt(name): value}) for name in names} == dict.fromkeys(names, stated)
        assert {name: said({f"x{spelt(name)}x": value}) for name in names} == dict.fromkeys(names, NOTHING)


@pytest.mark.parametrize(
    ("order", "own"),
    [(METER, METERS), (METER, ANYBODY), (ACCOUNT, ACCOUNTS), (ACCOUNT, ANYBODY), (MOBILE, MOBILES), (MOBILE, ANYBODY)],
)
def test_the_recipient_is_read_under_each_of_its_names_at_any_depth(order: Order, own: list[str]) -> None:
    other = Statement(other_recipient=True)
    for within in (lambda members: members, lambda members: {"anything": [{"deeper": members}]}, lambda members: {"consumer": members}):
        assert {name: said(within({name: "0999999999"}), order) for name in own} == dict.fromkeys(own, other)
        assert {name: said(within({name: order.recipient}), order) for name in own} == dict.fromkeys(own, NOTHING)


@pytest.mark.parametrize("order", [METER, ACCOUNT, MOBILE])
def test_a_number_of_another_kind_counts_only_in_the_sale_and_without_its_own_kind(order: Order) -> None:
    others = [name for names in (METERS, ACCOUNTS, MOBILES) for name in names]
    own = {METER: METERS, ACCOUNT: ACCOUNTS, MOBILE: MOBILES}[order]
    for name in set(others) - set(own):
        assert said({name: "0999999999"}, order).other_recipient
        assert said({name: order.recipient}, order) == NOTHING
        assert said({name: "0999999999", own[0]: order.recipient}, order) == NOTHING
        assert said({"slip": {name: "0999999999"}}, order) == said({"consumer": {name: "0999999999"}}, order) == NOTHING


def test_a_sale_to_nobody_names_nobody_and_an_unnamed_recipient_is_unknown() -> None:
    for name in (*METERS, *ACCOUNTS, *MOBILES, *ANYBODY):
        assert said({name: "0999999999"}, PIN).other_recipient and said({name: "0999999999"}, VOUCHER).other_recipient
        assert said({name: "0999999999"}, UNNAMED) == NOTHING


@pytest.mark.parametrize(
    ("first", "second", "stated"),
    [
        ({"error": "E5"}, {"errorCode": 0}, Statement(has_error=True)),
        ({"requestId": "another"}, {"merchantRequestId": REQUEST_ID}, Statement(other_request=True)),
        ({"meterNumber": "0999999999"}, {"meterNo": METER.recipient}, Statement(other_recipient=True)),
        ({"msisdn": "0999999999"}, {"accountNumber": METER.recipient}, Statement(other_recipient=True)),
        ({"status": "Failed"}, {"state": "Success"}, Statement(status=Says.NO)),
        ({"status": "Pending"}, {"state": "Partying"}, Statement(status=Says.NOT_YET)),
        ({"status": "Partying"}, {"state": "Success"}, Statement(status=Says.UNKNOWN)),
    ],
    ids=str,
)
def test_no_good_status_outweighs_a_contradiction(first: dict[str, object], second: dict[str, object], stated: Statement) -> None:
    assert said(first) == said(first | second) == said(second | first) == stated
    assert said({"data": first} | second) == said({"data": second} | first) == stated


@pytest.mark.parametrize("nobody", [None, "", "n/a", "0000", "****", True, [], {}], ids=repr)
def test_beside_a_number_that_names_nobody_all_others_are_read(nobody: object) -> None:
    assert said({"meterNumber": nobody, "msisdn": "0999999999"}) == Statement(other_recipient=True)
    assert said({"meterNumber": nobody, "requestId": "another"}) == Statement(other_request=True)
    assert said({"meterNumber": nobody, "meterNo": "0999999999", "status": "Failed"}) == Statement(status=Says.NO, other_recipient=True)
    assert said({"recipient": nobody}) == NOTHING


@pytest.mark.parametrize("nothing", [None, [], {}, [[]]], ids=repr)
def test_an_empty_member_hides_nothing_that_stands_after_it(nothing: object) -> None:
    for name in ("anything", "status", "error", "requestId", "message"):
        assert said({name: nothing}) == NOTHING
        assert (
            said({name: nothing, "vendStatus": "Failed"})
            == said({"slip": {name: nothing, "vendStatus": "Failed"}})
            == Statement(status=Says.NO)
        )


@pytest.mark.parametrize("listed", [lambda one: [one], lambda one: [[one]], lambda one: [[], [[one], []]], lambda one: ["", [one]]])
def test_values_are_read_in_lists_of_any_depth(listed) -> None:
    assert said({"status": listed("Failed")}) == said({"slip": listed({"status": "Failed"})}) == Statement(status=Says.NO)
    assert said({"requestId": listed("another")}) == Statement(other_request=True)
    assert said({"meterNumber": listed("0999999999")}) == Statement(other_recipient=True)
    for error in ("E5", {"code": 5}, {"anything": {"deeper": "no stock"}}):
        assert said({"errors": listed(error)}) == said({"slip": {"errors": listed(error)}}) == Statement(has_error=True)


@pytest.mark.parametrize("envelope", named("additionalDetails data transaction result response vend sale details"))
def test_in_an_envelope_stands_the_sale_itself(envelope: str) -> None:
    for members in ({"code": "05"}, {"message": "It has failed."}, {"data": {"code": "05"}}):
        assert said({envelope: members}).status is Says.NO
    assert said({envelope: {"msisdn": "0999999999"}}).other_recipient


@pytest.mark.parametrize("part", named("slip receipt extra"))
def test_in_a_part_of_the_sale_a_code_and_a_text_for_people_are_not_its_status(part: str) -> None:
    for members in ({"code": "05"}, {"message": "It has failed."}, {"data": {"code": "05"}}):
        assert said({part: members}) == NOTHING
    assert said({part: {"status": "Failed"}}).status is Says.NO
    for whole in named("result response status"):
        assert said({part: {whole: {"code": "05"}}}).status is Says.NO


@pytest.mark.parametrize("whole", named("status transactionStatus state outcome"))
def test_in_a_status_stand_its_code_and_its_words(whole: str) -> None:
    for members in (
        {"code": "05"},
        *({name: "Failed"} for name in named("text message msg description desc detail reason name value info")),
    ):
        assert said({whole: members}).status is Says.NO
    assert said({whole: {"anything": "Failed"}}) == said({whole: {"data": {"code": "05"}}}) == NOTHING
    assert said({whole: {"errorCode": "E5"}}) == Statement(has_error=True)
    assert said({whole: {"pending": True}}) == said({whole: {"approved": False}}) == Statement(status=Says.NO)


@pytest.mark.parametrize("customer", named("consumerDetails consumer customer customerDetails meter meterDetails accountStatus"))
def test_the_status_of_a_customer_is_not_the_sales(customer: str) -> None:
    for members in ({"status": "Blocked"}, {"error": "E5"}, {"code": "05"}, {"success": False}, {"data": {"status": "Failed"}}):
        assert said({customer: members}) == said({"slip": {customer: members}}) == NOTHING
    assert said({customer: {"meterNumber": "0999999999"}}).other_recipient


@pytest.mark.parametrize(
    "other", named("municipalityDetails municipality fixedCosts product productDetails tariff tariffDetails merchant biller")
)
def test_objects_about_something_else_are_not_about_the_sale(other: str) -> None:
    for members in ({"status": "Failed"}, {"error": "E5"}, {"meterNumber": "0999999999"}, {"consumer": {"meterNumber": "0999999999"}}):
        assert said({other: members}) == said({other: [[members]]}) == NOTHING


def test_an_empty_member_names_nothing_and_a_name_is_read_up_to_60_letters() -> None:
    assert said({"error": None, "status": None, "requestId": None, "meterNumber": None}) == NOTHING
    assert said({"_" * 54 + "status": "Failed"}).status is Says.NO
    assert said({"_" * 55 + "status": "Failed"}) == NOTHING


@pytest.mark.parametrize(
    "same", [REQUEST_ID, REQUEST_ID.upper(), REQUEST_ID.replace("-", ""), f"{{{REQUEST_ID}}}", "", "0", "00-00", True, 0, Decimal("1.5")]
)
def test_our_request_in_any_form_or_none_is_no_other_request(same: object) -> None:
    assert said({"requestId": same}) == NOTHING
    assert statement_of({"requestId": "another"}, METER, None) == NOTHING


@pytest.mark.parametrize(
    ("members", "content_type", "is_problem"),
    [
        ({}, "application/problem+json", True),
        ({}, " Application/Problem+JSON ; charset=utf-8", True),
        ({}, "application/json", False),
        ({"type": "error"}, None, True),
        ({"type": "about:problem"}, None, True),
        ({"title": "No"}, None, False),
        ({"title": "No", "type": "credit"}, None, False),
        ({"title": "No", "type": "about:blank"}, None, True),
        ({"title": "No", "type": "/x"}, None, True),
        ({"title": "No", "status": 400}, None, True),
        ({"title": "No", "status": "Success"}, None, False),
        ({"title": "No", "detail": "d"}, None, True),
        ({"title": "No", "traceId": "t"}, None, True),
        ({"title": "No", "instance": "i"}, None, True),
        ({"type": "about:blank", "detail": "d"}, None, False),
    ],
)
def test_a_problem_is_known_by_its_content_type_or_by_its_members(
    members: dict[str, object], content_type: str | None, is_problem: bool
) -> None:
    assert statement_of(members, METER, REQUEST_ID, content_type).is_problem is is_problem
