"""The requests to the supplier: its paths, and one builder for each request. Pure."""

from enum import StrEnum
from typing import Final, assert_never
from urllib.parse import urlencode, urlsplit

import msgspec

from shared.domain.policy import ReprintBy
from shared.domain.vas import Order, VasType
from shared.lib.value import Value

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
UAT_HOST: Final = "uat.fulcrumswitch.com"


def _is_reprinted(vas_type: VasType) -> bool:
    match vas_type:
        case VasType.UTILITY | VasType.DATA | VasType.VOUCHER:
            return True
        case VasType.BILL_PAYMENT | VasType.AIRTIME:
            return False
        case _:
            assert_never(vas_type)


REPRINTED: Final = frozenset(filter(_is_reprinted, VasType))
"""The services whose reprint the supplier documents."""

_Fields = dict[str, object]

_encode = msgspec.json.Encoder(decimal_format="number").encode  # exact: a Decimal goes out digit for digit, never as a float


class MobileForm(StrEnum):
    """The form in which a host accepts mobile numbers."""

    LOCAL = "local"  # 0821234567
    INTERNATIONAL = "international"  # 27821234567


class Call(Value, frozen=True):
    """One request, without its access token. Query and body hold meters, accounts and secrets, and never show in `repr`."""

    _hidden = frozenset({"query", "body"})

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str | None = None

    def url(self, base_url: str) -> str:
        """The address on the switch at `base_url`."""
        address = f"{base_url.rstrip('/')}{self.path}"
        return f"{address}?{urlencode(self.query)}" if self.query else address


def mobile_form(base_url: str) -> MobileForm:
    """Return the form that the switch at `base_url` accepts: its UAT refuses the form of its production."""
    return MobileForm.LOCAL if (urlsplit(base_url).hostname or "").rstrip(".") == UAT_HOST else MobileForm.INTERNATIONAL


def token_call(client_id: str, client_secret: str) -> Call:
    """Ask for an access token (OAuth 2.0 client credentials, RFC 6749 section 4.4)."""
    asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret, "scope": "api"}
    return Call("POST", "/connect/token", body=urlencode(asked).encode(), content_type=FORM)


def products_call(vas_type: VasType) -> Call:
    """Ask for the catalogue of one service."""
    return Call("GET", f"/v1/{vas_type}/products")


def prevend_call(order: Order, request_id: str) -> Call:
    """Ask the supplier to confirm the meter or account of `order`, and its amount.

    A bill payment sends the amount, too. A documented test without it passed, but production sent it.
    The switch ignores query parameters that it does not know.
    """
    match order.vas_type:
        case VasType.UTILITY:
            recipient = ("meterNumber", order.meter_number)
        case VasType.BILL_PAYMENT | VasType.AIRTIME | VasType.DATA | VasType.VOUCHER:  # of these, only a bill payment has a prevend
            recipient = ("accountNumber", order.account_number)
        case _:
            assert_never(order.vas_type)
    query = (("merchantProductId", order.merchant_product_id), ("requestId", request_id), recipient, ("amount", f"{order.amount.rand:f}"))
    return Call("GET", _money_path(order.vas_type, "prevend"), query=tuple((name, value or "") for name, value in query))


def vend_call(order: Order, supplier_prevend_id: str | None, request_id: str, tender_type: str, mobile: MobileForm) -> Call:
    """The request that sells, with exactly the fields of its schema.

    `supplier_prevend_id` names the prevend of a service that is sold by its prevend.
    """
    product: _Fields = {"requestId": request_id, "merchantProductId": order.merchant_product_id, "tenderType": tender_type}
    prevended: _Fields = {"requestId": request_id, "prevendTransactionId": supplier_prevend_id, "tenderType": tender_type}
    amount: _Fields = {"amount": order.amount.rand}
    recipient: _Fields = {"mobileNumber": _mobile_number(order.mobile_number, mobile)}
    match order.vas_type:
        case VasType.UTILITY:
            return _post(order.vas_type, "purchase", prevended)
        case VasType.BILL_PAYMENT:
            return _post(order.vas_type, "pay", prevended | amount)
        case VasType.VOUCHER:
            return _post(order.vas_type, "purchase", product | amount)
        case VasType.DATA if order.pinned:  # its schema has no amount, and the supplier has failed on one
            return _post(order.vas_type, "pinned", product)
        case VasType.DATA:
            return _post(order.vas_type, "pinless", product | recipient)
        case VasType.AIRTIME if order.pinned:
            return _post(order.vas_type, "pinned", product | amount)
        case VasType.AIRTIME:
            return _post(order.vas_type, "pinless", product | recipient | amount)
        case _:
            assert_never(order.vas_type)


def reprint_call(vas_type: VasType, by: ReprintBy, request_id: str, supplier_transaction_id: str | None) -> Call | None:
    """Ask for a past sale again; `None` if the service has no reprint, or the configured id is unknown."""
    if vas_type not in REPRINTED:
        return None
    match by:
        case ReprintBy.REQUEST_ID:
            return Call("GET", f"/v1/{vas_type}/reprint", query=(("requestId", request_id),))
        case ReprintBy.TRANSACTION_ID if supplier_transaction_id is not None:
            return Call("GET", f"/v1/{vas_type}/reprint", query=(("transactionId", supplier_transaction_id),))
        case ReprintBy.TRANSACTION_ID | ReprintBy.NONE:
            return None
        case _:
            assert_never(by)


def _money_path(vas_type: VasType, action: str) -> str:
    match vas_type:
        case VasType.BILL_PAYMENT:  # its product list is v1
            return f"/v2/{vas_type}/{action}"
        case VasType.UTILITY | VasType.AIRTIME | VasType.DATA | VasType.VOUCHER:
            return f"/v1/{vas_type}/{action}"
        case _:
            assert_never(vas_type)


def _post(vas_type: VasType, action: str, fields: _Fields) -> Call:
    return Call("POST", _money_path(vas_type, action), body=_encode(fields), content_type=JSON)


def _mobile_number(msisdn: str | None, mobile: MobileForm) -> str | None:
    if msisdn is None or mobile is MobileForm.INTERNATIONAL:
        return msisdn
    return f"0{msisdn.removeprefix('27')}"
