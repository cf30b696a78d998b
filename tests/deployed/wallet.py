"""A wallet: a caller of the deployed functions, which checks the form of every answer and remembers what no log may hold."""

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import TypeAdapter

from shared.mobilemart.simulator import SCENARIOS, Scenario, Service
from shared.schemas.responses import PrevendBody, ProblemBody, TransactionBody
from tests.deployed.processes import Function

_SALE = TypeAdapter(TransactionBody)
_PREVEND = TypeAdapter(PrevendBody)
_PROBLEM = TypeAdapter(ProblemBody)

_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[ _.-](?=[0-9])")
_DIGITS = re.compile(r"[0-9]{4,}")
_TELLING = frozenset({"number", "pin", "recipient", "meterNumber", "accountNumber", "mobileNumber"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of bearer values and personal numbers, which must be nowhere in a log."""

    values: set[str] = field(default_factory=set)

    def note(self, value: object, name: str = "") -> None:
        """Whatever is telling in a JSON value; a mobile number in both its forms."""
        match value:
            case Mapping():
                for key, inner in value.items():
                    self.note(inner, key)
            case list():
                for inner in value:
                    self.note(inner, name)
            case str() if name in _TELLING:
                self.values.add(value)
                if value.startswith("27"):
                    self.values.add(f"0{value[2:]}")

    def in_words(self, said: str) -> set[str]:
        """The beginnings of those that stand in these words, digits in groups too: not whole, for what fails a test is shown."""
        ungrouped = _BETWEEN_DIGITS.sub("", said)
        runs = {run for words in (said, ungrouped) for run in _DIGITS.findall(words)}
        numbers = {value for value in self.values if value.isdecimal()}
        parts = {run[at : at + size] for size in {len(number) for number in numbers} for run in runs for at in range(len(run) - size + 1)}
        others = {value for value in self.values - numbers if value in said or value in ungrouped}
        return {f"{value[:3]}..." for value in (numbers & parts) | others}


@dataclass(frozen=True, slots=True)
class Wallet:
    """One caller, by a token of its own."""

    token: str
    seen: Seen

    def buy(self, purchase: Function, service: str, body: Mapping[str, object], key: str) -> httpx.Response:
        self.seen.note(body)
        return self._checked(purchase.http.post(f"/{service}", json=body, headers={**self._headers, "Idempotency-Key": key}))

    def confirm(self, prevend: Function, service: str, body: Mapping[str, object]) -> httpx.Response:
        self.seen.note(body)
        return self._checked(prevend.http.post(f"/{service}", json=body, headers=self._headers))

    def sells(self, purchase: Function, scenario: Scenario, service: Service) -> bool:
        """Whether the function sells what the scenario is about, under a new key."""
        return self.buy(purchase, service.vas_type, body_of(scenario, service), new_key()).status_code == 201

    def look(self, purchase: Function, path: str) -> httpx.Response:
        return self._checked(purchase.http.get(path, headers=self._headers))

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        """An answer, in exactly the form that is described."""
        self.seen.note(answer.json())
        assert answer.headers["cache-control"] == "no-store"
        if answer.is_success:
            assert answer.headers["content-type"] == "application/json"
            (_PREVEND if "prevendId" in answer.json() else _SALE).validate_python(answer.json(), extra="forbid")
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            _PROBLEM.validate_python(answer.json(), extra="forbid")
            assert answer.json()["status"] == answer.status_code
        return answer


def new_key() -> str:
    return uuid.uuid4().hex


def named(name: str) -> Scenario:
    """The scenario of that name."""
    [scenario] = [each for each in SCENARIOS if each.name == name]
    return scenario


def body_of(scenario: Scenario, service: Service) -> dict[str, Any]:
    """What a wallet sends to buy what the scenario is about."""
    order = scenario.order(service)
    said = {
        "merchantProductId": order.merchant_product_id,
        "amountCents": order.amount.cents,
        "meterNumber": order.meter_number,
        "accountNumber": order.account_number,
        "mobileNumber": order.mobile_number,
        "pinned": True if service in {Service.AIRTIME_PINNED, Service.DATA_PINNED} else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def settled(answer: httpx.Response) -> httpx.Response | None:
    """The answer about a sale that nobody is selling any more: sold, or in doubt. Until then nobody may say what became of it."""
    if answer.status_code in {201, 202}:
        return answer
    assert answer.status_code in {409, 503} and "state" not in answer.json(), answer.text
    return None


def at_once(calls: Iterable[Any], workers: int = 64) -> list[Any]:
    """What all these calls return, made at the same time."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda call: call(), calls))


def refused(answer: httpx.Response) -> tuple[int, str, str | None, str]:
    """A refusal in short: its status, name, state and advice."""
    body = json.loads(answer.content)
    return answer.status_code, body["type"].removeprefix("/problems/"), body.get("state"), body["retry"]
