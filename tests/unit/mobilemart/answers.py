"""Orders, and answers of the supplier to them."""

import json

from shared.domain.money import Money
from shared.domain.outcome import Prevended, Rejected
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.responses import (
    Heard,
    Reply,
    read_prevend,
    read_vend,
)

ELECTRICITY = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="ELEC", meter_number="12345678901")
BILL = Order(vas_type=VasType.BILL_PAYMENT, amount=Money(45_050), merchant_product_id="BILL", account_number="135609708")
AIRTIME = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", mobile_number="27821234567")
AIRTIME_PIN = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIRPIN", pinned=True)
DATA = Order(vas_type=VasType.DATA, amount=Money(2_900), merchant_product_id="DATA", mobile_number="27821234567")
DATA_PIN = Order(vas_type=VasType.DATA, amount=Money(2_900), merchant_product_id="DATAPIN", pinned=True)
VOUCHER = Order(vas_type=VasType.VOUCHER, amount=Money(5_000), merchant_product_id="VOUCHER")
ORDERS = [ELECTRICITY, BILL, AIRTIME, AIRTIME_PIN, DATA, DATA_PIN, VOUCHER]
HTML = b"<!doctype html><title>Fulcrum</title><div id=root></div>"


def answer(status: int, value: object, content_type: str = "application/json", **headers: str) -> Reply:
    return Reply.of(status, {"content-type": content_type, **headers}, json.dumps(value).encode())


def problem(status: int, code: object, **more: object) -> Reply:
    """Build an error as the supplier writes it."""
    return answer(
        status,
        {"type": f"https://switch.example/error-codes#{code}", "status": status, "fulcrumErrorCode": code} | more,
        "application/problem+json; charset=utf-8",
    )


def html(status: int) -> Reply:
    return Reply.of(status, {"content-type": "text/html"}, HTML)


def vend(heard: Heard, order: Order = ELECTRICITY, mode: Mode = Mode.LIVE) -> object:
    return read_vend(heard, order, mode).outcome


def prevended(heard: Heard, order: Order = ELECTRICITY) -> Prevended | Rejected:
    return read_prevend(heard, order, Mode.LIVE)


SOLD = {"transactionId": "T-1", "additionalDetails": {"productAmount": "100.00", "tokens": ["00001111222233334444"]}}
