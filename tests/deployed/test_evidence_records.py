"""What is on record is what is guarded, announced and shown: with the topic away, twice contradicted, and by whom it was sold."""

import json

from shared.domain.vas import VasType
from tests.deployed.shop import ONE_DAY, R100, RECIPIENTS, Shop
from tests.deployed.switchboard import PRODUCTS, Deal, Switchboard, details, loses_the_answer, never_vends, vends
from tests.deployed.topic import Topic, body_of
from tests.emulators import free_port
from tests.stand_ins.switch_on_a_socket import http

UTILITY, AIRTIME, BILL = VasType.UTILITY, VasType.AIRTIME, VasType.BILL_PAYMENT
R4000 = 400_000

# Only a sale that runs, is in doubt or waits for a token stands in the way of one that looks the same.


def test_with_the_topic_away_only_what_is_unfinished_stands_in_the_way(shop: Shop) -> None:
    shop.fresh_day()
    away = {"EVENTS_TOPIC": "projects/demo/topics/away", "PUBSUB_EMULATOR_HOST": f"127.0.0.1:{free_port()}", "GOOGLE_CLOUD_PROJECT": "demo"}
    unheard = shop.another("purchase", **away)
    waits_for_a_token, in_doubt = details(tokens=[]), never_vends
    wrong = {}
    try:
        for name, service, play, expected in (
            ("delivered", UTILITY, vends, 201),
            ("airtime", AIRTIME, vends, 201),
            ("a bill", BILL, vends, 201),
            ("an online meter", UTILITY, details(tokens=[], onlineMeter=True), 201),
            ("waits for a token", UTILITY, waits_for_a_token, 409),
            ("in doubt", UTILITY, in_doubt, 409),
            ("airtime in doubt", AIRTIME, in_doubt, 409),
        ):
            recipient = shop.recipient(service)
            shop.switch.plays[recipient] = play
            body = {RECIPIENTS[service]: recipient, "amountCents": R100, "merchantProductId": PRODUCTS[service]}
            first, second = (shop.ask(unheard, service, body, f"{name.replace(' ', '-')}-{at}-{recipient}") for at in range(2))
            assert first.status_code in {201, 202}, first.text
            if second.status_code != expected and not (expected == 409 and second.json().get("type") == "/problems/possible-duplicate"):
                wrong[name] = second.text
    finally:
        unheard.process.kill()
    assert wrong == {}


def test_a_fingerprint_is_what_it_was_in_every_release(shop: Shop) -> None:
    shop.fresh_day()
    body = {"meterNumber": "99999000001", "amountCents": R4000, "reference": "basket 7"}
    sale = shop.ask(shop.purchase, UTILITY, body, "golden").json()
    with shop.books() as books:
        ((document,),) = books.execute("SELECT document FROM transactions WHERE id = ?", (sale["transactionId"],)).fetchall()
    assert json.loads(document)["record"]["fingerprint"] == "762579fce9ee82b9c928d4d36a4d012c"


# Two contradictions are two events.


def test_two_contradictions_of_a_sale_have_two_event_ids(till: Shop, topic: Topic) -> None:
    day = till.fresh_day()

    def refuses_and_vends(board: Switchboard, deal: Deal) -> bytes:
        board.vend(deal)
        return http(400, {"fulcrumErrorCode": 1001})

    refused, sold = till.buy(refuses_and_vends), till.buy()
    till.clocks.at(day + ONE_DAY)
    till.deliver(day, [refused.vend, sold.vend])
    till.settle(day)
    till.deliver(day, [refused.vend.line(transaction_id="5c0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a20"), sold.vend], "0600")
    till.settle(day)
    versions = [entry for entry in refused.dossier["history"] if entry["what"] == "contradicted"]
    assert len(versions) == 2
    told = [body_of(message) for message in topic.about({refused.id})]
    names = {body["eventId"] for body in told if body["event"] == "contradicted"}
    assert len(names) == 2
    assert {name.rpartition(":")[0] for name in names} == {f"{refused.id}:contradicted"}
    assert all(1 < int(name.rpartition(":")[2]) <= refused.dossier["version"] for name in names)


# Who sold it.


def test_every_view_of_a_sale_says_who_sells(till: Shop, topic: Topic) -> None:
    day = till.fresh_day()
    sold, doubt = till.buy(), till.buy(never_vends)
    for answer in (sold.answer, doubt.answer):
        assert answer.json()["supplierId"] == "MOBILEMART"
    till.clocks.at(day + ONE_DAY)
    views = {
        "its caller": till.purchase.http.get(f"/transactions/{sold.id}").json(),
        "its caller's day": till.purchase.http.get("/transactions", params={"day": day.isoformat()}).json()["transactions"][0],
        "an operator": sold.dossier,
        "a search": till.reconcile.http.get("/transactions", params={"meterNumber": sold.recipient}).json()["transactions"][0],
        "an event": body_of(topic.about({sold.id})[0]),
        "the sales that are open": till.settle(day)["open"][0],
        "the report": till.report(day)["now"]["inDoubt"]["sales"][0],
    }
    assert {name: view.get("supplierId") for name, view in views.items()} == dict.fromkeys(views, "MOBILEMART")
    assert "MOBILEMART" in till.reconcile.http.get(f"/reports/{day}.csv").text


def test_a_caller_does_not_say_who_sells(till: Shop) -> None:
    till.fresh_day()
    body = {"meterNumber": till.recipient(), "amountCents": R100, "supplierId": "SOMEBODY"}
    assert till.ask(till.purchase, UTILITY, body, "says-who").status_code == 400


def test_a_simulated_sale_says_so_and_an_older_record_has_the_supplier_of_its_mode(till: Shop) -> None:
    till.fresh_day()
    sold = till.buy()
    simulated = till.platform.start(
        "purchase",
        {"ENVIRONMENT": "local", "MOBILEMART_LIVE_INTEGRATION": "false", "TRANSACTION_STORE": f"sqlite:///{till.store}"},
    ).ready()
    try:
        answer = simulated.http.post(
            "/utility", json={"meterNumber": "12345678901", "amountCents": R100}, headers={"Idempotency-Key": "pretend"}
        )
        assert (answer.status_code, answer.json()["supplierId"]) == (201, "SIMULATED")
        strip(till, sold.id, "MOBILEMART")
        strip(till, answer.json()["transactionId"], "SIMULATED")
        assert sold.dossier["supplierId"] == sold.repeated().json()["supplierId"] == "MOBILEMART"
        again = simulated.http.get(f"/transactions/{answer.json()['transactionId']}")
        assert again.json()["supplierId"] == "SIMULATED"
    finally:
        simulated.process.kill()


def strip(shop: Shop, sale_id: str, supplier: str) -> None:
    """Let a record be as it was before sales said who sells them."""
    with shop.books() as books:
        ((text,),) = books.execute("SELECT document FROM transactions WHERE id = ?", (sale_id,)).fetchall()
        document = json.loads(text)
        [name] = [name for name, value in document.items() if value == supplier]
        del document[name]
        books.execute("UPDATE transactions SET document = ?, revision = revision + 1 WHERE id = ?", (json.dumps(document), sale_id))


def test_every_row_of_a_report_says_who_sells(till: Shop) -> None:
    day = till.fresh_day()
    healed, carried, token_due, dear = till.buy(loses_the_answer), till.buy(), till.buy(details(tokens=[])), till.buy()
    till.clocks.at(day + ONE_DAY)
    next_days = till.buy()
    till.deliver(day, [healed.vend, token_due.vend, dear.vend.line(amount="10001")])
    till.deliver(day + ONE_DAY, [next_days.vend, carried.vend])
    till.clocks.at(day + 2 * ONE_DAY)
    settled = till.settle(day)
    rows = {name: settled[name] for name in ("healed", "carriedOut", "tokensToRecover", "discrepancies")}
    rows["carriedIn"] = till.settle(day + ONE_DAY)["carriedIn"]
    rows["now"] = till.report(day)["now"]["tokensToRecover"]
    said = {name: {(row.get("ours") or row).get("supplierId") for row in listed} for name, listed in rows.items()}
    assert said == {name: {"MOBILEMART"} for name in rows}


def test_several_vends_of_one_sale_are_several_events(till: Shop, topic: Topic) -> None:
    day = till.fresh_day()
    sold = till.buy()
    till.clocks.at(day + ONE_DAY)
    others = [sold.vend.line(transaction_id=f"5c0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a3{at}") for at in range(3)]
    till.deliver(day, [sold.vend, *others])
    till.settle(day)
    till.sweep()
    contradictions = [entry for entry in sold.dossier["history"] if entry["what"] == "contradicted"]
    names = {body_of(message)["eventId"] for message in topic.about({sold.id})} - {f"{sold.id}:vended"}
    assert len(names) == len(contradictions) == 3
