"""The services of the switch, and the paths of its interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal, assert_never

from shared.domain.vas import VasType


class Service(StrEnum):
    """The seven kinds of sale: each has its own request and answer."""

    UTILITY = "utility"
    BILL_PAYMENT = "bill-payment"
    AIRTIME_PINLESS = "airtime-pinless"
    AIRTIME_PINNED = "airtime-pinned"
    DATA_PINLESS = "data-pinless"
    DATA_PINNED = "data-pinned"
    VOUCHER = "voucher"

    @property
    def vas_type(self) -> VasType:
        return VasType(self.removesuffix("-pinless").removesuffix("-pinned"))

    @property
    def pinned(self) -> bool:
        """Whether the service delivers a PIN or voucher."""
        return self in PINNED


def _way(service: Service) -> Literal["prevended", "pinless", "pinned"]:
    match service:
        case Service.UTILITY | Service.BILL_PAYMENT:
            return "prevended"
        case Service.AIRTIME_PINLESS | Service.DATA_PINLESS:
            return "pinless"
        case Service.AIRTIME_PINNED | Service.DATA_PINNED | Service.VOUCHER:
            return "pinned"
        case _:
            assert_never(service)


PREVENDED: Final = frozenset(service for service in Service if _way(service) == "prevended")
PINLESS: Final = frozenset(service for service in Service if _way(service) == "pinless")
PINNED: Final = frozenset(service for service in Service if _way(service) == "pinned")


def _purchase_path(service: Service) -> str:
    match service:
        case Service.UTILITY:
            return "/v1/utility/purchase"
        case Service.BILL_PAYMENT:
            return "/v2/bill-payment/pay"
        case Service.AIRTIME_PINLESS:
            return "/v1/airtime/pinless"
        case Service.AIRTIME_PINNED:
            return "/v1/airtime/pinned"
        case Service.DATA_PINLESS:
            return "/v1/data/pinless"
        case Service.DATA_PINNED:
            return "/v1/data/pinned"
        case Service.VOUCHER:
            return "/v1/voucher/purchase"
        case _:
            assert_never(service)


def _has_creators(vas_type: VasType) -> bool:
    match vas_type:
        case VasType.DATA | VasType.VOUCHER:
            return True
        case VasType.UTILITY | VasType.BILL_PAYMENT | VasType.AIRTIME:
            return False
        case _:
            assert_never(vas_type)


WITH_CREATORS: Final = frozenset(filter(_has_creators, VasType))
"""The services whose product list can be filtered by content creator."""


class Leg(StrEnum):
    """The steps of a sale, as a fault names them."""

    TOKEN = "token"
    LIST = "list"
    CREATORS = "creators"
    PREVEND = "prevend"
    PURCHASE = "purchase"
    REPRINT = "reprint"


@dataclass(frozen=True, slots=True)
class Route:
    """The request of a method and path: a leg, of one service, or of all services with one VAS type."""

    leg: Leg
    of: VasType | Service | None = None


ROUTES: Final[Mapping[tuple[str, str], Route]] = MappingProxyType(
    {
        ("POST", "/connect/token"): Route(Leg.TOKEN),
        **{("GET", f"/v1/{vas_type}/products"): Route(Leg.LIST, vas_type) for vas_type in VasType},
        **{("GET", f"/v1/{vas_type}/content-creators"): Route(Leg.CREATORS, vas_type) for vas_type in VasType if vas_type in WITH_CREATORS},
        ("GET", "/v1/utility/prevend"): Route(Leg.PREVEND, Service.UTILITY),
        ("GET", "/v2/bill-payment/prevend"): Route(Leg.PREVEND, Service.BILL_PAYMENT),
        **{("POST", _purchase_path(service)): Route(Leg.PURCHASE, service) for service in Service},
        **{("GET", f"/v1/{vas_type}/reprint"): Route(Leg.REPRINT, vas_type) for vas_type in VasType},
    }
)
