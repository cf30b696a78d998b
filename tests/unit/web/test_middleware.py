"""The edge, without a server: what nobody expected still leaves as a problem, and says nothing."""

import asyncio
import json
import logging
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from shared.config import load
from shared.lib import logs
from shared.ports.documents import StoreUnavailable
from shared.schemas.problems import Problem, RequestFault
from shared.vending.purchase import Purchased
from shared.web import middleware, sales
from tests.sales import NOON, in_doubt, vended, vending

CONFIG = load({"ENVIRONMENT": "local", "MOBILEMART_LIVE_INTEGRATION": "false", "TRANSACTION_STORE": "sqlite:///none"}, "purchase")


def client_of(handler, mounted_at: str = "") -> httpx.AsyncClient:
    """A client of a function, mounted where a host likes."""
    endpoint = middleware.handle_errors(CONFIG)(handler)
    routes = [Mount(mounted_at, routes=[Route("/{path:path}", endpoint, methods=["GET", "POST"])])]
    return httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes)), base_url="http://function")


async def test_an_unexpected_exception_is_a_bare_problem_and_logged_without_its_text(caplog):
    async def broken(request: Request) -> Response:
        raise RuntimeError("token 00000000000012345678 of meter 12345678901")

    response = await client_of(broken).get("/x")
    [record] = caplog.records
    line = logs.JsonFormatter().format(record)

    assert (response.status_code, response.json()["type"], response.json()["retry"]) == (500, "/problems/internal", "same-key")
    assert "state" not in response.json()
    assert response.headers["cache-control"] == "no-store"
    assert record.levelno == logging.CRITICAL and "RuntimeError" in line and "broken" in line
    assert not any(number in text for number in ("12345678", "78901") for text in (response.text, line))


async def test_a_refusal_that_cannot_be_written_is_a_problem_too(caplog):
    async def broken(request: Request) -> Response:
        raise Problem(RequestFault.NOT_FOUND, detail="\ud800")

    response = await client_of(broken).get("/x")

    assert (response.status_code, response.json()["type"]) == (500, "/problems/internal")
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]


async def test_a_body_that_drips_is_not_waited_for_longer_than_a_body_may_take(monkeypatch):
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.05)

    async def dripping():
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    async def reading(request: Request) -> Response:
        return middleware.answer(dict(await middleware.json_object(request)))

    response = await client_of(reading).post("/x", content=dripping(), headers={"content-type": "application/json"})

    assert response.status_code == 400
    assert "did not arrive whole" in response.json()["errors"][0]["message"]


def test_a_query_of_ever_so_many_names_takes_no_longer_for_each():
    def seconds(names: int) -> float:
        request = Request({"type": "http", "query_string": "&".join(f"n{name}" + "=" for name in range(names)).encode(), "headers": []})
        began = time.perf_counter()
        with pytest.raises(Problem):
            middleware.query(request, "day")
        return time.perf_counter() - began

    assert min(seconds(8_000) for _ in range(3)) < 64 * min(seconds(500) for _ in range(3))  # sixteen times as many; each with each: 256


async def test_a_store_that_is_away_is_a_problem_under_the_same_key(caplog):
    async def storing(request: Request) -> Response:
        raise StoreUnavailable("deadline exceeded at 10.0.0.7")

    response = await client_of(storing).get("/x")
    assert (response.status_code, response.json()["type"], response.headers["retry-after"]) == (503, "/problems/store-unavailable", "5")
    assert "10.0.0.7" not in response.text


async def test_a_function_knows_its_paths_wherever_it_is_mounted():
    async def told(request: Request) -> Response:
        return middleware.answer(list(middleware.path(request)))

    for mounted_at in ("", "/purchase", "/api/purchase"):
        assert (await client_of(told, mounted_at).get(f"{mounted_at}/transactions/7c9e")).json() == ["transactions", "7c9e"]


async def test_a_location_leads_back_to_where_the_function_is_mounted():
    async def buying(request: Request) -> Response:
        return sales.purchased(request, Purchased(in_doubt(), replayed=False), NOON, CONFIG)

    response = await client_of(buying, "/purchase").post("/purchase/utility")
    assert response.headers["location"] == f"/purchase/transactions/{in_doubt().id}"


@pytest.mark.parametrize(
    ("sold", "wait"),
    [
        (Purchased(in_doubt(), replayed=False), "1"),  # due at once
        (Purchased(vending(), replayed=False, on_record=False), "239"),  # nobody looks before its lease has ended
        (Purchased(vending(), replayed=True), "239"),
    ],
)
async def test_whatever_is_not_known_to_have_ended_is_202_in_doubt(sold, wait):
    async def buying(request: Request) -> Response:
        return sales.purchased(request, sold, NOON.replace(second=1), CONFIG)

    response = await client_of(buying).post("/utility")
    assert (response.status_code, response.json()["state"], response.json()["receipt"]) == (202, "in_doubt", None)
    assert response.headers["retry-after"] == wait


async def test_a_vended_sale_is_the_same_bytes_now_and_later():
    async def buying(request: Request) -> Response:
        replayed = request.method == "GET"
        return sales.purchased(request, Purchased(vended(), replayed=replayed), NOON.replace(year=2027) if replayed else NOON, CONFIG)

    client = client_of(buying)
    first, again = await client.post("/utility"), await client.get("/utility")
    assert (first.content, first.status_code) == (again.content, 201)
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")


async def test_requests_at_once_do_not_share_their_traces():
    async def traced(request: Request) -> Response:
        await asyncio.sleep(0)
        record = logging.makeLogRecord({"name": "tests", "msg": "said", "levelname": "INFO"})
        return middleware.answer(json.loads(logs.JsonFormatter().format(record)))

    client, traces = client_of(traced), [f"{number:032x}" for number in range(1, 6)]
    said = await asyncio.gather(*(client.get("/x", headers={"traceparent": f"00-{trace}-{1:016x}-01"}) for trace in traces))
    assert [response.json()["logging.googleapis.com/trace"] for response in said] == traces


@pytest.mark.parametrize(("ahead", "form"), [(10, "text/html"), (9_000, "application/json")])
async def test_of_what_a_client_accepts_only_the_first_is_read(ahead, form):
    async def preferred(request: Request) -> Response:
        return middleware.answer(middleware.accepted(request, "application/json", "text/html"))

    response = await client_of(preferred).get("/x", headers={"Accept": "a/b, " * ahead + "text/html"})
    assert response.json() == form
