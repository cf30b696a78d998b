"""What is read of a sale on record that cannot be read whole, what is said of it, and what stands in the lists beside it."""

from copy import deepcopy
from datetime import date, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.money import Money
from shared.domain.outcome import Rejected, Vended
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import State, Transaction
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.ports.documents import UnreadableRecord
from shared.ports.transactions import LookupBy, SaleRetired
from shared.store import transaction_documents
from shared.store.codec import meet, required_fields, unknown
from shared.store.transaction_documents import (
    lookup_key,
    placed,
    readable,
    readable_sale,
    sale_of,
    tombstone_document,
    transaction_of,
    unretired,
)
from tests.newer import DAY, DOCUMENTS, FIELD, NOON, TOKEN, WORD, filled_sale

SALE = filled_sale(State.VENDED)
DOCUMENT = DOCUMENTS[State.VENDED]
REQUIRED = (
    *("id", "version", "mode", "caller", "idempotency_key", "fingerprint", "order", "request_id", "state", "created_at", "updated_at"),
    *("day", "send_by", "lease_until"),
)


def changed(**fields):
    """The document of the sale, in which these fields of its record are others; `...`: they are not there."""
    record = {name: item for name, item in {**deepcopy(DOCUMENT["record"]), **fields}.items() if item is not ...}
    return {**DOCUMENT, "record": record}


def unread(**fields):
    return sale_of(SALE.id, changed(**fields), "1")


def test_readable_fields_of_a_sale_are_read_and_the_others_named():
    found = unread(state=WORD)
    assert found == Unread(
        id=SALE.id,
        unknown=(f"State {WORD}",),
        mode=Mode.LIVE,
        caller=SALE.caller,
        order=SALE.order,
        request_id=SALE.request_id,
        supplier_transaction_id="text",
        version=3,
        created_at=NOON,
        day=DAY,
        record=changed(state=WORD)["record"],
    )


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_field_is_named_if_it_is_absent_or_null(name):
    gone, nothing = unread(**{name: ...}), unread(**{name: None})
    assert (gone.unknown, name in nothing.unknown) == ((name,), True)
    for found in (gone, nothing):
        assert isinstance(found, Unread) and (name == "id" or getattr(found, name, None) is None)


def test_the_required_fields_of_a_sale_are_these():
    assert required_fields(Transaction) == set(REQUIRED)


@pytest.mark.parametrize("name", sorted(set(DOCUMENT["record"]) - set(REQUIRED)))
def test_an_optional_field_is_named_if_damaged_and_not_if_absent(name):
    assert unread(**{name: object()}).unknown == (name,)
    assert name not in unread(**{name: ..., "version": "x"}).unknown


@pytest.mark.parametrize("outcome", [None, ..., "text", {}, {"receipt": None}, {"receipt": {"supplier_transaction_id": 5}}, []], ids=str)
def test_an_unread_sale_has_its_supplier_id_if_the_id_is_text(outcome):
    assert unread(state=WORD, outcome=outcome).supplier_transaction_id is None
    held = {"receipt": {"supplier_transaction_id": "theirs"}}
    assert unread(state=WORD, outcome=held).supplier_transaction_id == "theirs"


@pytest.mark.parametrize(
    ("state", "outcome", "is_read"),
    [
        (State.VENDED, Vended, True),
        (State.REJECTED, Rejected, True),
        (State.VENDED, Rejected, False),
        (State.REJECTED, Vended, False),
        (State.VENDED, None, False),
        (State.REJECTED, None, False),
        (State.VENDING, None, True),
        (State.IN_DOUBT, None, True),
        (State.VENDING, Vended, False),
        (State.IN_DOUBT, Rejected, False),
        (State.IN_DOUBT, Vended, False),
    ],
)
def test_a_state_with_an_outcome_of_another_makes_no_sense_and_is_unread(state, outcome, is_read):
    ends = {Vended: DOCUMENTS[State.VENDED], Rejected: DOCUMENTS[State.REJECTED]}
    found = unread(state=state.value, outcome=... if outcome is None else ends[outcome]["record"]["outcome"])
    assert isinstance(found, Transaction) is is_read
    assert is_read or found.unknown == ("outcome",)


def test_a_mode_that_only_newer_code_has_makes_a_sale_unread():
    assert unread(mode=WORD).unknown == (f"Mode {WORD}",)


def test_unknown_names_of_one_document_are_not_reported_for_another():
    meet("other")
    assert unread(version="x").unknown == ("version",)
    meet("other")
    assert transaction_of(DOCUMENT, None) == SALE and unknown() == ()


def test_newer_codes_fields_of_an_open_place_are_named_and_written_back(monkeypatch, caplog):
    monkeypatch.setattr(transaction_documents, "_NAMED", set())
    place = {**DOCUMENT["open"], FIELD: 5, "more": None}
    found = sale_of(SALE.id, {**DOCUMENT, "open": place}, "1")
    assert found.open == structs.replace(SALE.open, beyond={FIELD: 5, "more": None})
    assert [line.fields for line in caplog.records] == [{"transaction_id": SALE.id, "unknown": (FIELD, "more"), "in_part": True}]


@pytest.mark.parametrize(("named", "says_so"), [(999, True), (1_000, False)])
def test_after_a_thousand_sales_of_newer_code_no_more_are_named(named, says_so, monkeypatch, caplog):
    monkeypatch.setattr(transaction_documents, "_NAMED", {str(number) for number in range(named)})
    sale_of(SALE.id, {**DOCUMENT, "open": {**DOCUMENT["open"], FIELD: 5}}, "1")
    assert bool(caplog.records) is says_so


TOMBSTONE = Tombstone(
    id=SALE.id,
    mode=Mode.LIVE,
    caller="caller",
    fingerprint="f",
    state=State.VENDED,
    vas_type=VasType.UTILITY,
    amount=Money(10_000),
    fee_cents=0,
    request_id=SALE.request_id,
    supplier_transaction_id="theirs",
    supplier_id="MOBILEMART",
    day=DAY,
    created_at=NOON,
    retired_at=NOON + timedelta(days=400),
)


def test_the_stored_form_of_a_tombstone_never_changes():
    """Golden: it binds its key, and a line that comes after years still names it."""
    assert tombstone_document(TOMBSTONE) == {
        "retired": {
            "id": SALE.id,
            "mode": "live",
            "caller": "caller",
            "fingerprint": "f",
            "state": "vended",
            "vas_type": "utility",
            "amount": 10_000,
            "fee_cents": 0,
            "request_id": SALE.request_id,
            "supplier_transaction_id": "theirs",
            "supplier_id": "MOBILEMART",
            "day": "2026-05-01",
            "created_at": NOON,
            "retired_at": NOON + timedelta(days=400),
        },
        "keys": [
            lookup_key(Mode.LIVE, LookupBy.REQUEST_ID, SALE.request_id),
            lookup_key(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, "theirs"),
        ],
        "createdAt": NOON,
    }
    nameless = tombstone_document(structs.replace(TOMBSTONE, supplier_transaction_id=None))
    assert nameless["keys"] == [lookup_key(Mode.LIVE, LookupBy.REQUEST_ID, SALE.request_id)]


def test_a_retired_sale_is_read_as_a_tombstone_under_its_own_id_alone():
    kept = tombstone_document(TOMBSTONE)
    assert sale_of(SALE.id, kept, "1") == TOMBSTONE
    other = sale_of("another", kept, "1")
    assert isinstance(other, Unread) and other.id == "another"
    for read in (lambda: readable_sale(SALE.id, kept, "1"), lambda: transaction_of(kept, "1")):
        with pytest.raises(SaleRetired) as retired:
            read()
        assert retired.value.tombstone == TOMBSTONE
    with pytest.raises(UnreadableRecord):
        readable_sale("another", kept, "1")


def test_lists_keep_their_order_without_retired_and_unreadable_sales():
    newer, retired = changed(state=WORD), tombstone_document(TOMBSTONE)
    documents = [(SALE.id, one, "1") for one in (newer, DOCUMENT, retired, DOCUMENT, newer)]
    found = sale_of(SALE.id, newer, "1")
    assert readable(documents) == [SALE, SALE]
    assert unretired(documents) == [found, SALE, SALE, found]
    shards = [f"live-0{number}-2026-05-0{number + 1}" for number in range(5)]
    days = [date(2026, 5, number) for number in (1, 2, 4, 5)]
    assert placed(zip(shards, documents, strict=True)) == [
        ((day, SALE.id), sale) for day, sale in zip(days, unretired(documents), strict=True)
    ]


@pytest.mark.parametrize(
    ("day", "place"),
    [
        ("2026-05-01", (date(2026, 5, 1), SALE.id)),
        ("2026-05-32", (date(2026, 6, 1), "0")),
        ("2026-02-30", (date(2026, 3, 1), "0")),
        ("2026-13-01", (date(2027, 1, 1), "0")),
        ("2026-W18-5", (date(2027, 1, 1), "0")),
        ("0000-00-00", (date.min, "0")),
        ("9999-12-30", (date(9999, 12, 30), SALE.id)),
        ("9999-12-31", (date(9999, 12, 31), SALE.id)),
        ("9999-99-99", (date.max, "0")),
        ("~~~~~~~~~~", (date.max, "0")),
    ],
)
def test_a_sale_of_an_impossible_day_is_placed_before_the_next_day(day, place):
    assert placed([(f"live-03-{day}", (SALE.id, DOCUMENT, "1"))]) == [(place, SALE)]


def test_no_report_of_an_unreadable_sale_contains_a_token(caplog):
    with pytest.raises(UnreadableRecord) as refused:
        readable_sale(SALE.id, changed(updated_at=datetime(1, 1, 1)), "1")  # noqa: DTZ001 -- of no zone
    assert TOKEN not in f"{refused.value}{caplog.text}{refused.value.sale!r}"
