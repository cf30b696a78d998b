"""One sale: its states, its transitions, and its open work. Pure."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from msgspec import structs

from shared.domain.identifiers import Caller, account_key, same_supplier_id
from shared.domain.outcome import MAX_WORTH, Answer, Outcome, RawAnswer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.vas import SUPPLIER_IDS, Mode, Order
from shared.lib.value import Kept, Record, is_new_word

SHARDS: Final = 16
MAX_RAW_ANSWERS: Final = 8  # of 64 KiB each: a record stays below Firestore's 1 MiB
MAX_IDLE_ANSWERS: Final = 4  # of answers that change nothing: the rest is room for answers that do
MAX_TELLING_ANSWERS: Final = 6  # likewise, of answers that may hold a token
MAX_HISTORY: Final = 200
REVEALED: Final = "tokens revealed"
SUPPLIERS_WORD: Final = frozenset({"supplier", "reprint", "settlement"})  # the sources that speak for the supplier
CLAIMED: Final = "another sale holds its supplier's id"
MAX_RETRY: Final = timedelta(hours=1)

_TOKENS_DIFFER: Final = "tokens_differ"


class State(StrEnum):
    VENDING = "vending"  # on record; the request may be on the wire
    IN_DOUBT = "in_doubt"  # the sale may have vended: only evidence ends the doubt
    VENDED = "vended"  # delivered, and owed to the supplier
    REJECTED = "rejected"  # proven: nothing was vended


NEXT: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.VENDING: frozenset({State.VENDED, State.REJECTED, State.IN_DOUBT}),
        State.IN_DOUBT: frozenset({State.VENDED, State.REJECTED}),
        State.VENDED: frozenset(),
        State.REJECTED: frozenset(),
    }
)


class EventName(StrEnum):
    """The events that we publish about a sale."""

    VENDED = "vended"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    NEEDS_REVIEW = "needs_review"
    TOKENS = "tokens"
    CONTRADICTED = "contradicted"


class IllegalTransition(Exception):
    """The state table does not allow the transition."""


class Open(Kept, frozen=True):
    """A sale's place in the sweep's index: the sale has open work, due at `due_at`.

    The duplicate guard finds a sale by `account`. The field is `None` once the sale has ended and no token is due.
    """

    shard: str
    due_at: datetime
    account: str | None


class HistoryEntry(Kept, frozen=True):
    """One line of a sale's append-only history: the event, its source, and a note. Never a token."""

    at: datetime
    what: str
    by: str
    note: str | None = None


class Transaction(Record, frozen=True, kw_only=True):
    """A sale, from its claim to its end. Times are UTC; `day` is the business day of the claim.

    `contradicted_at` holds one version for each contradiction, and the versions name the events.
    `erased_at` is the moment when retention erased the personal data (`shared/retention/rules.py`).
    `supplier_id` names the seller. The claim sets the id; a record without one has the id of its mode.
    `version` counts the changes that a caller can see.
    `nonce` names the commit that wrote the record: it tells our commit whose reply was lost from a competitor's.
    """

    id: str
    version: int
    mode: Mode
    caller: Caller
    idempotency_key: str
    fingerprint: str
    order: Order
    request_id: str
    supplier_prevend_id: str | None
    state: State
    created_at: datetime
    updated_at: datetime
    day: date
    send_by: datetime
    lease_until: datetime
    send_ended_at: datetime | None = None
    outcome: Outcome | None = None
    sign_of_vend: bool = False
    attempts: int = 0
    not_found_at: datetime | None = None
    review_announced: bool = False
    history: tuple[HistoryEntry, ...] = ()
    answers: tuple[RawAnswer, ...] = ()
    unannounced: tuple[EventName, ...] = ()
    open: Open | None = None
    nonce: str = ""
    supplier_id: str = ""
    contradicted_at: tuple[int, ...] = ()
    erased_at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.supplier_id:
            structs.force_setattr(self, "supplier_id", SUPPLIER_IDS[self.mode])

    def __repr__(self) -> str:
        """Without the order's recipient, the receipt and the raw answers."""
        return f"Transaction(id={self.id!r}, version={self.version}, state={self.state.value!r}, amount_cents={self.order.amount.cents})"

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of a vended sale."""
        return self.outcome.receipt if isinstance(self.outcome, Vended) else None

    @property
    def tokens_pending(self) -> bool:
        return self.receipt is not None and self.receipt.tokens_due is TokensDue.PENDING

    @property
    def is_unfinished(self) -> bool:
        """Whether more than publishing is left: the sale runs, is in doubt, or owes a token or something that newer code knows."""
        return bool(NEXT[self.state]) or self.tokens_pending or self._owes_something_new

    @property
    def waits_for_newer_code(self) -> bool:
        """Whether some open work is unknown to this code: a pending event, or a delivery that is due to the customer."""
        return self._owes_something_new or any(is_new_word(EventName, event) for event in self.unannounced)

    @property
    def _owes_something_new(self) -> bool:
        return self.receipt is not None and is_new_word(TokensDue, self.receipt.tokens_due)

    def is_abandoned(self, at: datetime) -> bool:
        """Whether the sale is still `vending` after its lease: no process sells it any more, and it counts as in doubt."""
        return self.state is State.VENDING and at >= self.lease_until


def sent_until(sale: Transaction, ended_at: datetime | None) -> Transaction:
    """The sale with the end of its send. A later end on record stays."""
    if ended_at is None or (sale.send_ended_at is not None and ended_at <= sale.send_ended_at):
        return sale
    return structs.replace(sale, send_ended_at=ended_at)


def no_earlier(sale: Transaction, at: datetime) -> datetime:
    """The moment to put on record: clocks step, and a moment earlier than one on record becomes the moment on record."""
    return max(at, sale.updated_at, sale.history[-1].at) if sale.history else max(at, sale.updated_at)


def shard_of(transaction_id: str, mode: Mode) -> str:
    """The shard of the mode under which a sale is indexed."""
    return shard_name(mode, int(transaction_id[:4], 16) % SHARDS)


def shard_name(mode: Mode, shard: int) -> str:
    """`live-07`: the mode is part of every index key."""
    return f"{mode}-{shard:02d}"


def transition(sale: Transaction, answer: Answer, *, at: datetime, by: str, retry_seconds: int) -> Transaction:
    """The sale as `answer` leaves it, with its pending events.

    An answer that agrees with an ended sale changes nothing, or adds tokens that were due. `attach_raw_answer` may store its words.
    An answer that contradicts an ended sale leaves the state alone. The answer is stored, noted, and published as `contradicted`.
    `by` names the source: `supplier`, `reprint`, `settlement`, or an operator.

    Raises:
        IllegalTransition: `NEXT` does not allow the transition.
    """
    at = no_earlier(sale, at)
    match sale.state:
        case State.VENDING | State.IN_DOUBT:
            if isinstance(answer.outcome, Unknown):
                return _in_doubt(sale, answer.outcome, answer.raw, at, by)
            return _ended(sale, answer.outcome, answer.raw, at, by, retry_seconds)
        case State.VENDED:
            return _after_vend(sale, answer, at, by, retry_seconds)
        case State.REJECTED:
            return _after_rejection(sale, answer, at, by, retry_seconds)
        case _:
            assert_never(sale.state)


def _after_vend(sale: Transaction, answer: Answer, at: datetime, by: str, retry_seconds: int) -> Transaction:
    match answer.outcome:
        case Vended(receipt):
            return _vended_again(sale, receipt, answer.raw, at, by, retry_seconds)
        case Rejected(cause=cause):
            return _contradicted(sale, f"state_differs: {cause}", answer.raw, at, by, retry_seconds)
        case Unknown():
            return attach_raw_answer(sale, answer.raw)
        case _:
            assert_never(answer.outcome)


def _after_rejection(sale: Transaction, answer: Answer, at: datetime, by: str, retry_seconds: int) -> Transaction:
    match answer.outcome:
        case Vended(receipt):
            return _contradicted(sale, f"vended_after_rejection: {receipt.supplier_transaction_id}", answer.raw, at, by, retry_seconds)
        case Unknown(cause=cause, sign_of_vend=True):
            return _contradicted(sale, f"vended_after_rejection: {cause}", answer.raw, at, by, retry_seconds)
        case Rejected() | Unknown():
            return attach_raw_answer(sale, answer.raw)
        case _:
            assert_never(answer.outcome)


def attach_raw_answer(sale: Transaction, raw: RawAnswer | None) -> Transaction:
    """The sale with a raw answer that changes nothing and may hold more than we could read. Not a visible change.

    Stored are all 2xx answers, and every answer to the vend itself. Equal answers are stored once.
    The earliest answers stay, with room for later answers of higher worth. An answer that repeats every hour therefore fills no
    record and causes no hourly write.
    A sale whose personal data was erased takes no answer, which would bring the data back.
    """
    if (
        raw is None
        or sale.erased_at is not None
        or (raw.worth == 0 and raw.source != "vend")
        or any(known.sha256 == raw.sha256 for known in sale.answers)
    ):
        return sale
    if len(sale.answers) >= (MAX_TELLING_ANSWERS if raw.worth == MAX_WORTH else MAX_IDLE_ANSWERS):
        return sale
    return structs.replace(sale, answers=(*sale.answers, raw))


def each_contradiction(sale: Transaction) -> Iterator[Transaction]:
    """The sale once for each of its contradictions, in their order. `contradicted_at` ends with the contradiction's version.

    Older code may have recorded a contradiction without `contradicted_at`. While its event is pending, the sale's version stands in.
    """
    versions = sale.contradicted_at
    on_record = sum(entry.what == EventName.CONTRADICTED for entry in sale.history)
    if EventName.CONTRADICTED in sale.unannounced and (not versions or on_record > len(versions)):
        versions = tuple(dict.fromkeys((*versions, sale.version)))
    for number in range(len(versions)):
        yield structs.replace(sale, contradicted_at=versions[: number + 1])


def announced(sale: Transaction, published: frozenset[EventName]) -> Transaction:
    """The sale without the events that were published, and no longer open if no work is left. Not a visible change."""
    left = tuple(event for event in sale.unannounced if event not in published)
    if left == sale.unannounced or sale.open is None:
        return sale
    return reindexed(structs.replace(sale, unannounced=left), sale.open.due_at)


def reschedule(sale: Transaction, *, at: datetime, retry_seconds: int) -> Transaction:
    """The sale, due again `retry_seconds` after `at` if it was due by then: work that cannot be done delays no other sale."""
    if sale.open is None or sale.open.due_at > at:
        return sale
    return reindexed(sale, no_earlier(sale, at) + timedelta(seconds=retry_seconds))


def reindexed(sale: Transaction, due_at: datetime) -> Transaction:
    """The sale with its place in the sweep's index: due at `due_at`, or without a place if no work is left."""
    if not (sale.is_unfinished or sale.unannounced):
        return structs.replace(sale, open=None)
    place = sale.open or Open(shard_of(sale.id, sale.mode), due_at, account_key(sale.mode, sale.caller, sale.order))
    return structs.replace(sale, open=structs.replace(place, due_at=due_at, account=place.account if sale.is_unfinished else None))


def after_not_found(sale: Transaction, raw: RawAnswer | None, *, at: datetime, minimum_age_seconds: int, retry_seconds: int) -> Transaction:
    """The sale after a reprint, requested at `at` and beside a control, answered that the sale does not exist.

    The answer ends a sale the second time: both after the minimum age, and `retry_seconds` apart.
    A sale that ever showed an indication of a vend stays in doubt.
    """
    if not may_be_absent(sale, at=at, minimum_age_seconds=minimum_age_seconds):
        return sale
    if sale.not_found_at is None or sale.not_found_at < absence_counts_from(sale, minimum_age_seconds):  # the send's end was stored later
        return structs.replace(sale, not_found_at=at)
    if at - sale.not_found_at < timedelta(seconds=retry_seconds):
        return sale
    never = Rejected(Reason.TEMPORARILY_UNAVAILABLE, "does not exist at the supplier, said twice")
    return transition(sale, Answer(never, raw), at=at, by="reprint", retry_seconds=retry_seconds)


def may_be_absent(sale: Transaction, *, at: datetime, minimum_age_seconds: int) -> bool:
    """Whether "does not exist" is evidence for the sale: in doubt, old enough, and without an indication of a vend."""
    doubtful = sale.state is State.IN_DOUBT or sale.is_abandoned(at)
    return doubtful and not sale.sign_of_vend and at >= absence_counts_from(sale, minimum_age_seconds)


def absence_counts_from(sale: Transaction, minimum_age_seconds: int) -> datetime:
    """The moment from which "does not exist" may count: the supplier starts no vend so long after it received the request."""
    return (sale.send_ended_at or sale.lease_until) + timedelta(seconds=minimum_age_seconds)


def after_failed_attempt(
    sale: Transaction, *, at: datetime, minimum_age_seconds: int, review_after_seconds: int, retry_seconds: int
) -> Transaction:
    """The sale after an attempt that did not finish it: due again later. After `review_after_seconds` it goes to review, once.

    While a first "does not exist" is fresh, the sale is due soon, because the second ends it.
    A sale below the minimum age is due at that age at the latest.
    """
    if sale.open is None:
        return sale
    at = no_earlier(sale, at)
    due_at, interval = at + retry_delay(sale.attempts, retry_seconds), timedelta(seconds=retry_seconds)
    if sale.not_found_at is not None and at < sale.not_found_at + 2 * interval and sale.state is State.IN_DOUBT:
        due_at = at + interval
    if at < (of_age := absence_counts_from(sale, minimum_age_seconds)):
        due_at = min(due_at, of_age)
    waited = reindexed(structs.replace(sale, attempts=sale.attempts + 1), due_at)
    if sale.review_announced or at < sale.created_at + timedelta(seconds=review_after_seconds):
        return waited
    entry = HistoryEntry(at, EventName.NEEDS_REVIEW.value, "sweep")
    return _changed(structs.replace(waited, review_announced=True), None, (EventName.NEEDS_REVIEW,), entry, due_at)


def claimed_twice(
    sale: Transaction, supplier_transaction_id: str, raw: RawAnswer | None, *, at: datetime, by: str, retry_seconds: int
) -> Transaction:
    """The sale after an answer named a vend that another sale holds: no evidence, an indication of a vend, and an event.

    A sale in `vending` is then in doubt. A second answer that names the vend changes nothing more.
    """
    at, note = no_earlier(sale, at), f"claimed_twice: {supplier_transaction_id}"
    if sale.state is State.VENDING:
        doubtful = _in_doubt(sale, Unknown(CLAIMED, sign_of_vend=True), None, at, by)
        return _contradicted(doubtful, note, raw, at, by, retry_seconds)
    signed = sale if sale.sign_of_vend or not NEXT[sale.state] else structs.replace(sale, sign_of_vend=True)
    if any(entry.what == EventName.CONTRADICTED and entry.note == note for entry in sale.history):
        return attach_raw_answer(signed, raw)
    return _contradicted(signed, note, raw, at, by, retry_seconds)


def retry_delay(attempts: int, retry_seconds: int) -> timedelta:
    """The wait after the given number of attempts: doubling from `retry_seconds`, at most an hour."""
    return min(timedelta(seconds=retry_seconds * 2 ** min(attempts, 12)), MAX_RETRY)


def append_history(sale: Transaction, entry: HistoryEntry) -> Transaction:
    """The sale with one more line of history. A full history loses a line of a kind that repeats, never a decision or an end."""
    kept = sale.history if len(sale.history) < MAX_HISTORY else _without_a_repeat(sale.history)
    at = no_earlier(sale, entry.at)
    return structs.replace(sale, history=(*kept, entry if at == entry.at else structs.replace(entry, at=at)))


def _without_a_repeat(history: tuple[HistoryEntry, ...]) -> tuple[HistoryEntry, ...]:
    """The history without the oldest line of the kind that fills it: tokens revealed, or contradictions by the supplier.

    The first contradiction stays.
    """
    revealed = [at for at, line in enumerate(history) if line.what == REVEALED]
    contradicted = [at for at, line in enumerate(history) if line.what == EventName.CONTRADICTED and line.by in SUPPLIERS_WORD]
    most = max(revealed, contradicted[1:], key=len)
    passing = most[0] if most else 1  # no other kind repeats so often
    return (*history[:passing], *history[passing + 1 :])


def _moved(sale: Transaction, state: State) -> Transaction:
    if state not in NEXT[sale.state]:
        raise IllegalTransition(f"{sale.state} -> {state}")
    return structs.replace(sale, state=state)


def _changed(sale: Transaction, raw: RawAnswer | None, events: tuple[EventName, ...], entry: HistoryEntry, due_at: datetime) -> Transaction:
    """One visible change: a new version, a line of history, the raw answer, and the pending events."""
    fresh = tuple(event for event in events if event not in sale.unannounced)
    answers = sale.answers if raw is None else _with_answer(sale.answers, raw)
    changed = structs.replace(sale, version=sale.version + 1, updated_at=entry.at, answers=answers, unannounced=(*sale.unannounced, *fresh))
    return reindexed(append_history(changed, entry), due_at)


def _with_answer(answers: tuple[RawAnswer, ...], raw: RawAnswer) -> tuple[RawAnswer, ...]:
    """The answers and one more. Full answers lose the latest of the lowest worth, but never the first."""
    if len(answers) < MAX_RAW_ANSWERS:
        return (*answers, raw)
    out = min(range(len(answers) - 1, 0, -1), key=lambda at: answers[at].worth)
    return (*answers[:out], *answers[out + 1 :], raw)


def _ended(sale: Transaction, outcome: Vended | Rejected, raw: RawAnswer | None, at: datetime, by: str, retry_seconds: int) -> Transaction:
    vended = isinstance(outcome, Vended)
    state, event = (State.VENDED, EventName.VENDED) if vended else (State.REJECTED, EventName.REJECTED)
    moved = structs.replace(_moved(sale, state), outcome=_in_place_of(sale.outcome, outcome), sign_of_vend=sale.sign_of_vend or vended)
    note = None if isinstance(outcome, Vended) else outcome.cause
    due_at = at + timedelta(seconds=retry_seconds)
    return _changed(moved, raw, (event,), HistoryEntry(at, state.value, by, note), due_at)


def _in_place_of(known: Outcome | None, outcome: Outcome) -> Outcome:
    """An outcome, with the `beyond` of the outcome that it replaces."""
    if known is None or known.beyond is None or outcome is known:
        return outcome
    beyond = {name: item for name, item in known.beyond.items() if name not in outcome.__struct_fields__}
    return structs.replace(outcome, beyond={**beyond, **(outcome.beyond or {})} or None)


def _in_doubt(sale: Transaction, unknown: Unknown, raw: RawAnswer | None, at: datetime, by: str) -> Transaction:
    signed = structs.replace(sale, sign_of_vend=sale.sign_of_vend or unknown.sign_of_vend)
    if sale.state is State.IN_DOUBT:
        if sale.sign_of_vend or not unknown.sign_of_vend:
            return attach_raw_answer(sale, raw)
        return _changed(signed, raw, (), HistoryEntry(at, "sign of a vend", by, unknown.cause), at)  # an indication stays for ever
    moved = structs.replace(_moved(signed, State.IN_DOUBT), outcome=_in_place_of(sale.outcome, unknown))
    return _changed(moved, raw, (EventName.IN_DOUBT,), HistoryEntry(at, State.IN_DOUBT.value, by, unknown.cause), at)


def _vended_again(sale: Transaction, receipt: Receipt, raw: RawAnswer | None, at: datetime, by: str, retry_seconds: int) -> Transaction:
    known = sale.receipt
    assert known is not None  # a vended sale has a receipt
    if known.supplier_transaction_id is not None and not same_supplier_id(known.supplier_transaction_id, receipt.supplier_transaction_id):
        return _contradicted(sale, f"vended_twice: {receipt.supplier_transaction_id}", raw, at, by, retry_seconds)
    due_at = at + timedelta(seconds=retry_seconds)
    if known.tokens_due is TokensDue.PENDING:
        return _with_more(sale, known, receipt, raw, at, by, due_at)
    if known.supplier_transaction_id is None and receipt.supplier_transaction_id is not None:  # an operator had decided
        whole = structs.replace(known, supplier_transaction_id=receipt.supplier_transaction_id)
        named = structs.replace(sale, outcome=_in_place_of(sale.outcome, Vended(whole)))
        sale, raw = _changed(named, raw, (), HistoryEntry(at, "supplier's id learned", by), due_at), None
    elif not known.lacks(receipt):
        return attach_raw_answer(sale, raw)
    return _tokens_differ(sale, receipt, raw, at, by, retry_seconds) if known.lacks(receipt) else sale


def _tokens_differ(sale: Transaction, receipt: Receipt, raw: RawAnswer | None, at: datetime, by: str, retry_seconds: int) -> Transaction:
    """The sale after an answer with a token or PIN that its receipt lacks. The receipt stays; the raw answer holds the other token."""
    earlier = [entry for entry in sale.history if (entry.note or "").startswith(_TOKENS_DIFFER)]
    are_stored = any(receipt.is_quoted_in(answer.body) for answer in sale.answers)
    if (earlier and are_stored) or len(earlier) >= MAX_RAW_ANSWERS:
        return attach_raw_answer(sale, raw)
    again = f", other tokens than before: {len(earlier)}" if earlier else ""
    return _contradicted(sale, f"{_TOKENS_DIFFER}: {receipt.supplier_transaction_id}{again}", raw, at, by, retry_seconds)


def _with_more(
    sale: Transaction, known: Receipt, receipt: Receipt, raw: RawAnswer | None, at: datetime, by: str, due_at: datetime
) -> Transaction:
    """The sale with its receipt completed by an answer. We publish `tokens` once, when no token is due any more, never for a part."""
    whole = known.merged_with(receipt)
    if by not in SUPPLIERS_WORD and receipt.tokens_due is not TokensDue.PENDING:  # an operator's tokens are all there are
        whole = structs.replace(whole, tokens_due=receipt.tokens_due, tokens_issued=None)
    if whole == known:
        return attach_raw_answer(sale, raw)
    changed = structs.replace(sale, outcome=_in_place_of(sale.outcome, Vended(whole)))
    if structs.replace(whole, tokens_issued=known.tokens_issued) == known:  # no caller sees the number of tokens
        return attach_raw_answer(changed, raw)
    if whole.tokens_due is not TokensDue.PENDING:
        return _changed(changed, raw, (EventName.TOKENS,), HistoryEntry(at, "tokens added", by), due_at)
    what = "more of the receipt read" if whole.supplier_transaction_id == known.supplier_transaction_id else "supplier's id learned"
    return _changed(changed, raw, (), HistoryEntry(at, what, by), due_at)


def _contradicted(sale: Transaction, note: str, raw: RawAnswer | None, at: datetime, by: str, retry_seconds: int) -> Transaction:
    entry = HistoryEntry(at, EventName.CONTRADICTED.value, by, note)  # the note begins with the kind of discrepancy
    if any((known.what, known.by, known.note) == (entry.what, entry.by, entry.note) for known in sale.history):
        return attach_raw_answer(sale, raw)  # on record before
    changed = _changed(sale, raw, (EventName.CONTRADICTED,), entry, at + timedelta(seconds=retry_seconds))
    return structs.replace(changed, contradicted_at=(*sale.contradicted_at, changed.version))
