"""Sales in every state, as the core leaves them: for tests of what is shown, published and stored."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec import structs

from shared.domain.clock import business_day
from shared.domain.identifiers import Caller, transaction_id
from shared.domain.money import Money
from shared.domain.outcome import Answer, Charge, Consumer, MeterDetails, Outcome, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import State, Transaction, reindexed, transition
from shared.domain.vas import Mode, Order, VasType

NOON = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)  # in Johannesburg
CALLER = Caller("local", "local")
METER = "12345678901"
ORDER = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="electricity", meter_number=METER, reference="basket 7")
TOKEN = "00000000000012345678"
KEY_CHANGE = "00000000000087654321"
RECEIPT = Receipt(
    supplier_transaction_id="6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10",
    tokens_due=TokensDue.DELIVERED,
    receipt_number="RCP0001",
    reference="REF0001",
    tokens=(StsToken(TokenKind.KEY_CHANGE, KEY_CHANGE), StsToken(TokenKind.CREDIT, TOKEN, Decimal("29.70"))),
    units=Decimal("29.70"),
    unit_type="kWh",
    consumer=Consumer("Jane Doe", "12 Main Road", "Arrears are due"),
    meter=MeterDetails("000001", "2", "01", "02", "07"),
    charges=(Charge("service", Money(550)), Charge(None, None)),
    instructions="Type the tokens in order.",
)
PINNED_ORDER = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="airtime-pin", pinned=True)
PINNED_RECEIPT = Receipt(supplier_transaction_id="s-2", tokens_due=TokensDue.DELIVERED, pin="12345678901234", serial_number="sn-99887766")


def vending(
    key: str = "key-1", *, at: datetime = NOON, order: Order = ORDER, caller: Caller = CALLER, fingerprint: str = "f"
) -> Transaction:
    """A simulated sale that has just been claimed."""
    sale = Transaction(
        id=transaction_id(Mode.SIMULATED, caller, key),
        version=1,
        mode=Mode.SIMULATED,
        caller=caller,
        idempotency_key=key,
        fingerprint=fingerprint,
        order=order,
        request_id="0f2b7c1a-93a5-4f6b-8b4a-7f6f1f0c2d11",
        supplier_prevend_id=None,
        state=State.VENDING,
        created_at=at,
        updated_at=at,
        day=business_day(at),
        send_by=at + timedelta(seconds=10),
        lease_until=at + timedelta(seconds=240),
        nonce="n-1",
    )
    return reindexed(sale, sale.lease_until)


def ended(outcome: Outcome, sale: Transaction | None = None) -> Transaction:
    """The sale, a second later, with this outcome and its announcement made."""
    sale = sale or vending()
    known = transition(sale, Answer(outcome), at=sale.created_at + timedelta(seconds=1), by="supplier", retry_seconds=60)
    return structs.replace(known, unannounced=()) if known.unannounced else known


def vended(receipt: Receipt = RECEIPT, **claim: object) -> Transaction:
    return ended(Vended(receipt), vending(**claim))


def rejected(refusal: Rejected, **claim: object) -> Transaction:
    return ended(refusal, vending(**claim))


def in_doubt(**claim: object) -> Transaction:
    return ended(Unknown("ReadTimeout"), vending(**claim))
