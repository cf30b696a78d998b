"""How the simulated switch behaves if the real behaviour is unknown, or a test needs another one."""

from dataclasses import dataclass, field
from typing import Final, Literal

RepeatedRequestId = Literal["reject", "replay", "vend_again"]
"""The answer to a purchase under a known `requestId`: an error, the first answer again, or a second vend."""

ReprintBy = Literal["request_id", "transaction_id", "both", "none"]
"""The id by which a reprint finds a sale: the merchant's `requestId`, the switch's `transactionId`, either, or none.

With none, every reprint answers 1003.
"""

MobileNumbers = Literal["by_host", "local", "international"]
"""The accepted form of mobile numbers.

By host: `0821234567` under a host `uat.…` and `27821234567` under every other. Otherwise one form under any host.
"""

SIMULATED_CLIENT_ID: Final = "simulated-merchant"
SIMULATED_CLIENT_SECRET: Final = "simulated-secret"  # gives access to simulators only


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The behaviour of the whole switch. A scenario may override it for its own recipients. Durations are in seconds.

    `marked`: every answer states that it is simulated. An unmarked simulator on a socket plays a live switch for a test.
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
