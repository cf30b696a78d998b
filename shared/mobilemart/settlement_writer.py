"""Writes the supplier's settlement file v1.1 as the supplier does, with planted faults. Pure.

The simulator and the tests use this module. `settlement_file` reads every file that is written without a fault.
"""

import itertools
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from shared.domain.clock import BUSINESS_TIME
from shared.domain.vas import VasType
from shared.mobilemart.settlement_file import BINNED, FILE_VAS_TYPES, RECIPIENT_FIELD, SUCCESSFUL, Line

_VAS_TEXTS: Final = MappingProxyType({service: text for text, service in FILE_VAS_TYPES.items()})
_PLANTED: Final = uuid.UUID("6f1d7c52-8a0b-5e64-9d41-3c2b7a90e518")  # namespace of the ids of planted lines


class Plant(StrEnum):
    """Faults in the content of a well-formed file."""

    MISSING = "missing"  # the line is left out
    EXTRA = "extra"  # one more line, of a sale that was never made
    DUPLICATE = "duplicate"  # the line a second time
    TWICE = "twice"  # a second vend under the same merchant id
    AMOUNT = "amount"  # a cent too much
    RECIPIENT = "recipient"  # another meter, account or number
    BINNED = "binned"
    UNKNOWN_STATUS = "unknown_status"
    REVERSED = "reversed"  # one more line, negative
    OTHER_MERCHANT_ID = "other_merchant_id"  # field 5 carries an id that we do not know
    NO_MERCHANT_ID = "no_merchant_id"
    SUPPLIER_ID_TWICE = "supplier_id_twice"  # field 5 carries the value of field 4


def detail(
    *,
    service: VasType,
    transaction_id: str,
    merchant_id: str,
    at: datetime,
    cents: int,
    recipient: str = "",
    category: str = "Services",
    provider: str = "SimOperator",
    product_name: str = "Simulated product",
    status: str = SUCCESSFUL,
    tender_type: str = "Credit Card",
) -> Line:
    """Build a detail line from values. `at` is aware, and written in South African time. Other fields stay empty."""
    local = at.astimezone(BUSINESS_TIME)
    fields = dict.fromkeys(Line._fields, "")
    fields[Line._fields[RECIPIENT_FIELD[_VAS_TEXTS[service]]]] = recipient
    fields |= {
        "vas_type": _VAS_TEXTS[service],
        "vas_category": category,
        "provider": provider,
        "transaction_id": transaction_id,
        "merchant_id": merchant_id,
        "transaction_type": _transaction_type(service),
        "status": status,
        "date": f"{local:%Y%m%d}",
        "time": f"{local:%H%M%S}",
        "tender_type": tender_type,
        "amount": str(cents),
        "product_name": product_name,
    }
    return Line(**fields)


def _transaction_type(service: VasType) -> str:
    match service:
        case VasType.UTILITY:
            return "Purchase"
        case VasType.BILL_PAYMENT | VasType.AIRTIME | VasType.DATA | VasType.VOUCHER:
            return "Payment"
        case _:
            assert_never(service)


def written(
    day: date, lines: Iterable[Line], *, version: str = "1", line_end: str = "\n", miscounted_by: int = 0, tender_pan: str = ""
) -> Iterator[bytes]:
    """Yield the file of a business day, line by line. `miscounted_by` is the error of the trailer's count."""
    count = itertools.count(2)
    yield f"H|{version}|{day:%Y%m%d}{line_end}".encode()
    for line in lines:
        next(count)
        yield f"{line.text}|{tender_pan}{line_end}".encode()
    yield f"T|{next(count) + miscounted_by}{line_end}".encode()


def planted(lines: Iterable[Line], plants: Mapping[int, Plant]) -> Iterator[Line]:
    """Yield the lines with a fault at each given position, counted from 0. The same plants give the same lines."""
    for at, line in enumerate(lines):
        yield from (line,) if at not in plants else _planted(line, plants[at])


def _planted(line: Line, plant: Plant) -> tuple[Line, ...]:
    other_id = str(uuid.uuid5(_PLANTED, f"{line.transaction_id} {plant}"))
    match plant:
        case Plant.MISSING:
            return ()
        case Plant.EXTRA:
            return line, line._replace(transaction_id=other_id, merchant_id=str(uuid.uuid5(_PLANTED, other_id)))
        case Plant.DUPLICATE:
            return line, line
        case Plant.TWICE:
            return line, line._replace(transaction_id=other_id)
        case Plant.REVERSED:
            return line, line._replace(amount=str(-line.cents))
        case Plant.AMOUNT:
            return (line._replace(amount=str(line.cents + 1)),)
        case Plant.RECIPIENT:
            last = (int(line.recipient[-1:] or "0") + 1) % 10
            return (line._replace(**{Line._fields[RECIPIENT_FIELD[line.vas_type]]: f"{line.recipient[:-1]}{last}"}),)
        case Plant.BINNED:
            return (line._replace(status=BINNED),)
        case Plant.UNKNOWN_STATUS:
            return (line._replace(status="Pending"),)
        case Plant.OTHER_MERCHANT_ID:
            return (line._replace(merchant_id=other_id),)
        case Plant.NO_MERCHANT_ID:
            return (line._replace(merchant_id=""),)
        case Plant.SUPPLIER_ID_TWICE:
            return (line._replace(merchant_id=line.transaction_id),)
        case _:
            assert_never(plant)
