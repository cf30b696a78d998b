"""The speed of parsing and comparing a settlement file, and the memory of the file's side and of our sales.

    python -m bench.settlement [ROWS ...]

Both sides are generated first. Then, in one thread, our sales are indexed, the file is read, checked, hashed and
compared, and the day is added up. `rows/s` covers all of these, in CPU time: a busy machine gives the same figure.
Memory is the peak of Python's allocations, traced apart from the timing: once for our side, and once with the file.

Our sales come from the store as documents, of three days for each settled day. The conversion of a document is measured
from Firestore's bytes on, without the call that delivers them.
"""

import argparse
import gc
import random
import time
import tracemalloc
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from google.cloud.firestore_v1 import types

from bench.table import Goal, Row, Table
from shared.domain.identifiers import Caller, transaction_id
from shared.domain.money import Money
from shared.domain.outcome import Answer, Charge, Consumer, MeterDetails, Receipt, TokensDue, Vended
from shared.domain.sale_summary import Sold
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import State, Transaction, transition
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.settlement_file import Line, SettlementFile
from shared.mobilemart.settlement_writer import detail, written
from shared.settlement.comparison import compare
from shared.settlement.matching import FileInterpretation, match
from shared.settlement.settled_day import SettledDay
from shared.store.protobuf import document_of, fill
from shared.store.transaction_documents import SETTLED_BY, transaction_document, transaction_of

DAY = date(2026, 5, 1)
TODAY = date(2026, 5, 3)
MORNING = datetime(2026, 5, 1, 4, tzinfo=UTC)
CHUNK_BYTES = 1 << 20
RUNS = 2
SIZES = (10_000, 100_000, 1_000_000)
DOCUMENTS = 3_000
CALLER = Caller("https://id.example.com", "wallet")
RATE = Goal(100_000, at_least=True)
BYTES = Goal(200, at_least=False)

_Document: Final[Any] = types.Document.pb()


@dataclass(frozen=True, slots=True)
class Measured:
    """One size: rows a second, and bytes a row of the file's side and of ours."""

    rows: int
    per_second: float
    read_per_second: float
    theirs: float
    ours: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="*", default=SIZES)
    for table in tables(parser.parse_args(arguments).rows):
        print(table, flush=True)


def tables(sizes: Sequence[int] = SIZES) -> Iterator[Table]:
    measured = [_measured(rows) for rows in sizes]
    largest = measured[-1]
    rows = [
        Row((f"{one.rows:,}", f"{one.per_second:,.0f}", f"{one.read_per_second:,.0f}", f"{one.theirs:.0f}", f"{one.ours:.0f}"))
        for one in measured
    ]
    rows.append(Row(("goal", RATE, "", BYTES, "")))
    rows.append(Row(("", RATE.verdict(largest.per_second), "", BYTES.verdict(largest.theirs), "")))
    columns = (
        "rows",
        "parsed and compared, rows/s",
        "parsed only, rows/s",
        "the file's side, bytes a row",
        "our side's index, bytes a row",
    )
    yield Table(f"The settlement file, one core, CPU time, best of {RUNS}", columns, rows)
    yield Table(f"Our side, over {DOCUMENTS:,} documents, CPU time, best of {RUNS}", ("a sale of ours", ""), list(_our_side()))


def _our_side() -> Iterator[Row]:
    documents = [_document(number) for number in range(DOCUMENTS)]
    seconds = []
    for _ in range(RUNS):
        gc.collect()
        began = time.process_time()
        for document in documents:
            _decoded(document)
        seconds.append(time.process_time() - began)
    gc.collect()
    tracemalloc.start()
    sold = {sale.id: sale for sale in map(_decoded, documents)}
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sold) == DOCUMENTS
    yield Row(("a document, bytes", f"{sum(map(len, documents)) / DOCUMENTS:,.0f}"))
    yield Row(("making a sale of it, µs", f"{min(seconds) / DOCUMENTS * 1e6:.0f}"))
    yield Row(("a sale in memory, found by its id, bytes", f"{held / DOCUMENTS:.0f}"))


def _measured(rows: int) -> Measured:
    sold = list(_sold(rows))
    content = b"".join(written(DAY, map(_line, sold)))
    seconds = min(_seconds(sold, content) for _ in range(RUNS))
    reading = min(_seconds([], content, read_only=True) for _ in range(RUNS))
    ours, both = _peak_bytes(sold), _peak_bytes(sold, content)
    return Measured(rows, rows / seconds, rows / reading, (both - ours) / rows, ours / rows)


def _sold(rows: int) -> Iterator[Sold]:
    chance = random.Random(20260501)
    services = list(VasType)
    for at in range(rows):
        service = services[at % len(services)]
        made_at = MORNING + timedelta(seconds=at % 50_000)
        yield Sold(
            id=f"{chance.getrandbits(128):032x}",
            request_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            state=State.VENDED,
            amount_cents=chance.randrange(500, 50_000),
            vas_type=service,
            recipient=None if service is VasType.VOUCHER else f"0{chance.randrange(60, 90)}{chance.randrange(10**8):08d}",
            supplier_transaction_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            day=DAY,
            created_at=made_at,
            sent_by=None,
            sign_of_vend=True,
            token_due=False,
            fee_cents=0,
        )


def _document(number: int) -> bytes:
    """Build a vended sale of electricity with the fields that settlement requests, as Firestore sends them."""
    at = MORNING + timedelta(seconds=number)
    order = Order(vas_type=VasType.UTILITY, amount=Money(10_000 + number), merchant_product_id="e", meter_number=f"{number + 10**10:011d}")
    begun = Transaction(
        id=transaction_id(Mode.LIVE, CALLER, f"key-{number}"),
        version=1,
        mode=Mode.LIVE,
        caller=CALLER,
        idempotency_key=f"key-{number}",
        fingerprint="f" * 32,
        order=order,
        request_id=str(uuid.uuid4()),
        supplier_prevend_id=str(uuid.uuid4()),
        state=State.VENDING,
        created_at=at,
        updated_at=at,
        day=DAY,
        send_by=at + timedelta(seconds=10),
        lease_until=at + timedelta(seconds=240),
        send_ended_at=at + timedelta(seconds=3),
        nonce=str(uuid.uuid4()),
    )
    receipt = Receipt(
        supplier_transaction_id=str(uuid.uuid4()),
        tokens_due=TokensDue.DELIVERED,
        receipt_number="RCP0001",
        tokens=(StsToken(TokenKind.CREDIT, f"{number:020d}"),),
        consumer=Consumer("J** D**", "12 M*** R***"),
        meter=MeterDetails("000001", "2", "01", "02", "07"),
        charges=(Charge("service", Money(550)),),
    )
    ended = transition(begun, Answer(Vended(receipt)), at=at + timedelta(seconds=3), by="supplier", retry_seconds=60)
    asked = {path.removeprefix("record.") for path in SETTLED_BY}
    record = transaction_document(ended)["record"]
    message = _Document()
    fill(message.fields, {"record": {name: value for name, value in record.items() if name in asked}})
    return bytes(message.SerializeToString())


def _decoded(document: bytes) -> Sold:
    message = _Document.FromString(document)
    return Sold.of(transaction_of(document_of(message.fields), "1"))


def _line(sale: Sold) -> Line:
    return detail(
        service=sale.vas_type,
        transaction_id=sale.supplier_transaction_id or "",
        merchant_id=sale.request_id,
        at=sale.created_at,
        cents=sale.amount_cents,
        recipient=sale.recipient or "",
    )


def _file(content: bytes) -> SettlementFile:
    return SettlementFile(content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES))


def _settled(sold: list[Sold], content: bytes) -> SettledDay:
    return compare(DAY, sold, [_file(content)], mode=Mode.LIVE, today=TODAY, readings=FileInterpretation())


def _seconds(sold: list[Sold], content: bytes, *, read_only: bool = False) -> float:
    gc.collect()
    began = time.process_time()
    if read_only:
        for _ in _file(content):
            pass
    else:
        settled = _settled(sold, content)
        assert settled.matched.rows == len(sold)
        assert not settled.discrepancies
    return time.process_time() - began


def _peak_bytes(sold: list[Sold], content: bytes | None = None) -> int:
    gc.collect()
    tracemalloc.start()
    if content is None:
        match(sold, [], FileInterpretation())
    else:
        _settled(sold, content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    main()
