"""How each reason for selling nothing reads to the caller: rows of the table of problems (`problem`)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.domain.outcome import Reason
from shared.lib.value import Value


class Retry(StrEnum):
    """The caller's next step."""

    NEVER = "never"
    CHANGE = "change"  # another request, under another key if the body names a state
    NEW_KEY = "new-key"  # the same request, under another key
    SAME_KEY = "same-key"  # the same request, under the same key


class ProblemKind(Value, frozen=True):
    """One row of the table: the answer, and for developers its cause and their next step, in Markdown.

    `retry_after_seconds` is the advice if nobody gave another.
    """

    status: int
    retry: Retry
    title: str
    detail: str
    when: str
    what_to_do: str
    retry_after_seconds: int | None = None


REFUSALS: Final[Mapping[Reason, ProblemKind]] = MappingProxyType(
    {
        Reason.ACCOUNT_REFUSED: ProblemKind(
            422,
            Retry.CHANGE,
            "Account refused",
            "This account or number cannot receive this product.",
            when="The biller does not know the account, or does not take payments for it.",
            what_to_do="Release the money. Let the customer check the account number, and ask again under a new key.",
        ),
        Reason.AMOUNT_ABOVE_MAXIMUM: ProblemKind(
            422,
            Retry.CHANGE,
            "Amount too large",
            "The product is not sold for that much.",
            when="The amount is above the `maximumAmountCents` of the product.",
            what_to_do="Release the money. Ask for less under a new key: the bounds are in the list of products.",
        ),
        Reason.AMOUNT_BELOW_MINIMUM: ProblemKind(
            422,
            Retry.CHANGE,
            "Amount too small",
            "More has to be bought at once.",
            when=(
                "The amount is below what the product or this meter takes, often because of arrears. `minimumAmountCents` says how much "
                "that is, where it is known."
            ),
            what_to_do=(
                "Release the money. Offer the customer at least `minimumAmountCents`, under a new key. A prevend tells the minimum "
                "beforehand."
            ),
        ),
        Reason.AMOUNT_REFUSED: ProblemKind(
            422,
            Retry.CHANGE,
            "Amount refused",
            "The utility does not sell this amount to this meter.",
            when="The supplier found the amount invalid for this meter, account or product, and did not say why.",
            what_to_do="Release the money. Let the customer choose another amount, under a new key.",
        ),
        Reason.METER_UNKNOWN: ProblemKind(
            422,
            Retry.CHANGE,
            "Meter unknown",
            "No utility knows this meter number, or it is blocked.",
            when="The meter number is well formed, and no utility sells to it.",
            what_to_do=(
                "Release the money. Let the customer compare the number with the meter or an old slip, and ask again under a new key."
            ),
        ),
        Reason.MOBILE_NUMBER_REFUSED: ProblemKind(
            422,
            Retry.CHANGE,
            "Mobile number refused",
            "The network does not serve this number.",
            when="The number belongs to another network than the product, or to nobody.",
            what_to_do="Release the money. Let the customer check the number and the network, and ask again under a new key.",
        ),
        Reason.POSSIBLE_DUPLICATE: ProblemKind(
            409,
            Retry.CHANGE,
            "Possible duplicate",
            ("A sale for the same recipient and amount has not ended yet. If another is wanted, say allowDuplicate under a new key."),
            when=(
                "Another sale of yours for the same recipient and amount is still open: running, in doubt, or waiting for its token. "
                "`transactionId` is that sale; `instance` is this one, of which nothing was sold."
            ),
            what_to_do=(
                "Release the money of this key, and show the customer the other sale. If they really want to buy twice, send "
                "`allowDuplicate: true` under a new key."
            ),
        ),
        Reason.PREVEND_EXPIRED: ProblemKind(
            409,
            Retry.CHANGE,
            "Prevend expired",
            "Confirm the meter or account again.",
            when="The purchase named a prevend after its `expiresAt`.",
            what_to_do=(
                "Release the money. Prevend again, show the customer what it says, and buy with the new `prevendId` under a new key."
            ),
        ),
        Reason.PREVEND_REFUSED: ProblemKind(
            422,
            Retry.CHANGE,
            "Prevend refused",
            "The prevend no longer holds. Confirm the meter or account again.",
            when="The supplier would not confirm this recipient, product and amount, and gave no reason of the others.",
            what_to_do="Release the money. Check what was asked for, prevend again, and buy under a new key.",
        ),
        Reason.PREVEND_USED: ProblemKind(
            409,
            Retry.NEVER,
            "Prevend used",
            "The prevend belongs to a sale under another key.",
            when=(
                "The prevend was bought under another idempotency key. `transactionId` is the sale that has it; `instance` is this one, "
                "of which nothing was sold."
            ),
            what_to_do=(
                "Release the money of this key, and look at the other sale: it is probably the one that was meant. To buy again, "
                "prevend again."
            ),
        ),
        Reason.PRICE_CHANGED: ProblemKind(
            422,
            Retry.CHANGE,
            "Price changed",
            "The product has a fixed price, and this amount is not it.",
            when="`amountCents` differs from the catalogue's price of a product with `fixedAmount`, or of data.",
            what_to_do="Release the money. Read the products again, show the new price, reserve it, and buy under a new key.",
        ),
        Reason.PRODUCT_UNAVAILABLE: ProblemKind(
            422,
            Retry.CHANGE,
            "Product unavailable",
            "The product cannot be sold at present.",
            when=(
                "The product is not in the catalogue of this service, is sold only pinned or only pinless, or the supplier has run out "
                "of it."
            ),
            what_to_do="Release the money. Read the products again and offer another one, under a new key.",
        ),
        Reason.SUPPLIER_BUSY: ProblemKind(
            422,
            Retry.NEW_KEY,
            "Supplier busy",
            "Too many sales at this moment.",
            when="The supplier limits how much is asked of it, and that limit was reached.",
            what_to_do=("Release the money, or keep it for the next try. After `retryAfterSeconds` send the same request under a new key."),
            retry_after_seconds=60,
        ),
        Reason.TEMPORARILY_UNAVAILABLE: ProblemKind(
            422,
            Retry.NEW_KEY,
            "Temporarily unavailable",
            "Nothing could be sold just now.",
            when=(
                "The supplier could not be reached or could not sell, the service is paused by us, or a sale that was in doubt has "
                "proved never to have been made."
            ),
            what_to_do=("Release the money, or keep it for the next try. After `retryAfterSeconds` send the same request under a new key."),
            retry_after_seconds=30,
        ),
    }
)

NEW_REASON: Final = ProblemKind(
    422,
    Retry.NEVER,
    "Not sold",
    "Nothing was sold, for a reason that the version that runs does not know.",
    when="A newer version has refused the purchase, for a reason of its own, and was rolled back since.",
    what_to_do="Release the money.",
)
"""The refusal of a reason that only newer code knows. Its name is the reason on record."""
