"""What a contradiction of an ended sale leaves for a person: one paper for each, and the same one whenever it is made anew."""

import pytest
from msgspec import structs

from shared.domain.outcome import Reason, Rejected
from shared.domain.transaction import HistoryEntry
from shared.ports.documents import Document
from shared.vending.contradictions import discrepancies
from tests.sales import METER, NOON, PINNED_ORDER, PINNED_RECEIPT, RECEIPT, ended, rejected, vended, vending


def contradicted(sale, *lines):
    return structs.replace(sale, history=(*sale.history, *(HistoryEntry(NOON, "contradicted", by, note) for by, note in lines)))


def test_the_document_of_a_contradiction_never_changes():
    """Golden: its id is on record, and a person's closure hangs on it."""
    sale = contradicted(vended(), ("reprint", "vended_twice: s-2: more"))
    assert list(discrepancies(sale)) == [
        Document(
            "simulated-9ad0d1d44ef9377c17874e506572b02d",
            {
                "id": "9ad0d1d44ef9377c17874e506572b02d",
                "day": "2026-05-01",
                "kind": "vended_twice",
                "severity": "critical",
                "transactionId": sale.id,
                "ours": {
                    "supplierId": "SIMULATED",
                    "requestId": sale.request_id,
                    "supplierTransactionId": RECEIPT.supplier_transaction_id,
                    "state": "vended",
                    "vasType": "utility",
                    "amountCents": 10_000,
                    "recipient": f"*{METER[-4:]}",
                    "day": "2026-05-01",
                },
                "theirs": {"source": "reprint", "said": "s-2: more"},
                "status": "open",
                "closure": None,
            },
            "simulated-open",
        )
    ]


@pytest.mark.parametrize(
    ("sale", "ours"),
    [
        (rejected(Rejected(Reason.METER_UNKNOWN, "1011")), (None, "rejected", "utility", 10_000, f"*{METER[-4:]}")),
        (ended(vended(PINNED_RECEIPT).outcome, vending(order=PINNED_ORDER)), ("s-2", "vended", "airtime", 500, None)),
    ],
)
def test_our_side_has_the_fields_of_the_sale(sale, ours):
    (paper,) = discrepancies(contradicted(sale, ("supplier", "vended_after_rejection: s-9")))
    names = ("supplierTransactionId", "state", "vasType", "amountCents", "recipient")
    assert tuple(paper.body["ours"][name] for name in names) == ours


def test_each_contradiction_but_settlements_has_a_document_in_order():
    lines = [
        ("reprint", "vended_twice: s-2"),
        ("settlement", "vended_twice: s-3"),
        ("supplier", "state_differs"),
        ("ann@example.com", None),
    ]
    sale = contradicted(vended(), *lines)
    told = [(paper.body["kind"], paper.body["theirs"]) for paper in discrepancies(sale)]
    assert told == [
        ("vended_twice", {"source": "reprint", "said": "s-2"}),
        ("state_differs", {"source": "supplier", "said": ""}),
        ("", {"source": "ann@example.com", "said": ""}),
    ]
    empty = contradicted(vended(), ("ann@example.com", ""))
    assert [paper.id for paper in discrepancies(empty)] == [[paper.id for paper in discrepancies(sale)][-1]]


def test_contradictions_differ_by_sale_mode_source_and_note():
    base = vended()
    sales = [base, structs.replace(base, id="another"), structs.replace(base, mode="live")]
    papers = [paper.body["id"] for sale in sales for paper in discrepancies(contradicted(sale, ("reprint", "a: b")))]
    papers += [
        paper.body["id"] for line in (("supplier", "a: b"), ("reprint", "a: c")) for paper in discrepancies(contradicted(base, line))
    ]
    assert len(set(papers)) == 5
