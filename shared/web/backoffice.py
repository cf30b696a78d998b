"""The operators' edge: how reconcile reads operators' requests and answers them. `middleware` is what all functions share."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final, NotRequired

from msgspec import structs
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from shared.domain.clock import business_day
from shared.domain.identifiers import COMPUTED_ID
from shared.domain.transaction import Transaction
from shared.domain.vas import VasType, msisdn
from shared.lib import logs
from shared.lib.times import MALFORMED, calendar_day, moment_of, rfc3339
from shared.ports.documents import Conflict, DocumentKind, UnreadableRecord
from shared.ports.settlement_files import FilesUnavailable
from shared.ports.transactions import LookupBy, SaleRetired
from shared.schemas import operator_requests as decisions
from shared.schemas.problems import Problem, RequestFault
from shared.schemas.requests import invalid
from shared.schemas.transaction_detail import dossier_body, found_body, retired_body, unread_dossier_body
from shared.settlement.closing import Closing, DiscrepancyClosed, DiscrepancyUnknown
from shared.settlement.reporting import Report, Reporting, refusal_body
from shared.settlement.runner import FIRST_DAY, NoBusinessDay, Settled, Settling
from shared.settlement.settled_day import Json
from shared.vending.circuit_breaker import Pause
from shared.vending.operator_actions import (
    NothingToDecide,
    Operating,
    Selling,
    TokensRefused,
    VersionConflict,
)
from shared.vending.sweep import Sweeping
from shared.web import middleware
from shared.web.oidc import UNKNOWN_OPERATOR, is_service_account

FORMS: Final = {".csv": "text/csv", ".html": "text/html", ".json": "application/json"}
LOOKUPS: Final = {
    "accountNumber": LookupBy.ACCOUNT_NUMBER,
    "meterNumber": LookupBy.METER_NUMBER,
    "mobileNumber": LookupBy.MOBILE_NUMBER,
    "requestId": LookupBy.REQUEST_ID,
    "supplierTransactionId": LookupBy.SUPPLIER_TRANSACTION_ID,
}

log = logs.logger(__name__)

_SOUGHT: Final = re.compile(r"[!-~]{1,128}", re.ASCII)


class SweptBody(TypedDict):
    """The result of a sweep, in numbers of sales; `left` wait for the next sweep."""

    examined: int
    vended: int
    rejected: int
    stillInDoubt: int
    needsReview: int
    announced: int
    left: int


class PauseBody(TypedDict):
    vasType: VasType
    reason: str
    until: str | None
    by: str
    at: str


class PausingBody(TypedDict):
    """A person's decision about the brake."""

    at: str
    by: str
    paused: list[VasType]
    reason: str
    until: str | None


class PausedBody(TypedDict):
    """The services that are not sold now. `until` is the end of the last pause, `null` if a pause has no end. `decisions`: newest first."""

    paused: list[VasType]
    reason: str | None
    until: str | None
    pauses: list[PauseBody]
    decisions: list[PausingBody]


class ClosedBody(TypedDict):
    """How a discrepancy was closed."""

    decision: str
    note: str
    by: str
    at: str


class EarlierClosureBody(ClosedBody):
    """An earlier closure of a discrepancy, and the form that it covered."""

    ours: dict[str, Any] | None
    theirs: dict[str, Any] | None


class DiscrepancyBody(TypedDict):
    """A discrepancy, and the decision about it."""

    id: str
    day: str
    kind: str
    severity: str
    transactionId: str | None
    ours: dict[str, Any] | None
    theirs: dict[str, Any] | None
    status: str
    closure: ClosedBody | None
    earlierClosures: NotRequired[list[EarlierClosureBody]]


def reject_cross_site(request: Request) -> None:
    """Refuse a request that another site's page makes the browser send.

    Behind `gcloud run services proxy` any open page could send requests in the operator's name. Clients that are no browsers send no
    site. A typed or bookmarked address belongs to no site.

    Raises:
        Problem: `forbidden`.
    """
    if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise Problem(RequestFault.FORBIDDEN, detail="A page of another site has made the browser ask for this.")


def require_human_operator(request: Request, operator: str) -> str:
    """The name of the person who decides or reveals, and who sent the request deliberately.

    Raises:
        Problem: `forbidden`.
    """
    reject_cross_site(request)
    if operator == UNKNOWN_OPERATOR:
        raise Problem(RequestFault.FORBIDDEN, detail="Who decides or reveals is put on record, and the token has no e-mail claim.")
    if is_service_account(operator):
        raise Problem(RequestFault.FORBIDDEN, detail="Who decides or reveals is a person, and the token is a service account's.")
    return operator


async def sweep(request: Request, sweeping: Sweeping) -> Response:
    """Resolve the due sales, and stop in time to finish each sale that was begun. The result is logged too, for measurements.

    Raises:
        Problem: `body-invalid`, `forbidden`.
    """
    reject_cross_site(request)
    middleware.query(request)
    done = structs.asdict(await sweeping.sweep(sweeping.recorder.deadline()))
    log.info("swept", **done)
    return middleware.answer({to_camel(name): count for name, count in done.items()})


async def settle(request: Request, settling: Settling) -> Response:
    """Settle the named day and answer with the day; without a name, settle all unsettled days and answer with each result.

    Raises:
        Problem: `body-invalid`, `forbidden`, `settlement-file-refused`, `settlement-files-unavailable`.
    """
    reject_cross_site(request)
    asked = middleware.query(request, "day")
    if asked:
        return middleware.answer(await settled_day(settling, day_named(asked["day"], settling.recorder.now())))
    result = await _settled(settling, None)
    return middleware.answer(
        {
            "days": result.days,
            "refused": [{"day": one.day.isoformat(), **refusal_body(one.refusal)} for one in result.refused],
            "left": [one.isoformat() for one in result.left],
            **_not_taken(result),
        }
    )


async def settled_day(settling: Settling, day: date) -> Json:
    """A settled day, and beside it the file names in its place that are not taken for settlement files.

    Raises:
        Problem: `body-invalid`, `settlement-file-refused`, `settlement-files-unavailable`.
    """
    result = await _settled(settling, day)
    for one in result.refused:
        detail = f"Nothing was changed: {one.refusal.reason}."
        raise Problem(RequestFault.SETTLEMENT_FILE_REFUSED, detail=detail, **refusal_body(one.refusal), **_not_taken(result))
    return {**result.days[0], **_not_taken(result)}


def _not_taken(result: Settled) -> Json:
    """The file names that are not taken, if any, and the number of further names."""
    if not result.not_taken:
        return {}
    more = {"moreNotTaken": result.more_not_taken} if result.more_not_taken else {}
    return {"notTaken": [structs.asdict(one) for one in result.not_taken], **more}


async def _settled(settling: Settling, day: date | None) -> Settled:
    try:
        return await settling.settle(day, settling.recorder.deadline())
    except FilesUnavailable as error:
        log.error("settlement files unavailable", cause=str(error))
        raise Problem(RequestFault.SETTLEMENT_FILES_UNAVAILABLE) from None
    except NoBusinessDay:
        raise invalid([("day", "lies before the first sale and the first file: there is nothing to settle")]) from None


async def reports(request: Request, reporting: Reporting) -> Response:
    """The settled days among the last 400, newest first."""
    middleware.query(request)
    return middleware.answer({"days": await reporting.days()})


async def report(request: Request, reporting: Reporting, name: str) -> Response:
    """A day's report, in the form that ends its name, else in the form that the client prefers.

    Raises:
        Problem: `body-invalid`, or `not-found` if the day was never settled.
    """
    middleware.query(request)
    text, suffix = (name[: -len(end)], end) if (end := next((end for end in FORMS if name.endswith(end)), "")) else (name, "")
    form = FORMS[suffix] if suffix else middleware.accepted(request, "application/json", "text/html", "text/csv")
    found = await reporting.day(day_named(text, reporting.now()))
    if found is None:
        raise Problem(RequestFault.NOT_FOUND, detail="This day was never settled.")
    response = _in_form(form, found)
    return response if suffix else middleware.negotiated(response)


def _in_form(form: str, found: Report) -> Response:
    match form:
        case "text/csv":
            from shared.web.report_csv import csv_of

            headers = {"Content-Disposition": f'attachment; filename="settlement-{found.body["day"]}.csv"'}
            return Response(csv_of(found), 200, headers, "text/csv; charset=utf-8")
        case "text/html":
            from shared.web.report_html import html_of

            return middleware.page(html_of(found))
        case _:
            return middleware.answer(found.json())


def day_named(text: str, at: datetime) -> date:
    """A business day that has come: `2026-05-01`.

    Raises:
        Problem: `body-invalid`.
    """
    if (day := calendar_day(text)) is None:
        raise invalid([("day", "must be a day: YYYY-MM-DD")])
    if not FIRST_DAY <= day <= business_day(at):
        raise invalid([("day", f"must not lie in the future, nor before {FIRST_DAY}")])
    return day


async def search(request: Request, operating: Operating) -> Response:
    """The sales of a meter, account or mobile number, a request id, or a supplier's transaction id.

    Raises:
        Problem: `body-invalid`: the query must name exactly one.
    """
    asked = middleware.query(request, *LOOKUPS)
    if len(asked) != 1:
        raise invalid([(name, "exactly one of these is required") for name in LOOKUPS])
    ((name, value),) = asked.items()
    if not _SOUGHT.fullmatch(value):
        raise invalid([(name, "must be 1 to 128 visible ASCII characters")])
    found, more = await operating.search(LOOKUPS[name], msisdn(value) or value if name == "mobileNumber" else value)
    return middleware.answer(found_body(found, operating.recorder.now(), more=more))


async def dossier(request: Request, operating: Operating, sale_id: str, operator: str) -> Response:
    """Everything on record about a sale, as far as it can be read. The tokens are included once the record holds who requested them.

    Raises:
        Problem: `body-invalid`, `not-found`, `forbidden`.
        UnreadableRecord: the request wants the tokens, and the sale's record cannot be changed.
    """
    asked = middleware.query(request, "reveal")
    if asked.get("reveal", "tokens") != "tokens":
        raise invalid([("reveal", "must be tokens")])
    by = require_human_operator(request, operator) if asked else None
    try:
        sale = await _sale(operating, sale_id)
    except SaleRetired as retired:
        return middleware.answer(retired_body(retired.tombstone))
    except UnreadableRecord as unreadable:
        if unreadable.sale is None or by is not None:  # nobody sees the tokens unless the record holds who requested them
            raise
        return middleware.answer(unread_dossier_body(unreadable.sale))
    if by is None:
        return middleware.answer(dossier_body(sale, operating.recorder.now()))
    sale = await operating.reveal(sale, by)
    return middleware.answer(dossier_body(sale, operating.recorder.now(), revealed=True))


async def resolution(request: Request, operating: Operating, sale_id: str, operator: str) -> Response:
    """A person's decision about a sale.

    Raises:
        Problem: any fault of the request, or 409 with the present state of the sale.
    """
    by = require_human_operator(request, operator)
    decision = decisions.resolution(await middleware.json_object(request))
    sale = await _sale(operating, sale_id)
    try:
        sale = await operating.resolve(sale, decision, by)
    except VersionConflict as outdated:
        raise _as_it_is(request, RequestFault.OUTDATED, outdated.sale) from None
    except NothingToDecide as decided:
        raise _as_it_is(request, RequestFault.NOTHING_TO_DECIDE, decided.sale) from None
    except TokensRefused as refused:
        raise invalid([("tokens" if refused.at is None else f"tokens.{refused.at}", refused.why)]) from None
    return middleware.answer(dossier_body(sale, operating.recorder.now()))


async def closure(request: Request, closing: Closing, discrepancy_id: str, operator: str) -> Response:
    """A person's decision about a discrepancy.

    Raises:
        Problem: any fault of the request, or `discrepancy-closed`.
    """
    by = require_human_operator(request, operator)
    decision, note = decisions.closure(await middleware.json_object(request))
    try:
        if not COMPUTED_ID.fullmatch(discrepancy_id):
            raise DiscrepancyUnknown
        return middleware.answer(await closing.close(discrepancy_id, decision, note, by))
    except DiscrepancyUnknown:
        raise Problem(RequestFault.NOT_FOUND, detail="There is no such discrepancy.") from None
    except DiscrepancyClosed as closed:
        raise Problem(RequestFault.DISCREPANCY_CLOSED, detail=f"It is closed as {closed.body['status']}.") from None


async def selling(request: Request, operating: Operating, operator: str) -> Response:
    """The paused services, after the decision if the request holds one.

    Raises:
        Problem: any fault of the request, or `outdated`.
    """
    if request.method != "POST":
        return middleware.answer(_paused(await operating.selling()))
    by = require_human_operator(request, operator)
    vas_types, reason, until = decisions.selling(await middleware.json_object(request), operating.recorder.now())
    try:
        return middleware.answer(_paused(await operating.pause(vas_types, reason, until, by)))
    except Conflict:
        raise Problem(RequestFault.OUTDATED) from None


async def _sale(operating: Operating, sale_id: str) -> Transaction:
    sale = await operating.find(sale_id) if COMPUTED_ID.fullmatch(sale_id) else None
    if sale is None:
        raise Problem(RequestFault.NOT_FOUND, detail="There is no such sale.")
    return sale


def _as_it_is(request: Request, name: RequestFault, sale: Transaction) -> Problem:
    place = middleware.location(request, sale)
    return Problem(name, state=sale.state, version=sale.version, transactionId=sale.id, instance=place)


def _paused(selling: Selling) -> PausedBody:
    pauses = selling.pauses
    ends = [pause.until for pause in pauses.values()]
    return {
        "paused": sorted(pauses),
        "reason": "; ".join(dict.fromkeys(pause.reason for pause in pauses.values())) or None,
        "until": _moment(None if None in ends else max((end for end in ends if end is not None), default=None)),
        "pauses": [_pause(vas_type, pauses[vas_type]) for vas_type in sorted(pauses)],
        "decisions": [shown for decision in selling.decisions if (shown := _pausing(decision)) is not None],
    }


def _pause(vas_type: VasType, pause: Pause) -> PauseBody:
    return {"vasType": vas_type, "reason": pause.reason, "until": _moment(pause.until), "by": pause.by, "at": rfc3339(pause.at)}


def _pausing(decision: Mapping[str, Any]) -> PausingBody | None:
    """A decision; `None` if the decision is damaged, which is logged."""
    with suppress(*MALFORMED):
        at, until, paused = decision["at"], decision["until"], decision["paused"]
        texts = [decision["by"], decision["reason"], *paused]
        if isinstance(paused, list) and all(isinstance(text, str) for text in texts):
            ends = None if until is None else moment_of(until)
            by, reason = decision["by"], decision["reason"]
            return {"at": rfc3339(moment_of(at)), "by": by, "paused": paused, "reason": reason, "until": _moment(ends)}
    log.critical("record not readable", kind=DocumentKind.CONTROLS)
    return None


def _moment(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
