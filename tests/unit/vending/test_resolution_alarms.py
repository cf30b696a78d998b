"""Each doubt, contradiction and failed announcement is logged once under the name that its alert knows."""

from shared.domain.outcome import Answer, Receipt, TokensDue, Vended
from shared.domain.policy import VendingPolicy
from shared.domain.transaction import EventName, State
from shared.domain.vas import Mode, VasType
from shared.ports.events import EventsUnavailable
from tests.logged import logged
from tests.step_driver import World, delivered, electricity, run
from tests.unit.vending.doubts import lost_reply, sweep_at, swept


def test_an_old_doubt_and_a_due_token_are_logged_at_every_attempt(caplog):
    world = World(rules=VendingPolicy(mode=Mode.LIVE, review_after_seconds=7200))
    doubt = lost_reply(world)
    world.reprint_knows = False
    said = {"transaction_id": doubt.id, "amount_cents": 10_000, "created_at": doubt.created_at}
    caplog.clear()
    swept(world)
    assert logged(caplog) == []
    sweep_at(world, 7200)
    assert logged(caplog) == [("ERROR", "in doubt too long", said)]
    sweep_at(world, 7200)
    assert logged(caplog) == [("ERROR", "in doubt too long", said)] * 2
    caplog.clear()
    world.reprint_knows = True
    world.reprints = [Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.PENDING))]
    sweep_at(world, 7200)
    assert logged(caplog) == [("WARNING", "tokens pending", said)]
    caplog.clear()
    world.reprints = [Vended(Receipt(supplier_transaction_id="s-1", tokens_due=TokensDue.NONE))]
    sweep_at(world, 7200)
    assert logged(caplog) == [] and world.sales[doubt.id].open is None


def test_a_doubt_is_logged_once_at_its_start_with_its_cause(caplog):
    world = World()
    sale = lost_reply(world)
    sweep_at(world, 0)
    told = {"transaction_id": sale.id, "vas_type": VasType.UTILITY, "amount_cents": 10_000, "cause": "ReadTimeout"}
    assert logged(caplog) == [("WARNING", "vend in doubt", told)]


def test_each_contradiction_is_logged_once_with_its_note(caplog):
    world = World()
    sold = run(world.vending.purchase(electricity())).transaction
    for number in (1, 2):
        run(world.recorder.apply_answer(sold, Answer(delivered(f"other-0000000{number}")), by="reprint"))
    contradictions = [line for line in logged(caplog) if line[0] == "CRITICAL"]
    assert [line[1] for line in contradictions] == ["contradiction after an end"] * 2
    notes = [entry.note for entry in world.sales[sold.id].history if entry.what == EventName.CONTRADICTED]
    assert [line[2]["note"] for line in contradictions] == notes and len(set(notes)) == 2
    for *_, fields in contradictions:
        assert {**fields, "note": None} == {
            "transaction_id": sold.id,
            "vas_type": VasType.UTILITY,
            "amount_cents": 10_000,
            "state": State.VENDED,
            "note": None,
        }


def test_a_vend_that_another_sale_holds_is_logged_as_critical(caplog):
    world = World()
    holder = run(world.vending.purchase(electricity("holder", allow_duplicate=True))).transaction
    doubt = lost_reply(world)
    world.reprints = [delivered(holder.request_id)]
    swept(world)
    (line,) = [line for line in logged(caplog) if line[0] == "CRITICAL"]
    assert line[1] == "vend claimed twice" and (line[2]["transaction_id"], line[2]["state"]) == (doubt.id, State.IN_DOUBT)


def test_a_failed_event_is_logged_with_its_name_and_cause(caplog):
    world = World(topic_down=True)
    sale = run(world.vending.purchase(electricity())).transaction
    (line,) = logged(caplog)
    assert line[:2] == ("ERROR", "events not announced")
    assert {**line[2], "cause": None} == {"transaction_id": sale.id, "event": EventName.VENDED, "cause": None}
    assert isinstance(line[2]["cause"], EventsUnavailable)
