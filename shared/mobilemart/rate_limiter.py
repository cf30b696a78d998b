"""The pace at which reconcile asks the supplier: one call after another, slower after the supplier refuses."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from shared.domain.outcome import Reprint
from shared.domain.transaction import Transaction
from shared.ports.supplier import Supplier

TOO_MANY_REQUESTS: Final = 429
SLOWEST: Final = 1 / 16  # of the configured rate: at a lower rate a sweep would end no doubt
RECOVERY: Final = 1 / 50  # of the configured rate, for each answer that was no refusal


class RateLimiter:
    """At most so many calls a second, one after another. A refusal halves the rate; every other answer raises it a little.

    `clock` is monotonic, in seconds.
    """

    def __init__(self, most_per_second: float, clock: Callable[[], float], sleep: Callable[[float], Awaitable[object]]) -> None:
        self._most = most_per_second
        self._clock, self._sleep = clock, sleep
        self._line = asyncio.Lock()
        self._next = clock()
        self.per_second = most_per_second

    async def turn(self) -> None:
        """Wait for the next turn, in the order of the calls."""
        async with self._line:
            if (early := self._next - self._clock()) > 0:
                await self._sleep(early)
            self._next = max(self._next, self._clock()) + 1 / self.per_second

    def adjust(self, *, refused: bool) -> None:
        """Adjust the rate after an answer. `refused`: the supplier answered 429."""
        wanted = self.per_second / 2 if refused else self.per_second + self._most * RECOVERY
        self.per_second = min(max(wanted, self._most * SLOWEST), self._most)


class Reprinting(Supplier, Protocol):
    def can_reprint(self, sale: Transaction) -> bool:
        """Whether a reprint can be requested; if not, no call is made."""


class RateLimitedSupplier:
    """A supplier whose reprints wait for a turn. Only reconcile uses it: no sale ever waits here."""

    def __init__(self, supplier: Reprinting, pace: RateLimiter) -> None:
        self._supplier, self._pace = supplier, pace
        self.ready, self.products = supplier.ready, supplier.products
        self.prevend, self.vend = supplier.prevend, supplier.vend

    async def reprint(self, sale: Transaction) -> Reprint:
        if not self._supplier.can_reprint(sale):
            return await self._supplier.reprint(sale)
        await self._pace.turn()
        reprint = await self._supplier.reprint(sale)
        self._pace.adjust(refused=reprint.raw is not None and reprint.raw.status == TOO_MANY_REQUESTS)
        return reprint
