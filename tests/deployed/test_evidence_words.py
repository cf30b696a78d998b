"""Answers that are nearly those of a vend, in words and names that are on no list."""

import pytest

from shared.domain.vas import VasType
from tests.deployed.shop import Shop
from tests.deployed.switchboard import Play, answers
from tests.deployed.test_evidence_answers import (
    AIRTIME,
    AMOUNT,
    DEBT,
    MISMATCH,
    UTILITY,
    charged,
    cost,
    masked,
    messages,
    of,
)


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(charged(fixedCosts=DEBT, unitsPurchased=29.7), id="debt, and units by another name"),
        pytest.param(charged(fixedCosts=DEBT, kwhTotal="29.7"), id="debt, and kWh by another name"),
        pytest.param(charged(fixedCosts=DEBT, freeBasicElectricity="50"), id="debt, and free basic electricity"),
        *[
            pytest.param(charged(fixedCosts=[cost(name, 100)]), id=name)
            for name in ("Debt bal", "Debt owing", "Debt b/f", "Debt c/f", "Debt relief")
        ],
    ],
)
def test_a_token_stays_due(shop: Shop, play: Play) -> None:
    shop.fresh_day()
    sale = shop.buy(play)
    assert (sale.status, sale.answer.json()["receipt"]["tokensDue"]) == (201, "pending")


@pytest.mark.parametrize(
    ("service", "play"),
    [
        pytest.param(UTILITY, of(meterNumber=lambda deal: masked(deal.recipient[:-4] + "0000")), id="another meter, masked"),
        pytest.param(AIRTIME, of(phoneNumber=lambda _: "0831112222"), id="another phone number"),
        pytest.param(AIRTIME, of(cellularNumber=lambda _: "0831112222"), id="another cellular number"),
        pytest.param(AIRTIME, answers(type="about:blank", title="Bad Request"), id="a problem of two members"),
        pytest.param(AIRTIME, answers(messages=["Vend failed"]), id="a list of messages"),
    ],
)
def test_an_answer_that_speaks_against_the_sale_is_a_doubt(shop: Shop, service: VasType, play: Play) -> None:
    shop.fresh_day()
    with shop.listening() as said:
        sale = shop.buy(play, service=service)
    assert (sale.status, sale.dossier["signOfVend"], MISMATCH in messages(said)) == (202, True, True)


def test_half_the_amount_at_the_top_wakes_somebody(shop: Shop) -> None:
    shop.fresh_day()
    with shop.listening() as said:
        assert shop.buy(answers(amount=50)).status == 201
    assert AMOUNT in messages(said)
