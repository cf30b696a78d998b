"""Money: rand in integer cents, and the exact way from and to decimal rand."""

from decimal import Decimal, InvalidOperation

from shared.lib.value import Value

MAX_DIGITS = 15  # beyond any price; keeps a hostile exponent from becoming a giant integer


class Money(Value, frozen=True, order=True):
    """Rand in integer cents: `Money(10_000)` is R100.00. Negative amounts are allowed (settlement lines)."""

    cents: int

    def __post_init__(self) -> None:
        if type(self.cents) is not int:  # a float or bool is refused, never rounded
            raise TypeError(f"cents must be an int, got {self.cents!r}")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.cents + other.cents)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.cents - other.cents)

    def __str__(self) -> str:
        """`R1234.50`, for people."""
        sign = "-" if self.cents < 0 else ""
        return f"{sign}R{abs(self.cents) // 100}.{abs(self.cents) % 100:02d}"

    @property
    def rand(self) -> Decimal:
        """The exact amount in rand with two decimals: `Decimal('100.00')`."""
        return Decimal(self.cents).scaleb(-2)


def money_from_rand(rand: Decimal | int | str) -> Money:
    """The exact cents of an amount in rand. `rand` is a number or decimal text.

    Raises:
        ValueError: not a finite decimal, finer than a cent, or more than 15 digits.
        TypeError: a float or bool, which cannot be exact.
    """
    if isinstance(rand, bool | float):
        raise TypeError(f"rand must be exact, got {rand!r}")
    try:
        exact = Decimal(rand)
    except InvalidOperation:
        raise ValueError("not a decimal amount in rand") from None
    if not exact.is_finite() or not -MAX_DIGITS <= exact.adjusted() < MAX_DIGITS or len(exact.as_tuple().digits) > MAX_DIGITS:
        raise ValueError("not an amount in rand of at most 15 digits")
    cents = exact.scaleb(2)
    if cents != cents.to_integral_value():
        raise ValueError("an amount in rand cannot be finer than a cent")
    return Money(int(cents))
