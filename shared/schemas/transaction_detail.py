"""The dossier of a sale: everything on record about the sale, as an operator sees it. Pure.

Numbers show four digits, names their first letters, tokens and PINs nothing. The supplier's raw answers show their structure and
harmless values. Who must read an answer whole, or a token, is recorded first.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict

from shared.domain.outcome import RawAnswer
from shared.domain.policy import ConsumerDetails
from shared.domain.sts_tokens import TOKEN_DIGITS
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import HistoryEntry, State, Transaction
from shared.domain.unread import Unread
from shared.domain.vas import VasType
from shared.lib import logs
from shared.lib.masking import last_four
from shared.lib.times import rfc3339
from shared.schemas.responses import (
    MeterBody,
    ReceiptBody,
    ReceiptConsumerBody,
    TransactionBody,
    UnreadBody,
    state_shown,
    transaction_body,
    unread_body,
)

HIDDEN: Final = "****"

_HARMLESS: Final = frozenset(  # fields of the supplier that hold no token and no person; runs of digits in them are hidden too
    {
        *("amount", "amountDue", "convenienceFee", "currency", "detail", "errorCode", "errorMessage", "fulcrumErrorCode", "kind"),
        *("minimumAmount", "onlineMeter", "prevendTransactionId", "productAmount", "productName", "requestId", "simulated", "status"),
        *("tenderType", "timestamp", "title", "tokenType", "traceId", "transactionId", "type", "unitType", "units"),
        *("vasCategoryIdentifier", "approved", "outcome", "responseCode", "result", "state", "success", "transactionStatus"),
    }
)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z_]{0,39}", re.ASCII)
_SAFE: Final = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # UUID
    r"|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"  # traceparent
    r"|\d{4}-\d{2}-\d{2}T[\d:.]{5,18}(?:Z|[+-]\d{2}:\d{2})?"
    r"|-?\d{1,7}(?:\.\d{1,4})?",  # an amount, a quantity, a code
    re.IGNORECASE | re.ASCII,
)
_RUN: Final = re.compile(r"\d(?:[\s-]?\d){3,}")
_MAX_TEXT_LENGTH: Final = 500
_MAX_DEPTH: Final = 8
_MAX_ITEMS: Final = 50


class HistoryBody(TypedDict):
    at: str
    what: str
    by: str
    note: str | None


class AnswerBody(TypedDict):
    """One raw answer. `text` is `null` where it is not JSON and has not been revealed."""

    source: str
    receivedAt: str
    status: int | None
    contentType: str | None
    sizeBytes: int
    sha256: str
    text: str | None


class CallerBody(TypedDict):
    issuer: str
    subject: str


class _Kept(TypedDict):
    requestId: str
    caller: CallerBody
    idempotencyKey: str
    day: str
    needsReview: bool
    signOfVend: bool
    attempts: int
    nextTryAt: str | None
    erasedAt: str | None
    history: list[HistoryBody]
    answers: list[AnswerBody]


class DossierBody(TransactionBody, _Kept):
    """A sale with all that is on record about it."""


class _KeptOfUnread(TypedDict):
    notReadable: Literal[True]
    unknown: list[str]
    requestId: str | None
    supplierTransactionId: str | None
    version: int | None
    day: str | None
    record: str | None


class UnreadDossierBody(UnreadBody, _KeptOfUnread):
    """A sale that the version that runs cannot read whole: what of it can be, with the structure of all that is on record.

    `unknown` names what cannot be read, or is not known here.
    """


class RetiredBody(TypedDict):
    """A sale that is kept no longer: what its tombstone says. Its key stays bound."""

    transactionId: str
    retired: Literal[True]
    retiredAt: str
    state: State
    vasType: VasType
    amountCents: int
    supplierId: str
    requestId: str
    supplierTransactionId: str | None
    day: str
    createdAt: str


class FoundBody(TypedDict):
    """The sales that a search found, newest first. `more`: there are others, older than these.

    `notReadable` and `retired` are there only where there are such sales.
    """

    transactions: list[DossierBody]
    notReadable: NotRequired[list[UnreadDossierBody]]
    retired: NotRequired[list[RetiredBody]]
    more: bool


def dossier_body(sale: Transaction, at: datetime, *, revealed: bool = False) -> DossierBody:
    """A sale, masked. `revealed`: with its tokens or PIN, and with the raw answers as received."""
    body = transaction_body(sale, state_shown(sale, at), ConsumerDetails.MASKED)
    recipients: Any = {name: last_four(body.get(name)) for name in ("meterNumber", "accountNumber", "mobileNumber") if name in body}
    return {
        **body,
        **recipients,
        "reference": _text(sale.order.reference),
        "receipt": body["receipt"] if body["receipt"] is None else _receipt(body["receipt"], revealed=revealed),
        "requestId": sale.request_id,
        "caller": {"issuer": sale.caller.issuer, "subject": logs.masked(sale.caller.subject)},
        "idempotencyKey": logs.masked(sale.idempotency_key),
        "day": sale.day.isoformat(),
        "needsReview": sale.review_announced,
        "signOfVend": sale.sign_of_vend,
        "attempts": sale.attempts,
        "nextTryAt": None if sale.open is None else rfc3339(sale.open.due_at),
        "erasedAt": None if sale.erased_at is None else rfc3339(sale.erased_at),
        "history": [_entry(entry) for entry in sale.history],
        "answers": [_answer(answer, revealed=revealed) for answer in sale.answers],
    }


def unread_dossier_body(sale: Unread) -> UnreadDossierBody:
    """A sale that cannot be read whole, masked."""
    body = unread_body(sale)
    recipients: Any = {name: last_four(body.get(name)) for name in ("meterNumber", "accountNumber", "mobileNumber") if name in body}
    return {
        **body,
        **recipients,
        "reference": _text(body["reference"]),
        "notReadable": True,
        "unknown": list(sale.unknown),
        "requestId": _text(sale.request_id),
        "supplierTransactionId": _text(sale.supplier_transaction_id),
        "version": sale.version,
        "day": None if sale.day is None else sale.day.isoformat(),
        "record": None if sale.record is None else _structure(sale.record),
    }


def retired_body(tombstone: Tombstone) -> RetiredBody:
    """A sale of which only its tombstone is left."""
    return {
        "transactionId": tombstone.id,
        "retired": True,
        "retiredAt": rfc3339(tombstone.retired_at),
        "state": tombstone.state,
        "vasType": tombstone.vas_type,
        "amountCents": tombstone.amount.cents,
        "supplierId": tombstone.supplier_id,
        "requestId": tombstone.request_id,
        "supplierTransactionId": _text(tombstone.supplier_transaction_id),
        "day": tombstone.day.isoformat(),
        "createdAt": rfc3339(tombstone.created_at),
    }


def found_body(sales: Sequence[Transaction | Unread | Tombstone], at: datetime, *, more: bool) -> FoundBody:
    body: FoundBody = {"transactions": [dossier_body(sale, at) for sale in sales if isinstance(sale, Transaction)], "more": more}
    if unread := [unread_dossier_body(sale) for sale in sales if isinstance(sale, Unread)]:
        body["notReadable"] = unread
    if retired := [retired_body(sale) for sale in sales if isinstance(sale, Tombstone)]:
        body["retired"] = retired
    return body


def redacted(raw: bytes) -> str | None:
    """The structure of a JSON answer, without values of worth or about a person; `None` if the answer is not JSON."""
    try:
        return _structure(json.loads(raw))
    except (ValueError, RecursionError):
        return None


def _receipt(receipt: ReceiptBody, *, revealed: bool) -> ReceiptBody:
    """A receipt as an operator sees it. The function names each visible field, so a new field is hidden until a line here shows it."""
    if revealed:
        return receipt
    return {
        "supplierTransactionId": receipt["supplierTransactionId"],
        "receiptNumber": _text(receipt["receiptNumber"]),
        "reference": _text(receipt["reference"]),
        "tokensDue": receipt["tokensDue"],
        "tokens": [{"kind": token["kind"], "number": "*" * TOKEN_DIGITS, "units": token["units"]} for token in receipt["tokens"]],
        "units": receipt["units"],
        "unitType": receipt["unitType"],
        "pin": None if receipt["pin"] is None else HIDDEN,
        "serialNumber": last_four(receipt["serialNumber"]),
        "expiryDate": receipt["expiryDate"],
        "consumer": None if receipt["consumer"] is None else _consumer(receipt["consumer"]),
        "meter": None if receipt["meter"] is None else _meter(receipt["meter"]),
        "charges": [{"description": charge["description"], "amountCents": charge["amountCents"]} for charge in receipt["charges"]],
        "instructions": None if receipt["instructions"] is None else _RUN.sub(HIDDEN, receipt["instructions"]),
    }


def _consumer(consumer: ReceiptConsumerBody) -> ReceiptConsumerBody:
    return {"name": consumer["name"], "address": consumer["address"], "message": consumer["message"]}


def _meter(meter: MeterBody) -> MeterBody:
    return {
        "supplierGroupCode": meter["supplierGroupCode"],
        "keyRevisionNumber": meter["keyRevisionNumber"],
        "tariffIndex": meter["tariffIndex"],
        "tokenTechnology": meter["tokenTechnology"],
        "algorithm": meter["algorithm"],
    }


def _entry(entry: HistoryEntry) -> HistoryBody:
    return {"at": rfc3339(entry.at), "what": entry.what, "by": entry.by, "note": _text(entry.note)}


def _answer(answer: RawAnswer, *, revealed: bool) -> AnswerBody:
    return {
        "source": answer.source,
        "receivedAt": rfc3339(answer.received_at),
        "status": answer.status,
        "contentType": answer.content_type,
        "sizeBytes": answer.size_bytes,
        "sha256": answer.sha256,
        "text": answer.body.decode(errors="replace") if revealed else redacted(answer.body),
    }


def _structure(said: object) -> str:
    return json.dumps(_without_values(said, 0), ensure_ascii=True, indent=1)


def _text(text: str | None) -> str | None:
    """A text of a caller or the supplier, which may hold anybody's number."""
    return None if text is None else logs.masked(text)


def _without_values(said: object, depth: int, *, shown: bool = False) -> object:
    match said:
        case dict() if depth < _MAX_DEPTH:
            items = list(said.items())[:_MAX_ITEMS]
            return {_key(name): _without_values(value, depth + 1, shown=name in _HARMLESS) for name, value in items}
        case list() if depth < _MAX_DEPTH:
            return [_without_values(value, depth + 1) for value in said[:_MAX_ITEMS]]
        case None | bool():
            return said
        case str() if shown:
            return said if _SAFE.fullmatch(said) else _RUN.sub(HIDDEN, said)[:_MAX_TEXT_LENGTH]
        case int() | float() if shown and _SAFE.fullmatch(str(said)):
            return said
        case _:
            return HIDDEN


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) else HIDDEN
