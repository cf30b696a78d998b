"""Each environment's plan: what is in it, what holds of it, and what a change of the code changes."""

import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from local import caller, package
from shared import config
from tests.infra import inventory, policies, queries
from tests.infra.conftest import NewWorkspace, Planned
from tests.infra.indexes import uncovered
from tests.infra.plan import Plan
from tests.infra.workspace import CONFIGURATION, ENVIRONMENTS, TerraformRefused, Workspace
from tests.root import ROOT

FUNCTIONS: Final = ("prevend", "purchase", "reconcile")
TWO_WALLETS: Final = (
    '-var=wallets={"a"={"caller"="208e340a371d84f5261e656e22c9a613","subscriber"="user:a@example.com"},'
    '"b"={"caller"="f4e793635e1a98e6f60ff1b1ba636e7a","subscriber"="user:b@example.com"}}'
)


def test_the_configuration_is_laid_out_as_terraform_lays_it_out(terraform: None) -> None:
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull}
    command = ["terraform", "fmt", "-check", "-diff", "-recursive", str(CONFIGURATION)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "file",
    [
        "variables.tf",
        "outputs.tf",
        *(f"modules/{name}/{part}.tf" for name in ("database", "function", "sftp") for part in ("variables", "outputs")),
    ],
)
def test_variables_and_outputs_are_in_order_and_described(file: str) -> None:
    blocks = re.findall(r'^(?:variable|output) "(\w+)" {\n  description = "(.+)"$', (CONFIGURATION / file).read_text(), re.MULTILINE)
    names = [name for name, _ in blocks]
    assert names == sorted(names)
    assert len(names) == (CONFIGURATION / file).read_text().count("\n}\n")
    assert all(description.endswith(".") for _, description in blocks)


def test_terraform_accepts_the_configuration(new_workspace: NewWorkspace) -> None:
    workspace = new_workspace()
    workspace.run("init", "-backend=false", "-no-color")
    assert "Success!" in workspace.run("validate", "-no-color")


def test_variables_refuse_what_contradicts_itself(new_workspace: NewWorkspace) -> None:
    workspace = new_workspace()
    workspace.run("init", "-backend=false", "-no-color")
    said = workspace.run("test", "-no-color", "-var-file=environments/production.tfvars")
    assert "0 failed" in said and "Success!" in said


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_plan_holds_what_the_inventory_says(planned: Planned, environment: str) -> None:
    plan = planned(environment)
    assert sorted(resource.address for resource in plan.resources) == sorted(inventory.expected(plan))


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(["-var=wallets={}"], id="no wallet"),
        pytest.param([TWO_WALLETS], id="two wallets"),
        pytest.param(["-var=project=another-project", "-var=state_bucket=anothers-state"], id="another project"),
        pytest.param(['-var=alert_emails=["a@example.com","b@example.com"]'], id="two addresses"),
        pytest.param(["-var=settlement_writer=group:relay@example.com"], id="somebody who brings files"),
        pytest.param(["-var=iap_audience=/projects/123456789012/global/backendServices/1"], id="a proxy"),
        pytest.param(['-var=restored_databases={"restored"={}}'], id="a restored database"),
    ],
)
def test_values_of_ones_own_are_planned_and_break_nothing(planned_with: Callable[..., Plan], given: list[str]) -> None:
    plan = planned_with("staging", *given)
    assert sorted(resource.address for resource in plan.resources) == sorted(inventory.expected(plan))
    assert policies.broken(plan) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_plan_keeps_every_policy(planned: Planned, environment: str) -> None:
    assert policies.broken(planned(environment)) == []


def test_what_the_functions_read_is_set_here_or_may_be_a_setting(new_workspace: NewWorkspace) -> None:
    """But for what only a machine of one's own has: a file as the store, and emulators."""
    text = (CONFIGURATION / "functions.tf").read_text()
    set_here = set(re.findall(r"^      ([A-Z][A-Z_]+) +=", text, re.MULTILINE))
    settings = set(re.findall(r'^    "([A-Z_]+)",$', text, re.MULTILINE))
    local = {name for name in config.NAMES if name.endswith("_EMULATOR_HOST")} | {"TRANSACTION_STORE"}
    assert sorted([*set_here, *settings, *local]) == sorted(config.NAMES)

    given = json.dumps(dict.fromkeys(sorted(settings), "100"))
    plan = Plan.read(new_workspace().plan("uat", f"-var=settings={given}"))
    for function in plan.functions().values():
        assert settings <= function["service_config.0.environment_variables"].keys()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("method", queries.ASKED)
async def test_an_index_of_the_plan_answers_what_the_store_asks(planned: Planned, environment: str, method: str) -> None:
    sent = await queries.sent(queries.ASKED[method])
    assert sent
    assert list(uncovered(planned(environment), sent)) == []


def test_every_query_of_the_store_is_known() -> None:
    assert queries.methods() == {asked.split()[0] for asked in queries.ASKED} | queries.BY_ID


def test_what_is_never_asked_for_by_itself_is_not_indexed(planned: Planned) -> None:
    """Writes of a time that only grows would be bound to 500 a second, and a record of 1 MiB has more entries than are allowed."""
    fields = {
        (field["collection"], field["field"]): field["index_config.0.indexes"] for field in planned("production").of("firestore_field")
    }
    for bound in (("transactions", "record"), ("transactions", "createdAt"), ("transactions", "open.dueAt"), ("prevends", "expireAt")):
        assert fields[bound] == []


def test_what_expires_deletes_itself(planned: Planned) -> None:
    expiring = {(field["collection"], field["field"]) for field in planned("uat").of("firestore_field") if field["ttl_config"]}
    assert expiring == {("prevends", "expireAt"), ("simulator", "expireAt")}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_wallets_filter_is_the_hash_in_its_messages(
    planned: Planned, planned_with: Callable[..., Plan], capsys: pytest.CaptureFixture[str], environment: str
) -> None:
    """As `local.caller` prints it, of the issuer that the environment names; tests of events hold the attribute to the same."""
    own = planned(environment)
    mode = "live" if own.live else "simulated"
    caller.main(["--mode", mode, "--issuer", own.variables["oidc"]["issuer"], "--subject", "wallet"])
    printed = capsys.readouterr().out.strip()
    plan = planned_with(environment, f'-var=wallets={{"app"={{"caller"="{printed}","subscriber"="user:app@example.com"}}}}')
    (wallet,) = (each for each in plan.of("pubsub_subscription") if each["name"] == "transactions-app")
    assert wallet["filter"] == f'attributes.caller = "{printed}"'


def test_an_environment_may_begin_without_a_wallet(new_workspace: NewWorkspace) -> None:
    """On the first day there may be none; the archive keeps its events all the same."""
    plan = Plan.read(new_workspace().plan("uat", "-var=wallets={}"))
    assert policies.broken(plan) == []
    assert [each["name"] for each in plan.of("pubsub_subscription")] == ["transactions-archive"]


def test_a_proxy_before_reconcile_may_call_it(new_workspace: NewWorkspace) -> None:
    plan = Plan.read(new_workspace().plan("uat", "-var=iap_audience=/projects/123456789012/global/backendServices/1"))
    assert policies.broken(plan) == []
    invokers = {grant["member"] for grant in plan.of("cloud_run_v2_service_iam_member") if grant["name"] == "reconcile"}
    assert "serviceAccount:service-123456789012@gcp-sa-iap.iam.gserviceaccount.com" in invokers


def test_archives_hold_the_requirements_that_the_build_installs(archives: Path) -> None:
    for name in FUNCTIONS:
        with zipfile.ZipFile(archives / f"{name}.zip") as archive:
            assert {"main.py", "requirements.txt", "shared/__init__.py"} <= set(archive.namelist())
            assert b"\nfunctions-framework==" in archive.read("requirements.txt")


def test_the_dashboard_shows_every_metric_and_no_tile_covers_another(planned: Planned) -> None:
    plan = planned("production")
    (dashboard,) = plan.of("monitoring_dashboard")
    for metric in plan.of("logging_metric"):
        assert f"/user/{metric['name']}\\" in dashboard["dashboard_json"]
    tiles = json.loads(dashboard["dashboard_json"])["mosaicLayout"]["tiles"]
    cells = [(x, y) for t in tiles for x in range(t["xPos"], t["xPos"] + t["width"]) for y in range(t["yPos"], t["yPos"] + t["height"])]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 12


@pytest.fixture(scope="module")
def staging(new_workspace: NewWorkspace, archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Staging, as it is after a first apply, with archives of its own."""
    own = shutil.copytree(archives, tmp_path_factory.mktemp("deployed") / "build")
    workspace = replace(new_workspace(), archives=own)
    workspace.plan("staging")
    workspace.apply()
    return workspace


@pytest.fixture
def applied(staging: Workspace, archives: Path) -> Iterator[Workspace]:
    """Staging, with whatever archives the test before has made put back."""
    yield staging
    shutil.copytree(archives, staging.archives, dirs_exist_ok=True)


def test_changing_nothing_changes_nothing(applied: Workspace) -> None:
    assert Plan.read(applied.plan("staging")).changes == {}


def test_a_line_in_the_shared_code_changes_the_three_archives_and_nothing_else(
    applied: Workspace, planned: Planned, tmp_path: Path
) -> None:
    repackage(applied, tmp_path, "shared/domain/money.py")
    changed = Plan.read(applied.plan("staging"))
    assert changed.changes == {
        **{f'module.function["{name}"].google_storage_bucket_object.archive': {"create", "delete"} for name in FUNCTIONS},
        **{f'module.function["{name}"].google_cloudfunctions2_function.this': {"update"} for name in FUNCTIONS},
    }
    for name in FUNCTIONS:
        now, then = (plan.functions()[name]["service_config.0.environment_variables"] for plan in (changed, planned("staging")))
        assert now == then


def test_a_line_of_one_function_changes_that_function_only(applied: Workspace, tmp_path: Path) -> None:
    repackage(applied, tmp_path, "functions/prevend/main.py")
    assert Plan.read(applied.plan("staging")).changes.keys() == {
        'module.function["prevend"].google_storage_bucket_object.archive',
        'module.function["prevend"].google_cloudfunctions2_function.this',
    }


def test_a_function_that_is_made_anew_gets_its_callers_back(applied: Workspace) -> None:
    """Its Cloud Run service is a new one then, with a policy that lets nobody in."""
    changed = Plan.read(applied.plan("staging", '-replace=module.function["reconcile"].google_cloudfunctions2_function.this')).changes
    for grant in ('invoker["operators"]', 'invoker["scheduler"]', 'viewer["operators"]'):
        assert changed[f'module.function["reconcile"].google_cloud_run_v2_service_iam_member.{grant}'] == {"create", "delete"}


RESTORED: Final = '-var=restored_databases={"restored"={"indexes"={"due"="due","lookup"="lookup"}}}'
HOLDS_DATA: Final = re.compile(
    r"google_(firestore_\w+|storage_bucket|pubsub_(topic|subscription)|secret_manager_secret|logging_project_bucket_config)"
)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        pytest.param(
            ['-var=alert_emails=["others@example.com"]'],
            r"google_monitoring_(notification_channel|alert_policy)\..*|google_billing_budget\..*",
            id="an alert's address",
        ),
        pytest.param(["-var=retention_days=2000"], r'module\.function\["reconcile"\].*', id="sales kept for longer"),
        pytest.param(["-var=personal_data_days=90"], r'module\.function\["reconcile"\].*', id="personal data kept for less long"),
        pytest.param(["-var=settlement_retention_days=60"], r"google_storage_bucket\.settlement", id="retention"),
        pytest.param(["-var=settlement_retention_locked=true"], r"google_storage_bucket\.settlement", id="retention, locked"),
        pytest.param(["-var=logs_retention_days=60"], r"google_logging_project_bucket_config\.regional", id="retention of logs"),
        pytest.param(["-var=events_retention_days=14"], r"google_pubsub_(topic\.transactions|subscription\..*)", id="retention of events"),
        pytest.param(
            [RESTORED], r'module\.restored\["restored"\]\..*|google_project_iam_member\.restored_user\[.*', id="a restored database"
        ),
        pytest.param(
            [RESTORED, "-var=served_database=restored"],
            r'module\.restored\["restored"\]\..*|google_project_iam_member\.restored_user\[.*|module\.function\["\w+"\]\.google_cloudfunctions2_function\.this|google_cloud_scheduler_job\.export.*',
            id="a restored database, served",
        ),
        pytest.param(
            ['-var=restored_databases={"restored"={}}'],
            r'module\.restored\["restored"\]\..*|google_project_iam_member\.restored_user\[.*',
            id="a restored database without indexes",
        ),
    ],
)
def test_a_change_touches_what_it_is_about_and_deletes_nothing_that_holds_data(applied: Workspace, change: list[str], changed: str) -> None:
    plan = Plan.read(applied.plan("staging", *change))
    assert plan.changes and not [address for address in plan.changes if not re.fullmatch(changed, address)]
    deleted = {address for address, actions in plan.changes.items() if "delete" in actions}
    assert not [address for address in deleted if HOLDS_DATA.search(address)]
    assert policies.broken(plan) == []


async def test_a_restored_database_has_what_the_first_has(applied: Workspace) -> None:
    """Its indexes, protection, backups and grants; and what gcloud has restored is taken over, not made again."""
    shown = applied.plan("staging", RESTORED, "-var=served_database=restored")
    plan = Plan.read(shown)
    first, restored = plan.of("firestore_database")
    for protected in ("point_in_time_recovery_enablement", "delete_protection_state", "deletion_policy", "location_id"):
        assert restored[protected] == first[protected]
    assert {actions for address, actions in plan.changes.items() if address.endswith("google_firestore_database.this")} == {
        frozenset({"update"})
    }
    assert not [address for address in plan.changes if "google_firestore_index" in address]
    assert list(uncovered(plan, await queries.all_sent())) == []
    assert {function["service_config.0.environment_variables"]["FIRESTORE_DATABASE"] for function in plan.functions().values()} == {
        "restored"
    }


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ("-var=served_database=restored", "served_database must be firestore_database or one of"),
        ('-var=restored_databases={"(default)"={}}', "restored_databases must be names of further databases"),
        ("-var=settlement_retention_locked=true", "settlement_retention_locked needs a retention to lock"),
        ("-var=personal_data_days=30", "personal_data_days must be from 31 to retention_days"),
        ("-var=personal_data_days=5000", "personal_data_days must be from 31 to retention_days"),
        ("-var=retention_days=30", "retention_days must be from 31"),
        (
            "-var=settlement_retention_days=10",
            "settlement_retention_days must be 0, for files that no rule keeps or deletes, or 30 and more",
        ),
    ],
)
def test_what_cannot_be_served_locked_or_kept_is_refused(new_workspace: NewWorkspace, given: str, refused: str) -> None:
    with pytest.raises(TerraformRefused, match=refused):
        new_workspace().plan("uat", given)


def test_a_secret_that_is_rotated_changes_nothing(applied: Workspace) -> None:
    """Its versions are people's: the functions are told to read the newest, and the state holds none."""
    plan = Plan.read(applied.plan("staging"))
    assert plan.changes == {} and not plan.of("secret_manager_secret_version")
    told = [function["service_config.0.environment_variables"] for function in plan.functions().values()]
    assert {value.rpartition("/")[2] for each in told for name, value in each.items() if name.endswith("_SECRET")} == {"latest"}


def test_the_pipeline_applies_what_is_not_a_persons(applied: Workspace, tmp_path: Path) -> None:
    repackage(applied, tmp_path, "shared/domain/money.py")
    assert refused_to_the_deployer(applied, tmp_path) == []


@pytest.mark.parametrize(
    ("change", "address"),
    [
        (
            "-var=operators_group=others@example.com",
            'module.function["reconcile"].google_cloud_run_v2_service_iam_member.invoker["operators"]',
        ),
        ('-var=mobilemart_secrets={"client_id"="another","client_secret"="one"}', 'google_secret_manager_secret.mobilemart["client_id"]'),
        ('-var=release={"branch"="^any$"}', "google_cloudbuild_trigger.check"),
        ("-replace=google_service_account.scheduler", "google_service_account.scheduler"),
        ("-replace=google_project_iam_custom_role.applier", "google_project_iam_custom_role.applier"),
        (
            '-replace=google_service_account_iam_member.deployer_acts_as["purchase"]',
            'google_service_account_iam_member.deployer_acts_as["purchase"]',
        ),
    ],
)
def test_the_pipeline_keeps_no_plan_that_changes_who_may_do_what(applied: Workspace, tmp_path: Path, change: str, address: str) -> None:
    assert address in refused_to_the_deployer(applied, tmp_path, change)


def refused_to_the_deployer(workspace: Workspace, folder: Path, *arguments: str) -> list[str]:
    """The addresses that the pipeline's own check names, in a plan that it would otherwise keep."""
    made = folder / "made.json"
    made.write_text(json.dumps(workspace.plan("staging", *arguments)))
    said = io.StringIO()
    with redirect_stdout(said):
        assert policies.main([str(made)]) == 0
        code = policies.main([str(made), "--for-the-deployer"])
    addresses = [line.partition(" is changed by a person")[0] for line in said.getvalue().splitlines()]
    assert code == bool(addresses)
    return addresses


def repackage(workspace: Workspace, folder: Path, touched: str) -> None:
    """Put archives in place that are made of this checkout with one line more in one file."""
    for part in ("functions", "shared"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.txt", folder)
    with (folder / touched).open("a") as file:
        file.write("# one line more\n")
    list(package.write(workspace.archives, folder))
