"""Between a request and its repeat the settings change, or the code: a key that is on record has the record's answer."""

from datetime import timedelta

import pytest

from shared.domain.identifiers import Caller, fingerprint
from shared.domain.money import Money
from shared.domain.outcome import Vended
from shared.domain.vas import Mode, Order, VasType
from tests import sales
from tests.functions.running import SIMULATED, client_of
from tests.functions.test_purchase import LOST, claimed, confirmed, now
from tests.functions.wallet import METER, Wallet, fields_at_fault, new_key, problem, sale

R4000 = {**LOST, "amountCents": 400_000}


@pytest.fixture
def restarted(prevend, sales_file):
    """A wallet of purchase, started again with other settings over the same store."""
    opened = []

    def restart(wallet: Wallet, **settings: str) -> Wallet:
        manager = client_of("purchase", **SIMULATED, TRANSACTION_STORE=f"sqlite:///{sales_file}", **settings)
        opened.append(manager)
        return Wallet(prevend, manager.__enter__(), wallet.caller)

    yield restart
    for manager in opened:
        manager.__exit__(None, None, None)


async def test_a_doubt_above_a_lowered_maximum_is_answered_and_a_new_key_is_free(wallet, restarted):
    key, other = new_key(), new_key()
    doubt = sale(wallet.buy("utility", R4000, key), 202)
    vended = sale(wallet.buy("utility", {**METER, "amountCents": 400_000}, other), 201)

    stricter = restarted(wallet, MAXIMUM_AMOUNT_CENTS="300000", MINIMUM_AMOUNT_CENTS="200")

    again = stricter.buy("utility", R4000, key)
    assert (sale(again, 202), again.headers["idempotent-replayed"]) == (doubt, "true")
    assert sale(stricter.buy("utility", {**METER, "amountCents": 400_000}, other), 201) == vended
    problem(stricter.buy("utility", {**R4000, "amountCents": 400_001}, key), 422, "idempotency-key-reused")
    fresh = new_key()
    assert fields_at_fault(stricter.buy("utility", R4000, fresh)) == {"amountCents"}
    sale(stricter.buy("utility", METER, fresh), 201)


async def test_a_sale_below_a_raised_minimum_is_answered(wallet, restarted):
    key, small = new_key(), {**METER, "amountCents": 1_000}
    sold = sale(wallet.buy("utility", small, key), 201)
    stricter = restarted(wallet, MINIMUM_AMOUNT_CENTS="5000")
    assert sale(stricter.buy("utility", small, key), 201) == sold
    assert fields_at_fault(stricter.buy("utility", small)) == {"amountCents"}


BODIES = {
    "a field that nobody knows": {**METER, "channel": "ussd"},
    "an amount as text": {**METER, "amountCents": "10000"},
    "a meter of another form": {**METER, "meterNumber": "123456789012"},
    "no product where one is due": {"merchantProductId": "  spaced  ", **METER},
    "nothing that is known": {"sku": "electricity", "qty": 1},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_request_that_older_code_took_and_this_refuses_is_answered_from_its_record(wallet, store, body):
    key = new_key()
    order = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="p", meter_number="12345678901")
    made = fingerprint(VasType.UTILITY, body)
    await store.create(sales.vended(key=key, order=order, caller=Caller("local", wallet.caller), fingerprint=made))

    again = wallet.buy("electricity", body, key)
    assert (sale(again, 201)["state"], again.headers["idempotent-replayed"]) == ("vended", "true")
    assert wallet.buy("utility", dict(reversed(body.items())), key).content == again.content
    problem(wallet.buy("utility", {**body, "more": 1}, key), 422, "idempotency-key-reused")
    problem(wallet.buy("voucher", body, key), 422, "idempotency-key-reused")
    problem(wallet.buy("utility", body), 400, "body-invalid")


async def test_a_repeat_under_a_name_that_no_service_has_any_more_is_answered_from_its_record(wallet):
    key = new_key()
    sold = sale(wallet.buy("electricity", METER, key), 201)
    assert sale(wallet.buy("prepaid-tokens", METER, key), 201) == sold
    problem(wallet.buy("prepaid-tokens", {**METER, "amountCents": 20_000}, key), 422, "idempotency-key-reused")
    problem(wallet.buy("prepaid-tokens", METER), 404, "not-found")
    problem(Wallet(wallet.prevend, wallet.purchase).buy("prepaid-tokens", METER, key), 404, "not-found")


async def test_a_repeat_that_would_be_refused_today_is_in_progress_while_the_first_runs(wallet, store):
    key, body = new_key(), {**METER, "channel": "ussd"}
    running = await claimed(store, wallet, key, body, now())
    told = problem(wallet.buy("utility", body, key), 409, "request-in-progress")
    assert told["transactionId"] == running.id


async def test_a_prevend_that_is_gone_changes_no_answer(wallet, store):
    key = new_key()
    prevend = await confirmed(store, wallet)
    sold = wallet.buy("utility", {"prevendId": prevend.id}, key)
    await store._connection.commit(lambda sqlite: sqlite.execute("DELETE FROM prevends WHERE id = ?", (prevend.id,)))
    assert wallet.buy("utility", {"prevendId": prevend.id}, key).content == sold.content


# A record whose fingerprint is of another scheme than this code's

OTHER_SCHEME = "sha1:2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"


async def recorded(store, wallet, key, **changes):
    order = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="p", meter_number="12345678901", reference="7")
    made = sales.vended(key=key, order=order, caller=Caller("local", wallet.caller), fingerprint=OTHER_SCHEME)
    assert isinstance(made.outcome, Vended) and made.mode is Mode.SIMULATED
    return await store.create(made)


async def test_a_record_of_another_scheme_answers_the_request_that_ordered_the_same(wallet, store):
    key = new_key()
    held = await recorded(store, wallet, key)
    for body in ({**METER, "reference": "7"}, {**METER, "reference": "7", "merchantProductId": "p"}, {**METER, "channel": "ussd"}):
        assert sale(wallet.buy("electricity", body, key), 201)["transactionId"] == held.id


@pytest.mark.parametrize(
    "change",
    [{"amountCents": 10_001}, {"meterNumber": "12345678902"}, {"reference": "8"}, {"reference": None}, {"merchantProductId": "q"}],
    ids=str,
)
async def test_a_record_of_another_scheme_tells_another_order_from_its_own(wallet, store, change):
    key = new_key()
    await recorded(store, wallet, key)
    problem(wallet.buy("utility", {**METER, "reference": "7", **change}, key), 422, "idempotency-key-reused")
    problem(wallet.buy("voucher", {"merchantProductId": "p", "amountCents": 10_000}, key), 422, "idempotency-key-reused")


async def test_a_record_of_another_scheme_answers_whoever_names_its_prevend(wallet, store):
    key = new_key()
    order = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id="p", meter_number="12345678901", reference="7")
    await recorded(store, wallet, key)
    same = await confirmed(store, wallet, order=order, expires_at=now() - timedelta(minutes=1))
    other = await confirmed(store, wallet, order=Order(**{**_fields(order), "amount": Money(20_000)}))
    assert wallet.buy("utility", {"prevendId": same.id, "reference": "7"}, key).status_code == 201
    assert wallet.buy("utility", {"prevendId": "gone", "reference": "7"}, key).status_code == 201
    problem(wallet.buy("utility", {"prevendId": other.id, "reference": "7"}, key), 422, "idempotency-key-reused")


def _fields(order: Order) -> dict[str, object]:
    return {name: getattr(order, name) for name in order.__struct_fields__}
