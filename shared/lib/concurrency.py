"""Many coroutines at once, up to a bound."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def each(coroutines: Iterable[Coroutine[Any, Any, Any]], at_most: int) -> list[Any]:
    """Run the coroutines, at most `at_most` at once, and return their results in order. Implements `shared.ports.concurrency.Each`.

    Raises:
        Exception: after all have ended, the first error in the order of the coroutines.
    """
    slots = asyncio.Semaphore(at_most)
    pending = list(coroutines)

    async def bounded(coroutine: Coroutine[Any, Any, Any]) -> Any:
        async with slots:
            return await coroutine

    try:
        results = await asyncio.gather(*map(bounded, pending), return_exceptions=True)
    finally:
        for coroutine in pending:  # a cancellation leaves some unstarted; the others have ended
            coroutine.close()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
