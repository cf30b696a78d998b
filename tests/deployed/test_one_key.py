"""Fifty requests with one key, at once, on two instances: one vend, and one answer for all."""

import pytest

from shared.mobilemart.simulator import PLAIN, Scenario, Service
from tests.deployed.processes import Supplier
from tests.deployed.surroundings import Surroundings, World
from tests.deployed.wallet import at_once, body_of, named, new_key, refused

CALLERS = 50
LATE = named("late")


@pytest.fixture(scope="module")
def world(surroundings: Surroundings, late_supplier: Supplier) -> World:
    topic = surroundings.topic()
    return World.of(surroundings.platform, topic, surroundings.live(topic, late_supplier, MOBILEMART_TIMEOUT_SECONDS="60"))


@pytest.mark.parametrize("scenario", [LATE, PLAIN], ids=["while the supplier is selling", "as fast as it goes"])
@pytest.mark.parametrize("service", [Service.UTILITY, Service.AIRTIME_PINLESS])
def test_fifty_requests_with_one_key_vend_once(
    surroundings: Surroundings, world: World, late_supplier: Supplier, scenario: Scenario, service: Service
) -> None:
    wallet, body, key = surroundings.wallet(), body_of(scenario, service), new_key()
    before = len(late_supplier.vends())

    answers = at_once([lambda at=at: wallet.buy(world.purchases[at % 2], service.vas_type, body, key) for at in range(CALLERS)], CALLERS)
    bought = [answer for answer in answers if answer.status_code == 201]
    waiting = [answer for answer in answers if answer.status_code != 201]

    assert len({answer.content for answer in bought}) == 1
    assert len([answer for answer in bought if "idempotent-replayed" not in answer.headers]) == 1
    assert {refused(answer) for answer in waiting} <= {(409, "request-in-progress", None, "same-key")}
    assert waiting or scenario is PLAIN
    sale = bought[0].json()
    assert {(answer.json()["transactionId"], answer.headers["location"]) for answer in waiting} <= {
        (sale["transactionId"], f"/transactions/{sale['transactionId']}")
    }
    for purchase in world.purchases:
        again = wallet.buy(purchase, service.vas_type, body, key)
        assert (again.status_code, again.content, again.headers["idempotent-replayed"]) == (201, bought[0].content, "true")
    [vend] = late_supplier.vends()[before:]
    assert vend["transaction_id"] == sale["receipt"]["supplierTransactionId"]
    assert len(world.topic.about([sale["transactionId"]])) == 1
