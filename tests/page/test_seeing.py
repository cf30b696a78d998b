"""The page for everybody: at any width, in the dark, by ear, and by itself."""

import os
import re
import subprocess
import sys
import zipfile
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from local import package, page
from shared.mobilemart.settlement_writer import Plant
from shared.mobilemart.simulator import SCENARIOS
from tests.page.conftest import EXCHANGE_SECONDS, Looking
from tests.page.test_buying import play, state

browsing = pytest.mark.asyncio(loop_scope="session")

CONTRASTS = Path(__file__).with_name("contrast.js").read_text()
NAMELESS = """all => all.filter(each => each.checkVisibility() && !(each.innerText || each.labels?.length || each.ariaLabel))
    .map(each => each.outerHTML)"""
OUT_OF_REACH = """() => [...document.querySelectorAll("body *")]
    .filter(each => /auto|scroll/.test(getComputedStyle(each).overflowY) && each.checkVisibility())
    .filter(each => each.scrollHeight > each.clientHeight && each.tabIndex < 0).map(each => each.outerHTML.slice(0, 99))"""
REPEATED_IDS = """() => [...document.querySelectorAll("[id]")].map(each => each.id).filter((id, at, all) => all.indexOf(id) !== at)"""


async def everything(shown: Page) -> None:
    """Bring the page to show all that it can: a prevend, a slip, every scenario, a sale, a settled day."""
    await shown.get_by_label("Amount in rand").fill("5.00")
    await shown.get_by_role("button", name="Check meter").click()
    await expect(shown.locator("#confirmation .bad")).to_be_visible()
    await play(shown, "key-change")
    await state(shown, "Vended")
    await shown.locator("#groups details").evaluate_all("all => all.forEach(each => each.open = true)")
    await shown.get_by_label("A cent too much").check()
    await shown.get_by_role("button", name="Deliver and settle").click()
    await expect(shown.locator("#settled .figures")).to_be_visible()
    await expect(shown.locator("#sales tbody tr").first).to_be_visible()


@browsing
async def test_all_is_legible_and_nothing_is_wider_than_the_window_at_any_width_in_the_light_and_in_the_dark(looking: Looking) -> None:
    shown = (await looking()).page
    await everything(shown)
    for scenario, words in ((None, "Vended"), ("refused-1011", "Rejected"), ("lost-before", "In doubt")):
        if scenario is not None:
            await play(shown, scenario)
        await state(shown, words)
        for width in (360, 390, 1280, 1600):
            await shown.set_viewport_size({"width": width, "height": 900})
            assert await shown.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, words)
        for scheme in ("light", "dark"):
            await shown.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert await shown.evaluate(CONTRASTS) == [], (scheme, words)


@browsing
async def test_on_a_phone_what_is_clicked_brings_its_outcome_into_view(looking: Looking) -> None:
    shown = (await looking(390)).page
    await play(shown, "plain")
    await state(shown, "Vended")
    await expect(shown.locator("#outcome-title")).to_be_in_viewport()
    await shown.get_by_role("button", name="Operator’s view").click()
    await expect(shown.locator("#exchanges pre", has_text="history").last).to_be_in_viewport()


@browsing
async def test_the_page_makes_sense_by_ear(looking: Looking) -> None:
    shown = (await looking()).page
    await everything(shown)
    for landmark in ("banner", "main", "contentinfo", "navigation"):
        await expect(shown.get_by_role(landmark)).to_have_count(1)  # type: ignore[arg-type]
    headings = await shown.get_by_role("heading").evaluate_all("all => all.map(each => Number(each.tagName[1]))")
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(deeper <= level + 1 for level, deeper in pairwise(headings))
    for section in ("Buy", "Outcome", "Request and answer", re.compile("^Scenarios"), re.compile("^Today"), re.compile("^Settle today")):
        await expect(shown.get_by_role("region", name=section, exact=isinstance(section, str))).to_have_count(1)
    assert await shown.locator("button, a, input, select, summary").evaluate_all(NAMELESS) == []
    assert await shown.evaluate(REPEATED_IDS) == []
    await expect(shown.get_by_role("status")).to_have_attribute("aria-live", "polite")
    assert await shown.evaluate(OUT_OF_REACH) == []
    await expect(shown.get_by_role("article", name="Till slip")).to_match_aria_snapshot(
        """
        - article "Till slip":
          - paragraph: SIMULATED no value
          - heading "Prepaid electricity" [level=3]
        """
    )


def test_the_page_may_run_and_load_only_what_is_its_own(system: httpx.Client) -> None:
    answer = system.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "http" not in policy and policy.startswith("default-src 'none'")
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", answer.text)
    for path in page.FOLDER.iterdir():
        assert not re.search(r"(?:src|href|url|import|from)\s*[=(]?\s*[\"']?(?:https?:)?//", path.read_text()), path.name
        if path.name != "index.html":
            assert system.get(f"/page/{path.name}").headers["X-Content-Type-Options"] == "nosniff"
    assert system.get("/page/..%2Fapp.py").status_code == 404


def test_without_the_simulator_there_is_no_page(tmp_path: Path) -> None:
    secrets = {f"MOBILEMART_CLIENT_{each}_SECRET": "projects/p/secrets/s/versions/latest" for each in ("ID", "SECRET")}
    live = {"ENVIRONMENT": "local", "MOBILEMART_LIVE_INTEGRATION": "true", "MOBILEMART_API_URL": "http://127.0.0.1:9", **secrets}
    paths = "from local.app import app; print(*(route.path for route in app().routes))"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(package.ROOT),
        "TRANSACTION_STORE": f"sqlite:///{tmp_path}/live.db",
        **live,
    }
    said = subprocess.run([sys.executable, "-c", paths], env=environment, check=True, capture_output=True, text=True).stdout.split()
    assert "/purchase" in said
    assert not [path for path in said if path == "/" or path.startswith(("/page", "/local"))]


def test_the_page_is_in_no_archive() -> None:
    for name in package.functions():
        with zipfile.ZipFile(BytesIO(package.archive(name))) as bundle:
            packed = {bundle.read(entry) for entry in bundle.namelist()}
        assert packed.isdisjoint(path.read_bytes() for path in page.FOLDER.iterdir())


def test_every_scenario_is_in_one_group_and_every_fault_has_words() -> None:
    grouped = [number for group in page.GROUPS for number in group.numbers]
    assert len(grouped) == len(set(grouped))
    assert {scenario.number for scenario in SCENARIOS} <= set(grouped)
    assert set(page.PLANT_WORDS) == set(Plant)
    assert page.simulator_body(EXCHANGE_SECONDS)["groups"][0]["scenarios"][0]["requests"]["utility"]["prevend"] is True
