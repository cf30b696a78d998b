"""A run that crashes, meets another run or finds no file source changes nothing for the next run."""

import json
import zlib

import pytest

from shared.domain.outcome import Reason, Rejected
from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.mobilemart.settlement_writer import detail
from shared.ports.settlement_files import FilesUnavailable
from shared.settlement.matching import ONE_DAY
from tests.archive import bill
from tests.step_driver import START, boundaries, run
from tests.unit.settlement.settled import (
    DAY,
    LATER,
    LOST,
    MORNING,
    NEXT,
    only,
    sell,
    settle,
    world_at,
)


def troubled(**shape):
    """Two days with each kind of write: resolutions of both kinds, an indication, a contradiction, discrepancies, a closing."""
    world = world_at(MORNING + ONE_DAY, **shape)
    fine, other = sell(world), sell(world, cents=20_000)
    lost, absent = sell(world, LOST, cents=30_000), sell(world, LOST, cents=40_000)
    refused_sale = sell(world, Rejected(Reason.TEMPORARILY_UNAVAILABLE, "1011"), cents=50_000)
    named = bill(sell(world, LOST, cents=60_000), status="Pending")
    world.deliver(DAY, bill(fine), bill(other, amount="20001"), stamp="20260501235900")
    settle(world, DAY)
    world.deliver(DAY, bill(fine), bill(other), bill(lost, amount="30001"), bill(refused_sale), named, stamp="20260502060000")
    world.deliver(NEXT, bill(sell(world, at=START + ONE_DAY)))
    world.now += ONE_DAY
    return world, absent


def announced(world):
    """The events that were published by the end of the next sweep."""
    world.reprint_knows = False
    world.wait(7200)
    run(world.sweeping.sweep(LATER))
    return set(world.topic)


def state_of(world):
    papers = {key: (paper.body, paper.mark) for key, paper in world.papers.items()}
    return papers, {sale.id: (sale.state, [entry.what for entry in sale.history]) for sale in world.sales.values()}


def test_wherever_a_run_crashes_the_next_one_ends_as_if_nothing_had_happened():
    undisturbed, absent = troubled()
    expected = settle(undisturbed)
    assert undisturbed.sales[absent.id].state is State.REJECTED
    before, announcements = state_of(undisturbed), announced(undisturbed)
    steps = boundaries(lambda: troubled()[0].settling().settle(None, LATER))
    for crash in [at for at, step in enumerate(steps) if step.endswith(("write_paper", "advance", "publish"))]:
        world, _ = troubled()
        run(world.settling().settle(None, LATER), stop_after=crash)
        assert settle(world) == expected, steps[crash]
        assert state_of(world) == before, (crash, steps[crash])
        assert announced(world) == announcements, (crash, steps[crash])


def test_two_runs_at_once_do_no_harm():
    undisturbed, _ = troubled()
    expected = settle(undisturbed)
    steps = boundaries(lambda: troubled()[0].settling().settle(None, LATER))
    for pause in [at for at, step in enumerate(steps) if "write" in step or "advance" in step]:
        world, _ = troubled()
        first = world.settling().settle(None, LATER)
        for _ in range(pause + 1):
            first.send(None)
        assert settle(world) == expected
        assert run(first) == expected
        assert state_of(world) == state_of(undisturbed), (pause, steps[pause])


def test_a_catastrophic_file_is_reported_in_documents_that_can_be_stored():
    world = world_at(MORNING)
    lines = [
        detail(
            service=VasType.UTILITY,
            transaction_id=f"{at:08x}-0000-4000-8000-{at * 7919 % 2**48:012x}",
            merchant_id=f"{at:08x}-1111-4000-8000-{at * 104_729 % 2**48:012x}",
            at=START,
            cents=at,
            recipient=f"{at:011d}",
        )
        for at in range(5_000)
    ]
    world.deliver(DAY, *lines)
    body = only(settle(world, DAY))
    assert len(body["discrepancies"]) == len(world.discrepancies) == 1_000
    assert body["leftOut"] == {"lookUps": 4_000, "discrepancies": 4_000}
    assert body["conservation"][0]["missingHere"] == {"rows": 5_000, "cents": sum(range(5_000))}
    assert len(zlib.compress(json.dumps(body).encode())) < 300_000  # Firestore takes 1 MiB
    world.written = 0
    assert only(settle(world, DAY)) == body and world.written == 0


def test_a_place_that_does_not_answer_changes_nothing():
    world = world_at(MORNING)
    sell(world, LOST)
    world.shelf.unavailable = True
    for day in (None, DAY):
        with pytest.raises(FilesUnavailable):
            settle(world, day)
    assert world.written == 0
