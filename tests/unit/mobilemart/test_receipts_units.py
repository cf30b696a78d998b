"""Units and amounts on a receipt: read under each of their names, and never added up."""

from decimal import Decimal

import pytest

from shared.domain.money import Money
from shared.domain.outcome import Consumer, MeterDetails, TokensDue
from shared.domain.sts_tokens import TokenKind
from shared.mobilemart.receipts import amount_said, names_amount, other_amounts
from tests.unit.mobilemart.deliveries import BILL, ELECTRICITY, FIRST, SECOND, THIRD, VOUCHER, receipt, tokens


def test_an_electricity_receipt_carries_all_that_the_slip_needs() -> None:
    details = {
        "reference": "REF0001",
        "receiptNumber": "RCP0001",
        "tokens": [{"token": FIRST, "units": "29.7"}],
        "consumerDetails": {"name": "TEST CONSUMER", "address": "1 TEST ROAD", "message": "Pay your rates."},
        "supplierGroupCode": "000001",
        "keyRevisionNumber": "2",
        "tariffIndex": "01",
        "tokenTechCode": "02",
        "algorithmCode": "07",
        "onlineMeter": False,
        "unitType": "KWH",
        "instructions": "Type it in.",
    }

    read = receipt(ELECTRICITY, details)

    assert (read.receipt_number, read.reference, read.units, read.unit_type) == ("RCP0001", "REF0001", Decimal("29.7"), "KWH")
    assert read.consumer == Consumer("TEST CONSUMER", "1 TEST ROAD", "Pay your rates.")
    assert read.meter == MeterDetails("000001", "2", "01", "02", "07")
    assert read.instructions == "Type it in."


def test_the_number_of_tokens_is_stored_only_if_one_is_missing() -> None:
    whole = receipt(ELECTRICITY, {"tokens": [{"token": FIRST, "units": "29.7"}], "units": "29.7"})
    assert (whole.tokens_due, whole.tokens_issued) == (TokensDue.DELIVERED, None)
    online = receipt(ELECTRICITY, {"tokens": [], "onlineMeter": True, "units": "29.7"})
    assert (online.tokens_due, online.tokens_issued) == (TokensDue.NONE, None)


def test_units_of_the_only_token_with_some_are_the_sales_unless_it_states_its_own() -> None:
    one_of_two = [{"token": FIRST, "type": "KCT"}, {"token": SECOND, "units": "29.7"}]

    for said in (one_of_two, one_of_two[::-1], [*one_of_two, {"token": THIRD, "units": "much"}]):
        assert receipt(ELECTRICITY, {"tokens": said}).units == Decimal("29.7")
    assert receipt(ELECTRICITY, {"tokens": one_of_two, "units": 30}).units == Decimal(30)
    assert receipt(ELECTRICITY, {"tokens": one_of_two}, units=0).units == Decimal(0)


def test_units_are_quoted_and_never_added_up() -> None:
    two = [{"token": FIRST, "units": 1}, {"token": SECOND, "units": 2}]

    assert receipt(ELECTRICITY, {"tokens": two}).units is None
    assert receipt(ELECTRICITY, {"tokens": two, "units": "3.1"}).units == Decimal("3.1")


@pytest.mark.parametrize("key", ["units", "kWh", "kwh"])
def test_units_are_read_under_each_of_their_names_and_zero_counts_too(key: str) -> None:
    for quoted in (Decimal("29.7"), Decimal(0)):
        assert receipt(ELECTRICITY, {"tokens": [{"token": FIRST, key: quoted}]}).units == quoted
        assert receipt(ELECTRICITY, {"tokens": [FIRST], key: quoted}, units="9").units == quoted
        assert receipt(ELECTRICITY, {"tokens": [FIRST]}, **{key: quoted}).units == quoted


def test_units_of_a_token_that_cannot_be_read_are_not_the_sales() -> None:
    assert receipt(ELECTRICITY, {"tokens": [{"token": "12 34", "units": "29.7"}]}).units is None


AMOUNTS: list[dict[str, object]] = [
    *({"additionalDetails": {"productAmount": "50"}}, {"amount": "50"}),
    *({"additionalDetails": {"amount": "50"}}, {"productAmount": "50"}),
]


@pytest.mark.parametrize("sold", AMOUNTS, ids=str)
def test_an_amount_is_read_in_whichever_field_it_stands(sold: dict[str, object]) -> None:
    assert (amount_said(sold), names_amount(sold)) == (Money(5_000), True)
    assert (other_amounts(sold, Money(5_000)), other_amounts(sold, Money(5_001))) == ((), (Money(5_000),))


def test_the_products_own_amount_counts_first_and_each_other_one_is_returned() -> None:
    sold = {"additionalDetails": {"productAmount": "R1", "amount": 3}, "amount": 2, "productAmount": 4}
    assert amount_said(sold) == Money(200)
    assert other_amounts(sold, Money(300)) == (None, Money(200), Money(400))
    assert not names_amount({"amount": "", "productAmount": None}) and names_amount({"amount": "R1"})


def test_the_data_of_a_slip_may_stand_in_the_sale_or_in_its_details() -> None:
    everywhere = receipt(
        VOUCHER,
        {"reference": "D-1", "referenceNumber": "D-2", "expiryDate": "D-3", "instructions": "D-4", "productInstructions": "D-5"},
        reference="S-1",
        referenceNumber="S-2",
        expiryDate="S-3",
    )
    assert (everywhere.reference, everywhere.expiry_date, everywhere.instructions) == ("D-1", "S-3", "D-4")
    assert (receipt(VOUCHER, {"expiryDate": "D-3"}).expiry_date, receipt(VOUCHER, {}, reference="S-1").reference) == ("D-3", "S-1")
    assert receipt(VOUCHER, {"referenceNumber": "D-2"}, reference="S-1").reference == "D-2"
    assert receipt(BILL, {"consumerDetails": {"name": "In details"}}, accountHolder="In the sale").consumer == Consumer("In details")


def test_one_setting_of_a_meter_is_enough_to_show_it() -> None:
    codes = ("supplierGroupCode", "keyRevisionNumber", "tariffIndex", "tokenTechCode", "algorithmCode")
    for at, code in enumerate(codes):
        assert receipt(ELECTRICITY, {code: "07"}).meter == MeterDetails(*("07" if at == other else None for other in range(5)))


def test_beside_an_unreadable_token_units_are_not_the_sales_and_the_count_is_stored() -> None:
    read = receipt(ELECTRICITY, {"tokens": [{"token": FIRST, "type": "FBE", "units": 50}, {"token": "12 34"}]})

    assert (read.units, read.tokens_issued) == (None, 2)
    assert receipt(ELECTRICITY, {"tokens": [FIRST]}).tokens_issued is None


@pytest.mark.parametrize("units", [-1, "-1", "NaN", "1e5", True, "29,7", 10**40, Decimal("1E+400"), Decimal("1E-400"), [], "1_000"])
def test_units_that_are_no_quantity_are_left_out(units: object) -> None:
    assert tokens([{"token": FIRST, "units": units}]) == (TokensDue.DELIVERED, [(TokenKind.CREDIT, FIRST, None)])
