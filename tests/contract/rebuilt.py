"""Sales that were announced, and rebuilding after a restore."""

import base64
import io
import json
from datetime import UTC, datetime

from msgspec import structs

from local import rebuild
from shared.domain.identifiers import caller_id
from shared.domain.outcome import Receipt, Vended
from shared.domain.policy import ConsumerDetails
from shared.domain.sts_tokens import StsToken, TokenKind
from shared.domain.transaction import State
from shared.domain.vas import Mode, VasType
from shared.schemas.responses import encoded, event_body
from shared.vending.circuit_breaker import CircuitBreaker, Pause
from tests.contract.records import CALLER, sale

TOKEN = "12345678901234567890"
NOW = datetime.now(UTC)


async def paused(store, until, services=tuple(VasType)):
    await CircuitBreaker(store, Mode.LIVE, lambda: NOW).set({one: Pause("restoring", until, "thandi", NOW) for one in services})


def sold(key):
    receipt = Receipt(supplier_transaction_id=f"supplier-{key}", tokens=(StsToken(TokenKind.CREDIT, TOKEN),))
    return structs.replace(sale(key, state=State.VENDED, outcome=Vended(receipt)), version=2)


def pulled(*announced):
    """Return gcloud's output of a pull."""
    messages = []
    for event, one in announced:
        attributes = {"caller": caller_id(one.mode, one.caller), "event": event.value}
        data = base64.b64encode(encoded(event_body(event, one, ConsumerDetails.MASKED))).decode()
        messages.append({"ackId": "a", "message": {"attributes": attributes, "data": data, "messageId": "1", "orderingKey": one.id}})
    return json.dumps(messages, indent=2)


async def ran(store, *arguments):
    """Return the command's exit code and output."""
    out = io.StringIO()
    asked = rebuild.read_options(["--project", store.named, "--database", "(default)", "--mode", "live", *map(str, arguments)])
    return await rebuild.run(asked, out), out.getvalue()


def altered(path, changes, **message):
    """Return the pulls of a file, with the last event changed as newer code or damage would change it."""
    pulled = json.loads(path.read_text())
    body = json.loads(base64.b64decode(pulled[-1]["message"]["data"]))
    pulled[-1]["message"] |= {"data": base64.b64encode(json.dumps(body | changes).encode()).decode(), **message}
    path.write_text(json.dumps(pulled))


KEYS = "idempotencyKey,vasType,amountCents,usedAt\n"
OF_CALLER = ("--issuer", CALLER.issuer, "--subject", CALLER.subject)
GOOD = "never,utility,10000,2026-11-29T10:00:00+02:00\n"
