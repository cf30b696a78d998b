"""What becomes of sales over the years, and of one customer's data at once, in the packaged functions and a shop's clocks."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.clock import business_day
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import BINNED
from tests.deployed.shop import ONE_DAY, Sale, Shop, opened, own, sold_day
from tests.deployed.surroundings import Surroundings
from tests.deployed.switchboard import loses_the_answer, never_vends

OPERATOR = {"X-Caller": "thandi"}
A_YEAR = timedelta(days=401)
YEARS = timedelta(days=1830)


@pytest.fixture(scope="module")
def keeper(surroundings: Surroundings) -> Iterator[Shop]:
    """A shop of its own: years pass in it."""
    with opened(surroundings, surroundings.platform.folder, "keeper") as shop:
        yield shop


def retained(shop: Shop) -> Any:
    return shop.reconcile.http.post("/retention").raise_for_status().json()


def erased(shop: Shop, **number: str) -> Any:
    body = {**number, "reason": "Request of the customer, ticket 4711"}
    return shop.reconcile.http.post("/erasures", json=body, headers=OPERATOR).raise_for_status().json()


def settled_sales(shop: Shop) -> list[Sale]:
    """Two sales of a day that has balanced."""
    day, sales = sold_day(shop)
    shop.deliver(day, [sale.vend for sale in sales])
    assert shop.settle(day)["status"] == "balanced"
    return sales


def refused(shop: Shop, sale: Sale) -> set[tuple[int, str, str]]:
    """What is answered about a retired sale: to a repeat, to another request under its key, and to look-ups of its caller."""
    other = {**sale.body, "amountCents": 12_300}
    answers = [
        sale.repeated(),
        shop.ask(shop.purchase, sale.service, other, sale.key),
        shop.purchase.http.get(f"/transactions/{sale.id}"),
        shop.purchase.http.get("/transactions", params={"idempotencyKey": sale.key}),
    ]
    assert all("state" not in answer.json() and answer.json()["transactionId"] == sale.id for answer in answers)
    return {(answer.status_code, answer.json()["type"], answer.json()["retry"]) for answer in answers}


RETIRED = {(410, "/problems/key-retired", "never")}


def test_after_a_year_a_replay_shows_no_person_and_after_five_its_key_is_retired_and_never_vends(keeper: Shop) -> None:
    sales = settled_sales(keeper)
    before = [sale.repeated() for sale in sales]
    assert retained(keeper)["erased"] == 0
    keeper.clocks.pass_by(A_YEAR)
    assert retained(keeper)["erased"] >= 2
    assert retained(keeper)["erased"] == 0
    for sale, was in zip(sales, before, strict=True):
        again = sale.repeated()
        body, known = again.json(), was.json()
        assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
        assert body["receipt"] == known["receipt"] | {"consumer": None} and "meterNumber" not in body
        assert {**body, "receipt": 0} == {**{name: value for name, value in known.items() if name != "meterNumber"}, "receipt": 0}
        assert sale.recipient not in json.dumps(sale.dossier) and sale.dossier["erasedAt"] is not None
    keeper.clocks.pass_by(YEARS)
    assert retained(keeper)["retired"] >= 2
    with keeper.books() as books:
        assert all(sale.recipient not in str(books.execute("SELECT * FROM transactions").fetchall()) for sale in sales)
    for sale in sales:
        assert refused(keeper, sale) == RETIRED
        assert len(keeper.switch.deals_of(sale.recipient)) == 1
        shown = keeper.reconcile.http.get(f"/transactions/{sale.id}").raise_for_status().json()
        assert (shown["retired"], shown["state"], shown["amountCents"]) == (True, "vended", 10_000)
        assert keeper.reconcile.http.get(f"/transactions/{sale.id}?reveal=tokens", headers=OPERATOR).json() == shown
    other = keeper.purchase.http.get(f"/transactions/{sales[0].id}", headers={"X-Caller": "somebody"})
    assert other.status_code == 404


def test_a_sale_in_doubt_outlasts_every_retention(keeper: Shop) -> None:
    keeper.fresh_day()
    sale = keeper.buy(loses_the_answer, service=VasType.AIRTIME)
    keeper.clocks.pass_by(YEARS)
    assert retained(keeper)["held"] == 1
    assert (sale.repeated().status_code, sale.dossier["mobileNumber"][-4:]) == (202, sale.recipient[-4:])
    assert keeper.decide(sale, state="rejected").is_success
    done = retained(keeper)
    assert (done["held"], done["retired"]) == (0, 1) and refused(keeper, sale) == RETIRED


@pytest.mark.parametrize(
    ("is_there", "kind"), [(True, "duplicate_line"), (False, "late_posting")], ids=["billed before", "its file is gone"]
)
def test_a_line_that_comes_after_years_is_told_as_one_of_a_known_sale(keeper: Shop, is_there: bool, kind: str) -> None:
    sold, twice = settled_sales(keeper)
    lost = keeper.buy(never_vends)
    assert keeper.decide(lost, state="rejected").is_success
    day = business_day(keeper.clocks.now())
    keeper.clocks.at(day + ONE_DAY, 10)
    keeper.clocks.pass_by(YEARS)
    assert retained(keeper)["retired"] == 4
    for file in () if is_there else keeper.folder.iterdir():
        file.unlink()
    day = business_day(keeper.clocks.now())
    control = keeper.buy()
    billed = sold.vend.line(transaction_id="5c0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a11", merchant_id=str(lost_request(keeper, lost)))
    keeper.clocks.at(day + 2 * ONE_DAY, 12)
    keeper.deliver(day, [control.vend, sold.vend, twice.vend.line(status=BINNED), billed])
    keeper.deliver(day + ONE_DAY, [])
    settled = keeper.settle(day)
    kinds = {(one["kind"], one["transactionId"]) for one in own(settled)}
    assert {(kind, sold.id), ("vended_after_rejection", lost.id)} <= kinds
    assert "missing_here" not in {kind for kind, _ in kinds}
    assert refused(keeper, sold) == refused(keeper, lost) == RETIRED
    assert keeper.settle(day) == settled


def lost_request(shop: Shop, sale: Sale) -> Any:
    return shop.reconcile.http.get(f"/transactions/{sale.id}").raise_for_status().json()["requestId"]


def test_a_day_whose_sales_are_retired_is_settled_no_more_and_its_report_is_gone(keeper: Shop) -> None:
    day, sales = sold_day(keeper)
    keeper.deliver(day, [sale.vend for sale in sales])
    keeper.settle_all()
    keeper.clocks.pass_by(YEARS)
    assert retained(keeper)["retired"] == 0  # the day beside it waits for a file
    keeper.deliver(day + 2 * ONE_DAY, [])
    keeper.settle_all()
    assert retained(keeper)["retired"] >= 2
    again = keeper.reconcile.http.post("/settle", params={"day": day.isoformat()})
    assert (again.status_code, again.json()["type"]) == (400, "/problems/body-invalid")
    assert keeper.reconcile.http.get(f"/reports/{day}").status_code == 404


def test_a_customers_data_is_erased_at_an_operators_word_and_what_stays_says_why(keeper: Shop) -> None:
    day = keeper.fresh_day()
    meter = keeper.recipient()
    old, doubt = keeper.buy(recipient=meter), None
    other = keeper.buy()
    keeper.clocks.at(day + ONE_DAY, 10)
    control = keeper.buy()
    keeper.deliver(day, [old.vend, other.vend])
    keeper.deliver(day + ONE_DAY, [control.vend])
    keeper.clocks.at(day + 2 * ONE_DAY, 12)
    keeper.settle_all()
    assert [one["why"] for one in erased(keeper, meterNumber=meter)["stayed"]] == ["settling"]  # the day beside it waits for a file
    keeper.deliver(day + 2 * ONE_DAY, [])
    keeper.clocks.at(day + 3 * ONE_DAY, 12)
    keeper.settle_all()
    doubt = keeper.buy(loses_the_answer, recipient=meter, cents=5_000)
    done = erased(keeper, meterNumber=meter)
    assert (done["erased"], done["recipient"], done["by"]) == ([old.id], f"*{meter[-4:]}", "thandi")
    assert done["stayed"] == [{"transactionId": doubt.id, "why": "open"}]
    assert "meterNumber" not in old.repeated().json() and other.repeated().json()["meterNumber"] == other.recipient
    found = keeper.reconcile.http.get("/transactions", params={"meterNumber": meter}).raise_for_status().json()
    assert [one["transactionId"] for one in found["transactions"]] == [doubt.id]
    assert old.dossier["history"][-1] | {"at": 0} == {
        "at": 0, "what": "personal data erased", "by": "thandi", "note": "Request of the customer, ticket 4711"
    }  # fmt: skip
    listed = keeper.reconcile.http.get("/erasures").raise_for_status().json()
    assert [(one["erased"], one["stayed"]) for one in listed["erasures"]] == [(1, 1), (0, 1)] and meter not in json.dumps(listed)
    assert keeper.settle(day)["status"] == "balanced"


@pytest.mark.parametrize(("name", "service"), [("accountNumber", VasType.BILL_PAYMENT), ("mobileNumber", VasType.AIRTIME)])
def test_a_customer_is_found_by_account_and_by_mobile_number_in_any_form(keeper: Shop, name: str, service: VasType) -> None:
    keeper.fresh_day()
    sale = keeper.buy(service=service)
    keeper.clocks.pass_by(timedelta(days=40))
    said = sale.recipient if name == "accountNumber" else f"0{sale.recipient[2:]}"
    found = keeper.reconcile.http.get("/transactions", params={name: said}).raise_for_status().json()
    assert [one["transactionId"] for one in found["transactions"]] == [sale.id]
    assert erased(keeper, **{name: said})["erased"] == [sale.id]
    assert name not in sale.repeated().json()


@pytest.mark.parametrize("sent", [{"Sec-Fetch-Site": "cross-site"}, {}])
def test_who_erases_is_a_person_who_has_asked_for_it(keeper: Shop, sent: dict[str, str]) -> None:
    headers = {"X-Caller": "thandi", **sent}
    answer = keeper.reconcile.http.post("/erasures", json={"meterNumber": "99000000051", "reason": "Why"}, headers=headers)
    assert answer.status_code == (403 if sent else 200)
    assert keeper.reconcile.http.post("/retention", headers=sent).status_code == (403 if sent else 200)
