"""Where sales are kept: one protocol, two implementations (`firestore.py`, `sqlite.py`)."""

from typing import Protocol

from shared.identifiers import Caller
from shared.prevend import Prevend
from shared.transaction import Transaction
from shared.vas import Mode


class StoreUnavailable(Exception):
    """The store did not answer in time. A read tells nothing; a write may or may not have happened."""


class Conflict(Exception):
    """A create found the id taken, or an advance found another version: by a competitor, or by our own earlier try.

    The nonce on record tells which.
    """


class Store(Protocol):
    """Every method takes at most `STORE_TIMEOUT_SECONDS` and may raise `StoreUnavailable`."""

    async def find(self, transaction_id: str) -> Transaction | None:
        """The sale of that id. One document read."""

    async def find_prevend(self, prevend_id: str) -> Prevend | None:
        """The prevend of that id, expired or used though it may be. One document read."""

    async def find_open(self, account: str) -> Transaction | None:
        """An open sale with that account key (`identifiers.account_key`). One document read."""

    async def create(self, fresh: Transaction, prevend: Prevend | None = None) -> Transaction:
        """Write `fresh` if its id is new, and mark `prevend`, if given, as used by it, in one commit.

        Returns:
            `fresh`, with its revision.

        Raises:
            Conflict: the id is taken, or `prevend` has changed since it was read.
        """

    async def advance(self, before: Transaction, after: Transaction) -> Transaction:
        """Replace `before`, as it was read, with `after`, atomically. One document write.

        Raises:
            Conflict: the record is no longer at the revision of `before`.
        """

    async def add_prevend(self, prevend: Prevend) -> None:
        """Keep a new prevend until it has expired."""

    async def of_caller(self, mode: Mode, caller: Caller, day: str, cursor: str | None, at_most: int) -> list[Transaction]:
        """The caller's sales of a business day (`YYYY-MM-DD`), in the order of their ids, after the id `cursor`."""
