"""One running call for all concurrent callers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Awaits `call` once for all callers that arrive while the call runs. Cancelling one caller does not cancel the call."""

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._running: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        return await asyncio.shield(self.begin())

    def begin(self) -> asyncio.Task[T]:
        """Start the call unless it runs already, without waiting, and return its task."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return self._running

    @property
    def is_running(self) -> bool:
        return self._running is not None and not self._running.done()

    def cancel(self) -> None:
        """Cancel the running call, and with it every caller that waits for it."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> T:
        return await self._call()
