"""`make run`: what comes by itself elsewhere comes by itself here too, the sweep and the settlement file of the day."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid

import httpx
import pytest

from tests.days import long_today
from tests.emulators import free_port
from tests.functions.running import ROOT


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("run"), free_port()
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
