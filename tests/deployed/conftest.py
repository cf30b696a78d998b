"""The system as it is deployed: packaged functions as processes of their own, among everything that they talk to."""

from collections.abc import Iterator

import pytest

from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET
from tests.deployed.issuer import issuing
from tests.deployed.processes import Platform, Supplier
from tests.deployed.surroundings import SECRETS, Surroundings, World
from tests.deployed.wallet import Seen
from tests.stand_ins.secret_manager import secret_manager

LAST = ("test_installed.py", "test_logs.py")  # the one takes a minute, the other looks back at everything


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks back comes last."""
    items.sort(key=lambda item: LAST.index(item.path.name) if item.path.name in LAST else -1)


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory: pytest.TempPathFactory, firestore_emulator: str, pubsub_emulator: str) -> Iterator[Surroundings]:
    credentials = {
        f"{SECRETS}/client-id/versions/latest": SIMULATED_CLIENT_ID.encode(),
        f"{SECRETS}/client-secret/versions/latest": SIMULATED_CLIENT_SECRET.encode(),
    }
    platform = Platform(tmp_path_factory.mktemp("platform"))
    with secret_manager(credentials) as secrets, issuing() as issuer:
        surroundings = Surroundings(
            platform=platform,
            firestore=firestore_emulator,
            pubsub=pubsub_emulator,
            secret_manager=secrets.address,
            issuer=issuer,
            seen=Seen({SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET}),
        )
        yield surroundings
        surroundings.close()


@pytest.fixture(scope="session")
def supplier(surroundings: Surroundings) -> Supplier:
    """A switch that does not say that it is simulated."""
    return surroundings.platform.supplier("--unmarked")


@pytest.fixture(scope="session")
def late_supplier(surroundings: Surroundings) -> Supplier:
    """Another, whose late answers come in time all the same: after two seconds."""
    return surroundings.platform.supplier("--unmarked", "--late-seconds", "2")


@pytest.fixture(scope="session")
def live(surroundings: Surroundings, supplier: Supplier) -> World:
    """A deployment that sells from the first."""
    topic = surroundings.topic()
    return World.of(surroundings.platform, topic, surroundings.live(topic, supplier))
