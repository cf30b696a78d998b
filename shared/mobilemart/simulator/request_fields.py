"""Reads the fields of a request: names ignore case, and all faults are reported at once."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from shared.domain.money import money_from_rand
from shared.mobilemart.simulator.errors import RequestRefused

MERCHANT_ERROR = 1010
MAX_REQUEST_ID_LENGTH = 36


class Fields:
    """A query (amounts are text) or a JSON body (amounts are numbers). `check` reports the faults."""

    def __init__(self, values: Mapping[str, object], *, text_amounts: bool) -> None:
        self._values = {name.lower(): value for name, value in values.items()}
        self._amount_types = (str,) if text_amounts else (int, Decimal)
        self._faults: list[str] = []

    def text(self, name: str, is_valid: Callable[[str], object] = bool) -> str:
        """Read a required text; empty if it is at fault."""
        value = self._values.get(name.lower())
        if value is None or value == "":
            self._faults.append(f"{name} is required")
            return ""
        if not isinstance(value, str) or not is_valid(value):
            self._faults.append(f"{name} is invalid")
            return ""
        return value

    def request_id(self) -> str:
        """Read the required `requestId`, of at most 36 characters."""
        value = self.text("RequestId")
        if len(value) > MAX_REQUEST_ID_LENGTH:
            self._faults.append("Request Id cannot be longer than 36 characters")
        return value

    def optional_text(self, name: str) -> str | None:
        """Read an optional text; a value that is no text counts as absent."""
        value = self._values.get(name.lower())
        return value if isinstance(value, str) and value else None

    def amount_cents(self, name: str = "Amount") -> int:
        """Read a required amount in rand, above zero, as cents; 0 if it is at fault."""
        cents = self.optional_amount_cents(name)
        if cents is None:
            self._faults.append(f"{name} is required")
        return cents or 0

    def optional_amount_cents(self, name: str = "Amount") -> int | None:
        """Read an optional amount in rand as cents; 0 if it is at fault."""
        value = self._values.get(name.lower())
        if value is None:
            return None
        try:
            cents = money_from_rand(value).cents if isinstance(value, self._amount_types) and not isinstance(value, bool) else 0
        except ValueError:
            cents = 0
        if cents <= 0:
            self._faults.append(f"{name} is invalid")
        return max(cents, 0)

    def check(self) -> None:
        """End the reading.

        Raises:
            RequestRefused: with 1010 and all faults, joined by spaces.
        """
        if self._faults:
            raise RequestRefused(MERCHANT_ERROR, " ".join(self._faults))
