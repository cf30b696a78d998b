"""Fixtures that several files of this room share."""

import gc

import pytest

from shared.bootstrap import files_in
from shared.lib import logs
from shared.store.firestore import FirestoreStore
from shared.store.sqlite import SqliteStore
from tests.contract.file_places import bucket_place, folder_place
from tests.contract.rebuilt import paused, pulled
from tests.contract.records import TIMEOUT_SECONDS, project
from tests.stand_ins.storage import storage


@pytest.fixture
async def restored(firestore_emulator, monkeypatch):
    """A restored database in which nothing is sold."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    named = project()
    store = await FirestoreStore.open(named, "(default)", timeout_seconds=TIMEOUT_SECONDS, emulator_host=firestore_emulator)
    store.named = named
    await paused(store, None)
    yield store
    await store.close()


@pytest.fixture
def gap(tmp_path):
    def write(*announced):
        path = tmp_path / "gap.json"
        with path.open("a") as file:  # pull after pull
            file.write(pulled(*announced))
        return path

    return write


@pytest.fixture(params=["bucket", "folder"])
async def place(request, tmp_path, monkeypatch):
    made = bucket_place(monkeypatch) if request.param == "bucket" else folder_place(tmp_path)
    for one in made:
        yield one
        for files in one.opened:
            await files.close()
    gc.collect()  # an open connection fails the test that opened it


@pytest.fixture
def impatient(monkeypatch):
    """A client that soon gives up."""
    monkeypatch.setattr("shared.gcp.cloud_storage.READING_SECONDS", 0.1)
    monkeypatch.setattr("shared.gcp.cloud_storage.LISTING_SECONDS", 0.1)
    monkeypatch.setattr("shared.gcp.cloud_storage.TIMEOUT_SECONDS", (0.2, 0.2))
    monkeypatch.setattr("shared.gcp.cloud_storage.SHORT_TIMEOUT_SECONDS", (0.2, 0.2))


@pytest.fixture
async def bucket(monkeypatch, impatient):
    with storage("settlement") as service:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.address)
        files = files_in("gs://settlement/recon", None)
        yield service, files
        await files.close()
    gc.collect()


@pytest.fixture(params=["firestore", "sqlite"])
async def store(request, tmp_path):
    if request.param == "sqlite":
        opened = await SqliteStore.open(str(tmp_path / "store.sqlite"), timeout_seconds=TIMEOUT_SECONDS)
    else:
        host = request.getfixturevalue("firestore_emulator")
        opened = await FirestoreStore.open(project(), "(default)", timeout_seconds=TIMEOUT_SECONDS, emulator_host=host)
    yield opened
    await opened.close()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return the log as (level, message)."""
    heard: list[tuple[str, str]] = []
    for level in ("INFO", "WARNING", "ERROR", "CRITICAL"):
        monkeypatch.setattr(logs.Logger, level.lower(), lambda _, message, /, _level=level, **__: heard.append((_level, message)))
    return heard
