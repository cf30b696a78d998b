"""A supplier that answers at once, or after a set delay: `python -m bench.fulcrum`.

It speaks as much HTTP as the measured clients, and sells electricity only: it takes little CPU beside a function.
`PUT /_control/answer-seconds/0.1` sets the delay. Delays are evenly spread from half to one and a half times of it.
With equal delays the callers would fall into step, and a function would be idle while all of them wait.
"""

import asyncio
import json
import random
import uuid
from typing import Final

TOKEN_SECONDS: Final = 7200

_TOKEN: Final = {"access_token": "measured", "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
_PRODUCTS: Final = [{"merchantProductId": "Utility0000000000000", "name": "Electricity"}]
_PREVENDED: Final = {"minimumPurchaseAmount": 10.00, "consumerDetails": {"name": "A CONSUMER", "address": "1 ROAD"}}
_SOLD: Final = {
    "timestamp": "2026-05-01T12:00:00.000+02:00",
    "additionalDetails": {
        "productAmount": "100.00",
        "reference": "REF-6fb047a9",
        "receiptNumber": "RCP-6fb047a9",
        "fixedCosts": [],
        "processor": "Processor",
        "operator": "Operator",
        "tokens": [{"token": "00000000000031141181", "type": "Credit", "units": 29.7}],
        "units": 29.7,
        "unitType": "KWH",
        "consumerDetails": {"name": "A CONSUMER", "address": "1 ROAD", "message": "Electricity saved is electricity earned."},
        "municipalityDetails": {"name": "A Municipality"},
        "supplierGroupCode": "000001",
        "keyRevisionNumber": "1",
        "tariffIndex": "01",
        "tokenTechCode": "02",
        "algorithmCode": "07",
        "onlineMeter": False,
        "accountStatus": {},
        "instructions": "Type the tokens in the order in which they are printed.",
    },
}


class Connection(asyncio.Protocol):
    """One client's connection. Its requests follow one another."""

    answer_seconds = 0.1  # of all connections, on average

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ended, body = self._received.partition(b"\r\n\r\n")
        if not ended or len(body) < _content_length(head):
            return
        self._received = b""
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if (seconds := target.removeprefix("/_control/answer-seconds/")) != target:
            Connection.answer_seconds = float(seconds)
            self._answer({})
        else:
            late = Connection.answer_seconds * random.uniform(0.5, 1.5)
            asyncio.get_running_loop().call_later(late, self._answer, _said(method, target.partition("?")[0]))

    def _answer(self, said: object) -> None:
        body = json.dumps(said, separators=(",", ":")).encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


def _content_length(head: bytes) -> int:
    _, found, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n", 1)[0]) if found else 0


def _said(method: str, path: str) -> object:
    match method, path.rpartition("/")[2]:
        case "POST", "token":
            return _TOKEN
        case "GET", "products":
            return _PRODUCTS
        case "GET", "prevend":
            return {"transactionId": str(uuid.uuid4()), **_PREVENDED}
        case _:
            return {"transactionId": str(uuid.uuid4()), **_SOLD}


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=2_048)
    print(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
