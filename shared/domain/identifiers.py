"""Computed identifiers: one input names one sale on every instance, for ever.

Golden vectors in `tests/unit/domain/test_identifiers.py` never change: a different hash would make a repeat a second sale.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final

from shared.domain.vas import Mode, Order, VasType
from shared.lib.value import Value

ID_CHARACTERS = 32  # 128 bits of SHA-256, in hex
IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
"""The form of a caller's name for a purchase. The edge refuses every other form."""

COMPUTED_ID: Final = re.compile(rf"[0-9a-f]{{{ID_CHARACTERS}}}", re.ASCII)
"""The form of every identifier that `hashed` makes."""

_GUID: Final = re.compile(r"\{?([0-9a-f]{8})" + 3 * r"-?([0-9a-f]{4})" + r"-?([0-9a-f]{12})\}?", re.ASCII | re.IGNORECASE)


class Caller(Value, frozen=True):
    """The sender of a request: the issuer and subject of a verified token."""

    issuer: str
    subject: str


def hashed(*parts: str) -> str:
    """An identifier of `parts`. The hash covers each part with its length: no two lists of parts give one input."""
    whole: list[bytes] = []
    for part in parts:
        data = part.encode(errors="surrogatepass")
        whole += len(data).to_bytes(4), data  # the most significant byte first
    return hashlib.sha256(b"".join(whole)).hexdigest()[:ID_CHARACTERS]


def transaction_id(mode: Mode, caller: Caller, idempotency_key: str) -> str:
    """The id of the only sale that the caller can make under the key in the mode."""
    return hashed("transaction", mode, caller.issuer, caller.subject, idempotency_key)


def caller_id(mode: Mode, caller: Caller) -> str:
    """A caller, as an index key."""
    return hashed("caller", mode, caller.issuer, caller.subject)


def account_key(mode: Mode, caller: Caller, order: Order) -> str | None:
    """One key for all sales of a caller with one service, recipient and amount. `None` for a PIN or voucher: no recipient."""
    if order.recipient is None:
        return None
    return hashed("account", mode, caller.issuer, caller.subject, order.vas_type, order.recipient, str(order.amount.cents))


def fingerprint(vas_type: VasType, body: Mapping[str, object]) -> str:
    """A hash of a purchase request as sent, apart from field order and VAS aliases: a key is good for one request only."""
    canonical = json.dumps(dict(body), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashed("request", vas_type, canonical)


def comparable(one: str, other: str) -> bool:
    """Whether two fingerprints are of one scheme. If so, different fingerprints are of different requests. This code makes one scheme."""
    return (COMPUTED_ID.fullmatch(one) is None) == (COMPUTED_ID.fullmatch(other) is None)


def one_spelling(supplier_id: str) -> str:
    """A supplier's id in the spelling for comparison and look-up: GUIDs in lower case, with hyphens and without braces.

    The supplier's API and its files may spell one GUID differently.
    """
    found = _GUID.fullmatch(supplier_id)
    return supplier_id if found is None else "-".join(found.groups()).lower()


def same_supplier_id(one: str | None, other: str | None) -> bool:
    """Whether two of the supplier's ids name one sale: GUIDs in any spelling, all others to the letter.

    `None` never equals anything, not even `None`.
    """
    return one is not None and other is not None and one_spelling(one) == one_spelling(other)
