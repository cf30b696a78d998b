"""What a build does with `gcloud`, run with the pinned `gcloud` against a loopback cloud that refuses what the plan does not grant."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import Page
from tests.infra.conftest import Planned
from tests.infra.plan import Plan
from tests.infra.standin.storage import Cloud, serving
from tests.infra.test_cloudbuild import FILES, read
from tests.infra.workspace import EXAMPLE

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
BUCKET: Final = "wallet-vas-production-pipeline"

Keep = Callable[[Cloud], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Runs the step `keep` of the build that makes plans."""
    if shutil.which("gcloud") is None:
        pytest.fail("gcloud is not on PATH: the emulators' tests need it too")
    (script,) = (step["script"] for step in read(FILES[0])["steps"] if step["id"] == "keep")
    for name in ("infra/terraform/made.txt", "build/purchase.zip", "token"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("made here\n")

    def run(cloud: Cloud) -> "subprocess.CompletedProcess[str]":
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": f"{cloud.url}/",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{cloud.url}/storage/v1/",
            "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(tmp_path / "token"),
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
            "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
            "CLOUDSDK_CORE_CHECK_GCE_METADATA": "0",
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "CLOUDSDK_CORE_PROJECT": "wallet-vas-production",
            "BUILD_ID": "made",
            "_COMMIT": COMMIT,
            "_ENVIRONMENT": "production",
            "_PIPELINE": BUCKET,
            "_PLANS": "plans",
        }
        command = ["bash", "-c", script]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120)

    return run


def roles_on(plan: Plan, bucket: str, member: str) -> AbstractSet[str]:
    """What a member holds on a bucket."""
    return {
        grant["role"]
        for grant in plan.of("storage_bucket_iam_member")
        if (grant["bucket"], grant["member"]) == (bucket, plan.account(member))
    }


def test_the_checker_keeps_a_plan_with_what_it_is_granted(planned_with: Callable[..., Plan], keep: Keep) -> None:
    plan = planned_with("production", *EXAMPLE)
    with serving(BUCKET, roles_on(plan, BUCKET, "checker")) as cloud:
        done = keep(cloud)
    assert (done.returncode, cloud.refused) == (0, []), done.stderr
    assert set(cloud.objects) == {f"{COMMIT}/made/{name}" for name in ("bundle.tar.gz", "made.txt", "purchase.zip")}
    assert [message["attributes"] for message in cloud.published] == [{"commit": COMMIT, "plan": "made"}]


def test_a_checker_that_may_only_create_keeps_nothing(keep: Keep) -> None:
    """The loopback cloud refuses as the real one does: else the test above would prove nothing."""
    with serving(BUCKET, {"roles/storage.objectCreator"}) as cloud:
        done = keep(cloud)
    assert done.returncode != 0 and "storage.objects.get" in cloud.refused
    assert not cloud.objects and not cloud.published


def test_what_is_kept_is_not_replaced(planned_with: Callable[..., Plan], keep: Keep) -> None:
    with serving(BUCKET, roles_on(planned_with("production", *EXAMPLE), BUCKET, "checker")) as cloud:
        cloud.objects[f"{COMMIT}/made/made.txt"] = b"approved"
        done = keep(cloud)
    assert done.returncode != 0 and cloud.refused == ["storage.objects.delete"]
    assert cloud.objects[f"{COMMIT}/made/made.txt"] == b"approved" and not cloud.published


def test_who_brings_settlement_files_may_look_before_writing(planned_with: Callable[..., Plan]) -> None:
    relay = "serviceAccount:relay@example.iam.gserviceaccount.com"
    plan = planned_with("production", f"-var=settlement_writer={relay}")
    held = {grant["role"] for grant in plan.of("storage_bucket_iam_member") if grant["member"] == relay}
    assert held == {"roles/storage.objectCreator", "roles/storage.objectViewer"}


def test_a_build_by_hand_puts_its_source_where_the_checker_reads(planned: Planned) -> None:
    """gcloud's own bucket, `PROJECT_cloudbuild`, is not the checker's to read."""
    commands = [
        shlex.split(command.replace("\\\n", " "))
        for command in Page.read("docs/deploying.md").text.split("```")
        if command.startswith("sh\n") and "gcloud builds submit --" in command
    ]
    staged = [word.partition("=")[2] for command in commands for word in command if word.startswith("--gcs-source-staging-dir=")]
    assert commands and len(staged) == len(commands)
    plan = planned("production")
    for folder in staged:
        bucket = folder.removeprefix("gs://").split("/")[0].replace("$P", plan.project)
        assert "roles/storage.objectViewer" in roles_on(plan, bucket, "checker")
