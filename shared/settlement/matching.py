"""Which line of the supplier's files bills which of our sales. Pure. Ids alone match; there is no tolerance and no guess.

A line that agrees with its sale leaves only a mark on the sale, so a truthful file costs no memory. Every other line is stored, and
judged after all files were read. Lines that agree therefore go before lines that do not.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum, StrEnum, auto
from operator import attrgetter
from typing import Final, NamedTuple

from shared.domain.sale_summary import Sold
from shared.domain.statement import Billing, Statement, StatementLine, Summary
from shared.domain.transaction import State
from shared.domain.unread import Unread
from shared.domain.vas import VasType, msisdn
from shared.lib.value import Value

ONE_DAY: Final = timedelta(days=1)


class MerchantId(StrEnum):
    """Which id of a sale is in field 5 of a line."""

    REQUEST_ID = "request_id"
    SUPPLIER_ID = "supplier_id"  # then field 4 is a number of the file's own
    UNKNOWN = "unknown"  # either id, a request id first


class FileInterpretation(Value, frozen=True, kw_only=True):
    """How the uncertain parts of the supplier's files are read: one setting each, until the supplier has answered.

    `binned_is_charged` and `reversals_are_expected` (negative lines) set only the severity of such a line. Neither kind of line is ever
    evidence, under any setting. `fee_is_on_top`: a bill's line bills the convenience fee on top of the amount.
    """

    merchant_id: MerchantId = MerchantId.UNKNOWN
    binned_is_charged: bool = False
    reversals_are_expected: bool = False
    fee_is_on_top: bool = False


class Filed(NamedTuple):
    """A line and its place in the files."""

    day: date
    number: int
    line: StatementLine


class Verdict(Enum):
    """Why a stored line is not a sale's first billing."""

    STRANGER = auto()  # names no sale of ours
    UNREAD = auto()  # names a sale that this version cannot read
    DUPLICATE = auto()  # repeats a supplier id
    TWICE = auto()  # a second supplier id for one sale
    CLAIMED = auto()  # a second billing of one sale, under a supplier id that another sale of ours holds
    NEGATIVE = auto()
    NOT_BILLED = auto()  # `Binned`, or an unknown status


class Judged(NamedTuple):
    """A stored line, its kind, and the sale that the line names."""

    filed: Filed
    verdict: Verdict
    known: "SaleMatch | None"


@dataclass(slots=True, eq=False)
class SaleMatch:
    """One of our sales, with its lines in the files.

    `cents` is the amount that its line should bill. `billed_in` is the day of the file that bills the sale. `bill` is that line, stored
    only if the line differs from the sale.
    """

    sale: Sold
    cents: int
    billed_in: date | None = None
    bill: Filed | None = None
    named_by: tuple[Filed, ...] = ()  # the lines that name the sale and do not bill it

    @property
    def is_vended(self) -> bool:
        """Whether the sale vended: by our records, or proven by the line that bills it."""
        return self.sale.state is State.VENDED or (self.billed_in is not None and self.sale.state is not State.REJECTED)

    @property
    def is_misfiled(self) -> bool:
        """Whether the line that bills the sale names another service."""
        return self.bill is not None and self.bill.line.service is not self.sale.vas_type

    @property
    def is_billed_vend(self) -> bool:
        """Whether the sale vended, and a line bills the sale under its own service."""
        return self.billed_in is not None and self.is_vended and not self.is_misfiled

    @property
    def unbilled_lines(self) -> tuple[Filed, ...]:
        """The lines that name the sale with another status than `Successful`."""
        return tuple(filed for filed in self.named_by if filed.line.billing is not Billing.BILLED)


@dataclass(slots=True)
class Matching:
    """Our sales, and the files' lines matched to them.

    `controls` are the days whose files billed at least one vended sale by its request id. `unexplained` holds, for each file, the service
    and absolute amount of every line that may be another sale's. From files outside `near`, only lines that name our sales are stored.
    """

    readings: FileInterpretation
    near: Collection[date]
    known: list[SaleMatch] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    files: dict[date, Summary] = field(default_factory=dict)
    controls: set[date] = field(default_factory=set)
    unexplained: dict[date, set[tuple[VasType, int]]] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()  # the ids of sales that cannot be read
    _by_request: dict[str, SaleMatch] = field(default_factory=dict)
    _by_supplier: dict[str, SaleMatch] = field(default_factory=dict)
    _shared: set[str] = field(default_factory=set)  # supplier ids that several sales hold

    def supplier_id(self, line: StatementLine) -> str:
        """The supplier's id of the sale that a line bills, in lower case."""
        return self.spelt(line).lower()

    def spelt(self, line: StatementLine) -> str:
        """The supplier's id of the sale that a line bills, as the file spells it: the record stores the supplier's own spelling."""
        return self._spelt(line)

    def billed_as(self, known: SaleMatch) -> str | None:
        """The supplier's id under which a sale is billed, in lower case. If the line was not stored, our record holds the id."""
        return self.supplier_id(known.bill.line) if known.bill is not None else self.held_by(known)

    def held_by(self, known: SaleMatch) -> str | None:
        """The supplier's id in our record of a vended sale, now or once its line is recorded; in lower case."""
        held = known.sale.supplier_transaction_id
        if held is not None:
            return held.lower()
        return self.supplier_id(known.bill.line) if known.bill is not None and known.is_vended else None

    def claims(self) -> dict[str, list[SaleMatch]]:
        """The supplier ids that several of our sales hold, with these sales, the earliest first."""
        claims: dict[str, list[SaleMatch]] = {shared: [] for shared in self._shared}
        if claims:
            for known in sorted(self.known, key=lambda known: (known.sale.created_at, known.sale.id)):
                if (held := self.held_by(known)) is not None and held in claims:
                    claims[held].append(known)
        return claims

    def holder(self, line: StatementLine) -> SaleMatch | None:
        """The sale that holds the supplier id of a line."""
        held = self._by_supplier.get(self.supplier_id(line))
        if held is None and self.readings.merchant_id is MerchantId.UNKNOWN:
            return self._by_supplier.get(line.merchant_id.lower())
        return held

    def named(self, line: StatementLine) -> SaleMatch | None:
        """The sale that a line names: by our request id, else by the supplier's id."""
        return self._by_request.get(line.merchant_id.lower()) or self.holder(line)

    @property
    def _spelt(self) -> Callable[[StatementLine], str]:
        return attrgetter("merchant_id" if self.readings.merchant_id is MerchantId.SUPPLIER_ID else "transaction_id")

    def _know(self, sold: Iterable[Sold]) -> None:
        """Add our sales. A sale that is given twice, from its day and from a look-up, is added once."""
        on_top = self.readings.fee_is_on_top
        self._by_request = {  # our request ids are in lower case
            sale.request_id: SaleMatch(sale, sale.amount_cents + sale.fee_cents if on_top else sale.amount_cents) for sale in sold
        }
        self.known = list(self._by_request.values())
        for known in self.known:
            if (held := known.sale.supplier_transaction_id) is not None:
                key = held if held.islower() else held.lower()  # share one string if possible: there are a million
                if self._by_supplier.setdefault(key, known) is not known:
                    self._shared.add(key)

    def _read(self, file: Statement) -> Iterator[Filed]:
        """Match a file's lines to our sales, and yield the lines that do not agree or cannot be decided yet.

        The first check finds nearly every line: the only line of a vended sale of its file's day, equal to the letter.
        """
        day, vended, supplier_id_of, is_near = file.day, State.VENDED, self._spelt, file.day in self.near
        by_request, by_supplier, billed = self._by_request, self._by_supplier, Billing.BILLED
        for number, line in enumerate(file, 2):
            known = by_request.get(line.merchant_id) or by_supplier.get(supplier_id_of(line))
            if (
                known is not None
                and known.billed_in is None
                and (sale := known.sale).state is vended
                and sale.day == day
                and sale.supplier_transaction_id == supplier_id_of(line)
                and known.cents == line.cents
                and line.billing is billed
                and line.service is sale.vas_type
                and (sale.recipient == line.recipient or (goes_to(sale, line) and not sale.is_nameless))
            ):
                known.billed_in = day
                if day not in self.controls and line.merchant_id == sale.request_id:
                    self.controls.add(day)
            elif not self._agrees(filed := Filed(day, number, line)) and (is_near or self.named(line) is not None):
                yield filed

    def _agrees(self, filed: Filed) -> bool:
        """The second check: match the line if it is the first billing of a sale and agrees with the sale."""
        line = filed.line
        known = self.named(line)
        if known is None or known.billed_in is not None or line.billing is not Billing.BILLED or self.differs(known, line):
            return False
        self._lay(filed, known)
        if known.sale.is_nameless:  # the line agrees with all known fields, and may name anybody
            self._leave_unexplained(filed)
        return True

    def differs(self, known: SaleMatch, line: StatementLine, cents: int | None = None) -> bool:
        """Whether a line differs from our record of a sale in any other field. `cents` replaces the line's amount."""
        held = known.sale.supplier_transaction_id
        return (
            (line.cents if cents is None else cents) != known.cents
            or line.service is not known.sale.vas_type
            or not goes_to(known.sale, line)
            or (held is not None and held.lower() not in (self.supplier_id(line), line.merchant_id.lower()))
        )

    def _lay(self, filed: Filed, known: SaleMatch) -> None:
        known.billed_in = filed.day
        held = known.sale.supplier_transaction_id
        if known.sale.state is not State.VENDED or held is None or known.sale.day != filed.day or self.differs(known, filed.line):
            known.bill = filed
        if known.sale.state is not State.REJECTED and filed.line.merchant_id.lower() == known.sale.request_id:
            self.controls.add(filed.day)
        supplier_id = self.supplier_id(filed.line)
        if self._by_supplier.setdefault(supplier_id, known) is not known and self.held_by(known) == supplier_id:
            self._shared.add(supplier_id)

    def _judge(self, filed: Filed, strangers: set[str]) -> None:
        """The kind of a stored line, after every line that agrees has been matched to its sale."""
        line = filed.line
        known = self.named(line)
        first = known is not None and known.billed_in is None and line.billing is Billing.BILLED and line.cents >= 0
        if known is not None and first:
            self._lay(filed, known)
            explained = False  # the line differs, or the first check would have matched it
        else:
            verdict = self._verdict(line, known, strangers)
            self.judged.append(Judged(filed, verdict, known))
            if known is not None:
                known.named_by = (*known.named_by, filed)
            explained = verdict is Verdict.UNREAD or (
                known is not None
                and verdict in (Verdict.NEGATIVE, Verdict.NOT_BILLED)
                and not known.sale.is_nameless
                and not self.differs(known, line, abs(line.cents))
            )
        if not explained:
            self._leave_unexplained(filed)

    def _leave_unexplained(self, filed: Filed) -> None:
        self.unexplained.setdefault(filed.day, set()).add((filed.line.service, abs(filed.line.cents)))

    def _verdict(self, line: StatementLine, known: SaleMatch | None, strangers: set[str]) -> Verdict:
        if known is None and not self.unread.isdisjoint((line.merchant_id.lower(), line.transaction_id.lower())):
            return Verdict.UNREAD
        if line.cents < 0:
            return Verdict.NEGATIVE
        if line.billing is not Billing.BILLED:
            return Verdict.NOT_BILLED
        supplier_id = self.supplier_id(line)
        if known is None:
            if supplier_id in strangers:
                return Verdict.DUPLICATE
            strangers.add(supplier_id)
            return Verdict.STRANGER
        if supplier_id == self.billed_as(known):
            return Verdict.DUPLICATE
        return Verdict.TWICE if self.holder(line) in (None, known) else Verdict.CLAIMED


def match(
    sold: Iterable[Sold],
    files: Iterable[Statement],
    readings: FileInterpretation,
    near: Collection[date] = (),
    unread: Iterable[Unread] = (),
) -> Matching:
    """Match every line of the files to the sale that the line bills. Lines without a sale matter only in files of the days `near`.

    A line that names an unreadable sale (`unread`) bills no other sale.

    Raises:
        FileRefused: a file breaks the format.
        ValueError: two files are of one day.
    """
    matching = Matching(readings, near)
    matching._know(sold)
    matching.unread = frozenset(held.lower() for sale in unread for held in (sale.request_id, sale.supplier_transaction_id) if held)
    kept: list[Filed] = []
    for file in sorted(files, key=lambda file: file.day):
        if file.day in matching.files:
            raise ValueError(f"two settlement files of {file.day}")
        kept.extend(matching._read(file))
        matching.files[file.day] = file.summary
    strangers: set[str] = set()
    for filed in kept:
        matching._judge(filed, strangers)
    return matching


class DayView:
    """One day's view of a matching, on the business day `today`. A line belongs to the day of its file, a sale to its own day.

    Almost every sale is *plain*: of this day, vended, and billed by a line of this day that agrees. Their cents are in `plain`. `own` are
    the day's other sales, `billed` all other sales that the day's file bills, `judged` its lines that bill none. `waits`: a file that may
    bill this day's last sales is missing, or is of a running day and may be its first half.
    """

    def __init__(self, day: date, matching: Matching, today: date) -> None:
        self.day, self.matching = day, matching
        self.waits = day + ONE_DAY >= today or not {day, day + ONE_DAY} <= matching.files.keys()
        self.plain: dict[VasType, list[int]] = {service: [] for service in VasType}
        self.without_token: list[SaleMatch] = []
        rest: list[SaleMatch] = []
        for known in matching.known:
            if known.bill is None and known.billed_in == day:
                self.plain[known.sale.vas_type].append(known.cents)
            else:
                rest.append(known)
            if known.sale.token_due:
                self.without_token.append(known)
        self.own = [known for known in rest if known.sale.day == day]
        self.billed = [known for known in rest if known.billed_in == day]
        self.judged = [one for one in matching.judged if one.filed.day == day]

    @property
    def rest(self) -> list[SaleMatch]:
        """The sales of this day, or billed in its file, that are not plain."""
        return [*self.own, *(known for known in self.billed if known.sale.day != self.day)]

    def is_carried_out(self, known: SaleMatch) -> bool:
        """Whether another day's file bills a sale of this day, or may still bill it: the sale waits as long as the day waits."""
        if known.billed_in is not None:
            return known.billed_in != self.day and known.is_billed_vend
        return known.is_vended and self.waits and not known.unbilled_lines


def goes_to(sale: Sold, line: StatementLine) -> bool:
    """Whether a line names the recipient of a sale, or none. All forms of a mobile number are equal."""
    if (recipient := sale.recipient) is None:
        return True  # a pinned sale has no recipient
    said = line.recipient
    return not said or (msisdn(said) or said) == (msisdn(recipient) or recipient)
