"""Purchases of electricity, as the tests of purchasing make them."""

from msgspec import structs

from shared.domain.money import Money
from shared.domain.vas import Order, VasType
from tests.step_driver import CALLER, METER, electricity, run

STORE_TRIES = 3
ORDER = Order(vas_type=VasType.UTILITY, amount=Money(10_000), merchant_product_id=None, meter_number=METER)


def bought(world, request):
    return run(world.vending.purchase(request))


def confirmed(world, **fields):
    return run(world.vending.prevend(CALLER, structs.replace(ORDER, **fields)))


def by_prevend(prevend, key="key-1", caller=CALLER, vas_type=VasType.UTILITY):
    return structs.replace(electricity(key, order=None, prevend_id=prevend.id, fingerprint=prevend.id), caller=caller, vas_type=vas_type)
