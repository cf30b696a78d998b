"""The settings of selling, as the core takes them. `docs/contract.md` names the variable of each."""

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
    """What the supplier's reprint is asked by; `NONE`: it is not asked, and settlement files alone are the evidence."""

    REQUEST_ID = "request_id"
    TRANSACTION_ID = "transaction_id"
    NONE = "none"


class AmountCheck(StrEnum):
    """What becomes of a vend whose answer names another amount than was asked for."""

    ALERT = "alert"  # vended, and somebody is woken: how the supplier writes amounts is not known
    DOUBT = "doubt"  # in doubt, once a smoke sale has shown that it writes them as sent


class ConsumerDetails(StrEnum):
    """How a consumer's name and address are shown in prevend answers and receipts."""

    MASKED = "masked"  # J** D**
    FULL = "full"


class VendingPolicy(Value, frozen=True, kw_only=True):
    """The settings of selling, in seconds; `docs/contract.md` says where each comes from."""

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
        """How long after its start a request may still claim: the exchange and half of what it leaves remain for the rest."""
        return timedelta(seconds=(self.function_timeout_seconds - self.exchange_seconds) / 2)

    @property
    def latest_record(self) -> timedelta:
        """How long after its claim a sale's outcome can still be put on record: what the latest claim leaves of the function's time."""
        return timedelta(seconds=self.function_timeout_seconds) - self.latest_claim
