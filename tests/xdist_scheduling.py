"""A pytest plugin that hands tests out to workers, if there are workers: `pytest -n auto`, or `make test`.

One worker runs all tests of a file, because its tests share fixtures. One worker runs all tests of a folder in `WHOLE`, because its
files share expensive fixtures or check each other's logs. The longest folders and files start first, so all workers end together.
"""

from typing import Any, Final

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

WHOLE: Final = ("tests/deployed", "tests/functions", "tests/infra", "tests/page")
MAX_FIRST_LENGTH: Final = (
    "tests/deployed",
    "tests/simulation/test_histories.py",
    "tests/functions",
    "tests/page",
    "tests/infra",
    "tests/simulation/test_planted.py",
)


class FolderScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Hands out folders and files in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """The folder or file that a test is handed out with."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in WHOLE if file.startswith(f"{folder}/")), file)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        place = {name: at for at, name in enumerate(MAX_FIRST_LENGTH)}
        items.sort(key=lambda item: place.get(unit(item.nodeid), len(place)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    config.option.loadscopereorder = False  # it would begin with the file that has the most tests
    return FolderScheduling(config, log)
