"""The proof in the supplier's answers for each open question, and the change that follows. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from local.probe.structure import members_at, structure, token_paths
from local.terminal import safe_text
from shared.domain.catalogue import Product
from shared.domain.identifiers import same_supplier_id
from shared.domain.money import Money
from shared.domain.outcome import Outcome, Reason, Receipt, Rejected, Unknown, Vended
from shared.domain.vas import Order, VasType
from shared.mobilemart.charges import CHARGE_AMOUNT_KEYS, CHARGE_NAME_KEYS
from shared.mobilemart.error_codes import CODES, MERCHANT_ERROR, TRANSACTION_DOES_NOT_EXIST
from shared.mobilemart.receipts import KIND_KEYS, TOKEN_KEYS, UNIT_KEYS, amount_said, names_amount
from shared.mobilemart.requests import REPRINTED
from shared.mobilemart.responses import Heard, Reply

KEPT: Final = "as assumed"  # nothing to change
ALERT: Final = "keep MOBILEMART_AMOUNT_CHECK=alert"

MOBILE_NUMBER_INVALID: Final = 1013

_REQUIRED: Final = re.compile(r"(\w+) is required", re.ASCII)
_REPRINT_PARAMETERS: Final = frozenset({"requestid", "transactionid"})
_PREVEND_READ: Final = frozenset(  # or repeats the request
    {
        "transactionId",
        "prevendTransactionId",
        "minimumPurchaseAmount",
        "amountDue",
        "accountHolder",
        "accountNumber",
        "meterNumber",
        "timestamp",
    }
)
_TOKENS: Final = "additionalDetails.tokens[]"
_STATUS_KEYS: Final = ("status", "transactionStatus", "state", "success", "responseCode", "responseMessage")


@dataclass(frozen=True, slots=True)
class Finding:
    """The proof for a question, and the change that follows; `KEPT` if our assumption holds."""

    question: str
    proven: str
    change: str = KEPT


def of_refused_token(heard: Heard) -> Iterable[Finding]:
    """Read the answer to a bad access token."""
    if not isinstance(heard, Reply) or _is_busy(heard):
        return
    if heard.is_unauthenticated:
        yield Finding("access-token-refusal", safe_text(heard.description))
    elif 400 <= heard.status < 500:
        yield Finding("access-token-refusal", safe_text(heard.description), f"if it says nothing else, add {heard.status} to STATUSES")
    else:
        yield Finding(
            "access-token-refusal", f"no refusal: {safe_text(heard.description)}", "ask the supplier how an expired token is refused"
        )


def of_products(products: Sequence[Product], configured: str | None) -> Iterable[Finding]:
    """Read the list of electricity products."""
    rows = ", ".join(f"{safe_text(product.merchant_product_id)} {safe_text(product.name)}" for product in products[:5])
    listed = configured in {product.merchant_product_id for product in products}
    if configured is not None and products:
        change = KEPT if listed else "set MOBILEMART_UTILITY_PRODUCT_ID to one of them"
        yield Finding("product-id", f"{safe_text(configured)} is {'still' if listed else 'NOT'} in the list of {rows}", change)
    if len(products) == 1:
        yield Finding("electricity-product", "the list has one row")
    elif products:
        yield Finding(
            "electricity-product", f"{len(products)} rows: {rows}", KEPT if listed else "set MOBILEMART_UTILITY_PRODUCT_ID to one of them"
        )


def of_bare_reprint(heard: Heard) -> Iterable[Finding]:
    """Read a reprint that was requested without any parameter: the refusal names the parameters."""
    if not isinstance(heard, Reply):
        return
    detail = members_at(heard.json).get("detail")
    wanted = _REQUIRED.findall(detail) if isinstance(detail, str) else []
    if wanted:
        known = {name.lower() for name in wanted} <= _REPRINT_PARAMETERS
        change = KEPT if known else f"send {', '.join(map(safe_text, wanted))} in reprint_call"
        yield Finding("reprint-parameters", f"it wants {', '.join(map(safe_text, wanted))}", change)


def of_absent_reprints(by_request: Heard, by_transaction: Heard) -> Iterable[Finding]:
    """Read reprints of ids that never existed. A request that the switch calls invalid proves nothing about a sale."""
    replies = [heard for heard in (by_request, by_transaction) if isinstance(heard, Reply) and heard.code not in (None, MERCHANT_ERROR)]
    if not replies:
        return
    told = ", ".join(dict.fromkeys(safe_text(reply.description) for reply in replies))
    if all(reply.meaning is CODES[TRANSACTION_DOES_NOT_EXIST] for reply in replies):
        yield Finding("reprint-absence", told)
    else:
        yield Finding("reprint-absence", told, "only on the supplier's word that it means no more: TRANSACTION_DOES_NOT_EXIST")


def of_reprint_services(heard: Mapping[VasType, Heard]) -> Iterable[Finding]:
    """Read a reprint of nothing, requested for every service. A service with an error of the switch's own has reprints."""
    replies = {
        vas_type: one for vas_type, one in heard.items() if isinstance(one, Reply) and not _is_busy(one) and not one.is_unauthenticated
    }
    if replies.keys() != heard.keys():
        return
    there = {vas_type for vas_type, one in replies.items() if one.code is not None}
    more, fewer = sorted(there - REPRINTED), sorted(REPRINTED - there)
    change = "; ".join([*(f"add {one} to REPRINTED" for one in more), *(f"take {one} out of REPRINTED" for one in fewer)])
    yield Finding("reprint-services", ", ".join(sorted(there)) or "none", change or KEPT)


def of_prevend(reply: Reply, order: Order) -> Iterable[Finding]:
    """Read a confirmed prevend."""
    fields = structure(reply.delivered)
    unread = [path for path in fields if path not in _PREVEND_READ and not path.startswith("consumerDetails")]
    change = f"if {', '.join(unread)} is a maximum or arrears, read it in read_prevend" if unread else KEPT
    yield Finding("prevend-fields", ", ".join(fields), change)
    if order.vas_type is VasType.BILL_PAYMENT:
        yield Finding("bill-amount", "it is taken")


def of_unknown_meter(heard: Heard) -> Iterable[Finding]:
    """Read a prevend for a meter that should not exist. A confirmation leaves the question open."""
    if isinstance(heard, Reply) and not heard.delivered and heard.code is not None:
        reason = heard.meaning.prevend_reason(VasType.UTILITY) if heard.meaning is not None else None
        change = KEPT if reason is Reason.METER_UNKNOWN else f"let code {heard.code} mean RECIPIENT_REFUSED in CODES"
        yield Finding("meter-unknown", safe_text(heard.description), change)


def of_vend(reply: Reply, order: Order) -> Iterable[Finding]:
    """Read a sale's answer: the place of each value."""
    details = members_at(reply.delivered, "additionalDetails")
    yield from _of_finality(reply)
    if order.vas_type is VasType.UTILITY:
        yield from _of_tokens(reply.delivered)
        yield from _of_units(reply.delivered)
        yield from _of_charges(details)
    if reply.delivered:
        yield from _of_amount(reply.delivered, order.amount)
    if order.mobile_number is not None and reply.delivered:
        yield Finding("mobile-number-form", "the one that was sent is taken")
    elif order.mobile_number is not None and reply.meaning is CODES[MOBILE_NUMBER_INVALID]:
        change = "the other form, in mobile_form; unless the supplier has not enabled this number for this product"
        yield Finding("mobile-number-form", "the one that was sent is refused", change)


def of_aged_prevend(outcome: Outcome, age_seconds: int, valid_seconds: int) -> Iterable[Finding]:
    """Read a sale whose prevend had that age."""
    match outcome:
        case Vended() if age_seconds >= valid_seconds:
            yield Finding("prevend-validity", f"at least {age_seconds} s", f"PREVEND_VALID_SECONDS may be {age_seconds}")
        case Vended():
            yield Finding(
                "prevend-validity", f"at least {age_seconds} s; we allow {valid_seconds}: --prevend-age {valid_seconds} tells more", KEPT
            )
        case Rejected(cause=cause) | Unknown(cause=cause):
            yield Finding(
                "prevend-validity",
                f"after {age_seconds} s: {safe_text(cause)}",
                f"if that is for its age, PREVEND_VALID_SECONDS below {age_seconds}",
            )
        case _:
            assert_never(outcome)


def of_reprints(by_request: Receipt | None, by_transaction: Receipt | None, both_asked: bool) -> Iterable[Finding]:
    """Read reprints by our request id and, if it was known, by the switch's own id; `None` is one without the sale."""
    if by_request is not None:
        by_both = " and by its transactionId" if by_transaction is not None else ""
        yield Finding("reprint-lookup", f"by our request id{by_both}", f"{KEPT}: MOBILEMART_REPRINT_BY=request_id")
    elif by_transaction is not None:
        change = "MOBILEMART_REPRINT_BY=transaction_id: due tokens are found, and doubts are ended by settlement files"
        yield Finding("reprint-lookup", "by the switch's transactionId only", change)
    elif both_asked:
        change = "perhaps it is only late: --reprint REQUEST_ID tomorrow. If it stays so, MOBILEMART_REPRINT_BY=none"
        yield Finding("reprint-lookup", "by neither id", change)


def of_reprinted_goods(again: Receipt, sold: Receipt) -> Iterable[Finding]:
    """Read the goods of a reprint, beside those of the sale. If neither shows any, we may be unable to read both."""
    shown, first = (bool(receipt.tokens) or receipt.pin is not None for receipt in (again, sold))
    if shown and first and (again.tokens, again.pin) == (sold.tokens, sold.pin):
        yield Finding("reprint-tokens", "the same tokens or PIN, in their order")
    elif shown and first:
        yield Finding("reprint-tokens", "OTHER ones than were sold", "compare the saved answers, and ask the supplier which are good")
    elif shown:
        yield Finding("reprint-tokens", "what the sale's own answer did not")
    elif first:
        change = "if they are not in the saved answer either, a token that is due comes by a person: POST /transactions/ID/resolution"
        yield Finding("reprint-tokens", "the sale without any that we can read", change)


def of_repeat(first: Outcome, again: Outcome, heard: Heard) -> Iterable[Finding]:
    """Read the same request, sent twice under its request id. Our functions never do that, whatever the answer."""
    match again:
        case Rejected(cause=cause):
            proven = f"refused: {safe_text(cause)}"
        case Vended(now) if isinstance(first, Vended):
            is_first = same_supplier_id(first.receipt.supplier_transaction_id, now.supplier_transaction_id)
            proven = "the first answer again, nothing sold" if is_first else "SOLD AGAIN, under another transactionId"
        case Vended() | Unknown():
            if not isinstance(heard, Reply) or heard.code is None:
                return
            proven = f"refused: {safe_text(heard.description)}; 1003 may say that of the used prevend: try a voucher"
        case _:
            assert_never(again)
    yield Finding("repeated-request-id", proven, "nothing: no request that may have been taken is sent twice")


def _is_busy(reply: Reply) -> bool:
    """Whether the answer only states that the switch cannot answer now."""
    return reply.status == 429 or reply.status >= 500


def _of_finality(reply: Reply) -> Iterable[Finding]:
    """Read a 2xx with an id: whether the answer itself states that the sale is complete."""
    if not reply.is_success or members_at(reply.json).get("transactionId") is None:
        return
    body, details = members_at(reply.json), members_at(reply.json, "additionalDetails")
    words = [f"{name} {safe_text(value)}" for one in (body, details) for name in _STATUS_KEYS if (value := one.get(name)) is not None]
    if not words and reply.status == 200:
        yield Finding("answer-final", "HTTP 200, and no word about a status")
    else:
        change = "ask the supplier which words are final; a word that says no or not yet must leave the sale in doubt: read_vend"
        yield Finding("answer-final", f"HTTP {reply.status}, {', '.join(words) or 'no word about a status'}", change)


def _of_tokens(said_of_sale: Mapping[str, object]) -> Iterable[Finding]:
    paths = token_paths(said_of_sale)
    inside = sorted({path.removeprefix(f"{_TOKENS}.") for path in paths if path.startswith(f"{_TOKENS}.")})
    if f"{_TOKENS}" in paths:
        yield Finding("token-keys", "bare texts, without a key or a kind")
    elif inside:
        unread = [name for name in inside if name not in TOKEN_KEYS]
        kinds = [name for name in KIND_KEYS if f"{_TOKENS}.{name}" in structure(said_of_sale)]
        change = f"add {', '.join(unread)} to TOKEN_KEYS" if unread else KEPT
        yield Finding("token-keys", f"digits under {', '.join(inside)}; kind under {', '.join(kinds) or 'none that we know'}", change)
    elif paths:
        yield Finding("token-keys", f"20 digits stand at {', '.join(paths)}", "if that is the token, read it from there: read_tokens")


def _of_units(said_of_sale: Mapping[str, object]) -> Iterable[Finding]:
    paths = [path for path in structure(said_of_sale) if re.search(r"unit|kwh", path.rpartition(".")[2], re.IGNORECASE)]
    quantities = [path for path in paths if not path.lower().endswith("type")]
    if quantities:
        unread = sorted({name for path in quantities if (name := path.rpartition(".")[2]) not in UNIT_KEYS})
        known = any(path.rpartition(".")[2] in UNIT_KEYS for path in quantities)
        yield Finding("units-key", ", ".join(quantities), KEPT if known else f"add {', '.join(unread)} to UNIT_KEYS")


def _of_charges(details: Mapping[str, object]) -> Iterable[Finding]:
    costs = details.get("fixedCosts")
    if isinstance(costs, list) and costs:
        names = {name for item in costs for name in members_at(item)}
        known = names & set(CHARGE_NAME_KEYS) and names & set(CHARGE_AMOUNT_KEYS)
        keys = ", ".join(structure(costs))
        yield Finding("fixed-costs", keys, KEPT if known else "add its keys to CHARGE_NAME_KEYS and CHARGE_AMOUNT_KEYS")


def _of_amount(said_of_sale: Mapping[str, object], asked: Money) -> Iterable[Finding]:
    """Read the amount in a sale's answer, which decides the possible values of `MOBILEMART_AMOUNT_CHECK`."""
    stated = amount_said(said_of_sale)
    if stated == asked:
        yield Finding("amount-unit", "rand, as it was sent", "MOBILEMART_AMOUNT_CHECK=doubt: another amount is another sale")
    elif stated is not None and stated.cents == asked.cents * 100:
        change = f"{ALERT}, and divide by 100 in amount_said: until then no reprint matches its sale"
        yield Finding("amount-unit", "cents", change)
    elif stated is not None:
        change = f"{ALERT}; see the saved answer, then amount_said: until then no reprint matches its sale"
        yield Finding("amount-unit", "another amount than was asked for: with or without charges?", change)
    elif names_amount(said_of_sale):
        yield Finding("amount-unit", "an amount that cannot be read", f"{ALERT}; see the saved answer, then amount_said")
    else:
        yield Finding("amount-unit", "no amount at all", f"{ALERT}: there is nothing to compare")
