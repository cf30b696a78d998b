"""Fixtures that several files of this room share."""

import pytest

from tests.unit.mobilemart.simulator.scenes import Switch


@pytest.fixture
def switch() -> Switch:
    return Switch()
