"""purchase, running: what a wallet gets for an order, for its repeat, and when it asks again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from shared.domain import identifiers
from shared.domain.clock import business_day
from shared.domain.identifiers import Caller
from shared.domain.prevend import Prevend
from shared.domain.vas import Mode, Order, VasType
from shared.mobilemart.simulator import Simulator
from tests import sales
from tests.functions.wallet import (
    ACCOUNT,
    AIRTIME,
    AIRTIME_PIN,
    DATA,
    DATA_PIN,
    METER,
    VOUCHER,
    Wallet,
    new_key,
    problem,
    sale,
)

LOST = {**METER, "meterNumber": "99000000040"}  # the simulator vends, and cuts the connection


def now() -> datetime:
    return datetime.now(UTC)


async def vends_of(store, response):
    """What the supplier sold for the sale in an answer."""
    held = await store.find(response.json()["transactionId"])
    return [vend for vend in await Simulator(store.ledger, now=now).vends() if vend.request_id == held.request_id]


async def claimed(store, wallet: Wallet, key: str, body, at: datetime):
    """A sale of the wallet's that was claimed at that time and not finished since."""
    order = Order(
        vas_type=VasType.UTILITY, amount=sales.ORDER.amount, merchant_product_id="SimUtility0000000000", meter_number=body["meterNumber"]
    )
    fingerprint = identifiers.fingerprint(VasType.UTILITY, body)
    return await store.create(sales.vending(key, at=at, order=order, caller=Caller("local", wallet.caller), fingerprint=fingerprint))


async def confirmed(store, wallet: Wallet, **changes: object) -> Prevend:
    """A prevend of the wallet's on record."""
    order = structs.replace(sales.ORDER, merchant_product_id="SimUtility0000000000", reference=None)
    prevend = Prevend(
        id=new_key(),
        mode=Mode.SIMULATED,
        caller=Caller("local", wallet.caller),
        order=order,
        supplier_prevend_id="s-1",
        minimum_amount=None,
        amount_due=None,
        created_at=now() - timedelta(minutes=20),
        expires_at=now() + timedelta(minutes=10),
    )
    prevend = structs.replace(prevend, **changes)
    await store.add_prevend(prevend)
    return prevend


# What is bought


@pytest.mark.parametrize(
    ("service", "body", "recipient", "due"),
    [
        ("utility", METER, {"meterNumber": "12345678901"}, "delivered"),
        ("bill-payment", ACCOUNT, {"accountNumber": "135609708"}, "none"),
        ("airtime", AIRTIME, {"mobileNumber": "27821234567"}, "none"),
        ("airtime", AIRTIME_PIN, {}, "delivered"),
        ("data", DATA, {"mobileNumber": "27821234567"}, "none"),
        ("data", DATA_PIN, {}, "delivered"),
        ("voucher", VOUCHER, {}, "delivered"),
    ],
)
def test_every_service_is_sold(wallet, service, body, recipient, due):
    response = wallet.buy(service, {**body, "reference": "basket 7"})
    sold = sale(response, 201)

    assert (sold["state"], sold["vasType"], sold["amountCents"], sold["reference"]) == ("vended", service, body["amountCents"], "basket 7")
    assert {name: sold[name] for name in ("meterNumber", "accountNumber", "mobileNumber") if name in sold} == recipient
    assert sold["receipt"]["tokensDue"] == due
    assert sold["simulated"] is True
    assert "idempotent-replayed" not in response.headers


def test_electricity_delivers_tokens_that_no_meter_takes(wallet):
    tokens = sale(wallet.buy("utility", {**METER, "meterNumber": "99000000003"}), 201)["receipt"]["tokens"]
    assert [token["kind"] for token in tokens] == ["key_change", "key_change", "free", "credit"]
    assert all(len(token["number"]) == 20 and token["number"].startswith("0" * 12) for token in tokens)


async def test_what_was_confirmed_is_sold_once(wallet, store):
    confirmed = wallet.confirm("utility", METER).json()
    response = wallet.buy("utility", {"prevendId": confirmed["prevendId"], "reference": "mine"})
    sold = sale(response, 201)

    assert (sold["meterNumber"], sold["amountCents"], sold["reference"]) == ("12345678901", 10_000, "mine")
    assert len(await vends_of(store, response)) == 1


# What is repeated


@pytest.mark.parametrize(
    ("body", "status"),
    [(METER, 201), (LOST, 202), ({**METER, "meterNumber": "99000000021"}, 422), ({**METER, "meterNumber": "99000000009"}, 422)],
    ids=["vended", "in doubt", "rejected", "refused before the claim"],
)
async def test_a_repeat_gets_the_same_bytes_and_sells_nothing(wallet, store, body, status):
    key = new_key()
    first, again = wallet.buy("utility", body, key), wallet.buy("utility", body, key)

    assert (first.status_code, again.status_code) == (status, status)
    assert first.content == again.content
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert len(await vends_of(store, first)) == (0 if status == 422 else 1)


def test_an_alias_is_the_same_service(wallet):
    key = new_key()
    first = sale(wallet.buy("electricity", METER, key), 201)
    for alias in ("prepaidutility", "utility"):
        assert sale(wallet.buy(alias, METER, key), 201) == first
    assert sale(wallet.buy("billpayment", ACCOUNT), 201)["vasType"] == "bill-payment"
    assert sale(wallet.buy("bill_payment", {**ACCOUNT, "amountCents": 20_000}), 201)["vasType"] == "bill-payment"


async def test_twenty_at_once_with_one_key_sell_once(wallet, store):
    key = new_key()
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: wallet.buy("utility", METER, key), range(20)))

    assert {response.status_code for response in responses} <= {201, 409}
    sold = {response.content for response in responses if response.status_code == 201}
    assert len(sold) == 1
    assert len(await vends_of(store, next(response for response in responses if response.status_code == 201))) == 1


def test_a_key_is_good_for_one_request_only(wallet):
    key = new_key()
    first = sale(wallet.buy("utility", METER, key), 201)
    for service, body in [("utility", {**METER, "amountCents": 20_000}), ("utility", {**METER, "reference": "x"}), ("voucher", VOUCHER)]:
        refused = problem(wallet.buy(service, body, key), 422, "idempotency-key-reused")
        assert refused["instance"] == f"/transactions/{first['transactionId']}"
        assert "state" not in refused
    assert sale(wallet.get("/transactions", idempotencyKey=key), 200) == first


def test_two_callers_may_use_the_same_key(wallet, prevend, purchase):
    key, other = new_key(), Wallet(prevend, purchase)
    assert sale(wallet.buy("utility", METER, key), 201)["transactionId"] != sale(other.buy("utility", METER, key), 201)["transactionId"]


# What has not ended


async def test_a_sale_in_doubt_is_202_with_the_way_to_ask_again(wallet, store):
    response = wallet.buy("utility", LOST)
    unknown = sale(response, 202)

    assert (unknown["state"], unknown["receipt"], unknown["problem"]) == ("in_doubt", None, None)
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["location"] == f"/transactions/{unknown['transactionId']}"
    assert sale(wallet.get(response.headers["location"]), 200) == unknown
    assert len(await vends_of(store, response)) == 1  # the customer's money is not let go


async def test_a_sale_that_is_running_is_not_a_rejection(wallet, store):
    key = new_key()
    running = await claimed(store, wallet, key, METER, now())
    response = wallet.buy("utility", METER, key)
    refused = problem(response, 409, "request-in-progress")

    assert (refused["transactionId"], refused["retry"], "state" in refused) == (running.id, "same-key", False)
    assert response.headers["location"] == f"/transactions/{running.id}"
    assert int(response.headers["retry-after"]) >= 1
    assert sale(wallet.get(response.headers["location"]), 200)["state"] == "vending"


async def test_a_sale_that_nobody_sells_any_more_is_in_doubt(wallet, store):
    key = new_key()
    abandoned = await claimed(store, wallet, key, METER, now() - timedelta(minutes=5))
    response = wallet.buy("utility", METER, key)

    assert (sale(response, 202)["state"], response.headers["idempotent-replayed"]) == ("in_doubt", "true")
    assert sale(wallet.get(f"/transactions/{abandoned.id}"), 200)["state"] == "in_doubt"


# What is rejected


@pytest.mark.parametrize(
    ("scenario", "name", "retry"),
    [
        (9, "meter-unknown", "change"),
        (20, "product-unavailable", "change"),
        (21, "amount-refused", "change"),
        (22, "temporarily-unavailable", "new-key"),
        (28, "meter-unknown", "change"),
        (30, "supplier-busy", "new-key"),
    ],
)
def test_a_rejection_says_why_and_what_may_be_tried(wallet, scenario, name, retry):
    response = wallet.buy("utility", {**METER, "meterNumber": f"990000000{scenario:02d}"})
    rejected = problem(response, 422, name)
    held = sale(wallet.get(f"/transactions/{rejected['transactionId']}"), 200)

    assert (rejected["state"], rejected["retry"]) == ("rejected", retry)
    assert rejected["instance"] == f"/transactions/{rejected['transactionId']}"
    assert (held["state"], held["receipt"]) == ("rejected", None)
    assert held["problem"].items() <= rejected.items()


def test_the_meters_own_minimum_is_told(wallet):
    refused = problem(wallet.buy("utility", {**METER, "meterNumber": "99000000007"}), 422, "amount-below-minimum")
    assert (refused["minimumAmountCents"], refused["retry"]) == (33_926, "change")


def test_a_fixed_price_is_what_the_wallet_has_to_reserve(wallet):
    refused = problem(wallet.buy("data", {**DATA, "amountCents": 9_900}), 422, "price-changed")
    assert (refused["state"], refused["retry"]) == ("rejected", "change")


def test_a_product_that_is_not_in_the_catalogue_is_not_sold(wallet):
    refused = problem(wallet.buy("voucher", {**VOUCHER, "merchantProductId": "NoSuchProduct0000000"}), 422, "product-unavailable")
    assert refused["state"] == "rejected"


async def test_a_prevend_is_bought_with_one_key(wallet):
    confirmed = wallet.confirm("utility", METER).json()
    first = sale(wallet.buy("utility", {"prevendId": confirmed["prevendId"]}), 201)
    key = new_key()
    refused = problem(wallet.buy("utility", {"prevendId": confirmed["prevendId"]}, key), 409, "prevend-used")

    own = sale(wallet.get("/transactions", idempotencyKey=key), 200)
    assert (refused["state"], refused["transactionId"]) == ("rejected", first["transactionId"])
    assert refused["instance"] == f"/transactions/{own['transactionId']}"
    assert own["problem"]["transactionId"] == first["transactionId"]


async def test_an_expired_prevend_is_not_sold(wallet, store):
    prevend = await confirmed(store, wallet, expires_at=now() - timedelta(seconds=1))
    refused = problem(wallet.buy("utility", {"prevendId": prevend.id}), 409, "prevend-expired")
    assert (refused["state"], refused["retry"]) == ("rejected", "change")
    assert sale(wallet.get(f"/transactions/{refused['transactionId']}"), 200)["state"] == "rejected"


@pytest.mark.parametrize(
    "change",
    [
        {"caller": Caller("local", "another")},
        {"mode": Mode.LIVE},
        {"order": structs.replace(sales.ORDER, vas_type=VasType.BILL_PAYMENT)},
        None,
    ],
)
async def test_a_prevend_that_is_not_this_callers_is_unknown_and_leaves_the_key_free(wallet, store, change):
    prevend_id = "nope" if change is None else (await confirmed(store, wallet, **change)).id
    key = new_key()
    refused = problem(wallet.buy("utility", {"prevendId": prevend_id}, key), 404, "prevend-unknown")

    assert "state" not in refused
    problem(wallet.get("/transactions", idempotencyKey=key), 404, "not-found")
    sale(wallet.buy("utility", METER, key), 201)


async def test_the_same_again_while_the_first_is_open_is_a_possible_duplicate(wallet):
    twin = sale(wallet.buy("utility", LOST), 202)
    refused = problem(wallet.buy("utility", LOST), 409, "possible-duplicate")

    assert (refused["state"], refused["transactionId"], refused["retry"]) == ("rejected", twin["transactionId"], "change")
    assert refused["instance"] != f"/transactions/{twin['transactionId']}"
    sale(wallet.buy("utility", {**LOST, "allowDuplicate": True}), 202)
    sale(wallet.buy("utility", METER), 201)  # another meter is no duplicate


# What is asked for


def test_only_its_caller_sees_a_sale(wallet, prevend, purchase):
    key = new_key()
    sold = sale(wallet.buy("utility", METER, key), 201)
    other = Wallet(prevend, purchase)

    assert sale(wallet.get(f"/transactions/{sold['transactionId']}"), 200) == sold
    assert sale(wallet.get("/transactions", idempotencyKey=key), 200) == sold
    problem(other.get(f"/transactions/{sold['transactionId']}"), 404, "not-found")
    problem(other.get("/transactions", idempotencyKey=key), 404, "not-found")


@pytest.mark.parametrize("sale_id", ["0" * 32, "nope", "0" * 31, "0" * 33, "A" * 32, "..%2f..", "%00", "٠" * 32])
def test_an_id_that_no_sale_has_is_not_found(wallet, sale_id):
    problem(wallet.get(f"/transactions/{sale_id}"), 404, "not-found")


async def test_a_day_is_read_page_by_page_each_sale_once(wallet, store):
    at = datetime(2026, 5, 1, 22, 30, tzinfo=UTC)  # the second of May in Johannesburg
    caller = Caller("local", wallet.caller)
    made = [await store.create(sales.in_doubt(key=f"{number}", at=at, caller=caller)) for number in range(103)]
    await store.create(sales.in_doubt(key="the day after", at=at + timedelta(days=1), caller=caller))

    first = wallet.get("/transactions", day="2026-05-02").json()
    rest = wallet.get("/transactions", day="2026-05-02", cursor=first["cursor"]).json()
    listed = [each["transactionId"] for each in (*first["transactions"], *rest["transactions"])]
    assert (len(first["transactions"]), len(rest["transactions"]), rest["cursor"]) == (100, 3, None)
    assert listed == sorted(held.id for held in made)
    assert wallet.get("/transactions", day="2026-05-01").json() == {"transactions": [], "cursor": None}


def test_a_day_shows_each_sale_as_its_own_address_does(wallet):
    sold = sale(wallet.buy("utility", METER), 201)
    day = business_day(datetime.fromisoformat(sold["createdAt"])).isoformat()
    assert wallet.get("/transactions", day=day).json() == {"transactions": [sold], "cursor": None}


def test_health_needs_no_identity(purchase):
    response = purchase.get("/health", headers={"X-Caller": "not\x7fa name"})
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert response.json() == {"status": "ok", "environment": "local", "mode": "simulated"}


def test_a_head_is_a_get_without_its_body(wallet):
    sold = wallet.buy("utility", METER)
    path, headers = f"/transactions/{sold.json()['transactionId']}", {"X-Caller": wallet.caller}
    head, get = wallet.purchase.head(path, headers=headers), wallet.purchase.get(path, headers=headers)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(get.content)))
