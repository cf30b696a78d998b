"""reconcile, running beside purchase: the sweep, the brake, and requests that are refused."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.mobilemart.simulator import Simulator
from tests.functions.running import SIMULATED, client_of
from tests.functions.system import LOST, NO_TOKEN, OPERATOR, UNKNOWN, answered, until
from tests.functions.wallet import METER, VOUCHER, fields_at_fault, new_key, problem, sale

PERSONS = ("/selling", "/erasures")


async def test_a_lost_reply_is_healed_by_the_sweep_and_sold_once(system, system_store):
    wallet, key = system.wallet(), new_key()
    lost = sale(wallet.buy("utility", LOST, key), 202)

    assert system.sweep()["vended"] == 1

    found = sale(wallet.get(f"/transactions/{lost['transactionId']}"), 200)
    assert (found["state"], len(found["receipt"]["tokens"])) == ("vended", 1)
    assert sale(wallet.buy("utility", LOST, key), 201) == found
    held = await system_store.find(lost["transactionId"])
    vends = await Simulator(system_store.ledger, now=lambda: datetime.now(UTC)).vends()
    assert [vend.request_id for vend in vends].count(held.request_id) == 1


def test_tokens_that_were_due_reach_the_caller_by_the_same_path_and_as_an_event(system):
    wallet = system.wallet()
    sold = sale(wallet.buy("utility", NO_TOKEN), 201)
    assert (sold["receipt"]["tokensDue"], sold["receipt"]["tokens"]) == ("pending", [])

    def delivered():
        system.sweep()
        found = sale(wallet.get(f"/transactions/{sold['transactionId']}"), 200)
        return found if found["receipt"]["tokensDue"] == "delivered" else None

    found = until(delivered)
    assert len(found["receipt"]["tokens"]) == 1 and found["version"] == sold["version"] + 1
    until(lambda: f'"{sold["transactionId"]}:tokens"' in system.said.read_text())


def test_a_sweep_says_what_it_did_in_numbers(system):
    system.in_doubt()
    swept = system.sweep()
    assert set(swept) == {"examined", "vended", "rejected", "stillInDoubt", "needsReview", "announced", "left"}
    assert all(type(count) is int for count in swept.values())
    assert swept["examined"] >= swept["stillInDoubt"] >= 1 and swept["left"] == 0
    until(lambda: '"message":"swept"' in system.said.read_text().replace(": ", ":"))


async def test_two_sweeps_at_once_end_each_sale_once(system, system_store):
    wallet = system.wallet()
    lost = [sale(wallet.buy("utility", {**LOST, "amountCents": cents}), 202)["transactionId"] for cents in range(2000, 2800, 100)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: system.sweep(), range(2)))

    for transaction_id in lost:
        held = await system_store.find(transaction_id)
        assert (held.state, [entry.what for entry in held.history]) == ("vended", ["in_doubt", "vended"])
        assert held.open is None


# Bad input


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/", 404, "not-found"),
        ("GET", "/sweep", 405, "method-not-allowed"),
        ("GET", "/settle", 405, "method-not-allowed"),
        ("POST", "/reports", 405, "method-not-allowed"),
        ("DELETE", "/selling", 405, "method-not-allowed"),
        ("POST", "/settle?day=2026-02-30", 400, "body-invalid"),
        ("POST", "/settle?day=20260501", 400, "body-invalid"),
        ("POST", "/settle?day=9999-12-31", 400, "body-invalid"),
        ("POST", "/settle?day=0001-01-01", 400, "body-invalid"),
        ("POST", "/settle?days=2026-05-01", 400, "body-invalid"),
        ("POST", "/sweep?day=2026-05-01", 400, "body-invalid"),
        ("GET", "/reports/tomorrow", 400, "body-invalid"),
        ("GET", "/reports/9999-12-31.html", 400, "body-invalid"),
        ("GET", "/reports/2020-01-01", 404, "not-found"),
        ("GET", "/reports/2020-01-01.pdf", 400, "body-invalid"),
        ("GET", f"/transactions/{UNKNOWN}", 404, "not-found"),
        ("GET", "/transactions/..%2f", 404, "not-found"),
        ("GET", f"/transactions/{UNKNOWN}?reveal=all", 400, "body-invalid"),
        ("GET", "/transactions", 400, "body-invalid"),
        ("GET", "/transactions?meterNumber=1&requestId=2", 400, "body-invalid"),
        ("GET", "/transactions?meterNumber=", 400, "body-invalid"),
        ("GET", f"/transactions/{UNKNOWN}/resolution", 405, "method-not-allowed"),
    ],
)
def test_what_is_asked_badly_is_a_clear_error(system, method, path, status, name):
    problem(system.reconcile.request(method, path, headers=OPERATOR), status, name)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/transactions/{UNKNOWN}/resolution", {"version": 2, "state": "rejected", "note": "Why."}),
        (f"/discrepancies/{UNKNOWN}/closure", {"decision": "accepted", "note": "Why."}),
        ("/discrepancies/simulated-selling/closure", {"decision": "accepted", "note": "Why."}),
    ],
)
def test_what_is_not_there_cannot_be_decided(system, path, body):
    problem(system.tell(path, body), 404, "not-found")


# The brake


def test_the_brake_stops_purchase_within_its_cache_time_and_releases_itself(system):
    wallet = system.wallet()
    sale(wallet.buy("voucher", VOUCHER), 201)  # what the brake says is now known for ten seconds
    ends = datetime.now(UTC) + timedelta(seconds=12)
    paused = answered(system.tell("/selling", {"paused": ["voucher"], "reason": "Prices are wrong.", "until": ends.isoformat()}))
    assert (paused["paused"], paused["reason"], paused["pauses"][0]["by"]) == (["voucher"], "Prices are wrong.", OPERATOR["X-Caller"])

    stopped = until(lambda: (response := wallet.buy("voucher", VOUCHER)).status_code == 422 and response, seconds=11)
    assert problem(stopped, 422, "temporarily-unavailable")["retry"] == "new-key"
    sale(wallet.buy("utility", METER), 201)

    until(lambda: wallet.buy("voucher", VOUCHER).status_code == 201)
    assert datetime.now(UTC) >= ends
    after = answered(system.ask("/selling"))
    assert (after["paused"], after["reason"], after["until"]) == ([], None, None)
    assert (after["decisions"][0]["paused"], after["decisions"][0]["by"]) == (["voucher"], OPERATOR["X-Caller"])


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"paused": ["water"]}, {"paused.0"}),
        ({"paused": "voucher"}, {"paused"}),
        ({"reason": ""}, {"reason"}),
        ({"until": "2020-01-01T00:00:00Z"}, {"until"}),
        ({"until": "2099-01-01T00:00:00"}, {"until"}),
        ({"until": "tomorrow"}, {"until"}),
        ({"until": "9999-99-99T00:00:00Z"}, {"until"}),
    ],
)
def test_a_pause_that_is_not_clear_pauses_nothing(system, change, fields):
    response = system.tell("/selling", {"paused": ["voucher"], "reason": "Why."} | change)
    assert fields_at_fault(response) == fields
    assert answered(system.ask("/selling"))["paused"] == []


def test_behind_the_proxy_persons_need_its_assertion_and_the_scheduler_does_not(tmp_path: Path) -> None:
    environ = {**SIMULATED, "TRANSACTION_STORE": f"sqlite:///{tmp_path}/sales.db", "IAP_AUDIENCE": "/projects/1/global/backendServices/2"}
    with client_of("reconcile", **environ) as http:
        assert http.post("/sweep").status_code == 200
        assert http.post("/retention").json() == {"erased": 0, "retired": 0, "held": 0, "papers": 0, "more": False}
        assert http.get("/health").status_code == 200
        for method, path in (
            ("GET", "/reports"),
            ("GET", "/transactions?requestId=x"),
            *((m, p) for p in PERSONS for m in ("GET", "POST")),
        ):
            refused = http.request(method, path, headers={"X-Caller": "op@example.com"}, json=None if method == "GET" else {})
            assert (refused.status_code, refused.json()["type"]) == (401, "/problems/unauthenticated")
