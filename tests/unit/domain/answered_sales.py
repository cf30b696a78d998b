"""Sales and answers, as the tests of transactions need them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.domain.clock import business_day
from shared.domain.identifiers import Caller
from shared.domain.money import Money
from shared.domain.outcome import Answer, RawAnswer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import State, Transaction, reindexed, transition
from shared.domain.vas import Mode, Order, VasType

NOON = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
TOKEN = StsToken(TokenKind.CREDIT, "00000000000012345678", Decimal("29.7"))
DELIVERED = Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.DELIVERED, tokens=(TOKEN,)))
PENDING = Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING))
OTHER = Vended(Receipt(supplier_transaction_id="s-2", tokens_due=TokensDue.DELIVERED, tokens=(TOKEN,)))
REFUSED = Rejected(Reason.AMOUNT_REFUSED, "1001")
LOST = Unknown("ReadTimeout")
SIGN = Unknown("2xx without a transaction id", sign_of_vend=True)
RAW = RawAnswer.of("vend", NOON, 200, "application/json", b"{}")


def sale(*answers):
    fresh = Transaction(
        id="00aa" * 8,
        version=1,
        mode=Mode.LIVE,
        caller=Caller("i", "s"),
        idempotency_key="k",
        fingerprint="f",
        order=Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="p", meter_number="12345678901"),
        request_id="r",
        supplier_prevend_id="v",
        state=State.VENDING,
        created_at=NOON,
        updated_at=NOON,
        day=business_day(NOON),
        send_by=NOON + timedelta(seconds=10),
        lease_until=NOON + timedelta(seconds=240),
    )
    known = reindexed(fresh, fresh.lease_until)
    for outcome in answers:
        known = learned(known, outcome)
    return known


def learned(known, outcome, by="supplier"):
    return transition(known, Answer(outcome, RAW), at=LATER, by=by, retry_seconds=60)


def body(number, *, status=200, source="reprint", says=b"00001111222233334444"):
    return RawAnswer.of(source, LATER, status, "application/json", b'{"at":%d,"token":"%s"}' % (number, says))


def said(known, outcome, raw, by="reprint"):
    return transition(known, Answer(outcome, raw), at=LATER, by=by, retry_seconds=60)
