"""The supplier's codes and statuses, and the proof of each: the table of `docs/mobilemart.md`."""

import pytest

from shared.domain.outcome import Reason
from shared.domain.vas import VasType
from shared.mobilemart.error_codes import CODES, NEVER_EVIDENCE, STATUSES, meaning

UNAVAILABLE, PRODUCT, BUSY = Reason.TEMPORARILY_UNAVAILABLE, Reason.PRODUCT_UNAVAILABLE, Reason.SUPPLIER_BUSY
PREVEND, AMOUNT, MOBILE = Reason.PREVEND_REFUSED, Reason.AMOUNT_REFUSED, Reason.MOBILE_NUMBER_REFUSED
RECIPIENT = {
    VasType.UTILITY: Reason.METER_UNKNOWN,
    VasType.BILL_PAYMENT: Reason.ACCOUNT_REFUSED,
    VasType.AIRTIME: MOBILE,
    VasType.DATA: MOBILE,
    VasType.VOUCHER: Reason.ACCOUNT_REFUSED,
}
TABLE = {  # name, why nothing was sold, why nothing was confirmed, whether the request was not processed
    1000: ("ProductDoesNotExist", PRODUCT, PRODUCT, False),
    1001: ("AmountInvalid", AMOUNT, AMOUNT, False),
    1002: ("CannotSourceProduct", UNAVAILABLE, UNAVAILABLE, False),
    1003: ("TransactionDoesNotExist", None, PREVEND, False),
    1006: ("UserNotAuthenticated", UNAVAILABLE, UNAVAILABLE, True),
    1008: ("MerchantCreditLimitReached", UNAVAILABLE, UNAVAILABLE, False),
    1010: ("MerchantError", UNAVAILABLE, PREVEND, False),
    1011: ("ProductNotAvailable", PRODUCT, PRODUCT, False),
    1012: ("ReprintNotAllowed", None, PREVEND, False),
    1013: ("MobileNumberInvalid", MOBILE, PREVEND, False),
    1016: ("ConsumerAccountError", RECIPIENT, RECIPIENT, False),
}
BY_STATUS = {401: ("Unauthorized", UNAVAILABLE, UNAVAILABLE, True), 429: ("TooManyRequests", BUSY, BUSY, False)}


def said(known):
    def of(reason):
        return dict(reason) if not isinstance(reason, Reason | None) else reason

    return known.name, of(known.vend), of(known.prevend), known.not_taken


def test_the_table_is_whole_and_says_what_each_code_and_status_proves():
    assert {code: said(meaning(400, code)) for code in CODES} == TABLE
    assert {status: said(meaning(status, None)) for status in STATUSES} == BY_STATUS
    assert set(NEVER_EVIDENCE) == {404, 405}


@pytest.mark.parametrize("vas_type", VasType)
def test_a_refusal_of_the_recipient_is_named_by_the_service(vas_type):
    assert CODES[1016].reason(vas_type) is CODES[1016].prevend_reason(vas_type) is RECIPIENT[vas_type]
    assert CODES[1003].reason(vas_type) is None and CODES[1001].reason(vas_type) is AMOUNT


@pytest.mark.parametrize(("status", "counts"), [(399, False), (400, True), (422, True), (499, True), (500, False), (200, False)])
def test_a_code_counts_on_a_4xx_alone_and_a_status_by_itself(status, counts):
    assert meaning(status, 1001) is (CODES[1001] if counts else None)
    assert meaning(status, None) is None and meaning(status, 1099) is None
    assert meaning(401, 1001) is STATUSES[401] and meaning(429, None) is STATUSES[429]
