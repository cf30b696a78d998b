"""The page in a browser, over `make run`'s process. The browser is Debian's chromium; the driver comes with our requirements."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from tests.emulators import free_port
from tests.root import ROOT

EXCHANGE_SECONDS = 1  # instead of 60: what the supplier answers too late is known to be late sooner
PATIENCE_MS = 60_000  # for what takes seconds on a quiet machine

Looking = Callable[..., Awaitable["Looked"]]


@dataclass
class Looked:
    """A page, and what must never happen on it."""

    page: Page
    caller: str  # of its own: no sale of another test is in its way
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The whole system as `make run` starts it, and a client of it."""
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "MOBILEMART_TIMEOUT_SECONDS": str(EXCHANGE_SECONDS)}
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "--port", str(port)],
        cwd=tmp_path_factory.mktemp("page"),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            until(lambda: _is_up(client))
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.fixture
def selling(system: httpx.Client) -> httpx.Client:
    """The system with its brake released, whatever an earlier test did."""
    system.post("/reconcile/selling", json={"paused": [], "reason": "a test begins"}).raise_for_status()
    return system


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[BrowserContext]:
    """One for all tests: to begin anew costs more than a test. Without it they are skipped, but never where a build relies on them."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing = "there is no chromium on PATH: `apt-get install chromium`"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        context = await launched.new_context(reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        yield context
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def looking(browser: BrowserContext, selling: httpx.Client) -> AsyncIterator[Looking]:
    """Opens the page: `looking(width=390)`. Whatever a test does, the page asks no other host and has nothing to complain of."""
    base, opened = str(selling.base_url), list[Looked]()

    async def look(width: int = 1280) -> Looked:
        caller = uuid.uuid4().hex
        await browser.set_extra_http_headers({"X-Caller": caller})
        looked = Looked(await browser.new_page(), caller)
        opened.append(looked)
        await looked.page.set_viewport_size({"width": width, "height": 900})
        looked.page.on("request", lambda request: looked.hosts.add(urlsplit(request.url).netloc))
        looked.page.on("pageerror", lambda error: looked.complaints.append(str(error)))
        looked.page.on("console", lambda said: looked.complaints.extend([said.text] if _is_complaint(said.type, said.text) else []))
        await looked.page.goto(base)
        await looked.page.locator("html[data-ready]").wait_for()
        return looked

    expect.set_options(timeout=PATIENCE_MS)
    yield look
    for page in browser.pages:
        await page.close()
    assert {host for looked in opened for host in looked.hosts} <= {urlsplit(base).netloc}
    assert [complaint for looked in opened for complaint in looked.complaints] == []


def _is_complaint(kind: str, text: str) -> bool:
    """Chromium notes every answer of 400 and more as an error; a refusal is what the page is there to show."""
    return kind in {"error", "warning"} and not text.startswith("Failed to load resource: the server responded with a status of")


def until(wanted: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until it is so."""
    give_up_at = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/reconcile/health").is_success
    except httpx.TransportError:
        return False
