"""prevend and purchase over HTTP, as one caller sees them, and one purchase under one key, repeated until it ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from local.terminal import Steps, Stop, Verdict, safe_text
from shared.lib.masking import last_four
from shared.schemas.problems import RequestFault
from shared.schemas.refusals import Retry

READ_SECONDS: Final = 240.0  # longer than a function may take
PAUSE_SECONDS: Final = 2.0  # if the answer names no pause
TOKEN_PAUSE_SECONDS: Final = 10.0  # the sweep fetches a due token after a minute
MAX_PAUSE_SECONDS: Final = 3600.0

ADVICE: Final[Mapping[str, str]] = {
    Retry.SAME_KEY: "the same command again: with the same --key where there is one",
    Retry.NEW_KEY: "nothing was sold under this key: later the same command again, without --key",
    Retry.CHANGE: "nothing was sold under this key: another meter or amount, without --key",
    Retry.NEVER: "asking again will not help",
    "amount-below-minimum": "this meter wants more at once, often for arrears: a higher amount, without --key",
    "forbidden": "the token lacks the scope that this environment asks for: OIDC_SCOPE",
    "idempotency-key-reused": "this --key is another purchase's: to find that one, repeat the meter and the amount it was made with",
    "not-found": "not a path of this function: is the address right?",
    "possible-duplicate": "a sale of this amount to this meter has not ended: ask for that one, with its own --key",
    "temporarily-unavailable": "nothing was sold: perhaps selling is paused (GET /selling of reconcile), or the supplier has none to sell",
    "unauthenticated": "the token has expired, or is not of the issuer and audience of this environment: OIDC_ISSUER, OIDC_AUDIENCE",
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """The addresses of the two functions, and the caller's token."""

    http: httpx.Client
    prevend: str
    purchase: str
    token: str | None = field(repr=False)

    def get(self, url: str, params: Mapping[str, str] | None = None) -> httpx.Response:
        """Return the answer to a question that sells nothing.

        Raises:
            Stop: no answer arrived.
        """
        return self._answered(lambda: self.http.get(url, params=params, headers=self._headers()))

    def confirm(self, order: Mapping[str, object]) -> httpx.Response:
        """Return the answer to a prevend.

        Raises:
            Stop: no answer arrived.
        """
        return self._answered(lambda: self.http.post(f"{self.prevend}/utility", json=order, headers=self._headers()))

    def buy(self, order: Mapping[str, object], key: str) -> httpx.Response:
        """Return the answer to a purchase.

        Raises:
            httpx.HTTPError: no answer arrived; the request may have sold.
        """
        return self.http.post(f"{self.purchase}/utility", json=order, headers={**self._headers(), "Idempotency-Key": key})

    def _answered(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        try:
            return ask()
        except httpx.HTTPError as error:
            raise Stop(Verdict.FAIL, f"no answer: {type(error).__name__}", "is the address right, and does it serve?") from None

    def _headers(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One purchase. `order` is sent unchanged every time: the key belongs to that order only."""

    to: Deployment
    order: Mapping[str, object]
    key: str
    patience_seconds: float

    def until_ended(self, steps: Steps, sleep: Callable[[float], None]) -> httpx.Response:
        """Return the answer to the sale once it has vended, with its token if one is due.

        After every other answer the same request is sent again under the same key.
        Examples are a lost answer, a 5xx, a 202, and a purchase that is running.

        Raises:
            Stop: the sale was rejected or refused, or the patience ended first.
        """
        waited, seen = 0.0, ""
        while True:
            earlier = seen
            try:
                seen, pause, response = self._asked()
            except NotTaken as refused:
                raise refused.after(earlier, self.key) from None
            if response is not None:
                return response
            if waited >= self.patience_seconds:
                raise Stop(
                    Verdict.DOUBT,
                    f"{seen}; not ended after {waited:.0f} s",
                    "it may have sold: never buy this again under another key",
                    f"how it ends: the same command with --key {self.key}",
                )
            pause = min(pause, self.patience_seconds - waited)
            steps.note(f"{seen}; the same again, under the same key, in {pause:.0f} s")
            sleep(pause)
            waited += pause

    def _asked(self) -> tuple[str, float, httpx.Response | None]:
        """Send the request once. Return the observation, the pause before the next request, and the answer if it is the last."""
        try:
            response = self.to.buy(self.order, self.key)
        except httpx.HTTPError as error:
            return f"no answer ({type(error).__name__}): it may be selling", PAUSE_SECONDS, None
        body, pause = object_of(response), _pause(response)
        match response.status_code:
            case 201 if _is_due(body):
                return "201: vended, and its token is still to come", TOKEN_PAUSE_SECONDS, None
            case 201:
                return "201", 0, response
            case 202:
                return f"202: in doubt, sale {safe_text(body.get('transactionId'))}", pause, None
            case 409 if problem_name(body) == RequestFault.REQUEST_IN_PROGRESS:
                return "409: still selling", pause, None
            case 429:
                return "429: too many requests", pause, None
            case status if status >= 500:
                return f"{status}: says nothing of a sale", pause, None
            case _ if body.get("state") == "rejected":
                raise refusal(response)
            case _:
                raise NotTaken(refusal(response))


class NotTaken(Exception):
    """This request was refused and sold nothing. An earlier request under its key may have sold."""

    def __init__(self, refusal: Stop) -> None:
        super().__init__(refusal.saw)
        self.refusal = refusal

    def after(self, earlier: str, key: str) -> Stop:
        """The stop after the `earlier` observation, which is empty for the first request."""
        if not earlier:
            return self.refusal
        advice = (f"and before that {earlier}: that one may have sold", f"once this is put right: the same command with --key {key}")
        return Stop(Verdict.DOUBT, self.refusal.saw, *self.refusal.advice, *advice)


def refusal(response: httpx.Response) -> Stop:
    """The stop for an unexpected answer: its own words, and what to do."""
    body = object_of(response)
    name, retry = problem_name(body), str(body.get("retry"))
    if name is None:
        kind = safe_text(response.headers.get("content-type", "no content type"))
        return Stop(Verdict.FAIL, f"{response.status_code}, {kind}: no answer of these functions", "is the address right?")
    advice = [ADVICE[known] for known in (name, retry) if known in ADVICE][:1]
    if wait := body.get("retryAfterSeconds"):
        advice.append(f"not before {safe_text(wait)} s")
    for error in body.get("errors") or []:
        advice.append(f"{safe_text(error.get('field'))} {safe_text(error.get('message'))}")
    if other := body.get("transactionId"):
        advice.append(f"sale {safe_text(other)}")
    return Stop(Verdict.FAIL, f"{response.status_code} {safe_text(name)}: {safe_text(body.get('detail'))}", *advice)


def object_of(response: httpx.Response) -> Mapping[str, Any]:
    """Return the members of a JSON object; none for any other value."""
    try:
        value = response.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def problem_name(body: Mapping[str, Any]) -> str | None:
    """Return the name in `/problems/<name>`, if the body is one of our problems."""
    kind = body.get("type")
    return kind.removeprefix("/problems/") if isinstance(kind, str) and kind.startswith("/problems/") else None


def meter_of(order: Mapping[str, object]) -> str:
    """Return an order's meter as it may be shown."""
    return last_four(str(order["meterNumber"])) or ""


def _is_due(body: Mapping[str, Any]) -> bool:
    receipt = body.get("receipt")
    return isinstance(receipt, dict) and receipt.get("tokensDue") == "pending"


def _pause(response: httpx.Response) -> float:
    named = response.headers.get("retry-after", "")
    return min(float(named), MAX_PAUSE_SECONDS) if named.isascii() and named.isdigit() else PAUSE_SECONDS
