"""Every refusal has one row in one table, and says nothing of the supplier."""

import json
import re

import pytest

from shared.money import Money
from shared.outcome import Reason, Rejected
from shared.problem import KINDS, Fault, Problem, of_refusal
from shared.refusals import Retry

ANY = [*Fault, *Reason]


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


@pytest.mark.parametrize("name", [Fault.INTERNAL, Fault.IDENTITY_UNAVAILABLE, Fault.REQUEST_IN_PROGRESS, Fault.STORE_UNAVAILABLE])
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
    assert name in set(Fault)


def test_a_minimum_is_told_in_words_and_in_cents():
    body = of_refusal(Rejected(Reason.AMOUNT_BELOW_MINIMUM, "1001", minimum_amount=Money(33_926))).body()
    assert (body["minimumAmountCents"], body["detail"]) == (33_926, "At least R339.26 has to be bought at once.")


def test_what_the_supplier_said_stays_with_us():
    body = of_refusal(Rejected(Reason.AMOUNT_REFUSED, "fulcrumswitch.com said 1001: Denomination invalid")).body()
    assert "fulcrum" not in json.dumps(body)
    assert "1001" not in json.dumps(body)


def test_the_suppliers_wait_goes_before_our_own():
    assert of_refusal(Rejected(Reason.SUPPLIER_BUSY, "429")).body()["retryAfterSeconds"] == 60
    assert of_refusal(Rejected(Reason.SUPPLIER_BUSY, "429", retry_after_seconds=7)).body()["retryAfterSeconds"] == 7


def test_members_without_a_value_are_left_out():
    assert "transactionId" not in Problem(Fault.NOT_FOUND, transactionId=None).body()
