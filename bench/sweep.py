"""The sweep that ends a thousand doubts: the supplier made every sale, and every answer was lost.

    python -m bench.sweep [SALES]

All runs in one process, with SQLite on disk and the simulated supplier. The figure is our own time: the pace of a
deployed sweep, `MOBILEMART_CALLS_PER_SECOND`, is left out.
"""

import argparse
import asyncio
import logging
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from bench.table import Row, Table
from shared.config import load
from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.transaction import EventName, State, Transaction
from shared.domain.vas import Mode, Order, VasType
from shared.lib.concurrency import each
from shared.mobilemart.client import MobileMart, Settings
from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET, MemoryLedger, Simulator, SwitchFault
from shared.ports.credentials import Credentials
from shared.store.sqlite import SqliteStore
from shared.vending.purchase import PurchaseRequest
from shared.vending.purchasing import Vending
from shared.vending.recorder import Recorder
from shared.vending.sweep import Sweeping

DOUBTS = 1_000


class Silent:
    """A publisher without subscribers."""

    async def publish(self, event: EventName, sale: Transaction) -> None:
        """Publish nothing."""


class Unbraked:
    """A circuit breaker that never pauses: a thousand doubts in a row would pause selling."""

    async def stops(self, vas_type: VasType) -> bool:
        return False

    async def notice(self, vas_type: VasType, outcome: object) -> None:
        """Count nothing."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sales", type=int, nargs="?", default=DOUBTS)
    for table in tables(parser.parse_args(arguments).sales):
        print(table, flush=True)


def tables(sales: int = DOUBTS) -> Iterator[Table]:
    logging.disable()  # a doubt logs a warning, and here are a thousand
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = asyncio.run(_swept(Path(folder) / "sales.sqlite", sales))
    row = Row((f"{sales:,}", f"{wall:.1f}", f"{sales / wall:,.0f}", f"{cpu / sales * 1_000:.1f}"))
    yield Table("A sweep of sales in doubt, SQLite, without the supplier's pace", ("sales", "seconds", "sales/s", "CPU ms a sale"), [row])


async def _swept(path: Path, sales: int) -> tuple[float, float]:
    """Return seconds, and CPU seconds, of a sweep that finds every sale vended."""
    store = await SqliteStore.open(str(path), timeout_seconds=60)
    simulator = Simulator(MemoryLedger(), now=_now)
    settings = Settings(base_url="https://fulcrum.invalid", mode=Mode.SIMULATED)
    supplier = MobileMart(httpx.ASGITransport(simulator), settings, _credentials, _now)
    config = load({"ENVIRONMENT": "local", "MOBILEMART_LIVE_INTEGRATION": "false", "TRANSACTION_STORE": "sqlite:///unused"}, "reconcile")
    recorder = Recorder(store=store, events=Silent(), rules=config.rules(), now=_now, new_id=_new_id)
    selling = Vending(recorder=recorder, supplier=supplier, brake=Unbraked())
    simulator.script(*(SwitchFault("reply-lost", on="purchase") for _ in range(sales)))
    for number in range(sales):
        doubt = await selling.purchase(_asked(number))
        assert doubt.transaction.state is State.IN_DOUBT
    sweeping = Sweeping(recorder=recorder, supplier=supplier, store=store, each=each)
    began, used, vended = time.perf_counter(), time.process_time(), 0
    while vended < sales:  # a sweep takes a bounded number from each shard
        swept = await sweeping.sweep(_now() + timedelta(hours=1))
        assert swept.vended > 0
        vended += swept.vended
    taken = time.perf_counter() - began, time.process_time() - used
    await supplier.aclose()
    await store.close()
    return taken


def _asked(number: int) -> PurchaseRequest:
    order = Order(
        vas_type=VasType.UTILITY,
        amount=Money(10_000),
        merchant_product_id=None,
        meter_number=f"12345{number:06d}",
    )
    key = f"key-{number}"
    caller = Caller("local", "bench")
    return PurchaseRequest(caller=caller, idempotency_key=key, fingerprint=key, vas_type=VasType.UTILITY, order=order, allow_duplicate=True)


async def _credentials(_refused: bool) -> Credentials:
    return Credentials(SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET)


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid.uuid4())


if __name__ == "__main__":
    main()
