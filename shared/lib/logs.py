"""Logging: a fixed message plus fields, one JSON object a line on stdout, in the form that Cloud Logging reads.

All logs pass through the standard library's logging. Logs of other libraries, from WARNING on, get the same form and the same mask.
Bearer values never leave: no stack trace, no exception text, no field named like a secret.
As a last defence the mask removes every long run of digits from every text.
"""

import json
import logging
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from enum import Enum, auto
from functools import cache, lru_cache
from itertools import islice
from traceback import walk_tb
from typing import Final

from shared.lib.masking import last_four
from shared.lib.value import Value

REFUSED: Final = "[refused]"  # in the place of a field that must not be logged at all
MASKED: Final = "[masked]"  # in the place of a bearer value in a text

_OURS: Final = "gateway"  # parent of our own loggers: one place for their level
_MAX_CHARACTERS: Final = 4096  # of one text; an entry of Cloud Logging has at most 256 KiB
_MAX_ITEMS: Final = 50
_MAX_DEPTH: Final = 5
_MAX_FRAMES: Final = 12

_PERSONAL: Final = frozenset({"meternumber", "meter", "accountnumber", "account", "mobilenumber", "msisdn", "recipient"})
_BEARER: Final = frozenset(
    {"token", "tokens", "pin", "pins", "secret", "secrets", "authorization", "password", "credential", "credentials", "assertion", "cookie"}
)
_ABOUT: Final = frozenset({"count", "due", "kind", "name"})  # `tokens_due`, `secret_name`: such a field describes a bearer value
_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")

_HARMLESS: Final = (  # identifiers that may hold long runs of digits by chance
    r"(?<![0-9A-Za-z])(?:"
    r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"  # traceparent
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # UUID
    r"|RECON\.2[0-9]{7,16}\.txt"  # the end of a settlement file's name: the moment of its making
    r"|(?=[0-9]*[a-fA-F])(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{40}|[0-9a-fA-F]{32}|[0-9a-fA-F]{16})"  # hashes; span and trace ids
    r")(?![0-9A-Za-z])"
)
_MIN_CHARACTERS: Final = 10  # of the shortest text that the mask can change
_SEPARATOR: Final = r"(?:%20|[\s+_\-\u2010-\u2015]){0,2}"  # between the groups of tokens and PINs, on slips and in URLs
_SENSITIVE: Final = re.compile(
    rf"(?P<harmless>{_HARMLESS})"
    r"|(?P<scheme>\b(?:Bearer|Basic)\s+)[\w.~+/=-]+"
    r"|(?P<jwt>\beyJ[\w-]{8,}(?:\.[\w-]*)*)"
    rf"|(?P<bearer>[0-9](?:{_SEPARATOR}[0-9]){{15,}})"  # STS tokens have 20 digits, PINs up to 16
    r"|(?P<personal>[0-9]{10,15})",  # meters have 11 or 13, mobile numbers 10 or 11; shorter PINs have 14
    re.IGNORECASE,
)
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_CLOUD_TRACE: Final = re.compile(r"([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;.*)?")

_trace: ContextVar[Mapping[str, str]] = ContextVar("trace", default={})  # noqa: B039 -- never written to


class _Kind(Enum):
    """The kind of value that a field's name promises."""

    PLAIN = auto()
    PERSONAL = auto()
    BEARER = auto()


class Logger(Value, frozen=True):
    """Logs a fixed message and its fields. Meter, account and mobile numbers may be passed whole: the log shows four digits.

    A field may be an exception: the log shows its type and the places that it passed, never its text.
    """

    _logger: logging.Logger

    def info(self, message: str, /, **fields: object) -> None:
        self._log_at(logging.INFO, message, fields)

    def warning(self, message: str, /, **fields: object) -> None:
        self._log_at(logging.WARNING, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        self._log_at(logging.ERROR, message, fields)

    def critical(self, message: str, /, **fields: object) -> None:
        self._log_at(logging.CRITICAL, message, fields)

    def _log_at(self, level: int, message: str, fields: Mapping[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, message, extra={"fields": fields})


def logger(name: str) -> Logger:
    """The logger of a module: `log = logs.logger(__name__)`."""
    return Logger(logging.getLogger(f"{_OURS}.{name}"))


def configure() -> None:
    """Send every log of this process to stdout as JSON. A later call takes loggers back that another library has taken over."""
    logging.raiseExceptions = False  # else `logging` prints a record that cannot be written, with its arguments
    logging.captureWarnings(True)
    for name in list(logging.root.manager.loggerDict):  # servers add handlers of their own, and disable foreign loggers
        theirs = logging.getLogger(name)
        theirs.handlers.clear()
        theirs.propagate = True
        theirs.disabled = False
    logging.root.handlers[:] = [_stdout()]
    logging.root.setLevel(logging.WARNING)
    logging.getLogger(_OURS).setLevel(logging.INFO)


@contextmanager
def traced(headers: Mapping[str, str], project: str | None = None) -> Iterator[None]:
    """Within: every line carries the trace of the request that came with `headers` (whose look-up ignores case).

    Cloud Logging groups lines under a request when the trace also names the project.

    The platform may set `LOG_EXECUTION_ID` by itself. functions-framework then disables every logger once a function is loaded,
    and replaces our handler by its own: no alert, and no mask. This function therefore takes the logs of the process back.
    """
    if logging.getLogger(_OURS).disabled:
        configure()
    token = _trace.set(_trace_fields(headers, project))
    try:
        yield
    finally:
        _trace.reset(token)


def masked(text: str) -> str:
    """`text` without bearer values; meter, account and mobile numbers keep their last four digits."""
    return _SENSITIVE.sub(_mask, text) if len(text) >= _MIN_CHARACTERS else text


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, valid for any content. Never raises."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            return self._line(record, _message(record), getattr(record, "fields", {}))
        except Exception as error:  # a value's own methods fail: the line loses its fields and keeps its message
            return self._line(record, _as_text(record.msg), {"unsaid": type(error).__name__})

    def _line(self, record: logging.LogRecord, message: str, fields: Mapping[str, object]) -> str:
        line = {
            **_plain_items(fields, 0),
            **_trace.get(),
            "severity": record.levelname,
            "message": _plain_text(message),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "logger": record.name.removeprefix(f"{_OURS}."),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _exception(record.exc_info[1])
        return json.dumps(line, separators=(",", ":"), allow_nan=False)


@cache
def _stdout() -> logging.Handler:
    """The one handler of a process."""
    handler = _Stdout()
    handler.setFormatter(JsonFormatter())
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or hasattr(record, "fields"))
    return handler


class _Stdout(logging.Handler):
    """Writes to the stdout of the moment: functions-framework replaces stdout to add its execution id."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stdout.write(f"{self.format(record)}\n")
            sys.stdout.flush()
        except Exception:
            self.handleError(record)


def _message(record: logging.LogRecord) -> str:
    """The message with its arguments. Other libraries may pass arguments that do not fit; then the message alone."""
    try:
        return record.getMessage()
    except Exception:
        return _as_text(record.msg)


def _mask(match: re.Match[str]) -> str:
    match match.lastgroup:
        case "harmless":
            return match[0]
        case "personal":
            return last_four(match[0]) or ""
        case "scheme":
            return f"{match['scheme']}{MASKED}"
        case _:
            return MASKED


def _plain(value: object, depth: int) -> object:
    """`value` as a JSON value."""
    match value:
        case None | bool():
            return value
        case Enum():
            return _plain(value.value, depth)
        case str():
            return _plain_text(value)
        case int():
            return value if abs(value) < 10**15 else MASKED
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes() | bytearray() | memoryview():
            return f"{len(value)} bytes"
        case date():  # and datetime
            return value.isoformat()
        case BaseException():
            return _exception(value)
        case _ if depth == _MAX_DEPTH:
            return "..."
        case Mapping():
            return _plain_items(value, depth + 1)
        case list() | tuple() | set() | frozenset():
            return [_plain(item, depth + 1) for item in islice(value, _MAX_ITEMS)]
        case _:
            return _plain_text(_as_text(value))


def _as_text(value: object) -> str:
    """The text of a value, or its type if its `__str__` fails."""
    try:
        return str(value)
    except Exception:
        return type(value).__name__


def _plain_items(fields: Mapping[str, object], depth: int) -> dict[str, object]:
    plain: dict[str, object] = {}
    for key, value in islice(fields.items(), _MAX_ITEMS):
        name, kind = _named(str(key))
        if kind is _Kind.BEARER:
            plain[name] = REFUSED
        elif kind is _Kind.PERSONAL and value is not None:
            plain[name] = [last_four(str(item)) for item in value] if isinstance(value, list | tuple) else last_four(str(value))
        else:
            plain[name] = _plain(value, depth)
    return plain


@lru_cache(maxsize=1024)
def _named(name: str) -> tuple[str, _Kind]:
    """A field's name as the log shows it, and the kind of value that the name promises."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not _BEARER.isdisjoint(words) and words[-1] not in _ABOUT:
        kind = _Kind.BEARER
    else:
        kind = _Kind.PERSONAL if "".join(words) in _PERSONAL else _Kind.PLAIN
    return _plain_text(name), kind


def _plain_text(text: str) -> str:
    """A text, masked and then cut: a cut first could shorten a number until the mask misses it. Lone surrogates are replaced."""
    cut = masked(text)[:_MAX_CHARACTERS]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode("utf-8")


def _exception(error: BaseException) -> list[str]:
    """The types and places of an error and its causes, innermost last: `ReadTimeout at client.py:88 vend`. Texts may quote a secret."""
    return [f"{type(each).__name__}{_code(each)} at {_places(each)}" for each in _causes(error)]


def _code(error: BaseException) -> str:
    """The code of a gRPC call that failed, as ` UNAVAILABLE`: one of a fixed list, and no text."""
    aio = sys.modules.get("grpc.aio")  # a process that has not loaded the module has no such error
    return f" {error.code().name}" if aio is not None and isinstance(error, aio.AioRpcError) else ""


def _causes(error: BaseException) -> Iterable[BaseException]:
    cause: BaseException | None = error
    for _ in range(_MAX_DEPTH):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _places(error: BaseException) -> str:
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)][-_MAX_FRAMES:]
    return " < ".join(f"{code.co_filename.rpartition('/')[2]}:{line} {code.co_name}" for code, line in reversed(frames)) or "?"


def _trace_fields(headers: Mapping[str, str], project: str | None) -> dict[str, str]:
    if w3c := _TRACEPARENT.fullmatch(headers.get("traceparent", "")):
        trace, span = w3c[1], w3c[2]
    elif cloud := _CLOUD_TRACE.fullmatch(headers.get("x-cloud-trace-context", "")):
        trace, span = cloud[1].lower(), f"{int(cloud[2] or 0):016x}"
    else:
        return {}
    fields = {"logging.googleapis.com/trace": f"projects/{project}/traces/{trace}" if project else trace}
    if 0 < int(span, 16) < 2**64:
        fields["logging.googleapis.com/spanId"] = span
    return fields if int(trace, 16) else {}
