"""The smoke sale: against the whole system in one process, and against a deployment with the worst answers."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.emulators import free_port
from tests.first_day.conftest import Run
from tests.root import ROOT
from tests.stand_ins.switch_on_a_socket import Asked, Behave, Switch, http, in_turn, is_silent, resets, says, says_and_closes

METER = "12345678901"
RECEIPT = {
    "tokensDue": "delivered",
    "tokens": [{"kind": "credit", "number": "00000000000012345678", "units": "3.0"}],
    "units": "3.0",
    "unitType": "kWh",
}
SALE = {
    "transactionId": "0123456789abcdef0123456789abcdef",
    "vasType": "utility",
    "state": "vended",
    "amountCents": 1000,
    "meterNumber": METER,
    "simulated": True,
    "receipt": RECEIPT,
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start `make run` on a free port, with its own store; yield its address."""
    folder, port = tmp_path_factory.mktemp("system"), free_port()
    store = {"TRANSACTION_STORE": f"sqlite:///{folder}/sales.db", "SETTLEMENT_FILES": f"file://{folder}"}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **store}
    command = [sys.executable, "-m", "local", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any(line.startswith("Serving on") for line in process.stdout)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def journal() -> list[dict[str, Any]]:
    path = Path(".local/smoke.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def sales(system: str, key: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{system}/purchase/transactions", params={"idempotencyKey": key}).json()
    return found


async def test_without_buying_it_only_looks(run_smoke: Run, system: str) -> None:
    ran = await run_smoke("--url", system)

    assert (ran.code, journal()) == (0, [])
    assert "environment local, mode simulated" in ran.said
    assert re.search(r"prevend \*8901 +R10.00 confirmed", ran.said)
    assert re.search(r"skip .* purchase +not asked for", ran.said)


async def test_it_buys_once_and_shows_the_token_only_on_request(run_smoke: Run, system: str) -> None:
    bought = await run_smoke("--url", system, "--buy")
    key = journal()[0]["key"]
    token = sales(system, key)["receipt"]["tokens"][0]["number"]
    shown = await run_smoke("--url", system, "--buy", "--key", key, "--show-token")

    assert (bought.code, shown.code) == (0, 0)
    assert f"--key {key}" in bought.said and sales(system, key)["transactionId"] in bought.said
    spelt = re.compile(" ?".join(token))
    assert spelt.search(bought.said) is None and METER not in bought.said
    assert spelt.search(shown.said) is not None
    assert not any(token in line for line in map(str, journal()))


async def test_two_addresses_do_as_well_as_one(run_smoke: Run, system: str) -> None:
    ran = await run_smoke("--prevend-url", f"{system}/prevend", "--purchase-url", f"{system}/purchase/", "--buy", "R20")

    assert (ran.code, journal()[0]["amountCents"]) == (0, 2000)


async def test_a_sale_in_doubt_is_asked_for_until_it_has_ended(run_smoke: Run, system: str) -> None:
    ran = await run_smoke("--url", system, "--meter", "99000000040", "--buy")

    assert ran.code == 0
    assert "202: in doubt" in ran.said and "tokens: credit" in ran.said
    assert len({line["key"] for line in journal()}) == 1


async def test_a_rejected_sale_says_what_to_do(run_smoke: Run, system: str) -> None:
    ran = await run_smoke("--url", system, "--meter", "99000000021", "--buy")

    assert ran.code == 1
    assert "422 amount-refused" in ran.said and "another meter or amount, without --key" in ran.said


async def test_a_sale_that_does_not_end_in_time_is_left_with_its_key(run_smoke: Run, system: str) -> None:
    ran = await run_smoke("--url", system, "--meter", "99000000029", "--buy", "--patience", 1)

    key = journal()[0]["key"]
    assert (ran.code, sales(system, key)["state"]) == (3, "in_doubt")
    assert f"--key {key}" in ran.said and "never buy this again under another key" in ran.said


async def test_a_key_of_another_purchase_is_not_taken_for_this_one(run_smoke: Run, system: str) -> None:
    await run_smoke("--url", system, "--buy", "R10.00", "--key", "taken")
    written = journal()
    refused = await run_smoke("--url", system, "--buy", "R20.00", "--key", "taken")
    assert (refused.code, journal()) == (2, written) and "key taken was made for another purchase" in refused.said
    ran = await run_smoke("--url", system, "--buy", "R20.00", "--key", "taken", "--journal", "another.jsonl")

    assert ran.code == 1
    assert "422 idempotency-key-reused" in ran.said and "the amount it was made with" in ran.said


def deployment(*purchases: Behave, health: dict[str, str] | None = None, failing_list: str | None = None) -> Switch:
    """A deployment whose purchase returns these answers, one after another."""
    where = {"status": "ok", "environment": "local", "mode": "simulated", **(health or {})}
    simulated = where["mode"] == "simulated"
    confirmed = {"meterNumber": METER, "amountCents": 1000, "simulated": simulated, "expiresAt": "2026-05-01T10:15:00Z"}
    buys = in_turn(purchases)

    async def behave(asked: Asked, writer: Any) -> None:
        match asked.method, asked.target:
            case "GET", "/prevend/health" | "/purchase/health":
                await says(http(200, where))(asked, writer)
            case "GET", target if failing_list is not None and target == f"/prevend/{failing_list}/products":
                await says(refused(503, "supplier-unavailable"))(asked, writer)
            case "GET", target if target.endswith("/products"):
                await says(http(200, {"products": [{"name": "Electricity"}]}))(asked, writer)
            case "GET", _:
                await says(http(200, SALE))(asked, writer)
            case "POST", "/prevend/utility":
                await says(http(200, confirmed))(asked, writer)
            case _:
                assert asked.headers["idempotency-key"] in [line["key"] for line in journal()]
                await buys(asked, writer)

    return Switch(behave)


def refused(status: int, name: str, **members: object) -> bytes:
    body = {"type": f"/problems/{name}", "title": "No", "status": status, "detail": "No.", "retry": "never", **members}
    return http(status, body, content_type="application/problem+json")


SOLD = says(http(201, SALE))
REPLAYED = says(http(201, SALE, "idempotent-replayed: true"))


async def test_every_lost_answer_is_requested_again_under_the_one_key(run_smoke: Run) -> None:
    busy = says(refused(409, "request-in-progress", retry="same-key"))
    unavailable = says(refused(503, "store-unavailable", retry="same-key"), b"")
    async with deployment(resets, says_and_closes(), unavailable, busy, SOLD, REPLAYED) as switch:
        ran = await run_smoke("--url", switch.url, "--buy", "--token", "a-callers-token")

        bought = [asked for asked in switch.sales_asked if asked.target == "/purchase/utility"]
    assert ran.code == 0, ran.said
    assert len(bought) == 6
    assert len({(asked.headers["idempotency-key"], asked.body) for asked in bought}) == 1
    assert {asked.headers["authorization"] for asked in bought} == {"Bearer a-callers-token"}
    assert "a-callers-token" not in ran.said


async def test_a_refusal_after_a_lost_answer_does_not_say_that_nothing_was_sold(run_smoke: Run) -> None:
    async with deployment(resets, says(refused(401, "unauthenticated", retry="same-key"))) as switch:
        ran = await run_smoke("--url", switch.url, "--buy")

    assert ran.code == 3
    assert "OIDC_AUDIENCE" in ran.said and "may have sold" in ran.said and f"--key {journal()[0]['key']}" in ran.said


async def test_a_rejection_after_a_lost_answer_ends_it(run_smoke: Run) -> None:
    async with deployment(resets, says(refused(422, "amount-refused", retry="change", state="rejected"))) as switch:
        ran = await run_smoke("--url", switch.url, "--buy")

    assert ran.code == 1 and "nothing was sold under this key" in ran.said


async def test_interrupted_while_it_buys_it_leaves_the_key(tmp_path: Path) -> None:
    async with deployment(is_silent) as switch:
        command = [sys.executable, "-m", "local.smoke", "--url", switch.url, "--buy"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
        async with asyncio.timeout(30):
            while "/purchase/utility" not in [asked.target for asked in switch.sales_asked]:
                await asyncio.sleep(0.05)
            process.send_signal(signal.SIGINT)
            said, _ = await process.communicate()

    assert process.returncode == 3
    assert journal()[0]["key"] in said.decode() and b"interrupted" in said


async def test_a_token_that_is_due_is_waited_for(run_smoke: Run) -> None:
    due = says(http(201, {**SALE, "receipt": {**RECEIPT, "tokensDue": "pending", "tokens": []}}))
    async with deployment(due, due, REPLAYED) as switch:
        ran = await run_smoke("--url", switch.url, "--buy")

    assert ran.code == 0
    assert ran.said.count("its token is still to come") == 2 and "tokens: credit" in ran.said


@pytest.mark.parametrize(
    "repeat",
    [http(201, SALE), http(201, {**SALE, "transactionId": "another"}, "idempotent-replayed: true")],
    ids=["not a replay", "another sale"],
)
async def test_a_repeat_that_sells_again_fails(run_smoke: Run, repeat: bytes) -> None:
    async with deployment(SOLD, says(repeat)) as switch:
        ran = await run_smoke("--url", switch.url, "--buy")

    assert ran.code == 1 and "was it sold again?" in ran.said


@pytest.mark.parametrize("arguments", [["--buy"], ["--buy", "R10.00"], ["--buy", "--meter", METER]])
async def test_on_a_live_deployment_amount_and_meter_must_be_named(run_smoke: Run, arguments: list[str]) -> None:
    async with deployment(SOLD, health={"environment": "production", "mode": "live"}) as switch:
        ran = await run_smoke("--url", switch.url, *arguments)

        assert (ran.code, switch.sales_asked) == (2, [])
    assert "sells for money" in ran.said


async def test_named_they_are_bought_live(run_smoke: Run) -> None:
    live = http(201, {**SALE, "simulated": False})
    async with deployment(says(live), health={"environment": "production", "mode": "live"}) as switch:
        ran = await run_smoke("--url", switch.url, "--buy", "R10.00", "--meter", METER)

        assert [asked.target for asked in switch.sales_asked][:2] == ["/prevend/utility", "/purchase/utility"]
    assert "201 vended" in ran.said


@pytest.mark.parametrize(
    "health",
    [{"mode": "live-ish"}, {"environment": "elsewhere"}, {"environment": "production"}],
)
async def test_a_deployment_that_contradicts_itself_is_asked_nothing(run_smoke: Run, health: dict[str, str]) -> None:
    async with deployment(SOLD, health=health) as switch:
        ran = await run_smoke("--url", switch.url, "--buy", "R10.00", "--meter", METER)

        assert (ran.code, switch.sales_asked) == (1, [])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refused(401, "unauthenticated", retry="same-key"), "OIDC_AUDIENCE"),
        (refused(403, "forbidden"), "OIDC_SCOPE"),
        (refused(409, "possible-duplicate", retry="change", transactionId="the-other"), "sale the-other"),
        (refused(409, "prevend-used"), "409 prevend-used"),
        (refused(422, "amount-below-minimum", retry="change"), "wants more at once"),
        (refused(422, "supplier-busy", retry="new-key", retryAfterSeconds=60), "not before 60 s"),
        (refused(400, "body-invalid", errors=[{"field": "meterNumber", "message": "must be digits"}]), "meterNumber must be digits"),
        (http(404, b"<html></html>", content_type="text/html"), "no answer of these functions"),
    ],
)
async def test_each_refusal_ends_it_with_advice(run_smoke: Run, answer: bytes, told: str) -> None:
    async with deployment(says(answer)) as switch:
        ran = await run_smoke("--url", switch.url, "--buy")

        assert len([asked for asked in switch.sales_asked if asked.target == "/purchase/utility"]) == 1
    assert ran.code == 1 and told in ran.said


async def test_texts_of_the_other_side_neither_control_the_terminal_nor_show_a_token(run_smoke: Run) -> None:
    hostile = refused(422, "amount-refused", detail="\x1b[2J\x9b31m token 1234 5678 9012 3456 7890 of 27821234567\r\npass")
    async with deployment(says(hostile)) as switch:
        ran = await run_smoke("--url", switch.url, "--buy")

    assert "\x1b" not in ran.said and "\x9b" not in ran.said and "5678" not in ran.said and "*4567" in ran.said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"simulated": False}, "says simulated: False"),
        ({"amountCents": 2000}, "amountCents is not what was asked for"),
        ({"meterNumber": "10987654321"}, "meterNumber is not"),
        ({"receipt": None}, "without a receipt"),
        ({"receipt": {**RECEIPT, "tokens": [{"kind": "credit", "number": "123"}]}}, "a token that is not 20 digits"),
    ],
)
async def test_a_sale_that_is_not_what_was_asked_for_fails(run_smoke: Run, change: dict[str, object], why: str) -> None:
    async with deployment(says(http(201, {**SALE, **change}))) as switch:
        ran = await run_smoke("--url", switch.url, "--buy")

    assert ran.code == 1 and why in ran.said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "say where"),
        (["--prevend-url", "https://prevend.example"], "say where"),
        (["--url", "http://vas.example"], "a token is sent there"),
        (["--url", "https://vas.example", "--key", "k"], "--key is a purchase's"),
        (["--url", "https://vas.example", "--buy", "20"], "must be an amount in rand"),
        (["--url", "https://vas.example", "--meter", "12"], "11 or 13 digits"),
    ],
)
async def test_a_command_that_makes_no_sense_is_refused(run_smoke: Run, arguments: list[str], why: str) -> None:
    ran = await run_smoke(*arguments)

    assert ran.code == 2 and why in ran.said


async def test_nothing_is_bought_that_cannot_be_recorded(run_smoke: Run, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    async with deployment(SOLD) as switch:
        ran = await run_smoke("--url", switch.url, "--buy", "--journal", "a-file/smoke.jsonl")

        assert [asked.target for asked in switch.sales_asked] == ["/prevend/utility"]
    assert ran.code == 1 and "nothing is bought that is not on record first" in ran.said


async def test_a_failed_list_of_another_service_is_reported_and_electricity_is_sold(run_smoke: Run) -> None:
    async with deployment(SOLD, REPLAYED, failing_list="voucher") as switch:
        ran = await run_smoke("--url", switch.url, "--buy")

    assert ran.code == 1 and "201 vended" in ran.said and re.search(r"FAIL .* products voucher +503", ran.said)


async def test_nobody_there_is_a_failure_and_no_trace(run_smoke: Run) -> None:
    ran = await run_smoke("--url", f"http://127.0.0.1:{free_port()}", "--buy")

    assert ran.code == 1 and "no answer: ConnectError" in ran.said and "Traceback" not in ran.said
