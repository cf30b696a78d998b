"""A caller's sales over HTTP: pages of a day, with sales that cannot be read whole, and when to ask again."""

import asyncio
import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from msgspec import structs
from starlette.requests import Request

from shared.config import load
from shared.domain.transaction import reindexed
from shared.domain.unread import Unread
from shared.schemas.problems import Problem
from shared.schemas.responses import unread_body
from shared.vending.purchase import Purchased
from shared.vending.purchasing import Vending
from shared.vending.recorder import Recorder
from shared.web.sales import allow_purchase, look_up, purchased, sale_id
from tests.sales import NOON, in_doubt, vended, vending
from tests.unit.configurations import LOCAL

PAGE = 100  # sales of a day

CONFIG = load(LOCAL, "local")
DAY = "day=2026-05-01"


def request(query=""):
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": [(b"host", b"wallet")]})


def page_of(held, query=DAY):
    """The answer, and the calls of the store."""
    asked = []

    async def of_caller(*given):
        asked.append(given)
        return held

    recorder = Recorder(store=SimpleNamespace(of_caller=of_caller), events=None, rules=CONFIG.rules(), now=lambda: NOON, new_id=str)
    looking = Vending(recorder=recorder, supplier=None, brake=None)
    response = asyncio.run(look_up(request(query), vending().caller, looking, CONFIG))
    return json.loads(response.body), asked


def numbered(number):
    return structs.replace(vended(), id=f"{number:032x}")


def unread(number):
    return Unread(id=f"{number:032x}", unknown=("State paused",))


@pytest.mark.parametrize("cursor", [None, "0" * 32])
def test_a_page_is_asked_for_with_one_more_and_ends_where_its_cursor_says(cursor):
    held = [numbered(number) for number in range(PAGE + 1)]
    query = DAY if cursor is None else f"{DAY}&cursor={cursor}"
    body, asked = page_of(held, query)
    assert asked == [(CONFIG.mode, vending().caller, "2026-05-01", cursor, PAGE + 1)]
    assert [sale["transactionId"] for sale in body["transactions"]] == [sale.id for sale in held[:PAGE]]
    assert body["cursor"] == held[PAGE - 1].id
    assert page_of(held[:PAGE])[0]["cursor"] is None and page_of([])[0] == {"transactions": [], "cursor": None}


def test_an_unreadable_sale_hides_no_other_of_its_day_and_has_its_place_in_the_pages():
    body, _ = page_of([numbered(1), unread(2), numbered(3), unread(4)])
    assert [sale["transactionId"][-1] for sale in body["transactions"]] == ["1", "3"]
    assert body["notReadable"] == [unread_body(unread(2)), unread_body(unread(4))]
    assert "notReadable" not in page_of([numbered(1)])[0]
    body, _ = page_of([unread(number) for number in range(PAGE + 1)])
    assert (len(body["notReadable"]), body["transactions"], body["cursor"]) == (PAGE, [], unread(PAGE - 1).id)


@pytest.mark.parametrize(("seconds", "said"), [(-5, "1"), (0, "1"), (0.2, "1"), (1, "1"), (1.2, "2"), (59.5, "60")])
def test_a_doubt_says_in_whole_seconds_when_somebody_next_tries_to_end_it(seconds, said):
    sale = reindexed(in_doubt(), NOON + timedelta(seconds=seconds))
    response = purchased(request(), Purchased(sale, replayed=False), NOON, CONFIG)
    assert (response.status_code, response.headers["retry-after"]) == (202, said)
    response = purchased(request(), Purchased(structs.replace(sale, open=None), replayed=True), NOON, CONFIG)
    assert (response.headers["retry-after"], response.headers["idempotent-replayed"]) == ("1", "true")


@pytest.mark.parametrize("text", ["", "0" * 31, "0" * 33, "g" * 32, "A" * 32, "٠" * 32, "0" * 31 + "\n"])
def test_no_sale_has_an_id_that_is_not_32_hexadecimal_digits(text):
    assert sale_id("0123456789abcdef" * 2) == "0123456789abcdef" * 2
    with pytest.raises(Problem) as refused:
        sale_id(text)
    assert refused.value.body()["type"] == "/problems/not-found"


@pytest.mark.parametrize(
    ("name", "method", "with_key", "fault"),
    [
        ("utility", "POST", True, None),
        ("utility", "POST", False, None),  # answered when the key is read
        ("electricity", "POST", True, None),
        ("utility", "GET", True, "method-not-allowed"),
        ("utility", "GET", False, "method-not-allowed"),
        ("gone", "POST", True, None),
        ("gone", "POST", False, "not-found"),
        ("gone", "GET", True, "not-found"),
        ("gone", "GET", False, "not-found"),
    ],
)
def test_no_purchase_is_accepted_without_a_service_but_a_key_may_repeat_an_old_sale(name, method, with_key, fault):
    headers = [(b"host", b"wallet"), *([(b"idempotency-key", b"key-1")] if with_key else [])]
    asked = Request({"type": "http", "method": method, "path": f"/{name}", "query_string": b"", "headers": headers})
    if fault is None:
        assert allow_purchase(asked, name) is None
        return
    with pytest.raises(Problem) as refused:
        allow_purchase(asked, name)
    assert refused.value.body()["type"] == f"/problems/{fault}"
