"""Sales in doubt, and sweeps that may end the doubts."""

from msgspec import structs

from shared.domain.outcome import Unknown, Vended
from tests.step_driver import electricity, run

LOST = Unknown("ReadTimeout")
SIGN = Unknown("2xx without a transaction id", sign_of_vend=True)
MINUTE = 60
AGE = 900


def never_vended(world, key="key-1", outcome=LOST):
    """A sale in doubt that the supplier never heard of."""
    world.answers.append(outcome)
    sale = run(world.vending.purchase(electricity(key, allow_duplicate=True))).transaction
    world.vends.remove(sale.request_id)
    return sale


def lost_reply(world, key="key-1"):
    """A sale in doubt that the supplier did vend."""
    world.answers.append(LOST)
    return run(world.vending.purchase(electricity(key, allow_duplicate=True))).transaction


def control_sale(world):
    """A sale known to have vended: what makes a "does not exist" believable."""
    return run(world.vending.purchase(electricity("control", cents=5000))).transaction


def swept(world, seconds=3600):
    return run(world.sweeping.sweep(world.now.replace(year=2027)))


def sweep_at(world, *waits):
    for wait in waits:
        world.wait(wait)
        swept(world)


def under(supplier_id, vended):
    return Vended(structs.replace(vended.receipt, supplier_transaction_id=supplier_id))


GUID = "6b0f6a52-0d1c-4c3c-9a53-1f2f4f1f9a10"
