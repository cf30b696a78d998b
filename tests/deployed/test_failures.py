"""The other ends fail: the supplier, the database, the topic. Nothing is falsely in doubt, falsely rejected, or sold twice."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from shared import event_publisher
from shared.domain.transaction import EventName, State
from shared.mobilemart.simulator import PLAIN, Service
from tests.deployed.processes import Function, Supplier, until
from tests.deployed.records import Records
from tests.deployed.relay import Relay
from tests.deployed.surroundings import Surroundings
from tests.deployed.wallet import Wallet, body_of, named, new_key, refused, settled

LATE = named("late")
NOT_SOLD = (422, "temporarily-unavailable", "rejected", "new-key")
BUSY = (422, "supplier-busy", "rejected", "new-key")
SPOILT = ("failed-before", "wrong-host", "cut-json", "page-after", "rate-limited")
FAULTS = (  # on which leg, and how often: a refused access token is not believed before a new one is refused, too
    *(("token", effect, 1) for effect in (*SPOILT, "lost-before", "unauthorised")),
    *(("list", effect, 1) for effect in (*SPOILT, "silent")),
    ("list", "unauthorised", 2),
    *(("prevend", effect, 1) for effect in (*SPOILT, "dripped")),
    ("prevend", "unauthorised", 2),
)
METER = body_of(PLAIN, Service.UTILITY)


@pytest.fixture(scope="module")
def wallet(surroundings: Surroundings) -> Wallet:
    return surroundings.wallet()


def buy(wallet: Wallet, purchase: Function, key: str | None = None, **changes: object) -> httpx.Response:
    return wallet.buy(purchase, "utility", {**METER, **changes}, key or new_key())


# The supplier


def test_a_supplier_that_is_down_sells_nothing_and_leaves_no_doubt(surroundings: Surroundings, wallet: Wallet) -> None:
    platform = surroundings.platform
    supplier = platform.supplier("--unmarked")
    environment = surroundings.live(surroundings.topic(), supplier)
    warm, cold = platform.start("purchase", environment), platform.start("purchase", environment)
    assert buy(wallet, warm.ready()).status_code == 201  # it has a token and the catalogue, and needs no prevend for a voucher
    assert wallet.buy(warm, "voucher", body_of(PLAIN, Service.VOUCHER), new_key()).status_code == 201
    supplier.process.kill()

    keys = {name: new_key() for name in ("utility", "voucher")}
    bodies = {"utility": METER, "voucher": body_of(PLAIN, Service.VOUCHER)}
    for purchase, service in ((warm, "voucher"), (warm, "utility"), (cold.ready(), "voucher")):
        answer = wallet.buy(purchase, service, bodies[service], keys[service])
        again = wallet.buy(warm, service, bodies[service], keys[service])
        assert refused(answer) == NOT_SOLD
        assert (again.status_code, again.content) == (422, answer.content)
        keys[service] = new_key()

    revived = platform.supplier("--unmarked", port=int(supplier.url.rpartition(":")[2]))
    for purchase in (warm, cold):
        until(partial(wallet.sells, purchase, PLAIN, Service.UTILITY))
    assert len(revived.vends()) == 2


def test_what_fails_before_the_vend_sells_nothing_and_leaves_no_doubt(surroundings: Surroundings, wallet: Wallet) -> None:
    supplier = surroundings.platform.supplier("--unmarked")
    environment = surroundings.live(surroundings.topic(), supplier, MOBILEMART_TIMEOUT_SECONDS="2")
    purchase = surroundings.platform.start("purchase", environment).ready()

    for leg, effect, times in FAULTS:  # nothing is kept of a leg that fails, so each sale asks for it again
        supplier.script({"effect": effect, "on": leg, "times": times})
        assert refused(buy(wallet, purchase)) in (NOT_SOLD, BUSY), (leg, effect)
    assert supplier.vends() == []

    until(partial(wallet.sells, purchase, PLAIN, Service.UTILITY))
    supplier.script({"effect": "unauthorised", "on": None, "times": None})
    assert {refused(buy(wallet, purchase)) for _ in range(3)} == {NOT_SOLD}
    assert len(supplier.vends()) == 1


# The database


@dataclass(frozen=True)
class Adrift:
    """An instance whose database and topic can fall silent."""

    project: str
    purchase: Function
    firestore: Relay
    pubsub: Relay


@pytest.fixture(scope="module")
def adrift(surroundings: Surroundings, late_supplier: Supplier, wallet: Wallet) -> Iterator[Adrift]:
    topic, firestore, pubsub = surroundings.topic(), Relay(surroundings.firestore), Relay(surroundings.pubsub)
    relayed = {"FIRESTORE_EMULATOR_HOST": firestore.address, "PUBSUB_EMULATOR_HOST": pubsub.address, "STORE_TIMEOUT_SECONDS": "2"}
    purchase = surroundings.platform.start("purchase", surroundings.impatient(topic, late_supplier, **relayed)).ready()
    for service in (Service.UTILITY, Service.AIRTIME_PINLESS):  # from here on it has all that the first sale is slow for
        until(partial(wallet.sells, purchase, PLAIN, service))
    yield Adrift(topic.project, purchase, firestore, pubsub)
    firestore.close()
    pubsub.close()


def test_a_store_that_is_silent_before_the_claim_leaves_the_key_free(adrift: Adrift, late_supplier: Supplier, wallet: Wallet) -> None:
    key, meter = new_key(), "12345600001"
    adrift.firestore.hold()
    answer = buy(wallet, adrift.purchase, key, meterNumber=meter)
    adrift.firestore.release()

    assert refused(answer) == (503, "store-unavailable", None, "same-key")
    assert late_supplier.vends_to(meter) == []
    until(lambda: buy(wallet, adrift.purchase, key, meterNumber=meter).status_code == 201)
    assert len(late_supplier.vends_to(meter)) == 1


@pytest.mark.parametrize(
    ("service", "is_deaf"), [(Service.UTILITY, True), (Service.AIRTIME_PINLESS, False)], ids=["hears nothing", "is not heard"]
)
def test_a_sale_whose_outcome_the_store_does_not_confirm_is_a_doubt_until_it_is_found(
    adrift: Adrift, late_supplier: Supplier, wallet: Wallet, service: Service, is_deaf: bool
) -> None:
    body, key = body_of(LATE, service), new_key()
    before = len(late_supplier.vends_of(LATE, service))
    with ThreadPoolExecutor(1) as waiting:
        first = waiting.submit(wallet.buy, adrift.purchase, service.vas_type, body, key)
        until(lambda: len(late_supplier.vends_of(LATE, service)) > before)
        adrift.firestore.hold() if is_deaf else adrift.firestore.hold_answers()
        told = first.result()
    meanwhile = wallet.buy(adrift.purchase, service.vas_type, body, key)
    adrift.firestore.release()

    assert (told.status_code, told.json()["state"], told.json()["receipt"]) == (202, "in_doubt", None)
    assert int(told.headers["retry-after"]) > 0
    assert refused(meanwhile) == (503, "store-unavailable", None, "same-key")
    found = until(lambda: settled(wallet.buy(adrift.purchase, service.vas_type, body, key)))
    assert found.json()["transactionId"] == told.json()["transactionId"]
    [vend] = late_supplier.vends_of(LATE, service)[before:]
    assert found.status_code == 202 or found.json()["receipt"]["supplierTransactionId"] == vend["transaction_id"]


# The topic


@pytest.mark.parametrize("is_silent", [True, False], ids=["silent", "refuses connections"])
def test_a_topic_that_cannot_be_reached_holds_no_sale_up_for_long(
    surroundings: Surroundings, adrift: Adrift, wallet: Wallet, is_silent: bool
) -> None:
    adrift.pubsub.hold() if is_silent else adrift.pubsub.close()
    started_at = time.monotonic()
    answer = buy(wallet, adrift.purchase, meterNumber=f"1234560001{is_silent:d}")
    took_seconds = time.monotonic() - started_at
    adrift.pubsub.release()

    assert (answer.status_code, answer.json()["state"]) == (201, "vended")
    assert took_seconds < event_publisher.TIMEOUT_SECONDS + 5
    held = Records(surroundings.firestore, adrift.project).one(answer.json()["transactionId"])
    assert (held.state, held.unannounced, held.open is not None) == (State.VENDED, (EventName.VENDED,), True)
