"""Retention and erasure over HTTP: how reconcile reads requests of the Scheduler and of operators, and answers them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Final

from msgspec import structs
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from shared.lib import logs
from shared.lib.times import MALFORMED, moment_of, rfc3339
from shared.ports.documents import Conflict, DocumentKind
from shared.ports.transactions import LookupBy
from shared.retention.erasure import Erased, Erasing, Person
from shared.schemas.operator_requests import Note
from shared.schemas.problems import Problem, RequestFault
from shared.schemas.requests import AccountNumber, Body, MeterNumber, MobileNumber, invalid, valid
from shared.web import backoffice, middleware

NUMBERS: Final = {
    "accountNumber": LookupBy.ACCOUNT_NUMBER,
    "meterNumber": LookupBy.METER_NUMBER,
    "mobileNumber": LookupBy.MOBILE_NUMBER,
}

log = logs.logger(__name__)

_FIELD: Final = {by.value: name for name, by in NUMBERS.items()}


class RetainedBody(TypedDict):
    """The result of a run: numbers of sales, and of deleted documents. `more`: the next run continues."""

    erased: int
    retired: int
    held: int
    papers: int
    more: bool


class StayedBody(TypedDict):
    """A sale whose personal data had to stay."""

    transactionId: str
    why: str


class _OfErasure(TypedDict):
    at: str
    by: str
    reason: str
    of: str
    recipient: str | None


class ErasedBody(_OfErasure):
    """The result for one person's sales: those without personal data now, and those that are still needed."""

    erased: list[str]
    stayed: list[StayedBody]
    more: bool


class ErasureShownBody(_OfErasure):
    """An erasure, in numbers of sales; `null` where it was cut short."""

    erased: int | None
    stayed: int | None


class ErasuresBody(TypedDict):
    """The last 50 erasures, newest first."""

    erasures: list[ErasureShownBody]


class ErasureBody(Body):
    """Whose data is to be erased, by exactly one number, and why."""

    meter_number: MeterNumber | None = None
    account_number: AccountNumber | None = None
    mobile_number: MobileNumber | None = None
    reason: Annotated[Note, Field(description="Why, and on whose request: without the number itself.")]


async def retention(request: Request, erasing: Erasing) -> Response:
    """Erase and retire old sales. The result is logged too, for measurements.

    Raises:
        Problem: `body-invalid`, `forbidden`.
    """
    backoffice.reject_cross_site(request)
    middleware.query(request)
    done = structs.asdict(await erasing.retaining.retain(erasing.recorder.deadline()))
    log.info("retained", **done)
    return middleware.answer(done)


async def erasures(request: Request, erasing: Erasing, operator: str) -> Response:
    """The last erasures, or a new one.

    Raises:
        Problem: any fault of the request, or `outdated`.
    """
    if request.method != "POST":
        middleware.query(request)
        listed: ErasuresBody = {"erasures": [shown for paper in await erasing.erasures() if (shown := _shown(paper)) is not None]}
        return middleware.answer(listed)
    by = backoffice.require_human_operator(request, operator)
    asked = valid(ErasureBody, await middleware.json_object(request))
    named = {name: number for name in NUMBERS if (number := asked.model_dump(by_alias=True)[name]) is not None}
    if len(named) != 1:
        raise invalid([(name, "exactly one of these is required") for name in NUMBERS])
    ((name, number),) = named.items()
    try:
        return middleware.answer(_body(await erasing.erase_person(Person(NUMBERS[name], number), asked.reason, by)))
    except Conflict:
        raise Problem(RequestFault.OUTDATED) from None


def _of(paper: Mapping[str, Any]) -> _OfErasure:
    return {"at": paper["at"], "by": paper["by"], "reason": paper["reason"], "of": _FIELD[paper["of"]], "recipient": paper["recipient"]}


def _body(done: Erased) -> ErasedBody:
    stayed: list[StayedBody] = [{"transactionId": one.sale_id, "why": one.why.value} for one in done.stayed]
    return {**_of(done.paper), "erased": list(done.erased), "stayed": stayed, "more": done.more}


def _shown(paper: Mapping[str, Any]) -> ErasureShownBody | None:
    """An erasure; `None` if its document is damaged, or if newer code wrote it with another kind of number. `None` is logged."""
    with suppress(*MALFORMED):
        erased, stayed = (None if paper[name] is None else len(paper[name]) for name in ("erased", "stayed"))
        said, whom = _of(paper), paper["recipient"]
        if all(isinstance(text, str) for text in (said["by"], said["reason"])) and isinstance(whom, str | None):
            return {**said, "at": rfc3339(moment_of(said["at"])), "erased": erased, "stayed": stayed}
    log.critical("record not readable", kind=DocumentKind.CONTROLS)
    return None
