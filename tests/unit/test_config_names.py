"""Each variable has one name: a misspelt or foreign name is refused, a name of the platform is not."""

import re
from pathlib import Path

import pytest

from shared.config import NAMES, ConfigError, load
from tests.unit.configurations import (
    LOCAL,
    PRODUCTION,
    UAT,
    faults,
)


@pytest.mark.parametrize(
    "name",
    [
        *("MOBILEMART_LIVE", "MOBILEMART_CLIENT_SECRET", "MOBILEMART_BASE_URL", "OIDC_JWKS_URI", "OIDC_ISSUR"),
        *("SEND_WINDOWS_SECONDS", "SENDWINDOW_SECONDS", "VENDING_LEASE_SECOND", "CONSUMER_DETAIL", "CORS_ORIGIN", "CORS_ORIGNIS"),
        *("MAXIMUM_AMOUNT_CENT", "MAXIMUM_AMMOUNT_CENTS", "RESOLVE_INTERVALL_SECONDS", "SETTLEMENT_FILE", "EVENT_TOPIC", "EVENTS_TOPICS"),
        *("FIRESTORE_DATABSE", "FIRESTORE_EMULATOR_HOSTS", "TRANSACTIONS_STORE", "FUNCTION_TIMEOUT_SECOND", "PREVEND_VALID_SECONDS_"),
    ],
)
def test_a_misspelt_variable_is_named_and_is_not_its_default(name):
    with pytest.raises(ConfigError) as refused:
        load({**UAT, name: "s3cr3t-value"}, "purchase")

    (fault,) = refused.value.faults
    assert fault.startswith(name)
    assert "s3cr3t-value" not in fault


PLATFORMS = (
    *(
        "K_SERVICE",
        "K_REVISION",
        "K_CONFIGURATION",
        "PORT",
        "FUNCTION_TARGET",
        "FUNCTION_SIGNATURE_TYPE",
        "FUNCTION_SOURCE",
        "FUNCTION_NAME",
    ),
    *("FUNCTION_TIMEOUT_SEC", "FUNCTION_MEMORY_MB", "FUNCTION_REGION", "FUNCTION_TRIGGER_TYPE", "FUNCTION_IDENTITY", "ENTRY_POINT"),
    *("CLOUD_RUN_TIMEOUT_SECONDS", "CLOUD_RUN_EXECUTION", "CLOUD_RUN_JOB", "LOG_EXECUTION_ID", "GCLOUD_PROJECT", "GCP_PROJECT"),
    *("GOOGLE_CLOUD_PROJECT_ID", "GOOGLE_CLOUD_PROJECTS", "GOOGLE_CLOUD_REGION", "GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_QUOTA_PROJECT"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_FUNCTION_TARGET", "CLOUDSDK_CORE_PROJECT", "DATASTORE_EMULATOR_HOST", "FIREBASE_CONFIG"),
    *("BIGTABLE_EMULATOR_HOST", "SPANNER_EMULATOR_HOST", "DATASTORE_DATASET", "PUBSUB_PROJECT_ID", "FIREBASE_STORAGE_EMULATOR_HOST"),
    *("_ENVIRONMENT", "_PIPELINE", "BUILD_ID", "COMMIT_SHA", "VIRTUAL_ENV", "CONDA_DEFAULT_ENV", "NODE_ENV", "environment"),
    *("PATH", "HOME", "PWD", "OLDPWD", "SHELL", "TERM", "LANG", "LC_ALL", "USER", "LOGNAME", "HOSTNAME", "SHLVL", "EDITOR", "TZ", "_"),
    *("PYTHONPATH", "PYTHONUNBUFFERED", "WORKERS", "THREADS", "DEBUG", "HTTPS_PROXY", "NO_PROXY", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"),
    *("SMOKE_TOKEN", "PROBE_CLIENT_ID", "PROBE_CLIENT_SECRET", "STORM_SECONDS", "PYTEST_CURRENT_TEST", "CI", "TEMP", "COLUMNS"),
)


@pytest.mark.parametrize("variables", [LOCAL, UAT, PRODUCTION])
def test_what_is_the_platforms_or_the_shells_is_not_ours_to_refuse(variables):
    function = "local" if variables is LOCAL else "purchase"
    theirs = dict.fromkeys(PLATFORMS if variables is not LOCAL else set(PLATFORMS) - {"K_SERVICE"}, "x")
    assert faults({**theirs, **variables}, function) == set()


@pytest.mark.parametrize("environ", [LOCAL, UAT], ids=["local", "uat"])
@pytest.mark.parametrize("name", ["GOOGLE_SDK_PYTHON_LOGGING_SCOPE", "GRPC_TRACE"])
def test_a_variable_that_makes_a_library_log_bodies_is_refused(environ, name):
    with pytest.raises(ConfigError, match=f"{name} must not be set: a library would log secrets and tokens"):
        load({**environ, name: "google"}, "purchase")


def test_tls_keys_are_written_down_on_a_machine_of_ones_own_only():
    assert load({**LOCAL, "SSLKEYLOGFILE": "keys"}, "purchase")
    with pytest.raises(ConfigError, match="SSLKEYLOGFILE must not be set unless ENVIRONMENT=local"):
        load({**UAT, "SSLKEYLOGFILE": "keys"}, "purchase")


def test_a_misspelt_variable_is_reported_which_was_meant():
    with pytest.raises(ConfigError, match="CORS_ORIGIN is not a variable of this system: is CORS_ORIGINS meant?"):
        load({**UAT, "CORS_ORIGIN": "https://app.example"}, "purchase")


def test_every_variable_that_is_read_is_listed_and_in_the_contract():
    """A misspelt name is compared with the list, and Terraform accepts the list's names as settings."""
    source = Path("shared/config.py").read_text()
    read = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', source.partition("class Environment")[2])) - {"K_SERVICE"}
    contract = Path("docs/contract.md").read_text()
    described = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)`", "".join(re.findall(r"^\|([^|]+)\|", contract, re.MULTILINE))))

    assert read <= NAMES
    assert described == NAMES
    with pytest.raises(ConfigError) as refused:
        load(dict.fromkeys(described, "x"), "purchase")
    assert not [fault for fault in refused.value.faults if "is not a variable" in fault]
