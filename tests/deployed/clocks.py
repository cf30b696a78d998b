"""The clocks of deployed functions, in a test's hand: the wall clock and the monotonic one of every process that it starts with them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from shared.domain.clock import BUSINESS_TIME

SITE = Path(__file__).with_name("set_clock")


@dataclass(slots=True)
class Clocks:
    """Both clocks go on from wherever they are set. `file` is what the processes read."""

    file: Path
    wall: timedelta = timedelta()
    monotonic: timedelta = timedelta()

    def __post_init__(self) -> None:
        self._write()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process is started with, so that it goes by these clocks."""
        return {"PYTHONPATH": str(SITE), "CLOCKS_OF_A_TEST": str(self.file)}

    def now(self) -> datetime:
        return datetime.now(UTC) + self.wall

    def at(self, day: date, hour: int = 10, minute: int = 0, second: int = 0) -> datetime:
        """Let it be that moment in Johannesburg, with all the time between gone by; the moment."""
        moment = datetime.combine(day, time(hour, minute, second), BUSINESS_TIME).astimezone(UTC)
        self.pass_by(moment - self.now())
        return moment

    def not_before(self, day: date, hour: int = 10) -> None:
        """Let it be that hour of that day, unless it is later already."""
        if self.now() < datetime.combine(day, time(hour), BUSINESS_TIME):
            self.at(day, hour)

    def pass_by(self, span: timedelta) -> None:
        """Let that much time go by."""
        assert span > -timedelta(seconds=1), "time goes by in one direction"
        self.wall += span
        self.monotonic += span
        self._write()

    def step(self, span: timedelta) -> None:
        """Set the wall clock, as a time server does: no time goes by."""
        self.wall += span
        self._write()

    def freeze(self, span: timedelta) -> None:
        """Let that much time go by for the world, and none for the processes, which stand still."""
        self.wall += span
        self._write()

    def _write(self) -> None:
        fresh = self.file.with_suffix(".fresh")
        fresh.write_text(json.dumps({"wall": self.wall.total_seconds(), "monotonic": self.monotonic.total_seconds()}))
        fresh.replace(self.file)
