"""The selling brake: set by a person, or by itself; released by a person, or by its time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from shared.brake import ITSELF, RUN_OF_DOUBTS, Brake, Pause
from shared.outcome import Reason, Receipt, Rejected, Unknown, Vended
from shared.store import Conflict, Paper, StoreUnavailable
from shared.vas import Mode, VasType
from tests.logged import logged
from tests.stepping import boundary, run

NOON = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
LOST = Unknown("ReadTimeout")
SOLD = Vended(Receipt(supplier_transaction_id="s"))
EMPTY = Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1008", float_exhausted=True)
BUSY = Rejected(Reason.SUPPLIER_BUSY, "429")


@dataclass
class Record:
    """The one paper, as a store keeps it."""

    held: Paper | None = None
    reads: int = 0
    down: bool = False
    before_reading: Callable[[str], Awaitable[None]] | None = None

    async def read_paper(self, kind, paper_id):
        self.reads += 1
        if self.before_reading is not None:
            await self.before_reading("read_paper")
        if self.down:
            raise StoreUnavailable
        return self.held

    async def write_paper(self, kind, paper, beside=None):
        if paper.revision != (self.held.revision if self.held else None):
            raise Conflict
        self.held = structs.replace(paper, revision=str(int(paper.revision or 0) + 1))
        return self.held


@dataclass
class Instance:
    record: Record
    at: datetime = NOON
    brake: Brake = field(init=False)

    def __post_init__(self):
        self.brake = Brake(self.record, Mode.LIVE, lambda: self.at)

    def stops(self, vas_type=VasType.UTILITY):
        return run(self.brake.stops(vas_type))

    def notices(self, outcome, times=1, vas_type=VasType.UTILITY):
        for _ in range(times):
            run(self.brake.notice(vas_type, outcome))


def test_an_empty_float_pauses_everything_for_minutes_everywhere():
    record = Record()
    Instance(record).notices(EMPTY)
    other = Instance(record)
    assert all(other.stops(vas_type) for vas_type in VasType)
    other.at += timedelta(minutes=2)
    assert not any(other.stops(vas_type) for vas_type in VasType)


def test_a_run_of_doubts_pauses_its_service_only():
    instance = Instance(Record())
    instance.notices(LOST, RUN_OF_DOUBTS - 1)
    assert not instance.stops()
    instance.notices(LOST)
    assert instance.stops() and not instance.stops(VasType.AIRTIME)
    assert instance.record.held.body["utility"]["by"] == ITSELF


def test_any_answer_ends_a_run_of_doubts():
    instance = Instance(Record())
    for answer in (SOLD, BUSY):
        instance.notices(LOST, RUN_OF_DOUBTS - 1)
        instance.notices(answer)
    assert not instance.stops() and instance.record.held is None


def test_the_longest_pause_bounds_what_the_brake_sets_itself_and_nothing_else():
    instance = Instance(Record())
    instance.brake = Brake(instance.record, Mode.LIVE, lambda: instance.at, longest=timedelta(seconds=10))
    maintenance = Pause("maintenance", NOON + timedelta(hours=1), "person@example.com", NOON)
    run(instance.brake.set({VasType.DATA: maintenance}))
    instance.notices(EMPTY)

    held = run(instance.brake.held())
    assert held.pop(VasType.DATA) == maintenance
    assert {pause.until for pause in held.values()} == {NOON + timedelta(seconds=10)}
    instance.at = NOON + timedelta(seconds=10)
    assert [vas_type for vas_type in VasType if instance.stops(vas_type)] == [VasType.DATA]


def test_the_brake_never_shortens_a_pause_that_a_person_set():
    instance = Instance(Record())
    run(instance.brake.set({VasType.UTILITY: Pause("maintenance", None, "person@example.com", NOON)}))
    instance.notices(EMPTY)
    instance.at += timedelta(days=1)
    assert instance.stops() and not instance.stops(VasType.DATA)


def test_a_person_releases_what_the_brake_has_set():
    instance = Instance(Record())
    instance.notices(EMPTY)
    assert run(instance.brake.set({})) == {}
    assert not instance.stops()


def test_a_decision_elsewhere_is_known_within_ten_seconds_and_read_no_more_often():
    record = Record()
    here, there = Instance(record), Instance(record)
    assert not here.stops() and not here.stops()
    assert record.reads == 1
    run(there.brake.set({VasType.UTILITY: Pause("stop", None, "person@example.com", NOON)}))
    here.at += timedelta(seconds=9)
    assert not here.stops()
    here.at += timedelta(seconds=1)
    assert here.stops()


def test_one_sale_reads_what_is_no_longer_known_and_the_others_go_by_what_was():
    instance = Instance(Record())
    assert not instance.stops()
    instance.at += timedelta(seconds=10)
    reading = instance.brake.stops(VasType.UTILITY)
    instance.record.before_reading = boundary
    reading.send(None)
    assert not instance.stops()
    assert instance.record.reads == 2
    assert not run(reading)


def test_a_read_that_fails_leaves_it_to_the_next_sale_to_know():
    instance = Instance(Record())
    assert not instance.stops()
    instance.at += timedelta(seconds=10)
    instance.record.down = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            instance.stops()


def test_a_store_that_is_down_never_makes_noticing_fail():
    instance = Instance(Record(down=True))
    instance.notices(EMPTY)
    instance.notices(LOST, RUN_OF_DOUBTS)


def test_two_decisions_at_once_do_not_overwrite_each_other():
    record = Record()
    here = Instance(record)
    run(here.brake.set({VasType.UTILITY: Pause("one", None, "person@example.com", NOON)}))
    deciding = here.brake._pause((VasType.DATA,), "run", timedelta(minutes=2))
    stale = record.held
    run(Instance(record).brake.set({}))
    record.read_paper = lambda kind, paper_id: _answer(stale)
    with pytest.raises(Conflict):
        run(deciding)
    assert record.held.body == {}


async def _answer(paper):
    return paper


def test_a_pause_wakes_somebody_whoever_sets_it_and_a_release_does_not(caplog):
    instance = Instance(Record())
    instance.notices(EMPTY)
    said = {"vas_types": sorted(VasType), "reason": "the supplier's float is exhausted"}
    assert logged(caplog) == [("ERROR", "selling paused", said)]
    caplog.clear()
    run(instance.brake.set({}))
    assert logged(caplog) == []
    pause = Pause("maintenance", None, "thandi@wallet.example", NOON)
    assert run(instance.brake.set({VasType.DATA: pause, VasType.AIRTIME: pause})) == {VasType.DATA: pause, VasType.AIRTIME: pause}
    assert logged(caplog) == [("ERROR", "selling paused", {"vas_types": ["airtime", "data"]})]


def test_what_the_brake_could_not_store_is_told(caplog):
    instance = Instance(Record(down=True))
    instance.notices(EMPTY)
    assert logged(caplog) == [("WARNING", "brake not stored", {"vas_type": VasType.UTILITY})]
