"""The switch's records in its ledger: confirmed meters and accounts, and vends."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from shared.domain.identifiers import hashed
from shared.domain.vas import VasType
from shared.lib.masking import last_four
from shared.mobilemart.simulator.deliverables import CONVENIENCE_FEE_CENTS, FREE_UNITS, Token, pin, serial_number, units
from shared.mobilemart.simulator.key_value_store import Ledger
from shared.mobilemart.simulator.scenarios import Scenario, scenario_numbered
from shared.mobilemart.simulator.services import PINLESS, Service

MUNICIPALITY: Final = "Simulated Municipality"
VENDS: Final = "vend:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """The goods to be sold, the recipient, and the price in cents. `scenario` is its number."""

    service: Service
    scenario: int
    merchant_product_id: str
    product_name: str
    content_creator: str
    amount_cents: int
    meter_number: str | None = field(default=None, repr=False)
    account_number: str | None = field(default=None, repr=False)
    mobile_number: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A meter or account that a prevend has confirmed."""

    transaction_id: str
    at: datetime
    deal: Deal


@dataclass(frozen=True, slots=True)
class Accepted:
    """A purchase that was accepted, and is not carried out."""

    transaction_id: str
    at: datetime
    deal: Deal


@dataclass(frozen=True, slots=True, kw_only=True)
class Vend:
    """One sale on record: the source of its answer, its reprint and its line in a settlement file.

    `at` may lie in the future, if the switch has yet to carry out the sale. `copy` counts the vends of one `request_id`.
    """

    request_id: str
    copy: int
    transaction_id: str
    at: datetime
    tender_type: str
    deal: Deal
    tokens: tuple[Token, ...] = ()
    units: Decimal | None = None
    free_units: Decimal | None = None
    charges_cents: int = 0
    convenience_fee_cents: int = 0
    pin: str | None = field(default=None, repr=False)
    serial_number: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Vend({self.deal.service.value}, {self.amount_cents} cents, to={last_four(self.recipient)}, request_id={self.request_id!r})"

    @property
    def vas_type(self) -> VasType:
        return self.deal.service.vas_type

    @property
    def amount_cents(self) -> int:
        return self.deal.amount_cents

    @property
    def recipient(self) -> str | None:
        """The meter, account or mobile number, as the request had it; `None` for a PIN or voucher."""
        return self.deal.meter_number or self.deal.account_number or self.deal.mobile_number

    @property
    def scenario(self) -> Scenario:
        return scenario_numbered(self.deal.scenario)

    @property
    def category(self) -> str:
        """The VAS category of a settlement line."""
        if self.deal.service in PINLESS:
            return "Pinless"
        return "Pinned" if self.deal.service.pinned else "Services"

    @property
    def transaction_type(self) -> str:
        """The transaction type of a settlement line."""
        return "Payment" if self.deal.service in PINLESS or self.deal.service is Service.BILL_PAYMENT else "Purchase"

    @property
    def unit_type(self) -> str | None:
        return "KWH" if self.deal.service is Service.UTILITY else None

    @property
    def municipality(self) -> str | None:
        return MUNICIPALITY if self.deal.service is Service.UTILITY else None


def sold(deal: Deal, request_id: str, copy: int, transaction_id: str, tender_type: str, at: datetime) -> Vend:
    """Build the vend of a deal. All fields follow from the arguments, so racing processes write the same vend."""
    goods = scenario_numbered(deal.scenario).goods
    electricity, pinned = deal.service is Service.UTILITY, deal.service.pinned
    charges_cents = goods.charges_cents(deal.amount_cents)
    return Vend(
        request_id=request_id,
        copy=copy,
        transaction_id=transaction_id,
        at=at,
        tender_type=tender_type,
        deal=deal,
        tokens=goods.tokens(transaction_id, deal.amount_cents) if electricity else (),
        units=units(deal.amount_cents - charges_cents) if electricity else None,
        free_units=FREE_UNITS if goods.free_units else None,
        charges_cents=charges_cents,
        convenience_fee_cents=CONVENIENCE_FEE_CENTS if goods.convenience_fee else 0,
        pin=pin(transaction_id) if pinned and goods.pin else None,
        serial_number=serial_number(transaction_id) if pinned else None,
    )


class Database:
    """The ledger, by the switch's own records. Ids from clients become hashes in keys, whatever their characters."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def confirm(self, confirmed: Confirmed) -> bool:
        """Store a prevend; `False` if its id is taken."""
        return await self._ledger.add(_prevend_key(confirmed.transaction_id), msgspec.to_builtins(confirmed))

    async def confirmed(self, transaction_id: str) -> Confirmed | None:
        """Return the prevend of that id."""
        value = await self._ledger.get(_prevend_key(transaction_id))
        return None if value is None else msgspec.convert(value, Confirmed)

    async def use_up(self, confirmed: Confirmed, request_id: str) -> bool:
        """Assign the prevend to this request, unless another request has it."""
        key = f"used:{hashed(confirmed.transaction_id)}"
        if await self._ledger.add(key, {"requestId": request_id}):
            return True
        return await self._ledger.get(key) == {"requestId": request_id}

    async def accept(self, request_id: str, accepted: Accepted) -> Accepted:
        """Store a purchase that is not carried out. Return the first one under this request id."""
        key = f"accepted:{hashed(request_id)}"
        if await self._ledger.add(key, msgspec.to_builtins(accepted)):
            return accepted
        return msgspec.convert(await self._ledger.get(key), Accepted)

    async def accepted(self, request_id: str) -> Accepted | None:
        """Return the purchase under that `requestId` that was accepted and not carried out."""
        value = await self._ledger.get(f"accepted:{hashed(request_id)}")
        return None if value is None else msgspec.convert(value, Accepted)

    async def book(self, vend: Vend) -> bool:
        """Vend, atomically; `False` if this copy exists under this request id. A pointer without a vend is harmless."""
        key = _vend_key(vend.request_id, vend.copy)
        await self._ledger.put(_transaction_key(vend.transaction_id), {"vend": key})
        return await self._ledger.add(key, msgspec.to_builtins(vend))

    async def vend_by_request(self, request_id: str) -> Vend | None:
        """Return the first vend under that `requestId`."""
        return await self._vend(_vend_key(request_id, 1))

    async def vend_by_transaction(self, transaction_id: str) -> Vend | None:
        """Return the vend of the switch's `transactionId`."""
        pointer = await self._ledger.get(_transaction_key(transaction_id))
        return None if pointer is None else await self._vend(pointer["vend"])

    async def vends(self) -> list[Vend]:
        """Return all vends, oldest first."""
        values = await self._ledger.starting_with(VENDS)
        return sorted((msgspec.convert(value, Vend) for value in values), key=lambda vend: (vend.at, vend.transaction_id))

    async def _vend(self, key: str) -> Vend | None:
        value = await self._ledger.get(key)
        return None if value is None else msgspec.convert(value, Vend)


def _prevend_key(transaction_id: str) -> str:
    return f"prevend:{hashed(transaction_id)}"


def _transaction_key(transaction_id: str) -> str:
    return f"transaction:{hashed(transaction_id)}"


def _vend_key(request_id: str, copy: int) -> str:
    return f"{VENDS}{hashed(request_id)}:{copy:04d}"
