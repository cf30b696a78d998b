"""The switch's actions: confirm, vend, reprint. It uses its database and the clock, and knows nothing of HTTP."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from shared.domain.catalogue import Product
from shared.domain.identifiers import hashed
from shared.domain.vas import ACCOUNT_NUMBER, METER_NUMBER, VasType, msisdn
from shared.mobilemart.requests import MobileForm
from shared.mobilemart.simulator.behaviour import Behaviour
from shared.mobilemart.simulator.catalogue import product_named
from shared.mobilemart.simulator.database import Accepted, Confirmed, Database, Deal, Vend, sold
from shared.mobilemart.simulator.deliverables import TokenShape
from shared.mobilemart.simulator.errors import MOBILE_NUMBER_INVALID, RequestRefused
from shared.mobilemart.simulator.request_fields import MERCHANT_ERROR, Fields
from shared.mobilemart.simulator.response_bodies import confirmation, processing, slip
from shared.mobilemart.simulator.scenarios import Scenario, scenario_numbered, scenario_of
from shared.mobilemart.simulator.services import PINLESS, PREVENDED, Service

PRODUCT_DOES_NOT_EXIST: Final = 1000
AMOUNT_INVALID: Final = 1001
TRANSACTION_DOES_NOT_EXIST: Final = 1003

TENDER_TYPE: Final = "CreditCard"  # the only one of ten that was ever seen to work
PROVIDER: Final = "SimOperator"
SOMEONE_ELSE: Final = "another request"


@dataclass(frozen=True, slots=True)
class Job:
    """A request that the switch has understood: its scenario, and how to carry it out.

    `do(at)` carries out the request as of that moment, and returns the answer with `status`. It may raise `RequestRefused`.
    """

    scenario: Scenario
    do: Callable[[datetime], Awaitable[dict[str, Any]]]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Switch:
    """Each method reads a request and returns its job, or raises `RequestRefused`. Only the job has effects."""

    database: Database
    behaviour: Behaviour
    now: Callable[[], datetime]

    async def prevend(self, service: Service, fields: Fields) -> Job:
        """Confirm a meter or account."""
        product_id, request_id = fields.text("MerchantProductId"), fields.request_id()
        match service:
            case Service.UTILITY:
                recipient, amount_cents = fields.text("MeterNumber", METER_NUMBER.fullmatch), fields.amount_cents()
            case Service.BILL_PAYMENT:
                recipient, amount_cents = fields.text("AccountNumber", ACCOUNT_NUMBER.fullmatch), fields.optional_amount_cents() or 0
            case Service.AIRTIME_PINLESS | Service.AIRTIME_PINNED | Service.DATA_PINLESS | Service.DATA_PINNED | Service.VOUCHER:
                raise ValueError(f"sold without a prevend: {service}")
            case _:
                assert_never(service)
        fields.check()
        scenario = scenario_of(service, recipient)
        deal = _deal(service, scenario, _product(product_id, service), amount_cents, recipient)

        async def do(at: datetime) -> dict[str, Any]:
            confirmed = await self._confirm(deal, request_id, at)
            if scenario.prevend_used_up:
                await self.database.use_up(confirmed, SOMEONE_ELSE)
            return confirmation(confirmed)

        return Job(scenario, do)

    async def purchase(self, service: Service, fields: Fields, mobile_form: MobileForm) -> Job:
        """Vend. A mobile number in another form than `mobile_form` is refused."""
        request_id = fields.request_id()
        tender_type = fields.text("TenderType", lambda value: value == TENDER_TYPE)
        if service in PREVENDED:
            confirmed = await self._confirmed(service, fields)
            deal = confirmed.deal
        else:
            confirmed, deal = None, _direct(service, fields, mobile_form)
        scenario = scenario_numbered(deal.scenario)

        async def do(at: datetime) -> dict[str, Any]:
            if deal.amount_cents < scenario.refused_below_cents:
                raise RequestRefused(AMOUNT_INVALID)
            if scenario.refused_above_cents is not None and deal.amount_cents > scenario.refused_above_cents:
                raise RequestRefused(AMOUNT_INVALID)
            if confirmed is not None and self.behaviour.prevend_used_once and not await self.database.use_up(confirmed, request_id):
                raise RequestRefused(TRANSACTION_DOES_NOT_EXIST)
            if (pending := scenario.pending) is None:
                return slip(await self._vend(deal, request_id, tender_type, at), scenario.goods.token_shape)
            if pending.comes:
                carried_out_at = at + timedelta(seconds=self.behaviour.processing_seconds)
                return processing((await self._vend(deal, request_id, tender_type, carried_out_at)).transaction_id, at)
            accepted = await self.database.accept(request_id, Accepted(_guid("accepted", request_id), at, deal))
            return processing(accepted.transaction_id, at)

        return Job(scenario, do, 200 if scenario.pending is None else scenario.pending.status)

    async def reprint(self, vas_type: VasType, fields: Fields) -> Job:
        """Return a past vend, with its tokens."""
        vend = await self._found(fields)
        if vend is None and (accepted := await self._accepted(fields)) is not None and accepted.deal.service.vas_type is vas_type:
            return _still_processing(accepted)
        if vend is None or vend.vas_type is not vas_type:
            raise RequestRefused(TRANSACTION_DOES_NOT_EXIST)
        if (pending := vend.scenario.pending) is not None and pending.reprint_tells and self.now() < vend.at:
            return _still_processing(vend)
        lag = timedelta(seconds=max(self.behaviour.reprint_lag_seconds, vend.scenario.reprint_lag_seconds))

        async def do(at: datetime) -> dict[str, Any]:
            if at < vend.at + lag:
                raise RequestRefused(TRANSACTION_DOES_NOT_EXIST)
            return slip(vend if self.behaviour.reprint_shows_tokens else replace(vend, tokens=(), pin=None), TokenShape.TOKEN)

        return Job(vend.scenario, do)

    async def _confirm(self, deal: Deal, request_id: str, at: datetime) -> Confirmed:
        """Store the prevend; under a repeated request id, once more."""
        copy = 1
        while not await self.database.confirm(confirmed := Confirmed(_guid("prevend", request_id, str(copy)), at, deal)):
            copy += 1
        return confirmed

    async def _vend(self, deal: Deal, request_id: str, tender_type: str, at: datetime) -> Vend:
        """Store the vend. If the request id has a vend, the behaviour decides."""
        repeated = scenario_numbered(deal.scenario).repeated_request_id or self.behaviour.repeated_request_id
        copy = 1
        while not await self.database.book(vend := sold(deal, request_id, copy, _guid("vend", request_id, str(copy)), tender_type, at)):
            if repeated == "reject":
                raise RequestRefused(MERCHANT_ERROR, "RequestId has been used")
            if repeated == "replay" and (first := await self.database.vend_by_request(request_id)) is not None:
                return first
            copy += 1
        return vend

    async def _confirmed(self, service: Service, fields: Fields) -> Confirmed:
        """Return the prevend that a purchase names, with the amount to be paid."""
        transaction_id = fields.text("PrevendTransactionId")
        paid_cents = fields.amount_cents() if service is Service.BILL_PAYMENT else None
        fields.check()
        confirmed = await self.database.confirmed(transaction_id)
        if confirmed is None or confirmed.deal.service is not service:
            raise RequestRefused(TRANSACTION_DOES_NOT_EXIST)
        if self.now() >= confirmed.at + timedelta(seconds=self.behaviour.prevend_valid_seconds):
            raise RequestRefused(TRANSACTION_DOES_NOT_EXIST)
        if paid_cents is None:
            return confirmed
        paid = _price_cents(_product(confirmed.deal.merchant_product_id, service), paid_cents)
        return replace(confirmed, deal=replace(confirmed.deal, amount_cents=paid))

    async def _accepted(self, fields: Fields) -> Accepted | None:
        """Return the purchase that was accepted and not carried out.

        The switch must reveal such a purchase, and look sales up by the merchant's id.
        """
        request_id = fields.optional_text("RequestId") if self.behaviour.reprint_by in ("request_id", "both") else None
        accepted = None if request_id is None else await self.database.accepted(request_id)
        if accepted is None:
            return None
        pending = scenario_numbered(accepted.deal.scenario).pending
        return accepted if pending is not None and pending.reprint_tells else None

    async def _found(self, fields: Fields) -> Vend | None:
        """Return the vend that a reprint requests, by the id that this switch looks up."""
        by = self.behaviour.reprint_by
        request_id = fields.optional_text("RequestId") if by in ("request_id", "both") else None
        transaction_id = fields.optional_text("TransactionId") if by in ("transaction_id", "both") else None
        if request_id is not None:
            return await self.database.vend_by_request(request_id)
        if transaction_id is not None:
            return await self.database.vend_by_transaction(transaction_id)
        if by == "none":
            return None
        raise RequestRefused(MERCHANT_ERROR, f"{'TransactionId' if by == 'transaction_id' else 'RequestId'} is required")


def _still_processing(sale: Vend | Accepted) -> Job:
    async def do(at: datetime) -> dict[str, Any]:
        return processing(sale.transaction_id, at)

    return Job(scenario_numbered(sale.deal.scenario), do)


def _direct(service: Service, fields: Fields, mobile_form: MobileForm) -> Deal:
    """Return the deal of a purchase without a prevend. The schema for data has no amount: one that is sent is ignored."""
    product_id = fields.text("MerchantProductId")
    mobile_number = fields.text("MobileNumber") if service in PINLESS else None
    asked_cents = fields.optional_amount_cents() if _names_amount(service) else None
    fields.check()
    product = _product(product_id, service)
    key = product_id if mobile_number is None else _local(mobile_number, mobile_form)
    return _deal(service, scenario_of(service, key), product, _price_cents(product, asked_cents), mobile_number)


def _names_amount(service: Service) -> bool:
    match service:
        case Service.DATA_PINLESS | Service.DATA_PINNED:
            return False
        case Service.UTILITY | Service.BILL_PAYMENT | Service.AIRTIME_PINLESS | Service.AIRTIME_PINNED | Service.VOUCHER:
            return True
        case _:
            assert_never(service)


def _deal(service: Service, scenario: Scenario, product: Product, amount_cents: int, recipient: str | None) -> Deal:
    return Deal(
        service=service,
        scenario=scenario.number,
        merchant_product_id=product.merchant_product_id,
        product_name=product.name,
        content_creator=product.content_creator or PROVIDER,
        amount_cents=amount_cents,
        meter_number=recipient if service is Service.UTILITY else None,
        account_number=recipient if service is Service.BILL_PAYMENT else None,
        mobile_number=recipient if service in PINLESS else None,
    )


def _product(product_id: str, service: Service) -> Product:
    product = product_named(product_id, service)
    if product is None:
        raise RequestRefused(PRODUCT_DOES_NOT_EXIST)
    return product


def _price_cents(product: Product, asked_cents: int | None) -> int:
    """The price to be paid: the product's, or the requested amount if the product has none."""
    if product.amount is not None:
        if asked_cents not in (None, product.amount.cents):
            raise RequestRefused(AMOUNT_INVALID)
        return product.amount.cents
    if asked_cents is None:
        raise RequestRefused(MERCHANT_ERROR, "Amount is required")
    least, most = product.minimum_amount, product.maximum_amount
    if (least is not None and asked_cents < least.cents) or (most is not None and asked_cents > most.cents):
        raise RequestRefused(AMOUNT_INVALID)
    return asked_cents


def _local(mobile_number: str, form: MobileForm) -> str:
    """Return the number as `0821234567`, in whichever of the two forms the switch accepts. No switch accepts a plus."""
    international = msisdn(mobile_number)
    if international is None or not mobile_number.startswith("0" if form is MobileForm.LOCAL else "27"):
        raise RequestRefused(MOBILE_NUMBER_INVALID, msisdn=mobile_number)
    return f"0{international.removeprefix('27')}"


def _guid(*parts: str) -> str:
    """Return a GUID that follows from its parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, hashed("simulated", *parts)))
