"""The process: a bad configuration stops it, a client that leaves does not end a sale, and neither does the end of the instance."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from local.supplier import serving
from shared import bootstrap
from shared.domain.identifiers import Caller, transaction_id
from shared.domain.transaction import State, Transaction
from shared.domain.vas import Mode
from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET, Behaviour, MemoryLedger, Simulator
from shared.store.sqlite import SqliteStore
from tests.functions.running import SIMULATED, STOP_SECONDS, Function, client_of, running, started
from tests.functions.wallet import AIRTIME, METER, new_key, problem, sale
from tests.root import ROOT
from tests.stand_ins.secret_manager import secret_manager
from tests.stand_ins.topic import Topic

SECRETS = {"id": "projects/demo/secrets/id/versions/latest", "secret": "projects/demo/secrets/secret/versions/latest"}


class HeldSwitch:
    """A live supplier on a socket that takes a purchase and answers when it is told to."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.simulator = Simulator(MemoryLedger(), behaviour=Behaviour(marked=False), now=lambda: datetime.now(UTC))

    async def __call__(self, scope, receive, send) -> None:
        if scope["path"].endswith("/pinless"):
            self.asked.set()
            await self.may_answer.wait()
        await self.simulator(scope, receive, send)


@pytest.fixture(scope="module")
def secrets() -> Iterator[str]:
    values = {SECRETS["id"]: SIMULATED_CLIENT_ID.encode(), SECRETS["secret"]: SIMULATED_CLIENT_SECRET.encode()}
    with secret_manager(values) as service:
        yield service.address


@asynccontextmanager
async def selling_live(store: Path, secrets: str) -> AsyncIterator[tuple[Function, HeldSwitch]]:
    """purchase in live mode, over sockets only: the supplier's and Secret Manager's."""
    switch = HeldSwitch()
    async with serving(switch) as url:
        environ = {
            "ENVIRONMENT": "local",
            "MOBILEMART_LIVE_INTEGRATION": "true",
            "MOBILEMART_API_URL": url,
            "MOBILEMART_CLIENT_ID_SECRET": SECRETS["id"],
            "MOBILEMART_CLIENT_SECRET_SECRET": SECRETS["secret"],
            "SECRET_MANAGER_EMULATOR_HOST": secrets,
            "TRANSACTION_STORE": f"sqlite:///{store}",
        }
        manager = running("purchase", **environ)
        function = await asyncio.to_thread(manager.__enter__)
        try:
            yield function, switch
        finally:
            await asyncio.to_thread(manager.__exit__, None, None, None)


async def ended(store: Path, key: str) -> Transaction:
    """The sale of that key, once it has ended."""
    opened = await SqliteStore.open(str(store), timeout_seconds=10)
    try:
        async with asyncio.timeout(10):
            while (
                sale := await opened.find(transaction_id(Mode.LIVE, Caller("local", "local"), key))
            ) is None or sale.state is State.VENDING:
                await asyncio.sleep(0.02)
    finally:
        await opened.close()
    return sale


def order(function: Function, key: str) -> bytes:
    body = json.dumps(AIRTIME).encode()
    head = f"Host: x\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}"
    return f"POST /airtime HTTP/1.1\r\n{head}\r\n\r\n".encode() + body


async def test_it_sells_live_over_sockets_with_secrets_that_are_read_when_needed(tmp_path, secrets):
    async with selling_live(tmp_path / "sales.sqlite", secrets) as (function, switch), httpx.AsyncClient(base_url=function.url) as client:
        switch.may_answer.set()
        sold = sale(await client.post("/airtime", json=AIRTIME, headers={"Idempotency-Key": new_key()}), 201)

    assert (sold["state"], sold["simulated"]) == ("vended", False)
    assert [vend.transaction_id for vend in await switch.simulator.vends()] == [sold["receipt"]["supplierTransactionId"]]


async def test_a_sale_whose_client_has_left_is_finished_and_recorded(tmp_path, secrets):
    key, store = new_key(), tmp_path / "sales.sqlite"
    async with selling_live(store, secrets) as (function, switch):
        _, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(function.url).port)
        writer.write(order(function, key))
        await switch.asked.wait()
        writer.transport.abort()
        async with httpx.AsyncClient(base_url=function.url) as client:  # answered after the server has seen the first one go
            problem(await client.post("/airtime", json=AIRTIME, headers={"Idempotency-Key": key}), 409, "request-in-progress")
        switch.may_answer.set()
        assert (await ended(store, key)).state is State.VENDED


async def test_an_instance_that_is_told_to_end_finishes_its_sales_first(tmp_path, secrets):
    key, store = new_key(), tmp_path / "sales.sqlite"
    async with selling_live(store, secrets) as (function, switch):
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(function.url).port)
        writer.write(order(function, key))
        await switch.asked.wait()
        stopping = asyncio.create_task(asyncio.to_thread(function.stop))
        while await takes_requests(function):
            await asyncio.sleep(0.02)
        switch.may_answer.set()
        assert b" 201 " in await reader.readline()
        await stopping
        writer.close()
    assert (await ended(store, key)).state is State.VENDED


async def takes_requests(function: Function) -> bool:
    """Whether the instance still takes new requests: no longer, once it has begun to end."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(function.url).port)
    except (ConnectionRefusedError, ConnectionResetError):  # reset: it stood in the queue of a socket that was being closed
        return False
    writer.close()
    return True


async def test_it_sells_over_firestore_and_announces_on_a_topic(firestore_emulator, pubsub_emulator):
    topic = await Topic.created(pubsub_emulator)
    environ = {
        **SIMULATED,
        "GOOGLE_CLOUD_PROJECT": topic.name.split("/")[1],
        "FIRESTORE_EMULATOR_HOST": firestore_emulator,
        "EVENTS_TOPIC": topic.name,
        "PUBSUB_EMULATOR_HOST": pubsub_emulator,
    }
    with client_of("purchase", **environ) as client:
        key = new_key()
        first, again = (client.post("/utility", json=METER, headers={"Idempotency-Key": key}) for _ in range(2))
    [message] = await topic.received(1)
    await topic.close()

    sold = sale(first, 201)
    assert first.content == again.content
    assert json.loads(message.data) == {**sold, "eventId": f"{sold['transactionId']}:vended", "event": "vended"}


def test_a_store_that_cannot_be_reached_leaves_the_key_free(tmp_path):
    environ = {**SIMULATED, "GOOGLE_CLOUD_PROJECT": "demo-project", "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1", "STORE_TIMEOUT_SECONDS": "1"}
    with running("purchase", **environ) as function, httpx.Client(base_url=function.url, timeout=30) as client:
        started_at = time.monotonic()
        problem(client.post("/utility", json=METER, headers={"Idempotency-Key": new_key()}), 503, "store-unavailable")
        assert time.monotonic() - started_at < 5
        problem(client.get(f"/transactions/{'0' * 32}"), 503, "store-unavailable")
        logged = function.said.read_text()
    assert "store unavailable" in logged
    assert METER["meterNumber"] not in logged


@pytest.mark.parametrize("name", ["prevend", "purchase"])
def test_a_bad_configuration_stops_the_function_and_names_every_fault(tmp_path, name):
    said = tmp_path / "said"
    process = started(name, said, ENVIRONMENT="production", MOBILEMART_LIVE_INTEGRATION="yes", MINIMUM_AMOUNT_CENTS="1.5")
    assert process.wait(STOP_SECONDS) != 0
    for fault in ("MOBILEMART_LIVE_INTEGRATION", "MINIMUM_AMOUNT_CENTS", "GOOGLE_CLOUD_PROJECT", "OIDC_ISSUER"):
        assert fault in said.read_text()


def test_an_exhausted_float_pauses_selling_and_a_new_key_may_be_tried_later(tmp_path):
    with client_of("purchase", **SIMULATED, TRANSACTION_STORE=f"sqlite:///{tmp_path / 'sales.sqlite'}") as client:
        for meter in ("99000000024", METER["meterNumber"]):  # the first is refused by the supplier (1008), the second by ourselves
            response = client.post("/utility", json={**METER, "meterNumber": meter}, headers={"Idempotency-Key": new_key()})
            refused = problem(response, 422, "temporarily-unavailable")
            assert (refused["state"], refused["retry"]) == ("rejected", "new-key")


@pytest.mark.parametrize("platform", [{}, {"LOG_EXECUTION_ID": "true"}], ids=["", "with execution ids"])
def test_what_is_logged_of_a_sale_is_told_and_worth_nothing(tmp_path, platform):
    with running("purchase", **SIMULATED, **platform, TRANSACTION_STORE=f"sqlite:///{tmp_path / 'sales.sqlite'}") as function:
        body = {**METER, "meterNumber": "99000000003"}
        sold = sale(httpx.post(f"{function.url}/utility", json=body, headers={"Idempotency-Key": new_key()}, timeout=30), 201)
        logged = function.said.read_text()
    lines = [json.loads(line) for line in logged.splitlines() if sold["transactionId"] in line]
    assert [(line["severity"], line["message"]) for line in lines] == [("INFO", "event")]
    assert not any(secret in logged for secret in (body["meterNumber"], *(token["number"] for token in sold["receipt"]["tokens"])))


FIRST_SALE = """
import gc, importlib.metadata, json, sys
from functions_framework.aio import create_asgi_app
from starlette.testclient import TestClient

looks, groups = [], []
gc.callbacks.append(lambda phase, look: looks.append(phase) if "shared" in sys.modules and look["generation"] < 2 else None)  # unasked
importlib.metadata.entry_points = lambda group: groups.append(group) or ()
client = TestClient(create_asgi_app("purchase", sys.argv[1]))
loaded = [gc.get_threshold()[0], gc.get_freeze_count()]
sold = client.post("/utility", json=json.loads(sys.argv[2]), headers={"Idempotency-Key": "first"})
print(json.dumps([sold.status_code, len(looks), groups, gc.isenabled(), loaded, gc.get_freeze_count()]))
"""


REFUSED_SALES = """
import gc, json, sys
from functions_framework.aio import create_asgi_app
from starlette.testclient import TestClient

client = TestClient(create_asgi_app("purchase", sys.argv[1]))
kept = []
for number in range(3):
    answer = client.post("/utility", json=json.loads(sys.argv[2]), headers={"Idempotency-Key": str(number)})
    kept.append([answer.status_code, gc.get_freeze_count()])
print(json.dumps(kept))
"""


def test_what_a_request_leaves_is_not_kept_for_good_however_often_the_store_cannot_be_opened(tmp_path):
    command = [sys.executable, "-c", REFUSED_SALES, str(ROOT / "functions" / "purchase" / "main.py"), json.dumps(METER)]
    environ = {**SIMULATED, "PYTHONPATH": str(ROOT), "TRANSACTION_STORE": f"sqlite:///{tmp_path / 'missing' / 'sales.sqlite'}"}
    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    (first, loaded), (second, then), (third, at_last) = json.loads(said.splitlines()[-1])
    assert (first, second, third) == (503, 503, 503)
    assert loaded >= then >= at_last  # fewer, where what was kept has been freed all the same


def test_a_start_looks_neither_for_cycles_in_what_it_loads_nor_for_plugins(tmp_path):
    command = [sys.executable, "-c", FIRST_SALE, str(ROOT / "functions" / "purchase" / "main.py"), json.dumps(METER)]
    environ = {**SIMULATED, "PYTHONPATH": str(ROOT), "TRANSACTION_STORE": f"sqlite:///{tmp_path / 'sales.sqlite'}"}
    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    status, looks, groups, is_enabled, (threshold, frozen), frozen_then = json.loads(said.splitlines()[-1])
    assert (status, looks, groups) == (201, 0, [])
    assert is_enabled and threshold == bootstrap.YOUNG_OBJECTS  # whatever the first request came to
    assert 50_000 < frozen < frozen_then
