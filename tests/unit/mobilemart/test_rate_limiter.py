"""Reprints follow one another at the configured rate, slower after a refusal."""

import asyncio

import pytest

from shared.domain.outcome import NoAnswer, RawAnswer, Reprint
from shared.mobilemart.rate_limiter import RateLimitedSupplier, RateLimiter
from tests.sales import NOON, in_doubt

SLOWEST, RECOVERY = 1 / 16, 1 / 50  # of the configured rate

MOST = 10.0


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self):
        self.at = 100.0
        self.slept = []

    def __call__(self):
        return self.at

    async def sleep(self, seconds):
        await asyncio.sleep(0)  # others may get in between
        self.slept.append(seconds)
        self.at += seconds


def paced(clock):
    return RateLimiter(MOST, clock, clock.sleep)


async def test_turns_come_at_the_configured_rate_in_the_order_of_asking():
    clock, taken = Clock(), []
    pace = paced(clock)

    async def take(number):
        await pace.turn()
        taken.append((number, round(clock.at, 3)))

    await asyncio.gather(*(take(number) for number in range(4)))
    assert taken == [(0, 100.0), (1, 100.1), (2, 100.2), (3, 100.3)]


async def test_turns_that_nobody_took_are_not_saved_up():
    clock = Clock()
    pace = paced(clock)
    await pace.turn()
    clock.at += 60
    await pace.turn()
    await pace.turn()
    assert round(clock.at, 3) == 160.1


@pytest.mark.parametrize(("passed", "slept"), [(0.05, [0.05]), (0.1, []), (0.15, []), (60, [])])
async def test_a_call_at_its_turn_or_later_does_not_wait(passed, slept):
    clock = Clock()
    clock.at = 0.0
    pace = paced(clock)
    await pace.turn()
    clock.at += passed
    await pace.turn()
    assert clock.slept == slept


async def test_reprints_follow_one_another_at_the_rate():
    class Supplier:
        ready = products = prevend = vend = None

        def can_reprint(self, sale):
            return True

        async def reprint(self, sale):
            return Reprint(NoAnswer(f"at {clock.at:.1f}"))

    clock = Clock()
    supplier = RateLimitedSupplier(Supplier(), paced(clock))
    assert [(await supplier.reprint(in_doubt())).result.cause for _ in range(3)] == ["at 100.0", "at 100.1", "at 100.2"]


def test_the_rate_is_halved_on_a_refusal_and_recovers_slowly():
    pace = paced(Clock())
    pace.adjust(refused=True)
    assert pace.per_second == MOST / 2
    for _ in range(24):
        pace.adjust(refused=False)
    assert pace.per_second == pytest.approx(MOST / 2 + 24 * MOST * RECOVERY)
    for _ in range(10):
        pace.adjust(refused=False)
    assert pace.per_second == MOST


def test_the_rate_never_falls_to_nothing():
    pace = paced(Clock())
    for _ in range(50):
        pace.adjust(refused=True)
    assert pace.per_second == MOST * SLOWEST


@pytest.mark.parametrize(("status", "rate"), [(429, MOST / 2), (200, MOST), (400, MOST), (None, MOST)])
async def test_a_reprint_that_is_too_many_slows_the_next_ones(status, rate):
    class Supplier:
        ready = products = prevend = vend = None

        def can_reprint(self, sale):
            return True

        async def reprint(self, sale):
            raw = None if status is None else RawAnswer.of("reprint", NOON, status, None, b"")
            return Reprint(NoAnswer("busy"), raw)

    pace = paced(Clock())
    await RateLimitedSupplier(Supplier(), pace).reprint(in_doubt())
    assert pace.per_second == rate


async def test_a_sale_without_an_id_for_a_reprint_takes_no_turn():
    class Supplier:
        ready = products = prevend = vend = None

        def can_reprint(self, sale):
            return False

        async def reprint(self, sale):
            return Reprint(NoAnswer("nothing to ask by"))

    clock = Clock()
    pace = paced(clock)
    pace.adjust(refused=True)
    for _ in range(400):
        await RateLimitedSupplier(Supplier(), pace).reprint(in_doubt())
    assert (clock.at, pace.per_second) == (Clock().at, MOST / 2)
