"""The port through which the core runs many coroutines at once."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

Each = Callable[[Iterable[Coroutine[Any, Any, Any]], int], Awaitable[list[Any]]]
"""Runs coroutines, at most the given number at once, and returns their results in order. Raises the first error after all have ended."""
