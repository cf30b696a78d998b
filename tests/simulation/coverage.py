"""What must be seen happening in enough histories: every fault at every port call, and everything that anybody may do."""

from typing import Final

from shared.domain.transaction import EventName
from shared.domain.vas import VasType
from tests.simulation import client, files, store, switch, topic
from tests.simulation.evidence import AGED
from tests.simulation.faults import Call
from tests.simulation.newer_code import WAYS
from tests.simulation.rng import CLOCKS
from tests.simulation.runner import Summary
from tests.simulation.supplier_profile import (
    CONTRARY,
    NOT_SOLD,
    REPEATS,
    REPRINTS,
    SOLD,
    SOLD_BADLY,
    TROUBLES_OF_PREVEND,
    TROUBLES_OF_REPRINT,
    UNCERTAIN,
)

BREACHES: Final = (
    "frozen between clock and wire",
    "left out of files that bill all else",
    "repeated by the network",
    AGED,
    "sold later than the minimum age",
    "sold what it had refused",
)
CALLERS: Final = ("two taps", "key reused", "prevend shared", "stranger's prevend", "stranger's key", "a crowd of taps")
FILES: Final = (
    "missing",
    "miscounted",
    "cut",
    "doubled",
    "with strangers",
    "with a stranger's bill",
    "with lines that bill nothing",
    "early",
    "early, and corrected",
    "lines left out",
    "of a day that runs",
    "in parts",
    "cut off in time",
    "begun late",
    "lines withdrawn",
    "other amounts",
    "overwritten",
    "without what is in doubt",
    "miscounted, before others",
    "earlier broken off",
    "true, before others",
    "true",
)
POSTED: Final = ("the day before", "1 days later", "2 days later", "3 days later")
ENDS: Final = ("files", "a reprint", "people", "an answer that came late")
COUNTED: Final = (
    *("sweep", "settle", "files come", "people decide", "people close", "people are hasty"),
    *(
        "the wall clock steps",
        "bad days",
        "vends",
        "controls are away",
        "years pass",
        "sales erased",
        "sales retired",
        "a key is retired",
        "an open sale is old",
        "a bill comes years later",
    ),
)


def port_calls() -> list[Call]:
    """Every kind of port call that there is."""
    modules = (client, files, store, switch, topic)
    return [value for module in modules for value in vars(module).values() if isinstance(value, Call)]


def expected() -> list[str]:
    """The names of all that must be seen."""
    names = [f"{call.name}: {fault.value}" for call in port_calls() for fault in call.faults]
    names += [f"vend: {manner.name}" for manner in (SOLD, *SOLD_BADLY, *NOT_SOLD, *CONTRARY)]
    names += [f"vend: {says}, sold later" for says in UNCERTAIN]
    names += [f"repeated id: {how}" for how in REPEATS]
    names += [f"reprint: {how}" for how in (*REPRINTS, *TROUBLES_OF_REPRINT) if how != "none"]  # that one is never asked
    names += ["reprint: the rest", "reprint: undone"]
    names += [f"prevend: {how}" for how in ("confirmed", *TROUBLES_OF_PREVEND)]
    names += [f"sold: {vas_type}" for vas_type in VasType]
    names += [f"event: {event}" for event in EventName]
    names += [f"assumption: {breach}" for breach in BREACHES]
    names += [f"clocks: {how}" for how in CLOCKS]
    names += [f"caller: {misuse}" for misuse in CALLERS]
    names += [f"file: {fault}" for fault in FILES]
    names += [f"posted: {when}" for when in POSTED]
    names += [f"newer code: {way}" for way in WAYS]
    names += [f"doubt ended by {whom}" for whom in ENDS]
    return sorted({*names, *COUNTED})


def missing(summary: Summary) -> list[str]:
    """What was not seen."""
    return [name for name in expected() if not summary.seen.get(name)]
