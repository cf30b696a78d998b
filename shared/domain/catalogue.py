"""The supplier's catalogue: its products, and whether an order fits one. Pure."""

from collections.abc import Sequence

from msgspec import structs

from shared.domain.money import Money
from shared.domain.outcome import Reason, Rejected
from shared.domain.vas import MAY_BE_PINNED, PRICED_BY_PRODUCT, Order, VasType
from shared.lib.value import Value


class Product(Value, frozen=True):
    """One row of the supplier's catalogue. Amounts are `None` where the supplier's list has none."""

    vas_type: VasType
    merchant_product_id: str
    name: str
    content_creator: str | None = None
    pinned: bool = False
    fixed_amount: bool = False
    amount: Money | None = None
    minimum_amount: Money | None = None
    maximum_amount: Money | None = None


def fitted(order: Order, products: Sequence[Product], utility_product_id: str | None) -> Order | Rejected:
    """The order with its product chosen, or the reason of the catalogue's refusal.

    An electricity order without a product takes the configured product, else the only row: the supplier routes by meter number.
    """
    if order.merchant_product_id is None:
        chosen = utility_product_id or (products[0].merchant_product_id if len(products) == 1 else None)
        if chosen is None:
            return Rejected(Reason.PRODUCT_UNAVAILABLE, f"{len(products)} utility products and none configured")
        order = structs.replace(order, merchant_product_id=chosen)
    product = next((row for row in products if row.merchant_product_id == order.merchant_product_id), None)
    if product is None:
        return Rejected(Reason.PRODUCT_UNAVAILABLE, "not in the catalogue")
    if order.vas_type in MAY_BE_PINNED and product.pinned != order.pinned:
        return Rejected(Reason.PRODUCT_UNAVAILABLE, "pinned and pinless products differ")
    return _price_fault(order, product) or order


def _price_fault(order: Order, product: Product) -> Rejected | None:
    if product.fixed_amount or order.vas_type in PRICED_BY_PRODUCT:
        if product.amount is None:
            return Rejected(Reason.PRODUCT_UNAVAILABLE, "the catalogue names no price")
        return None if order.amount == product.amount else Rejected(Reason.PRICE_CHANGED, f"the catalogue says {product.amount}")
    if product.minimum_amount is not None and order.amount < product.minimum_amount:
        return Rejected(Reason.AMOUNT_BELOW_MINIMUM, "below the product's minimum", minimum_amount=product.minimum_amount)
    if product.maximum_amount is not None and order.amount > product.maximum_amount:
        return Rejected(Reason.AMOUNT_ABOVE_MAXIMUM, "above the product's maximum")
    return None
