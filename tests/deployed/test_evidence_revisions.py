"""What a newer version wrote is read by this one: nothing is unreadable, unsold again, unsweepable, or sold while selling is paused."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.vas import VasType
from tests.deployed.processes import Function
from tests.deployed.shop import ONE_DAY, R100, Sale, Shop
from tests.deployed.switchboard import details, loses_the_answer, never_vends
from tests.stand_ins.switch_on_a_socket import http

NEWER = {"since": "a newer version", "level": 7}
CACHE_TTL = timedelta(seconds=11)
UTILITY, AIRTIME = VasType.UTILITY, VasType.AIRTIME
A = "00001111222233334444"

Document = dict[str, Any]


def change_sale(shop: Shop, sale: Sale, change: Callable[[Document], object]) -> None:
    with shop.books() as books:
        ((text,),) = books.execute("SELECT document FROM transactions WHERE id = ?", (sale.id,)).fetchall()
        document = json.loads(text)
        change(document)
        books.execute("UPDATE transactions SET document = ?, revision = revision + 1 WHERE id = ?", (json.dumps(document), sale.id))


def document_of(shop: Shop, sale: Sale) -> Document:
    with shop.books() as books:
        ((text,),) = books.execute("SELECT document FROM transactions WHERE id = ?", (sale.id,)).fetchall()
    found: Document = json.loads(text)
    return found


def paper(shop: Shop, paper_id: str) -> Any:
    with shop.books() as books:
        ((body,),) = books.execute("SELECT body FROM papers WHERE id = ?", (paper_id,)).fetchall()
    return json.loads(body)


def write_paper(shop: Shop, kind: str, paper_id: str, body: object, mark: str | None = None) -> None:
    with shop.books() as books:
        books.execute("DELETE FROM papers WHERE kind = ? AND id = ?", (kind, paper_id))
        books.execute(
            "INSERT INTO papers (kind, id, revision, body, mark) VALUES (?, ?, 99, ?, ?)", (kind, paper_id, json.dumps(body), mark)
        )


def everywhere(value: Any) -> Any:
    """The value with a field that nobody knows in every object of it."""
    match value:
        case dict():
            return {**{name: everywhere(inner) for name, inner in value.items()}, "newer": NEWER}
        case list():
            return [everywhere(inner) for inner in value]
        case _:
            return value


# The brake.


def select(shop: Shop, paused: list[str]) -> Any:
    body = {"paused": paused, "reason": "An outage."}
    return shop.reconcile.http.post("/selling", json=body, headers={"X-Caller": "thandi"})


@contextmanager
def braked(shop: Shop, change: Callable[[Document], object]) -> Iterator[Function]:
    """Electricity is paused, by a paper as a newer version wrote it; a purchase function that has just started."""
    assert select(shop, ["utility"]).is_success
    body = paper(shop, "live-selling")
    made = change(body)
    write_paper(shop, "controls", "live-selling", body if made is None else made)
    shop.clocks.pass_by(CACHE_TTL)
    cold = shop.another("purchase")
    try:
        yield cold
    finally:
        cold.process.kill()
        write_paper(shop, "controls", "live-selling", {})
        shop.clocks.pass_by(CACHE_TTL)


def add_service(body: Document) -> None:
    body["water"] = {**body["utility"], "zone": "north"}


def add_fields(body: Document) -> None:
    body["utility"] |= {"newer": NEWER, "scope": "all"}


def add_both(body: Document) -> None:
    add_service(body)
    add_fields(body)


@pytest.mark.parametrize("change", [add_service, add_fields, add_both])
def test_a_pause_of_a_newer_version_holds_and_can_be_lifted(shop: Shop, change: Callable[[Document], None]) -> None:
    shop.fresh_day()
    with braked(shop, change) as cold:
        for purchase in (shop.purchase, cold):
            body = {"meterNumber": shop.recipient(), "amountCents": R100}
            answer = shop.ask(purchase, UTILITY, body, f"paused-{body['meterNumber']}")
            assert (answer.status_code, answer.json()["type"]) == (422, "/problems/temporarily-unavailable")
            mobile = {"mobileNumber": shop.recipient(AIRTIME), "amountCents": R100, "merchantProductId": "ProductAirtime______"}
            assert shop.ask(purchase, AIRTIME, mobile, f"unpaused-{mobile['mobileNumber']}").status_code == 201
        assert "utility" in shop.reconcile.http.get("/selling").raise_for_status().json()["paused"]
        kept = paper(shop, "live-selling")
        assert select(shop, ["utility", "voucher"]).is_success
        after = paper(shop, "live-selling")
        assert after.get("water") == kept.get("water"), "what is not known here is kept"
        assert select(shop, []).is_success
        shop.clocks.pass_by(CACHE_TTL)
        assert shop.buy().status == 201


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: {"utility": "paused"}, id="a pause that is text"),
        pytest.param(lambda body: body["utility"].update(until={"hours": 2}), id="an end of another form"),
        pytest.param(lambda body: body["utility"].update(until="whenever it is over"), id="an end in words"),
        pytest.param(lambda body: [body], id="a list"),
        pytest.param(lambda body: body["utility"].pop("at") and None, id="a pause without its time"),
        pytest.param(lambda body: {"utility": None}, id="null"),
        pytest.param(lambda body: body["utility"].update(until=1_900_000_000), id="an end as a number"),
    ],
)
def test_a_pause_that_cannot_be_read_sells_nothing(shop: Shop, change: Callable[[Document], Any]) -> None:
    shop.fresh_day()
    with braked(shop, change) as cold:
        for purchase in (shop.purchase, shop.purchase, cold):
            recipient = shop.recipient()
            answer = shop.ask(purchase, UTILITY, {"meterNumber": recipient, "amountCents": R100}, f"strange-{recipient}")
            assert answer.status_code in {422, 503}, answer.text
            assert shop.switch.deals_of(recipient) == []
        assert select(shop, []).is_success, "a person can lift it"


def test_an_outage_under_a_pause_of_a_newer_version_is_answered_202(shop: Shop) -> None:
    shop.fresh_day()
    assert select(shop, ["voucher"]).is_success
    held = paper(shop, "live-selling")
    shop.clocks.pass_by(CACHE_TTL)
    try:
        for at in range(25):
            if at == 5:
                write_paper(shop, "controls", "live-selling", {"voucher": {**held["voucher"], "newer": NEWER}, "water": {"zone": "north"}})
            sale = shop.buy(never_vends, service=AIRTIME)
            assert sale.status in {202, 422, 503}, sale.answer.text
            assert sale.status == 202 or shop.switch.deals_of(sale.recipient) == []
    finally:
        write_paper(shop, "controls", "live-selling", {})
        shop.clocks.pass_by(timedelta(minutes=5))
        assert shop.buy(service=AIRTIME).status == 201


# Sales.


def into_tokens(document: Document) -> None:
    document["record"]["outcome"]["receipt"]["tokens"][0]["kind"] = "water"


def into_fields(document: Document) -> None:
    document["record"] = everywhere(document["record"])


def into_history(document: Document) -> None:
    document["record"]["history"][0] |= {"what": "frobnicated", "note": "as a newer version says"}


def into_events(document: Document) -> None:
    document["record"]["unannounced"] = ["frobnicated"]


def into_top(document: Document) -> None:
    document["newer"] = NEWER


def check_readable(shop: Shop, day: Any, changed: Sale, other: Sale) -> None:
    """Every view holds the other sale, and this one; a repeat is answered by its record, and sells nothing."""
    listed = shop.purchase.http.get("/transactions", params={"day": day.isoformat()})
    assert listed.is_success, listed.text
    assert {changed.id, other.id} <= {one["transactionId"] for one in listed.json()["transactions"]}
    found = shop.reconcile.http.get("/transactions", params={"meterNumber": changed.recipient})
    assert found.is_success and [one["transactionId"] for one in found.json()["transactions"]] == [changed.id]
    assert shop.purchase.http.get(f"/transactions/{changed.id}").is_success
    assert changed.dossier["transactionId"] == changed.id
    again = changed.repeated()
    assert again.status_code == changed.status, again.text
    assert len(shop.switch.deals_of(changed.recipient)) == 1


@pytest.mark.parametrize("change", [into_tokens, into_fields, into_history, into_top])
def test_a_sale_of_a_newer_version_is_read_and_never_sold_again(shop: Shop, change: Callable[[Document], None]) -> None:
    day = shop.fresh_day()
    changed, other = shop.buy(), shop.buy()
    change_sale(shop, changed, change)
    check_readable(shop, day, changed, other)
    if change is into_tokens:
        assert changed.repeated().json()["receipt"]["tokens"][0]["number"] == changed.vend.token
    shop.clocks.at(day + ONE_DAY)
    shop.deliver(day, [changed.vend, other.vend])
    assert shop.settle(day)["matched"]["rows"] == 2


@pytest.mark.parametrize("change", [into_fields, into_top, into_history])
@pytest.mark.parametrize("state", ["in doubt", "waits for a token"])
def test_an_open_sale_of_a_newer_version_is_swept_and_keeps_what_is_not_known(shop: Shop, change: Any, state: str) -> None:
    shop.fresh_day()
    changed = shop.buy(loses_the_answer if state == "in doubt" else details(tokens=[]))
    shop.switch.reprints.pop(changed.recipient, None)
    change_sale(shop, changed, change)
    before = document_of(shop, changed)
    shop.clocks.pass_by(timedelta(minutes=2))
    shop.sweep()
    dossier = changed.dossier
    assert (dossier["state"], dossier["receipt"]["tokensDue"]) == ("vended", "delivered")
    after = document_of(shop, changed)
    if change is into_top:
        assert after["newer"] == NEWER
    if change is into_fields:
        assert after["record"]["newer"] == NEWER
        assert after["record"]["order"]["newer"] == before["record"]["order"]["newer"] == NEWER
        assert after["record"]["history"][0]["newer"] == NEWER
    if change is into_history:
        assert after["record"]["history"][0] == before["record"]["history"][0]


def test_a_person_decides_about_a_sale_of_a_newer_version(shop: Shop) -> None:
    shop.fresh_day()
    changed = shop.buy(never_vends)
    change_sale(shop, changed, into_fields)
    assert shop.decide(changed, state="vended", tokens=[A]).is_success
    assert (changed.state, document_of(shop, changed)["record"]["newer"]) == ("vended", NEWER)


def test_an_event_of_a_newer_version_is_left_to_it_and_holds_up_nothing(shop: Shop) -> None:
    day = shop.fresh_day()
    changed, other = shop.buy(loses_the_answer), shop.buy()
    change_sale(shop, changed, into_events)
    shop.clocks.pass_by(timedelta(minutes=2))
    shop.sweep()
    check_readable_after(shop, day, changed, other)
    assert "frobnicated" in document_of(shop, changed)["record"].get("unannounced", ())


def check_readable_after(shop: Shop, day: Any, changed: Sale, other: Sale) -> None:
    """The sale has ended as vended, in every view."""
    listed = shop.purchase.http.get("/transactions", params={"day": day.isoformat()})
    states = {one["transactionId"]: one["state"] for one in listed.raise_for_status().json()["transactions"]}
    assert (states[changed.id], states[other.id], changed.state) == ("vended", "vended", "vended")


def of_enum(path: str) -> Callable[[Document], None]:
    """A member that nobody knows, in that place."""

    def update(document: Document) -> None:
        *parts, last = path.split(".")
        held: Any = document["record"]
        for part in parts:
            held = held[int(part) if part.isdecimal() else part]
        held[int(last) if last.isdecimal() else last] = "frobnicated"

    return update


ENUMS = [
    "state",
    "order.vas_type",
    "outcome.type",
    "outcome.receipt.tokens_due",
    "outcome.receipt.tokens.0.kind",
    "outcome.reason",
    "history.0.what",
    "answers.0.source",
    "mode",
]


@pytest.mark.parametrize("path", ENUMS)
def test_an_unknown_member_of_any_enum_hides_no_other_sale(shop: Shop, path: str) -> None:
    day = shop.fresh_day()
    play = (lambda *_: http(400, {"fulcrumErrorCode": 1001})) if path == "outcome.reason" else None
    changed, other = shop.buy(play), shop.buy()
    change_sale(shop, changed, of_enum(path))
    try:
        with shop.listening() as said:
            listed = shop.purchase.http.get("/transactions", params={"day": day.isoformat()})
            found = shop.reconcile.http.get("/transactions", params={"meterNumber": changed.recipient})
            dossier = shop.reconcile.http.get(f"/transactions/{changed.id}")
            again = changed.repeated()
            swept = shop.reconcile.http.post("/sweep")
            shop.clocks.at(day + ONE_DAY)
            shop.deliver(day, [sale.vend for sale in (changed, other) if shop.switch.vends_to(sale.recipient)])
            settled = shop.reconcile.http.post("/settle", params={"day": day.isoformat()})
        assert listed.is_success and all(sale.id in listed.text for sale in (changed, other)), listed.text
        assert found.is_success and changed.id in found.text, found.text
        assert dossier.is_success and changed.id in dossier.text
        assert len(shop.switch.deals_of(changed.recipient)) == 1
        assert again.status_code in {changed.status, 202, 503}, again.text
        assert swept.is_success
        assert settled.is_success, settled.text
        messages = [line["message"] for line in said]
        assert "store unavailable" not in messages
        named = [line for line in said if line["message"] == "record not readable"]
        assert all(line["transaction_id"] == changed.id for line in named)
    finally:
        with shop.books() as books:
            books.execute("DELETE FROM transactions WHERE id = ?", (changed.id,))


def test_a_prevend_of_a_newer_version_is_bought(shop: Shop) -> None:
    shop.fresh_day()
    prevend = shop.another("prevend")
    try:
        recipient = shop.recipient()
        confirmed = prevend.http.post("/utility", json={"meterNumber": recipient, "amountCents": R100}).raise_for_status().json()
        with shop.books() as books:
            ((text,),) = books.execute("SELECT document FROM prevends WHERE id = ?", (confirmed["prevendId"],)).fetchall()
            books.execute(
                "UPDATE prevends SET document = ? WHERE id = ?", (json.dumps(everywhere(json.loads(text))), confirmed["prevendId"])
            )
        answer = shop.ask(shop.purchase, UTILITY, {"prevendId": confirmed["prevendId"]}, f"prevend-{recipient}")
        assert answer.status_code == 201, answer.text
    finally:
        prevend.process.kill()
