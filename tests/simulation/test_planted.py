"""The simulation can fail: each of the mistakes that it exists to find is found."""

from functools import partial

import pytest

from tests.simulation.planted import PLANTS, planted
from tests.simulation.runner import run_seeds

HISTORIES = 6_000


@pytest.mark.parametrize("mistake", PLANTS, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_is_found(mistake):
    found = run_seeds(range(1, HISTORIES + 1), partial(planted, mistake)).failure

    assert found is not None, f"{HISTORIES} histories did not notice that {mistake.name}"
