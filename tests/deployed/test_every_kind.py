"""Every kind of sale, live and simulated, through the archives: what the wallet gets, what was sold, and what is announced."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from shared.mobilemart.simulator import PLAIN, Service
from tests.deployed.processes import Supplier
from tests.deployed.surroundings import Surroundings, World
from tests.deployed.topic import body_of as event_of
from tests.deployed.wallet import Wallet, body_of, new_key

KINDS: Mapping[str, tuple[Service, bool]] = {
    **{service.value: (service, False) for service in Service},
    **{f"{service} by its prevend": (service, True) for service in (Service.UTILITY, Service.BILL_PAYMENT)},
}
RECIPIENTS = {
    Service.UTILITY: {"meterNumber": "99000000000"},
    Service.BILL_PAYMENT: {"accountNumber": "990000000"},
    Service.AIRTIME_PINLESS: {"mobileNumber": "27820000000"},
    Service.DATA_PINLESS: {"mobileNumber": "27820000000"},
}
ZEROS = "0" * 12


@dataclass(frozen=True)
class Bought:
    """One purchase: what was confirmed before it, the request, its key, and the answer."""

    service: Service
    confirmed: dict[str, Any] | None
    body: dict[str, Any]
    key: str
    answer: httpx.Response

    @property
    def sale(self) -> dict[str, Any]:
        assert self.answer.status_code == 201, self.answer.text
        sale: dict[str, Any] = self.answer.json()
        return sale


def buy_one_of_each(wallet: Wallet, world: World) -> dict[str, Bought]:
    return {name: buy(wallet, world, service, confirm=confirm) for name, (service, confirm) in KINDS.items()}


def buy(wallet: Wallet, world: World, service: Service, *, confirm: bool) -> Bought:
    body, confirmed, key = body_of(PLAIN, service), None, new_key()
    if confirm:
        answer = wallet.confirm(world.prevend, service.vas_type, body)
        assert answer.status_code == 200, answer.text
        confirmed = answer.json()
        body = {"prevendId": confirmed["prevendId"]}
    elif service is Service.UTILITY:
        del body["merchantProductId"]  # there is one only
    body["reference"] = f"basket {key}"
    return Bought(service, confirmed, body, key, wallet.buy(world.purchases[0], service.vas_type, body, key))


@pytest.fixture(scope="module")
def sold(surroundings: Surroundings, live: World) -> dict[str, Bought]:
    return buy_one_of_each(surroundings.wallet(), live)


@pytest.fixture(scope="module")
def simulated(surroundings: Surroundings) -> World:
    """Functions that share nothing but their database."""
    topic = surroundings.topic()
    return World.of(surroundings.platform, topic, surroundings.simulated(topic))


@pytest.fixture(scope="module")
def wallet(surroundings: Surroundings) -> Wallet:
    return surroundings.wallet()


@pytest.fixture(scope="module")
def pretended(wallet: Wallet, simulated: World) -> dict[str, Bought]:
    return buy_one_of_each(wallet, simulated)


@pytest.mark.parametrize("kind", KINDS)
def test_the_wallet_gets_what_it_has_paid_for(sold: dict[str, Bought], kind: str) -> None:
    bought, service = sold[kind], sold[kind].service
    sale, receipt = bought.sale, bought.sale["receipt"]
    credit = [token for token in receipt["tokens"] if (token["kind"], len(token["number"])) == ("credit", 20)]

    assert (sale["state"], sale["vasType"], sale["amountCents"], sale["problem"]) == ("vended", service.vas_type, 10_000, None)
    assert (sale["reference"], sale["simulated"]) == (bought.body["reference"], False)
    assert {name: sale[name] for name in ("meterNumber", "accountNumber", "mobileNumber") if name in sale} == RECIPIENTS.get(service, {})
    assert receipt["tokensDue"] == ("delivered" if service is Service.UTILITY or service.pinned else "none")
    assert (len(receipt["tokens"]), len(credit)) == ((1, 1) if service is Service.UTILITY else (0, 0))
    assert (receipt["units"], receipt["meter"] is None) == (("29.7", False) if service is Service.UTILITY else (None, True))
    assert (receipt["pin"] is not None, receipt["serialNumber"] is not None) == (service.pinned, service.pinned)


@pytest.mark.parametrize("kind", ["utility by its prevend", "bill-payment by its prevend"])
def test_a_prevend_says_what_its_purchase_will_sell(sold: dict[str, Bought], kind: str) -> None:
    confirmed, sale = sold[kind].confirmed, sold[kind].sale
    assert confirmed is not None
    shared = {"vasType", "merchantProductId", "amountCents", "meterNumber", "accountNumber", "simulated"} & set(confirmed)
    assert {name: confirmed[name] for name in shared} == {name: sale[name] for name in shared}
    assert confirmed["consumer"]["name"].split()[0].endswith("**")  # masked, unless configured otherwise


def test_each_was_sold_once(sold: dict[str, Bought], supplier: Supplier) -> None:
    delivered = {bought.sale["receipt"]["supplierTransactionId"]: bought for bought in sold.values()}
    vends = {vend["transaction_id"]: vend for vend in supplier.vends() if vend["transaction_id"] in delivered}

    assert set(vends) == set(delivered)
    for supplier_id, vend in vends.items():
        sale = delivered[supplier_id].sale
        assert (vend["copy"], vend["vas_type"], vend["amount_cents"]) == (1, sale["vasType"], sale["amountCents"])
        assert [token["number"] for token in vend["tokens"]] == [token["number"] for token in sale["receipt"]["tokens"]]
        assert vend["pin"] == sale["receipt"]["pin"]


def test_each_is_announced_once_as_the_wallet_was_answered(sold: dict[str, Bought], live: World) -> None:
    sales = {bought.sale["transactionId"]: bought.sale for bought in sold.values()}
    told = live.topic.about(sales)

    callers = set()
    assert len(told) == len(sales)
    for message in told:
        sale = sales[message.ordering_key]
        assert event_of(message) == {**sale, "eventId": f"{sale['transactionId']}:vended", "event": "vended"}
        attributes = dict(message.attributes)
        callers.add(attributes.pop("caller"))
        assert attributes == {"event": "vended", "vasType": sale["vasType"], "simulated": "false"}
    assert len(callers) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_simulated_sale_looks_like_a_live_one_and_says_what_it_is(
    sold: dict[str, Bought], pretended: dict[str, Bought], kind: str
) -> None:
    live, pretence = sold[kind].sale, pretended[kind].sale

    assert shape(pretence) == shape(live)
    assert shape(pretended[kind].confirmed) == shape(sold[kind].confirmed)
    assert pretence["simulated"] is True
    assert all(token["number"].startswith(ZEROS) for token in pretence["receipt"]["tokens"])
    assert pretence["receipt"]["serialNumber"] is None or pretence["receipt"]["serialNumber"].startswith(ZEROS)


def test_every_simulated_instance_knows_what_another_sold(pretended: dict[str, Bought], simulated: World, wallet: Wallet) -> None:
    for bought in pretended.values():
        again = wallet.buy(simulated.purchases[1], bought.service.vas_type, bought.body, bought.key)
        assert (again.status_code, again.content) == (201, bought.answer.content)
        assert again.headers["idempotent-replayed"] == "true"


def test_nobody_buys_without_a_token_that_the_issuer_signed_for_buying(surroundings: Surroundings, live: World) -> None:
    tokens = {
        surroundings.issuer.token("wallet")[:-8] + "AAAAAAAA": 401,  # signed by nobody
        surroundings.issuer.token("wallet", aud="another"): 401,
        surroundings.issuer.token("wallet", scope="openid"): 403,
    }
    for token, status in tokens.items():
        stranger = Wallet(token, surroundings.seen)
        assert stranger.confirm(live.prevend, "utility", body_of(PLAIN, Service.UTILITY)).status_code == status
        assert stranger.buy(live.purchases[0], "utility", body_of(PLAIN, Service.UTILITY), new_key()).status_code == status


def shape(value: object) -> object:
    """What kind of JSON it is, all the way down."""
    match value:
        case dict():
            return {name: shape(inner) for name, inner in value.items()}
        case list():
            return [shape(inner) for inner in value]
        case _:
            return type(value)
