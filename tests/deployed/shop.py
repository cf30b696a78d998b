"""A shop in which a test sets everything: the clocks, every answer of the supplier, and the files that it delivers.

Its functions are the packaged ones, selling live over a socket into an SQLite file.
"""

import json
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from shared.domain.clock import business_day
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import Line
from shared.mobilemart.settlement_writer import written
from tests.deployed.clocks import Clocks
from tests.deployed.processes import Function, Platform
from tests.deployed.surroundings import SECRETS, Surroundings
from tests.deployed.switchboard import PRODUCTS, Play, Switchboard, Vend

ONE_DAY = timedelta(days=1)
APART = timedelta(days=40)  # what a process still holds of one test has ended in the next
RECIPIENTS = {
    VasType.UTILITY: "meterNumber",
    VasType.BILL_PAYMENT: "accountNumber",
    VasType.AIRTIME: "mobileNumber",
    VasType.DATA: "mobileNumber",
}
R100 = 10_000
PATIENCE_SECONDS = 30


def own(settled: Any) -> list[Any]:
    """The discrepancies of a settled day itself, and not those that are carried into it."""
    return [found for found in settled["discrepancies"] if found["day"] == settled["day"]]


@dataclass(slots=True)
class Shop:
    """`purchase` and `reconcile` share a store; every sale is the same caller's."""

    surroundings: Surroundings
    clocks: Clocks
    switch: Switchboard
    folder: Path
    store: Path
    environment: dict[str, str]
    purchase: Function
    reconcile: Function
    _meters: Iterator[int] = field(default_factory=lambda: count(99_000_000_051))

    @property
    def platform(self) -> Platform:
        return self.surroundings.platform

    def fresh_day(self) -> date:
        """A morning on which nothing was before: nothing is on record, and no file lies there."""
        for file in self.folder.iterdir():
            file.unlink()
        with self.books() as books:
            for (table,) in books.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                books.execute(f"DELETE FROM {table}")
        day = business_day(self.clocks.now() + APART)
        self.clocks.at(day, 9)
        return day

    def recipient(self, service: VasType = VasType.UTILITY) -> str:
        """A meter, account or mobile number that nobody has bought for."""
        number = str(next(self._meters))
        recipient = f"2782{number[-7:]}" if service in {VasType.AIRTIME, VasType.DATA} else number
        self.surroundings.seen.values.add(recipient)
        return recipient

    def buy(
        self,
        play: Play | None = None,
        *,
        recipient: str | None = None,
        cents: int = R100,
        service: VasType = VasType.UTILITY,
        key: str | None = None,
        **more: object,
    ) -> "Sale":
        """Buy something, to which `play` happens."""
        recipient = recipient or self.recipient(service)
        if play is not None:
            self.switch.plays[recipient] = play
        body = {RECIPIENTS[service]: recipient, "amountCents": cents, "merchantProductId": PRODUCTS[service], **more}
        key = key or uuid.uuid4().hex
        return Sale(self, service, recipient, body, key, self.ask(self.purchase, service, body, key))

    def ask(self, purchase: Function, service: VasType, body: Mapping[str, object], key: str) -> httpx.Response:
        return purchase.http.post(f"/{service}", json=body, headers={"Idempotency-Key": key})

    def deliver(self, day: date, lines: "list[Vend | Line]", stamp: str = "0500", *, content: bytes | None = None) -> Path:
        """Put a day's file where it is looked for, as of that time of the next day; its path."""
        path = self.folder / f"FULCRUM.MERCHANT.ACME.RECON.{day + ONE_DAY:%Y%m%d}{stamp}.txt"
        path.write_bytes(self.file(day, lines) if content is None else content)
        return path

    @staticmethod
    def file(day: date, lines: "list[Vend | Line]") -> bytes:
        return b"".join(written(day, [one.line() if isinstance(one, Vend) else one for one in lines]))

    def settle(self, day: date) -> Any:
        """The day as it is settled now."""
        return self.reconcile.http.post("/settle", params={"day": day.isoformat()}).raise_for_status().json()

    def settle_all(self) -> Any:
        """What the daily run comes to."""
        return self.reconcile.http.post("/settle").raise_for_status().json()

    def sweep(self) -> Any:
        return self.reconcile.http.post("/sweep").raise_for_status().json()

    def report(self, day: date) -> Any:
        return self.reconcile.http.get(f"/reports/{day}").raise_for_status().json()

    def close(self, discrepancy: Mapping[str, Any], note: str = "Seen.", decision: str = "accepted") -> None:
        """Let a person close a discrepancy."""
        body = {"decision": decision, "note": note}
        answer = self.reconcile.http.post(f"/discrepancies/{discrepancy['id']}/closure", json=body, headers={"X-Caller": "thandi"})
        assert answer.is_success, answer.text

    def decide(self, sale: "Sale", **decision: object) -> httpx.Response:
        """Let a person decide about a sale."""
        body = {"version": sale.dossier["version"], "note": "As the supplier says.", **decision}
        return self.reconcile.http.post(f"/transactions/{sale.id}/resolution", json=body, headers={"X-Caller": "thandi"})

    @contextmanager
    def listening(self) -> Iterator[list[dict[str, Any]]]:
        """What both functions log meanwhile, complete once the block has ended."""
        processes = (self.purchase.process, self.reconcile.process)
        before = [len(process.words) for process in processes]
        said: list[dict[str, Any]] = []
        yield said
        for process, start in zip(processes, before, strict=True):
            whole, _, _ = process.words[start:].rpartition("\n")
            said += [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    @contextmanager
    def books(self) -> Iterator[sqlite3.Connection]:
        """The store itself."""
        connection = sqlite3.connect(self.store, timeout=10)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def another(self, name: str, **changes: str) -> Function:
        """Another instance of a function, over the same store, with these variables."""
        return self.platform.start(name, {**self.environment, **changes}).ready()


@dataclass(slots=True)
class Sale:
    """One purchase: what was asked for, and its first answer."""

    shop: Shop
    service: VasType
    recipient: str
    body: Mapping[str, object]
    key: str
    answer: httpx.Response

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def id(self) -> str:
        return str(self.answer.json()["transactionId"])

    @property
    def dossier(self) -> Any:
        """All that is on record, as an operator sees it."""
        return self.shop.reconcile.http.get(f"/transactions/{self.id}").raise_for_status().json()

    @property
    def state(self) -> str:
        return str(self.dossier["state"])

    @property
    def vend(self) -> Vend:
        return self.shop.switch.vend_to(self.recipient)

    def repeated(self, purchase: Function | None = None) -> httpx.Response:
        return self.shop.ask(purchase or self.shop.purchase, self.service, self.body, self.key)


def sold_day(shop: Shop, count: int = 2) -> tuple[date, list[Sale]]:
    """A day with that many sales, and its next day with one, and the file of that; it is noon of the day after both."""
    day = shop.fresh_day()
    sales = [shop.buy() for _ in range(count)]
    shop.clocks.at(day + ONE_DAY, 10)
    control = shop.buy()
    shop.deliver(day + ONE_DAY, [control.vend])
    shop.clocks.at(day + 2 * ONE_DAY, 12)
    return day, sales


@contextmanager
def opened(surroundings: Surroundings, folder: Path, name: str, **changes: str) -> Iterator[Shop]:
    """A shop whose functions have these variables besides, ready to sell."""
    clocks = Clocks(folder / f"{name}.clocks")
    files, store = folder / f"{name}-files", folder / f"{name}.sqlite"
    files.mkdir()
    with Switchboard(clocks.now) as switch:
        environment = {
            "ENVIRONMENT": "local",
            "MOBILEMART_LIVE_INTEGRATION": "true",
            "MOBILEMART_API_URL": switch.url,
            "MOBILEMART_CLIENT_ID_SECRET": f"{SECRETS}/client-id/versions/latest",
            "MOBILEMART_CLIENT_SECRET_SECRET": f"{SECRETS}/client-secret/versions/latest",
            "SECRET_MANAGER_EMULATOR_HOST": surroundings.secret_manager,
            "TRANSACTION_STORE": f"sqlite:///{store}",
            "SETTLEMENT_FILES": f"file://{files}",
            "MOBILEMART_CALLS_PER_SECOND": "1000",
            **clocks.environment,
            **changes,
        }
        started = [surroundings.platform.start(each, environment) for each in ("purchase", "reconcile")]
        purchase, reconcile = (function.ready() for function in started)
        for function in started:
            function.http.timeout = httpx.Timeout(PATIENCE_SECONDS)
        shop = Shop(surroundings, clocks, switch, files, store, environment, purchase, reconcile)
        try:
            yield shop
        finally:
            for function in started:
                function.process.kill()


@contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[list[Any]]:
    """What `work` returns, done while the block is run."""
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(work()))
    thread.start()
    try:
        yield done
    finally:
        thread.join(PATIENCE_SECONDS)
