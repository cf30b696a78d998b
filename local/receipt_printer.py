"""The receipt of a sale as a till prints it: 40 columns, tokens in groups of four, in the order of typing."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.domain.money import Money
from shared.domain.sts_tokens import grouped

WIDTH: Final = 40
TITLES: Final = {
    "utility": "PREPAID ELECTRICITY",
    "bill-payment": "BILL PAYMENT",
    "airtime": "AIRTIME",
    "data": "DATA",
    "voucher": "VOUCHER",
}
TOKEN_TITLES: Final = {
    "key_change": "KEY CHANGE TOKEN",
    "free": "FREE UNITS TOKEN",
    "credit": "CREDIT TOKEN",
    "refund": "REFUND TOKEN",
    "other": "TOKEN",
}


def slip(sale: Mapping[str, Any]) -> str:
    """Return a vended sale, as the API answers it, as a printed receipt.

    Raises:
        ValueError: the sale has no receipt.
    """
    if sale["receipt"] is None:
        raise ValueError("only a vended sale has a slip")
    return "\n".join(_lines(sale, sale["receipt"])) + "\n"


def _lines(sale: Mapping[str, Any], receipt: Mapping[str, Any]) -> Iterator[str]:
    yield "=" * WIDTH
    if sale["simulated"]:
        yield "*** SIMULATED - NO VALUE ***".center(WIDTH).rstrip()
    yield TITLES[sale["vasType"]].center(WIDTH).rstrip()
    yield "=" * WIDTH
    for label, name in (("Meter", "meterNumber"), ("Account", "accountNumber"), ("Number", "mobileNumber")):
        if sale.get(name) is not None:
            yield _pair(label, sale[name])
    consumer = receipt["consumer"] or {}
    for label in ("name", "address"):
        if consumer.get(label):
            yield _pair(label.title(), consumer[label])
    yield _pair("Amount", str(Money(sale["amountCents"])))
    for charge in receipt["charges"]:
        amount = charge["amountCents"]
        yield _pair(charge["description"] or "Charge", "" if amount is None else str(Money(amount)))
    if receipt["units"] is not None:
        yield _pair("Units", f"{receipt['units']} {receipt['unitType'] or 'kWh'}")
    if receipt["receiptNumber"] is not None:
        yield _pair("Receipt", receipt["receiptNumber"])
    yield from _delivered(receipt)
    yield "-" * WIDTH
    for label, value in (("Date", sale["updatedAt"]), ("Sale", sale["transactionId"])):
        yield _pair(label, value)
    if receipt["instructions"]:
        yield from textwrap.wrap(receipt["instructions"], WIDTH)
    yield "=" * WIDTH


def _delivered(receipt: Mapping[str, Any]) -> Iterator[str]:
    for step, token in enumerate(receipt["tokens"], 1):
        yield "-" * WIDTH
        order = f"{step}. " if len(receipt["tokens"]) > 1 else ""
        yield f"{order}{TOKEN_TITLES[token['kind']]}".center(WIDTH).rstrip()
        yield grouped(token["number"]).center(WIDTH).rstrip()
    if receipt["pin"] is not None:
        yield "-" * WIDTH
        yield "PIN".center(WIDTH).rstrip()
        yield grouped(receipt["pin"]).center(WIDTH).rstrip()
    if receipt["tokensDue"] == "pending":
        yield "-" * WIDTH
        yield "TOKEN TO FOLLOW".center(WIDTH).rstrip()


def _pair(label: str, value: str) -> str:
    """Return a label and its value at the two edges of the receipt, cut to fit."""
    room = WIDTH - len(label) - 1
    return f"{label} {value[:room]:>{room}}"
