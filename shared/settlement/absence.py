"""Absence as evidence: when the files' silence about a sale proves that nothing was vended. Pure.

This is the only place where silence counts, and each condition closes one way in which a vend could hide behind it. One sentence in
`docs/proof.md` says what is still assumed about files.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, timedelta
from typing import Final, assert_never

from shared.domain.clock import BUSINESS_TIME
from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.settlement.matching import ONE_DAY, Matching, SaleMatch
from shared.settlement.settled_day import MAX_LISTED

NEAR_MIDNIGHT: Final = timedelta(minutes=10)  # how far the supplier's clock may be from ours


class Silence:
    """What the files of a matching prove by not naming a sale, on the business day `today`.

    `distrusted` are days of whose file nothing is believed but what it says: it has lost lines, or its paper does not list all.
    """

    def __init__(self, matching: Matching, today: date, distrusted: Collection[date] = ()) -> None:
        self.matching, self.today, self.distrusted = matching, today, distrusted
        self._first_vended: dict[date, datetime] = {}  # by the day on which it was sold
        self._first_billed: dict[date, datetime] = {}  # vended sales, by the day whose file bills them
        self._last_billed: dict[date, datetime] = {}
        self._unbilled: defaultdict[date, list[SaleMatch]] = defaultdict(list)  # vended, and not billed by the next day
        self._listed = Counter(("discrepancies", filed.day) for filed, _, _ in matching.judged)  # or more, in which list of which day
        for known in matching.known:
            if known.is_vended:
                self._take(known)

    def _take(self, known: SaleMatch) -> None:
        at, day, billed_in = known.sale.created_at, known.sale.day, known.billed_in
        _keep(self._first_vended, day, at, min)
        if billed_in is not None:
            _keep(self._first_billed, billed_in, at, min)
            _keep(self._last_billed, billed_in, at, max)
            if billed_in != day:
                self._listed.update((("carried out", day), ("carried in", billed_in)))
        if billed_in is None or billed_in > day + ONE_DAY:
            self._unbilled[day].append(known)

    def proves_absence(self, known: SaleMatch) -> bool:
        """Whether the files prove that a sale in doubt was never vended.

        - The sale never showed a sign of a vend (`may_be_absent`).
        - Every file that could bill it is there, and its day is over: of a day that still runs, a file may be the first half.
        - Each of them billed a vended sale by its request id. Otherwise the files may carry other ids, or be of another merchant.
        - None of them holds a line of that service and amount which is not another sale's: it might be this one's.
        - None of them lacks lines that an earlier file of its day had, and no list of such a day was cut.
        - Every vended sale of those days is billed, by the next day: a file that lacks one may lack this one too.
        - A vended sale made after this one is billed, and one made before it where there is any: no file was cut off in time.
        """
        days = days_that_may_bill(known)
        return (
            may_be_absent(known)
            and all(map(self._is_to_be_believed, days))
            and not any(_may_hide(known, self.matching, day) for day in days)
            and not any(self._lacking(days))
            and self._is_between(known, days)
        )

    def files_wanted(self, known: SaleMatch) -> Iterator[date]:
        """The days whose files may still bill the sales for whose lack nothing is proven of one that may be absent.

        Not before a day's own file is there: until then all of its sales are lacking.
        """
        for lacking in self._lacking(days_that_may_bill(known)):
            if lacking.billed_in is None and lacking.sale.day in self.matching.files:
                yield from (lacking.sale.day + ONE_DAY, *days_that_may_bill(lacking))

    def _is_to_be_believed(self, day: date) -> bool:
        """A control is a file that is there."""
        is_over = day < self.today
        return is_over and day in self.matching.controls and day not in self.distrusted and not self._is_cut(day)

    def _is_cut(self, day: date) -> bool:
        """Whether a list of the day's paper is too long to be kept whole."""
        return any(self._listed[name, day] > MAX_LISTED for name in ("discrepancies", "carried out", "carried in"))

    def _lacking(self, days: Collection[date]) -> Iterator[SaleMatch]:
        """The vended sales for whose lack the files of these days are not whole. Of the last, the first file beyond may bill the end."""
        last = max(days)
        for day in days:
            for known in self._unbilled[day]:
                if not (day == last and _till_midnight(known.sale.created_at) <= NEAR_MIDNIGHT):
                    yield known

    def _is_between(self, known: SaleMatch, days: Collection[date]) -> bool:
        """Whether the files bill sales made after it, and before it where any was."""
        sale = known.sale
        sent_by = sale.sent_by or sale.created_at
        followed = any(self._last_billed.get(day, sent_by) > sent_by for day in (sale.day, sale.day + ONE_DAY))
        sold_before = any(self._first_vended.get(day, sale.created_at) < sale.created_at for day in days)
        billed_before = any(self._first_billed.get(day, sale.created_at) < sale.created_at for day in days)
        return followed and (billed_before or not sold_before)


def _keep(moments: dict[date, datetime], day: date, at: datetime, which: Callable[[datetime, datetime], datetime]) -> None:
    """Keep the earliest or the latest moment of a day."""
    moments[day] = which(moments.get(day, at), at)


def may_be_absent(known: SaleMatch) -> bool:
    """Whether silence could say anything about a sale: it is in doubt, and nothing names it, neither answer nor line of any status."""
    sale = known.sale
    if sale.state not in (State.VENDING, State.IN_DOUBT) or known.billed_in is not None or known.named_by:
        return False
    return not (sale.sign_of_vend or sale.supplier_transaction_id is not None)


def days_that_may_bill(known: SaleMatch) -> tuple[date, ...]:
    """The days whose files could bill a sale: its own, the next, and the one before where it was made near midnight."""
    sale = known.sale
    own = (sale.day, sale.day + ONE_DAY)
    moments = (sale.created_at, sale.sent_by or sale.created_at)
    return (sale.day - ONE_DAY, *own) if any(map(_near_midnight, moments)) else own


def _near_midnight(at: datetime) -> bool:
    till = _till_midnight(at)
    return till <= NEAR_MIDNIGHT or till >= ONE_DAY - NEAR_MIDNIGHT


def _till_midnight(at: datetime) -> timedelta:
    local = at.astimezone(BUSINESS_TIME)
    return ONE_DAY - timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)


def _may_hide(known: SaleMatch, matching: Matching, day: date) -> bool:
    """Whether a file holds an unexplained line that could be this sale's. What a bill's fee may add is not known in advance."""
    unexplained = matching.unexplained.get(day, set())
    service = known.sale.vas_type
    if matching.readings.fee_is_on_top and _may_add_fee(service):
        return any(other is service for other, _ in unexplained)
    return (service, known.cents) in unexplained


def _may_add_fee(service: VasType) -> bool:
    """Whether the supplier may bill a fee on top of the amount of such a sale."""
    match service:
        case VasType.BILL_PAYMENT:
            return True
        case VasType.UTILITY | VasType.AIRTIME | VasType.DATA | VasType.VOUCHER:
            return False
        case _:
            assert_never(service)
