"""A session ends with one line for each reason for which tests were skipped; the reason names what to install."""

from collections import Counter
from typing import Any

import pytest


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", ()))
    for reason, count in counts.most_common():
        terminalreporter.line(f"skipped: {count} {'test' if count == 1 else 'tests'}: {reason}", yellow=True)


def _reason(report: Any) -> str:
    """The text that the skip was given. A report carries it behind the file and the line, from a worker too."""
    _, _, text = report.longrepr
    return str(text).removeprefix("Skipped: ")
