"""A business day's settlement, in its stored form: the findings, and the proof that every cent is explained. Pure."""

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

MAX_LISTED: Final = 1_000  # of each list: a day with all lists full stays below Firestore's 1 MiB


class Status(StrEnum):
    """How a day stands. `PROVISIONAL`: the next day's file may still bill what this day's does not."""

    PROVISIONAL = "provisional"
    BALANCED = "balanced"
    DISCREPANCIES = "discrepancies"
    FILE_MISSING = "file_missing"


ENDED: Final = frozenset({Status.BALANCED, Status.DISCREPANCIES})  # a day in one of these waits for no file


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
    """A line that proves a vend that our record lacks or denies. The run applies it as an answer of the supplier.

    A proof ends an open sale, and contradicts an ended one. `repr` hides the line: the line holds whole numbers.
    """

    _hidden = frozenset({"line"})

    transaction_id: str
    supplier_transaction_id: str
    token_due: bool
    ends_sale: bool
    line: StatementLine

    @property
    def receipt(self) -> Receipt:
        """The receipt that the line proves. A token that is due is still to be recovered."""
        return Receipt(
            supplier_transaction_id=self.supplier_transaction_id,
            tokens_due=TokensDue.PENDING if self.token_due else TokensDue.NONE,
            serial_number=self.line.serial_number or None,
        )


class VendIndication(Value, frozen=True, kw_only=True):
    """A line that names a sale and does not bill it: an indication of a vend, and no proof.

    After it, absence from the files proves nothing about a sale in doubt. It contradicts the end of any other sale (`is_of_doubt` is
    false). `repr` hides the line: the line holds whole numbers.
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
        """The rows and cents of the file that no term explains: zero in both."""
        ours = self.our_vended - self.carried_out + self.carried_in - self.missing_at_supplier
        theirs = self.missing_here + self.billed_though_rejected + self.extra_lines
        return self.file_successful - ours - theirs - self.differences


class SettledDay(Value, frozen=True, kw_only=True):
    """A day's comparison, frozen. The document of the day holds all but `signs`, `proofs`, `absent`, `strangers`, `reached`, `wanted`.

    The run records `signs`, `proofs` and `absent`, the ids of sales that may be rejected. `strangers` are lines that name no given sale.
    Where one names an older sale of ours, the run compares again with that sale and the files of its day. `reached` are days beyond the
    neighbours whose sales this day's file bills: the run settles them too. `wanted` are days whose files may strengthen absence: the run
    compares again with them. `left_out` counts the entries that a list leaves out, by the name of the list.
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
        """The day with people's decisions, by discrepancy id, and with the open discrepancies of earlier days.

        Discrepancies of this day that only newer code finds count as its own: this code cannot find them, and must not lose them.
        """
        own = tuple(structs.replace(found, status=decisions.get(found.id, found.status)) for found in self.discrepancies)
        carried = sorted((found for found in earlier if found.day < self.day), key=lambda found: (found.day, found.id))
        newer = [found for found in earlier if found.day == self.day and is_new_word(DiscrepancyKind, found.kind)]
        own = (*own, *sorted(newer, key=lambda found: found.id))
        status = ended_status(own) if self.status in ENDED else self.status
        return structs.replace(self, discrepancies=(*carried, *own), status=status)

    def listing(self, most: int) -> "SettledDay":
        """The day with at most `most` entries in each list, and with the gravest discrepancies. Its document stays small."""
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
    """The status of a day whose files have all arrived."""
    return Status.DISCREPANCIES if any(found.status == OPEN for found in discrepancies) else Status.BALANCED


Json = dict[str, Any]

_LISTS: Final = ("carriedOut", "carriedIn", "healed", "open", "tokensToRecover")  # whose rows are sales of ours


def day_as_read(body: Mapping[str, Any], mode: Mode) -> Mapping[str, Any]:
    """A stored day with a supplier in every row. Older code stored rows without one: they have the supplier of their mode."""
    lists = {name: [_with_supplier(row, mode) for row in body.get(name, ())] for name in _LISTS if name in body}
    differences = [difference_as_read(found, mode) for found in body.get("discrepancies", ())]
    return {**body, **lists, **({"discrepancies": differences} if "discrepancies" in body else {})}


def difference_as_read(body: Mapping[str, Any], mode: Mode) -> Mapping[str, Any]:
    """A stored discrepancy with a supplier in our side, likewise."""
    return {**body, "ours": _with_supplier(body["ours"], mode)} if body.get("ours") else body


def _with_supplier(row: Mapping[str, Any], mode: Mode) -> Mapping[str, Any]:
    return row if "supplierId" in row else {**row, "supplierId": SUPPLIER_IDS[mode]}


def next_version(day: SettledDay, previous: Json | None) -> Json:
    """The day as it is stored and answered. It is `previous` itself when nothing is new.

    Sales that earlier runs healed stay listed, although the comparison finds them ended.
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
    """The accepted file. `notes` is absent without notes: the days that older code stored stay the same."""
    notes = {"notes": _rows(file.notes)} if file.notes else {}
    return {"name": file.name, "sha256": file.sha256, "rows": file.all.rows, "totalCents": file.all.cents, **notes}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
