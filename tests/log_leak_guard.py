"""A pytest plugin that fails the session if a log line holds a token, a secret or a whole number.

The plugin searches every record that a logger of this process formats, and all output of Python processes that tests start.
The plugin searches for STS tokens, PINs, bearer tokens, configured secrets, and whole meter, account and mobile numbers.
The form of a value betrays the value, or a test used the value. Output for a person at a terminal is no log: the plugin searches
only the log lines of the programs in `local/`.

With several workers, each worker searches its own output, and the session adds up the findings.
"""

import logging
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import httpx
import pytest

from shared.domain.vas import Order
from shared.lib import logs
from shared.mobilemart.simulator import SIMULATED_CLIENT_SECRET
from shared.ports.credentials import Credentials

MIN_CHARACTERS: Final = 8  # of a number or secret that is looked for; a shorter account is any other number, too
MAX_SHOWN: Final = 20

_ALONE, _END = r"(?<![0-9A-Za-z.])", r"(?![0-9A-Za-z])"
_HARMLESS: Final = re.compile(
    r"\"logging\.googleapis\.com/(?:trace|spanId)\":\"[^\"]*\""  # a trace is the caller's, and hexadecimal whatever it looks like
    rf"|{_ALONE}(?:[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|(?=[0-9]*[a-f])(?:[0-9a-f]{{64}}|[0-9a-f]{{40}}|[0-9a-f]{{32}}"
    rf"|[0-9a-f]{{16}})){_END}"
)
_TELLING: Final = re.compile(
    rf"(?P<token_or_PIN>{_ALONE}[0-9]{{14,}}{_END})"
    rf"|(?P<grouped_token>(?<![0-9])(?:[0-9]{{4}}(?:%20|[ +_-])){{3,4}}[0-9]{{4}}(?![0-9]))"
    rf"|(?P<meter_account_or_mobile>{_ALONE}[0-9]{{10,13}}{_END})"
    r"|(?P<JWT>\beyJ[\w-]{10,})"
    r"|(?P<credentials>\b(?:[Bb]earer|[Bb]asic) (?!\[masked\]|error)[\w.~+/=-]{8,})"
    r"|(?P<access_token>\bsimulated\.[0-9]+\.[0-9a-f]+)"
)
_NUMBER: Final = re.compile(rf"{_ALONE}[0-9]{{{MIN_CHARACTERS},9}}{_END}")
_SENT: Final = re.compile(r"(?:meter|account|mobile)Number(?:=|\"\s*:\s*\")([0-9]{8,20})")
_FOR_PEOPLE: Final = re.compile(r"local(?:\..*)?")


@dataclass
class LeakSearch:
    """Counts of searched lines, and the findings in them."""

    records: int = 0
    processes: int = 0
    lines: int = 0  # of their output
    used: set[str] = field(default_factory=set)  # numbers of meters, accounts and mobiles
    secrets: set[str] = field(default_factory=lambda: {SIMULATED_CLIENT_SECRET})
    _found: dict[str, str] = field(default_factory=dict)  # by place
    _numbers: dict[str, str] = field(default_factory=dict)  # with their place: findings if a test used them

    def scan(self, text: str, where: str) -> None:
        plain = _HARMLESS.sub("", text)
        for match in _TELLING.finditer(plain):
            self._add_finding(match.lastgroup or "", match[0], where)
        for number in _NUMBER.findall(plain):
            self._numbers.setdefault(number, where)
        for secret in self.secrets:
            if secret in text:
                self._add_finding("secret", secret, where)

    def add(self, other: "LeakSearch") -> None:
        """Merge another search: a test here may have used a number that was logged there."""
        self.records += other.records
        self.processes += other.processes
        self.lines += other.lines
        self.used |= other.used
        self.secrets |= other.secrets
        self._found = {**other._found, **self._found}
        self._numbers = {**other._numbers, **self._numbers}

    @property
    def findings(self) -> list[str]:
        """Each finding with its place, its kind and its first digits."""
        accounts = {where: _short("account", number) for number, where in self._numbers.items() if number in self.used}
        return [f"{where}: {what}" for where, what in {**accounts, **self._found}.items()]

    def _add_finding(self, kind: str, value: str, where: str) -> None:
        self._found.setdefault(where, _short(kind, value))


@dataclass(frozen=True)
class _Child:
    process: subprocess.Popen[Any]
    output: IO[bytes]
    where: str
    only_log_lines: bool


class LeakGuard:
    """The search of one session, and the patches that feed the search: from any thread, one at a time."""

    def __init__(self) -> None:
        self.search = LeakSearch()
        self._turn = threading.RLock()
        self._children: list[_Child] = []
        self._patches = pytest.MonkeyPatch()

    def start(self) -> None:
        logging.getLogger("gateway").setLevel(logging.INFO)  # as a function that runs sets it
        patch, form = self._patches, logs.JsonFormatter()
        handle, begin, communicate = logging.Logger.callHandlers, subprocess.Popen.__init__, subprocess.Popen.communicate
        send, send_async = httpx.Client.send, httpx.AsyncClient.send

        def handled(logger: logging.Logger, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING or hasattr(record, "fields"):
                text = form.format(record)
                with self._turn:
                    self.search.records += 1
                    self.search.scan(text, f"{_test()}, {record.name}, {record.levelname}")
            handle(logger, record)

        def begun(process: subprocess.Popen[Any], args: Any, *more: Any, **options: Any) -> None:
            if not (command := _python(args)):
                return begin(process, args, *more, **options)
            with tempfile.NamedTemporaryFile() as instead:
                streams = {name: options.get(name) for name in ("stdout", "stderr")}
                searched = {name: instead if stream == subprocess.DEVNULL else stream for name, stream in streams.items()}
                begin(process, args, *more, **{**options, **searched})
                with self._turn:
                    self.search.processes += 1
                    self._follow(process, command, searched.values())
            return None

        def communicated(process: subprocess.Popen[Any], *more: Any, **options: Any) -> tuple[Any, Any]:
            outputs = communicate(process, *more, **options)
            if command := _python(process.args):
                with self._turn:
                    for text in filter(None, outputs):
                        self._search_process(text if isinstance(text, str) else text.decode(errors="replace"), *_origin(command))
            return outputs

        def sent(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
            self._remember_numbers(request)
            return send(client, request, **options)

        async def sent_async(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
            self._remember_numbers(request)
            return await send_async(client, request, **options)

        patch.setattr(logging.Logger, "callHandlers", handled)
        patch.setattr(subprocess.Popen, "__init__", begun)
        patch.setattr(subprocess.Popen, "communicate", communicated)
        patch.setattr(httpx.Client, "send", sent)
        patch.setattr(httpx.AsyncClient, "send", sent_async)
        recipient, init = Order.recipient.fget, Credentials.__init__

        def asked(order: Order) -> str | None:  # of every order before it is claimed
            return self._ordered(recipient(order))

        def made(credentials: Credentials, *values: Any, **named: Any) -> None:
            init(credentials, *values, **named)
            self._configured(credentials)

        patch.setattr(Order, "recipient", property(asked))
        patch.setattr(Credentials, "__init__", made)

    def stop(self) -> None:
        self._patches.undo()
        with self._turn:
            self._gather(everything=True)

    def _ordered(self, recipient: str | None) -> str | None:
        if recipient is not None and len(recipient) >= MIN_CHARACTERS and recipient.isdecimal():
            with self._turn:
                self.search.used.add(recipient)
        return recipient

    def _configured(self, credentials: Credentials) -> None:
        if len(credentials.client_secret) >= MIN_CHARACTERS:
            with self._turn:
                self.search.secrets.add(credentials.client_secret)

    def _remember_numbers(self, request: httpx.Request) -> None:
        """The numbers that a request names."""
        content = getattr(request, "_content", None) or b""  # a stream has none yet
        with self._turn:
            self.search.used.update(_SENT.findall(f"{request.url}\n{content[:4096].decode(errors='replace')}"))

    def _follow(self, process: subprocess.Popen[Any], command: Sequence[str], streams: Iterable[Any]) -> None:
        self._gather()
        where, only_log_lines = _origin(command)
        for name in {getattr(stream, "name", None) for stream in streams}:
            if isinstance(name, str):
                output = Path(name).open("rb")  # noqa: SIM115 - while the process runs; the file may be gone before it ends
                self._children.append(_Child(process, output, where, only_log_lines))

    def _gather(self, *, everything: bool = False) -> None:
        """Read the output of ended processes."""
        for child in [child for child in self._children if everything or child.process.returncode is not None]:
            self._children.remove(child)
            with child.output:
                self._search_process(child.output.read().decode(errors="replace"), child.where, child.only_log_lines)

    def _search_process(self, text: str, where: str, only_log_lines: bool) -> None:
        for line in text.splitlines():
            if line.startswith("{") or not only_log_lines:
                self.search.lines += 1
                self.search.scan(line, where)


LEAK_GUARD: Final = pytest.StashKey[LeakGuard]()
FOUND_BY_WORKER: Final = "log_leak_guard"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEAK_GUARD] = LeakGuard()


def pytest_sessionstart(session: pytest.Session) -> None:
    if getattr(session.config.option, "dist", "no") == "no":  # a session with workers runs no test itself
        session.config.stash[LEAK_GUARD].start()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add the findings of a worker that ended. A crashed worker reports none and has failed the session."""
    if found := getattr(node, "workeroutput", {}).get(FOUND_BY_WORKER):
        node.config.stash[LEAK_GUARD].search.add(LeakSearch(**found))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    guard = session.config.stash[LEAK_GUARD]
    guard.stop()
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told[FOUND_BY_WORKER] = asdict(guard.search)
    if guard.search.findings:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    search = config.stash[LEAK_GUARD].search
    counts = f"{search.records} records, {search.lines} lines of {search.processes} processes"
    terminalreporter.line(f"logs: {counts}, {len(search.findings)} with what none may hold")
    for finding in search.findings[:MAX_SHOWN]:
        terminalreporter.line(f"  {finding}", red=True)


def _python(args: Any) -> list[str]:
    """The command, if it is a Python program's."""
    command = [args] if isinstance(args, str | bytes | os.PathLike) else list(args)
    words = [os.fsdecode(word) for word in command]
    return words if Path(words[0]).name.startswith(("python", "functions-framework")) else []


def _origin(command: Sequence[str]) -> tuple[str, bool]:
    """The name of the process, and whether the process also writes for a person at a terminal."""
    module = command[command.index("-m") + 1] if "-m" in command[:-1] else ""
    name = module or Path(command[0]).name
    return f"{_test()}, process {name}", _FOR_PEOPLE.fullmatch(module) is not None


def _test() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "between tests").partition(" (")[0]


def _short(kind: str, value: str) -> str:
    return f"a {kind.replace('_', ' ')}: {value[:3]}..."
