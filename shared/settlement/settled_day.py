"""A business day's settlement as it is kept and shown: what was found, and that every cent is accounted for. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import field, structs, to_builtins

from shared.domain.closures import OPEN
from shared.domain.discrepancy import Discrepancy, DiscrepancyKind, gravity
from shared.domain.outcome import Receipt, TokensDue
from shared.domain.statement import StatementLine, Summary, Total
from shared.domain.transaction import State
from shared.domain.vas import SUPPLIER_IDS, Mode, VasType
from shared.lib.value import Value, is_new_word
from shared.settlement.document_forms import with_newer

MAX_LISTED: Final = 1_000  # of each list: with them all full, a day's paper is still below Firestore's 1 MiB


class Status(StrEnum):
    """How a day stands. `PROVISIONAL`: the next day's file may still bill what this day's does not."""

    PROVISIONAL = "provisional"
    BALANCED = "balanced"
    DISCREPANCIES = "discrepancies"
    FILE_MISSING = "file_missing"


ENDED: Final = frozenset({Status.BALANCED, Status.DISCREPANCIES})  # no file is awaited any more


class Carried(Value, frozen=True, kw_only=True, rename="camel"):
    """A vended sale that another day's file bills.

    `billed_on` is `None` until that file arrives.
    """

    transaction_id: str
    supplier_id: str
    request_id: str
    vas_type: VasType
    amount_cents: int
    sold_on: date
    billed_on: date | None


class Proof(Value, frozen=True, kw_only=True):
    """A line that proves a vend of which our record says otherwise: to be learned as the supplier's word.

    It ends a sale that is open, and contradicts one that has ended. Never shown: the line holds whole numbers.
    """

    _hidden = frozenset({"line"})

    transaction_id: str
    supplier_transaction_id: str
    token_due: bool
    ends_sale: bool
    line: StatementLine

    @property
    def receipt(self) -> Receipt:
        """What is known of the delivery: its token, where one is due, is still to be recovered."""
        return Receipt(
            supplier_transaction_id=self.supplier_transaction_id,
            tokens_due=TokensDue.PENDING if self.token_due else TokensDue.NONE,
            serial_number=self.line.serial_number or None,
        )


class VendIndication(Value, frozen=True, kw_only=True):
    """A line that names a sale and does not bill it: no proof of a vend, but from now on silence proves nothing of one in doubt.

    It contradicts the end of a sale that was not in doubt (`is_of_doubt`). Never shown: the line holds whole numbers.
    """

    _hidden = frozenset({"line"})

    transaction_id: str
    is_of_doubt: bool
    day: date
    number: int
    line: StatementLine


class ResolvedBySettlement(Value, frozen=True, rename="camel"):
    """A sale in doubt that the files brought to its end.

    A line ends it as `vended`, its absence from the files as `rejected`. The comparison leaves `supplier_id` empty; the run adds it.
    """

    transaction_id: str
    state: State
    supplier_transaction_id: str | None
    supplier_id: str = ""


class StillOpen(Value, frozen=True, kw_only=True, rename="camel"):
    """A sale of the day of which the files prove nothing."""

    transaction_id: str
    supplier_id: str
    state: State
    vas_type: VasType
    amount_cents: int
    created_at: datetime


class NotReadable(Value, frozen=True, kw_only=True, rename="camel"):
    """A sale of the day that the version that runs cannot read: whether it vended is not known. `null`: that cannot be read either."""

    transaction_id: str
    request_id: str | None
    vas_type: VasType | None
    amount_cents: int | None


class TokenToRecover(Value, frozen=True, rename="camel"):
    """A vended sale whose token or PIN never reached us."""

    transaction_id: str
    supplier_transaction_id: str | None
    vas_type: VasType
    supplier_id: str


class Conservation(Value, frozen=True, kw_only=True, rename="camel"):
    """One service's books: what the file bills, and every term that explains it. `residue` is what they leave unexplained: 0.

    Each term is counted on its own: the residue is 0 only if nothing was lost between two terms. `missing_at_supplier` includes sales
    whose only line is not `Successful` or names another service. Such a line, where it is `Successful`, is one of the `extra_lines`.
    `differences` is the sum in cents by which billed lines exceed our amounts.
    """

    vas_type: VasType
    file_successful: Total
    our_vended: Total
    carried_out: Total
    carried_in: Total
    missing_here: Total
    billed_though_rejected: Total
    extra_lines: Total
    missing_at_supplier: Total
    differences: Total

    @property
    def residue(self) -> Total:
        """What the terms leave unexplained of the file: zero rows and zero cents."""
        ours = self.our_vended - self.carried_out + self.carried_in - self.missing_at_supplier
        theirs = self.missing_here + self.billed_though_rejected + self.extra_lines
        return self.file_successful - ours - theirs - self.differences


class SettledDay(Value, frozen=True, kw_only=True):
    """A day's comparison, frozen. What only the run needs (`signs`, `proofs`, `absent`, `strangers`, `reached`,
    `wanted`) is not part of what is kept.

    `signs`, `proofs` and `absent` (ids of sales that may be called rejected) are to be put on record. `strangers` are lines that name
    no sale that was given: if one names an older sale of ours, compare again with that sale, and with its day's files. `reached` are
    the days, other than this one and its neighbours, whose sales this day's file bills: their papers are to say so.
    `wanted` are days whose files, if they are there, may make more of silence: compare again with them. `left_out` counts what is not
    listed one by one, by the name of its list.
    """

    _hidden = frozenset({"strangers"})

    day: date
    status: Status
    file: Summary | None
    matched: Total
    carried_out: tuple[Carried, ...]
    carried_in: tuple[Carried, ...]
    discrepancies: tuple[Discrepancy, ...]
    conservation: tuple[Conservation, ...]
    healed: tuple[ResolvedBySettlement, ...]
    open: tuple[StillOpen, ...]
    tokens_to_recover: tuple[TokenToRecover, ...]
    signs: tuple[VendIndication, ...]
    proofs: tuple[Proof, ...]
    absent: tuple[str, ...]
    strangers: tuple[StatementLine, ...]
    not_readable: tuple[NotReadable, ...] = ()
    reached: frozenset[date] = frozenset()
    wanted: frozenset[date] = frozenset()
    left_out: Mapping[str, int] = field(default_factory=dict)

    def reviewed(self, decisions: Mapping[str, str], earlier: Iterable[Discrepancy]) -> "SettledDay":
        """The day with what people have decided (by discrepancy id), and with the open discrepancies of earlier days.

        Those of this day that only newer code finds are its own too: what it cannot find out, it cannot call settled.
        """
        own = tuple(structs.replace(found, status=decisions.get(found.id, found.status)) for found in self.discrepancies)
        carried = sorted((found for found in earlier if found.day < self.day), key=lambda found: (found.day, found.id))
        newer = [found for found in earlier if found.day == self.day and is_new_word(DiscrepancyKind, found.kind)]
        own = (*own, *sorted(newer, key=lambda found: found.id))
        status = ended_status(own) if self.status in ENDED else self.status
        return structs.replace(self, discrepancies=(*carried, *own), status=status)

    def listing(self, most: int) -> "SettledDay":
        """The day with at most so many entries in each list, the gravest discrepancies first kept: its paper stays small."""
        gravest = sorted(self.discrepancies, key=lambda found: gravity(found.severity), reverse=True)[:most]
        kept = {found.id for found in gravest}
        names = ("carried_out", "carried_in", "healed", "open", "tokens_to_recover", "not_readable")
        lists = {name: getattr(self, name) for name in names}
        left_out = {_camel(name): len(listed) - most for name, listed in lists.items() if len(listed) > most}
        if len(self.discrepancies) > most:
            left_out["discrepancies"] = len(self.discrepancies) - most
        short = {name: listed[:most] for name, listed in lists.items()}
        short["discrepancies"] = tuple(found for found in self.discrepancies if found.id in kept)
        return structs.replace(self, **short, left_out={**self.left_out, **left_out})


def ended_status(discrepancies: Iterable[Discrepancy]) -> Status:
    """How a day stands when all its files were in."""
    return Status.DISCREPANCIES if any(found.status == OPEN for found in discrepancies) else Status.BALANCED


Json = dict[str, Any]

_LISTS: Final = ("carriedOut", "carriedIn", "healed", "open", "tokensToRecover")  # whose rows are sales of ours


def day_as_read(body: Mapping[str, Any], mode: Mode) -> Mapping[str, Any]:
    """A kept day in which every row says who sold: a row that was kept without it has the supplier of its mode."""
    lists = {name: [_with_supplier(row, mode) for row in body.get(name, ())] for name in _LISTS if name in body}
    differences = [difference_as_read(found, mode) for found in body.get("discrepancies", ())]
    return {**body, **lists, **({"discrepancies": differences} if "discrepancies" in body else {})}


def difference_as_read(body: Mapping[str, Any], mode: Mode) -> Mapping[str, Any]:
    """A kept discrepancy whose side of ours says who sold, likewise."""
    return {**body, "ours": _with_supplier(body["ours"], mode)} if body.get("ours") else body


def _with_supplier(row: Mapping[str, Any], mode: Mode) -> Mapping[str, Any]:
    return row if "supplierId" in row else {**row, "supplierId": SUPPLIER_IDS[mode]}


def next_version(day: SettledDay, previous: Json | None) -> Json:
    """The day as it is kept and answered. It is `previous` itself when there is nothing new to write.

    What earlier runs healed stays listed: their sales are found ended by now.
    """
    fresh = _json(day)
    if previous is not None:
        known = {healed["transactionId"] for healed in fresh["healed"]}
        kept = [healed for healed in previous["healed"] if healed["transactionId"] not in known]
        fresh["healed"] = sorted([*fresh["healed"], *kept], key=lambda healed: healed["transactionId"])
        fresh = with_newer(fresh, previous)
        if fresh | {"version": previous["version"]} == previous:
            return previous
        fresh["version"] = previous["version"] + 1
    return fresh


def _json(day: SettledDay) -> Json:
    left_out = {"leftOut": dict(day.left_out)} if day.left_out else {}
    not_readable = {"notReadable": _rows(day.not_readable)} if day.not_readable else {}
    return {
        "day": day.day.isoformat(),
        "version": 1,
        "status": day.status.value,
        "file": day.file and _file(day.file),
        "matched": {"rows": day.matched.rows, "totalCents": day.matched.cents},
        "carriedOut": _rows(day.carried_out),
        "carriedIn": _rows(day.carried_in),
        "discrepancies": [found.row() for found in day.discrepancies],
        "conservation": [to_builtins(books) | {"residue": to_builtins(books.residue)} for books in day.conservation],
        "healed": _rows(day.healed),
        "open": _rows(day.open),
        "tokensToRecover": _rows(day.tokens_to_recover),
        **not_readable,
        **left_out,
    }


def _rows(rows: Iterable[Value]) -> list[Json]:
    return [to_builtins(row) for row in rows]


def _file(file: Summary) -> Json:
    """The file that was believed. `notes` only where there are any: days that were kept before they were taken stay the same."""
    notes = {"notes": _rows(file.notes)} if file.notes else {}
    return {"name": file.name, "sha256": file.sha256, "rows": file.all.rows, "totalCents": file.all.cents, **notes}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
