"""Moments as texts and back: RFC 3339, in UTC."""

from datetime import UTC, date, datetime
from typing import Final


def rfc3339(at: datetime) -> str:
    """A moment as `2026-05-01T10:00:00.000000Z`."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def short_rfc3339(at: datetime) -> str:
    """A UTC moment as `2026-05-01T10:00:00Z`, with a fraction only if the moment has one: the form in settlement's documents."""
    return at.isoformat().replace("+00:00", "Z")


def calendar_day(text: str) -> date | None:
    """The calendar day of a text `YYYY-MM-DD`; `None` for every other text."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None


EARLIEST_YEAR: Final = 2000  # no stored time lies outside these years: arithmetic with such a time could overflow
LATEST_YEAR: Final = 2999
MALFORMED: Final = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)
"""The errors that reading a damaged document raises. Their texts may quote a token."""


def moment_of(stored: datetime | str) -> datetime:
    """A stored time: a `datetime`, or its text where the store holds JSON.

    Raises:
        ValueError: no time, a time without its zone, or one of an impossible year.
        TypeError: neither a `datetime` nor a text.
    """
    moment = stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
    if moment.tzinfo is None or not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise ValueError("not a time")
    return moment
