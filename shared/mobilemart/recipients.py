"""Whether a number in an answer is the recipient of the sale, in any form of writing. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from shared.domain.vas import Order

_MASKED: Final = re.compile(r"\.{2,}")  # beside every character that is neither a digit nor a separator
_SEPARATORS: Final = re.compile(r"[\s\-\u2010-\u2015+()/.,'_]")
_HIDDEN: Final = re.compile(r"[^0-9]+")
_LENGTHS: Final = (11, 13, 20)  # zeros fill meters and accounts up to these


def names_another(named: object, order: Order) -> bool | None:
    """Whether `named` is a meter, account or mobile number other than the order's; `None` if it names nobody.

    Leading zeros, separators, and `27` or `+27` for `0` make no difference. The visible digits of a masked number decide.
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
    """The ways to write the order's recipient; none for an order without a recipient."""
    if order.mobile_number is not None:
        national = order.mobile_number.removeprefix("27")
        return tuple(f"{before}{national}" for before in ("27", "0", "", "0027", "270"))
    if order.recipient is None:
        return ()
    short = order.recipient.lstrip("0")
    return (order.recipient, short, *(short.zfill(length) for length in _LENGTHS))


def _fits(pieces: Sequence[str], form: str) -> bool:
    """Whether the number holds the visible pieces in order, the first at its start and the last at its end."""
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
