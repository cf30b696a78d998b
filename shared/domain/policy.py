"""TODO doc."""

from enum import StrEnum


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
