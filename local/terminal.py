"""The first-day tools at a terminal: amounts as people write them, steps in order, and safe texts from others."""

import argparse
import re
import time
from enum import IntEnum, StrEnum
from typing import Final

from shared.domain.money import Money, money_from_rand
from shared.lib import logs

MAX_SAID_LENGTH: Final = 160
WIDTH: Final = 27  # of the action, so that the results begin in one column

_RAND: Final = re.compile(r"R([0-9]{1,6}(?:\.[0-9]{2})?)", re.ASCII)


class Verdict(StrEnum):
    PASS = "pass"
    SEEN = "seen"  # proof or no proof; neither is a fault
    SKIP = "skip"
    FAIL = "FAIL"
    DOUBT = "DOUBT"


class Exit(IntEnum):
    """The meaning of a tool's exit code."""

    DONE = 0
    FAILED = 1
    REFUSED = 2  # argparse's own: the command makes no sense, or would cost an amount that nobody named
    IN_DOUBT = 3


class Stop(Exception):
    """The step failed, and the next ones make no sense. `advice` names the remedies, one a line."""

    def __init__(self, verdict: Verdict, saw: str, *advice: str) -> None:
        super().__init__(saw)
        self.verdict, self.saw, self.advice = verdict, saw, advice


class Steps:
    """Prints each action and its result, in order, with its duration. A step begins with a name and ends with a verdict."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self._doing = ""
        self._began = time.monotonic()

    def begin(self, doing: str) -> None:
        self._doing, self._began = doing, time.monotonic()

    def end(self, verdict: Verdict, saw: str, *notes: str) -> None:
        """End the last step with its result, and a line for each note."""
        self.verdicts.append(verdict)
        took = f"{time.monotonic() - self._began:5.1f} s"
        print(f"{len(self.verdicts):2}  {verdict:5}  {took}  {self._doing:{WIDTH}}  {saw}", flush=True)
        for line in notes:
            self.note(line)

    def note(self, line: str) -> None:
        """Print a note to the last or the running step."""
        print(f"{'':{WIDTH + 22}}{line}", flush=True)


def rand(text: str) -> Money:
    """Parse an amount as `R20` or `R20.00`. The R is required: a bare 2000 may be cents or rand.

    Raises:
        argparse.ArgumentTypeError: any other text.
    """
    match = _RAND.fullmatch(text)
    amount = None if match is None else money_from_rand(match[1])
    if amount is None or amount.cents == 0:
        raise argparse.ArgumentTypeError("must be an amount in rand, such as R20.00")
    return amount


def safe_text(text: object) -> str:
    """Return somebody else's text on one line: no bearer value, no control character, numbers masked, and not too long."""
    plain = "".join(letter if letter.isprintable() else " " for letter in str(text)[: 8 * MAX_SAID_LENGTH])
    return logs.masked(" ".join(plain.split()))[:MAX_SAID_LENGTH]
