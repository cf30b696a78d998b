import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.money import Money, money_from_rand


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


@pytest.mark.parametrize(
    ("rand", "cents"),
    [
        ("9" * 15, 10**17 - 100),
        (-(10**15) + 1, 100 - 10**17),
        ("1E+14", 10**16),
        ("1234567890123.45", 123_456_789_012_345),
        ("0.000000000000000", 0),
        ("100.0000000", 10_000),
        *(
            (rand, None)
            for rand in ("9" * 16, "1" + "0" * 15, "1E+15", "1E+16", "123456789012345.6", "12345678901234.50", "0E-16", "1E-15")
        ),
    ],
)
def test_an_amount_has_at_most_fifteen_digits(rand, cents):
    if cents is not None:
        assert money_from_rand(rand) == money_from_rand(Decimal(rand)) == Money(cents)
        return
    for spelt in (rand, Decimal(rand), f"-{rand}"):
        with pytest.raises(ValueError, match="in rand"):
            money_from_rand(spelt)


@pytest.mark.parametrize("rand", [1.5, True])
def test_a_float_is_never_an_amount(rand):
    with pytest.raises(TypeError):
        money_from_rand(rand)


def test_amounts_read_like_prices():
    assert [str(Money(cents)) for cents in (0, 1, 5, 99, 100, 10_000)] == ["R0.00", "R0.01", "R0.05", "R0.99", "R1.00", "R100.00"]
    assert [str(Money(cents)) for cents in (-1, -99, -100, -9905)] == ["-R0.01", "-R0.99", "-R1.00", "-R99.05"]


AMOUNTS = st.integers(-(10**15) + 1, 10**15 - 1).map(Money)


@given(AMOUNTS, AMOUNTS)
def test_adding_and_taking_away_lose_no_cent_and_keep_the_order(one, other):
    assert (one + other - other, one + other) == (one, other + one)
    assert (one < other) is (one.cents < other.cents)
    assert (one + other).rand == one.rand + other.rand


@given(AMOUNTS)
def test_a_price_reads_as_the_amount_that_it_is(amount):
    shown = str(amount)
    assert re.fullmatch(r"-?R[0-9]+\.[0-9]{2}", shown)
    assert Decimal(shown.replace("R", "")) == amount.rand


@given(st.text(st.sampled_from("0123456789.-+eE_ "), max_size=24) | st.text(max_size=24) | st.decimals() | st.integers())
def test_an_amount_in_rand_is_read_exactly_or_refused(rand):
    try:
        amount = money_from_rand(rand)
    except ValueError:
        return
    assert amount.rand == Decimal(rand)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_an_amount_of_whole_cents_is_never_refused(rand):
    assert money_from_rand(rand).rand == rand
    assert money_from_rand(str(rand)).rand == rand
