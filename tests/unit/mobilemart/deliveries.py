"""Orders, and the receipts of what the supplier delivered for them."""

from decimal import Decimal

from shared.domain.money import Money
from shared.domain.outcome import Receipt, TokensDue
from shared.domain.sts_tokens import TokenKind
from shared.domain.vas import Order, VasType
from shared.mobilemart.receipts import read_receipt

MAX_CHARGES = MAX_TOKENS = 20

ELECTRICITY = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="ELEC", meter_number="12345678901")
BILL = Order(vas_type=VasType.BILL_PAYMENT, amount=Money(45_050), merchant_product_id="BILL", account_number="135609708")
VOUCHER = Order(vas_type=VasType.VOUCHER, amount=Money(5_000), merchant_product_id="VOUCHER")

FIRST, SECOND, THIRD = "00000000000011110001", "00000000000022220002", "00000000000033330003"


def receipt(order: Order, details: object = None, **sold: object) -> Receipt:
    read = read_receipt({"transactionId": "T-1", "additionalDetails": details} | sold, order)
    assert read is not None
    return read


def tokens(said: object, **details: object) -> tuple[TokensDue, list[tuple[TokenKind, str, Decimal | None]]]:
    read = receipt(ELECTRICITY, {"tokens": said} | details)
    return read.tokens_due, [(token.kind, token.number, token.units) for token in read.tokens]
