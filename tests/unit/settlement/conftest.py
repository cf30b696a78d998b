"""Fixtures that several files of this room share."""

import pytest

from tests.step_driver import World
from tests.unit.settlement.stored_days import NOON
from tests.unit.settlement.two_days import (
    Two,
)


@pytest.fixture
def world():
    return World(now=NOON)


@pytest.fixture
def two():
    return Two()
