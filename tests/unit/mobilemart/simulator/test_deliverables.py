"""The goods of a scenario: tokens in every order and form, charges, the steps of the tariff."""

import re
from decimal import Decimal
from typing import Any

import pytest

from shared.mobilemart.simulator import (
    Service,
)
from shared.mobilemart.simulator.deliverables import TARIFF, steps, units
from tests.stand_ins.merchant import exactly
from tests.unit.mobilemart.simulator.scenes import Switch, named


async def delivered(switch: Switch, name: str, service: Service = Service.UTILITY) -> dict[str, Any]:
    """Return the details of the delivery of the scenario."""
    async with switch.merchant() as merchant:
        details: dict[str, Any] = exactly(await merchant.play(named(name), service))["additionalDetails"]
    return details


async def test_tokens_come_in_the_order_in_which_they_are_typed(switch: Switch) -> None:
    tokens = (await delivered(switch, "key-change-and-free"))["tokens"]

    assert [token["type"] for token in tokens] == ["KeyChange", "KeyChange", "FreeBasicElectricity", "Credit"]


async def test_arrears_are_taken_from_the_amount(switch: Switch) -> None:
    details = await delivered(switch, "arrears")

    assert [charge["amount"] for charge in details["fixedCosts"]] == [40]
    assert str(details["units"]) == "16.9"  # of R60


async def test_no_token_is_due_when_all_goes_to_arrears(switch: Switch) -> None:
    details = await delivered(switch, "all-debt")

    assert (details["tokens"], details["units"]) == ([], 0)
    assert [charge["amount"] for charge in details["fixedCosts"]] == [100]


async def test_no_token_is_due_on_an_online_meter(switch: Switch) -> None:
    details = await delivered(switch, "online-meter")

    assert (details["tokens"], details["onlineMeter"]) == ([], True)


@pytest.mark.parametrize("key", ["value", "tokenValue", "pin", "stsToken"])
async def test_digits_come_under_each_key_that_a_client_may_meet(switch: Switch, key: str) -> None:
    [token] = (await delivered(switch, f"tokens-{key}"))["tokens"]

    assert re.fullmatch("[0-9]{20}", token[key])


@pytest.mark.parametrize(
    ("name", "form"), [("strings", "[0-9]{20}"), ("grouped", "([0-9]{4} ){4}[0-9]{4}"), ("nineteen-digits", "[0-9]{19}")]
)
async def test_tokens_come_in_each_shape_that_a_client_should_know(switch: Switch, name: str, form: str) -> None:
    [token] = (await delivered(switch, f"tokens-{name}"))["tokens"]

    assert re.fullmatch(form, token if isinstance(token, str) else token["token"])


EVERY_KIND = ["KCT1", "KCT2", "BSST", "STD", "REFUND", "PWRLMT"]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("free-alone", ["FreeBasicElectricity"]),
        ("credit-before-free", ["Credit", "FreeBasicElectricity"]),
        ("refund", ["Credit", "Refund"]),
        ("tokens-numbered", EVERY_KIND),
        ("tokens-abbreviated", ["KC", "KC", "STD"]),
    ],
)
async def test_tokens_come_in_the_order_and_under_the_names_of_their_row(switch: Switch, name: str, kinds: list[str]) -> None:
    tokens = (await delivered(switch, name))["tokens"]

    assert [token["type"] for token in tokens] == kinds
    assert len({token["token"] for token in tokens}) == len(kinds)


async def test_the_digits_of_several_tokens_can_be_one_text(switch: Switch) -> None:
    piped, listed, spaced = [(await delivered(switch, f"tokens-{form}"))["tokens"] for form in ("piped", "listed", "spaced")]

    vends = [[token.number for token in vend.tokens] for vend in await switch.simulator.vends()]
    assert sorted([piped.split("|"), listed[0]["token"].split(","), spaced[0].split(" ")]) == sorted(vends)
    assert [len(numbers) for numbers in vends] == [3, 3, 3]


async def test_debts_and_charges_say_what_they_take_and_what_is_left(switch: Switch) -> None:
    details = await delivered(switch, "two-debts")

    assert [(charge["description"], str(charge["amount"]), str(charge.get("balance"))) for charge in details["fixedCosts"]] == [
        ("Water arrears", "25.00", "1234.50"),
        ("Rates arrears", "15.00", "987.65"),
        ("Service charge", "10.00", "None"),
    ]
    assert str(details["units"]) == str(units(5_000)) == "13.7"


async def test_the_steps_of_the_tariff_and_the_vat_are_all_of_the_amount(switch: Switch) -> None:
    details = await delivered(switch, "tariff-steps")

    assert [(charge["description"], str(charge["amount"])) for charge in details["fixedCosts"]] == [
        ("Step 1: 5.0 kWh at R3.97", "19.85"),
        ("Step 2: 24.7 kWh at R2.72", "67.11"),
        ("VAT", "13.04"),
    ]
    assert (str(details["units"]), len(details["tokens"])) == ("29.7", 1)


async def test_a_slip_can_be_there_to_print_without_a_list_of_tokens(switch: Switch) -> None:
    details = await delivered(switch, "tokens-slip")

    [vend] = await switch.simulator.vends()
    assert "tokens" not in details
    assert vend.tokens[0].number in "".join(details["slip"]).replace(" ", "")
    assert sum(charge["amount"] for charge in details["fixedCosts"]) == 100
    assert {charge["description"] for charge in details["fixedCosts"]} == {"Energy", "VAT"}


@pytest.mark.parametrize("cents", [1, 99, 100, 2_283, 2_284, 10_102, 10_103, 500_000])
def test_the_steps_spend_the_whole_amount_and_no_step_is_overfilled(cents: int) -> None:
    bought = steps(cents)

    assert sum(kwh * price for kwh, price in bought) == pytest.approx(Decimal(cents) / Decimal("1.15"))
    assert [price for _, price in bought] == [price for _, price in TARIFF[: len(bought)]]
    assert all(most is None or kwh <= most for (kwh, _), (most, _) in zip(bought, TARIFF, strict=False))


async def test_tokens_can_be_empty_or_missing(switch: Switch) -> None:
    empty, missing = await delivered(switch, "tokens-empty"), await delivered(switch, "tokens-missing")

    assert empty["tokens"] == []
    assert "tokens" not in missing


async def test_a_voucher_can_have_a_serial_number_and_no_pin(switch: Switch) -> None:
    details = await delivered(switch, "no-pin", Service.VOUCHER)

    assert "pin" not in details
    assert details["serialNumber"]


async def test_a_bill_payment_can_have_a_convenience_fee(switch: Switch) -> None:
    async with switch.merchant() as merchant:
        answer = exactly(await merchant.play(named("convenience-fee"), Service.BILL_PAYMENT))

    assert str(answer["convenienceFee"]) == "5.50"
