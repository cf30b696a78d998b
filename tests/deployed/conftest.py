"""The system as it is deployed: packaged functions as processes of their own, among everything that they talk to."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET
from tests.deployed.installation import installed
from tests.deployed.issuer import issuing
from tests.deployed.processes import Platform, Supplier
from tests.deployed.shop import Shop, opened
from tests.deployed.surroundings import SECRETS, Surroundings, World
from tests.deployed.topic import Topic
from tests.deployed.wallet import Seen
from tests.stand_ins.secret_manager import secret_manager

INSTALLED = "test_installed.py"
LAST = (INSTALLED, "test_logs.py")  # the one waits for what the others leave it time for, the other looks back at everything


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run those last of this folder's."""
    here = [at for at, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    ordered = sorted((items[at] for at in here), key=lambda item: LAST.index(item.path.name) if item.path.name in LAST else -1)
    for at, item in zip(here, ordered, strict=True):
        items[at] = item


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package", autouse=True)
def installing(request: pytest.FixtureRequest, surroundings: Surroundings) -> Iterator[Future[Path] | None]:
    """The interpreter of an environment that is made, if it is asked for, while the other tests wait for their processes."""
    if all(item.path.name != INSTALLED for item in request.session.items):
        yield None
        return
    folder = surroundings.platform.folder
    archive = surroundings.platform.unpacked("purchase")
    with ThreadPoolExecutor(1) as installer:
        yield installer.submit(installed, archive, folder / "environment")


@pytest.fixture(scope="package")
def supplier(surroundings: Surroundings) -> Supplier:
    """A switch that does not say that it is simulated."""
    return surroundings.platform.supplier("--unmarked")


@pytest.fixture(scope="package")
def late_supplier(surroundings: Surroundings) -> Supplier:
    """Another, whose late answers come in time all the same: after two seconds."""
    return surroundings.platform.supplier("--unmarked", "--late-seconds", "2")


@pytest.fixture(scope="package")
def live(surroundings: Surroundings, supplier: Supplier) -> World:
    """A deployment that sells from the first."""
    topic = surroundings.topic()
    return World.of(surroundings.platform, topic, surroundings.live(topic, supplier))


@pytest.fixture(scope="package")
def shop(surroundings: Surroundings) -> Iterator[Shop]:
    """A shop whose clocks, supplier and files are in the tests' hands. Each test takes a day of its own."""
    with opened(surroundings, surroundings.platform.folder, "shop") as shop:
        yield shop


@pytest.fixture(scope="package")
def topic(surroundings: Surroundings) -> Topic:
    """To which the till announces."""
    return surroundings.topic()


@pytest.fixture(scope="package")
def till(surroundings: Surroundings, topic: Topic) -> Iterator[Shop]:
    """Another shop, whose sweeps take up whatever is open, and whose events go to a topic."""
    environment = {"EVENTS_TOPIC": topic.name, "PUBSUB_EMULATOR_HOST": surroundings.pubsub, "GOOGLE_CLOUD_PROJECT": topic.project}
    with opened(surroundings, surroundings.platform.folder, "till", **environment) as shop:
        yield shop
