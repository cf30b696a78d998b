"""Configuration: every variable of one process, read once at start. A missing, malformed or contradictory variable stops the start.

One message names all faults. The configuration holds no secret, only the names of secrets in Secret Manager.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from shared.domain.money import Money
from shared.domain.policy import AmountCheck, ConsumerDetails, Environment, ReprintBy, VendingPolicy
from shared.domain.vas import Mode
from shared.lib.env import Variables, is_address, is_loopback, split_address
from shared.lib.value import Value
from shared.ports.credentials import SupplierSecrets
from shared.web.settings import Oidc, ScopeClaim

PRODUCTION_URL: Final = "https://fulcrumswitch.com"
UAT_URL: Final = "https://uat.fulcrumswitch.com"
SIMULATOR_URL: Final = "http://simulator"  # in process: this name is never resolved

_PRODUCTION_HOST: Final = urlsplit(PRODUCTION_URL).hostname
_NOT_PRODUCTION: Final = frozenset({"uat.fulcrumswitch.com", "conformance.fulcrumswitch.com"})
_NAMED_HOST: Final = r"([a-z0-9-]+\.)+(?!local(host|domain)$)[a-z][a-z0-9-]*"  # no address in any spelling, and not this machine
_NOT_THE_SWITCH: Final = frozenset({"api.mobilemart.co.za", "uat-api.mobilemart.co.za"})  # answers 200 with an empty body to any path
_SUPPLIER_SECRETS: Final = ("MOBILEMART_CLIENT_ID_SECRET", "MOBILEMART_CLIENT_SECRET_SECRET")
_PROJECT: Final = r"[a-z0-9][a-z0-9.:-]{0,100}"
_SECRET_NAME: Final = rf"projects/{_PROJECT}/secrets/[\w-]{{1,255}}/versions/(latest|[1-9][0-9]*|[A-Za-z][\w-]*)"
_IAP_AUDIENCE: Final = r"/projects/[0-9]{1,20}/[!-~]{1,300}"
_EMULATORS: Final = ("FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "SECRET_MANAGER_EMULATOR_HOST")
_STORAGE_EMULATOR: Final = "STORAGE_EMULATOR_HOST"
NAMES: Final = frozenset(  # every variable
    {
        *("ENVIRONMENT", "TRANSACTION_STORE", "GOOGLE_CLOUD_PROJECT", "FIRESTORE_DATABASE", "EVENTS_TOPIC", "CORS_ORIGINS"),
        *("MOBILEMART_LIVE_INTEGRATION", "MOBILEMART_API_URL", *_SUPPLIER_SECRETS),
        *("MOBILEMART_TENDER_TYPE", "MOBILEMART_UTILITY_PRODUCT_ID", "MOBILEMART_REPRINT_BY", "MOBILEMART_AMOUNT_CHECK"),
        *("MOBILEMART_CONNECT_TIMEOUT_SECONDS", "MOBILEMART_TIMEOUT_SECONDS", "MOBILEMART_CALLS_PER_SECOND"),
        *("SEND_WINDOW_SECONDS", "STORE_TIMEOUT_SECONDS", "FUNCTION_TIMEOUT_SECONDS", "VENDING_LEASE_SECONDS"),
        *("IN_DOUBT_MINIMUM_AGE_SECONDS", "RESOLVE_INTERVAL_SECONDS", "REVIEW_AFTER_SECONDS", "PREVEND_VALID_SECONDS"),
        *(
            "RETENTION_DAYS",
            "PERSONAL_DATA_DAYS",
            "MINIMUM_AMOUNT_CENTS",
            "MAXIMUM_AMOUNT_CENTS",
            "CONSUMER_DETAILS",
            "SETTLEMENT_FILES",
            "SETTLEMENT_MERCHANT",
        ),
        *("OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_JWKS_URL", "OIDC_SCOPE", "OIDC_SCOPE_CLAIM", "OIDC_ISSUER_ALIASES", "IAP_AUDIENCE"),
        *(*_EMULATORS, _STORAGE_EMULATOR),
    }
)
_OURS: Final = ("MOBILEMART_", "OIDC_")  # a name with such a beginning is meant for us
_OTHERS: Final = re.compile(
    r"GOOGLE_CLOUD_.*|FUNCTION_TIMEOUT_SEC|[^A-Z].*", re.DOTALL
)  # of the platform and of builds; some resemble ours
_ALIKE: Final = 0.9  # two letters changed places in a short name; FIRESTORE_EMULATOR_HOST and DATASTORE_EMULATOR_HOST are at 0.83
_BODIES_LOGGED: Final = {
    "GOOGLE_SDK_PYTHON_LOGGING_SCOPE",
    "GRPC_TRACE",
}  # with these, Google's libraries log their requests and answers
_KEYS_LOGGED: Final = "SSLKEYLOGFILE"  # with this variable, anyone who records the traffic can read it
_DAY: Final = 86_400
_MIN_DAYS_KEPT: Final = 31  # settling reads the files of the last 28 days, and the topic's archive shows each sale for 31
_MAX_CENTS: Final = 100_000_000  # a million rand: beyond any single sale


class Function(StrEnum):
    """The processes; `LOCAL` is all three functions in one, `PROBE` a person who probes the supplier."""

    PREVEND = "prevend"
    PURCHASE = "purchase"
    RECONCILE = "reconcile"
    LOCAL = "local"
    PROBE = "probe"


class ConfigError(Exception):
    """The configuration is refused. The text names every fault and quotes no value."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("configuration refused: " + "; ".join(faults))
        self.faults = tuple(faults)


class Config(Value, frozen=True, kw_only=True):
    """The settings of one process. Times are whole seconds; the variable of each field is in `docs/contract.md`."""

    function: Function
    environment: Environment
    mode: Mode
    supplier_url: str
    supplier_secrets: SupplierSecrets | None
    tender_type: str
    utility_product_id: str | None
    reprint_by: ReprintBy
    amount_check: AmountCheck
    connect_timeout_seconds: int
    exchange_timeout_seconds: int
    calls_per_second: int
    send_window_seconds: int
    store_timeout_seconds: int
    function_timeout_seconds: int
    lease_seconds: int
    in_doubt_minimum_age_seconds: int
    resolve_interval_seconds: int
    review_after_seconds: int
    prevend_valid_seconds: int
    minimum_amount: Money
    maximum_amount: Money
    consumer_details: ConsumerDetails
    retention_days: int
    personal_data_days: int
    sqlite_path: str | None
    project: str | None
    firestore_database: str
    events_topic: str | None
    settlement_files: str | None
    settlement_merchant: str | None
    oidc: Oidc | None
    iap_audience: str | None
    cors_origins: tuple[str, ...]
    firestore_emulator: str | None
    pubsub_emulator: str | None
    secret_manager_emulator: str | None

    def rules(self) -> VendingPolicy:
        """The policy of selling. For any send window, each request that is sent can end before the function's timeout."""
        return VendingPolicy(
            mode=self.mode,
            utility_product_id=self.utility_product_id,
            exchange_seconds=self.exchange_timeout_seconds,
            send_window_seconds=min(self.send_window_seconds, self.function_timeout_seconds - self.exchange_timeout_seconds),
            function_timeout_seconds=self.function_timeout_seconds,
            lease_seconds=self.lease_seconds,
            retry_seconds=self.resolve_interval_seconds,
            prevend_valid_seconds=self.prevend_valid_seconds,
            minimum_age_seconds=self.in_doubt_minimum_age_seconds,
            review_after_seconds=self.review_after_seconds,
        )


def load(environ: Mapping[str, str], function: str) -> Config:
    """The configuration of `function` (`prevend`, `purchase`, `reconcile`, `local` or `probe`). An empty variable counts as unset.

    Raises:
        ConfigError: naming every fault.
        ValueError: the function does not exist.
    """
    who = Function(function)
    read = Variables(environ)
    _refuse_misspelt(read)
    environment = _environment(read, who)
    _refuse_telling(read, environment)
    mode = _mode(read, environment)
    supplier_url, supplier_secrets = _supplier(read, environment, mode, who)
    exchange_timeout, function_timeout, lease = _timeouts(read)
    minimum_amount, maximum_amount = _amounts(read)
    retention_days, personal_data_days = _retention(read)
    sqlite_path, project = _store(read, environment)
    emulators = _emulators(read, environment)
    config = Config(
        function=who,
        environment=environment or Environment.LOCAL,
        mode=mode or Mode.SIMULATED,
        supplier_url=supplier_url or SIMULATOR_URL,
        supplier_secrets=supplier_secrets,
        tender_type=read.text("MOBILEMART_TENDER_TYPE", r"[A-Za-z]{1,40}", "letters") or "CreditCard",
        utility_product_id=read.text("MOBILEMART_UTILITY_PRODUCT_ID", r"[!-~]{1,100}", "visible ASCII"),
        reprint_by=read.choice("MOBILEMART_REPRINT_BY", ReprintBy.REQUEST_ID),
        amount_check=read.choice("MOBILEMART_AMOUNT_CHECK", AmountCheck.ALERT),
        connect_timeout_seconds=read.number("MOBILEMART_CONNECT_TIMEOUT_SECONDS", 5, most=60),
        exchange_timeout_seconds=exchange_timeout,
        calls_per_second=read.number("MOBILEMART_CALLS_PER_SECOND", 5, most=1000),
        send_window_seconds=read.number("SEND_WINDOW_SECONDS", 10, most=600),
        store_timeout_seconds=read.number("STORE_TIMEOUT_SECONDS", 10, most=60),
        function_timeout_seconds=function_timeout,
        lease_seconds=lease,
        in_doubt_minimum_age_seconds=read.number("IN_DOUBT_MINIMUM_AGE_SECONDS", 900, most=_DAY),
        resolve_interval_seconds=read.number("RESOLVE_INTERVAL_SECONDS", 60, most=3600),
        review_after_seconds=read.number("REVIEW_AFTER_SECONDS", 216_000, most=30 * _DAY),
        prevend_valid_seconds=read.number("PREVEND_VALID_SECONDS", 900, most=_DAY),
        minimum_amount=minimum_amount,
        maximum_amount=maximum_amount,
        consumer_details=read.choice("CONSUMER_DETAILS", ConsumerDetails.MASKED),
        retention_days=retention_days,
        personal_data_days=personal_data_days,
        sqlite_path=sqlite_path,
        project=project,
        firestore_database=read.text("FIRESTORE_DATABASE", r"\(default\)|[a-z][a-z0-9-]{1,62}", "a database id") or "(default)",
        events_topic=_events_topic(read, environment, who),
        settlement_files=_settlement_files(read, environment, who),
        settlement_merchant=read.text("SETTLEMENT_MERCHANT", r"[A-Za-z0-9_-]{1,100}", "our name in file names, without dots"),
        oidc=_oidc(read, environment, who),
        iap_audience=read.text("IAP_AUDIENCE", _IAP_AUDIENCE, "/projects/NUMBER/..., as Identity-Aware Proxy shows it"),
        cors_origins=read.origins("CORS_ORIGINS", clear=_clear(environment)),
        firestore_emulator=emulators.get("FIRESTORE_EMULATOR_HOST"),
        pubsub_emulator=emulators.get("PUBSUB_EMULATOR_HOST"),
        secret_manager_emulator=emulators.get("SECRET_MANAGER_EMULATOR_HOST"),
    )
    if read.faults:
        raise ConfigError(read.faults)
    return config


def _refuse_misspelt(read: Variables) -> None:
    """Refuse misspelt variables, whose settings would silently be their defaults."""
    for name in sorted(read.given.keys() - NAMES):
        meant = [] if _OTHERS.fullmatch(name) else get_close_matches(name, NAMES, 1, _ALIKE)
        if meant or name.startswith(_OURS):
            read.refuse(name, f"is not a variable of this system: is {f'{meant[0]} meant' if meant else 'it misspelt'}?")


def _refuse_telling(read: Variables, environment: Environment | None) -> None:
    """Refuse variables that make a library log secrets, tokens or PINs past the mask of our logs."""
    for name in sorted(_BODIES_LOGGED & read.given.keys()):
        read.refuse(name, "must not be set: a library would log secrets and tokens, past the mask")
    if environment is not Environment.LOCAL and _KEYS_LOGGED in read.given:
        read.refuse(_KEYS_LOGGED, "must not be set unless ENVIRONMENT=local: recorded traffic could be read with it")


def _environment(read: Variables, who: Function) -> Environment | None:
    environment = read.required_choice("ENVIRONMENT", Environment)
    if who in {Function.LOCAL, Function.PROBE} and environment not in {None, Environment.LOCAL}:
        read.refuse("ENVIRONMENT", f"must be local for the {who} process")
    if environment is Environment.LOCAL and "K_SERVICE" in read.given:
        read.refuse("ENVIRONMENT", "must not be local on Cloud Run, which K_SERVICE says: callers would be whoever they say")
    return environment


def _clear(environment: Environment | None) -> bool:
    """Whether this machine may be reached without TLS: for tests and emulators, so never in production."""
    return environment is not Environment.PRODUCTION


def _mode(read: Variables, environment: Environment | None) -> Mode | None:
    name = "MOBILEMART_LIVE_INTEGRATION"
    match read.given.get(name):
        case "true":
            return Mode.LIVE
        case "false":
            if environment is Environment.PRODUCTION:
                read.refuse(name, "must be true in production: simulated tokens are worth nothing")
            return Mode.SIMULATED
        case given:
            read.refuse(name, f"{'is required' if given is None else 'must be'}: true (sells for money) or false (simulated)")
            return None


def _supplier(
    read: Variables, environment: Environment | None, mode: Mode | None, who: Function
) -> tuple[str | None, SupplierSecrets | None]:
    """The supplier's address, and the names of its credentials."""
    url = _supplier_url(read, environment, who)
    meaning = "a Secret Manager resource name: projects/PROJECT/secrets/SECRET/versions/VERSION"
    client_id, client_secret = (read.text(name, _SECRET_NAME, meaning) for name in _SUPPLIER_SECRETS)
    if mode is Mode.SIMULATED:
        for name in ("MOBILEMART_API_URL", *_SUPPLIER_SECRETS):
            if name in read.given:
                read.refuse(name, "contradicts MOBILEMART_LIVE_INTEGRATION=false: a simulation reaches no supplier")
        return None, None
    if mode is Mode.LIVE:
        for name in _SUPPLIER_SECRETS:
            read.require(name, "with MOBILEMART_LIVE_INTEGRATION=true")
        if environment is Environment.LOCAL:
            read.require("MOBILEMART_API_URL", "with MOBILEMART_LIVE_INTEGRATION=true and ENVIRONMENT=local")
    return url, SupplierSecrets(client_id, client_secret) if client_id and client_secret else None


def _supplier_url(read: Variables, environment: Environment | None, who: Function) -> str | None:
    name = "MOBILEMART_API_URL"
    if name not in read.given:
        return PRODUCTION_URL if environment is Environment.PRODUCTION else UAT_URL
    url = read.address(name, clear=_clear(environment))
    parts = None if url is None else urlsplit(url)
    if parts is None:
        return None
    host = (parts.hostname or "").rstrip(".")
    if parts.path not in {"", "/"}:
        read.refuse(name, "must be the switch's scheme and host only, without a path")
    if host in _NOT_THE_SWITCH:
        read.refuse(name, f"must be the Fulcrum switch, which {host} is not: it answers 200 to anything")
    if environment is Environment.PRODUCTION:
        if host in _NOT_PRODUCTION or not re.fullmatch(_NAMED_HOST, host):
            read.refuse(name, "must be the production switch in production, by its name: not this machine, UAT or conformance")
    elif host == _PRODUCTION_HOST and who is not Function.PROBE:
        read.refuse(name, "must not be the production switch outside of production: what is sold there costs money")
    return f"{parts.scheme}://{parts.netloc}"


def _timeouts(read: Variables) -> tuple[int, int, int]:
    """An exchange ends before its function's timeout, and the function before the lease: no request outlives its claim."""
    exchange = read.number("MOBILEMART_TIMEOUT_SECONDS", 60, most=600)
    function = read.number("FUNCTION_TIMEOUT_SECONDS", 220, most=3600)
    lease = read.number("VENDING_LEASE_SECONDS", 240, most=_DAY)
    if not exchange < function:
        read.refuse("MOBILEMART_TIMEOUT_SECONDS", f"must be less than FUNCTION_TIMEOUT_SECONDS ({exchange} is not below {function})")
    if not function < lease:
        read.refuse("FUNCTION_TIMEOUT_SECONDS", f"must be less than VENDING_LEASE_SECONDS ({function} is not below {lease})")
    return exchange, function, lease


def _amounts(read: Variables) -> tuple[Money, Money]:
    minimum = read.number("MINIMUM_AMOUNT_CENTS", 100, most=_MAX_CENTS)
    maximum = read.number("MAXIMUM_AMOUNT_CENTS", 500_000, most=_MAX_CENTS)
    if minimum > maximum:
        read.refuse("MINIMUM_AMOUNT_CENTS", f"must be at most MAXIMUM_AMOUNT_CENTS ({minimum} is above {maximum})")
    return Money(minimum), Money(maximum)


def _retention(read: Variables) -> tuple[int, int]:
    """How long sales and their personal data are stored."""
    days = read.number("RETENTION_DAYS", 1826, least=_MIN_DAYS_KEPT, most=36_525)
    personal = read.number("PERSONAL_DATA_DAYS", min(400, days), least=_MIN_DAYS_KEPT, most=36_525)
    if personal > days:
        read.refuse("PERSONAL_DATA_DAYS", f"must be at most RETENTION_DAYS ({personal} is above {days})")
    return days, personal


def _store(read: Variables, environment: Environment | None) -> tuple[str | None, str | None]:
    """The SQLite file, if the store is SQLite, and the project."""
    project = read.text("GOOGLE_CLOUD_PROJECT", _PROJECT, "a project id")
    name, sqlite_path = "TRANSACTION_STORE", None
    match read.given.get(name, "firestore").split(":///", 1):
        case ["firestore"]:
            read.require("GOOGLE_CLOUD_PROJECT", f"with {name}=firestore")
        case ["sqlite", path] if path:
            sqlite_path = path
            if environment not in {None, Environment.LOCAL}:
                read.refuse(name, "must be firestore unless ENVIRONMENT=local: a file is gone with its instance")
        case _:
            read.refuse(name, "must be firestore or sqlite:///path")
    return sqlite_path, project


def _events_topic(read: Variables, environment: Environment | None, who: Function) -> str | None:
    name = "EVENTS_TOPIC"
    if environment not in {None, Environment.LOCAL} and who in {Function.PURCHASE, Function.RECONCILE}:
        read.require(name, "unless ENVIRONMENT=local")
    return read.text(name, rf"projects/{_PROJECT}/topics/[A-Za-z][\w.~+%-]{{2,254}}", "projects/PROJECT/topics/TOPIC")


def _settlement_files(read: Variables, environment: Environment | None, who: Function) -> str | None:
    """Required in production only. Elsewhere the supplier may deliver no file, and each day is reported as without a file."""
    name = "SETTLEMENT_FILES"
    if environment is Environment.PRODUCTION and who is Function.RECONCILE:
        read.require(name, "in production")
    return read.text(name, r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/.*)?|file:///.+", "gs://bucket/prefix or file:///folder")


def _oidc(read: Variables, environment: Environment | None, who: Function) -> Oidc | None:
    needed = environment not in {None, Environment.LOCAL} and who in {Function.PREVEND, Function.PURCHASE}
    where = "unless ENVIRONMENT=local" if needed else "when another OIDC_ variable is set"
    if needed or any(name.startswith("OIDC_") for name in read.given):
        for name in ("OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_JWKS_URL"):
            read.require(name, where)
    issuer = read.address("OIDC_ISSUER", clear=_clear(environment))
    audience = read.text("OIDC_AUDIENCE", r"[!-~]{1,500}", "the audience of the tokens, in visible ASCII")
    jwks_url = read.address("OIDC_JWKS_URL", clear=_clear(environment))
    scope = read.text("OIDC_SCOPE", r"[!#-\[\]-~]{1,200}", "one scope, without spaces")
    claim = read.choice("OIDC_SCOPE_CLAIM", ScopeClaim.SCOPE)
    aliases = _issuer_aliases(read, issuer, clear=_clear(environment))
    return Oidc(issuer, audience, jwks_url, scope, claim, aliases) if issuer and audience and jwks_url else None


def _issuer_aliases(read: Variables, issuer: str | None, *, clear: bool) -> tuple[str, ...]:
    """The issuer's earlier addresses. The order of a repeated address would be unknown."""
    name = "OIDC_ISSUER_ALIASES"
    given = [address.strip() for address in read.given.get(name, "").split(",") if address.strip()]
    if not all(is_address(address, clear=clear) for address in given):
        read.refuse(name, "must be the issuer's earlier addresses, the oldest first, separated by commas")
    elif len({*given, issuer}) <= len(given):
        read.refuse(name, "must not name an address twice, nor the present one")
    return tuple(given)


def _emulators(read: Variables, environment: Environment | None) -> dict[str, str]:
    """The emulators that are set. The client libraries find theirs themselves, so production must set none."""
    given = {name: value for name in (*_EMULATORS, _STORAGE_EMULATOR) if (value := read.given.get(name))}
    for name, value in given.items():
        is_storage = name == _STORAGE_EMULATOR
        parts = split_address(value if is_storage else f"//{value}")
        if environment is Environment.PRODUCTION:
            read.refuse(name, "must not be set in production: what is sold into an emulator is forgotten")
        elif parts is None or parts.port is None or parts.path.strip("/") or not is_loopback(parts.hostname):
            read.refuse(name, "must be http://host:port on loopback" if is_storage else "must be host:port on loopback")
    return given
