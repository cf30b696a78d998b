"""Answers that name a sale and that something in them speaks against. What they say, and whether anything was sold, are two things."""

from collections.abc import Callable
from typing import Final

from shared.domain.vas import VasType
from shared.mobilemart.responses import Reply
from tests.simulation.goods import UNITS_WITHOUT_A_TOKEN, Vend, slip

STATUS: Final = "a status against it"
STRANGERS: Final = "a stranger's sale"
HELD: Final = "a sale that is held"
HALF: Final = "half the amount"
UNITS: Final = UNITS_WITHOUT_A_TOKEN
SAYS: Final = frozenset({STATUS, STRANGERS, HELD, HALF, UNITS})

AGAINST: Final = (
    *('"status":"Failed",', '"status":"PENDING",', '"state":"Binned",', '"transactionStatus":"in progress",', '"success":false,'),
    *(
        '"approved":false,',
        '"responseCode":"05",',
        '"errorMessage":"not now",',
        '"title":"No.","status":400,',
        '"result":{"status":"queued"},',
    ),
)
JSON: Final = {"content-type": "application/json"}


def answered(
    says: str, vend: Vend, held: Vend | None, token_form: str, pick: Callable[[int], int], *, is_booked: bool, checks_amount: bool
) -> Reply:
    """The answer to the request of `vend`, which was sold if it `is_booked`. `held` is another sale that is on our record already."""
    if says == HELD and held is not None:
        return Reply.of(200, JSON, slip(held, token_form))
    if says == STRANGERS:
        return Reply.of(200, JSON, _strangers(vend, token_form, pick(3 if checks_amount else 2)))
    if says == HALF:
        return Reply.of(200, JSON, slip(vend, token_form, cents=vend.cents // 2))
    if says == UNITS:
        return Reply.of(200, JSON, slip(vend, token_form, spoilt=UNITS if vend.vas_type is VasType.UTILITY and vend.tokens else ""))
    which = pick(len(AGAINST) + 1)
    if which == len(AGAINST):
        return Reply.of(202, JSON, slip(vend, token_form, spoilt="no token"))
    spoilt = "" if is_booked and pick(2) else "no token"
    return Reply.of(202 if pick(2) else 200, JSON, slip(vend, token_form, spoilt=spoilt, more=AGAINST[which]))


def undone(vend: Vend, token_form: str, pick: Callable[[int], int]) -> Reply:
    """What a reprint says of a request that was answered, and did not sell yet."""
    return Reply.of(200, JSON, slip(vend, token_form, spoilt="no token", more=AGAINST[pick(len(AGAINST))]))


def _strangers(vend: Vend, token_form: str, how: int) -> bytes:
    """A sale that nobody here has asked for: its request, its recipient or its amount tells it."""
    number = int(vend.supplier_id[-12:])
    cents, recipient, more = vend.cents, vend.recipient, ""
    if how == 2:
        cents //= 2
    elif how == 1 and recipient is not None:
        recipient = f"{recipient[:-1]}{9 - int(recipient[-1])}"
        more = f'"meterNumber":"{recipient}",' if vend.vas_type is VasType.UTILITY else ""
    else:
        more = f'"requestId":"99999999-0000-4000-8000-{number:012d}",'
    stranger = Vend("", vend.vas_type, recipient, cents, pinned=vend.pinned)
    stranger.supplier_id = f"99999999-0000-4000-8000-{number:012d}"
    stranger.tokens = (f"9{number:019d}",) if vend.vas_type is VasType.UTILITY else (f"9{number:013d}",)
    return slip(stranger, token_form, more=more)
