"""A plugin of pytest: all that is logged during a session is searched for what no log may hold, and the session fails if it is there.

Heard is every record that passes a logger of this process, in the form in which it leaves, and all that the Python processes say
that tests start. Searched for are STS tokens, PINs, bearer tokens, the secrets that were configured, and whole meter, account and
mobile numbers: by their form, or because a test used them. What is written for a person at a terminal is no log: of the programs
in `local/` only their log lines count.

Where the tests are spread over workers, each of them listens for itself, and the session that they belong to adds up what they heard.
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

FEWEST_CHARACTERS: Final = 8  # of a number or secret that is looked for; a shorter account is any other number, too
MOST_SHOWN: Final = 20

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
_NUMBER: Final = re.compile(rf"{_ALONE}[0-9]{{{FEWEST_CHARACTERS},9}}{_END}")
_SENT: Final = re.compile(r"(?:meter|account|mobile)Number(?:=|\"\s*:\s*\")([0-9]{8,20})")
_FOR_PEOPLE: Final = re.compile(r"local(?:\..*)?")


@dataclass
class Ear:
    """What was heard, and what of it is telling."""

    records: int = 0
    processes: int = 0
    lines: int = 0  # of what they said
    used: set[str] = field(default_factory=set)  # numbers of meters, accounts and mobiles
    secrets: set[str] = field(default_factory=lambda: {SIMULATED_CLIENT_SECRET})
    _found: dict[str, str] = field(default_factory=dict)  # by where it was said
    _numbers: dict[str, str] = field(default_factory=dict)  # said, and where: telling if they are used as well

    def hear(self, text: str, where: str) -> None:
        plain = _HARMLESS.sub("", text)
        for match in _TELLING.finditer(plain):
            self._note(match.lastgroup or "", match[0], where)
        for number in _NUMBER.findall(plain):
            self._numbers.setdefault(number, where)
        for secret in self.secrets:
            if secret in text:
                self._note("secret", secret, where)

    def add(self, other: "Ear") -> None:
        """What another one has heard: a number said there may have been used here."""
        self.records += other.records
        self.processes += other.processes
        self.lines += other.lines
        self.used |= other.used
        self.secrets |= other.secrets
        self._found = {**other._found, **self._found}
        self._numbers = {**other._numbers, **self._numbers}

    @property
    def findings(self) -> list[str]:
        """What was said where, by its kind and its first digits."""
        accounts = {where: _short("account", number) for number, where in self._numbers.items() if number in self.used}
        return [f"{where}: {what}" for where, what in {**accounts, **self._found}.items()]

    def _note(self, kind: str, value: str, where: str) -> None:
        self._found.setdefault(where, _short(kind, value))


@dataclass(frozen=True)
class _Child:
    process: subprocess.Popen[Any]
    said: IO[bytes]
    where: str
    only_log_lines: bool


class Overhearing:
    """The ear of a session, and what it listens through: in any thread, one at a time."""

    def __init__(self) -> None:
        self.ear = Ear()
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
                    self.ear.records += 1
                    self.ear.hear(text, f"{_test()}, {record.name}, {record.levelname}")
            handle(logger, record)

        def begun(process: subprocess.Popen[Any], args: Any, *more: Any, **options: Any) -> None:
            if not (command := _python(args)):
                return begin(process, args, *more, **options)
            with tempfile.NamedTemporaryFile() as instead:
                streams = {name: options.get(name) for name in ("stdout", "stderr")}
                heard = {name: instead if stream == subprocess.DEVNULL else stream for name, stream in streams.items()}
                begin(process, args, *more, **{**options, **heard})
                with self._turn:
                    self.ear.processes += 1
                    self._attend(process, command, heard.values())
            return None

        def communicated(process: subprocess.Popen[Any], *more: Any, **options: Any) -> tuple[Any, Any]:
            said = communicate(process, *more, **options)
            if command := _python(process.args):
                with self._turn:
                    for text in filter(None, said):
                        self._hear_process(text if isinstance(text, str) else text.decode(errors="replace"), *_told(command))
            return said

        def sent(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
            self._learn(request)
            return send(client, request, **options)

        async def sent_async(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
            self._learn(request)
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
        if recipient is not None and len(recipient) >= FEWEST_CHARACTERS and recipient.isdecimal():
            with self._turn:
                self.ear.used.add(recipient)
        return recipient

    def _configured(self, credentials: Credentials) -> None:
        if len(credentials.client_secret) >= FEWEST_CHARACTERS:
            with self._turn:
                self.ear.secrets.add(credentials.client_secret)

    def _learn(self, request: httpx.Request) -> None:
        """The numbers that a request names."""
        content = getattr(request, "_content", None) or b""  # a stream has none yet
        with self._turn:
            self.ear.used.update(_SENT.findall(f"{request.url}\n{content[:4096].decode(errors='replace')}"))

    def _attend(self, process: subprocess.Popen[Any], command: Sequence[str], streams: Iterable[Any]) -> None:
        self._gather()
        where, only_log_lines = _told(command)
        for name in {getattr(stream, "name", None) for stream in streams}:
            if isinstance(name, str):
                said = Path(name).open("rb")  # noqa: SIM115 - while the process runs; the file may be gone before it ends
                self._children.append(_Child(process, said, where, only_log_lines))

    def _gather(self, *, everything: bool = False) -> None:
        """Read what ended processes have said."""
        for child in [child for child in self._children if everything or child.process.returncode is not None]:
            self._children.remove(child)
            with child.said:
                self._hear_process(child.said.read().decode(errors="replace"), child.where, child.only_log_lines)

    def _hear_process(self, text: str, where: str, only_log_lines: bool) -> None:
        for line in text.splitlines():
            if line.startswith("{") or not only_log_lines:
                self.ear.lines += 1
                self.ear.hear(line, where)


OVERHEARING: Final = pytest.StashKey[Overhearing]()
HEARD_BY_WORKER: Final = "overheard"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OVERHEARING] = Overhearing()


def pytest_sessionstart(session: pytest.Session) -> None:
    if getattr(session.config.option, "dist", "no") == "no":  # a session that spreads its tests has nothing to say itself
        session.config.stash[OVERHEARING].start()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended: one that crashed says nothing any more, and has failed the session."""
    if heard := getattr(node, "workeroutput", {}).get(HEARD_BY_WORKER):
        node.config.stash[OVERHEARING].ear.add(Ear(**heard))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    overhearing = session.config.stash[OVERHEARING]
    overhearing.stop()
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told[HEARD_BY_WORKER] = asdict(overhearing.ear)
    if overhearing.ear.findings:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ear = config.stash[OVERHEARING].ear
    heard = f"{ear.records} records, {ear.lines} lines of {ear.processes} processes"
    terminalreporter.line(f"logs: {heard}, {len(ear.findings)} with what none may hold")
    for finding in ear.findings[:MOST_SHOWN]:
        terminalreporter.line(f"  {finding}", red=True)


def _python(args: Any) -> list[str]:
    """The command, if it is a Python program's."""
    command = [args] if isinstance(args, str | bytes | os.PathLike) else list(args)
    words = [os.fsdecode(word) for word in command]
    return words if Path(words[0]).name.startswith(("python", "functions-framework")) else []


def _told(command: Sequence[str]) -> tuple[str, bool]:
    """Which process says it, and whether it speaks to a person, beside logging."""
    module = command[command.index("-m") + 1] if "-m" in command[:-1] else ""
    name = module or Path(command[0]).name
    return f"{_test()}, process {name}", _FOR_PEOPLE.fullmatch(module) is not None


def _test() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "between tests").partition(" (")[0]


def _short(kind: str, value: str) -> str:
    return f"a {kind.replace('_', ' ')}: {value[:3]}..."
