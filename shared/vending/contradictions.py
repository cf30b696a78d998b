"""The critical discrepancies that contradictions of an ended sale leave for an operator. Pure."""

from collections.abc import Iterator

from shared.domain import closures
from shared.domain.identifiers import hashed
from shared.domain.transaction import EventName, HistoryEntry, Transaction
from shared.lib.masking import last_four
from shared.lib.value import word
from shared.ports.documents import Document

SETTLEMENT = "settlement"  # it stores its own discrepancies, each with its line


def discrepancies(sale: Transaction) -> Iterator[Document]:
    """The documents of the contradictions by answers, reprints and operators. Equal contradictions make one document."""
    for entry in sale.history:
        if entry.what == EventName.CONTRADICTED and entry.by != SETTLEMENT:
            yield _paper(sale, entry)


def _paper(sale: Transaction, entry: HistoryEntry) -> Document:
    from shared.domain.discrepancy import Discrepancy, DiscrepancyKind, OurSide, Severity, TheirSide  # no start waits for these classes

    kind, _, detail = (entry.note or "").partition(": ")
    name = hashed("contradiction", sale.mode, sale.id, entry.by, entry.note or "")
    ours = OurSide(
        supplier_id=sale.supplier_id,
        request_id=sale.request_id,
        supplier_transaction_id=sale.receipt.supplier_transaction_id if sale.receipt else None,
        state=sale.state,
        vas_type=sale.order.vas_type,
        amount_cents=sale.order.amount.cents,
        recipient=last_four(sale.order.recipient),
        day=sale.day.isoformat(),
    )
    found = Discrepancy(
        id=name,
        day=sale.day,
        kind=word(DiscrepancyKind, kind),
        severity=Severity.CRITICAL,
        transaction_id=sale.id,
        ours=ours,
        theirs=TheirSide(source=entry.by, said=detail),
    )
    return Document(f"{sale.mode}-{name}", found.document(), f"{sale.mode}-{closures.OPEN}")
