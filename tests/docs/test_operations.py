"""The runbook has a place for whatever the code can say to an operator, and speaks of nothing else."""

import json
import re
import subprocess

import pytest

from local.openapi import description as openapi
from shared.domain.discrepancy import DiscrepancyKind
from shared.domain.transaction import EventName
from shared.schemas.problems import RequestFault
from shared.settlement.discrepancies import SEVERITY
from shared.settlement.settled_day import Status
from tests.docs.pages import Page, quoted, rows
from tests.log_calls import log_calls

RUNBOOK = Page.read("docs/operations.md")
FOR_A_PERSON = {EventName.NEEDS_REVIEW, EventName.CONTRADICTED}
PARTS = ["Means", "Look", "Do", "Never", "Decides"]


def sections():
    return [
        *RUNBOOK.headings_below("Alerts"),
        *(name for name in RUNBOOK.headings_below("Messages without an alert") if name != "Warnings"),
    ]


def named(heading):
    """What the rows of a section's table are about: the quoted names in their first cells."""
    return set().union(*(quoted(row[0]) for row in rows(RUNBOOK.below(heading))))


def asked():
    """What reconcile is asked for on the page, with `{}` for each variable."""
    paths = re.findall(r'desk "?(/[^\s"?`]*)', RUNBOOK.text)
    return {"/reconcile" + re.sub(r"\$\w+", "{}", path) for path in paths}


def messages(*levels):
    return {message for level, message in log_calls("shared", "functions", "local") if level in levels}


def test_every_error_of_the_log_has_its_section():
    assert messages("error", "critical") - set(sections()) == set()


def test_a_message_without_an_alert_is_one_of_the_code():
    assert set(RUNBOOK.headings_below("Messages without an alert")) - {"Warnings"} - messages("error", "critical") == set()


def test_the_warnings_are_those_of_the_code():
    assert named("Warnings") == messages("warning")


def test_what_is_looked_for_in_the_log_is_said_there():
    assert set(re.findall(r'jsonPayload\.message="([^"]+)"', RUNBOOK.text)) - messages("warning", "error", "critical") == set()


@pytest.mark.parametrize("section", sections())
def test_a_section_says_what_it_means_where_to_look_what_to_do_and_never_to_do_and_who_decides(section):
    assert re.findall(r"^- \*\*(\w+):\*\* \S", RUNBOOK.below(section), re.MULTILINE) == PARTS


def test_every_kind_of_discrepancy_has_its_row_with_its_severity():
    told = {kind: severity for (first, severity, *_) in rows(RUNBOOK.below("Kinds of discrepancy")) for kind in quoted(first)}
    assert {kind: severity.split(";")[0] for kind, severity in told.items()} == {str(kind): str(SEVERITY[kind]) for kind in DiscrepancyKind}


def test_every_status_of_a_day_has_its_row():
    assert named("Statuses of a day") == set(Status)


def test_events_that_are_a_persons_have_their_rows():
    assert named("Events for a person") == FOR_A_PERSON


def test_refusals_of_a_decision_are_problems_of_ours():
    assert named("When a decision is refused") - set(RequestFault) == set()


def test_what_reconcile_is_asked_for_it_answers():
    described = {re.sub(r"\{\w+\}", "{}", path) for path in json.loads(openapi.PATH.read_text())["paths"]}
    assert asked() and asked() - described == set()


@pytest.mark.parametrize("block", [body for _, body in RUNBOOK.fences("bash")])
def test_what_cannot_be_run_here_is_at_least_a_script(block):
    checked = subprocess.run(["bash", "-n", "-c", block], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
