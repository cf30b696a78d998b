"""Wiring: what a process is made of, put together once from its configuration.

The configuration is read when a function is loaded, so that a bad one stops it there. Everything else is made with the first
request, inside the loop that will use it, and what that request does not need is not even imported.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import httpx
from starlette.datastructures import Headers

from shared.config import Config, ConfigError, Function, load
from shared.domain.identifiers import Caller
from shared.domain.policy import Environment
from shared.domain.vas import Mode
from shared.event_publisher import LogEvents, PubSubEvents
from shared.gcp.secret_manager import Secrets, supplier_credentials
from shared.lib import logs
from shared.lib.single_flight import SingleFlight
from shared.lib.value import Value
from shared.mobilemart.client import MobileMart, Settings
from shared.mobilemart.http_exchange import live_transport
from shared.ports.credentials import Credentials, GetCredentials
from shared.ports.supplier import Supplier
from shared.ports.transactions import TransactionIndex
from shared.vending.circuit_breaker import MAX_PAUSE, CircuitBreaker
from shared.vending.purchasing import Vending
from shared.vending.recorder import Recorder
from shared.web import oidc

if TYPE_CHECKING:  # of one function, or of simulated mode: it loads them with its first request
    from shared.mobilemart.rate_limiter import RateLimiter
    from shared.mobilemart.simulator.key_value_store import Ledger
    from shared.ports.settlement_files import Files
    from shared.retention.erasure import Erasing
    from shared.settlement.closing import Closing
    from shared.settlement.file_sources import StoredFiles
    from shared.settlement.reporting import Reporting
    from shared.settlement.runner import Settling
    from shared.vending.operator_actions import Operating
    from shared.vending.sweep import Sweeping


YOUNG_OBJECTS: Final = 20_000
"""How many more objects are made than freed before Python looks for cycles. By itself it does so at 2,000, or 700 before Python 3.13:
where 200 sales are open, which hold 50,000, it would look at sales that wait for the supplier, time and again, and free next to
nothing."""

WORKER_TIMEOUT: Final = "CLOUD_RUN_TIMEOUT_SECONDS"
"""The platform may set it, and functions-framework makes it gunicorn's worker timeout. A worker that was frozen for longer is then
killed when it thaws, with every sale that it holds. Cloud Run itself ends what takes too long."""


LOCAL_PAUSE: Final = timedelta(seconds=10)
"""The longest pause that the brake sets itself in `make run`: nobody there should wait two minutes for the next click."""


class _Opened(TransactionIndex, Protocol):
    """A store as it is opened here: with room for the simulator's books, and to be closed."""

    @property
    def ledger(self) -> "Ledger": ...

    async def close(self) -> None: ...


class Ports(Value, frozen=True):
    """The core's ports to the world, all belonging to one event loop."""

    store: TransactionIndex
    supplier: MobileMart
    events: LogEvents | PubSubEvents
    brake: CircuitBreaker
    ledger: "Ledger"


class Wiring:
    """A process over one configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._rules = config.rules()
        self._ports: Ports | None = None
        self._vending: Vending | None = None
        self._open = SingleFlight(self._opened)
        self._identify: Callable[[Mapping[str, str]], Awaitable[Caller]] | None = None
        self._iap: oidc.IapOperator | None = None
        self._pace: RateLimiter | None = None
        self._files: Files | None = None
        self._to_close: list[Callable[[], Awaitable[None]]] = []

    async def vending(self) -> Vending:
        """Selling, over this process's ports.

        Raises:
            StoreUnavailable: the store could not be reached.
        """
        if self._vending is None:
            ports = await self.ports()
            self._vending = Vending(recorder=self._recorder(ports), supplier=ports.supplier, brake=ports.brake)
        return self._vending

    async def sweeping(self) -> "Sweeping":
        """Ending what is open, at the pace that the supplier allows. May raise `StoreUnavailable`."""
        from shared.lib.concurrency import each
        from shared.vending.sweep import Sweeping

        ports = await self.ports()
        return Sweeping(recorder=self._recorder(ports), supplier=self._paced(ports.supplier), store=ports.store, each=each)

    async def settling(self) -> "Settling":
        """Comparing days with the supplier's files. May raise `StoreUnavailable`."""
        from shared.lib.concurrency import each
        from shared.settlement.matching import FileInterpretation
        from shared.settlement.runner import Settling

        ports = await self.ports()
        recorder, files = self._recorder(ports), self._settlement_files(ports)
        return Settling(recorder=recorder, store=ports.store, files=files, each=each, readings=FileInterpretation())

    async def erasing(self) -> "Erasing":
        """Taking personal data out of sales: of old ones, and of one person's. May raise `StoreUnavailable`."""
        from shared.lib.concurrency import each
        from shared.retention.erasure import Erasing
        from shared.retention.rules import Retention

        ports, config = await self.ports(), self.config
        retention = Retention(days=config.retention_days, personal_data_days=config.personal_data_days)
        return Erasing(recorder=self._recorder(ports), store=ports.store, each=each, retention=retention)

    async def operating(self) -> "Operating":
        """What operators can do. May raise `StoreUnavailable`."""
        from shared.vending.operator_actions import Operating

        ports = await self.ports()
        return Operating(recorder=self._recorder(ports), store=ports.store, brake=ports.brake)

    async def closing(self) -> "Closing":
        """Closing discrepancies. May raise `StoreUnavailable`."""
        from shared.settlement.closing import Closing

        return Closing(store=(await self.ports()).store, mode=self.config.mode, now=now)

    async def reporting(self) -> "Reporting":
        """What operators can read. May raise `StoreUnavailable`."""
        from shared.lib.concurrency import each
        from shared.settlement.reporting import Reporting

        return Reporting(store=(await self.ports()).store, mode=self.config.mode, now=now, each=each)

    async def ports(self) -> Ports:
        """The ports, made for the first who asks.

        Raises:
            StoreUnavailable: the store could not be reached.
        """
        return self._ports or await self._open()

    async def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who sent the request with these headers.

        Raises:
            Unauthenticated, MissingScope, IdentityUnavailable: as `identity` has them.
        """
        if self._identify is None:
            self._identify = self._identifier()
        return await self._identify(headers)

    async def operator(self, headers: Headers) -> str:
        """Which operator sent the request with these headers.

        Raises:
            Unauthenticated, IdentityUnavailable: behind Identity-Aware Proxy, without its valid assertion.
        """
        if self.config.iap_audience is not None:
            if self._iap is None:
                self._iap = oidc.IapOperator(self.config.iap_audience, self._identity_http())
            return await self._iap(headers)
        return (oidc.local_operator if self.config.environment is Environment.LOCAL else oidc.operator)(headers)

    async def close(self) -> None:
        """Give up every connection."""
        while self._to_close:
            await self._to_close.pop()()
        self._ports = self._vending = self._identify = self._iap = self._pace = self._files = None

    def _recorder(self, ports: Ports) -> Recorder:
        return Recorder(store=ports.store, events=ports.events, rules=self._rules, now=now, new_id=new_id, monotonic=time.monotonic)

    def _paced(self, supplier: MobileMart) -> Supplier:
        from shared.mobilemart.rate_limiter import RateLimitedSupplier, RateLimiter

        if self._pace is None:
            self._pace = RateLimiter(self.config.calls_per_second, time.monotonic, asyncio.sleep)
        return RateLimitedSupplier(supplier, self._pace)

    def _settlement_files(self, ports: Ports) -> "Files":
        if self._files is None:
            delivered = files_in(self.config.settlement_files, self.config.settlement_merchant)
            self._to_close.append(delivered.close)
            self._files = delivered
            if self.config.mode is Mode.SIMULATED:
                from shared.mobilemart.simulator.settlement import SimulatedFiles

                self._files = SimulatedFiles(ports.ledger, now, delivered)
        return self._files

    def _identifier(self) -> Callable[[Mapping[str, str]], Awaitable[Caller]]:
        if self.config.oidc is None:
            return oidc.local_caller
        return oidc.Verifier(self.config.oidc, self._identity_http()).caller

    def _identity_http(self) -> httpx.AsyncClient:
        """What reads the keys of those who vouch for callers and operators."""
        http = httpx.AsyncClient(transport=live_transport(), trust_env=False)
        self._to_close.append(http.aclose)
        return http

    async def _opened(self) -> Ports:
        store = await self._store()
        self._to_close.append(store.close)
        supplier = MobileMart(self._transport(store.ledger), self._settings(), self._credentials(), now)
        self._to_close.append(supplier.aclose)
        longest = LOCAL_PAUSE if self.config.function is Function.LOCAL else MAX_PAUSE
        brake = CircuitBreaker(store, self.config.mode, now, longest=longest)
        self._ports = Ports(store, supplier, self._events(), brake, store.ledger)
        return self._ports

    async def _store(self) -> _Opened:
        config = self.config
        if config.sqlite_path is not None:
            with _kept("shared.store.sqlite"):
                from shared.store.sqlite import SqliteStore

            return await SqliteStore.open(config.sqlite_path, timeout_seconds=config.store_timeout_seconds)
        with _kept("shared.store.firestore"):
            from shared.store.firestore import FirestoreStore

        assert config.project is not None  # the configuration requires it with Firestore
        return await FirestoreStore.open(
            config.project,
            config.firestore_database,
            timeout_seconds=config.store_timeout_seconds,
            emulator_host=config.firestore_emulator,
        )

    def _transport(self, ledger: "Ledger") -> httpx.AsyncBaseTransport:
        """The one difference between selling and pretending to."""
        if self.config.mode is Mode.LIVE:
            return live_transport()
        with _kept("shared.mobilemart.simulator"):
            from shared.mobilemart.simulator import Simulator

        return httpx.ASGITransport(Simulator(ledger, now=now))

    def _settings(self) -> Settings:
        config = self.config
        return Settings(
            base_url=config.supplier_url,
            mode=config.mode,
            tender_type=config.tender_type,
            reprint_by=config.reprint_by,
            utility_product_id=config.utility_product_id,
            amount_check=config.amount_check,
            connect_timeout_seconds=config.connect_timeout_seconds,
            timeout_seconds=config.exchange_timeout_seconds,
        )

    def _credentials(self) -> GetCredentials:
        if self.config.supplier_secrets is None:
            return _simulated_credentials
        secrets = Secrets(self.config.secret_manager_emulator)
        self._to_close.append(secrets.close)
        return supplier_credentials(secrets, self.config.supplier_secrets)

    def _events(self) -> LogEvents | PubSubEvents:
        config = self.config
        if config.events_topic is None:
            return LogEvents()
        events = PubSubEvents(config.events_topic, config.consumer_details, config.pubsub_emulator)
        self._to_close.append(events.close)
        return events


def files_in(place: str | None, merchant: str | None) -> "StoredFiles":
    """The settlement files in `gs://bucket/prefix` or `file:///folder`, or none where there is no place. Nothing is opened yet."""
    from shared.mobilemart.settlement_format import FORMAT
    from shared.settlement.file_sources import StoredFiles, local_files

    match urlsplit(place or ""):
        case parts if parts.scheme == "gs":
            from shared.gcp.cloud_storage import Bucket

            bucket = Bucket(parts.netloc, parts.path.strip("/"))
            return StoredFiles(bucket, merchant, FORMAT, bucket.close)
        case parts if parts.scheme == "file":
            return StoredFiles(partial(local_files, Path(unquote(parts.path)), FORMAT), merchant, FORMAT)
        case _:
            return StoredFiles(tuple, merchant, FORMAT)


_processes: Final[dict[Function, Wiring]] = {}


def configure(function: str) -> Wiring:
    """The wiring of a function that is being loaded, from the environment's variables.

    In a process that was configured as `local`, which is all functions in one, it is that process's wiring. The platform's timeout
    of workers is taken out of the environment.

    Raises:
        SystemExit: the configuration is refused. The process ends with one message that names every fault.
    """
    if Function.LOCAL in _processes:
        return _processes[Function.LOCAL]
    logs.configure()
    try:
        wired = Wiring(load(os.environ, function))
    except ConfigError as error:
        sys.exit(str(error))
    _processes[wired.config.function] = wired
    os.environ.pop(WORKER_TIMEOUT, None)  # the framework reads it after it has loaded the function
    gc.freeze()  # what is loaded stays: no collection looks at it again
    gc.set_threshold(YOUNG_OBJECTS)
    return wired


@contextmanager
def _kept(module: str) -> Iterator[None]:
    """Load a module, which stays: no collection looks at it, now or later. Nothing is awaited here.

    Once: a store that cannot be opened is opened again and again, and what requests hold meanwhile would be kept with it.
    """
    if module in sys.modules:
        yield
        return
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A UUID4: 36 characters, as long as the supplier takes."""
    return str(uuid4())


async def _simulated_credentials(_refused: bool) -> Credentials:
    from shared.mobilemart.simulator import SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET

    return Credentials(SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET)
