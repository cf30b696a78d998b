"""Not drawn but counted: one sale under every fault at every port call, two requests in every order with every fault.

The port calls are counted by a run without faults, so that a new one cannot go untested.
"""

import logging
from collections.abc import Callable, Iterator

import pytest

from tests.simulation.callers import Purse
from tests.simulation.faults import Fault
from tests.simulation.goods import WANTS
from tests.simulation.scene import Faults, Fixed, Scene, Turns
from tests.simulation.supplier_profile import SOLD, Manner
from tests.simulation.violation import Violation

ELECTRICITY, VOUCHER = WANTS[0], WANTS[-1]
SOLD_IN_SILENCE = Manner("silence, sold", "silence", vends=True)
SOLD_LATER = Manner("silence, sold later", "silence", delay=880.0)
NOT_SOLD = Manner("silence", "silence")
REFUSED = Manner("refused", "refused")
NOT_TAKEN = Manner("unauthenticated", "unauthenticated")
MANNERS = (SOLD, SOLD_IN_SILENCE, SOLD_LATER, NOT_SOLD, REFUSED, NOT_TAKEN)

Shopping = Callable[[Scene], None]


@pytest.fixture(autouse=True)
def silent():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def one_electricity(scene: Scene) -> None:
    scene.shopper(0, ELECTRICITY).ask()


def one_voucher(scene: Scene) -> None:
    scene.shopper(0, VOUCHER).ask()


def one_prevended(scene: Scene) -> None:
    scene.shopper(0, ELECTRICITY, Purse()).begin(0.0)


def same_key(scene: Scene) -> None:
    shopper = scene.shopper(0, VOUCHER)
    shopper.ask()
    shopper.ask()


def two_keys_one_prevend(scene: Scene) -> None:
    purse = Purse()
    first, second = (scene.shopper(key, ELECTRICITY, purse) for key in (0, 1))
    first.begin(0.0, then_ask=False)
    scene.scheduler.run()
    first.ask()
    second.ask()


def lived(shopping: Shopping, manner: Manner, reprint: str, repeat: str, faults: Faults, turns: Turns = ()) -> Scene:
    scene = Scene(shopping, Fixed(manner, reprint, repeat), faults, turns)
    try:
        scene.run()
    except Violation as violation:
        struck = ", ".join(f"{task} call {number} ({scene.script.made[task][number]}): {fault}" for (task, number), fault in faults.items())
        pytest.fail(f"{violation} [{shopping.__name__}, {manner.name}, reprint {reprint}, repeats {repeat}, turns {turns}, {struck}]")
    return scene


def every_fault(scene: Scene, *tasks: str) -> Iterator[tuple[str, int, Fault]]:
    """Every fault at every port call that the tasks of this scene made."""
    for task in tasks:
        for number, call in enumerate(scene.script.made[task]):
            for fault in call.faults:
                yield task, number, fault


@pytest.mark.parametrize("reprint", ["by our id", "useless"])
@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.name)
@pytest.mark.parametrize("shopping", [one_electricity, one_voucher, one_prevended])
def test_one_sale_keeps_the_promise_under_every_fault_at_every_port_call(shopping, manner, reprint):
    plain = lived(shopping, manner, reprint, "vended again", {})
    tasks = [*plain.script.made]
    struck = 0
    for task, number, fault in every_fault(plain, *tasks):
        scene = lived(shopping, manner, reprint, "vended again", {(task, number): fault})
        struck += sum(scene.scheduler.struck.values())
    assert struck == sum(len(call.faults) for task in tasks for call in plain.script.made[task]) > 50


@pytest.mark.parametrize("repeat", ["rejected", "replayed", "vended again"])
@pytest.mark.parametrize("manner", [SOLD, SOLD_IN_SILENCE, NOT_SOLD], ids=lambda manner: manner.name)
@pytest.mark.parametrize("shopping", [same_key, two_keys_one_prevend])
def test_two_requests_at_once_keep_the_promise_in_every_order(shopping, manner, repeat):
    """The first goes on for so long, then the second for so long, then the first to its end: at most one of them sells."""
    first, second = tasks_of(shopping)
    boundaries = len(lived(shopping, manner, "by our id", repeat, {}).script.made[first])
    for of_first in range(boundaries + 1):
        for of_second in range(boundaries + 1):
            scene = lived(shopping, manner, "by our id", repeat, {}, [(first, of_first), (second, of_second), (first, boundaries)])
            assert len(scene.switch.vends) <= 1


@pytest.mark.parametrize("shopping", [same_key, two_keys_one_prevend])
def test_two_requests_at_once_keep_the_promise_whatever_strikes_the_first_and_wherever_the_second_is_then(shopping):
    first, second = tasks_of(shopping)
    plain = lived(shopping, SOLD, "by our id", "vended again", {})
    boundaries = len(plain.script.made[first])
    for task, number, fault in every_fault(plain, first):
        for of_second in range(boundaries + 1):
            turns = [(second, of_second), (first, boundaries)]
            lived(shopping, SOLD, "by our id", "vended again", {(task, number): fault}, turns)


@pytest.mark.parametrize("shopping", [same_key, two_keys_one_prevend])
def test_two_requests_at_once_keep_the_promise_under_every_pair_of_faults(shopping):
    """The first goes on to where it is struck, the second likewise, and then both to their ends."""
    first, second = tasks_of(shopping)
    plain = lived(shopping, SOLD_IN_SILENCE, "by our id", "vended again", {})
    alone = [*every_fault(lived(shopping, SOLD_IN_SILENCE, "by our id", "vended again", {}, [(second, 99)]), second)]
    boundaries, pairs = len(plain.script.made[first]), 0
    for _, number, fault in every_fault(plain, first):
        for _, other_number, other_fault in alone:
            faults = {(first, number): fault, (second, other_number): other_fault}
            lived(
                shopping,
                SOLD_IN_SILENCE,
                "by our id",
                "vended again",
                faults,
                [(first, number + 1), (second, other_number + 1), (first, boundaries)],
            )
            pairs += 1
    assert pairs > 1_000


def tasks_of(shopping: Shopping) -> tuple[str, str]:
    """The names of the two requests of a scene."""
    return ("purchase key-0#1", "purchase key-0#2") if shopping is same_key else ("purchase key-0#1", "purchase key-1#1")
