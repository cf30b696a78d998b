"""Settling ends doubts: what a line proves, what absence proves, and what neither takes back."""

from datetime import timedelta

import pytest
from msgspec import structs

from shared.domain.outcome import Answer, NoSuchTransaction, Reason, Rejected, Reprint, Vended
from shared.domain.transaction import EventName, State
from shared.settlement.matching import ONE_DAY
from tests.archive import Archive, bill
from tests.step_driver import START, boundary, delivered, run
from tests.unit.settlement.settled import DAY, LATER, LOST, MORNING, NEXT, balanced, only, sell, settle, world_at


def test_a_lost_answer_is_resolved_by_its_line_and_its_token_is_to_be_recovered():
    world = world_at(MORNING)
    sale = sell(world, LOST)
    world.deliver(DAY, bill(sale))
    body = only(settle(world, DAY))
    healed = world.sales[sale.id]
    assert healed.state is State.VENDED and healed.tokens_pending and healed.history[-1].by == "settlement"
    assert healed.answers[-1].source == "settlement" and healed.answers[-1].body.startswith(b"D|Utility|")
    assert (sale.id, EventName.VENDED, State.VENDED) in world.topic and not healed.unannounced
    assert [one["transactionId"] for one in body["healed"]] == [one["transactionId"] for one in body["tokensToRecover"]] == [sale.id]
    assert body["discrepancies"] == [] and all(books["residue"] == {"rows": 0, "cents": 0} for books in body["conservation"])


def test_a_reprint_gives_a_resolved_sale_its_token_in_any_spelling_of_the_guid():
    guid = "6B0F6A52-0D1C-4C3C-9A53-1F2F4F1F9A10"
    world = world_at(MORNING)
    sale = sell(world, LOST)
    world.deliver(DAY, bill(sale, guid))
    settle(world, DAY)
    assert world.sales[sale.id].receipt.supplier_transaction_id == guid
    world.now += timedelta(hours=2)
    world.reprints = [Vended(structs.replace(delivered("00000001").receipt, supplier_transaction_id=guid.lower()))]
    run(world.sweeping.sweep(LATER))
    whole = world.sales[sale.id]
    assert whole.receipt.tokens and whole.history[-1].what == "tokens added" and whole.open is None
    assert not world.discrepancies


def test_a_sale_that_no_file_bills_is_rejected_when_all_its_files_are_in():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    sale = sell(world, LOST, cents=7_700)
    control = sell(world, at=START + ONE_DAY)
    world.deliver(NEXT, bill(control))
    body = only(settle(world, DAY))
    ended = world.sales[sale.id]
    assert ended.state is State.REJECTED and ended.history[-1].by == "settlement" and ended.open is None
    assert [(one["transactionId"], one["state"]) for one in body["healed"]] == [(sale.id, "rejected")]


def test_an_indication_of_a_vend_outweighs_absence_even_during_the_read():
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    sale = sell(world, LOST, cents=7_700)
    world.deliver(NEXT, bill(sell(world, at=START + ONE_DAY)))
    settling = world.settling().settle(DAY, LATER)
    while settling.send(None) != "before compare":
        pass
    world.sales[sale.id] = structs.replace(world.sales[sale.id], sign_of_vend=True, revision="later")
    run(settling)
    assert world.sales[sale.id].state is State.IN_DOUBT


def test_a_file_with_other_ids_never_makes_a_vend_rejected():
    world = world_at(MORNING + 2 * ONE_DAY)
    sales = [sell(world), sell(world, LOST), sell(world, LOST, cents=7_700)]
    strange = [bill(sale, f"cccccccc-0000-4000-8000-{at:012d}", merchant_id=f"number {at}") for at, sale in enumerate(sales)]
    world.deliver(DAY, *strange)
    world.deliver(NEXT)
    body = only(settle(world, DAY))
    assert [world.sales[sale.id].state for sale in sales] == [State.VENDED, State.IN_DOUBT, State.IN_DOUBT]
    assert {one["transactionId"] for one in body["open"]} == {sales[1].id, sales[2].id} and body["healed"] == []


class Forgetful(Archive):
    """Its supplier knows of those sales only that it has answered."""

    async def reprint(self, sale):
        await boundary("before reprint")
        return Reprint(sale.outcome if isinstance(sale.outcome, Vended) else NoSuchTransaction())


@pytest.mark.parametrize("status", ["Binned", "Pending"])
def test_a_line_that_names_a_sale_is_an_indication_that_no_reprint_takes_back(status):
    world = Forgetful(now=MORNING)
    control, sale = sell(world, cents=5_000), sell(world, LOST)
    world.deliver(DAY, bill(control), bill(sale, status=status))
    settle(world, DAY)
    for _ in range(2):
        world.wait(3700)
        run(world.sweeping.sweep(LATER))
    named = world.sales[sale.id]
    assert (named.state, named.sign_of_vend, named.history[-1].what) == (State.IN_DOUBT, True, "sign of a vend")
    assert named.history[-1].note == "named by line 3 of the settlement file of 2026-05-01"
    assert named.answers[-1].source == "settlement" and status.encode() in named.answers[-1].body


def test_a_later_files_line_that_names_a_sale_outweighs_absence_for_good():
    world = world_at(MORNING + 4 * ONE_DAY)
    control, sale = sell(world, cents=5_000), sell(world, LOST, cents=7_700)
    second, third = sell(world, at=START + ONE_DAY, cents=5_100), sell(world, at=START + 3 * ONE_DAY, cents=5_200)
    world.deliver(DAY, bill(control))
    world.deliver(DAY + 3 * ONE_DAY, bill(third), bill(sale, status="Pending"))
    settle(world)
    world.deliver(NEXT, bill(second))
    body = settle(world).days[0]
    assert world.sales[sale.id].state is State.IN_DOUBT
    assert [one["transactionId"] for one in body["open"]] == [sale.id] and body["healed"] == []
    world.written = 0
    settle(world)
    assert world.written == 0


def test_a_sale_that_has_ended_is_left_alone_by_a_line_that_does_not_bill_it():
    world = world_at(MORNING)
    sales = [sell(world), sell(world, Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"))]
    world.deliver(DAY, *(bill(sale, status="Binned") for sale in sales))
    before = dict(world.sales)
    settle(world, DAY)
    assert world.sales == before


def test_a_sale_that_ends_during_the_read_is_not_contradicted_by_an_unbilling_line():
    world = world_at(MORNING)
    sale = sell(world, LOST)
    world.deliver(DAY, bill(sale, status="Binned"))
    settling = world.settling().settle(DAY, LATER)
    while settling.send(None) != "before compare":
        pass
    refusal = Answer(Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"))
    ended = run(world.recorder.apply_answer(world.sales[sale.id], refusal, by="supplier"))
    run(settling)
    assert (world.sales[sale.id].state, world.sales[sale.id].history) == (State.REJECTED, ended.history)


def test_a_vend_after_a_rejection_is_kept_noted_and_published_once(caplog):
    world = world_at(MORNING)
    sale = sell(world, Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"))
    world.deliver(DAY, bill(sale))
    for _ in range(3):
        body = only(settle(world, DAY))
    assert [found["kind"] for found in body["discrepancies"]] == ["vended_after_rejection"]
    held = world.sales[sale.id]
    assert held.state is State.REJECTED and [entry.what for entry in held.history].count("contradicted") == 1
    assert [event for _, event, _ in world.topic].count(EventName.CONTRADICTED) == 1
    assert caplog.text.count("discrepancy found") == 1


def test_a_line_that_names_a_sale_of_long_ago_is_no_stranger():
    world = world_at(MORNING)
    old = sell(world, at=START - 9 * ONE_DAY)
    world.deliver(DAY, bill(old))
    assert [found["kind"] for found in only(settle(world, DAY))["discrepancies"]] == ["late_posting"]


def test_a_line_that_names_an_old_sale_in_doubt_resolves_it_by_the_suppliers_id_too():
    world = world_at(MORNING)
    old = sell(world, LOST, at=START - 9 * ONE_DAY)
    world.deliver(DAY, bill(old))
    settle(world, DAY)
    assert world.sales[old.id].state is State.VENDED


def silent():
    """A day whose files end a doubt by absence."""
    world = world_at(MORNING + 2 * ONE_DAY)
    balanced(world)
    doubt = sell(world, LOST, cents=7_700)
    world.deliver(NEXT, bill(sell(world, at=START + ONE_DAY)))
    return world, doubt


def test_a_sale_indicated_before_its_absence_was_recorded_stays_open_and_unresolved():
    world, doubt = silent()
    run(world.settling().settle(DAY, LATER), stop_after="before advance")
    world.sales[doubt.id] = structs.replace(world.sales[doubt.id], sign_of_vend=True, revision="later")
    assert world.days["live-2026-05-01-run"]["healed"] == [[doubt.id, "rejected", None]]
    body = only(settle(world, DAY))
    assert (body["healed"], [one["transactionId"] for one in body["open"]]) == ([], [doubt.id])


def test_absence_counts_in_the_requested_run_if_the_third_days_file_exists_already():
    world, doubt = silent()
    world.now += ONE_DAY
    world.deliver(NEXT + ONE_DAY, bill(sell(world, at=START + ONE_DAY, cents=6_600)))
    assert [one["transactionId"] for one in only(settle(world, DAY))["healed"]] == [doubt.id]
