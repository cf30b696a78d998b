"""What a contradiction leaves for a person: exactly this paper, once for each contradiction."""

import pytest

from shared.contradiction import discrepancies
from shared.outcome import Answer, Reason, Rejected, Vended
from shared.transaction import after
from tests.sales import NOON, RECEIPT, rejected, vended

REFUSED = Rejected(Reason.AMOUNT_REFUSED, "HTTP 400 code 1001")


def contradicted(sale, outcome, by="reprint"):
    return after(sale, Answer(outcome), at=NOON, by=by, retry_seconds=60)


def test_the_paper_of_a_contradiction_never_changes():
    """Golden: by its id the same contradiction is found again, whichever version of the code comes upon it."""
    sale = contradicted(rejected(REFUSED), Vended(RECEIPT))
    (paper,) = discrepancies(sale)
    assert (paper.id, paper.mark) == ("simulated-220ed3cf3a78c6a7a3ac5c52bc4fa15a", "simulated-open")
    assert paper.body == {
        "id": "220ed3cf3a78c6a7a3ac5c52bc4fa15a",
        "day": "2026-05-01",
        "kind": "vended_after_rejection",
        "severity": "critical",
        "transactionId": sale.id,
        "ours": {
            "supplierId": "SIMULATED",
            "requestId": sale.request_id,
            "supplierTransactionId": None,
            "state": "rejected",
            "vasType": "utility",
            "amountCents": 10_000,
            "recipient": "*8901",
            "day": "2026-05-01",
        },
        "theirs": {"source": "reprint", "said": RECEIPT.supplier_transaction_id},
        "status": "open",
        "closure": None,
    }


def test_a_vended_sale_names_its_own_supplier_id_beside_what_was_said():
    (paper,) = discrepancies(contradicted(vended(), REFUSED, by="supplier"))
    assert paper.body["ours"]["supplierTransactionId"] == RECEIPT.supplier_transaction_id
    assert (paper.body["kind"], paper.body["theirs"]) == ("state_differs", {"source": "supplier", "said": "HTTP 400 code 1001"})


@pytest.mark.parametrize("by", ["supplier", "reprint", "thandi@wallet.example"])
def test_each_contradiction_is_a_paper_of_its_own_whoever_said_it(by):
    once = contradicted(vended(), REFUSED, by)
    twice = contradicted(once, Rejected(Reason.AMOUNT_REFUSED, "HTTP 400 code 1002"), by)
    first, second = discrepancies(twice)
    assert first.id == next(discrepancies(once)).id != second.id


def test_what_settlement_says_against_a_sale_has_its_paper_from_the_settlement():
    assert list(discrepancies(contradicted(rejected(REFUSED), Vended(RECEIPT), by="settlement"))) == []
    assert list(discrepancies(vended())) == []
