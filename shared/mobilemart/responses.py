"""The meaning of the supplier's answers. Every answer becomes one of the outcomes; no function raises. Pure.

The codes and statuses that decide are in `error_codes.py`. `receipts.py` reads the delivery.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from shared.domain.catalogue import Product
from shared.domain.identifiers import same_supplier_id
from shared.domain.money import Money
from shared.domain.outcome import (
    NoAnswer,
    NoSuchTransaction,
    Outcome,
    Prevended,
    Reason,
    Receipt,
    Rejected,
    Reprinted,
    TokensDue,
    Unknown,
    Vended,
)
from shared.domain.policy import AmountCheck
from shared.domain.vas import Mode, Order, VasType
from shared.lib.value import Value
from shared.mobilemart.error_codes import CODES, FLOAT_EXHAUSTED, NEVER_EVIDENCE, TRANSACTION_DOES_NOT_EXIST, Meaning, meaning
from shared.mobilemart.json_fields import exact, given_id, json_value, members, rand, text
from shared.mobilemart.receipts import amount_said, other_amounts, read_consumer, read_receipt
from shared.mobilemart.status_words import Says, says_no_error
from shared.mobilemart.vend_checks import Doubt, Statement, statement_of

SAYS_SIMULATED: Final = "the answer is marked as simulated"
BUSY_SECONDS: Final = 60  # the wait after a 429 that names none
MAX_WAIT_SECONDS: Final = 3600

_JSON_TYPE: Final = re.compile(r"application/(?:[a-z0-9.-]+\+)?json", re.ASCII)
_RETRY_IN: Final = re.compile(r"retry in ([0-9]{1,4}) (second|minute)", re.ASCII | re.IGNORECASE)
_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"', re.ASCII)
_ACCEPTED: Final = 202  # accepted, and not completed yet (RFC 9110 section 15.3.3)
_NOT_ABOUT_A_SALE: Final = frozenset({Doubt.PROBLEM, Doubt.ERROR})


class NoReply(Value, frozen=True):
    """No answer began. `never_sent`: proven that the request did not leave us, and so had no effect."""

    cause: str
    never_sent: bool = False


class Reply(Value, frozen=True):
    """An answer as it arrived. `fault` names why its body is not whole or not readable; `json` is then `None`.

    Bodies hold tokens and personal data: they never show in `repr` and are never logged.
    """

    _hidden = frozenset({"body", "json"})

    status: int
    content_type: str | None = None
    body: bytes = b""
    json: object = None
    fault: str | None = None
    retry_after: str | None = None
    etag: str | None = None
    says_simulated: bool = False
    code: int | None = None  # the supplier's own error code, if there is one

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes, fault: str | None = None) -> "Reply":
        """Build the answer from its status, headers and body. Header names are lower case, or the mapping ignores case."""
        content_type = headers.get("content-type")
        if fault is None and headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            fault = "an encoding that was not asked for"
        is_json = _JSON_TYPE.fullmatch((content_type or "").partition(";")[0].strip().lower()) is not None
        value = json_value(body) if is_json and fault is None else None
        said = members(value)
        code = said.get("fulcrumErrorCode")
        etag = headers.get("etag", "")
        return cls(
            status=status,
            content_type=content_type,
            body=body,
            json=value,
            fault=fault,
            retry_after=headers.get("retry-after"),
            etag=etag if _ETAG.fullmatch(etag) else None,
            says_simulated=headers.get("x-simulated", "").strip().lower() == "true" or said.get("simulated") is True,
            code=code if type(code) is int and code != 0 else None,
        )

    @property
    def is_success(self) -> bool:
        """Any 2xx: on a vend, an indication of a vend."""
        return 200 <= self.status < 300

    @property
    def meaning(self) -> Meaning | None:
        """The answer's line in the table of codes and statuses."""
        return meaning(self.status, self.code)

    @property
    def is_unauthenticated(self) -> bool:
        """Refused for its access token, before the request was processed."""
        return self.meaning is not None and self.meaning.not_taken

    @property
    def delivered(self) -> Mapping[str, object]:
        """The members of a 2xx that is a JSON object and reports no error; none otherwise."""
        said = members(self.json)
        has_error = not all(says_no_error(said.get(key)) for key in ("fulcrumErrorCode", "errorCode"))
        return said if self.is_success and not has_error else {}

    @property
    def description(self) -> str:
        """The kind of answer, in our own words, for our records."""
        known = f" {self.meaning.name}" if self.meaning is not None else ""
        code = f" code {self.code}" if self.code is not None and -1_000_000 < self.code < 1_000_000 else ""
        body = self.fault or ("" if self.json is not None else "no JSON")
        return f"HTTP {self.status}{code}{known}{f', {body}' if body else ''}"

    @property
    def wait_seconds(self) -> int:
        """The wait that a 429 asks for: by its header, else by its text, else a minute."""
        if self.retry_after is not None and re.fullmatch(r"[0-9]{1,6}", self.retry_after.strip(), re.ASCII):
            return max(1, min(int(self.retry_after), MAX_WAIT_SECONDS))
        if found := _RETRY_IN.search(text(members(self.json).get("detail")) or ""):
            seconds = int(found[1]) * (60 if found[2].lower() == "minute" else 1)
            return max(1, min(seconds, MAX_WAIT_SECONDS))
        return BUSY_SECONDS


Heard = Reply | NoReply


class Concern(StrEnum):
    """Why an operator must see the answer to a vend."""

    DOES_NOT_MATCH = "does not match"
    AMOUNT_DIFFERS = "amount differs"
    STATUS_NOT_KNOWN = "status not known"


class VendRead(Value, frozen=True):
    """The outcome of a vend, why an operator must see its answer, and the reason in our own words."""

    outcome: Outcome
    concern: Concern | None = None
    why: str | None = None


def read_vend(
    heard: Heard, order: Order, mode: Mode, request_id: str | None = None, amount_check: AmountCheck = AmountCheck.ALERT
) -> VendRead:
    """Return the outcome of a vend requested under `request_id`, and its concern.

    The outcome is `Unknown` unless the answer proves more.
    A sale that its own answer contradicts is in doubt, with an indication of a vend.
    `amount_check` decides the effect of another amount.
    """
    if isinstance(heard, NoReply):
        never = Rejected(Reason.TEMPORARILY_UNAVAILABLE, heard.cause, not_taken=True)
        return VendRead(never if heard.never_sent else Unknown(heard.cause))
    if is_foreign(heard, mode):
        return VendRead(Unknown(SAYS_SIMULATED, sign_of_vend=heard.is_success))
    known = None if heard.status in NEVER_EVIDENCE else heard.meaning
    if known is not None and (reason := known.reason(order.vas_type)) is not None:
        return VendRead(refused(heard, reason))
    said = members(heard.json) if heard.is_success else {}
    if not said:
        return VendRead(Unknown(heard.description, sign_of_vend=heard.is_success))
    return _read_sale(heard, said, order, request_id, amount_check)


def _read_sale(reply: Reply, said: Mapping[str, object], order: Order, request_id: str | None, amount_check: AmountCheck) -> VendRead:
    """The outcome of a 2xx with members: a sale, unless its answer contradicts it."""
    receipt, statement = read_receipt(said, order), statement_of(said, order, request_id, reply.content_type)
    doubt = _doubt(reply, receipt, statement)
    if doubt is not None or receipt is None:
        cause = reply.description if doubt is None else f"{reply.description}, but {doubt}"
        return VendRead(Unknown(cause, sign_of_vend=True), None if doubt is None else Concern.DOES_NOT_MATCH, doubt)
    if others := other_amounts(said, order.amount):
        how = _amount_written(others[0], order.amount)
        if amount_check is AmountCheck.DOUBT:
            return VendRead(Unknown(f"{reply.description}, but {Doubt.AMOUNT}", sign_of_vend=True), Concern.AMOUNT_DIFFERS, how)
        return VendRead(Vended(receipt), Concern.AMOUNT_DIFFERS, how)
    if statement.status is Says.UNKNOWN:
        return VendRead(Vended(receipt), Concern.STATUS_NOT_KNOWN)
    return VendRead(Vended(receipt))


def read_prevend(heard: Heard, order: Order, mode: Mode) -> Prevended | Rejected:
    """Return the terms that a prevend confirmed. No money moves, so every other answer is a refusal."""
    reply = usable(heard, mode)
    if isinstance(reply, Rejected):
        return reply
    said = reply.delivered
    prevend_id = given_id(said.get("transactionId")) or given_id(said.get("prevendTransactionId"))
    if prevend_id is not None:
        return Prevended(
            supplier_prevend_id=prevend_id,
            minimum_amount=rand(said.get("minimumPurchaseAmount")),
            amount_due=rand(said.get("amountDue")),
            consumer=read_consumer(said),
        )
    if reply.meaning is not None:
        return refused(reply, reply.meaning.prevend_reason(order.vas_type))
    is_refusal = 400 <= reply.status < 500 and (reply.status == 400 or reply.code is not None)
    return refused(reply, Reason.PREVEND_REFUSED if is_refusal else Reason.TEMPORARILY_UNAVAILABLE)


def read_reprint(heard: Heard, order: Order, mode: Mode, asked_for: str | None = None, request_id: str | None = None) -> Reprinted:
    """Return the result of a reprint of `order`, requested by our `request_id` or by the supplier's id `asked_for`.

    A sale that differs, or whose status is no yes, is no proof. Under our own request id it indicates a vend.
    """
    reply = usable(heard, mode)
    if isinstance(reply, Rejected):
        return NoAnswer(reply.cause)
    if reply.meaning is CODES[TRANSACTION_DOES_NOT_EXIST]:
        return NoSuchTransaction()
    said = members(reply.json) if reply.is_success else {}
    if (receipt := read_receipt(said, order)) is None:
        return NoAnswer(reply.description)
    doubt = _doubt(reply, receipt, statement_of(said, order, request_id, reply.content_type))
    if doubt is None:
        doubt = _mismatch(receipt, said, order, asked_for)
    if doubt is None:
        return Vended(receipt)
    cause = f"{reply.description}, but {doubt}"
    return Unknown(cause, sign_of_vend=True) if asked_for is None and doubt not in _NOT_ABOUT_A_SALE else NoAnswer(cause)


def read_products(heard: Heard, vas_type: VasType, mode: Mode) -> tuple[Product, ...] | Rejected:
    """Return the rows of a product list that can be sold, in its order. A row without an id or a name is left out."""
    reply = usable(heard, mode)
    if isinstance(reply, Rejected):
        return reply
    rows = _rows(reply.json) if reply.is_success else None
    if rows is None:
        return refused(reply, reply.meaning.prevend_reason(vas_type) if reply.meaning is not None else Reason.TEMPORARILY_UNAVAILABLE)
    products = (product for row in rows if (product := _product(vas_type, members(row))) is not None)
    return tuple({product.merchant_product_id: product for product in products}.values())


def usable(heard: Heard, mode: Mode) -> Reply | Rejected:
    """Return the answer to a call that moves no money, or why none can be read."""
    if isinstance(heard, NoReply):
        return Rejected(Reason.TEMPORARILY_UNAVAILABLE, heard.cause)
    if is_foreign(heard, mode):
        return Rejected(Reason.TEMPORARILY_UNAVAILABLE, SAYS_SIMULATED)
    return heard


def is_foreign(reply: Reply, mode: Mode) -> bool:
    """Whether a live answer carries the mark of our own simulator: our configuration names the wrong switch."""
    return mode is Mode.LIVE and reply.says_simulated


def refused(reply: Reply, reason: Reason) -> Rejected:
    """The rejection by that answer, with the wait that it asks for."""
    return Rejected(
        reason,
        reply.description,
        not_taken=reply.is_unauthenticated,
        float_exhausted=reply.meaning is CODES[FLOAT_EXHAUSTED],
        retry_after_seconds=reply.wait_seconds if reason is Reason.SUPPLIER_BUSY else None,
    )


def _doubt(reply: Reply, receipt: Receipt | None, statement: Statement) -> Doubt | None:
    """Why a 2xx contradicts the sale that it names. A bare 202 does, unless it holds the goods."""
    has_goods = receipt is not None and (receipt.tokens_due is TokensDue.DELIVERED or bool(receipt.tokens))
    doubt = statement.doubt(has_goods=has_goods)
    return Doubt.NOT_YET if doubt is None and reply.status == _ACCEPTED and not has_goods else doubt


def _mismatch(receipt: Receipt, said: Mapping[str, object], order: Order, asked_for: str | None) -> Doubt | None:
    if asked_for is not None and not same_supplier_id(receipt.supplier_transaction_id, asked_for):
        return Doubt.SUPPLIER_ID
    if (amount := amount_said(said)) != order.amount:
        return Doubt.NO_AMOUNT if amount is None else Doubt.AMOUNT
    return None


def _amount_written(stated: Money | None, asked: Money) -> str:
    """How the answer writes the other amount, if it can be recognised."""
    if stated is None:
        return "not readable"
    return "in cents" if stated.cents == 100 * asked.cents else "less than asked" if stated < asked else "more than asked"


def _rows(value: object) -> Sequence[object] | None:
    """Return the rows: a bare array, as documented, or one under a name, as integrations have accepted."""
    if isinstance(value, list):
        return value
    named = (members(value).get(key) for key in ("products", "data", "items"))
    return next((rows for rows in named if isinstance(rows, list)), None)


def _product(vas_type: VasType, row: Mapping[str, object]) -> Product | None:
    product_id = exact(row.get("merchantProductId"))
    name = text(row.get("productName")) or text(row.get("name"))
    fixed, amount = row.get("fixedAmount") is True, _price(row.get("amount"))
    if product_id is None or name is None or (fixed and amount is None):  # a fixed price that cannot be read cannot be honoured
        return None
    return Product(
        vas_type=vas_type,
        merchant_product_id=product_id,
        name=name,
        content_creator=text(row.get("contentCreator")),
        pinned=row.get("pinned") is True,
        fixed_amount=fixed,
        amount=amount,
        minimum_amount=_price(row.get("minimumAmount")),
        maximum_amount=_price(row.get("maximumAmount")),
    )


def _price(value: object) -> Money | None:
    """Return an amount above zero. A list writes 0 or null for a missing price."""
    price = rand(value)
    return price if price is not None and price.cents > 0 else None
