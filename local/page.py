"""The page at `/`: a counter, a wallet, the simulator's scenarios and the day's settlement, to click.

The page uses the public API wherever it can. This module serves the data that only the simulator has: the scenarios,
the request and the end of each, and the possible faults of a settlement file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, assert_never

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from shared.bootstrap import LOCAL_PAUSE
from shared.mobilemart.error_codes import FLOAT_EXHAUSTED
from shared.mobilemart.settlement_writer import Plant
from shared.mobilemart.simulator import SCENARIOS, STANDARD, Effect, Leg, Scenario, Service, Told
from shared.mobilemart.simulator.services import PREVENDED
from shared.web import middleware
from shared.web.report_html import KIND_WORDS, STATUS_WORDS

FOLDER: Final = Path(__file__).parent / "page"
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self'; script-src 'self'; style-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)
MEDIA_TYPES: Final = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}

PLANT_WORDS: Final[Mapping[Plant, str]] = MappingProxyType(
    {
        Plant.AMOUNT: "A cent too much",
        Plant.MISSING: "A line left out",
        Plant.EXTRA: "A line of no sale",
        Plant.DUPLICATE: "A line twice",
        Plant.TWICE: "A second vend",
        Plant.RECIPIENT: "Another recipient",
        Plant.BINNED: "Binned",
        Plant.UNKNOWN_STATUS: "A status nobody knows",
        Plant.REVERSED: "A negative line",
        Plant.OTHER_MERCHANT_ID: "Another merchant id",
        Plant.NO_MERCHANT_ID: "No merchant id",
        Plant.SUPPLIER_ID_TWICE: "The supplier's id twice",
    }
)
SERVICE_NAMES: Final[Mapping[Service, str]] = MappingProxyType(
    {
        Service.UTILITY: "Electricity",
        Service.BILL_PAYMENT: "Bill payment",
        Service.AIRTIME_PINLESS: "Airtime to a number",
        Service.AIRTIME_PINNED: "Airtime as a PIN",
        Service.DATA_PINLESS: "Data to a number",
        Service.DATA_PINNED: "Data as a PIN",
        Service.VOUCHER: "Voucher",
    }
)

_NEVER_IN_TIME: Final = frozenset({Effect.LATE, Effect.SILENT, Effect.VENDS_LATE, Effect.DRIPPED})


@dataclass(frozen=True, slots=True)
class Group:
    """Scenarios that the page shows together, by their numbers."""

    title: str
    numbers: tuple[int, ...]


GROUPS: Final = (
    Group("What is delivered", (*range(7), *range(13, 20))),
    Group("Trouble before the purchase", (*range(7, 13), *range(35, 40))),
    Group("Accepted, and not done yet", tuple(range(80, 84))),
    Group("An answer that says no, or is of another sale", tuple(range(84, 90))),
    Group("Answer lost after vending", tuple(range(40, 50))),
    Group("Answer lost, and the reprint is no help", tuple(range(50, 60))),
    Group("No answer, and nothing vended", tuple(range(32, 35))),
    Group("Refused", tuple(range(20, 32))),
    Group("Tokens written another way", (*range(60, 70), *range(90, 100))),
    Group("Hostile answers", tuple(range(70, 80))),
)


def routes(exchange_seconds: int) -> list[Route]:
    """Return the routes of the page and its parts. `exchange_seconds` is the client's timeout for the supplier."""

    async def simulator(_request: Request) -> Response:
        return middleware.answer(simulator_body(exchange_seconds), headers=HEADERS)

    return [Route("/", _index), Route("/page/{name}", _file), Route("/local/simulator", simulator)]


def simulator_body(exchange_seconds: int) -> dict[str, Any]:
    """Return the page's data about the simulator."""
    return {
        "services": [{"service": service, "name": name} for service, name in SERVICE_NAMES.items()],
        "groups": [
            {"title": group.title, "scenarios": [_shown(each, exchange_seconds) for each in SCENARIOS if each.number in group.numbers]}
            for group in GROUPS
        ],
        "plants": [{"plant": plant, "says": says} for plant, says in PLANT_WORDS.items()],
        "kinds": {kind: words[0] for kind, words in KIND_WORDS.items()},
        "statuses": {status: words for status, words in STATUS_WORDS.items() if status is not None},
    }


def ends(scenario: Scenario) -> str:
    """Return the end of a sale of this scenario, in the words of the API's states."""
    prevend, reprint = scenario.fault(Leg.PREVEND), scenario.fault(Leg.REPRINT)
    if not scenario.listed:
        return "refused"  # our catalogue lacks the product
    if prevend is not None and prevend.effect is not Effect.SLOW:
        return "refused"  # a prevend that is refused begins no sale
    match scenario.told:
        case Told.OUTCOME:
            return "vended" if scenario.vends else "rejected"
        case Told.UNREADABLE:
            return "vended or in_doubt then vended"
        case Told.NOTHING if not scenario.vends:
            return "in_doubt"
        case Told.NOTHING:
            return "in_doubt then vended" if reprint is None else "in_doubt until settled"
        case _:
            assert_never(scenario.told)


def request(scenario: Scenario, service: Service) -> dict[str, object]:
    """Return the body that plays a scenario: of the prevend if the service has one, else of the purchase."""
    key, product, cents = scenario.key(service), scenario.order(service).merchant_product_id, scenario.amount_cents
    match service:
        case Service.UTILITY:
            named = {} if scenario.listed else {"merchantProductId": product}
            return {"meterNumber": key, "amountCents": cents, **named}
        case Service.BILL_PAYMENT:
            return {"accountNumber": key, "amountCents": cents, "merchantProductId": product}
        case Service.AIRTIME_PINLESS | Service.DATA_PINLESS:
            return {"merchantProductId": product, "amountCents": cents, "mobileNumber": key}
        case Service.AIRTIME_PINNED | Service.DATA_PINNED:
            return {"merchantProductId": product, "amountCents": cents, "pinned": True}
        case Service.VOUCHER:
            return {"merchantProductId": product, "amountCents": cents}
        case _:
            assert_never(service)


def _shown(scenario: Scenario, exchange_seconds: int) -> dict[str, Any]:
    return {
        "number": scenario.number,
        "name": scenario.name,
        "says": scenario.says,
        "ends": ends(scenario),
        "seconds": _seconds(scenario, exchange_seconds),
        "pauses": _pauses(scenario),
        "requests": {
            service: {"vasType": service.vas_type, "prevend": service in PREVENDED, "body": request(scenario, service)}
            for service in Service
            if service in scenario.services
        },
    }


def _seconds(scenario: Scenario, exchange_seconds: int) -> float:
    """Return how long the caller waits for the first answer, beyond the usual moment."""
    effects = {fault.effect for fault in scenario.faults}
    if effects & _NEVER_IN_TIME:
        return exchange_seconds
    return min(STANDARD.slow_seconds, exchange_seconds) if Effect.SLOW in effects else 0


def _pauses(scenario: Scenario) -> float:
    """Return for how long the brake then pauses selling for everybody."""
    return LOCAL_PAUSE.total_seconds() if any(fault.code == FLOAT_EXHAUSTED for fault in scenario.faults) else 0


async def _index(_request: Request) -> Response:
    return _served("index.html")


async def _file(request: Request) -> Response:
    return _served(request.path_params["name"])


def _served(name: str) -> Response:
    if name not in {path.name for path in FOLDER.iterdir()}:
        return Response(status_code=404)
    return FileResponse(FOLDER / name, headers=HEADERS, media_type=MEDIA_TYPES[Path(name).suffix])
