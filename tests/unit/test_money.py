from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.money import Money, money_from_rand


@pytest.mark.parametrize("cents", [1.0, "100", True, None, Decimal(1)])
def test_only_an_int_is_cents(cents):
    with pytest.raises(TypeError):
        Money(cents)


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_rand_and_cents_convert_without_loss_either_way(cents):
    assert money_from_rand(Money(cents).rand) == Money(cents)
    assert money_from_rand(str(Money(cents).rand)) == Money(cents)


@pytest.mark.parametrize(("rand", "cents"), [(10, 1000), ("339.26", 33926), (Decimal("1E+2"), 10_000), ("-99.00", -9900), ("0", 0)])
def test_rand_as_the_supplier_writes_it(rand, cents):
    assert money_from_rand(rand) == Money(cents)


@pytest.mark.parametrize("rand", ["0.001", "NaN", "Infinity", "1E+999999999", "1E-999999999", "ten", "", "9" * 40, Decimal("1e-9")])
def test_what_is_not_an_exact_amount_is_refused_not_rounded(rand):
    with pytest.raises(ValueError):
        money_from_rand(rand)


@pytest.mark.parametrize("rand", [1.5, True])
def test_a_float_is_never_an_amount(rand):
    with pytest.raises(TypeError):
        money_from_rand(rand)


def test_amounts_read_like_prices():
    assert [str(Money(cents)) for cents in (0, 5, 10_000, -9905)] == ["R0.00", "R0.05", "R100.00", "-R99.05"]
