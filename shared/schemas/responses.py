"""The answers to callers: the JSON of sales, receipts, prevends and products. Pure; one record always gives the same bytes.

The API description (`docs/openapi.json`) is made from these types. Amounts are integer cents, times RFC 3339 in UTC. Quantities such
as kWh are decimal text, exactly as the supplier quoted them.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final, NotRequired, cast

from typing_extensions import TypedDict  # pydantic reads this class equally in every version of Python

from shared.domain.catalogue import Product
from shared.domain.money import Money
from shared.domain.outcome import Charge, Consumer, MeterDetails, Receipt, Rejected, TokensDue
from shared.domain.policy import ConsumerDetails, Environment
from shared.domain.prevend import Prevend
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import EventName, State, Transaction
from shared.domain.unread import Unread
from shared.domain.vas import Mode, Order, VasType
from shared.lib.times import rfc3339
from shared.schemas.problems import of_refusal
from shared.schemas.refusals import Retry

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode  # made once


class TokenBody(TypedDict):
    kind: TokenKind
    number: str
    units: str | None


class ConsumerBody(TypedDict):
    name: str | None
    address: str | None


class ReceiptConsumerBody(ConsumerBody):
    message: str | None


class MeterBody(TypedDict):
    supplierGroupCode: str | None
    keyRevisionNumber: str | None
    tariffIndex: str | None
    tokenTechnology: str | None
    algorithm: str | None


class ChargeBody(TypedDict):
    description: str | None
    amountCents: int | None


class ReceiptBody(TypedDict):
    """The delivery. `tokens` are in the order in which they must be typed."""

    supplierTransactionId: str | None
    receiptNumber: str | None
    reference: str | None
    tokensDue: TokensDue
    tokens: list[TokenBody]
    units: str | None
    unitType: str | None
    pin: str | None
    serialNumber: str | None
    expiryDate: str | None
    consumer: ReceiptConsumerBody | None
    meter: MeterBody | None
    charges: list[ChargeBody]
    instructions: str | None


class RejectionBody(TypedDict):
    """Why nothing was sold, inside a sale."""

    type: str
    title: str
    detail: str
    retry: Retry
    retryAfterSeconds: NotRequired[int]
    minimumAmountCents: NotRequired[int]
    transactionId: NotRequired[str]


class RecipientBody(TypedDict, total=False):
    """At most one of them: the meter, account or number that receives what is bought."""

    meterNumber: str
    accountNumber: str
    mobileNumber: str


class TransactionBody(RecipientBody):
    """A sale. Money moves only on its `state`."""

    transactionId: str
    version: int
    vasType: VasType
    state: State
    amountCents: int
    merchantProductId: str | None
    reference: str | None
    simulated: bool
    supplierId: str
    createdAt: str
    updatedAt: str
    receipt: ReceiptBody | None
    problem: RejectionBody | None


class EventBody(TransactionBody):
    """A message of the topic: the sale as of the event."""

    eventId: str
    event: EventName


class UnreadBody(RecipientBody):
    """A sale on record of which the version that runs cannot read what became of it: no outcome. `null`: that cannot be read either."""

    transactionId: str
    vasType: VasType | None
    amountCents: int | None
    merchantProductId: str | None
    reference: str | None
    createdAt: str | None


class DayBody(TypedDict):
    """A page of a business day's sales; `cursor` asks for the next page, and is `null` on the last one.

    `notReadable` is there only where there are such sales.
    """

    transactions: list[TransactionBody]
    notReadable: NotRequired[list[UnreadBody]]
    cursor: str | None


class PrevendBody(RecipientBody):
    """A confirmed meter or account. A value that the supplier did not give is `null`."""

    prevendId: str
    vasType: VasType
    merchantProductId: str | None
    amountCents: int
    minimumAmountCents: int | None
    amountDueCents: int | None
    consumer: ConsumerBody | None
    expiresAt: str
    simulated: bool


class ProductBody(TypedDict):
    merchantProductId: str
    name: str
    contentCreator: str | None
    pinned: bool
    fixedAmount: bool
    amountCents: int | None
    minimumAmountCents: int | None
    maximumAmountCents: int | None


class ProductsBody(TypedDict):
    products: list[ProductBody]


class HealthBody(TypedDict):
    status: str
    environment: Environment
    mode: Mode


class ErrorBody(TypedDict):
    """A field at fault, by its JSON path (empty: the whole body), and what is wrong with it."""

    field: str
    message: str


class FileFaultBody(TypedDict):
    """The place where a settlement file breaks the format: the line, counted from 1, and the field, counted from 0."""

    line: int
    message: str
    field: int | None
    name: str | None


class NotTakenBody(TypedDict):
    """A file that may be meant for a settlement file, and is taken for none."""

    name: str
    reason: str


class ProblemBody(TypedDict):
    """A refusal (RFC 9457). Only one that says `state` is about an outcome."""

    type: str
    title: str
    status: int
    detail: str
    retry: Retry
    instance: NotRequired[str]
    state: NotRequired[State]
    version: NotRequired[int]
    transactionId: NotRequired[str]
    retryAfterSeconds: NotRequired[int]
    minimumAmountCents: NotRequired[int]
    errors: NotRequired[list[ErrorBody]]
    file: NotRequired[str]
    reason: NotRequired[str]
    faults: NotRequired[list[FileFaultBody]]
    notTaken: NotRequired[list[NotTakenBody]]
    moreNotTaken: NotRequired[int]


def encoded(body: object) -> bytes:
    """JSON as sent and published. A value without a form in JSON is refused and never converted: it arrived by mistake."""
    return _encode(body).encode()


def sale_path(sale_id: str) -> str:
    """A sale's address below the root of purchase."""
    return f"/transactions/{sale_id}"


def state_shown(sale: Transaction, now: datetime) -> State:
    """The state to show: an abandoned sale is in doubt, whether or not the sweep has stored the doubt yet."""
    return State.IN_DOUBT if sale.is_abandoned(now) else sale.state


def transaction_body(sale: Transaction, state: State, details: ConsumerDetails) -> TransactionBody:
    """A sale in the state that is to be shown (`state_shown`)."""
    order, receipt = sale.order, sale.receipt
    return {
        "transactionId": sale.id,
        "version": sale.version,
        "vasType": order.vas_type,
        "state": state,
        "amountCents": order.amount.cents,
        "merchantProductId": order.merchant_product_id,
        **_recipient(order),
        "reference": order.reference,
        "simulated": sale.mode is Mode.SIMULATED,
        "supplierId": sale.supplier_id,
        "createdAt": rfc3339(sale.created_at),
        "updatedAt": rfc3339(sale.updated_at),
        "receipt": None if receipt is None else _receipt(receipt, details),
        "problem": _rejection(sale.outcome) if isinstance(sale.outcome, Rejected) else None,
    }


def event_id(event: EventName, sale: Transaction) -> str:
    """The id by which consumers drop repeats. Each contradiction has its own id, from the version that it made (`each_contradiction`)."""
    if event is not EventName.CONTRADICTED:
        return f"{sale.id}:{event}"
    return f"{sale.id}:{event}:{sale.contradicted_at[-1] if sale.contradicted_at else sale.version}"


def unread_body(sale: Unread) -> UnreadBody:
    """The readable part of a sale, without anything of its outcome."""
    order = sale.order
    return {
        "transactionId": sale.id,
        "vasType": None if order is None else order.vas_type,
        "amountCents": None if order is None else order.amount.cents,
        "merchantProductId": None if order is None else order.merchant_product_id,
        **_recipient(order),
        "reference": None if order is None else order.reference,
        "createdAt": None if sale.created_at is None else rfc3339(sale.created_at),
    }


def event_body(event: EventName, sale: Transaction, details: ConsumerDetails) -> EventBody:
    """The message about a sale: its state on record, at any hour."""
    return {**transaction_body(sale, sale.state, details), "eventId": event_id(event, sale), "event": event}


def prevend_body(prevend: Prevend, details: ConsumerDetails) -> PrevendBody:
    consumer = prevend.consumer
    return {
        "prevendId": prevend.id,
        "vasType": prevend.order.vas_type,
        "merchantProductId": prevend.order.merchant_product_id,
        **_recipient(prevend.order),
        "amountCents": prevend.order.amount.cents,
        "minimumAmountCents": _cents(prevend.minimum_amount),
        "amountDueCents": _cents(prevend.amount_due),
        "consumer": None if consumer is None else {"name": _detail(consumer.name, details), "address": _detail(consumer.address, details)},
        "expiresAt": rfc3339(prevend.expires_at),
        "simulated": prevend.mode is Mode.SIMULATED,
    }


def products_body(products: Iterable[Product]) -> ProductsBody:
    return {
        "products": [
            {
                "merchantProductId": product.merchant_product_id,
                "name": product.name,
                "contentCreator": product.content_creator,
                "pinned": product.pinned,
                "fixedAmount": product.fixed_amount,
                "amountCents": _cents(product.amount),
                "minimumAmountCents": _cents(product.minimum_amount),
                "maximumAmountCents": _cents(product.maximum_amount),
            }
            for product in products
        ]
    }


def masked(text: str) -> str:
    """A name or address with only the first letter of each word; its length stays hidden: `J** D**`."""
    return " ".join(f"{word[0]}**" for word in text.split())


def _recipient(order: Order | None) -> RecipientBody:
    match order:
        case Order(meter_number=str(meter)):
            return {"meterNumber": meter}
        case Order(account_number=str(account)):
            return {"accountNumber": account}
        case Order(mobile_number=str(mobile)):
            return {"mobileNumber": mobile}
        case _:
            return {}


def _rejection(rejected: Rejected) -> RejectionBody:
    body = of_refusal(rejected, transactionId=rejected.other_transaction_id).body()
    del body["status"]  # of an HTTP answer, which the message is not
    return cast("RejectionBody", body)


def _receipt(receipt: Receipt, details: ConsumerDetails) -> ReceiptBody:
    return {
        "supplierTransactionId": receipt.supplier_transaction_id,
        "receiptNumber": receipt.receipt_number,
        "reference": receipt.reference,
        "tokensDue": receipt.tokens_due,
        "tokens": [_token(token) for token in receipt.tokens],
        "units": _quantity(receipt.units),
        "unitType": receipt.unit_type,
        "pin": receipt.pin,
        "serialNumber": receipt.serial_number,
        "expiryDate": receipt.expiry_date,
        "consumer": None if receipt.consumer is None else _consumer(receipt.consumer, details),
        "meter": None if receipt.meter is None else _meter(receipt.meter),
        "charges": [_charge(charge) for charge in receipt.charges],
        "instructions": receipt.instructions,
    }


def _token(token: StsToken) -> TokenBody:
    return {"kind": token.kind, "number": token.number, "units": _quantity(token.units)}


def _consumer(consumer: Consumer, details: ConsumerDetails) -> ReceiptConsumerBody:
    return {
        "name": _detail(consumer.name, details),
        "address": _detail(consumer.address, details),
        "message": consumer.message if details is ConsumerDetails.FULL else None,  # a masked value would be useless
    }


def _detail(text: str | None, details: ConsumerDetails) -> str | None:
    return text if text is None or details is ConsumerDetails.FULL else masked(text)


def _meter(meter: MeterDetails) -> MeterBody:
    return {
        "supplierGroupCode": meter.supplier_group_code,
        "keyRevisionNumber": meter.key_revision_number,
        "tariffIndex": meter.tariff_index,
        "tokenTechnology": meter.token_technology,
        "algorithm": meter.algorithm,
    }


def _charge(charge: Charge) -> ChargeBody:
    return {"description": charge.description, "amountCents": _cents(charge.amount)}


def _quantity(quantity: Decimal | None) -> str | None:
    return None if quantity is None else f"{quantity:f}"


def _cents(amount: Money | None) -> int | None:
    return None if amount is None else amount.cents
