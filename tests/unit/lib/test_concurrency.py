"""Many calls at once: how many run, and in which order their results come."""

import asyncio
import inspect

import pytest

from shared.lib.concurrency import each


async def test_each_runs_up_to_its_bound_and_keeps_the_order_of_results():
    running, most = 0, 0

    async def work(number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * (10 - number))
        running -= 1
        return number

    assert await each((work(number) for number in range(10)), 3) == list(range(10))
    assert most == 3


async def test_the_first_error_is_raised_after_all_have_ended():
    ended = []

    async def work(number):
        await asyncio.sleep(0.001 * (3 - number))
        ended.append(number)
        if number > 0:
            raise ValueError(number)

    with pytest.raises(ValueError, match="1"):
        await each((work(number) for number in range(3)), 2)
    assert sorted(ended) == [0, 1, 2]


async def test_a_cancelled_run_leaves_no_coroutine_unawaited():
    async def work():
        await asyncio.sleep(10)

    made = [work() for _ in range(5)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await each(made, 2)
    assert {inspect.getcoroutinestate(coroutine) for coroutine in made} == {inspect.CORO_CLOSED}
