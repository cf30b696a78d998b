"""The port to stored documents: settled days, discrepancies and controls; and the errors of every store."""

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Protocol

from shared.domain.unread import Unread
from shared.lib.value import Record

MAX_DELETED: Final = 100  # documents in one commit


class DocumentKind(StrEnum):
    """The collections of small documents that reconciling stores."""

    SETTLEMENTS = "settlements"
    DISCREPANCIES = "discrepancies"
    CONTROLS = "controls"


class Document(Record, frozen=True):
    """A small JSON document. `id` starts with its mode. `mark` is the key by which documents are listed."""

    id: str
    body: Mapping[str, Any]
    mark: str | None = None


class Documents(Protocol):
    """Settled days, discrepancies and controls. Every method may raise `StoreUnavailable`."""

    async def read_paper(self, kind: DocumentKind, paper_id: str) -> Document | None:
        """The document of the id; `None` if there is none. One document read."""

    async def write_paper(self, kind: DocumentKind, paper: Document, beside: Document | None = None) -> Document:
        """Create a document without a revision, or replace the document that was read at the revision.

        `beside`, if given, is written likewise, in the same commit.

        Returns:
            `paper`, with its revision.

        Raises:
            Conflict: an id is taken, or a document has changed since it was read. Neither was written.
        """

    def marked_papers(self, kind: DocumentKind, mark: str, from_id: str | None = None) -> AsyncIterator[Document]:
        """All documents with the mark, in the order of their ids, from the id `from_id` on.

        Each page has the time of one call. A document that gets or loses the mark meanwhile may or may not be listed.
        """

    async def delete_papers(self, kind: DocumentKind, papers: Sequence[Document]) -> None:
        """Delete documents at the revisions at which they were read, at most `MAX_DELETED`, in one commit.

        Raises:
            Conflict: a document has changed since it was read, or is gone. None was deleted.
        """


class StoreUnavailable(Exception):
    """The store did not answer in time. A read has no result; a write may or may not have happened."""


class UnreadableRecord(StoreUnavailable):
    """A record is damaged, or newer code wrote a deciding field that this code does not know. Only newer code may change such a record.

    `sale` is the readable part of a sale. `revision` is the revision of an unreadable document, which may still be replaced.
    """

    def __init__(self, what: str, sale: Unread | None = None, revision: str | None = None) -> None:
        super().__init__(what)
        self.sale, self.revision = sale, revision


class Conflict(Exception):
    """A create found the id taken, or an advance found another version. A competitor or our own earlier attempt wrote the record.

    The nonce on record tells which.
    """
