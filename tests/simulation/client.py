"""The product's own client, over the switch in memory: its calls, its classification and its order of things are the real ones."""

from collections.abc import Generator
from copy import copy
from functools import partial
from types import coroutine
from typing import Any

from shared.domain.catalogue import Product
from shared.domain.outcome import Reason, Rejected
from shared.domain.vas import VasType
from shared.mobilemart import client
from shared.mobilemart.client import Settings
from shared.mobilemart.requests import mobile_form
from tests.simulation.faults import Call, Fault
from tests.simulation.goods import CATALOGUE
from tests.simulation.scheduler import Clock
from tests.simulation.switch import Switch

ACCESS = Call("supplier.token", Fault.CRASH_BEFORE, Fault.FREEZE, Fault.REFUSED)
PRODUCTS = Call("supplier.products", Fault.CRASH_BEFORE, Fault.FREEZE, Fault.REFUSED)
BASE_URL = "https://switch.example"
MOBILE_FORM = mobile_form(BASE_URL)


class Access:
    """An access token that is fetched when there is none, and dropped when it is refused."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: str | None = None

    @coroutine
    def token(self) -> Generator[Any, Fault | None, str | Rejected]:
        if self._held is None:
            if (yield ACCESS) is Fault.REFUSED:
                return Rejected(Reason.TEMPORARILY_UNAVAILABLE, "no access token")
            self._held = "access"
        return self._held

    def cached(self) -> str | None:
        return self._held

    def drop(self, refused_token: str) -> None:
        self._held = None


class Client(client.MobileMart):
    """`MobileMart` as it is, but for the network, the token endpoint and the product lists."""

    def __init__(self, switch: Switch, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._now = clock.read
        self._exchange = switch.exchange  # type: ignore[assignment]
        self._access = Access()  # type: ignore[assignment]
        self._mobile_form = MOBILE_FORM

    def in_sweep(self, number: int) -> "Client":
        """This client, as one sweep uses it: the switch knows which of its questions belong together."""
        asking = copy(self)
        asking._exchange = partial(self._exchange, sweep=number)
        return asking

    @coroutine
    def products(self, vas_type: VasType) -> Generator[Any, Fault | None, tuple[Product, ...] | Rejected]:  # type: ignore[override]
        if (yield PRODUCTS) is Fault.REFUSED:
            return Rejected(Reason.TEMPORARILY_UNAVAILABLE, "no product list")
        return CATALOGUE[vas_type]
