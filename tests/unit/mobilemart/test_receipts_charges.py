"""Charges on a receipt: when they use up the amount, so that no token is due."""

from decimal import Decimal
from typing import Any

import pytest

from shared.domain.money import Money
from shared.domain.outcome import Charge, TokensDue
from shared.mobilemart.charges import quotes_units
from tests.unit.mobilemart.deliveries import ELECTRICITY, MAX_CHARGES, receipt, tokens


@pytest.mark.parametrize(
    ("costs", "due"),
    [
        ([{"description": "Arrears", "amount": 100}], TokensDue.NONE),
        ([{"description": "Arrears", "amount": "60.50"}, {"name": "Rates debt", "value": Decimal("39.5")}], TokensDue.NONE),
        ([{"description": "Arrears", "amount": "60.50"}, {"name": "Service", "value": Decimal("39.5")}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "Service charge", "amount": 0}], TokensDue.NONE),
        ([{"description": "Arrears", "amount": 100}, {"description": "Balance outstanding", "amount": "239.26"}], TokensDue.NONE),
        ([{"description": "Debt recovery", "amount": 100}, {"description": "VAT", "amount": 0}], TokensDue.NONE),
        ([{"type": "AUX", "name": "Old debt", "amount": 100}], TokensDue.NONE),
        ([{"description": "Arrears", "amount": "99.99"}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": "100.01"}], TokensDue.PENDING),
        ([{"description": "Energy", "amount": "86.96"}, {"description": "VAT", "amount": "13.04"}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": "86.96"}, {"description": "VAT", "amount": "13.04"}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "Energy", "amount": 1}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "Something else", "amount": 1}], TokensDue.PENDING),
        ([{"description": "Balance outstanding", "amount": 100}], TokensDue.PENDING),
        ([{"description": "Debt balance", "amount": 100}], TokensDue.PENDING),
        *(([{"description": f"Debt {word}", "amount": 100}], TokensDue.PENDING) for word in ("bal", "owing", "b/f", "c/f", "relief")),
        ([{"description": "Municipal debt repayment", "amount": 60}, {"name": "WaterArrears", "amount": 40}], TokensDue.NONE),
        ([{"description": "Arrears remaining", "amount": 100}], TokensDue.PENDING),
        ([{"description": "Service charge", "amount": 100}], TokensDue.PENDING),
        ([{"description": "Convenience fee", "amount": 100}], TokensDue.PENDING),
        ([{"amount": 100}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "Free units", "amount": 0}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "BSST", "amount": 0}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100, "units": "29.7"}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100, "units": 0}], TokensDue.NONE),
        ([{"description": "Arrears", "amount": 120}, {"description": "Arrears", "amount": -20}], TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 5}] * 21, TokensDue.PENDING),
        ([{"description": "Arrears", "amount": 100}, {"description": "unreadable"}], TokensDue.PENDING),
        ([], TokensDue.PENDING),
        ("100.00", TokensDue.PENDING),
    ],
)
def test_no_token_is_due_where_charges_are_known_to_use_up_the_amount(costs: object, due: TokensDue) -> None:
    assert tokens([], fixedCosts=costs)[0] is due


ALL_TAKEN = [{"description": "Arrears", "amount": 100}]


@pytest.mark.parametrize(
    "quoted",
    [
        {"units": "29.7"},
        {"additionalDetails": {"kWh": 29.7}},
        {"additionalDetails": {"unitsIssued": "29,7 kWh"}},
        {"additionalDetails": {"freeUnits": 50}},
        {"unitsPurchased": 29.7},
        {"additionalDetails": {"kwhTotal": "29.7"}},
        {"additionalDetails": {"freeBasicElectricity": "50"}},
        {"additionalDetails": {"tokens": [], "fbe": {"units": "50.0"}}},
        {"additionalDetails": {"slip": ["TOKEN", "29.7 kWh"]}},
        {"additionalDetails": {"instructions": "Units: 29.70"}},
        {"additionalDetails": {"municipalityDetails": {"total_units": 29.7}}},
    ],
    ids=repr,
)
def test_units_that_are_quoted_anywhere_leave_a_token_due(quoted: dict[str, Any]) -> None:
    details = {"fixedCosts": ALL_TAKEN} | quoted.pop("additionalDetails", {})

    read = receipt(ELECTRICITY, details, **quoted)

    assert (read.tokens_due, read.tokens_issued) == (TokensDue.PENDING, 1)
    nothing_left = receipt(ELECTRICITY, {"fixedCosts": ALL_TAKEN})
    assert nothing_left.tokens_due is TokensDue.NONE
    assert read.merged_with(nothing_left).tokens_due is TokensDue.PENDING


def test_an_unreadable_token_stays_due_even_if_a_later_answer_names_debts() -> None:
    unread = receipt(ELECTRICITY, {"tokens": ["12 34"]})
    nothing_left = receipt(ELECTRICITY, {"fixedCosts": ALL_TAKEN})

    assert receipt(ELECTRICITY, {"tokens": ["12 34"], "fixedCosts": ALL_TAKEN}).tokens_due is TokensDue.PENDING
    assert unread.merged_with(nothing_left).tokens_due is TokensDue.PENDING
    assert receipt(ELECTRICITY, {"tokens": []}).merged_with(nothing_left).tokens_due is TokensDue.NONE


def charged(*named: str, amounts: tuple[int, ...] = (100,)) -> TokensDue:
    """Whether a token is due if the charges of these names take these amounts of R100.00."""
    costs = [{"description": name, "amount": amount} for name, amount in zip(named, amounts, strict=True)]
    return tokens([], fixedCosts=costs)[0]


RECOVERIES = """arrear,arrears,debt,debts,aux,auxiliary,recovery,recoveries,recovered,DEBT,AUX,MunicipalDebt
    debt payment,debt payments,debt repayment,debt paid,debt instalment,debt installments,debt collection,debt collected,debt deduction
    debt deducted,debt settlement,debt charge,debt charges,debt amount,water debt,sewer debt,sewerage debt,sanitation debt,refuse debt
    rate debt,rates debt,property debt,rent debt,rental debt,loan debt,fine debt,fines debt,penalty debt,interest debt,sundry debt
    other debt,old debt,historic debt,municipal debt,municipality debt,city debt,council debt,local debt,authority debt,account debt
    accounts debt,acc debt,debt type,debt of,debt on,debt for the water,debt in,debt to,debt and,debt from,debt against,debt towards"""
NO_RECOVERIES = """balance,remain,outstanding,owed,due,unpaid,opening,closing,brought,carried,before,after,total,limit,VAT,tax,levy,energy
    electricity,unit,kWh,free,FBE,BSST,EBSST,token,fee,refund,credit,rebate,discount,reversal,RELIEF,Relief,write-off"""


def rows_of(table: str) -> list[str]:
    return [word.strip() for word in table.replace("\n", ",").split(",")]


def test_each_name_of_a_recovery_is_known_and_one_strange_word_leaves_a_token_due() -> None:
    known, strange = rows_of(RECOVERIES), rows_of(NO_RECOVERIES)
    assert {name: charged(name) for name in known} == dict.fromkeys(known, TokensDue.NONE)
    assert {name: charged(f"{name.upper()} 12/2026") for name in known} == dict.fromkeys(known, TokensDue.NONE) | {
        "MunicipalDebt": TokensDue.PENDING
    }
    assert {word: charged(f"Debt {word}") for word in strange} == dict.fromkeys(strange, TokensDue.PENDING)


def test_only_a_balance_may_stand_beside_a_recovery() -> None:
    for balance in ("Balance", "Outstanding", "Still outstanding", "Remaining"):
        assert charged("Arrears", balance, amounts=(100, 250)) is TokensDue.NONE
    for other in ("Withstanding", "Service charge", "Interest"):
        assert charged("Arrears", other, amounts=(100, 250)) is TokensDue.PENDING
    for energy in ("free", "FBE", "BSST", "EBSST", "unit", "units", "kWh", "kl", "token", "tokens"):
        assert charged("Arrears", energy, amounts=(100, 0)) is TokensDue.PENDING
    assert charged("Arrears", "carefree", amounts=(100, 0)) is TokensDue.NONE


def test_as_many_charges_are_added_up_as_a_slip_has() -> None:
    assert charged(*["Arrears"] * MAX_CHARGES, amounts=(5,) * MAX_CHARGES) is TokensDue.NONE
    assert charged(*["Arrears"] * (MAX_CHARGES + 1), amounts=(*(5,) * MAX_CHARGES, 0)) is TokensDue.PENDING


@pytest.mark.parametrize("key", ["amount", "value"])
@pytest.mark.parametrize("name", ["description", "name", "type"])
def test_a_charge_is_read_under_each_name_of_its_members(name: str, key: str) -> None:
    read = receipt(ELECTRICITY, {"fixedCosts": [{name: "Arrears", key: 100}]})
    assert (read.charges, read.tokens_due) == ((Charge("Arrears", Money(10_000)),), TokensDue.NONE)


@pytest.mark.parametrize(
    ("name", "value", "is_quoted"),
    [
        *((name, value, True) for name in ("units", "kWh", "total_kwh", "kilolitres", "free-issue", "kl") for value in (1, "1.5", "9 of")),
        *((name, 7, True) for name in ("quantity", "volume", "energy", "consumption")),
        *((name, value, False) for name in ("units", "consumption") for value in (0, "0.00", "none", None, True, "")),
        *((name, 7, False) for name in ("klm", "price", "energyPrice")),
        *(("slip", text, True) for text in ("9 kWh", "1.0 UNIT", "29,7units", "kWh 29.7", "units = 1", "Units:9", "0 kWh, 9 units")),
        *(("slip", text, False) for text in ("0.00 kWh", "kWh 0", "9 kwhs", "9 kg", "unit", "9 megaunits", "skwh 9")),
    ],
)
def test_a_quantity_is_read_under_its_names_or_in_words_and_zero_is_none(name: str, value: object, is_quoted: bool) -> None:
    assert quotes_units({"additionalDetails": {"slip": [{name: value}]}}) is is_quoted


def test_charges_are_on_the_receipt() -> None:
    costs = [{"description": "Arrears", "amount": Decimal("40.00")}, {"name": "Fee"}, 7]

    assert receipt(ELECTRICITY, {"fixedCosts": costs}).charges == (Charge("Arrears", Money(4000)), Charge("Fee", None), Charge(None, None))
