"""The bodies that answer a prevend, a purchase and a reprint. Pure."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP
from typing import Any, Final, assert_never

from shared.domain.clock import BUSINESS_TIME
from shared.domain.money import Money
from shared.mobilemart.simulator.database import MUNICIPALITY, Confirmed, Vend
from shared.mobilemart.simulator.deliverables import TokenShape, printable, steps, written
from shared.mobilemart.simulator.scenarios import scenario_numbered
from shared.mobilemart.simulator.services import Service

CONSUMER: Final = {"name": "SIMULATED CONSUMER", "address": "1 SIMULATED ROAD"}
AMOUNT_DUE: Final = Money(45_000)  # on every account
PIN_VALID: Final = timedelta(days=1095)


def confirmation(confirmed: Confirmed) -> dict[str, Any]:
    """The answer to a prevend."""
    if confirmed.deal.service is Service.UTILITY:
        minimum = Money(scenario_numbered(confirmed.deal.scenario).minimum_cents)
        return {"transactionId": confirmed.transaction_id, "minimumPurchaseAmount": minimum.rand, "consumerDetails": CONSUMER}
    return {
        "transactionId": confirmed.transaction_id,
        "accountNumber": confirmed.deal.account_number,
        "accountHolder": CONSUMER["name"],
        "amountDue": AMOUNT_DUE.rand,
    }


def processing(transaction_id: str, at: datetime) -> dict[str, Any]:
    """The answer to a sale that was accepted and is not carried out yet."""
    return _head(transaction_id, at) | {"status": "PROCESSING", "message": "The transaction is being processed."}


def slip(vend: Vend, token_shape: TokenShape) -> dict[str, Any]:
    """The answer to a purchase or a reprint."""
    head = _head(vend.transaction_id, vend.at)
    match vend.deal.service:
        case Service.UTILITY:
            return head | {"additionalDetails": _electricity(vend, token_shape)}
        case Service.BILL_PAYMENT:
            return head | _bill_payment(vend)
        case Service.AIRTIME_PINLESS | Service.DATA_PINLESS:
            return head | _pinless(vend)
        case Service.AIRTIME_PINNED | Service.DATA_PINNED | Service.VOUCHER:
            expiry = (vend.at + PIN_VALID).astimezone(BUSINESS_TIME).isoformat(timespec="seconds")
            return head | {"expiryDate": expiry, "additionalDetails": _pinned(vend)}
        case _:
            assert_never(vend.deal.service)


def _head(transaction_id: str, at: datetime) -> dict[str, Any]:
    return {"timestamp": at.astimezone(BUSINESS_TIME).isoformat(timespec="milliseconds"), "transactionId": transaction_id}


def _electricity(vend: Vend, token_shape: TokenShape) -> dict[str, Any]:
    goods = vend.scenario.goods
    tokens = written(vend.tokens, token_shape)
    details: dict[str, Any] = {
        "productAmount": str(Money(vend.amount_cents).rand),
        "reference": _reference("REF", vend),
        "receiptNumber": _reference("RCP", vend),
        "fixedCosts": [*_shares(vend), *_items(vend)],
        "processor": "SimProcessor",
        "operator": "SimOperator",
        "tokens": tokens,
        "units": vend.units,
        "unitType": vend.unit_type,
        "consumerDetails": {**CONSUMER, "message": "Simulated: no electricity was sold."},
        "municipalityDetails": {"name": MUNICIPALITY},
        "supplierGroupCode": "000001",
        "keyRevisionNumber": "2" if goods.key_change else "1",
        "tariffIndex": "01",
        "tokenTechCode": "02",
        "algorithmCode": "07",
        "onlineMeter": goods.online_meter,
        "accountStatus": {},
        "instructions": "Type the tokens in the order in which they are printed.",
    }
    if tokens is None:
        del details["tokens"]
    if token_shape is TokenShape.SLIP:
        details["slip"] = printable(vend.tokens)
    return details


def _shares(vend: Vend) -> list[dict[str, Any]]:
    """The amounts taken for debts and services."""
    rows = [(share, Money(cents).rand) for share, cents in vend.scenario.goods.shares_cents(vend.amount_cents)]
    return [
        {"description": share.description, "amount": rand}
        | ({} if share.balance_cents is None else {"balance": Money(share.balance_cents).rand})
        for share, rand in rows
    ]


def _items(vend: Vend) -> list[dict[str, Any]]:
    """The price of the units, and the VAT. Together they are all of the amount that the shares left."""
    itemised = vend.scenario.goods.itemised
    paid = Money(vend.amount_cents - vend.charges_cents)
    if itemised is None:
        return []
    bought = steps(paid.cents)
    costs = [Money(int((kwh * price).to_integral_value(ROUND_HALF_UP))) for kwh, price in bought]
    energy = sum(cost.cents for cost in costs)
    rows = [("Energy", energy)]
    if itemised == "steps":
        names = [f"Step {at}: {kwh:.1f} kWh at {Money(price)}" for at, (kwh, price) in enumerate(bought, 1)]
        rows = list(zip(names, (cost.cents for cost in costs), strict=True))
    return [{"description": name, "amount": Money(cents).rand} for name, cents in (*rows, ("VAT", paid.cents - energy))]


def _bill_payment(vend: Vend) -> dict[str, Any]:
    return {
        "amount": Money(vend.amount_cents).rand,
        "amountDue": AMOUNT_DUE.rand,
        "accountNumber": vend.deal.account_number,
        "accountHolder": CONSUMER["name"],
        "reference": _reference("REF", vend),
        "serviceProviderContact": "0800 000 000",
        "serviceProviderName": vend.deal.product_name,
        "convenienceFee": Money(vend.convenience_fee_cents).rand,
        "tenderPan": None,
        "productName": vend.deal.product_name,
        "vasCategoryIdentifier": vend.deal.content_creator,
    }


def _pinless(vend: Vend) -> dict[str, Any]:
    return {
        "productName": vend.deal.product_name,
        "contentCreator": vend.deal.content_creator,
        "amount": Money(vend.amount_cents).rand,
        "mobileNumber": vend.deal.mobile_number,
        "referenceNumber": _reference("REF", vend),
    }


def _pinned(vend: Vend) -> dict[str, Any]:
    details = {
        "productInstructions": "Simulated: this PIN buys nothing.",
        "productAmount": str(Money(vend.amount_cents).rand),
        "serialNumber": vend.serial_number,
        "referenceNumber": _reference("REF", vend),
        "productName": vend.deal.product_name,
        "contentCreator": vend.deal.content_creator,
    }
    return details if vend.pin is None else details | {"pin": vend.pin}


def _reference(kind: str, vend: Vend) -> str:
    return f"SIM-{kind}-{vend.transaction_id[:8]}"
