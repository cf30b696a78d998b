"""The proof in the supplier's answer to a reprint."""

import pytest

from shared.domain.outcome import NoAnswer, NoSuchTransaction, Unknown, Vended
from shared.domain.vas import Mode, Order
from shared.mobilemart.error_codes import CODES
from shared.mobilemart.responses import Heard, NoReply, read_reprint
from tests.unit.mobilemart.answers import DATA, ELECTRICITY, SOLD, VOUCHER, answer, html, problem


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


def test_a_reprint_with_the_guid_in_any_case_is_the_requested_sale() -> None:
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
def test_another_sale_under_our_own_request_id_is_an_indication_of_a_vend(details: object) -> None:
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
