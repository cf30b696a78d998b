"""Identifiers that are computed: the same input names the same sale on every instance, for ever.

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
"""The form of a caller's name for a purchase. No request carries another."""

_FINGERPRINT: Final = re.compile(rf"[0-9a-f]{{{ID_CHARACTERS}}}", re.ASCII)
_GUID: Final = re.compile(r"\{?([0-9a-f]{8})" + 3 * r"-?([0-9a-f]{4})" + r"-?([0-9a-f]{12})\}?", re.ASCII | re.IGNORECASE)


class Caller(Value, frozen=True):
    """Who asks: the issuer and subject of a verified token."""

    issuer: str
    subject: str


def hashed(*parts: str) -> str:
    """An identifier of `parts`. Each goes in with its length, so that no two lists of parts read the same."""
    whole: list[bytes] = []
    for part in parts:
        data = part.encode(errors="surrogatepass")
        whole += len(data).to_bytes(4), data  # the most significant byte first
    return hashlib.sha256(b"".join(whole)).hexdigest()[:ID_CHARACTERS]


def transaction_id(mode: Mode, caller: Caller, idempotency_key: str) -> str:
    """The id of the one sale that this caller can make under this key, in this mode."""
    return hashed("transaction", mode, caller.issuer, caller.subject, idempotency_key)


def caller_id(mode: Mode, caller: Caller) -> str:
    """A caller, as an index key."""
    return hashed("caller", mode, caller.issuer, caller.subject)


def account_key(mode: Mode, caller: Caller, order: Order) -> str | None:
    """What makes two sales of a caller look alike: recipient and amount. `None` for a PIN or voucher, which have no recipient."""
    if order.recipient is None:
        return None
    return hashed("account", mode, caller.issuer, caller.subject, order.vas_type, order.recipient, str(order.amount.cents))


def fingerprint(vas_type: VasType, body: Mapping[str, object]) -> str:
    """A hash of a purchase request as it was sent, field order and VAS aliases aside: a key is good for one request only."""
    canonical = json.dumps(dict(body), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashed("request", vas_type, canonical)


def comparable(one: str, other: str) -> bool:
    """Whether two fingerprints are of one scheme, so that two that differ are of two requests. This code makes one scheme only."""
    return (_FINGERPRINT.fullmatch(one) is None) == (_FINGERPRINT.fullmatch(other) is None)


def one_spelling(supplier_id: str) -> str:
    """A supplier's id as it is compared and looked up. Its GUIDs, which its API and its files may spell otherwise, are in lower case,
    with hyphens and without braces."""
    found = _GUID.fullmatch(supplier_id)
    return supplier_id if found is None else "-".join(found.groups()).lower()


def same_supplier_id(one: str | None, other: str | None) -> bool:
    """Whether two ids of the supplier's name one sale: GUIDs in any case, all others to the letter. None is the same as none."""
    return one is not None and other is not None and one_spelling(one) == one_spelling(other)
