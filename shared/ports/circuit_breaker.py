"""The port to the circuit breaker: purchasing asks it before a sale, and reports each outcome to it."""

from typing import Protocol

from shared.domain.outcome import Outcome
from shared.domain.vas import VasType


class CircuitBreakerPort(Protocol):
    """Whether selling goes on. `brake.py` is the one implementation; the core only asks and tells."""

    async def stops(self, vas_type: VasType) -> bool:
        """Whether this service is not to be sold now. May raise `StoreUnavailable`."""

    async def notice(self, vas_type: VasType, outcome: Outcome) -> None:
        """Hear how a vend ended. Never raises."""
