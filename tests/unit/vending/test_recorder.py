"""Putting an outcome on record and announcing it: how often a store is tried, what is published, and what a person hears."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import repeat

import pytest
from msgspec import structs

from shared.domain.outcome import Answer, Reason, Receipt, Rejected, TokensDue, Unknown, Vended
from shared.domain.transaction import EventName, State, claimed_twice
from shared.lib.value import new_word
from shared.ports.documents import Conflict, DocumentKind, StoreUnavailable
from shared.ports.events import EventsUnavailable
from shared.ports.transactions import LookupBy
from shared.vending import recorder as recording
from shared.vending.contradictions import discrepancies
from shared.vending.recorder import Recorder
from tests.step_driver import START, World, delivered, electricity, run

PENDING = Vended(Receipt(supplier_transaction_id="supplier-00000001", tokens_due=TokensDue.PENDING))
LATER = new_word(EventName, "of newer code")


@dataclass
class Recorded(World):
    """A world whose clocks agree, with the supplier's id in several hands, and whatever is scripted to take a sale first."""

    holders: tuple = ()
    asked: tuple = ()

    @property
    def recording(self):
        ports = {"store": self, "events": self, "rules": self.rules, "now": lambda: self.now, "new_id": self.new_id}
        return Recorder(**ports, monotonic=self.seconds)

    def seconds(self):
        return (self.now - START).total_seconds()

    async def lookup(self, mode, by, value, at_most=100):
        self.asked = (*self.asked, (mode, by, value))
        return list(self.holders)[:at_most]

    def sold(self, *answers, key="key-1"):
        self.answers = list(answers)
        return run(self.vending.purchase(electricity(key, allow_duplicate=True))).transaction

    def open_again(self, sale, **changes):
        """The sale with this on record beside what was announced."""
        self.sales[sale.id] = structs.replace(sale, revision=self.new_id(), **changes)
        return self.sales[sale.id]

    def told(self, caplog):
        wanted = ("vend claimed twice", "contradiction after an end", "vend in doubt", "events not announced", "discrepancy found")
        lines = [(line.levelname, line.message, dict(line.fields)) for line in caplog.records if line.message in wanted]
        caplog.clear()
        return lines

    @property
    def papers_found(self):
        return [paper for (kind, _), paper in sorted(self.papers.items()) if kind is DocumentKind.DISCREPANCIES]


@pytest.fixture
def world():
    return Recorded()


# Whose vend it is


@pytest.mark.parametrize(
    ("holders", "held"), [([], False), (["own"], False), (["own", "other"], True), (["other", "own"], True), (["other"], True)]
)
def test_a_vend_is_another_sales_where_any_other_holds_its_id(world, holders, held):
    own, other = world.sold(), world.sold(key="key-2")
    world.holders = tuple({"own": own, "other": other}[name] for name in holders)
    found = run(world.recording.held_by_another(own, Receipt(supplier_transaction_id="s-1")))
    assert found == ("s-1" if held else None) and world.asked[-1] == (world.rules.mode, LookupBy.SUPPLIER_TRANSACTION_ID, "s-1")


# How often the store is tried


def changed(sale):
    return structs.replace(sale, version=sale.version + 1)


@pytest.mark.parametrize("faults", [0, 1, 2, 3])
def test_storing_an_outcome_is_attempted_three_times(world, faults):
    sale = world.sold()
    world.store_calls.clear()
    world.store_faults = {"advance": ["refused"] * faults}
    if faults == 3:
        with pytest.raises(StoreUnavailable):
            run(world.recording.update(sale, changed))
        assert (world.store_calls, world.sales[sale.id]) == (["advance"] * 3, sale)
    else:
        kept = run(world.recording.update(sale, changed))
        assert (world.store_calls, kept) == (["advance"] * (faults + 1), world.sales[sale.id]) and kept.version == sale.version + 1


def test_a_write_whose_reply_was_lost_is_found_and_not_repeated(world):
    sale = world.sold()
    world.store_calls.clear()
    world.store_faults = {"advance": ["reply lost"], "find": ["refused"]}
    kept = run(world.recording.update(sale, changed))
    assert world.store_calls == ["advance", "advance", "find", "find"]
    assert kept == world.sales[sale.id] and kept.version == sale.version + 1


@pytest.mark.parametrize(
    ("seconds", "until", "tries"),
    [(0.999, 60, 3), (1, 60, 60), (1, 59.5, 60), (1, 2, 3), (1, 3, 3), (1, 3.5, 4), (1, None, 3), (30, 60, 3), (30, 100, 4)],
)
def test_a_slow_store_is_tried_until_the_end_and_a_fast_failure_three_times(world, seconds, until, tries):
    sale = world.sold()
    world.store_calls.clear()
    world.store_faults, world.fault_seconds = {"advance": repeat("refused")}, seconds
    with pytest.raises(StoreUnavailable):
        run(world.recording.update(sale, changed, None if until is None else world.now + timedelta(seconds=until)))
    assert world.store_calls == ["advance"] * tries and world.sales[sale.id] == sale


def test_a_sale_that_always_conflicts_is_given_up(world):
    sale = world.sold()

    async def taken(before, after):
        world.store_calls.append("advance")
        if len(world.store_calls) > 1000:
            raise AssertionError("it is never given up")
        raise Conflict

    world.advance = taken
    world.store_calls.clear()
    with pytest.raises(StoreUnavailable):
        run(world.recording.update(sale, changed))
    assert world.store_calls == ["advance", *(["find", "advance"] * (recording.MAX_CONFLICTS - 1))]


def test_a_competitors_change_stays_on_record(world):
    sale = world.sold()
    other = world.open_again(sale, attempts=7)
    kept = run(world.recording.update(sale, changed))
    assert (kept.attempts, kept.version, kept.revision) == (7, other.version + 1, world.sales[sale.id].revision)


def test_an_unchanged_sale_is_not_written_and_a_missing_sale_is_an_error(world):
    sale = world.sold()
    world.store_calls.clear()
    assert run(world.recording.update(sale, lambda known: known)) is sale and world.store_calls == []
    del world.sales[sale.id]
    with pytest.raises(StoreUnavailable):
        run(world.recording.held(sale.id))


# What is announced


def contradicted(world, sale, name, by="reprint"):
    return run(world.recording.apply_answer(sale, Answer(delivered(name)), by=by))


def test_events_are_published_in_their_order_with_contradictions_first_and_forgotten(world):
    sale = contradicted(world, contradicted(world, world.sold(), "other-00000001"), "other-00000002")
    sale = world.open_again(sale, unannounced=(EventName.VENDED, EventName.CONTRADICTED, EventName.TOKENS))
    world.topic.clear()
    done = run(world.recording.publish_pending_events(sale))
    assert [event for _, event, _ in world.topic] == [EventName.CONTRADICTED, EventName.CONTRADICTED, EventName.VENDED, EventName.TOKENS]
    assert (done.unannounced, done.open) == ((), None) and world.sales[sale.id] == done
    world.topic.clear()
    world.store_calls.clear()
    assert run(world.recording.publish_pending_events(done)) is done and (world.topic, world.store_calls) == ([], [])


def test_every_event_of_a_contradicted_sale_comes_behind_its_contradictions(world):
    """A consumer ignores older versions than the one that it knows."""
    sale = run(world.recording.publish_pending_events(contradicted(world, world.sold(), "other-00000001")))
    sale = world.open_again(sale, unannounced=(EventName.TOKENS,), open=None)
    world.topic.clear()
    run(world.recording.publish_pending_events(sale))
    assert [event for _, event, _ in world.topic] == [EventName.CONTRADICTED, EventName.TOKENS]


def test_a_contradiction_of_older_code_without_a_version_is_published(world):
    sale = contradicted(world, world.sold(), "other-00000001")
    sale = world.open_again(sale, contradicted_at=())
    world.topic.clear()
    assert run(world.recording.publish_pending_events(sale)).unannounced == () and [event for _, event, _ in world.topic] == [
        EventName.CONTRADICTED
    ]


def test_a_contradiction_published_by_older_code_is_not_listed_again(world):
    sale = contradicted(world, world.sold(), "other-00000001")
    sale = world.open_again(sale, contradicted_at=(), unannounced=(EventName.TOKENS,))
    world.topic.clear()
    world.store_calls.clear()
    run(world.recording.publish_pending_events(sale))
    assert [event for _, event, _ in world.topic] == [EventName.TOKENS] and world.store_calls == ["advance"]


def test_an_answer_that_names_anothers_vend_proves_nothing_of_this_sale(world):
    sale = world.sold(Unknown("ReadTimeout"))
    known = run(world.recording.apply_answer(sale, Answer(delivered("other-00000001")), by="reprint", claimed="supplier-other-00000001"))
    assert (known.state, known.receipt, known.sign_of_vend) == (State.IN_DOUBT, None, True)
    assert known.history[-1].note == "claimed_twice: supplier-other-00000001"
    proven = run(world.recording.apply_answer(known, Answer(delivered("own-00000001")), by="reprint", send_ended_at=world.now))
    assert (proven.state, proven.receipt.supplier_transaction_id) == (State.VENDED, "supplier-own-00000001")


def test_newer_codes_events_are_left_to_it(world):
    sale = world.sold()
    newer = world.open_again(sale, unannounced=(LATER,))
    world.topic.clear()
    world.store_calls.clear()
    assert run(world.recording.publish_pending_events(newer)) is newer and (world.topic, world.store_calls) == ([], [])
    both = world.open_again(sale, unannounced=(LATER, EventName.VENDED), open=None)
    run(world.recording.publish_pending_events(both))
    assert [event for _, event, _ in world.topic] == [EventName.VENDED]


@pytest.mark.parametrize("fails", ["topic", "paper"])
def test_an_unlisted_or_unpublished_contradiction_is_published_later(world, caplog, fails):
    sale = contradicted(world, world.sold(PENDING), "other-00000001")
    sale = world.open_again(sale, unannounced=(EventName.CONTRADICTED, EventName.TOKENS))
    world.topic.clear()
    world.told(caplog)
    world.topic_down = fails == "topic"
    world.store_calls.clear()
    world.store_faults = {"write_paper": ["refused"]} if fails == "paper" else {}
    world.wait(1000)
    left = run(world.recording.publish_pending_events(sale))
    assert left.unannounced == (EventName.CONTRADICTED, EventName.TOKENS) and world.topic == []
    assert left.open.due_at == world.now + timedelta(seconds=60) and left == world.sales[sale.id]
    ((level, message, fields),) = world.told(caplog)
    assert (level, message, fields["transaction_id"], fields["event"]) == ("ERROR", "events not announced", sale.id, EventName.CONTRADICTED)
    assert isinstance(fields["cause"], EventsUnavailable if fails == "topic" else StoreUnavailable)


def test_published_events_are_cleared_and_the_rest_is_due_later(world, caplog):
    sale = world.open_again(world.sold(PENDING), unannounced=(EventName.VENDED, EventName.TOKENS, EventName.NEEDS_REVIEW))
    world.topic.clear()
    real = world.publish

    async def until_tokens(event, sale):
        if event is EventName.TOKENS:
            raise EventsUnavailable
        await real(event, sale)

    world.publish = until_tokens
    left = run(world.recording.publish_pending_events(sale))
    assert left.unannounced == (EventName.TOKENS, EventName.NEEDS_REVIEW)
    assert [event for _, event, _ in world.topic] == [EventName.VENDED]
    ((_, message, fields),) = world.told(caplog)
    assert (message, fields["event"]) == ("events not announced", EventName.TOKENS)


def test_a_sale_whose_events_are_all_published_is_due_when_it_was(world):
    sale = world.open_again(world.sold(PENDING), unannounced=(EventName.VENDED,))
    world.wait(1000)
    done = run(world.recording.publish_pending_events(sale))
    assert (done.unannounced, done.open.due_at) == ((), sale.open.due_at) and sale.open.due_at < world.now


def test_a_contradiction_that_has_come_meanwhile_is_not_taken_for_announced(world):
    sale = contradicted(world, world.sold(), "other-00000001")
    contradicted(world, sale, "other-00000002")
    world.topic.clear()
    left = run(world.recording.publish_pending_events(sale))
    assert left.unannounced == (EventName.CONTRADICTED,) and len(world.topic) == 1
    assert run(world.recording.publish_pending_events(left)).unannounced == ()


def test_a_published_event_that_cannot_be_cleared_is_published_again(world):
    sale = world.open_again(world.sold(PENDING), unannounced=(EventName.VENDED,))
    world.topic.clear()
    world.store_calls.clear()
    world.store_faults = {"advance": repeat("refused")}
    assert run(world.recording.publish_pending_events(sale)) is sale and world.sales[sale.id] == sale
    assert [event for _, event, _ in world.topic] == [EventName.VENDED] and world.store_calls == ["advance"] * 3


# What a person decides, and hears


def close(world, paper):
    closure = {"decision": "accepted", "note": "seen", "by": "ann"}
    key = DocumentKind.DISCREPANCIES, paper.id
    world.papers[key] = structs.replace(paper, body={**paper.body, "status": "accepted", "closure": closure}, mark="live-closed")
    return world.papers[key]


def test_a_closed_contradiction_stays_closed_while_the_sale_is_unchanged(world, caplog):
    sale = run(world.recording.publish_pending_events(contradicted(world, world.sold(), "other-00000001")))
    (first,) = [close(world, paper) for paper in world.papers_found]
    run(world.recording.publish_pending_events(contradicted(world, sale, "other-00000002")))
    found = {paper.body["status"]: paper for paper in world.papers_found}
    assert found["accepted"] == first and (found["open"].mark, len(found), len(world.papers_found)) == ("live-open", 2, 2)
    assert "discrepancy found" not in [message for _, message, _ in world.told(caplog)]


def test_a_closed_contradiction_reopens_once_the_sale_has_changed(world, caplog):
    sale = world.sold(Unknown("ReadTimeout"))

    def claimed(known):
        return claimed_twice(known, "supplier-other", None, at=world.now, by="reprint", retry_seconds=60)

    sale = run(world.recording.publish_pending_events(run(world.recording.update(sale, claimed))))
    (held,) = [close(world, paper) for paper in world.papers_found]
    ended = run(world.recording.apply_answer(sale, Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011")), by="supplier"))
    world.told(caplog)
    run(world.recording.publish_pending_events(ended))
    (fresh,) = discrepancies(ended)
    (paper,) = world.papers_found
    covered = {**held.body["closure"], "ours": held.body["ours"], "theirs": held.body["theirs"]}
    assert (paper.mark, paper.body) == ("live-open", {**fresh.body, "earlierClosures": [covered]})
    kind, number = fresh.body["kind"], fresh.body["id"]
    assert world.told(caplog) == [("ERROR", "discrepancy found", {"discrepancy_id": number, "kind": kind, "severity": "critical"})]


def test_an_open_or_missing_contradiction_is_not_written_again(world, caplog):
    sale = contradicted(world, world.sold(), "other-00000001")
    (fresh,) = discrepancies(sale)
    held = run(world.write_paper(DocumentKind.DISCREPANCIES, structs.replace(fresh, body={**fresh.body, "ours": None})))
    world.told(caplog)
    run(world.recording._keep_discrepancies(sale))
    assert world.papers_found == [held]
    del world.papers[DocumentKind.DISCREPANCIES, fresh.id]
    run(world.recording._reopen(fresh))
    assert world.papers_found == [] and world.told(caplog) == []


def test_each_change_for_an_operator_is_logged_once(world, caplog):
    sale = world.sold(Unknown("ReadTimeout"))
    told = {"transaction_id": sale.id, "vas_type": "utility", "amount_cents": 10_000}
    assert world.told(caplog) == [("WARNING", "vend in doubt", {**told, "cause": "ReadTimeout"})]

    def claimed(name):
        return lambda known: claimed_twice(known, name, None, at=world.now, by="reprint", retry_seconds=60)

    sale = run(world.recording.update(sale, claimed("supplier-1")))
    line = ("CRITICAL", "vend claimed twice", {**told, "state": State.IN_DOUBT, "note": "claimed_twice: supplier-1"})
    assert world.told(caplog) == [line]
    sale = run(world.recording.update(sale, lambda known: claimed("supplier-3")(claimed("supplier-2")(known))))
    assert [fields["note"] for _, _, fields in world.told(caplog)] == ["claimed_twice: supplier-2", "claimed_twice: supplier-3"]
    sale = run(world.recording.apply_answer(sale, Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011")), by="supplier"))
    sale = run(world.recording.update(sale, lambda known: structs.replace(known, attempts=9)))
    assert world.told(caplog) == []
    run(world.recording.apply_answer(sale, Answer(delivered("other-00000001")), by="reprint"))
    note = "vended_after_rejection: supplier-other-00000001"
    assert world.told(caplog) == [("CRITICAL", "contradiction after an end", {**told, "state": State.REJECTED, "note": note})]
