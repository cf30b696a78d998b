"""What the product has logged during a test, as it said it."""

import pytest


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, object]]]:
    """Level, message and fields of every line of ours, in order. Nothing is masked yet: that happens as they leave."""
    lines = [(record.levelname, record.getMessage(), record.fields) for record in caplog.records if hasattr(record, "fields")]
    return [(level, message, dict(fields)) for level, message, fields in lines]
