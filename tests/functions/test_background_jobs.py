"""`make run`: what comes by itself elsewhere comes by itself here too, the sweep and the settlement file of the day."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime

import httpx
import pytest

from local import __main__ as run
from shared.domain.clock import business_day
from shared.mobilemart.simulator.settlement import day_file
from tests.days import long_today
from tests.emulators import free_port
from tests.root import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def system(folder):
    port = free_port()
    environment, complaints = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}, folder / "complaints"
    with complaints.open("wb") as stderr:
        command = [sys.executable, "-m", "local", "--port", str(port)]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            until(lambda: is_up(client))
            yield client
    finally:
        process.send_signal(signal.SIGINT)
        assert (process.wait(20), "Traceback" in complaints.read_text()) == (0, False)  # it is how it is ended


def is_up(client):
    try:
        return client.get("/reconcile/health").is_success
    except httpx.TransportError:
        return False


def until(wanted, seconds=30.0):
    give_up_at = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
    return found


def buy(system, meter):
    body, key = {"meterNumber": meter, "amountCents": 10_000}, {"Idempotency-Key": uuid.uuid4().hex}
    return system.post("/purchase/utility", json=body, headers=key).json()


def test_a_port_in_use_is_one_clear_message(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "local", "--port", str(port)]
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    (message,) = ended.stderr.splitlines()
    assert f"127.0.0.1:{port}" in message and "in use" in message


LIVE = {
    "MOBILEMART_LIVE_INTEGRATION": "true",
    "MOBILEMART_CLIENT_ID_SECRET": "projects/p/secrets/id/versions/latest",
    "MOBILEMART_CLIENT_SECRET_SECRET": "projects/p/secrets/secret/versions/latest",
}


def test_the_demonstration_is_never_bought_for_money(tmp_path):
    """From a shell that still holds what some live environment is told."""
    with socket.create_server(("127.0.0.1", 0)) as switch:
        switch.setblocking(False)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **LIVE}
        environment["MOBILEMART_API_URL"] = f"http://127.0.0.1:{switch.getsockname()[1]}"
        environment["SECRET_MANAGER_EMULATOR_HOST"] = f"127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "local", "--once", "--port", str(free_port())]
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
        with pytest.raises(BlockingIOError):
            switch.accept()
    assert (ended.returncode, ended.stdout) == (1, "")
    (message,) = ended.stderr.splitlines()
    assert message.startswith("refused: MOBILEMART_LIVE_INTEGRATION")


def test_a_demonstration_that_is_cut_off_does_not_stand_in_the_way_of_the_next(system, monkeypatch):
    monkeypatch.setattr(run, "METER", "99000000041")  # whose answer is lost
    for _ in range(2):
        with pytest.raises(run._NotSold, match="^it is in_doubt"):
            asyncio.run(run._demonstration(str(system.base_url)))


def test_it_serves_whatever_the_demonstration_came_to(tmp_path):
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TRANSACTION_STORE": f"sqlite:///{tmp_path}/missing/sales.db"}
    command = [sys.executable, "-m", "local", "--port", str(port)]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=said, stderr=said)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            until(lambda: "Serving on" in (tmp_path / "said").read_text())
            assert is_up(client)
            unsettled = client.post("/local/settle")
    finally:
        process.send_signal(signal.SIGINT)
        ended = process.wait(20)
    words = (tmp_path / "said").read_text()
    assert (ended, "Traceback" in words) == (0, False)
    assert "The demonstration was not sold: 503 Store unavailable" in words
    assert (unsettled.status_code, unsettled.json()["type"]) == (503, "/problems/store-unavailable")


def test_a_lost_answer_comes_back_by_itself(system):
    lost = buy(system, "99000000040")
    assert lost["state"] == "in_doubt"
    path = f"/purchase/transactions/{lost['transactionId']}"
    assert until(lambda: (found := system.get(path).json())["state"] == "vended" and found)["receipt"]["tokens"]


def test_today_balances_with_the_suppliers_file_and_not_with_a_wrong_one(system):
    long_today()
    buy(system, "12345678901")
    (right,) = system.post("/local/settle").json()["days"]
    assert (right["status"], right["discrepancies"]) == ("provisional", [])
    assert right["matched"]["rows"] == right["file"]["rows"] >= 1

    answer = system.post("/local/settle?plant=amount").json()
    assert [found["kind"] for found in answer["days"][0]["discrepancies"]] == ["amount_differs"]
    assert "Other amount" in system.get(answer["report"]).text


def test_a_file_of_the_day_that_is_not_believed_is_told(folder, system):
    bad = folder / ".local" / "settlement" / "FULCRUM.MERCHANT.SIMULATED.RECON.99991231.txt"  # named last, so believed to be the latest
    bad.parent.mkdir(exist_ok=True)
    bad.write_bytes(b"".join(day_file(business_day(datetime.now(UTC)), [], {})) + b"no line\n")
    try:
        refused = system.post("/local/settle")
    finally:
        bad.unlink()
    assert (refused.status_code, refused.json()["file"]) == (422, bad.name)
    assert refused.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("query", ["plant=rain", "&".join(["plant=amount"] * 1000)])
def test_a_fault_that_cannot_be_planted_is_refused(system, query):
    assert system.post(f"/local/settle?{query}").status_code == 400


def test_a_refusal_leads_to_its_sale_on_the_one_port(system):
    order = {"meterNumber": "99000000028", "amountCents": 10_000}
    refused = system.post("/purchase/electricity", json=order, headers={"Idempotency-Key": "refused"}).json()
    other = system.post("/purchase/electricity", json={**order, "amountCents": 20_000}, headers={"Idempotency-Key": "refused"}).json()
    assert system.get(refused["instance"]).json()["transactionId"] == refused["transactionId"]
    assert (other["type"], other["instance"]) == ("/problems/idempotency-key-reused", refused["instance"])
    decided = system.post(
        f"/reconcile/transactions/{refused['transactionId']}/resolution", json={"version": 9, "state": "rejected", "note": "a test"}
    ).json()
    assert system.get(decided["instance"]).json()["transactionId"] == refused["transactionId"]
