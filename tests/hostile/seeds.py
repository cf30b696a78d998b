"""Where fuzzing starts: what the simulated switch really says, and settlement files as it writes them. Made anew each time."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from typing import Any, Final

import httpx
from msgspec import structs

from shared.domain.outcome import Prevended, Vended
from shared.domain.policy import ReprintBy
from shared.domain.vas import Mode, VasType
from shared.mobilemart.client import MobileMart, Settings
from shared.mobilemart.settlement_writer import Plant, detail, planted, written
from shared.mobilemart.simulator import (
    PLAIN,
    SCENARIOS,
    SIMULATED_CLIENT_ID,
    SIMULATED_CLIENT_SECRET,
    Behaviour,
    MemoryLedger,
    Scenario,
    Service,
    Simulator,
)
from shared.ports.credentials import Credentials
from tests.file_forms import Form, formed
from tests.hostile.answer import ASKED_FOR, HEAD_BYTES, REQUEST_ID, spelt
from tests.sales import ended, vending

MAX_SEED_BYTES: Final = 4000
NOON: Final = datetime(2026, 5, 1, 10, tzinfo=UTC)

NO_ID: Final = "00000000-0000-0000-0000-000000000000"

KEYS: Final = (
    *("transactionId", "prevendTransactionId", "additionalDetails", "tokens", "token", "value", "tokenValue", "pin", "type", "tokenType"),
    *("units", "kWh", "unitType", "fixedCosts", "description", "amount", "productAmount", "convenienceFee", "onlineMeter", "reference"),
    *("receiptNumber", "serialNumber", "expiryDate", "consumerDetails", "accountHolder", "name", "address", "message", "instructions"),
    *("meterNumber", "accountNumber", "mobileNumber", "fulcrumErrorCode", "errorCode", "status", "detail", "error", "simulated"),
    *("merchantProductId", "productName", "contentCreator", "pinned", "fixedAmount", "minimumAmount", "maximumAmount", "products"),
    *("minimumPurchaseAmount", "amountDue", "access_token", "expires_in"),
    *("state", "result", "transactionStatus", "responseCode", "responseMessage", "success", "approved", "pending", "errorMessage", "title"),
    *("requestId", "merchantRequestId", "msisdn", "accountStatus", "municipalityDetails", "freeUnits", "code", "message"),
)
VALUES: Final = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        1000,
        1001,
        1003,
        1006,
        1008,
        1016,
        1099,
        10**14,
        10**20,
        0.01,
        -0.5,
        1e300,
        "",
        " ",
        "0",
        "100.00",
        "1e2",
    ),
    *("NaN", "١٠٠", "\x00", "\ud800", "\ufffd", "\u2028", "a" * 101, "x" * 400, ASKED_FOR, ASKED_FOR.upper(), NO_ID),
    *("00000000000012345678", "invalid_client"),
    *(
        "0000 0000 0000 1234 5678",
        "0000-0000-0000-1234-5678",
        "0000000000001234567",
        "1234567890123456",
        "retry in 5 minutes",
        "KCT",
        "FBE",
        "BSST",
        "REFUND",
        "PWRLMT",
    ),
    *("Failed", "Pending", "PROCESSING", "Binned", "Success", "Accepted", "00", "05", "202", 400, "*******8901", "xxx4567", "+27821234567"),
    *(REQUEST_ID, REQUEST_ID.upper(), "Arrears", "Balance outstanding", "VAT", "Energy", "29.7 kWh", "50.00"),
    "00000000000012345678|00000000000012345679|00000000000012345680",
    "0000 0000 0000 1234 5678 0000 0000 0000 1234 5679",
    [{"description": "Arrears", "amount": "100.00"}],
    *(7200, "9" * 40, [], {}, [[]], [None], [{}], {"token": "00000000000012345678"}, ["00000000000012345678"] * 21),
)


def answers() -> list[bytes]:
    """One of every answer that the simulator gives: to each call, for each scenario, under each service, in either mode."""
    return list(dict.fromkeys(asyncio.run(_answers())))


def files() -> Iterator[bytes]:
    """Files of every service, without a fault and with every fault planted."""
    lines = [
        detail(service=service, transaction_id=ASKED_FOR, merchant_id=ASKED_FOR, at=NOON, cents=cents, recipient="12345678901")
        for service, cents in zip(VasType, (10_000, -5, 0, 7, 10**12), strict=True)
    ]
    yield b"".join(written(date(2026, 5, 1), []))
    yield b"\xef\xbb\xbf" + b"".join(written(date(2026, 5, 1), lines, line_end="\r\n", version="1.1"))
    yield b"".join(written(date(2026, 5, 1), lines, miscounted_by=1))
    for plant in Plant:
        yield b"".join(written(date(2026, 5, 1), planted(lines, {0: plant}), tender_pan="411111******1111"))
    for form in Form:
        yield formed(b"".join(written(date(2026, 5, 1), lines)), form)


def bent(body: bytes, chance: random.Random) -> bytes | None:
    """The JSON with one thing in it changed; `None` for what is no JSON."""
    try:
        value = json.loads(body)
        slots = list(_slots(value)) or [([value], 0)]
        holder, key = chance.choice(slots)
        match chance.randrange(7):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[chance.choice(KEYS)] = holder.pop(key)
            case 2:
                holder[key] = [holder[key]]
            case 3:
                other, there = chance.choice(slots)
                holder[key], other[there] = other[there], holder[key]
            case 4:  # one member more, whose name may be there already
                member = f"{json.dumps(chance.choice(KEYS))}: {json.dumps(chance.choice(VALUES))}, "
                return json.dumps(value).replace("{", "{" + member, 1).encode()
            case 5 if isinstance(holder[key], dict):
                holder[key][chance.choice(KEYS)] = chance.choice(VALUES)
            case _:
                holder[key] = chance.choice(VALUES)
        return json.dumps(value).encode()
    except (ValueError, KeyError, IndexError, RecursionError):
        return None


def _slots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value: what holds it, and under what key."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _slots(value[key])


async def _answers() -> list[bytes]:
    found = []
    for marked in (True, False):
        for scenario in SCENARIOS:
            for service in sorted(scenario.services):
                found += [seed async for seed in _played(scenario, service, marked=marked)]
    return found


class _Overhearing(httpx.AsyncBaseTransport):
    """The simulator's transport, which keeps all that it says."""

    def __init__(self, simulator: Simulator) -> None:
        self._inner = httpx.ASGITransport(simulator)
        self.heard: list[tuple[int, str | None, bytes]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        self.heard.append((response.status_code, response.headers.get("content-type"), body))
        return httpx.Response(response.status_code, headers=response.headers, content=body)


async def _played(scenario: Scenario, service: Service, *, marked: bool) -> AsyncIterator[bytes]:
    """What the switch says in one sale: about its order, in the words of the plain one."""
    simulator = Simulator(MemoryLedger(), behaviour=Behaviour(marked=marked), now=lambda: NOON, delay=_no_time)
    overhearing = _Overhearing(simulator)
    mode = Mode.SIMULATED if marked else Mode.LIVE
    settings = Settings(base_url="http://simulator", mode=mode, reprint_by=ReprintBy.REQUEST_ID, timeout_seconds=0.02)
    client = MobileMart(overhearing, settings, _credentials, lambda: NOON)
    order = scenario.order(service)
    sale = structs.replace(vending(order=order), mode=mode)
    await client.products(service.vas_type)
    confirmed = await client.prevend(order, sale.request_id) if order.meter_number or order.account_number else None
    prevend_id = confirmed.supplier_prevend_id if isinstance(confirmed, Prevended) else None
    sold = (await client.vend(order, prevend_id, sale.request_id, 10)).outcome
    await client.reprint(ended(sold, sale))
    await client.aclose()
    supplier_id = sold.receipt.supplier_transaction_id if isinstance(sold, Vended) else None
    for status, content_type, body in overhearing.heard:
        plain = body.replace(scenario.key(service).encode(), PLAIN.key(service).encode())
        said = plain.replace((supplier_id or ASKED_FOR).encode(), ASKED_FOR.encode())
        if HEAD_BYTES + len(said) <= MAX_SEED_BYTES:
            for by_id in (False, True):
                yield spelt(PLAIN.order(service), mode, status, content_type, said, by_id=by_id)


async def _credentials(_refused: bool) -> Credentials:
    return Credentials(SIMULATED_CLIENT_ID, SIMULATED_CLIENT_SECRET)


async def _no_time(_seconds: float) -> None:
    return
