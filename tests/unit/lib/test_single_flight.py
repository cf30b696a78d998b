"""One running call for everybody who asks meanwhile: what they get, and what one who gives up leaves the others."""

import asyncio

import pytest

from shared.lib.single_flight import SingleFlight


class Call:
    """A call that ends when it is let."""

    def __init__(self):
        self.begun = 0
        self.let = asyncio.Event()

    async def __call__(self):
        self.begun += 1
        number = self.begun
        await self.let.wait()
        return number


async def turns():
    for _ in range(3):
        await asyncio.sleep(0)


async def test_concurrent_callers_share_one_call_and_a_later_caller_starts_another():
    call = Call()
    flight = SingleFlight(call)
    asking = [asyncio.create_task(flight()) for _ in range(3)]
    await turns()
    call.let.set()
    assert await asyncio.gather(*asking) == [1, 1, 1] and call.begun == 1
    assert await flight() == 2


async def test_a_caller_waits_for_a_call_that_has_begun():
    call = Call()
    flight = SingleFlight(call)
    task = flight.begin()
    assert flight.begin() is task
    call.let.set()
    assert await flight() == 1 == await task and flight.begin() is not task
    assert await flight() == 2


async def test_a_cancelled_caller_does_not_cancel_the_call():
    call = Call()
    flight = SingleFlight(call)
    first, second = asyncio.create_task(flight()), asyncio.create_task(flight())
    await turns()
    first.cancel()
    await turns()
    call.let.set()
    assert await second == 1 and first.cancelled()


async def test_a_cancelled_call_ends_for_all_callers_and_the_next_call_is_new():
    call = Call()
    flight = SingleFlight(call)
    flight.cancel()
    waiting = asyncio.create_task(flight())
    await turns()
    flight.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    call.let.set()
    assert await flight() == 2
