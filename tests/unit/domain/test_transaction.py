"""A sale's states: which answer moves a sale, when the sale is due again, and when absence counts."""

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec import structs
from rich.pretty import pretty_repr

from shared.domain import transaction
from shared.domain.clock import business_day
from shared.domain.outcome import Vended
from shared.domain.transaction import (
    NEXT,
    EventName,
    HistoryEntry,
    State,
    after_failed_attempt,
    after_not_found,
    announced,
    may_be_absent,
    retry_delay,
    shard_of,
)
from shared.domain.vas import Mode
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
    TOKEN,
    body,
    learned,
    said,
    sale,
)


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
def test_a_contradiction_is_stored_noted_and_published_once(first, late):
    once = learned(sale(first), late)
    assert EventName.CONTRADICTED in once.unannounced and once.open is not None
    assert once.history[-1].what == "contradicted" and len(once.answers) == 2
    assert once.outcome == first
    assert learned(once, late) is once


@pytest.mark.parametrize(
    ("first", "late"), [(DELIVERED, DELIVERED), (DELIVERED, PENDING), (DELIVERED, LOST), (REFUSED, REFUSED), (REFUSED, LOST), (LOST, LOST)]
)
def test_an_answer_that_agrees_or_proves_nothing_changes_nothing(first, late):
    known = sale(first)
    assert learned(known, late) is known


def test_tokens_that_were_due_are_added_once():
    whole = learned(sale(PENDING), DELIVERED)
    assert whole.receipt.tokens == (TOKEN,) and whole.unannounced == (EventName.VENDED, EventName.TOKENS)
    assert learned(whole, DELIVERED) is whole


def test_an_indication_of_a_vend_stays_for_ever():
    signed = learned(sale(LOST), SIGN)
    assert signed.sign_of_vend and signed.state is State.IN_DOUBT
    assert learned(signed, LOST) is signed


def test_the_number_of_tokens_is_no_visible_change():
    known = sale(PENDING)
    more = said(known, Vended(structs.replace(PENDING.receipt, tokens_issued=2)), body(1))
    assert (more.version, more.updated_at, more.history) == (known.version, known.updated_at, known.history)
    assert more.receipt.tokens_issued == 2 and more.answers == (*known.answers, body(1))


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


def test_only_published_events_are_cleared():
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
def test_no_transition_outside_the_table_is_made(before, wanted):
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


def absent(known, at, retry_seconds=60):
    return after_not_found(known, RAW, at=at, minimum_age_seconds=900, retry_seconds=retry_seconds)


@pytest.mark.parametrize("fields", [{"send_ended_at": NOON + timedelta(seconds=60)}, {"lease_until": NOON + timedelta(seconds=60)}])
def test_the_minimum_age_counts_from_the_end_of_the_send_or_of_the_lease(fields):
    known = structs.replace(sale(LOST), **fields)
    of_age = NOON + timedelta(seconds=960)
    assert absent(known, of_age - timedelta(microseconds=1)) is known
    assert absent(known, of_age).not_found_at == of_age


def test_does_not_exist_counts_the_second_time_an_interval_later():
    first = absent(sale(LOST), NOON + timedelta(hours=1))
    said_at = first.not_found_at
    assert absent(first, said_at + timedelta(seconds=59)) is first
    assert absent(first, said_at + timedelta(seconds=60)).state is State.REJECTED


@pytest.mark.parametrize("shown", [repr, pretty_repr])
def test_a_sale_shows_its_id_version_state_and_amount_alone(shown):
    assert shown(sale(DELIVERED)) == "Transaction(id='00aa00aa00aa00aa00aa00aa00aa00aa', version=2, state='vended', amount_cents=10000)"


def try_of(known, at, **changes):
    return after_failed_attempt(
        known, **{"at": at, "minimum_age_seconds": 900, "review_after_seconds": 10**6, "retry_seconds": 60, **changes}
    )


def test_attempts_are_counted_and_delays_double_up_to_the_minimum_age():
    doubt = structs.replace(sale(LOST), send_ended_at=LATER)
    of_age = LATER + timedelta(seconds=900)
    for attempts, seconds in ((0, 60), (1, 120), (3, 480), (4, 900), (7, 900)):
        next_try = try_of(structs.replace(doubt, attempts=attempts), LATER)
        assert (next_try.attempts, next_try.open.due_at) == (attempts + 1, LATER + timedelta(seconds=seconds))
    assert try_of(structs.replace(doubt, attempts=7), of_age).open.due_at == of_age + timedelta(hours=1)


def test_a_first_does_not_exist_makes_a_doubt_due_soon_for_two_intervals():
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


def test_a_doubt_goes_to_review_at_its_exact_moment_and_once():
    doubt = sale(LOST)
    at = NOON + timedelta(seconds=7200)
    assert not try_of(doubt, at - timedelta(microseconds=1), review_after_seconds=7200).review_announced
    told = try_of(doubt, at, review_after_seconds=7200)
    assert told.review_announced and (told.version, told.attempts) == (doubt.version + 1, 1)
    assert told.unannounced == (EventName.IN_DOUBT, EventName.NEEDS_REVIEW)
    assert told.history[-1] == HistoryEntry(at, "needs_review", "sweep")
    assert try_of(told, at, review_after_seconds=7200).version == told.version


def test_a_finished_sale_counts_no_attempt():
    ended = announced(sale(DELIVERED), frozenset(EventName))
    assert try_of(ended, LATER) is ended


@pytest.mark.parametrize("age", [0, 900])
def test_absence_counts_only_for_old_doubts_without_an_indication_of_a_vend(age):
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
