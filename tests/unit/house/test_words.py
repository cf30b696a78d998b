"""Words that are sent, stored, set or logged for alerts: what stands in documents, and at callers, is never spelt anew."""

import pytest

from shared.config import Function
from shared.domain.discrepancy import DiscrepancyKind, Severity
from shared.domain.outcome import Reason, TokensDue
from shared.domain.policy import AmountCheck, ConsumerDetails, Environment, ReprintBy
from shared.domain.sts_tokens import TokenKind
from shared.domain.transaction import EventName, State
from shared.domain.vas import Mode, VasType
from shared.mobilemart.responses import Concern
from shared.mobilemart.settlement_file import FILE_VAS_TYPES
from shared.ports.documents import DocumentKind
from shared.ports.transactions import LookupBy
from shared.retention.rules import Hold
from shared.schemas.problems import RequestFault
from shared.schemas.refusals import Retry
from shared.settlement.matching import MerchantId
from shared.settlement.settled_day import Status
from shared.web.settings import ScopeClaim

WORDS = {
    Environment: "local uat staging production",
    Function: "prevend purchase reconcile local probe",
    ReprintBy: "request_id transaction_id none",
    AmountCheck: "alert doubt",
    ConsumerDetails: "masked full",
    ScopeClaim: "scope scp permissions roles",
    Mode: "live simulated",
    VasType: "utility bill-payment airtime data voucher",
    State: "vending in_doubt vended rejected",
    EventName: "vended rejected in_doubt needs_review tokens contradicted",
    TokenKind: "key_change free credit refund other",
    TokensDue: "none delivered pending",
    Reason: """
        amount-above-maximum amount-below-minimum amount-refused account-refused meter-unknown mobile-number-refused possible-duplicate
        prevend-expired prevend-refused prevend-used price-changed product-unavailable supplier-busy temporarily-unavailable
        """,
    Retry: "never change new-key same-key",
    RequestFault: """
        body-invalid discrepancy-closed forbidden idempotency-key-malformed idempotency-key-missing idempotency-key-reused
        identity-unavailable internal key-retired method-not-allowed not-found not-json nothing-to-decide outdated prevend-unknown
        record-not-readable request-in-progress settlement-files-unavailable settlement-file-refused store-unavailable
        supplier-unavailable too-large unauthenticated
        """,
    DiscrepancyKind: """
        vended_twice claimed_twice vended_after_rejection tokens_differ missing_here lines_withdrawn duplicate_line amount_differs
        account_differs missing_at_supplier state_differs negative_line unknown_status late_posting
        """,
    Severity: "info warning critical",
    Status: "provisional balanced discrepancies file_missing",
    MerchantId: "request_id supplier_id unknown",
    Hold: "open discrepancy settling not_readable",
    LookupBy: "request_id supplier_transaction_id meter_number account_number mobile_number",
    DocumentKind: "settlements discrepancies controls",
}


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.__name__)
def test_every_word_is_spelt_as_it_is_on_record(words):
    assert [word.value for word in words] == WORDS[words].split()
    for word in words:
        assert word.name == word.value.upper().replace("-", "_")


def test_what_an_answer_gives_to_think_about_is_named_as_its_alert_is():
    assert [concern.value for concern in Concern] == ["does not match", "amount differs", "status not known"]


def test_every_service_has_its_code_in_settlement_files():
    assert FILE_VAS_TYPES == {
        "Airtime": VasType.AIRTIME,
        "Data": VasType.DATA,
        "Voucher": VasType.VOUCHER,
        "Bill Payment": VasType.BILL_PAYMENT,
        "Utility": VasType.UTILITY,
    }
