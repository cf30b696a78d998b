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
MAX_ALIKE: Final = 10  # open sales with one account key
CONTROLS_WITHIN: Final = timedelta(days=7)


class SaleRetired(UnreadableRecord):
    """The sale is retired and only its tombstone is left. Its key stays bound, and sells nothing."""

    def __init__(self, tombstone: Tombstone) -> None:
        super().__init__("a sale of which only its tombstone is left")
        self.tombstone = tombstone


class LookupBy(StrEnum):
    """The identifiers of a sale for look-ups, besides its id."""

    REQUEST_ID = "request_id"
    SUPPLIER_TRANSACTION_ID = "supplier_transaction_id"
    METER_NUMBER = "meter_number"
    ACCOUNT_NUMBER = "account_number"
    MOBILE_NUMBER = "mobile_number"


Place = tuple[date, str]
"""A sale's place among those of its shard: its business day and its id."""


Placed = tuple[Place, Transaction | Unread]
"""A sale, or its readable part, with its place."""


class Store(Documents, Protocol):
    """The store for selling. Every method takes at most `STORE_TIMEOUT_SECONDS` and may raise `StoreUnavailable`.

    The store logs each unreadable sale with its id. `find` raises `UnreadableRecord` for such a sale, and `find_prevend` for such a
    prevend; lists hold its readable part.
    For a retired sale `find` raises `SaleRetired`. Look-ups by the request id and the supplier's id return its tombstone.
    No other list holds a retired sale.
    """

    async def find(self, transaction_id: str) -> Transaction | None:
        """The sale of the id; `None` if there is none. One document read."""

    async def find_prevend(self, prevend_id: str) -> Prevend | None:
        """The prevend of the id, even if expired or used; `None` if there is none. One document read."""

    async def find_open(self, account: str) -> Sequence[str]:
        """The ids of the open sales with the account key (`identifiers.account_key`), in the order of their claims.

        At most `MAX_ALIKE` ids; of more sales, any of them. One document read for each id, and one for an empty result.
        """

    async def lookup(self, mode: Mode, by: LookupBy, value: str, at_most: int = 100) -> Sequence[Transaction | Unread | Tombstone]:
        """The sales with the given request id, supplier transaction id, meter, account or mobile number, newest first.

        One document read for each sale, and one for an empty result.
        """

    async def create(self, fresh: Transaction, prevend: Prevend | None = None) -> Transaction:
        """Write `fresh` if its id is new, and mark `prevend`, if given, as used by `fresh`, in one commit.

        Returns:
            `fresh`, with its revision.

        Raises:
            Conflict: the id is taken, or `prevend` has changed since it was read.
        """

    async def advance(self, before: Transaction, after: Transaction) -> Transaction:
        """Replace `before`, at the revision that was read, with `after`, atomically. One document write.

        Raises:
            Conflict: the record is no longer at the revision of `before`.
        """

    async def add_prevend(self, prevend: Prevend) -> None:
        """Store a new prevend until it has expired. A prevend that is on record already stays unchanged: it may be used."""

    async def of_caller(self, mode: Mode, caller: Caller, day: str, cursor: str | None, at_most: int) -> Sequence[Transaction | Unread]:
        """The caller's sales of a business day (`YYYY-MM-DD`), in the order of their ids, after the id `cursor`."""


class TransactionIndex(Store, Protocol):
    """The store for reconciling: also many sales at once. Each page of a long answer has the time of one call.

    Lists of sales for the supplier (`due`, `vended_lately`) leave unreadable sales out, which therefore delay no other sale.
    """

    async def due(self, mode: Mode, shard: int, at: datetime, at_most: int) -> Sequence[Transaction]:
        """The readable open sales of a shard (from 0 to `SHARDS` - 1) that are due at that time, the longest due first."""

    def of_day(self, mode: Mode, day: date, shard: int) -> AsyncIterator[Sold | Unread]:
        """Every sale of a shard's business day, in the order of their ids. A sale that is claimed meanwhile may be missing."""

    async def up_to_day(self, mode: Mode, shard: int, last: date, after: Place | None, at_most: int) -> Sequence[Placed]:
        """The whole sales of a shard after the place `after`, up to the business day `last`, in the order of days and ids."""

    async def retire(self, before: Transaction, tombstone: Tombstone, papers: Sequence[Document] = ()) -> None:
        """Replace a sale by its tombstone, and delete these discrepancies of the sale, in one commit.

        Raises:
            Conflict: the sale or a discrepancy has changed since it was read. Nothing was written.
        """

    async def any_of_day(self, mode: Mode, day: date) -> bool:
        """Whether a business day has any sale. One document read."""

    async def vended_lately(self, mode: Mode, vas_type: VasType, at: datetime) -> Sequence[Transaction]:
        """Up to `CONTROLS` vended sales of a service, claimed within `CONTROLS_WITHIN` before `at`, newest first."""
