"""reconcile, running beside purchase: doubts end, days balance, and what operators see and decide."""

import csv
import io
import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from shared.domain.outcome import Answer, Reason, Rejected
from shared.domain.transaction import transition
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import Line
from shared.mobilemart.settlement_writer import detail, written
from shared.mobilemart.simulator import Simulator
from shared.ports.documents import DocumentKind
from shared.store.sqlite import SqliteStore
from shared.vending.contradictions import discrepancies
from shared.web.report_csv import FORMULA_STARTS
from tests.days import long_today
from tests.functions.running import SIMULATED, client_of, opened
from tests.functions.wallet import METER, VOUCHER, Wallet, fields_at_fault, new_key, problem, sale
from tests.sales import NOON, vended

LOST = {**METER, "meterNumber": "99000000040"}  # the simulator vends, and cuts the connection
NEVER = {**METER, "meterNumber": "99000000033"}  # it cuts the connection, and nothing is vended
NO_TOKEN = {**METER, "meterNumber": "99000000067"}  # it vends, and only a reprint tells the token
TOKEN = "0000 0000 0000 1234 5678"
OPERATOR = {"X-Caller": "thandi@wallet.example"}
UNKNOWN = "0" * 32
PERSONS = ("/selling", "/erasures")
HOSTILE = "=HYPERLINK(1)<script>alert(1)</script>"


class System:
    """purchase and reconcile over one store, and the folder in which the supplier's files lie."""

    def __init__(self, folder, stack):
        self.store_path, self.files = folder / "sales.sqlite", folder / "files"
        self.files.mkdir()
        environ = {
            **SIMULATED,
            "TRANSACTION_STORE": f"sqlite:///{self.store_path}",
            "SETTLEMENT_FILES": self.files.as_uri(),
            "RESOLVE_INTERVAL_SECONDS": "1",
            "MOBILEMART_CALLS_PER_SECOND": "1000",
        }
        self.today = long_today()  # once: no test of these may find itself in another day than its neighbours
        self.purchase, _ = stack.enter_context(opened("purchase", **environ))
        self.reconcile, self.said = stack.enter_context(opened("reconcile", **environ))

    def wallet(self) -> Wallet:
        return Wallet(self.purchase, self.purchase)

    def ask(self, path, **query):
        return self.reconcile.get(path, params=query, headers=OPERATOR)

    def tell(self, path, body=None, **options):
        return self.reconcile.post(path, json=body, headers=OPERATOR, **options)

    def sweep(self):
        return answered(self.tell("/sweep"))

    def deliver(self, day, lines):
        made = f"{day + timedelta(days=1):%Y%m%d}060000"
        (self.files / f"FULCRUM.MERCHANT.SIMULATED.RECON.{made}.txt").write_bytes(b"".join(written(day, lines)))

    def in_doubt(self, body=NEVER):
        """A sale in doubt, as operators see it."""
        sold = sale(self.wallet().buy("utility", body), 202)
        return answered(self.ask(f"/transactions/{sold['transactionId']}"))


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    with ExitStack() as stack:
        yield System(tmp_path_factory.mktemp("system"), stack)


@pytest.fixture(scope="module")
def doubt(system):
    """One sale in doubt for all who do not end it: twenty in a row would set the brake."""
    return system.in_doubt()


@pytest.fixture
async def store(system):
    store = await SqliteStore.open(str(system.store_path), timeout_seconds=10)
    yield store
    await store.close()


def answered(response):
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json"), response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


def until(wanted, seconds=15.0):
    """What `wanted` gives as soon as that is true."""
    give_up_at = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
    return found


def stranger(name=HOSTILE, merchant_id="12345678901", cents=12_300) -> Line:
    """A line that names no sale of ours, in the words of somebody who means harm."""
    return detail(
        service=VasType.UTILITY,
        transaction_id=str(uuid.uuid4()),
        merchant_id=merchant_id,
        at=datetime.now(UTC),
        cents=cents,
        recipient="98765432109",
        product_name=name,
    )


# The sweep


async def test_a_lost_reply_is_healed_by_the_sweep_and_sold_once(system, store):
    wallet, key = system.wallet(), new_key()
    lost = sale(wallet.buy("utility", LOST, key), 202)

    assert system.sweep()["vended"] == 1

    found = sale(wallet.get(f"/transactions/{lost['transactionId']}"), 200)
    assert (found["state"], len(found["receipt"]["tokens"])) == ("vended", 1)
    assert sale(wallet.buy("utility", LOST, key), 201) == found
    held = await store.find(lost["transactionId"])
    vends = await Simulator(store.ledger, now=lambda: datetime.now(UTC)).vends()
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


async def test_two_sweeps_at_once_end_each_sale_once(system, store):
    wallet = system.wallet()
    lost = [sale(wallet.buy("utility", {**LOST, "amountCents": cents}), 202)["transactionId"] for cents in range(2000, 2800, 100)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: system.sweep(), range(2)))

    for transaction_id in lost:
        held = await store.find(transaction_id)
        assert (held.state, [entry.what for entry in held.history]) == ("vended", ["in_doubt", "vended"])
        assert held.open is None


# What operators see


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


# Settling and its reports


def test_a_file_that_cannot_be_read_costs_its_own_day_and_names_that_are_not_taken_are_told(system):
    bad, good = system.today - timedelta(days=6), system.today - timedelta(days=4)
    system.deliver(good, [stranger()])
    link = system.files / f"FULCRUM.MERCHANT.SIMULATED.RECON.{bad + timedelta(days=1):%Y%m%d}060000.txt"
    link.symlink_to("nowhere")
    other = system.files / f"{link.name}.gz"
    other.write_bytes(b"")

    result = answered(system.tell("/settle"))

    why = {"file": link.name, "reason": "the file cannot be read: No such file or directory", "faults": []}
    assert {"day": bad.isoformat(), **why} in result["refused"]
    assert good.isoformat() in [day["day"] for day in result["days"]] and bad.isoformat() not in [day["day"] for day in result["days"]]
    assert result["notTaken"] == [{"name": other.name, "reason": "the name does not end in .txt"}]
    assert problem(system.tell(f"/settle?day={bad}"), 422, "settlement-file-refused")["notTaken"] == result["notTaken"]
    assert answered(system.tell(f"/settle?day={good}"))["notTaken"] == result["notTaken"]
    assert answered(system.ask(f"/reports/{bad}"))["refused"] == why
    assert link.name in system.ask(f"/reports/{bad}.html").text
    listed = {one["day"]: one for one in answered(system.ask("/reports"))["days"]}
    assert (listed[bad.isoformat()]["version"], listed[bad.isoformat()]["refused"]) == (0, True)
    assert "refused" not in listed[good.isoformat()]

    link.unlink()
    other.unlink()
    system.deliver(bad, [stranger()])
    assert "notTaken" not in answered(system.tell(f"/settle?day={bad}"))
    assert "refused" not in answered(system.ask(f"/reports/{bad}"))


def test_a_place_that_cannot_be_listed_is_told_in_the_log(system):
    away = system.files.rename(system.files.with_name("away"))
    try:
        problem(system.tell("/settle"), 503, "settlement-files-unavailable")
    finally:
        away.rename(system.files)
    lines = [line for line in system.said.read_text().splitlines() if '"settlement files unavailable"' in line]
    assert [json.loads(line)["cause"] for line in lines] == ["No such file or directory"]


def test_today_is_settled_again_and_again_with_the_same_bytes(system):
    sale(system.wallet().buy("utility", METER), 201)
    first = system.tell(f"/settle?day={system.today}")
    again = system.tell(f"/settle?day={system.today}")

    settled = answered(first)
    assert first.content == again.content
    assert (settled["day"], settled["status"]) == (system.today.isoformat(), "provisional")
    assert all(books["residue"] == {"rows": 0, "cents": 0} for books in settled["conservation"])
    assert system.today.isoformat() in [one["day"] for one in answered(system.ask("/reports"))["days"]]


def test_a_run_over_all_days_names_each(system):
    result = answered(system.tell("/settle"))
    assert set(result) == {"days", "refused", "left"}
    assert result["left"] == [] and all(one["day"] < system.today.isoformat() for one in result["days"])


def test_a_file_that_breaks_the_format_is_named_with_its_faults_and_changes_nothing(system):
    day = system.today - timedelta(days=9)
    good = b"".join(written(day, [stranger()]))
    path = system.files / f"FULCRUM.MERCHANT.SIMULATED.RECON.{day + timedelta(days=1):%Y%m%d}060000.txt"
    path.write_bytes(good.replace(b"|12300|", b"|123.00|"))

    refused = problem(system.tell(f"/settle?day={day}"), 422, "settlement-file-refused")

    assert refused["file"] == path.name
    assert [(fault["line"], fault["field"]) for fault in refused["faults"]] == [(2, 11)]
    report = answered(system.ask(f"/reports/{day}"))
    assert (report["version"], report["status"], report["refused"]["file"]) == (0, "file_missing", path.name)
    path.write_bytes(good)
    assert answered(system.tell(f"/settle?day={day}"))["file"]["rows"] == 1


@pytest.fixture(scope="module")
def hostile(system):
    """Yesterday and today, with lines in both that mean harm; the reports of today in each form."""
    sale(system.wallet().buy("utility", METER), 201)
    seen = sale(system.wallet().buy("utility", NEVER), 202)
    yesterday = system.today - timedelta(days=1)
    system.deliver(yesterday, [stranger(), stranger("+1;DROP", "=1+1")])
    system.deliver(system.today, [stranger("@SUM(A1)"), stranger("'><img src=x onerror=alert(1)>", "27821234567")])
    for day in (yesterday, system.today):
        assert len(answered(system.tell(f"/settle?day={day}"))["discrepancies"]) >= 2
    forms = {form: system.ask(f"/reports/{system.today}{form}") for form in ("", ".csv", ".html")}
    return forms, seen


def test_no_cell_of_the_csv_can_become_a_formula(system, hostile):
    forms, _ = hostile
    response = forms[".csv"]
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == f'attachment; filename="settlement-{system.today}.csv"'
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert {"day", "total", "conservation", "discrepancy", "in doubt", "last days"} <= {row["section"] for row in rows}
    cells = [cell for row in rows for cell in row.values()]
    assert any("HYPERLINK" in cell for cell in cells)
    assert [cell for cell in cells if cell.startswith(FORMULA_STARTS) and not re.fullmatch(r"-?\d+", cell)] == []


def test_hostile_words_are_words_on_the_page(hostile):
    forms, _ = hostile
    response = forms[".html"]
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "<script" not in response.text and "<img" not in response.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in response.text
    assert not re.search(r"(?:src|href)=\"(?!\d{4}-\d\d-\d\d\.html\")", response.text)  # self-contained


def test_no_report_shows_a_number_whole(hostile):
    forms, seen = hostile
    assert seen["transactionId"] in forms[""].text and seen["transactionId"] in forms[".html"].text
    for response in forms.values():
        assert response.status_code == 200
        for number in ("12345678901", "98765432109", "27821234567", NEVER["meterNumber"], "12345678"):
            assert number not in response.text


def test_a_report_says_what_is_in_doubt_and_how_the_last_days_were(system, hostile):
    report = hostile[0][""].json()
    assert report["now"]["inDoubt"]["rows"] >= 1 and report["now"]["inDoubt"]["byAge"][0]["cents"] >= 10_000
    assert [one["day"] for one in report["lastDays"]][-1] == report["day"] == system.today.isoformat()
    assert len(report["lastDays"]) == 30
    utility = next(one for one in report["totals"] if one["vasType"] == "utility")
    assert utility["onlyTheirs"] == {"rows": 2, "cents": 24_600}
    assert {found["ageDays"] for found in report["discrepancies"]} >= {0, 1}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("application/json, text/html;q=0.5", "application/json"),
        ("image/png", "application/json"),
        ("\x7f;;q=x", "application/json"),
    ],
)
def test_a_report_comes_in_the_form_that_is_wanted(system, hostile, accept, content_type):
    response = system.reconcile.get(f"/reports/{system.today}", headers={"Accept": accept})
    assert (response.status_code, response.headers["content-type"], response.headers["vary"]) == (200, content_type, "Accept")
    assert "vary" not in system.reconcile.get(f"/reports/{system.today}.html", headers={"Accept": accept}).headers


def test_a_closed_discrepancy_is_carried_no_further(system, hostile):
    def carried():
        report = answered(system.ask(f"/reports/{system.today}"))
        return [found["id"] for found in report["discrepancies"] if found["day"] < report["day"] and found["kind"] == "missing_here"]

    chosen = carried()[0]
    closure = {"decision": "written-off", "note": "Ticket 8."}
    closed = answered(system.tell(f"/discrepancies/{chosen}/closure", closure))

    assert (closed["status"], closed["closure"]["by"], closed["closure"]["note"]) == ("written-off", OPERATOR["X-Caller"], "Ticket 8.")
    assert chosen not in carried()
    assert answered(system.tell(f"/discrepancies/{chosen}/closure", closure)) == closed
    problem(system.tell(f"/discrepancies/{chosen}/closure", closure | {"decision": "accepted"}), 409, "discrepancy-closed")
    own = answered(system.ask(f"/reports/{closed['day']}"))["discrepancies"]
    assert next(found for found in own if found["id"] == chosen)["closure"] == closed["closure"]


async def test_what_an_answer_contradicted_stays_open_whatever_the_files_say(system, store):
    ended = transition(
        vended(), Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "does not exist")), at=NOON, by="reprint", retry_seconds=60
    )
    (paper,) = discrepancies(structs.replace(ended, day=system.today))
    await store.write_paper(DocumentKind.DISCREPANCIES, paper)

    answered(system.tell(f"/settle?day={system.today}"))

    found = answered(system.ask(f"/reports/{system.today}"))["discrepancies"]
    assert next(one["status"] for one in found if one["id"] == paper.body["id"]) == "open"
    assert paper.body["id"] in system.ask(f"/reports/{system.today}.html").text
    answered(system.tell(f"/discrepancies/{paper.body['id']}/closure", {"decision": "accepted", "note": "Ticket 9."}))


@pytest.mark.parametrize(("body", "fields"), [({}, {"decision", "note"}), ({"decision": "ignored", "note": "Why."}, {"decision"})])
def test_a_closure_says_what_and_why(system, body, fields):
    assert fields_at_fault(system.tell(f"/discrepancies/{UNKNOWN}/closure", body)) == fields


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


def test_nothing_of_value_was_logged(system):
    """The last test of this file: all that the others made reconcile say."""
    said = system.said.read_text()
    assert '"message": "tokens revealed"' in said or '"message":"tokens revealed"' in said
    assert not re.search(r"0{12}\d{8}|12345678901|98765432109", said)
    assert "request failed" not in said
    for line in said.splitlines():
        json.loads(line)


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
