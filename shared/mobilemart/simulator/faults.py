"""The faults of an exchange. A scenario's fault strikes every time, a script's fault the next calls."""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from shared.domain.identifiers import hashed
from shared.mobilemart.simulator.errors import (
    BAD_GATEWAY,
    EMPTY_PAGE,
    MOBILE_NUMBER_INVALID,
    UNAUTHORISED,
    WEB_PAGE,
    RequestRefused,
    SwitchReply,
    error,
    rate_limited,
)
from shared.mobilemart.simulator.services import Leg

MEBIBYTE: Final = 1 << 20
ANOTHER_METER: Final = "98000000017"
DEPTH: Final = 100_000  # of nested arrays: past the recursion limit of any reader


class Effect(StrEnum):
    """The effect of a fault."""

    # The switch does nothing, and answers with:
    REFUSED = "refused"  # an error with the fault's code
    RATE_LIMITED = "rate-limited"  # 429
    UNAUTHORISED = "unauthorised"  # 401
    FAILED_BEFORE = "failed-before"  # 502
    LOST_BEFORE = "lost-before"  # the connection is cut
    WRONG_HOST = "wrong-host"  # an empty page, status 200
    SAYS_FAILED = "says-failed"  # a 200 with a `transactionId` and the status Failed
    SAYS_PROBLEM = "says-problem"  # a 200 with a `transactionId` whose body is a problem without a code

    # The switch lists its products under other ids than it sells them by:
    PRODUCTS_RENAMED = "products-renamed"

    # The switch does what was asked, and then its answer
    SLOW = "slow"  # comes after `slow_seconds`
    LATE = "late"  # comes after `late_seconds`
    DRIPPED = "dripped"  # comes in small pieces over `late_seconds`
    REPLY_LOST = "reply-lost"  # never comes: the connection is cut
    SILENT = "silent"  # never comes: the connection stays open
    VENDS_LATE = "vends-late"  # never comes, and the vend is on the books only `late_seconds` later
    FAILED_AFTER = "failed-after"  # is a 502
    PAGE_AFTER = "page-after"  # is the web app's page, status 200
    CUT_JSON = "cut-json"  # ends in the middle of its JSON
    NO_TRANSACTION_ID = "no-transaction-id"  # lacks its `transactionId`
    WRONG_AMOUNT = "wrong-amount"  # names ten rand more
    HALF_AMOUNT = "half-amount"  # names half the amount
    ANOTHER_RECIPIENT = "another-recipient"  # is of another sale, to another meter, account or number
    ANOTHER_REQUEST = "another-request"  # is of another sale, which names its `requestId`
    SAYS_UNSUCCESSFUL = "says-unsuccessful"  # holds `"success": false`
    LONE_SURROGATE = "lone-surrogate"  # holds half a character
    NUL = "nul"  # holds a NUL character
    DEEPLY_NESTED = "deeply-nested"  # holds arrays in arrays, 100 000 deep
    ONE_MEBIBYTE = "one-mebibyte"  # holds a text of that size
    TWO_MEBIBYTES = "two-mebibytes"


IDLE: Final = frozenset(
    {
        Effect.REFUSED,
        Effect.RATE_LIMITED,
        Effect.UNAUTHORISED,
        Effect.FAILED_BEFORE,
        Effect.LOST_BEFORE,
        Effect.WRONG_HOST,
        Effect.SAYS_FAILED,
        Effect.SAYS_PROBLEM,
    }
)
"""The effects with which the switch does nothing."""

_FRAGMENTS: Final = {  # raw JSON: no encoder would write it
    Effect.LONE_SURROGATE: b'"\\ud800"',
    Effect.NUL: b'"a\\u0000b"',
    Effect.DEEPLY_NESTED: b"[" * DEPTH + b"]" * DEPTH,
    Effect.ONE_MEBIBYTE: b'"' + b"x" * MEBIBYTE + b'"',
    Effect.TWO_MEBIBYTES: b'"' + b"x" * (2 * MEBIBYTE) + b'"',
}


@dataclass(frozen=True, slots=True)
class SwitchFault:
    """One fault on a leg, on one path (`on` begins with a slash), or on every call (`None`).

    In a script the fault strikes the next `times` matching calls, or all of them if `None`. A scenario's fault always
    strikes.
    For `REFUSED`, `code` is the error's code, and `detail` its text if it differs from the code's own.
    """

    effect: Effect
    on: str | None = Leg.PURCHASE
    times: int | None = 1
    code: int = 1010
    detail: str | None = None

    def strikes(self, leg: Leg | None, path: str) -> bool:
        return self.on is None or self.on in (leg, path)


class Script:
    """Faults that wait for the next calls of one simulator, in the order in which they were added."""

    def __init__(self, faults: Iterable[SwitchFault]) -> None:
        self._waiting = list(faults)

    def add(self, faults: Iterable[SwitchFault]) -> None:
        self._waiting.extend(faults)

    def strike(self, leg: Leg | None, path: str) -> SwitchFault | None:
        """Return the first fault for such a call, counted down."""
        for at, fault in enumerate(self._waiting):
            if fault.strikes(leg, path):
                if fault.times is not None:
                    self._waiting[at : at + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                return fault
        return None


def instead(fault: SwitchFault, base_url: str, trace_id: str, mobile_number: str | None = None) -> SwitchReply:
    """The answer of a fault under which the switch does nothing. The request named that mobile number."""
    match fault.effect:
        case Effect.REFUSED:
            named = {"msisdn": mobile_number} if fault.code == MOBILE_NUMBER_INVALID and mobile_number is not None else {}
            return error(RequestRefused(fault.code, fault.detail, **named), base_url, trace_id)
        case Effect.RATE_LIMITED:
            return rate_limited(trace_id)
        case Effect.UNAUTHORISED:
            return UNAUTHORISED
        case Effect.WRONG_HOST:
            return EMPTY_PAGE
        case Effect.SAYS_FAILED:
            return SwitchReply({"transactionId": _id_of(trace_id), "status": "Failed", "message": "The transaction has failed."})
        case Effect.SAYS_PROBLEM:
            problem = {"title": "One or more errors occurred.", "status": 400, "detail": "An error occurred.", "traceId": trace_id}
            return SwitchReply({"transactionId": _id_of(trace_id), **problem})
        case Effect.FAILED_BEFORE | Effect.LOST_BEFORE:
            return BAD_GATEWAY
        case _:
            raise ValueError(f"not idle: {fault.effect}")


def spoilt(reply: SwitchReply, effect: Effect | None) -> SwitchReply:
    """Return the answer as the fault leaves it. Another function delivers it: late, dripped, or not at all."""
    content = reply.content
    match effect:
        case Effect.FAILED_AFTER:
            return replace(BAD_GATEWAY, headers=reply.headers)
        case Effect.PAGE_AFTER:
            return replace(WEB_PAGE, headers=reply.headers)
        case Effect.CUT_JSON:
            return replace(reply, content=reply.body[: len(reply.body) // 2])
        case Effect.NO_TRANSACTION_ID if isinstance(content, dict):
            return replace(reply, content={name: value for name, value in content.items() if name != "transactionId"})
        case Effect.WRONG_AMOUNT if isinstance(content, dict):
            return replace(reply, content=_with_amount(content, lambda rand: rand + 10))
        case Effect.HALF_AMOUNT if isinstance(content, dict):
            return replace(reply, content=_with_amount(content, lambda rand: rand / 2))
        case Effect.ANOTHER_RECIPIENT if isinstance(content, dict):
            return replace(reply, content=_of_another(content))
        case Effect.ANOTHER_REQUEST if isinstance(content, dict):
            another = _id_of("request", str(content["transactionId"]))
            return replace(reply, content={**content, "transactionId": _another(content), "requestId": another})
        case Effect.SAYS_UNSUCCESSFUL if isinstance(content, dict):
            return replace(reply, content={**content, "success": False})
        case _ if effect in _FRAGMENTS and isinstance(content, dict):
            return replace(reply, content=_with_text(content, msgspec.Raw(_FRAGMENTS[effect])))
        case _:
            return reply


def _with_amount(body: dict[str, Any], changed: Callable[[Decimal], Decimal]) -> dict[str, Any]:
    if "amount" in body:
        return {**body, "amount": changed(body["amount"])}
    if "additionalDetails" not in body:  # it names no amount
        return body
    details = body["additionalDetails"]
    return {**body, "additionalDetails": {**details, "productAmount": str(changed(Decimal(details["productAmount"])))}}


def _of_another(body: dict[str, Any]) -> dict[str, Any]:
    """Change the answer into one of a sale to somebody else: another id, recipient and, for electricity, tokens."""
    changed = {**body, "transactionId": _another(body)}
    for name in ("accountNumber", "mobileNumber"):
        if body.get(name) is not None:
            return {**changed, name: _next(body[name])}
    details = body.get("additionalDetails", {})
    if "onlineMeter" not in details:  # a PIN or a voucher belongs to nobody
        return changed
    tokens = details.get("tokens")
    if isinstance(tokens, list):
        others = [{**one, "token": _next(one["token"])} if isinstance(one, dict) and "token" in one else one for one in tokens]
        details = {**details, "tokens": others}
    return {**changed, "additionalDetails": {**details, "meterNumber": ANOTHER_METER}}


def _next(number: str) -> str:
    """Return a number of the same form with another last digit."""
    return f"{number[:-1]}{(int(number[-1]) + 5) % 10}"


def _another(body: dict[str, Any]) -> str:
    return _id_of("another", str(body["transactionId"]))


def _id_of(*parts: str) -> str:
    """Return a GUID that follows from its parts. No vend has it."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, hashed("nobody's", *parts)))


def _with_text(body: dict[str, Any], text: msgspec.Raw) -> dict[str, Any]:
    """Put `text` into the answer's message for the customer, or into its reference."""
    details = body.get("additionalDetails", {})
    for name in ("instructions", "productInstructions"):
        if name in details:
            return {**body, "additionalDetails": {**details, name: text}}
    return {**body, "referenceNumber" if "referenceNumber" in body else "reference": text}
