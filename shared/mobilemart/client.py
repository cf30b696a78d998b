"""The supplier's client, one for the network and for the simulator. A failure of the supplier never raises."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, assert_never

import httpx

from shared.domain.catalogue import Product
from shared.domain.outcome import Answer, NoAnswer, Prevended, RawAnswer, Reason, Rejected, Reprint
from shared.domain.policy import AmountCheck, ReprintBy
from shared.domain.transaction import Transaction
from shared.domain.vas import Mode, Order, VasType
from shared.lib import logs
from shared.lib.single_flight import SingleFlight
from shared.lib.value import Value
from shared.mobilemart.access_token import Access
from shared.mobilemart.error_codes import FLOAT_EXHAUSTED, MERCHANT_ERROR
from shared.mobilemart.http_exchange import MAX_ANSWER_BYTES, Exchange
from shared.mobilemart.requests import Call, mobile_form, prevend_call, products_call, reprint_call, vend_call
from shared.mobilemart.responses import (
    Concern,
    Heard,
    NoReply,
    Reply,
    VendRead,
    is_foreign,
    read_prevend,
    read_products,
    read_reprint,
    read_vend,
)
from shared.ports.credentials import GetCredentials

PRODUCTS_TTL: Final = timedelta(minutes=15)
MAX_LIST_BYTES: Final = 8 * MAX_ANSWER_BYTES  # the largest list seen is a third of a megabyte
TOKEN_SECONDS: Final = 10.0
NOT_MODIFIED: Final = 304
FORBIDDEN: Final = 403

log = logs.logger(__name__)


class Settings(Value, frozen=True, kw_only=True):
    """How to reach the switch at `base_url`. Times are in seconds; `timeout_seconds` bounds a whole exchange.

    `utility_product_id` is the configured electricity product. Each list of electricity products is searched for it.
    """

    base_url: str
    mode: Mode
    tender_type: str = "CreditCard"
    reprint_by: ReprintBy = ReprintBy.REQUEST_ID
    utility_product_id: str | None = None
    amount_check: AmountCheck = AmountCheck.ALERT
    connect_timeout_seconds: float = 5
    timeout_seconds: float = 60


class _Catalogue(Value, frozen=True):
    products: tuple[Product, ...]
    etag: str | None
    good_until: datetime


class MobileMart:
    """The supplier over `transport`: `http_exchange.live_transport()`, or the simulator's.

    The client holds one access token, the catalogues and the pooled connections, and belongs to one event loop.
    `now` returns aware UTC.
    """

    def __init__(
        self, transport: httpx.AsyncBaseTransport, settings: Settings, credentials: GetCredentials, now: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._now = now
        self._exchange = Exchange(transport, settings.base_url)
        self._access = Access(self._ask_for_token, credentials, now, settings.mode)
        self._mobile_form = mobile_form(settings.base_url)
        self._catalogues: dict[VasType, _Catalogue] = {}
        self._fetches = {vas_type: SingleFlight(partial(self._fetch_products, vas_type)) for vas_type in VasType}

    async def ready(self) -> Rejected | None:
        """Make sure that an access token is cached. `None` means that one is."""
        token = await self._access.token()
        return token if isinstance(token, Rejected) else None

    async def products(self, vas_type: VasType) -> tuple[Product, ...] | Rejected:
        """The catalogue of one service, at most 15 minutes old."""
        cached = self._catalogues.get(vas_type)
        if (
            cached is not None and timedelta() < cached.good_until - self._now() <= PRODUCTS_TTL
        ):  # a longer remainder: the clock has stepped back
            return cached.products
        return await self._fetches[vas_type]()

    async def prevend(self, order: Order, request_id: str) -> Prevended | Rejected:
        """Confirm a meter or account and an amount. No money moves."""
        heard = await self._read(prevend_call(order, request_id))
        return heard if isinstance(heard, Rejected) else read_prevend(heard, order, self._settings.mode)

    async def vend(self, order: Order, supplier_prevend_id: str | None, request_id: str, send_within_seconds: float) -> Answer:
        """Sell: at most one request on the wire, and none after `send_within_seconds`.

        The request carries the cached token. A refused token is dropped, and the outcome is `Rejected` with
        `not_taken`.
        The caller decides whether to send again.
        """
        token = self._access.cached()
        if token is None or send_within_seconds <= 0:
            cause = "no access token at hand" if token is None else "too late to send"
            return Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, cause, not_taken=True))
        call = vend_call(order, supplier_prevend_id, request_id, self._settings.tender_type, self._mobile_form)
        heard = await self._exchange(
            call,
            access_token=token,
            seconds=self._settings.timeout_seconds,
            connect_seconds=min(self._settings.connect_timeout_seconds, send_within_seconds),
        )
        self._after_answer(call, token, heard)
        read = read_vend(heard, order, self._settings.mode, request_id, self._settings.amount_check)
        _log_concern(read, order, request_id)
        return Answer(read.outcome, self._raw_answer("vend", heard))

    def can_reprint(self, sale: Transaction) -> bool:
        """Whether a reprint can be requested: the service has reprints, and the configured id is known."""
        return self._reprint_call(sale) is not None

    async def reprint(self, sale: Transaction) -> Reprint:
        """Request a past vend again, by the configured id. A vend that does not match the sale counts as no answer."""
        call = self._reprint_call(sale)
        if call is None:
            return Reprint(NoAnswer("nothing to ask a reprint by"))
        heard = await self._read(call)
        if isinstance(heard, Rejected):
            return Reprint(NoAnswer(heard.cause))
        asked_for = _supplier_id(sale) if self._settings.reprint_by is ReprintBy.TRANSACTION_ID else None
        result = read_reprint(heard, sale.order, self._settings.mode, asked_for, sale.request_id)
        return Reprint(result, self._raw_answer("reprint", heard))

    async def aclose(self) -> None:
        """Cancel a running renewal, and close the connections."""
        self._access.close()
        await self._exchange.aclose()

    def _reprint_call(self, sale: Transaction) -> Call | None:
        return reprint_call(sale.order.vas_type, self._settings.reprint_by, sale.request_id, _supplier_id(sale))

    async def _fetch_products(self, vas_type: VasType) -> tuple[Product, ...] | Rejected:
        cached = self._catalogues.get(vas_type)
        heard = await self._read(products_call(vas_type), etag=cached.etag if cached is not None else None, most_bytes=MAX_LIST_BYTES)
        if isinstance(heard, Rejected):
            return heard
        good_until = self._now() + PRODUCTS_TTL
        if cached is not None and isinstance(heard, Reply) and heard.status == NOT_MODIFIED:
            self._store_catalogue(vas_type, _Catalogue(cached.products, cached.etag, good_until))
            return cached.products
        products = read_products(heard, vas_type, self._settings.mode)
        if not isinstance(products, Rejected):
            self._store_catalogue(vas_type, _Catalogue(products, heard.etag if isinstance(heard, Reply) else None, good_until))
        return products

    def _store_catalogue(self, vas_type: VasType, catalogue: _Catalogue) -> None:
        """Store a list until its next refresh. If the configured product is missing, log one error per refresh."""
        self._catalogues[vas_type] = catalogue
        configured = self._settings.utility_product_id
        if (
            vas_type is VasType.UTILITY
            and configured is not None
            and not any(product.merchant_product_id == configured for product in catalogue.products)
        ):
            log.error("configured product not listed", merchant_product_id=configured, listed=len(catalogue.products))

    async def _read(self, call: Call, *, etag: str | None = None, most_bytes: int = MAX_ANSWER_BYTES) -> Heard | Rejected:
        """Send a call that moves no money; send it once more with a new token if the first token was refused."""
        heard: Heard = NoReply("not asked")
        for _ in range(2):
            token = await self._access.token()
            if isinstance(token, Rejected):
                return token
            heard = await self._exchange(
                call,
                access_token=token,
                etag=etag,
                seconds=self._settings.timeout_seconds,
                connect_seconds=self._settings.connect_timeout_seconds,
                most_bytes=most_bytes,
            )
            self._after_answer(call, token, heard)
            if isinstance(heard, NoReply) or not heard.is_unauthenticated:
                break
        return heard

    async def _ask_for_token(self, call: Call) -> Heard:
        connect_seconds = min(self._settings.connect_timeout_seconds, TOKEN_SECONDS)
        heard = await self._exchange(call, seconds=TOKEN_SECONDS, connect_seconds=connect_seconds)
        self._log_alarm(call, heard)
        return heard

    def _after_answer(self, call: Call, token: str, heard: Heard) -> None:
        if isinstance(heard, Reply) and heard.is_unauthenticated:
            self._access.drop(token)
        self._log_alarm(call, heard)

    def _log_alarm(self, call: Call, heard: Heard) -> None:
        """Log an answer that needs an operator. Never log a body."""
        if isinstance(heard, NoReply):
            log.warning("supplier not heard", path=call.path, cause=heard.cause)
        elif is_foreign(heard, self._settings.mode):
            log.error("supplier says simulated", path=call.path, answer=heard.description)
        elif heard.code == FLOAT_EXHAUSTED:
            log.critical("float exhausted", path=call.path)
        elif heard.code == MERCHANT_ERROR:
            log.error("supplier refuses the request", path=call.path, answer=heard.description)
        elif heard.status == FORBIDDEN:
            log.error("supplier forbids", path=call.path, answer=heard.description)
        elif heard.is_success and heard.json is None:
            log.error("supplier answered no JSON", path=call.path, answer=heard.description)
        elif heard.code is not None and heard.meaning is None:
            log.error("unknown supplier code", path=call.path, answer=heard.description)

    def _raw_answer(self, source: str, heard: Heard) -> RawAnswer | None:
        if isinstance(heard, NoReply):
            return None
        return RawAnswer.of(source, self._now(), heard.status, heard.content_type, heard.body)


def _log_concern(read: VendRead, order: Order, request_id: str) -> None:
    """Log a vend's answer that needs an operator. Its content is never logged: the sale's record holds it."""
    fields = {"request_id": request_id, "vas_type": order.vas_type, "amount_cents": order.amount.cents, "why": read.why}
    match read.concern:
        case Concern.DOES_NOT_MATCH:
            log.critical("vend answer does not match", **fields)
        case Concern.AMOUNT_DIFFERS:
            log.critical("vend amount differs", **fields)
        case Concern.STATUS_NOT_KNOWN:
            log.warning("vend status not known", **fields)
        case None:
            pass
        case _:
            assert_never(read.concern)


def _supplier_id(sale: Transaction) -> str | None:
    return None if sale.receipt is None else sale.receipt.supplier_transaction_id
