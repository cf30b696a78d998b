"""What the page says of a scenario is what happens."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from local import page
from shared.mobilemart.simulator import SCENARIOS
from tests.days import long_today
from tests.page.conftest import EXCHANGE_SECONDS, until

LONGER_THAN_A_TEST = {"reprint-lags", "vends-late"}  # a minute or two until they have vended


def scenarios() -> Iterator[dict[str, Any]]:
    return (scenario for group in page.simulator_body(EXCHANGE_SECONDS)["groups"] for scenario in group["scenarios"])


def release(system: httpx.Client) -> None:
    system.post("/reconcile/selling", json={"paused": [], "reason": "for the next click"}).raise_for_status()


def clicked(system: httpx.Client, scenario: dict[str, Any]) -> dict[str, Any]:
    """Ask what the page asks for a click, under the first service that has the scenario. The last answer."""
    request = next(iter(scenario["requests"].values()))
    path, body, caller = request["vasType"], request["body"], {"X-Caller": uuid.uuid4().hex}
    answer = system.post(f"/prevend/{path}", json=body, headers=caller) if request["prevend"] else None
    if answer is None or answer.is_success:
        wanted = body if answer is None else {"prevendId": answer.json()["prevendId"]}
        answer = system.post(f"/purchase/{path}", json=wanted, headers=caller | {"Idempotency-Key": uuid.uuid4().hex})
    told: dict[str, Any] = answer.json()
    return told | {"caller": caller}


def is_vended(system: httpx.Client, told: dict[str, Any]) -> bool:
    state: str = system.get(f"/purchase/transactions/{told['transactionId']}", headers=told["caller"]).json()["state"]
    return state == "vended"


@pytest.fixture(scope="module")
def told(system: httpx.Client) -> dict[str, tuple[str, dict[str, Any]]]:
    """Of every scenario: how the page says that it ends, and what its click was told."""
    long_today(timedelta(minutes=1))
    release(system)
    quick = []
    for scenario in (scenario for scenario in scenarios() if not scenario["seconds"]):
        quick.append((scenario, clicked(system, scenario)))
        if quick[-1][1].get("type") == "/problems/temporarily-unavailable":  # the supplier's float is empty: the brake set itself
            release(system)
    late = [scenario for scenario in scenarios() if scenario["seconds"]]
    with ThreadPoolExecutor(len(late)) as waiting:
        answers = [*quick, *zip(late, waiting.map(partial(clicked, system), late), strict=True)]
    return {scenario["name"]: (scenario["ends"], answer) for scenario, answer in answers}


def test_every_scenario_begins_as_the_page_says(told: dict[str, tuple[str, dict[str, Any]]]) -> None:
    begins = {"refused": {None}, "vended or in_doubt then vended": {"vended", "in_doubt"}}
    slow = {scenario["name"] for scenario in scenarios() if scenario["name"] == "slow-prevend"}  # too slow for the second that it has here
    surprises = {
        name: (ends, answer.get("state"))
        for name, (ends, answer) in told.items()
        if answer.get("state") not in begins.get(ends, {ends.split()[0]}) and name not in slow
    }
    assert len(told) == len(SCENARIOS)
    assert surprises == {}


def test_every_doubt_ends_as_the_page_says(system: httpx.Client, told: dict[str, tuple[str, dict[str, Any]]]) -> None:
    by_sweep = [answer for name, (ends, answer) in told.items() if ends.endswith("then vended") and name not in LONGER_THAN_A_TEST]
    by_file = [answer for ends, answer in told.values() if ends.endswith("until settled")]
    until(lambda: all(is_vended(system, answer) for answer in by_sweep))
    assert by_file and not any(is_vended(system, answer) for answer in by_file)
    system.post("/local/settle").raise_for_status()
    assert all(is_vended(system, answer) for answer in by_file)
