"""Whether charges took the whole amount, row by row: each name of a row counts, and so does each cent."""

from decimal import Decimal

import pytest

from shared.domain.money import Money
from shared.domain.outcome import Charge
from shared.mobilemart.charges import quotes_units, read_charges, recovers_all

AMOUNT = Money(10_000)


def took(amount, description, **more):
    """Build a row of a slip."""
    return {"description": description, "amount": amount} | more


ARREARS = took(100, "Arrears")


@pytest.mark.parametrize(
    ("row", "proves"),
    [
        (took(0, "Service", name="Free units"), False),  # one name about energy is enough
        (took(0, "FBE", name="Arrears"), False),
        (took(0, "Service", name="Interest"), True),
        (took(250, "Balance", name="Account"), True),  # one name about a balance is enough
        (took(250, "Account", type="Outstanding"), True),
        (took(250, "Account", type="Service"), False),
        (took("0.01", "Service"), False),
        (took("-0.01", "Balance"), False),
        (took("-0.01", "Arrears"), False),
        (took("0.00", "Arrears"), True),
        (took(None, "Arrears"), False),
    ],
    ids=str,
)
def test_a_row_beside_a_full_recovery_is_neutral_or_contradicts_it(row, proves):
    for rows in ([ARREARS, row], [row, ARREARS], [took(40, "Debt"), row, took(60, "AUX")]):
        assert recovers_all(rows, AMOUNT) is proves


@pytest.mark.parametrize(
    "names", [{"name": "Relief"}, {"type": "Balance"}, {"name": "Old debt", "type": "brought forward"}, {"name": "Energy"}], ids=str
)
def test_a_row_is_a_recovery_only_where_each_of_its_names_may_stand_in_one(names):
    assert recovers_all([took(100, "Arrears", name="Old debt", type="AUX")], AMOUNT)
    assert not recovers_all([took(100, "Arrears", **names)], AMOUNT)


def test_a_recovery_takes_the_amount_to_the_cent():
    assert [recovers_all([took(amount, "Arrears")], AMOUNT) for amount in ("99.99", "100.00", "100.01")] == [False, True, False]
    assert not recovers_all([took("100.01", "Arrears"), took("-0.01", "Arrears")], AMOUNT)
    assert not recovers_all(ARREARS, AMOUNT) and not recovers_all(None, AMOUNT)


@pytest.mark.parametrize("name", ["k_l", "K-L", "k_wh", "k-Wh", "kilo_litres", "Kilo-Lit", "u_n_i_t", "fr-ee", "con_sump-tion"])
def test_a_name_of_units_may_be_split_by_lines_and_dashes(name):
    assert quotes_units({name: 7}) and not quotes_units({name: 0})


@pytest.mark.parametrize(("quantity", "is_one"), [("0E-7", False), ("0.0000000", False), ("0.0000001", True), ("-1", True), ("1E+2", True)])
def test_zero_is_no_quantity_with_any_number_of_decimals(quantity, is_one):
    assert quotes_units({"units": Decimal(quantity)}) is is_one


def test_as_many_charges_are_read_as_a_slip_has():
    rows = [took(number, f"Charge {number}") for number in range(22)]
    assert read_charges(rows) == tuple(Charge(f"Charge {number}", Money(100 * number)) for number in range(20))
    assert read_charges(rows[0]) == read_charges(None) == ()
