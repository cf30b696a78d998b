"""Back ends that buy: they try again, tap twice, give up, come back, and sometimes misuse their keys."""

from typing import TYPE_CHECKING, Any

from shared.domain.identifiers import Caller
from shared.domain.prevend import Prevend
from shared.domain.transaction import State, Transaction
from shared.domain.vas import PREVENDED
from shared.ports.documents import StoreUnavailable
from shared.vending.purchase import KeyReused, PrevendRefused, PrevendUnknown, Purchased, PurchaseRequest, RequestInProgress
from tests.simulation.goods import Want
from tests.simulation.scheduler import Crashed
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

EXPECTED = (StoreUnavailable, KeyReused, PrevendUnknown, PrevendRefused, RequestInProgress, Crashed)
RETRIES = (0.0, 0.0, 2.0, 30.0, 250.0, 1000.0, 1300.0, 5000.0)


class Purse:
    """A prevend that some of a caller's requests may name."""

    __slots__ = ("prevend",)

    def __init__(self) -> None:
        self.prevend: Prevend | None = None


class Shopper:
    """One caller with one key and one wish."""

    __slots__ = ("_asks", "_ended", "_left", "_tries", "_world", "caller", "duplicates", "key", "purse", "want")

    def __init__(
        self, world: "World", caller: Caller, key: str, want: Want, purse: Purse | None, *, duplicates: bool, patience: int = 0
    ) -> None:
        self._world = world
        self.caller = caller
        self.key = key
        self.want = want
        self.purse = purse if want.order.vas_type in PREVENDED else None
        self.duplicates = duplicates
        self._left = patience
        self._tries = 0
        self._asks = True
        self._ended: tuple[int, State, str] | None = None  # since which step this caller knows the end, and of which sale

    @property
    def answer(self) -> tuple[State, str] | None:
        """What this caller was told in the end, and of which sale."""
        return self._ended[1:] if self._ended is not None else None

    def begin(self, after_seconds: float, *, then_ask: bool = True) -> None:
        """Come for the first time: with a prevend, where one is wanted."""
        self._asks = then_ask
        if self.purse is not None and self.purse.prevend is None:
            order = self.want.order
            self._world.request(f"prevend {self.key}", lambda at: at.vending.prevend(self.caller, order), self._prevended, after_seconds)
        else:
            self.ask(after_seconds)

    def ask(self, after_seconds: float = 0.0) -> None:
        """Send the purchase, under the one key."""
        self._tries += 1
        asked = self.asked()
        if asked.prevend_id is None and not asked.allow_duplicate:
            self._world.once.add((asked.caller, asked.idempotency_key, asked.fingerprint))
        began = self._world.scheduler.steps

        def ended(result: Any, error: Exception | None) -> None:
            self._heard(asked, began, result, error)

        self._world.request(f"purchase {self.key}#{self._tries}", lambda at: at.vending.purchase(asked), ended, after_seconds)

    def asked(self) -> PurchaseRequest:
        """The purchase, as it is sent each time."""
        prevend = self.purse.prevend if self.purse is not None else None
        return PurchaseRequest(
            caller=self.caller,
            idempotency_key=self.key,
            fingerprint=f"prevend {prevend.id}" if prevend is not None else f"{self.want.fingerprint}, twice {self.duplicates}",
            vas_type=self.want.order.vas_type,
            order=None if prevend is not None else self.want.order,
            prevend_id=None if prevend is None else prevend.id,
            allow_duplicate=self.duplicates,
        )

    def _prevended(self, result: Any, error: Exception | None) -> None:
        self._checked(error)
        if error is None and self.purse is not None and self.purse.prevend is None:
            self.purse.prevend = result
        elif self.purse is not None and self.purse.prevend is None:
            self.purse = None  # then without
        if self._asks:
            self.ask(self._world.pick(3) * 400.0)

    def _heard(self, asked: PurchaseRequest, began: int, result: Any, error: Exception | None) -> None:
        self._checked(error)
        if isinstance(error, PrevendUnknown) and asked.prevend_id is not None:
            held = self._world.store.prevends.get(asked.prevend_id)
            if held is not None and held.caller == asked.caller:
                raise Violation("a prevend is its caller's", f"{self.key} was told that its prevend is unknown")
        if isinstance(error, RequestInProgress):
            self._seen(asked, error.running)
        if result is not None:
            self._answered(asked, began, result)
        if self._left > 0 and not self._world.calm and (self._ended is None or not self._world.pick(3)):
            self._left -= 1
            self.ask(RETRIES[self._world.pick(len(RETRIES))])

    def _seen(self, asked: PurchaseRequest, sale: Transaction) -> None:
        if sale.caller != asked.caller or sale.idempotency_key != asked.idempotency_key:
            raise Violation("a caller never sees another's sale", f"{self.key} was shown the sale {sale.id[:6]}")
        if sale.fingerprint != asked.fingerprint:
            raise Violation("a key is good for one request", f"{self.key} was answered with another request's sale")

    def _answered(self, asked: PurchaseRequest, began: int, answer: Purchased) -> None:
        sale = answer.transaction
        self._seen(asked, sale)
        held = self._world.store.prevends.get(asked.prevend_id) if asked.prevend_id is not None else None
        if held is not None and held.caller != asked.caller:
            raise Violation("a prevend is its caller's", f"{self.key} bought with another caller's prevend")
        shown = sale.state if answer.on_record else State.IN_DOUBT
        known = self._ended
        if known is not None and began >= known[0] and shown is not known[1]:
            raise Violation("answers to one key never contradict each other", f"{self.key}: first {known[1]}, then {shown}")
        if shown is State.VENDED or shown is State.REJECTED:
            held_sale = self._world.store.sales.get(sale.id) or self._world.store.tombstones.get(sale.id)
            if held_sale is None or held_sale.state is not shown:
                raise Violation("no end is told that is not on record", f"{self.key} was told {shown}")
            if known is not None and known[1] is not shown:
                raise Violation("answers to one key never contradict each other", f"{self.key}: both {known[1]} and {shown}")
            self._ended = (self._world.scheduler.steps, shown, sale.id)
            self._world.answered(sale)

    def _checked(self, error: Exception | None) -> None:
        if error is not None and not isinstance(error, EXPECTED):
            raise Violation("nothing unforeseen is raised", f"{self.key}: {type(error).__name__}: {error}") from error


def look_up(world: "World", caller: Caller, number: int) -> None:
    """Have a caller ask for somebody's sale by its id: it is shown to its own caller only."""
    sale = [*world.store.sales.values()][number]

    def ended(result: Any, error: Exception | None) -> None:
        if (result is not None) != (sale.caller == caller) or error is not None:
            raise Violation("a caller never sees another's sale", f"sale {sale.id[:6]} was looked up")

    world.request("look-up", lambda at: at.vending.find(caller, sale.id), ended)
