"""The port through which the core runs many coroutines at once."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

Each = Callable[[Iterable[Coroutine[Any, Any, Any]], int], Awaitable[list[Any]]]
"""Runs coroutines, at most so many at once, and gives their results in order. The first error ends it when all have ended."""
