"""Reads stored JSON documents, which another version or a person may have written. Pure."""

import json
import zlib
from collections.abc import Callable

from shared.lib import logs
from shared.lib.times import MALFORMED
from shared.ports.documents import Document, DocumentKind, UnreadableRecord

log = logs.logger(__name__)


def readable_paper(kind: DocumentKind, paper_id: str, text: Callable[[], bytes | str], mark: object, revision: str) -> Document:
    """The document whose body is the JSON object of `text`.

    Raises:
        UnreadableRecord: `text` is no JSON object. The error is logged; the document can still be replaced at its revision.
    """
    try:
        body = json.loads(text())
        if not isinstance(body, dict) or not isinstance(mark, str | None):
            raise TypeError("not a paper")
        return Document(paper_id, body, mark, revision=revision)
    except (*MALFORMED, zlib.error):
        log.critical("record not readable", kind=kind, paper_id=paper_id)
    raise UnreadableRecord("a paper that this version cannot read", revision=revision)
