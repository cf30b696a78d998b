"""Settlement: our sales of a business day compared with the lines that the supplier bills for the day. Pure.

`compare` decides, and `settled_day` holds its decisions. Nothing here reads a store or writes. `docs/settlement.md` gives the order
of reading, comparing and recording.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import Final

from shared.domain.discrepancy import Discrepancy, DiscrepancyKind
from shared.domain.sale_summary import Sold
from shared.domain.statement import Billing, Statement, StatementLine, Total
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.domain.vas import Mode, VasType
from shared.lib.value import Value
from shared.settlement.absence import Absence, may_be_absent
from shared.settlement.discrepancies import Differences
from shared.settlement.matching import ONE_DAY, DayView, FileInterpretation, SaleMatch, Verdict, match
from shared.settlement.settled_day import (
    Carried,
    Conservation,
    NotReadable,
    Proof,
    ResolvedBySettlement,
    SettledDay,
    Status,
    StillOpen,
    TokenToRecover,
    VendIndication,
    ended_status,
)
from shared.settlement.withdrawn_lines import Past

OPEN_STATES: Final = (State.VENDING, State.IN_DOUBT)


def files_needed(day: date, sold: Iterable[Sold] = ()) -> frozenset[date]:
    """The days whose files settle a day: the day, its neighbours, and the days around the older sales that its lines name."""
    return frozenset(near for one in {day, *(sale.day for sale in sold)} for near in around(one))


def around(day: date) -> tuple[date, date, date]:
    """A day and its neighbours."""
    return day - ONE_DAY, day, day + ONE_DAY


def compare(
    day: date,
    sold: Iterable[Sold],
    files: Iterable[Statement],
    *,
    mode: Mode,
    today: date,
    readings: FileInterpretation,
    past: Past = Past(),  # noqa: B008 - it never changes
    unread: Collection[Unread] = (),
) -> SettledDay:
    """Every discrepancy between our sales and the files, in both directions, matched by id. Amounts have no tolerance.

    Args:
        day: the business day that is settled.
        sold: every sale of the day and of both its neighbours, and the older sales that its lines named in the last pass.
        files: unread; those of `files_needed` that exist, and those of any other day that matters.
        today: the business day of the run. The file of a day that is not over may still get the lines that it lacks.
        unread: sales of these days that cannot be read, and other such sales that lines named. Only their existence is known.
        past: the lines of earlier files of these days, and the days on which absence proves nothing.

    Raises:
        FileRefused: a file breaks the format; nothing was compared.
        ValueError: two files are of one day.
    """
    view = DayView(day, match(sold, files, readings, around(day), unread), today)
    return _Comparison(view, Differences(view, mode, past), today, past, tuple(sale for sale in unread if sale.day == day)).settled()


class _Comparison(Value, frozen=True):
    """The comparison of one day, from its view."""

    view: DayView
    differences: Differences
    today: date
    past: Past
    unread: tuple[Unread, ...] = ()

    def settled(self) -> SettledDay:
        view = self.view
        discrepancies = self.differences.all()
        absent, wanted = self._silence()
        proofs = tuple(sorted(self._proofs(), key=lambda proof: (proof.transaction_id, proof.supplier_transaction_id)))
        return SettledDay(
            day=view.day,
            status=self._status(discrepancies),
            file=view.matching.files.get(view.day),
            matched=self._matched(),
            carried_out=_carried(known for known in view.own if view.is_carried_out(known)),
            carried_in=_carried(known for known in view.billed if known.is_billed_vend and known.sale.day != view.day),
            discrepancies=discrepancies,
            conservation=self._conservation(),
            healed=_healed(proofs, absent),
            open=self._open(frozenset(absent)),
            tokens_to_recover=self._tokens_to_recover(),
            signs=self._signs(),
            proofs=proofs,
            absent=absent,
            strangers=self._strangers(),
            not_readable=self._not_readable(),
            reached=frozenset(known.sale.day for known in view.billed if known.is_vended) - set(around(view.day)),
            wanted=wanted - set(around(view.day)),
        )

    def _silence(self) -> tuple[tuple[str, ...], frozenset[date]]:
        """The sales that the files prove were never vended, and the days whose files may still help to prove others absent."""
        doubts = [known for known in self.view.own if may_be_absent(known)]
        if not doubts:
            return (), frozenset()
        silence = Absence(self.view.matching, self.today, self.past.distrusted)
        absent = (known.sale.id for known in doubts if silence.proves_absence(known))
        return tuple(sorted(absent)), frozenset(day for known in doubts for day in silence.files_wanted(known))

    def _status(self, discrepancies: Iterable[Discrepancy]) -> Status:
        if self.view.day not in self.view.matching.files:
            return Status.FILE_MISSING
        return Status.PROVISIONAL if self.view.waits or self.unread else ended_status(discrepancies)

    def _matched(self) -> Total:
        """The lines that bill a vended sale of this day, or a sale that was carried in."""
        plain = [cents for amounts in self.view.plain.values() for cents in amounts]
        others = [known.bill.line.cents for known in self.view.billed if known.is_billed_vend and known.bill is not None]
        return _sum([*plain, *others])

    def _conservation(self) -> tuple[Conservation, ...]:
        file = self.view.matching.files.get(self.view.day)
        books = _Terms()
        for service, amounts in self.view.plain.items():
            books.add(service, "our_vended", _sum(amounts))
        for known in self.view.own:
            self._book_sale(books, known)
        for known in self.view.billed:
            self._book_bill(books, known)
        for filed, verdict, _ in self.view.judged:
            if filed.line.billing is Billing.BILLED:
                term = "missing_here" if verdict is Verdict.STRANGER else "extra_lines"
                books.add(filed.line.service, term, Total(1, filed.line.cents))
        return tuple(books.of(service, file.successful[service] if file else Total()) for service in VasType)

    def _book_sale(self, books: "_Terms", known: SaleMatch) -> None:
        if not known.is_vended:
            return
        service, amount = known.sale.vas_type, Total(1, known.cents)
        books.add(service, "our_vended", amount)
        if self.view.is_carried_out(known):
            books.add(service, "carried_out", amount)
        elif not known.is_billed_vend:
            books.add(service, "missing_at_supplier", amount)

    def _book_bill(self, books: "_Terms", known: SaleMatch) -> None:
        assert known.bill is not None  # only the line of a plain sale is not stored
        line = known.bill.line
        if not known.is_vended:
            books.add(line.service, "billed_though_rejected", Total(1, line.cents))
        elif known.is_misfiled:
            books.add(line.service, "extra_lines", Total(1, line.cents))
        else:
            books.add(line.service, "differences", Total(0, line.cents - known.cents))
            if known.sale.day != self.view.day:
                books.add(line.service, "carried_in", Total(1, known.cents))

    def _not_readable(self) -> tuple[NotReadable, ...]:
        """The day's sales that cannot be read. The day stays open, because nobody knows whether they vended."""
        found = (
            NotReadable(
                transaction_id=sale.id,
                request_id=sale.request_id,
                vas_type=None if sale.order is None else sale.order.vas_type,
                amount_cents=None if sale.order is None else sale.order.amount.cents,
            )
            for sale in self.unread
        )
        return tuple(sorted(found, key=lambda sale: sale.transaction_id))

    def _signs(self) -> tuple[VendIndication, ...]:
        """For each sale in doubt that no line bills: the first line that names the sale, in any file.

        Lines of earlier files count too. A line that bills a rejected sale contradicts its end.
        """
        signs: dict[str, VendIndication] = {}
        named = [(filed, known) for filed, _, known in self.view.matching.judged if known is not None]
        named += [(filed, known) for filed in self.past.lines if (known := self.view.matching.named(filed.line)) is not None]
        for filed, known in named:
            sale = known.sale
            is_of_doubt = sale.state in OPEN_STATES
            is_news = (is_of_doubt and not sale.sign_of_vend) or self.differences.contradicts(known, filed)
            if known.billed_in is None and is_news:
                sign = VendIndication(transaction_id=sale.id, is_of_doubt=is_of_doubt, day=filed.day, number=filed.number, line=filed.line)
                signs.setdefault(sale.id, sign)
        return tuple(signs[sale_id] for sale_id in sorted(signs))

    def _proofs(self) -> Iterator[Proof]:
        for known in self.view.rest:
            if known.bill is not None:
                kinds = set(self.differences.of_bill(known, known.bill))
                unnamed = known.sale.supplier_transaction_id is None
                if known.sale.state is not State.VENDED or unnamed or kinds & {DiscrepancyKind.VENDED_TWICE, DiscrepancyKind.CLAIMED_TWICE}:
                    yield self._proof(known, known.bill.line)
        for filed, verdict, named in self.view.judged:
            if named is not None and verdict in (Verdict.TWICE, Verdict.CLAIMED):
                yield self._proof(named, filed.line)

    def _proof(self, known: SaleMatch, line: StatementLine) -> Proof:
        return Proof(
            transaction_id=known.sale.id,
            supplier_transaction_id=self.view.matching.spelt(line),
            token_due=known.sale.token_due,
            ends_sale=known.bill is not None and known.bill.line is line and known.sale.state in OPEN_STATES,
            line=line,
        )

    def _open(self, absent: frozenset[str]) -> tuple[StillOpen, ...]:
        still = (known.sale for known in self.view.own if known.sale.state in OPEN_STATES and known.billed_in is None)
        left = sorted((sale for sale in still if sale.id not in absent), key=lambda sale: sale.id)
        return tuple(
            StillOpen(
                transaction_id=sale.id,
                supplier_id=sale.supplier_id,
                state=sale.state,
                vas_type=sale.vas_type,
                amount_cents=sale.amount_cents,
                created_at=sale.created_at,
            )
            for sale in left
        )

    def _tokens_to_recover(self) -> tuple[TokenToRecover, ...]:
        found = (
            TokenToRecover(known.sale.id, self.view.matching.held_by(known), known.sale.vas_type, known.sale.supplier_id)
            for known in self.view.without_token
            if known.is_vended and self.view.day in (known.sale.day, known.billed_in)
        )
        return tuple(sorted(found, key=lambda sale: sale.transaction_id))

    def _strangers(self) -> tuple[StatementLine, ...]:
        """Lines of this day that no sale explains, and those of other days that an absent sale of this day may hide behind."""
        silent = {
            (known.sale.vas_type, known.cents) for known in self.view.own if known.sale.state in OPEN_STATES and known.billed_in is None
        }
        matching = self.view.matching
        strangers = [filed for filed, verdict, known in matching.judged if known is None and verdict is not Verdict.UNREAD]
        strangers += [filed for filed in self.past.lines if matching.named(filed.line) is None]
        return tuple(
            filed.line for filed in strangers if filed.day == self.view.day or (filed.line.service, abs(filed.line.cents)) in silent
        )


class _Terms:
    """The terms of the conservation equation, while they are summed."""

    def __init__(self) -> None:
        self._terms: defaultdict[VasType, defaultdict[str, Total]] = defaultdict(lambda: defaultdict(Total))

    def add(self, service: VasType, term: str, amount: Total) -> None:
        self._terms[service][term] += amount

    def of(self, service: VasType, file_successful: Total) -> Conservation:
        terms = self._terms[service]
        return Conservation(vas_type=service, file_successful=file_successful, **{term: terms[term] for term in _TERMS})


_TERMS: Final = tuple(name for name in Conservation.__struct_fields__ if name not in ("vas_type", "file_successful"))


def _sum(amounts: Iterable[int]) -> Total:
    cents = list(amounts)
    return Total(len(cents), sum(cents))


def _carried(knowns: Iterable[SaleMatch]) -> tuple[Carried, ...]:
    carried = (
        Carried(
            transaction_id=known.sale.id,
            supplier_id=known.sale.supplier_id,
            request_id=known.sale.request_id,
            vas_type=known.sale.vas_type,
            amount_cents=known.cents,
            sold_on=known.sale.day,
            billed_on=known.billed_in,
        )
        for known in knowns
    )
    return tuple(sorted(carried, key=lambda one: one.transaction_id))


def _healed(proofs: Iterable[Proof], absent: Iterable[str]) -> tuple[ResolvedBySettlement, ...]:
    vended = (
        ResolvedBySettlement(proof.transaction_id, State.VENDED, proof.supplier_transaction_id) for proof in proofs if proof.ends_sale
    )
    rejected = (ResolvedBySettlement(sale_id, State.REJECTED, None) for sale_id in absent)
    return tuple(sorted((*vended, *rejected), key=lambda healed: healed.transaction_id))
