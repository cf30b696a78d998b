"""What a rejection may rest on where the vend itself was not answered, worked out from what the supplier said and filed."""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from shared.domain.clock import business_day
from shared.domain.transaction import State, Transaction
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import FILE_VAS_TYPES
from shared.settlement.runner import Settled
from tests.simulation.goods import id_on_record
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

# The contract's numbers, whatever the product's settings say.
MINIMUM_AGE: Final = timedelta(seconds=900)
RESOLVE_INTERVAL: Final = timedelta(seconds=60)
THEIR_ID, OUR_ID, STATUS = 4, 5, 7  # positions in a line
A_GUID: Final = 36  # characters
ONE_DAY: Final = timedelta(days=1)
NEAR: Final = timedelta(minutes=10)  # how far the supplier's clock may be from ours
AGED: Final = "aged by a wall clock that stepped between two processes"
LEFT_OUT: Final = "left out of files that bill all else"


def rejects_on_evidence(world: "World", sale: Transaction) -> None:
    """Without an answer to the vend itself, a rejection has its evidence, and never stands against a sign of a vend."""
    by = sale.history[-1].by
    if by not in ("reprint", "settlement"):
        return
    answered = any(raw.source == "vend" and raw.status is not None and 200 <= raw.status < 300 for raw in sale.answers)
    if sale.sign_of_vend or answered or sale.id in world.named:
        raise Violation("a rejection has its evidence", f"sale {sale.id[:6]} showed a sign of a vend")
    if by == "settlement":
        if (why := hole_in_the_files(world, sale)) is not None:
            raise Violation("a rejection has its evidence", f"sale {sale.id[:6]}: {why}")
        if sale.request_id in world.switch.by_request:  # all that can be known says that no line is missing, and one is
            world.breaches.setdefault(sale.request_id, LEFT_OUT)
    elif not _was_denied(world, sale):
        raise Violation(
            "a rejection has its evidence", f"sale {sale.id[:6]} was not denied twice, of age, a minute apart, beside a control"
        )


def signs_on_evidence(world: "World", before: Transaction, after: Transaction) -> None:
    """What settlement remembers of a sale in doubt stands in a file: whom nothing names, silence may still reject."""
    if after.sign_of_vend and not before.sign_of_vend and after.state is State.IN_DOUBT and after.history[-1].by == "settlement":
        rows = (row for content in world.shelf.ever.values() for row in _rows(content))
        if not any(row[OUR_ID].lower() == after.request_id for row in rows):
            raise Violation("a sign of a vend has its line", f"sale {after.id[:6]} is named by none")


def remember_who_was_named(world: "World", settled: Settled) -> None:
    """Whomever the files of days that are settled now name, in a line of whatever status, has shown a sign of a vend: earlier files too.

    But for a sale that only newer code can read: nothing can be put on its record, and its day is settled again.
    """
    for body in settled.days:
        if body["file"] is not None:
            for content in _valid_files(world, date.fromisoformat(body["day"])):
                for row in _rows(content):
                    sale_id = world.sale_of.get(row[OUR_ID].lower())
                    if sale_id is not None and sale_id not in world.newer_code.unread:
                        world.named.add(sale_id)


def lines_withdrawn_are_told(world: "World", settled: Settled) -> None:
    """A day that was settled with a file which lacks lines that an earlier one had says so, and no other does."""
    for body in settled.days:
        names = world.shelf.of_day(date.fromisoformat(body["day"]))
        if body["file"] is None or not names or world.shelf.hash_of(names[-1]) != body["file"]["sha256"]:
            continue
        told = any(found["kind"] == "lines_withdrawn" and found["day"] == body["day"] for found in body["discrepancies"])
        if not told and lost_lines(world, date.fromisoformat(body["day"])) is not None:
            raise Violation("lines that are withdrawn are told", body["day"])


def _rows(content: bytes) -> list[list[str]]:
    return [line.split("|") for line in content.decode().splitlines()[1:-1]]


def _is_valid(content: bytes) -> bool:
    lines = content.decode().splitlines()
    return lines[-1] == f"T|{len(lines)}"


def ends_with_a_valid_file(world: "World", day: date) -> bool:
    """Whether the last file of a day can be read, and counts its lines right."""
    names = world.shelf.of_day(day)
    return bool(names) and names[-1] not in world.shelf.unreadable and _is_valid(world.shelf.contents[names[-1]])


def _valid_files(world: "World", day: date) -> list[bytes]:
    """The valid files of a day that lie there and can be read, the last one last."""
    return [content for content in _files(world, day) if _is_valid(content)]


def _files(world: "World", day: date) -> list[bytes]:
    return [world.shelf.contents[name] for name in world.shelf.of_day(day) if name not in world.shelf.unreadable]


def _was_denied(world: "World", sale: Transaction) -> bool:
    """Twice, of age, beside a control: by the true time, or by the wall clock, where that has stepped between two processes."""
    of_age = (sale.send_ended_at or sale.lease_until) + MINIMUM_AGE
    found, service = world.switch.found, sale.order.vas_type
    truly_asked, asked = world.switch.asked_at.get(sale.request_id, (world.clock.true(sale.created_at), sale.created_at))
    # Whoever sent it may have died with what it knew of the clocks: then the claim's moment is all there is.
    asked = sale.created_at if sale.send_ended_at is None else max(asked, sale.created_at)
    denials = [one for one in world.switch.denied.get(sale.request_id, ()) if one.wall >= of_age and (service, one.sweep) in found]
    truly = [one for one in denials if one.at >= truly_asked + MINIMUM_AGE]
    if truly and truly[-1].at - truly[0].at >= RESOLVE_INTERVAL:
        return True
    by_the_wall = [one for one in denials if one.wall >= asked + MINIMUM_AGE]
    if not by_the_wall or by_the_wall[-1].wall - by_the_wall[0].wall < RESOLVE_INTERVAL:
        return False
    world.breaches.setdefault(sale.request_id, AGED)
    return True


def lost_lines(world: "World", day: date) -> str | None:
    """What the last file of a day has not and an earlier one had, where anybody could know; `None` where nothing is lost."""
    if not (files := _files(world, day)):
        return None
    last = _rows(files[-1])
    theirs, ours = {row[THEIR_ID].lower() for row in last}, {row[OUR_ID].lower() for row in last if len(row[OUR_ID]) == A_GUID}
    for content in _valid_files(world, day):
        if any(row[THEIR_ID].lower() not in theirs and row[OUR_ID].lower() not in ours for row in _rows(content)):
            return f"an earlier file of {day} had other lines"
    lying = {world.shelf.hash_of(name) for name in world.shelf.of_day(day)}
    versions = (paper.body for (_, paper_id), paper in world.store.papers.items() if paper_id.startswith(f"live-{day}-v"))
    for body in versions:
        if body["file"] is not None and body["file"]["sha256"] not in lying and body["file"]["rows"] > len(last):
            return f"a file of {day} that was overwritten had more lines"
    return None


def hole_in_the_files(world: "World", sale: Transaction) -> str | None:
    """Why the files' silence about a sale proves nothing; `None` where it does. What the product believes is not asked."""
    made, sent, days = sale.created_at, sale.send_ended_at or sale.lease_until, [sale.day, sale.day + ONE_DAY]
    if is_near_midnight(sale):
        days.insert(0, sale.day - ONE_DAY)
    for day in days:
        if (why := _hole_in_a_day(world, sale, day)) is not None:
            return why
    known_since = min(world.settling_since, default=world.clock.now)
    sales = [one for one in world.store.sales.values() if one.state is not State.REJECTED]
    vended = [one for one in sales if one.state is State.VENDED and _vended_at(one) <= known_since]
    bills = {one.id: _billed_on(world, one) for one in sales}  # of one in doubt, a bill proves that it was made
    for one in vended:
        is_exempt = one.day == days[-1] and business_day(one.created_at.replace(microsecond=0) + NEAR) > one.day
        in_time = [on for on in bills[one.id] if on <= one.day + ONE_DAY]
        if one.day in days and not in_time and not is_exempt:
            return f"sale {one.id[:6]} of {one.day} is billed nowhere, or late"
    if not any(one.created_at > sent and {sale.day, sale.day + ONE_DAY} & bills[one.id] for one in sales):
        return "nothing that was made later is billed"
    is_sold_before = any(one.day in days and one.created_at < made for one in vended)
    if is_sold_before and not any(one.created_at < made and bills[one.id] & {*days} for one in sales):
        return "nothing that was made before is billed there"
    return None


def has_control_around(world: "World", sale: Transaction) -> bool:
    """Whether each file that may bill a sale bills, by our id, a vended sale of the sale's day or its neighbours.

    Nobody looks up a line of another amount that names an older sale: such a line is no control, and the doubt stays a person's.
    """
    near = {one.request_id for one in world.store.sales.values() if one.state is not State.REJECTED and abs(one.day - sale.day) <= ONE_DAY}
    days = [sale.day, sale.day + ONE_DAY, *([sale.day - ONE_DAY] if is_near_midnight(sale) else [])]
    return all(
        any(row[OUR_ID].lower() in near and row[STATUS] == "Successful" for row in _rows(files[-1]))
        for day in days
        if (files := _files(world, day))
    )


def is_near_midnight(sale: Transaction) -> bool:
    """Whether it was made or sent ten minutes or less before or after."""
    moments = (at.replace(microsecond=0) for at in (sale.created_at, sale.send_ended_at or sale.lease_until))
    return any(business_day(at - NEAR - timedelta.resolution) != business_day(at + NEAR) for at in moments)


def _vended_at(sale: Transaction) -> datetime:
    return next(entry.at for entry in sale.history if entry.what == State.VENDED)


def _billed_on(world: "World", sale: Transaction) -> set[date]:
    """The days whose last files bill a sale, as far as a line names it."""
    held = id_on_record(sale)
    billed = set()
    for day in world.shelf.days():
        files = _files(world, day)
        for row in _rows(files[-1]) if files else ():
            is_named = row[OUR_ID].lower() == sale.request_id or held in (row[THEIR_ID].lower(), row[OUR_ID].lower())
            if is_named and row[STATUS] == "Successful":
                billed.add(day)
    return billed


def _hole_in_a_day(world: "World", sale: Transaction, day: date) -> str | None:
    files = _files(world, day)
    if world.shelf.hides_some_of(day):
        return f"a file of {day} cannot be read"
    if not files or not _is_valid(files[-1]):
        return f"the file of {day} never came"
    if business_day(world.clock.now) <= day:
        return f"{day} is not over"
    if (lost := lost_lines(world, day)) is not None:
        return lost
    if any(row[OUR_ID].lower() == sale.request_id for content in files[:-1] for row in _rows(content)):
        return f"an earlier file of {day} names it, believed or not"
    rows = _rows(files[-1])
    vended = {one.request_id for one in world.store.sales.values() if one.state is not State.REJECTED}
    if not any(row[OUR_ID].lower() in vended and row[STATUS] == "Successful" for row in rows):
        return f"the file of {day} bills nothing by our ids"
    held = {id_on_record(one) for one in world.store.sales.values()}
    for row in rows:
        is_second = len(world.switch.by_request.get(row[OUR_ID].lower(), ())) > 1 and row[THEIR_ID].lower() not in held
        names_a_sale = row[OUR_ID].lower() in world.sale_of or row[THEIR_ID].lower() in held or row[OUR_ID].lower() in held
        may_be_more = world.profile.fee_is_on_top and sale.order.vas_type is VasType.BILL_PAYMENT  # by a fee that nobody knows before
        is_alike = may_be_more or int(row[11]) == sale.order.amount.cents
        if FILE_VAS_TYPES[row[1]] is sale.order.vas_type and is_alike and (is_second or not names_a_sale):
            return f"the file of {day} has a line that may be its own"
    return None
