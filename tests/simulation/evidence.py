"""What a rejection may rest on where the vend itself was not answered, worked out from what the supplier said and filed."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from shared.mobilemart.settlement_file import FILE_VAS_TYPES
from shared.settling import Settled
from shared.transaction import State, Transaction
from tests.simulation.goods import id_on_record
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

# The contract's numbers, whatever the product's settings say.
MINIMUM_AGE: Final = timedelta(seconds=900)
RESOLVE_INTERVAL: Final = timedelta(seconds=60)
OUR_ID: Final = 5  # the position in a line, after its "D"


def rejects_on_evidence(world: "World", sale: Transaction) -> None:
    """Without an answer to the vend itself, a rejection has its evidence, and never stands against a sign of a vend."""
    by = sale.history[-1].by
    if by not in ("reprint", "settlement"):
        return
    if sale.sign_of_vend or sale.id in world.named:
        raise Violation("a rejection has its evidence", f"sale {sale.id[:6]} showed a sign of a vend")
    if by == "settlement":
        if (why := _hole_in_the_files(world, sale)) is not None:
            raise Violation("a rejection has its evidence", f"sale {sale.id[:6]}: {why}")
    elif not _was_denied(world, sale):
        raise Violation(
            "a rejection has its evidence", f"sale {sale.id[:6]} was not denied twice, of age, a minute apart, beside a control"
        )


def signs_on_evidence(world: "World", before: Transaction, after: Transaction) -> None:
    """What settlement remembers of a sale in doubt stands in a file: whom nothing names, silence may still reject."""
    if after.sign_of_vend and not before.sign_of_vend and after.state is State.IN_DOUBT and after.history[-1].by == "settlement":
        rows = (row for content in world.shelf.contents.values() for row in _rows(content))
        if not any(row[OUR_ID].lower() == after.request_id for row in rows):
            raise Violation("a sign of a vend has its line", f"sale {after.id[:6]} is named by none")


def remember_who_was_named(world: "World", settled: Settled) -> None:
    """Whomever the files of days that are settled now name, in a line of whatever status, has shown a sign of a vend."""
    for body in settled.days:
        if body["file"] is not None:
            for row in _rows(world.shelf.contents[body["file"]["name"]]):
                if (sale_id := world.sale_of.get(row[OUR_ID].lower())) is not None:
                    world.named.add(sale_id)


def _rows(content: bytes) -> list[list[str]]:
    return [line.split("|") for line in content.decode().splitlines()[1:-1]]


def _was_denied(world: "World", sale: Transaction) -> bool:
    of_age = (sale.send_ended_at or sale.lease_until) + MINIMUM_AGE
    found, service = world.switch.found, sale.order.vas_type
    denied = [at for at, sweep in world.switch.denied.get(sale.request_id, ()) if at >= of_age and (service, sweep) in found]
    return bool(denied) and denied[-1] - denied[0] >= RESOLVE_INTERVAL


def _hole_in_the_files(world: "World", sale: Transaction) -> str | None:
    """Why the files' silence about a sale proves nothing; `None` where it does."""
    held = {id_on_record(one) for one in world.store.sales.values()}
    for day in (sale.day, sale.day + timedelta(days=1)):
        files = [content for content in world.shelf.contents.values() if content.startswith(f"H|1|{day:%Y%m%d}".encode())]
        if not files:
            return f"the file of {day} never came"
        rows = _rows(files[-1])
        if not any(row[OUR_ID].lower() in world.sale_of for row in rows):
            return f"the file of {day} bills nothing by our ids"
        for row in rows:
            ours = row[OUR_ID].lower() in world.sale_of or row[4].lower() in held or row[OUR_ID].lower() in held
            if FILE_VAS_TYPES[row[1]] is sale.order.vas_type and int(row[11]) == sale.order.amount.cents and not ours:
                return f"the file of {day} has a line that may be its own"
    return None
