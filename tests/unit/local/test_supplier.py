"""The simulated switch on a socket: lost answers are really lost, and the switch continues to serve."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from local.supplier import Supplier, serving
from shared.mobilemart.simulator import PLAIN, SCENARIOS, Behaviour, Effect, MemoryLedger, Scenario, Service, Simulator, SwitchFault
from tests.root import ROOT
from tests.stand_ins.merchant import Merchant


def named(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


@asynccontextmanager
async def socket(behaviour: Behaviour, timeout_seconds: float = 5) -> AsyncIterator[tuple[Simulator, Merchant]]:
    simulator = Simulator(MemoryLedger(), behaviour=behaviour, now=lambda: datetime.now(UTC))
    async with serving(Supplier(simulator)) as base_url, httpx.AsyncClient(base_url=base_url, timeout=timeout_seconds) as http:
        merchant = Merchant(http)
        await merchant.log_in()
        yield simulator, merchant


@pytest.mark.parametrize("service", Service)
async def test_a_lost_reply_is_a_connection_closed_without_a_byte_after_vending(service: Service) -> None:
    async with socket(Behaviour()) as (simulator, merchant):
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
            await merchant.play(named("reply-lost"), service)
        again = await merchant.play(PLAIN, service)

    assert again.status_code == 200
    assert [vend.scenario.name for vend in await simulator.vends()] == ["reply-lost", "plain"]


async def test_a_connection_can_be_cut_before_vending() -> None:
    async with socket(Behaviour()) as (simulator, merchant):
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
            await merchant.play(named("lost-before"), Service.VOUCHER)

    assert await simulator.vends() == []


@pytest.mark.parametrize("name", ["silent", "vends-late", "late"])
async def test_an_answer_that_does_not_come_in_time_is_a_timeout_after_vending(name: str) -> None:
    async with socket(Behaviour(late_seconds=30), timeout_seconds=0.2) as (simulator, merchant):
        with pytest.raises(httpx.ReadTimeout):
            await merchant.play(named(name), Service.VOUCHER)

    assert len(await simulator.vends()) == 1


async def test_a_dripping_answer_passes_a_read_timeout_and_fails_only_a_deadline() -> None:
    async with socket(Behaviour(late_seconds=6), timeout_seconds=0.5) as (simulator, merchant):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.8):
                await merchant.play(named("dripped"), Service.VOUCHER)

    assert len(await simulator.vends()) == 1


async def test_a_dripped_answer_is_whole_in_the_end() -> None:
    async with socket(Behaviour(late_seconds=0.1)) as (simulator, merchant):
        answer = await merchant.play(named("dripped"), Service.VOUCHER)

    [vend] = await simulator.vends()
    assert answer.json()["transactionId"] == vend.transaction_id


async def test_faults_are_scripted_and_vends_are_read_over_the_control_paths() -> None:
    async with socket(Behaviour()) as (_, merchant):
        scripted = await merchant.http.post("/_control/faults", json=[{"effect": "refused", "on": "purchase", "code": 1002}])
        refused = await merchant.play(PLAIN, Service.VOUCHER)
        sold = await merchant.play(PLAIN, Service.UTILITY, "ours")
        [vend] = (await merchant.http.get("/_control/vends")).json()

    assert (scripted.status_code, refused.json()["fulcrumErrorCode"]) == (204, 1002)
    assert (vend["request_id"], vend["transaction_id"]) == ("ours", sold.json()["transactionId"])
    assert (vend["vas_type"], vend["amount_cents"], vend["recipient"]) == ("utility", 10_000, "99000000000")
    assert vend["tokens"][0]["number"] == sold.json()["additionalDetails"]["tokens"][0]["token"]


@pytest.mark.parametrize("script", [b"", b"{}", b'[{"effect": "unheard-of"}]', b'[{"on": "purchase"}]'])
async def test_a_script_that_makes_no_sense_is_refused(script: bytes) -> None:
    async with socket(Behaviour()) as (_, merchant):
        answer = await merchant.http.post("/_control/faults", content=script)

    assert answer.status_code == 400


async def test_the_switch_itself_has_no_control_paths() -> None:
    simulator = Simulator(MemoryLedger(), faults=[SwitchFault(Effect.SLOW)], now=lambda: datetime.now(UTC))
    async with serving(simulator) as base_url, httpx.AsyncClient(base_url=base_url) as http:
        answer = await http.get("/_control/vends")

    assert "<title>Fulcrum</title>" in answer.text


def test_it_runs_as_a_command_that_can_play_a_live_switch() -> None:
    with _running("--port", "0", "--unmarked") as base_url:
        answer = httpx.get(f"{base_url}/v1/utility/purchase")
        vends = httpx.get(f"{base_url}/_control/vends").json()

    assert "x-simulated" not in answer.headers
    assert vends == []


@contextmanager
def _running(*options: str) -> Iterator[str]:
    """Start the command. Yield its address once it serves."""
    command = [sys.executable, "-m", "local.supplier", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
