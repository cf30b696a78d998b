"""Absence as evidence: when a sale's absence from the files proves that nothing was vended. Pure.

Absence counts only here. Each condition closes one way in which a vend could hide behind it. `docs/proof.md` states in one sentence
the assumption about files that remains.
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

NEAR_MIDNIGHT: Final = timedelta(minutes=10)  # the largest assumed distance between the supplier's clock and ours


class Absence:
    """The proofs that the absence of sales from the files of a matching gives, on the business day `today`.

    `distrusted` are days whose file has lost lines, or whose document does not list all lines. The lines of such a file still count;
    absence from the file proves nothing.
    """

    def __init__(self, matching: Matching, today: date, distrusted: Collection[date] = ()) -> None:
        self.matching, self.today, self.distrusted = matching, today, distrusted
        self._first_vended: dict[date, datetime] = {}  # by the day of the sale
        self._first_billed: dict[date, datetime] = {}  # vended sales, by the day whose file bills them
        self._last_billed: dict[date, datetime] = {}
        self._unbilled: defaultdict[date, list[SaleMatch]] = defaultdict(list)  # vended sales that the files up to the next day do not bill
        self._listed = Counter(("discrepancies", filed.day) for filed, _, _ in matching.judged)  # minimum lengths, by list and day
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
        """Whether the files prove that a sale in doubt was never vended. All of these hold:

        - The sale never showed an indication of a vend (`may_be_absent`).
        - Every file that could bill the sale is there, and its day is over. The file of a running day may be its first half.
        - Each of these files billed a vended sale by its request id. Otherwise the files may carry other ids, or be another merchant's.
        - Each line of the sale's service and amount is another sale's. A line without a sale might be this sale's.
        - Each of these files has all lines of the earlier files of its day, and no list of such a day was cut.
        - Every vended sale of these days is billed by the next day. A file that lacks one sale may lack this sale too.
        - The files bill a vended sale made after this sale, and one made before it if there is one. No file was therefore cut off in time.
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
        """The days whose files may still bill the vended sales that keep an absent sale from its proof.

        Days count once the day's own file is there: before, all of its sales are unbilled.
        """
        for lacking in self._lacking(days_that_may_bill(known)):
            if lacking.billed_in is None and lacking.sale.day in self.matching.files:
                yield from (lacking.sale.day + ONE_DAY, *days_that_may_bill(lacking))

    def _is_to_be_believed(self, day: date) -> bool:
        """A control for a day is one billed sale, which needs a file."""
        is_over = day < self.today
        return is_over and day in self.matching.controls and day not in self.distrusted and not self._is_cut(day)

    def _is_cut(self, day: date) -> bool:
        """Whether the day's document cuts a list that was too long."""
        return any(self._listed[name, day] > MAX_LISTED for name in ("discrepancies", "carried out", "carried in"))

    def _lacking(self, days: Collection[date]) -> Iterator[SaleMatch]:
        """The vended sales that the files of these days should bill and do not. The next day's file may bill the end of the last day."""
        last = max(days)
        for day in days:
            for known in self._unbilled[day]:
                if not (day == last and _till_midnight(known.sale.created_at) <= NEAR_MIDNIGHT):
                    yield known

    def _is_between(self, known: SaleMatch, days: Collection[date]) -> bool:
        """Whether the files bill sales made after the sale, and before it if there was one."""
        sale = known.sale
        sent_by = sale.sent_by or sale.created_at
        followed = any(self._last_billed.get(day, sent_by) > sent_by for day in (sale.day, sale.day + ONE_DAY))
        sold_before = any(self._first_vended.get(day, sale.created_at) < sale.created_at for day in days)
        billed_before = any(self._first_billed.get(day, sale.created_at) < sale.created_at for day in days)
        return followed and (billed_before or not sold_before)


def _keep(moments: dict[date, datetime], day: date, at: datetime, which: Callable[[datetime, datetime], datetime]) -> None:
    """Store the earliest or the latest moment of a day."""
    moments[day] = which(moments.get(day, at), at)


def may_be_absent(known: SaleMatch) -> bool:
    """Whether absence could prove anything about a sale: the sale is in doubt, and no answer and no line of any status names it."""
    sale = known.sale
    if sale.state not in (State.VENDING, State.IN_DOUBT) or known.billed_in is not None or known.named_by:
        return False
    return not (sale.sign_of_vend or sale.supplier_transaction_id is not None)


def days_that_may_bill(known: SaleMatch) -> tuple[date, ...]:
    """The days whose files could bill a sale: its own, the next, and the day before for a sale near midnight."""
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
    """Whether a file holds an unexplained line that could be this sale's. The fee on top of a bill is not known in advance."""
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
