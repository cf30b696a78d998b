"""What the switch sells, and the paths of its interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

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
        """Whether it delivers a PIN or voucher."""
        return self in PINNED


PREVENDED: Final = frozenset({Service.UTILITY, Service.BILL_PAYMENT})
PINLESS: Final = frozenset({Service.AIRTIME_PINLESS, Service.DATA_PINLESS})
PINNED: Final = frozenset({Service.AIRTIME_PINNED, Service.DATA_PINNED, Service.VOUCHER})


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
    """What a method and path ask for: a leg, of one service, or of all that share a VAS type."""

    leg: Leg
    of: VasType | Service | None = None


ROUTES: Final[Mapping[tuple[str, str], Route]] = MappingProxyType(
    {
        ("POST", "/connect/token"): Route(Leg.TOKEN),
        **{("GET", f"/v1/{vas_type}/products"): Route(Leg.LIST, vas_type) for vas_type in VasType},
        ("GET", "/v1/data/content-creators"): Route(Leg.CREATORS, VasType.DATA),
        ("GET", "/v1/voucher/content-creators"): Route(Leg.CREATORS, VasType.VOUCHER),
        ("GET", "/v1/utility/prevend"): Route(Leg.PREVEND, Service.UTILITY),
        ("GET", "/v2/bill-payment/prevend"): Route(Leg.PREVEND, Service.BILL_PAYMENT),
        ("POST", "/v1/utility/purchase"): Route(Leg.PURCHASE, Service.UTILITY),
        ("POST", "/v2/bill-payment/pay"): Route(Leg.PURCHASE, Service.BILL_PAYMENT),
        ("POST", "/v1/airtime/pinless"): Route(Leg.PURCHASE, Service.AIRTIME_PINLESS),
        ("POST", "/v1/airtime/pinned"): Route(Leg.PURCHASE, Service.AIRTIME_PINNED),
        ("POST", "/v1/data/pinless"): Route(Leg.PURCHASE, Service.DATA_PINLESS),
        ("POST", "/v1/data/pinned"): Route(Leg.PURCHASE, Service.DATA_PINNED),
        ("POST", "/v1/voucher/purchase"): Route(Leg.PURCHASE, Service.VOUCHER),
        **{("GET", f"/v1/{vas_type}/reprint"): Route(Leg.REPRINT, vas_type) for vas_type in VasType},
    }
)
