"""How the simulated switch behaves where the real one's behaviour is unknown, or where a test needs it otherwise."""

from dataclasses import dataclass, field
from typing import Final, Literal

RepeatedRequestId = Literal["reject", "replay", "vend_again"]
"""What a purchase under a known `requestId` gets: an error, the first answer again, or a second vend."""

ReprintBy = Literal["request_id", "transaction_id", "both", "none"]
"""What a reprint looks a sale up by: the merchant's `requestId`, the switch's `transactionId`, either, or nothing at all (always 1003)."""

MobileNumbers = Literal["by_host", "local", "international"]
"""Which form of mobile number is taken: `0821234567` under a host `uat.…` and `27821234567` under every other, or one of them under any."""

SIMULATED_CLIENT_ID: Final = "simulated-merchant"
SIMULATED_CLIENT_SECRET: Final = "simulated-secret"  # opens nothing but a simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The switch as a whole; a scenario may override it for its own recipients. Durations are in seconds.

    `marked`: every answer says that it is simulated. Unmarked, a simulator on a socket plays a live switch to a test.
    """

    marked: bool = True
    client_id: str = SIMULATED_CLIENT_ID
    client_secret: str = field(default=SIMULATED_CLIENT_SECRET, repr=False)
    access_token_seconds: int = 7200
    repeated_request_id: RepeatedRequestId = "reject"
    reprint_by: ReprintBy = "both"
    reprint_lag_seconds: float = 0
    reprint_shows_tokens: bool = True
    mobile_numbers: MobileNumbers = "by_host"
    prevend_valid_seconds: float = 3600
    prevend_used_once: bool = True
    answer_seconds: float = 0
    processing_seconds: float = 10
    slow_seconds: float = 35  # a prevend seen in production took over 30
    late_seconds: float = 90  # past every client's deadline


STANDARD: Final = Behaviour()
