"""A supplier on a socket of which a test decides every answer, in a thread of its own; it remembers what it vended."""

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import Line
from shared.mobilemart.settlement_writer import detail
from tests.stand_ins.switch_on_a_socket import Asked, Switch, http

PRODUCTS: Mapping[VasType, str] = {service: f"Product{service.name.title():_<13}" for service in VasType}
DOES_NOT_EXIST = {"title": "Transaction does not exist.", "status": 400, "fulcrumErrorCode": 1003}


@dataclass(frozen=True, slots=True)
class Deal:
    """What a sale asks for: `body` as it came, and what its prevend fixed before."""

    service: VasType
    request_id: str
    recipient: str
    cents: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Vend:
    """What was vended, and is billed."""

    deal: Deal
    supplier_id: str
    token: str
    at: datetime

    @property
    def body(self) -> dict[str, Any]:
        """The answer to an ordinary sale."""
        rand = f"{Decimal(self.deal.cents) / 100:.2f}"
        match self.deal.service:
            case VasType.UTILITY:
                details = {"productAmount": rand, "receiptNumber": "RCP0001", "fixedCosts": [], "tokens": [{"token": self.token}]}
                return {"transactionId": self.supplier_id, "additionalDetails": details}
            case VasType.BILL_PAYMENT:
                return {"transactionId": self.supplier_id, "amount": float(rand), "accountNumber": self.deal.recipient}
            case VasType.VOUCHER:
                return {"transactionId": self.supplier_id, "additionalDetails": {"productAmount": rand, "pin": self.token[:16]}}
            case _:
                return {"transactionId": self.supplier_id, "amount": float(rand), "mobileNumber": self.deal.recipient}

    def line(self, **changes: str) -> Line:
        """What bills it."""
        line = detail(
            service=self.deal.service,
            transaction_id=self.supplier_id,
            merchant_id=self.deal.request_id,
            at=self.at,
            cents=self.deal.cents,
            recipient=self.deal.recipient,
        )
        return line._replace(**changes)


Play = Callable[["Switchboard", Deal], bytes | None]
"""What becomes of a sale, and what is answered; `None`: nothing is, and the connection ends. It may take its time: it has a thread."""


def vends(board: "Switchboard", deal: Deal) -> bytes | None:
    """An ordinary sale."""
    return http(200, board.vend(deal).body)


def loses_the_answer(board: "Switchboard", deal: Deal) -> bytes | None:
    """It vends, and nobody hears of it."""
    board.vend(deal)
    return None


def never_vends(_: "Switchboard", __: Deal) -> bytes | None:
    """It takes the request, and that is all."""
    return None


def answers(http_status: int = 200, /, **members: object) -> Play:
    """It vends, and answers as it does, but for these members; `None` leaves one out."""
    return lambda board, deal: http(http_status, _without_none(board.vend(deal).body | members))


def details(http_status: int = 200, /, **members: object) -> Play:
    """The same, of the members of `additionalDetails`."""

    def play(board: "Switchboard", deal: Deal) -> bytes:
        body = board.vend(deal).body
        return http(http_status, body | {"additionalDetails": _without_none(body["additionalDetails"] | members)})

    return play


def _without_none(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}


@dataclass(slots=True)
class Held:
    """A sale whose answer is held back: `reached` when it is there, and answered once it is `released`."""

    play: Play = vends
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def __call__(self, board: "Switchboard", deal: Deal) -> bytes | None:
        self.reached.set()
        assert self.released.wait(60)
        return self.play(board, deal)


@dataclass(slots=True)
class Switchboard:
    """`plays` and `reprints` are by recipient; where there is none, it vends, and knows what it vended by its request id.

    `now` dates what is vended. `products` are what each service's list says; a product of the name in `PRODUCTS` otherwise.
    """

    now: Callable[[], datetime]
    plays: dict[str, Play] = field(default_factory=dict)
    reprints: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    products: dict[VasType, list[dict[str, Any]]] = field(default_factory=dict)
    vended: list[Vend] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    url: str = ""
    _prevends: dict[str, tuple[str, int]] = field(default_factory=dict)
    _numbers: count = field(default_factory=lambda: count(1))  # type: ignore[type-arg]
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,))
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def vend(self, deal: Deal, supplier_id: str | None = None) -> Vend:
        """Put a vend on the supplier's books."""
        token = f"{next(self._numbers):08d}{deal.cents:012d}"
        vend = Vend(deal, supplier_id or str(uuid.uuid4()), token, self.now())
        self.vended.append(vend)
        return vend

    def vend_to(self, recipient: str) -> Vend:
        """The only vend to a meter, account or number."""
        [vend] = self.vends_to(recipient)
        return vend

    def vends_to(self, recipient: str) -> list[Vend]:
        return [vend for vend in self.vended if vend.deal.recipient == recipient]

    def deals_of(self, recipient: str) -> list[Deal]:
        """How often a sale to it was asked for."""
        return [deal for deal in self.deals if deal.recipient == recipient]

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        switch = Switch(self._behave)
        self._loop.run_until_complete(switch.__aenter__())
        self.url = switch.url
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(switch.__aexit__())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _behave(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        answer = await asyncio.to_thread(self._answer, asked)
        if answer is None:
            writer.close()
            return
        writer.write(answer)
        await writer.drain()

    def _answer(self, asked: Asked) -> bytes | None:
        url = urlsplit(asked.target)
        query = dict(parse_qsl(url.query))
        _, _, service, action = url.path.split("/")
        match action:
            case "products":
                return http(200, self.products.get(VasType(service), [_product(VasType(service))]))
            case "prevend":
                return self._prevend(query)
            case "reprint":
                return self._reprint(query["requestId"])
            case _:
                deal = self._deal(VasType(service), json.loads(asked.body))
                self.deals.append(deal)
                return self.plays.get(deal.recipient, vends)(self, deal)

    def _prevend(self, query: Mapping[str, str]) -> bytes:
        prevend_id = str(uuid.uuid4())
        self._prevends[prevend_id] = query.get("meterNumber") or query["accountNumber"], round(Decimal(query["amount"]) * 100)
        return http(200, {"transactionId": prevend_id, "minimumPurchaseAmount": 1})

    def _reprint(self, request_id: str) -> bytes:
        found = next((vend for vend in self.vended if vend.deal.request_id == request_id), None)
        deal = next((deal for deal in self.deals if deal.request_id == request_id), None)
        if deal is not None and deal.recipient in self.reprints:
            return self.reprints[deal.recipient]()
        return http(400, DOES_NOT_EXIST) if found is None else http(200, found.body)

    def _deal(self, service: VasType, body: Mapping[str, Any]) -> Deal:
        if "prevendTransactionId" in body:
            recipient, cents = self._prevends[body["prevendTransactionId"]]
        else:
            recipient, cents = body.get("mobileNumber", body["requestId"]), round(Decimal(str(body.get("amount", 100))) * 100)
        return Deal(service, body["requestId"], recipient, cents, body)


def _product(service: VasType) -> dict[str, Any]:
    named = {"merchantProductId": PRODUCTS[service]}
    if service is VasType.UTILITY:
        return {**named, "name": "Electricity"}
    return {**named, "productName": "Product", "contentCreator": "vodacom", "pinned": False, "fixedAmount": False, "amount": None}
