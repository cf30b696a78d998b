"""The functions, running in simulated mode over one SQLite file, which the tests may open too."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from shared.store.sqlite import SqliteStore
from tests.functions.running import SIMULATED, client_of
from tests.functions.system import System, no_value_in
from tests.functions.wallet import Wallet


@pytest.fixture(scope="session")
def sales_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "sales.sqlite"


@pytest.fixture(scope="session")
def prevend(sales_file: Path) -> Iterator[httpx.Client]:
    yield from _serving("prevend", sales_file)


@pytest.fixture(scope="session")
def purchase(sales_file: Path) -> Iterator[httpx.Client]:
    yield from _serving("purchase", sales_file)


def _serving(name: str, sales_file: Path) -> Iterator[httpx.Client]:
    with client_of(name, **SIMULATED, TRANSACTION_STORE=f"sqlite:///{sales_file}") as client:
        yield client


@pytest.fixture
async def store(sales_file: Path) -> AsyncIterator[SqliteStore]:
    """The store of the running functions."""
    store = await SqliteStore.open(str(sales_file), timeout_seconds=10)
    yield store
    await store.close()


@pytest.fixture
def wallet(prevend: httpx.Client, purchase: httpx.Client) -> Wallet:
    return Wallet(prevend, purchase)


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    with ExitStack() as stack:
        system = System(tmp_path_factory.mktemp("system"), stack)
        yield system
        no_value_in(system.said)


@pytest.fixture
async def system_store(system):
    store = await SqliteStore.open(str(system.store_path), timeout_seconds=10)
    yield store
    await store.close()
