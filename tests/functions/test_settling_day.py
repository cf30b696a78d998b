"""A whole day on the Firestore emulator: thousands of sales, sixty planted faults, and exactly those are found.

`SETTLED_SALES=20000` makes the day longer: the emulator looks through every sale for each query.
"""

import itertools
import json
import os
import random
import time
import uuid
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec import structs

from shared.bootstrap import files_in
from shared.domain.clock import business_day
from shared.domain.discrepancy import DiscrepancyKind
from shared.domain.identifiers import Caller, transaction_id
from shared.domain.money import Money
from shared.domain.outcome import Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.policy import VendingPolicy
from shared.domain.transaction import State, Transaction, reindexed
from shared.domain.vas import Mode, Order, VasType
from shared.event_publisher import LogEvents
from shared.lib.concurrency import each
from shared.mobilemart.settlement_file import Line
from shared.mobilemart.settlement_writer import Plant, detail, planted, written
from shared.ports.transactions import LookupBy
from shared.settlement.matching import ONE_DAY, FileInterpretation
from shared.settlement.runner import Settling
from shared.store.database import Write
from shared.store.firestore import SALES, FirestoreStore
from shared.store.transaction_documents import transaction_document
from shared.vending.recorder import Recorder

DAY = date(2026, 5, 1)
MORNING = datetime(2026, 5, 3, 4, tzinfo=UTC)
FIRST_SALE = datetime(2026, 5, 1, 4, tzinfo=UTC)
MODE = Mode.LIVE
CALLER = Caller("https://issuer.example", "wallet")
COUNT = int(os.environ.get("SETTLED_SALES", "2000"))
OF_EACH = 5
IN_ONE_FILE = frozenset(DiscrepancyKind) - {
    DiscrepancyKind.LINES_WITHDRAWN,
    DiscrepancyKind.TOKENS_DIFFER,
}  # these need an earlier file, or a person before it
COMMIT = 50
NEVER = datetime(2027, 1, 1, tzinfo=UTC)

OF_PLANT = {
    Plant.MISSING: DiscrepancyKind.MISSING_AT_SUPPLIER,
    Plant.EXTRA: DiscrepancyKind.MISSING_HERE,
    Plant.DUPLICATE: DiscrepancyKind.DUPLICATE_LINE,
    Plant.TWICE: DiscrepancyKind.VENDED_TWICE,
    Plant.AMOUNT: DiscrepancyKind.AMOUNT_DIFFERS,
    Plant.RECIPIENT: DiscrepancyKind.ACCOUNT_DIFFERS,
    Plant.BINNED: DiscrepancyKind.STATE_DIFFERS,
    Plant.UNKNOWN_STATUS: DiscrepancyKind.UNKNOWN_STATUS,
    Plant.REVERSED: DiscrepancyKind.NEGATIVE_LINE,
}


class Day:
    """A made-up day: its sales, the file that bills them, and what is wrong with it."""

    def __init__(self, count: int) -> None:
        self.chance = random.Random(count)
        self.numbers = itertools.count()
        self.sales = [self.sale(at=FIRST_SALE + timedelta(milliseconds=50_000_000 * at // count)) for at in range(count)]
        self.expected: set[tuple[DiscrepancyKind, str]] = set()
        recipients = [at for at, sale in enumerate(self.sales) if sale.order.recipient]
        chosen = iter(self.chance.sample(recipients, OF_EACH * (len(OF_PLANT) + 2)))
        self.plants = {next(chosen): plant for plant in OF_PLANT for _ in range(OF_EACH)}
        for at, plant in self.plants.items():
            self.expected.add((OF_PLANT[plant], "" if plant is Plant.EXTRA else self.sales[at].id))
        self.lines = [self.line(sale) for sale in self.sales]
        self.refuse([next(chosen) for _ in range(OF_EACH)])
        self.claim_twice([next(chosen) for _ in range(OF_EACH)])
        self.post_late()
        self.in_doubt = [self.sale(at=FIRST_SALE, outcome=Unknown("ReadTimeout")) for _ in range(OF_EACH)]
        self.sales += self.in_doubt
        self.lines += [self.line(sale) for sale in self.in_doubt]

    def refuse(self, positions: list[int]) -> None:
        """Billed, though we proved that nothing was vended."""
        for at in positions:
            never = Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011")
            self.sales[at] = reindexed(structs.replace(self.sales[at], state=State.REJECTED, outcome=never, sign_of_vend=False), FIRST_SALE)
            self.expected.add((DiscrepancyKind.VENDED_AFTER_REJECTION, self.sales[at].id))

    def claim_twice(self, positions: list[int]) -> None:
        """Two sales of ours hold one supplier id; it is said of the later one."""
        for at in positions:
            later = self.sales[at]
            earlier = self.sale(at=FIRST_SALE - timedelta(minutes=1))
            claimed = structs.replace(earlier, outcome=later.outcome)
            self.sales.append(claimed)
            self.lines.append(self.line(earlier))
            self.expected.add((DiscrepancyKind.CLAIMED_TWICE, later.id))

    def post_late(self) -> None:
        for _ in range(OF_EACH):
            old = self.sale(at=FIRST_SALE - 9 * ONE_DAY)
            self.sales.append(old)
            self.lines.append(self.line(old))
            self.expected.add((DiscrepancyKind.LATE_POSTING, old.id))

    def sale(self, *, at: datetime, outcome: object = None) -> Transaction:
        number = next(self.numbers)
        service = list(VasType)[number % len(VasType)]
        order = Order(
            vas_type=service,
            amount=Money(self.chance.randrange(1_000, 50_000)),
            merchant_product_id="product",
            meter_number=f"{number:011d}" if service is VasType.UTILITY else None,
            account_number=f"{number:010d}" if service is VasType.BILL_PAYMENT else None,
            mobile_number=f"2782{number:07d}" if service in (VasType.AIRTIME, VasType.DATA) else None,
        )
        known = outcome or Vended(Receipt(supplier_transaction_id=self.guid(), tokens_due=TokensDue.NONE))
        made = Transaction(
            id=transaction_id(MODE, CALLER, f"key-{number}"),
            version=2,
            mode=MODE,
            caller=CALLER,
            idempotency_key=f"key-{number}",
            fingerprint="fingerprint",
            order=order,
            request_id=self.guid(),
            supplier_prevend_id=None,
            state=State.VENDED if isinstance(known, Vended) else State.IN_DOUBT,
            created_at=at,
            updated_at=at,
            day=business_day(at),
            send_by=at,
            lease_until=at,
            outcome=known,
            sign_of_vend=isinstance(known, Vended),
        )
        return reindexed(made, at)

    def guid(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def line(self, sale: Transaction) -> Line:
        return detail(
            service=sale.order.vas_type,
            transaction_id=sale.receipt.supplier_transaction_id if sale.receipt else self.guid(),
            merchant_id=sale.request_id,
            at=sale.created_at,
            cents=sale.order.amount.cents,
            recipient=sale.order.recipient or "",
        )

    def file(self) -> bytes:
        return b"".join(written(DAY, planted(self.lines, self.plants)))


async def kept(store: FirestoreStore, sales: list[Transaction]) -> None:
    """Write the sales as they are, many in a commit."""
    database = store._database
    writes = [Write(SALES, sale.id, transaction_document(sale), is_new=True) for sale in sales]
    await each((database.commit(*writes[at : at + COMMIT]) for at in range(0, len(writes), COMMIT)), 8)


@pytest.fixture
async def store(firestore_emulator):
    opened = await FirestoreStore.open(f"demo-{uuid.uuid4()}", "(default)", timeout_seconds=600, emulator_host=firestore_emulator)
    yield opened
    await opened.close()


async def test_of_a_whole_day_exactly_the_planted_faults_are_found_and_a_second_run_writes_nothing(store, tmp_path):
    marks = [time.perf_counter()]
    day = Day(COUNT)
    (tmp_path / "FULCRUM.MERCHANT.ACME.RECON.20260502060000.txt").write_bytes(day.file())
    (tmp_path / "FULCRUM.MERCHANT.ACME.RECON.20260503060000.txt").write_bytes(b"".join(written(DAY + ONE_DAY, ())))
    marks.append(time.perf_counter())
    await kept(store, day.sales)
    marks.append(time.perf_counter())
    files = files_in(f"file://{tmp_path}", None)
    counted = Counting(store)
    rules, new_id = VendingPolicy(mode=MODE), lambda: str(uuid.uuid4())
    recorder = Recorder(store=counted, events=LogEvents(), rules=rules, now=lambda: MORNING, new_id=new_id)
    settling = Settling(recorder=recorder, store=counted, files=files, each=each, readings=FileInterpretation())
    (first,) = (await settling.settle(DAY, NEVER)).days
    marks.append(time.perf_counter())
    assert len(day.expected) + OF_EACH - 1 == len(first["discrepancies"]) == OF_EACH * len(IN_ONE_FILE)  # what is missing names none
    assert {(DiscrepancyKind(found["kind"]), found["transactionId"] or "") for found in first["discrepancies"]} == day.expected
    assert Counter(found["kind"] for found in first["discrepancies"]) == dict.fromkeys(IN_ONE_FILE, OF_EACH)
    assert [one["transactionId"] for one in first["healed"]] == sorted(sale.id for sale in day.in_doubt)
    assert all(books["residue"] == {"rows": 0, "cents": 0} for books in first["conservation"])
    assert first["status"] == "discrepancies" and first["file"]["rows"] == len(list(planted(day.lines, day.plants)))
    for sale in day.in_doubt:
        assert (await store.lookup(MODE, LookupBy.REQUEST_ID, sale.request_id))[0].state is State.VENDED
    counted.written = 0
    (second,) = (await settling.settle(DAY, NEVER)).days
    marks.append(time.perf_counter())
    assert json.dumps(second) == json.dumps(first) and counted.written == 0
    await files.close()
    made, stored, once, again = (f"{after - before:.1f} s" for before, after in itertools.pairwise(marks))
    print(f"\n{COUNT} sales: made {made}, stored {stored}, settled {once}, settled again {again}")


class Counting:
    """A store that counts what is written to it."""

    def __init__(self, store: FirestoreStore) -> None:
        self._store, self.written = store, 0

    def __getattr__(self, name: str):
        if name in ("create", "advance", "write_paper"):
            self.written += 1
        return getattr(self._store, name)
