"""Callers' requests: every field is checked strictly, and one answer names every field at fault. Pure.

Amounts are integer cents. Nothing is converted: `"100"`, `100.0` and `true` are no amounts.
"""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple, TypeVar, assert_never

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from shared.domain.identifiers import Caller, fingerprint
from shared.domain.money import Money
from shared.domain.vas import ACCOUNT_NUMBER, MAY_BE_PINNED, METER_NUMBER, MOBILE_NUMBER, PREVENDED, Order, VasType, msisdn
from shared.lib.value import Value
from shared.schemas.problems import Problem, RequestFault
from shared.vending.purchase import PurchaseRequest

MAX_ERRORS: Final = 100  # more faults in one request are not named
_MAX_NAME_CHARACTERS: Final = 64

_PREVEND_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}", re.ASCII)
_PRODUCT_ID: Final = re.compile(r"[!-~]{1,64}", re.ASCII)
_REFERENCE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,64}")

# Without this, Pydantic searches the metadata of every installed package for plugins, and the first request waits. We have no plugins.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


class Limits(Value, frozen=True):
    """The limits of any one request, before the supplier's own limits."""

    minimum_amount: Money
    maximum_amount: Money


def _amount(cents: int, info: ValidationInfo) -> int:
    limits = info.context
    if not isinstance(limits, Limits):
        raise TypeError("amounts are read within limits")
    if not limits.minimum_amount.cents <= cents <= limits.maximum_amount.cents:
        message = f"must be from {limits.minimum_amount.cents} to {limits.maximum_amount.cents} cents"
        raise PydanticCustomError("limits", "{message}", {"message": message})
    return cents


def matching(pattern: re.Pattern[str], meaning: str) -> AfterValidator:
    """Text that matches the whole pattern."""

    def matched(text: str) -> str:
        if not pattern.fullmatch(text):
            raise PydanticCustomError("pattern", "{message}", {"message": f"must be {meaning}"})
        return text

    return AfterValidator(matched)


def _mobile(text: str) -> str:
    number = msisdn(text)
    if number is None:
        raise PydanticCustomError("pattern", "must be a South African mobile number: 082..., 2782... or +2782...")
    return number


def _true(value: bool) -> bool:
    if not value:
        raise PydanticCustomError("pinned", "must be true, or left out")
    return value


def _schema(pattern: re.Pattern[str]) -> dict[str, str]:
    return {"pattern": f"^(?:{pattern.pattern})$"}


AmountCents = Annotated[int, AfterValidator(_amount), Field(description="Cents of a rand.", json_schema_extra={"minimum": 1})]
MeterNumber = Annotated[str, matching(METER_NUMBER, "11 or 13 digits"), Field(json_schema_extra=_schema(METER_NUMBER))]
AccountNumber = Annotated[str, matching(ACCOUNT_NUMBER, "5 to 20 digits"), Field(json_schema_extra=_schema(ACCOUNT_NUMBER))]
MobileNumber = Annotated[str, AfterValidator(_mobile), Field(json_schema_extra=_schema(MOBILE_NUMBER))]
ProductId = Annotated[str, matching(_PRODUCT_ID, "1 to 64 visible ASCII characters"), Field(json_schema_extra=_schema(_PRODUCT_ID))]
PrevendId = Annotated[str, matching(_PREVEND_ID, "a prevendId"), Field(json_schema_extra=_schema(_PREVEND_ID))]
Pinned = Annotated[bool, AfterValidator(_true), Field(json_schema_extra={"const": True})]
Reference = Annotated[
    str,
    matching(_REFERENCE, "text of at most 64 characters, without control characters"),
    Field(json_schema_extra={"maxLength": 64, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}),
]


class Body(BaseModel):
    """The base of all bodies: no field is converted, and an unexpected field is a fault."""

    # `defer_build`: a start builds only the models that it uses
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True, defer_build=True
    )


Valid = TypeVar("Valid", bound=Body)


class MeterOrder(Body):
    """Electricity for a meter. Without a product, the one that is configured."""

    meter_number: MeterNumber
    amount_cents: AmountCents
    merchant_product_id: ProductId | None = None


class AccountOrder(Body):
    """A payment to a biller's account."""

    account_number: AccountNumber
    amount_cents: AmountCents
    merchant_product_id: ProductId


class MobileOrder(Body):
    """Airtime or data for a mobile number."""

    merchant_product_id: ProductId
    amount_cents: AmountCents
    mobile_number: MobileNumber


class PinnedOrder(Body):
    """Airtime or data as a PIN."""

    merchant_product_id: ProductId
    amount_cents: AmountCents
    pinned: Pinned


class VoucherOrder(Body):
    """A voucher."""

    merchant_product_id: ProductId
    amount_cents: AmountCents


class _Purchase(Body):
    reference: Reference | None = Field(None, description="The caller's own words; echoed everywhere.")
    allow_duplicate: bool = Field(False, description="Sell although an unfinished sale has the same recipient and amount.")


class PrevendPurchase(_Purchase):
    """The purchase of a confirmed prevend."""

    prevend_id: PrevendId


class MeterPurchase(MeterOrder, _Purchase):
    """Electricity, confirmed and bought at once."""


class AccountPurchase(AccountOrder, _Purchase):
    """A bill payment, confirmed and made at once."""


class MobilePurchase(MobileOrder, _Purchase):
    """Airtime or data for a mobile number."""


class PinnedPurchase(PinnedOrder, _Purchase):
    """Airtime or data as a PIN."""


class VoucherPurchase(VoucherOrder, _Purchase):
    """A voucher."""


DirectPurchase = MeterPurchase | AccountPurchase | MobilePurchase | PinnedPurchase | VoucherPurchase


class _Forms(NamedTuple):
    """The bodies of a service: of its prevend, if it has one, and of its purchases."""

    prevend: type[MeterOrder | AccountOrder] | None
    purchases: tuple[type[DirectPurchase | PrevendPurchase], ...]


def _forms(vas_type: VasType) -> _Forms:
    match vas_type:
        case VasType.UTILITY:
            return _Forms(MeterOrder, (MeterPurchase, PrevendPurchase))
        case VasType.BILL_PAYMENT:
            return _Forms(AccountOrder, (AccountPurchase, PrevendPurchase))
        case VasType.AIRTIME | VasType.DATA:
            return _Forms(None, (MobilePurchase, PinnedPurchase))
        case VasType.VOUCHER:
            return _Forms(None, (VoucherPurchase,))
        case _:
            assert_never(vas_type)


PREVENDS: Final = {vas_type: form for vas_type in VasType if (form := _forms(vas_type).prevend) is not None}
PURCHASES: Final = {vas_type: _forms(vas_type).purchases for vas_type in VasType}


def prevend_order(vas_type: VasType, body: Mapping[str, object], limits: Limits) -> Order:
    """The order that a prevend request wants confirmed.

    Raises:
        Problem: `not-found` if the service has no prevend; `body-invalid`, naming every field at fault.
    """
    if vas_type not in PREVENDS:
        raise Problem(RequestFault.NOT_FOUND)
    return _order(vas_type, valid(PREVENDS[vas_type], body, limits))


def purchase_request(
    vas_type: VasType, body: Mapping[str, object], limits: Limits, *, caller: Caller, idempotency_key: str
) -> PurchaseRequest:
    """A purchase request: of the prevend that the body names, else of the order that the body describes.

    Raises:
        Problem: `body-invalid`, naming every field at fault.
    """
    asked = valid(_purchase_model(vas_type, body), body, limits)
    return PurchaseRequest(
        caller=caller,
        idempotency_key=idempotency_key,
        fingerprint=fingerprint(vas_type, body),
        vas_type=vas_type,
        order=None if isinstance(asked, PrevendPurchase) else _order(vas_type, asked),
        prevend_id=asked.prevend_id if isinstance(asked, PrevendPurchase) else None,
        reference=asked.reference,
        allow_duplicate=asked.allow_duplicate,
    )


def invalid(errors: list[tuple[str, str]]) -> Problem:
    """The problem that names each field at fault by its JSON path, with the fault.

    A name may be any text that JSON can spell. No answer could hold some of these texts, such as lone surrogates.
    """
    named = [(field.encode(errors="backslashreplace").decode(), message) for field, message in errors[:MAX_ERRORS]]
    return Problem(
        RequestFault.BODY_INVALID, errors=[{"field": field[:_MAX_NAME_CHARACTERS], "message": message} for field, message in named]
    )


def _purchase_model(vas_type: VasType, body: Mapping[str, object]) -> type[DirectPurchase | PrevendPurchase]:
    """The one shape that the body means to have: fields outside the shape are faults."""
    if vas_type in PREVENDED and "prevendId" in body:
        return PrevendPurchase
    if vas_type in MAY_BE_PINNED and "pinned" in body:
        return PinnedPurchase
    return PURCHASES[vas_type][0]


def valid(model: type[Valid], body: Mapping[str, object], limits: Limits | None = None) -> Valid:
    """The body as the model has it. Amounts are checked against the limits.

    Raises:
        Problem: `body-invalid`, naming every field at fault.
    """
    try:
        return model.model_validate(body, context=limits)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
    raise invalid([(_path(fault), _message(fault)) for fault in faults])


def _order(vas_type: VasType, asked: MeterOrder | AccountOrder | DirectPurchase) -> Order:
    """The order from the fields of a body, which have the names of an order's fields."""
    return Order(vas_type=vas_type, amount=Money(asked.amount_cents), **asked.model_dump(exclude={"amount_cents", "allow_duplicate"}))


def _path(fault: ErrorDetails) -> str:
    return ".".join(str(part) for part in fault["loc"])


def _message(fault: ErrorDetails) -> str:
    match fault["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not expected in this request"
        case "int_type":
            return "must be a whole number, without quotes or a fraction"
        case "string_type":
            return "must be text in quotes"
        case "bool_type":
            return "must be true or false"
        case "list_type":
            return "must be a list"
        case "literal_error":
            return f"must be {fault['ctx']['expected']}"
        case _:
            return fault["msg"]  # our own texts: the validators above quote no value
