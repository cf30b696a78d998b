"""Two clocks: the wall clock, which may step, and a monotonic one, which may stop while an instance is frozen. Pure.

Both clocks measure a span inside one process. Between processes only the wall clock measures.
"""

from datetime import datetime, timedelta
from typing import Final

from shared.lib.value import Value

AGREEING: Final = timedelta(seconds=2)  # up to this difference the wall clock counts: clocks are slewed all the time


class Moment(Value, frozen=True):
    """A reading of both clocks of one process: aware UTC, and seconds that only this process can interpret."""

    at: datetime
    ticks: float

    def latest(self, now: "Moment") -> datetime:
        """The later of the two readings of `now`, counted from this moment. It measures spans that end when either clock says so."""
        by_ticks = self._by_ticks(now)
        return by_ticks if by_ticks - now.at > AGREEING else now.at

    def earliest(self, now: "Moment") -> datetime:
        """The earlier of the two readings. It measures ages that both clocks must confirm."""
        by_ticks = self._by_ticks(now)
        return by_ticks if now.at - by_ticks > AGREEING else now.at

    def age(self, now: "Moment") -> timedelta:
        """The time since this moment, by the clock that shows more."""
        return self.latest(now) - self.at

    def _by_ticks(self, now: "Moment") -> datetime:
        return self.at + timedelta(seconds=now.ticks - self.ticks)
