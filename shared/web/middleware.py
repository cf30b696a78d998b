"""The edge that all functions share: how HTTP requests are read, and how answers leave.

Nothing here cancels a handler, and the server cancels none when its client disconnects. A sale that has begun is finished and
recorded, with or without a listener.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, Final, assert_never

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from shared.domain.outcome import Reason, Rejected
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import Transaction
from shared.domain.unread import Unread
from shared.domain.vas import VasType, vas_type_named
from shared.lib import logs
from shared.ports.documents import StoreUnavailable, UnreadableRecord
from shared.ports.transactions import SaleRetired
from shared.schemas import requests
from shared.schemas.problems import KINDS, Problem, RequestFault, of_refusal
from shared.schemas.responses import HealthBody, encoded, sale_path
from shared.vending.purchase import KeyReused, PrevendRefused, PrevendUnknown, RequestInProgress
from shared.web.oidc import IdentityUnavailable, MissingScope, Unauthenticated
from shared.web.settings import WebSettings

MAX_BODY_BYTES: Final = 16 * 1024
BODY_SECONDS: Final = 10
MAX_ACCEPT_CHARACTERS: Final = 1_000  # browsers send some 150; a server accepts 64 KB, and parsing so much would delay every request
SEEN_BY_BROWSERS: Final = "Idempotent-Replayed, Location, Retry-After"
PAGE_HEADERS: Final = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)

_NO_JSON: Final = "must be JSON in UTF-8, without what cannot be kept: a lone surrogate, or a number of thousands of digits"
_JSON: Final = re.compile(r"application/json\s*(?:;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

log = logs.logger(__name__)


def handle_errors(settings: WebSettings) -> Callable[[Handler], Handler]:
    """Make a function of HTTP: every exception becomes a problem, and no cache stores an answer.

    An unexpected exception is logged by type and place, never with its text, and answered as `internal`.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def edge(request: Request) -> Response:
            with logs.traced(request.headers, settings.project):
                response = _preflight(request, settings) or await _answered(handler, request)
            response.headers["Cache-Control"] = "no-store"
            return _shared_with_origin(request, response, settings)

        return edge

    return decorate


def function(settings: WebSettings) -> Callable[[Handler], Handler]:
    """Make a function of HTTP, as `handle_errors` does, that also answers the paths which every function has."""

    def decorate(handler: Handler) -> Handler:
        @handle_errors(settings)
        @wraps(handler)
        async def routed(request: Request) -> Response:
            return _common(request, settings) or await handler(request)

        return routed

    return decorate


def path(request: Request) -> tuple[str, ...]:
    """The segments of the path below the function's root, wherever the function is mounted."""
    below = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return tuple(below.removeprefix("/").split("/"))


def allow(request: Request, *methods: str) -> None:
    """Refuse every other method. `HEAD` is `GET` without the body, which the server leaves out.

    Raises:
        Problem: `method-not-allowed`.
    """
    allowed = [name for each in methods for name in ((each, "HEAD") if each == "GET" else (each,))]
    if request.method not in allowed:
        raise Problem(RequestFault.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})


def vas_type(name: str, among: Collection[VasType] = tuple(VasType)) -> VasType:
    """The service of that name, which must be in `among`.

    Raises:
        Problem: `not-found`.
    """
    named = vas_type_named(name)
    if named is None or named not in among:
        raise no_such_path()
    return named


def no_such_path() -> Problem:
    return Problem(RequestFault.NOT_FOUND, detail="There is no such service or path.")


async def json_object(request: Request) -> Mapping[str, object]:
    """The JSON object in the body.

    Raises:
        Problem: `too-large`, `not-json`, or `body-invalid`.
    """
    raw = await _body(request)
    if not raw:
        raise requests.invalid([("", "a JSON object is required")])
    content_type = request.headers.get("content-type", "")
    if not _JSON.fullmatch(content_type.strip()) or request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(RequestFault.NOT_JSON)
    try:
        body = json.loads(raw.decode(), object_pairs_hook=_unrepeated, parse_constant=_refused)
        encoded(body)  # lone surrogates and boundless numbers cannot be sent back, and so cannot be stored
    except Problem:
        raise
    except (ValueError, RecursionError):
        raise requests.invalid([("", _NO_JSON)]) from None
    if not isinstance(body, dict):
        raise requests.invalid([("", "must be a JSON object")])
    return body


def query(request: Request, *names: str) -> dict[str, str]:
    """The query parameters, each given at most once, and only those in `names`.

    Raises:
        Problem: `body-invalid`, naming every parameter at fault.
    """
    return _query(request, lambda name: name in names)


def whole_query(request: Request) -> dict[str, str]:
    """The query parameters of any name, each given at most once.

    Raises:
        Problem: `body-invalid`, naming every parameter that is given more than once.
    """
    return _query(request, lambda _: True)


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(encoded(body), status, headers, "application/json")


def accepted(request: Request, *forms: str) -> str:
    """The media type among `forms` that the header `Accept` prefers; the first one if the header names none of them."""
    from werkzeug.datastructures import MIMEAccept
    from werkzeug.http import parse_accept_header

    said = request.headers.get("accept", "")[:MAX_ACCEPT_CHARACTERS]
    return parse_accept_header(said, MIMEAccept).best_match(forms) or forms[0]


def negotiated(response: Response) -> Response:
    """An answer in the form that the header `Accept` chose; `Vary` names that header."""
    response.headers.add_vary_header("Accept")
    return response


def problem_documentation(request: Request) -> Response:
    """The page behind the `type` of a problem, or the list of all problems: HTML for browsers, else JSON. Public.

    Raises:
        Problem: `method-not-allowed`, or `not-found`.
    """
    from shared.web import problem_pages

    allow(request, "GET")
    match path(request):
        case (_,):
            name = None
        case (_, text) if text in problem_pages.NAMES:
            name = problem_pages.NAMES[text]
        case _:
            raise no_such_path()
    if accepted(request, "application/json", "text/html") == "text/html":
        return negotiated(page(problem_pages.html_of(name)))
    return negotiated(answer(problem_pages.explained_list_body() if name is None else problem_pages.explained_body(name)))


def page(html: bytes) -> Response:
    """A page that fetches nothing, runs nothing, and allows no frame around it."""
    return Response(html, 200, PAGE_HEADERS, "text/html; charset=utf-8")


def problem(refusal: Problem) -> Response:
    """A refusal as RFC 9457 defines it; its seconds to wait are in the header `Retry-After` too."""
    headers = dict(refusal.headers)
    wait = refusal.members.get("retryAfterSeconds")
    if wait is not None:
        headers.setdefault("Retry-After", str(wait))
    return Response(encoded(refusal.body()), refusal.kind.status, headers, "application/problem+json")


def location(request: Request, sale: Transaction | Unread | Tombstone) -> str:
    """The address of a sale, below the root at which the function is mounted."""
    return f"{request.scope.get('root_path', '')}{sale_path(sale.id)}"


def _query(request: Request, is_expected: Callable[[str], bool]) -> dict[str, str]:
    given = request.query_params.multi_items()
    counted = Counter(name for name, _ in given)
    faults = {name: "is given more than once" for name, times in counted.items() if times > 1}
    faults |= {name: "is not expected in this request" for name in counted if not is_expected(name)}
    if faults:
        raise requests.invalid(list(faults.items()))
    return dict(given)


async def _answered(handler: Handler, request: Request) -> Response:
    try:
        try:
            return await handler(request)
        except Exception as error:
            return problem(_problem_of(request, error))
    except Exception as error:  # a refusal that cannot be written: no exception leaves this edge
        return problem(_unforeseen(request, error))


def _problem_of(request: Request, error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case ClientDisconnect():  # during the upload: nothing has begun, and nobody reads the answer
            return Problem(RequestFault.BODY_INVALID)
        case KeyReused(holder=holder):
            detail = f"This Idempotency-Key was first used for another request, of {holder.order.amount}."
            return Problem(RequestFault.IDEMPOTENCY_KEY_REUSED, detail=detail, instance=location(request, holder))
        case RequestInProgress(running=sale):
            place = location(request, sale)
            return Problem(RequestFault.REQUEST_IN_PROGRESS, headers={"Location": place}, transactionId=sale.id, instance=place)
        case PrevendUnknown():
            return Problem(RequestFault.PREVEND_UNKNOWN)
        case PrevendRefused(refusal=Rejected(reason=Reason.TEMPORARILY_UNAVAILABLE) as refusal):
            wait = refusal.retry_after_seconds or KINDS[RequestFault.SUPPLIER_UNAVAILABLE].retry_after_seconds
            return Problem(RequestFault.SUPPLIER_UNAVAILABLE, retryAfterSeconds=wait)
        case PrevendRefused(refusal=refusal):
            return of_refusal(refusal)
        case Unauthenticated() | MissingScope() | IdentityUnavailable():
            return _identity_problem(request, error)
        case SaleRetired(tombstone=tombstone):
            return Problem(RequestFault.KEY_RETIRED, transactionId=tombstone.id, instance=location(request, tombstone))
        case UnreadableRecord(sale=Unread() as sale):  # logged where the record was read
            return Problem(RequestFault.RECORD_NOT_READABLE, transactionId=sale.id, instance=location(request, sale))
        case UnreadableRecord():
            return Problem(RequestFault.RECORD_NOT_READABLE, detail="The version that runs cannot read a record that this request needs.")
        case StoreUnavailable():
            log.error("store unavailable", cause=error)
            return Problem(RequestFault.STORE_UNAVAILABLE)
        case _:
            return _unforeseen(request, error)


def _identity_problem(request: Request, error: Unauthenticated | MissingScope | IdentityUnavailable) -> Problem:
    match error:
        case Unauthenticated():
            challenge = 'Bearer error="invalid_token"' if "authorization" in request.headers else "Bearer"
            return Problem(RequestFault.UNAUTHENTICATED, detail=f"Refused: {error}.", headers={"WWW-Authenticate": challenge})
        case MissingScope():
            return Problem(RequestFault.FORBIDDEN, headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
        case IdentityUnavailable():
            return Problem(RequestFault.IDENTITY_UNAVAILABLE)
        case _:
            assert_never(error)


def _unforeseen(request: Request, error: Exception) -> Problem:
    log.critical("request failed", cause=error, method=request.method)
    return Problem(RequestFault.INTERNAL)


async def _body(request: Request) -> bytes:
    """The whole body. A body that is too large or too slow is refused as soon as this is known.

    The function's time is for the supplier. A sale from a dripping body would begin when that time is nearly over.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _received(request)
    except TimeoutError:
        raise requests.invalid([("", f"did not arrive whole within {BODY_SECONDS} seconds")]) from None


async def _received(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 15 or int(declared) > MAX_BODY_BYTES):
        raise Problem(RequestFault.TOO_LARGE)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Problem(RequestFault.TOO_LARGE)
    return bytes(body)


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object without repeated fields. If a name is given twice, we and a check before us might each use another value."""
    named = dict(pairs)
    if len(named) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        raise requests.invalid([(name, "is given more than once") for name, times in counted.items() if times > 1])
    return named


def _refused(constant: str) -> object:
    raise ValueError("NaN and Infinity are not JSON")


def _common(request: Request, settings: WebSettings) -> Response | None:
    """The answer to a path that every function has; `None` for any other path.

    Raises:
        Problem: `method-not-allowed`, or `not-found`.
    """
    match path(request):
        case ("health",):
            allow(request, "GET")
            body: HealthBody = {"status": "ok", "environment": settings.environment, "mode": settings.mode}
            return answer(body)
        case ("problems", *_):
            return problem_documentation(request)
        case _:
            return None


def _preflight(request: Request, settings: WebSettings) -> Response | None:
    """The answer to a browser that asks whether a page of a known origin may send its request."""
    asks = request.method == "OPTIONS" and "access-control-request-method" in request.headers
    if not asks or request.headers.get("origin") not in settings.cors_origins:
        return None
    headers = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
        "Access-Control-Max-Age": "600",
    }
    return Response(status_code=204, headers=headers)


def _shared_with_origin(request: Request, response: Response, settings: WebSettings) -> Response:
    if not settings.cors_origins:
        return response
    response.headers.add_vary_header("Origin")
    origin = request.headers.get("origin", "")
    if origin in settings.cors_origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = SEEN_BY_BROWSERS
    return response
