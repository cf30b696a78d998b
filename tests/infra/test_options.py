"""What an environment may have and has not unless asked: planned when asked for, absent by default, and harmless to what is there."""

import base64
import json
import re
import subprocess
from collections.abc import Callable
from functools import cache
from typing import Final

import pytest

from tests.infra import inventory, policies
from tests.infra.conftest import NewWorkspace, Planned
from tests.infra.plan import Plan
from tests.infra.workspace import ENVIRONMENTS, EXAMPLE, WITHOUT_OPTIONS, TerraformRefused, Workspace

PlannedWith = Callable[..., Plan]
BUDGET: Final = '-var=budget={billing_account="012345-6789AB-CDEF01",amount=2500}'
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJBKHf8yYxyQ5tJwVSdqJPqOOqDtSeFEtRGGrsHFvEnN supplier"
SFTP: Final = f'-var=sftp={{allowed=["192.0.2.16/29"],keys=["{KEY}"]}}'
ABROAD: Final = '-var=exports_abroad={region="europe-west1"}'
OF_OPTIONS: Final = re.compile(r"google_(billing_|kms_|compute_).*|.*export.*|.*sftp.*")


@pytest.fixture(scope="module")
def everything(planned_with: PlannedWith) -> Planned:
    """The plan of an environment with every option."""
    return cache(lambda environment: planned_with(environment, BUDGET, ABROAD, SFTP))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nothing_of_an_option_is_there_unless_asked_for(planned_with: PlannedWith, environment: str) -> None:
    plan = planned_with(environment, *WITHOUT_OPTIONS)
    assert [resource.address for resource in plan.resources if OF_OPTIONS.fullmatch(resource.address)] == []
    (planner,) = (role for role in plan.of("project_iam_custom_role") if role["role_id"] == "vasGatewayPlanner")
    assert [permission for permission in planner["permissions"] if re.match("billing|cloudkms|compute", permission)] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_options_bring_what_the_inventory_says(everything: Planned, environment: str) -> None:
    plan = everything(environment)
    assert sorted(resource.address for resource in plan.resources) == sorted(inventory.expected(plan))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_budget_tells_of_half_of_most_and_of_all(everything: Planned, environment: str) -> None:
    plan = everything(environment)
    assert policies.broken(plan) == []
    (budget,) = plan.of("billing_budget")
    assert budget["amount.0.specified_amount.0.units"] == "2500"
    assert budget["budget_filter.0.projects"] == ["projects/123456789012"]
    thresholds = {(rule["threshold_percent"], rule["spend_basis"]) for rule in budget["threshold_rules"]}
    assert {(0.5, "CURRENT_SPEND"), (0.9, "CURRENT_SPEND"), (1, "CURRENT_SPEND"), (1.2, "FORECASTED_SPEND")} == thresholds
    assert "billingbudgets.googleapis.com" in {each["service"] for each in plan.of("project_service")}


def test_a_budget_reaches_five_addresses_and_without_one_those_of_the_billing_account(planned_with: PlannedWith) -> None:
    many = json.dumps([f"{name}@example.com" for name in "abcdefg"])
    (budget,) = planned_with("uat", BUDGET, f"-var=alert_emails={many}").of("billing_budget")
    assert budget["all_updates_rule.0.disable_default_iam_recipients"] is False
    (budget,) = planned_with("uat", BUDGET, "-var=alert_emails=[]").of("billing_budget")
    assert budget["all_updates_rule"] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_export_abroad_is_encrypted_and_begun_every_night(everything: Planned, environment: str) -> None:
    plan = everything(environment)
    assert policies.broken(plan) == []
    (bucket,) = (each for each in plan.of("storage_bucket") if each["name"].endswith("-exports"))
    (key,) = plan.of("kms_crypto_key")
    (ring,) = plan.of("kms_key_ring")
    assert (bucket["location"], ring["location"]) == ("europe-west1", "europe-west1")
    assert bucket["encryption.0.default_kms_key_name"] == f"{key['key_ring']}/cryptoKeys/exports"
    (grant,) = plan.of("kms_crypto_key_iam_member")
    assert grant["member"] == "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    (job,) = (each for each in plan.of("cloud_scheduler_job") if each["name"] == "export")
    assert job["http_target.0.uri"].endswith(f"/projects/{plan.project}/databases/(default):exportDocuments")
    assert json.loads(base64.b64decode(job["http_target.0.body"])) == {"outputUriPrefix": f"gs://{bucket['name']}"}
    (role,) = (each for each in plan.of("project_iam_custom_role") if each["role_id"] == "vasGatewayExporter")
    assert role["permissions"] == ["datastore.databases.export"]


def test_the_database_that_is_served_is_what_is_exported(planned_with: PlannedWith) -> None:
    plan = planned_with("staging", ABROAD, '-var=restored_databases={"restored"={}}', "-var=served_database=restored")
    (job,) = (each for each in plan.of("cloud_scheduler_job") if each["name"] == "export")
    assert job["http_target.0.uri"].endswith("/databases/restored:exportDocuments")


def test_jobs_and_builds_may_be_in_regions_of_their_own(planned_with: PlannedWith) -> None:
    plan = planned_with("uat", ABROAD, "-var=scheduler_region=europe-west1", "-var=build_region=us-central1")
    assert policies.broken(plan) == []
    assert {job["region"] for job in plan.of("cloud_scheduler_job")} == {"europe-west1"}
    assert {trigger["location"] for trigger in plan.of("cloudbuild_trigger")} == {"us-central1"}
    assert {function["location"] for function in plan.of("cloudfunctions2_function")} == {"africa-south1"}


def test_an_export_that_does_not_begin_is_noticed(everything: Planned) -> None:
    (metric,) = (each for each in everything("uat").of("logging_metric") if each["name"] == "vas/attempt_failed")
    assert '"export"' in metric["filter"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_sftp_server_takes_files_from_the_supplier_alone(everything: Planned, environment: str) -> None:
    plan = everything(environment)
    assert policies.broken(plan) == []
    (rule,) = plan.of("compute_firewall")
    assert (rule["source_ranges"], rule["allow.0.ports"]) == (["192.0.2.16/29"], ["22"])
    (machine,) = plan.of("compute_instance")
    assert machine["zone"] == f"{plan.variables['region']}-a" and len(plan.of("compute_address")) == 1
    script = machine["metadata"]["startup-script"]
    assert f"\n{KEY}\n" in script and f"deliver.py {plan.project}-settlement /srv/sftp" in script
    assert "AllowUsers mobilemart\n" in script and "${" not in script
    held = {(grant.type, grant["role"]) for grant in policies.grants(plan) if grant["member"] == plan.account("sftp-server")}
    assert held == {
        ("google_project_iam_member", "roles/logging.logWriter"),
        ("google_storage_bucket_iam_member", "roles/storage.objectCreator"),
        ("google_storage_bucket_iam_member", "roles/storage.objectViewer"),
    }
    assert {grant["bucket"] for grant in plan.of("storage_bucket_iam_member") if grant["member"] == plan.account("sftp-server")} == {
        f"{plan.project}-settlement"
    }


def test_the_script_of_the_sftp_server_is_one(everything: Planned) -> None:
    (machine,) = everything("uat").of("compute_instance")
    done = subprocess.run(["bash", "-n"], input=machine["metadata"]["startup-script"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        (f'-var=sftp={{allowed=["0.0.0.0/0"],keys=["{KEY}"]}}', "sftp.allowed must be networks of the supplier's"),
        (f'-var=sftp={{allowed=[],keys=["{KEY}"]}}', "sftp.allowed must be networks of the supplier's"),
        ('-var=sftp={allowed=["192.0.2.1/32"],keys=["a password"]}', "sftp.keys must be public keys"),
        (f'-var=sftp={{allowed=["192.0.2.1/32"],keys=["{KEY}"],user="root"}}', "sftp.user must be a name"),
        ('-var=exports_abroad={region="africa-south1"}', "exports_abroad.region must be a region"),
        ('-var=exports_abroad={region="Europe"}', "exports_abroad.region must be a region"),
        ('-var=exports_abroad={region="europe-west1",retention_days=1}', "exports_abroad.retention_days must be from 2"),
        ('-var=budget={billing_account="mine",amount=1}', "budget.billing_account must be the id"),
        ('-var=budget={billing_account="012345-6789AB-CDEF01",amount=0.5}', "budget.amount must be a whole number"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(new_workspace: NewWorkspace, given: str, refused: str) -> None:
    with pytest.raises(TerraformRefused, match=re.escape(refused)):
        new_workspace().plan("uat", given)


@pytest.fixture(scope="module")
def applied(new_workspace: NewWorkspace) -> Workspace:
    """A production that is there, without options."""
    workspace = new_workspace()
    workspace.plan("production", *EXAMPLE)
    workspace.apply()
    return workspace


@pytest.mark.parametrize("option", [BUDGET, ABROAD, SFTP])
def test_an_option_takes_nothing_away_from_what_is_there_and_is_a_persons(applied: Workspace, option: str) -> None:
    plan = Plan.read(applied.plan("production", *EXAMPLE, option))
    deleted = {address for address, actions in plan.changes.items() if "delete" in actions}
    assert deleted <= {"terraform_data.metrics_known"}
    assert policies.for_a_person(plan)


WRONG: Final = (
    (
        "exports.tf",
        "  encryption {\n    default_kms_key_name = google_kms_crypto_key.exports[each.key].id\n  }\n",
        "",
        "without a key of ours",
    ),
    (
        "exports.tf",
        '"https://firestore.googleapis.com/',
        '"https://example.com/',
        "sends a token for Google's APIs to https://example.com/",
    ),
    (
        "exports.tf",
        '["datastore.databases.export"]',
        '["datastore.databases.export", "datastore.databases.import"]',
        "datastore.databases.import",
    ),
    (
        "exports.tf",
        "age        = each.value.retention_days",
        "age        = 2 * each.value.retention_days",
        "deletes what is [28] days old, not 14",
    ),
    (
        "exports.tf",
        "    retention_duration_seconds = 0 # what is deleted is gone, and not a week later\n",
        "",
        'google_storage_bucket.exports["abroad"] keeps what is deleted',
    ),
    ("exports.tf", "location   = each.value.region", 'location   = "europe-west4"', "is in europe-west4, not in africa-south1"),
    ("modules/sftp/main.tf", 'ports    = ["22"]', 'ports    = ["22", "3306"]', "lets ['192.0.2.16/29'] in at ['22', '3306']"),
    ("modules/sftp/main.tf", 'block-project-ssh-keys = "TRUE"', 'block-project-ssh-keys = "FALSE"', "lets in whoever has a key"),
    ("modules/sftp/server.sh", "PasswordAuthentication no", "PasswordAuthentication yes", "does not say PasswordAuthentication no"),
    ("scheduler.tf", '["export"]', "[]", 'google_cloud_scheduler_job.export["abroad"] may fail from its first minute without an alert'),
)


@pytest.fixture(scope="module")
def faults(new_workspace: NewWorkspace) -> list[str]:
    """What the policies say of options with everything wrong at once."""
    workspace = new_workspace()
    for file, old, new, _ in WRONG:
        workspace.edit(file, old, new)
    return policies.broken(Plan.read(workspace.plan("production", *EXAMPLE, BUDGET, ABROAD, SFTP)))


@pytest.mark.parametrize("caught", [pytest.param(caught, id=caught) for *_, caught in WRONG])
def test_the_policies_see_what_is_wrong_with_an_option(faults: list[str], caught: str) -> None:
    assert [fault for fault in faults if caught in fault], faults
