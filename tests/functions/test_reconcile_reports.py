"""reconcile: settling, and its reports in each form."""

import csv
import io
import json
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Answer, Reason, Rejected
from shared.domain.transaction import transition
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import Line
from shared.mobilemart.settlement_writer import detail, written
from shared.ports.documents import DocumentKind
from shared.vending.contradictions import discrepancies
from shared.web.report_csv import FORMULA_STARTS
from tests.functions.system import NEVER, OPERATOR, UNKNOWN, answered
from tests.functions.wallet import METER, fields_at_fault, problem, sale
from tests.sales import NOON, vended

HOSTILE = "=HYPERLINK(1)<script>alert(1)</script>"


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


async def test_what_an_answer_contradicted_stays_open_whatever_the_files_say(system, system_store):
    ended = transition(
        vended(), Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "does not exist")), at=NOON, by="reprint", retry_seconds=60
    )
    (paper,) = discrepancies(structs.replace(ended, day=system.today))
    await system_store.write_paper(DocumentKind.DISCREPANCIES, paper)

    answered(system.tell(f"/settle?day={system.today}"))

    found = answered(system.ask(f"/reports/{system.today}"))["discrepancies"]
    assert next(one["status"] for one in found if one["id"] == paper.body["id"]) == "open"
    assert paper.body["id"] in system.ask(f"/reports/{system.today}.html").text
    answered(system.tell(f"/discrepancies/{paper.body['id']}/closure", {"decision": "accepted", "note": "Ticket 9."}))


@pytest.mark.parametrize(("body", "fields"), [({}, {"decision", "note"}), ({"decision": "ignored", "note": "Why."}, {"decision"})])
def test_a_closure_says_what_and_why(system, body, fields):
    assert fields_at_fault(system.tell(f"/discrepancies/{UNKNOWN}/closure", body)) == fields
