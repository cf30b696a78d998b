"""What the supplier never answered: settlement files alone bring it to an end, and files that carry other ids end nothing wrongly."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx

from shared.bootstrap import files_in
from shared.domain.clock import business_day
from shared.domain.identifiers import Caller
from shared.domain.outcome import Outcome
from shared.domain.policy import ReprintBy, VendingPolicy
from shared.domain.transaction import State, Transaction
from shared.domain.vas import Mode, VasType
from shared.event_publisher import LogEvents
from shared.lib.concurrency import each
from shared.mobilemart.client import MobileMart, Settings
from shared.mobilemart.settlement_writer import written
from shared.mobilemart.simulator import (
    PLAIN,
    SCENARIOS,
    SIMULATED_CLIENT_ID,
    SIMULATED_CLIENT_SECRET,
    Behaviour,
    MemoryLedger,
    Scenario,
    Service,
    Simulator,
    Told,
    Vend,
    product_id,
)
from shared.mobilemart.simulator.settlement import SimulatedFiles, line_of
from shared.ports.credentials import Credentials
from shared.ports.transactions import LookupBy
from shared.settlement.matching import ONE_DAY, FileInterpretation
from shared.settlement.runner import Settled, Settling
from shared.store.sqlite import SqliteStore
from shared.vending.purchase import PurchaseRequest
from shared.vending.purchasing import Vending
from shared.vending.recorder import Recorder
from shared.vending.sweep import Sweeping

DAY = date(2026, 5, 1)
NOON = datetime(2026, 5, 1, 10, tzinfo=UTC)
DEADLINE_SECONDS = 0.5  # of an exchange, and less than the simulator's pauses
LOST = tuple(scenario for scenario in SCENARIOS if scenario.told is Told.NOTHING)
LIKE_A_VEND = ("wrong-host", "processing-for-ever-202", "processing-for-ever-200", "says-failed", "says-problem")  # and nothing is vended


class Released:
    """A brake that nobody pulls."""

    async def stops(self, vas_type: VasType) -> bool:
        return False

    async def notice(self, vas_type: VasType, outcome: Outcome) -> None:
        pass


@dataclass
class System:
    """Selling and reconciling over the simulated supplier, with a clock that is set by hand."""

    store: SqliteStore
    simulator: Simulator
    supplier: MobileMart
    now: datetime = NOON

    @property
    def _recorder(self) -> Recorder:
        rules = VendingPolicy(mode=Mode.SIMULATED, utility_product_id=product_id(Service.UTILITY, 0))
        return Recorder(store=self.store, events=LogEvents(), rules=rules, now=lambda: self.now, new_id=lambda: str(uuid.uuid4()))

    async def sell(self, scenario: Scenario, service: Service) -> Transaction:
        order, key = scenario.order(service), str(uuid.uuid4())
        fields = {"order": order, "fingerprint": key, "allow_duplicate": True}
        asked = PurchaseRequest(caller=Caller("local", "local"), idempotency_key=key, vas_type=service.vas_type, **fields)
        return (await Vending(recorder=self._recorder, supplier=self.supplier, brake=Released()).purchase(asked)).transaction

    async def sell_a_day(self) -> list[Transaction]:
        """Every scenario whose answer is lost, under every service; and, with the next day's sale, two that went well."""
        played = [(scenario, service) for scenario in (PLAIN, *LOST) for service in sorted(scenario.services)]
        sales = await each((self.sell(*one) for one in played), 64)
        self.now = NOON + ONE_DAY
        sales.append(await self.sell(PLAIN, Service.UTILITY))
        return sales

    async def sweep(self) -> None:
        await Sweeping(recorder=self._recorder, supplier=self.supplier, store=self.store, each=each).sweep(self.now + ONE_DAY)

    async def settle(self, files: object) -> Settled:
        settling = Settling(recorder=self._recorder, store=self.store, files=files, each=each, readings=FileInterpretation())
        return await settling.settle(None, self.now + ONE_DAY)

    async def held(self, sale: Transaction) -> Transaction:
        (found,) = await self.store.lookup(Mode.SIMULATED, LookupBy.REQUEST_ID, sale.request_id)
        return found

    async def vends(self) -> dict[str, Vend]:
        return {vend.request_id: vend for vend in await self.simulator.vends()}


@asynccontextmanager
async def system(ledger: MemoryLedger, path: Path, *, behaviour: Behaviour, reprint_by: ReprintBy) -> AsyncIterator[System]:
    async def credentials(_refused: bool) -> Credentials:
        return Credentials(SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET)

    def now() -> datetime:
        return made.now

    async def pause(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 2 * DEADLINE_SECONDS))

    simulator = Simulator(ledger, behaviour=behaviour, now=now, delay=pause)
    settings = Settings(base_url="http://simulator", mode=Mode.SIMULATED, reprint_by=reprint_by, timeout_seconds=DEADLINE_SECONDS)
    store = await SqliteStore.open(str(path / "sales.sqlite"), timeout_seconds=30)
    made = System(store, simulator, MobileMart(httpx.ASGITransport(simulator), settings, credentials, now))
    yield made
    await made.supplier.aclose()
    await store.close()


async def test_without_reprints_every_lost_answer_is_ended_by_the_settlement_files_alone(tmp_path):
    ledger = MemoryLedger()
    async with system(ledger, tmp_path, behaviour=Behaviour(), reprint_by=ReprintBy.NONE) as world:
        sales = await world.sell_a_day()
        in_doubt = [sale for sale in sales if sale.state is State.IN_DOUBT]
        assert len(in_doubt) >= 100
        world.now = NOON + 2 * ONE_DAY
        delivered = files_in(None, None)
        first, _ = (await world.settle(SimulatedFiles(ledger, lambda: world.now, delivered))).days
        await delivered.close()
        vends, left = await world.vends(), set()
        for sale in sales:
            held, vend = await world.held(sale), vends.get(sale.request_id)
            if vend is None and held.sign_of_vend:  # a 2xx came from somewhere: silence proves nothing, and a person decides
                assert held.state is State.IN_DOUBT, sale
                left.add(held.id)
            elif vend is None:
                assert held.state is State.REJECTED, sale
            else:
                assert held.state is State.VENDED and held.receipt.supplier_transaction_id == vend.transaction_id, sale
                assert held.order.amount.cents == vend.amount_cents, sale
        assert (first["status"], first["discrepancies"]) == ("balanced", [])
        assert {one["transactionId"] for one in first["open"]} == left and len(left) == len(LIKE_A_VEND) * len(Service)
        assert {one["transactionId"] for one in first["healed"]} == {sale.id for sale in in_doubt} - left
        billed = [vend for vend in vends.values() if business_day(vend.at) == DAY]
        assert first["matched"] == {"rows": len(billed), "totalCents": sum(vend.amount_cents for vend in billed)}


async def test_with_useless_reprints_and_files_with_other_ids_nothing_vended_is_rejected_and_every_doubt_is_a_persons(tmp_path):
    async with system(MemoryLedger(), tmp_path, behaviour=Behaviour(reprint_by="none"), reprint_by=ReprintBy.REQUEST_ID) as world:
        sales = await world.sell_a_day()
        vends = await world.vends()
        for day in (DAY, DAY + ONE_DAY, DAY + 2 * ONE_DAY):
            strange = [
                line_of(vend)._replace(transaction_id=str(uuid.uuid4()), merchant_id=str(uuid.uuid4()))
                for vend in vends.values()
                if business_day(vend.at) == day
            ]
            name = f"FULCRUM.MERCHANT.ACME.RECON.{day + ONE_DAY:%Y%m%d}060000.txt"
            (tmp_path / name).write_bytes(b"".join(written(day, strange)))
        files = files_in(f"file://{tmp_path}", None)
        for hours in (1, 24, 48, 72):
            world.now = NOON + timedelta(hours=hours)
            await world.sweep()
            await world.sweep()
        await world.settle(files)
        await files.close()
        for sale in sales:
            held = await world.held(sale)
            assert held.state is not State.REJECTED or sale.request_id not in vends
            assert held.state is not State.IN_DOUBT or held.review_announced
            assert held.state is sale.state
