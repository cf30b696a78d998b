"""A merchant that speaks to a switch in bare HTTP, without the client under test: what the simulator's own tests look through."""

import asyncio
import json
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from shared.domain.vas import Order
from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET, Scenario, Service, Simulator

PURCHASE_PATHS = {
    Service.UTILITY: "/v1/utility/purchase",
    Service.BILL_PAYMENT: "/v2/bill-payment/pay",
    Service.AIRTIME_PINLESS: "/v1/airtime/pinless",
    Service.AIRTIME_PINNED: "/v1/airtime/pinned",
    Service.DATA_PINLESS: "/v1/data/pinless",
    Service.DATA_PINNED: "/v1/data/pinned",
    Service.VOUCHER: "/v1/voucher/purchase",
}
PREVEND_PATHS = {Service.UTILITY: "/v1/utility/prevend", Service.BILL_PAYMENT: "/v2/bill-payment/prevend"}


@dataclass(frozen=True)
class Merchant:
    """`http` has the switch as its base address, and after `log_in` an access token."""

    http: httpx.AsyncClient

    async def log_in(self, secret: str = SIMULATED_CLIENT_SECRET, scope: str | None = "api") -> httpx.Response:
        form = {"grant_type": "client_credentials", "client_id": SIMULATED_CLIENT_ID, "client_secret": secret}
        if scope is not None:
            form["scope"] = scope
        response = await self.http.post("/connect/token", data=form)
        if response.is_success:
            self.http.headers["authorization"] = f"Bearer {response.json()['access_token']}"
        return response

    async def prevend(self, service: Service, order: Order, request_id: str | None = None) -> httpx.Response:
        recipient = {"meterNumber": order.meter_number} if service is Service.UTILITY else {"accountNumber": order.account_number}
        query = {"merchantProductId": order.merchant_product_id, "requestId": request_id or new_id(), "amount": f"{order.amount.rand}"}
        return await self.http.get(PREVEND_PATHS[service], params={**query, **recipient})

    async def purchase(
        self, service: Service, order: Order, *, request_id: str | None = None, prevend_id: str | None = None, **more: object
    ) -> httpx.Response:
        """Buy. What has a prevend is prevended first, unless `prevend_id` names one. `more` replaces fields of the body."""
        body: dict[str, Any] = {"requestId": request_id or new_id(), "tenderType": "CreditCard"}
        if service in PREVEND_PATHS:
            body["prevendTransactionId"] = prevend_id or (await self.prevend(service, order)).json()["transactionId"]
        else:
            body["merchantProductId"] = order.merchant_product_id
        if order.mobile_number is not None:
            body["mobileNumber"] = order.mobile_number
        if service in (Service.BILL_PAYMENT, Service.AIRTIME_PINLESS, Service.AIRTIME_PINNED, Service.VOUCHER):
            body["amount"] = order.amount.cents // 100
        return await self.http.post(PURCHASE_PATHS[service], json={**body, **more})

    async def play(self, scenario: Scenario, service: Service, request_id: str | None = None) -> httpx.Response:
        """Buy what the scenario is about. A prevend that is refused is its answer."""
        order = scenario.order(service)
        if service not in PREVEND_PATHS:
            return await self.purchase(service, order, request_id=request_id)
        confirmed = await self.prevend(service, order)
        if not confirmed.is_success:
            return confirmed
        return await self.purchase(service, order, request_id=request_id, prevend_id=confirmed.json()["transactionId"])

    async def reprint(self, service: Service, **query: str) -> httpx.Response:
        return await self.http.get(f"/v1/{service.vas_type}/reprint", params=query)


async def abandoned(exchange: Coroutine[Any, Any, object], simulator: Simulator) -> None:
    """Begin an exchange, and give up on it once it has vended."""
    waiting = asyncio.create_task(exchange)
    while not await simulator.vends():
        await asyncio.sleep(0.001)
    waiting.cancel()
    await asyncio.wait([waiting])


def new_id() -> str:
    return str(uuid.uuid4())


def exactly(response: httpx.Response) -> Any:
    """The JSON of an answer, its numbers exact."""
    return json.loads(response.content, parse_float=Decimal)
