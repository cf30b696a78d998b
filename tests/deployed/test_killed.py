"""An instance ends while a sale is at the supplier: whatever it leaves behind, no other instance sells it again."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from shared.mobilemart.simulator import PLAIN, Service
from tests.deployed.processes import Process, Supplier, until
from tests.deployed.surroundings import Surroundings
from tests.deployed.wallet import body_of, named, new_key, settled

LATE = named("late")


@pytest.mark.parametrize(
    ("ends", "service", "left"),
    [(Process.kill, Service.UTILITY, (202, "in_doubt")), (Process.terminate, Service.VOUCHER, (201, "vended"))],
    ids=["killed", "told to end"],
)
def test_a_sale_outlives_its_instance_and_is_not_sold_again(
    surroundings: Surroundings, late_supplier: Supplier, ends: Callable[[Process], None], service: Service, left: tuple[int, str]
) -> None:
    wallet, body, key = surroundings.wallet(), body_of(LATE, service), new_key()
    environment = surroundings.impatient(surroundings.topic(), late_supplier)
    first = surroundings.platform.start("purchase", environment).ready()
    until(partial(wallet.sells, first, PLAIN, service))
    before = len(late_supplier.vends_of(LATE, service))

    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(wallet.buy, first, service.vas_type, body, key)
        until(lambda: len(late_supplier.vends_of(LATE, service)) > before)
        ends(first.process)
        second = surroundings.platform.start("purchase", environment).ready()
        if ends is Process.kill:
            with pytest.raises(httpx.TransportError):
                answer.result()
        else:  # it finishes what it has begun
            assert answer.result().json()["state"] == "vended"
    first.process.ended()

    found = until(lambda: settled(wallet.buy(second, service.vas_type, body, key)))
    assert (found.status_code, found.json()["state"]) == left
    assert len(late_supplier.vends_of(LATE, service)) == before + 1


def test_an_instance_that_was_frozen_still_answers_who_waits(surroundings: Surroundings, late_supplier: Supplier) -> None:
    """The platform may set the variable; the framework would kill a worker that has been frozen for longer than it says."""
    wallet, service = surroundings.wallet(), Service.VOUCHER
    environment = surroundings.impatient(surroundings.topic(), late_supplier, CLOUD_RUN_TIMEOUT_SECONDS="1")
    instance = surroundings.platform.start("purchase", environment).ready()
    until(partial(wallet.sells, instance, PLAIN, service))
    before = len(late_supplier.vends_of(LATE, service))

    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(wallet.buy, instance, service.vas_type, body_of(LATE, service), new_key())
        until(lambda: len(late_supplier.vends_of(LATE, service)) > before)
        os.killpg(instance.process.child.pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.killpg(instance.process.child.pid, signal.SIGCONT)
        assert answer.result().json()["state"] == "vended"
    assert instance.process.is_running
