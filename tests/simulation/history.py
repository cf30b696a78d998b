"""One history: people buy while everything fails, then all is calm, and what was promised must have been kept."""

from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Final

from shared import brake, operating, reconciling, settling, vending
from shared.identifiers import Caller
from shared.matching import Readings
from shared.mobilemart.client import Settings
from shared.ports import Rules
from shared.settlement_files import FilesUnavailable
from shared.store import StoreUnavailable
from shared.transaction import EventName, State, Transaction, business_day
from shared.vas import Mode, VasType
from tests.simulation import invariants, operators
from tests.simulation.callers import Purse, Shopper
from tests.simulation.character import Character
from tests.simulation.client import BASE_URL, Client
from tests.simulation.dice import Dice
from tests.simulation.files import Shelf, lines_of
from tests.simulation.goods import IMPOSSIBLE, WANTS
from tests.simulation.scheduler import Clock, Crashed, Each, Scheduler, Task
from tests.simulation.store import Store, Watch
from tests.simulation.switch import Switch
from tests.simulation.topic import Topic
from tests.simulation.trace import Trace
from tests.simulation.violation import Violation

MODE: Final = Mode.LIVE
ONE_DAY: Final = timedelta(days=1)
STARTS: Final = tuple(
    datetime(2026, 5, 4, hour, minute, tzinfo=UTC) for hour, minute in ((8, 0), (12, 30), (21, 20), (21, 45), (21, 55), (22, 2))
)
CALLERS: Final = (
    Caller("https://issuer.example", "anna"),
    Caller("https://issuer.example", "ben"),
    Caller("https://other.example", "anna"),
)
KEYS: Final = tuple(f"key-{number}" for number in range(12))
UNTIL: Final = timedelta(seconds=200)
RECONCILING: Final = (StoreUnavailable, FilesUnavailable, Crashed)
SWEEPS: Final = (300.0, 700.0, 1300.0, 1500.0, 1600.0, 2500.0, 4000.0, 7000.0)  # seconds after the first caller
PERSONS_TURN: Final = timedelta(hours=61)  # a bit more than `REVIEW_AFTER_SECONDS`


def rules() -> Rules:
    """The product's settings, as deployed."""
    return Rules(mode=MODE)


class Instance:
    """A process of the product: its client and its brake are its own, all else it shares."""

    __slots__ = ("_ports", "history", "name", "operating", "settling", "sweeping", "vending")

    def __init__(self, history: "History", name: str) -> None:
        self.history = history
        self.name = name
        self.start()

    def start(self) -> None:
        """Begin with nothing in memory."""
        history = self.history
        clock, store = history.clock, history.store
        ports: dict[str, Any] = {
            "store": store,
            "supplier": Client(history.switch, history.settings, clock),
            "events": history.topic,
            "rules": history.rules,
            "now": clock.read,
            "new_id": history.new_id,
        }
        paused = brake.Brake(store, MODE, clock.read)
        each = history.each
        self.vending = vending.Vending(**ports, brake=paused)
        self.sweeping = reconciling.Sweeping(**ports, each=each)
        self.settling = settling.Settling(**ports, files=history.shelf, each=each, readings=Readings())
        self.operating = operating.Operating(**ports, brake=paused)


class History:
    """Everything that one seed decides."""

    def __init__(self, seed: int, trace: Trace | None = None) -> None:
        rng = self.rng = Random(seed)
        self.seed = seed
        self.trace = trace
        self.calm = False
        self.dice = Dice(rng)
        self.character = Character(rng)
        self.dice.breaks = self.character.breaks
        self.pick = self.dice.pick
        self.clock = Clock(STARTS[self.pick(len(STARTS))])
        self.first_day = business_day(self.clock.now)
        self.breaches: dict[str, str] = {}
        self.seen: dict[str, int] = {}
        self.scheduler = Scheduler(self.clock, self.dice, trace)
        self.scheduler.on_crash = _restarted
        self.switch = Switch(self.clock, self.character, self.breaches, self.seen)
        self.switch.asked = self._asked
        self.store = Store(self.clock.read, Watch(self._created, self._advanced, self._land_later))
        self.topic = Topic(self._published)
        self.shelf = Shelf()
        self.each = Each(self.dice)
        self.rules = rules()
        self.settings = Settings(base_url=BASE_URL, mode=MODE, reprint_by=self.character.reprint_by)
        self._ids = 0
        self.sale_of: dict[str, str] = {}  # by request id
        self.requested_cents = 0
        self.recovered: list[str] = []
        self.controls: set[VasType] = set()
        self.instances = [Instance(self, f"instance {number}") for number in (1, 2)]
        self.shoppers: list[Shopper] = []

    def run(self) -> None:
        """Live through it.

        Raises:
            Violation: a promise did not hold.
        """
        self._people_come()
        self.scheduler.run()
        if self.pick(24) == 0:
            self._days_pass_badly()
        self._calm_down()
        for invariant in invariants.AT_THE_END:
            invariant(self)

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:08x}-0000-4000-8000-000000000000"

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

    # What happens

    def _people_come(self) -> None:
        pick = self.pick
        for number in range(3 if pick(4) else 4):
            caller = CALLERS[pick(len(CALLERS))]
            want = WANTS[pick(len(WANTS))] if pick(24) else IMPOSSIBLE
            purse = Purse() if pick(2) else None
            shopper = Shopper(self, caller, KEYS[number], want, purse, duplicates=pick(3) > 0)
            self.shoppers.append(shopper)
            shopper.begin(pick(4) * 100.0)
            self._misused(shopper, number)
        for _ in range(pick(3)):
            self._sweep(SWEEPS[pick(len(SWEEPS))], twice=pick(6) == 0)

    def _misused(self, shopper: Shopper, number: int) -> None:
        """What callers should not do, and some do."""
        match self.pick(20):
            case 0:  # two taps
                self._saw("caller: two taps")
                shopper.ask(self.pick(3) * 100.0)
            case 1:  # another request under the same key
                self._saw("caller: key reused")
                other = Shopper(self, shopper.caller, shopper.key, WANTS[self.pick(len(WANTS))], None, duplicates=True)
                other.begin(self.pick(4) * 100.0)
            case 2:  # two keys, one prevend
                self._saw("caller: prevend shared")
                other = Shopper(self, shopper.caller, KEYS[number + 6], shopper.want, shopper.purse, duplicates=True)
                other.begin(self.pick(4) * 100.0)
            case 3:  # a stranger's prevend
                self._saw("caller: stranger's prevend")
                stranger = CALLERS[(CALLERS.index(shopper.caller) + 1) % len(CALLERS)]
                other = Shopper(self, stranger, KEYS[number + 6], shopper.want, shopper.purse, duplicates=True)
                other.ask(500.0)
            case _:
                pass

    def _sweep(self, after_seconds: float = 0.0, *, twice: bool = False) -> None:
        for _ in range(2 if twice else 1):
            self._saw("sweep")
            self.request("sweep", lambda at: at.sweeping.sweep(self.clock.now + UNTIL), _reconciled, after_seconds)

    def _settle(self, day: date | None = None, after_seconds: float = 0.0) -> None:
        self._saw("settle")
        self.request("settle", lambda at: at.settling.settle(day, self.clock.now + UNTIL), _reconciled, after_seconds)

    def _days_pass_badly(self) -> None:
        """Two mornings with files that are late, missing, doubled or wrong, and schedulers that miss or repeat themselves."""
        self._saw("bad days")
        for _ in range(2):
            self._move_to_morning()
            self.switch.catch_up()
            self._deliver_badly(business_day(self.clock.now) - ONE_DAY)
            for _ in range(self.pick(3)):
                self._settle(None if self.pick(2) else business_day(self.clock.now) - ONE_DAY, self.pick(2) * 10.0)
            self._sweep(self.pick(2) * 5.0, twice=self.pick(2) == 0)
            for sale in list(self.store.open.values()):
                if sale.state is State.IN_DOUBT and not self.pick(4) and self.switch.finish() is None:
                    operators.decide(self, sale)
            self.scheduler.run()

    def _deliver_badly(self, day: date) -> None:
        lines = lines_of(day, self.switch.vends, self.character.file_id)
        at = self.clock.now
        match self.pick(7):
            case 0:
                self._saw("file: missing")
            case 1:
                self._saw("file: miscounted")
                self.shelf.deliver(day, lines, at, miscounted_by=1)
            case 2:
                self._saw("file: cut")
                self.shelf.deliver(day, lines, at, cut=True)
            case 3:
                self._saw("file: doubled")
                self.shelf.deliver(day, lines, at)
                self.shelf.repeat_last(at + timedelta(seconds=1))
            case 4:
                self._saw("file: with strangers")
                strangers = [line._replace(transaction_id=f"f{line.transaction_id[1:]}", merchant_id="") for line in lines]
                self.shelf.deliver(day, lines + strangers, at)
            case 5 if self.character.breaks:
                self._saw("file: lines left out")
                for line in lines[::2]:
                    vend = next(vend for vend in self.switch.vends if vend.supplier_id == line.transaction_id)
                    self.breaches.setdefault(vend.request_id, "left out of the file")
                self.shelf.deliver(day, lines[1::2], at)
            case _:
                self._saw("file: true")
                self.shelf.deliver(day, lines, at)

    def _calm_down(self) -> None:
        """Faults stop. Time passes, sweeps run, and then files come, or people decide."""
        self.calm = True
        self.dice.calm_down()
        self.character.calm_down()
        self.say("calm")
        for shopper in self.shoppers:
            if shopper.answer is None:
                shopper.ask()
        self.scheduler.run()
        if self.store.open or self.pick(4) == 0:
            self._time_passes()
        if invariants.needs_files(self) or self.pick(12 if self.store.open else 64) == 0:
            self._files_come()
        if self.store.open:
            self._people_decide()
        self.shoppers[self.pick(len(self.shoppers))].ask()
        self.scheduler.run()

    def _time_passes(self) -> None:
        """Until everything is old enough, and two sweeps more."""
        self._wait_until_all_is_old_enough()
        self.controls = invariants.controls(self)
        self._sweep_now()
        self.clock.now += timedelta(seconds=61)
        self._sweep_now()
        invariants.ends_within_two_sweeps(self)

    def _wait_until_all_is_old_enough(self) -> None:
        last = max([self.clock.now, *(sale.lease_until for sale in self.store.open.values())])
        self.clock.now = max(last, self.switch.finish() or last) + timedelta(seconds=900 + 3600 + 600 + 1)
        self.switch.catch_up()

    def _files_come(self) -> None:
        """The true files of all days, and the next day's; then what they prove must be on record."""
        self._saw("files come")
        days = [business_day(vend.at) for vend in self.switch.vends] + [sale.day for sale in self.store.sales.values()]
        last = max(days, default=self.first_day)
        while business_day(self.clock.now) <= last + ONE_DAY:
            self._move_to_morning()
        day = self.first_day
        while day <= last + ONE_DAY:
            self.shelf.deliver(day, lines_of(day, self.switch.vends, self.character.file_id), self.clock.now)
            self.clock.now += timedelta(seconds=1)
            day += ONE_DAY
        self._settle()
        self.scheduler.run()
        self._sweep_now()
        self.clock.now += timedelta(seconds=3601)
        self._sweep_now()
        invariants.ends_with_the_files(self)

    def _people_decide(self) -> None:
        self._saw("people decide")
        self.clock.now += PERSONS_TURN
        self._sweep_now()
        invariants.what_is_open_is_on_a_list(self)
        for sale in list(self.store.open.values()):
            operators.decide(self, sale)
            self.scheduler.run()
        if self.store.open:
            self._sweep_now()

    def _sweep_now(self) -> None:
        self._sweep()
        self.scheduler.run()

    def _move_to_morning(self) -> None:
        """To the next 06:30 in Johannesburg."""
        now = self.clock.now
        morning = now.replace(hour=4, minute=30, second=0, microsecond=0)
        self.clock.now = morning if morning > now else morning + ONE_DAY

    # What is heard of it, as it happens

    def _asked(self, request_id: str) -> None:
        invariants.claimed_before_sent(self, request_id)

    def _created(self, sale: Transaction) -> None:
        self.sale_of[sale.request_id] = sale.id
        self.requested_cents += sale.order.amount.cents
        invariants.begins_well(sale)

    def _advanced(self, before: Transaction, after: Transaction) -> None:
        invariants.moves_well(before, after)
        if before.tokens_pending and not after.tokens_pending:
            self.recovered.append(after.id)
        if self.trace is not None and before.version != after.version:
            self.say(f"on record: sale {after.id[:6]} {after.state} v{after.version} by {after.history[-1].by}")

    def _published(self, event: EventName, sale: Transaction) -> None:
        invariants.announces_what_is_on_record(self, event, sale)

    def _land_later(self, write: Callable[[], object]) -> None:
        self.scheduler.start(Task("a commit that was given up", None, lambda _: _landed(write), _ignored), (1.0, 30.0, 300.0)[self.pick(3)])

    def saw_answer(self, sale: Transaction) -> None:
        invariants.shows_the_suppliers_tokens(self, sale)

    def _saw(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1


async def _landed(write: Callable[[], object]) -> None:
    try:
        write()
    except Violation:
        raise
    except Exception:  # it lost its race, which nobody hears of
        return


def _restarted(instance: object) -> None:
    if isinstance(instance, Instance):
        instance.start()


def _reconciled(_: Any, error: Exception | None) -> None:
    if error is not None and not isinstance(error, RECONCILING):
        raise Violation("nothing unforeseen is raised", f"reconciling: {type(error).__name__}: {error}") from error


def _ignored(_: Any, __: Exception | None) -> None:
    pass
