"""One history, as a seed has it: people buy while everything fails, then all is calm, and what was promised must have been kept."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final

from shared.domain.clock import business_day
from shared.domain.identifiers import Caller
from shared.domain.transaction import State, Transaction
from shared.domain.vas import VasType
from shared.mobilemart.requests import REPRINTED
from shared.mobilemart.settlement_file import Line
from shared.ports.transactions import MAX_ALIKE
from tests.simulation import invariants, operators, years
from tests.simulation.callers import Purse, Shopper, look_up
from tests.simulation.files import line_that_bills_nothing, lines_of, of_nobody
from tests.simulation.goods import IMPOSSIBLE, WANTS, Want
from tests.simulation.rng import SeededChance
from tests.simulation.supplier_profile import NOT_ANSWERED, SupplierProfile
from tests.simulation.trace import Trace
from tests.simulation.world import ENOUGH, ONE_DAY, PERSONS_TURN, World

STARTS: Final = tuple(
    datetime(2026, 5, 4, hour, minute, tzinfo=UTC) for hour, minute in ((8, 0), (12, 30), (21, 20), (21, 45), (21, 55), (22, 2))
)
CALLERS: Final = (
    Caller("https://issuer.example", "anna"),
    Caller("https://issuer.example", "ben"),
    Caller("https://other.example", "anna"),
)
KEYS: Final = tuple(f"key-{number}" for number in range(12))
NEAR: Final = timedelta(minutes=10)
AT_A_STEP: Final = ("supplier.vend", "supplier.vend", "supplier.products")  # the last one is before the claim: then all of it looks old
BY_DAY: Final = 2  # the first of these: a clock that is wrong by hours at midnight is not played
SWEEPS: Final = (300.0, 500.0, 700.0, 900.0, 1300.0, 1600.0, 4000.0, 7000.0)  # seconds after the first caller
LONG_ARE_ONE_IN: Final = 4
CROWDS_ARE_ONE_IN: Final = 6  # of the rushes on which one caller's customers are
SLOW_IN_A_CROWD: Final = {"store.find_open": 2.0, "supplier.vend": 7.0}  # seconds
NEWER_CODE_IS_IN_ONE_OF: Final = 8
YEARS_PASS_IN_ONE_OF: Final = 12
PATIENCE: Final = (0, 0, 1, 2)  # how often a caller asks again, while faults last
MIN_CALLS: Final = 30  # a history of fewer port calls than this is not worth its name


class History(World):
    """Everything that one seed decides. Most are short: one storm, and calm; in long ones callers are stubborn, and days pass."""

    def __init__(self, seed: int, trace: Trace | None = None) -> None:
        rng = Random(seed)
        profile = SupplierProfile(rng)
        chance = SeededChance(rng, breaks=profile.breaks)
        steps = chance.clocks == "the wall clock steps"
        super().__init__(rng, chance, profile, STARTS[chance.pick(BY_DAY if steps else len(STARTS))], trace)
        self.seed, self.seeded_chance = seed, chance
        self.newer_code.rng.seed(f"newer code {seed}")  # its own: it draws nothing that others would have drawn
        self.saw(f"clocks: {chance.clocks}")
        self.clock.may_step = steps
        self.clock.may_stop = chance.clocks == "the monotonic clock stops"
        self.is_long = chance.pick(LONG_ARE_ONE_IN) == 0
        self.began = self.clock.now
        self.is_after_midnight = business_day(self.clock.now - NEAR) < self.first_day

    def storm(self) -> None:
        self._people_come()
        self.scheduler.run()
        self.clock.calm_down()
        if (vain := self._asked_for_in_vain()) and self.pick(6) == 0:
            self._a_file_comes_early(vain[0].day)
        if self.is_long and self.pick(12) == 0:
            self._days_pass_badly()

    def aftermath(self) -> None:
        if self.seeded_chance.clocks == "the wall clock steps":
            self._the_clock_steps_back_inside_an_exchange()
        trade = self._trade()
        if trade != "none":
            self.somebody_is_not_answered()
        if trade == "quiet" and self.pick(2):
            self._a_process_dies_in_an_exchange()
        if trade == "on":
            self._others_buy(1 + self.pick(2))
        if self.store.open and self.pick(2):
            self.people_are_hasty()
            if self.mistaken and self.pick(2):
                self._what_they_misread_becomes_a_control()
        if self.store.open and self.pick(10) == 0:
            self._controls_are_away()
        if self.store.open:
            self.time_passes(PERSONS_TURN if trade == "none" and self.pick(3) == 0 else ENOUGH)
        if invariants.needs_files(self) or (trade != "none" and self.store.open) or self._files_come():
            if trade == "quiet":
                self._all_but_the_first_are_posted_the_next_day()
            elif trade == "on" or self.pick(4):
                self._the_next_day_sells()
            if trade != "quiet" and (self.is_after_midnight or self.pick(3) == 0):
                self._some_are_posted_on_other_days()
            if trade == "on" or self.pick(2):
                self._files_come_that_are_not_whole()
            self.files_come(by_and_by=self.pick(4) == 0)
        known = len(self.breaches)
        if self.store.open:
            self.people_decide()
        if len(self.breaches) > known:  # what the last sweeps believed, only files can put right
            self.files_come()
        self.shoppers[self.pick(len(self.shoppers))].ask()
        look_up(self, CALLERS[self.pick(len(CALLERS))], self.pick(len(self.store.sales)))
        self.scheduler.run()
        if self.scheduler.calls < MIN_CALLS:
            self.sweep_now(idle=True)

    def years_pass(self) -> None:
        if self.pick(YEARS_PASS_IN_ONE_OF) == 0:
            years.years_pass(self)

    def _trade(self) -> str:
        """Whether others buy beside what is in doubt, so that the files have enough in them; or nobody does any more, for two days."""
        if self.pick(60 if self.profile.reprint == "by our id" else 2 if self.is_after_midnight else 5):
            return "none"
        return "on" if self.is_after_midnight or self.pick(3) else "quiet"

    def _the_clock_steps_back_inside_an_exchange(self) -> None:
        """And is put right, while sweeps come: what was asked for a moment ago must not look old."""
        service = sorted(REPRINTED)[self.pick(len(REPRINTED))]
        self._others_buy(1, service)  # so that there is a control
        self.profile.will(NOT_ANSWERED[self.pick(len(NOT_ANSWERED))])
        self.clock.may_step = True
        self.seeded_chance.will_step(AT_A_STEP[self.pick(len(AT_A_STEP))])
        self._others_buy(1, service)
        self.clock.calm_down()
        for _ in range(4):
            self.sweep_now()
            self.clock.now += timedelta(seconds=61)

    def somebody_is_not_answered(self) -> None:
        """Neither now nor later, once all else is calm."""
        if self.is_after_midnight:  # and no longer near it
            self.clock.now = max(self.clock.now, self.began + NEAR)
        self.profile.will(NOT_ANSWERED[self.pick(len(NOT_ANSWERED))])
        self._others_buy(1, VasType.BILL_PAYMENT if self.profile.fee_is_on_top and self.pick(3) == 0 else None)

    def _a_process_dies_in_an_exchange(self) -> None:
        """And another sells, while the lease of the first runs on: what is sold within it was not sold after it."""
        self.saw("a process dies in an exchange")
        self.seeded_chance.will_die_at("supplier.vend")
        self.somebody_is_not_answered()
        self.clock.now += timedelta(seconds=self.pick(30))
        self._others_buy(1)

    def _what_they_misread_becomes_a_control(self) -> None:
        """Of the sale that somebody misread: as the last one of its service, beside one that is not answered."""
        misread = [sale for sale_id in sorted(self.mistaken) if (sale := self.store.sales[sale_id]).state is State.VENDED]
        if misread:
            self.profile.will(NOT_ANSWERED[0])
            self._others_buy(1, misread[self.pick(len(misread))].order.vas_type)

    def _controls_are_away(self) -> None:
        """The store does not say which sales have vended, in two sweeps that may ask about all that is open."""
        self.saw("controls are away")
        self.seeded_chance.will_refuse("store.vended_lately")
        self.clock.now = max(self.clock.now, self.clock.furthest) + ENOUGH
        for _ in range(2):
            self.sweep_now()
            self.clock.now += timedelta(seconds=61)
        self.seeded_chance.will_refuse("")

    def _files_come(self) -> bool:
        """Mostly where they have something to say: of what is open, and no reprint can end."""
        if not self.store.open:
            return self.pick(400) == 0
        if self.profile.reprint == "by our id":
            return self.pick(40) == 0
        return self.pick(5) == 0

    def _the_next_day_sells(self) -> None:
        """So that its file has something in it: a file without any of our ids proves nothing by its silence."""
        last = max((sale.day for sale in self.store.open.values()), default=business_day(self.clock.now))
        if self.pick(2):
            self._somebody_buys_before_midnight()
        self.move_to_morning()
        self._others_buy(1)
        while business_day(self.clock.now) <= last:
            self.move_to_morning()
            self._others_buy(1)
        if self.pick(8) == 0:
            self._files_come_while_their_day_runs(last)

    def _somebody_buys_before_midnight(self) -> None:
        """So late that the next day's file may bill it, or even a later one."""
        midnight = self.clock.now.replace(hour=22, minute=0, second=0, microsecond=0)
        if self.clock.now < midnight - NEAR:
            self.clock.now = midnight - NEAR / 2
            known = len(self.switch.vends)
            self._others_buy(1)
            if self.pick(2):
                for vend in self.switch.vends[known:]:
                    vend.posted_days_later = 2
                    self.saw("posted: 2 days later")

    def _others_buy(self, count: int, service: VasType | None = None) -> None:
        """Further callers, to whom nothing happens."""
        wants = [want for want in WANTS if service in (None, want.order.vas_type)]
        for _ in range(count):
            key = f"another-{len(self.shoppers)}"
            shopper = Shopper(self, CALLERS[0], key, wants[self.pick(len(wants))], None, duplicates=True)
            self.shoppers.append(shopper)
            shopper.ask()
            self.scheduler.run()

    def _files_come_while_their_day_runs(self, day: date) -> None:
        """A day's file, and the first half of the next one's."""
        self.saw("file: of a day that runs")
        for one in (day, business_day(self.clock.now)):
            self.shelf.deliver(one, lines_of(one, self.switch.vends, self.profile.file_id), self.clock.now)
            self.clock.now += timedelta(seconds=1)
        self.settle(day)
        self.scheduler.run()

    def _all_but_the_first_are_posted_the_next_day(self) -> None:
        """So that its file has something in it, all of it sold before."""
        for vend in self.switch.vends[1:]:
            vend.posted_days_later = 1
            self.saw("posted: 1 days later")

    def _some_are_posted_on_other_days(self) -> None:
        """Sales that the supplier bills late, and those right after midnight that it bills on the day before, as its clock is slow."""
        clock_is_slow = self.pick(2) == 0
        for vend in self.switch.vends:
            if clock_is_slow and business_day(vend.at - NEAR) < business_day(vend.at):
                self.saw("posted: the day before")
                vend.posted_days_later = -1
            elif self.pick(6) == 0:
                vend.posted_days_later = 1 + self.pick(3)
                self.saw(f"posted: {vend.posted_days_later} days later")

    def _files_come_that_are_not_whole(self) -> None:
        """Before the true ones. Each keeps the format, its count is right, and what it lacks may be anything."""
        days = [sale.day for sale in self.store.sales.values()]
        day, last = self.first_filed(), max(days) + ONE_DAY
        while business_day(self.clock.now) <= last:
            self.move_to_morning()
        hides_what_is_in_doubt = self.pick(2 if self._are_doubts_sold() else 6) == 0
        hides_it_first, miscounts_it_first, spoils_all = self.pick(3) == 0, self.pick(2) == 0, self.pick(4) == 0
        spoilt = min(days) + self.pick(3) * ONE_DAY - self.pick(2) * ONE_DAY
        while day <= last:
            if hides_what_is_in_doubt:
                if hides_it_first and day == spoilt:
                    self._deliver_behind_a_header_that_cannot_be_read(day)
                elif miscounts_it_first:
                    self._deliver("miscounted, before others", day, lines_of(day, self.switch.vends, self.profile.file_id), miscounted_by=1)
                known = [vend for vend in self.switch.vends if self.store.sales[self.sale_of[vend.request_id]].state is State.VENDED]
                self._deliver("without what is in doubt", day, lines_of(day, known, self.profile.file_id))
            elif spoils_all or day == spoilt:
                self._deliver_in_part(day)
            else:
                lines = lines_of(day, self.switch.vends, self.profile.file_id)
                self._deliver("true, before others", day, lines + self._bills_of_strangers(day))
            if self.pick(4) == 0:
                self.settle((None, day, day - ONE_DAY)[self.pick(3)])
                self.scheduler.run()
            day += ONE_DAY
        self.settle((None, None, last - ONE_DAY, last - 2 * ONE_DAY)[self.pick(4)])
        self.scheduler.run()

    def _are_doubts_sold(self) -> bool:
        return any(sale.state is State.IN_DOUBT and sale.request_id in self.switch.by_request for sale in self.store.open.values())

    def _bills_of_strangers(self, day: date) -> list[Line]:
        """Lines about bills that nobody asked for here, of a day on which some were asked for in vain: with a fee, any might be theirs."""
        bills = [sale for sale in self._asked_for_in_vain() if sale.day == day and sale.order.vas_type is VasType.BILL_PAYMENT]
        if not bills or self.pick(2):
            return []
        self.saw("file: with a stranger's bill")
        billed = ((sale, line_that_bills_nothing(sale, 0, "none")) for sale in bills)
        return [
            line._replace(transaction_id=f"dddddddd{sale.request_id[8:]}", status="Successful", amount=str(int(line.amount) + 725))
            for sale, line in billed
        ]

    def _deliver_in_part(self, day: date) -> None:
        """A day's file or files as they should not be, but for some that are true."""
        lines = lines_of(day, self.switch.vends, self.profile.file_id)
        some = [line for line in lines if self.pick(3)]
        match self.pick(9):
            case 0:
                self._deliver("lines left out", day, some + [of_nobody(line) for line in lines[: self.pick(2)]])
            case 5:
                for _ in range(2 + self.pick(2)):  # in another order each time
                    lines = lines[1:] + [line._replace(amount=str(line.cents + self.pick(2))) for line in lines[:1]]
                    self._deliver("other amounts", day, lines)
                    self.settle(day)
                    self.scheduler.run()
                    operators.close_differences(self)
                    self.scheduler.run()
            case 1:
                first = self.pick(len(lines) + 1)
                self._deliver("in parts", day, lines[:first])
                self._deliver("in parts", day, lines[first:])
            case 2:
                self._deliver("cut off in time", day, lines[: -1 - self.pick(2)])
            case 3:
                self._deliver("begun late", day, lines[self.pick(len(lines) + 1) :])
            case 4:
                self._deliver("lines withdrawn", day, lines)
                self._deliver("lines withdrawn", day, some)
            case _:
                loses_strangers_alone = self.pick(2) == 0
                strange = lines[: 1 if loses_strangers_alone else self.pick(2)]
                made = self._deliver("overwritten", day, lines + [of_nobody(line) for line in strange])
                self.settle(day)
                self.scheduler.run()
                self.shelf.deliver(day, lines if loses_strangers_alone else some, made)

    def _deliver(self, how: str, day: date, lines: list[Line], *, miscounted_by: int = 0) -> datetime:
        self.saw(f"file: {how}")
        self.clock.now += timedelta(seconds=1)
        self.shelf.deliver(day, lines, self.clock.now, miscounted_by=miscounted_by)
        return self.clock.now

    def _deliver_behind_a_header_that_cannot_be_read(self, day: date) -> None:
        """A day's true file: its name, of that day or of the next, says two days, and nobody can tell of which it is."""
        self.saw("file: its header cannot be read")
        morning = self.clock.now.replace(year=day.year, month=day.month, day=day.day) + self.pick(2) * ONE_DAY
        name = self.shelf.deliver(day, lines_of(day, self.switch.vends, self.profile.file_id), morning)
        self.shelf.unreadable[name] = False

    def _people_come(self) -> None:
        pick = self.pick
        rush = WANTS[pick(len(WANTS))] if pick(4) == 0 else None  # on one thing, of which all buy the same
        regular = CALLERS[pick(len(CALLERS))] if rush is not None and pick(2) else None  # whose customers all of them are
        if regular is not None and rush is not None and pick(CROWDS_ARE_ONE_IN) == 0:
            self._a_crowd_comes(regular, rush)
        for number in range(3):
            caller = regular or CALLERS[pick(len(CALLERS))]
            want = rush or (WANTS[pick(len(WANTS))] if pick(24) else IMPOSSIBLE)
            purse = Purse() if pick(2) else None
            patience = PATIENCE[pick(len(PATIENCE))] if self.is_long else 0
            shopper = Shopper(self, caller, KEYS[number], want, purse, duplicates=pick(3) > 0, patience=patience)
            self.shoppers.append(shopper)
            shopper.begin(pick(4) * 100.0)
            self._misused(shopper, number)
        rng = self.newer_code.rng
        if rng.randrange(NEWER_CODE_IS_IN_ONE_OF) == 0:
            for _ in range(rng.randint(1, 3)):
                self.newer_code_writes(rng.uniform(0.0, 1500.0))
        for _ in range(pick(3) if self.is_long else pick(4) // 3):
            self.sweep(SWEEPS[pick(len(SWEEPS))], twice=pick(6) == 0)

    def _a_crowd_comes(self, caller: Caller, want: Want) -> None:
        """More taps of one caller, under as many keys, than the store reads of what looks the same: all are claimed before one ends."""
        self.saw("caller: a crowd of taps")
        self.seeded_chance.slow(SLOW_IN_A_CROWD)
        for number in range(MAX_ALIKE + 6):
            Shopper(self, caller, f"tap-{number}", want, None, duplicates=self.pick(4) == 0).begin(0.0)

    def _misused(self, shopper: Shopper, number: int) -> None:
        """What callers should not do, and some do."""
        match self.pick(20):
            case 0:  # two taps
                self.saw("caller: two taps")
                shopper.ask(self.pick(3) * 100.0)
            case 1:  # another request under the same key
                self.saw("caller: key reused")
                other = Shopper(self, shopper.caller, shopper.key, WANTS[self.pick(len(WANTS))], None, duplicates=True)
                other.begin(self.pick(4) * 100.0)
            case 2:  # two keys, one prevend
                self.saw("caller: prevend shared")
                other = Shopper(self, shopper.caller, KEYS[number + 6], shopper.want, shopper.purse, duplicates=True)
                other.begin(self.pick(4) * 100.0)
            case 3:  # a stranger's prevend
                self.saw("caller: stranger's prevend")
                Shopper(self, _stranger(shopper), KEYS[number + 6], shopper.want, shopper.purse, duplicates=True).ask(500.0)
            case 4:  # the key that a stranger has chosen too
                self.saw("caller: stranger's key")
                Shopper(self, _stranger(shopper), shopper.key, shopper.want, None, duplicates=True).begin(self.pick(4) * 100.0)
            case _:
                pass

    def _days_pass_badly(self) -> None:
        """Two mornings with files that are late, missing, doubled or wrong, and schedulers that miss or repeat themselves."""
        self.saw("bad days")
        for _ in range(2):
            self.move_to_morning()
            self.switch.catch_up()
            self._deliver_badly(business_day(self.clock.now) - ONE_DAY)
            for _ in range(1 + self.pick(2)):
                self.settle(None if self.pick(2) else business_day(self.clock.now) - ONE_DAY, self.pick(2) * 10.0)
            self.sweep(self.pick(2) * 5.0, twice=self.pick(2) == 0)
            for sale in list(self.store.open.values()):
                if sale.state is State.IN_DOUBT and not self.pick(4) and self.switch.finish() is None:
                    operators.decide(self, sale)
            self.scheduler.run()

    def _asked_for_in_vain(self) -> list[Transaction]:
        """The sales in doubt that were not made, so far: what names one of them must keep it from being called absent."""
        doubts = (sale for sale in self.store.open.values() if sale.state is State.IN_DOUBT)
        return [sale for sale in doubts if sale.request_id not in self.switch.by_request]

    def _a_file_comes_early(self, day: date) -> None:
        """The first half of a day that still runs, in which what became of a sale may not be final."""
        self.saw("file: early")
        self.shelf.deliver(day, self._with_lines_that_bill_nothing(day), self.clock.now)
        if self.pick(2):
            self._deliver("early, and corrected", day, lines_of(day, self.switch.vends, self.profile.file_id))
        self.settle(day)
        self.scheduler.run()

    def _with_lines_that_bill_nothing(self, day: date) -> list[Line]:
        """A day's lines: in another status those of sales that are asked for in vain, and of some others, in whatever state."""
        ids, vain = self.profile.file_id, self._asked_for_in_vain()
        tried = [sale for sale in self.store.sales.values() if sale.day == day and (sale in vain or self.pick(2))]
        known = {sale.request_id for sale in tried}
        billed = lines_of(day, [vend for vend in self.switch.vends if vend.request_id not in known], ids)
        return billed + [line_that_bills_nothing(sale, number, ids) for number, sale in enumerate(tried)]

    def _deliver_badly(self, day: date) -> None:
        lines = lines_of(day, self.switch.vends, self.profile.file_id)
        at = self.clock.now
        match self.pick(10):
            case 9:
                self.saw("file: cannot be read")  # at all, or behind its header; perhaps later it can
                name = self.shelf.deliver(day, lines, at)
                self.shelf.unreadable[name] = self.pick(2) > 0
            case 0:
                self.saw("file: missing")
            case 1:
                self.saw("file: miscounted")
                self.shelf.deliver(day, lines, at, miscounted_by=1)
            case 2:
                self.saw("file: cut")
                self.shelf.deliver(day, lines, at, cut=True)
            case 3:
                self.saw("file: doubled")
                self.shelf.deliver(day, lines, at)
                self.shelf.repeat_last(at + timedelta(seconds=1))
            case 4 | 7:
                self.saw("file: with strangers")
                self.shelf.deliver(day, lines + [of_nobody(line) for line in lines], at)
            case 5:
                self.saw("file: with lines that bill nothing")
                self.shelf.deliver(day, self._with_lines_that_bill_nothing(day), at)
            case 6:
                self.saw("file: lines left out")
                self.shelf.deliver(day, lines[1::2], at)
            case _:
                self.saw("file: true")
                self.shelf.deliver(day, lines, at, form=self.form())


def _stranger(shopper: Shopper) -> Caller:
    return CALLERS[(CALLERS.index(shopper.caller) + 1) % len(CALLERS)]
