"""Sales and prevends, as stores keep them."""

import asyncio
import time
import uuid
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.domain.catalogue import Product
from shared.domain.clock import business_day
from shared.domain.identifiers import Caller, transaction_id
from shared.domain.money import Money
from shared.domain.outcome import Answer, Prevended, RawAnswer, Receipt, TokensDue, Vended
from shared.domain.policy import VendingPolicy
from shared.domain.prevend import Prevend
from shared.domain.transaction import SHARDS, State, Transaction, reindexed
from shared.domain.vas import Mode, Order, VasType
from shared.vending.purchase import PurchaseRequest
from shared.vending.purchasing import Vending
from shared.vending.recorder import Recorder

NOON = datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)
CALLER = Caller("https://issuer.example", "user-1")
METER = "12345678901"
RULES = VendingPolicy(mode=Mode.LIVE)
TIMEOUT_SECONDS = 10
SHORT_SECONDS = 0.5


def project():
    return f"demo-{uuid.uuid4()}"


def new_id():
    return str(uuid.uuid4())


def sale(key="key-1", *, mode=Mode.LIVE, caller=CALLER, at=NOON, due_at=NOON, cents=10_000, **fields):
    """Build a sale as a claim writes it, or with `fields` of a later moment. It is open if work is left."""
    order = Order(vas_type=VasType.UTILITY, amount=Money(cents), merchant_product_id="electricity", meter_number=METER)
    made = Transaction(
        id=transaction_id(mode, caller, key),
        version=1,
        mode=mode,
        caller=caller,
        idempotency_key=key,
        fingerprint="fingerprint",
        request_id=new_id(),
        supplier_prevend_id="supplier-prevend",
        created_at=at,
        updated_at=at,
        day=business_day(at),
        send_by=at,
        lease_until=at,
        nonce=new_id(),
        **{"order": order, "state": State.VENDING, **fields},
    )
    return reindexed(made, due_at)


def vended(key="key-1", *, supplier_id=None, **fields):
    receipt = Receipt(supplier_transaction_id=supplier_id or f"supplier-{key}")
    return sale(key, state=State.VENDED, outcome=Vended(receipt), sign_of_vend=True, **fields)


def prevend(**fields):
    order = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="electricity", meter_number=METER)
    made = {
        "id": new_id(),
        "mode": Mode.LIVE,
        "caller": CALLER,
        "order": order,
        "supplier_prevend_id": "supplier-prevend",
        "minimum_amount": Money(1000),
        "amount_due": None,
        "created_at": NOON,
        "expires_at": NOON + timedelta(minutes=15),
    }
    return Prevend(**made | fields)


async def outcomes(*coroutines):
    """Return how many racers won, and the results of the others."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    return Counter(type(result).__name__ for result in results)


def shard(of):
    return int(of.id[:4], 16) % SHARDS


@dataclass
class Switch:
    """A supplier that vends every order, and counts."""

    vends: list[str] = field(default_factory=list)

    async def ready(self):
        return None

    async def products(self, vas_type):
        return (Product(vas_type, "electricity", "Electricity"),)

    async def prevend(self, order, request_id):
        return Prevended("supplier-prevend")

    async def vend(self, order, supplier_prevend_id, request_id, send_within_seconds):
        self.vends.append(request_id)
        receipt = Receipt(supplier_transaction_id=f"supplier-{request_id}", tokens_due=TokensDue.DELIVERED)
        return Answer(Vended(receipt), RawAnswer.of("vend", NOON, 200, "application/json", b"{}"))


class Topic:
    async def publish(self, event, sold):
        return None


class Released:
    """A circuit breaker that nobody has set."""

    async def stops(self, vas_type):
        return False

    async def notice(self, vas_type, outcome):
        pass


def vending(store, switch):
    recorder = Recorder(store=store, events=Topic(), rules=RULES, now=lambda: datetime.now(UTC), new_id=new_id)
    return Vending(recorder=recorder, supplier=switch, brake=Released())


def electricity(key="key-1", **fields):
    order = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id=None, meter_number=METER)
    named = fields or {"order": order}
    return PurchaseRequest(caller=CALLER, idempotency_key=key, fingerprint="f", vas_type=VasType.UTILITY, **named)


class Longest:
    """The longest time for which the event loop ran nothing else."""

    def __init__(self):
        self.pause_seconds = 0.0

    @asynccontextmanager
    async def watching(self):
        ticking = asyncio.create_task(self._tick())
        yield
        ticking.cancel()

    async def _tick(self):
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self.pause_seconds = max(self.pause_seconds, time.monotonic() - before - 0.01)
