"""The simulated switch's storage: a small key-value port, and its implementation in memory."""

from copy import deepcopy
from typing import Any, Protocol


class Ledger(Protocol):
    """A key-value store. Keys are at most 200 characters of `[A-Za-z0-9:_.-]`; values are JSON objects.

    The ledger holds all that the switch knows, so simulators that share a ledger are one supplier.
    """

    async def get(self, key: str) -> dict[str, Any] | None:
        """Return the value of that key."""

    async def add(self, key: str, value: dict[str, Any]) -> bool:
        """Write a new key, atomically; return `False`, and write nothing, if the key exists."""

    async def put(self, key: str, value: dict[str, Any]) -> None:
        """Write, over any value."""

    async def starting_with(self, prefix: str) -> list[dict[str, Any]]:
        """Return the values of all keys with that prefix, in the order of their keys."""


class MemoryLedger:
    """A ledger in memory; it ends with its process."""

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
