"""Two days of sales, and the files that bill them."""

import json
from datetime import UTC, date, datetime, timedelta

from shared.domain.outcome import Receipt, TokensDue, Unknown, Vended
from shared.settlement.matching import ONE_DAY
from tests.archive import Archive, bill
from tests.step_driver import START, electricity, run

DAY = date(2026, 5, 1)
NEXT = DAY + ONE_DAY
AFTER = NEXT + ONE_DAY
LATER = datetime(2027, 1, 1, tzinfo=UTC)
LOST = Unknown("ReadTimeout")
DOUBT = 5_100


def morning(days):
    """06:00 in Johannesburg, so many days after DAY."""
    return datetime(2026, 5, 1, 4, tzinfo=UTC) + days * ONE_DAY


def sell(world, answer=None, *, at=START, cents=10_000):
    number = len(world.sales)
    given = answer or Vended(Receipt(supplier_transaction_id=f"bbbbbbbb-0000-4000-8000-{number:012d}", tokens_due=TokensDue.NONE))
    now, world.now, world.answers = world.now, at, [given]
    sale = run(world.vending.purchase(electricity(f"key-{number}", cents=cents, allow_duplicate=True))).transaction
    world.now = now
    return sale


def settle(world, day=None):
    return run(world.settling().settle(day, LATER))


def state(world, sale):
    return world.sales[sale.id].state


def opened(world):
    """The open discrepancies, by day and kind."""
    return {(found["day"], found["kind"]) for found in world.discrepancies if found["status"] == "open"}


def is_settled_for_good(world):
    """Whether the same inputs again write nothing and answer the same bytes."""
    first = [settle(world), *(settle(world, DAY + at * ONE_DAY) for at in range(3))]
    world.written = 0
    again = [settle(world), *(settle(world, DAY + at * ONE_DAY) for at in range(3))]
    return json.dumps([one.days for one in again]) == json.dumps([one.days for one in first]) and world.written == 0


class Two:
    """Two sales of DAY and a doubt between them, and one sale of the next day."""

    def __init__(self, days=2):
        self.world = Archive(now=morning(days))
        self.first = sell(self.world)
        self.doubt = sell(self.world, LOST, at=START + timedelta(hours=1), cents=DOUBT)
        self.second = sell(self.world, at=START + timedelta(hours=2), cents=20_000)
        self.control = sell(self.world, at=START + ONE_DAY, cents=30_000)

    def deliver_next(self):
        self.world.deliver(NEXT, bill(self.control), stamp="20260503050000")
