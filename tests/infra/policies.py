"""What must hold of every plan, whoever changed what. Each policy says what breaks it, with the address at fault.

`python -m tests.infra.policies PLAN.json` asks the same of a real plan; the pipeline does, before it keeps one.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from shared import config
from shared.web.erasures import NUMBERS
from tests.infra.permissions import KNOWN
from tests.infra.plan import Plan, Resource

FUNCTIONS: Final = ("prevend", "purchase", "reconcile")
ACCOUNTS: Final = (*FUNCTIONS, "builder", "checker", "deployer", "scheduler")
ACTED_AS: Final = (*FUNCTIONS, "builder", "scheduler")  # by the deployer, who gives them to functions, builds and jobs
OF_OPTIONS: Final = {"exports_abroad": "exporter", "sftp": "sftp-server"}  # accounts that are there where the variable is given
PUBLIC: Final = ("allUsers", "allAuthenticatedUsers")
SECRET_VARIABLES: Final = ("MOBILEMART_CLIENT_ID_SECRET", "MOBILEMART_CLIENT_SECRET_SECRET")
MAX_ATTEMPT_SECONDS: Final = 1800  # of a Scheduler job with an HTTP target
EXPORTS_KEPT_DAYS: Final = 14  # where nothing else is said: a plan holds no default of a part of a variable
PINNED: Final = re.compile(r"@sha256:[0-9a-f]{64}$")
SHA256_ZIP: Final = re.compile(r"(\w+)-[0-9a-f]{64}\.zip")

# Every role that may be granted, by the kind of thing that it is granted on. On the project: only with the condition that
# ties it to one thing, where there is one. Where no name stands, it is one of our own roles.
GRANTABLE: Final = {
    "artifact_registry_repository_iam_member": {"roles/artifactregistry.writer"},
    "cloud_run_v2_service_iam_member": {"roles/run.invoker", "roles/run.viewer"},
    "kms_crypto_key_iam_member": {"roles/cloudkms.cryptoKeyEncrypterDecrypter"},
    "pubsub_subscription_iam_member": {"roles/pubsub.subscriber"},
    "pubsub_topic_iam_member": {"roles/pubsub.publisher"},
    "secret_manager_secret_iam_member": {"roles/secretmanager.secretAccessor"},
    "service_account_iam_member": {"roles/iam.serviceAccountUser"},
    "storage_bucket_iam_member": {"roles/storage.objectCreator", "roles/storage.objectUser", "roles/storage.objectViewer"},
    "project_iam_member": {
        "roles/datastore.user",
        "roles/logging.logWriter",
        "roles/storage.objectViewer",
        "vasGatewayApplier",
        "vasGatewayExporter",
        "vasGatewayPlanner",
    },
}
CONDITIONAL: Final = {
    "roles/datastore.user": "databases/",
    "roles/storage.objectViewer": "gcf-v2-sources-",
}

# Reading what is sold, taking another's identity, widening one's own role or another's, and doing without approval: in no role of ours,
# but that the exporter may begin what its name says.
NEVER_PERMITTED: Final = re.compile(
    r".*\.setIamPolicy|.*\*.*|iam\.(roles|serviceAccounts)\.(?!get$|getIamPolicy$|list$).*|iam\.serviceAccountKeys\..*"
    r"|secretmanager\.(?!secrets\.(get|getIamPolicy|list)$).*|datastore\.entities\..*|datastore\.databases\.(ex|im)port|storage\.objects\..*|pubsub\.\w+\.(consume|publish)"
    r"|run\.routes\.invoke|cloudbuild\.builds\.(?!get$|list$).*"
)

# What only a person may change: who may do what, who there is, what is secret, what asks for approval, what belongs to billing, and what
# the internet may knock at.
A_PERSONS: Final = re.compile(
    r"google_(\w+_iam_\w+|service_account|secret_manager_secret|cloudbuild_trigger|kms_\w+|compute_\w+|billing_budget)"
)

# What is gone with its resource: sales, events that no wallet has read, files, logs. Secrets and the database refuse by themselves.
HOLDS_DATA: Final = re.compile(
    r"google_(compute_disk|firestore_database|kms_crypto_key|logging_project_bucket_config|pubsub_(subscription|topic)|storage_bucket)"
)

# The grants without which something does not work, as (type, target, role, account). A target is the grant's key, or a part of its name.
NEEDED: Final = (
    *(("project_iam_member", name, "roles/datastore.user", name) for name in FUNCTIONS),
    ("pubsub_topic_iam_member", "transactions", "roles/pubsub.publisher", "purchase"),
    ("pubsub_topic_iam_member", "transactions", "roles/pubsub.publisher", "reconcile"),
    ("pubsub_topic_iam_member", "plans", "roles/pubsub.publisher", "checker"),
    ("storage_bucket_iam_member", "settlement", "roles/storage.objectViewer", "reconcile"),
    ("storage_bucket_iam_member", "functions", "roles/storage.objectViewer", "builder"),
    ("storage_bucket_iam_member", "functions", "roles/storage.objectUser", "deployer"),
    ("storage_bucket_iam_member", "pipeline", "roles/storage.objectCreator", "checker"),
    ("storage_bucket_iam_member", "pipeline", "roles/storage.objectViewer", "checker"),
    ("storage_bucket_iam_member", "pipeline", "roles/storage.objectViewer", "deployer"),
    ("storage_bucket_iam_member", "state", "roles/storage.objectViewer", "checker"),
    ("storage_bucket_iam_member", "state", "roles/storage.objectUser", "deployer"),
    ("artifact_registry_repository_iam_member", "functions", "roles/artifactregistry.writer", "builder"),
    *(("service_account_iam_member", f"{name}@", "roles/iam.serviceAccountUser", "deployer") for name in ACTED_AS),
)
PERMITTED_TO: Final = {"vasGatewayExporter": {"datastore.databases.export"}}
TARGETS: Final = ("name", "topic", "subscription", "bucket", "repository", "service_account_id", "secret_id")

Policy = Callable[[Plan], Iterator[str]]


def broken(plan: Plan) -> list[str]:
    """Everything that the plan does against the policies."""
    return [f"{policy.__name__}: {fault}" for policy in POLICIES for fault in policy(plan)]


def for_a_person(plan: Plan) -> list[str]:
    """The addresses of what the plan changes and the deployer cannot."""
    return sorted(address for address in plan.changes if A_PERSONS.fullmatch(_type_in(address)))


def _type_in(address: str) -> str:
    """`google_pubsub_topic` in `module.this["key"].google_pubsub_topic.that["key"]`."""
    return re.sub(r"\[[^]]*\]", "", address).split(".")[-2]


def grants(plan: Plan) -> tuple[Resource, ...]:
    """Every grant of a role to somebody."""
    return tuple(resource for resource in plan.resources if "_iam_" in resource.type and "member" in resource.values)


def only_prevend_and_purchase_are_public(plan: Plan) -> Iterator[str]:
    """And reconcile is invoked by exactly the Scheduler and the operators."""
    invokers: dict[str, set[str]] = {name: set() for name in FUNCTIONS}
    for grant in grants(plan):
        member, role, name = grant["member"], grant["role"], grant["name"]
        if role == "roles/run.invoker":
            invokers.setdefault(name, set()).add(member)
        if member in PUBLIC and (role, name) not in {("roles/run.invoker", "prevend"), ("roles/run.invoker", "purchase")}:
            yield f"{grant.address} opens {name or grant.type} to {member}"
    expected = {"prevend": {"allUsers"}, "purchase": {"allUsers"}}
    expected["reconcile"] = {plan.account("scheduler"), f"group:{plan.variables['operators_group']}"}
    if audience := plan.variables.get("iap_audience"):
        expected["reconcile"].add(f"serviceAccount:service-{audience.split('/')[2]}@gcp-sa-iap.iam.gserviceaccount.com")
    for name in sorted(invokers.keys() | expected.keys()):
        if invokers.get(name) != expected.get(name):
            yield f"{name} is invoked by {sorted(invokers.get(name, ()))}, not by {sorted(expected.get(name, ()))}"


def ingress_is_said(plan: Plan) -> Iterator[str]:
    """In so many words, in the configuration: the provider's silent default is to let everybody in."""
    module = plan.configuration["module_calls"]["function"]["module"]
    for resource in (*module["resources"], *plan.configuration["resources"]):
        if resource["type"] == "google_cloudfunctions2_function":
            (service,) = resource["expressions"]["service_config"]
            if "ingress_settings" not in service:
                yield f"{resource['address']} does not say its ingress_settings"


def every_function_is_itself(plan: Plan) -> Iterator[str]:
    """There are three; each runs as an account of its own, on the agreed runtime, from an archive named by its content."""
    functions = plan.functions()
    if set(functions) != set(FUNCTIONS):
        yield f"the functions are {sorted(functions)}"
    for name, function in functions.items():
        account, archive = function["service_config.0.service_account_email"], function["build_config.0.source.0.storage_source.0.object"]
        if f"serviceAccount:{account}" != plan.account(name):
            yield f"{function.address} runs as {account}, which is not its own account"
        if function["build_config.0.runtime"] != "python313" or function["build_config.0.entry_point"] != name:
            yield f"{function.address} is not built for python313 with the entry point {name}"
        if not (named := SHA256_ZIP.fullmatch(archive or "")) or named[1] != name:
            yield f"{function.address} is built from {archive}, which is not named by its function and SHA-256"
        if not str(function["build_config.0.service_account"]).endswith(plan.account("builder").removeprefix("serviceAccount:")):
            yield f"{function.address} is not built by the builder"


def roles_are_listed(plan: Plan) -> Iterator[str]:
    """No role but those above, nowhere but there, and on the project only as narrow as it can be."""
    for grant in grants(plan):
        kind, role = grant.type.removeprefix("google_"), str(grant["role"])
        known = role.removeprefix(f"projects/{plan.project}/roles/")
        if known not in GRANTABLE.get(kind, ()):
            yield f"{grant.address} grants {role}, which is not listed for {kind}"
        if kind == "project_iam_member" and known in CONDITIONAL:
            expression = grant["condition.0.expression"] or ""
            if CONDITIONAL[known] not in expression:
                yield f"{grant.address} grants {role} on the whole project, without its condition"
    for ours in plan.of("project_iam_custom_role"):
        for permission in ours["permissions"]:
            if NEVER_PERMITTED.fullmatch(permission) and permission not in PERMITTED_TO.get(ours["role_id"], ()):
                yield f"{ours.address} permits {permission}"
            if permission not in KNOWN:
                yield f"{ours.address} names {permission}, which tests/infra/permissions.py has not been read to hold"


def accounts_are_ours(plan: Plan) -> Iterator[str]:
    """Seven accounts, and those of options that are asked for; none of them a default one, and no keys."""
    names = {account["account_id"] for account in plan.of("service_account")}
    expected = {*ACCOUNTS, *(account for option, account in OF_OPTIONS.items() if plan.variables.get(option) is not None)}
    if names != expected:
        yield f"the accounts are {sorted(names)}, not {sorted(expected)}"
    for grant in grants(plan):
        if re.search(r"-compute@developer|@appspot|@cloudbuild", str(grant["member"])):
            yield f"{grant.address} grants to a default account, {grant['member']}"
    for resource in plan.resources:
        if resource.type == "google_service_account_key" or re.search(r"_iam_(binding|policy)$", resource.type):
            yield f"{resource.address} is a {resource.type}: keys are stolen, and bindings take away what others granted"


def needed_grants_are_there(plan: Plan) -> Iterator[str]:
    for kind, target, role, account in NEEDED:
        held = [grant for grant in grants(plan) if (grant["role"], grant["member"]) == (role, plan.account(account))]
        if not any(grant.type == f"google_{kind}" and _is_about(grant, target) for grant in held):
            yield f"{account} lacks {role} on {target} ({kind})"


def who_tests_makes_nothing_that_runs(plan: Plan) -> Iterator[str]:
    """Tests run code of third parties: their account writes no image and no archive, and nobody may act as it."""
    for grant in grants(plan):
        makes = grant["role"] == "roles/artifactregistry.writer" or "functions" in f"{grant['bucket']} {grant['condition.0.expression']}"
        if grant["member"] == plan.account("checker") and makes:
            yield f"{grant.address} lets the account of the tests make what runs"
        if "checker@" in str(grant["service_account_id"]):
            yield f"{grant.address} lets {grant['member']} act as the account of the tests"
    for name, function in plan.functions().items():
        if "checker@" in str(function["build_config.0.service_account"]):
            yield f"{name} is built by the account of the tests"


def who_adds_objects_reads_and_replaces_none(plan: Plan) -> Iterator[str]:
    """`gcloud storage cp` gets the destination before it writes to it, and fails where that is refused."""
    held: dict[tuple[str, str], set[str]] = {}
    for grant in plan.of("storage_bucket_iam_member"):
        held.setdefault((str(grant["bucket"]), str(grant["member"])), set()).add(grant["role"])
    for (bucket, member), roles in sorted(held.items()):
        if "roles/storage.objectCreator" not in roles:
            continue
        if "roles/storage.objectViewer" not in roles:
            yield f"{member} adds to {bucket} and may not read there, which gcloud does first"
        if "roles/storage.objectUser" in roles:
            yield f"{member} may replace what is in {bucket}"


def _is_about(grant: Resource, target: str) -> bool:
    return grant.key == target or any(target in str(grant[name]) for name in TARGETS)


def secrets_are_for_live_functions_only(plan: Plan) -> Iterator[str]:
    """Live: two containers, each readable by the three functions and nobody else, and named to them. Simulated: nothing."""
    secrets = {secret["secret_id"] for secret in plan.of("secret_manager_secret")}
    expected = set(plan.variables["mobilemart_secrets"].values()) if plan.live else set()
    if secrets != expected:
        yield f"the secrets are {sorted(secrets)}, not {sorted(expected)}"
    readers = {(grant["secret_id"], grant["member"]) for grant in plan.of("secret_manager_secret_iam_member")}
    needed = {(secret, plan.account(name)) for secret in expected for name in FUNCTIONS}
    for secret, member in sorted(readers - needed):
        yield f"{member} may read the secret {secret}, which it does not need"
    for secret, member in sorted(needed - readers):
        yield f"{member} may not read the secret {secret}, which it needs"
    for resource in plan.of("secret_manager_secret_version"):
        yield f"{resource.address} puts a secret's value into the state"
    for name, function in plan.functions().items():
        variables = function["service_config.0.environment_variables"] or {}
        named = {variables[variable].split("/")[3] for variable in SECRET_VARIABLES if variable in variables}
        if named != expected:
            yield f"{name} is told the secrets {sorted(named)}, not {sorted(expected)}"


def production_is_live(plan: Plan) -> Iterator[str]:
    for name, function in plan.functions().items():
        variables = function["service_config.0.environment_variables"] or {}
        if variables.get("ENVIRONMENT") != plan.environment:
            yield f"{name} runs in {plan.environment} and is told ENVIRONMENT={variables.get('ENVIRONMENT')}"
        if plan.environment == "production" and variables.get("MOBILEMART_LIVE_INTEGRATION") != "true":
            yield f"{name} is simulated in production"


def deadlines_nest(plan: Plan) -> Iterator[str]:
    """Supplier < function < lease, and the Scheduler waits longer than the function may take."""
    for name, function in plan.functions().items():
        variables = function["service_config.0.environment_variables"] or {}
        timeout = function["service_config.0.timeout_seconds"]
        supplier, told, lease = (
            int(variables.get(variable, 0))
            for variable in ("MOBILEMART_TIMEOUT_SECONDS", "FUNCTION_TIMEOUT_SECONDS", "VENDING_LEASE_SECONDS")
        )
        if timeout != told:
            yield f"{name} is cut off after {timeout} s and believes it has {told} s"
        if not 0 < supplier < timeout < lease:
            yield f"{name} has deadlines that do not nest: supplier {supplier} s, function {timeout} s, lease {lease} s"
    reconcile = plan.functions().get("reconcile")
    for job in (each for each in plan.of("cloud_scheduler_job") if each["name"] != "export"):
        attempt = int(str(job["attempt_deadline"]).removesuffix("s"))
        if reconcile is not None and not reconcile["service_config.0.timeout_seconds"] < attempt <= MAX_ATTEMPT_SECONDS:
            yield f"{job.address} gives up after {attempt} s, while reconcile may still be running"


def the_code_accepts_its_environment(plan: Plan) -> Iterator[str]:
    for name, function in plan.functions().items():
        try:
            loaded = config.load(function["service_config.0.environment_variables"], name)
        except config.ConfigError as refused:
            yield f"{name} would not start: {refused}"
        else:
            if (loaded.mode == "live") != plan.live:
                yield f"{name} would start {loaded.mode}"


def data_is_kept(plan: Plan) -> Iterator[str]:
    """Where money is made: recovery to a point in time, daily backups, protection from deletion, files that stay."""
    for database in plan.of("firestore_database"):
        if database["type"] != "FIRESTORE_NATIVE":
            yield f"{database.address} is not FIRESTORE_NATIVE"
        if plan.live and database["point_in_time_recovery_enablement"] != "POINT_IN_TIME_RECOVERY_ENABLED":
            yield f"{database.address} has no point-in-time recovery"
        if plan.live and database["delete_protection_state"] != "DELETE_PROTECTION_ENABLED":
            yield f"{database.address} can be deleted"
    saved = {schedule["database"] for schedule in plan.of("firestore_backup_schedule") if schedule["daily_recurrence"]}
    for database in plan.of("firestore_database"):
        if plan.live and database["name"] not in saved:
            yield f"there is no daily backup of {database['name']}"
    for bucket in plan.of("storage_bucket"):
        if not bucket["uniform_bucket_level_access"] or bucket["public_access_prevention"] != "enforced":
            yield f"{bucket.address} could be made public, object by object"
        if not bucket["versioning.0.enabled"] and not bucket["retention_policy.0.retention_period"]:
            yield f"{bucket.address} forgets what is overwritten"
        if bucket["versioning.0.enabled"] and bucket["retention_policy.0.retention_period"]:
            yield f"{bucket.address} has both versions and a retention policy, which exclude each other"
        if plan.live and bucket["force_destroy"]:
            yield f"{bucket.address} can be destroyed with what is in it"
        if plan.live and bucket["name"].endswith("-settlement") and not bucket["retention_policy.0.retention_period"]:
            yield f"{bucket.address} has no retention"


def what_has_had_its_time_goes(plan: Plan) -> Iterator[str]:
    """The supplier's files hold people's numbers, and an export holds all sales: deleted at their age, and not kept a week longer."""
    exports = plan.variables.get("exports_abroad") or {}
    times = {
        "settlement": int(plan.variables["settlement_retention_days"]),  # a plan holds as text what a command line says
        "exports": exports.get("retention_days", EXPORTS_KEPT_DAYS),
    }
    for bucket in plan.of("storage_bucket"):
        days = times.get(name := bucket["name"].removeprefix(f"{plan.project}-"))
        ages = {
            rule["condition"][0]["age"]
            for rule in bucket["lifecycle_rule"] or ()
            if (rule["action"][0]["type"], rule["condition"][0]["with_state"]) == ("Delete", "ANY")
        }
        if days and ages != {days}:
            yield f"{bucket.address} deletes what is {sorted(ages)} days old, not {days}"
        if name in times and bucket["soft_delete_policy.0.retention_duration_seconds"] != 0:
            yield f"{bucket.address} keeps what is deleted"


def nothing_that_holds_data_is_deleted(plan: Plan) -> Iterator[str]:
    """Nor replaced, which deletes it as well. Who means to takes it out of the state, and deletes it by hand when it is empty."""
    for address, actions in sorted(plan.changes.items()):
        if plan.live and "delete" in actions and HOLDS_DATA.fullmatch(_type_in(address)):
            yield f"{address} would be deleted with what is in it: docs/deploying.md, what no plan deletes"


def what_is_served_may_be_used(plan: Plan) -> Iterator[str]:
    """The functions are told one database, which is there, and each may use every database of the plan."""
    databases = {database["name"] for database in plan.of("firestore_database")}
    for name, function in plan.functions().items():
        served = (function["service_config.0.environment_variables"] or {}).get("FIRESTORE_DATABASE")
        if served not in databases:
            yield f"{name} is told the database {served}, and there are {sorted(databases)}"
        usable = {
            str(grant["condition.0.expression"]).split("databases/")[-1].rstrip('"')
            for grant in grants(plan)
            if (grant["role"], grant["member"]) == ("roles/datastore.user", plan.account(name))
        }
        for database in sorted(databases - usable):
            yield f"{name} may not use the database {database}"


def events_are_kept(plan: Plan) -> Iterator[str]:
    """Every event can be read by whoever subscribes later, and what nobody can process is set aside, not lost."""
    subscriptions = plan.of("pubsub_subscription")
    archive = next((each for each in subscriptions if each["name"] == "transactions-archive"), None)
    if archive is None or not archive["retain_acked_messages"]:
        yield "no subscription keeps every event"
    for subscription in subscriptions:
        if subscription["expiration_policy.0.ttl"] != "":
            yield f"{subscription.address} expires when nobody reads it"
    dead = {each["name"] for each in plan.of("pubsub_topic") if each["name"].startswith("transactions-dead-")}
    if not dead <= {each["name"] for each in subscriptions}:
        yield "a dead letter topic without a subscription drops what it gets"
    agents = {(each.type, each["role"]) for each in grants(plan) if "gcp-sa-pubsub" in str(each["member"])}
    for kind, role in (("topic", "publisher"), ("subscription", "subscriber")) if plan.variables["wallets"] else ():
        if (f"google_pubsub_{kind}_iam_member", f"roles/pubsub.{role}") not in agents:
            yield f"Pub/Sub's agent may not dead-letter: it lacks roles/pubsub.{role} on the {kind}"


def each_wallet_reads_its_own_events(plan: Plan) -> Iterator[str]:
    """An event holds tokens: who reads a subscription without a filter could spend every wallet's."""
    filters = {each["name"]: each["filter"] for each in plan.of("pubsub_subscription")}
    readers: dict[str, str] = {}
    for grant in plan.of("pubsub_subscription_iam_member"):
        if "gcp-sa-pubsub" in str(grant["member"]):
            continue
        told = str(filters.get(grant["subscription"]))
        if not re.fullmatch(r'attributes\.caller = "[0-9a-f]{32}"', told):
            yield f"{grant['member']} reads {grant['subscription']}, which shows every wallet's events"
        elif readers.setdefault(told, grant["member"]) != grant["member"]:
            yield f"{grant['member']} reads another wallet's events in {grant['subscription']}"
    for name, wallet in plan.variables["wallets"].items():
        if filters.get(f"transactions-{name}") != f'attributes.caller = "{wallet["caller"]}"':
            yield f"transactions-{name} is not filtered by its wallet"


def reading_is_on_record(plan: Plan) -> Iterator[str]:
    """Sales, by whoever is not a function, and secrets, by whoever it is: that they were read, and by whom."""
    functions = {plan.account(name) for name in FUNCTIONS}
    audited = {each["service"]: each["audit_log_config"] or () for each in plan.of("project_iam_audit_config")}
    for service, silent in (("datastore.googleapis.com", functions), ("secretmanager.googleapis.com", set())):
        reads = [each for each in audited.get(service, ()) if each["log_type"] == "DATA_READ"]
        if not reads:
            yield f"who reads from {service} leaves no trace"
        for member in sorted({member for each in reads for member in each["exempted_members"] or ()} - silent):
            yield f"{member} reads from {service} without a trace"


def jobs_run_as_the_scheduler(plan: Plan) -> Iterator[str]:
    """All but the export, which is begun by an account of its own, at Google and nowhere else."""
    jobs = {job["name"]: job for job in plan.of("cloud_scheduler_job")}
    expected = {"sweep", "settle", "retention"} | ({"export"} if plan.variables.get("exports_abroad") else set())
    if set(jobs) != expected:
        yield f"the jobs are {sorted(jobs)}, not {sorted(expected)}"
    for name, job in jobs.items():
        token, caller = ("oauth_token", "exporter") if name == "export" else ("oidc_token", "scheduler")
        email = job[f"http_target.0.{token}.0.service_account_email"]
        if f"serviceAccount:{email}" != plan.account(caller):
            yield f"{job.address} calls as {email}, not as the {caller}"
        if job["http_target.0.oauth_token"] and not str(job["http_target.0.uri"]).startswith("https://firestore.googleapis.com/"):
            yield f"{job.address} sends a token for Google's APIs to {job['http_target.0.uri']}"
        if not job["retry_config.0.retry_count"]:
            yield f"{job.address} is not retried"
        if job["paused"]:
            yield f"{job.address} is paused"


def an_address_can_be_taken_away(plan: Plan) -> Iterator[str]:
    """Monitoring refuses to delete a channel that an alert names, unless told to take it out of the alert."""
    for channel in plan.of("monitoring_notification_channel"):
        if not channel["force_delete"]:
            yield f"{channel.address} cannot be deleted while an alert names it"


def alerts_reach_somebody(plan: Plan) -> Iterator[str]:
    """Every count of a log event has an alert, and every alert a reader and something to do."""
    alerts = plan.of("monitoring_alert_policy")
    if plan.live and not (plan.of("monitoring_notification_channel") or plan.variables.get("notification_channels")):
        yield "alerts go nowhere"
    watched = " ".join(json.dumps(alert["conditions"]) for alert in alerts)
    for metric in plan.of("logging_metric"):
        if f"/user/{metric['name']}\\" not in watched:
            yield f"{metric.address} is counted and alerts nobody"
    for alert in alerts:
        if alert["enabled"] is False or not alert["documentation.0.content"]:
            yield f"{alert.address} is off, or does not say what to do"


def deployments_are_approved(plan: Plan) -> Iterator[str]:
    triggers = {trigger["name"]: trigger for trigger in plan.of("cloudbuild_trigger")}
    for name, actor in (("check", "checker"), ("apply", "deployer")):
        trigger = triggers.get(name)
        if trigger is None:
            yield f"there is no trigger {name}"
        elif not str(trigger["service_account"]).endswith(plan.account(actor).removeprefix("serviceAccount:")):
            yield f"{trigger.address} does not run as the {actor}"
    apply = triggers.get("apply")
    if apply is not None and plan.environment != "uat" and not apply["approval_config.0.approval_required"]:
        yield f"{apply.address} deploys to {plan.environment} without approval"


def builds_run_on_what_was_looked_at(plan: Plan) -> Iterator[str]:
    """By digest: what a tag names can be another image tomorrow, in the builds that apply plans."""
    for trigger in plan.of("cloudbuild_trigger"):
        for name, image in sorted((trigger["substitutions"] or {}).items()):
            if name in {"_GCLOUD", "_TERRAFORM", "_TESTS"} and (not PINNED.search(image) or image.endswith("0" * 64)):
                yield f"{trigger.address} runs on {image.partition('@')[0]} without a digest that was looked up: make images"


def everything_is_in_the_region(plan: Plan) -> Iterator[str]:
    """Personal data stays in South Africa, or wherever the variable says; but for exports that were asked for, under a key of ours."""
    region, firestore = plan.variables["region"], plan.variables.get("firestore_location")
    abroad = (plan.variables.get("exports_abroad") or {}).get("region")
    elsewhere = {
        "google_cloud_scheduler_job": plan.variables.get("scheduler_region"),
        "google_cloudbuild_trigger": plan.variables.get("build_region"),
    }
    for resource in plan.resources:
        for key in ("location", "region", "location_id", "zone"):
            place = re.sub("-[a-z]$", "", resource[key] or "") or None if key == "zone" else resource[key]
            allowed = {region, firestore, elsewhere.get(resource.type)}
            if abroad is not None and re.match(r"google_(kms_key_ring|storage_bucket)\.exports\[", resource.address):
                allowed = {abroad}
            if place is not None and place.lower() not in allowed:  # the API writes some in capitals
                yield f"{resource.address} is in {place}, not in {region}"
    for bucket in plan.of("storage_bucket"):
        if bucket["location"].lower() != region and not bucket["encryption.0.default_kms_key_name"]:
            yield f"{bucket.address} holds sales abroad without a key of ours"
    for topic in plan.of("pubsub_topic"):
        if topic["message_storage_policy.0.allowed_persistence_regions"] != [region]:
            yield f"{topic.address} may keep messages outside {region}"
    for secret in plan.of("secret_manager_secret"):
        if secret["replication.0.user_managed.0.replicas.0.location"] != region:
            yield f"{secret.address} is kept outside {region}"
    yield from _logs_outside(plan, region)


def _logs_outside(plan: Plan, region: str) -> Iterator[str]:
    """Google's bucket `_Default` is global: what a regional bucket gets has to be kept out of it."""
    buckets = {
        f"logging.googleapis.com/projects/{each['project']}/locations/{region}/buckets/{each['bucket_id']}"
        for each in plan.of("logging_project_bucket_config")
    }
    sinks = [sink for sink in plan.of("logging_project_sink") if sink["destination"] in buckets and not sink["disabled"]]
    kept = {sink["filter"] for sink in sinks}
    excluded = {exclusion["filter"] for exclusion in plan.of("logging_project_exclusion") if not exclusion["disabled"]}
    if not kept:
        yield f"no sink keeps the log in {region}"
    if kept != excluded:
        yield "the log is also kept in the global bucket _Default, or a part of it nowhere"
    for sink in sinks:
        yield from _numbers_kept(sink)
    if any(resource["retention_days"] is None for resource in plan.of("logging_project_bucket_config")):
        yield "nobody has said for how long the log is kept"


def _numbers_kept(sink: Resource) -> Iterator[str]:
    """The platform logs whole addresses, and reconcile and prevend are asked by numbers in them."""
    filters = (re.fullmatch('httpRequest.requestUrl=~"(.+)"', each["filter"]) for each in sink["exclusions"] or () if not each["disabled"])
    patterns = [each[1] for each in filters if each]
    for name in NUMBERS:
        for address in (f"https://it.run.app/transactions?{name}=12345678901", f"https://it.run.app/utility?amount=1&{name}=12345678901"):
            if not any(re.search(pattern, address) for pattern in patterns):
                yield f"{sink.address} keeps {address}"
    for pattern in patterns:
        if re.search(pattern, "https://it.run.app/transactions?day=2026-11-30"):
            yield f"{sink.address} leaves out more than numbers"


def alerts_wait_for_their_metrics(plan: Plan) -> Iterator[str]:
    """Monitoring answers 404 to an alert on a log's metric that was made a moment ago."""
    for resource in plan.configuration["resources"]:
        if resource["type"] == "google_monitoring_alert_policy" and "terraform_data.metrics_known" not in resource.get("depends_on", ()):
            yield f"{resource['address']} does not wait until its metric is known"
    (wait,) = (each for each in plan.resources if each.address == "terraform_data.metrics_known")
    if set(wait["triggers_replace"] or ()) != {metric["name"] for metric in plan.of("logging_metric")}:
        yield f"{wait.address} does not wait for every metric"


def a_machine_is_shut(plan: Plan) -> Iterator[str]:
    """The SFTP server, where there is one: the supplier's networks, one port, no keys of the project's, an account of its own."""
    for rule in plan.of("compute_firewall"):
        wide = [network for network in rule["source_ranges"] or ["0.0.0.0/0"] if int(network.partition("/")[2]) < 24]
        ports = {port for allowed in rule["allow"] or () for port in allowed["ports"] or ("all",)}
        if wide or ports != {"22"} or rule["target_service_accounts"] != [plan.account("sftp-server").removeprefix("serviceAccount:")]:
            yield f"{rule.address} lets {wide or rule['source_ranges']} in at {sorted(ports)}"
    for machine in plan.of("compute_instance"):
        metadata = machine["metadata"] or {}
        if {metadata.get(name) for name in ("block-project-ssh-keys", "enable-oslogin")} != {"TRUE"}:
            yield f"{machine.address} lets in whoever has a key of the project's"
        if not machine["shielded_instance_config.0.enable_secure_boot"]:
            yield f"{machine.address} starts whatever is on its disk"
        if machine["service_account.0.email"] != plan.account("sftp-server").removeprefix("serviceAccount:"):
            yield f"{machine.address} runs as {machine['service_account.0.email']}"
        for setting in (
            "AuthenticationMethods publickey",
            "PasswordAuthentication no",
            "DisableForwarding yes",
            "ForceCommand internal-sftp",
        ):
            if setting not in metadata.get("startup-script", ""):
                yield f"{machine.address} does not say {setting}"


def an_open_reconcile_is_noticed(plan: Plan) -> Iterator[str]:
    """It is called every quarter of an hour as nobody and as a stranger with a token of Google's; both must be refused, or it alerts."""
    watched = " ".join(json.dumps(alert["conditions"]) for alert in plan.of("monitoring_alert_policy"))
    kinds = set()
    for check in plan.of("monitoring_uptime_check_config"):
        accepted = {code["status_value"] for code in check["http_check.0.accepted_response_status_codes"] or ()}
        if not accepted or not accepted <= {302, 401, 403}:
            yield f"{check.address} takes {sorted(map(str, accepted))} for a refusal"
        elif check["period"] == "900s":
            kinds.add("stranger" if check["http_check.0.service_agent_authentication.0.type"] == "OIDC_TOKEN" else "nobody")
    for missing in sorted({"nobody", "stranger"} - kinds):
        yield f"whether {missing} may call reconcile is not tried"
    if "uptime_check/check_passed" not in watched:
        yield "a reconcile that lets anybody in alerts nobody"


def a_run_that_never_starts_is_noticed(plan: Plan) -> Iterator[str]:
    """An alert on silence sees nothing before the first run that ended well: the Scheduler's failed attempts are counted too."""
    watched = " ".join(json.dumps(alert["conditions"]) for alert in plan.of("monitoring_alert_policy"))
    counted = [metric for metric in plan.of("logging_metric") if 'resource.type="cloud_scheduler_job"' in metric["filter"]]
    for job in plan.of("cloud_scheduler_job"):
        if not any(f'"{job["name"]}"' in metric["filter"] and f"/user/{metric['name']}\\" in watched for metric in counted):
            yield f"{job.address} may fail from its first minute without an alert"


POLICIES: Final[tuple[Policy, ...]] = (
    only_prevend_and_purchase_are_public,
    ingress_is_said,
    every_function_is_itself,
    roles_are_listed,
    accounts_are_ours,
    needed_grants_are_there,
    who_adds_objects_reads_and_replaces_none,
    who_tests_makes_nothing_that_runs,
    secrets_are_for_live_functions_only,
    production_is_live,
    deadlines_nest,
    the_code_accepts_its_environment,
    data_is_kept,
    what_has_had_its_time_goes,
    nothing_that_holds_data_is_deleted,
    what_is_served_may_be_used,
    events_are_kept,
    each_wallet_reads_its_own_events,
    reading_is_on_record,
    jobs_run_as_the_scheduler,
    an_address_can_be_taken_away,
    alerts_reach_somebody,
    deployments_are_approved,
    builds_run_on_what_was_looked_at,
    everything_is_in_the_region,
    alerts_wait_for_their_metrics,
    a_run_that_never_starts_is_noticed,
    an_open_reconcile_is_noticed,
    a_machine_is_shut,
)


def main(arguments: Sequence[str]) -> int:
    """Print what is broken in a plan that `terraform show -json` has written; 1 when something is."""
    parser = argparse.ArgumentParser(prog="python -m tests.infra.policies", description="Whether a plan keeps the policies.")
    parser.add_argument("plan", type=Path, help="what `terraform show -json` has written")
    parser.add_argument("--for-the-deployer", action="store_true", help="nor holds what only a person may change")
    options = parser.parse_args(arguments)
    plan = Plan.read(json.loads(options.plan.read_text()))
    faults = broken(plan)
    if options.for_the_deployer:
        faults += [f"{address} is changed by a person: docs/deploying.md, what a person applies" for address in for_a_person(plan)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
