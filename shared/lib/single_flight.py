"""One running call for everybody who asks for the same thing at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Awaits `call` once for all who ask while it runs. One who is cancelled leaves the others their answer."""

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._running: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        return await asyncio.shield(self.begin())

    def begin(self) -> asyncio.Task[T]:
        """Start the call, unless it runs already, and wait for nothing. The task that runs it."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return self._running

    def cancel(self) -> None:
        """End a call that is running. Whoever waits for it is cancelled too."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> T:
        return await self._call()
