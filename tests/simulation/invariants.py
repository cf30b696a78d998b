"""The promises. Each is one function, and raises `Violation` where it does not hold."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from shared.domain.discrepancy import DiscrepancyKind
from shared.domain.outcome import Reason, Receipt, Rejected, TokensDue
from shared.domain.policy import ReprintBy
from shared.domain.sts_tokens import TokenKind
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import EventName, State, Transaction
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.requests import REPRINTED
from shared.ports.documents import DocumentKind
from shared.retention.rules import ERASED
from shared.settlement.repository import day_marks
from tests.simulation import evidence
from tests.simulation.files import billed_on
from tests.simulation.goods import Vend, id_on_record
from tests.simulation.supplier_profile import NAMED_BY_OUR_ID
from tests.simulation.topic import delivered
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

# The contract's numbers, whatever the product's settings say.
SEND_WINDOW: Final = timedelta(seconds=10)
FUNCTION_TIMEOUT: Final = timedelta(seconds=220)

ENDED: Final = (State.VENDED, State.REJECTED)


# As it happens


def claimed_before_sent(world: "World", request_id: str) -> None:
    """Whatever goes out was on record before, and goes out inside its send window."""
    if request_id not in world.sale_of:
        raise Violation("a request is on record before it is sent", "the supplier got a request id that no sale has")
    sale = world.store.sales[world.sale_of[request_id]]
    if world.clock.now - world.clock.true(sale.created_at) > SEND_WINDOW:
        raise Violation("nothing is sent after the send window", f"sale {sale.id[:6]}")
    if elders := world.behind.get(request_id):
        raise Violation("of two that look the same one is sold", f"sale {sale.id[:6]} came after {min(elders)[:6]}")


def begins_well(world: "World", sale: Transaction) -> None:
    """A sale is born in `vending` or `rejected`, and no other was claimed with its prevend."""
    if sale.state not in (State.VENDING, State.REJECTED):
        raise Violation("states are as designed", f"a sale was born {sale.state}")
    if sale.lease_until - sale.created_at < FUNCTION_TIMEOUT:
        raise Violation("a lease outlasts whoever holds it", f"sale {sale.id[:6]}")
    if sale.state is State.VENDING and (prevend_id := sale.supplier_prevend_id) is not None:
        if prevend_id in world.used_prevends:
            raise Violation("a prevend is bought once", f"sale {sale.id[:6]} came second")
        world.used_prevends.add(prevend_id)


def is_unfinished(sale: Transaction) -> bool:
    """It runs, is in doubt, or waits for a token."""
    return sale.state not in ENDED or sale.tokens_pending


def refuses_for_the_unfinished(world: "World", before: Transaction, after: Transaction) -> None:
    """A sale that was claimed is a possible duplicate only of one that was unfinished then, as far as this code can read."""
    refused = after.outcome
    if before.state is not State.VENDING or not isinstance(refused, Rejected) or refused.reason is not Reason.POSSIBLE_DUPLICATE:
        return
    elder = world.store.sales[refused.other_transaction_id or ""]
    if elder.id in world.newer_code.unread:
        return
    if not is_unfinished(elder) and world.finished.get(elder.id, world.clock.true(elder.created_at)) < world.clock.true(after.created_at):
        raise Violation("a sale that has ended stands in no other's way", f"sale {after.id[:6]} was refused for {elder.id[:6]}")


def moves_well(before: Transaction, after: Transaction) -> None:
    """Terminal states never change, and nothing that was known is forgotten."""
    if after.state is not before.state and after.state not in NEXT_AS_DESIGNED[before.state]:
        raise Violation("terminal states never change", f"sale {after.id[:6]}: {before.state} -> {after.state}")
    order = before.order if after.erased_at is None else without_numbers(before.order)
    same = (after.id, after.request_id, after.caller, after.idempotency_key, after.fingerprint, after.order, after.mode, after.created_at)
    if same != (
        before.id,
        before.request_id,
        before.caller,
        before.idempotency_key,
        before.fingerprint,
        order,
        before.mode,
        before.created_at,
    ):
        raise Violation("a sale stays the same sale", f"sale {after.id[:6]} became another")
    if after.version < before.version or len(after.history) < len(before.history) or (before.sign_of_vend and not after.sign_of_vend):
        raise Violation("nothing that was known is forgotten", f"sale {after.id[:6]} v{before.version} -> v{after.version}")
    if _went_back(before, after):
        raise Violation("moments on record never go back", f"sale {after.id[:6]} v{before.version} -> v{after.version}")
    known, now = before.receipt, after.receipt
    if known is not None and now is not known:
        if now is None or (known.supplier_transaction_id not in (None, now.supplier_transaction_id)):
            raise Violation("a receipt stays", f"sale {after.id[:6]} changed its supplier's id")
        if not {token.number for token in known.tokens} <= {token.number for token in now.tokens}:
            raise Violation("a receipt stays", f"sale {after.id[:6]} lost a token that was known")
        if known.tokens_due is TokensDue.DELIVERED and (now.tokens, now.pin) != (known.tokens, known.pin):
            raise Violation("a receipt stays", f"sale {after.id[:6]} changed its tokens")


def without_numbers(order: Order) -> Order:
    """An order that has lost to whom it went, and nothing else."""
    return structs.replace(order, meter_number=None, account_number=None, mobile_number=None)


def erases_well(world: "World", before: Transaction, after: Transaction) -> None:
    """Personal data goes from a sale that has ended and that no open difference names, and nothing else changes with it."""
    if len(after.history) == len(before.history) or after.history[-1].what != ERASED:
        return
    if before.open is not None or is_unfinished(before) or before.unannounced:
        raise Violation("an open sale keeps its data", f"sale {after.id[:6]} is {before.state}")
    if (after.version, after.updated_at, after.unannounced, after.open) != (before.version, before.updated_at, before.unannounced, None):
        raise Violation("an erasure is no visible change", f"sale {after.id[:6]} v{before.version} -> v{after.version}")
    if after.id in world.named_when_kept:
        raise Violation("a sale that an open difference names keeps its data", f"sale {after.id[:6]}")


def retires_well(world: "World", before: Transaction, tombstone: Tombstone) -> None:
    """Only what has ended is retired, and its tombstone says how."""
    if before.open is not None or is_unfinished(before) or before.id in world.named_when_kept:
        raise Violation("an open sale is not retired", f"sale {before.id[:6]} is {before.state}")
    if tombstone.state is not before.state or tombstone.fingerprint != before.fingerprint:
        raise Violation("a tombstone says what became of its sale", f"sale {before.id[:6]}")


def _went_back(before: Transaction, after: Transaction) -> bool:
    moments = [entry.at for entry in after.history[-3:]]
    sent = before.send_ended_at is not None and (after.send_ended_at is None or after.send_ended_at < before.send_ended_at)
    return after.updated_at < before.updated_at or moments != sorted(moments) or sent


NEXT_AS_DESIGNED: Final = {
    State.VENDING: (State.VENDED, State.REJECTED, State.IN_DOUBT),
    State.IN_DOUBT: (State.VENDED, State.REJECTED),
    State.VENDED: (),
    State.REJECTED: (),
}


def announces_what_is_on_record(world: "World", event: EventName, sale: Transaction) -> None:
    """Nothing is announced that is not on record, and no end as another one."""
    held = world.store.sales.get(sale.id)
    if held is None or held.version < sale.version or (sale.state in ENDED and held.state is not sale.state):
        raise Violation("nothing is announced before it is on record", f"{event} of sale {sale.id[:6]}")
    if (event is EventName.VENDED and sale.state is not State.VENDED) or (event is EventName.REJECTED and sale.state is not State.REJECTED):
        raise Violation("an end is never announced as something else", f"{event} of a sale that is {sale.state}")


def shows_the_suppliers_tokens(world: "World", sale: Transaction) -> None:
    """The tokens shown are those of the supplier's books, in their order."""
    receipt = sale.receipt
    if receipt is None or receipt.tokens_due is TokensDue.PENDING or sale.id in world.mistaken:
        return
    vends = world.switch.by_request.get(sale.request_id, [])
    if not any(_shows(receipt, vend) for vend in vends):
        raise Violation("tokens are the supplier's", f"sale {sale.id[:6]} shows {len(receipt.tokens)} tokens that are not what was sold")


def _shows(receipt: Receipt, vend: Vend) -> bool:
    if receipt.tokens:
        kinds = [token.kind for token in receipt.tokens]
        last = kinds[-1] in (TokenKind.CREDIT, TokenKind.OTHER) and TokenKind.CREDIT not in kinds[:-1]
        return last and tuple(token.number for token in receipt.tokens) == vend.tokens
    return vend.tokens == (() if receipt.pin is None else (receipt.pin,))


# Once faults have stopped


def _can_be_denied(world: "World", sale: Transaction) -> bool:
    """Whether 1003 would end a sale that was not sold. Where whoever heard the answer died, a reprint may tell of what is not on record."""
    return not sale.sign_of_vend and not world.switch.prints_as_undone(sale.request_id)


def ends_within_two_sweeps(world: "World") -> None:
    """With a reprint that works, two sweeps after the minimum age end every sale; one not sold needs a control known before them."""
    if not _reprint_works(world):
        return
    for sale in world.store.open.values():
        if sale.order.vas_type not in REPRINTED or sale.request_id in world.breaches:
            continue
        vends = world.switch.by_request.get(sale.request_id)
        if vends:
            if vends[0].visible_at > world.clock.now:
                continue
            if sale.state is not State.VENDED or (sale.tokens_pending and not world.profile.forgets_tokens):
                raise Violation("two sweeps end every sale", f"sale {sale.id[:6]} was sold, and is {sale.state}")
        elif sale.state is not State.IN_DOUBT or (_can_be_denied(world, sale) and sale.order.vas_type in world.controls):
            raise Violation("two sweeps end every sale", f"sale {sale.id[:6]} was not sold, and is {sale.state}")


def _reprint_works(world: "World") -> bool:
    return world.profile.reprint == "by our id" and not world.profile.mixes_up and world.settings.reprint_by is ReprintBy.REQUEST_ID


def _a_reprint_shows_tokens(world: "World", sale: Transaction) -> bool:
    """Whether it shows those of a vended sale whose id we hold."""
    profile, vends = world.profile, world.switch.by_request.get(sale.request_id, ())
    works = _reprint_works(world) or (profile.reprint == "by their id" and not profile.mixes_up)
    seen = sale.request_id not in world.breaches and all(vend.visible_at <= world.clock.now for vend in vends)
    return works and seen and sale.order.vas_type in REPRINTED and not profile.forgets_tokens


def controls(world: "World") -> set[VasType]:
    """The services of which every sale known to have vended is one that a reprint finds: whichever is asked for, it answers."""
    vended = [sale for sale in world.store.sales.values() if sale.state is State.VENDED]
    blind = {sale.order.vas_type for sale in vended if not _can_be_found(world, sale)}
    return {sale.order.vas_type for sale in vended} - blind


def _can_be_found(world: "World", sale: Transaction) -> bool:
    vends = world.switch.by_request.get(sale.request_id)
    if not vends or vends[0].visible_at > world.clock.now or sale.request_id in world.breaches:
        return False
    return sale.receipt is not None and sale.receipt.supplier_transaction_id is not None


def needs_files(world: "World") -> bool:
    """Whether an assumption was broken in a way that only the files can tell."""
    return bool(world.breaches)


def ends_with_the_files(world: "World") -> None:
    """True files end every sale that was made, and list whatever else is open. Their days balance."""
    by_our_id = world.profile.file_id in NAMED_BY_OUR_ID
    for sale in world.store.open.values():
        if sale.state is not State.VENDED and world.switch.by_request.get(sale.request_id) and by_our_id:
            raise Violation("the files end every sale that was made", f"sale {sale.id[:6]} is {sale.state}")
        if sale.tokens_pending and by_our_id and _a_reprint_shows_tokens(world, sale):
            raise Violation("tokens come once the files have named a sale", f"sale {sale.id[:6]} waits for them")
    whole_files_end_what_was_not_sold(world)
    what_is_open_is_on_a_list(world)
    listed = {body["day"]: {one["transactionId"] for one in body["open"]} for body in _days(world)}
    for sale in world.store.open.values():
        if sale.state not in ENDED and sale.id not in listed.get(sale.day.isoformat(), ()):
            raise Violation("a settled day lists what is open", f"sale {sale.id[:6]} is {sale.state}")
    for body in _days(world):
        for books in body["conservation"]:
            if books["residue"] != {"rows": 0, "cents": 0}:
                raise Violation("the sums conserve", f"{body['day']}: {books['residue']} left over")
        found_here = [found for found in body["discrepancies"] if found["day"] == body["day"]]
        own = {found["kind"] for found in found_here if found["status"] == "open"}
        day = date.fromisoformat(body["day"])
        is_late = any(billed_on(vend) == day and _is_posted_late(world, vend) for vend in world.switch.vends)
        excused = {DiscrepancyKind.LATE_POSTING} if is_late else set()
        if evidence.lost_lines(world, day) is not None:
            if not any(found["kind"] == DiscrepancyKind.LINES_WITHDRAWN for found in found_here):
                raise Violation("lines that are withdrawn are told", body["day"])
            excused.add(DiscrepancyKind.LINES_WITHDRAWN)
        if own - excused and by_our_id and not world.breaches:
            raise Violation("a true file has no discrepancy", f"{body['day']}: {min(own - excused)}")


def _is_posted_late(world: "World", vend: Vend) -> bool:
    """Whether it is billed more than a day from its sale's own."""
    return abs(billed_on(vend) - world.store.sales[world.sale_of[vend.request_id]].day) > timedelta(days=1)


def whole_files_end_what_was_not_sold(world: "World") -> None:
    """A doubt that never vended is ended by true files alone, with enough other sales in them: it is no person's.

    Unless a sale was made twice: the second line of that one may be anybody's.
    """
    if world.breaches:
        return
    for sale in world.store.open.values():
        is_silent = sale.state is State.IN_DOUBT and not sale.sign_of_vend and not world.switch.by_request.get(sale.request_id)
        if is_silent and evidence.hole_in_the_files(world, sale) is None and evidence.has_control_around(world, sale):
            raise Violation("whole files end what was not sold", f"sale {sale.id[:6]} is {sale.state}")


def closures_cover_what_was_seen(world: "World") -> None:
    """A difference that somebody has closed stays closed for as long as it is that one, and no longer."""
    for discrepancy_id, covered in list(world.closed.items()):
        body = world.store.papers[DocumentKind.DISCREPANCIES, f"live-{discrepancy_id}"].body
        is_same = covered == seen_of(body)
        if is_same is (body["status"] == "open"):
            raise Violation("a closure covers what was seen", f"{body['day']}: {body['kind']} is {body['status']}")
        if not is_same:
            del world.closed[discrepancy_id]


def seen_of(found: Mapping[str, Any]) -> tuple[object, ...]:
    """What a person sees of a discrepancy when deciding on it."""
    ours, theirs = found["ours"] or {}, found["theirs"] or {}
    names = ("supplierTransactionId", "amountCents", "status", "recipient", "rows")
    return ours.get("state"), ours.get("amountCents"), *(theirs.get(name) for name in names)


def what_is_open_is_on_a_list(world: "World") -> None:
    """Whatever is still open is a person's to see: announced as such, or listed in a settled day."""
    listed = {one["transactionId"] for body in _days(world) for one in (*body["open"], *body["tokensToRecover"])}
    for sale in world.store.open.values():
        undone = sale.state not in ENDED or sale.tokens_pending
        if undone and not sale.review_announced and sale.id not in listed:
            raise Violation("what is open is on a person's list", f"sale {sale.id[:6]} is {sale.state} and on none")


# At the end


def one_vend_per_key(world: "World") -> None:
    """At most one vend per mode, caller and idempotency key."""
    first: dict[str, Vend] = {}
    for vend in world.switch.vends:
        sale_id = world.sale_of[vend.request_id]
        if sale_id in first and vend.request_id not in world.breaches:
            raise Violation("at most one vend per key", f"sale {sale_id[:6]} was sold twice")
        first[sale_id] = vend


def every_vend_is_on_record(world: "World") -> None:
    """Every vend in the supplier's books is vended in ours, or contradicts ours aloud."""
    for vend in world.switch.vends:
        sale = world.store.sales[world.sale_of[vend.request_id]]
        if sale.state is State.VENDED and sale.receipt is not None:
            twice = id_on_record(sale) not in (None, vend.supplier_id)
            if not twice:
                continue
        if sale.state not in ENDED:
            raise Violation("every vend is on record", f"sale {sale.id[:6]} was sold, and is {sale.state}")
        if vend.request_id not in world.breaches:
            raise Violation("nothing is rejected that was vended", f"sale {sale.id[:6]} is {sale.state}")
        _is_loud(world, sale, vend)


def _is_loud(world: "World", sale: Transaction, vend: Vend) -> None:
    """Where an assumption was broken, it is never silent: a critical discrepancy, and where it is known of which sale, an event."""
    bodies = [paper.body for (kind, _), paper in world.store.papers.items() if kind is DocumentKind.DISCREPANCIES]
    critical = [body for body in bodies if body["severity"] == "critical" and body["kind"] != DiscrepancyKind.AMOUNT_DIFFERS]
    if any(body["transactionId"] == sale.id and body["kind"] != DiscrepancyKind.DUPLICATE_LINE for body in critical):  # that is of one vend
        if not any(message.sale_id == sale.id and message.event is EventName.CONTRADICTED for message in world.topic.messages):
            raise Violation("a contradiction is announced", f"sale {sale.id[:6]}")
        return
    named = [
        body
        for body in critical
        if body["kind"] == DiscrepancyKind.MISSING_HERE and body["theirs"]["supplierTransactionId"].lower() == vend.supplier_id
    ]
    if not named or world.profile.file_id in NAMED_BY_OUR_ID:
        raise Violation("a broken assumption is never silent", f"sale {sale.id[:6]}: {world.breaches[vend.request_id]}")


def nothing_is_vended_that_was_not(world: "World") -> None:
    """What we call vended is in the supplier's books."""
    for sale in world.store.sales.values():
        if sale.state is State.VENDED:
            if not world.switch.by_request.get(sale.request_id):
                raise Violation("nothing is vended that was not sold", f"sale {sale.id[:6]}")
            shows_the_suppliers_tokens(world, sale)


def nothing_is_doubled_that_was_sold_once(world: "World") -> None:
    """A second vend of a sale is told only where the supplier's books have one."""
    for sale in world.store.sales.values():
        doubled = any(
            entry.what == EventName.CONTRADICTED and (entry.note or "").startswith(DiscrepancyKind.VENDED_TWICE) for entry in sale.history
        )
        if doubled and len(world.switch.by_request.get(sale.request_id, ())) < 2:
            raise Violation("nothing is told as vended twice that was sold once", f"sale {sale.id[:6]}")


def no_token_is_lost(world: "World") -> None:
    """Every token that a reprint has shown is on the receipt, or kept in a raw answer beside a contradiction."""
    for request_id, tokens in world.switch.told.items():
        sale = world.store.sales[world.sale_of[request_id]]
        receipt = sale.receipt
        shown = set() if receipt is None else {receipt.pin, *(token.number for token in receipt.tokens)}
        kept = b"".join(answer.body for answer in sale.answers)
        for token in tokens - shown:
            if token.encode() not in kept or not sale.contradicted_at:
                raise Violation("no token that the supplier has issued is lost", f"sale {sale.id[:6]} is {sale.state}")


def everything_has_ended(world: "World") -> None:
    """Once people have decided, nothing is open."""
    for sale in world.store.sales.values():
        if sale.state not in ENDED or sale.tokens_pending or sale.unannounced:
            raise Violation("every sale ends", f"sale {sale.id[:6]} is {sale.state}, unannounced {len(sale.unannounced)}")
    if world.store.open:
        raise Violation("every sale ends", "an ended sale is still in the sweep's index")


def answers_stand(world: "World") -> None:
    """What a caller was told is what is on record."""
    for shopper in world.shoppers:
        if (answer := shopper.answer) is not None and world.store.sales[answer[1]].state is not answer[0]:
            raise Violation("answers to one key never contradict each other", f"{shopper.key} was told {answer[0]}")


def every_end_is_announced(world: "World") -> None:
    """Every end, and every token that came later, is announced at least once; wallets come to the same end as the records."""
    said = {(message.sale_id, message.event) for message in world.topic.messages}
    wallets = delivered(world.topic.messages, world.rng)
    for sale in world.store.sales.values():
        event = EventName.VENDED if sale.state is State.VENDED else EventName.REJECTED
        if (sale.id, event) not in said:
            raise Violation("every end is announced", f"sale {sale.id[:6]} is {sale.state}")
        if (sale.id, EventName.REJECTED if sale.state is State.VENDED else EventName.VENDED) in said:
            raise Violation("an end is never announced as something else", f"sale {sale.id[:6]} is {sale.state}")
        if wallets.states[sale.id] is not sale.state:
            raise Violation("wallets come to the same end", f"sale {sale.id[:6]} is {sale.state}, a wallet says {wallets.states[sale.id]}")
        contradicted = sum(entry.what == EventName.CONTRADICTED for entry in sale.history)
        if contradicted and (heard := wallets.contradicted.count(sale.id)) != contradicted:
            raise Violation("wallets hear of every contradiction", f"sale {sale.id[:6]} has {contradicted}, a wallet heard of {heard}")
    for sale_id in world.recovered:
        if (sale_id, EventName.TOKENS) not in said:
            raise Violation("recovered tokens are announced", f"sale {sale_id[:6]}")


def the_sums_conserve(world: "World") -> None:
    """Vended, rejected and open are together what was asked for."""
    cents = dict.fromkeys(State, 0)
    for sale in world.store.sales.values():
        cents[sale.state] += sale.order.amount.cents
    if sum(cents.values()) != world.requested_cents:
        raise Violation("the sums conserve", f"{world.requested_cents} cents were asked for, {sum(cents.values())} are on record")
    sold = {world.sale_of[vend.request_id] for vend in world.switch.vends if vend.request_id not in world.breaches}
    billed = sum(world.store.sales[sale_id].order.amount.cents for sale_id in sorted(sold))
    ours = sum(sale.order.amount.cents for sale in world.store.sales.values() if sale.state is State.VENDED and sale.id in sold)
    if billed != ours:
        raise Violation("the sums conserve", f"the supplier bills {billed} cents, we say {ours}")


def newer_code_finds_what_it_wrote(world: "World") -> None:
    """What this code does not know of a record stays in it."""
    world.newer_code.finds_all_that_it_wrote()


AT_THE_END: Final = (
    one_vend_per_key,
    every_vend_is_on_record,
    nothing_is_vended_that_was_not,
    nothing_is_doubled_that_was_sold_once,
    no_token_is_lost,
    everything_has_ended,
    answers_stand,
    every_end_is_announced,
    the_sums_conserve,
    newer_code_finds_what_it_wrote,
)


def one_file_costs_its_own_day(world: "World", bad: date, before: Mapping[str, Mapping[str, Any]]) -> None:
    """A day whose file cannot be read stays as it was before the run, and every other is settled with its own."""
    after = settled_days(world)
    if after.get(bad.isoformat()) != before.get(bad.isoformat()):
        raise Violation("a day is not settled without a file that cannot be read", bad.isoformat())
    for day in sorted(world.shelf.days() - {bad}):
        if not evidence.ends_with_a_valid_file(world, day):  # it is refused for itself
            continue
        name = day.isoformat()
        beside_one_believed = abs(day - bad) <= timedelta(days=1) and name in before
        if not beside_one_believed and (name not in after or after[name]["file"] is None):
            raise Violation("a file that cannot be read costs its own day alone", name)


def settled_days(world: "World") -> dict[str, Mapping[str, Any]]:
    """The settled days as they stand, by their names."""
    return {body["day"]: body for body in _days(world)}


def _days(world: "World") -> list[dict]:
    """The settled days as they stand."""
    papers, marks = world.store.papers.items(), day_marks(Mode.LIVE)
    return [paper.body for (kind, _), paper in papers if kind is DocumentKind.SETTLEMENTS and paper.mark in marks]
