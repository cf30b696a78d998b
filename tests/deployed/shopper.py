"""Shoppers: callers who buy as wallets do, whatever goes wrong, and keep how each purchase ended as they were told it."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, cycle
from threading import Event
from typing import Any

import httpx

from shared.mobilemart.simulator import PLAIN, Service
from tests.deployed.processes import Fleet, until
from tests.deployed.wallet import Wallet, body_of, new_key

PATIENCE_SECONDS = 3.0  # for one purchase: then there is the next one, and this one is come back to later
PAUSE_SECONDS = 0.5  # before the same key is sent again
MIN_CENTS = 5_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a shopper buys. `confirmed`: a prevend is made first, and the purchase names it."""

    service: Service
    confirmed: bool = False


WISHES = (
    Wish(Service.UTILITY),
    Wish(Service.UTILITY, confirmed=True),
    Wish(Service.BILL_PAYMENT),
    Wish(Service.AIRTIME_PINLESS),
    Wish(Service.AIRTIME_PINNED),
    Wish(Service.VOUCHER),
)


@dataclass(slots=True)
class Errand:
    """One purchase under its key. `end` is the body of the answer that told how it ended, and `status` that answer's status."""

    wish: Wish
    body: dict[str, Any]
    key: str = field(default_factory=new_key)
    status: int | None = None
    end: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def has_ended(self) -> bool:
        return self.status is not None

    @property
    def sale_id(self) -> str:
        """The sale that the answer was about: a problem may name another one beside it."""
        return str(self.end["instance"]).rpartition("/")[2] if "instance" in self.end else str(self.end["transactionId"])

    @property
    def may_begin_anew(self) -> bool:
        return self.end.get("retry") == "new-key"


@dataclass(slots=True)
class Shopper:
    """One caller with a meter, an account and a mobile number. No two purchases are of the same amount, so none looks like another."""

    number: int
    wallet: Wallet
    prevends: Fleet
    purchases: Fleet
    errands: list[Errand] = field(default_factory=list)
    heard: Counter[int] = field(default_factory=Counter)
    _cents: Iterator[int] = field(default_factory=lambda: count(MIN_CENTS))

    def shop(self, over: Event) -> None:
        """Buy one thing after the other, come back to what did not end, and begin anew where that is allowed."""
        wishes = cycle(random.sample(WISHES, len(WISHES)))
        while not over.is_set():
            wish, cents = next(wishes), next(self._cents)
            first = self._buy(wish, cents, over)
            if first is not None and first.may_begin_anew:
                self._buy(wish, cents, over)
            for errand in self.unended[:1]:
                self._ask(errand)

    def come_back(self, within_seconds: float) -> None:
        """Repeat whatever has not ended until it has."""

        def all_ended() -> bool:
            for errand in self.unended:
                time.sleep(PAUSE_SECONDS)
                self._ask(errand)
            return self.unended == []

        until(all_ended, within_seconds)

    @property
    def unended(self) -> list[Errand]:
        return [errand for errand in self.errands if not errand.has_ended]

    def _buy(self, wish: Wish, cents: int, over: Event) -> Errand | None:
        """Repeat one purchase until it ends or patience does; `None` where it could not even be prepared."""
        body = self._body(wish, cents)
        if body is None:
            return None
        self.errands.append(errand := Errand(wish, body))
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        self._ask(errand)
        while not errand.has_ended and time.monotonic() < give_up_at and not over.wait(PAUSE_SECONDS):
            self._ask(errand)
        return errand

    def _body(self, wish: Wish, cents: int) -> dict[str, Any] | None:
        own = {
            "meterNumber": f"4507719{self.number:04d}",
            "accountNumber": f"77100{self.number:05d}",
            "mobileNumber": f"08377{self.number:05d}",
        }
        plain = body_of(PLAIN, wish.service)
        body = {**plain, **{name: number for name, number in own.items() if name in plain}, "amountCents": cents}
        if not wish.confirmed:
            return body
        try:
            answer = self.wallet.confirm(self.prevends.any(), wish.service.vas_type, body)
        except httpx.TransportError:
            return None
        return {"prevendId": answer.json()["prevendId"]} if answer.is_success else None

    def _ask(self, errand: Errand) -> None:
        """Send it, and note its end if that is what the answer tells."""
        try:
            answer = self.wallet.buy(self.purchases.any(), errand.wish.service.vas_type, errand.body, errand.key)
        except httpx.TransportError:
            self.heard[0] += 1
            return
        self.heard[answer.status_code] += 1
        told = answer.json()
        match answer.status_code, told.get("state"):
            case (201, "vended") | (409 | 422, "rejected"):
                errand.status, errand.end = answer.status_code, told
            case 202, "in_doubt":
                assert told["receipt"] is None
            case 409, None:
                assert told["type"] == "/problems/request-in-progress", told["type"]
            case 503, None:
                assert told["retry"] == "same-key", told["type"]
            case status, state:
                raise AssertionError(f"{status}, {state}, {told.get('type')}")
