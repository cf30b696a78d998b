"""The supplier over real sockets: every vend leaves at most once, and its outcome holds only what is proven."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from shared.domain.money import Money
from shared.domain.outcome import (
    Answer,
    Prevended,
    Rejected,
    TokensDue,
    Unknown,
    Vended,
)
from shared.domain.policy import ReprintBy
from shared.domain.sts_tokens import SIMULATED_PREFIX
from shared.domain.vas import PREVENDED, Mode, Order, VasType
from shared.mobilemart import http_exchange
from shared.mobilemart.client import Settings
from shared.mobilemart.http_exchange import IDLE_SECONDS
from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET, MemoryLedger, Simulator
from shared.ports.credentials import Credentials
from tests.contract.transport import AIRTIME, REQUEST_ID, SELLS, WHOLE, Clock, client, not_taken, sell, sold_by
from tests.stand_ins.switch_on_a_socket import (
    SOLD,
    Asked,
    Behave,
    Switch,
    drips,
    http,
    in_turn,
    is_silent,
    resets,
    says,
    says_and_closes,
    says_in_turn,
)


async def test_a_sale_is_one_request_and_its_answer_is_kept() -> None:
    answer, switch = await sold_by(SELLS)

    assert isinstance(answer.outcome, Vended)
    assert (answer.outcome.receipt.supplier_transaction_id, answer.outcome.receipt.tokens_due) == (SOLD["transactionId"], TokensDue.NONE)
    assert answer.raw is not None
    assert (answer.raw.source, answer.raw.status, json.loads(answer.raw.body)) == ("vend", 200, SOLD)
    (asked,) = switch.sales_asked
    assert (asked.target, asked.headers["authorization"]) == ("/v1/airtime/pinless", "Bearer first")
    assert (asked.headers["accept"], asked.headers["accept-encoding"]) == ("application/json", "identity")
    assert json.loads(asked.body)["requestId"] == REQUEST_ID


HEAD, BODY = WHOLE.split(b"\r\n\r\n", 1)
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"

LOST = {
    "FIN without an answer": (says_and_closes(), None),
    "reset without an answer": (resets, None),
    "header cut": (says_and_closes(HEAD[:40]), None),
    "garbage instead of a status line": (says_and_closes(b"\x16\x03\x01 what is this\r\n\r\n"), None),
    "a 20 kB header": (says(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 20_000 + b"\r\n\r\n"), None),
    "body cut": (says_and_closes(HEAD + b"\r\n\r\n" + BODY[:10]), True),
    "body cut in a 400": (says_and_closes(http(400, {"fulcrumErrorCode": 1001})[:-4]), False),
    "bad chunk at once": (says_and_closes(CHUNKED + b"zz\r\nwhat\r\n"), None),
    "bad chunk later": (says_in_turn(CHUNKED, b"zz\r\nwhat\r\n"), True),
    "last chunk missing": (says_and_closes(CHUNKED + b"%x\r\n%s\r\n" % (len(BODY), BODY)), True),
    "too long": (says(http(200, b'{"transactionId":"T","x":"%s"}' % (b"x" * 1_100_000))), True),
    "endless": (says(CHUNKED, *[b"10000\r\n" + b" " * 0x10000 + b"\r\n"] * 20), True),
    "compressed": (says(http(200, SOLD, "content-encoding: gzip")), True),
    "HTML": (says(http(200, b"<!doctype html>", content_type="text/html")), True),
    "redirect 307": (says(http(307, b"", "location: /v1/airtime/pinless")), False),
    "redirect 302": (says(http(302, b"", "location: /v1/airtime/pinless")), False),
    "403": (says(http(403, {})), False),
    "503": (says(http(503, {})), False),
}


@pytest.mark.parametrize(("behave", "sign_of_vend"), LOST.values(), ids=LOST.keys())
async def test_every_failure_after_the_request_left_is_a_doubt_and_the_request_left_once(behave: Behave, sign_of_vend: bool | None) -> None:
    answer, switch = await sold_by(behave)

    assert isinstance(answer.outcome, Unknown)
    assert answer.outcome.sign_of_vend is bool(sign_of_vend)
    assert (answer.raw is None) == (sign_of_vend is None)  # the answer is stored if one began
    assert len(switch.sales_asked) == 1


@pytest.mark.parametrize("behave", [is_silent, drips(WHOLE, 0.05)], ids=["silence", "a drip"])
async def test_one_deadline_covers_the_whole_exchange(behave: Behave) -> None:
    started = asyncio.get_running_loop().time()

    answer, switch = await sold_by(behave, timeout_seconds=0.5)

    assert isinstance(answer.outcome, Unknown)
    assert asyncio.get_running_loop().time() - started < 2
    assert len(switch.sales_asked) == 1


async def test_a_dripped_body_is_an_indication_of_a_vend_and_the_part_received_is_stored() -> None:
    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await says(HEAD + b"\r\n\r\n")(asked, writer)
        await drips(BODY, 0.05)(asked, writer)

    answer, _ = await sold_by(behave, timeout_seconds=0.5)

    assert answer.outcome == Unknown("HTTP 200, TimeoutError", sign_of_vend=True)
    assert answer.raw is not None
    assert BODY.startswith(answer.raw.body)
    assert answer.raw.body


async def test_a_cancelled_vend_is_cancelled_and_nothing_else() -> None:
    async with Switch(is_silent) as switch, client(switch.url) as supplier:
        assert await supplier.ready() is None
        vend = asyncio.create_task(supplier.vend(AIRTIME, None, REQUEST_ID, 5))
        while not switch.sales_asked:
            await asyncio.sleep(0.01)
        vend.cancel()

        with pytest.raises(asyncio.CancelledError):
            await vend


# --- pooled connections


async def test_a_connection_is_used_again_at_once() -> None:
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        answers = [await sell(supplier) for _ in range(5)]

    assert all(isinstance(answer.outcome, Vended) for answer in answers)
    assert switch.connections == 1


async def test_a_peer_that_closes_idle_connections_causes_no_doubt() -> None:
    closed = asyncio.Event()

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await SELLS(asked, writer)
        asyncio.get_running_loop().call_later(0.02, writer.close)
        asyncio.get_running_loop().call_later(0.04, closed.set)

    async with Switch(behave) as switch, client(switch.url) as supplier:
        for _ in range(5):
            assert isinstance((await sell(supplier)).outcome, Vended)
            await closed.wait()
            closed.clear()

    assert len(switch.sales_asked) == 5


async def test_a_connection_idle_for_longer_than_the_limit_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.mobilemart.http_exchange.IDLE_SECONDS", 0.01)
    assert IDLE_SECONDS <= 5
    async with Switch(SELLS) as switch, client(switch.url) as supplier:
        for _ in range(3):
            assert isinstance((await sell(supplier)).outcome, Vended)
            await asyncio.sleep(0.03)

    assert switch.connections == 3


async def test_a_repeated_answer_is_never_taken_for_the_answer_to_the_next_vend() -> None:
    """aiohttp alone would give the second copy, with the first customer's goods, to the second customer."""
    repeated = asyncio.Event()

    def repeat(writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, SOLD | {"transactionId": "of-the-first-customer"}))
        asyncio.get_running_loop().call_later(0.02, repeated.set)  # it has arrived on the idle connection

    async def says_it_again(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await says(http(200, SOLD))(asked, writer)
        asyncio.get_running_loop().call_later(0.02, repeat, writer)

    behave = in_turn([says_it_again, says(http(200, SOLD | {"transactionId": "of-the-second-customer"}))])
    async with Switch(behave) as switch, client(switch.url) as supplier:
        first = await sell(supplier)
        await repeated.wait()
        unusable, second = await sell(supplier), await sell(supplier)

    assert isinstance(first.outcome, Vended)
    assert not_taken(unusable)
    assert isinstance(second.outcome, Vended)
    assert second.outcome.receipt.supplier_transaction_id == "of-the-second-customer"
    assert len(switch.sales_asked) == 2


async def test_many_vends_at_once_wait_for_no_connection() -> None:
    async with Switch(is_silent) as switch, client(switch.url, timeout_seconds=5) as supplier:
        assert await supplier.ready() is None
        vends = [asyncio.create_task(supplier.vend(AIRTIME, None, REQUEST_ID, 5)) for _ in range(120)]
        async with asyncio.timeout(4):
            while len(switch.sales_asked) < 120:
                await asyncio.sleep(0.01)
        for vend in vends:
            vend.cancel()
        await asyncio.gather(*vends, return_exceptions=True)


# --- in process, and alarms


@pytest.mark.parametrize(
    ("vas_type", "pinned"),
    [(vas_type, False) for vas_type in VasType] + [(VasType.AIRTIME, True), (VasType.DATA, True)],
)
async def test_the_same_client_sells_everything_in_process(vas_type: VasType, pinned: bool) -> None:
    async def credentials(_: bool) -> Credentials:
        return Credentials(SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET)

    transport = httpx.ASGITransport(Simulator(MemoryLedger(), now=Clock()))
    async with client("http://simulator", transport=transport, mode=Mode.SIMULATED, vault=credentials) as supplier:
        products = await supplier.products(vas_type)
        assert not isinstance(products, Rejected)
        product = next(row for row in products if row.pinned == pinned)
        order = Order(
            vas_type=vas_type,
            amount=product.amount or Money(10_000),
            merchant_product_id=product.merchant_product_id,
            meter_number="12345678901" if vas_type is VasType.UTILITY else None,
            account_number="135609708" if vas_type is VasType.BILL_PAYMENT else None,
            mobile_number="27820012345" if vas_type in (VasType.AIRTIME, VasType.DATA) and not pinned else None,
            pinned=pinned,
        )
        prevend_id = None
        if vas_type in PREVENDED:
            prevended = await supplier.prevend(order, str(uuid.uuid4()))
            assert isinstance(prevended, Prevended)
            prevend_id = prevended.supplier_prevend_id
        answer = await supplier.vend(order, prevend_id, str(uuid.uuid4()), 5)

    assert isinstance(answer.outcome, Vended)
    typed = vas_type in (VasType.UTILITY, VasType.VOUCHER) or pinned
    assert answer.outcome.receipt.tokens_due is (TokensDue.DELIVERED if typed else TokensDue.NONE)
    assert all(token.number.startswith(SIMULATED_PREFIX) for token in answer.outcome.receipt.tokens)


async def test_the_deadline_holds_over_the_in_process_transport_too() -> None:
    async def app(scope: dict[str, object], receive: object, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
        if scope["path"] != "/connect/token":
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"access_token":"t","expires_in":7200,"simulated":true}'})

    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with client("http://simulator", transport=transport, mode=Mode.SIMULATED, timeout_seconds=0.1) as supplier:
        answer = await sell(supplier)

    assert answer == Answer(Unknown("TimeoutError", sign_of_vend=False))


async def test_an_environment_that_names_proxies_and_certificates_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    http_exchange._roots.cache_clear()
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    (tmp_path / "none.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))

    answer, switch = await sold_by(SELLS)

    assert isinstance(answer.outcome, Vended) and len(switch.sales_asked) == 1
    assert len(http_exchange._roots().get_ca_certs()) > 50
    http_exchange._roots.cache_clear()


async def test_the_settings_that_nobody_chose_are_those_of_the_contract() -> None:
    settings = Settings(base_url="https://switch.example", mode=Mode.LIVE)
    assert (settings.tender_type, settings.reprint_by, settings.utility_product_id) == ("CreditCard", ReprintBy.REQUEST_ID, None)
    assert (settings.connect_timeout_seconds, settings.timeout_seconds) == (5, 60)
    assert IDLE_SECONDS == 3
