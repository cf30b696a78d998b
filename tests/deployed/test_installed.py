"""An archive in an environment of its own, made from the requirements that it carries."""

from concurrent.futures import Future
from pathlib import Path

from shared.mobilemart.simulator import PLAIN, Service
from tests.deployed.processes import Supplier
from tests.deployed.surroundings import Surroundings
from tests.deployed.wallet import body_of, new_key


def test_an_archive_installs_from_its_own_requirements_and_sells(
    installing: Future[Path], surroundings: Surroundings, supplier: Supplier
) -> None:
    environment = surroundings.live(surroundings.topic(), supplier)
    function = surroundings.platform.start("purchase", environment, python=installing.result()).ready()
    sold = surroundings.wallet().buy(function, "utility", body_of(PLAIN, Service.UTILITY), new_key())

    assert (sold.status_code, sold.json()["receipt"]["tokensDue"]) == (201, "delivered")
