"""What the supplier's answers mean. Whatever comes, one of the outcomes leaves; nothing here raises. Pure.

The codes and statuses that decide are in `error_codes.py`; what was delivered is read by `receipts.py`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from shared.catalogue import Product
from shared.identifiers import same_supplier_id
from shared.mobilemart.error_codes import CODES, FLOAT_EXHAUSTED, NEVER_EVIDENCE, TRANSACTION_DOES_NOT_EXIST, Meaning, meaning
from shared.mobilemart.fields import exact, given_id, json_value, members, rand, text
from shared.mobilemart.receipts import amount_said, read_consumer, read_receipt, recipients_said
from shared.money import Money
from shared.outcome import (
    NoAnswer,
    NoSuchTransaction,
    Outcome,
    Prevended,
    Reason,
    Receipt,
    Rejected,
    Reprinted,
    Unknown,
    Vended,
)
from shared.value import Value
from shared.vas import Mode, Order, VasType, msisdn

SAYS_SIMULATED: Final = "the answer is marked as simulated"
BUSY_SECONDS: Final = 60  # the wait after a 429 that names none
LONGEST_WAIT_SECONDS: Final = 3600

_JSON_TYPE: Final = re.compile(r"application/(?:[a-z0-9.-]+\+)?json", re.ASCII)
_RETRY_IN: Final = re.compile(r"retry in ([0-9]{1,4}) (second|minute)", re.ASCII | re.IGNORECASE)
_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"', re.ASCII)
_NO_ERROR: Final = (None, 0, "0", "", False)


class NoReply(Value, frozen=True):
    """No answer began. `never_sent`: proven that the request did not leave us, so nothing can have come of it."""

    cause: str
    never_sent: bool = False


class Reply(Value, frozen=True):
    """An answer as it came. `fault` says why its body is not whole or not readable; then `json` is `None`.

    Bodies hold tokens and personal data: never in `repr`, never logged.
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
    code: int | None = None  # the supplier's own error code, where it says one

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes, fault: str | None = None) -> "Reply":
        """The answer of that status, headers (names in lower case, or a mapping that ignores case) and body."""
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
        """Any 2xx: on a vend, a sign that it was made."""
        return 200 <= self.status < 300

    @property
    def meaning(self) -> Meaning | None:
        """Its line in the table of codes and statuses."""
        return meaning(self.status, self.code)

    @property
    def is_unauthenticated(self) -> bool:
        """Refused for its access token, before anything was done."""
        return self.meaning is not None and self.meaning.not_taken

    @property
    def delivered(self) -> Mapping[str, object]:
        """The members of a 2xx that is a JSON object and says no error; none otherwise."""
        said = members(self.json)
        has_error = any(said.get(key) not in _NO_ERROR for key in ("fulcrumErrorCode", "errorCode"))
        return said if self.is_success and not has_error else {}

    @property
    def description(self) -> str:
        """For our records: what kind of answer it was, in words of ours."""
        known = f" {self.meaning.name}" if self.meaning is not None else ""
        code = f" code {self.code}" if self.code is not None and -1_000_000 < self.code < 1_000_000 else ""
        body = self.fault or ("" if self.json is not None else "no JSON")
        return f"HTTP {self.status}{code}{known}{f', {body}' if body else ''}"

    @property
    def wait_seconds(self) -> int:
        """How long a 429 asks us to wait: by its header, else by its text, else a minute."""
        if self.retry_after is not None and re.fullmatch(r"[0-9]{1,6}", self.retry_after.strip(), re.ASCII):
            return max(1, min(int(self.retry_after), LONGEST_WAIT_SECONDS))
        if found := _RETRY_IN.search(text(members(self.json).get("detail")) or ""):
            seconds = int(found[1]) * (60 if found[2].lower() == "minute" else 1)
            return max(1, min(seconds, LONGEST_WAIT_SECONDS))
        return BUSY_SECONDS


Heard = Reply | NoReply


def read_vend(heard: Heard, order: Order, mode: Mode) -> Outcome:
    """What became of a vend. `Unknown` unless the answer proves more."""
    if isinstance(heard, NoReply):
        return Rejected(Reason.TEMPORARILY_UNAVAILABLE, heard.cause, not_taken=True) if heard.never_sent else Unknown(heard.cause)
    if is_foreign(heard, mode):
        return Unknown(SAYS_SIMULATED, sign_of_vend=heard.is_success)
    known = None if heard.status in NEVER_EVIDENCE else heard.meaning
    if known is not None and (reason := known.reason(order.vas_type)) is not None:
        return refused(heard, reason)
    if (receipt := read_receipt(heard.delivered, order)) is not None:
        return Vended(receipt)
    return Unknown(heard.description, sign_of_vend=heard.is_success)


def read_prevend(heard: Heard, order: Order, mode: Mode) -> Prevended | Rejected:
    """What a prevend confirmed. No money moves, so whatever else comes is a refusal."""
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
    is_refusal = reply.status == 400 or (400 <= reply.status < 500 and reply.code is not None)
    return refused(reply, Reason.PREVEND_REFUSED if is_refusal else Reason.TEMPORARILY_UNAVAILABLE)


def read_reprint(heard: Heard, order: Order, mode: Mode, asked_for: str | None = None) -> Reprinted:
    """What a reprint says of `order`, asked by our request id, or by the supplier's id `asked_for`.

    A sale that differs from it is no proof. Under our own request id it is a sign of a vend all the same.
    """
    reply = usable(heard, mode)
    if isinstance(reply, Rejected):
        return NoAnswer(reply.cause)
    if reply.meaning is CODES[TRANSACTION_DOES_NOT_EXIST]:
        return NoSuchTransaction()
    receipt = read_receipt(reply.delivered, order)
    if receipt is None:
        return NoAnswer(reply.description)
    mismatch = _mismatch(receipt, reply.delivered, order, asked_for)
    if mismatch is None:
        return Vended(receipt)
    return Unknown(mismatch, sign_of_vend=True) if asked_for is None else NoAnswer(mismatch)


def read_products(heard: Heard, vas_type: VasType, mode: Mode) -> tuple[Product, ...] | Rejected:
    """The rows of a product list that can be sold, in its order. A row without an id or a name is left out."""
    reply = usable(heard, mode)
    if isinstance(reply, Rejected):
        return reply
    rows = _rows(reply.json) if reply.is_success else None
    if rows is None:
        return refused(reply, reply.meaning.prevend_reason(vas_type) if reply.meaning is not None else Reason.TEMPORARILY_UNAVAILABLE)
    products = (product for row in rows if (product := _product(vas_type, members(row))) is not None)
    return tuple({product.merchant_product_id: product for product in products}.values())


def usable(heard: Heard, mode: Mode) -> Reply | Rejected:
    """The answer to a question that moves no money, or why there is none to read."""
    if isinstance(heard, NoReply):
        return Rejected(Reason.TEMPORARILY_UNAVAILABLE, heard.cause)
    if is_foreign(heard, mode):
        return Rejected(Reason.TEMPORARILY_UNAVAILABLE, SAYS_SIMULATED)
    return heard


def is_foreign(reply: Reply, mode: Mode) -> bool:
    """A live answer that our own simulator has marked: somebody has pointed us at the wrong switch."""
    return mode is Mode.LIVE and reply.says_simulated


def refused(reply: Reply, reason: Reason) -> Rejected:
    """Rejected by that answer, with all that it says of what to do next."""
    return Rejected(
        reason,
        reply.description,
        not_taken=reply.is_unauthenticated,
        float_exhausted=reply.meaning is CODES[FLOAT_EXHAUSTED],
        retry_after_seconds=reply.wait_seconds if reason is Reason.SUPPLIER_BUSY else None,
    )


def _mismatch(receipt: Receipt, said: Mapping[str, object], order: Order, asked_for: str | None) -> str | None:
    if asked_for is not None and not same_supplier_id(receipt.supplier_transaction_id, asked_for):
        return "another sale: its id differs"
    if (amount := amount_said(said)) != order.amount:
        return "no amount said" if amount is None else "another sale: its amount differs"
    if order.recipient is not None and any(not _same_recipient(named, order) for named in recipients_said(said)):
        return "another sale: its recipient differs"
    return None


def _same_recipient(named: str, order: Order) -> bool:
    return named == order.recipient or (order.mobile_number is not None and msisdn(named) == order.mobile_number)


def _rows(value: object) -> Sequence[object] | None:
    """A bare array, as documented, or one under a name, as integrations have tolerated."""
    if isinstance(value, list):
        return value
    named = (members(value).get(key) for key in ("products", "data", "items"))
    return next((rows for rows in named if isinstance(rows, list)), None)


def _product(vas_type: VasType, row: Mapping[str, object]) -> Product | None:
    product_id = exact(row.get("merchantProductId"))
    name = text(row.get("productName")) or text(row.get("name"))
    fixed, amount = row.get("fixedAmount") is True, _price(row.get("amount"))
    if product_id is None or name is None or (fixed and amount is None):  # a fixed price that we cannot read cannot be kept
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
    """An amount above zero: a list writes 0, or null, where it means that there is none."""
    price = rand(value)
    return price if price is not None and price.cents > 0 else None
