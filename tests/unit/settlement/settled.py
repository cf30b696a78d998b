"""Sales, their settling, and the days that a run settled."""

from datetime import UTC, date, datetime
from functools import partial

from shared.domain.outcome import Receipt, TokensDue, Unknown, Vended
from shared.domain.transaction import SHARDS
from shared.settlement.matching import ONE_DAY
from tests.archive import Archive, bill
from tests.step_driver import START, electricity, run

DAY = date(2026, 5, 1)
NEXT = DAY + ONE_DAY
MORNING = datetime(2026, 5, 2, 4, tzinfo=UTC)  # 06:00 in Johannesburg
LATER = datetime(2027, 1, 1, tzinfo=UTC)
LOST = Unknown("ReadTimeout")


def sell(world, answer=None, *, at=START, cents=10_000):
    """A sale as its answer left it; without one, vended under a GUID of the supplier's, with its token."""
    number = len(world.sales)
    given = answer or Vended(Receipt(supplier_transaction_id=f"bbbbbbbb-0000-4000-8000-{number:012d}", tokens_due=TokensDue.NONE))
    now, world.now, world.answers = world.now, at, [given]
    sale = run(world.vending.purchase(electricity(f"key-{number}", cents=cents, allow_duplicate=True))).transaction
    world.now = now
    world.written = 0
    return sale


def settle(world, day=None, until=LATER):
    return run(world.settling().settle(day, until))


def world_at(at, **shape):
    return Archive(now=at, **shape)


def only(settled):
    (body,) = settled.days
    return body


def balanced(world):
    """A day on which all is well, and the next one's file."""
    sales = [sell(world, cents=cents) for cents in (10_000, 20_000)]
    world.deliver(DAY, *map(bill, sales))
    world.deliver(NEXT)
    return sales


def days_begun(world):
    """The days that a run settles, in its order."""
    begun, read = [], world.shelf.read

    async def watched(files, reading):
        if isinstance(reading, partial) and reading.args[0].isoformat() not in begun:
            begun.append(reading.args[0].isoformat())
        return await read(files, reading)

    world.shelf.read = watched
    settle(world)
    del world.shelf.read
    return begun


def spoil(world, name):
    world.shelf.files[name] = world.shelf.files[name].replace(b"T|", b"T|9")


class Slow(Archive):
    """A store whose sales of three days take 34 seconds to read."""

    async def of_day(self, mode, day, shard):
        self.wait(34 / (3 * SHARDS))
        async for sold in super().of_day(mode, day, shard):
            yield sold


def listed(world, mark):
    return [paper.id for paper in world.papers.values() if paper.mark == mark]
