"""Years pass: personal data goes, sales become tombstones, and whoever comes back with an old key buys nothing.

Faults strike again meanwhile. What is still needed of a sale stays: there is a doubt that a person ends only years later.
"""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from shared.domain.clock import business_day
from shared.domain.closures import OPEN
from shared.domain.discrepancy import DiscrepancyKind
from shared.domain.transaction import Transaction
from shared.domain.vas import Mode, Order
from shared.ports.documents import Conflict, DocumentKind, StoreUnavailable
from shared.ports.settlement_files import FilesUnavailable
from shared.ports.transactions import LookupBy, SaleRetired
from shared.retention.erasure import Person
from shared.settlement.repository import day_marks
from tests.simulation import invariants, operators
from tests.simulation.files import lines_of
from tests.simulation.scheduler import Crashed
from tests.simulation.supplier_profile import NAMED_BY_OUR_ID
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.history import History

ONE_DAY: Final = timedelta(days=1)
MAX_RUNS: Final = 3
UNTIL: Final = timedelta(seconds=200)
EXPECTED: Final = (StoreUnavailable, FilesUnavailable, Conflict, Crashed)


def years_pass(world: "History") -> None:
    """A year passes, and then five; each time the runs come amid faults, and once more when all is calm."""
    world.saw("years pass")
    world.request("operator", lambda at: at.operating.pause((), "all is well", None, "operator"), _expected)
    _pass(world, 3 * world.pick(2))  # beside a doubt everything stays
    world.somebody_is_not_answered()
    vends = len(world.switch.vends)
    _pass(world, 401)
    world.saw("an open sale is old" if world.store.open else "no open sale is old")
    _storm(world)
    _everything_is_bare_that_nothing_needs(world)
    for sale in list(world.store.open.values()):
        operators.decide(world, sale)
        world.scheduler.run()
    world.sweep_now()
    _pass(world, 1)
    _run(world)
    world.scheduler.run()
    _everything_is_bare_that_nothing_needs(world)
    _pass(world, 1500)
    _storm(world)
    _everything_is_retired_that_nothing_needs(world)
    _no_key_is_free(world)
    if len(world.switch.vends) != vends:
        raise Violation("a key is never free", "something was sold years later")
    _a_bill_comes_years_later(world)
    invariants.one_vend_per_key(world)


def _pass(world: "History", days: int) -> None:
    for _ in range(days // 100 + 1):  # no clock is set by years at once
        world.clock.now += min(days, 100) * ONE_DAY
        days -= 100
    world.named_when_kept = _named_now(world)


def _named_now(world: "History") -> set[str]:
    """The sales that an open difference names."""
    papers = [paper.body for (kind, _), paper in world.store.papers.items() if kind is DocumentKind.DISCREPANCIES]
    named = [body for body in papers if body["status"] == OPEN]
    return {body["transactionId"] for body in named} | {(body["ours"] or {}).get("alsoHeldBy") for body in named}


def _storm(world: "History") -> None:
    """Runs that come twice, customers who come back, and an operator, while everything fails; then one run in the calm."""
    world.seeded_chance.storm()
    for _ in range(1 + world.pick(MAX_RUNS)):
        _run(world, world.pick(2) * 10.0)
    if world.pick(2):
        _settle(world, None)
    for shopper in world.shoppers[: 1 + world.pick(3)]:
        shopper.ask(world.pick(3) * 5.0)
    if numbers := [found for sale in world.store.sales.values() if (found := _person(sale.order)) is not None]:
        person = numbers[world.pick(len(numbers))]
        world.request("erasure", lambda at: at.erasing.erase_person(person, "asked for", "operator"), _expected)
    world.scheduler.run()
    world.seeded_chance.calm_down()
    _run(world)
    world.scheduler.run()


def _settle(world: "History", day: date | None) -> None:
    world.request("settle", lambda at: at.settling.settle(day, world.clock.now + UNTIL), _expected)


def _a_bill_comes_years_later(world: "History") -> None:
    """A line names a sale that is retired: it is one of a known sale, and no stranger's."""
    retired = [vend for vend in world.switch.vends if world.sale_of[vend.request_id] in world.store.tombstones]
    if world.profile.file_id not in NAMED_BY_OUR_ID or not retired or world.breaches:
        return
    world.saw("a bill comes years later")
    yesterday = business_day(world.clock.now) - ONE_DAY
    vend = retired[world.pick(len(retired))]
    vend.posted_days_later = (yesterday - business_day(vend.at)).days
    world.shelf.deliver(yesterday, lines_of(yesterday, world.switch.vends, world.profile.file_id), world.clock.now)
    _settle(world, yesterday)
    world.scheduler.run()
    body = world.store.papers[DocumentKind.SETTLEMENTS, f"{Mode.LIVE}-{yesterday}"].body
    told = {(found["kind"], found["transactionId"]) for found in body["discrepancies"] if found["day"] == body["day"]}
    if DiscrepancyKind.MISSING_HERE in {kind for kind, _ in told} or world.sale_of[vend.request_id] not in {named for _, named in told}:
        raise Violation("a retired sale is no stranger", f"{yesterday}: {sorted(map(str, told))}")


def _run(world: "History", after_seconds: float = 0.0) -> None:
    def ended(done: Any, error: Exception | None) -> None:
        _expected(done, error)
        if done is not None:
            world.seen["sales erased"] = world.seen.get("sales erased", 0) + done.erased
            world.seen["sales retired"] = world.seen.get("sales retired", 0) + done.retired

    until = world.clock.now + world.rules.latest_claim * 1000
    world.request("retention", lambda at: at.erasing.retaining.retain(until), ended, after_seconds)


def _person(order: Order) -> Person | None:
    numbers = zip(_KINDS, (order.meter_number, order.account_number, order.mobile_number), strict=True)
    return next((Person(by, number) for by, number in numbers if number is not None), None)


_KINDS: Final = (LookupBy.METER_NUMBER, LookupBy.ACCOUNT_NUMBER, LookupBy.MOBILE_NUMBER)


def _needed(world: "History", sale: Transaction, *, for_good: bool) -> bool:
    """Whether anything needs the sale: it is open, a difference names it or did, newer code wrote into it, or a day is compared with it."""
    named = world.named_when_kept | _named_now(world)  # a settlement amid the faults may find a difference, or end one
    if sale.open is not None or sale.id in named or sale.id in world.newer_code.documents:
        return True
    papers = world.store.papers.items()
    days = [paper.body for (kind, _), paper in papers if kind is DocumentKind.SETTLEMENTS and paper.mark == day_marks(Mode.LIVE)[0]]
    refusals = [paper.body["refusal"] for (kind, _), paper in papers if kind is DocumentKind.SETTLEMENTS and "refusal" in paper.body]
    held = [body["day"] for body in days if for_good or body["open"] or body.get("notReadable")] + [one["day"] for one in refusals]
    held += [one.day.isoformat() for one in world.store.open.values()]
    return any((sale.day + back * ONE_DAY).isoformat() in held for back in (-1, 0, 1))


def _everything_is_bare_that_nothing_needs(world: "History") -> None:
    for sale in world.store.sales.values():
        bare = sale.order.recipient is None and not any(answer.body for answer in sale.answers)
        if not bare and not _needed(world, sale, for_good=False):
            raise Violation("personal data goes when nothing needs it", f"sale {sale.id[:6]} is {sale.state}")


def _everything_is_retired_that_nothing_needs(world: "History") -> None:
    for sale in world.store.sales.values():
        if not _needed(world, sale, for_good=True):
            raise Violation("a sale is kept no longer than its retention", f"sale {sale.id[:6]} is {sale.state}")


def _no_key_is_free(world: "History") -> None:
    """Every customer comes back with the old key: nobody is sold anything, and who has no sale any more is told so."""

    def asked(key: str, sale_id: str) -> Any:
        def ended(_: Any, error: Exception | None) -> None:
            if sale_id in world.store.tombstones and not isinstance(error, SaleRetired):
                raise Violation("a retired key is told as such", f"{key} got {type(error).__name__}")
            world.saw("a key is retired")

        return ended

    for shopper in world.shoppers:
        if (answer := shopper.answer) is None:
            continue
        request = shopper.asked()
        if answer[1] not in world.store.tombstones and answer[1] not in world.store.sales:
            raise Violation("a key is never free", f"{shopper.key} has neither sale nor tombstone")
        world.request(f"old key {shopper.key}", lambda at, request=request: at.vending.purchase(request), asked(shopper.key, answer[1]))
        world.scheduler.run()


def _expected(_: Any, error: Exception | None) -> None:
    if error is not None and not isinstance(error, EXPECTED):
        raise Violation("nothing unforeseen is raised", f"retention: {type(error).__name__}: {error}") from error
