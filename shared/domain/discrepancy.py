"""A discrepancy: its kind, its severity, and the two sides that a person compares. Pure.

A sale that an answer contradicts and a settlement file that differs from our sales make the same discrepancy, in the same stored form.
The fields of a struct are the form: their names in camelCase, in their order, without those that are `UNSET`.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType, structs

from shared.domain import closures
from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.lib.value import Kept, Value, word

Json = dict[str, Any]


class DiscrepancyKind(StrEnum):
    """What can differ between our sales and the supplier's file."""

    VENDED_TWICE = "vended_twice"  # one request id, two supplier ids
    CLAIMED_TWICE = "claimed_twice"  # one supplier id, two sales of ours
    VENDED_AFTER_REJECTION = "vended_after_rejection"
    TOKENS_DIFFER = "tokens_differ"  # a person's tokens, or none, and others of the supplier's
    MISSING_HERE = "missing_here"
    LINES_WITHDRAWN = "lines_withdrawn"  # an earlier file of the day had lines which the last one has not
    DUPLICATE_LINE = "duplicate_line"  # the same supplier id again
    AMOUNT_DIFFERS = "amount_differs"
    ACCOUNT_DIFFERS = "account_differs"  # or the service
    MISSING_AT_SUPPLIER = "missing_at_supplier"
    STATE_DIFFERS = "state_differs"  # vended here, `Binned` there
    NEGATIVE_LINE = "negative_line"
    UNKNOWN_STATUS = "unknown_status"
    LATE_POSTING = "late_posting"  # by more than one business day


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def gravity(severity: str) -> int:
    """The rank of a severity. A severity that only newer code knows ranks above all others."""
    return list(Severity).index(Severity(severity)) if severity in list(Severity) else len(Severity)


class OurSide(Kept, frozen=True, kw_only=True, rename="camel"):
    """What our record says of it. Numbers show four digits.

    Only `also_held_by` may be `UNSET` in a new discrepancy: the id of the other sale that holds the supplier's id. A document of other
    code may lack any field, and hold fields that this code does not know (`beyond`).
    """

    supplier_id: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    supplier_transaction_id: str | UnsetType | None = UNSET
    state: Annotated[str, State] | UnsetType = UNSET
    vas_type: Annotated[str, VasType] | UnsetType = UNSET
    amount_cents: int | UnsetType | None = UNSET
    recipient: str | UnsetType | None = UNSET
    day: str | UnsetType = UNSET
    also_held_by: str | UnsetType = UNSET


class TheirSide(Kept, frozen=True, kw_only=True, rename="camel"):
    """What the supplier says of it: a line of its file, or (`source`, `said`) an answer that contradicts a sale that had ended.

    `rows` counts the lines that a file no longer has. The fields of the other kinds of side are `UNSET`.
    """

    line: int | UnsetType = UNSET
    supplier_transaction_id: str | UnsetType = UNSET
    merchant_transaction_id: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    vas_type: Annotated[str, VasType] | UnsetType = UNSET
    amount_cents: int | UnsetType | None = UNSET
    recipient: str | UnsetType | None = UNSET
    at: str | UnsetType = UNSET
    product_name: str | UnsetType = UNSET
    rows: int | UnsetType = UNSET
    source: str | UnsetType = UNSET
    said: str | UnsetType = UNSET


Side = TypeVar("Side", OurSide, TheirSide)


def side_of(kind: type[Side], stored: Mapping[str, Any] | None) -> Side | None:
    """A side as its document holds it.

    Raises:
        ValidationError: a field has another type.
    """
    if stored is None:
        return None
    beyond = {name: item for name, item in stored.items() if name not in kind.__struct_encode_fields__}
    return structs.replace(msgspec.convert(stored, kind), beyond=beyond or None)


def side_body(side: OurSide | TheirSide | None) -> Json | None:
    """A side as its document holds it, with the fields that only newer code knows."""
    if side is None:
        return None
    body: Json = msgspec.to_builtins(side)
    beyond = body.pop("beyond")
    return body if beyond is None else {**body, **beyond}


class Discrepancy(Value, frozen=True, kw_only=True, rename="camel"):
    """A difference between our sales and the supplier's file, as the run found it.

    A person decides on it. A side is `None` where it is missing. The same difference of the same two sides on the same day has the
    same `id`. `seen` changes with each part that a person's closure covers. Its own document stores `seen`; nothing shows it.
    """

    _hidden = frozenset({"seen"})

    id: str
    day: date
    kind: DiscrepancyKind
    severity: Severity
    transaction_id: str | None
    ours: OurSide | None
    theirs: TheirSide | None
    status: str = closures.OPEN
    seen: str = ""

    def row(self) -> Json:
        """The discrepancy as the document of a settled day lists it."""
        body: Json = msgspec.to_builtins(self)
        del body["seen"]
        return {**body, "ours": side_body(self.ours), "theirs": side_body(self.theirs)}

    def document(self, closure: Mapping[str, Any] | None = None) -> Json:
        """The body of the discrepancy's own document."""
        return {**self.row(), "closure": closure, **({closures.SEEN: self.seen} if self.seen else {})}


def discrepancy_of(body: Mapping[str, Any]) -> Discrepancy:
    """The discrepancy that a document holds, or a settled day lists."""
    return Discrepancy(
        id=body["id"],
        day=date.fromisoformat(body["day"]),
        kind=word(DiscrepancyKind, body["kind"]),
        severity=word(Severity, body["severity"]),
        transaction_id=body["transactionId"],
        ours=side_of(OurSide, body["ours"]),
        theirs=side_of(TheirSide, body["theirs"]),
        status=body["status"],
    )
