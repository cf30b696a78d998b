"""The selling brake: set by a person, or by itself; released by a person, or by its time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Reason, Receipt, Rejected, Unknown, Vended
from shared.domain.vas import Mode, VasType
from shared.ports.documents import Conflict, Document, StoreUnavailable, UnreadableRecord
from shared.vending.circuit_breaker import ITSELF, CircuitBreaker, Pause
from tests.logged import logged
from tests.step_driver import boundary, run

RUN_OF_DOUBTS = 20

NOON = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
LOST = Unknown("ReadTimeout")
SOLD = Vended(Receipt(supplier_transaction_id="s"))
EMPTY = Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1008", float_exhausted=True)
BUSY = Rejected(Reason.SUPPLIER_BUSY, "429")


@dataclass
class Record:
    """The one paper, as a store keeps it."""

    held: Document | None = None
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
    brake: CircuitBreaker = field(init=False)

    def __post_init__(self):
        self.brake = CircuitBreaker(self.record, Mode.LIVE, lambda: self.at)

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


def test_the_longest_pause_bounds_only_the_breakers_own_pauses():
    instance = Instance(Record())
    instance.brake = CircuitBreaker(instance.record, Mode.LIVE, lambda: instance.at, longest=timedelta(seconds=10))
    maintenance = Pause("maintenance", NOON + timedelta(hours=1), "person@example.com", NOON)
    run(instance.brake.set({VasType.DATA: maintenance}))
    instance.notices(EMPTY)

    held = run(instance.brake.held())
    assert held.pop(VasType.DATA) == maintenance
    assert {pause.until for pause in held.values()} == {NOON + timedelta(seconds=10)}
    instance.at = NOON + timedelta(seconds=10)
    assert [vas_type for vas_type in VasType if instance.stops(vas_type)] == [VasType.DATA]


def test_the_breaker_never_shortens_an_operators_pause():
    instance = Instance(Record())
    run(instance.brake.set({VasType.UTILITY: Pause("maintenance", None, "person@example.com", NOON)}))
    instance.notices(EMPTY)
    instance.at += timedelta(days=1)
    assert instance.stops() and not instance.stops(VasType.DATA)


def test_an_operator_ends_the_breakers_pause():
    instance = Instance(Record())
    instance.notices(EMPTY)
    assert run(instance.brake.set({})) == {}
    assert not instance.stops()


def test_pauses_are_read_every_ten_seconds():
    record = Record()
    here, there = Instance(record), Instance(record)
    assert not here.stops() and not here.stops()
    assert record.reads == 1
    run(there.brake.set({VasType.UTILITY: Pause("stop", None, "person@example.com", NOON)}))
    here.at += timedelta(seconds=9)
    assert not here.stops()
    here.at += timedelta(seconds=1)
    assert here.stops()


def test_after_expiry_one_caller_reads_and_the_others_use_the_old_value():
    instance = Instance(Record())
    assert not instance.stops()
    instance.at += timedelta(seconds=10)
    reading = instance.brake.stops(VasType.UTILITY)
    instance.record.before_reading = boundary
    reading.send(None)
    assert not instance.stops()
    assert instance.record.reads == 2
    assert not run(reading)


def test_after_a_failed_read_the_next_sale_reads():
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


def test_every_pause_logs_an_error_and_a_release_does_not(caplog):
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


def test_a_pause_that_cannot_be_stored_is_logged(caplog):
    instance = Instance(Record(down=True))
    instance.notices(EMPTY)
    ((level, message, fields),) = logged(caplog)
    assert (level, message, fields["vas_type"]) == ("WARNING", "brake not stored", VasType.UTILITY)
    assert isinstance(fields["cause"], StoreUnavailable)


PAUSED = {"reason": "fire", "until": None, "by": "person@example.com", "at": NOON.isoformat()}
EVERYTHING = {vas_type.value: PAUSED for vas_type in VasType}
NEWER = {
    "a service": {**EVERYTHING, "gift-card": PAUSED},
    "a service paused in its own way": {**EVERYTHING, "gift-card": {"above": 5}, "rail": "all day", "bus": None, "taxi": []},
    "a field": {name: {**said, "above_cents": 100} for name, said in EVERYTHING.items()},
}
DAMAGED = [
    *({"utility": said} for said in (None, "paused", True, [], {}, {"reason": "fire"}, {**PAUSED, "reason": 5}, {**PAUSED, "by": None})),
    *({"utility": {**PAUSED, "until": until}} for until in ("soon", "2026-05-01T10:00:00", 5, [], {}, True, "9999-12-31T23:59:59+00:00")),
    *({"utility": {**PAUSED, "at": at}} for at in (None, "then", 5, "0001-01-01T00:00:00+00:00")),
    {"utility": {name: said for name, said in PAUSED.items() if name != "until"}},
    {"airtime": PAUSED, "utility": "paused"},
]


def recorded(body):
    return Record(Document("live-selling", body, revision="1"))


def warmed(record):
    """An instance that knows, from before the paper of the pauses was written, that everything is sold."""
    instance = Instance(Record())
    assert not any(instance.stops(vas_type) for vas_type in VasType)
    instance.record.held = record.held
    instance.at += timedelta(seconds=10)
    return instance


@pytest.mark.parametrize("body", NEWER.values(), ids=NEWER)
@pytest.mark.parametrize("instance_of", [Instance, warmed], ids=["cold", "warm"])
def test_pauses_that_newer_code_wrote_hold_and_stay_as_they_are(body, instance_of):
    instance = instance_of(recorded(body))
    assert all(instance.stops(vas_type) for vas_type in VasType)
    instance.notices(EMPTY)
    instance.notices(LOST, RUN_OF_DOUBTS + 1)
    assert instance.record.held.body == body
    assert {pause.reason for pause in run(instance.brake.held()).values()} == {"fire"}


def test_an_operators_decision_keeps_the_pauses_of_newer_codes_services():
    newer = {"gift-card": PAUSED, "rail": {"above": 5}}
    instance = Instance(recorded({**{name: {**said, "above_cents": 100} for name, said in EVERYTHING.items()}, **newer}))
    fresh = Pause("maintenance", None, "person@example.com", NOON)
    run(instance.brake.set({VasType.DATA: fresh}))
    assert instance.record.held.body == {**newer, "data": {**PAUSED, "reason": "maintenance"}}  # a new pause says nothing of the old one
    assert instance.stops(VasType.DATA) and not instance.stops(VasType.UTILITY)
    assert "gift-card" in run(instance.brake.held())
    assert run(instance.brake.set({})) == {} and instance.record.held.body == newer


def test_the_breaker_adds_to_newer_codes_pauses_and_loses_none():
    newer = {"data": {**PAUSED, "above_cents": 100}, "gift-card": {"above": 5}}
    instance = Instance(recorded(newer))
    instance.notices(LOST, RUN_OF_DOUBTS)
    assert {name: said for name, said in instance.record.held.body.items() if name != "utility"} == newer
    assert instance.stops(VasType.UTILITY) and instance.stops(VasType.DATA) and not instance.stops(VasType.VOUCHER)


@pytest.mark.parametrize("body", DAMAGED, ids=str)
@pytest.mark.parametrize("instance_of", [Instance, warmed], ids=["cold", "warm"])
def test_unreadable_pauses_stop_all_sales_until_an_operator_decides(body, instance_of, caplog):
    instance = instance_of(recorded(body))
    assert all(instance.stops(vas_type) for vas_type in VasType)
    named = {(line.levelname, line.message, line.fields["paper_id"]) for line in caplog.records}
    assert named == {("CRITICAL", "record not readable", "live-selling")}
    instance.notices(EMPTY)
    instance.notices(LOST, 2 * RUN_OF_DOUBTS)
    assert instance.record.held.body == body  # left as it is
    assert set(run(instance.brake.held())) == set(VasType)
    assert run(instance.brake.set({})) == {}
    assert not any(instance.stops(vas_type) for vas_type in VasType)


def test_a_damaged_document_of_pauses_stops_all_sales_and_can_be_replaced():
    instance = Instance(Record(Document("live-selling", {}, revision="7")))

    async def unreadable(_):
        if instance.record.held.revision == "7":
            raise UnreadableRecord("damaged", revision="7")

    instance.record.before_reading = unreadable
    assert all(instance.stops(vas_type) for vas_type in VasType)
    run(instance.brake.set({VasType.DATA: Pause("checked", None, "person@example.com", NOON)}))
    assert instance.stops(VasType.DATA) and not instance.stops(VasType.UTILITY)


@pytest.mark.parametrize("error", [StoreUnavailable(), Conflict(), KeyError("x"), ValueError(), UnreadableRecord("damaged")], ids=repr)
def test_counting_an_outcome_never_raises(error):
    instance = Instance(Record())

    async def fails(_):
        raise error

    instance.record.before_reading = fails
    instance.notices(EMPTY)
    instance.notices(LOST, RUN_OF_DOUBTS)


def paused(record, **pauses):
    """A paper with these pauses, as a person has set them."""
    said = {name: {"reason": "away", "until": None, "by": "ann@example.com", "at": NOON.isoformat()} for name in pauses}
    record.held = Document("live-selling", said, revision="1")


def test_each_of_two_first_sales_reads_what_is_paused():
    record = Record(before_reading=boundary)
    paused(record, utility=True)
    brake = Instance(record).brake
    first, second = brake.stops(VasType.UTILITY), brake.stops(VasType.UTILITY)
    assert first.send(None) == second.send(None) == "read_paper"
    assert run(second) and run(first) and record.reads == 2


@pytest.mark.parametrize("other", [SOLD, BUSY, EMPTY])
def test_a_run_of_doubts_restarts_after_any_other_answer_of_its_service(other):
    instance = Instance(Record())
    instance.notices(LOST, RUN_OF_DOUBTS - 1)
    instance.notices(other)
    run(instance.brake.set({}))
    instance.notices(LOST, RUN_OF_DOUBTS - 1)
    instance.notices(LOST, RUN_OF_DOUBTS - 1, VasType.AIRTIME)
    assert not instance.stops() and not instance.stops(VasType.AIRTIME)
    instance.notices(LOST)
    assert instance.stops() and not instance.stops(VasType.AIRTIME)
    assert run(instance.brake.held())[VasType.UTILITY] == Pause("20 sales in a row in doubt", NOON + timedelta(minutes=2), ITSELF, NOON)


def test_after_a_pause_for_a_run_of_doubts_another_run_is_needed():
    instance = Instance(Record())
    instance.notices(LOST, RUN_OF_DOUBTS)
    instance.at += timedelta(minutes=2)
    assert not instance.stops()
    instance.notices(LOST, RUN_OF_DOUBTS - 1)
    assert not instance.stops()
    instance.notices(LOST)
    assert instance.stops()


def test_a_paused_service_is_neither_written_nor_logged_again(caplog):
    instance = Instance(Record())
    instance.notices(EMPTY)
    held, told = instance.record.held, len(caplog.records)
    instance.notices(EMPTY)
    assert instance.record.held is held and len(caplog.records) == told
