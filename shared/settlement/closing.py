"""Closing a discrepancy: a person decides, with a note. The document holds who, when and why."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import structs

from shared.domain import closures
from shared.domain.vas import Mode
from shared.lib import logs
from shared.lib.times import rfc3339
from shared.lib.value import Value
from shared.ports.documents import Conflict, DocumentKind, Documents
from shared.settlement import document_forms
from shared.settlement.settled_day import difference_as_read

log = logs.logger(__name__)


class DiscrepancyUnknown(Exception):
    """No discrepancy has this id."""


class DiscrepancyClosed(Exception):
    """The discrepancy has another decision already."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__("the discrepancy is closed")
        self.body = body


class Closing(Value, frozen=True, kw_only=True):
    """Closes discrepancies, over the store's documents."""

    store: Documents
    mode: Mode
    now: Callable[[], datetime]

    async def close(self, discrepancy_id: str, decision: str, note: str, operator: str) -> Mapping[str, Any]:
        """Decide on a discrepancy once. The same decision again changes nothing.

        Raises:
            DiscrepancyUnknown: no discrepancy has this id.
            DiscrepancyClosed: the discrepancy has another decision.
            UnreadableRecord: its document is damaged.
        """
        while True:  # until the write meets no version conflict
            paper = await self.store.read_paper(DocumentKind.DISCREPANCIES, f"{self.mode}-{discrepancy_id}")
            if paper is None:
                raise DiscrepancyUnknown
            whole = document_forms.read(DocumentKind.DISCREPANCIES, paper, document_forms.Standing)
            paper = structs.replace(whole, body=difference_as_read(whole.body, self.mode))
            if paper.body["status"] != closures.OPEN:
                return closures.shown(_closed_alike(paper.body, decision, note, operator))
            closure = {"decision": decision, "note": logs.masked(note), "by": operator, "at": rfc3339(self.now())}
            body = {**paper.body, "status": decision, "closure": closure}
            try:
                mark = f"{self.mode}-{closures.CLOSED}"
                await self.store.write_paper(DocumentKind.DISCREPANCIES, structs.replace(paper, body=body, mark=mark))
            except Conflict:
                continue
            log.info("discrepancy closed", discrepancy_id=discrepancy_id, decision=decision, operator=operator)
            return closures.shown(body)


def _closed_alike(body: Mapping[str, Any], decision: str, note: str, operator: str) -> Mapping[str, Any]:
    closure = body.get("closure") or {}
    if (closure.get("decision"), closure.get("note"), closure.get("by")) != (decision, logs.masked(note), operator):
        raise DiscrepancyClosed(body)
    return body
