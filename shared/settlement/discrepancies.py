"""The discrepancies between our sales of a day and its file, each once, for a person. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import UNSET

from shared.domain import closures
from shared.domain.discrepancy import Discrepancy, DiscrepancyKind, OurSide, Severity, TheirSide, side_body
from shared.domain.identifiers import hashed
from shared.domain.statement import Billing, StatementLine
from shared.domain.transaction import State
from shared.domain.vas import Mode
from shared.lib.masking import last_four
from shared.lib.times import short_rfc3339
from shared.lib.value import Value
from shared.settlement.matching import ONE_DAY, DayView, Filed, SaleMatch, Verdict, goes_to
from shared.settlement.withdrawn_lines import Past

SEVERITY: Final[Mapping[DiscrepancyKind, Severity]] = MappingProxyType(
    {
        DiscrepancyKind.VENDED_TWICE: Severity.CRITICAL,
        DiscrepancyKind.CLAIMED_TWICE: Severity.CRITICAL,
        DiscrepancyKind.VENDED_AFTER_REJECTION: Severity.CRITICAL,
        DiscrepancyKind.TOKENS_DIFFER: Severity.CRITICAL,
        DiscrepancyKind.MISSING_HERE: Severity.CRITICAL,
        DiscrepancyKind.LINES_WITHDRAWN: Severity.CRITICAL,
        DiscrepancyKind.DUPLICATE_LINE: Severity.CRITICAL,
        DiscrepancyKind.AMOUNT_DIFFERS: Severity.CRITICAL,
        DiscrepancyKind.ACCOUNT_DIFFERS: Severity.CRITICAL,
        DiscrepancyKind.MISSING_AT_SUPPLIER: Severity.WARNING,
        DiscrepancyKind.STATE_DIFFERS: Severity.WARNING,
        DiscrepancyKind.NEGATIVE_LINE: Severity.WARNING,
        DiscrepancyKind.UNKNOWN_STATUS: Severity.WARNING,
        DiscrepancyKind.LATE_POSTING: Severity.INFO,
    }
)

_KIND_OF: Final[Mapping[Verdict, DiscrepancyKind]] = MappingProxyType(
    {
        Verdict.STRANGER: DiscrepancyKind.MISSING_HERE,
        Verdict.DUPLICATE: DiscrepancyKind.DUPLICATE_LINE,
        Verdict.TWICE: DiscrepancyKind.VENDED_TWICE,
        Verdict.CLAIMED: DiscrepancyKind.CLAIMED_TWICE,
        Verdict.NEGATIVE: DiscrepancyKind.NEGATIVE_LINE,
    }
)


class _Found(Value, frozen=True):
    """A discrepancy before it has its id."""

    kind: DiscrepancyKind
    known: SaleMatch | None
    filed: Filed | None
    severity: Severity
    rival: SaleMatch | None = None  # the other sale that holds the same supplier id
    theirs: TheirSide | None = None  # of a discrepancy without a line

    @property
    def key(self) -> tuple[str, str]:
        """The request id and the supplier's id: with the day and the kind, they identify the discrepancy."""
        line = None if self.filed is None else self.filed.line
        request_id = self.known.sale.request_id if self.known else line.merchant_id if line else ""
        return request_id, line.transaction_id if line else ""


class Differences:
    """Finds the discrepancies of one day."""

    def __init__(self, view: DayView, mode: Mode, past: Past) -> None:
        self.view, self.mode, self.past, self.matching = view, mode, past, view.matching
        self.claims = view.matching.claims()

    def all(self) -> tuple[Discrepancy, ...]:
        """Every discrepancy of the day, gravest kinds first."""
        found = [*self._in_lines(), *self._in_bills(), *self._in_sales(), *self._in_claims(), *self._in_past()]
        order = {kind: at for at, kind in enumerate(DiscrepancyKind)}
        found.sort(key=lambda one: (order[one.kind], one.key))  # the same on every run; lines of one key stay in their order
        seen: Counter[tuple[DiscrepancyKind, tuple[str, str]]] = Counter()
        discrepancies = []
        for one in found:
            seen[one.kind, one.key] += 1
            discrepancies.append(self._discrepancy(one, seen[one.kind, one.key]))
        return tuple(discrepancies)

    def _discrepancy(self, found: _Found, nth: int) -> Discrepancy:
        repeated = (str(nth),) if nth > 1 else ()
        ours = self._ours(found) if found.known else None
        theirs = _theirs(found.filed) if found.filed else found.theirs
        return Discrepancy(
            id=hashed("discrepancy", self.mode, self.view.day.isoformat(), found.kind, *found.key, *repeated),
            day=self.view.day,
            kind=found.kind,
            severity=found.severity,
            transaction_id=found.known.sale.id if found.known else None,
            ours=ours,
            theirs=theirs,
            seen=closures.mark(side_body(ours), side_body(theirs), found.filed.line.recipient if found.filed else None),
        )

    def _ours(self, found: _Found) -> OurSide:
        """Our side, as it is after the day's proofs are recorded: a second run must find nothing new."""
        known = found.known
        assert known is not None
        sale = known.sale
        return OurSide(
            supplier_id=sale.supplier_id,
            request_id=sale.request_id,
            supplier_transaction_id=self.matching.held_by(known),
            state=State.VENDED if known.is_vended else sale.state,
            vas_type=sale.vas_type,
            amount_cents=known.cents,
            recipient=last_four(sale.recipient),
            day=sale.day.isoformat(),
            also_held_by=UNSET if found.rival is None else found.rival.sale.id,
        )

    def _in_lines(self) -> Iterator[_Found]:
        """Discrepancies of lines that are not the first to bill a sale."""
        for filed, verdict, known in self.view.judged:
            if verdict is Verdict.UNREAD:
                continue
            if verdict is not Verdict.NOT_BILLED:
                yield self._found(_KIND_OF[verdict], known, filed)
            elif filed.line.billing is not Billing.NOT_BILLED:
                yield self._found(DiscrepancyKind.UNKNOWN_STATUS, known, filed)
            elif known is None:
                yield _Found(DiscrepancyKind.MISSING_HERE, None, filed, Severity.WARNING)

    def _in_bills(self) -> Iterator[_Found]:
        """Discrepancies between a sale and the line that bills it."""
        for known in self.view.billed:
            if known.bill is not None:
                for kind in self.of_bill(known, known.bill):
                    yield self._found(kind, known, known.bill)

    def of_bill(self, known: SaleMatch, bill: Filed) -> Iterator[DiscrepancyKind]:
        """The kinds of discrepancy between a sale and the line that bills it."""
        line, sale, matching = bill.line, known.sale, self.matching
        if sale.state is State.REJECTED:
            yield DiscrepancyKind.VENDED_AFTER_REJECTION
        if line.cents != known.cents:
            yield DiscrepancyKind.AMOUNT_DIFFERS
        if known.is_misfiled or not goes_to(sale, line):
            yield DiscrepancyKind.ACCOUNT_DIFFERS
        if abs(bill.day - sale.day) > ONE_DAY:
            yield DiscrepancyKind.LATE_POSTING
        if self._has_other_supplier_id(known, line):
            yield DiscrepancyKind.VENDED_TWICE if matching.holder(line) is known else DiscrepancyKind.CLAIMED_TWICE

    def _has_other_supplier_id(self, known: SaleMatch, line: StatementLine) -> bool:
        """Whether our record holds another supplier id that no other sale claims. `_in_claims` finds the claimed ones."""
        held = self.matching.held_by(known)
        return held not in (None, self.matching.supplier_id(line), line.merchant_id.lower()) and held not in self.claims

    def _in_sales(self) -> Iterator[_Found]:
        """Discrepancies of sales that we call vended and that no line bills."""
        for known in self.view.own:
            if not known.is_vended or known.billed_in is not None or self.view.is_carried_out(known):
                continue
            unbilled = known.unbilled_lines
            binned = next((filed for filed in unbilled if filed.line.billing is Billing.NOT_BILLED), None)
            if binned is not None:
                yield self._found(DiscrepancyKind.STATE_DIFFERS, known, binned)
            elif not unbilled:  # a line of unknown status is a discrepancy of its own
                yield self._found(DiscrepancyKind.MISSING_AT_SUPPLIER, known, None)

    def _in_claims(self) -> Iterator[_Found]:
        """Discrepancies of a supplier id that several of our sales hold: one for each sale but the earliest."""
        for first, *later in self.claims.values():
            for known in later:
                if known.sale.day == self.view.day:
                    yield _Found(DiscrepancyKind.CLAIMED_TWICE, known, None, SEVERITY[DiscrepancyKind.CLAIMED_TWICE], first)

    def _in_past(self) -> Iterator[_Found]:
        """Discrepancies between an earlier file of the day and its last: lines that are gone, and a bill of a rejected sale."""
        if (lost := self.past.withdrawn) is not None:
            theirs = TheirSide(rows=lost.rows, amount_cents=lost.cents)
            yield _Found(DiscrepancyKind.LINES_WITHDRAWN, None, None, SEVERITY[DiscrepancyKind.LINES_WITHDRAWN], theirs=theirs)
        told: set[str] = set()
        for filed in self.past.lines:
            known = self.matching.named(filed.line)
            if filed.day == self.view.day and known is not None and known.sale.id not in told and self.contradicts(known, filed):
                told.add(known.sale.id)
                yield self._found(DiscrepancyKind.VENDED_AFTER_REJECTION, known, filed)

    def contradicts(self, known: SaleMatch, filed: Filed) -> bool:
        """Whether a line of an earlier file bills a sale that we call rejected and that no line bills now."""
        is_bill = filed.line.billing is Billing.BILLED and filed.line.cents >= 0
        return is_bill and known.sale.state is State.REJECTED and known.billed_in is None

    def _found(self, kind: DiscrepancyKind, known: SaleMatch | None, filed: Filed | None) -> _Found:
        rival = self.matching.holder(filed.line) if kind is DiscrepancyKind.CLAIMED_TWICE and filed is not None else None
        return _Found(kind, known, filed, self._severity(kind, known), rival)

    def _severity(self, kind: DiscrepancyKind, known: SaleMatch | None) -> Severity:
        readings = self.matching.readings
        if kind is DiscrepancyKind.STATE_DIFFERS and readings.binned_is_charged:
            return Severity.CRITICAL
        if kind is DiscrepancyKind.NEGATIVE_LINE and readings.reversals_are_expected and known is not None:
            return Severity.INFO
        return SEVERITY[kind]


def _theirs(filed: Filed) -> TheirSide:
    line = filed.line
    return TheirSide(
        line=filed.number,
        supplier_transaction_id=line.transaction_id,
        merchant_transaction_id=line.merchant_id,
        status=line.status,
        vas_type=line.service,
        amount_cents=line.cents,
        recipient=last_four(line.recipient or None),
        at=short_rfc3339(line.at),
        product_name=line.product_name,
    )
