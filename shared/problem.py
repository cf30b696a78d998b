"""Problems: how every refusal reads to the caller (RFC 9457). One table; its texts are ours, never the supplier's."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.outcome import Reason, Rejected


class Retry(StrEnum):
    """What the caller may do next."""

    NEVER = "never"
    CHANGE = "change"  # not as it is: another request, under another key where the body names a state
    NEW_KEY = "new-key"  # the same request, under another key
    SAME_KEY = "same-key"  # the same request, under the same key


class Fault(StrEnum):
    """Refusals that are no outcome of a sale. The value is the problem's name; those of sales are in `outcome.Reason`."""

    BODY_INVALID = "body-invalid"
    DISCREPANCY_CLOSED = "discrepancy-closed"
    FORBIDDEN = "forbidden"
    IDEMPOTENCY_KEY_MALFORMED = "idempotency-key-malformed"
    IDEMPOTENCY_KEY_MISSING = "idempotency-key-missing"
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused"
    IDENTITY_UNAVAILABLE = "identity-unavailable"
    INTERNAL = "internal"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    NOT_FOUND = "not-found"
    NOT_JSON = "not-json"
    NOTHING_TO_DECIDE = "nothing-to-decide"
    OUTDATED = "outdated"
    PREVEND_UNKNOWN = "prevend-unknown"
    REQUEST_IN_PROGRESS = "request-in-progress"
    SETTLEMENT_FILES_UNAVAILABLE = "settlement-files-unavailable"
    SETTLEMENT_FILE_REFUSED = "settlement-file-refused"
    STORE_UNAVAILABLE = "store-unavailable"
    SUPPLIER_UNAVAILABLE = "supplier-unavailable"
    TOO_LARGE = "too-large"
    UNAUTHENTICATED = "unauthenticated"


Name = Fault | Reason


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table. `retry_after_seconds` is what is advised where nobody said more."""

    status: int
    retry: Retry
    title: str
    detail: str
    retry_after_seconds: int | None = None


KINDS: Final[Mapping[Name, Kind]] = MappingProxyType(
    {
        Reason.ACCOUNT_REFUSED: Kind(422, Retry.CHANGE, "Account refused", "This account or number cannot receive this product."),
        Reason.AMOUNT_ABOVE_MAXIMUM: Kind(422, Retry.CHANGE, "Amount too large", "The product is not sold for that much."),
        Reason.AMOUNT_BELOW_MINIMUM: Kind(422, Retry.CHANGE, "Amount too small", "More has to be bought at once."),
        Reason.AMOUNT_REFUSED: Kind(422, Retry.CHANGE, "Amount refused", "The utility does not sell this amount to this meter."),
        Reason.METER_UNKNOWN: Kind(422, Retry.CHANGE, "Meter unknown", "No utility knows this meter number, or it is blocked."),
        Reason.MOBILE_NUMBER_REFUSED: Kind(422, Retry.CHANGE, "Mobile number refused", "The network does not serve this number."),
        Reason.POSSIBLE_DUPLICATE: Kind(
            409,
            Retry.CHANGE,
            "Possible duplicate",
            "A sale for the same recipient and amount has not ended yet. If another is wanted, say allowDuplicate under a new key.",
        ),
        Reason.PREVEND_EXPIRED: Kind(409, Retry.CHANGE, "Prevend expired", "Confirm the meter or account again."),
        Reason.PREVEND_REFUSED: Kind(
            422, Retry.CHANGE, "Prevend refused", "The prevend no longer holds. Confirm the meter or account again."
        ),
        Reason.PREVEND_USED: Kind(409, Retry.NEVER, "Prevend used", "The prevend belongs to a sale under another key."),
        Reason.PRICE_CHANGED: Kind(422, Retry.CHANGE, "Price changed", "The product has a fixed price, and this amount is not it."),
        Reason.PRODUCT_UNAVAILABLE: Kind(422, Retry.CHANGE, "Product unavailable", "The product cannot be sold at present."),
        Reason.SUPPLIER_BUSY: Kind(422, Retry.NEW_KEY, "Supplier busy", "Too many sales at this moment.", retry_after_seconds=60),
        Reason.TEMPORARILY_UNAVAILABLE: Kind(
            422, Retry.NEW_KEY, "Temporarily unavailable", "Nothing could be sold just now.", retry_after_seconds=30
        ),
        Fault.BODY_INVALID: Kind(400, Retry.CHANGE, "Request invalid", "Each field at fault is named."),
        Fault.DISCREPANCY_CLOSED: Kind(409, Retry.NEVER, "Discrepancy closed", "Somebody has decided on it before."),
        Fault.FORBIDDEN: Kind(403, Retry.NEVER, "Forbidden", "The token does not carry the scope that this needs."),
        Fault.IDEMPOTENCY_KEY_MALFORMED: Kind(
            400, Retry.CHANGE, "Idempotency key malformed", "One Idempotency-Key, of 1 to 255 visible ASCII characters."
        ),
        Fault.IDEMPOTENCY_KEY_MISSING: Kind(400, Retry.CHANGE, "Idempotency key missing", "A purchase needs the header Idempotency-Key."),
        Fault.IDEMPOTENCY_KEY_REUSED: Kind(
            422, Retry.NEW_KEY, "Key belongs to another request", "This Idempotency-Key was first used for another request."
        ),
        Fault.IDENTITY_UNAVAILABLE: Kind(
            503, Retry.SAME_KEY, "Identity unavailable", "The token could not be checked just now.", retry_after_seconds=5
        ),
        Fault.INTERNAL: Kind(500, Retry.SAME_KEY, "Internal error", "This says nothing about a sale. Ask again.", retry_after_seconds=5),
        Fault.METHOD_NOT_ALLOWED: Kind(405, Retry.CHANGE, "Method not allowed", "The header Allow names the methods of this path."),
        Fault.NOT_FOUND: Kind(404, Retry.NEVER, "Not found", "There is nothing here for this caller."),
        Fault.NOT_JSON: Kind(415, Retry.CHANGE, "Not JSON", "The body has to be application/json, in UTF-8."),
        Fault.NOTHING_TO_DECIDE: Kind(409, Retry.NEVER, "Nothing to decide", "The sale is not in doubt, or none of its tokens is due."),
        Fault.OUTDATED: Kind(409, Retry.CHANGE, "Outdated", "It has changed since it was read. Look at it again before deciding."),
        Fault.PREVEND_UNKNOWN: Kind(404, Retry.CHANGE, "Prevend unknown", "This caller has no such prevend for this service."),
        Fault.REQUEST_IN_PROGRESS: Kind(
            409, Retry.SAME_KEY, "Request in progress", "The first request with this key is still selling.", retry_after_seconds=2
        ),
        Fault.SETTLEMENT_FILES_UNAVAILABLE: Kind(
            503,
            Retry.SAME_KEY,
            "Settlement files unavailable",
            "The place where they lie did not answer. Settle again later.",
            retry_after_seconds=60,
        ),
        Fault.SETTLEMENT_FILE_REFUSED: Kind(
            422, Retry.CHANGE, "Settlement file refused", "Nothing was changed. The supplier has to deliver a file that keeps the format."
        ),
        Fault.STORE_UNAVAILABLE: Kind(
            503, Retry.SAME_KEY, "Store unavailable", "The request may not be on record. Repeat it under its key.", retry_after_seconds=5
        ),
        Fault.SUPPLIER_UNAVAILABLE: Kind(
            503, Retry.SAME_KEY, "Supplier unavailable", "The supplier did not answer. No money moved.", retry_after_seconds=10
        ),
        Fault.TOO_LARGE: Kind(413, Retry.CHANGE, "Too large", "The body is larger than any request needs to be."),
        Fault.UNAUTHENTICATED: Kind(401, Retry.SAME_KEY, "Unauthenticated", "A valid bearer token is needed."),
    }
)


class Problem(Exception):
    """A refusal, raised wherever it is found and answered by the edge.

    `members` are the further members of its body, under their JSON names; those that are `None` are left out.
    """

    def __init__(self, name: Name, *, detail: str | None = None, headers: Mapping[str, str] | None = None, **members: object) -> None:
        super().__init__(name.value)
        self.name = name
        self.kind = KINDS[name]
        self.detail = detail or self.kind.detail
        self.members: dict[str, object] = {"retryAfterSeconds": self.kind.retry_after_seconds} | members
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """The members of the JSON object, in the order in which they are sent."""
        standard = {"type": f"/problems/{self.name}", "title": self.kind.title, "status": self.kind.status, "detail": self.detail}
        return standard | {"retry": self.kind.retry} | {name: value for name, value in self.members.items() if value is not None}


def of_refusal(rejected: Rejected, **members: object) -> Problem:
    """Why nothing was sold, as the caller is told: the reason and our own text, never `rejected.cause`."""
    problem = Problem(rejected.reason)
    if rejected.minimum_amount is not None:
        problem.detail = f"At least {rejected.minimum_amount} has to be bought at once."
        problem.members["minimumAmountCents"] = rejected.minimum_amount.cents
    if rejected.retry_after_seconds is not None:
        problem.members["retryAfterSeconds"] = rejected.retry_after_seconds
    problem.members |= members
    return problem
