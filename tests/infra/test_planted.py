"""Errors, planted one by one: each must be caught by something, in words that name it. What catches nothing protects nothing."""

import asyncio

import pytest

from tests.infra import policies, queries
from tests.infra.conftest import NewWorkspace
from tests.infra.indexes import uncovered
from tests.infra.plan import Plan
from tests.infra.planted_errors import CONTRADICTORY, MALFORMED, WRONG, Error
from tests.infra.workspace import EXAMPLE, TerraformRefused


@pytest.mark.parametrize("error", MALFORMED, ids=str)
def test_terraform_refuses(new_workspace: NewWorkspace, error: Error) -> None:
    workspace = new_workspace()
    workspace.edit(error.file, error.old, error.new)
    workspace.run("init", "-backend=false", "-no-color")
    with pytest.raises(TerraformRefused) as refused:
        workspace.run("validate", "-no-color")
    assert error.caught in str(refused.value)


@pytest.mark.parametrize(("arguments", "caught"), [pytest.param(arguments, caught, id=what) for what, arguments, caught in CONTRADICTORY])
def test_the_configuration_refuses(new_workspace: NewWorkspace, arguments: list[str], caught: str) -> None:
    with pytest.raises(TerraformRefused) as refused:
        new_workspace().plan("production", *arguments)
    assert caught in str(refused.value)


@pytest.fixture(scope="module")
def faults(new_workspace: NewWorkspace) -> list[str]:
    """All that the policies say of a production with everything wrong at once."""
    workspace = new_workspace()
    for error in WRONG:
        workspace.edit(error.file, error.old, error.new)
    plan = Plan.read(workspace.plan("production", *EXAMPLE))
    return [*policies.broken(plan), *uncovered(plan, asyncio.run(queries.all_sent()))]


@pytest.mark.parametrize("error", WRONG, ids=str)
def test_the_policies_see(faults: list[str], error: Error) -> None:
    assert [fault for fault in faults if error.caught in fault], faults
