"""What a plan must hold, by address, for the values that it has: nothing may go missing, and nothing comes without being put down."""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.infra.plan import Plan

FUNCTIONS: Final = ("prevend", "purchase", "reconcile")
EVENTS: Final = (
    "claimed_twice",
    "configured_product",
    "contradiction",
    "credentials_refused",
    "days_left",
    "discrepancy",
    "events_not_announced",
    "file_missing",
    "file_refused",
    "float_exhausted",
    "in_doubt",
    "outcome_not_stored",
    "record_unreadable",
    "request_failed",
    "selling_paused",
    "supplier_says_simulated",
    "tokens_pending",
    "vend_amount_differs",
    "vend_mismatch",
)
APIS: Final = (
    "artifactregistry",
    "cloudbuild",
    "cloudfunctions",
    "cloudresourcemanager",
    "cloudscheduler",
    "firestore",
    "iam",
    "logging",
    "monitoring",
    "pubsub",
    "run",
    "secretmanager",
    "serviceusage",
    "storage",
)

# An address without its key, and its keys; none: there is one of it.
EVERYWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "google_artifact_registry_repository.functions": (),
    "google_artifact_registry_repository_iam_member.builder": (),
    "google_cloud_scheduler_job.this": ("retention", "settle", "sweep"),
    "google_cloudbuild_trigger.apply": (),
    "google_cloudbuild_trigger.check": (),
    "module.database.google_firestore_database.this": (),
    "module.database.google_firestore_field.indexed": (
        "controls/mark",
        "discrepancies/mark",
        "settlements/mark",
        "transactions/callerDay",
        "transactions/dayShard",
        "transactions/open.account",
    ),
    "module.database.google_firestore_field.unindexed": (
        "controls/json",
        "discrepancies/json",
        "prevends/expireAt",
        "prevends/record",
        "settlements/json",
        "simulator/expireAt",
        "simulator/value",
        "transactions/contradictedAt",
        "transactions/createdAt",
        "transactions/erasedAt",
        "transactions/keys",
        "transactions/open.dueAt",
        "transactions/open.shard",
        "transactions/record",
        "transactions/retired",
        "transactions/supplierId",
    ),
    "module.database.google_firestore_index.this": ("due", "lookup"),
    "google_logging_metric.attempt_failed": (),
    "google_logging_metric.event": EVENTS,
    "google_logging_metric.measure": ("sales_in_doubt",),
    "google_logging_metric.run": ("retention", "settle", "sweep"),
    "google_logging_metric.turned_away": (),
    "google_logging_project_bucket_config.regional": (),
    "google_logging_project_exclusion.default": (),
    "google_logging_project_sink.regional": (),
    "google_monitoring_alert_policy.attempts_failed": (),
    "google_monitoring_alert_policy.dead_letters": (),
    "google_monitoring_alert_policy.event": EVENTS,
    "google_monitoring_alert_policy.run_missing": ("retention", "settle", "sweep"),
    "google_monitoring_alert_policy.sales_in_doubt": (),
    "google_monitoring_alert_policy.server_errors": (),
    "google_monitoring_alert_policy.supplier_slow": (),
    "google_monitoring_alert_policy.turned_away": (),
    "google_monitoring_alert_policy.open_to_strangers": (),
    "google_monitoring_dashboard.night": (),
    "google_monitoring_uptime_check_config.refused": ("nobody", "stranger"),
    "google_project_iam_audit_config.this": ("datastore.googleapis.com", "secretmanager.googleapis.com"),
    "google_project_iam_custom_role.applier": (),
    "google_project_iam_custom_role.planner": (),
    "google_project_iam_member.applier": (),
    "google_project_iam_member.builder_sources": (),
    "google_project_iam_member.firestore_user": FUNCTIONS,
    "google_project_iam_member.log_writer": ("builder", "checker", "deployer"),
    "google_project_iam_member.planner": ("checker", "deployer"),
    "google_project_service.required": tuple(f"{api}.googleapis.com" for api in APIS),
    "google_pubsub_subscription.archive": (),
    "google_pubsub_topic.plans": (),
    "google_pubsub_topic.transactions": (),
    "google_pubsub_topic_iam_member.plans_checker": (),
    "google_pubsub_topic_iam_member.publisher": ("purchase", "reconcile"),
    "google_service_account.builder": (),
    "google_service_account.checker": (),
    "google_service_account.deployer": (),
    "google_service_account.function": FUNCTIONS,
    "google_service_account.scheduler": (),
    "google_service_account_iam_member.deployer_acts_as": ("builder", *FUNCTIONS, "scheduler"),
    "google_storage_bucket.functions": (),
    "google_storage_bucket.pipeline": (),
    "google_storage_bucket.settlement": (),
    "google_storage_bucket_iam_member.functions_builder": (),
    "google_storage_bucket_iam_member.functions_deployer": (),
    "google_storage_bucket_iam_member.pipeline_checker": ("create", "read"),
    "google_storage_bucket_iam_member.pipeline_deployer": (),
    "google_storage_bucket_iam_member.settlement_reader": (),
    "google_storage_bucket_iam_member.state_checker": (),
    "google_storage_bucket_iam_member.state_deployer": (),
    "terraform_data.metrics_known": (),
    **{f'module.function["{name}"].google_cloudfunctions2_function.this': () for name in FUNCTIONS},
    **{f'module.function["{name}"].google_storage_bucket_object.archive': () for name in FUNCTIONS},
    'module.function["prevend"].google_cloud_run_v2_service_iam_member.invoker': ("anyone",),
    'module.function["purchase"].google_cloud_run_v2_service_iam_member.invoker': ("anyone",),
    'module.function["reconcile"].google_cloud_run_v2_service_iam_member.invoker': ("operators", "scheduler"),
    'module.function["reconcile"].google_cloud_run_v2_service_iam_member.viewer': ("operators",),
}
LIVE: Final[Mapping[str, tuple[str, ...]]] = {
    "module.database.google_firestore_backup_schedule.daily[0]": (),
    "google_secret_manager_secret.mobilemart": ("client_id", "client_secret"),
    "google_secret_manager_secret_iam_member.reader": tuple(
        f"{name} {use}" for name in FUNCTIONS for use in ("client_id", "client_secret")
    ),
}
OF_A_WALLET: Final = (
    "google_pubsub_subscription.dead",
    "google_pubsub_subscription.wallet",
    "google_pubsub_subscription_iam_member.dead_letterer",
    "google_pubsub_subscription_iam_member.wallet",
    "google_pubsub_topic.dead",
    "google_pubsub_topic_iam_member.dead_letterer",
)

# What is there where a variable is given.
OF_OPTIONS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "budget": {
        "google_billing_budget.month[0]": (),
        "google_project_service.required": ("billingbudgets.googleapis.com",),
    },
    "exports_abroad": {
        "google_cloud_scheduler_job.export": ("abroad",),
        "google_kms_crypto_key.exports": ("abroad",),
        "google_kms_crypto_key_iam_member.exports": ("abroad",),
        "google_kms_key_ring.exports": ("abroad",),
        "google_project_iam_custom_role.exporter": ("abroad",),
        "google_project_iam_member.exporter": ("abroad",),
        "google_project_service.required": ("cloudkms.googleapis.com",),
        "google_service_account.exporter": ("abroad",),
        "google_service_account_iam_member.deployer_acts_as": ("exporter",),
        "google_storage_bucket.exports": ("abroad",),
    },
    "iap_audience": {'module.function["reconcile"].google_cloud_run_v2_service_iam_member.invoker': ("proxy",)},
    "settlement_writer": {"google_storage_bucket_iam_member.settlement_writer": ("create", "read")},
    "sftp": {
        "google_project_iam_member.log_writer": ("sftp",),
        "google_project_service.required": ("compute.googleapis.com",),
        "google_service_account.sftp": ("here",),
        "google_storage_bucket_iam_member.settlement_sftp": ("create", "read"),
        'module.sftp["here"].google_compute_address.this': (),
        'module.sftp["here"].google_compute_disk.kept': (),
        'module.sftp["here"].google_compute_firewall.supplier': (),
        'module.sftp["here"].google_compute_instance.this': (),
        'module.sftp["here"].google_compute_network.this': (),
        'module.sftp["here"].google_compute_subnetwork.this': (),
    },
}


def expected(plan: Plan) -> set[str]:
    """The addresses of everything that a plan with such values holds."""
    given = plan.variables
    addresses = {*_addresses({**EVERYWHERE, **(LIVE if plan.live else {})})}
    database = {address for address in addresses if address.startswith("module.database.")}
    for name in given["restored_databases"]:
        addresses |= {address.replace("module.database.", f'module.restored["{name}"].') for address in database}
        addresses |= {f'google_project_iam_member.restored_user["{function} {name}"]' for function in FUNCTIONS}
    for option, parts in OF_OPTIONS.items():
        addresses |= {*_addresses(parts)} if given.get(option) is not None else set()
    addresses |= {f'{address}["{wallet}"]' for address in OF_A_WALLET for wallet in given["wallets"]}
    return addresses | {f'google_monitoring_notification_channel.email["{email}"]' for email in given["alert_emails"]}


def _addresses(parts: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for address, keys in parts.items():
        yield from (f'{address}["{key}"]' for key in keys) if keys else (address,)
