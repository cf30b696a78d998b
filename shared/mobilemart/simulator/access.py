"""Access tokens of the simulated switch. Any process can check one, and none gives access to anything real."""

import hashlib
import hmac
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from shared.mobilemart.simulator.behaviour import Behaviour
from shared.mobilemart.simulator.errors import INVALID_CLIENT, UNSUPPORTED_GRANT, SwitchReply

_KEY = b"no secret: a simulator's tokens are worth nothing"
_SCOPE = "api"
_NOT_STORED = {"cache-control": "no-store", "pragma": "no-cache", "connection": "close"}


def answer(body: bytes, behaviour: Behaviour, now: datetime) -> SwitchReply:
    """The token endpoint: the client-credentials grant, form-encoded. No call accepts a token without the scope `api`."""
    form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
    if form.get("grant_type") != "client_credentials":
        return UNSUPPORTED_GRANT
    if (form.get("client_id"), form.get("client_secret")) != (behaviour.client_id, behaviour.client_secret):
        return INVALID_CLIENT
    token = access_token(now + timedelta(seconds=behaviour.access_token_seconds), _SCOPE if _SCOPE in form.get("scope", "").split() else "")
    return SwitchReply({"access_token": token, "token_type": "Bearer", "expires_in": behaviour.access_token_seconds}, headers=_NOT_STORED)


def access_token(expires_at: datetime, scope: str = _SCOPE) -> str:
    """Make a token for `scope` that expires at `expires_at`, in whole seconds."""
    expiry = str(int(expires_at.timestamp()))
    return f"simulated.{expiry}.{_signature(expiry, scope)}"


def is_authorised(authorization: str | None, now: datetime) -> bool:
    """Whether the header carries one of our tokens, for the scope `api`, that has not expired."""
    match (authorization or "").removeprefix("Bearer ").split("."):
        case ["simulated", expiry, signature] if hmac.compare_digest(_signature(expiry, _SCOPE).encode(), signature.encode()):
            return now.timestamp() < int(expiry)
        case _:
            return False


def _signature(expiry: str, scope: str) -> str:
    return hmac.new(_KEY, f"{expiry} {scope}".encode(), hashlib.sha256).hexdigest()
