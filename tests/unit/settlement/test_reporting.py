"""A report of any day, with texts of anybody in it."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.domain.statement import Total
from shared.ports.settlement_files import Refusal
from shared.settlement.reporting import DaySummary, OpenSale, Report, ServiceTotals
from shared.settlement.settled_day import Status
from shared.web.report_csv import csv_of
from shared.web.report_html import html_of

DAY = date(2026, 5, 1)
AT = datetime(2026, 5, 2, 5, tzinfo=UTC)
NONE = {"rows": 0, "cents": 0}
TERMS = ("fileSuccessful", "ourVended", "carriedOut", "carriedIn", "missingHere", "billedThoughRejected", "extraLines", "missingAtSupplier")
BOOKS = {"vasType": "utility", **dict.fromkeys((*TERMS, "differences", "residue"), NONE), "ourVended": {"rows": 1234, "cents": 123_456_789}}
FILE = {"name": "FULCRUM.MERCHANT.WALLET.RECON.20260502060000.txt", "sha256": "ab" * 32, "rows": 1234, "totalCents": 123_456_789}
LISTS: dict[str, object] = {name: [] for name in ("carriedOut", "carriedIn", "healed", "open", "tokensToRecover")}
FOUND = {
    "id": "d" * 32,
    "day": "2026-04-30",
    "kind": "missing_here",
    "severity": "critical",
    "transactionId": None,
    "ours": None,
    "theirs": {"amountCents": -100, "productName": "<b>=1+1</b>", "status": "Successful"},
    "status": "open",
    "closure": None,
    "ageDays": 2,
}


def report(status="discrepancies", discrepancies=(FOUND,), file=FILE, **changes):
    body = {"day": DAY.isoformat(), "version": 1, "status": status, "file": file, "matched": {"rows": 1, "totalCents": 100}, **LISTS}
    total = Total(1, 100)
    totals = ServiceTotals(
        vas_type="utility", sold=total, billed=total, matched=total, carried=Total(), only_ours=Total(), only_theirs=Total(1, -100)
    )
    made = Report(
        body={**body, "discrepancies": list(discrepancies), "conservation": [BOOKS]},
        at=AT,
        simulated=False,
        totals=(totals,),
        in_doubt=(),
        tokens=(),
        at_least=False,
        last_days=tuple(DaySummary(DAY - timedelta(days=back), None, Total(), 0) for back in reversed(range(30))),
    )
    return replace(made, **changes)


def open_sale(age, cents=100):
    return OpenSale(
        transaction_id="a" * 32,
        supplier_transaction_id=None,
        vas_type="utility",
        cents=cents,
        created_at=AT - age,
        age=age,
        needs_review=True,
    )


def rows(made):
    return list(csv.DictReader(io.StringIO(csv_of(made).decode(), newline="")))


def cell(text):
    closure = {"decision": "accepted", "note": text, "by": "t@wallet.example", "at": "2026-05-02T04:00:00Z"}
    (found,) = (row for row in rows(report(discrepancies=[FOUND | {"closure": closure}])) if row["section"] == "discrepancy")
    return found["note"]


@pytest.mark.parametrize(
    ("status", "file", "words"),
    [
        (Status.BALANCED, FILE, "Balanced to the cent."),
        (Status.DISCREPANCIES, FILE, "One difference needs a decision."),
        (Status.PROVISIONAL, FILE, "Not closed yet"),
        (Status.FILE_MISSING, None, "The settlement file has not come."),
    ],
)
def test_the_page_says_first_whether_the_day_balanced(status, file, words):
    page = html_of(report(status.value, file=file)).decode()
    assert words in page and "Friday 1 May 2026" in page
    assert "{{" not in page and "{%" not in page


REFUSAL = Refusal("FULCRUM.MERCHANT.WALLET.RECON.20260503.txt", "1", "the file cannot be read: Forbidden (403)", unread="unreadable")


@pytest.mark.parametrize(("version", "words"), [(0, "Not settled: a file"), (3, "As it was before: a file")])
def test_a_day_that_was_refused_says_which_file_and_why(version, words):
    made = report(Status.FILE_MISSING.value, discrepancies=(), file=None, refusal=REFUSAL)
    made = replace(made, body={**made.body, "version": version})
    page = html_of(made).decode()
    assert words in page and REFUSAL.file in page and REFUSAL.reason in page
    assert made.json()["refused"] == {"file": REFUSAL.file, "reason": REFUSAL.reason, "faults": []}
    assert [(row["id"], row["note"]) for row in rows(made) if row["item"] == "refused"] == [(REFUSAL.file, REFUSAL.reason)]


def test_the_forms_of_a_file_that_were_read_all_the_same_are_on_the_page():
    notes = [{"line": 9, "message": "holds nothing", "lines": 3}, {"line": 1, "message": "has a separator", "lines": 1}]
    made = report(file={**FILE, "notes": notes})
    page = html_of(made).decode()
    assert "line 9 holds nothing (and 2 lines more)" in page and "line 1 has a separator." in page
    assert [(row["id"], row["rows"], row["note"]) for row in rows(made) if row["item"] == "note"] == [
        ("9", "3", "holds nothing"),
        ("1", "1", "has a separator"),
    ]


def test_the_page_of_a_day_with_everything_and_of_one_with_nothing():
    days = tuple(DaySummary(DAY - timedelta(days=29 - at), list(Status)[at % 4], Total(1, at * 100 - 100), at % 2) for at in range(30))
    full = html_of(
        report(in_doubt=(open_sale(timedelta(days=4)),), tokens=(open_sale(timedelta(hours=3)),), last_days=days, simulated=True)
    )
    assert b"4 d 0 h" in full and b"3 h 0 min" in full and b"Simulated: nothing here was sold for money." in full
    assert b"needs a person" in full
    empty = html_of(report("balanced", discrepancies=()))
    assert b"None: every sale has come to an end." in empty


def test_one_of_a_thing_is_not_many():
    page = html_of(report(file=FILE | {"rows": 1})).decode()
    assert "1 line<" in page and "1 sale<" in page
    assert not re.search(r"(?<![\d\u202f])1 (lines|sales|days|doubts)\b", page)


def test_a_discrepancy_bears_the_name_that_the_runbook_has_it_under():
    assert "<code>missing_here</code>" in html_of(report()).decode()


def test_money_is_exact_and_keeps_together():
    page = html_of(report()).decode()
    assert "R1\u202f234\u202f567.89" in page and "\u2212R1.00" in page


def test_words_of_others_are_text_on_the_page():
    page = html_of(report()).decode()
    assert "<b>=1+1" not in page and "&lt;b&gt;=1+1&lt;/b&gt;" in page


def test_the_page_needs_nothing_else():
    page = html_of(report()).decode()
    assert not re.search(r"<(script|link|img|iframe|object|embed|form)\b|url\(|@import|https?:", page)


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+cmd", "@SUM(1)", " =1", "\t=1", "\r=1", "\uff1d1", "=\u202e1", "\u200b=1+1", "\ufeff\x00@SUM(1)"]
)
def test_a_cell_is_never_a_formula(text):
    assert cell(text).startswith("'")


@pytest.mark.parametrize(("text", "shown"), [('a "b", c', 'a "b", c'), ("two\nlines", "two lines"), ("\x00x", " x"), ("", "")])
def test_a_cell_keeps_what_was_said(text, shown):
    assert cell(text) == shown


def test_sums_of_the_csv_are_numbers():
    (theirs,) = (row for row in rows(report()) if (row["section"], row["item"]) == ("total", "only theirs"))
    assert (theirs["rows"], theirs["cents"]) == ("1", "-100")


def test_doubts_are_summed_by_their_age():
    ages = (timedelta(minutes=59), timedelta(hours=1), timedelta(days=1), timedelta(days=3), timedelta(days=400))
    made = report(in_doubt=tuple(open_sale(age, 100) for age in ages))
    assert [(one.age, one.total) for one in made.by_age] == [
        ("under an hour", Total(1, 100)),
        ("1 to 24 hours", Total(1, 100)),
        ("1 to 3 days", Total(1, 100)),
        ("over 3 days", Total(2, 200)),
    ]
    assert made.json()["now"]["inDoubt"]["cents"] == 500
