"""Every permission that our roles name, with the day on which it was read to exist, and where.

Offline nobody tells a permission's name from a misspelt or a withdrawn one; Google renames some, and refuses a role that names one
that is gone. Who adds a permission to `infra/terraform/pipeline.tf` reads it up and puts it down here.
"""

from typing import Final, NamedTuple

DATASET: Final = "github.com/iann0036/iam-dataset, gcp/roles, a daily copy of Google's predefined roles: "


class Read(NamedTuple):
    """When and where a group of permissions was read."""

    day: str
    where: str
    permissions: tuple[str, ...]


READ: Final = (
    Read(
        "2026-11-30",
        DATASET + "roles/artifactregistry.admin",
        (
            "artifactregistry.repositories.create",
            "artifactregistry.repositories.delete",
            "artifactregistry.repositories.get",
            "artifactregistry.repositories.getIamPolicy",
            "artifactregistry.repositories.update",
        ),
    ),
    Read(
        "2026-11-30",
        "docs.cloud.google.com/billing/docs/how-to/budgets: of a project, for whoever views its budgets",
        ("billing.resourcebudgets.read",),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/cloudbuild.builds.viewer",
        (
            "cloudbuild.builds.get",
            "cloudbuild.builds.list",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/cloudfunctions.admin",
        (
            "cloudfunctions.functions.create",
            "cloudfunctions.functions.delete",
            "cloudfunctions.functions.get",
            "cloudfunctions.functions.sourceCodeSet",
            "cloudfunctions.functions.update",
            "cloudfunctions.operations.get",
            "cloudfunctions.operations.list",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/cloudkms.viewer; getIamPolicy: roles/cloudkms.admin",
        (
            "cloudkms.cryptoKeys.get",
            "cloudkms.cryptoKeys.getIamPolicy",
            "cloudkms.keyRings.get",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/cloudscheduler.admin",
        (
            "cloudscheduler.jobs.create",
            "cloudscheduler.jobs.delete",
            "cloudscheduler.jobs.enable",
            "cloudscheduler.jobs.get",
            "cloudscheduler.jobs.pause",
            "cloudscheduler.jobs.update",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/compute.viewer",
        (
            "compute.addresses.get",
            "compute.disks.get",
            "compute.firewalls.get",
            "compute.instances.get",
            "compute.networks.get",
            "compute.subnetworks.get",
            "compute.zones.get",
        ),
    ),
    Read(
        "2026-11-30",
        "docs.cloud.google.com/iam/docs/roles-permissions/firestore, roles/datastore.admin",
        (
            "datastore.backupSchedules.create",
            "datastore.backupSchedules.delete",
            "datastore.backupSchedules.get",
            "datastore.backupSchedules.list",
            "datastore.backupSchedules.update",
            "datastore.databases.create",
            "datastore.databases.getMetadata",
            "datastore.databases.update",
            "datastore.operations.get",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/datastore.importExportAdmin",
        ("datastore.databases.export",),
    ),
    Read(
        "2026-11-30",
        "firebase.google.com/docs/firestore/enterprise/security/iam: datastore.schemas.* were datastore.indexes.*",
        (
            "datastore.schemas.create",
            "datastore.schemas.delete",
            "datastore.schemas.get",
            "datastore.schemas.list",
            "datastore.schemas.update",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/iam.roleViewer",
        ("iam.roles.get",),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/iam.serviceAccountAdmin",
        (
            "iam.serviceAccounts.get",
            "iam.serviceAccounts.getIamPolicy",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/logging.admin",
        (
            "logging.buckets.create",
            "logging.buckets.get",
            "logging.buckets.update",
            "logging.exclusions.create",
            "logging.exclusions.delete",
            "logging.exclusions.get",
            "logging.exclusions.update",
            "logging.logMetrics.create",
            "logging.logMetrics.delete",
            "logging.logMetrics.get",
            "logging.logMetrics.update",
            "logging.sinks.create",
            "logging.sinks.delete",
            "logging.sinks.get",
            "logging.sinks.update",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/monitoring.admin",
        (
            "monitoring.alertPolicies.create",
            "monitoring.alertPolicies.delete",
            "monitoring.alertPolicies.get",
            "monitoring.alertPolicies.update",
            "monitoring.dashboards.create",
            "monitoring.dashboards.delete",
            "monitoring.dashboards.get",
            "monitoring.dashboards.update",
            "monitoring.notificationChannels.create",
            "monitoring.notificationChannels.delete",
            "monitoring.notificationChannels.get",
            "monitoring.notificationChannels.update",
            "monitoring.uptimeCheckConfigs.create",
            "monitoring.uptimeCheckConfigs.delete",
            "monitoring.uptimeCheckConfigs.get",
            "monitoring.uptimeCheckConfigs.update",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/pubsub.admin",
        (
            "pubsub.subscriptions.create",
            "pubsub.subscriptions.delete",
            "pubsub.subscriptions.get",
            "pubsub.subscriptions.getIamPolicy",
            "pubsub.subscriptions.update",
            "pubsub.topics.attachSubscription",
            "pubsub.topics.create",
            "pubsub.topics.delete",
            "pubsub.topics.get",
            "pubsub.topics.getIamPolicy",
            "pubsub.topics.update",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/resourcemanager.projectIamAdmin",
        (
            "resourcemanager.projects.get",
            "resourcemanager.projects.getIamPolicy",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/run.viewer",
        (
            "run.operations.get",
            "run.services.get",
            "run.services.getIamPolicy",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/secretmanager.viewer",
        (
            "secretmanager.secrets.get",
            "secretmanager.secrets.getIamPolicy",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/serviceusage.serviceUsageAdmin",
        (
            "serviceusage.services.enable",
            "serviceusage.services.get",
            "serviceusage.services.list",
            "serviceusage.services.use",
        ),
    ),
    Read(
        "2026-11-30",
        DATASET + "roles/storage.admin",
        (
            "storage.buckets.create",
            "storage.buckets.delete",
            "storage.buckets.get",
            "storage.buckets.getIamPolicy",
            "storage.buckets.update",
        ),
    ),
)
KNOWN: Final = frozenset(permission for read in READ for permission in read.permissions)
