"""What newer code has written is read, kept and written back: on every level, and for every word. What is damaged harms nothing else."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from msgspec import structs

from shared.domain.money import Money
from shared.domain.outcome import Answer, Charge, RawAnswer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.policy import ConsumerDetails
from shared.domain.prevend import Prevend
from shared.domain.sale_summary import Sold, seen
from shared.domain.sts_tokens import StsToken, TokenKind, joined
from shared.domain.transaction import (
    EventName,
    HistoryEntry,
    State,
    Transaction,
    after_failed_attempt,
    after_not_found,
    announced,
    append_history,
    reschedule,
    transition,
)
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.lib.value import Kept, Value, is_new_word, new_word
from shared.ports.documents import UnreadableRecord
from shared.schemas.problems import of_refusal
from shared.schemas.refusals import NEW_REASON
from shared.schemas.responses import encoded, event_body, transaction_body, unread_body
from shared.schemas.transaction_detail import dossier_body, unread_dossier_body
from shared.store.transaction_documents import (
    prevend_document,
    prevend_of,
    prevend_update,
    sale_of,
    transaction_document,
    transaction_of,
    transaction_update,
    updated,
)
from tests import newer
from tests.newer import DOCUMENTS, FIELD, NOON, OF_PREVENDS, OF_SALES, POINTS, PREVEND, TOKEN, WORD, decides, filled_sale, kept, written

LATER = NOON + timedelta(days=3)
RAW = RawAnswer.of("reprint", LATER, 200, "application/json", b'{"transactionId": "text"}')
SOLD = Vended(
    Receipt(
        supplier_transaction_id="text",
        tokens_due=TokensDue.DELIVERED,
        tokens=(StsToken(TokenKind.KEY_CHANGE, TOKEN), StsToken(TokenKind.CREDIT, "0" * 20)),
        charges=(Charge("text", Money(10_000)), Charge("other", None)),
    )
)
READABLE = [(state, place) for state, place in OF_SALES if not decides(place)]
UNREADABLE = [(state, place) for state, place in OF_SALES if decides(place)]


def named(pairs):
    return pytest.mark.parametrize(("state", "place"), pairs, ids=[f"{state}: {place}" for state, place in pairs])


def moves(sale: Transaction) -> list[Transaction]:
    """What a sale may become, one thing after the other."""
    made = [sale]
    for move in (
        lambda known: transition(known, Answer(Unknown("lost", sign_of_vend=True), RAW), at=LATER, by="reprint", retry_seconds=60),
        lambda known: after_not_found(known, RAW, at=LATER, minimum_age_seconds=900, retry_seconds=60),
        lambda known: after_failed_attempt(known, at=LATER, minimum_age_seconds=900, review_after_seconds=1, retry_seconds=60),
        lambda known: transition(known, Answer(SOLD, RAW), at=LATER, by="reprint", retry_seconds=60),
        lambda known: transition(known, Answer(SOLD, RAW), at=LATER, by="somebody", retry_seconds=60),
        lambda known: append_history(known, HistoryEntry(LATER, "seen", "somebody")),
        lambda known: reschedule(known, at=LATER, retry_seconds=60),
    ):
        made.append(structs.replace(move(made[-1]), nonce=f"nonce-{len(made)}"))
    return made


def test_there_are_places_for_newer_code():
    assert len(OF_SALES) > 50 and len(OF_PREVENDS) > 5 and len(UNREADABLE) == 8
    assert {place.word for _, place in OF_SALES} >= {State, Mode, VasType, TokenKind, TokensDue, Reason, EventName}


@named(READABLE)
def test_a_sale_with_newer_codes_fields_is_read_as_the_sale(state, place):
    sale, plain = transaction_of(written(DOCUMENTS[state], place), "1"), filled_sale(state)
    assert (sale.id, sale.state, sale.version, sale.request_id) == (plain.id, plain.state, plain.version, plain.request_id)
    assert POINTS not in vars_of(sale) and FIELD not in repr(sale) and TOKEN not in repr(sale)


def vars_of(sale):
    return [getattr(sale, name) for name in sale.__struct_fields__]


@named(READABLE)
def test_newer_codes_fields_stay_after_every_transition(state, place):
    document = written(DOCUMENTS[state], place)
    steps = moves(transaction_of(document, "1"))
    for before, then in pairwise(steps):
        document = updated(document, *transaction_update(before, then))
        if "open" in place.path and then.open is None:
            return  # with what it was about
        if place.word is not None and ends_with_its_outcome(place, before, then):
            return
        assert kept(document, place)
    assert transaction_of(document, "1").id == steps[-1].id


def ends_with_its_outcome(place, before, then):
    """A word of an outcome that another has taken the place of: it was about that one."""
    return "outcome" in place.path and type(before.outcome) is not type(then.outcome)


@named(UNREADABLE)
def test_an_unknown_deciding_field_makes_a_sale_unread_without_an_outcome(state, place, caplog):
    document = written(DOCUMENTS[state], place)
    with pytest.raises(UnreadableRecord) as refused:
        transaction_of(document, "1")
    assert TOKEN not in str(refused.value) and refused.value.__cause__ is None and refused.value.__context__ is None
    sale = sale_of(filled_sale(state).id, document, "1")
    assert isinstance(sale, Unread) and sale.unknown
    assert [(line.levelname, line.message, line.fields["transaction_id"]) for line in caplog.records] == [
        ("CRITICAL", "record not readable", sale.id)
    ]
    body = encoded(unread_body(sale)).decode()
    assert sale.id in body and '"amountCents":10000' in body and "12345678901" in body
    assert not {"state", "receipt", "problem", "version"} & set(unread_body(sale))
    told = encoded(unread_dossier_body(sale)).decode()
    assert TOKEN not in body + told and "12345678901" not in told


@named(READABLE)
def test_a_readable_sale_of_newer_code_is_shown_announced_and_settled(state, place):
    sale = transaction_of(written(DOCUMENTS[state], place), "1")
    body = transaction_body(sale, sale.state, ConsumerDetails.FULL)
    assert body["state"] == state and encoded(body)
    assert encoded(event_body(EventName.NEEDS_REVIEW, sale, ConsumerDetails.MASKED))
    assert FIELD not in encoded(dossier_body(sale, NOON)).decode()
    assert isinstance(seen(sale), Unread if place.word is VasType else Sold)


@pytest.mark.parametrize("place", OF_PREVENDS, ids=str)
def test_a_prevend_of_newer_code_is_read_and_bought_without_losing_anything(place):
    document = written(PREVEND, place)
    prevend = prevend_of(document, "1")
    assert prevend.id == prevend_of(PREVEND, "1").id
    used = updated(document, *prevend_update("sale-1"))
    assert used["record"]["used_by"] == "sale-1" and kept(used, place)


def test_every_part_that_is_written_again_keeps_unknown_fields():
    parts = {type(part) for state in State for part in parts_of(filled_sale(state)) if type(part) not in (Transaction, newer.Caller, Money)}
    assert len(parts) > 9 and all(issubclass(part, Kept) for part in parts)


def parts_of(value):
    if isinstance(value, tuple):
        for item in value:
            yield from parts_of(item)
    elif isinstance(value, Value):
        yield value
        for name in value.__struct_fields__:
            yield from parts_of(getattr(value, name))


def test_a_sale_of_newer_code_is_named_once_and_an_ordinary_one_never(caplog):
    document = written(DOCUMENTS[State.VENDED], newer.Place(("record", "order")))
    document["record"]["id"] = "named-once"
    for _ in range(2):
        assert isinstance(sale_of("named-once", document, "1"), Transaction)
    assert isinstance(sale_of(filled_sale(State.VENDED).id, DOCUMENTS[State.VENDED], "1"), Transaction)
    assert [(line.levelname, line.message, line.fields) for line in caplog.records] == [
        ("WARNING", "record not readable", {"transaction_id": "named-once", "unknown": (FIELD,), "in_part": True})
    ]


def test_keys_that_newer_code_finds_a_sale_by_stay():
    document = {**DOCUMENTS[State.IN_DOUBT], "keys": [*DOCUMENTS[State.IN_DOUBT]["keys"], "live-account_number-x"]}
    before = transaction_of(document, "1")
    ended = transition(before, Answer(SOLD), at=LATER, by="reprint", retry_seconds=60)
    keys = updated(document, *transaction_update(before, ended))["keys"]
    assert "live-account_number-x" in keys and set(transaction_document(ended)["keys"]) < set(keys) and len(keys) == len(set(keys))


@pytest.mark.parametrize("keys", [None, "live", {}, 5])
def test_an_update_replaces_keys_that_are_no_list(keys):
    document = {**DOCUMENTS[State.IN_DOUBT], "keys": keys}
    before = transaction_of(document, "1")
    ended = transition(before, Answer(SOLD), at=LATER, by="reprint", retry_seconds=60)
    assert updated(document, *transaction_update(before, ended))["keys"] == transaction_document(ended)["keys"]


def test_a_sale_stays_open_while_newer_code_has_work():
    for place in (("record", "unannounced", 0), ("record", "outcome", "receipt", "tokens_due")):
        word = EventName if "unannounced" in place else TokensDue
        sale = transaction_of(written(DOCUMENTS[State.VENDED], newer.Place(place, word)), "1")
        left = announced(sale, frozenset(EventName))
        assert sale.waits_for_newer_code and left.open is not None and left.waits_for_newer_code
        assert reschedule(left, at=LATER, retry_seconds=900).open.due_at == LATER + timedelta(seconds=900)


def test_a_refusal_for_a_reason_of_newer_code_is_still_a_refusal():
    problem = of_refusal(Rejected(new_word(Reason, WORD), "cause"), state=State.REJECTED)
    assert problem.kind is NEW_REASON
    assert problem.body()["type"] == f"/problems/{WORD}" and problem.body()["retry"] == "never" and problem.kind.status == 422


def test_a_token_of_a_kind_of_newer_code_keeps_its_kind_and_its_place():
    kind = new_word(TokenKind, WORD)
    known = (StsToken(kind, TOKEN, beyond={FIELD: POINTS}),)
    more = (StsToken(TokenKind.OTHER, TOKEN), StsToken(TokenKind.CREDIT, "0" * 20))
    whole = joined(known, more)
    assert [(token.kind, token.beyond) for token in whole] == [(kind, {FIELD: POINTS}), (TokenKind.CREDIT, None)]


def test_of_two_equal_charges_newer_codes_fields_of_one_stay():
    newer_one, plain = Charge("text", Money(5), beyond={FIELD: POINTS}), Charge("text", Money(5))
    due = Receipt(supplier_transaction_id="s", tokens_due=TokensDue.PENDING, charges=(newer_one, plain))
    more = structs.replace(SOLD.receipt, supplier_transaction_id="s", charges=(plain, plain))
    assert newer_one in due.merged_with(more).charges


def test_values_hash_by_known_fields_and_compare_by_all():
    plain, newer_one = StsToken(TokenKind.CREDIT, TOKEN), StsToken(TokenKind.CREDIT, TOKEN, beyond={FIELD: POINTS})
    assert hash(plain) == hash(newer_one) and plain != newer_one and len({plain, newer_one, newer_one}) == 2


def test_a_new_word_is_text_of_its_kind_and_equals_none_that_is_known():
    word = new_word(State, WORD)
    assert (word, word.value, f"{word}", isinstance(word, State)) == (WORD, WORD, WORD, True)
    assert word is new_word(State, WORD) and word not in list(State) and is_new_word(State, word) and not is_new_word(State, State.VENDED)
    with pytest.raises(ValueError, match="known"):
        new_word(State, "vended")
    with pytest.raises(TypeError):
        new_word(State, 5)


MISSING = object()
WRONG = (
    *(MISSING, None, object(), 5, -1.5, 10**400, True, "", "not this", "2026-13-41", "2026-05-01T10:00:00", b"\x80"),
    *([], ["x"], [None], {}, {"type": "x"}),
    *(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), datetime(2026, 5, 1)),  # noqa: DTZ001 -- of no zone
)


@pytest.mark.parametrize("name", sorted(DOCUMENTS[State.VENDED]["record"]))
def test_a_damaged_field_leaves_a_sale_unread_or_whole_and_never_raises(name, caplog):
    plain, sale_id = DOCUMENTS[State.VENDED], filled_sale(State.VENDED).id
    for wrong in WRONG:
        record = {**plain["record"], name: wrong}
        if wrong is MISSING:
            del record[name]
        sale = sale_of(sale_id, {**plain, "record": record}, "1")
        assert sale.id == sale_id
        if isinstance(sale, Transaction):  # it must be one that nothing stumbles over
            for then in moves(sale):
                assert encoded(transaction_body(then, then.state, ConsumerDetails.FULL)) and encoded(dossier_body(then, LATER))
                assert updated(plain, *transaction_update(sale, then))
            assert seen(sale)
        else:
            assert encoded(unread_body(sale)) and encoded(unread_dossier_body(sale))
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("document", [{}, {"record": None}, {"record": []}, {"record": "x"}, {"record": {}}, {"record": {"state": TOKEN}}])
def test_a_document_without_a_sale_in_it_is_unread(document, caplog):
    sale = sale_of("some-id", document, "1")
    assert isinstance(sale, Unread) and sale.id == "some-id" and sale.unknown
    assert encoded(unread_body(sale)) and encoded(unread_dossier_body(sale))
    assert TOKEN not in str(caplog.records[0].fields)


@pytest.mark.parametrize("units", ["NaN", "sNaN", "1E+999999999", "1E-999999999", "much", "", 29.7, True, [], b"1"], ids=str)
def test_a_quantity_that_is_none_makes_a_sale_unread(units):
    document = deepcopy(DOCUMENTS[State.VENDED])
    document["record"]["outcome"]["receipt"]["units"] = units
    assert isinstance(sale_of(filled_sale(State.VENDED).id, document, "1"), Unread)


def test_a_document_under_another_id_than_its_sales_is_unread():
    assert isinstance(sale_of("ff" * 16, DOCUMENTS[State.VENDED], "1"), Unread)


@pytest.mark.parametrize("place", [{}, {"shard": "live-01"}, {"shard": 5, "dueAt": NOON}, {"shard": "live-01", "dueAt": "soon"}, [], "x"])
def test_a_damaged_place_in_the_indexes_makes_a_sale_unread(place):
    assert isinstance(sale_of(filled_sale(State.VENDED).id, {**DOCUMENTS[State.VENDED], "open": place}, "1"), Unread)


@pytest.mark.parametrize("name", sorted(PREVEND["record"]))
def test_a_damaged_prevend_is_refused_and_not_quoted(name):
    for wrong in WRONG:
        record = {**PREVEND["record"], name: wrong}
        if wrong is MISSING:
            del record[name]
        try:
            prevend = prevend_of({"record": record}, "1")
        except UnreadableRecord as unreadable:
            refused = unreadable
        else:
            assert isinstance(prevend, Prevend) and prevend_document(prevend)
            continue
        assert refused.__context__ is None and TOKEN not in str(refused)
