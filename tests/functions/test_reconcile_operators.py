"""reconcile: what operators see and decide, and who may."""

import re
import uuid

import pytest

from tests.functions.system import LOST, NEVER, NO_TOKEN, OPERATOR, UNKNOWN, answered, no_value_in, until
from tests.functions.wallet import METER, fields_at_fault, new_key, problem, sale

TOKEN = "0000 0000 0000 1234 5678"


@pytest.fixture(scope="module")
def doubt(system):
    """One sale in doubt for all who do not end it: twenty in a row would set the brake."""
    return system.in_doubt()


def test_an_operator_sees_any_callers_sale_and_nothing_of_the_customer(system):
    sold = sale(system.wallet().buy("utility", METER), 201)
    seen = system.ask(f"/transactions/{sold['transactionId']}")
    body = answered(seen)

    assert (body["state"], body["meterNumber"], body["caller"]["issuer"]) == ("vended", "*8901", "local")
    assert [entry["what"] for entry in body["history"]] == ["vended"]
    assert [(answer["source"], answer["status"]) for answer in body["answers"]] == [("vend", 200)]
    number = sold["receipt"]["tokens"][0]["number"]
    for secret in (number, number[-8:], "12345678901", "Simulated Consumer"):
        assert secret not in seen.text


def test_whoever_reveals_tokens_is_on_record_before(system):
    sold = sale(system.wallet().buy("utility", METER), 201)
    path, number = f"/transactions/{sold['transactionId']}", sold["receipt"]["tokens"][0]["number"]

    revealed = answered(system.ask(path, reveal="tokens"))

    assert [token["number"] for token in revealed["receipt"]["tokens"]] == [number]
    assert number in revealed["answers"][0]["text"]
    assert (revealed["history"][-1]["what"], revealed["history"][-1]["by"]) == ("tokens revealed", OPERATOR["X-Caller"])
    assert number not in system.ask(path).text
    assert number not in system.said.read_text()
    assert answered(system.ask(path))["version"] == sold["version"]


def test_sales_are_found_by_meter_request_and_supplier_id(system):
    meter = f"11{uuid.uuid4().int % 10**9:09d}"
    sold = sale(system.wallet().buy("utility", {**METER, "meterNumber": meter}), 201)
    seen = answered(system.ask(f"/transactions/{sold['transactionId']}"))
    for query in (
        {"meterNumber": meter},
        {"requestId": seen["requestId"]},
        {"supplierTransactionId": sold["receipt"]["supplierTransactionId"]},
    ):
        found = system.ask("/transactions", **query)
        assert [one["transactionId"] for one in answered(found)["transactions"]] == [sold["transactionId"]]
        assert meter not in found.text
    assert answered(system.ask("/transactions", meterNumber="99999999999")) == {"transactions": [], "more": False}


# What operators decide


def test_a_decision_that_it_vended_delivers_the_token_to_the_caller(system):
    wallet, key = system.wallet(), new_key()
    lost = sale(wallet.buy("utility", NEVER, key), 202)
    decision = {"version": lost["version"], "state": "vended", "tokens": [TOKEN], "note": "Read out by their desk, ticket 7."}

    decided = answered(system.tell(f"/transactions/{lost['transactionId']}/resolution", decision))

    assert [(entry["what"], entry["by"], entry["note"]) for entry in decided["history"][-2:]] == [
        ("decision: vended", OPERATOR["X-Caller"], "Read out by their desk, ticket 7."),
        ("vended", OPERATOR["X-Caller"], None),
    ]
    found = sale(wallet.buy("utility", NEVER, key), 201)
    assert found["receipt"]["tokens"] == [{"kind": "credit", "number": TOKEN.replace(" ", ""), "units": None}]
    assert (found["receipt"]["supplierTransactionId"], found["receipt"]["tokensDue"]) == (None, "delivered")
    until(lambda: f'"{lost["transactionId"]}:vended"' in system.said.read_text())


def test_a_decision_that_nothing_vended_releases_the_wallet(system):
    wallet, key = system.wallet(), new_key()
    lost = sale(wallet.buy("utility", NEVER, key), 202)
    answered(
        system.tell(
            f"/transactions/{lost['transactionId']}/resolution", {"version": 2, "state": "rejected", "note": "They have no such sale."}
        )
    )
    assert problem(wallet.buy("utility", NEVER, key), 422, "temporarily-unavailable")["state"] == "rejected"
    until(lambda: f'"{lost["transactionId"]}:rejected"' in system.said.read_text())


def test_a_person_adds_the_tokens_that_are_due(system):
    wallet = system.wallet()
    sold = sale(wallet.buy("utility", NO_TOKEN), 201)
    answered(system.tell(f"/transactions/{sold['transactionId']}/resolution", {"version": 2, "tokens": [TOKEN], "note": "By telephone."}))
    found = sale(wallet.get(f"/transactions/{sold['transactionId']}"), 200)
    assert found["receipt"]["tokens"][0]["number"] == TOKEN.replace(" ", "")
    assert found["receipt"]["supplierTransactionId"] == sold["receipt"]["supplierTransactionId"]


def test_a_decision_on_an_old_version_changes_nothing_and_says_what_the_sale_is_now(system):
    seen = system.in_doubt(LOST)
    system.sweep()
    decision = {"version": seen["version"], "state": "rejected", "note": "Too late."}
    refused = problem(system.tell(f"/transactions/{seen['transactionId']}/resolution", decision), 409, "outdated")
    assert (refused["state"], refused["version"]) == ("vended", seen["version"] + 1)

    decision["version"] += 1
    refused = problem(system.tell(f"/transactions/{seen['transactionId']}/resolution", decision), 409, "nothing-to-decide")
    assert refused["state"] == "vended"
    assert len(answered(system.ask(f"/transactions/{seen['transactionId']}"))["history"]) == 2


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"note": None}, {"note"}),
        ({"note": ""}, {"note"}),
        ({"note": "   "}, {"note"}),
        ({"note": "x" * 501}, {"note"}),
        ({"note": "a\x00b"}, {"note"}),
        ({"version": "2"}, {"version"}),
        ({"version": True}, {"version"}),
        ({"version": 0}, {"version"}),
        ({"state": "in_doubt"}, {"state"}),
        ({"state": None}, {"state"}),
        ({"tokens": TOKEN}, {"tokens"}),
        ({"tokens": [12345678901234567890]}, {"tokens.0"}),
        ({"tokens": ["0000 0000 0000 1234 567"]}, {"tokens.0"}),
        ({"tokens": [TOKEN, TOKEN + "9"]}, {"tokens.1"}),
        ({"tokens": ["1234 5678 9012 3456 7890"]}, {"tokens.0"}),  # no simulated one
        ({"tokens": ["\u0660" * 20]}, {"tokens.0"}),
        ({"tokens": [TOKEN] * 21}, {"tokens"}),
        ({"state": "rejected", "tokens": []}, {"tokens"}),
        ({"supplierTransactionId": "x"}, {"supplierTransactionId"}),
    ],
)
def test_a_decision_that_is_not_clear_is_refused_whole(system, doubt, change, fields):
    decision = {"version": 2, "state": "vended", "note": "Why."} | change
    response = system.tell(f"/transactions/{doubt['transactionId']}/resolution", {k: v for k, v in decision.items() if v is not None})
    assert fields_at_fault(response) == fields
    assert "1234 5678" not in response.text
    assert answered(system.ask(f"/transactions/{doubt['transactionId']}"))["state"] == "in_doubt"


def test_a_note_that_quotes_a_token_is_kept_without_it(system):
    seen = system.in_doubt()
    decision = {"version": 2, "state": "vended", "note": f"They said {TOKEN} for 12345678901."}
    decided = system.tell(f"/transactions/{seen['transactionId']}/resolution", decision)
    assert answered(decided)["history"][-2]["note"] == "They said [masked] for *8901."


# Who may decide, and on whose page


SCHEDULER = {"X-Caller": "scheduler@wallet-vas.iam.gserviceaccount.com"}
DECISIONS = (
    ("GET", "/transactions/{sale}?reveal=tokens", None),
    ("POST", "/transactions/{sale}/resolution", {"version": 2, "state": "rejected", "note": "Why."}),
    ("POST", f"/discrepancies/{UNKNOWN}/closure", {"decision": "accepted", "note": "Why."}),
    ("POST", "/selling", {"paused": ["voucher"], "reason": "Why."}),
)
ACTS = (*DECISIONS, ("POST", "/sweep", None), ("POST", "/settle", None))


@pytest.mark.parametrize(("method", "path", "body"), DECISIONS)
def test_no_service_account_decides_or_reveals(system, doubt, method, path, body):
    """Not even the Scheduler's, which may call all of reconcile."""
    refused = system.reconcile.request(method, path.format(sale=doubt["transactionId"]), json=body, headers=SCHEDULER)
    assert "service account" in problem(refused, 403, "forbidden")["detail"]
    assert answered(system.ask(f"/transactions/{doubt['transactionId']}"))["history"] == doubt["history"]
    assert answered(system.ask("/selling"))["paused"] == []


def test_the_scheduler_sweeps_and_settles(system):
    for path in ("/sweep", f"/settle?day={system.today}"):
        answered(system.reconcile.post(path, headers=SCHEDULER))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of"])
@pytest.mark.parametrize(("method", "path", "body"), ACTS)
def test_nothing_is_done_for_a_page_of_another_site(system, doubt, method, path, body, site):
    """Behind `gcloud run services proxy` whatever page the operator has open could ask, in the operator's name."""
    headers = {**OPERATOR, "Sec-Fetch-Site": site}
    problem(system.reconcile.request(method, path.format(sale=doubt["transactionId"]), json=body, headers=headers), 403, "forbidden")
    assert answered(system.ask(f"/transactions/{doubt['transactionId']}"))["history"] == doubt["history"]


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_an_operator_asks_in_a_browser_is_done(system, doubt, site):
    headers = {**OPERATOR, "Sec-Fetch-Site": site}
    answered(system.reconcile.post("/sweep", headers=headers))
    answered(system.reconcile.get("/selling", headers=headers))


def test_a_link_from_another_site_leads_to_a_plain_page(system, doubt):
    headers = {**OPERATOR, "Sec-Fetch-Site": "cross-site"}
    for path in ("/reports", f"/transactions/{doubt['transactionId']}", "/selling", "/problems"):
        assert system.reconcile.get(path, headers=headers).status_code == 200


def test_nothing_of_value_was_logged(system):
    """The last test of this file: it reads all that the others made reconcile log."""
    assert re.search('"message": ?"tokens revealed"', system.said.read_text())
    no_value_in(system.said)
