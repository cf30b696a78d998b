"""Every move of a sale, whole: its version, history, answers, announcements, and when it is due again; and the times that go on record."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import RawAnswer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import (
    REVEALED,
    EventName,
    HistoryEntry,
    State,
    after_failed_attempt,
    after_not_found,
    announced,
    append_history,
    attach_raw_answer,
    claimed_twice,
    each_contradiction,
    no_earlier,
    reindexed,
    reschedule,
    sent_until,
)
from shared.lib.value import new_word
from tests.sales import NOON, vending
from tests.unit.domain.moves import BY_HAND, CREDIT, DELIVERED, LATER, LOST, MINUTE, NAMELESS, REFUSED, RETRY, SIGN, moved, sale

OTHER_CREDIT = StsToken(TokenKind.CREDIT, "99998888777766665555")
RAW, AGAIN = (RawAnswer.of("reprint", LATER, 200, "application/json", body) for body in (OTHER_CREDIT.number.encode(), b"{}"))
PENDING = Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING))
OTHER = Vended(structs.replace(DELIVERED.receipt, supplier_transaction_id="s-2"))
OTHER_TOKENS = Vended(structs.replace(DELIVERED.receipt, tokens=(OTHER_CREDIT,)))


def changes(before, then):
    """What has changed, but for what every visible change changes."""
    names = [name for name in before.__struct_fields__ if getattr(before, name) != getattr(then, name)]
    return {name: getattr(then, name) for name in names if name not in ("version", "updated_at", "history", "open")}


SOON, AT_ONCE = LATER + timedelta(seconds=RETRY), LATER

DOUBTED, ENDED_REJECTED = {"state": State.IN_DOUBT, "unannounced": ("in_doubt",)}, {"state": State.REJECTED, "unannounced": ("rejected",)}
ENDED_VENDED = {"state": State.VENDED, "unannounced": ("vended",), "sign_of_vend": True}
CONTRADICTED = {"unannounced": ("contradicted",), "contradicted_at": (3,)}

VISIBLE = [  # the sale; the answer; by whom; what else changes; the line of history; when it is due
    ((), LOST, "supplier", {**DOUBTED, "outcome": LOST}, "in_doubt", "lost", AT_ONCE),
    ((), SIGN, "supplier", {**DOUBTED, "outcome": SIGN, "sign_of_vend": True}, "in_doubt", "2xx", AT_ONCE),
    ((), REFUSED, "supplier", {**ENDED_REJECTED, "outcome": REFUSED}, "rejected", "1011", SOON),
    ((), DELIVERED, "supplier", {**ENDED_VENDED, "outcome": DELIVERED}, "vended", None, SOON),
    ((LOST,), SIGN, "reprint", {"sign_of_vend": True}, "sign of a vend", "2xx", AT_ONCE),
    ((LOST,), REFUSED, BY_HAND, {**ENDED_REJECTED, "outcome": REFUSED}, "rejected", "1011", SOON),
    ((SIGN,), REFUSED, BY_HAND, {**ENDED_REJECTED, "outcome": REFUSED}, "rejected", "1011", SOON),
    ((LOST,), PENDING, "reprint", {**ENDED_VENDED, "outcome": PENDING}, "vended", None, SOON),
    ((PENDING,), DELIVERED, "reprint", {"outcome": DELIVERED, "unannounced": ("tokens",)}, "tokens added", None, SOON),
    ((PENDING,), OTHER, "reprint", CONTRADICTED, "contradicted", "vended_twice: s-2", SOON),
    ((PENDING,), REFUSED, "settlement", CONTRADICTED, "contradicted", "state_differs: 1011", SOON),
    ((DELIVERED,), OTHER_TOKENS, "reprint", CONTRADICTED, "contradicted", "tokens_differ: s-1", SOON),
    ((NAMELESS,), DELIVERED, "reprint", {"outcome": DELIVERED}, "supplier's id learned", None, None),
    ((REFUSED,), DELIVERED, "settlement", CONTRADICTED, "contradicted", "vended_after_rejection: s-1", SOON),
    ((REFUSED,), SIGN, "vend", CONTRADICTED, "contradicted", "vended_after_rejection: 2xx", SOON),
]


@pytest.mark.parametrize(("outcomes", "answer", "by", "changed", "what", "note", "due_at"), VISIBLE)
def test_an_answer_with_news_is_one_visible_change(outcomes, answer, by, changed, what, note, due_at):
    before = sale(*outcomes)
    then = moved(before, answer, RAW, by=by)
    assert (then.version, then.updated_at) == (before.version + 1, LATER)
    assert then.history == (*before.history, HistoryEntry(LATER, what, by, note))
    assert changes(before, then) == {**changed, "answers": (*before.answers, RAW)}
    assert (then.open and then.open.due_at) == due_at
    assert due_at is None or (then.open.account is not None) is then.is_unfinished
    again = moved(then, answer, RAW, at=LATER + MINUTE, by=by)
    assert again is then


def test_another_token_beside_an_id_that_was_not_known_is_two_changes():
    before = sale(NAMELESS)
    then = moved(before, OTHER_TOKENS, RAW)
    assert [(entry.what, entry.note) for entry in then.history[1:]] == [
        ("supplier's id learned", None),
        ("contradicted", "tokens_differ: s-1"),
    ]
    assert (then.version, then.receipt.supplier_transaction_id, then.receipt.tokens, then.answers) == (4, "s-1", (CREDIT,), (RAW,))


def test_other_tokens_contradict_again_until_stored_each_time_numbered():
    known = sale(DELIVERED)
    for number in range(10):
        other = StsToken(TokenKind.CREDIT, f"{number:020d}")
        known = moved(known, Vended(structs.replace(DELIVERED.receipt, tokens=(other,))))
    notes = [entry.note for entry in known.history[1:]]
    assert notes == ["tokens_differ: s-1", *(f"tokens_differ: s-1, other tokens than before: {number}" for number in range(1, 8))]
    quoted = RawAnswer.of("reprint", LATER, 200, None, OTHER_CREDIT.number.encode())
    once = moved(sale(DELIVERED), OTHER_TOKENS, quoted)
    assert once.answers == (quoted,) and moved(once, OTHER_TOKENS, AGAIN).history == once.history


@pytest.mark.parametrize("outcomes", [(LOST,), (SIGN,), (DELIVERED,), (PENDING,), (REFUSED,)])
def test_an_answer_without_news_is_stored_and_changes_nothing_visible(outcomes):
    before = sale(*outcomes)
    then = moved(before, LOST, RAW)
    assert changes(before, then) == {"answers": (RAW,)}
    assert (then.version, then.updated_at, then.history, then.open) == (before.version, before.updated_at, before.history, before.open)
    assert attach_raw_answer(then, RAW) is then


def test_a_sale_without_personal_data_stores_no_further_answer():
    erased = structs.replace(sale(DELIVERED), erased_at=LATER)
    assert attach_raw_answer(erased, RAW) is erased and moved(erased, LOST, RAW) is erased


# Times


@pytest.mark.parametrize(
    ("known", "ended_at", "then"),
    [
        (None, None, None),
        (None, NOON, NOON),
        (NOON, None, NOON),
        (NOON, NOON - MINUTE, NOON),
        (NOON, NOON, NOON),
        (NOON, NOON + timedelta(microseconds=1), NOON + timedelta(microseconds=1)),
    ],
)
def test_when_a_send_ended_is_never_moved_back(known, ended_at, then):
    before = structs.replace(sale(LOST), send_ended_at=known)
    found = sent_until(before, ended_at)
    assert found.send_ended_at == then and (found is before) is (known == then)


@pytest.mark.parametrize("minutes", [-9, -1, 0, 1, 2, 3, 4, 5, 9])
def test_no_time_earlier_than_one_on_record_goes_on_record(minutes):
    at = NOON + minutes * MINUTE
    before = structs.replace(sale(LOST), updated_at=NOON + 2 * MINUTE)
    late = structs.replace(before, history=(*before.history, HistoryEntry(NOON + 4 * MINUTE, "seen", "ann")))
    fresh = structs.replace(before, history=())
    for known, earliest in ((before, 2), (late, 4), (fresh, 2)):
        kept = NOON + max(minutes, earliest) * MINUTE
        assert no_earlier(known, at) == kept
        then = moved(known, SIGN, at=at)
        assert (then.updated_at, then.history[-1].at, then.open.due_at) == (kept, kept, kept)
        assert append_history(known, HistoryEntry(at, "seen", "ann")).history[-1] == HistoryEntry(kept, "seen", "ann")
        told = after_failed_attempt(known, at=at, minimum_age_seconds=0, review_after_seconds=-(10**6), retry_seconds=RETRY)
        due_at = kept + MINUTE if kept >= known.lease_until else min(kept + MINUTE, known.lease_until)
        assert (told.updated_at, told.open.due_at) == (kept, due_at)
        twice = claimed_twice(known, "s-9", None, at=at, by="reprint", retry_seconds=RETRY)
        assert (twice.updated_at, twice.open.due_at) == (kept, kept + MINUTE)


@pytest.mark.parametrize(("due", "at", "then"), [(0, 0, 60), (0, 30, 90), (60, 59, 60), (60, 60, 120), (60, -60, 60)])
def test_a_due_sale_is_rescheduled_and_one_not_yet_due_stays(due, at, then):
    moment = NOON + 9 * MINUTE
    before = reindexed(sale(LOST), moment + timedelta(seconds=due))
    found = reschedule(before, at=moment + timedelta(seconds=at), retry_seconds=RETRY)
    assert found.open.due_at == moment + timedelta(seconds=then) and (found is before) is (then == due)
    assert changes(before, found) == {} and found.version == before.version
    closed = sale(DELIVERED)
    assert reschedule(closed, at=LATER, retry_seconds=RETRY) is closed


@pytest.mark.parametrize(
    ("published", "left"),
    [
        ((), ("vended", "tokens")),
        (("rejected", "in_doubt"), ("vended", "tokens")),
        (("vended",), ("tokens",)),
        (("tokens", "vended"), ()),
    ],
)
def test_published_events_are_cleared_and_the_last_one_closes_the_sale(published, left):
    before = moved(moved(vending(), PENDING, at=NOON + MINUTE), DELIVERED)
    then = announced(before, frozenset(map(EventName, published)))
    assert then.unannounced == left and (then is before) is (len(left) == 2)
    assert then.open == (before.open if left else None)
    closed = structs.replace(before, open=None)
    assert announced(closed, frozenset(EventName)) is closed


def test_a_sale_with_an_unknown_event_or_delivery_waits_for_newer_code():
    newer = new_word(EventName, "brand_new")
    plain = sale(DELIVERED)
    for events, waits in (((), False), (("vended",), False), (("vended", newer), True), ((newer,), True)):
        assert structs.replace(plain, unannounced=events).waits_for_newer_code is waits
    due = Vended(structs.replace(DELIVERED.receipt, tokens_due=new_word(TokensDue, "brand_new")))
    owing = structs.replace(plain, outcome=due)
    assert (owing.waits_for_newer_code, owing.is_unfinished, plain.is_unfinished, sale(PENDING).is_unfinished) == (True, True, False, True)


# Contradictions


def versions(known):
    return [one.contradicted_at for one in each_contradiction(known)]


def test_each_contradiction_also_of_older_code_yields_the_sale_once():
    once = moved(sale(DELIVERED), OTHER)
    twice = moved(announced(once, frozenset(EventName)), REFUSED)
    assert moved(once, REFUSED).unannounced == ("contradicted",)  # one that awaits its announcement stands for both
    assert versions(structs.replace(once, contradicted_at=(), history=())) == [(3,)]
    assert (versions(sale(DELIVERED)), versions(once), versions(twice)) == ([], [(3,)], [(3,), (3, 4)])
    assert versions(announced(twice, frozenset(EventName))) == [(3,), (3, 4)]
    by_older = structs.replace(once, contradicted_at=())
    assert versions(by_older) == [(3,)] and versions(announced(by_older, frozenset(EventName))) == []
    mixed = structs.replace(twice, contradicted_at=(3,))
    assert versions(mixed) == [(3,), (3, 4)] and versions(structs.replace(mixed, version=3)) == [(3,)]
    assert versions(structs.replace(mixed, history=mixed.history[:-1])) == [(3,)]


CLAIM = "claimed_twice: s-9"


@pytest.mark.parametrize(
    ("outcomes", "state", "is_signed"),
    [
        ((), State.IN_DOUBT, True),
        ((LOST,), State.IN_DOUBT, True),
        ((SIGN,), State.IN_DOUBT, True),
        ((REFUSED,), State.REJECTED, False),
        ((DELIVERED,), State.VENDED, True),
    ],
)
def test_a_vend_that_another_holds_contradicts_once_and_signs_an_open_sale(outcomes, state, is_signed):
    before = sale(*outcomes)
    then = claimed_twice(before, "s-9", RAW, at=LATER, by="reprint", retry_seconds=RETRY)
    assert (then.state, then.sign_of_vend, then.answers) == (state, is_signed, (RAW,))
    assert then.history[-1] == HistoryEntry(LATER, "contradicted", "reprint", CLAIM)
    assert then.contradicted_at == (then.version,) and then.unannounced[-1] == "contradicted" and then.open.due_at == SOON
    assert then.version == before.version + (2 if not outcomes else 1)
    if not outcomes:
        assert then.outcome == Unknown("another sale holds its supplier's id", sign_of_vend=True)
        assert then.unannounced == ("in_doubt", "contradicted") and then.history[-2].note == then.outcome.cause
    again = claimed_twice(then, "s-9", AGAIN, at=LATER, by="supplier", retry_seconds=RETRY)
    assert changes(then, again) == {"answers": (RAW, AGAIN)} and again.version == then.version
    other = claimed_twice(then, "s-8", None, at=LATER, by="reprint", retry_seconds=RETRY)
    assert other.history[-1].note == "claimed_twice: s-8" and other.version == then.version + 1


def test_a_repeated_claim_without_an_answer_changes_nothing():
    for outcome in (LOST, SIGN, REFUSED, DELIVERED):
        told = claimed_twice(sale(outcome), "s-9", None, at=LATER, by="reprint", retry_seconds=RETRY)
        assert claimed_twice(told, "s-9", None, at=LATER, by="reprint", retry_seconds=RETRY) is told


def test_a_repeated_claim_only_adds_the_indication_of_a_vend():
    told = claimed_twice(sale(LOST), "s-9", None, at=LATER, by="reprint", retry_seconds=RETRY)
    unsigned = structs.replace(told, sign_of_vend=False)
    assert claimed_twice(unsigned, "s-9", None, at=LATER, by="reprint", retry_seconds=RETRY) == told


def test_a_line_of_history_with_the_same_words_that_is_no_contradiction_is_none():
    other = append_history(sale(LOST), HistoryEntry(LATER, "decision", BY_HAND, CLAIM))
    then = claimed_twice(other, "s-9", None, at=LATER, by="reprint", retry_seconds=RETRY)
    assert [entry.what for entry in then.history[-2:]] == ["decision", "contradicted"]


@pytest.mark.parametrize(("by", "note", "is_new"), [("reprint", "1011", False), ("settlement", "1011", True), ("reprint", "1012", True)])
def test_a_contradiction_repeats_for_another_source_or_cause(by, note, is_new):
    once = announced(moved(sale(DELIVERED), REFUSED), frozenset(EventName))
    then = moved(once, Rejected(Reason.METER_UNKNOWN, note), by=by)
    assert len(then.history) == len(once.history) + is_new and then.unannounced == (("contradicted",) if is_new else ())


# "Does not exist"


def absent(known, at, raw=RAW):
    return after_not_found(known, raw, at=at, minimum_age_seconds=900, retry_seconds=RETRY)


def test_a_sale_ends_at_its_second_does_not_exist_after_the_minimum_age():
    doubt = structs.replace(sale(LOST), send_ended_at=NOON)
    of_age = NOON + timedelta(seconds=900)
    once = absent(doubt, of_age)
    assert once == structs.replace(doubt, not_found_at=of_age)
    assert absent(once, of_age + timedelta(seconds=59)) is once
    ended = absent(once, of_age + MINUTE)
    cause = "does not exist at the supplier, said twice"
    assert ended.outcome == Rejected(Reason.TEMPORARILY_UNAVAILABLE, cause) and ended.answers == (RAW,)
    assert ended.history[-1] == HistoryEntry(of_age + MINUTE, "rejected", "reprint", cause)
    assert ended.open.due_at == of_age + 2 * MINUTE


@pytest.mark.parametrize(("ended", "counts"), [(timedelta(0), True), (timedelta(microseconds=1), False)])
def test_a_first_does_not_exist_counts_by_the_send_end_known_now(ended, counts):
    first = NOON + timedelta(seconds=900)
    doubt = structs.replace(sale(LOST), send_ended_at=NOON + ended, not_found_at=first)
    then = absent(doubt, first + 9 * MINUTE)
    assert (then.state, then.not_found_at) == ((State.REJECTED, first) if counts else (State.IN_DOUBT, first + 9 * MINUTE))


# A full history


def full(*lines):
    known = structs.replace(sale(REFUSED), history=())
    for what, by in lines:
        known = append_history(known, HistoryEntry(LATER, what, by))
    return known


def test_a_full_history_without_repeats_loses_its_second_line():
    known = full(*((f"seen {number}", "ann") for number in range(200)))
    assert len(known.history) == 200
    then = append_history(known, HistoryEntry(LATER, "seen 200", "ann"))
    assert [entry.what for entry in then.history] == ["seen 0", *(f"seen {number}" for number in range(2, 201))]


@pytest.mark.parametrize(
    ("revealed", "contradicted", "by", "gone"),
    [
        (3, 2, "reprint", "r0"),
        (2, 4, "supplier", "c1"),
        (3, 4, "reprint", "r0"),
        (1, 1, "settlement", "r0"),
        (0, 2, "settlement", "c1"),
        (1, 9, BY_HAND, "r0"),
        (0, 9, BY_HAND, "seen 1"),
    ],
)
def test_a_full_history_loses_the_oldest_line_of_its_commonest_kind(revealed, contradicted, by, gone):
    lines = [("seen 0", "ann"), ("seen 1", "ann")]
    lines += [(REVEALED, f"r{number}") for number in range(revealed)]
    lines += [("contradicted", by)] * contradicted
    lines += [(f"seen {number}", "ann") for number in range(2, 202 - len(lines))]
    known = full(*lines)
    names = {REVEALED: [f"r{number}" for number in range(revealed)], "contradicted": [f"c{number}" for number in range(contradicted)]}
    called = [names[entry.what].pop(0) if entry.what in names else entry.what for entry in known.history]
    assert len(called) == 200
    then = append_history(known, HistoryEntry(LATER, "last", "ann"))
    called.remove(gone)
    assert [entry.what for entry in then.history] == [*(_what(one) for one in called), "last"]


def _what(name):
    return {"r": REVEALED, "c": "contradicted"}[name[0]] if name[1:].isdigit() else name


def test_full_answers_lose_the_latest_of_the_lowest_worth_never_the_first():
    page, token = (b"maintenance", b"00001111222233334444")
    answers = [
        RawAnswer.of("vend", LATER, 502 if number in (0, 3) else 200, None, (token if number == 5 else page) + b"%d" % number)
        for number in range(8)
    ]
    known = structs.replace(sale(REFUSED), answers=tuple(answers))
    then = moved(known, DELIVERED, RAW)
    assert then.answers == (*answers[:3], *answers[4:], RAW)
    later = moved(then, OTHER, AGAIN)
    assert later.answers == (*answers[:3], *answers[4:7], RAW, AGAIN)
