"""The API description is true: what the running system answers is described, status, headers and body, and has the form of an example."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from local.openapi import description as openapi
from shared.schemas.problems import KINDS
from tests.days import long_today
from tests.docs.running import system

DOCUMENT = json.loads(openapi.PATH.read_text())
COMPONENTS = DOCUMENT["components"]
NAMED = {name.lower(): name for name in COMPONENTS["headers"]}
CLOSED = {  # a field that is not described would pass an open schema
    name: form if "properties" not in form else {**form, "additionalProperties": False} for name, form in COMPONENTS["schemas"].items()
}


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        kind, name = node["$ref"].removeprefix("#/components/").split("/")
        node = COMPONENTS[kind][name]
    return node


def template_of(path: str) -> str:
    """The described path that a request's path is one of. Names go before parameters."""
    found = [one for one in DOCUMENT["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), path)]
    return min(found, key=lambda one: one.count("{"))


def examples_of(content: dict[str, Any]) -> Iterator[Any]:
    """The examples of a body: its own, else those of its forms."""
    if "examples" in content:
        yield from (resolved(one)["value"] for one in content["examples"].values())
        return
    for one in content["schema"].get("oneOf", [content["schema"]]):
        yield from resolved(one)["examples"]


OPTIONAL = {name for form in CLOSED.values() for name in set(form.get("properties", {})) - set(form.get("required", []))}


def alike(example: object, answered: object, optional: frozenset[str] | set[str] = frozenset()) -> bool:
    """Whether they have one form: the same members, as far as neither is `null` or empty. Inside, optional ones may differ."""
    match example, answered:
        case (None, _) | (_, None):
            return True
        case dict(), dict():
            both = example.keys() & answered.keys()
            return (example.keys() ^ answered.keys()) <= optional and all(alike(example[name], answered[name], OPTIONAL) for name in both)
        case list(), list():
            return not example or all(any(alike(one, each, OPTIONAL) for one in example) for each in answered)
        case _:
            return type(example) is type(answered)


@dataclass
class Reader:
    """Asks the system, and holds every answer against the description."""

    http: httpx.Client
    folder: Path
    seen: set[tuple[str, str]] = field(default_factory=set)
    problems: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)

    def walk(self, way: "Way") -> None:
        """Go a way through the system, once."""
        if way.__name__ not in self.done:
            way(self)
            self.done.add(way.__name__)

    def ask(self, method: str, path: str, status: int, /, **request: Any) -> httpx.Response:
        response = self.http.request(method, path, **request)
        assert response.status_code == status, response.text
        template = template_of(path.partition("?")[0])
        operations = DOCUMENT["paths"][template]
        operation = operations.get(method.lower()) or next(iter(operations.values()))  # of a method that it lacks, each says the same
        described = operation["responses"][str(status)]
        self._head(response, described)
        self._body(response, described)
        self.seen.add((operation["operationId"], str(status)))
        return response

    def _head(self, response: httpx.Response, described: dict[str, Any]) -> None:
        sent = {NAMED[name] for name in response.headers if name in NAMED}
        assert sent <= set(described["headers"])
        for name, reference in described["headers"].items():
            header = resolved(reference)
            assert name in sent or not header.get("required", False), name
            if name in sent:
                value = response.headers[name]
                assert Draft202012Validator(header["schema"]).is_valid(int(value) if header["schema"]["type"] == "integer" else value)

    def _body(self, response: httpx.Response, described: dict[str, Any]) -> None:
        media = response.headers["content-type"].partition(";")[0]
        content = described["content"][media]
        if not media.endswith("json"):
            return
        body = response.json()
        if media == "application/problem+json":
            self.problems.add(body["type"].rpartition("/")[2])
        faults = Draft202012Validator({**content["schema"], "components": {"schemas": CLOSED}}).iter_errors(body)
        assert [f"{fault.json_path}: {fault.message}" for fault in faults] == []
        assert any(alike(example, body) for example in examples_of(content)), body

    def buy(self, service: str, key: str, status: int, body: object) -> Any:
        return self.ask("POST", f"/purchase/{service}", status, json=body, headers={"Idempotency-Key": key}).json()


Way = Callable[[Reader], None]
WAYS: list[Way] = []


def a_way(way: Way) -> Way:
    WAYS.append(way)
    return way


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    long_today()
    folder = tmp_path_factory.mktemp("system")
    with system(folder) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
        yield Reader(http, folder)


def meter(number: str, cents: int = 10_000) -> dict[str, Any]:
    return {"meterNumber": number, "amountCents": cents}


def requests_of(path: str) -> dict[str, Any]:
    """The examples of a described request, by their forms."""
    content = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    if "examples" in content:
        return {name: example["value"] for name, example in content["examples"].items()}
    form = content["schema"]["$ref"].rpartition("/")[2]
    return {form: COMPONENTS["schemas"][form]["examples"][0]}


@a_way
def every_example_of_a_request(reader: Reader) -> None:
    for path in [path for path in DOCUMENT["paths"] if re.fullmatch(r"/prevend/[a-z-]+", path) and "post" in DOCUMENT["paths"][path]]:
        for body in requests_of(path).values():
            confirmed = reader.ask("POST", path, 200, json=body).json()
            reader.ask("GET", path, 200, params=body)
            bought = reader.buy(path.rpartition("/")[2], f"prevend-{path}", 201, {"prevendId": confirmed["prevendId"]})
            assert bought["amountCents"] == body["amountCents"]
    for path in [path for path in DOCUMENT["paths"] if path.startswith("/purchase/") and "post" in DOCUMENT["paths"][path]]:
        service = path.rpartition("/")[2]
        reader.ask("GET", f"/prevend/{service}/products", 200)
        for name, body in requests_of(path).items():
            status = 404 if name == "PrevendPurchase" else 201  # no example can name a prevend that there is
            assert reader.buy(service, f"{service}-{name}", status, body)


OUTCOMES = {
    "99000000001": (201, None),
    "99000000003": (201, None),
    "99000000004": (201, None),
    "99000000005": (201, None),
    "99000000006": (201, None),
    "99000000051": (202, None),
    "99000000007": (422, "amount-below-minimum"),
    "99000000009": (422, "meter-unknown"),
    "99000000020": (422, "product-unavailable"),
    "99000000021": (422, "amount-refused"),
    "99000000027": (422, "mobile-number-refused"),
    "99000000030": (422, "supplier-busy"),
    "99000000031": (422, "temporarily-unavailable"),
}


@a_way
def every_outcome_and_its_repeat(reader: Reader) -> None:
    for number, (status, name) in OUTCOMES.items():
        first = reader.buy("utility", f"meter-{number}", status, meter(number))
        assert reader.buy("utility", f"meter-{number}", status, meter(number)) == first
        assert first.get("type") == (None if name is None else f"/problems/{name}")
        reader.ask("GET", "/purchase/transactions", 200, params={"idempotencyKey": f"meter-{number}"})


@a_way
def refusals_of_requests(reader: Reader) -> None:
    body, key = meter("12345678901"), {"Idempotency-Key": "refusals"}
    reader.buy("utility", "refusals", 201, body)
    reader.buy("utility", "refusals", 422, meter("12345678901", 20_000))
    reader.buy("utility", "refusals-2", 400, meter("1", 0))
    reader.buy("utility", "two words", 400, body)
    reader.ask("POST", "/purchase/utility", 400, json=body)
    reader.ask("POST", "/purchase/utility", 415, content=b"text", headers={"Content-Type": "text/plain", **key})
    reader.ask("POST", "/purchase/utility", 413, content=b" " * 20_000, headers={"Content-Type": "application/json", **key})
    reader.ask("POST", "/purchase/utility", 401, json=body, headers={"X-Caller": "two words", **key})
    reader.ask("POST", "/prevend/utility", 422, json=meter("99000000009"))
    reader.ask("POST", "/prevend/utility", 503, json=meter("99000000011"))
    for product, cents in (("0000000003", 100), ("0000000000", 100), ("0000000001", 200_000)):  # another price, too little, too much
        body = {"merchantProductId": f"SimAirtime{product}", "amountCents": cents, "mobileNumber": "0821234567"}
        reader.buy("airtime", f"refusals-{product}", 422, body)
    body = {"merchantProductId": "SimBiller00000000000", "amountCents": 10_000, "accountNumber": "990000028"}
    reader.buy("bill-payment", "refusals-account", 422, body)
    reader.ask("PUT", "/purchase/utility", 405)


@a_way
def conflicts(reader: Reader) -> None:
    confirmed = reader.ask("POST", "/prevend/utility", 200, json=meter("12345678901")).json()["prevendId"]
    reader.buy("utility", "conflicts", 201, {"prevendId": confirmed})
    assert reader.buy("utility", "conflicts-2", 409, {"prevendId": confirmed})["type"] == "/problems/prevend-used"
    reader.buy("utility", "conflicts-3", 202, meter("99000000053"))
    assert reader.buy("utility", "conflicts-4", 409, meter("99000000053"))["type"] == "/problems/possible-duplicate"


@a_way
def reading_sales(reader: Reader) -> None:
    sale = reader.buy("utility", "read", 201, meter("12345678901"))
    reader.ask("GET", f"/purchase/transactions/{sale['transactionId']}", 200)
    reader.ask("GET", "/purchase/transactions", 200, params={"day": long_today().isoformat()})
    reader.ask("GET", "/purchase/transactions", 400)
    reader.ask("GET", "/purchase/transactions", 404, params={"idempotencyKey": "never"})
    reader.ask("GET", f"/purchase/transactions/{'0' * 32}", 404)


@a_way
def deciding(reader: Reader) -> None:
    reader.buy("utility", "meter-99000000052", 202, meter("99000000052"))
    [found] = reader.ask("GET", "/reconcile/transactions", 200, params={"meterNumber": "99000000052"}).json()["transactions"]
    reader.ask("GET", "/reconcile/transactions", 400)
    path = f"/reconcile/transactions/{found['transactionId']}"
    doubt = reader.ask("GET", path, 200).json()
    reader.ask("GET", path, 200, params={"reveal": "tokens"})
    reader.ask("GET", f"/reconcile/transactions/{'0' * 32}", 404)

    decision = {"state": "vended", "note": "Seen in the portal"}
    reader.ask("POST", f"{path}/resolution", 409, json={**decision, "version": doubt["version"] + 7})
    decided = reader.ask("POST", f"{path}/resolution", 200, json={**decision, "version": doubt["version"]}).json()
    assert (decided["state"], decided["receipt"]["tokensDue"]) == ("vended", "pending")
    reader.ask("POST", f"{path}/resolution", 409, json={**decision, "version": decided["version"]})

    reader.ask("POST", "/reconcile/selling", 200, json={"paused": ["voucher"], "reason": "Asked for"})
    reader.ask("POST", "/reconcile/selling", 200, json={"paused": [], "reason": "Over"})
    reader.ask("POST", "/reconcile/selling", 400, json={"paused": ["tea"], "reason": ""})
    reader.ask("GET", "/reconcile/selling", 200)


@a_way
def settling_a_day(reader: Reader) -> None:
    reader.buy("utility", "settled", 201, meter("12345678901"))
    reader.ask("POST", "/reconcile/sweep", 200)
    reader.ask("POST", "/reconcile/sweep", 400, params={"day": "today"})
    reader.http.post("/local/settle", params={"plant": "amount"}).raise_for_status()
    day = long_today().isoformat()
    settled = reader.ask("POST", "/reconcile/settle", 200, params={"day": day}).json()
    reader.ask("POST", "/reconcile/settle", 200)
    reader.ask("POST", "/reconcile/settle", 400, params={"day": "today"})
    reader.ask("GET", "/reconcile/reports", 200)
    for end in ("", ".json", ".csv", ".html"):
        reader.ask("GET", f"/reconcile/reports/{day}{end}", 200)
    reader.ask("GET", "/reconcile/reports/2026-01-01", 404)

    path = f"/reconcile/discrepancies/{settled['discrepancies'][0]['id']}/closure"
    reader.ask("POST", path, 200, json={"decision": "accepted", "note": "Credited"})
    reader.ask("POST", path, 409, json={"decision": "corrected", "note": "Credited"})
    reader.ask("GET", f"/reconcile/reports/{day}", 200)


@a_way
def a_file_that_is_refused(reader: Reader) -> None:
    reader.walk(settling_a_day)
    day = long_today()
    delivered = reader.folder / ".local" / "settlement" / f"FULCRUM.MERCHANT.SIMULATED.RECON.{day:%Y%m%d}235959999.txt"
    delivered.write_text("no settlement file\n")
    reader.ask("POST", "/reconcile/settle", 422, params={"day": day.isoformat()})
    reader.ask("POST", "/reconcile/settle", 200)
    delivered.unlink()


@a_way
def a_persons_data(reader: Reader) -> None:
    reader.ask("POST", "/reconcile/retention", 200)
    reader.ask("POST", "/reconcile/retention?day=today", 400)
    reader.buy("utility", "whose-data", 201, {"meterNumber": "99000000017", "amountCents": 4_200})
    asked = reader.ask("POST", "/reconcile/erasures", 200, json={"meterNumber": "99000000017", "reason": "Asked for"}).json()
    assert [one["why"] for one in asked["stayed"]] == ["settling"]
    reader.ask("POST", "/reconcile/erasures", 400, json={"meterNumber": "99000000017", "accountNumber": "0012349708", "reason": "Two"})
    reader.ask("GET", "/reconcile/erasures", 200)
    reader.ask("GET", "/reconcile/transactions?meterNumber=99000000017", 200)


@a_way
def explanations(reader: Reader) -> None:
    for function in ("", "/prevend", "/purchase", "/reconcile"):
        for accept in ("application/json", "text/html"):
            reader.ask("GET", f"{function}/problems", 200, headers={"Accept": accept})
            reader.ask("GET", f"{function}/problems/internal", 200, headers={"Accept": accept})
        reader.ask("GET", f"{function}/problems/nothing", 404)
    for function in openapi.FUNCTIONS:
        reader.ask("GET", f"/{function}/health", 200)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_is_answered_is_as_described(reader, way):
    reader.walk(way)


def test_every_operation_is_seen_to_answer(reader):
    for way in WAYS:
        reader.walk(way)
    names = {item["operationId"] for methods in DOCUMENT["paths"].values() for item in methods.values()}
    assert names - {name for name, status in reader.seen if status.startswith("2")} == set()


ELSEWHERE = {  # what one's own machine does not answer, or not soon: no issuer, no clock to set, nothing away, no newer code
    *("forbidden", "identity-unavailable", "internal", "key-retired", "prevend-expired", "prevend-refused", "request-in-progress"),
    *("record-not-readable", "settlement-files-unavailable", "store-unavailable"),
}


def test_every_other_problem_is_seen_as_described(reader):
    for way in WAYS:
        reader.walk(way)
    assert {name.value for name in KINDS} - reader.problems == ELSEWHERE
