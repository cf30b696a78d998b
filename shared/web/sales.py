"""Sales over HTTP: how prevend and purchase read a request, and answer with a sale."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from math import ceil
from typing import Final, assert_never

from starlette.requests import Request
from starlette.responses import Response

from shared.domain.identifiers import COMPUTED_ID, IDEMPOTENCY_KEY, Caller, fingerprint
from shared.domain.outcome import Rejected
from shared.domain.transaction import State, Transaction
from shared.domain.unread import Unread
from shared.domain.vas import Order, VasType, vas_type_named
from shared.lib.times import calendar_day
from shared.schemas import requests
from shared.schemas.problems import Problem, RequestFault, of_refusal
from shared.schemas.refusals import Retry
from shared.schemas.responses import DayBody, TransactionBody, state_shown, transaction_body, unread_body
from shared.vending.purchase import Purchased
from shared.vending.purchasing import Vending
from shared.web import middleware
from shared.web.settings import WebSettings

PAGE: Final = 100  # sales of a day in one answer

_CENTS: Final = re.compile(r"[0-9]{1,15}", re.ASCII)


async def prevend_order(request: Request, vas_type: VasType, settings: WebSettings) -> Order:
    """The order to confirm: from the body, or from the query of a `GET`.

    Raises:
        Problem: any fault of the request.
    """
    body = await middleware.json_object(request) if request.method == "POST" else _query_object(request)
    return requests.prevend_order(vas_type, body, _limits(settings))


def allow_purchase(request: Request, name: str) -> None:
    """Refuse a request that cannot be a purchase. A POST with a key may repeat an older sale, even of a service that is gone.

    Raises:
        Problem: `not-found` or `method-not-allowed`.
    """
    if vas_type_named(name) is None and (request.method != "POST" or "idempotency-key" not in request.headers):
        raise middleware.no_such_path()
    middleware.allow(request, "POST")


async def purchase(
    request: Request, name: str, caller: Caller, opened: Callable[[], Awaitable[Vending]], settings: WebSettings
) -> Response:
    """Sell the request for the named service, or repeat the answer of its key.

    A key on record gets the recorded answer, even if its request could not be sold today: limits, forms and names of services change.
    Such a fault is answered only after the key was found free.

    Raises:
        Problem: any fault of the request.
        KeyReused, RequestInProgress, PrevendUnknown, StoreUnavailable: as `Vending.purchase`.
    """
    key = _idempotency_key(request)
    body = await middleware.json_object(request)
    vending = await opened()
    sold: Purchased | None
    try:
        asked = requests.purchase_request(middleware.vas_type(name), body, _limits(settings), caller=caller, idempotency_key=key)
    except Problem:
        sold = await vending.repeated(caller, key, lambda vas_type: fingerprint(vas_type_named(name) or vas_type, body))
        if sold is None:
            raise
    else:
        sold = await vending.purchase(asked)
    return purchased(request, sold, vending.recorder.now(), settings)


async def look_up(request: Request, caller: Caller, vending: Vending, settings: WebSettings) -> Response:
    """The caller's sale under an idempotency key, or a page of the caller's sales of a day.

    Raises:
        Problem: `body-invalid`, or `not-found` if no request with that key has been accepted yet.
    """
    match middleware.query(request, "idempotencyKey", "day", "cursor"):
        case {"idempotencyKey": key, **others} if not others:
            if not IDEMPOTENCY_KEY.fullmatch(key):
                raise requests.invalid([("idempotencyKey", "must be 1 to 255 visible ASCII characters")])
            sale = await vending.find_by_key(caller, key)
            if sale is None:
                raise Problem(RequestFault.NOT_FOUND, detail="No request with this key has been accepted yet.", retry=Retry.SAME_KEY)
            return found(sale, vending, settings)
        case {"day": day, **others} if "idempotencyKey" not in others:
            return await _day(caller, day, others.get("cursor"), vending, settings)
        case {"idempotencyKey": _}:
            raise requests.invalid([("idempotencyKey", "stands by itself: not both this and day or cursor")])
        case _:
            raise requests.invalid([("idempotencyKey", "either this or day is required")])


def found(sale: Transaction | None, vending: Vending, settings: WebSettings) -> Response:
    """A requested sale, in any state.

    Raises:
        Problem: `not-found`.
    """
    if sale is None:
        raise _no_such_sale()
    return middleware.answer(_shown(sale, vending.now_for(sale), settings))


def purchased(request: Request, sold: Purchased, at: datetime, settings: WebSettings) -> Response:
    """The answer to a purchase. A repeat of an ended sale gets the same bytes, with a header that marks the repeat."""
    sale = sold.transaction
    replayed = {"Idempotent-Replayed": "true"} if sold.replayed else {}
    headers = {"Location": middleware.location(request, sale), **replayed}
    match sale.state:
        case State.VENDED:
            return middleware.answer(_shown(sale, at, settings), 201, headers)
        case State.REJECTED:
            assert isinstance(sale.outcome, Rejected)  # the store returns no sale whose outcome contradicts its state
            response = middleware.problem(_rejection(sale, sale.outcome, headers["Location"]))
            response.headers.update(replayed)
            return response
        case State.VENDING | State.IN_DOUBT:  # in doubt, abandoned, or vended and not yet recorded: one answer for the caller
            headers["Retry-After"] = str(_seconds_left(sale, at))
            return middleware.answer(transaction_body(sale, State.IN_DOUBT, settings.consumer_details), 202, headers)
        case _:
            assert_never(sale.state)


def sale_id(text: str) -> str:
    """A transaction id from a path.

    Raises:
        Problem: `not-found`, since no sale has such an id.
    """
    if not COMPUTED_ID.fullmatch(text):
        raise _no_such_sale()
    return text


def _no_such_sale() -> Problem:
    return Problem(RequestFault.NOT_FOUND, detail="This caller has no such sale.")


def _idempotency_key(request: Request) -> str:
    """The caller's name for this purchase.

    Raises:
        Problem: `idempotency-key-missing` or `idempotency-key-malformed`.
    """
    match request.headers.getlist("idempotency-key"):
        case []:
            raise Problem(RequestFault.IDEMPOTENCY_KEY_MISSING)
        case [key] if IDEMPOTENCY_KEY.fullmatch(key):
            return key
        case _:
            raise Problem(RequestFault.IDEMPOTENCY_KEY_MALFORMED)


def _shown(sale: Transaction, at: datetime, settings: WebSettings) -> TransactionBody:
    return transaction_body(sale, state_shown(sale, at), settings.consumer_details)


async def _day(caller: Caller, day: str, cursor: str | None, vending: Vending, settings: WebSettings) -> Response:
    faults = [] if calendar_day(day) is not None else [("day", "must be a day: YYYY-MM-DD")]
    if cursor is not None and not COMPUTED_ID.fullmatch(cursor):
        faults.append(("cursor", "must be the cursor of the page before"))
    if faults:
        raise requests.invalid(faults)
    held = await vending.of_day(caller, day, cursor, PAGE + 1)
    page = held[:PAGE]
    body: DayBody = {
        "transactions": [_shown(sale, vending.now_for(sale), settings) for sale in page if isinstance(sale, Transaction)],
        "cursor": page[-1].id if len(held) > PAGE else None,
    }
    if unread := [unread_body(sale) for sale in page if isinstance(sale, Unread)]:
        body["notReadable"] = unread
    return middleware.answer(body)


def _rejection(sale: Transaction, rejected: Rejected, place: str) -> Problem:
    """A purchase that sold nothing. The problem of a possible duplicate or a used prevend names the *other* sale."""
    other = rejected.other_transaction_id
    return of_refusal(rejected, state=sale.state, transactionId=other or sale.id, instance=place)


def _seconds_left(sale: Transaction, at: datetime) -> int:
    """The seconds until the next attempt to end the sale."""
    return 1 if sale.open is None else max(1, ceil((sale.open.due_at - at).total_seconds()))


def _limits(settings: WebSettings) -> requests.Limits:
    return requests.Limits(settings.minimum_amount, settings.maximum_amount)


def _query_object(request: Request) -> Mapping[str, object]:
    """The query parameters as a body: digits become numbers, because a URL has no types."""
    asked = middleware.whole_query(request)
    return {name: int(text) if name == "amountCents" and _CENTS.fullmatch(text) else text for name, text in asked.items()}
