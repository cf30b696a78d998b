"""Alerts hang on fixed messages in the log: what they listen for is what the code says."""

import re
from typing import Final

from shared.vending.sweep import Swept
from tests.docs.pages import Page, slug
from tests.infra.conftest import Planned
from tests.log_calls import log_calls

LISTENED_FOR: Final = re.compile(r'jsonPayload\.message="([^"]+)"')
EXTRACTED: Final = re.compile(r"EXTRACT\(jsonPayload\.(\w+)\)")


def test_every_alert_listens_for_what_the_code_says(planned: Planned) -> None:
    heard = {message for metric in planned("production").of("logging_metric") for message in LISTENED_FOR.findall(metric["filter"])}
    assert heard - {message for _, message in log_calls("shared", "functions")} == set()


def test_what_is_measured_is_a_field_of_its_line(planned: Planned) -> None:
    for metric in planned("production").of("logging_metric"):
        if metric["value_extractor"]:
            (message,), (name,) = LISTENED_FOR.findall(metric["filter"]), EXTRACTED.findall(metric["value_extractor"])
            assert message == "swept"
            assert name in Swept.__struct_fields__


def test_what_the_code_calls_critical_has_an_alert(planned: Planned) -> None:
    heard = {message for metric in planned("production").of("logging_metric") for message in LISTENED_FOR.findall(metric["filter"])}
    assert {message for level, message in log_calls("shared", "functions") if level == "critical"} - heard == set()


def test_what_the_platform_turns_away_is_counted_where_it_counts_it(planned: Planned) -> None:
    """Its metric of requests leaves out what has reached no instance, so an alert on that one would never come."""
    plan = planned("production")
    (metric,) = (each for each in plan.of("logging_metric") if "httpRequest.status=429" in each["filter"])
    assert 'service_name=("prevend" OR "purchase")' in metric["filter"] and 'log_id("run.googleapis.com/requests")' in metric["filter"]
    (alert,) = (each for each in plan.of("monitoring_alert_policy") if each["display_name"] == "production: callers are turned away")
    assert f"/user/{metric['name']}" in alert["conditions.0.condition_threshold.0.filter"]


def test_every_alert_has_its_section_in_the_runbook_and_names_it(planned: Planned) -> None:
    plan = planned("production")
    alerts = {
        policy["display_name"].removeprefix("production: "): policy["documentation.0.content"]
        for policy in plan.of("monitoring_alert_policy")
    }
    assert set(Page.read("docs/operations.md").headings_below("Alerts")) == alerts.keys()
    assert {name: content.rsplit("**Then:** ")[-1] for name, content in alerts.items()} == {
        name: f"docs/operations.md#{slug(name)}" for name in alerts
    }
