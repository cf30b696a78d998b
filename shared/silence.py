"""Absence as evidence: when the files' silence about a sale proves that nothing was vended. Pure.

This is the only place where silence counts, and each condition closes one way in which a vend could hide behind it.
"""

from datetime import date, datetime, timedelta
from typing import Final

from shared.matching import ONE_DAY, Known, Matching
from shared.transaction import BUSINESS_TIME, State
from shared.vas import VasType

NEAR_MIDNIGHT: Final = timedelta(minutes=10)  # how far the supplier's clock may be from ours


def proves_absence(known: Known, matching: Matching, today: date) -> bool:
    """Whether the files prove that a sale in doubt was never vended.

    - The sale never showed a sign of a vend: no 2xx, no supplier id, no line of any status that names it.
    - Every file that could bill it is there, and its day is over: of a day that still runs, a file may be the first half.
    - Each of them billed a vended sale by its request id. Otherwise the files may carry other ids, or be of another merchant.
    - None of them holds a line of that service and amount which is not another sale's: it might be this one's.
    """
    sale = known.sale
    if sale.state not in (State.VENDING, State.IN_DOUBT) or known.billed_in is not None or known.named_by:
        return False
    if sale.sign_of_vend or sale.supplier_transaction_id is not None:
        return False
    return all(
        day in matching.files and day < today and day in matching.controls and not _may_hide(known, matching, day)
        for day in days_that_may_bill(known)
    )


def days_that_may_bill(known: Known) -> tuple[date, ...]:
    """The days whose files could bill a sale: its own, the next, and the one before where it was made near midnight."""
    sale = known.sale
    own = (sale.day, sale.day + ONE_DAY)
    moments = (sale.created_at, sale.send_ended_at or sale.created_at)
    return (sale.day - ONE_DAY, *own) if any(map(_near_midnight, moments)) else own


def _near_midnight(at: datetime) -> bool:
    local = at.astimezone(BUSINESS_TIME)
    since = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
    return since <= NEAR_MIDNIGHT or since >= ONE_DAY - NEAR_MIDNIGHT


def _may_hide(known: Known, matching: Matching, day: date) -> bool:
    """Whether a file holds an unexplained line that could be this sale's. What a bill's fee may add is not known in advance."""
    unexplained = matching.unexplained.get(day, set())
    service = known.sale.vas_type
    if service is VasType.BILL_PAYMENT and matching.readings.fee_is_on_top:
        return any(other is service for other, _ in unexplained)
    return (service, known.cents) in unexplained
