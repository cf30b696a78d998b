"""Business days for tests whose functions have clocks of their own."""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Final

from shared.domain.clock import BUSINESS_TIME, business_day

ENOUGH: Final = timedelta(minutes=2)


def long_today(needed: timedelta = ENOUGH) -> date:
    """Today, of which at least `needed` is left: where midnight in Johannesburg is nearer, it is waited for.

    A test that sells, and then settles "today", cannot be asked to do so across midnight: its sales would be yesterday's.
    """
    at = datetime.now(UTC)
    if business_day(at + needed) != business_day(at):
        midnight = datetime.combine(business_day(at) + timedelta(days=1), datetime.min.time(), BUSINESS_TIME)
        time.sleep((midnight - at).total_seconds())
    return business_day(datetime.now(UTC))
