"""What a change of a sale writes into its document: the paths that it changes or takes away, and nothing else."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Reason, Rejected, Unknown
from shared.domain.sale_summary import Sold
from shared.domain.transaction import EventName, Open, State
from shared.domain.vas import Mode
from shared.ports.documents import UnreadableRecord
from shared.ports.transactions import LookupBy
from shared.store import transaction_documents
from shared.store.transaction_documents import (
    lookup_key,
    lost_keys,
    sale_of,
    transaction_document,
    transaction_of,
    transaction_update,
    updated,
)
from tests.newer import DOCUMENTS, FIELD, filled_sale
from tests.sales import METER, NOON, RECEIPT, in_doubt, vended, vending

BEFORE = structs.replace(vending(), nonce="n-1")
PLACE = {"shard": BEFORE.open.shard, "dueAt": NOON + timedelta(seconds=240), "account": BEFORE.open.account}

ELSEWHERE = {"shard": "live-01", "dueAt": NOON, "account": "a", "x": 1}


def change(**changed):
    return transaction_update(BEFORE, structs.replace(BEFORE, nonce="n-2", **changed))


@pytest.mark.parametrize(
    ("changed", "record", "paths", "beside"),
    [
        ({}, {}, [], {}),
        ({"attempts": 3}, {"attempts": 3}, ["record.attempts"], {}),
        ({"not_found_at": NOON, "history": ()}, {"not_found_at": NOON}, ["record.not_found_at"], {}),
        ({"supplier_prevend_id": "v", "unannounced": ("vended",)}, None, ["record.supplier_prevend_id", "record.unannounced"], {}),
        ({"open": None}, {}, ["open"], {}),
        ({"open": structs.replace(BEFORE.open, account=None)}, {}, ["open"], {"open": {**PLACE, "account": None}}),
        ({"open": Open("live-01", NOON, "a", beyond={"x": 1})}, {}, ["open"], {"open": ELSEWHERE}),
        ({"contradicted_at": (3, 4)}, {}, ["contradictedAt"], {"contradictedAt": [3, 4]}),
        ({"erased_at": NOON}, {}, ["erasedAt"], {"erasedAt": NOON}),
    ],
    ids=str,
)  # fmt: skip
def test_only_changed_fields_are_written_and_named(changed, record, paths, beside):
    fresh, named = change(**{name: tuple(map(EventName, item)) if name == "unannounced" else item for name, item in changed.items()})
    if record is None:
        record = {"supplier_prevend_id": "v", "unannounced": ["vended"]}
    assert fresh == {"record": {**record, "nonce": "n-2"}, **beside}
    assert sorted(named) == sorted([*paths, "record.nonce"])


def test_an_emptied_field_is_named_and_not_written():
    before = structs.replace(BEFORE, supplier_prevend_id="v", contradicted_at=(3,), erased_at=NOON, unannounced=(EventName.VENDED,))
    silent = {"unannounced": (), "supplier_prevend_id": None, "contradicted_at": (), "erased_at": None}
    fresh, paths = transaction_update(before, structs.replace(before, **silent))
    assert fresh == {"record": {"nonce": "n-1"}}
    assert sorted(paths) == ["contradictedAt", "erasedAt", "record.nonce", "record.supplier_prevend_id", "record.unannounced"]
    stored = transaction_document(before)
    assert {"contradictedAt", "erasedAt"} <= stored.keys() and "supplier_prevend_id" in stored["record"]
    left = updated(stored, fresh, paths)
    assert not {"contradictedAt", "erasedAt"} & left.keys() and "supplier_prevend_id" not in left["record"]
    assert stored == transaction_document(before)


@pytest.mark.parametrize(
    "outcome", [vended().outcome, Rejected(Reason.METER_UNKNOWN, "1011"), Unknown("lost")], ids=lambda one: type(one).__name__
)
def test_with_an_outcome_the_keys_are_named_and_those_on_record_stay(outcome):
    state = {"Vended": State.VENDED, "Rejected": State.REJECTED}.get(type(outcome).__name__, State.IN_DOUBT)
    after = structs.replace(BEFORE, state=state, outcome=outcome)
    fresh, paths = transaction_update(BEFORE, after)
    assert fresh["keys"] == transaction_document(after)["keys"]
    assert sorted(paths) == ["keys", "record.nonce", "record.outcome", "record.state"]
    stored = {**transaction_document(BEFORE), "keys": ["of newer code", *transaction_document(BEFORE)["keys"]]}
    whole = updated(stored, fresh, paths)
    assert whole["keys"] == [*stored["keys"], *(key for key in fresh["keys"] if key not in stored["keys"])]
    assert transaction_of(whole, None) == after
    by_supplier = lookup_key(Mode.SIMULATED, LookupBy.SUPPLIER_TRANSACTION_ID, RECEIPT.supplier_transaction_id)
    assert (by_supplier in whole["keys"]) is (state is State.VENDED)


def test_a_place_that_comes_back_is_written_whole():
    closed = structs.replace(BEFORE, open=None)
    fresh, paths = transaction_update(closed, BEFORE)
    assert fresh["open"] == PLACE and "open" in paths
    assert updated(transaction_document(closed), fresh, paths) == transaction_document(BEFORE)


def test_the_keys_of_numbers_that_are_erased_are_lost_and_no_others():
    sale = in_doubt()
    erased = structs.replace(sale, order=structs.replace(sale.order, meter_number=None))
    assert lost_keys(sale, erased) == [lookup_key(Mode.SIMULATED, LookupBy.METER_NUMBER, METER)]
    assert lost_keys(sale, structs.replace(sale, attempts=9)) == []
    assert lost_keys(sale, structs.replace(sale, order=structs.replace(sale.order, reference=None))) == []
    both = structs.replace(sale, order=structs.replace(sale.order, account_number="12345", mobile_number="27821234567"))
    kept = structs.replace(both, order=structs.replace(both.order, account_number=None))
    assert lost_keys(both, kept) == [lookup_key(Mode.SIMULATED, LookupBy.ACCOUNT_NUMBER, "12345")]


def test_a_sale_of_newer_code_is_named_once_by_a_process(monkeypatch, caplog):
    monkeypatch.setattr(transaction_documents, "_NAMED", set())
    sale = filled_sale(State.VENDED)
    newer = {**DOCUMENTS[State.VENDED], "open": {**DOCUMENTS[State.VENDED]["open"], FIELD: 5}}
    for _ in range(3):
        assert sale_of(sale.id, newer, "1").open.beyond == {FIELD: 5}
    assert len(caplog.records) == 1


@pytest.mark.parametrize("account", [5, ["a"], b"a"], ids=str)
def test_a_place_whose_account_is_no_text_makes_a_sale_unread(account):
    sale = filled_sale(State.VENDED)
    stored = {**DOCUMENTS[State.VENDED], "open": {**DOCUMENTS[State.VENDED]["open"], "account": account}}
    assert not hasattr(sale_of(sale.id, stored, "1"), "state")


def test_a_place_without_an_account_is_one_and_holds_nothing_of_newer_code():
    sale = filled_sale(State.VENDED)
    place = {name: item for name, item in DOCUMENTS[State.VENDED]["open"].items() if name != "account"}
    assert sale_of(sale.id, {**DOCUMENTS[State.VENDED], "open": place}, "1").open == structs.replace(sale.open, account=None)


@pytest.mark.parametrize("changed", [{"version": "x"}, {"state": "rejected"}, {"state": "brand_new"}], ids=str)
def test_an_unreadable_sale_without_a_known_id_has_none(changed):
    stored = {**DOCUMENTS[State.VENDED], "record": {**DOCUMENTS[State.VENDED]["record"], **changed}}
    with pytest.raises(UnreadableRecord) as refused:
        transaction_of(stored, "1")
    assert refused.value.sale.id == ""


def test_a_purchase_writes_only_used_by_into_its_prevend():
    assert transaction_documents.prevend_update("sale-1") == ({"record": {"used_by": "sale-1"}}, ["record.used_by"])


def test_settlement_reads_every_compared_field_of_a_sale():
    known = structs.replace(vended(), supplier_id="ANOTHER")
    whole, part = transaction_document(known), {}
    for path in transaction_documents.SETTLED_BY:
        holder, _, name = path.rpartition(".")
        held = whole[holder] if holder else whole
        if name in held:
            (part.setdefault(holder, {}) if holder else part)[name] = held[name]
    assert Sold.of(transaction_of(part, "1")) == Sold.of(known)
    assert Sold.of(known).supplier_id == "ANOTHER" and not {"history", "answers"} & part["record"].keys()
