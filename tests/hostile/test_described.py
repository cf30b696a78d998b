"""Every operation, by its description: whatever is sent, the answer is one that is described, and only what is valid is accepted."""

import itertools
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis import GenerationMode

from tests.deployed.issuer import Issuer, issuing
from tests.emulators import free_port
from tests.functions.running import SIMULATED
from tests.root import ROOT

EXAMPLES = int(os.environ.get("EXAMPLES", "4"))  # of each operation, beside those that cover each of its constraints
NO_FRACTION = "must be a whole number, without quotes or a fraction"  # to JSON Schema, 1.0 is one
EVERYWHERE = {"amountCents", "note", "reason"}  # limits that are set for each deployment; spaces that say nothing
RECIPIENTS = {"accountNumber", "meterNumber", "mobileNumber"}
UNSAYABLE = {
    "/purchase/transactions": {"idempotencyKey", "day", "cursor"},  # a key, or a day
    "/reconcile/transactions": RECIPIENTS | {"requestId", "supplierTransactionId"},  # exactly one of them
    "/reconcile/erasures": RECIPIENTS,  # exactly one of them
    "/reconcile/transactions/{transactionId}/resolution": {"state", "tokens"},  # which of them depends on the other
    "/reconcile/selling": {"until"},  # a moment that lies ahead
    "/reconcile/settle": {"day"},  # a day that has begun
    "/reconcile/reports/{day}": {"day"},
}
"""What may be wrong with a request although its description allows it, because no schema says the rule."""


def described() -> dict[str, Any]:
    """The description. Who may call reconcile is checked by the platform, before the function: here nobody does."""
    document: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())
    for path, operations in document["paths"].items():
        if path.startswith("/reconcile"):
            for operation in operations.values():
                operation["security"] = []
    return document


CONFIG = schemathesis.Config.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "404", "409", "422"]}}})
schema = schemathesis.openapi.from_dict(described(), config=CONFIG)


@dataclass(frozen=True)
class System:
    """All functions behind one port, and what can be asked for there."""

    url: str
    token: str
    sales: Iterator[str]
    discrepancies: Iterator[str]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder, port = tmp_path_factory.mktemp("described"), free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "local.app:app", "--port", str(port), "--log-level", "warning"]
    with issuing() as issuer:
        variables = {
            **SIMULATED,
            **issuer.variables,
            "TRANSACTION_STORE": f"sqlite:///{folder / 'sales.sqlite'}",
            "SETTLEMENT_FILES": folder.as_uri(),
        }
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield _filled(f"http://127.0.0.1:{port}", process, folder / "said", issuer)
        finally:
            process.terminate()
            process.wait(20)


def _filled(url: str, process: subprocess.Popen[bytes], said: Path, issuer: Issuer) -> System:
    """The system, once there are sales in every state, and a day with discrepancies."""
    token = issuer.token("wallet")
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as http:
        while not _is_up(http):
            assert process.poll() is None, said.read_text()
            time.sleep(0.05)
        bought = [_bought(http, meter) for meter in ("12345678901", "12345678902", "99000000021", "99000000033")]
        (day,) = http.post("/local/settle?plant=amount&plant=missing").json()["days"]
    return System(url, token, itertools.cycle(bought), itertools.cycle(each["id"] for each in day["discrepancies"]))


def _is_up(http: httpx.Client) -> bool:
    try:
        return http.get("/purchase/health").is_success
    except httpx.TransportError:
        return False


def _bought(http: httpx.Client, meter: str) -> str:
    body, key = {"meterNumber": meter, "amountCents": 10_000}, {"Idempotency-Key": uuid.uuid4().hex}
    sale_id: str = http.post("/purchase/utility", json=body, headers=key).json()["transactionId"]
    return sale_id


@schema.auth()
class Caller:
    """Every request is of a known caller, but for those that are about being none."""

    token = ""

    def get(self, _case: schemathesis.Case, _context: schemathesis.AuthContext) -> str:
        return self.token

    def set(self, case: schemathesis.Case, token: str, _context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {token}"


@schema.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: schemathesis.Case, system: System) -> None:
    Caller.token = system.token
    assume(not any("\n" in unquote(str(value)) for value in case.path_parameters.values()))  # the framework's own routes have no line break
    is_valid = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if is_valid:  # ids that exist, so that it gets further than `not-found`
        for name, known in (("transactionId", system.sales), ("discrepancyId", system.discrepancies)):
            if name in case.path_parameters:
                case.path_parameters[name] = next(known)
    answer = case.call_and_validate(base_url=system.url)
    if is_valid and answer.status_code == 400:
        at_fault = {error["field"].partition(".")[0] for error in answer.json()["errors"] if error["message"] != NO_FRACTION}
        allowed = EVERYWHERE | UNSAYABLE.get(case.operation.path, set())
        assert at_fault <= allowed, f"described as valid, and refused: {answer.text}"
