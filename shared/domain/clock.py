"""Business days: calendar days in South Africa."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

BUSINESS_TIME: Final = ZoneInfo("Africa/Johannesburg")


def business_day(at: datetime) -> date:
    """The South African calendar day of a moment."""
    return at.astimezone(BUSINESS_TIME).date()
