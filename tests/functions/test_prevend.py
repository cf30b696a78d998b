"""prevend, running: what is confirmed, what is refused, and the catalogue."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter

from shared.schemas.responses import PrevendBody, ProductsBody
from tests.functions.wallet import ACCOUNT, METER, fields_at_fault, problem

_PREVEND = TypeAdapter(PrevendBody)
_PRODUCTS = TypeAdapter(ProductsBody)


def confirmed(response):
    """The prevend in an answer, in exactly the form that is described."""
    assert (response.status_code, response.headers["content-type"], response.headers["cache-control"]) == (
        200,
        "application/json",
        "no-store",
    )
    assert _PREVEND.validate_python(response.json()) == response.json()
    return response.json()


@pytest.mark.parametrize(("service", "body", "recipient"), [("utility", METER, "meterNumber"), ("bill-payment", ACCOUNT, "accountNumber")])
def test_a_recipient_is_confirmed_for_a_while(wallet, service, body, recipient):
    said = confirmed(wallet.confirm(service, body))

    assert (said["vasType"], said[recipient], said["amountCents"]) == (service, body[recipient], body["amountCents"])
    assert said["simulated"] is True
    left = datetime.fromisoformat(said["expiresAt"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)


def test_the_meters_minimum_and_its_masked_consumer_are_shown(wallet):
    said = confirmed(wallet.confirm("utility", {**METER, "meterNumber": "99000000007"}))
    assert said["minimumAmountCents"] == 33_926
    assert said["consumer"]["name"] and all(word[1:] == "**" for text in said["consumer"].values() for word in text.split())


def test_every_prevend_has_an_id_of_its_own(wallet):
    ids = {confirmed(wallet.confirm("utility", METER))["prevendId"] for _ in range(3)}
    assert len(ids) == 3 and all(len(each) == 36 for each in ids)


def test_the_app_may_still_ask_by_query(prevend, wallet):
    response = prevend.get("/electricity", params=METER, headers={"X-Caller": wallet.caller})
    assert confirmed(response)["amountCents"] == METER["amountCents"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", {"meterNumber", "amountCents"}),
        ("meterNumber=12345678901&amountCents=100.0", {"amountCents"}),
        ("meterNumber=12345678901&amountCents=-100", {"amountCents"}),
        ("meterNumber=12345678901&amountCents=%D9%A1%D9%A0%D9%A0", {"amountCents"}),
        ("meterNumber=12345678901&amountCents=" + "9" * 5000, {"amountCents"}),
        ("meterNumber=12345678901&meterNumber=10987654321&amountCents=10000", {"meterNumber"}),
        ("meterNumber=12345678901&amountCents=10000&tip=1", {"tip"}),
    ],
)
def test_a_query_is_checked_like_a_body(prevend, query, fields):
    assert fields_at_fault(prevend.get(f"/utility?{query}")) == fields


def test_a_refusal_is_of_no_sale(wallet):
    refused = problem(wallet.confirm("utility", {**METER, "meterNumber": "99000000009"}), 422, "meter-unknown")
    assert not {"state", "transactionId", "instance"} & set(refused)


def test_a_supplier_that_does_not_answer_may_be_asked_again(wallet):
    refused = problem(wallet.confirm("utility", {**METER, "meterNumber": "99000000011"}), 503, "supplier-unavailable")
    assert refused["retryAfterSeconds"] >= 1


@pytest.mark.parametrize("service", ["utility", "electricity", "bill-payment", "airtime", "data", "voucher"])
def test_the_catalogue_has_every_service(prevend, service):
    response = prevend.get(f"/{service}/products")
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert _PRODUCTS.validate_python(response.json()) == response.json()
    assert response.json()["products"]


@pytest.mark.parametrize("path", ["/airtime", "/data", "/voucher"])
def test_what_has_no_prevend_is_not_found(prevend, path):
    problem(prevend.post(path, json=METER), 404, "not-found")


def test_health_says_where_sales_go(prevend):
    assert prevend.get("/health").json() == {"status": "ok", "environment": "local", "mode": "simulated"}
