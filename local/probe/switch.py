"""The supplier's switch for the probe: by the functions' own client, and by calls that the client never makes."""

from typing import Final

import httpx

from local.probe.recording_transport import RecordingTransport
from shared import bootstrap
from shared.config import Config
from shared.domain.outcome import Rejected
from shared.mobilemart.access_token import Access
from shared.mobilemart.client import TOKEN_SECONDS, MobileMart, Settings
from shared.mobilemart.http_exchange import Exchange
from shared.mobilemart.requests import Call
from shared.mobilemart.responses import Heard, NoReply
from shared.ports.credentials import GetCredentials

NOT_BEGUN: Final = NoReply("no answer")


class Switch:
    """The switch's answers: read by the client, and as they arrived."""

    def __init__(self, transport: httpx.AsyncBaseTransport, config: Config, credentials: GetCredentials) -> None:
        self._settings = Settings(
            base_url=config.supplier_url,
            mode=config.mode,
            tender_type=config.tender_type,
            connect_timeout_seconds=config.connect_timeout_seconds,
            timeout_seconds=config.exchange_timeout_seconds,
        )
        self._recorder = RecordingTransport(transport)
        self._exchange = Exchange(self._recorder, config.supplier_url)
        self._access = Access(self._ask_for_token, credentials, bootstrap.now, config.mode)
        self.client = MobileMart(self._recorder, self._settings, credentials, bootstrap.now)
        self.config = config

    def heard(self) -> Heard:
        """Return the last answer to the client."""
        seen = self._recorder.take()
        return NOT_BEGUN if seen is None else seen.reply

    async def ask(self, call: Call, access_token: str | None = None) -> Heard:
        """Return the answer to `call`, with one of our access tokens unless another is given."""
        token = access_token or await self._access.token()
        if isinstance(token, Rejected):
            return NoReply(token.cause)
        seconds, connect_seconds = self._settings.timeout_seconds, self._settings.connect_timeout_seconds
        return await self._exchange(call, access_token=token, seconds=seconds, connect_seconds=connect_seconds)

    async def aclose(self) -> None:
        await self.client.aclose()

    async def _ask_for_token(self, call: Call) -> Heard:
        return await self._exchange(call, seconds=TOKEN_SECONDS, connect_seconds=self._settings.connect_timeout_seconds)
