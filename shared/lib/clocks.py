"""Two clocks: the wall clock, which may step, and a monotonic one, which may stop while an instance is frozen. Pure.

A span inside one process is measured by both. Between processes there is the wall clock alone.
"""

from datetime import datetime, timedelta
from typing import Final

from shared.lib.value import Value

AGREEING: Final = timedelta(seconds=2)  # no more apart than that, the wall clock counts: clocks are slewed all the time


class Moment(Value, frozen=True):
    """A reading of both clocks of one process: aware UTC, and seconds that mean something to this process only."""

    at: datetime
    ticks: float

    def latest(self, now: "Moment") -> datetime:
        """The later of what both clocks make of `now`, counted from this moment. What ends when either says so is measured by it."""
        by_ticks = self._by_ticks(now)
        return by_ticks if by_ticks - now.at > AGREEING else now.at

    def earliest(self, now: "Moment") -> datetime:
        """The earlier of the two. What must be old enough by both is measured by it."""
        by_ticks = self._by_ticks(now)
        return by_ticks if now.at - by_ticks > AGREEING else now.at

    def age(self, now: "Moment") -> timedelta:
        """How long ago this moment was, by the clock that says more."""
        return self.latest(now) - self.at

    def _by_ticks(self, now: "Moment") -> datetime:
        return self.at + timedelta(seconds=now.ticks - self.ticks)
