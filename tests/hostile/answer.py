"""An answer of the supplier as hostile bytes spell it: its first eight choose what surrounds the body, the rest are the body."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, Final, NoReturn, TypeVar

from shared.domain.vas import Mode, Order
from shared.mobilemart.responses import Reply
from shared.mobilemart.simulator import PLAIN, Service

HEAD_BYTES: Final = 8
ASKED_FOR: Final = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"
REQUEST_ID: Final = "0f2b7c1a-93a5-4f6b-8b4a-7f6f1f0c2d11"  # of every vend and reprint
ORDERS: Final[Sequence[Order]] = tuple(PLAIN.order(service) for service in Service)
MODES: Final = tuple(Mode)
STATUSES: Final = (
    *(200, 201, 202, 204, 206, 299, 100, 199, 300, 301, 302, 304, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 415, 422, 428),
    *(429, 431, 451, 499, 500, 501, 502, 503, 504, 511, 599, 600, 999),
)
CONTENT_TYPES: Final = (
    "application/json",
    "application/json; charset=utf-8",
    "application/problem+json; charset=utf-8",
    "Application/JSON",
    "application/vnd.fulcrum.v1+json",
    "text/html",
    "text/json",
    "application/jsonp",
    "application/+json",
    "application/octet-stream",
    " application/json\t;",
    "",
)
ODD_VALUES: Final = ("true", "TRUE ", "false", "1", "gzip", "identity", "0", "17", " 60 ", "-5", "9" * 30, "1e9", '"tag"', 'W/"t"', "", "²")
ODD_HEADERS: Final = ("content-encoding", "x-simulated", "retry-after", "etag")
FAULTS: Final = (None, None, None, "ReadError", "over 1048576 bytes")

Chosen = TypeVar("Chosen")


@dataclass(frozen=True)
class HostileAnswer:
    """What came, to which order, in which mode. `asked_for`: the supplier's id, where a reprint was asked for by it."""

    order: Order
    mode: Mode
    status: int
    headers: Mapping[str, str]
    fault: str | None
    asked_for: str | None
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, data: bytes) -> "HostileAnswer":
        """Every bytes are one. A header may take its value from the first line of the body: any latin-1 text."""
        status, more, content_type, headers, value, order, how, fault = data[:HEAD_BYTES].ljust(HEAD_BYTES, b"\0")
        body = data[HEAD_BYTES:]
        odd = body.partition(b"\n")[0].decode("latin-1") if value >= 0xF0 else _chosen(ODD_VALUES, value)
        named = {name: odd for bit, name in enumerate(ODD_HEADERS) if headers >> bit & 1}
        said = odd if content_type >= 0xF0 else _chosen(CONTENT_TYPES, content_type)
        return cls(
            order=_chosen(ORDERS, order),
            mode=_chosen(MODES, how),
            status=100 + (status << 8 | more) % 900 if status >= 0xF0 else _chosen(STATUSES, status),
            headers={**named, **({} if content_type == 0xEF else {"content-type": said})},
            fault=_chosen(FAULTS, fault),
            asked_for=ASKED_FOR if how & 2 else None,
            body=body,
        )

    @cached_property
    def reply(self) -> Reply:
        return Reply.of(self.status, self.headers, self.body, self.fault)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @cached_property
    def is_json(self) -> bool:
        """Whether the headers say so, and the body came whole and plain."""
        kind = self.headers.get("content-type", "").split(";")[0].strip().lower()
        plain = self.headers.get("content-encoding", "").strip().lower() in {"", "identity"}
        return re.fullmatch(r"application/([a-z0-9.-]+\+)?json", kind, re.ASCII) is not None and plain and self.fault is None

    @cached_property
    def said(self) -> Mapping[str, Any]:
        """The JSON object in the body, if a strict reader sees one there; otherwise none. Read without our own reader."""
        if not self.is_json:
            return {}
        try:
            text = self.body.decode("utf-8-sig", "replace")
            return members(json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_repeats))
        except (ValueError, InvalidOperation, RecursionError):
            return {}


def members(value: object) -> Mapping[str, Any]:
    """Those of a JSON object; none of anything else."""
    return value if isinstance(value, dict) else {}


def spelt(order: Order, mode: Mode, status: int, content_type: str | None, body: bytes, *, by_id: bool = False) -> bytes:
    """The bytes of an answer without oddities."""
    kind = 0xEF if content_type is None else CONTENT_TYPES.index(content_type) if content_type in CONTENT_TYPES else 0
    how = MODES.index(mode) + (2 if by_id else 0)
    return bytes((STATUSES.index(status), 0, kind, 0, 0, ORDERS.index(order), how, 0)) + body


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _chosen(among: Sequence[Chosen], byte: int) -> Chosen:
    return among[byte % len(among)]
