"""Where the simulated switch keeps its books: a small key-value port, and its implementation in memory."""

from copy import deepcopy
from typing import Any, Protocol


class Ledger(Protocol):
    """Keys are at most 200 characters of `[A-Za-z0-9:_.-]`; values are JSON objects.

    Everything that the switch knows is in here, so simulators that share a ledger are one supplier.
    """

    async def get(self, key: str) -> dict[str, Any] | None:
        """The value of that key."""

    async def add(self, key: str, value: dict[str, Any]) -> bool:
        """Write if the key is new, atomically; `False`, and nothing is written, when it exists."""

    async def put(self, key: str, value: dict[str, Any]) -> None:
        """Write, whatever is there."""

    async def starting_with(self, prefix: str) -> list[dict[str, Any]]:
        """The values of all keys with that prefix, in the order of their keys."""


class MemoryLedger:
    """A ledger for one process, gone with it."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, Any]] = {}

    async def get(self, key: str) -> dict[str, Any] | None:
        return deepcopy(self._values.get(key))

    async def add(self, key: str, value: dict[str, Any]) -> bool:
        if key in self._values:
            return False
        self._values[key] = deepcopy(value)
        return True

    async def put(self, key: str, value: dict[str, Any]) -> None:
        self._values[key] = deepcopy(value)

    async def starting_with(self, prefix: str) -> list[dict[str, Any]]:
        return [deepcopy(self._values[key]) for key in sorted(self._values) if key.startswith(prefix)]
