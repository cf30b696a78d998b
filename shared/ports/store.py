"""Where sales are kept: the protocols, and two implementations of them (`firestore.py`, `sqlite.py`)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from shared.domain.identifiers import Caller
from shared.domain.prevend import Prevend
from shared.domain.sale_summary import Sold
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import Transaction
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.lib.value import Record

CONTROLS: Final = 3
MOST_DELETED: Final = 100  # papers in one commit
MOST_ALIKE: Final = 10  # open sales that look the same
CONTROLS_WITHIN: Final = timedelta(days=7)


class StoreUnavailable(Exception):
    """The store did not answer in time. A read tells nothing; a write may or may not have happened."""


class UnreadableRecord(StoreUnavailable):
    """A record cannot be read: newer code wrote what decides about it, and only that may change it, or it is damaged.

    `sale` is what can be read of a sale. `revision` is what a paper can be replaced at all the same.
    """

    def __init__(self, what: str, sale: Unread | None = None, revision: str | None = None) -> None:
        super().__init__(what)
        self.sale, self.revision = sale, revision


class SaleRetired(UnreadableRecord):
    """Of a sale only its tombstone is left: its key stays bound, and is good for nothing any more."""

    def __init__(self, tombstone: Tombstone) -> None:
        super().__init__("a sale of which only its tombstone is left")
        self.tombstone = tombstone


class Conflict(Exception):
    """A create found the id taken, or an advance found another version: by a competitor, or by our own earlier try.

    The nonce on record tells which.
    """


class LookupBy(StrEnum):
    """What a sale can be looked up by, besides its id."""

    REQUEST_ID = "request_id"
    SUPPLIER_TRANSACTION_ID = "supplier_transaction_id"
    METER_NUMBER = "meter_number"
    ACCOUNT_NUMBER = "account_number"
    MOBILE_NUMBER = "mobile_number"


class PaperKind(StrEnum):
    """The collections of small documents that reconciling keeps."""

    SETTLEMENTS = "settlements"
    DISCREPANCIES = "discrepancies"
    CONTROLS = "controls"


class Paper(Record, frozen=True):
    """A small JSON document. `id` starts with its mode. `mark` is what it can be listed by."""

    id: str
    body: Mapping[str, Any]
    mark: str | None = None


Place = tuple[date, str]
"""A sale's place among those of its shard: its business day and its id."""


Placed = tuple[Place, Transaction | Unread]
"""A sale, as far as it can be read, with its place."""


class Papers(Protocol):
    """Settled days, discrepancies and controls. Every method may raise `StoreUnavailable`."""

    async def read_paper(self, kind: PaperKind, paper_id: str) -> Paper | None:
        """The paper of that id. One document read."""

    async def write_paper(self, kind: PaperKind, paper: Paper, beside: Paper | None = None) -> Paper:
        """Create the paper, or, when it carries a revision, replace the one that was read; and `beside`, if given, in the same commit.

        Returns:
            `paper`, with its revision.

        Raises:
            Conflict: an id is taken, or a paper has changed since it was read. Neither was written.
        """

    def marked_papers(self, kind: PaperKind, mark: str, from_id: str | None = None) -> AsyncIterator[Paper]:
        """All papers with that mark, in the order of their ids: from the first whose id is not before `from_id`.

        Each page has the time of one call. What gets or loses the mark meanwhile may be missed, or not.
        """

    async def delete_papers(self, kind: PaperKind, papers: Sequence[Paper]) -> None:
        """Delete papers as they were read, at most `MOST_DELETED` of them, in one commit.

        Raises:
            Conflict: one of them has changed since, or is gone. None was deleted.
        """


class Store(Papers, Protocol):
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

        At most `MOST_ALIKE` of them, and where there are more it may be any. One document read for each, and one where there is none.
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


class Books(Store, Protocol):
    """What reconciling needs besides: many sales at once. Each page of a long answer has the time of one call.

    Where a list is of sales that can be asked about, those that cannot be read are left out: they keep no other waiting.
    """

    async def due(self, mode: Mode, shard: int, at: datetime, at_most: int) -> Sequence[Transaction]:
        """Open sales of a shard (from 0 to `SHARDS` - 1) that are due at that time, the longest due first, and can be read."""

    def of_day(self, mode: Mode, day: date, shard: int) -> AsyncIterator[Sold | Unread]:
        """Every sale of a shard's business day, in the order of their ids. What is sold meanwhile may be missed."""

    async def up_to_day(self, mode: Mode, shard: int, last: date, after: Place | None, at_most: int) -> Sequence[Placed]:
        """The sales of a shard behind that place and up to that business day, whole, in the order of their days and ids."""

    async def retire(self, before: Transaction, tombstone: Tombstone, papers: Sequence[Paper] = ()) -> None:
        """Put its tombstone in the place of a sale, as it was read, and delete these discrepancies of it, in one commit.

        Raises:
            Conflict: the sale or a paper has changed since it was read. Nothing was written.
        """

    async def any_of_day(self, mode: Mode, day: date) -> bool:
        """Whether anything was sold on a business day. One document read."""

    async def vended_lately(self, mode: Mode, vas_type: VasType, at: datetime) -> Sequence[Transaction]:
        """Up to `CONTROLS` sales of a service that are known to have vended, claimed within `CONTROLS_WITHIN` up to `at`, newest first."""
