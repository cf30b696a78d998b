"""People: they ask the supplier by telephone, and put down what is true."""

from typing import TYPE_CHECKING, Any

from msgspec import structs

from shared.domain.transaction import State, Transaction
from shared.ports.documents import DocumentKind, StoreUnavailable
from shared.vending.operator_actions import Decision, NothingToDecide, VersionConflict
from tests.simulation.invariants import seen_of
from tests.simulation.scheduler import Crashed
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

EXPECTED = (StoreUnavailable, VersionConflict, NothingToDecide, Crashed)


def decision(world: "World", sale: Transaction) -> Decision:
    """What is true of the sale, as a person would put it down."""
    vends = world.switch.by_request.get(sale.request_id)
    if not vends and sale.state is not State.VENDED:
        return Decision(version=sale.version, state=State.REJECTED, tokens=None, note="the supplier knows nothing of it")
    held = sale.receipt.supplier_transaction_id if sale.receipt is not None else None
    asked_for = [vend for vend in vends or () if held is not None and vend.supplier_id == held.lower()]  # of several, the one on record
    tokens = next((vend.tokens for vend in (*asked_for, *(vends or ()))), ())
    brings = sale.order.pinned or sale.order.vas_type in ("utility", "voucher")
    state = None if sale.state is State.VENDED else State.VENDED
    return Decision(version=sale.version, state=state, tokens=tokens if brings else None, note="read out by telephone")


def mistaken(world: "World", sale: Transaction) -> Decision:
    """What a person puts down who has misread it: that nothing is due, or another number."""
    world.mistaken.add(sale.id)
    true, wrong = decision(world, sale), "9" * (20 if sale.order.vas_type == "utility" else 14)
    return structs.replace(true, tokens=() if world.pick(2) or not true.tokens else (wrong,), note="misread")


def decide(world: "World", sale: Transaction, *, may_err: bool = False) -> None:
    """Have a person decide on a sale that awaits it."""

    def ended(_: Any, error: Exception | None) -> None:
        if error is not None and not isinstance(error, EXPECTED):
            raise Violation("nothing unforeseen is raised", f"operator: {type(error).__name__}: {error}") from error

    made = mistaken(world, sale) if may_err and world.pick(2) else decision(world, sale)
    world.request(f"operator {sale.id[:6]}", lambda at: at.operating.resolve(sale, made, "operator"), ended)


def close_differences(world: "World") -> None:
    """Have a person accept some of the differences that are open."""
    papers = [paper.body for (kind, _), paper in world.store.papers.items() if kind is DocumentKind.DISCREPANCIES]
    for body in [body for body in papers if body["status"] == "open" and "source" not in (body["theirs"] or {})]:
        if world.pick(4):
            _close(world, body["id"])


def _close(world: "World", discrepancy_id: str) -> None:
    def ended(closed: Any, error: Exception | None) -> None:
        if error is None:
            world.saw("people close")
            world.closed[discrepancy_id] = seen_of(closed)

    world.request("operator", lambda at: at.closing.close(discrepancy_id, "accepted", "one cent", "operator"), ended)
