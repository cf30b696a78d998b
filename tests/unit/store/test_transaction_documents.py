"""The stored form of sales and prevends: exact both ways, in Firestore's values and in JSON, and readable for ever."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

import pytest
from google.cloud.firestore_v1 import types
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import Consumer, RawAnswer, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.prevend import Prevend
from shared.domain.sale_summary import Sold
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import EventName, HistoryEntry, State, Transaction, reindexed
from shared.domain.vas import Mode, Order, VasType
from shared.lib.times import EARLIEST_YEAR, LATEST_YEAR, MALFORMED
from shared.ports.documents import StoreUnavailable, UnreadableRecord
from shared.ports.transactions import LookupBy
from shared.store.codec import codec, meet, unknown
from shared.store.protobuf import document_of, fill
from shared.store.sqlite import _json
from shared.store.transaction_documents import (
    PREVEND_KEPT,
    SETTLED_BY,
    lookup_key,
    prevend_document,
    prevend_of,
    readable,
    readable_prevend,
    transaction_document,
    transaction_of,
    transaction_update,
    updated,
)

NOON = datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)

LEAVES = {
    str: st.text(),
    bool: st.booleans(),
    int: st.integers(),
    bytes: st.binary(),
    datetime: st.datetimes(datetime(EARLIEST_YEAR, 1, 1), datetime(LATEST_YEAR, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 -- as asked for
    date: st.dates(date(EARLIEST_YEAR, 1, 1), date(LATEST_YEAR, 12, 31)),
    Decimal: st.decimals(allow_nan=False),
    Money: st.builds(Money, st.integers(-(10**15), 10**15)),
    StsToken: st.builds(
        StsToken, st.sampled_from(TokenKind), st.from_regex(r"[0-9]{20}", fullmatch=True), st.none() | st.decimals(allow_nan=False)
    ),
}


def anything(hint):
    """Every value that a type allows, however odd."""
    if hint in LEAVES:
        return LEAVES[hint]
    if get_origin(hint) is tuple:
        return st.lists(anything(get_args(hint)[0]), max_size=3).map(tuple)
    if isinstance(hint, UnionType):
        return st.one_of(*(st.none() if kind is NoneType else anything(kind) for kind in get_args(hint)))
    if hasattr(hint, "__members__"):
        return st.sampled_from(hint)
    hints = get_type_hints(hint)
    return st.builds(
        hint,
        **{name: anything(kind) for name, kind in hints.items() if name in hint.__struct_fields__ and name not in ("beyond", "revision")},
    )


def consistent(sale):
    """In the state that belongs to its outcome."""
    ended = {Vended: State.VENDED, Rejected: State.REJECTED}.get(type(sale.outcome))
    return structs.replace(sale, state=ended or (State.IN_DOUBT if sale.sign_of_vend else State.VENDING))


ANY_SALE = st.builds(structs.replace, anything(Transaction), id=st.from_regex(r"[0-9a-f]{32}", fullmatch=True)).map(consistent)


def through_firestore(document):
    message = types.Document.pb()()
    fill(message.fields, document)
    return document_of(type(message).FromString(message.SerializeToString()).fields)


def through_json(document):
    return json.loads(_json(document))


@pytest.mark.parametrize("through", [through_firestore, through_json])
@settings(deadline=None)
@given(sale=ANY_SALE)
def test_a_sale_comes_back_exactly(through, sale):
    assert transaction_of(through(transaction_document(sale)), None) == sale


@pytest.mark.parametrize("through", [through_firestore, through_json])
@settings(deadline=None, max_examples=30)
@given(prevend=anything(Prevend).filter(lambda prevend: prevend.expires_at < datetime.max.replace(tzinfo=UTC) - PREVEND_KEPT))
def test_a_prevend_comes_back_exactly(through, prevend):
    assert prevend_of(through(prevend_document(prevend)), None) == prevend


STAYS = {
    "id",
    "mode",
    "caller",
    "idempotency_key",
    "fingerprint",
    "order",
    "request_id",
    "supplier_prevend_id",
    "created_at",
    "day",
    "revision",
    "supplier_id",
}
CHANGES = sorted(set(Transaction.__struct_fields__) - STAYS)


@settings(deadline=None)
@given(before=ANY_SALE, other=ANY_SALE, changed=st.sets(st.sampled_from(CHANGES)))
def test_an_update_turns_the_old_document_into_the_new_one(before, other, changed):
    after = structs.replace(before, **{name: getattr(other, name) for name in changed})
    stored, (update, paths) = transaction_document(before), transaction_update(before, after)
    whole = transaction_document(after)
    gained = [key for key in whole["keys"] if key not in stored["keys"]]
    assert updated(stored, update, paths) == {**whole, "keys": stored["keys"] + gained}
    assert stored == transaction_document(before)
    assert set(update) <= {path.partition(".")[0] for path in paths} and "record.nonce" in paths


TOKEN = "00000000000012345678"
SALE = reindexed(
    Transaction(
        id="00ff" + "ab" * 14,
        version=2,
        mode=Mode.SIMULATED,
        caller=Caller("https://issuer.example", "user-1"),
        idempotency_key="key-1",
        fingerprint="cd" * 16,
        order=Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="electricity", meter_number="12345678901"),
        request_id="3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f",
        supplier_prevend_id=None,
        state=State.VENDED,
        created_at=NOON,
        updated_at=NOON,
        day=date(2026, 5, 1),
        send_by=NOON,
        lease_until=NOON,
        outcome=Vended(
            Receipt(
                supplier_transaction_id="supplier-1",
                tokens_due=TokensDue.DELIVERED,
                tokens=(StsToken(TokenKind.CREDIT, TOKEN, Decimal("29.70")),),
            )
        ),
        sign_of_vend=True,
        history=(HistoryEntry(NOON, "vended", "supplier"),),
        answers=(RawAnswer.of("vend", NOON, 200, "application/json", b"\x00\xff"),),
        unannounced=(EventName.VENDED,),
        nonce="n-1",
    ),
    NOON,
)
STORED = {
    "record": {
        "id": "00ffabababababababababababababab",
        "version": 2,
        "mode": "simulated",
        "caller": {"issuer": "https://issuer.example", "subject": "user-1"},
        "idempotency_key": "key-1",
        "fingerprint": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
        "order": {
            "vas_type": "utility",
            "amount": 10000,
            "merchant_product_id": "electricity",
            "meter_number": "12345678901",
            "pinned": False,
        },
        "request_id": "3f1d6c1e-2b4f-4f0a-8a53-0a6a1c2d3e4f",
        "state": "vended",
        "created_at": NOON,
        "updated_at": NOON,
        "day": "2026-05-01",
        "send_by": NOON,
        "lease_until": NOON,
        "outcome": {
            "type": "vended",
            "receipt": {
                "supplier_transaction_id": "supplier-1",
                "tokens_due": "delivered",
                "tokens": [{"kind": "credit", "number": TOKEN, "units": "29.70"}],
            },
        },
        "sign_of_vend": True,
        "attempts": 0,
        "review_announced": False,
        "history": [{"at": NOON, "what": "vended", "by": "supplier"}],
        "answers": [
            {
                "source": "vend",
                "received_at": NOON,
                "status": 200,
                "content_type": "application/json",
                "body": b"\x00\xff",
                "size_bytes": 2,
                "sha256": "06eb7d6a69ee19e5fbdf749018d3d2abfa04bcbd1365db312eb86dc7169389b8",
            }
        ],
        "unannounced": ["vended"],
        "nonce": "n-1",
    },
    "dayShard": "simulated-15-2026-05-01",
    "supplierId": "SIMULATED",
    "callerDay": "a6731e827fd4c0773f37026b3fdfc04c-2026-05-01",
    "createdAt": NOON,
    "keys": [
        "simulated-request_id-74220fa397f382c2c900c68b606c1641",
        "simulated-meter_number-aa8c32437962fbebcdac10a6b8dc72b1",
        "simulated-supplier_transaction_id-7579bdadce1e699e250a7940ab4f07b1",
        "simulated-15-vended-utility",
    ],
    "open": {"shard": "simulated-15", "dueAt": NOON, "account": None},
}
ACCOUNT = "d087620fcf48ae244807c254459c8141"


def test_the_stored_form_never_changes():
    """Golden: records in this form are out there. A field may be added; what is here must stay readable as it is."""
    assert transaction_document(SALE) == STORED
    assert transaction_of(STORED, "1.5") == SALE


def test_a_sale_is_found_by_its_account_until_it_is_finished():
    """Golden: the key is in the index of databases. Older code kept it there until a sale was announced."""
    doubtful = reindexed(structs.replace(SALE, state=State.IN_DOUBT, outcome=Unknown("lost"), open=None), NOON)
    assert transaction_document(doubtful)["open"]["account"] == ACCOUNT
    older = {**STORED, "open": STORED["open"] | {"account": ACCOUNT}}
    assert transaction_of(older, None).open.account == ACCOUNT


def with_record(**changed):
    return {**STORED, "record": STORED["record"] | changed}


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "half_vended"},
        {"outcome": {"type": "swapped", "number": TOKEN}},
        {"outcome": {"type": "vended", "receipt": {"supplier_transaction_id": "s", "tokens": [{"kind": "credit", "number": TOKEN + "1"}]}}},
    ],
)
def test_a_record_of_unknown_meaning_is_unavailable_and_not_quoted(changed):
    with pytest.raises(UnreadableRecord) as refused:
        transaction_of(with_record(**changed), None)
    assert isinstance(refused.value, StoreUnavailable)
    assert TOKEN not in str(refused.value)
    assert refused.value.__cause__ is None and refused.value.__context__ is None


def test_a_record_from_before_a_field_was_added_takes_its_default():
    record = {name: value for name, value in STORED["record"].items() if name != "sign_of_vend"}
    assert transaction_of({**STORED, "record": record}, None) == structs.replace(SALE, sign_of_vend=False)


def test_an_unreadable_record_is_logged_and_delays_no_other(caplog):
    sales = readable([("sale-1", with_record(state="half_vended"), "1.0"), (SALE.id, STORED, "1.1")])
    assert sales == [SALE] and sales[0].revision == "1.1"
    assert [(line.levelname, line.fields) for line in caplog.records] == [
        ("CRITICAL", {"transaction_id": "sale-1", "unknown": ("State half_vended",)})
    ]


def test_text_that_utf8_cannot_hold_is_stored_as_its_escape():
    hostile = structs.replace(SALE, state=State.IN_DOUBT, outcome=Unknown("lost \ud800 here \x00 ⚡"))
    for through in (through_firestore, through_json):
        assert transaction_of(through(transaction_document(hostile)), None).outcome == Unknown("lost \\ud800 here \x00 ⚡")


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 0])
def test_a_number_beyond_firestores_range_is_stored_as_text(number):
    kept = codec(int)
    assert kept.encode(number) == (number if -(2**63) <= number <= 2**63 - 1 else str(number))
    assert kept.decode(kept.encode(number)) == number


@pytest.mark.parametrize(
    ("kind", "stored", "value"),
    [
        (date, "2000-01-01", date(2000, 1, 1)),
        (date, "2999-12-31", date(2999, 12, 31)),
        (datetime, "2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        (datetime, datetime(2999, 12, 31, 23, 59, tzinfo=UTC), datetime(2999, 12, 31, 23, 59, tzinfo=UTC)),
        (Decimal, "1E+100000", Decimal("1E+100000")),
        (Decimal, "1E-100000", Decimal("1E-100000")),
        (Decimal, "0E+999999", Decimal("0E+999999")),
        (Decimal, "Infinity", Decimal("Infinity")),
        (int, "12", 12),
        (bytes, "AP8=", b"\x00\xff"),
        (bytes, b"\x00\xff", b"\x00\xff"),
        (tuple[int, ...], [1, "2"], (1, 2)),
        (bool, False, False),
    ],
)
def test_every_valid_stored_form_is_read(kind, stored, value):
    assert codec(kind).decode(stored) == value


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        *((date, text) for text in ("1999-12-31", "3000-01-01", "2026-05-32", None)),
        *(
            (datetime, text)
            for text in ("1999-12-31T23:59:59Z", "3000-01-01T00:00:00Z", "2026-05-01T10:00:00", NOON.replace(tzinfo=None), 5)
        ),
        *((Decimal, text) for text in ("1E+100001", "1E-100001", "NaN", "sNaN", "text", 5)),
        *((int, wrong) for wrong in (True, 1.0, "x", None)),
        *((bool, wrong) for wrong in (0, 1, "true", None)),
        *((bytes, wrong) for wrong in ("AP8", "A P8=", 5, None)),
        *((tuple[int, ...], wrong) for wrong in ((1,), "12", {}, [True])),
        *((str, wrong) for wrong in (5, b"text", None)),
    ],
)
def test_a_form_that_our_code_never_stored_is_damaged(kind, stored):
    with pytest.raises(MALFORMED):
        codec(kind).decode(stored)


@pytest.mark.parametrize(
    ("name", "met"), [("Sim_Card-x y", "Sim_Card-x y"), ("x" * 64, "x" * 64), ("x" * 65, "?"), ("n1", "?"), ("", "?"), ("é", "?")]
)
def test_an_unknown_name_is_reported_unless_it_may_be_a_number(name, met):
    unknown()
    meet(name)
    assert (unknown(), unknown()) == ((met,), ())


def test_a_time_without_its_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        transaction_document(structs.replace(SALE, updated_at=NOON.replace(tzinfo=None)))


def test_a_time_in_another_zone_is_stored_in_utc():
    local = structs.replace(SALE, created_at=NOON.astimezone(timezone(timedelta(hours=2))))
    document = transaction_document(local)
    assert document == STORED and document["createdAt"].tzinfo is UTC


def test_every_key_that_finds_a_sale_has_its_mode_in_it():
    one, other = (transaction_document(structs.replace(SALE, mode=mode, open=None)) for mode in Mode)
    assert one["dayShard"] != other["dayShard"]
    assert one["callerDay"] != other["callerDay"]
    assert not set(one["keys"]) & set(other["keys"])


def test_a_suppliers_guid_in_any_case_has_the_key_of_its_lower_case():
    guid = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"
    key = lookup_key(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, guid)
    assert (
        key
        == lookup_key(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, guid.upper())
        == "live-supplier_transaction_id-20b82196990a622780d9b28fe73228d5"
    )
    assert (
        key
        in transaction_document(structs.replace(SALE, mode=Mode.LIVE, outcome=Vended(Receipt(supplier_transaction_id=guid.upper()))))[
            "keys"
        ]
    )
    one, other = (lookup_key(Mode.LIVE, LookupBy.SUPPLIER_TRANSACTION_ID, text) for text in ("T-1", "t-1"))
    assert one != other


def test_keys_hold_no_meter_number_and_have_one_length():
    long = structs.replace(SALE, outcome=Vended(Receipt(supplier_transaction_id="s" * 100_000)))
    keys = transaction_document(long)["keys"]
    assert lookup_key(Mode.SIMULATED, LookupBy.SUPPLIER_TRANSACTION_ID, "s" * 100_000) in keys
    assert max(map(len, keys)) < 100
    assert "12345678901" not in "".join(keys)


def test_settlement_reads_all_compared_fields_and_no_bulk():
    read = {path.removeprefix("record.") for path in SETTLED_BY}
    projected = {"record": {name: value for name, value in STORED["record"].items() if name in read}}
    assert Sold.of(transaction_of(projected, None)) == Sold.of(SALE)
    assert not {"history", "answers"} & read


PREVEND = Prevend(
    id="p-1",
    mode=Mode.SIMULATED,
    caller=SALE.caller,
    order=SALE.order,
    supplier_prevend_id="s-p",
    minimum_amount=Money(500),
    amount_due=None,
    consumer=Consumer("J** D**"),
    created_at=NOON,
    expires_at=NOON + timedelta(seconds=900),
    used_by="sale-1",
)
STORED_PREVEND = {
    "record": {
        "id": "p-1",
        "mode": "simulated",
        "caller": {"issuer": "https://issuer.example", "subject": "user-1"},
        "order": STORED["record"]["order"],
        "supplier_prevend_id": "s-p",
        "minimum_amount": 500,
        "consumer": {"name": "J** D**"},
        "created_at": NOON,
        "expires_at": NOON + timedelta(minutes=15),
        "used_by": "sale-1",
    },
    "expireAt": NOON + timedelta(days=1, minutes=15),
}


def test_the_stored_form_of_a_prevend_never_changes():
    """Golden. It is kept a day longer than it is good, so that a late purchase is told that it has expired."""
    assert prevend_document(PREVEND) == STORED_PREVEND
    assert prevend_of(STORED_PREVEND, "1.5") == PREVEND and prevend_of(STORED_PREVEND, "1.5").revision == "1.5"


@pytest.mark.parametrize("document", [{}, {"record": "text"}, {"record": STORED_PREVEND["record"] | {"minimum_amount": "text"}}])
def test_a_prevend_that_cannot_be_read_is_reported_by_its_id(document, caplog):
    with pytest.raises(UnreadableRecord):
        readable_prevend("p-1", document, "1.5")
    assert [(line.levelname, line.fields) for line in caplog.records] == [("CRITICAL", {"prevend_id": "p-1"})]
    assert readable_prevend("p-1", STORED_PREVEND, "1.5") == PREVEND and len(caplog.records) == 1
