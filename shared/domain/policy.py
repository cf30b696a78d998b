"""The settings of selling. `docs/contract.md` names the variable of each."""

from datetime import timedelta
from enum import StrEnum

from shared.domain.vas import Mode
from shared.lib.value import Value


class Environment(StrEnum):
    LOCAL = "local"
    UAT = "uat"
    STAGING = "staging"
    PRODUCTION = "production"


class ReprintBy(StrEnum):
    """The id by which we ask for a reprint. `NONE`: we ask for none, and settlement files alone are the evidence."""

    REQUEST_ID = "request_id"
    TRANSACTION_ID = "transaction_id"
    NONE = "none"


class AmountCheck(StrEnum):
    """The result of a vend whose answer names another amount than the order."""

    ALERT = "alert"  # vended, and an alert wakes an operator: we do not know how the supplier writes amounts
    DOUBT = "doubt"  # in doubt: use it once a smoke sale has shown that the supplier writes amounts as sent


class ConsumerDetails(StrEnum):
    """How prevend answers and receipts show a consumer's name and address."""

    MASKED = "masked"  # J** D**
    FULL = "full"


class VendingPolicy(Value, frozen=True, kw_only=True):
    """The settings of selling, times in seconds."""

    mode: Mode
    utility_product_id: str | None = None
    exchange_seconds: float = 60
    send_window_seconds: float = 10
    function_timeout_seconds: float = 220
    lease_seconds: float = 240
    retry_seconds: int = 60
    prevend_valid_seconds: int = 900
    minimum_age_seconds: int = 900
    review_after_seconds: int = 216_000

    @property
    def latest_claim(self) -> timedelta:
        """The longest time from a request's start to its claim.

        The exchange, and half of the time beside the exchange, remain after the claim.
        """
        return timedelta(seconds=(self.function_timeout_seconds - self.exchange_seconds) / 2)

    @property
    def latest_record(self) -> timedelta:
        """The longest time from a sale's claim to the record of its outcome: the function's timeout less `latest_claim`."""
        return timedelta(seconds=self.function_timeout_seconds) - self.latest_claim
