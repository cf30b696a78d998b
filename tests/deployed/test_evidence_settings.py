"""A repeat of a key that is on record gets the record's answer, whatever the settings are now."""

import pytest

from shared.domain.vas import VasType
from tests.deployed.shop import Shop
from tests.deployed.switchboard import loses_the_answer
from tests.stand_ins.switch_on_a_socket import http

UTILITY, AIRTIME = VasType.UTILITY, VasType.AIRTIME
R4000 = 400_000

# A repeat of a key that is on record gets the record's answer, whatever the settings are now.


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"MAXIMUM_AMOUNT_CENTS": "300000"}, id="a lower maximum"),
        pytest.param({"MINIMUM_AMOUNT_CENTS": "450000"}, id="a higher minimum"),
        pytest.param({"MOBILEMART_UTILITY_PRODUCT_ID": "AnotherProduct", "MAXIMUM_AMOUNT_CENTS": "100"}, id="another product"),
    ],
)
def test_a_repeat_gets_the_records_answer_whatever_the_settings_say(shop: Shop, settings: dict[str, str]) -> None:
    shop.fresh_day()
    sales = {
        "in doubt": (shop.buy(loses_the_answer, cents=R4000), 202),
        "vended": (shop.buy(cents=R4000), 201),
        "rejected": (shop.buy(lambda *_: http(400, {"fulcrumErrorCode": 1001}), cents=R4000), 422),
        "airtime": (shop.buy(service=AIRTIME, cents=R4000), 201),
    }
    changed = shop.another("purchase", **settings)
    try:
        for name, (sale, status) in sales.items():
            again = sale.repeated(changed)
            assert (name, sale.status, again.status_code) == (name, status, status)
            assert again.headers["idempotent-replayed"] == "true"
            if status != 422:
                assert again.json()["state"] == sale.answer.json()["state"]
        body = {**sales["vended"][0].body, "amountCents": R4000 + 1}
        other = shop.ask(changed, UTILITY, body, sales["vended"][0].key)
        assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
        fresh = shop.ask(changed, UTILITY, sales["vended"][0].body, f"fresh-{sales['vended'][0].key}")
        assert (fresh.status_code, fresh.json()["type"]) == (400, "/problems/body-invalid")
        assert len(shop.switch.deals_of(sales["in doubt"][0].recipient)) == 1
    finally:
        changed.process.kill()
