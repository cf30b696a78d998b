"""The world of one history: the product's processes, everything around them, and the calm after the storm."""

from collections.abc import Callable, Coroutine
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from random import Random
from typing import Any, Final

from shared.domain.clock import business_day
from shared.domain.identifiers import Caller
from shared.domain.policy import VendingPolicy
from shared.domain.tombstone import Tombstone
from shared.domain.transaction import EventName, State, Transaction
from shared.domain.vas import Mode, VasType
from shared.mobilemart.client import Settings
from shared.ports.documents import StoreUnavailable
from shared.ports.settlement_files import FilesUnavailable
from shared.retention.erasure import Erasing
from shared.retention.rules import Retention
from shared.settlement.closing import Closing
from shared.settlement.matching import FileInterpretation
from shared.settlement.runner import NoBusinessDay, Settled, Settling
from shared.vending.circuit_breaker import CircuitBreaker
from shared.vending.operator_actions import Operating
from shared.vending.purchasing import Vending
from shared.vending.recorder import Recorder
from shared.vending.sweep import Sweeping
from tests.file_forms import Form
from tests.simulation import evidence, invariants, operators
from tests.simulation.callers import Shopper
from tests.simulation.client import BASE_URL, Client
from tests.simulation.files import FORMS, Shelf, billed_on, lines_of, of_nobody
from tests.simulation.goods import Vend, id_on_record
from tests.simulation.newer_code import NewerCode
from tests.simulation.scheduler import Chance, Clock, Crashed, Each, Scheduler, Task
from tests.simulation.store import Store, Watch
from tests.simulation.supplier_profile import SupplierProfile
from tests.simulation.switch import Switch
from tests.simulation.topic import Topic
from tests.simulation.trace import Trace
from tests.simulation.violation import Violation

MODE: Final = Mode.LIVE
ONE_DAY: Final = timedelta(days=1)
UNTIL: Final = timedelta(seconds=200)
RECONCILING: Final = (StoreUnavailable, FilesUnavailable, NoBusinessDay, Crashed)
ENOUGH: Final = timedelta(seconds=900 + 600 + 3600 + 1)  # the minimum age, what reprints may lag behind, and the longest wait for a retry
PERSONS_TURN: Final = timedelta(hours=61)  # a bit more than `REVIEW_AFTER_SECONDS`
ENDED_BY: Final = {"settlement": "files", "reprint": "a reprint", "supplier": "an answer that came late"}
RULES: Final = VendingPolicy(mode=MODE)
RETENTION: Final = Retention(days=1826, personal_data_days=400)
"""The product's settings, as deployed."""


class Instance:
    """A process of the product: its client and its brake are its own, all else it shares. What it is not asked for, it never makes."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name

    def restart(self) -> None:
        """Begin again, with nothing in memory."""
        world, name = self.world, self.name
        vars(self).clear()
        self.world, self.name = world, name

    @cached_property
    def recorder(self) -> Recorder:
        world = self.world
        ports: dict[str, Any] = {"store": world.store, "events": world.topic}
        return Recorder(**ports, rules=world.rules, now=world.clock.read, new_id=world.new_id, monotonic=world.ticks)

    @cached_property
    def supplier(self) -> Client:
        return Client(self.world.switch, self.world.settings, self.world.clock)

    @cached_property
    def brake(self) -> CircuitBreaker:
        return CircuitBreaker(self.world.store, MODE, self.world.clock.read)

    @cached_property
    def vending(self) -> Vending:
        return Vending(recorder=self.recorder, supplier=self.supplier, brake=self.brake)

    def sweeping(self, number: int) -> Sweeping:
        supplier = self.supplier.in_sweep(number)
        return Sweeping(recorder=self.recorder, supplier=supplier, store=self.world.store, each=self.world.each)

    @cached_property
    def settling(self) -> Settling:
        readings, world = FileInterpretation(fee_is_on_top=self.world.profile.fee_is_on_top), self.world
        return Settling(recorder=self.recorder, store=world.store, files=world.shelf, each=world.each, readings=readings)

    @cached_property
    def erasing(self) -> Erasing:
        return Erasing(recorder=self.recorder, store=self.world.store, each=self.world.each, retention=RETENTION)

    @cached_property
    def operating(self) -> Operating:
        return Operating(recorder=self.recorder, store=self.world.store, brake=self.brake)

    @cached_property
    def closing(self) -> Closing:
        return Closing(store=self.world.store, mode=MODE, now=self.world.clock.read)


class World:
    """Everything there is in one history. What happens in it first is a subclass's to say."""

    def __init__(self, rng: Random, chance: Chance, profile: SupplierProfile, start: datetime, trace: Trace | None = None) -> None:
        self.rng = rng
        self.trace = trace
        self.calm = False
        self.chance = chance
        self.profile = profile
        self.pick = chance.pick
        self.clock = Clock(start)
        self.first_day = business_day(start)
        self.breaches: dict[str, str] = {}  # by request id: which assumption of the promise was broken for it
        self.seen: dict[str, int] = {}
        self.sale_of: dict[str, str] = {}  # by request id
        self.once: set[tuple[Caller, str, str]] = set()  # caller, key and fingerprint of those who do not want a duplicate
        self.behind: dict[str, set[str]] = {}  # by request id of such a sale: those that look the same, were claimed before, and are open
        self.finished: dict[str, datetime] = {}  # when a sale ended, with all that was due
        self.closed: dict[str, tuple[object, ...]] = {}  # by discrepancy: what was seen when it was closed
        self.settling_since: list[datetime] = []  # when the runs that settle now began
        self.named_when_kept: set[str] = set()  # sales that open differences name while years pass
        self.named: set[str] = set()  # sales that a line named, of a file with which its day was settled
        self.requested_cents = 0
        self.used_prevends: set[str] = set()
        self.mistaken: set[str] = set()  # sales of which a person may have put down what is not true
        self.recovered: list[str] = []  # sales whose tokens came after their end
        self.controls: set[VasType] = set()
        self.shoppers: list[Shopper] = []
        self.scheduler = Scheduler(self.clock, chance, trace, _restarted)
        self.switch = Switch(
            self.clock, profile, self.breaches, self.seen, self._asked, self._may_name, self._lacks_the_last, self._is_held
        )
        self.newer_code = NewerCode(Random(0), self.saw)
        watch = Watch(self._created, self._advanced, self._retired, self._land_later)
        self.store = Store(self.clock.read, watch, self.newer_code, older_index=profile.older_index)
        self.topic = Topic(self._published)
        self.shelf = Shelf()
        self.each = Each(chance)
        self.rules = RULES
        self.settings = Settings(base_url=BASE_URL, mode=MODE, reprint_by=profile.reprint_by, amount_check=profile.amount_check)
        self.sweeps = 0
        self._ids = 0
        self.instances = [Instance(self, f"instance {number}") for number in (1, 2)]

    def run(self) -> None:
        """Live through it.

        Raises:
            Violation: a promise did not hold.
        """
        self.storm()
        self._calm_down()
        self.aftermath()
        for invariant in invariants.AT_THE_END:
            invariant(self)
        self.years_pass()

    def storm(self) -> None:
        """People come, and faults strike."""
        raise NotImplementedError

    def aftermath(self) -> None:
        """Time passes without faults, until everything has ended."""
        raise NotImplementedError

    def years_pass(self) -> None:
        """What becomes of old sales. Mostly nothing is played of it."""

    def ticks(self) -> float:
        """The monotonic clock, as whoever goes on now reads it."""
        task = self.scheduler.current
        return self.clock.ticks(task.frozen_seconds if task is not None else 0.0)

    def new_id(self) -> str:
        self._ids += 1
        return _numbered(self._ids)

    def request(
        self,
        name: str,
        make: Callable[[Instance], Coroutine[Any, Any, Any]],
        on_end: Callable[[Any, Exception | None], None],
        after_seconds: float = 0.0,
    ) -> None:
        """Send a request to one of the instances, now or later."""
        instance = self.instances[self.pick(len(self.instances))]
        self.scheduler.start(Task(name, instance, make, on_end), after_seconds)

    def say(self, what: str) -> None:
        """For whoever reads the replay."""
        if self.trace is not None:
            self.trace.say(self.clock.now, "--", what)

    def _calm_down(self) -> None:
        """Faults stop, and whoever has no answer comes back."""
        self.calm = True
        self.chance.calm_down()
        self.clock.calm_down()
        self.profile.calm_down()
        self.say("calm")
        self.newer_code.is_back(self.store)
        for shopper in self.shoppers:
            if shopper.answer is None:
                shopper.ask()
        self.scheduler.run()

    def newer_code_writes(self, after_seconds: float) -> None:
        """A newer version, of which an instance runs too, writes into a sale."""

        async def written() -> None:
            self.newer_code.write(self.store)

        self.scheduler.start(Task("newer code", None, lambda _: written(), _ignored), after_seconds)

    def sweep(self, after_seconds: float = 0.0, *, twice: bool = False, idle: bool = False) -> None:
        """Scheduler's minute has come, or it has come twice. Where nothing is open, it is played only if it may be `idle`."""

        def swept(at: Instance) -> Coroutine[Any, Any, Any]:
            if not self.store.open and not idle:
                return _nothing()
            self.saw("sweep")
            self.sweeps += 1
            return at.sweeping(self.sweeps).sweep(self.clock.wall + UNTIL)

        for _ in range(2 if twice else 1):
            self.request("sweep", swept, _reconciled, after_seconds)

    def settle(self, day: date | None = None, after_seconds: float = 0.0) -> None:
        """Scheduler's day has come, or somebody asks for one day."""
        self.saw("settle")

        async def settled(at: Instance) -> Settled:
            began = self.clock.now
            self.settling_since.append(began)
            try:
                return await at.settling.settle(day, began + UNTIL)
            finally:
                self.settling_since.remove(began)

        self.request("settle", settled, self._settled, after_seconds)

    def time_passes(self, enough: timedelta) -> None:
        """Until everything is old enough, and two sweeps more."""
        last = max([self.clock.now, self.clock.furthest, *(sale.lease_until for sale in self.store.open.values())])
        self.clock.now = max(last, self.switch.finish() or last) + enough
        self.switch.catch_up()
        self.controls = invariants.controls(self)
        self.sweep_now()
        if self.store.open:
            self.clock.now += timedelta(seconds=61)
            self.sweep_now()
        invariants.ends_within_two_sweeps(self)

    def files_come(self, *, by_and_by: bool = False) -> None:
        """The true files of all days, and the next day's; then what they prove must be on record."""
        self.saw("files come")
        if self.pick(2):
            self.shelf.unreadable.clear()
        if (doubts := sorted({sale.day for sale in self.store.open.values()})) and self.pick(6) == 0:
            self._a_file_of_the_day_before_breaks_off(doubts[0])
        days = [billed_on(vend) for vend in self.switch.vends] + [sale.day for sale in self.store.sales.values()]
        last = max(days, default=self.first_day) + ONE_DAY
        self.move_to_morning()
        while business_day(self.clock.now) <= last:
            self.move_to_morning()
        day = self.first_filed()
        corrected = day + ONE_DAY * self.pick(3) if self.pick(12) == 0 else None
        while day <= last:
            if by_and_by:  # then what is there already must not prove too much
                self.settle()
                self.scheduler.run()
            lines = lines_of(day, self.switch.vends, self.profile.file_id)
            if day == corrected:
                self.shelf.deliver(day, lines + [of_nobody(line) for line in lines[:1]], self.clock.now)
                self.clock.now += timedelta(seconds=1)
            self.shelf.deliver(day, lines, self.clock.now, form=self.form())
            self.clock.now += timedelta(seconds=1)
            day += ONE_DAY
        if corrected is not None or self.pick(4) == 0:
            self._one_day_cannot_be_read(corrected)
        self.settle()
        self.sweep_now()
        self.clock.now += timedelta(seconds=3601)
        self.sweep_now()
        invariants.ends_with_the_files(self)

    def _a_file_of_the_day_before_breaks_off(self, day: date) -> None:
        """Behind its header, which says its day, although its name says this one as well. It is corrected later."""
        self.saw("file: broken off behind its header, named a day later")
        lines = lines_of(day - ONE_DAY, self.switch.vends, self.profile.file_id)
        at = self.clock.now.replace(year=day.year, month=day.month, day=day.day)
        self.shelf.unreadable[self.shelf.deliver(day - ONE_DAY, lines, at)] = True

    def first_filed(self) -> date:
        """The first day of which a file has something to say: of what was sold near midnight, the day before may."""
        days = [sale.day - ONE_DAY if evidence.is_near_midnight(sale) else sale.day for sale in self.store.sales.values()]
        return min(days, default=self.first_day)

    def form(self) -> Form | None:
        """How a file is written: mostly by the letter of its format."""
        if self.pick(4):
            return None
        self.saw("file: in another form")
        return FORMS[self.pick(len(FORMS))]

    def _one_day_cannot_be_read(self, corrected: date | None) -> None:
        """A day's files break off in a run, or those that were corrected do, and are there again in the next."""
        days, before = sorted(self.shelf.days()), invariants.settled_days(self)
        only_earlier = corrected in days
        bad = corrected if corrected in days else days[self.pick(len(days))]
        known, files = dict(self.shelf.unreadable), self.shelf.of_day(bad)
        self.saw("file: earlier broken off" if only_earlier else "file: broken off")
        self.shelf.unreadable |= dict.fromkeys(files[:-1] if only_earlier else files, True)
        self.settle()
        self.scheduler.run()
        if not only_earlier:
            invariants.one_file_costs_its_own_day(self, bad, before)
        self.shelf.unreadable = known

    def people_decide(self) -> None:
        """People end what is open. Whoever has waited long enough finds it on a list; most do not wait."""
        self.saw("people decide")
        is_young = any(sale.created_at + PERSONS_TURN > self.clock.now for sale in self.store.open.values())
        if is_young and self.pick(4) == 0:
            self.clock.now += PERSONS_TURN
            self.sweep_now()
            is_young = False
        if not is_young:
            invariants.what_is_open_is_on_a_list(self)
        for sale in list(self.store.open.values()):
            operators.decide(self, sale)
            self.scheduler.run()
        if self.store.open:
            self.sweep_now()

    def people_are_hasty(self) -> None:
        """People decide while the reprints of a sweep are in flight, and some misread what the supplier tells them."""
        self.saw("people are hasty")
        self.clock.now += timedelta(seconds=3601)  # then everything is due
        self.switch.catch_up()
        for sale in list(self.store.open.values()):
            if (sale.state is State.IN_DOUBT or sale.tokens_pending) and self.switch.by_request.get(sale.request_id):
                self.sweep()
                operators.decide(self, sale, may_err=True)
                self.scheduler.run()

    def sweep_now(self, *, idle: bool = False) -> None:
        """Sweep, and wait for it and for all else that is under way."""
        self.sweep(idle=idle)
        self.scheduler.run()

    def move_to_morning(self) -> None:
        """To the next 06:30 in Johannesburg."""
        now = self.clock.now
        morning = now.replace(hour=4, minute=30, second=0, microsecond=0)
        self.clock.now = morning if morning > now else morning + ONE_DAY

    def forget(self) -> None:
        """Let go of everything. A world is a ring of references, which otherwise stays until a collector takes it apart."""
        vars(self).clear()

    # What is heard of it, as it happens

    def _asked(self, request_id: str) -> None:
        invariants.claimed_before_sent(self, request_id)

    def _may_name(self, vend: Vend, instead_of: str | None) -> bool:
        """Whether it can be told that a vend is not the one that was asked for: by its amount, or because another record holds it."""
        sale = self.store.sales[self.sale_of[vend.request_id]]
        if instead_of is None or instead_of == vend.request_id:
            return False
        asked = self.store.sales[self.sale_of[instead_of]]
        return id_on_record(sale) == vend.supplier_id or asked.order.amount.cents != vend.cents

    def _is_held(self, vend: Vend) -> bool:
        """Whether the sale that asked for a vend is on record as vended under its id."""
        return id_on_record(self.store.sales[self.sale_of[vend.request_id]]) == vend.supplier_id

    def _lacks_the_last(self, vend: Vend) -> bool:
        """Whether our record of a vend holds all of its tokens, of several, but the last."""
        receipt = self.store.sales[self.sale_of[vend.request_id]].receipt
        known = () if receipt is None else tuple(token.number for token in receipt.tokens)
        return known != () and known == vend.tokens[:-1]

    def _created(self, sale: Transaction) -> None:
        self.sale_of[sale.request_id] = sale.id
        if sale.open is not None and sale.open.account is not None and (sale.caller, sale.idempotency_key, sale.fingerprint) in self.once:
            account = sale.open.account
            held = self.store.open.values()
            alike = [one.id for one in held if one.open is not None and one.open.account == account and invariants.is_unfinished(one)]
            if len(alike) > 1:
                self.behind[sale.request_id] = {*alike} - {sale.id}
        self.requested_cents += sale.order.amount.cents
        invariants.begins_well(self, sale)

    def _advanced(self, before: Transaction, after: Transaction) -> None:
        invariants.moves_well(before, after)
        invariants.erases_well(self, before, after)
        evidence.signs_on_evidence(self, before, after)
        if before.state is State.IN_DOUBT and after.state is not State.IN_DOUBT:
            self.saw(f"doubt ended by {ENDED_BY.get(after.history[-1].by, 'people')}")
        if after.state is State.REJECTED and before.state is not State.REJECTED:
            evidence.rejects_on_evidence(self, after)
            if after.send_ended_at is None and self.switch.has_lost_sight_of(after.request_id):  # what it said is not on record
                self.breaches.setdefault(after.request_id, "denied what it had sold")
        if invariants.is_unfinished(before) and not invariants.is_unfinished(after):
            self.finished[after.id] = self.clock.now
            for elders in self.behind.values():
                elders.discard(after.id)
        invariants.refuses_for_the_unfinished(self, before, after)
        if before.tokens_pending and not after.tokens_pending:
            self.recovered.append(after.id)
        if self.trace is not None and before.version != after.version:
            self.say(f"on record: sale {after.id[:6]} {after.state} v{after.version} by {after.history[-1].by}")

    def _retired(self, before: Transaction, tombstone: Tombstone) -> None:
        invariants.retires_well(self, before, tombstone)

    def _published(self, event: EventName, sale: Transaction) -> None:
        invariants.announces_what_is_on_record(self, event, sale)

    def _settled(self, result: Any, error: Exception | None) -> None:
        _reconciled(result, error)
        if self.calm and isinstance(error, FilesUnavailable):
            raise Violation("one file that cannot be read stops no run", str(error))
        if error is None:
            evidence.remember_who_was_named(self, result)
            evidence.lines_withdrawn_are_told(self, result)
            invariants.closures_cover_what_was_seen(self)

    def _land_later(self, write: Callable[[], object]) -> None:
        self.scheduler.start(Task("a commit that was given up", None, lambda _: _landed(write), _ignored), (1.0, 30.0, 300.0)[self.pick(3)])

    def answered(self, sale: Transaction) -> None:
        """A caller was shown the end of a sale."""
        invariants.shows_the_suppliers_tokens(self, sale)

    def saw(self, what: str) -> None:
        """Count what happened."""
        self.seen[what] = self.seen.get(what, 0) + 1


@cache
def _numbered(number: int) -> str:
    """A UUID as far as anybody looks."""
    return f"{number:08x}-0000-4000-8000-000000000000"


async def _nothing() -> None:
    """What a sweep does where nothing is open."""


async def _landed(write: Callable[[], object]) -> None:
    try:
        write()
    except Violation:
        raise
    except Exception:  # it lost its race, which nobody hears of
        return


def _restarted(instance: object) -> None:
    if isinstance(instance, Instance):
        instance.restart()


def _reconciled(_: Any, error: Exception | None) -> None:
    if error is not None and not isinstance(error, RECONCILING):
        raise Violation("nothing unforeseen is raised", f"reconciling: {type(error).__name__}: {error}") from error


def _ignored(_: Any, __: Exception | None) -> None:
    pass
