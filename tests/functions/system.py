"""purchase and reconcile over one store and one supplier."""

import json
import re
import time
from datetime import timedelta

from shared.mobilemart.settlement_writer import written
from tests.days import long_today
from tests.functions.running import SIMULATED, opened
from tests.functions.wallet import METER, Wallet, sale

LOST = {**METER, "meterNumber": "99000000040"}  # the simulator vends, and cuts the connection
NEVER = {**METER, "meterNumber": "99000000033"}  # it cuts the connection, and nothing is vended
NO_TOKEN = {**METER, "meterNumber": "99000000067"}  # it vends, and only a reprint tells the token
OPERATOR = {"X-Caller": "thandi@wallet.example"}
UNKNOWN = "0" * 32


class System:
    """purchase and reconcile over one store, and the folder in which the supplier's files lie."""

    def __init__(self, folder, stack):
        self.store_path, self.files = folder / "sales.sqlite", folder / "files"
        self.files.mkdir()
        environ = {
            **SIMULATED,
            "TRANSACTION_STORE": f"sqlite:///{self.store_path}",
            "SETTLEMENT_FILES": self.files.as_uri(),
            "RESOLVE_INTERVAL_SECONDS": "1",
            "MOBILEMART_CALLS_PER_SECOND": "1000",
        }
        self.today = long_today()  # once: no test of these may find itself in another day than its neighbours
        self.purchase, _ = stack.enter_context(opened("purchase", **environ))
        self.reconcile, self.said = stack.enter_context(opened("reconcile", **environ))

    def wallet(self) -> Wallet:
        return Wallet(self.purchase, self.purchase)

    def ask(self, path, **query):
        return self.reconcile.get(path, params=query, headers=OPERATOR)

    def tell(self, path, body=None, **options):
        return self.reconcile.post(path, json=body, headers=OPERATOR, **options)

    def sweep(self):
        return answered(self.tell("/sweep"))

    def deliver(self, day, lines):
        made = f"{day + timedelta(days=1):%Y%m%d}060000"
        (self.files / f"FULCRUM.MERCHANT.SIMULATED.RECON.{made}.txt").write_bytes(b"".join(written(day, lines)))

    def in_doubt(self, body=NEVER):
        """A sale in doubt, as operators see it."""
        sold = sale(self.wallet().buy("utility", body), 202)
        return answered(self.ask(f"/transactions/{sold['transactionId']}"))


def answered(response):
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json"), response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


def until(wanted, seconds=15.0):
    """What `wanted` gives as soon as that is true."""
    give_up_at = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
    return found


def no_value_in(log):
    """No line of the log holds a token or a whole number, and every line is JSON."""
    said = log.read_text()
    assert not re.search(r"0{12}\d{8}|12345678901|98765432109", said)
    assert "request failed" not in said
    for line in said.splitlines():
        json.loads(line)
