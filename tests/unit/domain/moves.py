"""A sale, answers to move the sale, and receipts that differ in one field."""

from datetime import timedelta

from msgspec import structs

from shared.domain.outcome import Answer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import (
    EventName,
    announced,
    transition,
)
from tests.sales import NOON, TOKEN, vending

MINUTE = timedelta(minutes=1)
LATER = NOON + 5 * MINUTE
RETRY = 60
CREDIT = StsToken(TokenKind.CREDIT, TOKEN)
LOST, SIGN = Unknown("lost"), Unknown("2xx", sign_of_vend=True)
REFUSED = Rejected(Reason.METER_UNKNOWN, "1011")
DELIVERED = Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.DELIVERED, tokens=(CREDIT,)))
NAMELESS = Vended(structs.replace(DELIVERED.receipt, supplier_transaction_id=None))
BY_HAND = "ann@example.com"


def moved(sale, outcome, raw=None, *, at=LATER, by="reprint"):
    return transition(sale, Answer(outcome, raw), at=at, by=by, retry_seconds=RETRY)


def sale(*outcomes):
    """A sale after these answers, all of them announced."""
    known = vending()
    for outcome in outcomes:
        known = announced(moved(known, outcome, at=NOON + MINUTE, by="supplier"), frozenset(EventName))
    return known
