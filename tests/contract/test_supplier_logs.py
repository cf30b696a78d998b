"""The logs of the supplier's client: alarms under stable names, and no token, secret or whole number."""

import asyncio
import logging

import aiohttp
import httpx
import pytest

from shared.domain.money import Money
from shared.domain.vas import Order, VasType
from shared.mobilemart import http_exchange
from tests.contract.transport import ELECTRICITY, REQUEST_ID, WHOLE, Vault, client, made, sell, sold_by
from tests.logged import logged
from tests.stand_ins.switch_on_a_socket import (
    SOLD,
    Switch,
    http,
    says,
    says_and_closes,
)

ALARMS = {
    ("ERROR", "supplier says simulated"): http(200, SOLD | {"simulated": True}),
    ("CRITICAL", "float exhausted"): http(400, {"fulcrumErrorCode": 1008}),
    ("ERROR", "supplier refuses the request"): http(400, {"fulcrumErrorCode": 1010}),
    ("ERROR", "unknown supplier code"): http(400, {"fulcrumErrorCode": 1099}),
    ("ERROR", "supplier forbids"): http(403, {}),
    ("ERROR", "supplier answered no JSON"): http(200, b"<!doctype html>", content_type="text/html"),
}


@pytest.mark.parametrize(("alarm", "answer"), ALARMS.items(), ids=[name for _, name in ALARMS])
async def test_answers_for_an_operator_are_logged_under_stable_names(
    alarm: tuple[str, str], answer: bytes, said: list[tuple[str, str]]
) -> None:
    await sold_by(says(answer))

    assert alarm in said


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE,
        http(400, {"fulcrumErrorCode": 1001}),
        http(400, {"fulcrumErrorCode": 0}),
        http(429, {}),
        http(503, {}),
        http(500, b"<!doctype html>", content_type="text/html"),
        http(201, {}),
    ],
)
async def test_an_answer_without_a_remedy_alerts_nobody(answer: bytes, said: list[tuple[str, str]]) -> None:
    await sold_by(says(answer))

    assert said == []


CONCERNS = {
    ("CRITICAL", "vend answer does not match"): {"status": "Failed"},
    ("CRITICAL", "vend amount differs"): {"amount": 6},
    ("WARNING", "vend status not known"): {"status": "Partying", "additionalDetails": {"pin": "12345678901234"}},
}


@pytest.mark.parametrize(("alarm", "members"), CONCERNS.items(), ids=[name for _, name in CONCERNS])
async def test_a_suspicious_answer_alerts_an_operator_without_quoting_it(
    alarm: tuple[str, str], members: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    order = Order(vas_type=VasType.AIRTIME, amount=Money(500), merchant_product_id="AIR", pinned=True)
    sold = {name: value for name, value in SOLD.items() if name != "mobileNumber"}
    async with Switch(says(http(200, sold | members))) as switch, client(switch.url) as supplier:
        await sell(supplier, order)

    ((level, message, fields),) = logged(caplog)
    assert (level, message) == alarm
    why = {"Failed": "its status says no", "Partying": None}.get(str(members.get("status")), "more than asked")
    assert fields == {"request_id": REQUEST_ID, "vas_type": VasType.AIRTIME, "amount_cents": 500, "why": why}


async def test_no_log_and_no_repr_holds_tokens_secrets_or_whole_numbers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    slip = {"transactionId": "T-1", "additionalDetails": {"tokens": ["00000000000012345678"], "pin": "11112222333344"}}
    shown = ""
    for behave in (says(http(200, slip)), says(http(200, slip, content_type="text/html")), says(http(400, slip)), says_and_closes()):
        async with Switch(behave) as switch, client(switch.url, vault=Vault("very-secret")) as supplier:
            shown += repr(await sell(supplier, ELECTRICITY)) + repr(await supplier.prevend(ELECTRICITY, REQUEST_ID))
    shown += "".join(f"{record.__dict__}" for record in caplog.records if record.name != "asyncio")

    assert "supplier" in shown
    for telling in ("00000000000012345678", "11112222333344", "very-secret", "12345678901", "Bearer"):
        assert telling not in shown


def test_an_exception_is_named_by_its_type_and_its_causes_alone() -> None:
    bare, caused, late = made(httpx.ReadError), made(httpx.ReadError), TimeoutError()
    caused.__cause__ = made(aiohttp.ServerDisconnectedError)
    late.__cause__ = asyncio.CancelledError()
    assert [http_exchange._named(error) for error in (bare, caused, late)] == [
        "ReadError",
        "ServerDisconnectedError as ReadError",
        "TimeoutError",
    ]
