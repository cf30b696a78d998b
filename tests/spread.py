"""A plugin of pytest: how the tests are spread over workers, where there are some: `pytest -n auto`, or `make test`.

A file stays whole, because what its tests share is made once for all of them; so does a folder whose files share what is expensive,
or look back at each other. What takes longest is begun first, so that no worker ends long after the others.
"""

from typing import Any, Final

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

WHOLE: Final = ("tests/deployed", "tests/functions", "tests/infra", "tests/page")
LONGEST_FIRST: Final = (
    "tests/deployed",
    "tests/simulation/test_histories.py",
    "tests/functions",
    "tests/page",
    "tests/infra",
    "tests/simulation/test_planted.py",
)


class Spread(LoadFileScheduling):  # type: ignore[misc]
    """Hands out folders and files in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """The folder or file that a test is handed out with."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in WHOLE if file.startswith(f"{folder}/")), file)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        place = {name: at for at, name in enumerate(LONGEST_FIRST)}
        items.sort(key=lambda item: place.get(unit(item.nodeid), len(place)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    config.option.loadscopereorder = False  # it would begin with the file that has the most tests
    return Spread(config, log)
