"""What a person's closure of a discrepancy covers: exactly the difference that was seen. Pure.

Not the line's number, which moves when a file is sent again. Of papers that were kept before differences had a mark, what they show is
compared: of a recipient that is four digits.
"""

from collections.abc import Mapping
from typing import Any, Final

from shared.domain.identifiers import hashed

Json = dict[str, Any]

SEEN: Final = "seen"  # the mark of a difference in its paper; shown to nobody
OPEN: Final = "open"
CLOSED: Final = "closed"  # the mark of papers that were closed since retaining looked at them
_OURS: Final = ("state", "amountCents", "alsoHeldBy")
_THEIRS: Final = ("supplierTransactionId", "status", "amountCents", "recipient", "rows", "source", "said")


def mark(ours: Mapping[str, object] | None, theirs: Mapping[str, object] | None, recipient: str | None) -> str:
    """What tells a difference from every other of its kind and sale; `recipient` is whom the supplier's side names, whole."""
    return hashed("difference", *map(str, _shown(ours, theirs)), recipient or "")


def is_covered(held: Mapping[str, Any], fresh: Mapping[str, Any]) -> bool:
    """Whether what was decided on a discrepancy, as its paper `held` has it, holds for the difference as it is now."""
    if SEEN in held and SEEN in fresh:
        return bool(held[SEEN] == fresh[SEEN])
    return _shown(held["ours"], held["theirs"]) == _shown(fresh["ours"], fresh["theirs"])


def reopened(held: Mapping[str, Any], fresh: Mapping[str, Any]) -> Json:
    """The paper of a difference that is another one now, with the earlier closure and what that one covered."""
    covered = {**held["closure"], "ours": held["ours"], "theirs": held["theirs"]}
    return {**fresh, "status": OPEN, "closure": None, "earlierClosures": [*held.get("earlierClosures", ()), covered]}


def shown(body: Mapping[str, Any]) -> Json:
    """A discrepancy's paper as it is shown."""
    return {name: value for name, value in body.items() if name != SEEN}


def _shown(ours: Mapping[str, object] | None, theirs: Mapping[str, object] | None) -> tuple[object, ...]:
    sides = [(ours or {}).get(name) for name in _OURS] + [(theirs or {}).get(name) for name in _THEIRS]
    return tuple(side.lower() if isinstance(side, str) else side for side in sides)
