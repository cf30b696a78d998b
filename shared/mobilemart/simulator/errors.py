"""The switch's answers that are not goods: errors, refusals of the transport, and its web page. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import msgspec

from shared.domain.identifiers import hashed

JSON: Final = "application/json; charset=utf-8"
PROBLEM: Final = "application/problem+json; charset=utf-8"
HTML: Final = "text/html"

Content = dict[str, Any] | list[Any] | bytes

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode  # rand as exact JSON numbers, never floats


@dataclass(frozen=True, slots=True)
class SwitchReply:
    """An answer before it is sent. JSON stays an object as long as possible, so that it can be marked or spoilt."""

    content: Content = field(repr=False)
    status: int = 200
    content_type: str | None = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else _encode(self.content)

    def marked(self) -> "SwitchReply":
        """Return the same answer with the mark of a simulator."""
        content = {**self.content, "simulated": True} if isinstance(self.content, dict) else self.content
        return replace(self, content=content, headers={**self.headers, "x-simulated": "true"})


class RequestRefused(Exception):
    """The switch refused a request, and sold nothing. `more` are extra members of its answer."""

    def __init__(self, code: int, detail: str | None = None, **more: object) -> None:
        super().__init__(f"refused with {code}")
        self.code, self.detail, self.more = code, detail, more


ERRORS: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        1000: ("Product does not exist.", "The product supplied does not exist."),
        1001: ("Amount is invalid.", "The amount supplied is invalid."),
        1002: ("Cannot source product.", "Product cannot be sourced due to upstream provider issue."),
        1003: ("Transaction does not exist.", "Transaction not found"),
        1006: ("User not authenticated.", "The user is not authenticated."),
        1008: ("Merchant credit limit reached.", "The merchant's credit limit has been reached."),
        1010: ("Merchant error", "The request is invalid."),
        1011: ("Product not available.", "The product is not available to this merchant."),
        1012: ("Reprint not allowed.", "The transaction may not be reprinted."),
        1013: ("Mobile Number is invalid.", "The mobile number supplied is invalid."),
        1016: ("Consumer account error.", "The consumer account is not allowed to purchase this product."),
    }
)
MOBILE_NUMBER_INVALID: Final = 1013
UNKNOWN_ERROR: Final = ("Upstream error.", "An error occurred.")


def error(refused: RequestRefused, base_url: str, trace_id: str) -> SwitchReply:
    """A business error in the switch's RFC 7807 shape."""
    title, detail = ERRORS.get(refused.code, UNKNOWN_ERROR)
    body = {
        "type": f"{base_url}/error-codes#{refused.code}",
        "title": title,
        "status": 400,
        "detail": refused.detail or detail,
        "traceId": trace_id,
        "fulcrumErrorCode": refused.code,
        **refused.more,
    }
    return SwitchReply(body, 400, PROBLEM)


def rate_limited(trace_id: str) -> SwitchReply:
    """A 429, without an error code and without `Retry-After`."""
    body = {
        "type": "https://www.rfc-editor.org/rfc/rfc6585#section-4",
        "title": "Too Many Requests.",
        "status": 429,
        "detail": "Rate Limit has been reached. Please retry in 1 minute(s).",
        "traceId": trace_id,
    }
    return SwitchReply(body, 429, PROBLEM)


def trace_id(*parts: str) -> str:
    """A W3C traceparent; the same parts give the same one."""
    return f"00-{hashed('trace', *parts)}-{hashed('span', *parts)[:16]}-01"


UNAUTHORISED: Final = SwitchReply(b"", 401, None, {"www-authenticate": 'Bearer error="invalid_token"'})
BAD_GATEWAY: Final = SwitchReply(b"<html><head><title>502 Bad Gateway</title></head></html>", 502, HTML)
NOT_ALLOWED: Final = SwitchReply(b"", 405, None, {"allow": "GET, HEAD"})
EMPTY_PAGE: Final = SwitchReply(b"", 200, HTML)  # the supplier's other hosts answer so on any path
WEB_PAGE: Final = SwitchReply(
    b'<!doctype html><html><head><title>Fulcrum</title></head><body><div id="root"></div></body></html>',
    200,
    HTML,
)
INVALID_CLIENT: Final = SwitchReply(
    {
        "error": "invalid_client",
        "error_description": "The specified client credentials are invalid.",
        "error_uri": "https://documentation.openiddict.com/errors/ID2055",
    },
    401,
)
UNSUPPORTED_GRANT: Final = SwitchReply(
    {"error": "unsupported_grant_type", "error_description": "The specified grant type is not supported."},
    400,
)
