"""How fast a settlement file is parsed and compared, and what its side costs in memory.

    python -m bench.settlement [ROWS]

Both sides are made up first. Then, in one thread, our sales are indexed, the file is read, checked, hashed and compared, and
the day is added up: `rows/s` is over all of that, in CPU time, so that a busy machine says the same. Memory is what Python
holds at its peak, traced apart from the timing: once with our side alone, and once with the file.
"""

import argparse
import gc
import random
import time
import tracemalloc
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from shared.matching import Readings, match
from shared.mobilemart.settlement_file import Line, SettlementFile
from shared.mobilemart.settlement_writer import detail, written
from shared.money import Money
from shared.settled_day import SettledDay
from shared.settlement import compare
from shared.sold import Sold
from shared.transaction import State
from shared.vas import Mode, VasType

DAY = date(2026, 5, 1)
TODAY = date(2026, 5, 3)
MORNING = datetime(2026, 5, 1, 4, tzinfo=UTC)
CHUNK_BYTES = 1 << 20
RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000)
    rows = parser.parse_args().rows
    sold = list(_sold(rows))
    content = b"".join(written(DAY, map(_line, sold)))
    print(f"{rows:,} rows, {len(content) / 1e6:.0f} MB, best of {RUNS}")
    seconds = min(_seconds(sold, content) for _ in range(RUNS))
    reading = min(_seconds([], content, read_only=True) for _ in range(RUNS))
    ours, both = _peak_bytes(sold), _peak_bytes(sold, content)
    print(f"parsed and compared {rows / seconds:>11,.0f} rows/s {seconds:>8.2f} s")
    print(f"parsed only         {rows / reading:>11,.0f} rows/s {reading:>8.2f} s")
    print(f"the file's side     {(both - ours) / rows:>11.1f} bytes/row")
    print(f"our side's index    {ours / rows:>11.1f} bytes/row")


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
            amount=Money(chance.randrange(500, 50_000)),
            vas_type=service,
            recipient=None if service is VasType.VOUCHER else f"0{chance.randrange(60, 90)}{chance.randrange(10**8):08d}",
            supplier_transaction_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            day=DAY,
            created_at=made_at,
            send_ended_at=made_at + timedelta(seconds=1),
            sign_of_vend=True,
            token_due=False,
            fee=Money(0),
        )


def _line(sale: Sold) -> Line:
    return detail(
        service=sale.vas_type,
        transaction_id=sale.supplier_transaction_id or "",
        merchant_id=sale.request_id,
        at=sale.created_at,
        cents=sale.amount.cents,
        recipient=sale.recipient or "",
    )


def _file(content: bytes) -> SettlementFile:
    return SettlementFile(content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES))


def _settled(sold: list[Sold], content: bytes) -> SettledDay:
    return compare(DAY, sold, [_file(content)], mode=Mode.LIVE, today=TODAY, readings=Readings())


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
        match(sold, [], Readings())
    else:
        _settled(sold, content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    main()
