"""The simulated switch as an ASGI app: its wire only. `switch.py` holds its decisions."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.domain.identifiers import hashed
from shared.domain.vas import VasType
from shared.mobilemart.requests import MobileForm
from shared.mobilemart.simulator import access, catalogue
from shared.mobilemart.simulator.behaviour import STANDARD, Behaviour
from shared.mobilemart.simulator.database import Database, Vend
from shared.mobilemart.simulator.errors import NOT_ALLOWED, UNAUTHORISED, WEB_PAGE, RequestRefused, SwitchReply, error, trace_id
from shared.mobilemart.simulator.faults import IDLE, Effect, Script, SwitchFault, instead, spoilt
from shared.mobilemart.simulator.key_value_store import Ledger
from shared.mobilemart.simulator.request_fields import MERCHANT_ERROR, Fields
from shared.mobilemart.simulator.services import ROUTES, Leg, Route, Service
from shared.mobilemart.simulator.switch import Job, Switch

DRIPS: Final = 64
UAT: Final = "uat."  # begins the host names of test systems

_decode_body: Final = msgspec.json.Decoder(dict[str, object], float_hook=Decimal).decode


class ConnectionCut(httpx.RemoteProtocolError):
    """The answer was lost. In process the client receives this exception, of the same kind as over a socket."""

    def __init__(self) -> None:
        super().__init__("the simulated switch cut the connection")


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """One request, read to its end."""

    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    base_url: str
    at: datetime

    @property
    def route(self) -> Route | None:
        return ROUTES.get((self.method, self.path))

    @property
    def host(self) -> str:
        """The host name in the request's address."""
        return (urlsplit(self.base_url).hostname or "").lower()

    @property
    def mobile_number(self) -> str | None:
        """The mobile number in the request, even if the rest cannot be read."""
        try:
            return self.fields.optional_text("MobileNumber")
        except RequestRefused:
            return None

    @property
    def leg(self) -> Leg | None:
        return None if self.route is None else self.route.leg

    @property
    def trace_id(self) -> str:
        return trace_id(self.method, self.path, str(sorted(self.query.items())), hashed(self.body.hex()), self.at.isoformat())

    @property
    def fields(self) -> Fields:
        """The query of a GET, the JSON body of a POST.

        Raises:
            RequestRefused: the body is not a JSON object.
        """
        if self.method == "GET":
            return Fields(self.query, text_amounts=True)
        try:
            return Fields(_decode_body(self.body), text_amounts=False)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RequestRefused(MERCHANT_ERROR, "The request body is invalid.") from None


class Simulator:
    """A Fulcrum switch. Simulators that share a ledger are one supplier. A script of faults belongs to one simulator.

    `delay` awaits a number of seconds; a test may pass a shorter one.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        behaviour: Behaviour = STANDARD,
        faults: Sequence[SwitchFault] = (),
        now: Callable[[], datetime],
        delay: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = Database(ledger)
        self._behaviour = behaviour
        self._switch = Switch(self._database, behaviour, now)
        self._script = Script(faults)
        self._now = now
        self._delay = delay

    def script(self, *faults: SwitchFault) -> None:
        """Add faults for the next calls, after those that are already waiting."""
        self._script.add(faults)

    async def vends(self) -> list[Vend]:
        """Return all vends, oldest first, whether or not their answers arrived."""
        return await self._database.vends()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"  # a server treats the failure as: no lifespan events here
        call = await _read(Request(scope, receive), self._now())
        if self._behaviour.answer_seconds:
            await self._delay(self._behaviour.answer_seconds)
        reply, effect = await self._exchange(call)
        if self._behaviour.marked:
            reply = reply.marked()
        await self._deliver(spoilt(reply, effect), effect, scope, receive, send)

    async def _exchange(self, call: ReceivedCall) -> tuple[SwitchReply, Effect | None]:
        """Return the switch's answer, and the effect of a fault on it."""
        scripted = self._script.strike(call.leg, call.path)
        if scripted is not None and scripted.effect in IDLE:
            return self._instead(scripted, call), scripted.effect
        fault = scripted
        try:
            understood = await self._understood(call, _effect(fault))
            if isinstance(understood, SwitchReply):
                return understood, _effect(fault)
            fault = scripted or understood.scenario.fault(call.leg)
            if fault is not None and fault.effect in IDLE:
                return self._instead(fault, call), fault.effect
            return SwitchReply(await understood.do(self._moment(call, fault)), understood.status), _effect(fault)
        except RequestRefused as refused:
            return error(refused, call.base_url, call.trace_id), _effect(fault)

    async def _understood(self, call: ReceivedCall, effect: Effect | None) -> Job | SwitchReply:
        """Return the job in a call, or the answer to a call that is about no sale.

        Raises:
            RequestRefused: the call is about a sale, and the switch refuses it.
        """
        match call.route:
            case None:
                return WEB_PAGE if call.method in ("GET", "HEAD") else NOT_ALLOWED
            case Route(Leg.TOKEN):
                return access.answer(call.body, self._behaviour, call.at)
            case _ if not access.is_authorised(call.headers.get("authorization"), call.at):
                return UNAUTHORISED
            case Route(Leg.LIST, VasType() as vas_type):
                rows = catalogue.listed(vas_type, call.fields.optional_text("contentCreator"))
                return _unless_known(catalogue.renamed(rows) if effect is Effect.PRODUCTS_RENAMED else rows, call)
            case Route(Leg.CREATORS, VasType() as vas_type):
                return _unless_known(catalogue.creators(vas_type), call)
            case Route(Leg.PREVEND, Service() as service):
                return await self._switch.prevend(service, call.fields)
            case Route(Leg.PURCHASE, Service() as service):
                return await self._switch.purchase(service, call.fields, self._mobile_form(call))
            case Route(Leg.REPRINT, VasType() as vas_type):
                return await self._switch.reprint(vas_type, call.fields)
            case route:
                raise AssertionError(f"no answer for {route}")

    def _instead(self, fault: SwitchFault, call: ReceivedCall) -> SwitchReply:
        return instead(fault, call.base_url, call.trace_id, call.mobile_number)

    def _mobile_form(self, call: ReceivedCall) -> MobileForm:
        """The form of mobile numbers that this host accepts."""
        if self._behaviour.mobile_numbers != "by_host":
            return MobileForm(self._behaviour.mobile_numbers)
        return MobileForm.LOCAL if call.host.startswith(UAT) else MobileForm.INTERNATIONAL

    def _moment(self, call: ReceivedCall, fault: SwitchFault | None) -> datetime:
        """The moment as of which the job is done."""
        late = _effect(fault) is Effect.VENDS_LATE
        return call.at + timedelta(seconds=self._behaviour.late_seconds if late else 0)

    async def _deliver(self, reply: SwitchReply, effect: Effect | None, scope: Scope, receive: Receive, send: Send) -> None:
        match effect:
            case Effect.REPLY_LOST | Effect.LOST_BEFORE:
                await _cut(send)
            case Effect.SILENT | Effect.VENDS_LATE:
                await _client_gone(receive)
            case Effect.DRIPPED:
                await self._drip(reply, send)
            case _:
                if effect in (Effect.SLOW, Effect.LATE):
                    await self._delay(self._behaviour.slow_seconds if effect is Effect.SLOW else self._behaviour.late_seconds)
                await Response(reply.body, reply.status, _headers(reply))(scope, receive, send)

    async def _drip(self, reply: SwitchReply, send: Send) -> None:
        """Send the answer in small pieces. Each pause is short, and the whole takes `late_seconds`."""
        headers = {**_headers(reply), "content-length": str(len(reply.body))}
        raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw_headers})
        size = len(reply.body) // DRIPS + 1
        for at in range(0, len(reply.body), size):
            await self._delay(self._behaviour.late_seconds / DRIPS)
            await send({"type": "http.response.body", "body": reply.body[at : at + size], "more_body": True})
        await send({"type": "http.response.body"})


async def _read(request: Request, at: datetime) -> ReceivedCall:
    return ReceivedCall(
        method=request.method,
        path=request.url.path,
        query=request.query_params,
        headers=request.headers,
        body=await request.body(),
        base_url=str(request.base_url).rstrip("/"),
        at=at,
    )


async def _cut(send: Send) -> None:
    """End the connection without a byte of an answer.

    ASGI has no message for that. A server refuses this header only after it counts the answer as begun.
    It can then do nothing but close. The in-process transport accepts any header: there the loss is raised.
    """
    try:
        await send({"type": "http.response.start", "status": 502, "headers": [(b"\n", b"")]})
    except Exception:
        return
    raise ConnectionCut


async def _client_gone(receive: Receive) -> None:
    """Wait until the client gives up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _effect(fault: SwitchFault | None) -> Effect | None:
    return None if fault is None else fault.effect


def _headers(reply: SwitchReply) -> dict[str, str]:
    content_type = {} if reply.content_type is None else {"content-type": reply.content_type}
    return {**content_type, "x-powered-by": "ASP.NET", **reply.headers}


def _unless_known(rows: list[Any], call: ReceivedCall) -> SwitchReply:
    """Return a list with its ETag; 304 if the caller has the list already."""
    reply = SwitchReply(rows)
    etag = f'"{hashed(reply.body.decode())}"'
    known = {tag.strip().removeprefix("W/") for tag in call.headers.get("if-none-match", "").split(",")}
    if known & {etag, "*"}:
        return SwitchReply(b"", 304, None, {"etag": etag})
    return replace(reply, headers={"etag": etag})
