"""The stand-in itself: what Terraform reads back from it is what the reviewed schema says, and a difference is seen."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.infra.compare_schema import differences
from tests.infra.conftest import SCHEMA, NewWorkspace
from tests.infra.standin.schema import read
from tests.infra.workspace import CONFIGURATION


@pytest.fixture(scope="module")
def served(new_workspace: NewWorkspace) -> dict[str, Any]:
    """The provider's schema as Terraform has understood it."""
    workspace = new_workspace()
    workspace.run("init", "-no-color")
    schema: dict[str, Any] = json.loads(workspace.run("providers", "schema", "-json"))
    return schema


def test_terraform_is_served_the_reviewed_schema(served: dict[str, Any]) -> None:
    assert list(differences(read(SCHEMA), served)) == []


def test_a_difference_from_the_provider_is_named(served: dict[str, Any], tmp_path: Path) -> None:
    changed = tmp_path / "schema.json"
    changed.write_text(SCHEMA.read_text().replace('"entry_point": "optional string"', '"entry_point": "required number"'))
    path = "google_cloudfunctions2_function.build_config.entry_point"
    assert list(differences(read(changed), served)) == [
        f"{path}: required here, optional in the provider",
        f"{path}: number here, string in the provider",
    ]


def test_the_schema_holds_what_the_configuration_uses_and_nothing_else() -> None:
    text = "".join(path.read_text() for path in CONFIGURATION.rglob("*.tf"))
    schema = read(SCHEMA)
    assert (
        set(re.findall(r'^resource "(\w+)"', text, re.MULTILINE)) - {"terraform_data"} == schema.resources.keys()
    )  # that one is Terraform's own
    assert set(re.findall(r'^data "(\w+)"', text, re.MULTILINE)) == schema.data_sources.keys()
