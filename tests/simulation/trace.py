"""A history as people read it: when, who, what, and what struck. Made only while one is replayed; never with a token in it."""

from datetime import datetime
from typing import Any

from shared.domain.transaction import Transaction
from shared.lib import logs
from shared.vending.purchase import Purchased


class Trace:
    """The lines of one history."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def call(self, at: datetime, who: str, name: str, fault: object) -> None:
        """A port call, and what strikes it."""
        struck = "" if fault is None else f" ({fault} s)" if isinstance(fault, float) else f"  << {fault}"
        self._line(at, who, f"{name}{struck}")

    def end(self, at: datetime, who: str, result: Any, error: Exception | None) -> None:
        """How a coroutine ended."""
        self._line(at, who, f"-> {_told(result) if error is None else type(error).__name__}")

    def say(self, at: datetime, who: str, what: str) -> None:
        """Anything else."""
        self._line(at, who, logs.masked(what))

    def _line(self, at: datetime, who: str, what: str) -> None:
        self.lines.append(f"{str(at)[8:19]}  {who:<26} {what}")


def _told(result: Any) -> str:
    match result:
        case Purchased(sale, replayed, on_record):
            return f"{shown(sale)}{' (replayed)' if replayed else ''}{'' if on_record else ' (not on record)'}"
        case Transaction():
            return shown(result)
        case _:
            return type(result).__name__ if result is not None and not isinstance(result, bool | int | str) else str(result)


def shown(sale: Transaction) -> str:
    """A sale in a few words."""
    receipt = sale.receipt
    tokens = f", tokens {receipt.tokens_due}" if receipt else ""
    return f"sale {sale.id[:6]} {sale.state} v{sale.version}{tokens}"
