"""Problems: how every refusal reads to the caller (RFC 9457). One table; all texts are ours, never the supplier's.

`refusals` holds the rows of refusals that sell nothing. The rows supply the answers, the page behind each `type` (`problem_pages`),
`docs/problems.md` and the API description.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.domain.outcome import Reason, Rejected
from shared.schemas.refusals import NEW_REASON, REFUSALS, ProblemKind, Retry


class RequestFault(StrEnum):
    """Refusals that are no outcome of a sale. The value is the problem's name; refusals of sales are in `outcome.Reason`."""

    BODY_INVALID = "body-invalid"
    DISCREPANCY_CLOSED = "discrepancy-closed"
    FORBIDDEN = "forbidden"
    IDEMPOTENCY_KEY_MALFORMED = "idempotency-key-malformed"
    IDEMPOTENCY_KEY_MISSING = "idempotency-key-missing"
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused"
    IDENTITY_UNAVAILABLE = "identity-unavailable"
    INTERNAL = "internal"
    KEY_RETIRED = "key-retired"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    NOT_FOUND = "not-found"
    NOT_JSON = "not-json"
    NOTHING_TO_DECIDE = "nothing-to-decide"
    OUTDATED = "outdated"
    PREVEND_UNKNOWN = "prevend-unknown"
    RECORD_NOT_READABLE = "record-not-readable"
    REQUEST_IN_PROGRESS = "request-in-progress"
    SETTLEMENT_FILES_UNAVAILABLE = "settlement-files-unavailable"
    SETTLEMENT_FILE_REFUSED = "settlement-file-refused"
    STORE_UNAVAILABLE = "store-unavailable"
    SUPPLIER_UNAVAILABLE = "supplier-unavailable"
    TOO_LARGE = "too-large"
    UNAUTHENTICATED = "unauthenticated"


Name = RequestFault | Reason


KINDS: Final[Mapping[Name, ProblemKind]] = MappingProxyType(
    dict(REFUSALS)
    | {
        RequestFault.BODY_INVALID: ProblemKind(
            400,
            Retry.CHANGE,
            "Request invalid",
            "Each field at fault is named.",
            when=(
                "The body or the query is not what the route takes. `errors` names every field at fault by its JSON path, and the body "
                "as a whole by an empty one."
            ),
            what_to_do="Correct what `errors` names. Nothing is on record: the key is free.",
        ),
        RequestFault.DISCREPANCY_CLOSED: ProblemKind(
            409,
            Retry.NEVER,
            "Discrepancy closed",
            "Somebody has decided on it before.",
            when="The discrepancy was closed with another decision or note.",
            what_to_do="Look at the report: it says who decided what. A decision is never changed.",
        ),
        RequestFault.FORBIDDEN: ProblemKind(
            403,
            Retry.NEVER,
            "Forbidden",
            "The token does not carry the scope that this needs.",
            when=(
                "The token is valid and does not carry the scope for buying. On reconcile: who decides or reveals is put on record, and "
                "the token names no person; or a page of another site has made the browser ask."
            ),
            what_to_do=(
                "Ask whoever runs the issuer for the scope. It belongs to back ends that have reserved the money, and not to phones."
            ),
        ),
        RequestFault.IDEMPOTENCY_KEY_MALFORMED: ProblemKind(
            400,
            Retry.CHANGE,
            "Idempotency key malformed",
            "One Idempotency-Key, of 1 to 255 visible ASCII characters.",
            when=("The header is there more than once, is empty or too long, or holds a space or anything but visible ASCII."),
            what_to_do="Send one key, such as a UUID or the id of your order.",
        ),
        RequestFault.IDEMPOTENCY_KEY_MISSING: ProblemKind(
            400,
            Retry.CHANGE,
            "Idempotency key missing",
            "A purchase needs the header Idempotency-Key.",
            when="A purchase came without the header `Idempotency-Key`.",
            what_to_do=("Make a key for the customer's decision to buy, keep it before the first request, and send it with every repeat."),
        ),
        RequestFault.IDEMPOTENCY_KEY_REUSED: ProblemKind(
            422,
            Retry.CHANGE,  # never "a new key": a caller who meant a repeat would buy twice
            "Key belongs to another request",
            "This Idempotency-Key was first used for another request.",
            when=(
                "The key is bound to an earlier request with another body or service; `instance` is that request's sale. It says "
                "nothing about a sale of this request, and there is none."
            ),
            what_to_do=(
                "If it was meant as a repeat, send exactly what was sent first: under a new key it would be a second purchase. Only what "
                "really is another purchase takes another key. Do not touch the earlier sale's money."
            ),
        ),
        RequestFault.IDENTITY_UNAVAILABLE: ProblemKind(
            503,
            Retry.SAME_KEY,
            "Identity unavailable",
            "The token could not be checked just now.",
            when="The issuer's public keys could not be read.",
            what_to_do="Hold the money. Repeat the same request under the same key after `retryAfterSeconds`.",
            retry_after_seconds=5,
        ),
        RequestFault.INTERNAL: ProblemKind(
            500,
            Retry.SAME_KEY,
            "Internal error",
            "This says nothing about a sale. Ask again.",
            when="Something happened that nobody expected. It may have been before or after a sale.",
            what_to_do=(
                "Hold the money. Repeat the same request under the same key after `retryAfterSeconds`: if there is a sale, the answer "
                "is that sale."
            ),
            retry_after_seconds=5,
        ),
        RequestFault.KEY_RETIRED: ProblemKind(
            410,
            Retry.NEVER,  # not "a new key": a caller who meant a repeat would buy twice
            "Key retired",
            "The sale of this key is kept no longer. Nothing was sold by this request.",
            when=(
                "The key, or the id, is of a sale that is older than `RETENTION_DAYS`, or that a restored database has lost. The key stays "
                "bound to it for ever: nothing is sold under it, whatever is asked for. `transactionId` names the sale."
            ),
            what_to_do=(
                "Do not touch any money: this is no outcome, and the sale's end was told when it ended. If this is another purchase, and "
                "no repeat of the old one, make a key for it."
            ),
        ),
        RequestFault.METHOD_NOT_ALLOWED: ProblemKind(
            405,
            Retry.CHANGE,
            "Method not allowed",
            "The header Allow names the methods of this path.",
            when="The path exists, and does not have this method.",
            what_to_do="Use one of the methods in the header `Allow`.",
        ),
        RequestFault.NOT_FOUND: ProblemKind(
            404,
            Retry.NEVER,
            "Not found",
            "There is nothing here for this caller.",
            when=(
                "There is no such path, service, sale, report or discrepancy, or it is another caller's. When you ask for a sale by its "
                "key: no request with this key has been accepted yet, and `retry` is `same-key`."
            ),
            what_to_do=(
                "Correct the path or the id. After a purchase whose answer was lost, this does not mean that nothing was sold: a "
                "request may still be on its way. Repeat the purchase under its key."
            ),
        ),
        RequestFault.NOT_JSON: ProblemKind(
            415,
            Retry.CHANGE,
            "Not JSON",
            "The body has to be application/json, in UTF-8.",
            when="`Content-Type` is not `application/json`, names another charset, or the body is compressed.",
            what_to_do="Send `Content-Type: application/json`, uncompressed.",
        ),
        RequestFault.NOTHING_TO_DECIDE: ProblemKind(
            409,
            Retry.NEVER,
            "Nothing to decide",
            "The sale is not in doubt, or none of its tokens is due.",
            when=("An operator's decision came for a sale that has ended by itself. `state` and `version` are as they are now."),
            what_to_do="Look at the sale again. There is nothing more to do.",
        ),
        RequestFault.OUTDATED: ProblemKind(
            409,
            Retry.CHANGE,
            "Outdated",
            "It has changed since it was read. Look at it again before deciding.",
            when="An operator's decision was made on an old `version` of the sale, or two people set the brake at once.",
            what_to_do="Read again, and decide on what is there now.",
        ),
        RequestFault.PREVEND_UNKNOWN: ProblemKind(
            404,
            Retry.CHANGE,
            "Prevend unknown",
            "This caller has no such prevend for this service.",
            when=("The `prevendId` was never given out, or was given to another caller or for another service. The key stays free."),
            what_to_do="Prevend, and buy with the `prevendId` that it answers, on the same service and with the same identity.",
        ),
        RequestFault.RECORD_NOT_READABLE: ProblemKind(
            503,
            Retry.SAME_KEY,
            "Record not readable",
            "The sale is on record, and the version that runs cannot read what became of it. Nothing was sold by this request.",
            when=(
                "A newer version has recorded the sale, as a roll back leaves it, or its record is damaged. The key stays bound to it: "
                "nothing is sold under it again. `transactionId` names the sale."
            ),
            what_to_do=(
                "Hold the money: this is no outcome. Repeat the same request under the same key after `retryAfterSeconds`, or read the "
                "sale. Somebody was alerted."
            ),
            retry_after_seconds=60,
        ),
        RequestFault.REQUEST_IN_PROGRESS: ProblemKind(
            409,
            Retry.SAME_KEY,
            "Request in progress",
            "The first request with this key is still selling.",
            when=(
                "A repeat came while the first request with this key is still being sold. It is no rejection: `transactionId` and "
                "`Location` name the running sale."
            ),
            what_to_do="Hold the money. Repeat the same request under the same key after `retryAfterSeconds`, or read the sale.",
            retry_after_seconds=2,
        ),
        RequestFault.SETTLEMENT_FILES_UNAVAILABLE: ProblemKind(
            503,
            Retry.SAME_KEY,
            "Settlement files unavailable",
            "The place where they lie did not answer. Settle again later.",
            when="The storage with the supplier's settlement files did not answer. Nothing was changed.",
            what_to_do="Settle again after `retryAfterSeconds`; the Scheduler does so by itself.",
            retry_after_seconds=60,
        ),
        RequestFault.SETTLEMENT_FILE_REFUSED: ProblemKind(
            422,
            Retry.CHANGE,
            "Settlement file refused",
            "Nothing was changed. The supplier has to deliver a file that keeps the format.",
            when=(
                "The day's file breaks the format, or it is not to be told which file is the day's. `file`, `reason` and the first ten "
                "`faults` say where."
            ),
            what_to_do=(
                "Send the supplier what `reason` and `faults` say. Once the file is replaced, under its name or under a later one, the "
                "next run settles the day; settle it again to have it at once."
            ),
        ),
        RequestFault.STORE_UNAVAILABLE: ProblemKind(
            503,
            Retry.SAME_KEY,
            "Store unavailable",
            "The request may not be on record. Repeat it under its key.",
            when="The database did not answer. A purchase that gets this was not sent to the supplier by this request.",
            what_to_do="Hold the money. Repeat the same request under the same key after `retryAfterSeconds`.",
            retry_after_seconds=5,
        ),
        RequestFault.SUPPLIER_UNAVAILABLE: ProblemKind(
            503,
            Retry.SAME_KEY,
            "Supplier unavailable",
            "The supplier did not answer. No money moved.",
            when=("A prevend or the list of products needed the supplier, and it did not answer. A purchase never answers this."),
            what_to_do="Ask again after `retryAfterSeconds`.",
            retry_after_seconds=10,
        ),
        RequestFault.TOO_LARGE: ProblemKind(
            413,
            Retry.CHANGE,
            "Too large",
            "The body is larger than any request needs to be.",
            when="The body is larger than 16 KiB.",
            what_to_do="Send only the fields of the request.",
        ),
        RequestFault.UNAUTHENTICATED: ProblemKind(
            401,
            Retry.SAME_KEY,
            "Unauthenticated",
            "A valid bearer token is needed.",
            when=(
                "There is no bearer token, or it is expired, not for us, or not signed by the issuer. The header `WWW-Authenticate` "
                "says which of the two."
            ),
            what_to_do="Get a new token, and repeat the same request under the same key.",
        ),
    }
)


class Problem(Exception):
    """A refusal. Any code may raise it, and the edge answers it.

    `members` are further members of the body, under their JSON names. Members that are `None` are left out.
    """

    def __init__(self, name: Name, *, detail: str | None = None, headers: Mapping[str, str] | None = None, **members: object) -> None:
        super().__init__(name.value)
        self.name = name
        self.kind = KINDS.get(name, NEW_REASON)
        self.detail = detail or self.kind.detail
        self.members: dict[str, object] = {"retryAfterSeconds": self.kind.retry_after_seconds} | members
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """The members of the JSON object, in the order in which they are sent."""
        standard = {"type": f"/problems/{self.name}", "title": self.kind.title, "status": self.kind.status, "detail": self.detail}
        return standard | {"retry": self.kind.retry} | {name: value for name, value in self.members.items() if value is not None}


def of_refusal(rejected: Rejected, **members: object) -> Problem:
    """The problem of a refused sale, from the reason and our own text, never from `rejected.cause`."""
    problem = Problem(rejected.reason)
    if rejected.minimum_amount is not None:
        problem.detail = f"At least {rejected.minimum_amount} has to be bought at once."
        problem.members["minimumAmountCents"] = rejected.minimum_amount.cents
    if rejected.retry_after_seconds is not None:
        problem.members["retryAfterSeconds"] = rejected.retry_after_seconds
    problem.members |= members
    return problem
