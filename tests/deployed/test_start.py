"""What an archive runs on, and what it refuses to run with."""

from pathlib import Path

from local import package
from shared.mobilemart.simulator import PLAIN, Service
from tests.deployed.processes import SIMULATOR, TELLS_WHAT_IT_LOADS, Supplier, loaded_by
from tests.deployed.surroundings import Surroundings
from tests.deployed.wallet import body_of, new_key


def test_a_function_runs_on_its_own_archive_and_nothing_of_the_checkout_or_the_simulator(
    surroundings: Surroundings, supplier: Supplier
) -> None:
    environment = surroundings.live(surroundings.topic(), supplier) | TELLS_WHAT_IT_LOADS
    prevend, purchase = (surroundings.platform.start(name, environment) for name in ("prevend", "purchase"))
    wallet, body = surroundings.wallet(), body_of(PLAIN, Service.UTILITY)
    assert wallet.confirm(prevend.ready(), "utility", body).status_code == 200
    assert wallet.buy(purchase.ready(), "utility", body, new_key()).status_code == 201

    for name, function in (("prevend", prevend), ("purchase", purchase)):
        archive, loaded = surroundings.platform.unpacked(name), loaded_by(function.process)
        ours = {path.relative_to(archive) for path in loaded if path.is_relative_to(archive)}
        assert {Path("shared/vending/purchasing.py"), Path("shared/mobilemart/client.py")} <= ours
        assert not [path for path in ours if path.is_relative_to(SIMULATOR)]
        for folder in ("functions", "local", "shared", "tests"):
            assert not [path for path in loaded if path.is_relative_to(package.ROOT / folder)]


COMPLETE = {
    "ENVIRONMENT": "production",
    "MOBILEMART_LIVE_INTEGRATION": "true",
    "MOBILEMART_CLIENT_ID_SECRET": "projects/p/secrets/id/versions/latest",
    "MOBILEMART_CLIENT_SECRET_SECRET": "projects/p/secrets/secret/versions/latest",
    "GOOGLE_CLOUD_PROJECT": "demo-project",
    "EVENTS_TOPIC": "projects/demo-project/topics/transactions",
    "OIDC_ISSUER": "https://issuer.example",
    "OIDC_AUDIENCE": "vending",
    "OIDC_JWKS_URL": "https://issuer.example/keys",
}
REFUSED = {
    "simulation in production": (
        {**{name: value for name, value in COMPLETE.items() if "_SECRET" not in name}, "MOBILEMART_LIVE_INTEGRATION": "false"},
        ["MOBILEMART_LIVE_INTEGRATION must be true in production"],
    ),
    "nothing": ({}, ["ENVIRONMENT is required", "MOBILEMART_LIVE_INTEGRATION is required", "GOOGLE_CLOUD_PROJECT is required"]),
    "nothing but where it is": (
        {"ENVIRONMENT": "uat", "MOBILEMART_LIVE_INTEGRATION": "true"},
        [f"{name} is required" for name in COMPLETE if name not in {"ENVIRONMENT", "MOBILEMART_LIVE_INTEGRATION"}],
    ),
    "contradictions": (
        {
            **COMPLETE,
            "ENVIRONMENT": "staging",
            "MOBILEMART_LIVE_INTEGRATION": "false",
            "MOBILEMART_TIMEOUT_SECONDS": "300",
            "TRANSACTION_STORE": "sqlite:///sales.db",
            "OIDC_JWKS_URL": "http://issuer.example/keys",
            "MOBILEMART_TIME_OUT": "5",
        },
        [
            "MOBILEMART_CLIENT_ID_SECRET contradicts",
            "MOBILEMART_CLIENT_SECRET_SECRET contradicts",
            "MOBILEMART_TIMEOUT_SECONDS must be less than FUNCTION_TIMEOUT_SECONDS",
            "TRANSACTION_STORE must be firestore",
            "OIDC_JWKS_URL must be https://",
            "MOBILEMART_TIME_OUT is not a variable of this system",
        ],
    ),
    "a production that looks elsewhere": (
        {**COMPLETE, "MOBILEMART_API_URL": "https://uat.fulcrumswitch.com", "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"},
        ["MOBILEMART_API_URL must be the production switch", "FIRESTORE_EMULATOR_HOST must not be set in production"],
    ),
}


def test_a_configuration_that_is_missing_or_contradicts_itself_ends_the_process_with_every_fault_in_one_message(
    surroundings: Surroundings,
) -> None:
    started = {name: surroundings.platform.start("purchase", environment).process for name, (environment, _) in REFUSED.items()}
    for name, process in started.items():
        assert process.ended() != 0, name
        [message] = [line for line in process.words.splitlines() if "configuration refused: " in line]
        assert [fault for fault in REFUSED[name][1] if fault not in message] == [], name
