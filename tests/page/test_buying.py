"""Buying on the page: what a customer sees, what a wallet does, and what the API was asked."""

import asyncio
import json
import re
import time
from datetime import date, timedelta

import httpx
import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.days import long_today
from tests.page.conftest import Looked, Looking

pytestmark = pytest.mark.asyncio(loop_scope="session")

GROUPED = re.compile(r"0000 0000 0000 \d{4} \d{4}")


async def play(page: Page, scenario: str, *, service: str | None = None) -> None:
    if service is not None:
        await page.get_by_label("Play them with").select_option(label=service)
    button = page.locator(f"button[data-scenario={scenario}]")
    if not await button.is_visible():
        await page.locator("#groups details", has=button).locator("summary").click()
    await button.click()


async def state(page: Page, words: str) -> None:
    await expect(page.locator("#state .tag")).to_have_text(words)


def answers(page: Page, path: str) -> Locator:
    """The exchanges shown that asked this path."""
    return page.locator("#exchanges details", has_text=path)


async def press_until(page: Page, key: str, focused: str) -> None:
    """Press a key until what it is pressed for has the focus."""
    for _ in range(30):
        await page.keyboard.press(key)
        if await page.locator(f"{focused}:focus").count():
            return
    raise AssertionError(f"{focused} is not reached by {key}")


async def pause(system: httpx.Client, body: dict[str, object]) -> None:
    """Set the brake as an operator does."""
    async with httpx.AsyncClient(base_url=system.base_url, trust_env=False) as client:
        (await client.post("/reconcile/selling", json=body)).raise_for_status()


async def sale_of(looked: Looked, system: httpx.Client) -> dict[str, object]:
    """The sale whose slip is shown, as the API tells it."""
    shown = await looked.page.locator(".slip dl.small dd").last.text_content()
    async with httpx.AsyncClient(base_url=system.base_url, trust_env=False) as client:
        answer = await client.get(f"/purchase/transactions/{shown}", headers={"X-Caller": looked.caller})
    found: dict[str, object] = answer.raise_for_status().json()
    return found


async def test_electricity_is_bought_with_the_keyboard_alone(looking: Looking, selling: httpx.Client) -> None:
    looked = await looking()
    page = looked.page
    await press_until(page, "Tab", "#meter")
    await page.keyboard.type("99000000002")
    await page.keyboard.press("Tab")
    await page.keyboard.type("250,50")
    await page.keyboard.press("Enter")
    await expect(page.locator("#pay")).to_be_focused()
    await expect(page.locator("#pay")).to_have_text("Buy for R250.50")
    await expect(page.locator("#pay")).to_have_accessible_description(re.compile(r"Consumer\s*S\*\* C\*\*.*Minimum\s*R10\.00.*Arrears"))
    await page.keyboard.press("Enter")
    await state(page, "Vended")
    await expect(page.locator("#outcome-title")).to_be_focused()
    await expect(page.locator("#said")).to_have_text(re.compile(r"^Vended\. The wallet: R250\.50 captured\. 3 tokens on the slip\."))

    sale = await sale_of(looked, selling)
    assert (sale["meterNumber"], sale["amountCents"]) == ("99000000002", 25_050)
    slip = await page.locator(".slip").inner_text()
    assert "SIMULATED" in slip and "R250.50" in slip
    printed = [await digits.inner_text() for digits in await page.locator(".slip .digits").all()]
    assert all(GROUPED.fullmatch(digits) for digits in printed)
    receipt = sale["receipt"]
    assert isinstance(receipt, dict)
    assert [digits.replace(" ", "") for digits in printed] == [token["number"] for token in receipt["tokens"]]
    assert [token["kind"] for token in receipt["tokens"]] == ["key_change", "key_change", "credit"]


async def test_a_lost_answer_is_held_and_heals_before_the_eye(looking: Looking) -> None:
    long_today(timedelta(minutes=1))
    page = (await looking()).page
    await play(page, "reply-lost")
    await state(page, "In doubt")
    await expect(page.locator(".wallet")).to_have_text("WalletR100.00 held")
    sale = page.locator("#sales tbody tr").first
    await expect(sale.locator(".tag")).to_have_text("In doubt")
    await state(page, "Vended")
    await expect(page.locator(".wallet")).to_have_text("WalletR100.00 captured")
    await expect(page.locator(".slip .digits")).to_have_text(GROUPED)
    await expect(sale.locator(".tag")).to_have_text("Vended")
    await expect(page.locator("#story")).to_contain_text("202: in doubt. Holds R100.00")
    await expect(page.locator("#said")).to_contain_text("captured")


async def test_the_same_request_again_is_the_same_slip(looking: Looking) -> None:
    page = (await looking()).page
    await play(page, "plain")
    await state(page, "Vended")
    before = await page.locator(".slip").inner_text()
    await page.get_by_role("button", name="Send it again").click()
    await expect(page.locator("#state")).to_contain_text("Nothing more was vended")
    assert await page.locator(".slip").inner_text() == before
    repeat = answers(page, "/purchase/utility").first
    await expect(repeat).to_contain_text("Idempotent-Replayed: true")
    await expect(repeat).to_contain_text("HTTP 201")


async def test_an_answer_lost_on_its_way_to_the_page_is_asked_for_again_under_the_same_key(looking: Looking) -> None:
    long_today(timedelta(minutes=1))
    looked = await looking()
    page, keys = looked.page, list[str]()

    async def lose(route: Route) -> None:
        await (await route.fetch()).body()  # it was asked, and sold
        await route.abort()

    await page.route("**/purchase/utility", lose, times=1)
    page.on("request", lambda request: keys.extend(key for name, key in request.headers.items() if name == "idempotency-key"))
    await page.get_by_role("button", name="Check meter").click()
    await page.locator("#pay").click()
    await state(page, "No outcome")
    await expect(page.locator(".wallet")).to_have_text("WalletR100.00 held")
    await state(page, "Vended")
    await expect(page.locator("#sales tbody tr")).to_have_count(1)
    assert len(keys) == 2 and keys[0] == keys[1]
    assert all("ERR_FAILED" in complaint for complaint in looked.complaints)
    looked.complaints.clear()


async def test_a_fourth_sale_waits_until_one_of_three_has_ended(looking: Looking) -> None:
    page, answered = (await looking()).page, asyncio.Event()

    async def hold(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await page.route("**/purchase/utility", hold)
    for scenario in ("plain", "arrears", "all-debt"):
        await play(page, scenario)
        await state(page, "Selling")
    await play(page, "key-change")
    await expect(page.locator("#crowded")).to_be_in_viewport()
    answered.set()
    await state(page, "Vended")
    await expect(page.locator("#crowded")).to_be_empty()


async def test_a_click_shows_the_command_that_does_the_same(looking: Looking, selling: httpx.Client) -> None:
    page = (await looking()).page
    await page.get_by_role("button", name="Check meter").click()
    await expect(page.locator("#confirmation")).to_be_visible()
    curl = await answers(page, "/prevend/utility").first.locator("pre").first.inner_text()
    assert str(selling.base_url.join("/prevend/utility")) in curl
    assert json.loads(curl[curl.index("{") : curl.rindex("}") + 1]) == {"meterNumber": "12345678901", "amountCents": 10_000}
    told = await answers(page, "/prevend/utility").first.locator("pre").last.inner_text()
    assert json.loads(told)["minimumAmountCents"] == 1_000


async def test_a_fault_in_the_form_is_said_where_it_is(looking: Looking) -> None:
    page = (await looking()).page
    await page.get_by_label("Meter number").fill("123")
    await page.get_by_label("Amount in rand").fill("0.50")
    await page.keyboard.press("Enter")
    await expect(page.locator("#meter")).to_be_focused()
    await expect(page.locator("#meter")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#meter-fault")).to_contain_text("11 or 13")
    await expect(page.locator("#amount-fault")).not_to_be_empty()
    await expect(page.locator(".problem .advice")).to_have_text("retry: change Change the request.")
    await page.get_by_label("Amount in rand").fill("a lot")
    await page.keyboard.press("Enter")
    await expect(page.locator("#amount")).to_be_focused()
    await expect(page.locator("#amount-fault")).to_contain_text("Rand and cents")


async def test_a_refusal_says_what_may_be_done(looking: Looking) -> None:
    page = (await looking()).page
    await play(page, "minimum-untrue")
    await state(page, "Rejected")
    await expect(page.locator(".wallet")).to_have_text("WalletR20.00 released")
    await expect(page.locator(".problem")).to_contain_text("Change the request; it then needs a new key.")
    await play(page, "unknown")
    await state(page, "Refused")
    await expect(page.locator(".problem h3")).to_have_text("Meter unknown")


async def test_a_second_purchase_beside_one_in_doubt_is_asked_about(looking: Looking) -> None:
    page = (await looking()).page
    await play(page, "reprint-never-knows")
    await state(page, "In doubt")
    await play(page, "reprint-never-knows")
    await state(page, "Rejected")
    await expect(page.locator(".problem h3")).to_have_text("Possible duplicate")
    await page.get_by_role("button", name="Show that sale").click()
    await state(page, "In doubt")


async def test_every_service_is_sold_from_the_catalogue(looking: Looking, selling: httpx.Client) -> None:
    looked = await looking()
    page = looked.page
    submit = page.locator("#counter [type=submit]")

    await page.get_by_role("radio", name="Bill").check()
    await expect(page.get_by_label("Product", exact=True)).to_contain_text("Simulated Television")
    await page.get_by_label("Product", exact=True).select_option(index=1)
    await submit.click()
    await expect(page.locator("#confirmed")).to_contain_text("R450.00")
    await page.locator("#pay").click()
    await expect(page.locator(".slip h3")).to_have_text("Bill payment")

    await page.get_by_role("radio", name="Data").check()
    await page.get_by_label("Product", exact=True).select_option(label="MTN 500 MB, R49.00")
    await expect(page.get_by_label("Amount in rand")).to_have_value("49.00")
    await expect(page.get_by_label("Amount in rand")).not_to_be_editable()
    await submit.click()
    await expect(page.locator(".slip h3")).to_have_text("Data")
    assert (await sale_of(looked, selling))["mobileNumber"] == "27821234567"

    for service, title in (("Airtime", "Airtime"), ("Voucher", "Voucher")):
        await page.get_by_role("radio", name=service).check()
        await page.get_by_label("Product", exact=True).select_option(label=await _plain(page))
        await expect(page.get_by_label("Mobile number")).to_be_hidden()
        await submit.click()
        await expect(page.locator(".slip h3")).to_have_text(title)
        await expect(page.locator(".slip .token h4")).to_have_text("PIN")


async def _plain(page: Page) -> str:
    """The label of the product that is sold as a PIN, and plain."""
    option = page.locator("#product option", has_text="Simulated: plain,")
    await expect(option).to_have_count(1)
    return await option.inner_text()


PAUSED = re.compile(r"Everything is paused until \d\d:\d\d:\d\d: the supplier's float is exhausted\. Selling again in \d+ s\.")


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_brake_that_set_itself_is_seen_with_its_reason_and_its_end_and_ends_in_seconds(looking: Looking, width: int) -> None:
    page = (await looking(width)).page
    await page.get_by_label("Play them with").select_option(label="Voucher")
    await page.locator("#groups details", has=page.locator("button[data-scenario=refused-1008]")).locator("summary").click()
    await expect(page.locator("button[data-scenario=refused-1008]")).to_contain_text("pauses all selling for 10 s")
    await play(page, "refused-1008")
    await expect(page.locator("#brake")).to_contain_text(PAUSED)
    await expect(page.locator("#brake")).to_be_in_viewport()
    began = time.monotonic()
    await expect(page.locator("#brake")).to_be_hidden()
    assert time.monotonic() - began < 15
    await expect(page.locator("#said")).to_have_text("Selling again.")
    await play(page, "plain")
    await state(page, "Vended")


async def test_a_pause_that_a_person_has_set_says_its_reason_and_no_end(looking: Looking, selling: httpx.Client) -> None:
    page = (await looking()).page
    paused: dict[str, object] = {"paused": ["voucher"], "reason": "maintenance, ticket 4711", "until": "2099-01-01T06:00:00Z"}
    await pause(selling, paused)
    await expect(page.locator("#brake")).to_contain_text("Voucher is paused until 08:00:00: maintenance, ticket 4711.")
    await pause(selling, {**paused, "until": None})
    await expect(page.locator("#brake")).to_have_text(re.compile(r"^\s*Voucher is paused: maintenance, ticket 4711\.\s*Release\s*$"))
    await page.get_by_role("button", name="Release").click()
    await expect(page.locator("#brake")).to_be_hidden()


async def test_a_sale_that_is_being_processed_is_there_seconds_later(looking: Looking) -> None:
    long_today(timedelta(minutes=1))
    page = (await looking()).page
    for scenario in ("processing-202", "processing-200"):
        await play(page, scenario)
        await state(page, "In doubt")
        await expect(page.locator(".wallet")).to_have_text("WalletR100.00 held")
    await expect(page.locator("#today-count")).to_contain_text("2 in doubt")
    await state(page, "Vended")
    await expect(page.locator(".slip .digits")).to_have_text(GROUPED)
    await expect(page.locator("#sales .tag.in_doubt")).to_have_count(0)
    await expect(page.locator("#sales .tag.vended")).to_have_count(2)


async def test_a_brake_that_set_itself_is_released(looking: Looking) -> None:
    page = (await looking()).page
    await play(page, "refused-1008")
    await state(page, "Rejected")
    await expect(page.locator("#brake")).to_be_in_viewport()
    await expect(page.locator("#brake")).to_contain_text(PAUSED)
    await play(page, "refused-1000")
    await expect(page.locator(".problem h3")).to_have_text("Temporarily unavailable")
    await expect(page.locator(".advice")).to_contain_text("Try again in 30 s, under a new key.")
    await page.get_by_role("button", name="Release").click()
    await expect(page.locator("#brake")).to_be_hidden()
    await play(page, "plain")
    await state(page, "Vended")


def accept_all(system: httpx.Client, day: date) -> None:
    """Close every difference of a day."""
    for found in system.get(f"/reconcile/reports/{day}").json()["discrepancies"]:
        closure = {"decision": "accepted", "note": "a test has seen it"}
        system.post(f"/reconcile/discrepancies/{found['id']}/closure", json=closure).raise_for_status()


async def test_a_planted_fault_is_found_reported_and_closed(looking: Looking, selling: httpx.Client) -> None:
    day = long_today(timedelta(minutes=1))
    page = (await looking()).page
    await play(page, "plain")
    await state(page, "Vended")
    await page.get_by_label("A cent too much").check()
    await page.get_by_role("button", name="Deliver and settle").click()
    await expect(page.locator("#settled .found")).to_contain_text("Other amount")
    await expect(page.locator("#settled .found")).to_contain_text("ours R100.00, theirs R100.01")
    async with page.expect_popup() as popup:
        await page.get_by_role("link", name="Open the report").click()
    report = await popup.value
    await expect(report.get_by_role("heading", level=1)).to_contain_text(f"{day:%B}")
    await expect(report.locator("body")).to_contain_text("Other amount")
    for width in (390, 1280):
        await report.set_viewport_size({"width": width, "height": 900})
        assert await report.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        cut = "all => all.filter(each => each.scrollWidth > each.clientWidth).map(each => each.innerText)"
        assert await report.locator("td dd").evaluate_all(cut) == [], width
    accept_all(selling, day)
    await page.get_by_role("button", name="Deliver and settle").click()
    await expect(page.locator("#settled .headline")).to_contain_text("No difference open, 1 closed.")
    await expect(page.locator("#settled .found")).to_contain_text("Other amount accepted amount_differs")


async def test_a_scenario_of_every_group_is_one_click(looking: Looking) -> None:
    page = (await looking()).page
    played = {
        "key-change-and-free": "Vended",
        "slow-prevend": "Refused",
        "silent": "In doubt",
        "reprint-lags": "In doubt",
        "processing-for-ever-202": "In doubt",
        "another-request": "In doubt",
        "lost-before": "In doubt",
        "refused-1011": "Rejected",
        "tokens-grouped": "Vended",
        "two-mebibytes": "In doubt",
    }
    for scenario, words in played.items():
        await play(page, scenario)
        await state(page, words)
    assert await page.locator("#groups details[open]").count() == await page.locator("#groups details").count() == len(played)
