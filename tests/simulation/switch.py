"""The supplier's switch and its books. It does whatever the wire reference leaves open, as its `SupplierProfile` has it."""

import heapq
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from types import coroutine
from typing import Any, Final, NamedTuple

from msgspec import json

from shared.domain.policy import AmountCheck
from shared.domain.vas import VasType
from shared.mobilemart.requests import Call as Request
from shared.mobilemart.responses import Heard, NoReply, Reply
from tests.simulation import contrary
from tests.simulation.faults import EXCHANGE, Call, Fault
from tests.simulation.goods import ALL_BUT_THE_LAST, PRICES, Vend, slip
from tests.simulation.scheduler import Clock
from tests.simulation.supplier_profile import Manner, SupplierProfile

SEND: Final = Call("supplier.vend", *EXCHANGE, weight=1.5)
PREVEND: Final = Call("supplier.prevend", *EXCHANGE)
REPRINT: Final = Call("supplier.reprint", *EXCHANGE, weight=1.5)

LEASE: Final = timedelta(seconds=240)  # the contract's numbers, not the product's settings: those may be what is wrong

NEVER: Final = datetime.max.replace(tzinfo=UTC)

JSON: Final = {"content-type": "application/json"}
MARKED: Final = {"content-type": "application/json", "x-simulated": "true"}
PROBLEM: Final = {"content-type": "application/problem+json"}
HTML: Final = {"content-type": "text/html"}
ERRORS: Final = tuple(
    b'{"transactionId":"bbbbbbbb","%s":%s}' % (name, code)
    for name in (b"errorCode", b"fulcrumErrorCode")
    for code in (b"5", b"1", b"true", b'"1"', b'"Failed"')
)
PAGE: Final = b"<!doctype html><title>Fulcrum</title>"
SERVICES: Final = {service.value: service for service in VasType}


class Denial(NamedTuple):
    """When somebody asked for what "does not exist", truly and by the wall clock, and in which sweep."""

    at: datetime
    wall: datetime
    sweep: int


class Switch:
    """MobileMart. `vends` is the truth: everything that it ever sold."""

    def __init__(
        self,
        clock: Clock,
        profile: SupplierProfile,
        breaches: dict[str, str],
        seen: dict[str, int],
        asked: Callable[[str], None],
        may_name: Callable[[Vend, str | None], bool],
        lacks_the_last: Callable[[Vend], bool],
        is_held: Callable[[Vend], bool],
    ) -> None:
        self._clock = clock
        self.profile = profile
        self.breaches = breaches  # by request id: which assumption was broken for it
        self.seen = seen
        self.vends: list[Vend] = []
        self.denied: dict[str, list[Denial]] = {}  # by request id: when, and in which sweep, it "does not exist"
        self.asked_at: dict[str, tuple[datetime, datetime]] = {}  # by request id: when it was asked to vend it last, truly and by the wall
        self.found: set[tuple[VasType, int]] = set()  # in which sweeps a sale of that service was asked for and found
        self.by_request: dict[str, list[Vend]] = {}
        self.told: dict[str, set[str]] = {}  # by request id: the tokens that reprints have shown since faults stopped
        self.prevends: dict[str, tuple[VasType, str, int]] = {}
        self._used: set[str] = set()
        self._said: dict[str, Heard] = {}  # by request id: what was answered
        self._late: list[tuple[datetime, int, Vend]] = []
        self._number = 0
        self._asked = asked  # is told of every request to vend
        self._may_name = may_name  # whether a reprint that was asked for something else may name this sale
        self._accepted: dict[str, Vend] = {}  # by request id: what was answered with an id and something against it
        self._is_held = is_held  # whether our record of a sale is that of this vend
        self._lacks_the_last = lacks_the_last  # whether the last token of this sale is the only one that we do not know

    async def exchange(self, call: Request, sweep: int = 0, **_: object) -> Heard:
        """The transport of the client: one request, one answer. `sweep` is the number of the sweep that asks, if one does."""
        _, _, service, action = call.path.split("/")
        if call.method == "POST":
            return await self._vend(SERVICES[service], action, json.decode(call.body or b""))
        if action == "prevend":
            return await self._prevend(SERVICES[service], dict(call.query))
        return await self._reprint(SERVICES[service], dict(call.query), sweep)

    @coroutine
    def _vend(self, service: VasType, action: str, asked: Mapping[str, Any]) -> Generator[Any, Fault | None, Heard]:
        checked_at = self._clock.now
        self._asked(asked["requestId"])
        fault = yield SEND
        if fault is Fault.REFUSED:
            return NoReply("ClientConnectorError", never_sent=True)
        self.asked_at[asked["requestId"]] = self._clock.now, self._clock.wall
        if self._clock.now - checked_at > LEASE:
            self.breaches.setdefault(asked["requestId"], "frozen between clock and wire")
        heard = self._sold(service, action, asked)
        if fault is Fault.REPEATED:
            self._repeated_by_the_network(service, action, asked)
        if fault is Fault.LOST or fault is Fault.CRASH_AFTER:  # of a sale of which it never told us it does not lose sight
            for vend in self.by_request.get(asked["requestId"], ()):
                vend.visible_at = vend.at
        if fault is not None:
            yield fault
        return NoReply("TimeoutError") if fault is Fault.LOST else heard

    @coroutine
    def _prevend(self, service: VasType, asked: Mapping[str, str]) -> Generator[Any, Fault | None, Heard]:
        fault = yield PREVEND
        if fault is Fault.REFUSED:
            return NoReply("ClientConnectorError", never_sent=True)
        heard = self._confirmed(service, asked)
        if fault is not None:
            yield fault
        return NoReply("TimeoutError") if fault is Fault.LOST else heard

    @coroutine
    def _reprint(self, service: VasType, asked: Mapping[str, str], sweep: int) -> Generator[Any, Fault | None, Heard]:
        asked_at = Denial(self._clock.now, self._clock.wall, sweep)
        fault = yield REPRINT
        if fault is Fault.REFUSED:
            return NoReply("ClientConnectorError", never_sent=True)
        heard = self._printed(service, asked, asked_at)
        if fault is not None:
            yield fault
        return NoReply("TimeoutError") if fault is Fault.LOST else heard

    def has_lost_sight_of(self, request_id: str) -> bool:
        """Whether a sale was made that no reprint will ever find."""
        return any(vend.visible_at == NEVER for vend in self.by_request.get(request_id, ()))

    def prints_as_undone(self, request_id: str) -> bool:
        """Whether its reprints say of a request that was answered, and not sold, that it is not done, instead of 1003."""
        return self.profile.prints_what_is_undone and request_id in self._accepted

    def catch_up(self) -> None:
        """Make the vends that were begun late and are due by now."""
        while self._late and self._late[0][0] <= self._clock.now:
            at, _, vend = heapq.heappop(self._late)
            self._book(vend, at)

    def finish(self) -> datetime | None:
        """When the last of the late vends will have been made."""
        return max(self._late)[0] if self._late else None

    def _confirmed(self, service: VasType, asked: Mapping[str, str]) -> Heard:
        trouble = self.profile.trouble_of_prevend()
        self._saw("prevend", trouble or "confirmed")
        if trouble is not None:
            return _answer(trouble, self.profile)
        self._number += 1
        name = f"dddddddd-0000-4000-8000-{self._number:012d}"
        recipient = asked.get("meterNumber") or asked["accountNumber"]
        self.prevends[name] = (service, recipient, round(float(asked["amount"]) * 100))
        minimum = self.profile.minimum_rand
        return Reply.of(200, JSON, f'{{"transactionId":"{name}","minimumPurchaseAmount":{minimum},"amountDue":0}}'.encode())

    def _sold(self, service: VasType, action: str, asked: Mapping[str, Any]) -> Heard:
        self.catch_up()
        request_id = asked["requestId"]
        if request_id in self._said:
            self._saw("repeated id", self.profile.repeat)
            if self.profile.repeat == "replayed":
                earlier = self.by_request.get(request_id)
                return Reply.of(200, JSON, slip(earlier[0], self.profile.token_form)) if earlier else self._said[request_id]
            if self.profile.repeat == "rejected":
                return _problem(400, 1010)
        manner = self.profile.manner_of_vend()
        self._saw("vend", manner.name)
        heard = self._done(manner, service, action, asked)
        if manner.says != "unauthenticated":  # of that it knows nothing afterwards
            self._said[request_id] = heard
        return heard

    def _done(self, manner: Manner, service: VasType, action: str, asked: Mapping[str, Any]) -> Heard:
        """Sell, or not, in that manner."""
        if manner.says in contrary.SAYS:
            return self._contrary(manner, service, action, asked)
        if not manner.vends and not manner.delay:
            return _answer(manner.says, self.profile)
        vend = self._made(service, action, asked)
        if vend is None:
            return _problem(400, 1003)
        if manner.breach is not None:
            self.breaches.setdefault(vend.request_id, manner.breach)
        if manner.delay:
            self._number += 1
            heapq.heappush(self._late, (self._clock.now + timedelta(seconds=manner.delay), self._number, vend))
        else:
            self._book(vend, self._clock.now)
            if manner.unseen and self.profile.forgets_what_it_answered_badly:
                vend.visible_at = NEVER
        if manner.says != "sold":
            return _answer(manner.says, self.profile)
        vend.answered = True
        words = slip(vend, self.profile.token_form, spoilt=manner.name)
        return Reply.of(200, JSON, words)

    def _contrary(self, manner: Manner, service: VasType, action: str, asked: Mapping[str, Any]) -> Heard:
        """Sell, or not, and answer with an id of a sale and something that speaks against it."""
        vend = self._made(service, action, asked)
        if vend is None:
            return _problem(400, 1003)
        self._number += 1
        vend.supplier_id = _supplier_id(self._number)
        if manner.delay:
            heapq.heappush(self._late, (self._clock.now + timedelta(seconds=manner.delay), self._number, vend))
        elif manner.vends:
            self._book(vend, self._clock.now)
            vend.answered = manner.says in (contrary.HALF, contrary.UNITS)
        if not manner.vends:
            self._accepted[vend.request_id] = vend
        checks_amount = self.profile.amount_check is AmountCheck.DOUBT
        held = next((one for one in reversed(self.vends) if _is_alike(one, vend) and self._is_held(one)), None)
        return contrary.answered(
            manner.says,
            vend,
            held,
            self.profile.token_form,
            self.profile.some,
            is_booked=manner.vends,
            checks_amount=checks_amount,
        )

    def _made(self, service: VasType, action: str, asked: Mapping[str, Any]) -> Vend | None:
        if (prevend_id := asked.get("prevendTransactionId")) is not None:
            if prevend_id not in self.prevends or (self.profile.prevend_once and prevend_id in self._used):
                return None
            self._used.add(prevend_id)
            service, recipient, cents = self.prevends[prevend_id]
            return Vend(asked["requestId"], service, recipient, cents, pinned=False)
        amount = asked.get("amount")
        cents = PRICES[asked["merchantProductId"]] if amount is None else round(amount * 100)
        return Vend(asked["requestId"], service, asked.get("mobileNumber"), cents, pinned=action == "pinned")

    def _book(self, vend: Vend, at: datetime) -> None:
        self._number += 1
        number = self._number
        vend.supplier_id = vend.supplier_id or _supplier_id(number)
        vend.at = at
        vend.visible_at = at + timedelta(seconds=self.profile.lag)
        if vend.vas_type is VasType.UTILITY:
            vend.online, vend.charges, count = self.profile.kind_of_meter()
            vend.tokens = tuple(f"{(number * 10 + at + 7) * 1_000_000_007 + 10**19:020d}" for at in range(count))
        elif vend.vas_type is VasType.VOUCHER or vend.pinned:
            vend.tokens = (f"{number * 1_000_003 + 10**13:014d}",)
        self.vends.append(vend)
        self.by_request.setdefault(vend.request_id, []).append(vend)

    def _printed(self, service: VasType, asked: Mapping[str, str], asked_at: "Denial") -> Heard:
        self.catch_up()
        profile = self.profile
        trouble = profile.trouble_of_reprint()
        self._saw("reprint", trouble or profile.reprint)
        if trouble == "another sale":
            return self._another(asked)
        if trouble is not None:
            return _answer(trouble, profile)
        if profile.reprint == "refused":
            return _problem(400, 1012)
        by_request = "requestId" in asked
        if by_request:
            self.denied.setdefault(asked["requestId"], []).append(asked_at)
        if profile.reprint == "useless" or by_request != (profile.reprint == "by our id"):
            return _problem(400, 1003)
        if by_request:
            found = next(iter(self.by_request.get(asked["requestId"], ())), None)
        else:
            found = next((vend for vend in self.vends if vend.supplier_id == asked["transactionId"].lower()), None)
        if found is None and by_request and self.prints_as_undone(asked["requestId"]):
            self._saw("reprint", "undone")
            self.denied[asked["requestId"]].pop()
            return contrary.undone(self._accepted[asked["requestId"]], profile.token_form, profile.some)
        if found is None or found.visible_at > self._clock.now:
            return _problem(400, 1003)
        if by_request:
            self.denied[asked["requestId"]].pop()
        self.found.add((service, asked_at.sweep))
        spoilt = "no token" if profile.forgets_tokens else ""
        if profile.prints_the_rest and self._lacks_the_last(found):
            self._saw("reprint", "the rest")
            spoilt = ALL_BUT_THE_LAST
        words = slip(found, profile.token_form, spoilt=spoilt, capitals=profile.prints_capitals)
        if profile.is_calm:
            self.told.setdefault(found.request_id, set()).update(token for token in found.tokens if token.encode() in words)
        return Reply.of(200, JSON, words)

    def _another(self, asked: Mapping[str, str]) -> Heard:
        """A sale that was not asked for: one of which that can be told."""
        others = [vend for vend in self.vends if self._may_name(vend, asked.get("requestId"))]
        if not others:
            return _problem(400, 1012)
        return Reply.of(
            200, JSON, slip(others[self.profile.some(len(others))], self.profile.token_form, capitals=self.profile.prints_capitals)
        )

    def _repeated_by_the_network(self, service: VasType, action: str, asked: Mapping[str, Any]) -> None:
        """A second copy of the request comes in, and its answer is thrown away. Where it sells, nobody could have helped it."""
        made = len(self.vends) + len(self._late)
        self._sold(service, action, asked)
        if len(self.vends) + len(self._late) > made:
            self.breaches.setdefault(asked["requestId"], "repeated by the network")

    def _saw(self, what: str, how: str) -> None:
        name = f"{what}: {how}"
        self.seen[name] = self.seen.get(name, 0) + 1


def _supplier_id(number: int) -> str:
    return f"bbbbbbbb-0000-4000-8000-{number:012d}"


def _is_alike(one: Vend, other: Vend) -> bool:
    """Whether a slip of the one could pass for the other's: it names no request, and a recipient of its own where it names one."""
    named = other.vas_type is not VasType.UTILITY
    same = (one.vas_type, one.pinned) == (other.vas_type, other.pinned) and not (named and one.recipient != other.recipient)
    return same and one.request_id != other.request_id


@cache
def _problem(status: int, code: int) -> Reply:
    return Reply.of(status, PROBLEM, b'{"title":"No.","status":%d,"fulcrumErrorCode":%d}' % (status, code))


def _answer(says: str, profile: SupplierProfile) -> Heard:
    """An answer that names no sale."""
    match says:
        case "silence":
            return NoReply("TimeoutError")
        case "server error":
            return Reply.of(500 + profile.some(4), HTML, b"<h1>oops</h1>")
        case "html":
            return Reply.of(200, HTML, PAGE)
        case "cut":
            return Reply.of(200, JSON, b'{"transactionId":"bbbbbb', "ClientPayloadError")
        case "empty":
            return Reply.of(200, {"content-type": "text/html", "content-length": "0"}, b"")
        case "error in 200":
            return Reply.of(200, JSON, ERRORS[profile.some(len(ERRORS))])
        case "foreign":
            return Reply.of(200, MARKED, b'{"transactionId":"bbbbbbbb","simulated":true}')
        case "unknown code":
            return _problem(400, 1077)
        case "not found":
            return _problem(404, 1002)
        case "code on 5xx":
            return _problem(500, 1002)
        case "forbidden":
            return Reply.of(403, HTML, PAGE)
        case "does not exist":
            return _problem(400, 1003)
        case "busy":
            return Reply.of(429, {**PROBLEM, "retry-after": "30"}, b'{"title":"Too Many Requests.","status":429}')
        case "unauthenticated":
            return Reply.of(401, JSON, b"") if profile.some(2) else _problem(400, 1006)
        case "float":
            return _problem(400, 1008)
        case "refused":
            return _problem(400, (1000, 1001, 1002, 1010, 1011, 1013, 1016)[profile.some(7)])
        case _:
            raise ValueError(says)
