"""Alerts hang on fixed messages in the log: what they listen for is what the code says."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from shared.reconciling import Swept
from tests.infra.conftest import Planned
from tests.infra.workspace import ROOT

LEVELS: Final = ("info", "warning", "error", "critical")
LISTENED_FOR: Final = re.compile(r'jsonPayload\.message="([^"]+)"')
EXTRACTED: Final = re.compile(r"EXTRACT\(jsonPayload\.(\w+)\)")


def said() -> Iterator[tuple[str, str]]:
    """Every line that the code can log: its level and its message."""
    for folder in ("shared", "functions"):
        for path in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                match call:
                    case ast.Call(ast.Attribute(ast.Name("log"), level), [ast.Constant(str(message)), *_]) if level in LEVELS:
                        yield level, message


def test_every_alert_listens_for_what_the_code_says(planned: Planned) -> None:
    heard = {message for metric in planned("production").of("logging_metric") for message in LISTENED_FOR.findall(metric["filter"])}
    assert heard - {message for _, message in said()} == set()


def test_what_is_measured_is_a_field_of_its_line(planned: Planned) -> None:
    for metric in planned("production").of("logging_metric"):
        if metric["value_extractor"]:
            (message,), (name,) = LISTENED_FOR.findall(metric["filter"]), EXTRACTED.findall(metric["value_extractor"])
            assert message == "swept"
            assert name in {field.name for field in fields(Swept)}


def test_what_the_code_calls_critical_has_an_alert(planned: Planned) -> None:
    heard = {message for metric in planned("production").of("logging_metric") for message in LISTENED_FOR.findall(metric["filter"])}
    assert {message for level, message in said() if level == "critical"} - heard == set()
