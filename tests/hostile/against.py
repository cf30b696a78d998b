"""What plainly speaks against a sale, and what plainly does not, read without the product's own lists."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from shared.domain.vas import Order
from tests.hostile.answer import REQUEST_ID, members

SAYS_NO: Final = frozenset({"failed", "declined", "rejected", "binned", "reversed", "cancelled", "unsuccessful", "error"})
SAYS_NOT_YET: Final = frozenset({"pending", "processing", "in progress", "queued"})
STATUSES: Final = ("status", "state", "result", "transactionStatus", "responseMessage")
NUMBERS: Final = ("meterNumber", "accountNumber", "mobileNumber")
SILENT: Final = frozenset(  # names under which nothing stands that says how a sale ended, or whose it is
    {
        *("transactionId", "timestamp", "additionalDetails", "tokens", "token", "value", "tokenValue", "pin", "type", "tokenType", "kind"),
        *("units", "kWh", "unitType", "fixedCosts", "amount", "productAmount", "convenienceFee", "onlineMeter", "reference", "simulated"),
        *("receiptNumber", "serialNumber", "expiryDate", "accountHolder", "instructions", "referenceNumber", "productName", "amountDue"),
        *("contentCreator", "productInstructions", "supplierGroupCode", "keyRevisionNumber", "tariffIndex", "tokenTechCode"),
        *("algorithmCode", "processor", "operator", "serviceProviderContact", "serviceProviderName", "vasCategoryIdentifier", "tenderPan"),
        *NUMBERS,
    }
)
DEBTS: Final = ("arrear", "debt", "recover", "aux")


def speaks_against(order: Order, said: Mapping[str, Any]) -> bool:
    """Whether no careful reader could take it for a sale of that order."""
    details = members(said.get("additionalDetails"))
    near = [(key, value) for holder in (said, details) for key, value in holder.items()]
    words = {value.strip().lower() for key, value in near if key in STATUSES and isinstance(value, str)}
    return (
        bool(words & (SAYS_NO | SAYS_NOT_YET))
        or any(key in ("success", "approved") and value is False for key, value in near)
        or any(key in ("fulcrumErrorCode", "errorCode") and _is_error(value) for key, value in near)
        or (isinstance(said.get("title"), str) and said["title"].strip() != "" and said.get("status") in (400, 422, 500))
        or any(key == "requestId" and _is_another_id(value) for key, value in near)
        or names_somebody_else(order, said)
    )


def names_somebody_else(order: Order, said: Mapping[str, Any]) -> bool:
    """Whether a number in full, under the name for the order's recipient, is another one."""
    own = "meterNumber" if order.meter_number else "accountNumber" if order.account_number else "mobileNumber"
    if order.recipient is None:
        return False
    named = (holder.get(own) for holder in (said, members(said.get("additionalDetails"))))
    whole = [text for text in named if isinstance(text, str) and re.fullmatch("[0-9]{5,}", text) and text.strip("0")]
    return any(text.lstrip("0")[-9:] != order.recipient.lstrip("0")[-9:] for text in whole)


def says_nothing_else(order: Order, said: Mapping[str, Any]) -> bool:
    """Whether there is nothing in it but goods, texts and our own numbers."""
    numbers = [value for name, value in _named(said) if name in NUMBERS]
    return all(name in SILENT for name, _ in _named(said)) and all(value in (None, order.recipient) for value in numbers)


def nothing_is_due(order: Order, said: Mapping[str, Any]) -> bool:
    """Whether it says that there is nothing to type: an online meter, or rows of debts, no units, and the amount all used up."""
    details = members(said.get("additionalDetails"))
    rows = details.get("fixedCosts")
    if details.get("onlineMeter") is True:
        return True
    debts = [row for row in map(members, rows if isinstance(rows, list) else []) if any(word in str(row).lower() for word in DEBTS)]
    units = [value for name, value in _named(said) if name in ("units", "kWh", "kwh")]
    return bool(debts) and not any(isinstance(value, int | Decimal) and value for value in units)


def whole_tokens(listed: object) -> int | None:
    """How many tokens there are, if every entry is made of twenty digits at a time; `None` where something else is in one."""
    count = 0
    for one in listed if isinstance(listed, list) else [listed]:
        texts = [one.get(key) for key in ("token", "value", "tokenValue", "pin")] if isinstance(one, dict) else [one]
        digits = {re.sub(r"[\s|,;/-]", "", text) for text in texts if isinstance(text, str)}
        tokens = {text for text in digits if re.fullmatch("(?:[0-9]{20})+", text)}
        if len(tokens) != 1:
            return None
        count += len(tokens.pop()) // 20
    return count


def _named(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)


def _is_error(value: object) -> bool:
    """A number that is not nought, or what looks like a code."""
    if isinstance(value, str):
        return re.fullmatch("[A-Z]*-?0*[1-9][0-9]*", value.strip(), re.ASCII) is not None
    return isinstance(value, int | Decimal) and value != 0


def _is_another_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[1-9a-f][0-9a-f-]{7,}", value) is not None and value != REQUEST_ID
