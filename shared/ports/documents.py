"""The port to stored documents: settled days, discrepancies and controls; and the errors of every store."""

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Protocol

from shared.domain.unread import Unread
from shared.lib.value import Record

MAX_DELETED: Final = 100  # papers in one commit


class DocumentKind(StrEnum):
    """The collections of small documents that reconciling keeps."""

    SETTLEMENTS = "settlements"
    DISCREPANCIES = "discrepancies"
    CONTROLS = "controls"


class Document(Record, frozen=True):
    """A small JSON document. `id` starts with its mode. `mark` is what it can be listed by."""

    id: str
    body: Mapping[str, Any]
    mark: str | None = None


class Documents(Protocol):
    """Settled days, discrepancies and controls. Every method may raise `StoreUnavailable`."""

    async def read_paper(self, kind: DocumentKind, paper_id: str) -> Document | None:
        """The paper of that id. One document read."""

    async def write_paper(self, kind: DocumentKind, paper: Document, beside: Document | None = None) -> Document:
        """Create the paper, or, when it carries a revision, replace the one that was read; and `beside`, if given, in the same commit.

        Returns:
            `paper`, with its revision.

        Raises:
            Conflict: an id is taken, or a paper has changed since it was read. Neither was written.
        """

    def marked_papers(self, kind: DocumentKind, mark: str, from_id: str | None = None) -> AsyncIterator[Document]:
        """All papers with that mark, in the order of their ids: from the first whose id is not before `from_id`.

        Each page has the time of one call. What gets or loses the mark meanwhile may be missed, or not.
        """

    async def delete_papers(self, kind: DocumentKind, papers: Sequence[Document]) -> None:
        """Delete papers as they were read, at most `MAX_DELETED` of them, in one commit.

        Raises:
            Conflict: one of them has changed since, or is gone. None was deleted.
        """


class StoreUnavailable(Exception):
    """The store did not answer in time. A read tells nothing; a write may or may not have happened."""


class UnreadableRecord(StoreUnavailable):
    """A record cannot be read: newer code wrote what decides about it, and only that may change it, or it is damaged.

    `sale` is what can be read of a sale. `revision` is what a paper can be replaced at all the same.
    """

    def __init__(self, what: str, sale: Unread | None = None, revision: str | None = None) -> None:
        super().__init__(what)
        self.sale, self.revision = sale, revision


class Conflict(Exception):
    """A create found the id taken, or an advance found another version: by a competitor, or by our own earlier try.

    The nonce on record tells which.
    """
