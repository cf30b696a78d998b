"""The simulated catalogue: a few plain products, and one per scenario without a recipient (PINs and vouchers)."""

from typing import Any, Final, assert_never

from shared.domain.catalogue import Product
from shared.domain.money import Money
from shared.domain.vas import VasType
from shared.mobilemart.simulator.scenarios import PRODUCT_PREFIXES, SCENARIOS, Scenario, product_id
from shared.mobilemart.simulator.services import PINNED, WITH_CREATORS, Service

_WITHOUT_PINNED: Final = product_id(Service.BILL_PAYMENT, 2)  # documented rows of billers have no `pinned`; rows seen in production have it
_HUNDRED_RAND: Final = Money(10_000)


def _product(service: Service, number: int, name: str, creator: str, fixed: Money | None, least: int = 100, most: int = 500_000) -> Product:
    """A product of one price, or of any price between the bounds, in cents."""
    return Product(
        service.vas_type,
        product_id(service, number),
        name,
        creator,
        pinned=service.pinned,
        fixed_amount=fixed is not None,
        amount=fixed,
        minimum_amount=None if fixed else Money(least),
        maximum_amount=None if fixed else Money(most),
    )


def _of_scenario(service: Service, scenario: Scenario) -> Product:
    fixed = _HUNDRED_RAND if service is Service.DATA_PINNED else None  # a data PIN's purchase has no amount
    return _product(service, scenario.number, f"Simulated: {scenario.name}", "vodacom", fixed)


PRODUCTS: Final[tuple[Product, ...]] = (
    Product(VasType.UTILITY, product_id(Service.UTILITY, 0), "Electricity"),
    _product(Service.BILL_PAYMENT, 0, "Simulated Municipality", "municipal", None),
    _product(Service.BILL_PAYMENT, 1, "Simulated Television", "telcos", None, 5_000, 300_000),
    _product(Service.BILL_PAYMENT, 2, "Simulated Clothing Account", "retailcredit", None),
    _product(Service.AIRTIME_PINLESS, 0, "Vodacom Airtime", "vodacom", None, 200, 500_000),
    _product(Service.AIRTIME_PINLESS, 1, "MTN Airtime", "mtn", None, 200, 100_000),
    _product(Service.AIRTIME_PINLESS, 2, "Cell C Airtime", "cellc", None, 500, 100_000),
    _product(Service.AIRTIME_PINLESS, 3, "Telkom Airtime R50", "telkom", Money(5_000)),
    _product(Service.DATA_PINLESS, 0, "Vodacom 1 GB", "vodacom", _HUNDRED_RAND),
    _product(Service.DATA_PINLESS, 1, "MTN 500 MB", "mtn", Money(4_900)),
    _product(Service.DATA_PINLESS, 2, "Telkom 10 GB", "telkom", Money(29_900)),
    *(_of_scenario(service, scenario) for scenario in SCENARIOS for service in Service if service in PINNED & scenario.services),
)

_BY_ID: Final = {product.merchant_product_id: product for product in PRODUCTS}


def product_named(merchant_product_id: str, service: Service) -> Product | None:
    """Return the product of that id, if this service sells it."""
    product = _BY_ID.get(merchant_product_id)
    sold = product is not None and merchant_product_id.rstrip("0123456789") == PRODUCT_PREFIXES[service]
    return product if sold else None


def listed(vas_type: VasType, content_creator: str | None = None) -> list[dict[str, Any]]:
    """Return a product list with the service's own fields. Amounts are in rand; creators match without case and spaces."""
    filtered = content_creator if vas_type in WITH_CREATORS else None
    return [_row(product) for product in PRODUCTS if product.vas_type is vas_type and _is_by(product, filtered)]


def renamed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the same list with another id for each product: it begins with New instead of Sim."""
    return [{**row, "merchantProductId": row["merchantProductId"].replace("Sim", "New", 1)} for row in rows]


def creators(vas_type: VasType) -> list[str]:
    """Return the content creators of a service, each once."""
    return sorted({product.content_creator for product in PRODUCTS if product.vas_type is vas_type and product.content_creator})


def _row(product: Product) -> dict[str, Any]:
    row: dict[str, Any] = {
        "merchantProductId": product.merchant_product_id,
        "productName": product.name,
        "contentCreator": product.content_creator,
        "pinned": product.pinned,
        "fixedAmount": product.fixed_amount,
        "amount": _rand(product.amount) or 0,
        "minimumAmount": _rand(product.minimum_amount),
        "maximumAmount": _rand(product.maximum_amount),
    }
    match product.vas_type:
        case VasType.UTILITY:
            return {"merchantProductId": product.merchant_product_id, "name": product.name}
        case VasType.VOUCHER:
            absent = {"pinned"}
        case VasType.BILL_PAYMENT:
            absent = {"fixedAmount", "amount"}
        case VasType.AIRTIME | VasType.DATA:
            absent = set()
        case _:
            assert_never(product.vas_type)
    if product.merchant_product_id == _WITHOUT_PINNED:
        absent = absent | {"pinned"}
    return {name: value for name, value in row.items() if name not in absent}


def _rand(money: Money | None) -> Any:
    return None if money is None else money.rand


def _is_by(product: Product, content_creator: str | None) -> bool:
    return content_creator is None or _folded(product.content_creator or "") == _folded(content_creator)


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()
