"""Every refusal has one row in one table, and says nothing of the supplier."""

import json
import re

import pytest

from shared.domain.money import Money
from shared.domain.outcome import Reason, Rejected
from shared.schemas.problems import KINDS, Problem, RequestFault, of_refusal
from shared.schemas.refusals import NEW_REASON, Retry

ANY = [*RequestFault, *Reason]


CALLERS_GO_BY = """
    account-refused: 422 change - Account refused
    amount-above-maximum: 422 change - Amount too large
    amount-below-minimum: 422 change - Amount too small
    amount-refused: 422 change - Amount refused
    body-invalid: 400 change - Request invalid
    discrepancy-closed: 409 never - Discrepancy closed
    forbidden: 403 never - Forbidden
    idempotency-key-malformed: 400 change - Idempotency key malformed
    idempotency-key-missing: 400 change - Idempotency key missing
    idempotency-key-reused: 422 change - Key belongs to another request
    identity-unavailable: 503 same-key 5 Identity unavailable
    internal: 500 same-key 5 Internal error
    key-retired: 410 never - Key retired
    meter-unknown: 422 change - Meter unknown
    method-not-allowed: 405 change - Method not allowed
    mobile-number-refused: 422 change - Mobile number refused
    not-found: 404 never - Not found
    not-json: 415 change - Not JSON
    nothing-to-decide: 409 never - Nothing to decide
    outdated: 409 change - Outdated
    possible-duplicate: 409 change - Possible duplicate
    prevend-expired: 409 change - Prevend expired
    prevend-refused: 422 change - Prevend refused
    prevend-unknown: 404 change - Prevend unknown
    prevend-used: 409 never - Prevend used
    price-changed: 422 change - Price changed
    product-unavailable: 422 change - Product unavailable
    record-not-readable: 503 same-key 60 Record not readable
    request-in-progress: 409 same-key 2 Request in progress
    settlement-file-refused: 422 change - Settlement file refused
    settlement-files-unavailable: 503 same-key 60 Settlement files unavailable
    store-unavailable: 503 same-key 5 Store unavailable
    supplier-busy: 422 new-key 60 Supplier busy
    supplier-unavailable: 503 same-key 10 Supplier unavailable
    temporarily-unavailable: 422 new-key 30 Temporarily unavailable
    too-large: 413 change - Too large
    unauthenticated: 401 same-key - Unauthenticated
"""  # of each problem: its status, what may be done next, after how many seconds where nobody said more, and its title


def test_what_callers_go_by_is_never_another():
    told = {name: Problem(name).body() for name in sorted(KINDS)}
    rows = (
        f"    {body['type'].removeprefix('/problems/')}: "
        f"{body['status']} {body['retry']} {body.get('retryAfterSeconds', '-')} {body['title']}"
        for body in told.values()
    )
    assert list(rows) == CALLERS_GO_BY.strip("\n").split("\n")
    assert [Problem(name).kind for name in told] == [KINDS[name] for name in told]
    assert (NEW_REASON.status, NEW_REASON.retry, NEW_REASON.retry_after_seconds) == (422, Retry.NEVER, None)


def test_a_problem_has_the_detail_members_and_headers_that_it_is_given_or_its_own():
    own = Problem(RequestFault.STORE_UNAVAILABLE)
    assert (own.detail, own.headers, own.members["retryAfterSeconds"]) == (KINDS[RequestFault.STORE_UNAVAILABLE].detail, {}, 5)
    given = Problem(RequestFault.STORE_UNAVAILABLE, detail="Other.", headers={"A": "b"}, retryAfterSeconds=9, instance="/x")
    assert (given.body()["detail"], given.headers) == ("Other.", {"A": "b"})
    assert (given.body()["retryAfterSeconds"], given.body()["instance"]) == (9, "/x")
    assert Problem(RequestFault.NOT_FOUND, retry=Retry.SAME_KEY).body()["retry"] == "same-key"


def test_every_fault_and_every_reason_has_exactly_one_row():
    assert set(KINDS) == set(ANY)
    assert len({name.value for name in ANY}) == len(ANY)  # /problems/<name> means one thing


@pytest.mark.parametrize("name", ANY)
def test_a_problem_says_what_rfc_9457_asks_for_and_whether_to_try_again(name):
    body = Problem(name).body()

    assert body["type"] == f"/problems/{name.value}"
    assert body["status"] == KINDS[name].status
    assert Retry(body["retry"])
    assert body["title"] and str(body["detail"]).endswith(".")
    assert None not in body.values()
    assert json.loads(json.dumps(body)) == body


@pytest.mark.parametrize("name", ANY)
def test_a_problem_says_when_it_happens_and_what_to_do_in_words_of_ours(name):
    kind = KINDS[name]
    for text in (kind.when, kind.what_to_do):
        assert text.endswith(".") and text.count("`") % 2 == 0
        assert not re.search(r"mobilemart|fulcrum|firestore|10\d\d|https?:", text, re.IGNORECASE)


@pytest.mark.parametrize("reason", Reason)
def test_a_rejection_says_first_that_the_money_is_to_be_released(reason):
    assert KINDS[reason].what_to_do.startswith("Release the money")


@pytest.mark.parametrize(
    "name", [RequestFault.INTERNAL, RequestFault.IDENTITY_UNAVAILABLE, RequestFault.REQUEST_IN_PROGRESS, RequestFault.STORE_UNAVAILABLE]
)
def test_what_ends_no_purchase_says_that_the_money_is_to_be_held(name):
    assert KINDS[name].what_to_do.startswith("Hold the money. Repeat the same request under the same key")


@pytest.mark.parametrize("reason", Reason)
def test_a_rejection_is_a_conflict_with_another_sale_or_unprocessable(reason):
    conflicts = {Reason.POSSIBLE_DUPLICATE, Reason.PREVEND_USED, Reason.PREVEND_EXPIRED}
    assert KINDS[reason].status == (409 if reason in conflicts else 422)
    assert KINDS[reason].retry is not Retry.SAME_KEY  # its key is bound to the rejection


@pytest.mark.parametrize("name", [name for name in ANY if KINDS[name].status >= 500])
def test_a_5xx_carries_no_outcome_so_the_same_key_is_to_be_used_again(name):
    assert KINDS[name].retry is Retry.SAME_KEY
    assert name in set(RequestFault)


def test_a_minimum_is_reported_in_words_and_in_cents():
    body = of_refusal(Rejected(Reason.AMOUNT_BELOW_MINIMUM, "1001", minimum_amount=Money(33_926))).body()
    assert (body["minimumAmountCents"], body["detail"]) == (33_926, "At least R339.26 has to be bought at once.")


def test_what_the_supplier_said_stays_with_us():
    body = of_refusal(Rejected(Reason.AMOUNT_REFUSED, "fulcrumswitch.com said 1001: Denomination invalid")).body()
    assert "fulcrum" not in json.dumps(body)
    assert "1001" not in json.dumps(body)


def test_the_suppliers_wait_goes_before_our_own():
    assert of_refusal(Rejected(Reason.SUPPLIER_BUSY, "429")).body()["retryAfterSeconds"] == 60
    assert of_refusal(Rejected(Reason.SUPPLIER_BUSY, "429", retry_after_seconds=7)).body()["retryAfterSeconds"] == 7


def test_a_refusal_has_the_members_that_it_is_given_before_those_of_its_own():
    own = of_refusal(Rejected(Reason.SUPPLIER_BUSY, "429", retry_after_seconds=7), transactionId="t")
    given = of_refusal(Rejected(Reason.SUPPLIER_BUSY, "429", retry_after_seconds=7), retryAfterSeconds=9)
    assert (own.members, given.members) == ({"retryAfterSeconds": 7, "transactionId": "t"}, {"retryAfterSeconds": 9})


def test_members_without_a_value_are_left_out():
    assert "transactionId" not in Problem(RequestFault.NOT_FOUND, transactionId=None).body()
