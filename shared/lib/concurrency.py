"""Many coroutines at once, at most so many of them running."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def each(coroutines: Iterable[Coroutine[Any, Any, Any]], at_most: int) -> list[Any]:
    """Run them, at most so many at once; their results, in order. Implements `shared.ports.concurrency.Each`.

    Raises:
        Exception: the first in their order that one of them raised, when all have ended.
    """
    places = asyncio.Semaphore(at_most)
    made = list(coroutines)

    async def placed(coroutine: Coroutine[Any, Any, Any]) -> Any:
        async with places:
            return await coroutine

    try:
        results = await asyncio.gather(*map(placed, made), return_exceptions=True)
    finally:
        for coroutine in made:  # those that a cancellation did not let begin; the others have ended
            coroutine.close()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
