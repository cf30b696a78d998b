"""A clock that steps: spans are measured by two clocks, and what is on record never goes back."""

from datetime import timedelta
from itertools import repeat

import pytest
from msgspec import structs

from shared.domain.identifiers import transaction_id
from shared.domain.outcome import Answer, NoSuchTransaction, Reason, Rejected, Reprint, Unknown
from shared.domain.transaction import HistoryEntry, State, after_failed_attempt, append_history, no_earlier, reschedule, sent_until
from shared.domain.vas import Mode, VasType
from shared.lib.clocks import Moment
from shared.ports.documents import Document, DocumentKind
from shared.schemas.responses import state_shown
from shared.vending.circuit_breaker import CircuitBreaker
from shared.vending.purchase import RequestInProgress
from shared.vending.purchasing import Vending
from shared.vending.recorder import Recorder
from shared.vending.sweep import Sweeping
from tests.step_driver import CALLER, EVERY_CALL, START, World, delivered, electricity, one_by_one, run

MAX_CLAIMS = 1_000

HALF_AN_HOUR, MINUTE = 1800.0, 60.0
NOT_TAKEN = Rejected(Reason.TEMPORARILY_UNAVAILABLE, "no connection", not_taken=True)


class Clocked(World):
    """A world with a monotonic clock beside its wall clock: `elapse` moves both; `step`, and `freeze` likewise, the wall clock alone."""

    def __init__(self, **fields):
        super().__init__(**fields)
        self.seconds = 1000.0

    @property
    def vending(self):
        return Vending(recorder=self.recorder, supplier=self, brake=self)

    @property
    def sweeping(self):
        return Sweeping(recorder=self.recorder, supplier=self, store=self, each=one_by_one)

    @property
    def recorder(self):
        ports = {"store": self, "events": self, "rules": self.rules, "now": lambda: self.now}
        return Recorder(**ports, new_id=self.new_id, monotonic=lambda: self.seconds)

    def elapse(self, seconds):
        self.wait(seconds)
        self.seconds += seconds

    def step(self, seconds):
        self.wait(seconds)

    def freeze(self, seconds):
        self.wait(seconds)

    def until(self, purchase, boundary):
        while purchase.send(None) != boundary:
            pass


def sweep(world):
    return run(world.sweeping.sweep(world.now + timedelta(hours=1)))


def sale_of(world, key="key-1"):
    return world.sales[transaction_id(Mode.LIVE, CALLER, key)]


# The send window


def test_a_clock_that_steps_back_does_not_stretch_the_send_window():
    world = Clocked()
    slow = world.vending.purchase(electricity())
    world.until(slow, "before find_open")
    world.elapse(11)
    world.step(-HALF_AN_HOUR)
    told = run(slow).transaction
    assert (told.state, world.vends) == (State.REJECTED, [])


def test_the_transport_gets_the_shorter_rest_of_the_send_window(monkeypatch):
    world, left = Clocked(), []
    sold = world.vend

    async def vend(order, prevend_id, request_id, seconds):
        left.append(seconds)
        return await sold(order, prevend_id, request_id, seconds)

    monkeypatch.setattr(world, "vend", vend)
    slow = world.vending.purchase(electricity())
    world.until(slow, "before find_open")
    world.elapse(4)
    world.step(-HALF_AN_HOUR)
    assert run(slow).transaction.state is State.VENDED and left == [6.0]


def test_a_second_send_counts_from_the_claim_after_a_step_back_in_the_first():
    world = Clocked(answers=[NOT_TAKEN])
    slow = world.vending.purchase(electricity())
    world.until(slow, "after vend")
    world.elapse(12)
    world.step(-HALF_AN_HOUR)
    assert run(slow).transaction.state is State.REJECTED and not world.vends


def test_a_frozen_instance_does_not_stretch_the_send_window():
    world = Clocked()
    slow = world.vending.purchase(electricity())
    world.until(slow, "before find_open")
    world.freeze(11)
    assert run(slow).transaction.state is State.REJECTED and not world.vends


def test_a_clock_that_steps_back_before_the_claim_does_not_let_a_late_request_begin():
    world = Clocked()
    slow = world.vending.purchase(electricity())
    world.until(slow, "before prevend")
    world.elapse(81)
    world.step(-HALF_AN_HOUR)
    assert run(slow).transaction.state is State.REJECTED and not world.vends


# The lease


@pytest.mark.parametrize("how", ["stepped back", "stood still"])
def test_a_lease_ends_when_either_clock_says_so(how):
    world = Clocked()
    vending = world.vending
    slow = vending.purchase(electricity())
    world.until(slow, "before vend")
    world.elapse(120)
    with pytest.raises(RequestInProgress):
        run(vending.purchase(electricity()))
    if how == "stepped back":
        world.elapse(120)
        world.step(-HALF_AN_HOUR)
    else:
        world.freeze(120)
    again = run(vending.purchase(electricity()))
    assert again.replayed and state_shown(again.transaction, vending.now_for(again.transaction)) is State.IN_DOUBT
    assert run(slow).transaction.state is State.VENDED and vending.claims == {}


def test_another_process_measures_a_lease_by_the_wall_clock_alone():
    world = Clocked()
    slow = world.vending.purchase(electricity())
    world.until(slow, "before vend")
    world.elapse(240)
    world.step(-HALF_AN_HOUR)
    with pytest.raises(RequestInProgress):
        run(world.vending.purchase(electricity()))
    world.step(HALF_AN_HOUR)
    assert run(world.vending.purchase(electricity())).replayed


def test_a_process_forgets_the_claims_of_sales_that_have_ended():
    world = Clocked()
    vending = world.vending
    for number in range(MAX_CLAIMS + 1):
        slow = vending.purchase(electricity(f"key-{number}", allow_duplicate=True))
        world.until(slow, "after create")
        slow.send(None)
        slow.close()
    assert len(vending.claims) == MAX_CLAIMS and sale_of(world, "key-0").id not in vending.claims
    assert sale_of(world, f"key-{MAX_CLAIMS}").id in vending.claims


# The minimum age


def lost_in_a_step(world, seconds):
    """A sale whose answer was lost, while the clock stepped inside its exchange."""
    control = run(world.vending.purchase(electricity("control", cents=5_000))).transaction
    assert control.state is State.VENDED
    world.answers = [Unknown("lost")]
    slow = world.vending.purchase(electricity())
    world.until(slow, "before vend")
    world.step(seconds)
    world.elapse(30)
    sale = run(slow).transaction
    world.vends.remove(sale.request_id)  # the supplier has not begun with it, and may still
    return sale


@pytest.mark.parametrize("step", [-HALF_AN_HOUR, HALF_AN_HOUR, -2 * 3600.0, 300.0])
def test_a_step_inside_the_exchange_does_not_shorten_the_minimum_age(step):
    world = Clocked()
    sale = lost_in_a_step(world, step)
    assert sale.state is State.IN_DOUBT and sale.send_ended_at >= sale.created_at + timedelta(seconds=30)
    world.step(-step)  # it is put right
    for _ in range(14):
        sweep(world)
        assert sale_of(world).state is State.IN_DOUBT and sale_of(world).not_found_at is None
        world.elapse(MINUTE)


def test_a_doubt_ends_at_the_minimum_age_by_the_moments_on_record():
    world = Clocked()
    sale = lost_in_a_step(world, -HALF_AN_HOUR)
    world.step(HALF_AN_HOUR)
    for _ in range(40):
        world.elapse(MINUTE)
        sweep(world)
    assert sale_of(world).state is State.REJECTED
    assert sale_of(world).updated_at >= sale.send_ended_at + timedelta(seconds=900 + 60)


def test_a_clock_that_steps_forward_inside_a_sweep_makes_no_doubt_old(monkeypatch):
    world = Clocked()
    lost_in_a_step(world, 0.0)
    world.elapse(MINUTE)
    monkeypatch.setattr(world, "reprint_knows", False)
    resolving = world.sweeping.resolving.resolve(sale_of(world), frozenset({VasType.UTILITY}), world.sweeping.recorder.moment())
    world.step(2 * 3600.0)
    world.reprints = [Reprint(NoSuchTransaction())]
    assert run(resolving).not_found_at is None


def test_the_end_of_a_send_is_never_moved_back():
    world = Clocked()
    sale = run(world.vending.purchase(electricity())).transaction
    earlier, later = sale.send_ended_at - timedelta(minutes=30), sale.send_ended_at + timedelta(minutes=30)
    assert sent_until(sale, None) is sent_until(sale, earlier) is sale
    assert sent_until(sale, later).send_ended_at == later


# What is on record


def test_moments_on_record_never_go_back_whoever_writes_them():
    world = Clocked(answers=[Unknown("lost")])
    slow = world.vending.purchase(electricity())
    world.until(slow, "after vend")
    world.step(-HALF_AN_HOUR)
    doubtful = run(slow).transaction
    world.elapse(61)
    world.step(-HALF_AN_HOUR)
    learned = run(world.recorder.apply_answer(doubtful, Answer(delivered(doubtful.request_id)), by="reprint"))
    revealed = append_history(learned, HistoryEntry(world.now, "tokens revealed", "person"))
    moments = [entry.at for entry in revealed.history]
    assert moments == sorted(moments) and moments[0] >= START
    assert doubtful.created_at <= doubtful.updated_at <= learned.updated_at
    assert learned.open is None or learned.open.due_at >= learned.updated_at


def test_an_earlier_moment_becomes_the_moment_on_record_and_due_at_follows():
    world = Clocked(answers=[Unknown("lost")])
    sale = run(world.vending.purchase(electricity())).transaction
    past = sale.updated_at - timedelta(hours=2)
    assert no_earlier(sale, past) == sale.updated_at
    waits = after_failed_attempt(sale, at=past, minimum_age_seconds=900, review_after_seconds=216_000, retry_seconds=60)
    assert waits.open.due_at == sale.updated_at + timedelta(seconds=60)
    due = structs.replace(sale, open=structs.replace(sale.open, due_at=past))
    assert reschedule(due, at=past, retry_seconds=60).open.due_at == sale.updated_at + timedelta(seconds=60)


# The rest


def test_a_step_back_does_not_prolong_the_attempts_at_a_failing_store():
    world = Clocked(answers=[Unknown("lost")], fault_seconds=0)
    slow = world.vending.purchase(electricity())
    world.until(slow, "after vend")
    world.step(-HALF_AN_HOUR)
    world.store_faults = {EVERY_CALL: repeat("refused")}
    tries, told = 0, None
    try:
        while True:
            if slow.send(None) == "before advance":
                tries += 1
                world.elapse(20)
    except StopIteration as ended:
        told = ended.value
    assert told is not None and not told.on_record and 3 <= tries < 12


async def test_a_circuit_breaker_read_in_the_future_is_read_again():
    reads = []

    class Documents:
        async def read_paper(self, kind, paper_id):
            reads.append((kind, paper_id))
            return None if len(reads) < 2 else Document(paper_id, {"utility": PAUSE}, revision="1")

    world = Clocked()
    brake = CircuitBreaker(Documents(), Mode.LIVE, lambda: world.now)
    assert not await brake.stops(VasType.UTILITY)
    world.step(-HALF_AN_HOUR)
    assert await brake.stops(VasType.UTILITY) and reads == [(DocumentKind.CONTROLS, "live-selling")] * 2


PAUSE = {"reason": "The network is away", "until": None, "by": "person", "at": START.isoformat()}


@pytest.mark.parametrize(
    ("wall", "ticks", "latest", "earliest"),
    [
        *((60, 60, 60, 60), (-1740, 60, 60, -1740), (1860, 60, 1860, 60), (60, 0, 60, 0)),
        *((60, 62, 60, 60), (60, 58, 60, 60), (60, 62.001, 62.001, 60), (60, 57.999, 60, 57.999)),
    ],
    ids=[
        *("both agree", "stepped back", "stepped forward", "stood still"),
        *("two seconds behind", "two seconds ahead", "further behind", "further ahead"),
    ],
)
def test_a_span_follows_the_later_or_the_earlier_clock(wall, ticks, latest, earliest):
    began = Moment(START, 5.0)
    now = Moment(START + timedelta(seconds=wall), 5.0 + ticks)
    assert began.latest(now) == START + timedelta(seconds=latest) and began.age(now) == timedelta(seconds=latest)
    assert began.earliest(now) == START + timedelta(seconds=earliest)


def test_a_process_has_both_clocks():
    recorder = Recorder(store=None, events=None, rules=None, now=lambda: START, new_id=str)
    first = recorder.moment()
    assert first.at == START and recorder.moment().ticks >= first.ticks
