"""The access token: one for all calls, renewed beside the sales before it expires, dropped when the supplier refuses it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from shared.domain.outcome import Reason, Rejected
from shared.domain.vas import Mode
from shared.lib import logs
from shared.lib.single_flight import SingleFlight
from shared.lib.value import Value
from shared.mobilemart.json_fields import members
from shared.mobilemart.requests import Call, token_call
from shared.mobilemart.responses import Heard, Reply, refused, usable
from shared.ports.credentials import GetCredentials

RENEWED_BEFORE: Final = timedelta(seconds=300)  # longer than a sale takes
RENEWAL_PAUSE: Final = timedelta(seconds=10)  # after a failed renewal, while the cached token is valid
CREDENTIALS_SECONDS: Final = 10.0
MAX_LIFE_SECONDS: Final = 24 * 3600

_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,8000}", re.ASCII)  # the characters that a header can carry

log = logs.logger(__name__)


class AccessToken(Value, frozen=True):
    """A bearer token, its expiry, and the moment from which it is renewed."""

    _hidden = frozenset({"value"})

    value: str
    renew_at: datetime
    expires_at: datetime


class Access:
    """The cached access token of one switch."""

    def __init__(
        self, ask: Callable[[Call], Awaitable[Heard]], credentials: GetCredentials, now: Callable[[], datetime], mode: Mode
    ) -> None:
        self._ask = ask
        self._credentials = credentials
        self._now = now
        self._mode = mode
        self._held: AccessToken | None = None
        self._paused_until: datetime | None = None
        self._renew = SingleFlight(self._renewed)

    async def token(self) -> str | Rejected:
        """Return the cached token; fetch one if none is cached. A token near its expiry is renewed beside the sales.

        No caller waits for a renewal while the cached token is valid. Secrets or a token endpoint that hang delay no sale.
        """
        if (value := self.cached()) is None:
            return await self._renew()
        if self._is_due():
            self._renew.begin()
        return value

    def _is_due(self) -> bool:
        """Whether the cached token is to be renewed now. After a failed renewal the next renewal waits."""
        now = self._now()
        is_old = self._held is not None and now >= self._held.renew_at
        return is_old and (self._paused_until is None or now >= self._paused_until)

    def cached(self) -> str | None:
        """Return the cached token without a request; `None` if none is cached or the token has expired."""
        return self._held.value if self._held is not None and self._now() < self._held.expires_at else None

    def drop(self, refused_token: str) -> None:
        """Drop a token that the supplier refused. A token fetched meanwhile stays."""
        if self._held is not None and self._held.value == refused_token:
            self._held = None

    def close(self) -> None:
        """Cancel a running renewal."""
        self._renew.cancel()

    async def _renewed(self) -> str | Rejected:
        fresh = await self._fetched()
        if isinstance(fresh, Rejected):
            self._paused_until = self._now() + RENEWAL_PAUSE
            return fresh
        self._held, self._paused_until = fresh, None
        return fresh.value

    async def _fetched(self) -> AccessToken | Rejected:
        reply = await self._asked(fresh_credentials=False)
        if isinstance(reply, Reply) and _names_invalid_client(reply):  # the secret may have been rotated since we read it
            reply = await self._asked(fresh_credentials=True)
            if isinstance(reply, Reply) and _names_invalid_client(reply):
                log.critical("supplier refuses our credentials", status=reply.status)
        if isinstance(reply, Rejected):
            return reply
        if (fresh := _read(reply, self._now())) is None:
            return refused(reply, Reason.SUPPLIER_BUSY if reply.status == 429 else Reason.TEMPORARILY_UNAVAILABLE)
        return fresh

    async def _asked(self, *, fresh_credentials: bool) -> Reply | Rejected:
        try:
            async with asyncio.timeout(CREDENTIALS_SECONDS):
                credentials = await self._credentials(fresh_credentials)
        except Exception as error:  # any library that reads secrets; without credentials nothing can be sold
            log.error("credentials not read", cause=type(error).__name__)
            return Rejected(Reason.TEMPORARILY_UNAVAILABLE, "credentials not read")
        return usable(await self._ask(token_call(credentials.client_id, credentials.client_secret)), self._mode)


def _names_invalid_client(reply: Reply) -> bool:
    return reply.status in (400, 401) and members(reply.json).get("error") == "invalid_client"


def _read(reply: Reply, now: datetime) -> AccessToken | None:
    said = reply.delivered
    value, seconds = said.get("access_token"), said.get("expires_in")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value) or type(seconds) is not int or seconds <= 0:
        return None
    life = timedelta(seconds=min(seconds, MAX_LIFE_SECONDS))
    return AccessToken(value, renew_at=now + max(life - RENEWED_BEFORE, life / 2), expires_at=now + life)
