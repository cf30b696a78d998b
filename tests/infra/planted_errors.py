"""Errors of the configuration, each with the words that must catch it."""

from dataclasses import dataclass
from typing import Final

from tests.infra.workspace import A_DIGEST, NO_DIGEST


@dataclass(frozen=True, slots=True)
class Error:
    """A text of the configuration replaced by a worse one, and the words in which it is caught."""

    what: str
    file: str
    old: str
    new: str
    caught: str

    def __str__(self) -> str:
        return self.what


# What Terraform and the provider's schema see.
MALFORMED: Final = (
    Error(
        "a misspelt argument",
        "modules/function/main.tf",
        "timeout_seconds                  =",
        "timeout_secs                     =",
        'An argument named "timeout_secs" is not expected here',
    ),
    Error(
        "a word that is none of the choices",
        "modules/function/main.tf",
        '"ALLOW_ALL"',
        '"ALLOW_EVERYBODY"',
        "ingress_settings is 'ALLOW_EVERYBODY'",
    ),
    Error("a missing argument", "events.tf", '  name       = "transactions-dead-${each.key}"\n', "", 'The argument "name" is required'),
    Error(
        "a missing block",
        "secrets.tf",
        "    user_managed {\n      replicas {\n        location = var.region\n      }\n    }\n",
        "",
        "exactly one of auto, user_managed: none given",
    ),
    Error("text for a number", "functions.tf", "keep_count = 10", 'keep_count = "ten"', 'attribute "keep_count": a number is required'),
    Error(
        "an attribute that there is not",
        "scheduler.tf",
        'audience              = module.function["reconcile"].uri',
        'audience              = module.function["reconcile"].url',
        'does not have an attribute named "url"',
    ),
    Error(
        "two where one is allowed",
        "modules/database/main.tf",
        "  daily_recurrence {}\n",
        '  daily_recurrence {}\n\n  weekly_recurrence {\n    day = "SUNDAY"\n  }\n',
        "exactly one of daily_recurrence, weekly_recurrence",
    ),
    Error(
        "a name that the API would refuse",
        "identities.tf",
        'account_id   = "builder"',
        'account_id   = "build"',
        "account_id is 'build', which does not match",
    ),
)


# What the configuration itself refuses, given on the command line.
CONTRADICTORY: Final = (
    ("production simulated", ["-var=mobilemart_live_integration=false"], "mobilemart_live_integration must be true in production"),
    (
        "production with a UAT address",
        ["-var=mobilemart_api_url=https://uat.fulcrumswitch.com"],
        "mobilemart_api_url is a UAT, conformance or loopback",
    ),
    ("production with all addresses", ["-var=mobilemart_api_url=https://0.0.0.0"], "mobilemart_api_url is a UAT, conformance or loopback"),
    (
        "staging with the production switch",
        ["-var=environment=staging", "-var=mobilemart_api_url=https://fulcrumswitch.com.:443"],
        "mobilemart_api_url is the production switch",
    ),
    ("live without secrets", ["-var=mobilemart_secrets=null"], "mobilemart_secrets is required"),
    ("a supplier slower than the function", ["-var=mobilemart_timeout_seconds=300"], "The deadlines do not nest: the supplier's (300 s)"),
    (
        "two wallets of one caller",
        [
            (
                '-var=wallets={"a"={"caller"="208e340a371d84f5261e656e22c9a613","subscriber"="user:a@example.com"},'
                '"b"={"caller"="208e340a371d84f5261e656e22c9a613","subscriber"="user:b@example.com"}}'
            )
        ],
        "wallets must each have a caller of its own",
    ),
    (
        "an image by its tag",
        [
            '-var=images={"gcloud"="gcr.io/a/b:1@sha256:'
            + "1" * 64
            + '","terraform"="docker.io/c:1.11.4","tests"="d.io/e:1@sha256:'
            + "2" * 64
            + '"}'
        ],
        "images must each be named by a version and its digest",
    ),
    ("a region that is none", ["-var=scheduler_region=Johannesburg"], "scheduler_region must be a region"),
    ("a lease shorter than the function", ["-var=vending_lease_seconds=200"], "The deadlines do not nest: the function's (220 s)"),
    (
        "a setting behind Terraform's back",
        ['-var=settings={"ENVIRONMENT"="uat"}'],
        "settings holds what is misspelt or has a variable of its own: ENVIRONMENT",
    ),
    (
        "a misspelt setting",
        ['-var=settings={"SEND_WINDOW_SECONDS"="5","CORS_ORIGIN"="x"}'],
        "settings holds what is misspelt or has a variable of its own: CORS_ORIGIN.",
    ),
)


# What is well formed and wrong: the policies see it. These are planted together, so that one plan shows them all.
WRONG: Final = (
    Error(
        "a public reconcile",
        "functions.tf",
        "scheduler = google_service_account.scheduler.member",
        'scheduler = "allUsers"',
        "opens reconcile to allUsers",
    ),
    Error(
        "an ingress that nobody has decided",
        "modules/function/main.tf",
        '    ingress_settings                 = "ALLOW_ALL" # all who may call come from outside: IAM and OIDC decide\n',
        "",
        "google_cloudfunctions2_function.this does not say its ingress_settings",
    ),
    Error(
        "a shared account",
        "functions.tf",
        "service_account       = google_service_account.function[each.key].email",
        'service_account       = google_service_account.function["prevend"].email',
        'module.function["purchase"].google_cloudfunctions2_function.this runs as prevend@',
    ),
    Error(
        "a basic role",
        "identities.tf",
        '"roles/logging.logWriter"',
        '"roles/editor"',
        'log_writer["deployer"] grants roles/editor, which is not listed',
    ),
    Error(
        "a role on the whole project",
        "identities.tf",
        'resource.name == \\"projects/${var.project}/databases/${module.database.name}\\"',
        "true",
        'firestore_user["purchase"] grants roles/datastore.user on the whole project',
    ),
    Error(
        "a deployer that reads secrets",
        "pipeline.tf",
        '    "serviceusage.services.enable",\n',
        '    "serviceusage.services.enable",\n    "secretmanager.versions.access",\n',
        "google_project_iam_custom_role.applier permits secretmanager.versions.access",
    ),
    Error(
        "a deployer that may become anybody",
        "pipeline.tf",
        '    "logging.logMetrics.create",\n',
        '    "logging.logMetrics.create",\n    "iam.serviceAccounts.setIamPolicy",\n',
        "google_project_iam_custom_role.applier permits iam.serviceAccounts.setIamPolicy",
    ),
    Error(
        "a deployer that lets itself read secrets",
        "pipeline.tf",
        '    "storage.buckets.create",\n',
        '    "storage.buckets.create",\n    "secretmanager.secrets.setIamPolicy",\n',
        "google_project_iam_custom_role.applier permits secretmanager.secrets.setIamPolicy",
    ),
    Error(
        "a deployer that does without approval",
        "pipeline.tf",
        '    "cloudscheduler.jobs.create",\n',
        '    "cloudscheduler.jobs.create",\n    "cloudbuild.builds.update",\n',
        "google_project_iam_custom_role.applier permits cloudbuild.builds.update",
    ),
    Error(
        "a deployer that grants roles",
        "pipeline.tf",
        '"projects/${var.project}/roles/${google_project_iam_custom_role.applier.role_id}"',
        '"roles/resourcemanager.projectIamAdmin"',
        "google_project_iam_member.applier grants roles/resourcemanager.projectIamAdmin, which is not listed",
    ),
    Error(
        "a missing grant",
        "events.tf",
        'toset(["purchase", "reconcile"])',
        'toset(["purchase"])',
        "reconcile lacks roles/pubsub.publisher on transactions",
    ),
    Error(
        "a secret in the wrong hands",
        "secrets.tf",
        "google_service_account.function[each.value.function].member",
        "google_service_account.builder.member",
        "serviceAccount:builder@wallet-vas-production.iam.gserviceaccount.com may read the secret mobilemart-client-id",
    ),
    Error(
        "a Scheduler that gives up early",
        "scheduler.tf",
        "var.function_timeout_seconds + 20",
        "var.function_timeout_seconds - 20",
        "gives up after 200 s",
    ),
    Error(
        "a function that misjudges its time",
        "functions.tf",
        "tostring(var.function_timeout_seconds)",
        '"100"',
        "purchase is cut off after 220 s and believes it has 100 s",
    ),
    Error(
        "a variable that the code needs",
        "functions.tf",
        "      OIDC_AUDIENCE       = var.oidc.audience\n",
        "",
        "prevend would not start: configuration refused: OIDC_AUDIENCE is required",
    ),
    Error(
        "sales that cannot be recovered",
        "modules/database/main.tf",
        '"POINT_IN_TIME_RECOVERY_ENABLED" :',
        '"POINT_IN_TIME_RECOVERY_DISABLED" :',
        "module.database.google_firestore_database.this has no point-in-time recovery",
    ),
    Error(
        "a database that is not there",
        "functions.tf",
        "FIRESTORE_DATABASE          = local.served_database",
        'FIRESTORE_DATABASE          = "restored"',
        "purchase is told the database restored, and there are ['(default)']",
    ),
    Error("no backups", "modules/database/main.tf", "count = var.keep_data ? 1 : 0", "count = 0", "there is no daily backup of (default)"),
    Error(
        "a missing index",
        "modules/database/main.tf",
        '    due    = ["open.shard ASCENDING", "open.dueAt ASCENDING"]',
        '    due    = ["open.dueAt ASCENDING", "open.shard ASCENDING"]',
        "no index of the plan answers the query of transactions in (default) by [('open.shard', 'ASCENDING')] then",
    ),
    Error(
        "an index that is asked for and taken away",
        "modules/database/main.tf",
        '    "transactions/createdAt",\n',
        '    "transactions/createdAt",\n    "transactions/dayShard",\n',
        "a query of transactions in (default) needs a single-field index on [('dayShard', 'ASCENDING')], which the plan takes away",
    ),
    Error(
        "dead letters that nobody may move",
        "events.tf",
        '"roles/pubsub.subscriber"\n  member       = local.pubsub_agent',
        '"roles/pubsub.viewer"\n  member       = local.pubsub_agent',
        "it lacks roles/pubsub.subscriber on the subscription",
    ),
    Error(
        "a database that is read unseen",
        "audit.tf",
        "[for account in google_service_account.function : account.member] #",
        '["serviceAccount:builder@wallet-vas-production.iam.gserviceaccount.com"] #',
        "serviceAccount:builder@wallet-vas-production.iam.gserviceaccount.com reads from datastore.googleapis.com without a trace",
    ),
    Error(
        "secrets that are read unseen",
        "audit.tf",
        '    "secretmanager.googleapis.com" = []\n',
        "",
        "who reads from secretmanager.googleapis.com leaves no trace",
    ),
    Error(
        "an archive that forgets",
        "events.tf",
        "retain_acked_messages      = true",
        "retain_acked_messages      = false",
        "no subscription keeps every event",
    ),
    Error(
        "a wallet that reads every other's tokens",
        "events.tf",
        '  filter                     = "attributes.caller = \\"${each.value.caller}\\""\n',
        "",
        "wallet@wallet-app-production.iam.gserviceaccount.com reads transactions-app, which shows every wallet's events",
    ),
    Error(
        "tests that write images",
        "functions.tf",
        '  role       = "roles/artifactregistry.writer"\n  member     = google_service_account.builder.member',
        '  role       = "roles/artifactregistry.writer"\n  member     = google_service_account.checker.member',
        "google_artifact_registry_repository_iam_member.builder lets the account of the tests make what runs",
    ),
    Error(
        "an open reconcile that is not tried",
        "intrusion.tf",
        "{ nobody = false, stranger = true }",
        "{ nobody = false }",
        "whether stranger may call reconcile is not tried",
    ),
    Error(
        "a build on an image that nobody has looked up",
        "images.auto.tfvars",
        f"docker.io/hashicorp/terraform:1.11.4@sha256:{A_DIGEST}",
        f"docker.io/hashicorp/terraform:1.11.4@sha256:{NO_DIGEST}",
        "google_cloudbuild_trigger.apply runs on docker.io/hashicorp/terraform:1.11.4 without a digest that was looked up",
    ),
    Error(
        "a permission under its old name",
        "pipeline.tf",
        '"datastore.schemas.get"',
        '"datastore.indexes.get"',
        "google_project_iam_custom_role.planner names datastore.indexes.get, which tests/infra/permissions.py",
    ),
    Error(
        "a log that is kept abroad too",
        "logs.tf",
        "filter      = local.kept_logs",
        'filter      = "severity>=ERROR"',
        "the log is also kept in the global bucket _Default",
    ),
    Error(
        "an alert that does not wait for its metric",
        "monitoring.tf",
        'many sales are in doubt"\n  combiner              = "OR"\n  depends_on            = [terraform_data.metrics_known]\n',
        'many sales are in doubt"\n  combiner              = "OR"\n',
        "google_monitoring_alert_policy.sales_in_doubt does not wait until its metric is known",
    ),
    Error(
        "a job that may fail from its first minute",
        "monitoring.tf",
        "for name in local.job_names :",
        'for name in ["sweep"] :',
        'google_cloud_scheduler_job.this["settle"] may fail from its first minute without an alert',
    ),
    Error(
        "a builder that adds and may not look",
        "pipeline.tf",
        'read = "roles/storage.objectViewer" }',
        'read = "roles/storage.objectCreator" }',
        "adds to wallet-vas-production-pipeline and may not read there",
    ),
    Error(
        "versions beside a retention policy",
        "settlement.tf",
        "enabled = !local.settlement_retained",
        "enabled = true",
        "google_storage_bucket.settlement has both versions and a retention policy",
    ),
    Error(
        "files of people that never go",
        "settlement.tf",
        "        age        = lifecycle_rule.value\n",
        "        age        = 10 * lifecycle_rule.value\n",
        "google_storage_bucket.settlement deletes what is [18270] days old, not 1827",
    ),
    Error(
        "files that are kept after their deletion",
        "settlement.tf",
        "retention_duration_seconds = 0 ",
        "retention_duration_seconds = 604800 ",
        "google_storage_bucket.settlement keeps what is deleted",
    ),
    Error(
        "a log that holds whole numbers",
        "logs.tf",
        "(accountNumber|meterNumber|mobileNumber)",
        "(accountNumber|meterNumber)",
        "google_logging_project_sink.regional keeps https://it.run.app/transactions?mobileNumber=12345678901",
    ),
    Error(
        "an address that cannot be taken away",
        "monitoring.tf",
        "force_delete = true",
        "force_delete = false",
        "cannot be deleted while an alert names it",
    ),
    Error(
        "a bucket that may be made public",
        "settlement.tf",
        '"enforced"',
        '"inherited"',
        "google_storage_bucket.settlement could be made public",
    ),
    Error(
        "an alarm that wakes nobody",
        "monitoring.tf",
        'resource "google_monitoring_alert_policy" "run_missing" {\n  for_each = local.runs',
        'resource "google_monitoring_alert_policy" "run_missing" {\n  for_each = { sweep = local.runs.sweep }',
        'google_logging_metric.run["settle"] is counted and alerts nobody',
    ),
    Error(
        "a production that nobody approves",
        "pipeline.tf",
        'needs_approval = var.environment != "uat"',
        'needs_approval = var.environment == "uat"',
        "deploys to production without approval",
    ),
    Error(
        "sales kept abroad",
        "modules/database/main.tf",
        "= var.location",
        '= "nam5"',
        "module.database.google_firestore_database.this is in nam5, not in africa-south1",
    ),
    Error(
        "an archive that is overwritten",
        "modules/function/main.tf",
        '"${var.name}-${local.sha256}.zip"',
        '"${var.name}.zip"',
        "is built from purchase.zip, which is not named by its function and SHA-256",
    ),
)
