"""The last release and this one over one database, as a deployment and a roll back have them: each goes on with what the other began."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import pytest

from shared.domain.identifiers import Caller, fingerprint
from shared.domain.transaction import State
from shared.domain.vas import VasType
from shared.store.firestore import FirestoreStore
from shared.store.sqlite import SqliteStore
from shared.store.transaction_documents import transaction_document
from tests import newer
from tests.deployed.processes import Platform
from tests.deployed.releases import last_release
from tests.deployed.shop import ONE_DAY, Sale, Shop, opened, own
from tests.deployed.surroundings import Surroundings
from tests.deployed.switchboard import details, loses_the_answer, never_vends
from tests.newer import METER, OF_SALES, Place, decides, filled_sale, kept, put, written

CACHE_TTL = timedelta(seconds=11)
OPERATOR = {"X-Caller": "thandi"}
LOCAL = Caller("local", "local")
ANSWERED = {State.VENDED: 201, State.REJECTED: 422, State.IN_DOUBT: 202, State.VENDING: 202}
TOKEN = "00001111222233334444"


class Releases(NamedTuple):
    """One shop, as the last release serves it and as this one does: their database, switch, clocks and files are the same."""

    last: Shop
    this: Shop


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("last-release")
    platform = Platform(folder, last_release(folder / "tree"))
    yield platform
    platform.close()


@pytest.fixture(scope="module", params=["sqlite", "firestore"])
def releases(
    request: pytest.FixtureRequest, surroundings: Surroundings, older: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Releases]:
    folder = tmp_path_factory.mktemp("releases")
    in_emulator = {"TRANSACTION_STORE": "firestore", "GOOGLE_CLOUD_PROJECT": f"demo-{folder.parent.name}-{folder.name}"}
    stores = {"sqlite": {}, "firestore": {**in_emulator, "FIRESTORE_EMULATOR_HOST": surroundings.firestore}}
    with opened(surroundings, folder, request.param, **stores[request.param]) as this, ThreadPoolExecutor(2) as starting:
        purchase, reconcile = starting.map(lambda name: older.start(name, this.environment).ready(), ("purchase", "reconcile"))
        yield Releases(replace(this, purchase=purchase, reconcile=reconcile), this)


def of(shop: Shop, sale: Sale) -> Sale:
    """The same sale, as that release serves it."""
    return replace(sale, shop=shop)


def looks_alike(one: Shop, other: Shop, sale: Sale) -> Any:
    """What both releases answer about a sale: to a repeat, to its caller and to a look-up. This one says who sells it besides."""
    seen = []
    for shop in (one, other):
        again = of(shop, sale).repeated()
        asked = shop.purchase.http.get(f"/transactions/{sale.id}").raise_for_status().json()
        assert again.headers["idempotent-replayed"] == "true"
        seen.append((again.status_code, _without_supplier(again.json()), _without_supplier(asked)))
    assert seen[0] == seen[1]
    return seen[0][2]


def _without_supplier(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "supplierId"}


def pauses(shop: Shop, *services: str) -> Any:
    body = {"paused": services, "reason": "An outage."}
    return shop.reconcile.http.post("/selling", json=body, headers=OPERATOR).raise_for_status().json()


def tries(shop: Shop) -> tuple[int, int]:
    """What a purchase of electricity is answered, and how often the supplier was asked for it."""
    sale = shop.buy()
    return sale.status, len(shop.switch.deals_of(sale.recipient))


def fresh_morning(releases: Releases) -> date:
    """A morning long after all that was before."""
    clocks = releases.this.clocks
    day = clocks.now().date() + timedelta(days=40)
    clocks.at(day, 9)
    return day


@pytest.mark.parametrize("back", [False, True], ids=["deployed", "rolled back"])
def test_each_release_goes_on_with_what_the_other_began(releases: Releases, back: bool) -> None:
    before, after = reversed(releases) if back else releases
    clocks, day = releases.this.clocks, fresh_morning(releases)

    sold, lost, late = before.buy(), before.buy(loses_the_answer), before.buy(details(tokens=[]))
    never, differing = before.buy(never_vends), before.buy(cents=20_000)
    airtime = before.buy(service=VasType.AIRTIME)
    sales = [sold, lost, late, never, differing, airtime]
    assert [sale.status for sale in sales] == [201, 202, 201, 202, 201, 201]
    for sale in sales:
        looks_alike(before, after, sale)

    clocks.pass_by(timedelta(minutes=2))
    assert after.sweep()["vended"] == 1
    for sale in (lost, late):
        ended = looks_alike(before, after, sale)
        assert (ended["state"], ended["receipt"]["tokensDue"], len(ended["receipt"]["tokens"])) == ("vended", "delivered", 1)
    assert before.sweep()["vended"] == 0
    for sale in sales:  # none is hidden from anybody
        for shop in (before, after):
            listed = shop.purchase.http.get("/transactions", params={"day": day.isoformat()}).raise_for_status().json()
            assert {one.id for one in sales} <= {one["transactionId"] for one in listed["transactions"]} and "notReadable" not in listed
            found = shop.reconcile.http.get("/transactions", params={"requestId": _request_id(sale)}).raise_for_status().json()
            assert [one["transactionId"] for one in found["transactions"]] == [sale.id]

    assert after.decide(of(after, never), state="vended", tokens=[TOKEN]).is_success
    assert looks_alike(after, before, never)["receipt"]["tokens"][0]["number"] == TOKEN

    pauses(before, "utility")
    clocks.pass_by(CACHE_TTL)
    assert tries(after) == tries(before) == (422, 0)
    pauses(after)
    clocks.pass_by(CACHE_TTL)
    assert tries(before) == tries(after) == (201, 1)

    vends = [vend for vend in before.switch.vended if vend.at.date() == day]
    bills = [vend.line(amount="20001") if vend.deal.recipient == differing.recipient else vend for vend in vends]
    before.deliver(day, bills)
    clocks.at(day + ONE_DAY, 10)
    control = after.buy()
    after.deliver(day + ONE_DAY, [control.vend])
    clocks.at(day + 2 * ONE_DAY, 12)
    (found,) = [one for one in own(before.settle(day)) if one["kind"] == "amount_differs"]
    (again,) = [one for one in own(after.settle(day)) if one["kind"] == "amount_differs"]
    assert (again["id"], again["status"], again["transactionId"]) == (found["id"], "open", differing.id)
    after.close(found)
    for shop in (before, after, before):
        settled = shop.settle(day)
        assert [one["status"] for one in own(settled) if one["id"] == found["id"]] == ["accepted"]
        assert settled["matched"]["rows"] == len(vends) and not settled["open"]
        assert shop.report(day)["matched"] == settled["matched"]

    for sale in (*sales, control):
        assert len(before.switch.deals_of(sale.recipient)) == 1
        looks_alike(after, before, sale)
    said = "\n".join(function.process.words for shop in releases for function in (shop.purchase, shop.reconcile))
    assert "record not readable" not in said and "request failed" not in said


def _request_id(sale: Sale) -> str:
    return str(sale.dossier["requestId"])


def test_whatever_newer_code_may_write_no_route_fails_nothing_is_sold_again_and_the_sweep_goes_on(releases: Releases) -> None:
    shop, day = releases.this, fresh_morning(releases)
    at = shop.clocks.now()
    body = {"meterNumber": METER, "amountCents": 10_000, "reference": "reference-1"}
    made = {}
    for number, (state, place) in enumerate(OF_SALES):
        key = f"{day}-{number}"
        sale = filled_sale(state, key, caller=LOCAL, at=at, fingerprint=fingerprint(VasType.UTILITY, body))
        made[sale.id] = Made(key, state, place, written(transaction_document(sale), place))
    damaged = filled_sale(State.VENDED, f"{day}-damaged", caller=LOCAL, at=at)
    document = transaction_document(damaged)
    document["record"]["created_at"] = "before lunch"
    asyncio.run(on_record(shop, [*(one.document for one in made.values()), document]))
    plain = shop.buy()
    lost = shop.buy(loses_the_answer)

    for sale_id, one in made.items():
        is_known = not decides(one.place)
        again = shop.ask(shop.purchase, VasType.UTILITY, body, one.key)
        looked = shop.purchase.http.get(f"/transactions/{sale_id}")
        by_key = shop.purchase.http.get("/transactions", params={"idempotencyKey": one.key})
        dossier = shop.reconcile.http.get(f"/transactions/{sale_id}")
        assert (looked.status_code, by_key.status_code, dossier.status_code) == ((200, 200, 200) if is_known else (503, 503, 200)), one
        assert again.status_code == (ANSWERED[one.state] if is_known else 503), one
        assert sale_id in again.text and sale_id in dossier.text and ("state" in again.json()) is is_known
        if not is_known:
            assert again.json()["type"] == "/problems/record-not-readable" and dossier.json()["notReadable"] is True
            assert shop.reconcile.http.get(f"/transactions/{sale_id}?reveal=tokens", headers=OPERATOR).status_code == 503
            refused = {"version": 1, "state": "rejected", "note": "As it is."}
            assert shop.reconcile.http.post(f"/transactions/{sale_id}/resolution", json=refused, headers=OPERATOR).status_code == 503

    listed = list(pages(shop, day))
    every = {*made, damaged.id, plain.id, lost.id}
    unread = {damaged.id, *(sale_id for sale_id, one in made.items() if decides(one.place))}
    assert {one["transactionId"] for page in listed for one in page.get("notReadable", ())} == unread
    assert {one["transactionId"] for page in listed for one in page["transactions"]} == every - unread
    found = shop.reconcile.http.get("/transactions", params={"requestId": plain.dossier["requestId"]}).raise_for_status().json()
    assert [one["transactionId"] for one in found["transactions"]] == [plain.id]

    shop.clocks.pass_by(timedelta(minutes=6))
    shop.sweep()
    assert lost.state == "vended"
    shop.clocks.at(day + ONE_DAY, 12)
    shop.deliver(day, [shop.switch.vend_to(sale.recipient) for sale in (plain, lost)])
    settled = shop.settle(day)
    assert settled["matched"]["rows"] == 2 and settled["status"] == "provisional"
    of_service = {sale_id for sale_id, one in made.items() if one.place.word is VasType}
    assert {one["transactionId"] for one in settled["notReadable"]} == unread | of_service
    for form in (".json", ".csv", ".html"):
        report = shop.reconcile.http.get(f"/reports/{day}{form}").raise_for_status().text
        assert all(sale_id in report for sale_id in unread | of_service)
    assert shop.switch.deals_of(METER) == []
    kept_documents = asyncio.run(of_record(shop, list(made)))
    assert all(kept(kept_documents[sale_id], one.place) for sale_id, one in made.items() if still_there(one, kept_documents[sale_id]))


def test_the_last_release_shows_what_is_left_of_an_old_sale_and_sells_nothing_under_its_key(releases: Releases) -> None:
    last, this = releases
    fresh_morning(releases)
    sold, airtime, refused = this.buy(), last.buy(service=VasType.AIRTIME), last.buy(merchantProductId="none")
    before = {sale.id: of(last, sale).repeated() for sale in (sold, airtime)}
    this.clocks.pass_by(timedelta(days=3))
    lost = last.buy(loses_the_answer)
    this.clocks.pass_by(timedelta(days=401))
    done = this.reconcile.http.post("/retention").raise_for_status().json()
    assert done["erased"] >= 2 and done["held"] >= 1
    for sale in (sold, airtime):
        shown = looks_alike(last, this, sale)
        assert shown["receipt"] == before[sale.id].json()["receipt"] | {"consumer": None}
        assert "meterNumber" not in shown and "mobileNumber" not in shown
    assert of(last, lost).repeated().status_code == of(this, lost).repeated().status_code == 202

    this.clocks.pass_by(timedelta(days=1500))
    assert this.reconcile.http.post("/retention").raise_for_status().json()["retired"] >= 3
    for sale in (sold, airtime, refused):
        for shop, status, name in ((last, 503, "store-unavailable"), (this, 410, "key-retired"), (last, 503, "store-unavailable")):
            again = of(shop, sale).repeated()
            assert (again.status_code, again.json()["type"], "state" in again.json()) == (status, f"/problems/{name}", False)
            assert shop.purchase.http.get(f"/transactions/{sale.id}").status_code == status
    assert [len(this.switch.deals_of(sale.recipient)) for sale in (sold, airtime, refused, lost)] == [1, 1, 0, 1]
    assert last.buy().status == 201 and last.sweep()["examined"] >= 0


class Made(NamedTuple):
    """A sale as newer code has left it."""

    key: str
    state: State
    place: Place
    document: dict[str, Any]


def still_there(one: Made, now: dict[str, Any]) -> bool:
    """Whether what newer code wrote must be there: not if it was of a place in the index that the sweep has left, or of another outcome."""
    if one.place.path[:1] == ("open",) and "open" not in now:
        return False
    was, outcome = one.document["record"].get("outcome"), now["record"].get("outcome")
    return one.place.word is None or "outcome" not in one.place.path or (was and was["type"]) == (outcome and outcome["type"])


def pages(shop: Shop, day: date) -> Iterator[Any]:
    """All pages of the caller's sales of a day."""
    asked: dict[str, str] = {"day": day.isoformat()}
    while True:
        page = shop.purchase.http.get("/transactions", params=asked).raise_for_status().json()
        yield page
        if page["cursor"] is None:
            return
        asked["cursor"] = page["cursor"]


async def on_record(shop: Shop, documents: list[dict[str, Any]]) -> None:
    store = await opened_store(shop)
    for document in documents:
        await put(store, document)
    await store.close()


async def of_record(shop: Shop, ids: list[str]) -> dict[str, Any]:
    store = await opened_store(shop)
    found = {sale_id: await newer.on_record(store, sale_id) for sale_id in ids}
    await store.close()
    return found


async def opened_store(shop: Shop) -> newer.Stores:
    environment = shop.environment
    if environment["TRANSACTION_STORE"] == "firestore":
        project, host = environment["GOOGLE_CLOUD_PROJECT"], environment["FIRESTORE_EMULATOR_HOST"]
        return await FirestoreStore.open(project, "(default)", timeout_seconds=10, emulator_host=host)
    return await SqliteStore.open(str(shop.store), timeout_seconds=10)
