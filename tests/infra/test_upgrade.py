"""What this configuration does to an environment that the last release has made: planned over its applied state.

Whoever makes the next release (`tests/deployed/releases.py`) takes out what only this one's upgrade needs: the first test, and the
commands in the second.
"""

import re
import shlex
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.deployed.releases import last_release
from tests.docs.pages import Page
from tests.infra import policies
from tests.infra.plan import Plan
from tests.infra.workspace import Workspace

WALLETS: Final = '-var=wallets={"app"={"caller"="55ca1a949bb927c174c68eebd17fbd76","subscriber"="user:app@example.com"}}'
FORGOTTEN: Final = {"google_pubsub_subscription.wallet", "google_pubsub_subscription.dead", "google_pubsub_topic.dead"}


@pytest.fixture
def upgraded(tmp_path: Path, archives: Path, attach: str) -> Workspace:
    """This configuration, over the state of a staging that the last release has made."""
    release = last_release(tmp_path / "release", "infra/terraform")
    before = Workspace.copied(tmp_path / "before", archives, attach, release / "infra" / "terraform")
    before.plan("staging")
    before.apply()
    after = Workspace.copied(tmp_path / "after", archives, attach)
    shutil.copy(before.folder / "terraform.tfstate", after.folder)
    shutil.copy(before.folder / "environments" / "staging.tfvars", after.folder / "environments")  # whoever deploys has other values
    return after


def documented() -> list[str]:
    """What the page has forgotten before the plan."""
    (command,) = re.findall(r"^tf state rm (google_pubsub_subscription\.wallet .*)$", Page.read("docs/deploying.md").text, re.MULTILINE)
    return shlex.split(command)


def test_an_upgrade_without_a_thought_is_refused(upgraded: Workspace) -> None:
    """Else unread events of wallets would go with the subscription that has lost its name."""
    faults = policies.broken(Plan.read(upgraded.plan("staging", WALLETS)))
    assert {fault.split()[1] for fault in faults} == FORGOTTEN


def test_an_upgrade_as_documented_deletes_no_message(upgraded: Workspace) -> None:
    assert set(documented()) > FORGOTTEN
    upgraded.run("init", "-input=false", "-no-color")
    upgraded.run("state", "rm", *documented())
    plan = Plan.read(upgraded.plan("staging", WALLETS))
    assert policies.broken(plan) == []
    deleted = {address for address, actions in plan.changes.items() if "delete" in actions}
    assert [address for address in deleted if "_iam_" not in address] == []
    assert {'google_pubsub_subscription.wallet["app"]', 'google_pubsub_topic.dead["app"]'} <= plan.changes.keys()
