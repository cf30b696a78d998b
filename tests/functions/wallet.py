"""A wallet: a caller of prevend and purchase over HTTP, which checks in passing what is promised of every answer."""

import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import TypeAdapter

from shared.schemas.refusals import Retry
from shared.schemas.responses import ProblemBody, TransactionBody

METER = {"meterNumber": "12345678901", "amountCents": 10_000}
ACCOUNT = {"accountNumber": "135609708", "amountCents": 10_000, "merchantProductId": "SimBiller00000000000"}
AIRTIME = {"merchantProductId": "SimAirtime0000000000", "amountCents": 1000, "mobileNumber": "0821234567"}
AIRTIME_PIN = {"merchantProductId": "SimAirtimePin0000000", "amountCents": 1000, "pinned": True}
DATA = {"merchantProductId": "SimData0000000000000", "amountCents": 10_000, "mobileNumber": "0821234567"}
DATA_PIN = {"merchantProductId": "SimDataPin0000000000", "amountCents": 10_000, "pinned": True}
VOUCHER = {"merchantProductId": "SimVoucher0000000000", "amountCents": 1000}

_SALE = TypeAdapter(TransactionBody)
_PROBLEM = TypeAdapter(ProblemBody)


@dataclass(frozen=True)
class Wallet:
    """Speaks for one caller, whom no other test knows."""

    prevend: httpx.Client
    purchase: httpx.Client
    caller: str = field(default_factory=lambda: f"wallet-{uuid.uuid4().hex}")

    def buy(self, service: str, body: object, key: str | None = None, **headers: str) -> httpx.Response:
        key = uuid.uuid4().hex if key is None else key
        return self.purchase.post(f"/{service}", json=body, headers={"X-Caller": self.caller, "Idempotency-Key": key, **headers})

    def confirm(self, service: str, body: object) -> httpx.Response:
        return self.prevend.post(f"/{service}", json=body, headers={"X-Caller": self.caller})

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.purchase.get(path, params=query, headers={"X-Caller": self.caller})


def new_key() -> str:
    return uuid.uuid4().hex


def sale(response: httpx.Response, status: int) -> Any:
    """The sale in an answer of that status, in exactly the form that is described."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json"), response.text
    assert response.headers["cache-control"] == "no-store"
    assert _SALE.validate_python(response.json()) == response.json()  # fields that are not described would be missing
    return response.json()


def problem(response: httpx.Response, status: int, name: str) -> Any:
    """The problem of that name, in exactly the form that is described."""
    body = response.json()
    assert (response.status_code, body["type"]) == (status, f"/problems/{name}"), response.text
    assert (response.headers["content-type"], response.headers["cache-control"]) == ("application/problem+json", "no-store")
    assert _PROBLEM.validate_python(body) == body
    assert body["status"] == status
    assert response.headers.get("retry-after") == (str(body["retryAfterSeconds"]) if "retryAfterSeconds" in body else None)
    assert status < 500 or (body["retry"] == Retry.SAME_KEY and "state" not in body)
    return body


def fields_at_fault(response: httpx.Response) -> set[str]:
    return {error["field"] for error in problem(response, 400, "body-invalid")["errors"]}
