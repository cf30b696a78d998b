"""The ports to stored sales: `Store` for selling, `TransactionIndex` for reconciling. `shared/store/` implements both twice."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from shared.domain.identifiers import Caller
from shared.domain.prevend import Prevend
from shared.domain.sale_summary import Sold
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import Transaction
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.ports.documents import Document, Documents, UnreadableRecord

CONTROLS: Final = 3
MAX_ALIKE: Final = 10  # open sales that look the same
CONTROLS_WITHIN: Final = timedelta(days=7)


class SaleRetired(UnreadableRecord):
    """Of a sale only its tombstone is left: its key stays bound, and is good for nothing any more."""

    def __init__(self, tombstone: Tombstone) -> None:
        super().__init__("a sale of which only its tombstone is left")
        self.tombstone = tombstone


class LookupBy(StrEnum):
    """What a sale can be looked up by, besides its id."""

    REQUEST_ID = "request_id"
    SUPPLIER_TRANSACTION_ID = "supplier_transaction_id"
    METER_NUMBER = "meter_number"
    ACCOUNT_NUMBER = "account_number"
    MOBILE_NUMBER = "mobile_number"


Place = tuple[date, str]
"""A sale's place among those of its shard: its business day and its id."""


Placed = tuple[Place, Transaction | Unread]
"""A sale, as far as it can be read, with its place."""


class Store(Documents, Protocol):
    """What selling needs. Every method takes at most `STORE_TIMEOUT_SECONDS` and may raise `StoreUnavailable`.

    A sale that cannot be read is reported with its id. `find` raises `UnreadableRecord` of it, and so does `find_prevend` of a prevend;
    lists hold what can be read of it. Of a retired sale `find` raises `SaleRetired`, look-ups find its tombstone by its request id and
    the supplier's id, and no other list holds it.
    """

    async def find(self, transaction_id: str) -> Transaction | None:
        """The sale of that id. One document read."""

    async def find_prevend(self, prevend_id: str) -> Prevend | None:
        """The prevend of that id, expired or used though it may be. One document read."""

    async def find_open(self, account: str) -> Sequence[str]:
        """The ids of the open sales with that account key (`identifiers.account_key`), in the order in which their claims were made.

        At most `MAX_ALIKE` of them, and where there are more it may be any. One document read for each, and one where there is none.
        """

    async def lookup(self, mode: Mode, by: LookupBy, value: str, at_most: int = 100) -> Sequence[Transaction | Unread | Tombstone]:
        """The sales that have that request id, supplier transaction id, meter, account or mobile number, newest first.

        One document read for each, and one where there is none.
        """

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
        """Keep a new prevend until it has expired. One that is there already stays as it is: it may be used."""

    async def of_caller(self, mode: Mode, caller: Caller, day: str, cursor: str | None, at_most: int) -> Sequence[Transaction | Unread]:
        """The caller's sales of a business day (`YYYY-MM-DD`), in the order of their ids, after the id `cursor`."""


class TransactionIndex(Store, Protocol):
    """What reconciling needs besides: many sales at once. Each page of a long answer has the time of one call.

    Where a list is of sales that can be asked about, those that cannot be read are left out: they keep no other waiting.
    """

    async def due(self, mode: Mode, shard: int, at: datetime, at_most: int) -> Sequence[Transaction]:
        """Open sales of a shard (from 0 to `SHARDS` - 1) that are due at that time, the longest due first, and can be read."""

    def of_day(self, mode: Mode, day: date, shard: int) -> AsyncIterator[Sold | Unread]:
        """Every sale of a shard's business day, in the order of their ids. What is sold meanwhile may be missed."""

    async def up_to_day(self, mode: Mode, shard: int, last: date, after: Place | None, at_most: int) -> Sequence[Placed]:
        """The sales of a shard behind that place and up to that business day, whole, in the order of their days and ids."""

    async def retire(self, before: Transaction, tombstone: Tombstone, papers: Sequence[Document] = ()) -> None:
        """Put its tombstone in the place of a sale, as it was read, and delete these discrepancies of it, in one commit.

        Raises:
            Conflict: the sale or a paper has changed since it was read. Nothing was written.
        """

    async def any_of_day(self, mode: Mode, day: date) -> bool:
        """Whether anything was sold on a business day. One document read."""

    async def vended_lately(self, mode: Mode, vas_type: VasType, at: datetime) -> Sequence[Transaction]:
        """Up to `CONTROLS` sales of a service that are known to have vended, claimed within `CONTROLS_WITHIN` up to `at`, newest first."""
