"""What each environment's plan must hold, by address: nothing may go missing, and nothing comes without being put down here."""

from collections.abc import Iterator, Mapping
from typing import Final

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
    "google_pubsub_subscription.dead": ("app",),
    "google_pubsub_subscription.wallet": ("app",),
    "google_pubsub_subscription_iam_member.dead_letterer": ("app",),
    "google_pubsub_subscription_iam_member.wallet": ("app",),
    "google_pubsub_topic.dead": ("app",),
    "google_pubsub_topic.plans": (),
    "google_pubsub_topic.transactions": (),
    "google_pubsub_topic_iam_member.dead_letterer": ("app",),
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
ALERTED: Final[Mapping[str, str]] = {
    "uat": "vas-developers@example.com",
    "staging": "vas-developers@example.com",
    "production": "vas-on-call@example.com",
}
LIVE_ENVIRONMENTS: Final = ("staging", "production")


def expected(environment: str) -> set[str]:
    """The addresses of everything in an environment's plan."""
    parts = {**EVERYWHERE, **(LIVE if environment in LIVE_ENVIRONMENTS else {})}
    return {*_addresses(parts), f'google_monitoring_notification_channel.email["{ALERTED[environment]}"]'}


def _addresses(parts: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for address, keys in parts.items():
        yield from (f'{address}["{key}"]' for key in keys) if keys else (address,)
