"""Sales and lines of one day, and their comparison."""

import uuid
from datetime import UTC, date, datetime, timedelta

from msgspec import structs

from shared.domain.clock import business_day
from shared.domain.sale_summary import Sold
from shared.domain.statement import Total
from shared.domain.transaction import State
from shared.domain.vas import Mode, VasType
from shared.mobilemart.settlement_file import SettlementFile
from shared.mobilemart.settlement_writer import detail, written
from shared.settlement.comparison import compare
from shared.settlement.matching import FileInterpretation

ONE_DAY = timedelta(days=1)
DAY = date(2026, 5, 4)
BEFORE, NEXT = DAY - ONE_DAY, DAY + ONE_DAY
TODAY = DAY + 2 * ONE_DAY
NOON = datetime(2026, 5, 4, 10, tzinfo=UTC)
MIDNIGHT = datetime(2026, 5, 3, 22, tzinfo=UTC)  # where DAY begins in South Africa
METER, OTHER_METER = "12345678901", "12345678902"
GUID = "ffffffff-0000-4000-8000-00000000000f"


def sale(name, **fields):
    """A vended sale of DAY; `name` makes all its ids."""
    made_at = fields.pop("created_at", NOON)
    known = {
        "id": f"{name}-sale",
        "request_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} request")),
        "state": State.VENDED,
        "amount_cents": 10_000,
        "vas_type": VasType.UTILITY,
        "recipient": METER,
        "supplier_transaction_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} supplier")),
        "day": business_day(made_at),
        "created_at": made_at,
        "sent_by": made_at,
        "sign_of_vend": True,
        "token_due": False,
        "fee_cents": 0,
    }
    return Sold(**(known | fields))


def doubtful(name, **fields):
    return sale(name, **({"state": State.IN_DOUBT, "supplier_transaction_id": None, "sign_of_vend": False, "token_due": True} | fields))


def line(sold, **changes):
    """The truthful line of a sale, independent of our record."""
    name = sold.id.removesuffix("-sale")
    truthful = detail(
        service=sold.vas_type,
        transaction_id=sold.supplier_transaction_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} supplier")),
        merchant_id=sold.request_id,
        at=sold.created_at,
        cents=sold.amount_cents,
        recipient=sold.recipient or "",
    )
    return truthful._replace(**changes)


def settled(sold, files, *, day=DAY, today=TODAY, **readings):
    """`files`: the lines of each day."""
    read = [SettlementFile(written(of, lines), name=f"{of}.txt") for of, lines in files.items()]
    return compare(day, sold, read, mode=Mode.LIVE, today=today, readings=FileInterpretation(**readings))


def closed(sold, lines, **changes):
    """The day with its file and the next day's, which is empty."""
    return settled(sold, {DAY: lines, NEXT: []}, **changes)


def kinds(result):
    return [found.kind for found in result.discrepancies]


def is_conserved(result):
    return all(books.residue == Total() for books in result.conservation)


A, B = sale("a"), sale("b", recipient=OTHER_METER)

CONTROLS = {BEFORE: sale("before", created_at=NOON - ONE_DAY), DAY: A, NEXT: sale("next", created_at=NOON + ONE_DAY)}
SILENT = doubtful("silent", recipient=OTHER_METER)


def absent(doubt=SILENT, files=None, others=(), today=TODAY, **readings):
    files = {day: [line(control)] for day, control in CONTROLS.items()} if files is None else files
    result = settled([*CONTROLS.values(), doubt, *others], files, today=today, **readings)
    assert is_conserved(result)
    return doubt.id in result.absent


def with_files(**changes):
    """The three complete files, with lines added (`day`), or taken away (`without_day=True`)."""
    names = {"before": BEFORE, "day": DAY, "next": NEXT}
    files = {day: [line(control)] for day, control in CONTROLS.items()}
    for name, more in changes.items():
        day = names[name.removeprefix("no_")]
        if name.startswith("no_"):
            del files[day]
        else:
            files[day] = more(files[day])
    return files


def recorded(sold, result):
    """Our sales once the proofs and the absence are on record."""
    vended = {proof.transaction_id: proof for proof in result.proofs if proof.ends_sale}
    for one in sold:
        if proof := vended.get(one.id):
            yield structs.replace(one, state=State.VENDED, supplier_transaction_id=proof.supplier_transaction_id, sign_of_vend=True)
        elif one.id in result.absent:
            yield structs.replace(one, state=State.REJECTED)
        else:
            yield one
