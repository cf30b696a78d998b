"""What a customer has in hand after each scenario that is about what is delivered: the kinds of the tokens, and whether any is due."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Delivery(NamedTuple):
    """Kinds and `due` are the contract's words."""

    kinds: tuple[str, ...]
    due: str = "delivered"


DELIVERIES: Final[Mapping[str, Delivery]] = MappingProxyType(
    {
        "plain": Delivery(("credit",)),
        "free-units": Delivery(("free", "credit")),
        "key-change-and-free": Delivery(("key_change", "key_change", "free", "credit")),
        "arrears": Delivery(("credit",)),
        "all-debt": Delivery((), "none"),
        "online-meter": Delivery((), "none"),
        "free-alone": Delivery(("free",)),
        "credit-before-free": Delivery(("credit", "free")),
        "refund": Delivery(("credit", "refund")),
        "two-debts": Delivery(("credit",)),
        "tariff-steps": Delivery(("credit",)),
        "tokens-empty": Delivery((), "pending"),
        "tokens-missing": Delivery((), "pending"),
        "tokens-slip": Delivery((), "pending"),
        "tokens-numbered": Delivery(("key_change", "key_change", "free", "credit", "refund", "other")),
        "tokens-abbreviated": Delivery(("key_change", "key_change", "credit")),
        "tokens-piped": Delivery(("other", "other", "other")),
        "tokens-listed": Delivery(("other", "other", "other")),
        "tokens-spaced": Delivery(("other", "other", "other")),
    }
)
"""By the name of the scenario, as the sale's own answer tells it."""
