"""Whether a number that an answer names is the one that was sold to, in whichever form it is written. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from shared.domain.vas import Order

_MASKED: Final = re.compile(r"\.{2,}")  # and everything else that is neither a digit nor a separator
_SEPARATORS: Final = re.compile(r"[\s\-\u2010-\u2015+()/.,'_]")
_HIDDEN: Final = re.compile(r"[^0-9]+")
_LENGTHS: Final = (11, 13, 20)  # to which meters and accounts are filled up with zeros


def names_another(named: object, order: Order) -> bool | None:
    """Whether `named` is another meter, account or mobile number than the one of `order`; `None` where it names nobody.

    Leading zeros, separators, and `27` or `+27` for `0` make no difference. Of a masked number, the digits that show decide.
    """
    if not isinstance(named, str | int):  # true and false have no digits
        return None
    plain = _HIDDEN.sub("*", _SEPARATORS.sub("", _MASKED.sub("*", str(named))))
    pieces = plain.split("*")
    if not any(pieces) or not plain.strip("0"):
        return None
    forms = _forms(order)
    if len(pieces) == 1:
        return plain.lstrip("0") not in {form.lstrip("0") for form in forms}
    return not any(_fits(pieces, form) for form in forms)


def _forms(order: Order) -> Sequence[str]:
    """The ways to write the order's recipient; none for an order without one."""
    if order.mobile_number is not None:
        national = order.mobile_number.removeprefix("27")
        return tuple(f"{before}{national}" for before in ("27", "0", "", "0027", "270"))
    if order.recipient is None:
        return ()
    short = order.recipient.lstrip("0")
    return (order.recipient, short, *(short.zfill(length) for length in _LENGTHS))


def _fits(pieces: Sequence[str], form: str) -> bool:
    """Whether the pieces that show stand in the number, in their order, the first at its start and the last at its end."""
    first, *middle, last = pieces
    if len(first) + len(last) > len(form) or not (form.startswith(first) and form.endswith(last)):
        return False
    rest = form[len(first) : len(form) - len(last)]
    for piece in middle:
        at = rest.find(piece)
        if at < 0:
            return False
        rest = rest[at + len(piece) :]
    return True
