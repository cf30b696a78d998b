"""The port to the circuit breaker: purchasing asks it before a sale, and reports each outcome to it."""

from typing import Protocol

from shared.domain.outcome import Outcome
from shared.domain.vas import VasType


class CircuitBreakerPort(Protocol):
    """The circuit breaker as purchasing sees it. `shared/vending/circuit_breaker.py` is the one implementation."""

    async def stops(self, vas_type: VasType) -> bool:
        """Whether the service is paused now. May raise `StoreUnavailable`."""

    async def notice(self, vas_type: VasType, outcome: Outcome) -> None:
        """Count the outcome of a vend. Never raises."""
