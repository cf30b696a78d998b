"""What a contradiction of an ended sale leaves for a person: a critical discrepancy, whoever came upon it. Pure."""

from collections.abc import Iterator

from shared.domain.identifiers import hashed
from shared.domain.transaction import EventName, HistoryEntry, Transaction
from shared.lib.masking import last_four
from shared.ports.documents import Document

SETTLEMENT = "settlement"  # it keeps the discrepancies that it finds by itself, with the line beside them


def discrepancies(sale: Transaction) -> Iterator[Document]:
    """The papers of what answers, reprints and people said against the sale; the same contradiction is the same paper."""
    for entry in sale.history:
        if entry.what == EventName.CONTRADICTED and entry.by != SETTLEMENT:
            yield _paper(sale, entry)


def _paper(sale: Transaction, entry: HistoryEntry) -> Document:
    kind, _, detail = (entry.note or "").partition(": ")
    name = hashed("contradiction", sale.mode, sale.id, entry.by, entry.note or "")
    ours = {
        "supplierId": sale.supplier_id,
        "requestId": sale.request_id,
        "supplierTransactionId": sale.receipt.supplier_transaction_id if sale.receipt else None,
        "state": sale.state.value,
        "vasType": sale.order.vas_type.value,
        "amountCents": sale.order.amount.cents,
        "recipient": last_four(sale.order.recipient),
        "day": sale.day.isoformat(),
    }
    body = {
        "id": name,
        "day": sale.day.isoformat(),
        "kind": kind,
        "severity": "critical",
        "transactionId": sale.id,
        "ours": ours,
        "theirs": {"source": entry.by, "said": detail},
        "status": "open",
        "closure": None,
    }
    return Document(f"{sale.mode}-{name}", body, f"{sale.mode}-open")
