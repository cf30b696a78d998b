import hashlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec import structs
from rich.pretty import pretty_repr

from shared.domain import transaction
from shared.domain.clock import business_day
from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import Answer, Charge, Consumer, RawAnswer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import (
    NEXT,
    REVEALED,
    EventName,
    HistoryEntry,
    State,
    Transaction,
    after_failed_attempt,
    after_not_found,
    announced,
    append_history,
    may_be_absent,
    reindexed,
    retry_delay,
    shard_of,
    transition,
)
from shared.domain.vas import Mode, Order, VasType

MAX_HISTORY, MAX_RAW_ANSWERS = 200, 8

NOON = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
TOKEN = StsToken(TokenKind.CREDIT, "00000000000012345678", Decimal("29.7"))
DELIVERED = Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.DELIVERED, tokens=(TOKEN,)))
PENDING = Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING))
OTHER = Vended(Receipt(supplier_transaction_id="s-2", tokens_due=TokensDue.DELIVERED, tokens=(TOKEN,)))
REFUSED = Rejected(Reason.AMOUNT_REFUSED, "1001")
LOST = Unknown("ReadTimeout")
SIGN = Unknown("2xx without a transaction id", sign_of_vend=True)
RAW = RawAnswer.of("vend", NOON, 200, "application/json", b"{}")


def sale(*answers):
    fresh = Transaction(
        id="00aa" * 8,
        version=1,
        mode=Mode.LIVE,
        caller=Caller("i", "s"),
        idempotency_key="k",
        fingerprint="f",
        order=Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="p", meter_number="12345678901"),
        request_id="r",
        supplier_prevend_id="v",
        state=State.VENDING,
        created_at=NOON,
        updated_at=NOON,
        day=business_day(NOON),
        send_by=NOON + timedelta(seconds=10),
        lease_until=NOON + timedelta(seconds=240),
    )
    known = reindexed(fresh, fresh.lease_until)
    for outcome in answers:
        known = learned(known, outcome)
    return known


def learned(known, outcome, by="supplier"):
    return transition(known, Answer(outcome, RAW), at=LATER, by=by, retry_seconds=60)


@pytest.mark.parametrize(
    ("outcome", "state", "event"),
    [
        (DELIVERED, State.VENDED, EventName.VENDED),
        (PENDING, State.VENDED, EventName.VENDED),
        (REFUSED, State.REJECTED, EventName.REJECTED),
        (LOST, State.IN_DOUBT, EventName.IN_DOUBT),
    ],
)
def test_an_answer_moves_a_sale_and_is_announced_in_the_same_record(outcome, state, event):
    known = sale(outcome)
    assert (known.state, known.unannounced, known.version, known.updated_at) == (state, (event,), 2, LATER)
    assert known.outcome == outcome and known.answers == (RAW,)
    assert [entry.what for entry in known.history] == [state.value]


@pytest.mark.parametrize("evidence", [DELIVERED, REFUSED])
def test_evidence_ends_a_doubt(evidence):
    known = learned(sale(LOST), evidence)
    assert known.state is (State.VENDED if evidence is DELIVERED else State.REJECTED)


@pytest.mark.parametrize("first", [DELIVERED, PENDING, REFUSED])
@pytest.mark.parametrize("late", [DELIVERED, PENDING, OTHER, REFUSED, LOST, SIGN])
def test_ended_sales_never_change_state(first, late):
    ended = sale(first)
    assert learned(ended, late).state is ended.state


@pytest.mark.parametrize(
    ("first", "late"), [(DELIVERED, REFUSED), (REFUSED, DELIVERED), (DELIVERED, OTHER), (REFUSED, SIGN), (PENDING, OTHER)]
)
def test_a_contradiction_is_kept_noted_and_announced_once(first, late):
    once = learned(sale(first), late)
    assert EventName.CONTRADICTED in once.unannounced and once.open is not None
    assert once.history[-1].what == "contradicted" and len(once.answers) == 2
    assert once.outcome == first
    assert learned(once, late) is once


@pytest.mark.parametrize(
    ("first", "late"), [(DELIVERED, DELIVERED), (DELIVERED, PENDING), (DELIVERED, LOST), (REFUSED, REFUSED), (REFUSED, LOST), (LOST, LOST)]
)
def test_what_agrees_or_says_nothing_changes_nothing(first, late):
    known = sale(first)
    assert learned(known, late) is known


def test_tokens_that_were_due_are_added_once():
    whole = learned(sale(PENDING), DELIVERED)
    assert whole.receipt.tokens == (TOKEN,) and whole.unannounced == (EventName.VENDED, EventName.TOKENS)
    assert learned(whole, DELIVERED) is whole


def test_a_sign_of_a_vend_is_never_forgotten():
    signed = learned(sale(LOST), SIGN)
    assert signed.sign_of_vend and signed.state is State.IN_DOUBT
    assert learned(signed, LOST) is signed


def body(number, *, status=200, source="reprint", says=b"00001111222233334444"):
    return RawAnswer.of(source, LATER, status, "application/json", b'{"at":%d,"token":"%s"}' % (number, says))


def said(known, outcome, raw, by="reprint"):
    return transition(known, Answer(outcome, raw), at=LATER, by=by, retry_seconds=60)


@pytest.mark.parametrize(
    ("first", "late"),
    [(PENDING, PENDING), (PENDING, SIGN), (SIGN, SIGN), (DELIVERED, DELIVERED), (DELIVERED, PENDING), (DELIVERED, SIGN)],
    ids=["due", "due, unread", "in doubt", "delivered", "not again", "delivered, unread"],
)
def test_words_of_a_2xx_that_change_nothing_are_kept_once_and_nobody_sees_a_change(first, late):
    known = sale(first)
    kept = said(known, late, body(1))
    assert kept.answers == (*known.answers, body(1))
    assert structs.replace(kept, answers=known.answers) == known
    assert said(kept, late, body(1)) is kept


@pytest.mark.parametrize("first", [PENDING, DELIVERED, SIGN, REFUSED])
@pytest.mark.parametrize("raw", [None, body(1, status=502), body(1, status=400), RawAnswer.of("reprint", LATER, 200, None, b"")])
def test_words_that_can_hold_nothing_are_not_kept(first, raw):
    known = sale(first)
    assert said(known, LOST, raw) is known


def test_what_the_sale_itself_was_answered_is_kept_however_late_it_comes():
    late = body(1, status=502, source="vend")
    assert said(sale(LOST), LOST, late, by="supplier").answers == (RAW, late)


def test_words_that_change_nothing_leave_room_for_those_that_do_and_what_may_be_a_token_goes_before_the_rest():
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


def test_what_changes_nothing_drives_out_no_words_that_did():
    line = RawAnswer.of("settlement", LATER, None, None, b"D|...")
    known = said(sale(PENDING), printed_as("s-2"), line, by="settlement")
    for number in range(9):
        known = said(known, PENDING, body(number))
    assert line in known.answers


def test_how_many_tokens_there_are_is_no_visible_change():
    known = sale(PENDING)
    more = said(known, Vended(structs.replace(PENDING.receipt, tokens_issued=2)), body(1))
    assert (more.version, more.updated_at, more.history) == (known.version, known.updated_at, known.history)
    assert more.receipt.tokens_issued == 2 and more.answers == (*known.answers, body(1))


def printed_as(supplier_id):
    return Vended(Receipt(supplier_transaction_id=f"other {supplier_id}"))


def test_a_sale_is_open_until_nothing_is_left_to_do():
    delivered, pending, doubtful = sale(DELIVERED), sale(PENDING), sale(LOST)
    everything = frozenset(EventName)
    assert announced(delivered, everything).open is None
    assert announced(pending, everything).open is not None
    assert announced(doubtful, everything).open is not None


def test_announcing_is_not_a_visible_change():
    known = sale(DELIVERED)
    quiet = announced(known, frozenset({EventName.VENDED}))
    assert (quiet.version, quiet.updated_at) == (known.version, known.updated_at)


def test_only_what_was_published_is_forgotten():
    whole = learned(sale(PENDING), DELIVERED)
    assert announced(whole, frozenset({EventName.VENDED})).unannounced == (EventName.TOKENS,)


def test_a_rejected_sale_does_not_stand_in_the_way_of_the_next_one():
    assert sale().open.account is not None
    assert sale(LOST).open.account == sale().open.account
    assert sale(REFUSED).open.account is None


def test_a_doubt_is_due_at_once_announced_or_not():
    assert sale(LOST).open.due_at == LATER
    assert announced(sale(LOST), frozenset(EventName)).open.due_at == LATER


def test_abandoned_is_vending_past_its_lease():
    known = sale()
    assert not known.is_abandoned(known.lease_until - timedelta(microseconds=1))
    assert known.is_abandoned(known.lease_until)
    assert not sale(LOST).is_abandoned(known.lease_until)


def test_the_state_table_ends_where_the_contract_says():
    assert {state for state in State if not NEXT[state]} == {State.VENDED, State.REJECTED}
    assert State.VENDING not in set().union(*NEXT.values())


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("wanted", State)
def test_no_move_is_made_that_the_table_does_not_name(before, wanted):
    known = structs.replace(sale(), state=before)
    if wanted in NEXT[before]:
        assert transaction._moved(known, wanted) == structs.replace(known, state=wanted)
    else:
        with pytest.raises(transaction.IllegalTransition):
            transaction._moved(known, wanted)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 4, 30, 21, 59, 59, tzinfo=UTC), date(2026, 4, 30)),
        (datetime(2026, 4, 30, 22, 0, 0, tzinfo=UTC), date(2026, 5, 1)),
    ],
)
def test_the_business_day_turns_at_midnight_in_johannesburg(at, day):
    assert business_day(at) == day


def test_retries_wait_longer_each_time_up_to_an_hour():
    delays = [retry_delay(attempts, 60).total_seconds() for attempts in range(9)]
    assert delays == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert retry_delay(10**6, 60) == timedelta(hours=1)
    assert [retry_delay(attempts, 1).total_seconds() for attempts in (0, 11, 12, 10**6)] == [1, 2048, 3600, 3600]


def test_sixteen_shards_a_mode():
    names = {shard_of(f"{number:04x}" + "0" * 28, Mode.LIVE) for number in range(65_536)}
    assert len(names) == 16 and all(name.startswith("live-") for name in names)
    assert shard_of("0001" * 8, Mode.SIMULATED) == "simulated-01"


def test_records_stay_bounded():
    known = sale(REFUSED)
    for number in range(300):
        known = append_history(known, HistoryEntry(LATER, f"seen {number}", "test"))
    assert len(known.history) == MAX_HISTORY and known.history[0].what == "rejected" and known.history[-1].what == "seen 299"


def absent(known, at, retry_seconds=60):
    return after_not_found(known, RAW, at=at, minimum_age_seconds=900, retry_seconds=retry_seconds)


@pytest.mark.parametrize("fields", [{"send_ended_at": NOON + timedelta(seconds=60)}, {"lease_until": NOON + timedelta(seconds=60)}])
def test_the_minimum_age_counts_from_the_end_of_the_send_or_of_the_lease(fields):
    known = structs.replace(sale(LOST), **fields)
    of_age = NOON + timedelta(seconds=960)
    assert absent(known, of_age - timedelta(microseconds=1)) is known
    assert absent(known, of_age).not_found_at == of_age


def test_does_not_exist_has_to_be_said_twice_an_interval_apart():
    first = absent(sale(LOST), NOON + timedelta(hours=1))
    said_at = first.not_found_at
    assert absent(first, said_at + timedelta(seconds=59)) is first
    assert absent(first, said_at + timedelta(seconds=60)).state is State.REJECTED


FIRST_KEY = StsToken(TokenKind.KEY_CHANGE, "00000000000000000001")
SECOND_KEY = StsToken(TokenKind.KEY_CHANGE, "00000000000000000002")
CONSUMER = Consumer("J DOE", None, "Arrears are due")
DUE, DONE = TokensDue.PENDING, TokensDue.DELIVERED


def printed(due, *tokens, issued=None, **fields):
    return Vended(Receipt(supplier_transaction_id="s-1", tokens_due=due, tokens=tokens, tokens_issued=issued, **fields))


@pytest.mark.parametrize(
    ("known", "reprint", "due", "tokens"),
    [
        (printed(DUE, FIRST_KEY), printed(DONE, TOKEN), DONE, (FIRST_KEY, TOKEN)),
        (printed(DUE, TOKEN, issued=2), printed(DONE, FIRST_KEY), DONE, (FIRST_KEY, TOKEN)),
        (printed(DUE, TOKEN, issued=3), printed(DONE, FIRST_KEY), DUE, (FIRST_KEY, TOKEN)),  # one is missing still
        (printed(DUE, TOKEN, issued=2), printed(DONE, TOKEN), DUE, (TOKEN,)),
        (printed(DUE, FIRST_KEY, TOKEN, issued=3), printed(DONE, FIRST_KEY, SECOND_KEY, TOKEN), DONE, (FIRST_KEY, SECOND_KEY, TOKEN)),
        (printed(DUE, SECOND_KEY, FIRST_KEY, issued=3), printed(DONE, FIRST_KEY, SECOND_KEY, TOKEN), DONE, (FIRST_KEY, SECOND_KEY, TOKEN)),
        (printed(DUE, TOKEN), printed(TokensDue.NONE), DUE, (TOKEN,)),
        (printed(DUE), printed(TokensDue.NONE), TokensDue.NONE, ()),
        (printed(DUE, issued=1), printed(TokensDue.NONE), DUE, ()),
        (printed(DUE), printed(DUE, TOKEN, issued=2), DUE, (TOKEN,)),
        (printed(DUE, FIRST_KEY, issued=3), printed(DUE, TOKEN, issued=3), DUE, (FIRST_KEY, TOKEN)),
    ],
)
def test_a_recovery_adds_to_the_tokens_that_were_known_and_what_is_due_follows_from_the_whole(known, reprint, due, tokens):
    whole = learned(sale(known), reprint, by="reprint")
    assert (whole.receipt.tokens_due, whole.receipt.tokens) == (due, tokens)
    assert (EventName.TOKENS in whole.unannounced) is (due is not DUE)  # once, when nothing more is due
    assert (whole.version, whole.tokens_pending) == (2 if whole.receipt == known.receipt else 3, due is DUE)


def test_tokens_that_could_be_read_bit_by_bit_are_delivered_when_a_list_has_them_all():
    known = sale(printed(DUE, FIRST_KEY, issued=2))
    for part in (printed(DUE, TOKEN, issued=2), printed(DONE, FIRST_KEY, TOKEN)):
        known = learned(known, part, by="reprint")
    assert (known.receipt.tokens_due, known.receipt.tokens, known.receipt.tokens_issued) == (DONE, (FIRST_KEY, TOKEN), None)
    assert [entry.what for entry in known.history] == ["vended", "more of the receipt read", "tokens added"]


def test_what_a_recovery_does_not_say_stays_on_the_receipt():
    first = printed(DUE, receipt_number="R-1", consumer=CONSUMER, charges=(Charge("arrears", None),), instructions="type it")
    reprint = printed(DONE, TOKEN, receipt_number="R-2", consumer=Consumer("J DOE", "1 ROAD"), units=TOKEN.units)
    receipt = learned(sale(first), reprint, by="reprint").receipt
    assert receipt.consumer == Consumer("J DOE", "1 ROAD", "Arrears are due")
    assert (receipt.receipt_number, receipt.charges, receipt.instructions) == ("R-2", (Charge("arrears", None),), "type it")
    assert receipt.units == TOKEN.units


def test_no_answer_takes_back_anothers_words_while_tokens_are_due():
    known = sale(printed(DUE, receipt_number="R-1"))
    assert learned(known, printed(DUE, receipt_number="R-2"), by="reprint") is known
    assert learned(known, printed(DUE, serial_number="S-1"), by="settlement").receipt.receipt_number == "R-1"


def test_units_of_a_part_of_the_tokens_are_not_those_of_the_whole():
    free = StsToken(TokenKind.FREE, "00000000000000000003", Decimal(50))
    whole = learned(sale(printed(DUE, free, issued=2)), printed(DONE, TOKEN, units=TOKEN.units), by="reprint").receipt
    assert (whole.tokens, whole.units) == ((free, TOKEN), None)


def test_what_a_person_writes_down_is_all_there_is_and_takes_no_known_token_away():
    known = sale(printed(DUE, FIRST_KEY, issued=3))
    whole = learned(known, printed(DONE, TOKEN, issued=3), by="ann@example.com").receipt
    assert (whole.tokens_due, whole.tokens, whole.tokens_issued) == (DONE, (FIRST_KEY, TOKEN), None)
    nothing = learned(known, printed(TokensDue.NONE, FIRST_KEY, issued=3), by="ann@example.com").receipt
    assert (nothing.tokens_due, nothing.tokens) == (TokensDue.NONE, (FIRST_KEY,))


GUID = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"


def named(outcome, supplier_id):
    return Vended(structs.replace(outcome.receipt, supplier_transaction_id=supplier_id))


@pytest.mark.parametrize(("on_record", "said"), [(GUID, GUID.upper()), (GUID.upper(), GUID)])
def test_an_id_in_another_case_is_no_second_vend_and_brings_its_tokens(on_record, said):
    whole = learned(sale(named(PENDING, on_record)), named(DELIVERED, said))
    assert whole.receipt.tokens == (TOKEN,) and whole.unannounced == (EventName.VENDED, EventName.TOKENS)
    assert whole.receipt.supplier_transaction_id == on_record


def test_an_id_that_is_no_guid_is_another_one_in_another_case():
    assert learned(sale(named(PENDING, "T-1")), named(DELIVERED, "t-1")).history[-1].note == "vended_twice: t-1"


def test_an_id_that_a_person_did_not_know_is_learned_and_another_one_contradicts():
    decided = structs.replace(DELIVERED, receipt=structs.replace(DELIVERED.receipt, supplier_transaction_id=None))
    known = sale(LOST, decided)
    named = learned(known, PENDING)
    assert named.receipt.supplier_transaction_id == "s-1" and named.receipt.tokens == (TOKEN,) and named.version == known.version + 1
    assert EventName.TOKENS not in named.unannounced
    assert learned(named, OTHER).history[-1].what == "contradicted"


def test_an_id_that_a_person_did_not_know_is_learned_while_its_token_is_due():
    decided = structs.replace(PENDING, receipt=structs.replace(PENDING.receipt, supplier_transaction_id=None))
    named = learned(sale(LOST, decided), PENDING)
    assert (named.receipt.supplier_transaction_id, named.tokens_pending) == ("s-1", True)
    assert [entry.what for entry in named.history] == ["in_doubt", "vended", "supplier's id learned"]


def test_the_first_answer_is_kept_whatever_it_is_worth():
    first = body(0, status=502, source="vend")
    known = transition(sale(), Answer(LOST, first), at=LATER, by="supplier", retry_seconds=60)
    for number in range(20):
        known = said(known, DELIVERED if number == 0 else printed_as(f"s-{number}"), body(number + 1))
    assert len(known.answers) == MAX_RAW_ANSWERS and known.answers[0] == first


def test_two_vends_after_a_rejection_are_two_contradictions():
    once = learned(sale(REFUSED), DELIVERED)
    assert len(learned(once, OTHER).history) == len(once.history) + 1


def test_each_vend_that_another_sale_holds_is_noted_once_whatever_else_contradicts():
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


def test_contradictions_push_no_decision_and_no_end_out_of_a_history_and_the_first_of_them_stays():
    known = append_history(sale(LOST), HistoryEntry(LATER, "decision: rejected", "ann@example.com", "ticket 4711"))
    known = learned(known, REFUSED, by="ann@example.com")
    known = append_history(known, HistoryEntry(LATER, REVEALED, "ann@example.com"))
    for number in range(300):
        known = learned(known, printed_as(f"{number}"), by=("supplier", "reprint", "settlement")[number % 3])
    assert [entry.what for entry in known.history[:5]] == ["in_doubt", "decision: rejected", "rejected", REVEALED, "contradicted"]
    assert known.history[4].note == "vended_after_rejection: other 0" and known.history[-1].note == "vended_after_rejection: other 299"
    assert len(known.history) == MAX_HISTORY


def test_neither_readings_nor_contradictions_drive_the_others_out_of_a_history():
    known = sale(REFUSED)
    for number in range(300):
        known = append_history(learned(known, printed_as(f"{number}")), HistoryEntry(LATER, REVEALED, f"person {number}"))
    assert known.history[-1].by == "person 299" and known.history[-2].note == "vended_after_rejection: other 299"
    assert sum(entry.what == REVEALED for entry in known.history) in (99, 100) and len(known.history) == MAX_HISTORY


@pytest.mark.parametrize("shown", [repr, pretty_repr])
def test_a_sale_is_shown_without_what_was_bought_and_by_whom(shown):
    assert shown(sale(DELIVERED)) == "Transaction(id='00aa00aa00aa00aa00aa00aa00aa00aa', version=2, state='vended', amount_cents=10000)"


def try_of(known, at, **changes):
    return after_failed_attempt(
        known, **{"at": at, "minimum_age_seconds": 900, "review_after_seconds": 10**6, "retry_seconds": 60, **changes}
    )


def test_a_try_is_counted_and_the_next_one_is_due_after_a_delay_that_doubles_at_the_latest_when_the_sale_comes_of_age():
    doubt = structs.replace(sale(LOST), send_ended_at=LATER)
    of_age = LATER + timedelta(seconds=900)
    for attempts, seconds in ((0, 60), (1, 120), (3, 480), (4, 900), (7, 900)):
        next_try = try_of(structs.replace(doubt, attempts=attempts), LATER)
        assert (next_try.attempts, next_try.open.due_at) == (attempts + 1, LATER + timedelta(seconds=seconds))
    assert try_of(structs.replace(doubt, attempts=7), of_age).open.due_at == of_age + timedelta(hours=1)


def test_a_first_does_not_exist_is_soon_asked_again_for_two_intervals_and_of_a_doubt_only():
    doubt = structs.replace(sale(LOST), send_ended_at=NOON, attempts=7)
    first = NOON + timedelta(seconds=2000)
    for known, seconds, delay in (
        (structs.replace(doubt, not_found_at=first), 0, 60),
        (structs.replace(doubt, not_found_at=first), 119, 60),
        (structs.replace(doubt, not_found_at=first), 120, 3600),
        (doubt, 0, 3600),
        (structs.replace(sale(PENDING), send_ended_at=NOON, attempts=7, not_found_at=first), 0, 3600),
    ):
        at = first + timedelta(seconds=seconds)
        assert try_of(known, at).open.due_at == at + timedelta(seconds=delay)


def test_a_doubt_is_a_persons_from_the_very_moment_on_and_once():
    doubt = sale(LOST)
    at = NOON + timedelta(seconds=7200)
    assert not try_of(doubt, at - timedelta(microseconds=1), review_after_seconds=7200).review_announced
    told = try_of(doubt, at, review_after_seconds=7200)
    assert told.review_announced and (told.version, told.attempts) == (doubt.version + 1, 1)
    assert told.unannounced == (EventName.IN_DOUBT, EventName.NEEDS_REVIEW)
    assert told.history[-1] == HistoryEntry(at, "needs_review", "sweep")
    assert try_of(told, at, review_after_seconds=7200).version == told.version


def test_a_sale_that_is_finished_is_not_tried():
    ended = announced(sale(DELIVERED), frozenset(EventName))
    assert try_of(ended, LATER) is ended


@pytest.mark.parametrize("age", [0, 900])
def test_absence_may_be_said_of_a_doubt_or_an_abandoned_sale_of_age_and_without_a_sign(age):
    def may(known, at):
        return may_be_absent(known, at=at, minimum_age_seconds=age)

    of_age, moment = timedelta(seconds=age), timedelta(microseconds=1)
    ended = NOON + timedelta(seconds=30)
    doubt, running = structs.replace(sale(LOST), send_ended_at=ended), sale()
    assert may(doubt, ended + of_age) and not may(doubt, ended + of_age - moment)
    assert may(running, running.lease_until + of_age) and not may(running, running.lease_until + of_age - moment)
    assert not may(structs.replace(running, send_ended_at=NOON), running.lease_until - moment)  # it still runs
    for known in (sale(SIGN), sale(DELIVERED), sale(PENDING), sale(REFUSED)):
        assert not may(known, NOON + timedelta(days=9))


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


PIN = Receipt(supplier_transaction_id="s-1", pin="1234 5678")


@pytest.mark.parametrize(
    ("known", "more", "lacks"),
    [
        (PIN, PIN, False),
        (PIN, structs.replace(PIN, pin="1234-5678"), False),
        (PIN, structs.replace(PIN, pin="12345679"), True),
        (PIN, structs.replace(PIN, pin="****5679"), False),
        (PIN, structs.replace(PIN, pin=None), False),
        (structs.replace(PIN, pin=None), PIN, True),
        (DELIVERED.receipt, DELIVERED.receipt, False),
        (DELIVERED.receipt, PENDING.receipt, False),
        (PENDING.receipt, DELIVERED.receipt, True),
        (DELIVERED.receipt, structs.replace(PENDING.receipt, tokens_issued=1), False),
        (DELIVERED.receipt, structs.replace(PENDING.receipt, tokens_issued=2), True),
    ],
)
def test_a_receipt_lacks_what_another_answer_has_more(known, more, lacks):
    assert known.lacks(more) is lacks


WITH_BOTH = structs.replace(DELIVERED.receipt, pin="9999-9999")


@pytest.mark.parametrize(
    ("receipt", "said", "is_quoted"),
    [
        *((DELIVERED.receipt, said, True) for said in (b"0000 0000 0000 1234 5678", b"\xff0000-0000-0000-1234-5678.")),
        *((DELIVERED.receipt, said, False) for said in (b"0000 0000 0000 1234 567", b"")),
        *((PIN, said, said == b"pin: 12345678") for said in (b"pin: 12345678", b"1234 567")),
        (WITH_BOTH, b"00000000000012345678, 99999999", True),
        *((WITH_BOTH, said, False) for said in (b"00000000000012345678", b"9999 9999")),
    ],
)
def test_an_answer_quotes_a_receipt_where_each_token_and_the_pin_is_in_it(receipt, said, is_quoted):
    assert receipt.is_quoted_in(said) is is_quoted
