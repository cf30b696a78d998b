"""The promise, with real processes: whatever goes wrong at once, the supplier's ledger and our records agree in the end, sale by sale.

Shoppers buy from the packaged functions while instances are killed, the supplier fails in every way that it can, and the
database and the topic stand still. Then nothing goes wrong any more; sweeps end what is open, the supplier's files what no
reprint knows, and an operator what only a person can know; and all that there is to compare is compared. A few seconds of it run
among all tests. A longer storm, with its figures:

    STORM_SECONDS=60 python -m pytest tests/deployed/test_storm.py -s -o faulthandler_timeout=3600
"""

import json
import os
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from shared.domain.outcome import Rejected
from shared.domain.policy import ConsumerDetails
from shared.domain.transaction import State, Transaction
from shared.domain.vas import msisdn
from shared.schemas.responses import encoded, transaction_body
from tests.deployed.back_office import BackOffice
from tests.deployed.processes import Fleet, until
from tests.deployed.records import Records
from tests.deployed.relay import Relay
from tests.deployed.shopper import Errand, Shopper
from tests.deployed.surroundings import Surroundings
from tests.deployed.topic import Topic, body_of
from tests.deployed.trouble import Trouble
from tests.stand_ins.storage import storage

SECONDS = float(os.environ.get("STORM_SECONDS", "6"))
SHOPPERS = 32
PURCHASES = 2
PATIENCE_SECONDS = 1.5  # of a caller: less than a slow sale takes, so its key comes again while it is being sold
CALM_SECONDS = 240.0  # at most, until nothing is open: on a quiet machine little more than the lease and the minimum age
MINIMUM_AGE_SECONDS = 4
BUCKET = "demo-storm"
HASTE = {
    "MOBILEMART_TIMEOUT_SECONDS": "2",
    "MOBILEMART_CALLS_PER_SECOND": "200",
    "STORE_TIMEOUT_SECONDS": "2",
    "SEND_WINDOW_SECONDS": "2",
    "FUNCTION_TIMEOUT_SECONDS": "5",
    "VENDING_LEASE_SECONDS": "6",
    "IN_DOUBT_MINIMUM_AGE_SECONDS": str(MINIMUM_AGE_SECONDS),
    "RESOLVE_INTERVAL_SECONDS": "1",
}


def test_after_a_storm_the_suppliers_ledger_and_our_records_agree_sale_by_sale(surroundings: Surroundings) -> None:
    began_at, topic = datetime.now(UTC), surroundings.topic()
    supplier = surroundings.platform.supplier("--unmarked", "--answer-seconds", "0.3", "--late-seconds", "1")
    records = Records(surroundings.firestore, topic.project)
    with storage(BUCKET) as bucket, closing(Relay(supplier.url.removeprefix("http://"))) as way:
        environment = surroundings.live(
            topic,
            supplier,
            **HASTE,
            MOBILEMART_API_URL=f"http://{way.address}",
            SETTLEMENT_FILES=f"gs://{BUCKET}/in",
            STORAGE_EMULATOR_HOST=bucket.address,
        )
        prevends = Fleet(surroundings.platform, "prevend", environment, PATIENCE_SECONDS).begin(1)
        purchases = Fleet(surroundings.platform, "purchase", environment, PATIENCE_SECONDS).begin(PURCHASES)
        reconcile = Fleet(surroundings.platform, "reconcile", environment).begin(1)
        for fleet in (prevends, purchases, reconcile):
            fleet.ready()
        shoppers = [Shopper(number, surroundings.wallet(), prevends, purchases) for number in range(SHOPPERS)]
        trouble = Trouble(
            seconds=SECONDS,
            over=threading.Event(),
            supplier=supplier,
            way_to_supplier=way,
            killable=(purchases, purchases, reconcile, purchases, purchases, prevends),
            reconcile=reconcile,
            emulators={"firestore": surroundings.firestore, "pubsub": surroundings.pubsub},
        )
        rage(trouble, shoppers)
        operator = surroundings.issuer.token("operator", email="operator@example.com")
        back_office = BackOffice(reconcile, operator, records, supplier, bucket, began_at, MINIMUM_AGE_SECONDS)
        calm(back_office, shoppers)
        settled = back_office.settled()

    sales, vends = records.all(back_office.days), supplier.vends()
    errands = [errand for shopper in shoppers for errand in shopper.errands]
    tell(trouble, shoppers, sales, vends, (datetime.now(UTC) - began_at).total_seconds())
    everything_has_ended(sales)
    every_vend_is_one_sale(sales, vends)
    everybody_was_told_the_truth(sales, errands)
    everything_was_announced(sales, topic)
    every_day_balances(settled, vends)
    surroundings.seen.note(vends)
    assert surroundings.seen.in_words(surroundings.platform.words) == set()


# The storm, and what comes after it


def rage(trouble: Trouble, shoppers: Sequence[Shopper]) -> None:
    """Everybody buys; once they do, everything goes wrong, until it is over."""
    with ThreadPoolExecutor(len(shoppers) + len(trouble.makers)) as pool:
        try:
            begun = [pool.submit(shopper.shop, trouble.over) for shopper in shoppers]
            until(lambda: len(trouble.supplier.vends()) >= len(shoppers))
            begun += [pool.submit(make) for make in trouble.makers]
            trouble.over.wait(trouble.seconds)
        finally:
            trouble.over.set()
        for each in begun:
            each.result()


def calm(back_office: BackOffice, shoppers: Sequence[Shopper]) -> None:
    """Everybody comes back for what has not ended, and is ended, until nothing is open."""
    with ThreadPoolExecutor(len(shoppers)) as pool:
        coming = [pool.submit(shopper.come_back, CALM_SECONDS) for shopper in shoppers]
        until(lambda: back_office.end_what_is_open() and all(each.done() for each in coming), CALM_SECONDS)
        for each in coming:
            each.result()


# What is compared. Failures name sales, and hold nothing that a log may not


def everything_has_ended(sales: Collection[Transaction]) -> None:
    assert [sale.id for sale in sales if sale.state not in (State.VENDED, State.REJECTED)] == []
    assert [sale.id for sale in sales if sale.open or sale.unannounced or sale.tokens_pending] == []


def every_vend_is_one_sale(sales: Collection[Transaction], vends: Sequence[Mapping[str, Any]]) -> None:
    """One vend for each request that vended, and none for any other; both sides hold the same of it."""
    vended = {sale.request_id: sale for sale in sales if sale.state is State.VENDED}
    rejected = {sale.request_id for sale in sales if sale.state is State.REJECTED}
    billed = {vend["request_id"]: vend for vend in vends}
    assert len(vended) + len(rejected) == len({sale.request_id for sale in sales}) == len(sales)
    assert len(billed) == len(vends)
    assert sorted(rejected & set(billed)) == []
    assert sorted(set(vended) ^ set(billed)) == []
    differing = {sale.id: fields for request_id, sale in vended.items() if (fields := differing_fields(sale, billed[request_id]))}
    assert differing == {}


def differing_fields(sale: Transaction, vend: Mapping[str, Any]) -> list[str]:
    """The names of what the two do not agree on."""
    receipt, order = sale.receipt, sale.order
    assert receipt is not None
    numbers = [token["number"] for token in vend["tokens"]]
    mobile_number = vend["deal"]["mobile_number"]
    agreed = {
        "supplier's id": receipt.supplier_transaction_id == vend["transaction_id"],
        "amount": order.amount.cents == vend["amount_cents"],
        "service": order.vas_type == vend["vas_type"],
        "product": order.merchant_product_id == vend["deal"]["merchant_product_id"],
        "recipient": order.recipient == (msisdn(mobile_number) if mobile_number else vend["recipient"]),
        "tokens": [token.number for token in receipt.tokens] == numbers,
        "PIN": receipt.pin == vend["pin"],
    }
    return [name for name, does_agree in agreed.items() if not does_agree]


def everybody_was_told_the_truth(sales: Collection[Transaction], errands: Collection[Errand]) -> None:
    """Each key has one sale, each sale was asked for, and its record says what its caller was told."""
    known = {sale.id: sale for sale in sales}
    assert sorted({errand.sale_id for errand in errands} ^ set(known)) == []
    assert len(errands) == len(sales)
    assert [errand.sale_id for errand in errands if not is_true(errand, known[errand.sale_id])] == []


def is_true(errand: Errand, sale: Transaction) -> bool:
    """Whether a caller was told what is on record: of a vend all of it, but for tokens that were recovered later."""
    record: dict[str, object] = {"state": "rejected"}
    if isinstance(sale.outcome, Rejected):
        record["type"] = f"/problems/{sale.outcome.reason}"
    else:
        record = json.loads(encoded(transaction_body(sale, sale.state, ConsumerDetails.MASKED)))
    receipt = errand.end.get("receipt") or {}
    later = {"version", "updatedAt", "receipt"} if receipt.get("tokensDue") == "pending" else set()
    return all(errand.end.get(name) == value for name, value in record.items() if name not in later)


def everything_was_announced(sales: Collection[Transaction], topic: Topic) -> None:
    """How each sale ended is on the topic, as it is on record."""
    ends = {f"{sale.id}:{sale.state}": sale.version for sale in sales}
    told = [body_of(message) for message in topic.all_about(ends)]
    known = {sale.id for sale in sales}
    assert sorted({body["transactionId"] for body in told} - known) == []
    assert [body["eventId"] for body in told if body["event"] in {"vended", "rejected"} and body["eventId"] not in ends] == []
    assert [body["eventId"] for body in told if body["event"] == "contradicted"] == []


def every_day_balances(settled: Collection[Mapping[str, Any]], vends: Sequence[Mapping[str, Any]]) -> None:
    """The supplier bills exactly what is on record as sold."""
    assert [(day["day"], day["discrepancies"], day["open"]) for day in settled if day["discrepancies"] or day["open"]] == []
    assert sum(day["file"]["rows"] for day in settled) == len(vends)
    assert sum(day["file"]["totalCents"] for day in settled) == sum(vend["amount_cents"] for vend in vends)


def tell(
    trouble: Trouble, shoppers: Sequence[Shopper], sales: Collection[Transaction], vends: Sequence[object], took_seconds: float
) -> None:
    """The figures, for whoever looks."""
    doubts = [sale for sale in sales if any(entry.what == State.IN_DOUBT for entry in sale.history)]
    ended_by = Counter(entry.by for sale in doubts for entry in sale.history if entry.what == sale.state)
    heard = sum((shopper.heard for shopper in shoppers), Counter[int]())
    print(
        f"\n{trouble.seconds:.0f} s of storm, {took_seconds:.0f} s in all: {len(sales)} sales, {len(vends)} vends,"
        f" {len(doubts)} doubts ended by {dict(ended_by)}\ntrouble: {dict(trouble.made)}\nanswers by status (0: none): {dict(heard)}"
    )
