"""What the scanner finds in `infra/terraform` and we leave so, each with its reason.

What is found and is not here fails the scan; so does what is here and is not found any more.
"""

from typing import Final, NamedTuple


class Accepted(NamedTuple):
    """One check of the scanner's, and the resources of which it is accepted."""

    check: str
    resources: frozenset[str]
    reason: str


ACCEPTED: Final = (
    Accepted(
        "CKV_GCP_26",
        frozenset({"module.sftp.google_compute_subnetwork.this"}),
        "flow logs of a subnet with one machine, whose one door is logged by its firewall rule",
    ),
    Accepted(
        "CKV_GCP_37",
        frozenset({"module.sftp.google_compute_disk.kept"}),
        "keys of our own for a disk: Google encrypts it, and it holds files for a month that the bucket holds for years",
    ),
    Accepted("CKV_GCP_38", frozenset({"module.sftp.google_compute_instance.this"}), "likewise, for the machine's disk"),
    Accepted(
        "CKV_GCP_40",
        frozenset({"module.sftp.google_compute_instance.this"}),
        "a public address: the supplier pushes to it over the internet, from the networks of an allow-list",
    ),
    Accepted(
        "CKV_GCP_62",
        frozenset(f"google_storage_bucket.{name}" for name in ("exports", "functions", "pipeline", "settlement")),
        "access logs of buckets: they would be files in another bucket; who changes objects is in the audit log where that is turned on",
    ),
    Accepted(
        "CKV_GCP_78",
        frozenset({"google_storage_bucket.settlement"}),
        "versions of settlement files: a live one has a retention policy instead, which excludes them; a simulated one has versions",
    ),
    Accepted(
        "CKV_GCP_82",
        frozenset({"google_kms_crypto_key.exports"}),
        "a key that cannot be destroyed: destroying it is how exports abroad are made unreadable, and it takes thirty days",
    ),
    Accepted(
        "CKV_GCP_83",
        frozenset({"google_pubsub_topic.plans", "google_pubsub_topic.transactions", 'google_pubsub_topic.dead["app"]'}),
        "keys of our own for topics: Google encrypts them, and a key that is lost or out of reach would stop the announcing of sales",
    ),
    Accepted(
        "CKV_GCP_84",
        frozenset({"google_artifact_registry_repository.functions"}),
        "keys of our own for images: they hold code without secrets",
    ),
    Accepted(
        "CKV_GCP_124",
        frozenset({"module.function.google_cloudfunctions2_function.this"}),
        "functions that the internet reaches: their callers are there; OIDC and IAM decide who gets in",
    ),
)
