"""Every scenario of the simulator under every service, over a socket: what the wallet hears against what the supplier's books say."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import pytest

from shared.mobilemart.simulator import PLAIN, SCENARIOS, Scenario, Service, Told
from tests.deliveries import DELIVERIES, Delivery
from tests.deployed.processes import Function, Supplier
from tests.deployed.surroundings import Surroundings, World
from tests.deployed.wallet import Wallet, at_once, body_of, named, new_key, refused

STOPS_SELLING = named("refused-1008")  # our float is empty: one is enough to put the brake on for all
SLOWER_THAN_WE_WAIT = named("slow-prevend")
PLAYED = [scenario for scenario in SCENARIOS if scenario is not STOPS_SELLING]
LOST = [scenario for scenario in SCENARIOS if scenario.vends and scenario.told is Told.NOTHING]
STATUSES = {Told.OUTCOME: {True: {201}, False: {422}}, Told.UNREADABLE: {True: {201, 202}}, Told.NOTHING: {True: {202}, False: {202}}}
WORKERS = 40  # more than the exchanges that last until the deadline


@dataclass(frozen=True)
class Play:
    """One scenario under one service: how it was bought, and the answer."""

    scenario: Scenario
    service: Service
    purchase: Function
    body: Mapping[str, object]
    key: str
    answer: httpx.Response


def play(wallet: Wallet, purchase: Function, scenario: Scenario, service: Service) -> Play:
    body, key = body_of(scenario, service), new_key()
    return Play(scenario, service, purchase, body, key, wallet.buy(purchase, service.vas_type, body, key))


@pytest.fixture(scope="module")
def wallet(surroundings: Surroundings) -> Wallet:
    return surroundings.wallet()


@pytest.fixture(scope="module")
def switch(surroundings: Surroundings) -> Supplier:
    """A switch that has sold nothing yet."""
    return surroundings.platform.supplier("--unmarked")


@pytest.fixture(scope="module")
def world(surroundings: Surroundings, switch: Supplier) -> World:
    topic = surroundings.topic()
    return World.of(surroundings.platform, topic, surroundings.live(topic, switch, MOBILEMART_TIMEOUT_SECONDS="4"))


@pytest.fixture(scope="module")
def plays(world: World, wallet: Wallet) -> list[Play]:
    """All of them, in turn on either instance: a run of doubts on one would put the brake on."""
    cast = [(scenario, service) for scenario in PLAYED for service in sorted(scenario.services)]
    acts = [
        lambda at=at, scenario=scenario, service=service: play(wallet, world.purchases[at % 2], scenario, service)
        for at, (scenario, service) in enumerate(cast)
    ]
    played: list[Play] = at_once(acts, WORKERS)
    return played


@pytest.fixture(scope="module")
def sold(plays: list[Play], switch: Supplier) -> Counter[tuple[str, int]]:
    """How often the supplier sold each service and scenario."""
    assert plays
    return Counter((vend["deal"]["service"], vend["deal"]["scenario"]) for vend in switch.vends())


def of(plays: list[Play], scenario: Scenario) -> list[Play]:
    return [each for each in plays if each.scenario is scenario]


@pytest.mark.parametrize("scenario", PLAYED, ids=lambda scenario: scenario.name)
def test_no_answer_contradicts_the_suppliers_books(plays: list[Play], sold: Counter[tuple[str, int]], scenario: Scenario) -> None:
    for each in of(plays, scenario):
        vends = sold[each.service, scenario.number]
        match each.answer.status_code:
            case 201:
                assert (each.answer.json()["state"], vends) == ("vended", 1), each.service
            case 202:
                assert (each.answer.json()["state"], each.answer.json()["receipt"]) == ("in_doubt", None), each.service
                assert vends <= 1
            case status:
                assert (status, each.answer.json().get("state"), vends) == (422, "rejected", 0), (each.service, each.answer.text)


@pytest.mark.parametrize("scenario", [each for each in PLAYED if each is not SLOWER_THAN_WE_WAIT], ids=lambda scenario: scenario.name)
def test_the_wallet_hears_all_that_the_supplier_told(plays: list[Play], scenario: Scenario) -> None:
    heard = {each.service: each.answer.status_code for each in of(plays, scenario)}
    assert set(heard) == set(scenario.services)
    assert set(heard.values()) <= STATUSES[scenario.told][scenario.vends], heard


@pytest.mark.parametrize(("name", "delivery"), DELIVERIES.items())
def test_the_wallet_is_given_what_was_sold_in_its_order(plays: list[Play], switch: Supplier, name: str, delivery: Delivery) -> None:
    [played] = [each for each in of(plays, named(name)) if each.service is Service.UTILITY]
    receipt = played.answer.json()["receipt"]
    assert (tuple(token["kind"] for token in receipt["tokens"]), receipt["tokensDue"]) == delivery
    if delivery.due == "delivered":
        [vend] = switch.vends_of(named(name), Service.UTILITY)
        assert [token["number"] for token in receipt["tokens"]] == [token["number"] for token in vend["tokens"]]


@pytest.mark.parametrize("scenario", LOST, ids=lambda scenario: scenario.name)
def test_a_lost_answer_is_a_doubt_and_no_repeat_sells_again(
    plays: list[Play], world: World, wallet: Wallet, switch: Supplier, scenario: Scenario
) -> None:
    lost = of(plays, scenario)
    assert len(lost) == len(scenario.services)
    for each in lost:
        location = f"/transactions/{each.answer.json()['transactionId']}"
        assert each.answer.status_code == 202
        assert each.answer.headers["location"] == location
        assert int(each.answer.headers["retry-after"]) > 0
        for purchase in world.purchases:
            again = wallet.buy(purchase, each.service.vas_type, each.body, each.key)
            assert (again.status_code, again.content) == (202, each.answer.content)
        assert wallet.look(world.purchases[0], location).json() == each.answer.json()
    assert Counter(vend["deal"]["service"] for vend in switch.vends() if vend["deal"]["scenario"] == scenario.number) == Counter(
        scenario.services
    )


def test_an_empty_float_sells_nothing(surroundings: Surroundings, wallet: Wallet, switch: Supplier) -> None:
    purchase = surroundings.platform.start("purchase", surroundings.live(surroundings.topic(), switch)).ready()
    for service in sorted(STOPS_SELLING.services):
        status, name, state, retry = refused(play(wallet, purchase, STOPS_SELLING, service).answer)
        assert (status, name, state, retry) == (422, "temporarily-unavailable", "rejected", "new-key")
        assert switch.vends_of(STOPS_SELLING, service) == []


def test_a_configured_product_that_the_list_has_no_more_sells_nothing_and_is_said_once(
    surroundings: Surroundings, wallet: Wallet, switch: Supplier
) -> None:
    environment = surroundings.live(surroundings.topic(), switch, MOBILEMART_UTILITY_PRODUCT_ID="SimUtilityGone000000")
    purchase = surroundings.platform.start("purchase", environment).ready()
    before = len(switch.vends())
    for cents in (10_000, 10_001, 10_002):
        asked = {"meterNumber": PLAIN.key(Service.UTILITY), "amountCents": cents}
        status, name, state, retry = refused(wallet.buy(purchase, "utility", asked, new_key()))
        assert (status, name, state, retry) == (422, "product-unavailable", "rejected", "change")
    assert len(switch.vends()) == before
    assert purchase.process.words.count('"configured product not listed"') == 1
