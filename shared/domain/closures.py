"""The scope of an operator's closure: exactly the discrepancy that the operator saw. Pure.

The scope leaves the line's number out, which moves when the supplier sends a file again. Documents from before discrepancies had a
mark are compared by their shown fields, a recipient by its last four digits.
"""

from collections.abc import Mapping
from typing import Any, Final

from shared.domain.identifiers import hashed

Json = dict[str, Any]

SEEN: Final = "seen"  # the field of a discrepancy's document that holds its mark; no answer shows the field
OPEN: Final = "open"
CLOSED: Final = "closed"  # the index mark of documents that were closed since the last retention run
_OURS: Final = ("state", "amountCents", "alsoHeldBy")
_THEIRS: Final = ("supplierTransactionId", "status", "amountCents", "recipient", "rows", "source", "said")


def mark(ours: Mapping[str, object] | None, theirs: Mapping[str, object] | None, recipient: str | None) -> str:
    """A mark that tells one discrepancy from all others of its kind and sale. `recipient` is the supplier's, unmasked."""
    return hashed("difference", *map(str, _shown(ours, theirs)), recipient or "")


def is_covered(held: Mapping[str, Any], fresh: Mapping[str, Any]) -> bool:
    """Whether the decision in the stored document `held` also covers the discrepancy in its present form, `fresh`."""
    if SEEN in held and SEEN in fresh:
        return bool(held[SEEN] == fresh[SEEN])
    return _shown(held["ours"], held["theirs"]) == _shown(fresh["ours"], fresh["theirs"])


def reopened(held: Mapping[str, Any], fresh: Mapping[str, Any]) -> Json:
    """The open document of a discrepancy that has changed, with the earlier closure and the sides that it covered."""
    covered = {**held["closure"], "ours": held["ours"], "theirs": held["theirs"]}
    return {**fresh, "status": OPEN, "closure": None, "earlierClosures": [*held.get("earlierClosures", ()), covered]}


def shown(body: Mapping[str, Any]) -> Json:
    """The fields of a discrepancy's document that answers show."""
    return {name: value for name, value in body.items() if name != SEEN}


def _shown(ours: Mapping[str, object] | None, theirs: Mapping[str, object] | None) -> tuple[object, ...]:
    sides = [(ours or {}).get(name) for name in _OURS] + [(theirs or {}).get(name) for name in _THEIRS]
    return tuple(side.lower() if isinstance(side, str) else side for side in sides)
