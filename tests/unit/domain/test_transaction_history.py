"""The raw answers and the history of a sale stay bounded, and the entries that matter most stay."""

import hashlib

import pytest
from msgspec import structs

from shared.domain import transaction
from shared.domain.outcome import Answer, RawAnswer, Receipt, Vended
from shared.domain.transaction import (
    REVEALED,
    HistoryEntry,
    append_history,
    transition,
)
from tests.unit.domain.answered_sales import (
    DELIVERED,
    LATER,
    LOST,
    NOON,
    OTHER,
    PENDING,
    RAW,
    REFUSED,
    SIGN,
    body,
    learned,
    said,
    sale,
)

MAX_HISTORY, MAX_RAW_ANSWERS = 200, 8


@pytest.mark.parametrize(
    ("first", "late"),
    [(PENDING, PENDING), (PENDING, SIGN), (SIGN, SIGN), (DELIVERED, DELIVERED), (DELIVERED, PENDING), (DELIVERED, SIGN)],
    ids=["due", "due, unread", "in doubt", "delivered", "not again", "delivered, unread"],
)
def test_a_2xx_answer_that_changes_nothing_is_stored_once_and_invisibly(first, late):
    known = sale(first)
    kept = said(known, late, body(1))
    assert kept.answers == (*known.answers, body(1))
    assert structs.replace(kept, answers=known.answers) == known
    assert said(kept, late, body(1)) is kept


@pytest.mark.parametrize("first", [PENDING, DELIVERED, SIGN, REFUSED])
@pytest.mark.parametrize("raw", [None, body(1, status=502), body(1, status=400), RawAnswer.of("reprint", LATER, 200, None, b"")])
def test_an_answer_that_can_hold_nothing_is_not_stored(first, raw):
    known = sale(first)
    assert said(known, LOST, raw) is known


def test_the_answer_to_the_vend_itself_is_stored_however_late_it_arrives():
    late = body(1, status=502, source="vend")
    assert said(sale(LOST), LOST, late, by="supplier").answers == (RAW, late)


def test_idle_answers_leave_room_for_effective_ones_and_for_tokens():
    pages = [body(number, says=b"maintenance") for number in range(9)]
    known = sale(SIGN)
    for page in pages:
        known = said(known, SIGN, page)
    assert known.answers == (RAW, *pages[:3])
    tokens = [body(number) for number in range(9)]
    for token in tokens:
        known = said(known, SIGN, token)
    assert known.answers == (RAW, *pages[:3], *tokens[:2])
    twice = [printed_as(f"s-{number}") for number in range(9)]
    known = said(known, DELIVERED, body(10))
    for number, vended in enumerate(twice):
        known = said(known, vended, body(11 + number))
    assert len(known.answers) == MAX_RAW_ANSWERS
    assert known.answers == (RAW, *tokens[:2], body(10), body(11), body(12), body(13), body(19))


def test_an_idle_answer_evicts_no_effective_one():
    line = RawAnswer.of("settlement", LATER, None, None, b"D|...")
    known = said(sale(PENDING), printed_as("s-2"), line, by="settlement")
    for number in range(9):
        known = said(known, PENDING, body(number))
    assert line in known.answers


def printed_as(supplier_id):
    return Vended(Receipt(supplier_transaction_id=f"other {supplier_id}"))


def test_records_stay_bounded():
    known = sale(REFUSED)
    for number in range(300):
        known = append_history(known, HistoryEntry(LATER, f"seen {number}", "test"))
    assert len(known.history) == MAX_HISTORY and known.history[0].what == "rejected" and known.history[-1].what == "seen 299"


def test_the_first_answer_stays_at_any_worth():
    first = body(0, status=502, source="vend")
    known = transition(sale(), Answer(LOST, first), at=LATER, by="supplier", retry_seconds=60)
    for number in range(20):
        known = said(known, DELIVERED if number == 0 else printed_as(f"s-{number}"), body(number + 1))
    assert len(known.answers) == MAX_RAW_ANSWERS and known.answers[0] == first


def test_two_vends_after_a_rejection_are_two_contradictions():
    once = learned(sale(REFUSED), DELIVERED)
    assert len(learned(once, OTHER).history) == len(once.history) + 1


def test_each_vend_that_another_sale_holds_is_noted_once():
    known = learned(sale(DELIVERED), OTHER)
    for supplier_id in ("s-3", "s-4", "s-3", "s-4"):
        known = transaction.claimed_twice(known, supplier_id, None, at=LATER, by="reprint", retry_seconds=60)
    assert [entry.note for entry in known.history[1:]] == ["vended_twice: s-2", "claimed_twice: s-3", "claimed_twice: s-4"]
    assert known.contradicted_at == (3, 4, 5)


def test_reveals_push_no_decision_out_of_a_history():
    known = append_history(sale(REFUSED), HistoryEntry(LATER, "decision", "person"))
    for number in range(300):
        known = append_history(known, HistoryEntry(LATER, REVEALED, f"person {number}"))
    assert [entry.what for entry in known.history[:2]] == ["rejected", "decision"] and len(known.history) == MAX_HISTORY


def test_contradictions_evict_no_decision_no_end_and_not_the_first_of_them():
    known = append_history(sale(LOST), HistoryEntry(LATER, "decision: rejected", "ann@example.com", "ticket 4711"))
    known = learned(known, REFUSED, by="ann@example.com")
    known = append_history(known, HistoryEntry(LATER, REVEALED, "ann@example.com"))
    for number in range(300):
        known = learned(known, printed_as(f"{number}"), by=("supplier", "reprint", "settlement")[number % 3])
    assert [entry.what for entry in known.history[:5]] == ["in_doubt", "decision: rejected", "rejected", REVEALED, "contradicted"]
    assert known.history[4].note == "vended_after_rejection: other 0" and known.history[-1].note == "vended_after_rejection: other 299"
    assert len(known.history) == MAX_HISTORY


def test_neither_reveals_nor_contradictions_evict_the_other_from_a_history():
    known = sale(REFUSED)
    for number in range(300):
        known = append_history(learned(known, printed_as(f"{number}")), HistoryEntry(LATER, REVEALED, f"person {number}"))
    assert known.history[-1].by == "person 299" and known.history[-2].note == "vended_after_rejection: other 299"
    assert sum(entry.what == REVEALED for entry in known.history) in (99, 100) and len(known.history) == MAX_HISTORY


@pytest.mark.parametrize(
    ("status", "said", "worth"),
    [
        *((status, b"00001111222233334444", 2) for status in (200, 299)),
        *((status, b"00001111222233334444", 0) for status in (None, 100, 199, 300, 400, 502)),
        (200, b"", 0),
        *((200, said, 1) for said in (b"{}", b"1234567890123", b"1234  5678  9012  34", b"1234.5678.9012.34")),
        *((200, said, 2) for said in (b"12345678901234", b"1234 5678 9012 34", b"1234-5678-9012-34", b"x1234567890123456x")),
    ],
)
def test_an_answer_is_worth_the_more_the_likelier_it_holds_a_token(status, said, worth):
    assert RawAnswer.of("vend", NOON, status, None, said).worth == worth


def test_of_a_long_answer_the_first_64_kib_are_kept_and_the_hash_of_all():
    said = b"x" * 65_536
    whole, cut = (RawAnswer.of("vend", NOON, 200, "t" * 101 + "\u00eb", one) for one in (said, said + b"y"))
    assert (whole.body, whole.size_bytes, whole.sha256) == (said, 65_536, hashlib.sha256(said).hexdigest())
    assert (cut.body, cut.size_bytes, cut.sha256) == (said, 65_537, hashlib.sha256(said + b"y").hexdigest())
    assert whole.content_type == "t" * 100
    assert RawAnswer.of("vend", NOON, 200, "caf\u00eb", b"").content_type == "caf?"
    assert RawAnswer.of("vend", NOON, None, None, b"").content_type is None
