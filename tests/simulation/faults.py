"""What can strike a port call, and which calls it can strike."""

from enum import StrEnum


class Fault(StrEnum):
    """A fault at one port call. `Scheduler` acts on the first four, the port itself on the others."""

    CRASH_BEFORE = "crash before it"
    CRASH_AFTER = "crash after its effect"
    FREEZE = "frozen before it"  # the process stands still, and thaws when its lease may be over
    LATE = "reply late"  # the effect is made, the process thaws when its lease may be over
    REFUSED = "refused"  # no effect, and the caller knows that there is no answer
    LOST = "reply lost"  # the effect is made, and no answer comes
    REPEATED = "repeated"  # the effect is made twice, by a library or a network that tries again
    LANDS_LATER = "lands later"  # no answer comes, and the effect is made after all were told so


class Call:
    """A kind of port call: its name, what can strike it, and how often as compared with others."""

    __slots__ = ("faults", "name", "weight")

    def __init__(self, name: str, *faults: Fault, weight: float = 1.0) -> None:
        self.name = name
        self.faults = faults
        self.weight = weight

    def __repr__(self) -> str:
        return self.name


_ANY = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.FREEZE, Fault.LATE)
READ = (*_ANY, Fault.REFUSED)
WRITE = (*_ANY, Fault.REFUSED, Fault.LOST, Fault.REPEATED, Fault.LANDS_LATER)
EXCHANGE = (*_ANY, Fault.REFUSED, Fault.LOST, Fault.REPEATED)
PUBLISH = (*_ANY, Fault.REFUSED, Fault.LOST, Fault.REPEATED)
